"""Forecasts of open checks, kept in the warehouse with their instant.

What is usual is learned once an hour from the stays of a year, and all open checks are forecast then; a check that has
changed since its forecast is forecast anew in the cycle that read the change.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import isnan
from typing import TYPE_CHECKING, Any

from screening_pipeline.base.sql_text import quote
from screening_pipeline.planning.calendar import BusinessCalendar
from screening_pipeline.runtime.pull_model import declared_priors
from screening_pipeline.warehouse import catalog, session

if TYPE_CHECKING:
    from screening_pipeline.planning.hazards import Columns, Hazards
    from screening_pipeline.warehouse.session import Connection

HISTORY = timedelta(days=365)
SAMPLE = 100_000
"""More stays make no figure of hazards better that anybody would see."""
LATELY = timedelta(days=14)
EVERY = timedelta(hours=1)
_SAVED = "eta_model"


def renew(connection: Connection, now: datetime, *, is_changed: bool = True) -> int:
    """Forecast what has changed, or all if that was last done an hour ago or more; of how many checks.

    `is_changed`: whether anything may have changed since the last time.
    """
    learned_at, saved = _saved(connection)
    is_old = learned_at is None or abs(now - learned_at) >= EVERY
    if not (is_old or is_changed):
        return 0
    with session.transaction(connection):
        return _renewed(connection, now, saved, is_old=is_old)


def _renewed(connection: Connection, now: datetime, saved: Hazards | None, *, is_old: bool) -> int:
    from screening_pipeline.planning.eta import predict

    if is_old or saved is None:
        saved = _learn(connection, now)
    waiting = open_checks(connection, is_all=is_old)
    if not len(waiting["check_key"]):
        return 0
    found = predict(saved, waiting, now.timestamp())
    rows = list(_rows(found, waiting, now))
    keys = ", ".join(str(row["check_key"]) for row in rows)
    connection.execute("delete from ops.check_eta" + ("" if is_old else f" where check_key in ({keys})"))
    session.insert(connection, "ops.check_eta", rows)
    connection.execute(catalog.statement("keep_forecasts", now=_instant(now)))
    return len(rows)


def _rows(found: Columns, waiting: Columns, now: datetime) -> Iterator[dict[str, object]]:
    """Rows of `ops.check_eta`."""
    for place, check_key in enumerate(found["check_key"].tolist()):
        instants = {name: _text(found[name][place]) for name in ("p10", "p50", "p90")}
        names = ("chance_over", "chance_complete", "chance_late", "chance_in_time")
        chances = {name: float(found[name][place]) for name in names}
        yield {
            "check_key": check_key,
            "made_at": now.isoformat(),
            "changed_at": _text(waiting["changed"][place]),
            **instants,
            **{name: None if isnan(chance) else chance for name, chance in chances.items()},
        }


def _text(seconds: float) -> str | None:
    return None if isnan(seconds) else datetime.fromtimestamp(float(seconds), UTC).isoformat()


def open_checks(connection: Connection, *, is_all: bool) -> Columns:
    """The columns that `planning.eta.predict` asks for, of open checks: all, or those changed since their forecast."""
    return session.columns(connection, catalog.statement("forecast_open", is_all="true" if is_all else "false"))


def _saved(connection: Connection) -> tuple[datetime | None, Hazards | None]:
    kept = connection.execute(f"select value from staging.setting where name = {quote(_SAVED)}").fetchone()
    return _read(kept[0]) if kept else (None, None)


@lru_cache(maxsize=1)
def _read(text: str) -> tuple[datetime, Hazards]:
    """When hazards were learned, and the hazards; the same again in later cycles."""
    from screening_pipeline.planning.hazards import Hazards

    saved = json.loads(text)
    return datetime.fromisoformat(saved["learned_at"]), Hazards.from_dict(saved["hazards"])


def _learn(connection: Connection, now: datetime) -> Hazards:
    """Hazards of the stays of a year, how fast states were left of late, and how many nobody saw; all are kept."""
    from screening_pipeline.planning import hazards

    known, calendars = stays(connection, now), business_calendars(connection)
    learned = hazards.learn(known, calendars, now.timestamp(), declared_priors())
    value = json.dumps({"learned_at": now.isoformat(), "hazards": learned.to_dict()})
    connection.execute(f"delete from staging.setting where name = {quote(_SAVED)}")
    session.insert(connection, "staging.setting", [{"name": _SAVED, "value": value}])
    keep_pace(connection, known, calendars, now)
    _keep_lost(connection, now)
    return _read(value)[1]


def keep_pace(connection: Connection, known: Columns, calendars: Mapping[str, BusinessCalendar], now: datetime) -> None:
    """Count how many left each state of late, and how many would have as before, into `ops.vendor_pace`."""
    from screening_pipeline.planning.departures import departures

    since = now - LATELY
    times = {"made_at": now.isoformat(), "since_at": since.isoformat()}
    rows = (
        {"vendor": vendor, "state": state, "n_left": seen, "expected": expected, **times}
        for (vendor, state), (seen, expected) in departures(
            known, calendars, since.timestamp(), declared_priors()
        ).items()
    )
    session.replace(connection, "ops.vendor_pace", rows)


def _keep_lost(connection: Connection, now: datetime) -> None:
    from screening_pipeline.planning.unseen import unseen

    (count,) = connection.execute("select count(*) from star.fact_check").fetchone() or (0,)
    every = count // SAMPLE + 1
    given = {"since": _instant(now - HISTORY), "every": str(every)}
    looks = session.columns(connection, catalog.statement("forecast_looks", **given))
    rows = (
        {
            **dict(zip(("vendor", "account", "state"), key, strict=True)),
            "made_at": now.isoformat(),
            "n_seen": told.seen * every,
            "n_lost_before": told.before * every,
            "n_lost_between": told.between * every,
        }
        for key, told in unseen(looks).items()
    )
    session.replace(connection, "ops.state_loss", rows)


def stays(connection: Connection, now: datetime, *, sample: int | None = SAMPLE) -> Columns:
    """The stays of a year as they were known at an instant, with the columns of `planning.hazards` and `check_key`.

    A check that was looked at again since counts as seen at the instant. Of more than `sample` a fair choice.
    """
    from screening_pipeline.planning.hazards import known_at

    given = {"since": _instant(now - HISTORY), "now": _instant(now)}
    query = f"from ({catalog.statement('forecast_stays', **given)})"
    if sample:
        query += f" using sample reservoir({sample} rows) repeatable (7)"
    return known_at(session.columns(connection, query), now.timestamp())


def business_calendars(connection: Connection) -> dict[str, BusinessCalendar]:
    """The days off of each vendor, those of the first of its accounts."""
    found: dict[str, BusinessCalendar] = {}
    rows = connection.execute(catalog.statement("forecast_calendars")).fetchall()
    for vendor in dict.fromkeys(row[0] for row in rows):
        own: list[Any] = [row for row in rows if row[0] == vendor]
        days = frozenset(day for _, account, _, day in own if account == own[0][1] and day)
        found[vendor] = BusinessCalendar(own[0][2], days)
    return found


def _instant(when: datetime) -> str:
    return f"{quote(when.isoformat())}::timestamptz"
