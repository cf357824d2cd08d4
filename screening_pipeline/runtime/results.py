"""What the steps of a run tell whoever started it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from screening_pipeline.base.errors import LockHeld, MissingSecret
from screening_pipeline.orders.intake import Intake

if TYPE_CHECKING:
    from screening_pipeline.http.feed_record import Gap


# Why pulling an account may end early with nothing wrong: the time was up, or another process is asking it.
AS_PLANNED = ("deadline", LockHeld.code)


@dataclass(frozen=True, kw_only=True)
class AccountReport:
    """How pulling one account went. `code` is why it ended early, or why it was not pulled at all."""

    vendor: str
    account: str
    accepted: int = 0
    rejected: int = 0
    missing: int = 0
    failed: int = 0
    left: int = 0
    feed_messages: int = 0
    gaps: tuple[Gap, ...] = ()
    feed_code: str | None = None
    code: str | None = None
    message: str | None = None

    @property
    def calls(self) -> int:
        """Calls that were answered in some way or given up."""
        return self.accepted + self.rejected + self.missing + self.failed

    @property
    def needs_attention(self) -> bool:
        """Whether a person should look: the account was not pulled as planned, or an answer could not be read."""
        is_feed_failed = self.feed_code not in (None, "busy", "rounds")
        return is_feed_failed or self.code not in (None, *AS_PLANNED) or bool(self.rejected or self.failed)


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What the batches of a run did to the star."""

    responses: int = 0
    changed: int = 0
    rejects: int = 0

    def __add__(self, other: Settled) -> Settled:
        return Settled(
            responses=self.responses + other.responses,
            changed=self.changed + other.changed,
            rejects=self.rejects + other.rejects,
        )


def exit_code(reports: Sequence[AccountReport], rejects: int) -> int:
    """0 done, 1 something needs attention, 2 no account has its secret, 3 another process is asking all of them."""
    codes = {report.code for report in reports}
    for problem in (MissingSecret, LockHeld):
        if codes == {problem.code}:
            return problem.exit_code
    return int(bool(rejects) or any(report.needs_attention for report in reports))


@dataclass
class Journal:
    """What the steps of one run tell each other and whoever started it."""

    run_id: str | None = None
    started_at: datetime | None = None
    taken: Intake = field(default_factory=Intake)
    reports: list[AccountReport] = field(default_factory=list)
    settled: Settled | None = None
    written: set[str] = field(default_factory=set)
    """The tables of which rows were written or removed."""
    orders_read: dict[str, list[int]] | None = None
    landed_read: dict[str, int] | None = None
    """What this run has read of all that was there (`news`); None where it has not looked."""

    def begin(self, now: datetime) -> None:
        """A new run begins; what the last one told is forgotten."""
        self.started_at, self.taken, self.settled = now, Intake(), None
        self.orders_read = self.landed_read = None
        self.reports.clear()
        self.written.clear()

    def enter(self, run_id: str, now: datetime) -> None:
        """A step of this run begins, which may be its first one."""
        if run_id != self.run_id:
            self.run_id = run_id
            self.begin(now)
