"""Orders in: new manifests, what a crash left behind, and plans for the checks that are new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening_pipeline.cycle.settle import counted
from screening_pipeline.orders import intake
from screening_pipeline.runtime import unread
from screening_pipeline.runtime.plans import PLANNED, forget_plans, plan_what_is_old, prepare, touched_accounts
from screening_pipeline.warehouse import ingest, rebuild, schema, session

if TYPE_CHECKING:
    from screening_pipeline.runtime.context import Runtime


def take_orders(runtime: Runtime, *, run_id: str) -> intake.Intake:
    """Read new manifests, land what a crash left behind, and plan the checks that are new."""
    runtime.landing.recover()
    paths, journal = runtime.settings.paths, runtime.journal
    orders = unread.orders(paths)
    if runtime.agenda.note(PLANNED) is not None and not unread.is_any(
        runtime.agenda, runtime.settings, runtime.landing
    ):
        journal.orders_read = orders
        return intake.Intake()
    with runtime.warehouse() as connection:
        prepare(connection, runtime)
        landed = unread.landed(runtime.landing)
        is_anew = rebuild.is_mostly_unread(connection, landed)
        with session.transaction(connection):
            taken = intake.take_in(
                connection,
                runtime.settings,
                key=runtime.key,
                now=runtime.clock.now(),
                run_id=run_id,
                progress=runtime.progress,
            )
            if is_anew:
                rebuild.begin_rebuild(connection)
            else:
                journal.written |= ingest.advance(connection, runtime.landing, part_key=runtime.part_key)
                # Pushes, or what a crash left, are this run's too, and planned: what they ended is not asked.
                journal.settled = counted(connection)
                forget_plans(runtime, touched_accounts(connection))
        schema.drop_work(connection)
        if is_anew:
            prepare(connection, runtime)
        journal.orders_read, journal.landed_read = orders, landed
        plan_what_is_old(connection, runtime)
    return taken
