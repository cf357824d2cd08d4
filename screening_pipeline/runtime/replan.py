"""Planning from the warehouse: its plans are stored there, and copied to the pull queue."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from screening_pipeline.base import memory_files
from screening_pipeline.base.sql_text import quote
from screening_pipeline.planning.calendar import BusinessCalendar
from screening_pipeline.planning.histogram import Sojourn
from screening_pipeline.planning.inputs import Budget, OpenCheck, PlanOptions
from screening_pipeline.planning.model import Model
from screening_pipeline.planning.planner import Plan, plan
from screening_pipeline.state.pull_queue import PullQueue, QueuedPull
from screening_pipeline.vendors import all_vendors, vendor
from screening_pipeline.warehouse import catalog, session

if TYPE_CHECKING:
    from screening_pipeline.domain.durations import Prior
    from screening_pipeline.settings.account import Account
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.warehouse.session import Connection


LEARN_EVERY = timedelta(hours=6)
HISTORY_DAYS = 365
SAMPLE = 100_000
# How a decision is asked for that an account is only taken to make: an hour less, so that a run that starts a second
# earlier than the day before asks all the same.
DECISION_DAILY, DECISION_FORTNIGHT = timedelta(hours=23), timedelta(days=14)
DECISION_WEEKLY, DECISION_GIVEN_UP = timedelta(days=7, hours=-1), timedelta(days=60)

_Made = Sequence[tuple["Account", list[Plan], list[QueuedPull]]]
"""Of each account what a feed reports is planned apart from the rest, with a budget of its own."""


def replan(
    connection: Connection,
    settings: Settings,
    pull_queue: PullQueue,
    *,
    now: datetime,
    accounts: Iterable[Account] | None = None,
) -> None:
    """Plan the next pull of every open check of these accounts (by default all), and store the plans."""
    chosen = list(settings.accounts if accounts is None else accounts)
    if not chosen:
        return
    model = _model(connection, settings, now)
    waiting = _open_checks(connection, chosen, now)
    calendars = _calendars(connection, chosen)
    made = [
        _planned(settings, a, waiting[a.vendor, a.name], model=model, calendar=calendars[a.key], now=now)
        for a in chosen
    ]
    _write(connection, made, now)
    for account, _, items in made:
        pull_queue.replace(account.vendor, account.name, items)


def _open_checks(
    connection: Connection, accounts: Sequence[Account], now: datetime
) -> dict[tuple[str, str], list[tuple[Any, ...]]]:
    """The open checks of each account, by its vendor and name; one question for all of them."""
    found: dict[tuple[str, str], list[tuple[Any, ...]]] = {(a.vendor, a.name): [] for a in accounts}
    given = {"accounts": _keys(accounts), "now": quote(now.isoformat())}
    for row in connection.execute(catalog.statement("open_checks", **given)).fetchall():
        found[row[1], row[2]].append(row)
    return found


def _keys(accounts: Iterable[Account]) -> str:
    return ", ".join(f"({quote(account.vendor)}, {quote(account.name)})" for account in accounts)


def _planned(
    settings: Settings,
    account: Account,
    rows: Sequence[tuple[Any, ...]],
    *,
    model: Model,
    calendar: BusinessCalendar,
    now: datetime,
) -> tuple[Account, list[Plan], list[QueuedPull]]:
    feed = vendor(account.vendor).feed
    reported = feed.reports if feed and account.status_updates else ()
    checks = {row[0]: check for row in rows if (check := _open_check(row, now))}
    plans = [
        plan(
            [check for check in checks.values() if _is_covered(check, reported) is feed_covered],
            model=model,
            budget=Budget(account.requests_per_minute, feed_covered=feed_covered),
            calendar=calendar,
            now=now,
            options=_options(settings),
        )
        for feed_covered in ((False, True) if reported else (False,))
    ]
    ids = {row[0]: row[11] for row in rows}
    overdue = {row[0] for row in rows if row[14]}
    # What is due is taken in the order of the plan, which has the most urgent first.
    planned = [one for made in plans for one in made.planned]
    return (
        account,
        plans,
        [
            QueuedPull(
                one.check_key,
                account.vendor,
                account.name,
                checks[one.check_key].subject,
                ids[one.check_key],
                now + timedelta(microseconds=place - len(planned))
                if one.check_key in overdue or one.next_pull_at <= now
                else one.next_pull_at,
                one.reason,
                checks[one.check_key].is_requested,
            )
            for place, one in enumerate(planned)
        ],
    )


def _is_covered(check: OpenCheck, reported: Sequence[str]) -> bool:
    """Whether the feed can be waited for. A decision that may never come is asked for as well."""
    return check.subject in reported and check.wait_seconds is None


def _open_check(row: Sequence[Any], now: datetime) -> OpenCheck | None:
    """The check as the planner has it; None where nothing is asked of it any more."""
    decision_since = _instant(row[13])
    waited = now - decision_since if decision_since else None
    if waited is not None and waited > DECISION_GIVEN_UP:
        return None
    wait = None if waited is None else DECISION_DAILY if waited <= DECISION_FORTNIGHT else DECISION_WEEKLY
    seconds = wait.total_seconds() if wait else None
    values = [*row[:6], *map(_instant, row[6:9]), *row[9:11], _instant(row[12]), seconds]
    return OpenCheck(*values)


def _instant(seconds: float | None) -> datetime | None:
    """Seconds since 1970 as an instant: DuckDB takes longer to make one than to plan a pull."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _write(connection: Connection, made: _Made, now: datetime) -> None:
    keys = _keys(account for account, _, _ in made)
    connection.execute(f"delete from ops.pull_plan where (vendor, account) in ({keys})")
    _insert(connection, made, now)
    connection.execute(catalog.statement("show_plan", accounts=keys))
    connection.execute(f"delete from ops.pull_budget where (vendor, account) in ({keys})")
    session.insert(connection, "ops.pull_budget", (_budget_row(*one) for one in made))


def _budget_row(account: Account, plans: Sequence[Plan], items: Sequence[QueuedPull]) -> dict[str, object]:
    return {
        "vendor": account.vendor,
        "account": account.name,
        "planned_at": plans[0].now.isoformat(),
        "open_checks": len(items),
        "due_checks": sum(item.next_pull_at <= plans[0].now for item in items),
        "requests_per_minute": account.requests_per_minute,
        "calls_needed_per_minute": sum(float(made.calls_needed_per_minute) for made in plans),
        "changes_per_minute": sum(float(made.changes_per_minute) for made in plans),
        "states_lost_per_day": sum(float(made.states_lost_per_day) for made in plans) if account.polling else 0.0,
        "is_overloaded": account.polling and any(made.is_overloaded for made in plans),
    }


def _insert(connection: Connection, made: _Made, now: datetime) -> None:
    lines = "".join(
        f"{item.check_key}\t{item.vendor}\t{item.account}\t{item.next_pull_at.timestamp()!r}\t{item.reason}\n"
        for account, _, items in made
        if account.polling
        for item in items
    )
    if not lines:
        return
    with memory_files.in_memory(lines.encode()) as path:
        given = {"path": quote(path), "now": quote(now.isoformat())}
        connection.execute(catalog.statement("insert_plan", **given))


def _options(settings: Settings) -> PlanOptions:
    chosen = settings.planning
    given: dict[str, object] = {"worst_case_hours": chosen.worst_case_hours}
    if chosen.max_lag_seconds is not None:
        given["max_lag_seconds"] = chosen.max_lag_seconds
    return PlanOptions(**given)  # type: ignore[arg-type]


def _calendars(connection: Connection, accounts: Sequence[Account]) -> dict[str, BusinessCalendar]:
    """When the vendor of each account works, by the account's key."""
    codes = ", ".join(quote(code) for code in {account.calendar for account in accounts})
    days = connection.execute(catalog.statement("find_holidays", calendars=codes)).fetchall()
    return {
        a.key: BusinessCalendar(a.timezone, frozenset(day for code, day in days if code == a.calendar))
        for a in accounts
    }


def _model(connection: Connection, settings: Settings, now: datetime) -> Model:
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
    calendars = _calendars(connection, settings.accounts)
    by_vendor = {account.vendor: calendars[account.key] for account in settings.accounts}
    return Model(priors=declared_priors()).learn([Sojourn(*row) for row in rows], by_vendor)
