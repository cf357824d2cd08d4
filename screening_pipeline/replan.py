"""Makes the plan of pulls from what the warehouse knows, and keeps it there and in the agenda."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from screening_pipeline import warehouse
from screening_pipeline.agenda import Agenda, Item
from screening_pipeline.planner import Budget, BusinessCalendar, Model, OpenCheck, Plan, PlanOptions, Sojourn, plan

if TYPE_CHECKING:
    from screening_pipeline.settings import Account, Settings
    from screening_pipeline.warehouse import Connection

LEARN_EVERY = timedelta(days=1)
HISTORY_DAYS = 365

_OPEN = """
select check_key, vendor, account, subject, package, lifecycle, next_actor, ordered_at, state_since, last_pulled_at,
    is_push_fed, is_requested, check_id
from staging.open_check where vendor = {vendor} and account = {account} order by check_key
"""

_SOJOURNS = """
select
    e.vendor, f.package, e.lifecycle,
    epoch(coalesce(next.observed_at_earliest, e.observed_at)) - epoch(e.observed_at) as seconds_lower,
    epoch(coalesce(next.observed_at, f.last_observed_at)) - epoch(e.observed_at) as seconds_upper,
    next.check_key is null as is_censored,
    e.observed_at as entered_at,
    coalesce(next.is_terminal is not true and next.check_key is not null, false) as is_followed
from star.fact_check_event as e
inner join star.fact_check as f on e.check_key = f.check_key
left join star.fact_check_event as next on e.check_key = next.check_key and e.event_seq + 1 = next.event_seq
where e.is_terminal is not true and e.observed_at >= {since}
"""


def replan(
    connection: Connection,
    settings: Settings,
    agenda: Agenda,
    *,
    now: datetime,
    accounts: Iterable[Account] | None = None,
) -> None:
    """Plan the next pull of every open check of these accounts (by default all), and write it down."""
    model = _model(connection, settings, now)
    for account in settings.accounts if accounts is None else accounts:
        _replan_account(connection, settings, agenda, account, model=model, now=now)


def _replan_account(
    connection: Connection, settings: Settings, agenda: Agenda, account: Account, *, model: Model, now: datetime
) -> None:
    names = {"vendor": warehouse.quote(account.vendor), "account": warehouse.quote(account.name)}
    rows = connection.execute(_OPEN.format(**names)).fetchall()
    budget = Budget(account.requests_per_minute, feed_covered=account.status_updates)
    made = plan(
        [OpenCheck(*row[:12]) for row in rows],
        model=model,
        budget=budget,
        calendar=_calendar(connection, account),
        now=now,
        options=_options(settings),
    )
    known = {row[0]: row for row in rows}
    items = [
        Item(
            p.check_key,
            account.vendor,
            account.name,
            known[p.check_key][3],
            known[p.check_key][12],
            p.next_pull_at,
            p.reason,
            known[p.check_key][11],
        )
        for p in made.planned
    ]
    _write(connection, items, names, now)
    _note_budget(connection, account, made, names)
    agenda.replace(account.vendor, account.name, items)


def _write(connection: Connection, items: list[Item], names: dict[str, str], now: datetime) -> None:
    where = "vendor = {vendor} and account = {account}".format(**names)
    connection.execute(f"delete from ops.pull_plan where {where}")
    warehouse.insert(connection, "ops.pull_plan", (_plan_row(item, now) for item in items))
    connection.execute(
        "update star.fact_check as f set next_pull_at = p.next_pull_at from ops.pull_plan as p "
        f"where f.check_key = p.check_key and f.is_terminal is not true and p.{where.replace(' and ', ' and p.')} "
        "and f.next_pull_at is distinct from p.next_pull_at"
    )


def _note_budget(connection: Connection, account: Account, made: Plan, names: dict[str, str]) -> None:
    connection.execute("delete from ops.pull_budget where vendor = {vendor} and account = {account}".format(**names))
    row = {
        "vendor": account.vendor,
        "account": account.name,
        "planned_at": made.now.isoformat(),
        "open_checks": len(made.planned),
        "due_checks": made.due,
        "requests_per_minute": account.requests_per_minute,
        "calls_needed_per_minute": float(made.calls_needed_per_minute),
        "changes_per_minute": float(made.changes_per_minute),
        "states_lost_per_day": float(made.states_lost_per_day),
        "is_overloaded": bool(made.is_overloaded),
    }
    warehouse.insert(connection, "ops.pull_budget", [row])


def _plan_row(item: Item, now: datetime) -> dict[str, object]:
    return {
        "check_key": item.check_key,
        "vendor": item.vendor,
        "account": item.account,
        "next_pull_at": item.next_pull_at.isoformat(),
        "reason": item.reason,
        "planned_at": now.isoformat(),
    }


def _options(settings: Settings) -> PlanOptions:
    chosen = settings.planning
    given: dict[str, object] = {"worst_case_hours": chosen.worst_case_hours}
    if chosen.max_lag_seconds is not None:
        given["max_lag_seconds"] = chosen.max_lag_seconds
    return PlanOptions(**given)  # type: ignore[arg-type]


def _calendar(connection: Connection, account: Account) -> BusinessCalendar:
    days = connection.execute(
        "select date from star.dim_calendar where not is_business_day and isodow(date) < 6 "
        f"and calendar = {warehouse.quote(account.calendar)}"
    ).fetchall()
    return BusinessCalendar(timezone=account.timezone, holidays=frozenset(row[0] for row in days))


def _model(connection: Connection, settings: Settings, now: datetime) -> Model:
    """What was learned of durations within the last day, else learned now from the events."""
    kept = connection.execute("select value from staging.setting where name = 'pull_model'").fetchone()
    if kept:
        saved = json.loads(kept[0])
        if abs(now - datetime.fromisoformat(saved["learned_at"])) < LEARN_EVERY:
            return Model.from_dict(saved["model"])
    model = _learn(connection, settings, now)
    connection.execute("delete from staging.setting where name = 'pull_model'")
    value = json.dumps({"learned_at": now.isoformat(), "model": model.to_dict()})
    warehouse.insert(connection, "staging.setting", [{"name": "pull_model", "value": value}])
    return model


def _learn(connection: Connection, settings: Settings, now: datetime) -> Model:
    since = now - timedelta(days=settings.planning.history_days or HISTORY_DAYS)
    rows = connection.execute(_SOJOURNS.format(since=warehouse.quote(since.isoformat()) + "::timestamptz")).fetchall()
    return Model().learn([Sojourn(*row) for row in rows])
