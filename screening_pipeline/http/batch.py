"""A batch of pulls of one account, made concurrently within its rate limit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from screening_pipeline.domain.exchange import LandingReceipt
from screening_pipeline.domain.pull_counts import PullCounts
from screening_pipeline.settings.account import Account


@dataclass(frozen=True, kw_only=True)
class Pull:
    """One pull of a check. `endpoint` is a name; None: the vendor's call for that subject."""

    subject: str
    check_id: str
    endpoint: str | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class AccountOutcome(PullCounts):
    """The outcome of a batch of pulls: counts, and the pulls not settled.

    `left_pulls` are those that were not settled, in the order given (not always the last ones).
    `retry_after_seconds` is set with `rate_limited`.
    """

    left_pulls: tuple[Pull, ...] = ()
    retry_after_seconds: float | None = None


class Batch:
    """The state of a batch: its pulls, the outcome so far, and why it ended early if it did."""

    def __init__(self, pulls: list[Pull], until: float | None) -> None:
        self.pulls = pulls
        self.until = until
        self.kinds: dict[int, str] = {}
        self.not_offered: dict[str, str] = {}
        self._place = 0
        self._code: str | None = None
        self._retry_after: float | None = None

    def next(self, running: float) -> int | None:
        """The index of the next pull to start; None when the batch has ended."""
        if self.until is not None and running >= self.until and self._place < len(self.pulls):
            self.end("deadline")
        if self._code is not None or self._place == len(self.pulls):
            return None
        self._place += 1
        return self._place - 1

    def end(self, code: str, retry_after: float | None = None) -> None:
        """End the batch early: no further pull is started; the first reason is kept."""
        if self._code is None:
            self._code, self._retry_after = code, retry_after

    def outcome(self, account: Account) -> AccountOutcome:
        """The outcome of the batch for this account."""
        left = tuple(p for place, p in enumerate(self.pulls) if place not in self.kinds)
        return AccountOutcome(
            vendor=account.vendor,
            account=account.name,
            left=len(left),
            left_pulls=left,
            code=self._code or next(iter(self.not_offered.values()), None),
            retry_after_seconds=self._retry_after,
            **Counter(self.kinds.values()),
        )


def kind_of(landed: LandingReceipt) -> str:
    """The name of the count of `AccountOutcome` that an answer belongs to."""
    if landed.is_accepted:
        return "accepted"
    if landed.reject is not None:
        return "rejected"
    return "missing" if landed.http_status == 404 else "failed"
