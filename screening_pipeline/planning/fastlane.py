"""The fast lane: optimal pull ages for young states, most of whose changes come within minutes.

This is the classical inspection problem (a failure shows only when looked for; a look costs, so does each second of
not knowing), solved backwards over ages for each group of checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening_pipeline.planning import priors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening_pipeline.planning.rule import Tables

    Floats = NDArray[np.float64]

_Line = tuple[float, float, float]

STEP = 5.0
AGES = np.arange(0.0, priors.FAST_SECONDS + STEP, STEP)
SMALL_SHARE = 0.02
"""With fewer fast changes than this there is no fast lane."""
UNSEEN_SECONDS = 1_800.0
"""A change that the fast lane leaves behind waits about this long for the ordinary rule."""
CHEAPEST_CALL = 1.0
PATIENCE, WANTED, MORE_PATIENCE = 0.25, 300.0, 0.3
"""While most fast changes are still to come, a call costs this share of their usual age in seconds at most, and a
little more where it would save more than five minutes elsewhere, unless calls are short."""
SHORTAGE = 2_400.0
"""What a call must save elsewhere, in seconds, beyond which not even the bulk of the fast changes has it cheaper."""
BULK = 0.95


def next_ages(tables: Tables, group: int, lag: float, *, is_scarce: bool, shortest: float) -> Floats | None:
    """Return the next pull age for each of `AGES` (infinite: leave it to the rule), or None without a fast lane.

    `lag` is what a call must save elsewhere, in seconds; when calls are `is_scarce`, that is its price here too.
    """
    index = np.full(len(AGES), group)
    survival = np.exp(-tables.fast_hazard(index, AGES))
    area = tables.fast_survival_area(index, AGES)
    share = 1.0 - survival[-1]
    if share < SMALL_SHARE:
        return None
    usual = (area[-1] - survival[-1] * AGES[-1]) / share
    is_bulk = 1.0 - survival < BULK * share
    is_bulk[1:] |= is_bulk[:-1]
    patience = MORE_PATIENCE if lag > WANTED else PATIENCE
    cheap = max(min(lag, patience * usual), lag - SHORTAGE)
    price = np.where(is_bulk & (not is_scarce), cheap, lag)
    return best_ages(survival, area, np.maximum(price, CHEAPEST_CALL), max(1, round(shortest / STEP)))


def best_ages(survival: Floats, area: Floats, price: Floats, gap: int) -> Floats:
    """Solve the inspection problem by dynamic programming, backwards over ages: the best next pull age from each.

    Counted for all who enter the state, the cost by way of b is a line over the share still there at a: it rises with
    b's age and price (which must not fall with age), and begins with what follows b.
    """
    last = len(AGES) - 1
    ages, left, slope, choice = AGES.tolist(), survival.tolist(), (AGES + price).tolist(), np.full(last + 1, np.inf)
    begin = [0.0] * (last + 1)
    # To leave the fast lane costs no call, but what has changed unseen waits for the ordinary rule.
    leaving = (ages[last] + UNSEEN_SECONDS, float(-area[last] - left[last] * UNSEEN_SECONDS), np.inf)
    lines = _Lines()
    for here in range(last - 1, -1, -1):
        soonest = here + gap
        if soonest < last:
            lines.add((slope[soonest], begin[soonest], ages[soonest]))
        rise, start, choice[here] = lines.least(left[here], leaving)
        begin[here] = left[here] * rise + start - left[here] * ages[here]
    return choice


class _Lines:
    """Lines as (rise, begin, age), each added rising less than those before; which is the least at a growing share.

    A line that was passed is never the least again, and neither is one that is above its neighbours' crossing, so that
    each is looked at a few times only, instead of all of them for each age.
    """

    def __init__(self) -> None:
        self._kept: list[_Line] = []
        self._first = 0

    def add(self, new: _Line) -> None:
        """Add a line, and drop those that will not be the least any more because of it."""
        kept = self._kept
        while len(kept) - self._first >= 2:
            before, top = kept[-2], kept[-1]
            if (new[1] - top[1]) * (before[0] - top[0]) > (top[1] - before[1]) * (top[0] - new[0]):
                break
            kept.pop()
        kept.append(new)

    def least(self, share: float, other: _Line) -> _Line:
        """Return the least line at a share that is not below the last one asked for; `other` competes with them."""
        kept = self._kept
        if not kept:
            return other
        rise, begin, _ = kept[self._first]
        cost = share * rise + begin
        while self._first + 1 < len(kept):
            rise, begin, _ = kept[self._first + 1]
            if share * rise + begin > cost:
                break
            cost = share * rise + begin
            self._first += 1
        return kept[self._first] if cost <= share * other[0] + other[1] else other
