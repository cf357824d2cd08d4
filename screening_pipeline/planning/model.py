"""The model of durations: how long checks stay in a state, learned from history on top of a prior."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from screening_pipeline.domain.durations import Prior
from screening_pipeline.planning import priors
from screening_pipeline.planning.calendar import BusinessCalendar
from screening_pipeline.planning.histogram import PRIOR_SOJOURNS, GroupKey, Histogram, prior_histogram

if TYPE_CHECKING:
    from screening_pipeline.planning.histogram import Sojourn
    from screening_pipeline.planning.learning import Numbers


HALF_LIFE_DAYS = 10.0
"""History counts half as much after this many days, so that a vendor that changes is followed."""


@dataclass(frozen=True)
class Model:
    """Learned durations by vendor, state and (with enough data) package, and week profiles; immutable.

    `learned` holds observations only; the prior is added when it is read: `priors` has, by vendor, what was declared.
    Models are values: `learn` returns a new one.
    """

    learned: Mapping[GroupKey, Histogram] = field(default_factory=dict)
    paces: Mapping[tuple[str, str], tuple[float, ...]] = field(default_factory=dict)
    priors: Mapping[str, Prior] = field(default_factory=dict)

    def prior_of(self, vendor: str) -> Prior:
        """Return the prior that a vendor declares."""
        return self.priors.get(vendor, priors.UNTOLD)

    def presumed(self, vendor: str, lifecycle: str) -> str:
        """Return the state that is assumed: for a check not seen yet, the first state of its vendor's prior."""
        return self.prior_of(vendor).first_state or lifecycle if lifecycle == "unknown" else lifecycle

    def learn(
        self,
        sojourns: Iterable[Sojourn],
        calendars: BusinessCalendar | Mapping[str, BusinessCalendar] | None = None,
        half_life_days: float = HALF_LIFE_DAYS,
    ) -> Model:
        """Return the model of a history: all sojourns that should count, right-censored ones of open checks included.

        States that the history does not mention keep what this model knew of them.
        """
        from screening_pipeline.planning.learning import learned_group

        by_state: dict[tuple[str, str], list[Sojourn]] = defaultdict(list)
        for sojourn in sojourns:
            by_state[sojourn.vendor, self.presumed(sojourn.vendor, sojourn.lifecycle)].append(sojourn)
        learned, paces = dict(self.learned), dict(self.paces)
        for state, stays in by_state.items():
            calendar = _calendar_of(calendars, state[0])
            prior = self.prior_of(state[0])
            histograms, paces[state] = learned_group(state, stays, calendar, half_life_days, prior)
            learned = {key: value for key, value in learned.items() if key[:2] != state} | histograms
        return Model(learned, paces, self.priors)

    def histogram(self, vendor: str, lifecycle: str, package: str | None = None) -> Histogram:
        """Return a state's durations: prior plus observations, a package's own on top of its state's."""
        whole = self._state(vendor, lifecycle)
        own = self.learned.get(GroupKey(vendor, lifecycle, package)) if package is not None else None
        if own is None:
            return whole
        return own.plus(whole, PRIOR_SOJOURNS / whole.sojourns)

    def knows(self, vendor: str, lifecycle: str, package: str | None) -> bool:
        """Return whether a package has a distribution of its own in this state."""
        return package is not None and GroupKey(vendor, lifecycle, package) in self.learned

    def pace(self, vendor: str, lifecycle: str) -> tuple[float, ...]:
        """Return the week profile of a state: the speed of each of 48 cells."""
        return self.paces.get((vendor, lifecycle)) or priors.pace(self.prior_of(vendor), lifecycle)

    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain lists and numbers, to be stored as JSON."""
        return {
            "version": 1,
            "learned": [
                [*key, _rounded(h.events), _rounded(h.exposure), *_rounded((h.sojourns, h.followed))]
                for key, h in self.learned.items()
            ],
            "paces": [[*state, _rounded(pace)] for state, pace in self.paces.items()],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], declared: Mapping[str, Prior] | None = None) -> Model:
        """Return the model that `to_dict` wrote; an empty one for another version or shape.

        `declared` are the priors by vendor, which are not written.
        """
        if data.get("version") != 1:
            return cls(priors=declared or {})
        learned = {
            GroupKey(vendor, lifecycle, package): Histogram(tuple(events), tuple(exposure), count, followed)
            for vendor, lifecycle, package, events, exposure, count, followed in data["learned"]
            if len(events) == len(exposure) == priors.BINS
        }
        paces = {(vendor, lifecycle): tuple(pace) for vendor, lifecycle, pace in data["paces"]}
        return cls(learned, paces, declared or {})

    def _state(self, vendor: str, lifecycle: str) -> Histogram:
        key = (vendor, lifecycle)
        if key not in self._pooled:
            seed = prior_histogram(self.prior_of(vendor), lifecycle)
            nothing = Histogram((0.0,) * priors.BINS, (0.0,) * priors.BINS, 0.0)
            observed = self.learned.get(GroupKey(vendor, lifecycle), nothing)
            self._pooled[key] = observed.plus(seed.sped(observed), PRIOR_SOJOURNS)
        return self._pooled[key]

    @cached_property
    def cache(self) -> dict[object, Any]:
        """A cache for values derived from this model."""
        return {}

    @cached_property
    def lanes(self) -> dict[object, Any]:
        """A cache for the solved fast lanes of this model."""
        return {}

    @cached_property
    def _pooled(self) -> dict[tuple[str, str], Histogram]:
        return {}


def _calendar_of(calendars: BusinessCalendar | Mapping[str, BusinessCalendar] | None, vendor: str) -> BusinessCalendar:
    if isinstance(calendars, BusinessCalendar):
        return calendars
    return (calendars or {}).get(vendor) or BusinessCalendar()


def _rounded(numbers: Sequence[float]) -> Numbers:
    return [float(f"{number:.6g}") for number in numbers]
