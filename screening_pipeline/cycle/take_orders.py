"""The first step of a cycle: loads new manifests, recovers the spool, plans new checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening_pipeline.base.errors import PlaceOutOfReach
from screening_pipeline.cycle.settle import Taken, advanced, written_by
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.landing.spool import left_behind
from screening_pipeline.orders import intake
from screening_pipeline.orders.intake import IntakeCounts
from screening_pipeline.runtime import unread
from screening_pipeline.runtime.plans import PLANNED, plan_what_is_old, prepare
from screening_pipeline.runtime.results import BatchCounts
from screening_pipeline.warehouse import ingest, rebuild, schema, session

if TYPE_CHECKING:
    from screening_pipeline.runtime.context import Runtime

PLACE = "everything"
SPOOL = "the spool"
"""What waits, beside order files, where an answer that a crash left cannot be opened: a person has to see to it."""


def take_orders(runtime: Runtime, *, run_id: str) -> Taken:
    """Load new manifests, land what a crash left in the spool, and plan the new checks.

    Where a bucket is out of reach, that is said of it, and what is known is asked for: its answers wait to be put away.
    """
    left = left_behind(runtime.landing.recover)
    unopened = IntakeCounts(waiting={SPOOL: left} if left else {})
    try:
        return _taken(runtime, run_id, unopened)
    except PlaceOutOfReach as problem:
        return Taken(intake=unopened + IntakeCounts(waiting={PLACE: str(problem)}))


def _taken(runtime: Runtime, run_id: str, unopened: IntakeCounts) -> Taken:
    unread.fetch_orders(runtime.settings)
    orders = unread.manifest_marks(runtime.settings)
    if runtime.pull_queue.note(PLANNED) is not None and not unread.has_unread_input(
        runtime.pull_queue, runtime.settings, runtime.landing
    ):
        return Taken(intake=unopened)
    with open_warehouse(runtime, orders=orders) as connection:
        written = written_by(prepare(connection, runtime))
        taken, settled = _taken_in(connection, runtime, run_id)
        if ingest.is_rebuilding(connection):  # more was touched, or is unread, than is computed at once
            written |= written_by(prepare(connection, runtime))
        for name in unread.waiting(orders, taken.waiting):
            del orders[name]
        unread.tell_orders(runtime.pull_queue, taken.waiting, intake.dialects(connection))
        plan_what_is_old(connection, runtime)
    return Taken(intake=taken + unopened, settled=settled + BatchCounts(written=written))


def _taken_in(connection: session.Connection, runtime: Runtime, run_id: str) -> tuple[IntakeCounts, BatchCounts]:
    """Take orders in, step by step, each in one transaction with its batch."""
    taken, settled, is_more = IntakeCounts(), BatchCounts(), True
    is_anew = rebuild.is_mostly_unread(connection, runtime.landing)
    steps = intake.steps(
        connection,
        runtime.settings,
        key=runtime.key,
        run_id=run_id,
        progress=runtime.progress,
        clock=runtime.clock,
        landing=runtime.landing,
    )
    while is_more:
        with session.transaction(connection):
            step, is_more = next(steps)
            taken += step
            # Pushes, or what a crash left, are this run's too, and planned: what they ended is not asked.
            settled += _settled(connection, runtime, is_anew=is_anew)
        schema.drop_work(connection)
        if is_more:
            session.forget_blocks(connection)
    return taken, settled


def _settled(connection: session.Connection, runtime: Runtime, *, is_anew: bool) -> BatchCounts:
    if not (is_anew or ingest.is_rebuilding(connection)):
        return advanced(connection, runtime)
    if not ingest.is_rebuilding(connection):
        rebuild.begin_rebuild(connection)
    return BatchCounts()
