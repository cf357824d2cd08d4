"""The only place that asks the time.

Two times are kept apart: the instant a fact belongs to (`now`), which a replay may fix, and the
running time by which limits, deadlines and waits are measured (`monotonic`), which nothing stops.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol

from screening_pipeline.base.errors import ConfigurationError

VARIABLE = "SCREENING_NOW"
# Before and after it no check was ordered, and what is computed from an instant may lie decades beside it.
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """The source of time (wall clock and monotonic clock), passed as a parameter to whoever needs it."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back and never stands still."""

    def sleep(self, seconds: float) -> None:
        """Wait this many seconds of running time."""

    async def asleep(self, seconds: float) -> None:
        """Wait this many seconds of running time without holding the event loop."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))

    async def asleep(self, seconds: float) -> None:
        import asyncio  # costs 30 ms, which commands that never wait need not pay

        await asyncio.sleep(max(0.0, seconds))


class StandingClock(SystemClock):
    """A frozen wall clock, always at the same instant; the monotonic clock runs on."""

    def __init__(self, instant: datetime) -> None:
        self._instant = instant.astimezone(UTC)

    def now(self) -> datetime:
        return self._instant


class ManualClock:
    """A clock for simulations and tests: both times move only by `advance`, and sleeping advances them."""

    def __init__(self, instant: datetime, monotonic: float = 0.0) -> None:
        self._instant = instant.astimezone(UTC)
        self._monotonic = monotonic

    def now(self) -> datetime:
        return self._instant

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    async def asleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move both clocks forward by this many seconds; a negative number moves nothing."""
        passed = max(0.0, seconds)
        self._instant += timedelta(seconds=passed)
        self._monotonic += passed


def system_clock(environ: Mapping[str, str]) -> Clock:
    """The machine's clock, or the frozen one that SCREENING_NOW asks for.

    Raises ConfigurationError when SCREENING_NOW is no ISO 8601 instant with an offset, of the years 2000 to 2099.
    """
    fixed = environ.get(VARIABLE, "").strip()
    return StandingClock(_instant(fixed)) if fixed else SystemClock()


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            raise ConfigurationError([f"{text[:40]!r} has no offset; add Z or +00:00"], source=VARIABLE)
        if not EARLIEST <= instant < LATEST:
            problem = f"{text[:40]!r} is not in the years {EARLIEST.year} to {LATEST.year - 1}"
            raise ConfigurationError([problem], source=VARIABLE)
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        expected = "is not an ISO 8601 instant such as 2026-03-01T09:00:00Z"
        raise ConfigurationError([f"{text[:40]!r} {expected}"], source=VARIABLE) from None
