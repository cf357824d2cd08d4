"""The reason for a planned pull, in words for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening_pipeline.planning import priors
from screening_pipeline.planning.columns import CHANCE, IN_VAIN, NEW, REQUESTED, WORST_CASE

if TYPE_CHECKING:
    from screening_pipeline.planning.columns import Floats, Indexes


def reasons_of(code: Indexes, chance: Floats, waited: Floats, *, is_overloaded: bool) -> list[str]:
    """Return the reasons for many planned pulls, in words; those that read the same are put into words once."""
    numbers = np.where(code == CHANCE, np.rint(100 * chance), 0.0)
    for unit, place in ((1.0, 1), (priors.MINUTE, 2), (priors.HOUR, 3), (priors.DAY, 4)):
        is_in = (code == WORST_CASE) & (waited >= (unit if place > 1 else -np.inf))
        numbers = np.where(is_in, 10 * np.rint(waited / unit) + place, numbers)
    _, first, place_of = np.unique(1e6 * code + numbers, return_index=True, return_inverse=True)
    said = [reason_of(int(code[i]), float(chance[i]), float(waited[i]), is_overloaded=is_overloaded) for i in first]
    return [said[place] for place in place_of.tolist()]


def reason_of(code: int, chance: float, waited: float, *, is_overloaded: bool) -> str:
    """Return the reason for one planned pull, in words."""
    if code == REQUESTED:
        return "asked for"
    if code == IN_VAIN:
        return "asked in vain"
    if code == NEW:
        return "not seen yet"
    if code == WORST_CASE:
        return f"not looked at for {duration(waited)} by then"
    words = f"{percent(chance)} chance that it has changed by then"
    return f"{words}, over budget" if is_overloaded else words


def percent(share: float) -> str:
    """Return a share in percent, without false precision near 0 and 100."""
    value = round(100 * share)
    if value < 1:
        return "under 1 %"
    return "over 99 %" if value > 99 else f"{value} %"


def duration(seconds: float) -> str:
    """Return a duration in words, in the unit that fits."""
    for unit, name in ((priors.DAY, "d"), (priors.HOUR, "h"), (priors.MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
