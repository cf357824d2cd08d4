"""Tuning of Python's garbage collector, which runs less often than by default."""

import gc

AFTER = 50_000
"""New objects after which it looks. What our processes import, Dagster above all, makes 300,000 that all stay; looked
through after every 700, as it comes, they are a tenth of a start and of a `sync` in a process of its own."""


def tune_garbage_collection() -> None:
    """Raise the garbage collector's threshold for this process; best called before large imports."""
    gc.set_threshold(AFTER)
