"""What time it is in the sandbox: the real time, or an instant that stands until it is moved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Anything that knows the instant."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""


@dataclass(slots=True)
class VirtualClock:
    """Stands at `instant` until someone moves it."""

    instant: datetime

    def now(self) -> datetime:
        """Return the instant it stands at."""
        return self.instant

    def set(self, instant: datetime) -> None:
        """Move to `instant`, forwards or backwards."""
        self.instant = instant.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class RealClock:
    """Runs with the machine."""

    def now(self) -> datetime:
        """Return the machine's time."""
        return datetime.now(UTC)


def parse_instant(text: str) -> datetime:
    """Read an ISO 8601 instant with an offset or Z as UTC; ValueError for anything else."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("an instant needs an offset")
    return instant.astimezone(UTC)


def instant_text(instant: datetime | None) -> str | None:
    """Write an instant in UTC with Z; None stays None."""
    return None if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
