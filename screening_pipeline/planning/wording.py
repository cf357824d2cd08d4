"""The reason for a planned pull, in words for people."""

from __future__ import annotations

from screening_pipeline.planning import priors
from screening_pipeline.planning.columns import IN_VAIN, NEW, REQUESTED, WORST_CASE


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
