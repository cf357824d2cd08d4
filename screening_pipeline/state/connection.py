"""The SQLite file that processes share: its tables, how it is opened, and made anew where it cannot be used.

A connection belongs to one thread of one process; it is opened again where the file was replaced or the process forked.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from screening_pipeline.base.failures import telling
from screening_pipeline.base.locks import locked
from screening_pipeline.base.sqlite_failures import PAGE_BYTES, failure

VERSION = 1

_TABLES = """
create table if not exists slot (
    id integer primary key, account text not null, boot text not null,
    free_at real not null, noted_at real not null, is_held integer not null
);
create index if not exists slot_by_account on slot (account, boot, free_at, is_held);
create table if not exists budget (account text primary key, slots integer not null) without rowid;
create trigger if not exists slot_made after insert on slot begin
    insert into budget values (new.account, 1) on conflict do update set slots = slots + 1;
end;
create trigger if not exists slot_gone after delete on slot begin
    update budget set slots = slots - 1 where account = old.account;
end;
create table if not exists account (
    vendor text not null, account text not null,
    silent_since real, silent_until real, silent_until_running real, silent_boot text,
    stopped_code text, stopped_at real, last_error text, last_error_at real,
    no_polling_at real, answered_at real, succeeded_at real,
    primary key (vendor, account)
) without rowid;
create table if not exists not_found (
    vendor text not null, account text not null, subject text not null, check_id text not null,
    times integer not null, last_at real not null,
    primary key (vendor, account, subject, check_id)
) without rowid;
"""
_LATER_COLUMNS = {"succeeded_at"}
LOST = "how often vendors were asked in the last minute, silences, and ids that were not found"


class Opened:
    """One thread's connection, with what tells whether it is still the right one."""

    def __init__(self, connection: sqlite3.Connection, inode: int) -> None:
        self.connection = connection
        self._inode = inode
        self._pid = os.getpid()

    @property
    def is_ours(self) -> bool:
        """False in a forked child: closing an inherited connection there would harm the parent's."""
        return self._pid == os.getpid()

    def is_current(self, path: Path) -> bool:
        """Ours, and still the file that others see under this name."""
        try:
            return self.is_ours and path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Close it, or keep it unused where it was inherited."""
        if self.is_ours:
            self.connection.close()
        else:
            _INHERITED.append(self.connection)

    def __del__(self) -> None:  # a thread ended
        self.close()


_INHERITED: list[sqlite3.Connection] = []


def opened(path: Path, busy_seconds: float) -> Opened:
    """The file at `path`, opened; made where it is missing, broken or of another version.

    A statement waits for other processes for `busy_seconds`. Raises sqlite3.OperationalError where the file cannot be
    opened though it may be whole.
    """
    try:
        return _connected(path, busy_seconds)
    except sqlite3.OperationalError:
        raise
    except (FileNotFoundError, sqlite3.DatabaseError):
        return _made(path, busy_seconds)


def _connected(path: Path, busy_seconds: float) -> Opened:
    """Raises FileNotFoundError, or sqlite3.DatabaseError where the file is none of this version."""
    inode = path.stat().st_ino
    connected = Opened(_connection(path, busy_seconds), inode)
    if connected.connection.execute("pragma user_version").fetchone()[0] != VERSION:
        raise sqlite3.DatabaseError("of another version")
    _add_columns(connected.connection)
    return connected


def _add_columns(connection: sqlite3.Connection) -> None:
    """Add what earlier versions of the tables lack; what these hold stays."""
    known = {row["name"] for row in connection.execute("pragma table_info(account)")}
    for column in _LATER_COLUMNS - known if known else ():
        with suppress(sqlite3.OperationalError):  # another process has just done so
            connection.execute(f"alter table account add column {column} real")


def _connection(path: Path, busy_seconds: float) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    # A crash of the machine may cost the last second; nothing here is worth an fsync for each call.
    connection.execute("pragma synchronous = normal")
    return connection


def _made(path: Path, busy_seconds: float) -> Opened:
    """The file made anew, by whoever is first. It gets its name when it is complete."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(path.with_name(f"{path.name}.lock")):
        with suppress(FileNotFoundError, sqlite3.DatabaseError):
            return _connected(path, busy_seconds)
        fresh = path.with_name(f"{path.name}.new")
        _remove(fresh)
        _fill(fresh)
        _set_aside(path)
        fresh.rename(path)
        return _connected(path, busy_seconds)


def _fill(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # SQLite's side files get the same mode
    connection = _connection(path, 0.0)  # nobody else knows it yet
    try:
        connection.execute("pragma journal_mode = wal")
        connection.executescript(f"begin; {_TABLES} pragma user_version = {VERSION}; commit;")
    finally:
        connection.close()


def _set_aside(path: Path) -> None:
    """Keep an unreadable file under another name. A journal left behind must never meet the new file."""
    with suppress(FileNotFoundError):
        path.replace(path.with_name(f"{path.name}.broken"))
    _remove(path)


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's and the system's complaints as ours."""
    with telling(path.name, PAGE_BYTES, path.parent):
        try:
            yield
        except sqlite3.DatabaseError as problem:
            raise failure(problem, path, LOST) from problem
