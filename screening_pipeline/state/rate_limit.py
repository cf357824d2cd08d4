"""The rate limit of an account, held at the vendor's server, for all processes together.

The rule: a slot is given back one window after the answer *arrived*. The k-th call is sent at least a
window after the answer to the (k - limit)-th was received, so at least a window after the server saw that
one, and no window of that length at the server can hold more than `limit` calls, whatever the latency. A
holder that dies gives its slot back after the longest time a call may take, and a window.

Only running time is used, so a wall clock that jumps changes nothing.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from screening_pipeline.base.clock import Clock
from screening_pipeline.state.store import State

WINDOW_SECONDS = 60.0
DEADLINE_SECONDS = 30.0
DRIFT = 0.001
"""How much faster than the server's our clock may run; twice what time servers correct by at most."""


class NoSlotInTime(TimeoutError):
    """No slot of the rate limit comes free before the caller's deadline; raised at once, not after the wait."""


class Slot:
    """One slot of the rate limit: the right to send one call. Set `is_used` to False when it was not sent after all."""

    def __init__(self, slot_id: int) -> None:
        self.id = slot_id
        self.is_used = True


class Limiter:
    """The rate limiter of all accounts, in the shared state.

    `window_seconds` is the vendors' window, `deadline_seconds` the longest a call may take. Threads, event
    loops and processes may share one state file, each with a limiter of its own.
    """

    def __init__(
        self,
        state: State,
        clock: Clock,
        *,
        window_seconds: float = WINDOW_SECONDS,
        deadline_seconds: float = DEADLINE_SECONDS,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.state = state
        self.deadline_seconds = deadline_seconds
        self._clock = clock
        self._window = window_seconds * (1 + DRIFT)
        self._jitter = jitter
        self._adopted: set[str] = set()

    @asynccontextmanager
    async def slot(self, vendor: str, account: str, limit: int, *, until: float | None = None) -> AsyncIterator[Slot]:
        """Async context manager: holds one of the account's `limit` slots during a call; waits for a free one.

        `until` (running time): raises NoSlotInTime as soon as it is plain that none comes free before.
        """
        slot = await self._obtained(_key(vendor, account), limit, until)
        try:
            yield slot
        except asyncio.CancelledError:
            raise  # a call given up may still reach the server: its slot comes back by itself, later
        except BaseException:
            self._release(slot)
            raise
        self._release(slot)

    async def _obtained(self, key: str, limit: int, until: float | None) -> Slot:
        while True:
            slot, wait = self._take(key, limit)
            if slot is not None:
                return slot
            if until is not None and self._clock.monotonic() + wait > until:
                raise NoSlotInTime(key)
            await self._clock.asleep(wait + self._jitter() * self._window * DRIFT / 4)

    def used_last_window(self, vendor: str, account: str) -> int:
        """Slots of the account in use: calls of the last window, and those under way."""
        with self.state.reading() as db:
            found = db.execute(
                "select count(*) from slot where account = ? and boot = ? and free_at > ?",
                (_key(vendor, account), self.state.boot_id, self._clock.monotonic()),
            )
            return int(found.fetchone()[0])

    def leave(self, vendor: str, account: str, limit: int, *, remaining: int, seconds: float) -> None:
        """Give the slots away that others have used: no more than `remaining` calls are made in the next `seconds`.

        Where nobody else has the account's key there are none: what the server counts in its window, we count in ours.
        """
        if self.used_last_window(vendor, account) + remaining >= limit:  # the common case takes no lock
            return
        key = _key(vendor, account)
        with self.state.writing() as db:
            now = self._clock.monotonic()
            self._tidy(db, key, now)
            found = db.execute("select slots from budget where account = ?", (key,)).fetchone()
            for _ in range(limit - (found[0] if found else 0) - remaining):
                slot = self._inserted(db, key, now)
                db.execute("update slot set free_at = ?, is_held = 0 where id = ?", (now + seconds, slot.id))

    def _take(self, key: str, limit: int) -> tuple[Slot | None, float]:
        """A slot, or the seconds after which one may be free."""
        with self.state.writing() as db:
            now = self._clock.monotonic()
            self._tidy(db, key, now)
            # Only slots that are out are left now. They are counted as they come and go, not one by one.
            found = db.execute("select slots from budget where account = ?", (key,)).fetchone()
            wait = self._wait(db, key, (found[0] if found else 0) - limit, now)
            return (None, wait) if wait > 0 else (self._inserted(db, key, now), 0.0)

    def _inserted(self, db: sqlite3.Connection, key: str, now: float) -> Slot:
        slot = Slot(secrets.randbits(62))  # never one that a late holder of an earlier slot still remembers
        db.execute(
            "insert into slot (id, account, boot, free_at, noted_at, is_held) values (?, ?, ?, ?, ?, 1)",
            (slot.id, key, self.state.boot_id, now + self._longest, self._clock.now().timestamp()),
        )
        return slot

    def _release(self, slot: Slot) -> None:
        with self.state.writing() as db:
            if slot.is_used:
                free_at = self._clock.monotonic() + self._window
                db.execute("update slot set free_at = ?, is_held = 0 where id = ?", (free_at, slot.id))
            else:
                db.execute("delete from slot where id = ?", (slot.id,))

    def _tidy(self, db: sqlite3.Connection, key: str, now: float) -> None:
        """Drop the slots that are back, and mend those that no clock of this boot can have set."""
        if key not in self._adopted:
            self._adopt(db, key, now)
        this = (key, self.state.boot_id)
        db.execute("delete from slot where account = ? and boot = ? and free_at <= ?", (*this, now))
        db.execute(
            "update slot set free_at = ?, is_held = 0 where account = ? and boot = ? and free_at > ?",
            (now + self._window, *this, now + self._longest),
        )

    def _adopt(self, db: sqlite3.Connection, key: str, now: float) -> None:
        """Slots of an earlier boot: those plainly long over are dropped, the others count from now."""
        foreign = (key, self.state.boot_id)
        long_ago = self._clock.now().timestamp() - self._longest
        db.execute("delete from slot where account = ? and boot <> ? and noted_at < ?", (*foreign, long_ago))
        db.execute(
            "update slot set boot = ?, free_at = ?, is_held = 0 where account = ? and boot <> ?",
            (self.state.boot_id, now + self._window, *foreign),
        )
        self._adopted.add(key)

    def _wait(self, db: sqlite3.Connection, key: str, over: int, now: float) -> float:
        """Seconds until a slot is free, given how many more than the limit are out.

        One that is still held comes back a window from now at best.
        """
        if over < 0:
            return 0.0
        found = db.execute(
            "select free_at from slot where account = ? and boot = ? and free_at > ? and not is_held"
            " order by free_at limit 1 offset ?",
            (key, self.state.boot_id, now, over),
        ).fetchone()
        return float(found[0]) - now if found else self._window

    @property
    def _longest(self) -> float:
        return self.deadline_seconds + self._window


def _key(vendor: str, account: str) -> str:
    return f"{vendor}/{account}"
