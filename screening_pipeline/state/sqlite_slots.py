"""Slots of the rate limit in SQLite, by running time: a wall clock that jumps changes nothing."""

from __future__ import annotations

import secrets
import sqlite3

from screening_pipeline.base.clock import Clock
from screening_pipeline.state.sqlite_file import StateFile


class SqliteSlots:
    """The slots of all accounts; every method is one short transaction."""

    def __init__(self, state: StateFile) -> None:
        self._state = state
        self._adopted: set[str] = set()

    def take(self, key: str, limit: int, *, longest: float, window: float, clock: Clock) -> tuple[int | None, float]:
        """A slot of the account, or the seconds after which one may be free."""
        with self._state.writing() as db:
            now = clock.monotonic()
            self._tidy(db, key, longest, window, clock)
            # Only slots that are out are left now. They are counted as they come and go, not one by one.
            over = self._out(db, key) - limit
            wait = self._wait(db, key, over, now, window)
            return (None, wait) if wait > 0 else (self._inserted(db, key, now + longest, clock), 0.0)

    def give(self, slot_id: int, *, window: float, clock: Clock) -> None:
        """Give a slot back: it is free one window from now."""
        with self._state.writing() as db:
            free_at = clock.monotonic() + window
            db.execute("update slot set free_at = ?, is_held = 0 where id = ?", (free_at, slot_id))

    def drop(self, slot_id: int) -> None:
        """Give a slot back that was not used: it is free at once."""
        with self._state.writing() as db:
            db.execute("delete from slot where id = ?", (slot_id,))

    def used(self, key: str, *, clock: Clock) -> int:
        """How many are out."""
        with self._state.reading() as db:
            found = db.execute(
                "select count(*) from slot where account = ? and boot = ? and free_at > ?",
                (key, self._state.boot_id, clock.monotonic()),
            )
            return int(found.fetchone()[0])

    def fill(self, key: str, limit: int, *, seconds: float, longest: float, window: float, clock: Clock) -> None:
        """Take slots for `seconds` until `limit` are out."""
        with self._state.writing() as db:
            now = clock.monotonic()
            self._tidy(db, key, longest, window, clock)
            for _ in range(limit - self._out(db, key)):
                slot_id = self._inserted(db, key, now + longest, clock)
                db.execute("update slot set free_at = ?, is_held = 0 where id = ?", (now + seconds, slot_id))

    def _out(self, db: sqlite3.Connection, key: str) -> int:
        found = db.execute("select slots from budget where account = ?", (key,)).fetchone()
        return int(found[0]) if found else 0

    def _inserted(self, db: sqlite3.Connection, key: str, free_at: float, clock: Clock) -> int:
        slot_id = secrets.randbits(62)  # never one that a late holder of an earlier slot still remembers
        db.execute(
            "insert into slot (id, account, boot, free_at, noted_at, is_held) values (?, ?, ?, ?, ?, 1)",
            (slot_id, key, self._state.boot_id, free_at, clock.now().timestamp()),
        )
        return slot_id

    def _tidy(self, db: sqlite3.Connection, key: str, longest: float, window: float, clock: Clock) -> None:
        """Drop the slots that are back, and mend those that no clock of this boot can have set."""
        now = clock.monotonic()
        if key not in self._adopted:
            self._adopt(db, key, longest, window, clock)
        this = (key, self._state.boot_id)
        db.execute("delete from slot where account = ? and boot = ? and free_at <= ?", (*this, now))
        db.execute(
            "update slot set free_at = ?, is_held = 0 where account = ? and boot = ? and free_at > ?",
            (now + window, *this, now + longest),
        )

    def _adopt(self, db: sqlite3.Connection, key: str, longest: float, window: float, clock: Clock) -> None:
        """Slots of an earlier boot: those plainly long over are dropped, the others count from now."""
        foreign = (key, self._state.boot_id)
        long_ago = clock.now().timestamp() - longest
        db.execute("delete from slot where account = ? and boot <> ? and noted_at < ?", (*foreign, long_ago))
        db.execute(
            "update slot set boot = ?, free_at = ?, is_held = 0 where account = ? and boot <> ?",
            (self._state.boot_id, clock.monotonic() + window, *foreign),
        )
        self._adopted.add(key)

    def _wait(self, db: sqlite3.Connection, key: str, over: int, now: float, window: float) -> float:
        """Seconds until a slot is free, given how many more than the limit are out.

        One that is still held comes back a window from now at best.
        """
        if over < 0:
            return 0.0
        found = db.execute(
            "select free_at from slot where account = ? and boot = ? and free_at > ? and not is_held"
            " order by free_at limit 1 offset ?",
            (key, self._state.boot_id, now, over),
        ).fetchone()
        return float(found[0]) - now if found else window
