"""Erasing and reducing. May import runtime and what is below it."""
