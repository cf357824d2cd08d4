"""The status of one account: its checks, its calls, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from screening_pipeline.base import inert
from screening_pipeline.state.accounts import REFUSALS
from screening_pipeline.webhooks.refusals import refusals

if TYPE_CHECKING:
    from screening_pipeline.base.clock import Clock
    from screening_pipeline.settings.account import Account
    from screening_pipeline.state.interface import Store
    from screening_pipeline.state.pull_queue import PullQueue
    from screening_pipeline.state.rate_limit import Limiter


OVERDUE_AFTER_SECONDS = 60.0
_GAP_TOLD_FOR = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class AccountStatus:
    """The status of one account. Counts are of checks, answers and words; times are UTC; `used` is calls per minute.

    `last_error` is None once an answer could be read after it. `next_due_at` lies in the past where checks wait.
    `open_gaps`: calls of its feed that may have lost something and are not made good; `last_gap_at`: when any was made.
    """

    account: str
    checks: int
    open: int
    due: int
    next_due_at: datetime | None
    oldest_open_seconds: float | None
    used: int
    requests_per_minute: int
    last_error: str | None
    last_error_at: datetime | None
    last_success_at: datetime | None
    stopped_code: str | None
    stopped_at: datetime | None
    silent_seconds: float
    not_found: int
    knows_none: bool
    rejects: int
    unmapped: int
    unconfirmed: int
    hidden_labels: int
    missing_secrets: tuple[str, ...]
    is_overloaded: bool
    states_lost_per_day: float
    states_lost_share: float | None
    refused_pushes: int = 0
    open_gaps: int = 0
    last_gap_at: datetime | None = None
    as_of: datetime

    COLUMNS: ClassVar[Mapping[str, str]] = {
        "account": "account",
        "checks": "checks",
        "open": "open",
        "due": "due",
        "next_due": "next due",
        "oldest": "oldest open",
        "budget": "calls a minute",
        "missed": "states missed",
        "rejects": "rejects",
        "unmapped": "unmapped",
        "trouble": "trouble",
    }

    @property
    def needs_attention(self) -> bool:
        """Whether a person should look at the account."""
        return bool(
            self.is_refused
            or self.knows_none
            or self.missing_secrets
            or self.rejects
            or self.unmapped
            or self.unconfirmed
            or self.is_overloaded
        )

    @property
    def is_refused(self) -> bool:
        """Whether the account was refused, and has not answered since: a run that had nothing to ask tells nothing."""
        return bool(self.stopped_code) or self.last_error in REFUSALS

    def facts(self) -> dict[str, Any]:
        """The status as JSON values."""
        return asdict(self) | {"overdue_seconds": self.overdue_seconds}

    @property
    def overdue_seconds(self) -> float | None:
        """How long the check that waits longest should have been asked for; None where none waits for a minute."""
        if not self.due or self.next_due_at is None:
            return None
        seconds = (self.as_of - self.next_due_at).total_seconds()
        return seconds if seconds >= OVERDUE_AFTER_SECONDS else None

    def words(self) -> dict[str, Any]:
        """The status as table cells for a person, by the keys of COLUMNS."""
        return {
            "account": self.account,
            "checks": self.checks,
            "open": self.open,
            "due": self.due,
            "next_due": self._next_due(),
            "oldest": inert.span(self.oldest_open_seconds),
            "budget": f"{self.used}/{self.requests_per_minute}",
            "missed": None if self.states_lost_share is None else f"{self.states_lost_share:.0%}",
            "rejects": self.rejects,
            "unmapped": self.unmapped,
            "trouble": self._trouble(),
        }

    def _next_due(self) -> str | None:
        if self.overdue_seconds is not None:
            return f"overdue {inert.span(self.overdue_seconds)}"
        if self.due:
            return "now"
        return f"{self.next_due_at:%d %b %H:%M:%S}" if self.next_due_at else None

    def _gap(self) -> str:
        """What is known of calls of the feed that have lost something; a day long also of those that were made good."""
        at, ago = self.last_gap_at, self._ago(self.last_gap_at)
        if self.open_gaps:
            return f"the feed may have lost something{ago}: every open check is to be asked for by its id"
        is_recent = at is not None and self.as_of - at < _GAP_TOLD_FOR
        return f"the feed may have lost something{ago}; every open check was asked for since" if is_recent else ""

    def _ago(self, at: datetime | None) -> str:
        return f", {inert.span(max(0.0, (self.as_of - at).total_seconds()))} ago" if at else ""

    def _trouble(self) -> str:
        """The worst of what is wrong."""
        troubles = (
            (self.missing_secrets, f"unset: {', '.join(self.missing_secrets)}"),
            (self.stopped_code, f"stopped: {self.stopped_code}{self._ago(self.stopped_at)}"),
            (self.is_refused, f"refused: {self.last_error}{self._ago(self.last_error_at)}; `doctor` tries it at once"),
            (self.silent_seconds > 0, f"silent for {self.silent_seconds:.0f} s, as the vendor asked"),
            (self.knows_none, "knows none of the ids it was asked for, see base_url and environment"),
            (self.not_found, f"{self.not_found} ids not found"),
            (self.unconfirmed, f"{self.unconfirmed} with a message nobody can confirm, see ops.mapping_conflict"),
            (self.refused_pushes, f"{self.refused_pushes:,} pushed messages refused today for their proof"),
            (self.is_overloaded, "budget too small: only the likeliest changes are asked for"),
            (self.open_gaps, self._gap()),
            (self.last_error, f"last error: {self.last_error}{self._ago(self.last_error_at)}"),
            (self._gap(), self._gap()),
        )
        return next((words for is_so, words in troubles if is_so), "")


def standing(
    account: Account,
    facts: Mapping[str, Any],
    state: Store,
    pull_queue: PullQueue,
    limiter: Limiter,
    environ: Mapping[str, str],
    clock: Clock,
) -> AccountStatus:
    """The status of an account; `facts` is what the snapshot knows of it, by the names of `account_status`."""
    now = clock.now()
    summary = pull_queue.summary(account.vendor, account.name, now)
    known = state.account(account.vendor, account.name, clock)
    oldest = facts.get("oldest_open_at")
    return AccountStatus(
        account=account.key,
        checks=facts.get("checks", 0),
        open=summary.open,
        due=summary.due if account.polling else 0,
        next_due_at=summary.next_due_at if account.polling else None,
        oldest_open_seconds=(now - oldest).total_seconds() if oldest else None,
        used=limiter.used_last_window(account.vendor, account.name),
        requests_per_minute=account.requests_per_minute,
        last_error=known.present_error,
        last_error_at=known.last_error_at if known.present_error else None,
        last_success_at=known.succeeded_at or known.answered_at,
        stopped_code=known.stopped_code,
        stopped_at=known.stopped_at,
        silent_seconds=known.silent_seconds,
        knows_none=account.polling and known.knows_none,
        not_found=len(state.not_found(account.vendor, account.name)),
        rejects=facts.get("rejects", 0),
        unmapped=facts.get("unmapped", 0),
        unconfirmed=facts.get("unconfirmed", 0),
        hidden_labels=facts.get("hidden_labels", 0),
        missing_secrets=account.missing_secrets(environ),
        is_overloaded=facts.get("is_overloaded", False),
        states_lost_per_day=facts.get("states_lost_per_day", 0.0),
        states_lost_share=facts.get("states_lost_share"),
        refused_pushes=refusals(pull_queue, account.key, now).count,
        open_gaps=facts.get("open_gaps", 0),
        last_gap_at=facts.get("last_gap_at"),
        as_of=now,
    )
