"""Planning from the warehouse: its plans are stored there, and copied to the pull queue.

An account is planned as a whole now and then; in between only what batches touched is, in the line that the whole plan
has left (`Standing`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from screening_pipeline.base import memory_files
from screening_pipeline.base.sql_text import quote
from screening_pipeline.planning.columns import looked_up
from screening_pipeline.planning.inputs import Budget, PlanOptions
from screening_pipeline.planning.planner import Plan, plan_columns
from screening_pipeline.planning.standing import Standing
from screening_pipeline.runtime.open_rows import as_planned, names_of, open_rows
from screening_pipeline.runtime.pull_model import calendars_of, model_of
from screening_pipeline.vendors import vendor
from screening_pipeline.warehouse import catalog, session

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening_pipeline.planning.calendar import BusinessCalendar
    from screening_pipeline.planning.model import Model
    from screening_pipeline.runtime.open_rows import Found
    from screening_pipeline.settings.account import Account
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.state.interface import QueueRow
    from screening_pipeline.state.pull_queue import PullQueue
    from screening_pipeline.warehouse.session import Connection


Standings = Mapping[str, Standing]
"""Of an account, by budget: what is asked by id has one, and what a feed reports another."""
_ASKED, _REPORTED = "asked", "reported"
_MICROSECOND = 1e-6


@dataclass(frozen=True)
class _Made:
    """The plans of an account's checks, and their rows."""

    account: Account
    plans: Mapping[str, Plan]
    rows: Found

    @property
    def due(self) -> int:
        return int(np.count_nonzero(self.rows["next_pull"] <= next(iter(self.plans.values())).now.timestamp()))

    def agenda(self) -> Iterator[QueueRow]:
        """Rows as `PullQueue` takes them."""
        names = ("check_key", "vendor", "account", "subject", "check_id", "next_pull", "reason", "is_requested")
        return zip(*(self.rows[name].tolist() for name in names), strict=True)


def replan(
    connection: Connection,
    settings: Settings,
    pull_queue: PullQueue,
    *,
    now: datetime,
    accounts: Iterable[Account] | None = None,
    is_whole: bool = True,
) -> None:
    """Plan the next pull of every open check of these accounts (by default all), and store the plans.

    With `is_whole` false, only of those that batches touched since; then `standings` must know the accounts.
    """
    chosen = list(settings.accounts if accounts is None else accounts)
    if not chosen:
        return
    model, calendars = model_of(connection, settings, now), calendars_of(connection, chosen)
    known = {a.key: {} if is_whole else standings(pull_queue, a) or {} for a in chosen}
    made = [
        _planned(settings, a, rows, model=model, calendar=calendars[a.key], now=now, standing=known[a.key])
        for a, rows in open_rows(connection, chosen, now, is_whole=is_whole)
    ]
    with session.transaction(connection):
        _write(connection, made, now, is_whole=is_whole)
    if is_whole:
        _queue_all(connection, pull_queue, made)
    else:
        _queue_touched(connection, pull_queue, made, now)


def standings(pull_queue: PullQueue, account: Account) -> Standings | None:
    """What the last whole plan of an account has left; None where nothing is noted, or other budgets were planned."""
    kept = json.loads(pull_queue.note(_standing_note(account)) or "{}")
    if kept.keys() != set(_budgets_of(account)):
        return None
    return {name: Standing.from_dict(told) for name, told in kept.items()}


def _standing_note(account: Account) -> str:
    return f"standing:{account.key}"


def _queue_all(connection: Connection, pull_queue: PullQueue, made: Sequence[_Made]) -> None:
    keys = names_of([one.account for one in made])
    connection.execute(f"delete from ops.pull_budget where (vendor, account) in ({keys})")
    session.insert(connection, "ops.pull_budget", map(_budget_row, made))
    for one in made:
        pull_queue.replace_rows(one.account.vendor, one.account.name, one.agenda())
        left = {name: plan.schedule.standing.to_dict() for name, plan in one.plans.items()}
        pull_queue.remember(_standing_note(one.account), json.dumps(left))


def _queue_touched(connection: Connection, pull_queue: PullQueue, made: Sequence[_Made], now: datetime) -> None:
    keys = connection.execute("select distinct check_key from staging.unplanned_check").fetchall()
    pull_queue.put_rows([key for (key,) in keys], [row for one in made for row in one.agenda()])
    if made:
        _recount(connection, pull_queue, [one.account for one in made], now)


def _recount(connection: Connection, pull_queue: PullQueue, accounts: Sequence[Account], now: datetime) -> None:
    counted = [pull_queue.summary(account.vendor, account.name, now) for account in accounts]
    given = {
        "vendors": [quote(account.vendor) for account in accounts],
        "accounts": [quote(account.name) for account in accounts],
        "open": [str(one.open) for one in counted],
        "due": [str(one.due) for one in counted],
    }
    lists = {name: f"[{', '.join(values)}]" for name, values in given.items()}
    connection.execute(catalog.statement("recount_plan", now=quote(now.isoformat()), **lists))


def _planned(
    settings: Settings,
    account: Account,
    rows: Found,
    *,
    model: Model,
    calendar: BusinessCalendar,
    now: datetime,
    standing: Standings,
) -> _Made:
    plans = {}
    for name, chosen in _budgets(account, rows).items():
        columns = looked_up(as_planned({key: rows[key][chosen] for key in rows}, now), model, _options(settings))
        budget = Budget(account.requests_per_minute, feed_covered=name == _REPORTED)
        plans[name] = plan_columns(
            columns,
            model=model,
            budget=budget,
            calendar=calendar,
            now=now,
            options=_options(settings),
            standing=standing.get(name),
        )
    return _Made(account, plans, _with_plans(rows, list(plans.values()), now.timestamp()))


def _budgets_of(account: Account) -> Sequence[str]:
    return (_ASKED, _REPORTED) if _reported(account) else (_ASKED,)


def _reported(account: Account) -> Sequence[str]:
    """The subjects of whose checks a feed of the account tells."""
    feed = vendor(account.vendor).feed
    return tuple(feed.reports) if feed and account.status_updates else ()


def _budgets(account: Account, rows: Found) -> dict[str, NDArray[np.bool_]]:
    """Which checks are in which budget. A decision that may never come is asked for as well."""
    is_reported = np.isin(rows["subject"].astype(str), _reported(account)) & np.isnan(rows["decision_since"])
    return {name: is_reported if name == _REPORTED else ~is_reported for name in _budgets_of(account)}


def _with_plans(rows: Found, plans: Sequence[Plan], now: float) -> Found:
    """The rows, with when they are asked next and why. What is due is taken in the order of the plans."""
    place = rows["check_key"].searchsorted(np.concatenate([plan.schedule.check_key for plan in plans]))
    turn = now + _MICROSECOND * (np.arange(len(place)) - len(place))
    planned = np.concatenate([plan.schedule.next_pull for plan in plans])
    next_pull, reason = np.empty(len(place)), np.empty(len(place), dtype=object)
    next_pull[place] = np.where(rows["is_overdue"][place] | (planned <= now), turn, planned)
    reason[place] = [words for plan in plans for words in plan.reasons()]
    return {**rows, "is_requested": rows["is_requested"].astype(np.int64), "next_pull": next_pull, "reason": reason}


def _write(connection: Connection, made: Sequence[_Made], now: datetime, *, is_whole: bool) -> None:
    given = {"accounts": names_of([one.account for one in made]), "is_whole": str(is_whole).lower()}
    connection.execute(catalog.statement("forget_plan", **given))
    _insert(connection, made, now)
    connection.execute(catalog.statement("show_plan", **given))


def _budget_row(made: _Made) -> dict[str, object]:
    account, plans = made.account, list(made.plans.values())
    return {
        "vendor": account.vendor,
        "account": account.name,
        "planned_at": plans[0].now.isoformat(),
        "open_checks": len(made.rows["check_key"]),
        "due_checks": made.due,
        "requests_per_minute": account.requests_per_minute,
        "calls_needed_per_minute": sum(float(plan.calls_needed_per_minute) for plan in plans),
        "changes_per_minute": sum(float(plan.changes_per_minute) for plan in plans),
        "states_lost_per_day": sum(float(plan.states_lost_per_day) for plan in plans) if account.polling else 0.0,
        "is_overloaded": account.polling and any(plan.is_overloaded for plan in plans),
    }


def _insert(connection: Connection, made: Sequence[_Made], now: datetime) -> None:
    lines = "".join(
        f"{key}\t{slug}\t{name}\t{at!r}\t{reason}\n"
        for one in made
        if one.account.polling
        for key, slug, name, _, _, at, reason, _ in one.agenda()
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
