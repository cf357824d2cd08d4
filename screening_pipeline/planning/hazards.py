"""Hazards of each state by working time, learned from stays. Pure.

Columns in, instants in seconds since 1970. What a check does next depends on its vendor, its state, and for how much
working time it has been in it; its package makes it faster or slower throughout, and so does how the vendor has been of
late.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from screening_pipeline.planning.calendar import CELLS, DAY, HOUR, WEEK_SHARE, BusinessCalendar, normalised
from screening_pipeline.planning.histogram import BIN_AGES, prior_histogram
from screening_pipeline.planning.priors import UNTOLD
from screening_pipeline.planning.working_time import Clock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening_pipeline.domain.durations import Prior

    Floats = NDArray[np.float64]

AHEAD_DAYS = 400
"""Nothing is forecast beyond; what lasts longer ends then."""
LATELY_DAYS, LONG_DAYS = 10.0, 90.0
"""Half-lives: how fast a vendor is counts of late, what its stays look like counts for long."""
SHRINK = 8.0
"""A package, or the last weeks, are taken to be like the rest until so many ends say otherwise."""
LOCAL, SMOOTH = 1.0, 3.0
NEAR = 4.0
"""Where few leave, a hazard is that of ages nearby (so many bins around), and of all ages where few leave there too."""
PACE_EVENTS, PACE_FLOOR = 40.0, 0.01
NEXT_SHRINK = 4.0
EDGES = np.concatenate(
    (
        [0.0],
        HOUR * np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 20]),
        DAY
        * np.array(
            [1, 1.4, 2, 2.8, 3.5, 4.2, 5.6, 7, 8.4, 9.8, 11.2, 12.6, 14, 17, 21, 25, 28, 32, 36, 42, 50, 60, 90]
        ),
        [DAY * AHEAD_DAYS],
    )
)
WIDTHS = np.diff(EDGES)
_ORDER = np.arange(len(WIDTHS))
NEARBY = np.exp(-(((_ORDER[:, None] - _ORDER) / NEAR) ** 2) / 2)
AGE_GROUPS = np.searchsorted(EDGES, [HOUR, DAY, 5 * DAY, 14 * DAY, 25 * DAY])
STAYS = ("vendor", "package", "state", "entered", "watched_from", "seen_until", "left_by", "next_state")
Columns = Mapping[str, "NDArray[Any]"]
"""Columns of equal length by name."""
_NOTHING = np.array(None, dtype=object)
"""What stands for a text that is not there."""


@dataclass(frozen=True)
class State:
    """What is known of one state of one vendor: hazard per working second by age, and what comes next by age.

    `speed` is how fast it has been of late, `evidence` how many ends say so.
    """

    clock: Clock
    hazard: Floats
    next_states: tuple[str, ...]
    chances: Floats
    speed: float
    evidence: float

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "clock": self.clock.to_dict(),
            "hazard": self.hazard.tolist(),
            "next_states": self.next_states,
            "chances": self.chances.tolist(),
            "speed": self.speed,
            "evidence": self.evidence,
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> State:
        """The state that `to_dict` told."""
        hazard, chances = np.array(saved["hazard"]), np.array(saved["chances"])
        clock, names = Clock.from_dict(saved["clock"]), tuple(saved["next_states"])
        return cls(clock, hazard, names, chances, saved["speed"], saved["evidence"])

    @property
    def gathered(self) -> Floats:
        """The hazard gathered up to each edge."""
        return np.concatenate(([0.0], np.cumsum(self.hazard * WIDTHS)))


@dataclass(frozen=True)
class Hazards:
    """States by vendor and name, each vendor's usual first state, and the factor of each package in each state."""

    states: Mapping[tuple[str, str], State]
    first: Mapping[str, str]
    packages: Mapping[tuple[str, str, str], float]

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "states": [[*key, state.to_dict()] for key, state in self.states.items()],
            "first": dict(self.first),
            "packages": [[*key, factor] for key, factor in self.packages.items()],
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Hazards:
        """The hazards that `to_dict` told."""
        states = {(vendor, state): State.from_dict(told) for vendor, state, told in saved["states"]}
        return cls(states, saved["first"], {tuple(key): factor for *key, factor in saved["packages"]})


def learn(
    stays: Columns,
    calendars: Mapping[str, BusinessCalendar],
    now: float,
    declared: Mapping[str, Prior] | None = None,
) -> Hazards:
    """What stays tell at the instant `now`: the columns STAYS, one place per check and state.

    A stay began at `entered` and was seen to last until `seen_until`, and to be over by `left_by` (NaN while it lasts),
    when `next_state` was seen; an end is a next state that begins with `end:`. One that had been over before
    `watched_from` would not be here. `calendars` are those of the vendors, `declared` what they say of durations.
    """
    states: dict[tuple[str, str], State] = {}
    ended: dict[tuple[str, str], dict[str, tuple[float, float]]] = {}
    sizes: dict[str, dict[str, int]] = {}
    start = float(stays["entered"].min(initial=now)) - DAY
    for vendor, state, own in by_state(stays):
        sizes.setdefault(vendor, {})[state] = len(own["entered"])
        prior = expected_hazard((declared or {}).get(vendor, UNTOLD), state)
        table = _Table(own, calendars.get(vendor) or BusinessCalendar(), start, now, prior)
        states[vendor, state] = table.state()
        for package, pair in table.packages(states[vendor, state]).items():
            ended.setdefault((vendor, package), {})[state] = pair
    packages = {key: factor for (vendor, name), pairs in ended.items() for key, factor in _factors(vendor, name, pairs)}
    first = {vendor: max(of_vendor, key=of_vendor.__getitem__) for vendor, of_vendor in sizes.items()}
    return Hazards(states, first, packages)


def by_state(stays: Columns) -> Iterator[tuple[str, str, Columns]]:
    """The stays of each vendor and state, in order of their names."""
    places: dict[tuple[str, str], list[int]] = {}
    for place, key in enumerate(zip(stays["vendor"].tolist(), stays["state"].tolist(), strict=True)):
        places.setdefault(key, []).append(place)
    for vendor, state in sorted(places):
        yield vendor, state, chosen(stays, np.array(places[vendor, state]))


def known_at(stays: Columns, when: float) -> Columns:
    """The stays as they were known at an instant: nothing had been seen later, and what was left later had not been."""
    is_over = stays["left_by"] <= when
    return {
        **stays,
        "left_by": np.where(is_over, stays["left_by"], np.nan),
        "next_state": np.where(is_over, stays["next_state"], _NOTHING),
        "seen_until": np.minimum(stays["seen_until"], when),
    }


def chosen(columns: Columns, places: NDArray[Any]) -> Columns:
    """The same columns at some places: numbers of them, or whether each is meant."""
    return {name: column[places] for name, column in columns.items()}


def _factors(
    vendor: str, package: str, pairs: Mapping[str, tuple[float, float]]
) -> Iterator[tuple[tuple[str, str, str], float]]:
    """How fast each state is left by a package: as it is on the whole, until the state's own ends say otherwise."""
    whole = _ratio(*np.sum(list(pairs.values()), axis=0))
    for state, (seen, expected) in pairs.items():
        yield (vendor, state, package), _ratio(seen, expected * whole) * whole


def _ratio(seen: float, expected: float, shrink: float = SHRINK) -> float:
    return float((seen + shrink) / (expected + shrink))


class _Table:
    """The stays of one state as columns."""

    def __init__(self, stays: Columns, calendar: BusinessCalendar, start: float, now: float, prior: Floats) -> None:
        self.now, self.prior = now, prior
        self.package = stays["package"]
        self.entered = stays["entered"]
        self.watched_from = np.maximum(stays["watched_from"], self.entered)
        self.next_state = stays["next_state"]
        left = stays["left_by"]
        self.is_ended = ~np.isnan(left)
        self.seen = np.maximum(stays["seen_until"], self.entered)
        self.left = np.where(self.is_ended, np.maximum(left, self.seen + 1), self.seen)
        flat = Clock(calendar, (1.0,) * CELLS, start, now + AHEAD_DAYS * DAY)
        pace = self._pace(flat)
        self.clock = Clock(calendar, pace, start, now + AHEAD_DAYS * DAY)
        begun = self.clock.worked(self.entered)
        low, high = self.clock.worked(self.seen) - begun, self.clock.worked(self.left) - begun
        unwatched = _covered(self.clock.worked(np.minimum(self.watched_from, self.seen)) - begun)
        until = _covered(low)
        between = _covered(high) - until
        self.events = np.where(self.is_ended[:, None], between * WIDTHS, 0.0)
        self.events /= np.maximum(self.events.sum(axis=1, keepdims=True), 1e-9)
        self.watched = (until - unwatched + between / 2) * WIDTHS
        middles = self.clock.instant(begun[:, None] + (EDGES[:-1] + WIDTHS / 2))
        self.days_ago = np.maximum(now - np.minimum(middles, self.left[:, None]), 0.0) / DAY

    def _pace(self, flat: Clock) -> tuple[float, ...]:
        """In which hours of the week stays end: the speed of each cell."""
        ended = self.is_ended & (self.left - self.seen < 2 * DAY)
        points = self.seen[ended, None] + (np.arange(12) + 0.5) / 12 * (self.left - self.seen)[ended, None]
        place = np.clip(((points - flat.times[0]) / HOUR).astype(np.int64), 0, len(flat.cells) - 1)
        hours = np.arange(len(flat.cells) + 1) * HOUR + flat.times[0]
        begun, over = (np.searchsorted(np.sort(times), hours[:-1]) for times in (self.watched_from, self.left))
        open_at = begun - over
        watched = np.bincount(flat.cells, weights=np.maximum(open_at, 0), minlength=CELLS).astype(np.float64)
        shares = np.array(WEEK_SHARE) / sum(WEEK_SHARE)
        speeds = np.ones(CELLS)
        for _ in range(4):
            likely = speeds[flat.cells[place]]
            likely /= np.maximum(likely.sum(axis=1, keepdims=True), 1e-9)
            events = np.bincount(flat.cells[place].ravel(), weights=likely.ravel(), minlength=CELLS)
            rate = max(events.sum(), 1.0) / max(watched.sum(), 1.0)
            speeds = (events + PACE_EVENTS * shares) / (watched * rate + PACE_EVENTS * shares)
        return normalised(tuple(np.maximum(speeds, PACE_FLOOR).tolist()))

    def state(self) -> State:
        long, lately = 0.5 ** (self.days_ago / LONG_DAYS), 0.5 ** (self.days_ago / LATELY_DAYS)
        events, watched = (self.events * long).sum(axis=0), (self.watched * long).sum(axis=0)
        hazard = _smoothed(events, watched, self.prior)
        seen, expected = (self.events * lately).sum(), (self.watched * lately * hazard).sum()
        names = tuple(sorted({str(name) for name in self.next_state[self.is_ended]})) or ("end:complete",)
        return State(self.clock, hazard, names, self._chances(names, long), _ratio(seen, expected), float(seen))

    def _chances(self, names: tuple[str, ...], weight: Floats) -> Floats:
        """What comes next, by age bin: ages of a kind are counted together, and with all others where they are few."""
        group = np.searchsorted(AGE_GROUPS, np.arange(len(WIDTHS)), side="right")
        counts = np.array(
            [(self.events * weight)[self.is_ended & (self.next_state == name)].sum(axis=0) for name in names]
        )
        overall = (counts.sum(axis=1) + 0.1) / (counts.sum() + 0.1 * len(names))
        grouped = np.array([[row[group == g].sum() for g in range(len(AGE_GROUPS) + 1)] for row in counts])
        shares = (grouped + NEXT_SHRINK * overall[:, None]) / (grouped.sum(axis=0) + NEXT_SHRINK)
        return np.cumsum(shares[:, group], axis=0)

    def packages(self, state: State) -> dict[str, tuple[float, float]]:
        """For each package how many stays ended, and how many would have by the hazard of all."""
        weight = 0.5 ** (self.days_ago / LONG_DAYS)
        seen, expected = (self.events * weight).sum(axis=1), (self.watched * weight * state.hazard).sum(axis=1)
        return {
            str(name): (float(seen[self.package == name].sum()), float(expected[self.package == name].sum()))
            for name in sorted(set(self.package))
        }


def expected_hazard(prior: Prior, state: str) -> Floats:
    """The hazard of each bin as it is taken to be before anything was seen."""
    histogram = prior_histogram(prior, state)
    ages = np.array([0.0, *(high for _, high in BIN_AGES)])
    gathered = np.concatenate(([0.0], np.cumsum(np.array(histogram.hazards) * np.diff(ages))))
    last = gathered[-1] + histogram.hazards[-1] * (EDGES[-1] - ages[-1])
    hazard: Floats = np.diff(np.interp(EDGES, [*ages, EDGES[-1]], [*gathered, last])) / WIDTHS
    return hazard


def _smoothed(events: Floats, watched: Floats, prior: Floats) -> Floats:
    """The hazard by age, from ends and seconds watched in each bin and the shape that is expected."""
    mean = (np.exp(-np.cumsum(prior * WIDTHS)) * WIDTHS).sum() + WIDTHS[0]
    overall = (events.sum() + 1.0) / (watched.sum() + mean)
    # What was never expected to last so long is left no sooner or later than others.
    usual = np.maximum(prior * _ratio(events.sum(), (watched * prior).sum(), 1.0), overall)
    near = (NEARBY @ events + LOCAL) / (NEARBY @ watched + LOCAL / usual)
    hazard: Floats = (events + SMOOTH) / (watched + SMOOTH / near)
    return hazard


def _covered(ages: Floats) -> Floats:
    """Which fraction of each bin lies below each age: one row per age."""
    return np.clip((ages[:, None] - EDGES[:-1]) / WIDTHS, 0.0, 1.0)
