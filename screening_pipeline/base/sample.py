"""A sample of things that have sizes."""

from __future__ import annotations

from collections.abc import Mapping
from random import SystemRandom
from typing import TypeVar

_T = TypeVar("_T")


def sample(sizes: Mapping[_T, int], most: int | None) -> list[_T]:
    """As many, by chance, as come to `most` together, the last one perhaps over it; all of them where that is None."""
    drawn, left = list(sizes), most
    if left is None:
        return drawn
    SystemRandom().shuffle(drawn)
    taken = []
    for one in drawn:
        if left <= 0:
            break
        taken.append(one)
        left -= sizes[one]
    return taken
