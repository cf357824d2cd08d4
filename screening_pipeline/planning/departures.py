"""Whether checks leave their states as fast as they did: ends seen beside ends expected. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from screening_pipeline.planning.hazards import EDGES, Columns, Hazards, by_state, chosen, known_at, learn

if TYPE_CHECKING:
    from screening_pipeline.domain.durations import Prior
    from screening_pipeline.planning.calendar import BusinessCalendar


def departures(
    stays: Columns,
    calendars: Mapping[str, BusinessCalendar],
    since: float,
    declared: Mapping[str, Prior] | None = None,
) -> dict[tuple[str, str], tuple[float, float]]:
    """For each vendor and state how many stays ended after `since`, and how many would have as before."""
    begun = chosen(stays, stays["watched_from"] < since)
    hazards = learn(known_at(begun, since), calendars, since, declared)
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for vendor, state, own in by_state(stays):
        later = chosen(own, ~(own["left_by"] <= since))
        # How long a first look takes is no pace of the vendor.
        if state != "unknown" and (vendor, state) in hazards.states and len(later["entered"]):
            found[vendor, state] = _counted(hazards, vendor, state, later, since)
    return found


def _counted(hazards: Hazards, vendor: str, state: str, later: Columns, since: float) -> tuple[float, float]:
    """How many of these stays of one state ended after `since`, and how many would have as before."""
    known, is_over = hazards.states[vendor, state], ~np.isnan(later["left_by"])
    middle = np.where(is_over, (later["left_by"] + later["seen_until"]) / 2, later["seen_until"])
    begun = known.clock.worked(later["entered"])
    low = known.clock.worked(np.maximum(later["watched_from"], since)) - begun
    high = np.maximum(known.clock.worked(middle) - begun, low)
    factor = np.array([hazards.packages.get((vendor, state, name), 1.0) for name in later["package"].tolist()])
    gathered = known.gathered
    expected = (np.interp(high, EDGES, gathered) - np.interp(low, EDGES, gathered)) * factor
    return float((is_over & (middle > since)).sum()), float(expected.sum())
