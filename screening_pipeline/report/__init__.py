"""The HTML page. May import base and warehouse."""
