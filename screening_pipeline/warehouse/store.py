"""The only module that opens the warehouse file: lock, creation, replacement, and readers of the snapshot.

One writer at a time, guarded by a lock of our own beside the file: DuckDB's own is a POSIX lock, which is lost
as soon as the same process opens and closes the file by any other path. Nothing here, or elsewhere, ever reads
or copies the live file's bytes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from screening_pipeline.base import memory_files
from screening_pipeline.base.clock import Clock
from screening_pipeline.base.errors import NotWritable
from screening_pipeline.base.files import put_in_place
from screening_pipeline.base.locks import WAIT_SECONDS, lock
from screening_pipeline.base.sql_text import quote
from screening_pipeline.warehouse import catalog, schema, snapshot
from screening_pipeline.warehouse.failures import failures_told
from screening_pipeline.warehouse.publish import discard, is_opened_for_writing, log_of
from screening_pipeline.warehouse.session import NAME, attached

if TYPE_CHECKING:
    from screening_pipeline.warehouse.session import Connection


@contextmanager
def writer(path: Path, *, lock_path: Path, clock: Clock, wait_seconds: float = WAIT_SECONDS) -> Iterator[Connection]:
    """Context manager: the live warehouse for writing, created if missing. Raises LockHeld, NotWritable."""
    with lock(lock_path, clock=clock, wait_seconds=wait_seconds):
        if not path.exists():
            _make(path)
        with attached(path) as connection, failures_told(path.parent):
            yield connection


def open_once(path: Path, *, lock_path: Path, clock: Clock) -> None:
    """Try to open and read the live warehouse. Raises LockHeld at once, EnvironmentFailed."""
    with examined(path, lock_path=lock_path, clock=clock, wait_seconds=0) as connection:
        connection.execute('select count(*) from raw."check"')


@contextmanager
def examined(path: Path, *, lock_path: Path, clock: Clock, wait_seconds: float) -> Iterator[Connection]:
    """Context manager: the live warehouse, read-only, while nobody writes. Raises LockHeld, EnvironmentFailed."""
    with (
        lock(lock_path, clock=clock, wait_seconds=wait_seconds),
        attached(path, is_read_only=True) as connection,
        failures_told(path.parent),
    ):
        yield connection


@contextmanager
def reader(path: Path) -> Iterator[Connection]:
    """Context manager: a published snapshot, read-only.

    It is replaced, never changed, so an open handle blocks no writer. Raises UsageError `published_before` where the
    block asks for what an earlier version has not published.
    """
    with (
        _undisturbed(path) as published,
        attached(published, is_read_only=True) as connection,
        snapshot.earlier_told(connection),
    ):
        yield connection


@contextmanager
def _undisturbed(path: Path) -> Iterator[Path]:
    """The snapshot, or a copy of it where its owner has opened it for writing: their lock and log are not ours."""
    if not is_opened_for_writing(path):
        yield path
        return
    with memory_files.on_disk() as copy:
        shutil.copyfile(path, copy)
        yield copy


def _make(path: Path) -> None:
    """Create under a temporary name and rename: a process killed in between leaves no file that cannot be opened."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    _write_empty(new)
    put_in_place(new, path)


def _write_empty(file: Path) -> None:
    """Write an empty warehouse, which only its owner may read, in the place of what a killed process left there."""
    discard(file)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as written:
        written.write(_empty(catalog.text()))


@lru_cache(maxsize=1)
def _empty(_sql: str) -> bytes:
    """The file of an empty warehouse, with what that SQL makes: 0.4 MB that cost 0.3 CPU s.

    It is kept in the memory of this process alone, and nothing was ever in it.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / NAME
        with attached(file, is_new=True) as connection:
            schema.create(connection)
            connection.execute("checkpoint")
        return file.read_bytes()


@contextmanager
def renewed(path: Path, *, lock_path: Path, clock: Clock) -> Iterator[Connection]:
    """Context manager: an empty new warehouse that replaces the live one (attached as `old`) if the block succeeds.

    Deleted rows stay in a file as bytes; what is not copied into a new file is gone. Raises LockHeld, NotWritable.
    """
    with lock(lock_path, clock=clock):
        new = path.with_name(f".{path.name}.renewed")
        _write_empty(new)
        with attached(path) as connection:
            connection.execute("checkpoint")  # a log that stayed would be replayed onto the new file
        with attached(new) as connection:
            connection.execute(f"attach {quote(str(path))} as old (read_only)")
            with failures_told(path.parent):
                yield connection
            connection.execute("detach old")
            connection.execute("checkpoint")
        if log_of(path).exists():
            raise NotWritable(path.name, "its write-ahead log is still there")
        put_in_place(new, path)
