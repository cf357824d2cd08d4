"""Progress reports of long work: a callback of what is done, how much, and of how much in all."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""(what is being done, how much of it is done, how much there is): told after every step."""


def no_progress(what: str, done: int, total: int) -> None:
    """The progress callback that reports nothing."""
