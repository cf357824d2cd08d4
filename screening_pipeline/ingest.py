"""From what was landed to the star: one transaction per batch, so that every response is effective exactly once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from enum import Enum
from typing import TYPE_CHECKING

from screening_pipeline import build, forgotten, reference, snapshot, warehouse

if TYPE_CHECKING:
    from screening_pipeline.landing import Landing, Tail
    from screening_pipeline.settings import Settings
    from screening_pipeline.warehouse import Connection

# Lines of today and of encrypted days are read in memory: this much at a time.
BATCH_BYTES = 256 * 1024 * 1024
BATCH_FILES = 200
# From here on a batch is computed in bulk.
LARGE_BYTES = 8 * 1024 * 1024


class Prepared(Enum):
    """What `prepare` found the warehouse to be."""

    READY = "ready"
    NEW = "new"
    REREAD = "reread"


def prepare(connection: Connection, settings: Settings, landing: Landing, *, part_key: str) -> Prepared:
    """Bring reference data up to date; where what words mean has changed, read all history anew."""
    connection.execute(f"set variable part_key = {warehouse.quote(part_key)}")
    wanted = reference.fingerprint(settings)
    if _setting(connection, "fingerprint") == wanted:
        build.show_landed(connection, landing.root)
        return Prepared.READY
    with transaction(connection):
        build.migrate(connection)
        _fill_reference(connection, settings)
        snapshot.forget(connection)
        is_new = not any(
            connection.execute(f"from {table} limit 1").fetchall() for table in ("raw.check", "staging.landed_file")
        )
        warehouse.replace(connection, "staging.setting", [{"name": "fingerprint", "value": wanted}])
    if not is_new:  # else the batch that follows reads all there is
        rebuild(connection, landing, part_key=part_key)
    build.show_landed(connection, landing.root, is_forced=True)
    return Prepared.NEW if is_new else Prepared.REREAD


def _setting(connection: Connection, name: str) -> str | None:
    found = connection.execute(f"select value from staging.setting where name = {warehouse.quote(name)}").fetchone()
    return str(found[0]) if found else None


def _fill_reference(connection: Connection, settings: Settings) -> None:
    warehouse.replace(connection, "star.dim_vendor", reference.vendors())
    warehouse.replace(connection, "star.dim_vendor_status", reference.mapping())
    warehouse.replace(connection, "staging.trait", reference.traits())
    warehouse.replace(connection, "star.dim_account", reference.accounts(settings))
    build.name_zones(connection)
    warehouse.replace(connection, "staging.account", reference.readings(settings))
    warehouse.replace(connection, "staging.alias", reference.aliases(settings))
    warehouse.replace(connection, "star.dim_sla_target", reference.sla_targets(settings))
    warehouse.replace(connection, "star.dim_setting", reference.analysis_settings(settings))
    known = {row[0] for row in connection.execute("select distinct calendar from star.dim_calendar").fetchall()}
    for code in set(reference.calendars(settings)) - known:
        warehouse.insert(connection, "star.dim_calendar", reference.calendar_rows(code))


def ingest(connection: Connection, landing: Landing, *, part_key: str) -> None:
    """Load what was landed since the last time and recompute the checks it is about, and those of `new_order`.

    Each batch is one transaction, together with the note of how far it read.
    """
    with transaction(connection):
        advance(connection, landing, part_key=part_key)
    build.drop_work(connection)


def advance(connection: Connection, landing: Landing, *, part_key: str) -> set[str]:
    """The same inside a transaction that is already open; the batch's temporary tables stay to be asked.

    Returns the tables of which rows were written or removed.
    """
    _ensure_new_order(connection)
    tails = landing.tails(_offsets(connection))
    with _sized(connection, tails):
        _load(connection, landing, tails, part_key=part_key)
        build.touch_batch(connection)
        build.note_unpublished(connection)
        return build.refresh(connection)


def rebuild(connection: Connection, landing: Landing, *, part_key: str) -> None:
    """Drop everything derived and compute it again from raw: orders, the registry and the landed lines."""
    with transaction(connection):
        build.drop_derived(connection)
        build.create_derived(connection)
        connection.execute("delete from staging.landed_file")
        connection.execute("delete from ops.reject where source <> 'manifest'")
        snapshot.forget(connection)
        tails = landing.tails({})
        with _sized(connection, tails):
            _load(connection, landing, tails, part_key=part_key)
            build.touch_all(connection)
            build.refresh(connection)
    build.drop_work(connection)
    connection.execute("checkpoint")


def _offsets(connection: Connection) -> dict[str, int]:
    return dict(connection.execute("select file, loaded_bytes from staging.landed_file").fetchall())


def _sized(connection: Connection, tails: Sequence[Tail]) -> AbstractContextManager[None]:
    is_large = sum(tail.end - tail.start for tail in tails) > LARGE_BYTES
    return warehouse.in_bulk(connection) if is_large else nullcontext()


def _load(connection: Connection, landing: Landing, tails: Sequence[Tail], *, part_key: str) -> None:
    build.empty_batch(connection)
    for batch in _batches(tails):
        _scan(connection, landing, batch)
        if forgotten.scrub(connection, landing, batch):
            _scan(connection, landing, batch)
        build.load(connection, part_key=part_key)
        _note(connection, batch)


def _scan(connection: Connection, landing: Landing, batch: Sequence[Tail]) -> None:
    with _sources(landing, batch) as sources:
        build.scan(connection, sources)


def _batches(tails: Sequence[Tail]) -> Iterator[list[Tail]]:
    batch: list[Tail] = []
    size = 0
    for tail in tails:
        length = tail.end - tail.start
        if batch and (size + length > BATCH_BYTES or len(batch) >= BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(tail)
        size += length
    if batch:
        yield batch


@contextmanager
def _sources(landing: Landing, batch: Sequence[Tail]) -> Iterator[dict[str, list[str]]]:
    sources: dict[str, list[str]] = defaultdict(list)
    with ExitStack() as stack:
        for tail in batch:
            sources[tail.vendor].append(stack.enter_context(landing.scan_path(tail)))
        yield dict(sources)


def _note(connection: Connection, batch: Sequence[Tail]) -> None:
    files = ", ".join(warehouse.quote(tail.file) for tail in batch)
    connection.execute(f"delete from staging.landed_file where file in ({files})")
    warehouse.insert(
        connection, "staging.landed_file", [{"file": tail.file, "loaded_bytes": tail.end} for tail in batch]
    )


def _ensure_new_order(connection: Connection) -> None:
    connection.execute("create temp table if not exists new_order as from raw.order limit 0")


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """All or nothing."""
    connection.execute("begin")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")
