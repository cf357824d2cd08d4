"""What runs: the last cycle and who ran it, how old what others read is, and whether that is too old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening_pipeline.base import inert
from screening_pipeline.runtime import publication
from screening_pipeline.state.pulse import Pulse, pulse

if TYPE_CHECKING:
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.state.pull_queue import PullQueue


@dataclass(frozen=True, kw_only=True)
class Running:
    """What runs, as of an instant. `limit` is how old it may be; None where nobody waits for it (the bundled sandbox).

    Who looks for what is due every half minute and finds nothing makes no cycle and no snapshot: what counts is the
    last sign of life, and that what a cycle found is published.
    """

    as_of: datetime
    pulse: Pulse
    snapshot_at: datetime | None
    parquet_at: datetime | None
    limit: timedelta | None

    @property
    def is_stopped(self) -> bool:
        """Whether nothing has shown a sign of life for longer than the limit."""
        last = self.pulse.last_at
        return bool(self.limit and last and self.as_of - last > self.limit)

    @property
    def is_unpublished(self) -> bool:
        """Whether a cycle has ended since the snapshot was made, and the snapshot is older than the limit."""
        cycle, made = self.pulse.cycle_at, self.snapshot_at
        if not self.limit or cycle is None:
            return False
        return made is None or (cycle > made and self.as_of - made > self.limit)

    @property
    def is_stale(self) -> bool:
        """Whether what others read is not kept up to date any more."""
        return self.is_stopped or self.is_unpublished

    def facts(self) -> dict[str, Any]:
        """What runs, as JSON values."""
        return {
            "last_cycle_at": self.pulse.cycle_at,
            "last_cycle_by": self.pulse.cycle_by,
            "alive": dict(self.pulse.alive),
            "snapshot_at": self.snapshot_at,
            "parquet_at": self.parquet_at,
            "is_stale": self.is_stale,
        }

    def words(self) -> str:
        """One line: "Last cycle 4 min ago (daemon); snapshot 4 min old."."""
        if self.pulse.cycle_at is None:
            return "No cycle has ended yet: `screening-pipeline sync` runs one."
        alive = "".join(f", {who} seen {self._age(at)} ago" for who, at in self.pulse.alive.items())
        return (
            f"Last cycle {self._age(self.pulse.cycle_at)} ago ({self.pulse.cycle_by}){alive}; "
            f"{self._made('snapshot', self.snapshot_at)}{self._parquet()}.{self._alarm()}"
        )

    def _made(self, what: str, at: datetime | None) -> str:
        return f"{what} {self._age(at)} old" if at else f"no {what} yet"

    def _parquet(self) -> str:
        return f"; Parquet {self._age(self.parquet_at)} old" if self.parquet_at else ""

    def _age(self, at: datetime) -> str:
        return inert.span(max(0.0, (self.as_of - at).total_seconds())) or ""

    def _alarm(self) -> str:
        limit = inert.span(self.limit.total_seconds()) if self.limit else ""
        if self.is_stopped:
            return f" Nothing has run for more than {limit}: start `watch` or the daemon, or run `sync`."
        if self.is_unpublished:
            return f" What was found since is not published for more than {limit}: see the last run in Dagster."
        return ""


def running(settings: Settings, pull_queue: PullQueue, now: datetime) -> Running:
    """What runs now."""
    return Running(
        as_of=now,
        pulse=pulse(pull_queue),
        snapshot_at=publication.made_at(pull_queue) or _changed_at(settings.paths.published),
        parquet_at=_changed_at(settings.paths.parquet),
        limit=None if settings.is_embedded_sandbox else timedelta(seconds=settings.operations.stale_after),
    )


def _changed_at(path: Path) -> datetime | None:
    """When a file, or where a link points, was made."""
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None
