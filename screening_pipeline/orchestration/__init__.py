"""Dagster, and only here. May import cycle, report and what is below them."""
