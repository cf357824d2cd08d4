"""How things stand: accounts, what runs, files that others read, files that rot; in words, as JSON and as metrics.

May import base, domain, landing, state, settings, warehouse, orders, runtime and webhooks.refusals.
"""
