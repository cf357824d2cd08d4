"""The model of durations that pulls are planned by: kept in the warehouse, learned anew every few hours."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from screening_pipeline.base.sql_text import quote
from screening_pipeline.planning.calendar import BusinessCalendar
from screening_pipeline.planning.histogram import Sojourn
from screening_pipeline.planning.model import Model
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse import catalog, session

if TYPE_CHECKING:
    from screening_pipeline.domain.durations import Prior
    from screening_pipeline.settings.account import Account
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.warehouse.session import Connection


LEARN_EVERY = timedelta(hours=6)
HISTORY_DAYS = 365
SAMPLE = 100_000


def calendars_of(connection: Connection, accounts: Sequence[Account]) -> dict[str, BusinessCalendar]:
    """When the vendor of each account works, by the account's key."""
    codes = ", ".join(quote(code) for code in {account.calendar for account in accounts})
    days = connection.execute(catalog.statement("find_holidays", calendars=codes)).fetchall()
    return {
        a.key: BusinessCalendar(a.timezone, frozenset(day for code, day in days if code == a.calendar))
        for a in accounts
    }


def model_of(connection: Connection, settings: Settings, now: datetime) -> Model:
    """The stored model of durations if it is a few hours old at most, else one learned now from the events."""
    kept = connection.execute("select value from staging.setting where name = 'pull_model'").fetchone()
    if kept:
        learned_at, model = _read_model(kept[0])
        if abs(now - learned_at) < LEARN_EVERY:
            return model
    model = _learn(connection, settings, now)
    connection.execute("delete from staging.setting where name = 'pull_model'")
    value = json.dumps({"learned_at": now.isoformat(), "model": model.to_dict()})
    session.insert(connection, "staging.setting", [{"name": "pull_model", "value": value}])
    return model


@cache
def declared_priors() -> Mapping[str, Prior]:
    """The prior of each vendor, by slug."""
    return {slug: declared.prior for slug, declared in all_vendors().items()}


@lru_cache(maxsize=1)
def _read_model(text: str) -> tuple[datetime, Model]:
    """When a model was learned, and the model; the same one again in later cycles, with what was derived from it."""
    saved = json.loads(text)
    return datetime.fromisoformat(saved["learned_at"]), Model.from_dict(saved["model"], declared_priors())


def _learn(connection: Connection, settings: Settings, now: datetime) -> Model:
    since = now - timedelta(days=settings.planning.history_days or HISTORY_DAYS)
    instant = quote(since.isoformat()) + "::timestamptz"
    # A fair sample: the latest alone would be the quick ones.
    sojourns = catalog.statement("sojourns", since=instant)
    rows = connection.execute(f"from ({sojourns}) using sample reservoir({SAMPLE} rows) repeatable (7)").fetchall()
    calendars = calendars_of(connection, settings.accounts)
    by_vendor = {account.vendor: calendars[account.key] for account in settings.accounts}
    return Model(priors=declared_priors()).learn([Sojourn(*row) for row in rows], by_vendor)
