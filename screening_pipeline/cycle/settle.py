"""One cycle, in the steps that the Dagster assets are made of: orders in, calls out, answers into the star, publish.

Each step is safe to repeat and to interrupt: what was received is on disk before it is read, and what was read
is noted in the same transaction as its rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening_pipeline.cycle.notes import note_accounts, note_gaps
from screening_pipeline.runtime import unread
from screening_pipeline.runtime.plans import forget_plans, plan_what_is_old, prepare, touched_accounts
from screening_pipeline.runtime.results import Settled
from screening_pipeline.warehouse import catalog, ingest, schema, session

if TYPE_CHECKING:
    from screening_pipeline.runtime.context import Runtime


def settle(runtime: Runtime, connection: session.Connection) -> Settled:
    """Bring everything that was landed into the star, and plan what is asked next; what the run did to the star."""
    prepare(connection, runtime)
    landed = unread.landed(runtime.landing)
    with session.transaction(connection):
        runtime.journal.written |= ingest.advance(connection, runtime.landing, part_key=runtime.part_key)
        settled = (runtime.journal.settled or Settled()) + counted(connection)
        forget_plans(runtime, touched_accounts(connection))
        note_accounts(connection, runtime)
        gaps = note_gaps(connection, runtime)
    for feed, gap in gaps:
        feed.acknowledge(gap)
    schema.drop_work(connection)
    runtime.journal.landed_read = landed  # of manifests nothing: only `take_orders` reads them
    plan_what_is_old(connection, runtime)
    return settled


def counted(connection: session.Connection) -> Settled:
    """What the open batch did to the star, from its temporary tables."""
    row = connection.execute(catalog.statement("count_batch")).fetchone()
    responses, changed, rejects = row or (0, 0, 0)
    return Settled(responses=responses, changed=changed, rejects=rejects)
