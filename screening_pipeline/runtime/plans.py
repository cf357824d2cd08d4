"""Refreshing plans of pulls: which accounts are planned again, and which plans are invalidated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from screening_pipeline.base.sql_text import quote
from screening_pipeline.runtime import forecast
from screening_pipeline.runtime.replan import replan, standings
from screening_pipeline.state.pull_queue import PullQueue
from screening_pipeline.warehouse import catalog, ingest, session

if TYPE_CHECKING:
    from screening_pipeline.runtime.context import Runtime
    from screening_pipeline.settings.account import Account


PLANNED = "planned_at"
# Hours pass and budgets are spent: what nobody touched is weighed again this often. Sooner where checks wait in line,
# since who is before whom changes there.
PLAN_EVERY, PLAN_PRESSED_EVERY = timedelta(hours=1), timedelta(minutes=5)
PRESSED_SECONDS = 60.0
# Of how many checks a plan of what was touched costs as much as one of all.
MOST_TOUCHED_SHARE = 4


def plan_again(connection: session.Connection, runtime: Runtime) -> None:
    """Make new plans for all open checks of all accounts."""
    accounts = runtime.settings.accounts
    runtime.pull_queue.keep_only((account.vendor, account.name) for account in accounts)
    _plan(connection, runtime, accounts, [])


def _plan(
    connection: session.Connection, runtime: Runtime, whole: Sequence[Account], touched: Sequence[Account]
) -> None:
    """Make new plans for some accounts as a whole, for what was touched of others; no others were touched."""
    now, pull_queue = runtime.clock.now(), runtime.pull_queue
    replan(connection, runtime.settings, pull_queue, now=now, accounts=whole)
    replan(connection, runtime.settings, pull_queue, now=now, accounts=touched, is_whole=False)
    for account in (*whole, *touched):
        _forget_strangers(connection, runtime, account)
    for account in whole:
        pull_queue.remember(_planned_note(account.key), now.isoformat())
    pull_queue.remember(PLANNED, now.isoformat())
    is_any = bool(whole or touched)
    forecast.renew(connection, now, is_changed=is_any)
    if is_any:
        connection.execute("delete from staging.unplanned_check")


def _forget_strangers(connection: session.Connection, runtime: Runtime, account: Account) -> None:
    """Drop what is noted of ids of which none is open: an answer of 404 was under way while its check was erased."""
    missing = {
        (one.vendor, one.account, one.subject, one.check_id)
        for one in runtime.state.not_found(account.vendor, account.name, at_least=1)
    }
    if missing:
        ids = ", ".join(quote(check_id) for *_, check_id in missing)
        known = f"select vendor, account, subject, check_id from staging.open_check where check_id in ({ids})"
        if strangers := missing.difference(connection.execute(known).fetchall()):
            runtime.state.erase_not_found(strangers)


def plan_what_is_old(connection: session.Connection, runtime: Runtime) -> None:
    """Make new plans for checks that batches touched, and for accounts whose plans are old or of no more use."""
    found = connection.execute(catalog.statement("find_unplanned")).fetchall()
    touched = {f"{slug}/{name}": count for slug, name, count in found}
    now, accounts = runtime.clock.now(), runtime.settings.accounts
    whole = [a for a in accounts if _is_old(runtime.pull_queue, a, now, touched.get(a.key, 0))]
    _plan(connection, runtime, whole, [a for a in accounts if a.key in touched and a not in whole])


def forget_plans(runtime: Runtime, keys: Iterable[str]) -> None:
    """Invalidate these accounts' plans, before the change commits, so that a crash leaves no stale plan."""
    runtime.pull_queue.forget(map(_planned_note, keys))


def _is_old(pull_queue: PullQueue, account: Account, now: datetime, touched: int) -> bool:
    """Whether an account is to be planned as a whole, where so many of its checks were touched."""
    planned, left = pull_queue.note(_planned_note(account.key)), standings(pull_queue, account)
    if planned is None or left is None:
        return True
    is_pressed = any(one.is_overloaded or one.longest_delay > PRESSED_SECONDS for one in left.values())
    every = PLAN_PRESSED_EVERY if is_pressed and touched else PLAN_EVERY
    is_much = touched * MOST_TOUCHED_SHARE > sum(one.checks for one in left.values())
    return is_much or abs(now - datetime.fromisoformat(planned)) >= every


def _planned_note(key: str) -> str:
    return f"{PLANNED}:{key}"


def prepare(connection: session.Connection, runtime: Runtime) -> ingest.Prepared:
    """Update the reference data; plans are invalidated if that changed the warehouse. The state it was found in."""
    found = ingest.prepare(
        connection, runtime.settings, runtime.landing, part_key=runtime.part_key, progress=runtime.progress
    )
    if found is not ingest.Prepared.READY:
        forget_plans(runtime, (account.key for account in runtime.settings.accounts))
    return found
