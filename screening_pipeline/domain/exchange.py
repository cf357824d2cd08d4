"""HTTP exchanges: the request and its response, as the client hands them to the landing area."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime


def new_response_id(received_at: datetime, monotonic_seconds: float) -> str:
    """A new response id; ids sort in order of receipt, also under a frozen clock."""
    ticks = int(monotonic_seconds * 1_000_000_000)
    told = received_at.isoformat(timespec="microseconds")[:26].translate(_BARE)  # strftime takes ten times as long
    return f"{told}Z-{ticks:016x}-{secrets.token_hex(4)}"


def instant_of(response_id: str) -> datetime:
    """When what has this id was received."""
    return datetime.strptime(response_id.partition("Z")[0], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)


_BARE = str.maketrans("", "", "-:.")


@dataclass(frozen=True, kw_only=True)
class HttpExchange:
    """One HTTP call or one received webhook. `http_status` is None where no answer came; `failure` says why.

    `received_at` is when the last byte arrived (or the attempt was given up). The body is as received and may
    hold people's data: it is kept out of the repr.
    """

    response_id: str
    vendor: str
    account: str
    endpoint: str
    channel: str  # "pull" | "feed" | "push"
    requested_at: datetime
    received_at: datetime
    run_id: str
    subject: str | None = None
    check_id: str | None = None
    http_status: int | None = None
    failure: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    latency_ms: int = 0
    due_at: datetime | None = None

    @property
    def is_success(self) -> bool:
        """Whether the call was answered with a 2xx."""
        return self.failure is None and self.http_status is not None and 200 <= self.http_status < 300


@dataclass(frozen=True, kw_only=True)
class LandingReceipt:
    """The receipt of a landed exchange: its outcome and the checks it mentions. `reject` is a code, never a value."""

    response_id: str
    http_status: int | None
    failure: str | None = None
    reject: str | None = None
    message_count: int = 0
    told: frozenset[tuple[str, str]] = frozenset()
    """(subject, check id) of every check it speaks of."""

    @property
    def is_accepted(self) -> bool:
        """Whether its body could be believed (no reject, a 2xx)."""
        is_read = self.failure is None and self.reject is None
        return is_read and self.http_status is not None and 200 <= self.http_status < 300
