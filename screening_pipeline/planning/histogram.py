"""Histograms of durations in a state, over working time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from math import expm1
from typing import NamedTuple

from screening_pipeline.domain.durations import Prior
from screening_pipeline.planning import priors

PRIOR_SOJOURNS = 25.0
"""The prior speaks with the weight of this many observed sojourns."""
SPEED_ENDS = 3.0
"""How fast a state is left on the whole is believed with the weight of so few ends: what a prior knows is a shape."""
PACKAGE_SOJOURNS = 40
"""From this many sojourns on a package has a distribution of its own."""


SURPRISES, SURPRISED_FROM = 0.06, 300.0
SELDOM = 0.02
"""The prior knows of no age that fewer than this share of the checks reach."""
BIN_AGES = (
    *zip(priors.FAST_EDGES, priors.FAST_EDGES[1:], strict=False),
    *(
        (priors.FAST_SECONDS + low, priors.FAST_SECONDS + high)
        for low, high in zip(priors.SLOW_EDGES, priors.SLOW_EDGES[1:], strict=False)
    ),
)


class Sojourn(NamedTuple):
    """One stay of a check in one state, interval-censored by pulls, or right-censored: it has not ended yet.

    `seconds_lower` is the age when last seen in the state, `seconds_upper` when first seen out of it.
    """

    vendor: str
    package: str | None
    lifecycle: str
    seconds_lower: float
    seconds_upper: float
    is_censored: bool
    entered_at: datetime
    is_followed: bool = False
    """Another open state came next (and might have been lost between two pulls)."""
    seconds_before: float = 0.0
    """Age when the check came under watch at all: those that left earlier were never heard of (left truncation)."""


class GroupKey(NamedTuple):
    """The key of a distribution of durations: vendor, state and package (None: all packages together)."""

    vendor: str
    lifecycle: str
    package: str | None = None


@dataclass(frozen=True)
class Histogram:
    """Ends of sojourns and seconds at risk in each age bin."""

    events: tuple[float, ...]
    exposure: tuple[float, ...]
    sojourns: float
    followed: float = 0.0

    def plus(self, other: Histogram, weight: float) -> Histogram:
        """Return two histograms pooled, the other one with a weight."""
        return Histogram(
            tuple(a + weight * b for a, b in zip(self.events, other.events, strict=True)),
            tuple(a + weight * b for a, b in zip(self.exposure, other.exposure, strict=True)),
            self.sojourns + weight * other.sojourns,
            self.followed + weight * other.followed,
        )

    def sped(self, observed: Histogram) -> Histogram:
        """Return this one as much faster or slower as observed ends say, ages keeping their proportions."""
        expected = sum(hazard * seconds for hazard, seconds in zip(self.hazards, observed.exposure, strict=True))
        speed = (sum(observed.events) + SPEED_ENDS) / (expected + SPEED_ENDS)
        return replace(self, exposure=tuple(seconds / speed for seconds in self.exposure))

    @property
    def hazards(self) -> list[float]:
        """The hazard in each bin: chance of leaving the state, per second."""
        return [e / x if x > 0 else 0.0 for e, x in zip(self.events, self.exposure, strict=True)]

    @property
    def mean_seconds(self) -> float:
        """Mean length of a sojourn (seconds; working time runs like the wall clock in the long run)."""
        left, total = 1.0, 0.0
        for hazard, (low, high) in zip(self.hazards, BIN_AGES, strict=True):
            leaving = -expm1(-hazard * (high - low)) if hazard > 0 else 0.0
            total += left * (leaving / hazard if hazard > 0 else high - low)
            left *= 1.0 - leaving
        return total


def prior_histogram(prior: Prior, lifecycle: str) -> Histogram:
    """Return the declared prior of a state as a histogram with the weight of one sojourn."""
    exposure, events, left = [], [], 1.0
    for mass, (low, high) in zip(priors.masses(prior, lifecycle), BIN_AGES, strict=True):
        watched = (high - low) * max(left - mass / 2, SELDOM)
        exposure.append(watched)
        # Surprises: what no document says happens too, as often per magnitude of age.
        events.append(max(mass, SURPRISES * watched / (low + high + 2 * SURPRISED_FROM)))
        left -= mass
    return Histogram(tuple(events), tuple(exposure), 1.0, followed=priors.FOLLOWED if prior.passes_states else 0.0)
