"""Default priors of durations, where a vendor declares none, and the longest intervals between pulls.

What is particular to a vendor is its own `Prior`, which it declares; the rest is said here of all.
"""

from __future__ import annotations

from itertools import pairwise

from screening_pipeline.domain import durations
from screening_pipeline.domain.durations import Prior, Spell
from screening_pipeline.planning.calendar import normalised, working_pace

MINUTE, HOUR, DAY = durations.MINUTE, durations.HOUR, durations.DAY
BUSINESS_DAY = durations.BUSINESS_DAY
FAST_SECONDS = durations.FAST_SECONDS

FAST_EDGES = (
    *(10.0 * step for step in range(30)),
    *(300.0 + 30.0 * step for step in range(10)),
    *(600.0 + 120.0 * step for step in range(10)),
    *(1800.0 + 600.0 * step for step in range(4)),
)
SLOW_EDGES = (
    *(HOUR * hours for hours in (0, 1, 2, 3, 4, 6, 8, 12, 16, 24)),
    *(BUSINESS_DAY * days for days in (*range(1, 21), 25, 30, 40, 60, 90, 150)),
)
BINS = len(FAST_EDGES) - 1 + len(SLOW_EDGES) - 1


def _spread(low: float, high: float) -> tuple[Spell, ...]:
    return (Spell(1.0, low, high, is_log=True),)


GENERAL: dict[str, tuple[Spell, ...]] = {
    "created": (
        Spell(0.3, MINUTE, HOUR, is_fast=True, is_log=True),
        Spell(0.7, HOUR / 4, 5 * BUSINESS_DAY, is_log=True),
    ),
    "pending": _spread(HOUR, 15 * BUSINESS_DAY),
    "awaiting_candidate": (
        Spell(0.1, 5 * MINUTE, HOUR, is_fast=True, is_log=True),
        Spell(0.9, HOUR / 2, 20 * BUSINESS_DAY, is_log=True),
    ),
    "awaiting_client": _spread(HOUR, 15 * BUSINESS_DAY),
    "awaiting_vendor": _spread(HOUR, 10 * BUSINESS_DAY),
    "in_progress": (
        Spell(0.05, 5 * MINUTE, HOUR, is_fast=True, is_log=True),
        Spell(0.95, HOUR, 10 * BUSINESS_DAY, is_log=True),
    ),
    "paused": _spread(4 * HOUR, 40 * BUSINESS_DAY),
    "review_required": _spread(HOUR, 15 * BUSINESS_DAY),
    "completed": _spread(HOUR, 20 * BUSINESS_DAY),
    "unknown": _spread(HOUR, 20 * BUSINESS_DAY),
}

UNTOLD = Prior()
"""Of a vendor that declares nothing in particular."""

CANDIDATE_PACE = working_pace(8, 18, edges=0.9, evening=0.6, night=0.1, off=0.5)
VENDOR_PACE = working_pace(8, 18, edges=0.6, evening=0.2, night=0.04, off=0.1)
OFFICE_PACE = working_pace(8, 18, edges=0.3, evening=0.03, night=0.01, off=0.01)
CANDIDATE_STATES = frozenset({"awaiting_candidate", "pending"})
NEUTRAL_PACE = normalised((1.0,) * 48)

FOLLOWED = 0.6
"""The share of states that another open state follows, of a vendor whose checks pass through several."""

WORST_CASE_SECONDS = 3 * DAY
SUBSCRIPTION_SECONDS = 7 * DAY
STALE_AFTER_SECONDS = 45 * DAY
STALE_SECONDS = 7 * DAY


def spells(prior: Prior, lifecycle: str) -> tuple[Spell, ...]:
    """Return the spells (prior distribution of durations) of one state of one vendor."""
    return prior.spells.get(lifecycle) or GENERAL.get(lifecycle, GENERAL["unknown"])


def pace(prior: Prior, lifecycle: str) -> tuple[float, ...]:
    """Return the prior week profile of a state, 48 speeds: candidates act in the evening too, vendors hardly."""
    if prior.keeps_office_hours:
        return OFFICE_PACE
    return CANDIDATE_PACE if lifecycle in CANDIDATE_STATES else VENDOR_PACE


def masses(prior: Prior, lifecycle: str) -> list[float]:
    """Return the prior share of cases that leave a state in each age bin (fast bins, then slow ones)."""
    found = spells(prior, lifecycle)

    def mass(edges: tuple[float, ...], *, is_fast: bool) -> list[float]:
        chosen = [spell for spell in found if spell.is_fast == is_fast]
        return [sum(spell.mass_between(low, high) for spell in chosen) for low, high in pairwise(edges)]

    return [*mass(FAST_EDGES, is_fast=True), *mass(SLOW_EDGES, is_fast=False)]
