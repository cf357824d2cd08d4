"""Forecasts tried on the past: what was told, and what would have been told with only what was known then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from screening_pipeline.base.sql_text import quote
from screening_pipeline.runtime.forecast import business_calendars, stays
from screening_pipeline.runtime.pull_model import declared_priors
from screening_pipeline.warehouse import catalog, session

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from screening_pipeline.planning.hazards import Columns, Hazards
    from screening_pipeline.warehouse.session import Connection

METHODS = ("hazards of states", "vendor's percentiles less the age", "percentiles of all less the age")
DATED = ("hazards of states", "vendor's own day")
SHARES = (0.1, 0.5, 0.9)
DECIDED = 0.8
"""Where fewer of the checks that were open then have ended, those are the quick ones, and say little."""
DAY = 86_400


def backtest(connection: Connection, instants: Iterable[datetime]) -> pd.DataFrame:
    """How well ends would have been forecast at past instants, beside simpler methods.

    One row per method: `checks` that have ended since, the `coverage` of the 80 % interval, and the mean pinball
    loss of its ends and middle (`pinball_hours`); less is better.
    """
    outcomes = _outcomes(connection)
    tried = ((instant.timestamp(), forecast(connection, instant)) for instant in instants)
    return _table(METHODS, (_scores(told.assign(made=at), outcomes, at) for at, told in tried))


def told(connection: Connection) -> pd.DataFrame:
    """The same of the forecasts that were told (`ops.check_eta_history`), week by week, beside what was known then."""
    outcomes = _outcomes(connection)
    history = session.frame(connection, catalog.statement("forecast_told"))
    return _table(METHODS, (_scores(of, outcomes, float(str(week))) for week, of in history.groupby("week")))


def dated(connection: Connection, instants: Iterable[datetime]) -> pd.DataFrame:
    """Our middle beside the day that the vendor told itself, of checks of which it had told one.

    One row per method: `checks` that have ended since, by how many days it was off (`days_off`, mean), and the share
    that ended on that day, the day before or the day after (`within_a_day`).
    """
    import pandas as pd

    outcomes, parts = _outcomes(connection), []
    for instant in instants:
        given = {"now": f"{quote(instant.isoformat())}::timestamptz"}
        days = session.frame(connection, catalog.statement("forecast_estimates", **given))
        found = _ended(forecast(connection, instant), outcomes, instant.timestamp()).merge(days, on="check_key")
        parts += [pd.DataFrame({"method": name, "off": off}) for name, off in _days_off(found)]
    rows = pd.concat([*parts, pd.DataFrame({"method": [], "off": []})])
    rows["is_near"] = rows["off"] <= 1
    table = rows.groupby("method").agg(
        checks=("off", "size"), days_off=("off", "mean"), within_a_day=("is_near", "mean")
    )
    return table.reindex(DATED)


def _days_off(found: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    ended = (found["ended"] + found["to_local"]) // DAY
    ours = (found["p50"] + found["to_local"]) // DAY
    yield from zip(DATED, ((ours - ended).abs(), (found["day"] - ended).abs()), strict=True)


def forecast(connection: Connection, instant: datetime) -> pd.DataFrame:
    """When each check that was open at an instant would have been said to end: columns of `planning.eta.predict`."""
    import numpy as np
    import pandas as pd

    from screening_pipeline.planning import eta

    learned, waiting = known_then(connection, instant)
    never = np.full(len(waiting["entered"]), np.nan)
    told = eta.predict(learned, {**waiting, "due": never, "needed": never}, instant.timestamp())
    return pd.DataFrame(told)


def known_then(connection: Connection, instant: datetime) -> tuple[Hazards, Columns]:
    """What had been learned at an instant, and the stays of checks that were open then."""
    import numpy as np

    from screening_pipeline.planning import hazards

    known = stays(connection, instant, sample=None)
    learned = hazards.learn(known, business_calendars(connection), instant.timestamp(), declared_priors())
    # Whether an order had been announced by then is not known of those that nobody had looked at.
    return learned, hazards.chosen(known, np.isnan(known["left_by"]) & (known["state"] != "unknown"))


def _outcomes(connection: Connection) -> pd.DataFrame:
    return session.frame(connection, catalog.statement("forecast_outcomes"))


def _ended(told: pd.DataFrame, outcomes: pd.DataFrame, at: float) -> pd.DataFrame:
    """What was told of the checks that have ended since; nothing where these are too few of those that were open."""
    found = told.merge(outcomes, on="check_key")
    found = found[found["ended"] > at]
    return found if len(found) >= DECIDED * len(told) else found.head(0)


def _scores(told: pd.DataFrame, outcomes: pd.DataFrame, known_at: float) -> pd.DataFrame:
    """Loss and coverage of each method for each check that was open when it was `made` and has ended since.

    Simpler methods know the checks that had ended by `known_at`.
    """
    import numpy as np
    import pandas as pd

    found = _ended(told, outcomes, known_at)
    found = found[found["ended"] > found["made"]]
    ends, made = (found[name].to_numpy(dtype=float) for name in ("ended", "made"))
    parts = []
    for method, quantiles in _told(found, outcomes[outcomes["ended"] <= known_at]).items():
        bounds = np.maximum(quantiles, made[:, None])
        losses = [np.maximum(p * (ends - q), (p - 1) * (ends - q)) for p, q in zip(SHARES, bounds.T, strict=True)]
        is_inside = (bounds[:, 0] <= ends) & (ends <= bounds[:, 2])
        parts.append(pd.DataFrame({"method": method, "is_inside": is_inside, "loss": 2 * np.mean(losses, axis=0)}))
    return pd.concat(parts)


def _table(methods: tuple[str, ...], scores: Iterable[pd.DataFrame]) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    rows = pd.concat([*scores, pd.DataFrame({"method": [], "is_inside": [], "loss": []})])
    table = rows.groupby("method").agg(
        checks=("loss", "size"), coverage=("is_inside", "mean"), pinball_hours=("loss", "mean")
    )
    table["pinball_hours"] = np.asarray(table["pinball_hours"], dtype=float) / 3600
    return table.reindex(methods)


def _told(found: pd.DataFrame, past: pd.DataFrame) -> Mapping[str, NDArray[np.float64]]:
    """The quantiles of each method as instants in seconds: an array of one row per check."""
    import numpy as np

    own = {vendor: of["seconds"].quantile(list(SHARES)).to_numpy() for vendor, of in past.groupby("vendor")}
    everyone = past["seconds"].quantile(list(SHARES)).to_numpy(dtype=float)
    ages = found["ordered"].to_numpy(dtype=float)[:, None]
    by_vendor = np.array([own.get(vendor, everyone) for vendor in found["vendor"]]).reshape(-1, len(SHARES))
    told = found[["p10", "p50", "p90"]].to_numpy(dtype=float), ages + by_vendor, ages + everyone
    return dict(zip(METHODS, told, strict=True))
