"""Ingestion of landed lines into the star: one transaction per batch, so that each response counts exactly once."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING

from screening_pipeline.base.progress import Progress, no_progress
from screening_pipeline.landing.interface import Tail
from screening_pipeline.warehouse import catalog, erasure_register, reference, schema, session, snapshot, suppression
from screening_pipeline.warehouse.batch import (
    empty_batch,
    note_unpublished,
    refresh,
    set_key,
    touch_batch,
    touched_count,
)
from screening_pipeline.warehouse.loading import (
    batches_of,
    ensure_new_order,
    load_batch,
    look,
    note,
    read_batch,
    read_notes,
    scan,
    seal,
    sized_for,
    write_note,
)
from screening_pipeline.warehouse.rebuild import REBUILT, STEP_CHECKS, begin_rebuild, finish_rebuild
from screening_pipeline.warehouse.reference_tables import fill_reference
from screening_pipeline.warehouse.session import transaction

if TYPE_CHECKING:
    from screening_pipeline.landing.area import Landing
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.warehouse.session import Connection


# More than so many checks are not recomputed at once.
MOST_TOUCHED = 4 * STEP_CHECKS
# The setting that tells until when there was quiet; a rebuild goes by it too, and so comes to the same.
_SETTLED = "settled_at"


class Prepared(Enum):
    """The state in which `prepare` found the warehouse."""

    READY = "ready"
    NEW = "new"
    REREAD = "reread"


def prepare(
    connection: Connection,
    settings: Settings,
    landing: Landing,
    *,
    part_key: str,
    progress: Progress = no_progress,
) -> Prepared:
    """Update the reference data; where the meaning of words has changed, rebuild from raw.

    A rebuild that was stopped is gone on with. Raises EnvironmentFailed where nothing tells who was erased.
    """
    set_key(connection, part_key)
    wanted = reference.fingerprint(settings)
    known = read_notes(connection, "fingerprint", REBUILT)
    is_new, is_changed = False, known.get("fingerprint") != wanted
    if is_changed:
        with transaction(connection):
            schema.migrate(connection)
            fill_reference(connection, settings)
            snapshot.forget(connection)
            session.replace(connection, "staging.setting", [{"name": "fingerprint", "value": wanted}])
            # One of an earlier version has tables of another shape, even where nothing is in them.
            is_new = "fingerprint" not in known and not any(
                connection.execute(f"from {table} limit 1").fetchall() for table in ("raw.check", "staging.landed_file")
            )
            if not is_new:  # else the batch that follows reads all there is
                begin_rebuild(connection)
    erasure_register.reconcile(connection, settings.paths, landing, part_key=part_key)
    if is_new or not (is_changed or REBUILT in known):
        schema.show_landed(connection, landing.store.shown())
        return Prepared.NEW if is_new else Prepared.READY
    finish_rebuild(connection, landing, part_key=part_key, progress=progress)
    return Prepared.REREAD


def ingest(connection: Connection, landing: Landing, *, part_key: str) -> None:
    """Load everything landed since the last time, and recompute the checks it touches and those of `new_order`.

    Each batch is one transaction, together with the note of how far it read.
    """
    with transaction(connection):
        advance(connection, landing, part_key=part_key)
    schema.drop_work(connection)


def advance(connection: Connection, landing: Landing, *, part_key: str, now: datetime | None = None) -> set[str]:
    """The same inside a transaction that is already open; the batch's temporary tables stay to be asked.

    `now`: until when there was quiet where nothing came; else that stays as it was. Returns the tables of which rows
    were written or removed. Where so much is touched that only `prepare` can recompute it, that has to come next.
    """
    ensure_new_order(connection)
    _scrub_replaced(connection, landing, part_key=part_key)
    _be_quiet_until(connection, now)
    found = look(connection, landing)
    seal(connection, found)
    with sized_for(connection, found.tails):
        empty_batch(connection)
        is_inferred = False
        for batch in batches_of(found.tails):
            read_batch(connection, landing, batch, part_key=part_key)
            is_inferred |= load_batch(connection, landing, batch)
        touch_batch(connection)
        if is_inferred:
            snapshot.forget(connection)
        if is_inferred and touched_count(connection) > MOST_TOUCHED:
            begin_rebuild(connection)
            return set(catalog.relations())
        note_unpublished(connection)
        return refresh(connection)


def _scrub_replaced(connection: Connection, landing: Landing, *, part_key: str) -> None:
    """Erase once more from files that took the place of those that were read: copies from before an erasure, say."""
    if not suppression.is_anybody(connection):
        return
    known = connection.execute(
        "select file, loaded_bytes, inode from staging.landed_file where inode is not null"
    ).fetchall()
    replaced = [
        Tail(file.partition("/")[0], file, 0, size)
        for file, size, inode in known
        if (mark := landing.mark(file)) and mark[0] != inode and mark[1] >= size
    ]
    for batch in batches_of(replaced):
        set_key(connection, part_key)
        scan(connection, landing, batch)
        suppression.erase_suppressed(connection, landing, batch)
        note(connection, landing, batch)


def _be_quiet_until(connection: Connection, now: datetime | None) -> None:
    """Note until when there was quiet; a clock that goes back undoes nothing."""
    known = read_notes(connection, _SETTLED).get(_SETTLED)
    if now is not None and (known is None or datetime.fromisoformat(known) < now):
        write_note(connection, _SETTLED, now.isoformat())


def is_rebuilding(connection: Connection) -> bool:
    """Whether everything derived was dropped, and `prepare` has to compute it again."""
    return bool(read_notes(connection, REBUILT))


def settles_at(connection: Connection) -> datetime | None:
    """When the next message becomes the state of its check, unless more comes; None where none waits."""
    found = connection.execute("select epoch(min(settles_at)) from staging.unsettled").fetchone()
    return datetime.fromtimestamp(found[0], UTC) if found and found[0] is not None else None
