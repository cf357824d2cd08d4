"""The first step of a cycle: loads new manifests, recovers the spool, plans new checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening_pipeline.cycle.settle import Taken, advanced, written_by
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.orders import intake
from screening_pipeline.runtime import unread
from screening_pipeline.runtime.plans import PLANNED, plan_what_is_old, prepare
from screening_pipeline.runtime.results import BatchCounts
from screening_pipeline.warehouse import ingest, rebuild, schema, session

if TYPE_CHECKING:
    from screening_pipeline.runtime.context import Runtime


def take_orders(runtime: Runtime, *, run_id: str) -> Taken:
    """Load new manifests, land what a crash left in the spool, and plan the new checks."""
    runtime.landing.recover()
    orders = unread.manifest_marks(runtime.settings.paths)
    if runtime.pull_queue.note(PLANNED) is not None and not unread.has_unread_input(
        runtime.pull_queue, runtime.settings, runtime.landing
    ):
        return Taken()
    with open_warehouse(runtime, orders=orders) as connection:
        written = written_by(prepare(connection, runtime))
        is_anew = rebuild.is_mostly_unread(connection, runtime.landing)
        with session.transaction(connection):
            taken = intake.take_in(
                connection,
                runtime.settings,
                key=runtime.key,
                now=runtime.clock.now(),
                run_id=run_id,
                progress=runtime.progress,
                landing=runtime.landing,
                clock=runtime.clock,
            )
            # Pushes, or what a crash left, are this run's too, and planned: what they ended is not asked.
            settled = BatchCounts() if is_anew else advanced(connection, runtime)
            if is_anew:
                rebuild.begin_rebuild(connection)
        schema.drop_work(connection)
        if ingest.is_rebuilding(connection):  # more was touched, or is unread, than is computed at once
            written |= written_by(prepare(connection, runtime))
        for name in unread.waiting(orders, taken.waiting):
            del orders[name]
        unread.tell_orders(runtime.pull_queue, taken.waiting, intake.dialects(connection))
        plan_what_is_old(connection, runtime)
    return Taken(intake=taken, settled=settled + BatchCounts(written=written))
