"""The shared state of an account: silence, stop (open circuit), outage, unknown ids."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

NOT_FOUND_AFTER = 5


# An account under review, or whose credential was refused, is not asked again every half minute; nor is a vendor whom
# nobody reaches.
STOPPED_FOR = timedelta(minutes=15)
OUTAGE_FOR = timedelta(minutes=5)
# The vendor refuses the account, and not a call.
REFUSALS = ("unauthorized", "forbidden")
OUTAGES = ("unreachable", "token_unavailable", "token_unreadable")


@dataclass(frozen=True)
class AccountState:
    """The runtime state of one account, shared by all processes; instants are aware, in UTC.

    `silent_seconds` is what is left of a silence (0.0: none). `stopped_code` is set while the account is not
    to be asked. `no_polling_at` is set where the vendor seems to offer no polling, `answered_at` where it
    did answer for an id, `succeeded_at` where any answer of it could be read, a list's or a feed's as well.
    """

    vendor: str
    account: str
    silent_seconds: float = 0.0
    silent_until: datetime | None = None
    stopped_code: str | None = None
    stopped_at: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None
    no_polling_at: datetime | None = None
    answered_at: datetime | None = None
    succeeded_at: datetime | None = None

    @property
    def present_error(self) -> str | None:
        """The last error, unless an answer could be read since. Of two at the same instant the error counts."""
        if self.last_error_at is None or self.succeeded_at is None or self.last_error_at >= self.succeeded_at:
            return self.last_error
        return None

    @property
    def knows_none(self) -> bool:
        """Whether every id asked so far was answered with 404 or "polling not offered"."""
        return self.no_polling_at is not None

    def reason_to_wait(self, now: datetime) -> str | None:
        """The reason not to pull the account now (silence, stop, outage), in words; None if there is none."""
        if self.silent_seconds > 0:
            return f"silent for {self.silent_seconds:.0f} s, as the vendor asked"
        if self.stopped_code and self.stopped_at and abs(now - self.stopped_at) < STOPPED_FOR:
            return f"stopped: {self.stopped_code}"
        if self.last_error in OUTAGES and self.last_error_at and abs(now - self.last_error_at) < OUTAGE_FOR:
            has_answered = self.answered_at is not None and self.answered_at > self.last_error_at
            return None if has_answered else f"vendor not available: {self.last_error}"
        return None


@dataclass(frozen=True)
class Missing:
    """An id that the vendor answered with 404, `times` in a row."""

    vendor: str
    account: str
    subject: str
    check_id: str
    times: int
