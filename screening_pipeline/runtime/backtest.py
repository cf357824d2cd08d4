"""Forecasts tried on the past: what would have been told at past instants, with only what was known then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from screening_pipeline.runtime.forecast import business_calendars, stays
from screening_pipeline.warehouse import catalog, session

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from screening_pipeline.warehouse.session import Connection

METHODS = ("hazards of states", "vendor's percentiles less the age", "percentiles of all less the age")
SHARES = (0.1, 0.5, 0.9)
DECIDED = 0.8
"""Where fewer of the checks that were open then have ended, those are the quick ones, and say little."""


def backtest(connection: Connection, instants: Iterable[datetime]) -> pd.DataFrame:
    """How well ends would have been forecast at past instants, beside simpler methods.

    One row per method: `checks` that have ended since, the `coverage` of the 80 % interval, and the mean pinball
    loss of its ends and middle (`pinball_hours`); less is better.
    """
    import numpy as np
    import pandas as pd

    scores = [_scores(connection, instant) for instant in instants]
    rows = pd.concat([*scores, pd.DataFrame(columns=["method", "is_inside", "loss"])])
    table = rows.groupby("method").agg(
        checks=("loss", "size"), coverage=("is_inside", "mean"), pinball_hours=("loss", "mean")
    )
    table["pinball_hours"] = np.asarray(table["pinball_hours"], dtype=float) / 3600
    return table.reindex(METHODS)


def forecast(connection: Connection, instant: datetime) -> pd.DataFrame:
    """When each check that was open at an instant would have been said to end: columns of `planning.eta.predict`."""
    import numpy as np
    import pandas as pd

    from screening_pipeline.planning import eta, hazards

    known, at = stays(connection, instant, sample=None), instant.timestamp()
    learned = hazards.learn(known, business_calendars(connection), at)
    waiting = hazards.chosen(known, np.isnan(known["left_by"]))
    never = np.full(len(waiting["entered"]), np.nan)
    return pd.DataFrame(eta.predict(learned, {**waiting, "due": never, "needed": never}, at))


def _scores(connection: Connection, instant: datetime) -> pd.DataFrame:
    """Loss and coverage of each method for each check that was open then and has ended since."""
    import numpy as np
    import pandas as pd

    at = instant.timestamp()
    outcomes = session.frame(connection, catalog.statement("forecast_outcomes"))
    told = forecast(connection, instant)
    count, found = len(told), told.merge(outcomes, on="check_key")
    found = found[found["ended"] > at]
    if len(found) < DECIDED * count:
        return pd.DataFrame(columns=["method", "is_inside", "loss"])
    ends = found["ended"].to_numpy(dtype=float)
    parts = []
    for method, quantiles in _told(found, outcomes[outcomes["ended"] <= at]).items():
        bounds = np.maximum(quantiles, at)
        losses = [np.maximum(p * (ends - q), (p - 1) * (ends - q)) for p, q in zip(SHARES, bounds.T, strict=True)]
        is_inside = (bounds[:, 0] <= ends) & (ends <= bounds[:, 2])
        parts.append(pd.DataFrame({"method": method, "is_inside": is_inside, "loss": 2 * np.mean(losses, axis=0)}))
    return pd.concat(parts)


def _told(found: pd.DataFrame, past: pd.DataFrame) -> Mapping[str, NDArray[np.float64]]:
    """The quantiles of each method as instants in seconds: an array of one row per check."""
    import numpy as np

    own = {vendor: of["seconds"].quantile(list(SHARES)).to_numpy() for vendor, of in past.groupby("vendor")}
    everyone = past["seconds"].quantile(list(SHARES)).to_numpy(dtype=float)
    ages = found["ordered"].to_numpy(dtype=float)[:, None]
    by_vendor = np.array([own.get(vendor, everyone) for vendor in found["vendor"]]).reshape(-1, len(SHARES))
    told = found[["p10", "p50", "p90"]].to_numpy(dtype=float), ages + by_vendor, ages + everyone
    return dict(zip(METHODS, told, strict=True))
