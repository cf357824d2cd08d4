"""Manifests to rows. May import base, domain, vendors, landing, settings, warehouse."""
