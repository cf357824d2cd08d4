"""Outcome counts of pulling one account."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PullCounts:
    """Outcome counts of pulling one account; every pull is in exactly one of the five counts.

    `left` were not settled. `code` says why pulling ended early (None: it did not): a VendorError's, or `deadline`.
    """

    vendor: str
    account: str
    accepted: int = 0
    rejected: int = 0
    missing: int = 0
    failed: int = 0
    left: int = 0
    code: str | None = None

    @property
    def calls(self) -> int:
        """HTTP calls made: answered in any way, or given up."""
        return self.accepted + self.rejected + self.missing + self.failed

    def counts(self) -> dict[str, Any]:
        """The counts by name, without the further fields of subclasses."""
        return {field.name: getattr(self, field.name) for field in fields(PullCounts)}
