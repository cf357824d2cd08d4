"""Refreshing plans of pulls: which accounts are planned again, and which plans are invalidated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from screening_pipeline.base.sql_text import quote
from screening_pipeline.runtime import forecast
from screening_pipeline.runtime.replan import replan
from screening_pipeline.state.pull_queue import PullQueue
from screening_pipeline.warehouse import ingest, session

if TYPE_CHECKING:
    from screening_pipeline.runtime.context import Runtime
    from screening_pipeline.settings.account import Account


PLANNED = "planned_at"
# Hours pass and budgets are spent: what nobody touched is weighed again this often.
PLAN_EVERY = timedelta(hours=1)


def plan_again(connection: session.Connection, runtime: Runtime, accounts: Sequence[Account] | None = None) -> None:
    """Make new plans for all open checks of these accounts; None means all accounts."""
    now, pull_queue = runtime.clock.now(), runtime.pull_queue
    if accounts is None:
        accounts = runtime.settings.accounts
        pull_queue.keep_only((account.vendor, account.name) for account in accounts)
    replan(connection, runtime.settings, pull_queue, now=now, accounts=accounts)
    for account in accounts:
        _forget_strangers(connection, runtime, account)
        pull_queue.remember(_planned_note(account.key), now.isoformat())
    pull_queue.remember(PLANNED, now.isoformat())
    forecast.renew(connection, now)


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
    """Make new plans for accounts with changed checks, and for those whose plans are old."""
    now = runtime.clock.now()
    plan_again(connection, runtime, [a for a in runtime.settings.accounts if _is_old(runtime.pull_queue, a, now)])


def forget_plans(runtime: Runtime, keys: Iterable[str]) -> None:
    """Invalidate these accounts' plans, before the change commits, so that a crash leaves no stale plan."""
    runtime.pull_queue.forget(map(_planned_note, keys))


def _is_old(pull_queue: PullQueue, account: Account, now: datetime) -> bool:
    planned = pull_queue.note(_planned_note(account.key))
    return planned is None or abs(now - datetime.fromisoformat(planned)) >= PLAN_EVERY


def _planned_note(key: str) -> str:
    return f"{PLANNED}:{key}"


def touched_accounts(connection: session.Connection) -> set[str]:
    """The accounts (`vendor/account`) of the checks that the open batch touches."""
    found = connection.execute(
        "select distinct vendor || '/' || account from raw.check semi join touched using (check_key)"
    )
    return {row[0] for row in found.fetchall()}


def prepare(connection: session.Connection, runtime: Runtime) -> ingest.Prepared:
    """Update the reference data; plans are invalidated if that changed the warehouse. The state it was found in."""
    found = ingest.prepare(
        connection, runtime.settings, runtime.landing, part_key=runtime.part_key, progress=runtime.progress
    )
    if found is not ingest.Prepared.READY:
        forget_plans(runtime, (account.key for account in runtime.settings.accounts))
    return found
