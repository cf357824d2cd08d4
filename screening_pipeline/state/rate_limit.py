"""The rate limit of an account, held at the vendor's server, for all processes together.

The rule: a slot is given back one window after the answer *arrived*. The k-th call is sent at least a
window after the answer to the (k - limit)-th was received, so at least a window after the server saw that
one, and no window of that length at the server can hold more than `limit` calls, whatever the latency. A
holder that dies gives its slot back after the longest time a call may take, and a window.

On one machine only running time is used, on several only that of the database they share: a wall clock that jumps
changes nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from screening_pipeline.base.clock import Clock
from screening_pipeline.state.interface import Store

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
    loops and processes may share one state, each with a limiter of its own.
    """

    def __init__(
        self,
        state: Store,
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
        self._slots = state.slots

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
        return self._slots.used(_key(vendor, account), clock=self._clock)

    def leave(self, vendor: str, account: str, limit: int, *, remaining: int, seconds: float) -> None:
        """Give the slots away that others have used: no more than `remaining` calls are made in the next `seconds`.

        Where nobody else has the account's key there are none: what the server counts in its window, we count in ours.
        """
        key, left = _key(vendor, account), limit - remaining
        if self._slots.used(key, clock=self._clock) < left:  # else, the common case, takes no lock
            self._slots.fill(key, left, seconds=seconds, longest=self._longest, window=self._window, clock=self._clock)

    def _take(self, key: str, limit: int) -> tuple[Slot | None, float]:
        """A slot, or the seconds after which one may be free."""
        slot_id, wait = self._slots.take(key, limit, longest=self._longest, window=self._window, clock=self._clock)
        return (None if slot_id is None else Slot(slot_id)), wait

    def _release(self, slot: Slot) -> None:
        if slot.is_used:
            self._slots.give(slot.id, window=self._window, clock=self._clock)
        else:
            self._slots.drop(slot.id)

    @property
    def _longest(self) -> float:
        return self.deadline_seconds + self._window


def _key(vendor: str, account: str) -> str:
    return f"{vendor}/{account}"
