"""From due times to a plan: priorities, what the budget allows, and the states expected to be missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from screening_pipeline.planning import priors
from screening_pipeline.planning.calendar import BusinessCalendar
from screening_pipeline.planning.columns import CHANCE, IN_VAIN, NEW, REQUESTED, WORST_CASE
from screening_pipeline.planning.model import Model
from screening_pipeline.planning.rule import Waiting
from screening_pipeline.planning.standing import Standing
from screening_pipeline.planning.weighing import first_sight, weigh

if TYPE_CHECKING:
    from screening_pipeline.planning.columns import Flags, Floats, Indexes, OpenColumns
    from screening_pipeline.planning.inputs import Budget, PlanOptions
    from screening_pipeline.planning.weighing import Load, Weighed


LONGEST = 14 * priors.DAY


@dataclass(frozen=True)
class Schedule:
    """The plan as columns, most urgent first."""

    check_key: Indexes
    next_pull: Floats
    chance: Floats
    reason: Indexes
    waited: Floats
    due: int
    is_overloaded: bool
    calls_needed_per_minute: float
    changes_per_minute: float
    states_lost_per_day: float
    lag_in_force: float
    standing: Standing


def schedule(
    columns: OpenColumns,
    model: Model,
    budget: Budget,
    calendar: BusinessCalendar,
    now: float,
    options: PlanOptions,
    standing: Standing | None = None,
) -> Schedule:
    """Plan the next pull of every open check of one account, or of some, in the `standing` that the whole has left."""
    weighed = weigh(columns, model, budget, calendar, now, options, standing=standing)
    waiting, load = weighed.waiting, weighed.load
    wanted = np.where(weighed.is_due, now, _wanted(columns, weighed, options, budget, now))
    wanted = np.fmax(np.maximum(wanted, now), columns.retry)
    order = _order(columns, wanted, weighed)
    at_once = max(0, budget.requests_per_minute - budget.used_last_minute)
    next_pull = _spend(wanted[order], now, load.rate, at_once)
    if standing is not None:
        next_pull = np.where(weighed.is_due[order], next_pull, np.maximum(next_pull, standing.got(wanted[order])))
    expected = waiting.expect(np.maximum(waiting.since, _scattered(order, next_pull)))
    wait = np.maximum(wanted - waiting.since, columns.least_wait)
    return Schedule(
        check_key=columns.check_key[order],
        next_pull=next_pull,
        chance=expected.chance[order],
        reason=_reasons(columns, weighed, _scattered(order, next_pull), now)[order],
        waited=(next_pull - waiting.since[order]),
        due=int(np.count_nonzero(weighed.is_due)),
        is_overloaded=load.is_overloaded,
        calls_needed_per_minute=float(np.sum(60.0 / wait)),
        changes_per_minute=load.changes * 60.0,
        lag_in_force=load.lag,
        states_lost_per_day=_lost(waiting, columns, wait, load.rate),
        standing=standing or _standing(load, wanted[order], next_pull, weighed.is_due[order]),
    )


def _standing(load: Load, wanted: Floats, next_pull: Floats, is_due: Flags) -> Standing:
    """What this plan of a whole account leaves. Its line is of what is not due, after what is."""
    account = Standing(len(wanted), load.changes, load.lag, load.is_overloaded)
    in_line = ~is_due
    if not in_line.any():
        in_line[-1:] = True
    return account.in_line(wanted[in_line], next_pull[in_line])


def _wanted(columns: OpenColumns, weighed: Weighed, options: PlanOptions, budget: Budget, now: float) -> Floats:
    """Return when each check should be pulled if calls cost only their price."""
    waiting = weighed.waiting
    longest = np.minimum(weighed.load.longest, LONGEST)
    wanted = np.full(len(columns), now)
    later = np.flatnonzero(~weighed.is_due)
    soonest = np.maximum(waiting.since + columns.least_wait, now)[later]
    wanted[later] = waiting.taken(later).reach(options.max_lag_seconds, longest[later], soonest)
    wanted = np.where(np.isnan(weighed.fast), wanted, weighed.fast)
    return np.minimum(wanted, first_sight(columns, weighed.fast, budget))


def _order(columns: OpenColumns, wanted: Floats, weighed: Weighed) -> Indexes:
    """Order: requested, then due by worth, then the others by time; equals by key."""
    first = np.where(weighed.is_due, np.where(columns.is_requested, 0, 1), 2)
    second = np.where(weighed.is_due, -weighed.worth, wanted)
    return np.lexsort((columns.check_key, second, first))


def _spend(wanted: Floats, now: float, rate: float, at_once: int) -> Floats:
    """Give each check in turn the first call that the budget leaves, never before it is wanted."""
    if not len(wanted):
        return wanted
    position = np.arange(len(wanted)) / rate
    queued = np.maximum.accumulate(wanted - position) + position - max(at_once - 1, 0) / rate
    return np.maximum(queued, np.maximum(wanted, now))


def _scattered(order: Indexes, values: Floats) -> Floats:
    back = np.empty_like(values)
    back[order] = values
    return back


def _reasons(columns: OpenColumns, weighed: Weighed, next_pull: Floats, now: float) -> Indexes:
    reason = np.full(len(columns), CHANCE)
    reason[next_pull - weighed.waiting.since >= 0.999 * weighed.load.longest] = WORST_CASE
    reason[np.isnan(columns.last_pulled)] = NEW
    reason[columns.is_requested] = REQUESTED
    reason[(columns.retry > now) & (next_pull <= columns.retry)] = IN_VAIN
    return reason


def _lost(waiting: Waiting, columns: OpenColumns, wait: Floats, rate: float) -> float:
    """Return how many states per day come and go between two pulls at the pace the budget allows."""
    stretch = max(1.0, float(np.sum(1.0 / wait)) / rate)
    expected = wait * stretch / waiting.tables.mean_seconds[columns.group]
    unseen = expected - -np.expm1(-expected)
    return float(np.sum(unseen * waiting.tables.followed[columns.group] / (wait * stretch)) * priors.DAY)
