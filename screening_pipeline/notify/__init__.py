"""Somebody is told: what is wrong, on change, by webhook, command or mail; never anything of a person.

May import base, domain, state, settings, warehouse, runtime and health.
"""
