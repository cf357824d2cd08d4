"""When open checks will end: hazards run to the end, on many paths. Pure; instants are seconds since 1970."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from screening_pipeline.planning.hazards import EDGES, SHRINK, WIDTHS, Columns, Hazards, State

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST_STATES = 25
OPEN = ("check_key", "vendor", "package", "state", "entered", "seen_until")


def ends(hazards: Hazards, checks: Columns, *, paths: int = 200, seed: int = 7) -> tuple[Floats, NDArray[np.object_]]:
    """When each check ends and how, on each of so many paths: two arrays of one row per check.

    `checks` has the columns OPEN: since when the check is in its state, and until when it was seen to be.
    """
    generator = np.random.default_rng(seed)
    size = len(checks["vendor"]) * paths
    vendor = np.repeat(np.asarray(checks["vendor"], dtype=object), paths)
    package = np.repeat(np.asarray(checks["package"], dtype=object), paths)
    state = np.repeat(np.asarray(checks["state"], dtype=object), paths)
    entered = np.repeat(np.asarray(checks["entered"], dtype=np.float64), paths)
    seen = np.maximum(np.repeat(np.asarray(checks["seen_until"], dtype=np.float64), paths), entered)
    # How the vendor has been of late is known but roughly: each path has a speed of its own.
    luck = generator.standard_normal(size)
    running = np.ones(size, dtype=bool)
    for _ in range(MOST_STATES):
        # In an order that the process does not choose: each draws from the same generator.
        for key in sorted({*zip(vendor[running], state[running], strict=True)}):
            chosen = np.flatnonzero(running & (vendor == key[0]) & (state == key[1]))
            known = hazards.states.get(key) or hazards.states.get((key[0], hazards.first.get(key[0], "")))
            if known is None:
                state[chosen], running[chosen] = "end:unknown", False
                continue
            of_package = {name: hazards.packages.get((*key, name), 1.0) for name in set(package[chosen])}
            factor = np.array([of_package[name] for name in package[chosen]])
            at, then = _left(known, entered[chosen], seen[chosen], factor, luck[chosen], generator)
            entered[chosen] = seen[chosen] = at
            state[chosen] = then
            running[chosen] = ~np.char.startswith(then.astype(str), "end:")
        if not running.any():
            break
    return entered.reshape(-1, paths), state.reshape(-1, paths)


def _left(
    known: State, entered: Floats, seen: Floats, factor: Floats, luck: Floats, generator: np.random.Generator
) -> tuple[Floats, NDArray[np.object_]]:
    """When each stay is left after it was last seen, and for what."""
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
    return known.clock.instant(begun + left), np.array(known.next_states, dtype=object)[choice]


def predict(hazards: Hazards, checks: Columns, now: float, *, paths: int = 200) -> dict[str, NDArray[Any]]:
    """When each check ends: columns in the order of the checks, with their `check_key`.

    `p10`, `p50` and `p90` are instants, `chance_over` is the chance that it has ended by now, `chance_complete` that it
    ends complete. Where `checks` tells an instant `due`, `chance_late` is the chance that it has not ended by then;
    where it tells one `needed`, `chance_in_time` the chance that it is complete before that.
    """
    when, how = ends(hazards, checks, paths=paths)
    is_complete = how == "end:complete"
    low, middle, high = np.quantile(when, [0.1, 0.5, 0.9], axis=1) if len(when) else np.zeros((3, 0))
    due, needed = (np.asarray(checks[name], dtype=np.float64)[:, None] for name in ("due", "needed"))
    return {
        "check_key": np.asarray(checks["check_key"]),
        "p10": low,
        "p50": middle,
        "p90": high,
        "chance_over": (when <= now).mean(axis=1),
        "chance_complete": is_complete.mean(axis=1),
        "chance_late": np.where(np.isnan(due[:, 0]), np.nan, (when >= due).mean(axis=1)),
        "chance_in_time": np.where(np.isnan(needed[:, 0]), np.nan, (is_complete & (when < needed)).mean(axis=1)),
    }
