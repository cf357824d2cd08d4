"""Shared state of all processes: rate limit slots, silences, stopped accounts, unknown ids.

One small SQLite file in WAL mode. It holds no fact about a check: whoever deletes it loses a minute of
caution and nothing else, and it is made anew where it is missing, broken or of another version.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cached_property

from screening_pipeline.base.clock import Clock
from screening_pipeline.state.accounts import NOT_FOUND_AFTER, AccountState, Missing
from screening_pipeline.state.sqlite_file import StateFile
from screening_pipeline.state.sqlite_queue import SqliteLedger, SqliteQueue
from screening_pipeline.state.sqlite_slots import SqliteSlots


class State(StateFile):
    """The shared state: a SQLite file at `path`, safe to use from any thread, process and after a fork.

    Every method is one short transaction (tens of microseconds). Raises LockHeld when another process keeps
    the file for `busy_seconds`, NotWritable or DiskFull when it cannot be written.
    """

    @cached_property
    def slots(self) -> SqliteSlots:
        """Slots of the rate limit."""
        return SqliteSlots(self)

    @property
    def queue(self) -> SqliteQueue:
        """The pull queue, and named values."""
        return SqliteQueue(self)

    @property
    def ledger(self) -> SqliteLedger:
        """What the steps of runs have done."""
        return SqliteLedger(self)

    # ── accounts ───────────────────────────────────────────────────────────────────────────────────

    def account(self, vendor: str, account: str, clock: Clock) -> AccountState:
        """The state of one account now; a blank one where nothing is recorded."""
        with self.reading() as db:
            row = db.execute("select * from account where vendor = ? and account = ?", (vendor, account)).fetchone()
        return self._account(row, clock) if row else AccountState(vendor, account)

    def accounts(self, clock: Clock) -> list[AccountState]:
        """The states of all accounts with a record, in alphabetical order."""
        with self.reading() as db:
            rows = db.execute("select * from account order by vendor, account").fetchall()
        return [self._account(row, clock) for row in rows]

    def silence(self, vendor: str, account: str, seconds: float, clock: Clock) -> None:
        """Silence the account for that many seconds, in all processes. A longer silence is never shortened."""
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
        """Open the account's circuit: no call by any process until `resume`."""
        self._set("stopped_code = ?, stopped_at = ?", (code, clock.now().timestamp()), vendor, account)

    def resume(self, vendor: str, account: str) -> None:
        """Close the account's circuit, as a new run does; a silence stays."""
        self._set("stopped_code = ?, stopped_at = ?", (None, None), vendor, account)

    def note_error(self, vendor: str, account: str, code: str, clock: Clock) -> None:
        """Record the account's last error, by its code alone."""
        self._set("last_error = ?, last_error_at = ?", (code, clock.now().timestamp()), vendor, account)

    def note_no_polling(self, vendor: str, account: str, clock: Clock) -> None:
        """Record that the vendor offers no polling for this account. # K9: polling is optional."""
        self._set("no_polling_at = ?", (clock.now().timestamp(),), vendor, account)

    def note_answered(self, vendor: str, account: str, clock: Clock) -> None:
        """Record that the vendor has answered for an id of this account: it does offer polling."""
        now = clock.now().timestamp()
        self._set("no_polling_at = ?, answered_at = ?, succeeded_at = ?", (None, now, now), vendor, account)

    def note_success(self, vendor: str, account: str, clock: Clock) -> None:
        """Record that an answer of this account could be read, whatever it was asked: an id, a list or its feed."""
        self._set("succeeded_at = ?", (clock.now().timestamp(),), vendor, account)

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
            succeeded_at=_instant(row["succeeded_at"]),
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
        """Count one more 404 in a row for an id, and return its record."""
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
        """Reset the count of 404s of an id, which was answered."""
        key = (vendor, account, subject, check_id)
        with self.reading() as db:
            if db.execute(_TIMES, key).fetchone() is None:
                return  # the common case takes no lock
        with self.writing() as db:
            db.execute(_FORGET_NOT_FOUND, key)

    def erase_not_found(self, ids: Iterable[tuple[str, str, str, str]]) -> None:
        """Erase the 404 records of these ids (vendor, account, subject, id) and their bytes in the file."""
        with self.writing() as db:
            db.executemany(_FORGET_NOT_FOUND, list(ids))
        with self.reading() as db:
            db.execute("vacuum")
            db.execute("pragma wal_checkpoint(truncate)")

    def not_found(self, vendor: str, account: str, *, at_least: int = NOT_FOUND_AFTER) -> list[Missing]:
        """The account's ids with `at_least` so many 404s in a row, in order of id."""
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


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
