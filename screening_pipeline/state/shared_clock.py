"""The clock of the database that several machines share: it orders answers and ends silences, whoever is wrong.

It is measured as an offset to this machine's running time, which nobody sets; the wall clock of the machine has no say.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime

from screening_pipeline.base.clock import Clock, SystemClock
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.state.postgres_session import PostgresSession

# Two quartz clocks drift apart by some ten milliseconds in that time.
MEASURED_EVERY_SECONDS = 300.0
FURTHEST_SECONDS = 300.0
_TRIES = 5


class SharedClock:
    """The instant by the database's clock, and this machine's running time.

    `machine`: this machine's clocks. Raises EnvironmentFailed where the database cannot be asked at the beginning, or
    where the machine's own clock is further off than certificates and tokens would stand; later the last offset does.
    """

    def __init__(self, session: PostgresSession, machine: Clock | None = None) -> None:
        self._session = session
        self._machine = machine or SystemClock()
        self._alone = threading.Lock()
        self._measure()
        self._require_near()

    def now(self) -> datetime:
        """The present instant by the database's clock, aware, in UTC."""
        is_old = self._machine.monotonic() - self._measured_at > MEASURED_EVERY_SECONDS
        if is_old and self._alone.acquire(blocking=False):
            try:
                with suppress(EnvironmentFailed):  # whatever is done next will tell
                    self._measure()
            finally:
                self._alone.release()
        return datetime.fromtimestamp(self._offset + self._machine.monotonic(), UTC)

    def monotonic(self) -> float:
        """Seconds of this machine's running time."""
        return self._machine.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait this many seconds of running time."""
        self._machine.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Wait this many seconds of running time without holding the event loop."""
        await self._machine.asleep(seconds)

    def _measure(self) -> None:
        """Take the offset of the quickest of a few answers: it is wrong by half its time at most."""
        self._offset = min(self._answered() for _ in range(_TRIES))[1]
        self._measured_at = self._machine.monotonic()

    def _answered(self) -> tuple[float, float]:
        """How long an answer took, and the offset by it."""
        asked_at = self._machine.monotonic()
        row = self._session.row("select extract(epoch from clock_timestamp())::double precision")
        answered_at = self._machine.monotonic()
        return answered_at - asked_at, (row[0] if row else 0.0) - (asked_at + answered_at) / 2

    def _require_near(self) -> None:
        off = (self._machine.now() - self.now()).total_seconds()
        if abs(off) > FURTHEST_SECONDS:
            words = f"the clock of this machine is {off:+.0f} s off that of the database ({self._session.where})"
            raise EnvironmentFailed(f"{words}: set whichever is wrong", code="clock_off")
