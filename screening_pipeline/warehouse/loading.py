"""Loading of landed lines into a batch, with the offsets (watermarks) of what was read of each file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING

from screening_pipeline.base import memory_files
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.base.sql_text import quote
from screening_pipeline.landing import day_seals
from screening_pipeline.landing.damage import REASONS
from screening_pipeline.landing.names import account_of, day_of
from screening_pipeline.warehouse import batch as warehouse_batch
from screening_pipeline.warehouse import catalog, schema, session, suppression
from screening_pipeline.warehouse.batch import load, set_key

if TYPE_CHECKING:
    from screening_pipeline.landing.area import Landing
    from screening_pipeline.landing.damage import Damage
    from screening_pipeline.landing.day_seals import Seals
    from screening_pipeline.landing.interface import Look, Tail
    from screening_pipeline.warehouse.session import Connection


# Lines of today and of encrypted days are read in memory: this much at a time.
BATCH_BYTES = 256 * 1024 * 1024
BATCH_FILES = 200
# From here on a batch is computed in bulk.
SEALS = "landed_seals"
LARGE_BYTES = 8 * 1024 * 1024


def read_notes(connection: Connection, *names: str) -> dict[str, str]:
    """The values stored in `staging.setting` under these names; missing names are left out."""
    wanted = ", ".join(map(quote, names))
    return dict(connection.execute(f"select name, value from staging.setting where name in ({wanted})").fetchall())


def write_note(connection: Connection, name: str, value: str) -> None:
    """Store a value in `staging.setting`."""
    remove_note(connection, name)
    session.insert(connection, "staging.setting", [{"name": name, "value": value}])


def remove_note(connection: Connection, name: str) -> None:
    """Delete a value from `staging.setting`."""
    connection.execute(f"delete from staging.setting where name = {quote(name)}")


def loaded_offsets(connection: Connection, folder: str) -> dict[str, int]:
    """The watermark of each landed file: bytes loaded so far."""
    beginning = quote(f"{folder}/")
    found = connection.execute(
        f"select file, loaded_bytes from staging.landed_file where starts_with(file, {beginning})"
    )
    return dict(found.fetchall())


def sized_for(connection: Connection, tails: Sequence[Tail]) -> AbstractContextManager[None]:
    """Context manager: `session.in_bulk` where these tails are large, else nothing."""
    is_large = sum(tail.end - tail.start for tail in tails) > LARGE_BYTES
    return session.in_bulk(connection) if is_large else nullcontext()


def read_batch(
    connection: Connection, landing: Landing, batch: Sequence[Tail], *, part_key: str, is_compared: bool = False
) -> None:
    """Scan these tails into the batch's temporary tables, without what the suppression list excludes.

    Lines that are damaged are left out, and listed in `ops.reject`; with `is_compared` also those whose body is not the
    one whose digest stands in them.
    """
    set_key(connection, part_key)
    is_doubtful = is_compared and any(map(landing.is_doubtful, batch))
    scan(connection, landing, batch, is_sifted=is_doubtful)
    if suppression.erase_suppressed(connection, landing, batch):
        scan(connection, landing, batch)
    warehouse_batch.read(connection)


def load_batch(connection: Connection, landing: Landing, batch: Sequence[Tail]) -> bool:
    """Load what was scanned, and note how far each file was read; whether it changes what is expected of accounts."""
    is_inferred = load(connection)
    note(connection, landing, batch)
    return is_inferred


def scan(connection: Connection, landing: Landing, batch: Sequence[Tail], *, is_sifted: bool = False) -> None:
    """Read these tails into the temporary tables of the batch, without the lines that are damaged.

    Those are listed in `ops.reject`. With `is_sifted` every line is compared with its digest first.
    """
    if not is_sifted:
        try:
            with _sources(landing, batch) as sources:
                schema.scan(connection, sources)
        except (EnvironmentFailed, ValueError) as problem:
            if isinstance(problem, EnvironmentFailed) and problem.code != "wrong_key":
                raise
            is_sifted = True
    if is_sifted or _is_any_damaged(connection, batch):
        _scan_what_is_good(connection, landing, batch)


def _is_any_damaged(connection: Connection, batch: Sequence[Tail]) -> bool:
    """Whether a row lacks what every line says of its answer, or says that it is of another account."""
    accounts = {account_of(tail.file) for tail in batch}
    named = ", ".join(f"({quote(vendor)}, {quote(account)})" for vendor, account in sorted(accounts))
    found = catalog.statement("find_damaged_rows", accounts=named)
    return bool(batch) and bool(connection.execute(found).fetchall())


def _scan_what_is_good(connection: Connection, landing: Landing, batch: Sequence[Tail]) -> None:
    sources, damages = defaultdict(list), []
    with ExitStack() as stack:
        for tail in batch:
            good, damaged = landing.sift(tail)
            sources[tail.vendor].append(stack.enter_context(memory_files.in_memory(good)))
            damages += damaged
        schema.scan(connection, sources)
    _list_damages(connection, damages)


def _list_damages(connection: Connection, damages: Sequence[Damage]) -> None:
    rows = [
        {
            "reject_id": f"{one.file}@{one.byte}",
            "source": "landing",
            "vendor": account_of(one.file)[0],
            "account": account_of(one.file)[1],
            "file": one.file,
            "reason": one.reason,
            "detail": f"the line at byte {one.byte} is left out: {REASONS[one.reason]}",
            "rejected_at": day_of(one.file),
        }
        for one in damages
    ]
    ids = ", ".join(quote(row["reject_id"]) for row in rows) or "null"
    connection.execute(f"delete from ops.reject where reject_id in ({ids})")
    session.insert(connection, "ops.reject", rows)


def batches_of(tails: Sequence[Tail]) -> Iterator[list[Tail]]:
    """Tails grouped into batches that fit into memory."""
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


def note(connection: Connection, landing: Landing, batch: Sequence[Tail]) -> None:
    """Note how far each of these files was read, and which file it was."""
    files = ", ".join(quote(tail.file) for tail in batch)
    connection.execute(f"delete from staging.landed_file where file in ({files})")
    marks = {tail.file: landing.mark(tail.file) for tail in batch}
    inodes = {file: mark[0] or None if mark else None for file, mark in marks.items()}
    rows = ({"file": t.file, "loaded_bytes": t.end, "inode": inodes[t.file]} for t in batch)
    session.insert(connection, "staging.landed_file", rows)


def ensure_new_order(connection: Connection) -> None:
    """Create the temporary table `new_order` if it is missing, empty."""
    connection.execute("create temp table if not exists new_order as from raw.order limit 0")


def seals(connection: Connection) -> Seals:
    """The day seals of the landing area as the warehouse has read it, by folder."""
    return day_seals.loads(read_notes(connection, SEALS).get(SEALS))


def look(connection: Connection, landing: Landing) -> Look:
    """The tails of the landing area that the warehouse has not read."""
    return landing.look(seals(connection), lambda folder: loaded_offsets(connection, folder))


def seal(connection: Connection, found: Look) -> None:
    """Store the seals of this look: in the transaction that loads its tails, or after it."""
    if found.seals != seals(connection):
        write_note(connection, SEALS, day_seals.dumps(found.seals))
