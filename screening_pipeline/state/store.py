"""What processes must agree on within seconds: rate slots, silences, stopped accounts, ids nobody knows.

One small SQLite file in WAL mode. It holds no fact about a check: whoever deletes it loses a minute of
caution and nothing else, and it is made anew where it is missing, broken or of another version.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from screening_pipeline.base.clock import Clock
from screening_pipeline.base.errors import EnvironmentFailed, LockHeld, NotWritable
from screening_pipeline.base.failures import disk_full, telling
from screening_pipeline.base.locks import locked
from screening_pipeline.state.accounts import NOT_FOUND_AFTER, AccountState, Missing

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
    no_polling_at real, answered_at real,
    primary key (vendor, account)
) without rowid;
create table if not exists not_found (
    vendor text not null, account text not null, subject text not null, check_id text not null,
    times integer not null, last_at real not null,
    primary key (vendor, account, subject, check_id)
) without rowid;
"""
_PAGE_BYTES = 4096
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class State:
    """The shared file at `path`; safe to use from any thread, process and after a fork.

    Every method is one short transaction (tens of microseconds). Raises LockHeld when another process keeps
    the file for `busy_seconds`, NotWritable or DiskFull when it cannot be written.
    """

    def __init__(self, path: Path, *, boot_id: str | None = None, busy_seconds: float = 10.0) -> None:
        self.path = path
        self._busy_seconds = busy_seconds
        self.boot_id = boot_id if boot_id is not None else running_boot_id()
        self._local = threading.local()

    def close(self) -> None:
        """Close this thread's connection; the next use opens it again."""
        opened: _Opened | None = getattr(self._local, "opened", None)
        self._local.opened = None
        if opened is not None:
            opened.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection, for single SELECTs."""
        with _translated(self.path):
            yield self._connection()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One write transaction: committed at the end, rolled back on any exception."""
        with _translated(self.path):
            connection = self._connection()
            connection.execute("begin immediate")
            try:
                yield connection
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")

    def _connection(self) -> sqlite3.Connection:
        opened: _Opened | None = getattr(self._local, "opened", None)
        if opened is None or not opened.is_current(self.path):
            self.close()
            opened = self._local.opened = _opened(self.path, self._busy_seconds)
        return opened.connection

    # ── accounts ───────────────────────────────────────────────────────────────────────────────────

    def account(self, vendor: str, account: str, clock: Clock) -> AccountState:
        """What is known of the account now; a blank one where nothing is."""
        with self.reading() as db:
            row = db.execute("select * from account where vendor = ? and account = ?", (vendor, account)).fetchone()
        return self._account(row, clock) if row else AccountState(vendor, account)

    def accounts(self, clock: Clock) -> list[AccountState]:
        """Every account something is known of, in alphabetical order."""
        with self.reading() as db:
            rows = db.execute("select * from account order by vendor, account").fetchall()
        return [self._account(row, clock) for row in rows]

    def silence(self, vendor: str, account: str, seconds: float, clock: Clock) -> None:
        """Ask nothing of the account for so long, in any process. A longer silence is never shortened."""
        key, now, running = (vendor, account), clock.now().timestamp(), clock.monotonic()
        with self.writing() as db:
            seconds = max(seconds, self.account(vendor, account, clock).silent_seconds)
            db.execute(_MAKE_ACCOUNT, key)
            db.execute(
                "update account set silent_since = ?, silent_until = ?, silent_until_running = ?,"
                " silent_boot = ? where vendor = ? and account = ?",
                (now, now + seconds, running + seconds, self.boot_id, *key),
            )

    def stop(self, vendor: str, account: str, code: str, clock: Clock) -> None:
        """Open the account's circuit: nobody asks it anything until `resume`."""
        self._set("stopped_code = ?, stopped_at = ?", (code, clock.now().timestamp()), vendor, account)

    def resume(self, vendor: str, account: str) -> None:
        """Close the account's circuit, as a new run does; a silence stays."""
        self._set("stopped_code = ?, stopped_at = ?", (None, None), vendor, account)

    def note_error(self, vendor: str, account: str, code: str, clock: Clock) -> None:
        """Remember the account's last error, by its code alone."""
        self._set("last_error = ?, last_error_at = ?", (code, clock.now().timestamp()), vendor, account)

    def note_no_polling(self, vendor: str, account: str, clock: Clock) -> None:
        """Remember that the vendor answers no polling for this account. # K9: polling is optional."""
        self._set("no_polling_at = ?", (clock.now().timestamp(),), vendor, account)

    def note_answered(self, vendor: str, account: str, clock: Clock) -> None:
        """Remember that the vendor has answered for an id of this account: it does offer polling."""
        self._set("no_polling_at = ?, answered_at = ?", (None, clock.now().timestamp()), vendor, account)

    def _set(self, assignments: str, values: tuple[str | float | None, ...], vendor: str, account: str) -> None:
        with self.writing() as db:
            db.execute(_MAKE_ACCOUNT, (vendor, account))
            change = f"update account set {assignments} where"
            db.execute(f"{change} vendor = ? and account = ?", (*values, vendor, account))

    def _account(self, row: sqlite3.Row, clock: Clock) -> AccountState:
        left = self._silent_seconds(row, clock)
        return AccountState(
            vendor=row["vendor"],
            account=row["account"],
            silent_seconds=left,
            silent_until=_instant(row["silent_until"]) if left else None,
            stopped_code=row["stopped_code"],
            stopped_at=_instant(row["stopped_at"]),
            last_error=row["last_error"],
            last_error_at=_instant(row["last_error_at"]),
            no_polling_at=_instant(row["no_polling_at"]),
            answered_at=_instant(row["answered_at"]),
        )

    def _silent_seconds(self, row: sqlite3.Row, clock: Clock) -> float:
        """A silence is over as soon as it has passed on either clock."""
        if row["silent_until"] is None:
            return 0.0
        now = clock.now().timestamp()
        left = row["silent_until"] - now
        if row["silent_boot"] == self.boot_id:
            left = min(left, row["silent_until_running"] - clock.monotonic())
        elif now < row["silent_since"]:
            return 0.0  # rebooted, and the wall clock set back: no clock can tell, and nothing waits for ever
        return max(0.0, float(left))

    # ── ids the vendor does not know ───────────────────────────────────────────────────────────────

    def count_not_found(self, vendor: str, account: str, subject: str, check_id: str, clock: Clock) -> Missing:
        """One more 404 in a row for this id."""
        key = (vendor, account, subject, check_id)
        with self.writing() as db:
            db.execute(
                "insert into not_found (vendor, account, subject, check_id, times, last_at)"
                " values (?, ?, ?, ?, 1, ?)"
                " on conflict do update set times = times + 1, last_at = excluded.last_at",
                (*key, clock.now().timestamp()),
            )
            times = db.execute(_TIMES, key).fetchone()[0]
        return Missing(*key, times)

    def forget_not_found(self, vendor: str, account: str, subject: str, check_id: str) -> None:
        """The id was answered: its row of 404s is over."""
        key = (vendor, account, subject, check_id)
        with self.reading() as db:
            if db.execute(_TIMES, key).fetchone() is None:
                return  # the common case takes no lock
        with self.writing() as db:
            db.execute(_FORGET_NOT_FOUND, key)

    def erase_not_found(self, ids: Iterable[tuple[str, str, str, str]]) -> None:
        """Forget these ids (vendor, account, subject, id) for good: deleted rows stay in a file as bytes."""
        with self.writing() as db:
            db.executemany(_FORGET_NOT_FOUND, list(ids))
        with self.reading() as db:
            db.execute("vacuum")
            db.execute("pragma wal_checkpoint(truncate)")

    def not_found(self, vendor: str, account: str, *, at_least: int = NOT_FOUND_AFTER) -> list[Missing]:
        """The account's ids that were missed so many times in a row, in order of id."""
        with self.reading() as db:
            rows = db.execute(
                "select vendor, account, subject, check_id, times from not_found"
                " where vendor = ? and account = ? and times >= ? order by subject, check_id",
                (vendor, account, at_least),
            ).fetchall()
        return [Missing(*row) for row in rows]


_FORGET_NOT_FOUND = "delete from not_found where vendor = ? and account = ? and subject = ? and check_id = ?"
_TIMES = "select times from not_found where vendor = ? and account = ? and subject = ? and check_id = ?"
_MAKE_ACCOUNT = "insert into account (vendor, account) values (?, ?) on conflict do nothing"


def running_boot_id(source: Path = _BOOT_ID) -> str:
    """The present boot of the machine, to which running times belong; "" where the system does not tell."""
    with suppress(OSError):
        return source.read_text(encoding="utf-8").strip()
    return ""


class _Opened:
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
        if self.is_ours:
            self.connection.close()
        else:
            _INHERITED.append(self.connection)

    def __del__(self) -> None:  # a thread ended
        self.close()


_INHERITED: list[sqlite3.Connection] = []


def _opened(path: Path, busy_seconds: float) -> _Opened:
    try:
        return _connected(path, busy_seconds)
    except sqlite3.OperationalError:
        raise
    except (FileNotFoundError, sqlite3.DatabaseError):
        return _made(path, busy_seconds)


def _connected(path: Path, busy_seconds: float) -> _Opened:
    """Raises FileNotFoundError, or sqlite3.DatabaseError where the file is none of this version."""
    inode = path.stat().st_ino
    opened = _Opened(_connection(path, busy_seconds), inode)
    if opened.connection.execute("pragma user_version").fetchone()[0] != VERSION:
        raise sqlite3.DatabaseError("of another version")
    return opened


def _connection(path: Path, busy_seconds: float) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    # A crash of the machine may cost the last second; nothing here is worth an fsync for each call.
    connection.execute("pragma synchronous = normal")
    return connection


def _made(path: Path, busy_seconds: float) -> _Opened:
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
def _translated(path: Path) -> Iterator[None]:
    """SQLite's and the system's complaints as ours."""
    with telling(path.name, _PAGE_BYTES, path.parent):
        try:
            yield
        except sqlite3.DatabaseError as problem:
            raise _failure(path, getattr(problem, "sqlite_errorcode", 0) & 0xFF) from problem


def _failure(path: Path, code: int) -> EnvironmentFailed:
    made: dict[int, Callable[[], EnvironmentFailed]] = {
        sqlite3.SQLITE_BUSY: lambda: LockHeld(path.name),
        sqlite3.SQLITE_FULL: lambda: disk_full(path.name, path.parent, _PAGE_BYTES),
        sqlite3.SQLITE_READONLY: lambda: NotWritable(path.name, "it is read-only"),
        sqlite3.SQLITE_CANTOPEN: lambda: NotWritable(path.name, "it cannot be opened"),
    }
    return made.get(code, lambda: EnvironmentFailed(f"{path.name} is damaged (SQLite {code}); delete it"))()


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
