"""Records of a destructive feed: write-ahead intent, gap, result of draining."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from screening_pipeline.domain.exchange import LandingReceipt


@dataclass(frozen=True, kw_only=True)
class FeedLimits:
    """Limits of draining: calls in one drain, seconds for one call, bytes of one body."""

    calls: int = 20
    deadline: float = 30.0
    body_bytes: int = 10_000_000


DEFAULT_LIMITS = FeedLimits()


@dataclass(frozen=True, kw_only=True)
class CallIntent:
    """The write-ahead intent of a feed call: on disk before the call is made."""

    id: str
    endpoint: str
    run_id: str
    requested_at: datetime


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A feed call whose answer may be lost, wholly or in part. `salvaged`: messages of it that arrived all the same."""

    id: str
    vendor: str
    account: str
    requested_at: datetime
    reason: str
    salvaged: int = 0


@dataclass(frozen=True, kw_only=True)
class DrainResult:
    """The result of draining a feed. Counts include calls of earlier runs that were landed now.

    `is_empty`: the vendor said that nothing waits. Otherwise `code` says why it ended: `busy` (another
    process drains), `rounds` (too many calls), `not_sent`, a VendorError's code, a reject or failure code.
    `gaps`: all that are on record for the account, also from earlier runs: ask for every open check by its
    id, then acknowledge them. `told`: (subject, check id) of every check that was spoken of.
    """

    calls: int = 0
    messages: int = 0
    is_empty: bool = False
    code: str | None = None
    gaps: tuple[Gap, ...] = ()
    told: frozenset[tuple[str, str]] = frozenset()

    @property
    def is_in_doubt(self) -> bool:
        """Whether gaps are on record, so that every open check is to be pulled by id."""
        return bool(self.gaps)


def packed(value: Any) -> bytes:
    """A record, or a mapping, as it is written down."""
    found = value if isinstance(value, dict) else asdict(value)
    return json.dumps(found, default=datetime.isoformat).encode()


def read(path: Path) -> dict[str, Any]:
    """The members of what was written down, instants as such."""
    return unpacked(path.read_bytes())


def unpacked(told: bytes) -> dict[str, Any]:
    """The members of a record."""
    found: dict[str, Any] = json.loads(told)
    for name in ("requested_at", "received_at"):
        if name in found:
            found[name] = datetime.fromisoformat(found[name])
    return found


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What came of one call, once it was landed."""

    http_status: int | None
    headers: Mapping[str, str]
    landed: LandingReceipt
    gap: Gap | None

    @property
    def code(self) -> str | None:
        """Why draining cannot go on after this answer, or None."""
        if self.gap is not None:
            return self.gap.reason
        if self.landed.is_accepted:
            return None
        return self.landed.failure or self.landed.reject or f"http_{self.http_status}"

    def onto(self, drained: DrainResult) -> DrainResult:
        """What a drain has brought, with this call."""
        messages = drained.messages + self.landed.message_count
        told = drained.told | self.landed.told
        return replace(drained, calls=drained.calls + 1, messages=messages, told=told)
