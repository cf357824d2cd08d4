"""Rebuild of everything derived from raw, in transactions of bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from screening_pipeline.base.progress import Progress, no_progress
from screening_pipeline.warehouse import batch as warehouse_batch
from screening_pipeline.warehouse import schema, session, snapshot
from screening_pipeline.warehouse.batch import (
    empty_batch,
    empty_calls,
    last_check,
    recompute,
    recount_between,
    touch_numbered,
)
from screening_pipeline.warehouse.loading import (
    BATCH_BYTES,
    SEALS,
    batches_of,
    load_batch,
    look,
    read_batch,
    read_notes,
    remove_note,
    seal,
    write_note,
)
from screening_pipeline.warehouse.reference_tables import fill_reference
from screening_pipeline.warehouse.session import transaction

if TYPE_CHECKING:
    from screening_pipeline.landing.area import Landing
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.warehouse.session import Connection


# What a rebuild recomputes in one transaction: until the commit all of it stays in memory. DuckDB packs 122,880 rows
# together, and what fills only a part of that is written anew with the next.
STEP_CHECKS = 30_720
STEP_CALLS = 245_760


# The setting that tells how far a rebuild has come: all checks up to this number are done.
REBUILT = "rebuilt_check_key"


def rebuild(
    connection: Connection,
    landing: Landing,
    *,
    part_key: str,
    settings: Settings | None = None,
    progress: Progress = no_progress,
) -> None:
    """Drop everything derived and compute it again from raw: orders, check numbers and landed lines.

    With `settings` also what the warehouse knows before any vendor has spoken: the mapping, accounts, calendars. In
    transactions of bounded size, whatever there is. Where it is stopped in between, `prepare` goes on with it.
    """
    with transaction(connection):
        if settings is not None:
            schema.migrate(connection)
            fill_reference(connection, settings)
        begin_rebuild(connection)
    finish_rebuild(connection, landing, part_key=part_key, progress=progress)


def is_mostly_unread(connection: Connection, landing: Landing) -> bool:
    """Whether most of the landing area, and more than one batch, is unread: then a rebuild is cheaper."""
    waiting = sum(tail.end - tail.start for tail in look(connection, landing).tails)
    if waiting <= BATCH_BYTES:
        return False
    read = connection.execute("select coalesce(sum(loaded_bytes), 0) from staging.landed_file").fetchone() or (0,)
    return bool(waiting > read[0])


def begin_rebuild(connection: Connection) -> None:
    """Within an open transaction: drop everything derived, and record that a rebuild is under way."""
    schema.drop_derived(connection)
    schema.create_derived(connection)
    warehouse_batch.unite_spellings(connection)
    connection.execute("delete from staging.landed_file")
    remove_note(connection, SEALS)
    connection.execute("delete from ops.reject where source <> 'manifest'")
    snapshot.forget(connection)
    write_note(connection, REBUILT, "0")


def finish_rebuild(connection: Connection, landing: Landing, *, part_key: str, progress: Progress) -> None:
    """Continue an interrupted rebuild from its recorded position."""
    done = int(read_notes(connection, REBUILT)[REBUILT])
    with session.in_bulk(connection):
        if not done:  # what is landed after the first checks were recomputed is the next batch's
            _load_anew(connection, landing, part_key=part_key, progress=progress)
        _recompute_after(connection, done, progress)
        _recount_anew(connection, progress)
    schema.show_landed(connection, landing.store.shown(), is_forced=True)
    session.traits(connection).pack(connection)
    with transaction(connection):
        remove_note(connection, REBUILT)


def _load_anew(connection: Connection, landing: Landing, *, part_key: str, progress: Progress) -> None:
    found = look(connection, landing)
    batches = list(batches_of(found.tails))
    for number, batch in enumerate(batches):
        progress("reading what was landed", number, len(batches))
        # What this drops is only freed outside a transaction.
        read_batch(connection, landing, batch, part_key=part_key, is_compared=True)
        with _step(connection):
            empty_batch(connection)
            load_batch(connection, landing, batch)
    seal(connection, found)


def _recompute_after(connection: Connection, done: int, progress: Progress) -> None:
    last = last_check(connection)
    for after in range(done, max(last, 1), STEP_CHECKS):  # once also where there are packages and no checks
        progress("recomputing checks", after, last)
        with _step(connection):
            touch_numbered(connection, after, after + STEP_CHECKS)
            recompute(connection, is_packaged=not after)
            write_note(connection, REBUILT, str(after + STEP_CHECKS))


def _recount_anew(connection: Connection, progress: Progress) -> None:
    empty_calls(connection)
    stretches = warehouse_batch.stretches(connection, STEP_CALLS)
    for number, (since, until) in enumerate(stretches):
        progress("judging calls", number, len(stretches))
        with _step(connection):
            recount_between(connection, since, until)


@contextmanager
def _step(connection: Connection) -> Iterator[None]:
    with transaction(connection):
        yield
    schema.drop_work(connection)
    session.forget_blocks(connection)
