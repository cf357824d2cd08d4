"""Proofs that did not hold: each is answered late, and counted where `status` looks."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from screening_pipeline.base.clock import Clock
    from screening_pipeline.state.pull_queue import PullQueue


SLOWED_SECONDS = 1.0
MOST_SLOWED = 256
_NOTED_EVERY = 1.0


@dataclass(frozen=True)
class Refusals:
    """How many messages to an account proved nothing on one day (UTC), and when the last of them came."""

    count: int = 0
    last_at: datetime | None = None


def refusals(pull_queue: PullQueue, key: str, now: datetime) -> Refusals:
    """What is noted of an account (`vendor/name`) today."""
    kept = pull_queue.note(_note(key))
    if kept is None:
        return Refusals()
    told = json.loads(kept)
    last_at = datetime.fromisoformat(told["last_at"])
    return Refusals(told["count"], last_at) if last_at.date() == now.date() else Refusals()


class Doorkeeper:
    """Answers whoever guesses late, and keeps count of them; used by one event loop."""

    def __init__(self, pull_queue: PullQueue, clock: Clock) -> None:
        self._pull_queue = pull_queue
        self._clock = clock
        self._counts: dict[str, int] = {}
        self._noted_at: dict[str, float] = {}
        self._slowed = 0

    async def refused(self, key: str) -> bool:
        """Note a proof that did not hold, and wait a while; False where too many wait already."""
        self._count(key)
        if self._slowed >= MOST_SLOWED:
            return False
        self._slowed += 1
        try:
            await asyncio.sleep(SLOWED_SECONDS)
        finally:
            self._slowed -= 1
        self.flush(key)
        return True

    def _count(self, key: str) -> None:
        self._counts[key] = self._counts.get(key, 0) + 1
        running = self._clock.monotonic()
        if running - self._noted_at.get(key, -_NOTED_EVERY) >= _NOTED_EVERY:
            self._noted_at[key] = running
            self.flush(key)

    def flush(self, key: str) -> None:
        """Add what was counted since to what is noted."""
        new, now = self._counts.pop(key, 0), self._clock.now()
        if new:
            told = {"count": refusals(self._pull_queue, key, now).count + new, "last_at": now.isoformat()}
            self._pull_queue.remember(_note(key), json.dumps(told))


def _note(key: str) -> str:
    return f"refused_pushes:{key}"
