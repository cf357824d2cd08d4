"""One account asked: client, transport, credentials, circuit, feed.

May import base, domain, landing, state, settings.
"""
