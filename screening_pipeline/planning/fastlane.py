"""The fast lane: the best ages to ask at while a state is young and most of its changes come within minutes.

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
    """Return for each of `AGES` the age to ask at next (infinite: leave it to the rule), or None without a fast lane.

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
    return _solved(survival, area, np.maximum(price, CHEAPEST_CALL), max(1, round(shortest / STEP)))


def _solved(survival: Floats, area: Floats, price: Floats, gap: int) -> Floats:
    """Solve backwards: the cost from age a is the least over the next age b of call, lag until b, and cost from b.

    Counted for all who enter the state, the cost by way of b is a line over the share still there at a: it rises with
    b's age and price, and begins with what follows b.
    """
    last = len(AGES) - 1
    slope, begin, choice = AGES + price, np.empty(last + 1), np.full(last + 1, np.inf)
    # To leave the fast lane costs no call, but what has changed unseen waits for the ordinary rule.
    slope[last] = AGES[last] + UNSEEN_SECONDS
    begin[last] = -area[last] - survival[last] * UNSEEN_SECONDS
    for here in range(last - 1, -1, -1):
        soonest = min(here + gap, last)
        total = survival[here] * slope[soonest:] + begin[soonest:]
        best = int(total.argmin())
        begin[here] = total[best] - survival[here] * AGES[here]
        choice[here] = AGES[soonest + best] if soonest + best < last else np.inf
    return choice
