"""When open checks will end: hazards run to the end, on many paths. Pure; instants are seconds since 1970."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from screening_pipeline.planning.hazards import EDGES, SHRINK, WIDTHS, Columns, Hazards, State, chosen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST_STATES = 25
OPEN = ("check_key", "vendor", "package", "state", "entered", "seen_until")
PATHS, SEED = 200, 7
PIECE = 2_000
"""So many checks are drawn at a time: all paths of many would take gigabytes."""
COMPLETE, LOST = "end:complete", "end:unknown"


def ends(hazards: Hazards, checks: Columns) -> tuple[Floats, NDArray[np.bool_]]:
    """When each check ends, and whether it does complete, on each of PATHS: two arrays of one row per check.

    `checks` has the columns OPEN: since when the check is in its state, and until when it was seen to be.
    """
    when = np.empty((len(checks["vendor"]), PATHS))
    is_complete = np.empty(when.shape, dtype=bool)
    for places, drawn_when, drawn_complete in _pieces(hazards, checks):
        when[places], is_complete[places] = drawn_when, drawn_complete
    return when, is_complete


def _pieces(hazards: Hazards, checks: Columns) -> Iterator[tuple[NDArray[np.int64], Floats, NDArray[np.bool_]]]:
    """Places of some checks of one vendor, and what `ends` tells of them."""
    # In an order that the process does not choose: each draws from the same generator.
    generator = np.random.default_rng(SEED)
    for vendor in sorted(set(checks["vendor"].tolist())):
        own = np.flatnonzero(checks["vendor"] == vendor)
        for first in range(0, len(own), PIECE):
            places = own[first : first + PIECE]
            yield places, *_Paths(hazards, vendor, chosen(checks, places), generator).ends()


class _Paths:
    """Checks of one vendor on their paths to the end; states and packages are numbers."""

    def __init__(self, hazards: Hazards, vendor: str, checks: Columns, generator: np.random.Generator) -> None:
        self.hazards, self.vendor, self.generator = hazards, vendor, generator
        own = {state: known for (of, state), known in hazards.states.items() if of == vendor}
        following = (name for known in own.values() for name in known.next_states)
        self.names = sorted({COMPLETE, LOST, *own, *following, *checks["state"].tolist()})
        self.number = {name: place for place, name in enumerate(self.names)}
        self.packages, package = np.unique(checks["package"].astype(str), return_inverse=True)
        self.package = np.repeat(package, PATHS)
        self.shape = (len(package), PATHS)
        self.state = np.repeat(np.array([self.number[name] for name in checks["state"].tolist()], dtype=int), PATHS)
        self.entered = np.repeat(checks["entered"], PATHS)
        self.seen = np.maximum(np.repeat(checks["seen_until"], PATHS), self.entered)
        # How the vendor has been of late is known but roughly: each path has a speed of its own.
        self.luck = generator.standard_normal(len(self.entered))

    def ends(self) -> tuple[Floats, NDArray[np.bool_]]:
        """When each path ends, and whether complete: one row per check."""
        is_end = np.array([name.startswith("end:") for name in self.names])
        for _ in range(MOST_STATES):
            running = np.flatnonzero(~is_end[self.state])
            if not len(running):
                break
            for state in np.unique(self.state[running]).tolist():
                self._leave(self.names[state], running[self.state[running] == state])
        return self.entered.reshape(self.shape), (self.state == self.number[COMPLETE]).reshape(self.shape)

    def _leave(self, state: str, here: NDArray[np.int64]) -> None:
        states, usual = self.hazards.states, self.hazards.first.get(self.vendor, "")
        known = states.get((self.vendor, state)) or states.get((self.vendor, usual))
        if known is None:
            self.state[here] = self.number[LOST]
            return
        factors = [self.hazards.packages.get((self.vendor, state, name), 1.0) for name in self.packages.tolist()]
        factor = np.array(factors)[self.package[here]]
        at, then = _left(known, self.entered[here], self.seen[here], factor, self.luck[here], self.generator)
        self.entered[here] = self.seen[here] = at
        self.state[here] = np.array([self.number[name] for name in known.next_states])[then]


def _left(
    known: State, entered: Floats, seen: Floats, factor: Floats, luck: Floats, generator: np.random.Generator
) -> tuple[Floats, NDArray[np.int64]]:
    """When each stay is left after it was last seen, and for which of the states that may come next."""
    begun = known.clock.worked(entered)
    age = known.clock.worked(seen) - begun
    spread = 1 / np.sqrt(known.evidence + SHRINK)
    speed = known.speed * factor * np.exp(spread * luck)
    gathered = known.gathered
    target = np.interp(age, EDGES, gathered) + generator.exponential(size=len(age)) / speed
    left = np.maximum(np.interp(target, gathered, EDGES), age)
    place = np.clip(np.searchsorted(EDGES, left, side="right") - 1, 0, len(WIDTHS) - 1)
    drawn = generator.random(len(age))
    choice = np.minimum((drawn[None, :] > known.chances[:, place]).sum(axis=0), len(known.next_states) - 1)
    return known.clock.instant(begun + left), choice


def predict(hazards: Hazards, checks: Columns, now: float) -> dict[str, NDArray[Any]]:
    """When each check ends: columns in the order of the checks, with their `check_key`.

    `p10`, `p50` and `p90` are instants, `chance_over` is the chance that it has ended by now, `chance_complete` that it
    ends complete. Where `checks` tells an instant `due`, `chance_late` is the chance that it has not ended by then;
    where it tells one `needed`, `chance_in_time` the chance that it is complete before that.
    """
    names = ("p10", "p50", "p90", "chance_over", "chance_complete", "chance_late", "chance_in_time")
    told: dict[str, NDArray[Any]] = {name: np.empty(len(checks["vendor"])) for name in names}
    for places, when, is_complete in _pieces(hazards, checks):
        due, needed = (checks[name][places, None] for name in ("due", "needed"))
        told["p10"][places], told["p50"][places], told["p90"][places] = np.quantile(when, [0.1, 0.5, 0.9], axis=1)
        told["chance_over"][places] = (when <= now).mean(axis=1)
        told["chance_complete"][places] = is_complete.mean(axis=1)
        told["chance_late"][places] = np.where(np.isnan(due[:, 0]), np.nan, (when >= due).mean(axis=1))
        in_time = (is_complete & (when < needed)).mean(axis=1)
        told["chance_in_time"][places] = np.where(np.isnan(needed[:, 0]), np.nan, in_time)
    return {"check_key": checks["check_key"], **told}
