"""The nearest known word ("did you mean"), for messages about unknown ones."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

ALIKE = 0.6
"""How alike two words must be, from 0 to 1, to have been meant for one another."""


def nearest(given: str, known: Iterable[str], *, alike: float = ALIKE) -> str | None:
    """The known word most similar to the given one, ignoring case; None where none is similar enough."""
    by_lower = {word.lower(): word for word in known}
    found = get_close_matches(given.lower(), by_lower, n=1, cutoff=alike)
    return by_lower[found[0]] if found else None


def did_you_mean(given: str, known: Iterable[str], *, alike: float = ALIKE) -> str:
    """The suffix of an error message that suggests the nearest known word; empty where none is near."""
    word = nearest(given, known, alike=alike)
    return f"; did you mean {word}?" if word else ""
