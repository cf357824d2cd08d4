"""One cycle, in the steps that the Dagster assets are made of: orders in, calls out, answers into the star, publish.

Each step is safe to repeat and to interrupt: what was received is on disk before it is read, and what was read
is noted in the same transaction as its rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from screening_pipeline.base.errors import LockHeld, PlaceOutOfReach
from screening_pipeline.cycle import turns
from screening_pipeline.cycle.notes import note_accounts, note_gaps
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.orders.intake import IntakeCounts
from screening_pipeline.runtime import parquet_files, publication, unread
from screening_pipeline.runtime.plans import plan_what_is_old, prepare
from screening_pipeline.runtime.results import BatchCounts
from screening_pipeline.warehouse import catalog, ingest, schema, session

if TYPE_CHECKING:
    from screening_pipeline.runtime.context import Runtime


@dataclass(frozen=True, kw_only=True)
class Taken:
    """The result of the first step of a run: counts of the intake and of its batch."""

    intake: IntakeCounts = field(default_factory=IntakeCounts)
    settled: BatchCounts = field(default_factory=BatchCounts)


def advanced(connection: session.Connection, runtime: Runtime) -> BatchCounts:
    """Inside a transaction: bring what was landed since into the star; what that did to it."""
    written = ingest.advance(connection, runtime.landing, part_key=runtime.part_key, now=runtime.clock.now())
    return counted(connection) + BatchCounts(written=frozenset(written))


def written_by(prepared: ingest.Prepared) -> frozenset[str]:
    """The tables written while preparing a warehouse: all if it was rebuilt, else none."""
    return frozenset() if prepared is ingest.Prepared.READY else frozenset(catalog.relations())


def settle(runtime: Runtime, connection: session.Connection) -> BatchCounts:
    """Ingest everything that was landed into the star, and make new plans; counts of what changed."""
    written = written_by(prepare(connection, runtime))
    with session.transaction(connection):
        settled = advanced(connection, runtime)
        note_accounts(connection, runtime)
        gaps = note_gaps(connection, runtime)
    for feed, gap in gaps:
        feed.acknowledge(gap)
    schema.drop_work(connection)
    if ingest.is_rebuilding(connection):  # more was touched than is recomputed at once
        written |= written_by(prepare(connection, runtime))
    unread.note_settling(runtime.pull_queue, ingest.settles_at(connection))
    plan_what_is_old(connection, runtime)
    return settled + BatchCounts(written=written)


def settle_and_publish(runtime: Runtime) -> BatchCounts:
    """Settle what was landed, and publish, while calls go on. Nothing where another process keeps the warehouse.

    Whatever it leaves is settled the next time; so is everything where a bucket is out of reach: it waits, and is told
    by the step that settles at the end.
    """
    try:
        with open_warehouse(runtime) as connection, turns.settling(runtime.pull_queue, runtime.clock):
            settled = settle(runtime, connection)
            publication.publish(runtime, connection)
    except (LockHeld, PlaceOutOfReach):
        return BatchCounts()
    parquet_files.renew(runtime)
    return settled


def counted(connection: session.Connection) -> BatchCounts:
    """Counts of the open batch, from its temporary tables."""
    row = connection.execute(catalog.statement("count_batch")).fetchone()
    responses, changed, rejects = row or (0, 0, 0)
    return BatchCounts(responses=responses, changed=changed, rejects=rejects)
