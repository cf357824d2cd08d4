"""`backtest`: how well ends of checks would have been forecast in one's own past."""

from __future__ import annotations

import os
from datetime import timedelta
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening_pipeline.base.errors import UsageError
from screening_pipeline.cli import console
from screening_pipeline.settings import load

if TYPE_CHECKING:
    from datetime import datetime

    from screening_pipeline.warehouse.session import Connection

COLUMNS = {
    "method": "method",
    "checks": "checks",
    "coverage": "ended between p10 and p90",
    "pinball_hours": "pinball loss, hours",
}


def backtest(*, weeks: int, is_json: bool) -> int:
    """The `backtest` command: forecasts made anew at past instants, beside simpler ones; returns the exit code."""
    from screening_pipeline.runtime.backtest import backtest as tried
    from screening_pipeline.warehouse import store

    settings = load.load(os.environ, Path.cwd())
    if not settings.paths.published.exists():
        raise UsageError("nothing is published yet; run `screening-pipeline sync` first", code="nothing_published")
    with store.reader(settings.paths.published) as connection:
        table = tried(connection, _instants(connection, weeks))
    rows = [{"method": method, **row} for method, row in table.to_dict("index").items()]
    told = [{name: _value(value) for name, value in row.items()} for row in rows if row["checks"] > 0]
    if is_json:
        console.say_json(told)
        return int(not told)
    if not told:
        console.say("Nothing to try yet: of the checks that were open in those weeks too few have ended since.")
        return 1
    console.table([{name: _shown(row[name]) for name in COLUMNS} for row in told], COLUMNS)
    console.say(
        "Eight in ten should end between p10 and p90; of methods that hold this, the smaller loss is the better."
    )
    return 0


def _instants(connection: Connection, weeks: int) -> list[datetime]:
    """The same hour of each week before the last that is known of."""
    (latest,) = connection.execute("select max(latest_at) from analytics.account_horizon").fetchone() or (None,)
    return [latest - timedelta(weeks=ago) for ago in range(1, weeks + 1)] if latest else []


def _value(value: Any) -> Any:
    return None if isinstance(value, float) and isnan(value) else value


def _shown(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) and value != int(value) else f"{value}"
