"""screening.toml, paths and keys. May import base, domain, vendors, and the sandbox's published credentials."""
