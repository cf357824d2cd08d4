"""How pulling one account went, in numbers: counted where the calls are made, told by everybody else as it is."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PullCounts:
    """What came of the pulls of one account. Every pull is in exactly one of the five counts.

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
        """Calls that were answered in some way or given up."""
        return self.accepted + self.rejected + self.missing + self.failed

    def counts(self) -> dict[str, Any]:
        """The counts alone, by their names, whatever else a kind of them tells."""
        return {field.name: getattr(self, field.name) for field in fields(PullCounts)}
