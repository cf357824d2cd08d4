"""The pull rule: the lag a check is expected to have gathered since its last pull, and when that is worth a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from screening_pipeline.planning import priors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from screening_pipeline.planning.histogram import GroupKey
    from screening_pipeline.planning.model import Model
    from screening_pipeline.planning.timeline import Timeline

    Floats = NDArray[np.float64]
    Indexes = NDArray[np.int64]

FLOOR_SHARE = 0.0005
"""Whatever history says, a check of age `a` has at least this hazard times 1/a: nothing is ever thought impossible."""
LAG_SHARE = 1.0 / 3.0
"""Lag gathered with no change in sight counts by this share: pulls are best made when changes cease, not spread."""
RUSH = 0.65
"""A call in an hour that is `s` times as busy as others counts s^RUSH times as much. By expected lag alone pulls follow
the square root of the pace; this halves the usual lag's excess over the best, and costs the mean next to nothing."""
QUIET = 12 * 3600.0
"""When hardly anything happens, a change found now is found about so much sooner than otherwise, however sure it is."""
HALVINGS = 6
MAX_EXPONENT = 30.0
STEPS = tuple(
    hours * 3600.0
    for hours in (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 10, 12, 14, 16, 20, 24, 36, 48, 72, 120, 168, 240, 336)
)
"""Where a later due time is looked for first: urgency may fall again when a working day begins."""


class Tables:
    """Look-up tables of cumulative hazards by group on the fixed age bins."""

    def __init__(self, model: Model, groups: Sequence[GroupKey]) -> None:
        histograms = [model.histogram(*group) for group in groups]
        split = len(priors.FAST_EDGES) - 1
        hazards = np.array([h.hazards for h in histograms], dtype=np.float64).reshape(len(groups), priors.BINS)
        self.fast_edges, self.slow_edges = np.array(priors.FAST_EDGES), np.array(priors.SLOW_EDGES)
        self.fast = _floored(hazards[:, :split], self.fast_edges, 0.0)
        self.slow = _floored(hazards[:, split:], self.slow_edges, priors.FAST_SECONDS)
        self.fast_sum = _cumulated(self.fast, self.fast_edges)
        self.slow_sum = _cumulated(self.slow, self.slow_edges)
        self.mean_seconds = np.array([h.mean_seconds for h in histograms])
        self.followed = np.array([h.followed / max(h.sojourns, 1e-9) for h in histograms])
        survival = np.exp(-self.fast_sum[:, :-1])
        area = survival * -np.expm1(-self.fast * np.diff(self.fast_edges)) / self.fast
        self.fast_area = np.zeros_like(self.fast_sum)
        np.cumsum(area, axis=1, out=self.fast_area[:, 1:])

    def fast_hazard(self, group: Indexes, age: Floats) -> Floats:
        """Return the cumulative hazard up to an age within the first hour."""
        place = _bin(self.fast_edges, age)
        return self.fast_sum[group, place] + self.fast[group, place] * (age - self.fast_edges[place])

    def fast_survival_area(self, group: Indexes, age: Floats) -> Floats:
        """Return the integral of the survival function, from 0 to an age (seconds) within the first hour."""
        place = _bin(self.fast_edges, age)
        hazard, survival = self.fast[group, place], np.exp(-self.fast_sum[group, place])
        return self.fast_area[group, place] - survival * np.expm1(-hazard * (age - self.fast_edges[place])) / hazard

    def slow_hazard(self, group: Indexes, work: Floats) -> tuple[Floats, Floats]:
        """Return (cumulative hazard, hazard rate) at a working time past the first hour."""
        place = _bin(self.slow_edges, work)
        rate = self.slow[group, place]
        return self.slow_sum[group, place] + rate * (work - self.slow_edges[place]), rate


def _bin(edges: Floats, age: Floats) -> Indexes:
    """Return the bin of each age; what lies beyond the last edge belongs to the last bin."""
    place = edges.searchsorted(age, side="right") - 1
    return np.minimum(np.maximum(place, 0), len(edges) - 2)


def _floored(hazards: Floats, edges: Floats, offset: float) -> Floats:
    middle = (edges[1:] + edges[:-1]) / 2 + offset
    return np.maximum(hazards, FLOOR_SHARE / middle)


def _cumulated(hazards: Floats, edges: Floats) -> Floats:
    total = np.zeros((hazards.shape[0], len(edges)))
    np.cumsum(hazards * np.diff(edges), axis=1, out=total[:, 1:])
    return total


@dataclass(frozen=True)
class Expectation:
    """The expected chance of a change and lag of each check at an instant.

    `urgency` decides whether a call is made, `worth` in which order: in quiet hours nothing new comes, so the surest
    changes go first.
    """

    chance: Floats
    urgency: Floats
    worth: Floats


class Waiting:
    """Open checks since their last pull, with what evaluating them at later instants needs."""

    def __init__(
        self,
        tables: Tables,
        timeline: Timeline,
        group: Indexes,
        clock: Indexes,
        entered: Floats,
        since: Floats,
        thinning: Floats,
    ) -> None:
        self.tables, self.timeline = tables, timeline
        self.group, self.clock, self.entered = group, clock, entered
        self.since, self.thinning = since, thinning
        self.slow_from = entered + priors.FAST_SECONDS
        self.slow_begin = np.maximum(since, self.slow_from)
        self.work_zero = timeline.worked(clock, self.slow_from)
        self.work_begin, self.area_begin, _ = timeline.at(clock, self.slow_begin)
        self.hazard_begin, _ = tables.slow_hazard(group, self.work_begin - self.work_zero)
        self.young = np.flatnonzero(since < self.slow_from)
        self.young_age = since[self.young] - entered[self.young]
        young_group = group[self.young]
        self.young_hazard = tables.fast_hazard(young_group, self.young_age)
        self.young_area = tables.fast_survival_area(young_group, self.young_age)

    def taken(self, chosen: Indexes, since: Floats | None = None) -> Waiting:
        """Return the chosen checks, optionally with another instant for their last pull."""
        group, clock, entered = self.group[chosen], self.clock[chosen], self.entered[chosen]
        since = self.since[chosen] if since is None else since
        return Waiting(self.tables, self.timeline, group, clock, entered, since, self.thinning[chosen])

    def expect(self, when: Floats) -> Expectation:
        """Return the expectation for every check at its own instant `when` (not before its last pull)."""
        hazard, lag, rate, speed = self._slow(np.maximum(when, self.slow_begin))
        if len(self.young):
            young_hazard, young_lag, young_rate = self._fast(when[self.young])
            is_young = when[self.young] < self.slow_from[self.young]
            # Lag of slow changes counts only where no fast one came before.
            lag[self.young] = young_lag + np.exp(-young_hazard) * lag[self.young]
            hazard[self.young] += young_hazard
            rate[self.young] = np.where(is_young, young_rate, rate[self.young])
        hazard *= self.thinning
        half_wait = hazard / (2 * rate * self.thinning)
        urgency = np.maximum(hazard * half_wait, LAG_SHARE * lag * self.thinning)
        weight = _persistence(hazard) * speed**RUSH
        worth = hazard * np.minimum(half_wait, QUIET)
        return Expectation(-np.expm1(-hazard), urgency * weight, worth * weight)

    def _slow(self, when: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the hazard since the last pull, the lag at its mean, and the rate and speed now, in working time."""
        work, area, speed = self.timeline.at(self.clock, when)
        worked = work - self.work_begin
        hazard, rate = self.tables.slow_hazard(self.group, work - self.work_zero)
        hazard = hazard - self.hazard_begin
        waited = area - self.area_begin - self.work_begin * (when - self.slow_begin)
        return hazard, np.maximum(hazard / np.maximum(worked, 1e-9) * waited, 0.0), rate * speed, speed

    def _fast(self, when: Floats) -> tuple[Floats, Floats, Floats]:
        """Return hazard, lag and rate of the changes within a state's first hour, for the young only."""
        group = self.group[self.young]
        age = np.minimum(when - self.entered[self.young], priors.FAST_SECONDS)
        hazard = self.tables.fast_hazard(group, age) - self.young_hazard
        area = self.tables.fast_survival_area(group, age) - self.young_area
        lag = (age - self.young_age) - area * np.exp(self.young_hazard)
        late = np.maximum(when - self.slow_from[self.young], 0.0)
        rate = self.tables.fast[group, _bin(self.tables.fast_edges, age)]
        return hazard, np.maximum(lag, 0.0) - np.expm1(-hazard) * late, rate

    def reach(self, threshold: float, longest: Floats, start: Floats) -> Floats:
        """Return when each urgency crosses the threshold: from `start`, at most `longest` after the last pull."""
        end = np.maximum(self.since + longest, start)
        found = end.copy()
        left, begun = np.arange(len(end)), start.copy()
        waiting = self
        for step in STEPS:
            if not len(left):
                break
            when = np.minimum(start[left] + step, end[left])
            hit = waiting.expect(when).urgency >= threshold
            if hit.any():
                chosen = waiting.taken(np.flatnonzero(hit))
                found[left[hit]] = chosen.bisected(threshold, begun[left[hit]], when[hit])
            begun[left] = when
            stays = ~hit & (when < end[left])
            if not stays.all():
                left, waiting = left[stays], waiting.taken(np.flatnonzero(stays))
        return found

    def bisected(self, threshold: float, low: Floats, high: Floats) -> Floats:
        """Return a crossing of the threshold between two instants, found by bisection."""
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            is_enough = self.expect(middle).urgency >= threshold
            high = np.where(is_enough, middle, high)
            low = np.where(is_enough, low, middle)
        return high


def _persistence(hazard: Floats) -> Floats:
    """Return how much more a wait weighs the surer the change is.

    With a constant hazard h and a price per call, the best wait T solves (exp(hT) - 1) / h - T = price. For small hT
    that is the expected lag h T^2 / 2; this is the ratio of the two, so that sure changes are not left waiting.
    """
    x = np.minimum(np.maximum(hazard, 1e-4), MAX_EXPONENT)
    return 2.0 * (np.expm1(x) - x) / x**2  # type: ignore[no-any-return]
