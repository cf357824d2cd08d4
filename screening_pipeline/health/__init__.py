"""How things stand: accounts, what runs, files that others read; in words, as JSON and as metrics.

May import base, domain, state, settings, warehouse, orders, runtime and webhooks.refusals.
"""
