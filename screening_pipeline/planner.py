"""Which open checks to pull next, given age, history, budget and the time. Pure: no clock, no input, no output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from screening_pipeline.planning import priors
from screening_pipeline.planning.calendar import BusinessCalendar
from screening_pipeline.planning.model import GroupKey, Model, Sojourn

if TYPE_CHECKING:
    from screening_pipeline.planning.schedule import OpenColumns, Schedule

__all__ = [
    "Budget",
    "BusinessCalendar",
    "GroupKey",
    "Model",
    "OpenCheck",
    "Plan",
    "PlanOptions",
    "Planned",
    "Sojourn",
    "fast_lane",
    "most_urgent",
    "plan",
    "plan_columns",
]


@dataclass(frozen=True, slots=True)
class OpenCheck:
    """One open check as the warehouse knows it. Terminal checks have no business here.

    `state_since` is the first observation of the present state, or `ordered_at` (else the time the id was announced)
    if that state is the first one seen or none was seen yet. `last_pulled_at` is when the vendor last told its state;
    `retry_at` is set where it was asked in vain since, and not asked again before. All instants are aware.
    """

    check_key: int
    vendor: str
    account: str
    subject: str
    package: str | None
    lifecycle: str
    next_actor: str
    ordered_at: datetime | None
    state_since: datetime
    last_pulled_at: datetime | None
    is_push_fed: bool = False
    is_requested: bool = False
    retry_at: datetime | None = None


@dataclass(frozen=True)
class Budget:
    """What one account may ask: calls per minute, those already used, and whether a feed reports its changes."""

    requests_per_minute: int
    used_last_minute: int = 0
    feed_covered: bool = False


@dataclass(frozen=True)
class PlanOptions:
    """The knobs: `max_lag_seconds` is what a call must be expected to save before it is made.

    Less means fresher and more calls; 0 uses the whole budget.
    `worst_case_hours` overrides the longest wait per vendor, or of all with the key "*".
    """

    max_lag_seconds: float = 30.0
    min_interval_seconds: float = 10.0
    worst_case_hours: Mapping[str, float] = field(default_factory=dict)

    def worst_case_seconds(self, vendor: str, lifecycle: str, subject: str) -> float:
        """Return the longest a check of this kind is left alone while the budget allows."""
        if subject == "subscription":
            return priors.SUBSCRIPTION_SECONDS
        hours = self.worst_case_hours.get(vendor, self.worst_case_hours.get("*"))
        if hours is not None:
            return hours * priors.HOUR
        table = priors.WORST_CASE_SECONDS
        return table.get((vendor, lifecycle)) or table[None, None]

    def first_pull_seconds(self, vendor: str) -> float:
        """Return how long after its order a check that was never seen is first looked at, at the latest."""
        return priors.FIRST_PULL_SECONDS.get(vendor, 30 * priors.MINUTE)


@dataclass(frozen=True, slots=True)
class Planned:
    """When one check is pulled next, and why, in words."""

    check_key: int
    next_pull_at: datetime
    reason: str


@dataclass(frozen=True)
class Plan:
    """The next pull of every open check of one account, most urgent first.

    `calls_needed_per_minute` is what the plan would use with no limit; `changes_per_minute` how many changes are
    expected to happen; `states_lost_per_day` how many states come and go between two pulls.
    """

    schedule: Schedule
    now: datetime

    @cached_property
    def planned(self) -> tuple[Planned, ...]:
        """All checks, most urgent first."""
        return tuple(self.first(len(self.schedule.check_key)))

    def first(self, count: int) -> Iterator[Planned]:
        """Iterate over the most urgent checks."""
        from screening_pipeline.planning.wording import reason_of

        table = self.schedule
        columns = (table.check_key, table.next_pull, table.reason, table.chance, table.waited)
        for key, seconds, code, chance, waited in zip(*(c[:count].tolist() for c in columns), strict=True):
            words = reason_of(code, chance, waited, is_overloaded=table.is_overloaded)
            yield Planned(key, datetime.fromtimestamp(seconds, UTC), words)

    @property
    def due_keys(self) -> list[int]:
        """Keys of the checks due now, most urgent first."""
        return self.schedule.check_key[: self.schedule.due].tolist()

    @property
    def due(self) -> int:
        """How many checks are due now."""
        return self.schedule.due

    @property
    def next_due_at(self) -> datetime | None:
        """When the next pull is planned; None if nothing is open."""
        times = self.schedule.next_pull
        return datetime.fromtimestamp(float(times.min()), UTC) if len(times) else None

    @property
    def is_overloaded(self) -> bool:
        """Whether the budget cannot see the changes that are expected, so that only the likeliest are asked for."""
        return self.schedule.is_overloaded

    @property
    def calls_needed_per_minute(self) -> float:
        """Calls per minute that the plan would make with no limit."""
        return self.schedule.calls_needed_per_minute

    @property
    def lag_in_force(self) -> float:
        """Expected lag in seconds that makes a check due: the configured one, or more where the budget is short."""
        return self.schedule.lag_in_force

    @property
    def changes_per_minute(self) -> float:
        """Changes per minute expected in the long run."""
        return self.schedule.changes_per_minute

    @property
    def states_lost_per_day(self) -> float:
        """States per day that no pull will show."""
        return self.schedule.states_lost_per_day


def plan(
    checks: Sequence[OpenCheck],
    *,
    model: Model,
    budget: Budget,
    calendar: BusinessCalendar,
    now: datetime,
    options: PlanOptions | None = None,
) -> Plan:
    """Plan the next pull of every open check of one account."""
    from screening_pipeline.planning.schedule import columns_of

    options = options or PlanOptions()
    columns = columns_of(checks, model, options)
    return plan_columns(columns, model=model, budget=budget, calendar=calendar, now=now, options=options)


def plan_columns(
    columns: OpenColumns,
    *,
    model: Model,
    budget: Budget,
    calendar: BusinessCalendar,
    now: datetime,
    options: PlanOptions | None = None,
) -> Plan:
    """Do the same from columns (numpy arrays), for many checks."""
    from screening_pipeline.planning.schedule import schedule

    return Plan(schedule(columns, model, budget, calendar, now.timestamp(), options or PlanOptions()), now)


def most_urgent(
    columns: OpenColumns,
    count: int,
    *,
    model: Model,
    budget: Budget,
    calendar: BusinessCalendar,
    now: datetime,
    options: PlanOptions | None = None,
    lag_in_force: float | None = None,
) -> list[int]:
    """Return the keys of at most `count` checks due now, most urgent first, for a fraction of a plan's work.

    `lag_in_force` is that of the last plan; without it, it is worked out again.
    """
    from screening_pipeline.planning.schedule import urgent_keys, weigh

    options = options or PlanOptions()
    weighed = weigh(columns, model, budget, calendar, now.timestamp(), options, lag_in_force)
    return urgent_keys(columns, weighed, count).tolist()


def fast_lane(
    columns: OpenColumns,
    *,
    model: Model,
    budget: Budget,
    calendar: BusinessCalendar,
    now: datetime,
    options: PlanOptions | None = None,
    lag_in_force: float | None = None,
) -> dict[int, float]:
    """Return when (seconds since 1970) to pull the checks whose state is young and known to be quick: seconds count.

    All others are absent: for them a look a minute is enough.
    """
    from screening_pipeline.planning.schedule import lane_times

    options = options or PlanOptions()
    keys, times = lane_times(columns, model, budget, calendar, now.timestamp(), options, lag_in_force)
    return dict(zip(keys.tolist(), times.tolist(), strict=True))
