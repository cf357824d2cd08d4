"""The HTML page. May import base, settings and warehouse."""
