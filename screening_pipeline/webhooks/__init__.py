"""What vendors push, proven before it is stored.

May import base, domain, vendors, landing, state, settings and http.wire.
"""
