"""Learning durations from interval-censored sojourns: hazards by age and speeds by hour, by expectation steps."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from screening_pipeline.planning import priors
from screening_pipeline.planning.calendar import CELLS, WEEK_SHARE, BusinessCalendar, normalised
from screening_pipeline.planning.histogram import (
    BIN_AGES,
    PACKAGE_SOJOURNS,
    PRIOR_SOJOURNS,
    GroupKey,
    Histogram,
    Sojourn,
    prior_histogram,
)
from screening_pipeline.planning.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from screening_pipeline.domain.durations import Prior

    Floats = NDArray[np.float64]
    Numbers = list[float]

PACE_EVENTS = 60.0
"""The prior shape of the week speaks with the weight of this many observed ends."""
PACE_FLOOR = 0.01
POINTS = 24
"""An interval between two pulls is looked at in this many places."""
STEPS = 3
ENOUGH = 800.0
"""So many ends are as good as any number: the more there are a day, the sooner older ones fade."""
SHORTEST_HALF_LIFE = 1.0 * priors.DAY


class Stays:
    """The sojourns of one state as numpy columns (seconds since 1970, ages in seconds), with exponential forgetting.

    What is faded is the time watched and the ends in it, not whole sojourns: a hazard is of its own day, and long
    stays tell of the present as well as short ones.
    """

    def __init__(self, stays: Sequence[Sojourn], half_life_days: float) -> None:
        self.entered = np.array([stay.entered_at.timestamp() for stay in stays])
        self.lower = np.array([stay.seconds_lower for stay in stays])
        self.is_ended = np.array([not stay.is_censored for stay in stays])
        upper = np.array([stay.seconds_upper for stay in stays])
        self.upper = np.where(self.is_ended, np.maximum(upper, self.lower + 1.0), self.lower)
        self.is_followed = np.array([stay.is_followed for stay in stays])
        self.before = np.minimum(np.array([stay.seconds_before for stay in stays]), self.lower)
        self.ends = self.entered + self.upper
        self.half_life = self._half_life(half_life_days * priors.DAY)

    def faded(self, when: Floats) -> Floats:
        """Return the weight that time at these instants still has under the half-life."""
        return 0.5 ** (np.maximum(self.ends.max() - when, 0.0) / self.half_life)

    def _half_life(self, longest: float) -> float:
        ended = self.ends[self.is_ended]
        lately = int(np.count_nonzero(ended > self.ends.max() - longest))
        return min(longest, max(SHORTEST_HALF_LIFE, ENOUGH * longest / max(lately, 1)))


def learned_group(
    state: tuple[str, str],
    stays: Sequence[Sojourn],
    calendar: BusinessCalendar,
    half_life_days: float,
    declared: Prior,
) -> tuple[dict[GroupKey, Histogram], tuple[float, ...]]:
    """Return the histograms of a vendor's state (and of packages with enough data), and its week profile."""
    vendor, lifecycle = state
    table = Stays(stays, half_life_days)
    start, end = table.entered.min(), table.ends.max()
    pace = learned_pace(table, calendar, priors.pace(declared, lifecycle))
    timeline = Timeline(calendar, (pace,), start - priors.DAY, end + priors.DAY)
    prior = prior_histogram(declared, lifecycle)
    parts = _Parts(table, timeline, prior)
    histograms = {GroupKey(vendor, lifecycle): parts.histogram(np.ones(len(stays), dtype=bool))}
    for package, count in sorted(Counter(stay.package for stay in stays if stay.package is not None).items()):
        if count >= PACKAGE_SOJOURNS:
            mask = np.array([stay.package == package for stay in stays])
            histograms[GroupKey(vendor, lifecycle, package)] = parts.histogram(mask)
    return histograms, pace


def learned_pace(table: Stays, calendar: BusinessCalendar, prior: tuple[float, ...]) -> tuple[float, ...]:
    """Return the week profile (48 speeds) that best explains in which hours sojourns of over an hour ended."""
    start, end = table.entered.min(), table.ends.max()
    timeline = Timeline(calendar, (prior,), start - priors.DAY, end + priors.DAY)
    slow = table.is_ended & (table.upper > priors.FAST_SECONDS)
    first = (table.entered + np.maximum(table.lower, priors.FAST_SECONDS))[slow]
    last = table.ends[slow]
    begin = table.entered + np.maximum(table.before, priors.FAST_SECONDS)
    watched = timeline.cell_hours(begin, table.ends, table.faded)
    if watched.sum() <= 0:
        return prior
    shares = np.array(WEEK_SHARE) / sum(WEEK_SHARE)
    old = np.array(prior)
    speeds = old
    points = (np.arange(POINTS) + 0.5) / POINTS
    instants = first[:, None] + points * (last - first)[:, None]
    cells, faded = timeline.cell(instants), table.faded(instants)
    for _ in range(STEPS):
        likely = speeds[cells]
        likely = likely / likely.sum(axis=1, keepdims=True) * faded
        events = np.bincount(cells.ravel(), weights=likely.ravel(), minlength=CELLS)
        rate = events.sum() / watched.sum()
        # Gamma prior of each cell: its share of PACE_EVENTS, watched for as long as the prior speed needs for them.
        speeds = (events + PACE_EVENTS * shares * old) / (watched * rate + PACE_EVENTS * shares)
    return normalised(tuple(np.maximum(speeds, PACE_FLOOR).tolist()))


class _Parts:
    """For each sojourn the part of its end and of its watched time that falls into each age bin."""

    def __init__(self, table: Stays, timeline: Timeline, prior: Histogram) -> None:
        self.table = table
        fast = np.array(priors.FAST_EDGES)
        slow = np.array(priors.SLOW_EDGES)
        self.widths = np.concatenate((np.diff(fast), np.diff(slow)))
        zero = np.zeros(len(table.entered), dtype=np.int64)
        begin = timeline.worked(zero, table.entered + priors.FAST_SECONDS)

        def slow_age(age: Floats) -> Floats:
            when = np.maximum(table.entered + age, table.entered + priors.FAST_SECONDS)
            return np.clip(timeline.worked(zero, when) - begin, 0.0, slow[-1] - 1.0)

        low = np.concatenate((_covered(table.lower, fast), _covered(slow_age(table.lower), slow)), axis=1)
        high = np.concatenate((_covered(table.upper, fast), _covered(slow_age(table.upper), slow)), axis=1)
        unseen = np.concatenate((_covered(table.before, fast), _covered(slow_age(table.before), slow)), axis=1)
        self.before, self.between = low - unseen, high - low
        middles = np.array([(low + high) / 2 for low, high in BIN_AGES])
        self.faded = table.faded(table.entered[:, None] + middles)
        self.prior = prior

    def histogram(self, mask: NDArray[np.bool_]) -> Histogram:
        """Return the histogram of the chosen sojourns: ends spread as likely, watched time counted up to them."""
        ended = mask & self.table.is_ended
        between, faded = self.between[ended], self.faded[ended]
        pooled_events = np.array(self.prior.events) * PRIOR_SOJOURNS
        pooled_exposure = np.array(self.prior.exposure) * PRIOR_SOJOURNS
        watched = (self.faded[mask] * self.before[mask]).sum(axis=0) * self.widths
        events, exposure = np.zeros(len(self.widths)), watched
        for _ in range(STEPS):
            hazard = (events + pooled_events + 1e-6) / (exposure + pooled_exposure + 1.0)
            likely = between * (_shares(hazard * self.widths) + 1e-9)
            likely /= np.maximum(likely.sum(axis=1, keepdims=True), 1e-300)
            events = (faded * likely).sum(axis=0)
            later = 1.0 - np.cumsum(likely, axis=1) + likely / 2
            exposure = watched + (faded * later * between).sum(axis=0) * self.widths
        counted = self.table.faded(self.table.ends)
        followed = float(counted[ended & self.table.is_followed].sum())
        return Histogram(tuple(events.tolist()), tuple(exposure.tolist()), float(counted[ended].sum()), followed)


def _shares(hazards: Floats) -> Floats:
    """Return which share of all sojourns ends in each bin, from the hazard gathered in it."""
    gathered = np.cumsum(hazards)
    return np.exp(-(gathered - hazards)) * -np.expm1(-hazards)


def _covered(ages: Floats, edges: Floats) -> Floats:
    """Return which fraction of each bin lies below each age: one row per age."""
    return np.clip((ages[:, None] - edges[:-1]) / np.diff(edges), 0.0, 1.0)
