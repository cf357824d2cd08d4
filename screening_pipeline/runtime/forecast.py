"""Forecasts of open checks from the stays that the views tell, kept in the warehouse with their instant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import isnan
from typing import TYPE_CHECKING, Any

from screening_pipeline.base.sql_text import quote
from screening_pipeline.planning.calendar import BusinessCalendar
from screening_pipeline.warehouse import catalog, session

if TYPE_CHECKING:
    import pandas as pd

    from screening_pipeline.warehouse.session import Connection

HISTORY = timedelta(days=365)
LATELY = timedelta(days=14)
EVERY = timedelta(hours=6)


def renew_if_old(connection: Connection, now: datetime) -> bool:
    """Forecast anew if that was last done hours ago; whether it was."""
    made = connection.execute(
        "select max(made_at) from (from ops.check_eta select made_at union all from ops.vendor_pace select made_at)"
    ).fetchone()
    if made and made[0] and abs(now - made[0]) < EVERY:
        return False
    renew(connection, now)
    return True


def renew(connection: Connection, now: datetime) -> int:
    """Forecast anew and keep it with its instant, in `ops.check_eta` and `ops.vendor_pace`; for how many checks."""
    from screening_pipeline.planning.departures import departures

    made_at = now.isoformat()
    found = forecast(connection, now)
    session.replace(connection, "ops.check_eta", (_eta_row(row, made_at) for row in found.to_dict("records")))
    since = now - LATELY
    moved = departures(stays(connection, now), calendars(connection), since.timestamp())
    times = {"made_at": made_at, "since_at": since.isoformat()}
    rows = (
        {"vendor": vendor, "state": state, "n_left": seen, "expected": expected, **times}
        for (vendor, state), (seen, expected) in moved.items()
    )
    session.replace(connection, "ops.vendor_pace", rows)
    return len(found)


def _eta_row(row: Mapping[Any, Any], made_at: str) -> dict[str, object]:
    instants = {name: datetime.fromtimestamp(row[name], UTC).isoformat() for name in ("p10", "p50", "p90")}
    late = row["chance_late"]
    return {
        "check_key": int(row["check_key"]),
        "made_at": made_at,
        **instants,
        "chance_over": row["chance_over"],
        "chance_complete": row["chance_complete"],
        "chance_late": None if isnan(late) else late,
    }


def forecast(connection: Connection, now: datetime) -> pd.DataFrame:
    """When each open check ends, as `planning.eta.predict` tells it: one row per check, instants in seconds."""
    import numpy as np
    import pandas as pd

    from screening_pipeline.planning import eta, hazards

    known = stays(connection, now)
    unseen = session.frame(connection, catalog.statement("forecast_unseen", now=_instant(now)))
    waiting = pd.concat([known[known["left_by"].isna()][list(eta.OPEN)], unseen], ignore_index=True)
    dues = session.frame(connection, "select check_key, epoch(due_at) as due from analytics.open_check_due")
    due = waiting.merge(dues, on="check_key", how="left")["due"].to_numpy(dtype=float)
    learned = hazards.learn(known, calendars(connection), now.timestamp())
    found = eta.predict(learned, waiting, now.timestamp(), deadlines=due)
    found.loc[np.isnan(due), "chance_late"] = np.nan
    return found


def stays(connection: Connection, now: datetime) -> pd.DataFrame:
    """The stays of a year as they were known at an instant, with the columns of `planning.hazards` and `check_key`.

    A check that was looked at again since counts as seen at the instant.
    """
    given = {"since": _instant(now - HISTORY), "now": _instant(now)}
    found = session.frame(connection, catalog.statement("forecast_stays", **given))
    is_later = found["left_by"] > now.timestamp()
    found["left_by"] = found["left_by"].mask(is_later)
    found["next_state"] = found["next_state"].astype(object).mask(is_later, None)
    found["seen_until"] = found["seen_until"].clip(upper=now.timestamp())
    return found


def calendars(connection: Connection) -> dict[str, BusinessCalendar]:
    """The days off of each vendor, those of the first of its accounts."""
    found: dict[str, BusinessCalendar] = {}
    rows = connection.execute(catalog.statement("forecast_calendars")).fetchall()
    for vendor in dict.fromkeys(row[0] for row in rows):
        own = [row for row in rows if row[0] == vendor]
        days = frozenset(day for _, account, _, day in own if account == own[0][1] and day)
        found[vendor] = BusinessCalendar(own[0][2], days)
    return found


def _instant(when: datetime) -> str:
    return f"{quote(when.isoformat())}::timestamptz"
