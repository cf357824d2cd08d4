"""The only room that opens the warehouse: session, lock, schema, batch, rebuild, snapshot, publication.

May import base, domain, vendors, landing, settings.
"""
