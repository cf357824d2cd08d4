"""Inputs of a plan: open checks, an account's call budget, options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from screening_pipeline.domain.vocabulary import ONGOING
from screening_pipeline.planning import priors


@dataclass(frozen=True, slots=True)
class OpenCheck:
    """One open check as the warehouse knows it; terminal checks are not planned.

    `state_since` is the first observation of the present state, or `ordered_at` (else the time the id was announced)
    if that state is the first one seen or none was seen yet. `last_pulled_at` is when the vendor last told its state;
    `retry_at` is set where it was asked in vain since, and not asked again before. All instants are aware.
    `wait_seconds` is set where the calendar says how long to wait, and not the chance of news.
    """

    check_key: int
    vendor: str
    account: str
    subject: str
    package: str | None
    lifecycle: str
    ordered_at: datetime | None
    state_since: datetime
    last_pulled_at: datetime | None
    is_push_fed: bool = False
    is_requested: bool = False
    retry_at: datetime | None = None
    wait_seconds: float | None = None


@dataclass(frozen=True)
class Budget:
    """An account's call budget: calls per minute, those already used, and whether a feed reports its changes."""

    requests_per_minute: int
    used_last_minute: int = 0
    feed_covered: bool = False


@dataclass(frozen=True)
class PlanOptions:
    """Options of a plan: `max_lag_seconds` is the expected lag that a call must save to be made.

    Less means fresher and more calls; 0 uses the whole budget.
    `worst_case_hours` overrides the longest wait per vendor, or of all with the key "*".
    """

    max_lag_seconds: float = 30.0
    min_interval_seconds: float = 10.0
    worst_case_hours: Mapping[str, float] = field(default_factory=dict)

    def worst_case_seconds(self, vendor: str, subject: str) -> float:
        """Return the longest interval between two pulls of a check of this kind, in seconds, budget permitting."""
        if subject in ONGOING:
            return priors.SUBSCRIPTION_SECONDS
        hours = self.worst_case_hours.get(vendor, self.worst_case_hours.get("*"))
        return priors.WORST_CASE_SECONDS if hours is None else hours * priors.HOUR
