"""What is landed and waits in the database of several machines to be put away, and whether it waits for too long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from screening_pipeline.base import inert
from screening_pipeline.runtime.shared import shared_landing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from screening_pipeline.base.clock import Clock
    from screening_pipeline.landing.interface import Waiting
    from screening_pipeline.settings.settings import Settings

ALARMING_BYTES = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What waits, as of an instant; `limit` is how old it may be."""

    waiting: Waiting
    limit: timedelta
    as_of: datetime

    @property
    def is_alarming(self) -> bool:
        """Whether it waits for longer than the limit, or is more than a gigabyte."""
        since = self.waiting.since
        return self.waiting.bytes > ALARMING_BYTES or (since is not None and self.as_of - since > self.limit)

    def facts(self) -> dict[str, Any]:
        """What waits, as JSON values."""
        told = self.waiting
        return {"landed_waiting": told.lines, "landed_waiting_since": told.since, "landed_waiting_bytes": told.bytes}

    def words(self) -> str:
        """One sentence: "1,200 answers have waited for up to 2 h (3 MB) to be merged: ..."."""
        seconds = (self.as_of - self.waiting.since).total_seconds() if self.waiting.since else 0.0
        size = f"{self.waiting.bytes / 1e6:,.0f} MB"
        return (
            f"{self.waiting.lines:,} answers have waited for up to {inert.span(max(0.0, seconds))} ({size} of the "
            "database) to be put away and merged: see the last run, and `doctor` tries landing.url."
        )


def backlog(settings: Settings, environ: Mapping[str, str], clock: Clock) -> Backlog | None:
    """What waits now; None where machines share nothing."""
    store = shared_landing(settings, environ, clock, spool_key=b"")  # from which nothing is read here
    waiting = store.waiting() if store is not None else None
    if waiting is None:
        return None
    return Backlog(waiting=waiting, limit=timedelta(seconds=settings.operations.stale_after), as_of=clock.now())
