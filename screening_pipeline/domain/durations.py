"""Declared durations of a vendor: how long states last, and when a check is first pulled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isclose, log
from typing import NamedTuple

MINUTE = 60.0
HOUR = 3600.0
DAY = 86_400.0
BUSINESS_DAY = 7 * DAY / 5
"""A business day in seconds of working time, which runs so that a week without holidays lasts a week."""

FAST_SECONDS = HOUR
"""Up to this age a state is timed by the wall clock: machines answer at night too. After it, working time counts."""


class Spell(NamedTuple):
    """A share of the cases that leave a state between two ages: one piece of a prior distribution of durations.

    Ages are seconds on the wall clock when `is_fast`, else seconds of working time past the first hour.
    """

    share: float
    low: float
    high: float
    is_fast: bool = False
    is_log: bool = False

    def mass_between(self, low: float, high: float) -> float:
        """Return the share of all cases that leave between two ages (seconds on this spell's clock)."""
        low, high = max(low, self.low), min(high, self.high)
        if high <= low:
            return 0.0
        if self.is_log:
            return self.share * log(high / low) / log(self.high / self.low)
        return self.share * (high - low) / (self.high - self.low)

    def problem(self) -> str | None:
        """The validation problem of its range of ages, in words; None if it is valid."""
        if not 0 < self.share <= 1:
            return "its share is not above 0 and at most 1"
        if not 0 <= self.low < self.high:
            return "its ages do not rise from 0"
        if self.is_log and self.low == 0:
            return "magnitudes have no beginning at age 0"
        return "fast is what happens within an hour" if self.is_fast and self.high > FAST_SECONDS else None


@dataclass(frozen=True, kw_only=True)
class Prior:
    """A vendor's prior: the durations that the planner assumes until it has learned from the account's history.

    - `first_pull_seconds`: a check that nobody has seen yet is looked at by then.
    - `first_state`: the lifecycle in which a check is taken to stand until it was first seen.
    - `spells`: by lifecycle, when checks leave it; the shares of a lifecycle add up to 1.
    - `keeps_office_hours`: whether hardly anything happens in the evening or at weekends.
    - `passes_states`: whether a check usually passes through several open states.
    """

    first_pull_seconds: float = 30 * MINUTE
    first_state: str | None = None
    spells: Mapping[str, tuple[Spell, ...]] = field(default_factory=dict)
    keeps_office_hours: bool = False
    passes_states: bool = True

    def problems(self) -> Iterator[tuple[str, str]]:
        """Validation problems: (attribute, value and what is wrong with it)."""
        if not 0 < self.first_pull_seconds < 365 * DAY:
            yield "first_pull_seconds", f"{self.first_pull_seconds!r} is no number of seconds above zero"
        for lifecycle, spells in self.spells.items():
            at = f"spells[{lifecycle}]"
            yield from ((at, f"{spell!r} is no spell: {why}") for spell in spells if (why := spell.problem()))
            total = sum(spell.share for spell in spells)
            if not isclose(total, 1.0):
                yield at, f"shares of {total:.6g} in all do not add up to 1"
