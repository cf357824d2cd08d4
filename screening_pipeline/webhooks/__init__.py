"""What vendors push, proven before it is stored. May import base, domain, vendors, landing, settings and http.wire."""
