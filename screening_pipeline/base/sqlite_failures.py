"""What SQLite complains of, in our own words: a full disk is told as full, a damaged file as damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from screening_pipeline.base.errors import EnvironmentFailed, LockHeld, NotWritable, ScreeningError
from screening_pipeline.base.failures import disk_full, is_full

PAGE_BYTES = 4096
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def failure(problem: sqlite3.Error, path: Path, lost: str) -> EnvironmentFailed:
    """The error that SQLite means, of the database at `path`, without which `lost` is gone."""
    code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_BUSY:
        return LockHeld(path.name)
    # An I/O error or a file that cannot be opened is how SQLite tells that there is no room for its side files.
    if code == sqlite3.SQLITE_FULL or (code not in _DAMAGED and is_full(path.parent)):
        return disk_full(path.name, path.parent, PAGE_BYTES)
    if code == sqlite3.SQLITE_READONLY:
        return NotWritable(path.name, "it is read-only")
    if code == sqlite3.SQLITE_CANTOPEN:
        return NotWritable(path.name, "it cannot be opened")
    return damaged(path, lost)


def damaged(path: Path, lost: str) -> EnvironmentFailed:
    """The error of a database that cannot be read, with what to do."""
    return EnvironmentFailed(f"{path.name} is damaged; move {path}* away; what is lost is {lost}", code="store_damaged")


def causes(problem: BaseException) -> Iterator[sqlite3.Error]:
    """What SQLite said, inside of whatever others have wrapped it into, unless it was told in our words already."""
    inner: BaseException | None = problem
    seen: set[int] = set()
    while inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        if isinstance(inner, ScreeningError):
            return
        if isinstance(inner, sqlite3.Error):
            yield inner
        inner = getattr(inner, "user_exception", None) or inner.__cause__ or inner.__context__


def is_sound(path: Path) -> bool:
    """Whether SQLite can read all of a database; nothing is written, and one that somebody locks counts as sound."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            return bool(connection.execute("pragma quick_check(1)").fetchall() == [("ok",)])
    except sqlite3.OperationalError:
        return True
    except sqlite3.DatabaseError:
        return False
