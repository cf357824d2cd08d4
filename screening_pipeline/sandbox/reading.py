"""What the sandbox can make of an answer: the vendor's own words, and the canonical state that they mean."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """The vendor's own words on five axes; None where it says nothing."""

    status: str | None = None
    status_detail: str | None = None
    result: str | None = None
    adjudication: str | None = None
    dispute: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """The canonical state. `is_released` is false while a referral, or a form's E-Verify case, is undecided."""

    lifecycle: str
    next_actor: str
    result: str = "none"
    adjudication: str = "not_exposed"
    dispute: str = "none"
    is_released: bool = True

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to ask for."""
        if self.lifecycle in {"canceled", "expired", "declined"}:
            return True
        is_decided = self.adjudication not in {"pending", "pre_adverse", "unknown"} and self.dispute != "open"
        has_result = self.result != "none" and self.is_released
        return self.lifecycle == "completed" and has_result and is_decided

    @property
    def is_complete(self) -> bool:
        """Whether the vendor has done its part."""
        return self.lifecycle == "completed" and self.is_released
