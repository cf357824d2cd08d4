"""`backtest`: how well ends of checks would have been forecast in one's own past."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening_pipeline.cli import console
from screening_pipeline.settings import load

if TYPE_CHECKING:
    from datetime import datetime

    from screening_pipeline.warehouse.session import Connection

TOLD, ANEW, DATED = "as told", "made anew", "beside the vendor's day"
COLUMNS = {
    "basis": "forecasts",
    "method": "method",
    "checks": "checks",
    "coverage": "ended between p10 and p90",
    "pinball_hours": "pinball loss, hours",
}
DAY_COLUMNS = {
    "basis": "forecasts",
    "method": "method",
    "checks": "checks",
    "days_off": "days off, mean",
    "within_a_day": "within a day",
}


def backtest(*, weeks: int, is_json: bool) -> int:
    """The `backtest` command: forecasts that were told, and made anew at past instants; returns the exit code."""
    from screening_pipeline.warehouse.engines import published_engine

    settings = load.load(os.environ, Path.cwd())
    with published_engine(settings).reader() as connection:
        rows = list(_rows(connection, weeks))
    if is_json:
        console.say_json(rows)
        return int(not rows)
    if not rows:
        console.say("Nothing to try yet: of the checks that were open in those weeks too few have ended since.")
        return 1
    _say(rows)
    return 0


def _rows(connection: Connection, weeks: int) -> Iterator[dict[str, Any]]:
    """A row for each method, of forecasts that were told, those made anew, and those beside the vendor's own."""
    from screening_pipeline.runtime import backtest as tried

    instants = _instants(connection, weeks)
    tables = {
        TOLD: tried.told(connection),
        ANEW: tried.backtest(connection, instants),
        DATED: tried.dated(connection, instants),
    }
    for basis, table in tables.items():
        for method, row in table.to_dict("index").items():
            if row["checks"] > 0:
                yield {"basis": basis, "method": method, **{str(name): _value(value) for name, value in row.items()}}


def _say(rows: Sequence[Mapping[str, Any]]) -> None:
    for columns in (COLUMNS, DAY_COLUMNS):
        of_kind = [row for row in rows if columns.keys() <= row.keys()]
        if of_kind:
            console.table([{name: _shown(row[name]) for name in columns} for row in of_kind], columns)
    console.say(
        "Eight in ten should end between p10 and p90; of methods that hold this, the smaller loss is the better."
    )


def _instants(connection: Connection, weeks: int) -> list[datetime]:
    """The same hour of each week before the last that is known of."""
    (latest,) = connection.execute("select max(latest_at) from analytics.account_horizon").fetchone() or (None,)
    return [latest - timedelta(weeks=ago) for ago in range(1, weeks + 1)] if latest else []


def _value(value: Any) -> Any:
    return None if isinstance(value, float) and isnan(value) else value


def _shown(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) and value != int(value) else f"{value}"
