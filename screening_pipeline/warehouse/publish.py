"""Publication of the snapshot for analysts and its Parquet export, put in place by a rename."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import duckdb

from screening_pipeline.base.files import mark_of, put_in_place, share
from screening_pipeline.base.sql_text import quote
from screening_pipeline.warehouse import computed, snapshot
from screening_pipeline.warehouse.session import NAME, SHARED

if TYPE_CHECKING:
    from screening_pipeline.warehouse.session import Connection

T = TypeVar("T")


def is_opened_for_writing(path: Path) -> bool:
    """Whether another process has opened a snapshot for writing, or left a write-ahead log beside it."""
    if not path.exists() or log_of(path).exists():
        return path.exists()
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.lockf(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def publish(connection: Connection, target: Path) -> int:
    """Publish the warehouse as the snapshot file `target`, atomically; its size in bytes.

    It is written beside and renamed, so a reader has the old one or the new one whole. A write-ahead log left beside
    the old one, by opening it for writing, is removed: DuckDB would replay it onto the new one.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".{target.name}.new")
    discard(new)
    if snapshot.is_packed_next(connection):
        connection.execute("reset max_vacuum_tasks")  # in both files, whenever they are written next
    empty = _update(connection, target, new) if is_updatable(connection, target) else None
    is_update = empty is not None
    if empty is None:
        discard(new)
        empty = _written(connection, new, snapshot.copy, f" ({SHARED})")
    share(new)
    log_of(target).unlink(missing_ok=True)
    put_in_place(new, target)
    snapshot.note(connection, _told_by(target), is_update=is_update, empty=empty)
    return target.stat().st_size


def discard(file: Path) -> None:
    """Delete a database file and its write-ahead log, if they exist."""
    for leftover in (file, log_of(file)):
        leftover.unlink(missing_ok=True)


def is_updatable(connection: Connection, target: Path) -> bool:
    """Whether the snapshot at `target` can be updated incrementally instead of copied as a whole."""
    return target.exists() and snapshot.is_updatable(connection, _told_by(target)) and not is_opened_for_writing(target)


def _told_by(path: Path) -> str:
    """The identity of a snapshot file, by which one that was replaced or changed is noticed."""
    return " ".join(map(str, mark_of(path) or ()))


def _update(connection: Connection, target: Path, new: Path) -> list[str] | None:
    """Write the snapshot at `target` brought up to date; as `snapshot.update`, None where a whole copy is wanted."""
    try:
        shutil.copyfile(target, new)
    except OSError:  # a whole copy will tell what is wrong, if it is
        return None
    connection.execute("set wal_autocheckpoint = '0 bytes'")  # no log of what is checkpointed at once
    try:
        return _written(connection, new, snapshot.update)
    except (duckdb.IOException, duckdb.SerializationException):  # the last one rots, or the disk is full: then as above
        return None
    finally:
        connection.execute("reset wal_autocheckpoint")


def _written(connection: Connection, new: Path, write: Callable[[Connection, str], T], made_with: str = "") -> T:
    """Write to the database at `new`, made if it is missing; what `write` returned."""
    connection.execute(f"attach {quote(str(new))} as published{made_with}")
    try:
        found = write(connection, "published")
        connection.execute("checkpoint published")
    except BaseException:
        with suppress(duckdb.Error):
            connection.execute("rollback")  # else whoever holds the connection could do nothing more with it
        connection.execute(f"use {NAME}")
        raise
    finally:
        connection.execute("detach published")
    return found


def log_of(path: Path) -> Path:
    """The path of a DuckDB database's write-ahead log."""
    return path.with_name(path.name + ".wal")


def export_parquet(
    connection: Connection, folder: Path, *, is_last_kept: bool = True, kept_seconds: float = 0.0
) -> int:
    """Export every table and view of a snapshot as `<folder>/<schema>/<name>.parquet`; the number of files.

    `folder` is a symbolic link, moved to the new files when all are complete. The set before it stays until the next
    export, for its readers, and others for so many seconds, or all go at once if not `is_last_kept`.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    before = folder.resolve().name if folder.is_symlink() and is_last_kept else None
    new = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    share(new)
    files = list(_parquet_files(connection, new))
    link = folder.with_name(f".{folder.name}.new")
    link.unlink(missing_ok=True)
    link.symlink_to(new.name)
    if folder.is_dir() and not folder.is_symlink():  # who copies a data folder may have followed the link
        folder.rename(folder.with_name(f"{new.name}-copied"))
    link.replace(folder)
    made_at = new.stat().st_mtime
    for stale in folder.parent.glob(f"{folder.name}-*"):
        is_kept = is_last_kept and made_at - stale.stat().st_mtime < kept_seconds
        if stale.name not in (new.name, before) and not is_kept:
            shutil.rmtree(stale)
    return len(files)


def _parquet_files(connection: Connection, folder: Path) -> Iterator[Path]:
    """Write the file of each table and view; a view reads the files of those before it."""
    with computed.standing_before(connection) as relations:
        for relation in relations:
            file = folder / relation.schema / f"{relation.name}.parquet"
            if not file.parent.exists():
                file.parent.mkdir()
                share(file.parent)
            connection.execute(f"copy (from {relation.qualified}) to {quote(str(file))} (format parquet)")
            share(file)
            if relation.refresh == "view":
                computed.replace_by_file(connection, relation, file)
            yield file
