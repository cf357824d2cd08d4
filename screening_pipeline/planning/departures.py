"""Whether checks leave their states as fast as they did: ends seen beside ends expected. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from screening_pipeline.planning.hazards import EDGES, by_state, learn

if TYPE_CHECKING:
    import pandas as pd

    from screening_pipeline.planning.calendar import BusinessCalendar


def departures(
    stays: pd.DataFrame, calendars: Mapping[str, BusinessCalendar], since: float
) -> dict[tuple[str, str], tuple[float, float]]:
    """For each vendor and state how many stays ended after `since`, and how many would have as before."""
    before = stays[stays["entered"] < since].copy()
    is_later = ~(before["left_by"] <= since)
    before.loc[is_later, ["left_by", "next_state"]] = [np.nan, None]
    before["seen_until"] = np.minimum(before["seen_until"], since)
    found: dict[tuple[str, str], tuple[float, float]] = {}
    if before.empty:
        return found
    hazards = learn(before, calendars, since)
    for vendor, state, own in by_state(stays):
        known = hazards.states.get((vendor, state))
        later = own[own["left_by"].isna() | (own["left_by"] > since)]
        if known is None or later.empty:
            continue
        entered = later["entered"].to_numpy(dtype=np.float64)
        until = later["left_by"].fillna(later["seen_until"]).to_numpy(dtype=np.float64)
        middle = np.where(later["left_by"].notna(), (until + later["seen_until"]) / 2, until)
        begun = known.clock.worked(entered)
        low = np.maximum(known.clock.worked(np.full(len(later), since)) - begun, 0.0)
        high = np.maximum(known.clock.worked(middle) - begun, low)
        gathered = known.gathered
        factor = (
            later["package"].map(lambda name, v=vendor, s=state: hazards.packages.get((v, s, name), 1.0)).fillna(1.0)
        )
        expected = (np.interp(high, EDGES, gathered) - np.interp(low, EDGES, gathered)) * factor.to_numpy()
        seen = float((later["left_by"].notna() & (middle > since)).sum())
        found[vendor, state] = seen, float(expected.sum())
    return found
