"""Records of a cycle in `ops`: gaps of feeds, states of accounts, the run."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from screening_pipeline.base.sql_text import quote
from screening_pipeline.cycle.feeds import feed_of, gap_note
from screening_pipeline.runtime.results import AS_PLANNED, StepResult, note_step, whole_run
from screening_pipeline.state import pulse
from screening_pipeline.state.run_ledger import LAST_STEP
from screening_pipeline.vendors import vendor
from screening_pipeline.warehouse import session

if TYPE_CHECKING:
    from screening_pipeline.http.feed import Feed
    from screening_pipeline.http.feed_record import Gap
    from screening_pipeline.runtime.context import Runtime
    from screening_pipeline.settings.account import Account


PULLED = "recheck"
"""What a run that only asks was asked for by."""


def note_gaps(connection: session.Connection, runtime: Runtime) -> list[tuple[Feed, Gap]]:
    """Record every feed gap in `ops.feed_gap`; returns those that a full round of pulls has closed."""
    settled = []
    for account in runtime.settings.accounts:
        if not account.status_updates or vendor(account.vendor).feed is None:
            continue
        feed = feed_of(runtime, account)
        for gap in feed.gaps():
            settled_at = runtime.pull_queue.note(gap_note(gap))
            connection.execute(f"delete from ops.feed_gap where gap_id = {quote(gap.id)}")
            session.insert(connection, "ops.feed_gap", [_gap_row(gap, runtime.clock.now(), settled_at)])
            if settled_at:
                settled.append((feed, gap))
    return settled


def _gap_row(gap: Gap, now: datetime, settled_at: str | None) -> dict[str, object]:
    return {
        "gap_id": gap.id,
        "vendor": gap.vendor,
        "account": gap.account,
        "requested_at": str(gap.requested_at),
        "reason": gap.reason,
        "salvaged": gap.salvaged,
        "noted_at": now.isoformat(),
        "settled_at": settled_at,
    }


def note_accounts(connection: session.Connection, runtime: Runtime) -> None:
    """Fill `ops.account_state` from the shared state."""
    session.replace(connection, "ops.account_state", (_account_row(runtime, a) for a in runtime.settings.accounts))


def _account_row(runtime: Runtime, account: Account) -> dict[str, object]:
    state = runtime.state.account(account.vendor, account.name, runtime.clock)
    moments = {
        "cool_down_until": state.silent_until,
        "stopped_at": state.stopped_at,
        "last_error_at": state.last_error_at,
        "last_success_at": state.succeeded_at or state.answered_at,
    }
    return {
        "vendor": account.vendor,
        "account": account.name,
        "stopped_code": state.stopped_code,
        "last_error": state.last_error,
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
    }


def note_run(runtime: Runtime, connection: session.Connection, whole: StepResult, *, run_id: str, trigger: str) -> None:
    """Record a run in `ops.run`, with the merged results of its steps."""
    now = runtime.clock.now()
    _insert_run(connection, whole, run_id=run_id, trigger=trigger, finished_at=now)
    pulse.note_cycle(runtime.pull_queue, trigger, now)


def note_pulls(runtime: Runtime, connection: session.Connection) -> None:
    """Record the runs that have only asked, on whichever machine, since somebody last did."""
    for run_id, ended_at in runtime.ledger.untold():
        whole = whole_run(runtime.ledger, run_id, now=ended_at)
        connection.execute(f"delete from ops.run where run_id = {quote(run_id)}")
        _insert_run(connection, whole, run_id=run_id, trigger=PULLED, finished_at=ended_at)
        note_step(runtime.ledger, run_id, LAST_STEP, StepResult(begun_at=ended_at), now=ended_at)


def _insert_run(
    connection: session.Connection, whole: StepResult, *, run_id: str, trigger: str, finished_at: datetime
) -> None:
    row = {
        "run_id": run_id,
        "started_at": whole.begun_at.isoformat(),
        "finished_at": finished_at.isoformat(),
        "trigger": trigger,
        "order_count": whole.intake.orders,
        "call_count": sum(report.calls for report in whole.reports),
        "changed_count": whole.settled.changed,
        "reject_count": whole.settled.rejects + whole.intake.rejects,
        "failed_accounts": [f"{r.vendor}/{r.account}" for r in whole.reports if r.code not in (None, *AS_PLANNED)],
    }
    session.insert(connection, "ops.run", [row])
