"""Python looks for garbage less often than it does by itself."""

import gc

AFTER = 50_000
"""New objects after which it looks. What our processes import, Dagster above all, makes 300,000 that all stay; looked
through after every 700, as it comes, they are a tenth of a start and of a `sync` in a process of its own."""


def look_seldom() -> None:
    """Have this process look for garbage after so many new objects; best before anything large is imported."""
    gc.set_threshold(AFTER)
