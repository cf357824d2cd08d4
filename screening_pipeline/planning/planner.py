"""The planner: the next pull of each open check, from age, history, budget and the time. Pure, without a clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from screening_pipeline.planning.calendar import BusinessCalendar
from screening_pipeline.planning.inputs import PlanOptions
from screening_pipeline.planning.model import Model

if TYPE_CHECKING:
    from screening_pipeline.planning.columns import OpenColumns
    from screening_pipeline.planning.inputs import Budget, OpenCheck
    from screening_pipeline.planning.schedule import Schedule
    from screening_pipeline.planning.standing import Standing


@dataclass(frozen=True, slots=True)
class Planned:
    """The planned pull of one check: when it is due, and the reason in words."""

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
        """The planned pulls of all checks, most urgent first."""
        return tuple(self.first(len(self.schedule.check_key)))

    def first(self, count: int) -> Iterator[Planned]:
        """Iterate over the planned pulls of the most urgent checks."""
        table = self.schedule
        columns = (table.check_key[:count].tolist(), table.next_pull[:count].tolist(), self.reasons(count))
        for key, seconds, words in zip(*columns, strict=True):
            yield Planned(key, datetime.fromtimestamp(seconds, UTC), words)

    def reasons(self, count: int | None = None) -> list[str]:
        """The reasons in words, of the most urgent checks first; None means of all."""
        from screening_pipeline.planning.wording import reasons_of

        table = self.schedule
        columns = (table.reason[:count], table.chance[:count], table.waited[:count])
        return reasons_of(*columns, is_overloaded=table.is_overloaded)

    @property
    def due_keys(self) -> list[int]:
        """Keys of the checks due now, most urgent first."""
        return self.schedule.check_key[: self.schedule.due].tolist()

    @property
    def due(self) -> int:
        """The number of checks due now."""
        return self.schedule.due

    @property
    def next_due_at(self) -> datetime | None:
        """When the next pull is planned; None if nothing is open."""
        times = self.schedule.next_pull
        return datetime.fromtimestamp(float(times.min()), UTC) if len(times) else None

    @property
    def is_overloaded(self) -> bool:
        """Whether the budget is too small for the expected changes, so that only the likeliest are pulled."""
        return self.schedule.is_overloaded

    @property
    def calls_needed_per_minute(self) -> float:
        """Calls per minute that the plan would make without a rate limit."""
        return self.schedule.calls_needed_per_minute

    @property
    def lag_in_force(self) -> float:
        """The price of a call: the expected lag (seconds) that makes a check due; rises when budget is short."""
        return self.schedule.lag_in_force

    @property
    def changes_per_minute(self) -> float:
        """Changes per minute expected in the long run."""
        return self.schedule.changes_per_minute

    @property
    def states_lost_per_day(self) -> float:
        """States per day expected to begin and end between two pulls, unseen."""
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
    from screening_pipeline.planning.columns import columns_of

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
    standing: Standing | None = None,
) -> Plan:
    """The same as `plan`, from numpy columns, for many checks; for some of them, with what the whole has left."""
    from screening_pipeline.planning.schedule import schedule

    options = options or PlanOptions()
    return Plan(schedule(columns, model, budget, calendar, now.timestamp(), options, standing), now)
