"""From what was landed to the star: one transaction per batch, so that every response is effective exactly once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from enum import Enum
from typing import TYPE_CHECKING

from screening_pipeline import build, forgotten, reference, snapshot, warehouse
from screening_pipeline.progress import Progress, no_progress

if TYPE_CHECKING:
    from screening_pipeline.landing import Landing, Tail
    from screening_pipeline.settings import Settings
    from screening_pipeline.warehouse import Connection

# Lines of today and of encrypted days are read in memory: this much at a time.
BATCH_BYTES = 256 * 1024 * 1024
BATCH_FILES = 200
# From here on a batch is computed in bulk.
LARGE_BYTES = 8 * 1024 * 1024
# What a rebuild recomputes in one transaction: until the commit all of it stays in memory. DuckDB packs 122,880 rows
# together, and what fills only a part of that is written anew with the next.
STEP_CHECKS = 30_720
STEP_CALLS = 245_760
# The setting that tells how far a rebuild has come: all checks up to this number are done.
_REBUILT = "rebuilt_check_key"


class Prepared(Enum):
    """What `prepare` found the warehouse to be."""

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
    """Bring reference data up to date; where what words mean has changed, read all history anew.

    A rebuild that was stopped is gone on with.
    """
    build.set_key(connection, part_key)
    wanted = reference.fingerprint(settings)
    known = _settings(connection, "fingerprint", _REBUILT)
    is_new = False
    if known.get("fingerprint") != wanted:
        with transaction(connection):
            build.migrate(connection)
            _fill_reference(connection, settings)
            snapshot.forget(connection)
            warehouse.replace(connection, "staging.setting", [{"name": "fingerprint", "value": wanted}])
            # One of an earlier version has tables of another shape, even where nothing is in them.
            is_new = "fingerprint" not in known and not any(
                connection.execute(f"from {table} limit 1").fetchall() for table in ("raw.check", "staging.landed_file")
            )
            if not is_new:  # else the batch that follows reads all there is
                begin_rebuild(connection)
    elif _REBUILT not in known:
        build.show_landed(connection, landing.root)
        return Prepared.READY
    if is_new:
        build.show_landed(connection, landing.root)
        return Prepared.NEW
    _finish_rebuild(connection, landing, part_key=part_key, progress=progress)
    return Prepared.REREAD


def _settings(connection: Connection, *names: str) -> dict[str, str]:
    wanted = ", ".join(map(warehouse.quote, names))
    return dict(connection.execute(f"select name, value from staging.setting where name in ({wanted})").fetchall())


def _set(connection: Connection, name: str, value: str) -> None:
    _unset(connection, name)
    warehouse.insert(connection, "staging.setting", [{"name": name, "value": value}])


def _unset(connection: Connection, name: str) -> None:
    connection.execute(f"delete from staging.setting where name = {warehouse.quote(name)}")


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
        build.empty_batch(connection)
        for batch in _batches(tails):
            _read(connection, landing, batch, part_key=part_key)
            _load(connection, batch)
        build.touch_batch(connection)
        build.note_unpublished(connection)
        return build.refresh(connection)


def rebuild(connection: Connection, landing: Landing, *, part_key: str, progress: Progress = no_progress) -> None:
    """Drop everything derived and compute it again from raw: orders, the registry and the landed lines.

    In transactions of bounded size, whatever there is. Where it is stopped in between, `prepare` goes on with it.
    """
    with transaction(connection):
        begin_rebuild(connection)
    _finish_rebuild(connection, landing, part_key=part_key, progress=progress)


def is_mostly_unread(connection: Connection, landed: Mapping[str, int]) -> bool:
    """Whether more waits than is read at once, and most of all there is: then a rebuild costs less, and less memory.

    `landed`: how far each landed file goes.
    """
    there_is = sum(landed.values())
    waiting = there_is - sum(_offsets(connection).values())
    return waiting > BATCH_BYTES and 2 * waiting > there_is


def begin_rebuild(connection: Connection) -> None:
    """Inside a transaction: drop everything derived, and note that `prepare` is to compute it again."""
    build.drop_derived(connection)
    build.create_derived(connection)
    connection.execute("delete from staging.landed_file")
    connection.execute("delete from ops.reject where source <> 'manifest'")
    snapshot.forget(connection)
    _set(connection, _REBUILT, "0")


def _finish_rebuild(connection: Connection, landing: Landing, *, part_key: str, progress: Progress) -> None:
    done = int(_settings(connection, _REBUILT)[_REBUILT])
    with warehouse.in_bulk(connection):
        if not done:  # what is landed after the first checks were recomputed is the next batch's
            _load_anew(connection, landing, part_key=part_key, progress=progress)
        _recompute_after(connection, done, progress)
        _recount_anew(connection, progress)
    build.show_landed(connection, landing.root, is_forced=True)
    connection.execute("checkpoint")
    _unset(connection, _REBUILT)


def _load_anew(connection: Connection, landing: Landing, *, part_key: str, progress: Progress) -> None:
    batches = list(_batches(landing.tails(_offsets(connection))))
    for number, batch in enumerate(batches):
        progress("reading what was landed", number, len(batches))
        _read(connection, landing, batch, part_key=part_key)  # what this drops is only freed outside a transaction
        with _step(connection):
            build.empty_batch(connection)
            _load(connection, batch)


def _recompute_after(connection: Connection, done: int, progress: Progress) -> None:
    last = build.last_check(connection)
    for after in range(done, max(last, 1), STEP_CHECKS):  # once also where there are packages and no checks
        progress("recomputing checks", after, last)
        with _step(connection):
            build.touch_numbered(connection, after, after + STEP_CHECKS)
            build.recompute(connection, is_packaged=not after)
            _set(connection, _REBUILT, str(after + STEP_CHECKS))


def _recount_anew(connection: Connection, progress: Progress) -> None:
    build.empty_calls(connection)
    stretches = build.stretches(connection, STEP_CALLS)
    for number, (since, until) in enumerate(stretches):
        progress("judging calls", number, len(stretches))
        with _step(connection):
            build.recount_between(connection, since, until)


@contextmanager
def _step(connection: Connection) -> Iterator[None]:
    with transaction(connection):
        yield
    build.drop_work(connection)
    warehouse.forget_blocks(connection)


def _offsets(connection: Connection) -> dict[str, int]:
    return dict(connection.execute("select file, loaded_bytes from staging.landed_file").fetchall())


def _sized(connection: Connection, tails: Sequence[Tail]) -> AbstractContextManager[None]:
    is_large = sum(tail.end - tail.start for tail in tails) > LARGE_BYTES
    return warehouse.in_bulk(connection) if is_large else nullcontext()


def _read(connection: Connection, landing: Landing, batch: Sequence[Tail], *, part_key: str) -> None:
    build.set_key(connection, part_key)
    _scan(connection, landing, batch)
    if forgotten.scrub(connection, landing, batch):
        _scan(connection, landing, batch)
    build.read(connection)


def _load(connection: Connection, batch: Sequence[Tail]) -> None:
    build.load(connection)
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
