"""What is believed of the time in each state before a vendor's own history says better; how long to wait at most."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import log

from screening_pipeline.planning.calendar import normalised, working_pace

MINUTE = 60.0
HOUR = 3600.0
DAY = 86_400.0
BUSINESS_DAY = 7 * DAY / 5
"""A business day in seconds of working time, which runs so that a week without holidays lasts a week."""

FAST_SECONDS = HOUR
"""Up to this age a state is timed by the wall clock: machines answer at night too. After it, working time counts."""

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


@dataclass(frozen=True)
class Spell:
    """A share of the cases that leave their state between two ages; `is_log` spreads them evenly over magnitudes.

    Ages are seconds on the wall clock when `is_fast`, else seconds of working time past the first hour.
    """

    share: float
    low: float
    high: float
    is_fast: bool = False
    is_log: bool = False

    def mass_between(self, low: float, high: float) -> float:
        """Return the share of all cases that leave between two ages of this spell's clock."""
        low, high = max(low, self.low), min(high, self.high)
        if high <= low:
            return 0.0
        if self.is_log:
            return self.share * log(high / low) / log(self.high / self.low)
        return self.share * (high - low) / (self.high - self.low)


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

_WORKERCHECKS = (
    Spell(0.8, 1 * MINUTE, 3 * MINUTE, is_fast=True),
    Spell(0.2, 1 * BUSINESS_DAY, 15 * BUSINESS_DAY),
)

BY_VENDOR: dict[str, dict[str, tuple[Spell, ...]]] = {
    "workerchecks": {
        "in_progress": _WORKERCHECKS,
        # W2, W6: an id may be asked for before its check is submitted, so this state has the same fast start.
        "pending": _WORKERCHECKS,
        # W1: a referred result waits for its release, within the same fifteen business days.
        "completed": (Spell(1.0, HOUR, 15 * BUSINESS_DAY),),
    },
}

FIRST_STATES = {"workerchecks": "in_progress"}
"""Where a check is taken to stand until it was first seen."""

CANDIDATE_PACE = working_pace(8, 18, edges=0.9, evening=0.6, night=0.1, off=0.5)
VENDOR_PACE = working_pace(8, 18, edges=0.6, evening=0.2, night=0.04, off=0.1)
OFFICE_PACE = working_pace(8, 18, edges=0.3, evening=0.03, night=0.01, off=0.01)
VENDOR_PACES = {"workerchecks": OFFICE_PACE}
"""WorkerChecks counts in business days: decisions are made at a desk, hardly any in the evening or at weekends."""
CANDIDATE_STATES = frozenset({"awaiting_candidate", "pending"})
NEUTRAL_PACE = normalised((1.0,) * 48)

FIRST_PULL_SECONDS = {
    "goodhire": 15 * MINUTE,
    "zinc": 15 * MINUTE,
    "hireright": 15 * MINUTE,
    "workerchecks": 1 * MINUTE,
    "workable": 30 * MINUTE,
}
"""A check that nobody has seen yet is looked at by then."""

WORST_CASE_SECONDS: dict[tuple[str | None, str | None], float] = {
    (None, None): 3 * DAY,
}
SUBSCRIPTION_SECONDS = 7 * DAY
STALE_AFTER_SECONDS = 45 * DAY
STALE_SECONDS = 7 * DAY


def presumed(vendor: str, lifecycle: str) -> str:
    """Return the state that counts: of a check that was not seen yet, its vendor's first one."""
    return FIRST_STATES.get(vendor, lifecycle) if lifecycle == "unknown" else lifecycle


def spells(vendor: str, lifecycle: str) -> tuple[Spell, ...]:
    """Return what is believed about one state of one vendor."""
    return BY_VENDOR.get(vendor, {}).get(lifecycle) or GENERAL.get(lifecycle, GENERAL["unknown"])


def pace(vendor: str, lifecycle: str) -> tuple[float, ...]:
    """Return the speed of each of the 48 cells: candidates act in the evening too, vendors hardly."""
    if vendor in VENDOR_PACES:
        return VENDOR_PACES[vendor]
    return CANDIDATE_PACE if lifecycle in CANDIDATE_STATES else VENDOR_PACE


def masses(vendor: str, lifecycle: str) -> list[float]:
    """Return the share of cases that leave their state in each age bin (fast bins, then slow ones)."""
    found = spells(vendor, lifecycle)

    def mass(edges: tuple[float, ...], *, is_fast: bool) -> list[float]:
        chosen = [spell for spell in found if spell.is_fast == is_fast]
        return [sum(spell.mass_between(low, high) for spell in chosen) for low, high in pairwise(edges)]

    return [*mass(FAST_EDGES, is_fast=True), *mass(SLOW_EDGES, is_fast=False)]
