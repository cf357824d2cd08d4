"""The only module that opens the warehouse: DuckDB files, their lock, their making and their publishing.

One writer at a time, guarded by a lock of our own beside the file: DuckDB's own is a POSIX lock, which is lost
as soon as the same process opens and closes the file by any other path. Nothing here, or elsewhere, ever reads
or copies the live file's bytes.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from screening_pipeline import build, catalog, durable, snapshot, unnamed
from screening_pipeline.clock import Clock
from screening_pipeline.errors import EnvironmentFailed, LockHeld, NotWritable

if TYPE_CHECKING:
    import pandas as pd

    from screening_pipeline.paths import Paths

Connection = duckdb.DuckDBPyConnection
DatabaseError = duckdb.Error
NAME = build.HOME
LOCK_WAIT_SECONDS = 60.0
# The two threads of one core are counted as two: with both a rebuild costs a third more, twice the memory, and no
# less time.
THREADS = max(1, (os.cpu_count() or 1) // 2)
_MEMORY = "set memory_limit = '4GB'"
# A quarter of what DuckDB takes: most tables, and what a cycle adds to any, fill a small part of a block.
_BLOCKS = "block_size 65536"
# Who reads a snapshot needs this version or a later one. In an older format earlier ones could read a whole copy, but
# not one that this version has changed, and say so as an internal error.
_SHARED = f"storage_version 'v1.5.0', {_BLOCKS}"


def quote(text: str) -> str:
    """`text` as a SQL literal. Bound parameters would import pandas into every process, for 0.8 CPU s."""
    return build.literal(text)


@contextmanager
def lock(path: Path, *, clock: Clock, wait_seconds: float = LOCK_WAIT_SECONDS) -> Iterator[None]:
    """Hold the writer's lock at `path`. Raises LockHeld, naming the holder, when it is not free in time."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise NotWritable(str(path), error.strerror or "not writable") from None
    try:
        _acquire(handle, path, clock=clock, until=clock.monotonic() + wait_seconds)
        os.truncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, path: Path, *, clock: Clock, until: float) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock.monotonic() >= until:
                raise LockHeld(path.name, holder_pid=_holder(handle)) from None
            clock.sleep(0.2)
        else:
            return


def _holder(handle: int) -> int | None:
    text = os.pread(handle, 32, 0).decode(errors="replace").strip()
    return int(text) if text.isdigit() else None


def is_locked(path: Path) -> bool:
    """Whether somebody holds the writer's lock right now."""
    with suppress(FileNotFoundError):
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
    return False


@contextmanager
def writer(
    path: Path, *, lock_path: Path, clock: Clock, wait_seconds: float = LOCK_WAIT_SECONDS
) -> Iterator[Connection]:
    """The live warehouse for writing, made if it is missing. Raises LockHeld, NotWritable."""
    with lock(lock_path, clock=clock, wait_seconds=wait_seconds):
        if not path.exists():
            _make(path)
        with attached(path) as connection, _told():
            yield connection


def open_once(path: Path, *, lock_path: Path, clock: Clock) -> None:
    """See whether the live warehouse can be opened and read. Raises LockHeld at once, EnvironmentFailed."""
    with lock(lock_path, clock=clock, wait_seconds=0), attached(path, is_read_only=True) as connection, _told():
        connection.execute('select count(*) from raw."check"')


@contextmanager
def _told() -> Iterator[None]:
    """What DuckDB complains of, by its kind: its texts quote values, and ours are stored in event logs and shown."""
    try:
        yield
    except duckdb.Error as problem:
        failure = EnvironmentFailed(f"the warehouse failed: {type(problem).__name__}", code="warehouse_failed")
        raise failure.with_traceback(problem.__traceback__) from None


@contextmanager
def attached(path: Path, *, is_read_only: bool = False, is_new: bool = False) -> Iterator[Connection]:
    """A connection whose default database is the file at `path`, in UTC, spilling nowhere outside its folder.

    `is_new`: it is made, in the newest format, which only the pipeline itself has to be able to read.
    """
    connection = duckdb.connect()
    try:
        connection.execute(f"set timezone = 'UTC'; set preserve_insertion_order = false; {_MEMORY}")
        connection.execute("set threads = 1")  # most batches are small, and threads that wait cost more
        # To put small row groups together makes every commit dearer by half; `publish` has it done at times.
        connection.execute("set max_vacuum_tasks = 0")
        connection.execute(f"set temp_directory = {quote(str(path.parent / '.duckdb_spill'))}")
        # With the cryptography that it brings along DuckDB writes nothing encrypted, unless it is told that we know:
        # its random numbers are not made for that. Better is an extension, which would come from elsewhere.
        connection.execute("set temp_file_encryption = true; set force_mbedtls_unsafe = 'true'")
        mode = " (read_only)" if is_read_only else f" (storage_version 'latest', {_BLOCKS})" if is_new else ""
        try:
            connection.execute(f"attach {quote(str(path))} as {NAME}{mode}; use {NAME}")
        except duckdb.Error as problem:
            raise EnvironmentFailed(
                f"cannot open {path.name}: {type(problem).__name__}; `screening-pipeline doctor` looks into it",
                code="warehouse_unreadable",
            ) from None
        yield connection
    finally:
        connection.close()


@contextmanager
def in_bulk(connection: Connection) -> Iterator[None]:
    """Compute what is large: with more threads, and joined as the statements say.

    DuckDB takes a table for empty that the open transaction has filled, and would build its hash tables of the
    larger side. The statements name the side to look up in last. After an error it stays so: the transaction is lost.
    """
    connection.execute(f"set threads = {THREADS}; set disabled_optimizers = 'join_order,build_side_probe_side'")
    yield
    connection.execute("set threads = 1; set disabled_optimizers = ''")


@contextmanager
def apart(connection: Connection) -> Iterator[Connection]:
    """A session beside the open transaction, in UTC: what fails in it leaves that alone, and nothing of it is seen."""
    with connection.cursor() as beside:
        beside.execute("set timezone = 'UTC'")
        yield beside


def forget_blocks(connection: Connection) -> None:
    """Have DuckDB let go of the blocks that it has read and written, all of which it would keep up to its limit."""
    with suppress(duckdb.OutOfMemoryException):  # more is in use
        connection.execute("set memory_limit = '64MB'")
    connection.execute(_MEMORY)


@contextmanager
def reader(path: Path) -> Iterator[Connection]:
    """A published snapshot, read-only. It is replaced, never changed, so an open handle disturbs nobody."""
    with _undisturbed(path) as snapshot, attached(snapshot, is_read_only=True) as connection:
        yield connection


@contextmanager
def deriving(paths: Paths) -> Iterator[Connection]:
    """The published snapshot, for whoever makes files of it: an erasure waits for them, and makes the files anew."""
    with (
        durable.telling("the data folder", folder=paths.data_dir),
        durable.locked(paths.derived_lock),
        reader(paths.published) as connection,
    ):
        yield connection


@contextmanager
def _undisturbed(path: Path) -> Iterator[Path]:
    """The snapshot, or a copy of it where its owner has opened it for writing: their lock and log are not ours."""
    if not _is_opened_for_writing(path):
        yield path
        return
    with unnamed.on_disk() as copy:
        shutil.copyfile(path, copy)
        yield copy


def _is_opened_for_writing(path: Path) -> bool:
    """Whether somebody holds DuckDB's own lock on a snapshot, or left a log that would be replayed onto it."""
    if not path.exists() or _log_of(path).exists():
        return path.exists()
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.lockf(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _make(path: Path) -> None:
    """Create under a temporary name and rename: a process killed in between leaves no file that cannot be opened."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    _discard(new)
    with attached(new, is_new=True) as connection:
        build.create(connection)
        connection.execute("checkpoint")
    new.chmod(0o600)
    _sync(new)
    new.replace(path)
    _sync(path.parent)


@contextmanager
def renewed(path: Path, *, lock_path: Path, clock: Clock) -> Iterator[Connection]:
    """A new warehouse, empty, that takes the live one's place when the block ends well; `old` is the live one.

    Deleted rows stay in a file as bytes; what is not copied into a new file is gone. Raises LockHeld, NotWritable.
    """
    with lock(lock_path, clock=clock):
        new = path.with_name(f".{path.name}.renewed")
        _discard(new)
        with attached(path) as connection:
            connection.execute("checkpoint")  # a log that stayed would be replayed onto the new file
        with attached(new, is_new=True) as connection:
            build.create(connection)
            connection.execute(f"attach {quote(str(path))} as old (read_only)")
            with _told():
                yield connection
            connection.execute("detach old")
            connection.execute("checkpoint")
        if _log_of(path).exists():
            raise NotWritable(path.name, "its write-ahead log is still there")
        new.chmod(0o600)
        _sync(new)
        new.replace(path)
        _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def insert(connection: Connection, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append `rows` to `table`, by column name; values are JSON values, cast to the columns' types."""
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if not lines:
        return
    types = {name: kind for name, kind, *_ in connection.execute(f"describe {table}").fetchall()}
    columns = ", ".join(f'"{name}": {quote(kind)}' for name, kind in types.items())
    with unnamed.in_memory(lines.encode()) as path:
        connection.execute(
            f"insert into {table} by name from read_json({quote(path)}, "
            f"format = 'newline_delimited', columns = {{{columns}}})"
        )


def replace(connection: Connection, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Make `rows` all that `table` holds."""
    connection.execute(f"delete from {table}")
    insert(connection, table, rows)


def publish(connection: Connection, target: Path) -> int:
    """Make the file at `target` a snapshot of what analysts see; its size in bytes.

    It is written beside and renamed, so a reader has the old one or the new one whole. A write-ahead log that
    somebody left beside it, by opening the old one for writing, would be replayed onto the new one: it goes.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".{target.name}.new")
    _discard(new)
    if snapshot.is_packed_next(connection):
        connection.execute("reset max_vacuum_tasks")  # in both files, whenever they are written next
    is_update = is_updatable(connection, target) and _update(connection, target, new)
    if not is_update:
        _discard(new)
        _written(connection, new, snapshot.copy, f" ({_SHARED})")
    new.chmod(0o440)
    _sync(new)
    _log_of(target).unlink(missing_ok=True)
    new.replace(target)
    _sync(target.parent)
    snapshot.note(connection, _told_by(target), is_update=is_update)
    return target.stat().st_size


def _discard(file: Path) -> None:
    for leftover in (file, _log_of(file)):
        leftover.unlink(missing_ok=True)


def is_updatable(connection: Connection, target: Path) -> bool:
    """Whether the snapshot at `target` can be brought up to date, instead of copying everything."""
    return (
        target.exists() and snapshot.is_updatable(connection, _told_by(target)) and not _is_opened_for_writing(target)
    )


def _told_by(path: Path) -> str:
    """What tells a file from whatever somebody else may put in its place, or make of it."""
    return " ".join(map(str, durable.mark_of(path) or ()))


def _update(connection: Connection, target: Path, new: Path) -> bool:
    """Write the snapshot at `target` brought up to date; whether that shows everything."""
    try:
        shutil.copyfile(target, new)
    except OSError:  # a whole copy will tell what is wrong, if it is
        return False
    connection.execute("set wal_autocheckpoint = '0 bytes'")  # no log of what is checkpointed at once
    try:
        return _written(connection, new, snapshot.update)
    finally:
        connection.execute("reset wal_autocheckpoint")


def _written(connection: Connection, new: Path, write: Callable[[Connection, str], bool], made_with: str = "") -> bool:
    """Write to the database at `new`, made if it is missing; what `write` returned."""
    connection.execute(f"attach {quote(str(new))} as published{made_with}")
    try:
        is_whole = write(connection, "published")
        connection.execute("checkpoint published")
    except BaseException:
        with suppress(duckdb.Error):
            connection.execute("rollback")  # else whoever holds the connection could do nothing more with it
        connection.execute(f"use {NAME}")
        raise
    finally:
        connection.execute("detach published")
    return is_whole


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def rows(connection: Connection, query: str) -> list[dict[str, Any]]:
    """What a query finds, as one dictionary per row."""
    result = connection.execute(query)
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def export_parquet(connection: Connection, folder: Path, *, is_last_kept: bool = True) -> int:
    """Write every table and view of a snapshot as `<folder>/<schema>/<name>.parquet`; how many files.

    `folder` is a link that is moved to the new files when all are complete; the set before it is kept, for those
    who are reading it, and goes with the next one, or at once where it must not stay.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    before = folder.resolve().name if folder.is_symlink() and is_last_kept else None
    new = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    new.chmod(0o755)
    files = list(_parquet_files(connection, new))
    link = folder.with_name(f".{folder.name}.new")
    link.unlink(missing_ok=True)
    link.symlink_to(new.name)
    link.replace(folder)
    for stale in folder.parent.glob(f"{folder.name}-*"):
        if stale.name not in (new.name, before):
            shutil.rmtree(stale)
    return len(files)


def _parquet_files(connection: Connection, folder: Path) -> Iterator[Path]:
    for relation in catalog.relations().values():
        if relation.schema in catalog.PUBLISHED and relation.refresh != "macro":
            file = folder / relation.schema / f"{relation.name}.parquet"
            file.parent.mkdir(mode=0o755, exist_ok=True)
            connection.execute(f"copy (from {relation.qualified}) to {quote(str(file))} (format parquet)")
            file.chmod(0o444)
            yield file


def frame(connection: Connection, query: str) -> pd.DataFrame:
    """What a query finds, as a pandas DataFrame: instants in UTC, numbers that may be missing as such."""
    return connection.execute(query).df()
