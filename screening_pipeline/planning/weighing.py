"""The value of a pull against the price of a call, within the account's budget."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import floor
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from screening_pipeline.planning import priors
from screening_pipeline.planning.calendar import BusinessCalendar
from screening_pipeline.planning.fastlane import STEP, next_ages
from screening_pipeline.planning.histogram import GroupKey
from screening_pipeline.planning.model import Model
from screening_pipeline.planning.rule import Tables, Waiting
from screening_pipeline.planning.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from screening_pipeline.planning.columns import Flags, Floats, Indexes, OpenColumns
    from screening_pipeline.planning.inputs import Budget, PlanOptions
    from screening_pipeline.planning.standing import Standing


_T = TypeVar("_T")

HISTORY = 100 * priors.DAY
HORIZON = 15 * priors.DAY


PUSH_MISSES = 0.05
"""Share of the changes of a push-fed check that a lost or late push leaves to be found by asking."""
FEED_MISSES = 0.02
RECONCILE_SHARE = 0.01
"""Share of the budget that asking by id may take where a feed reports every change."""
OVERLOAD = 0.7
"""Changes per call allowed from which on the load cannot be seen: good plans too need several calls per change."""
NEARLY_SURE = 0.75
SAMPLE = 1_000
LOWEST_PRICE, HIGHEST_PRICE, PRICE_HALVINGS = 0.05, 1e6, 11
AHEAD = 1e12
PRICE_STEP = 1.3


CACHED, LANES_CACHED = 32, 1024
"""Look-up tables kept per model: a few accounts and days; and fast lanes, which take some kilobytes each."""


@dataclass(frozen=True)
class Load:
    """The load of an account's open checks on its budget."""

    rate: float  # calls per second
    changes: float  # expected per second
    longest: Floats  # seconds each check may wait
    lag: float  # what a call must be expected to save, in seconds
    is_overloaded: bool


@dataclass(frozen=True)
class Weighed:
    """The evaluation of all open checks of an account at one instant, before due times are assigned."""

    waiting: Waiting
    load: Load
    fast: Floats
    is_due: Flags
    worth: Floats


def weigh(
    columns: OpenColumns,
    model: Model,
    budget: Budget,
    calendar: BusinessCalendar,
    now: float,
    options: PlanOptions,
    price: float | None = None,
    standing: Standing | None = None,
) -> Weighed:
    """Evaluate which checks are due, and what a pull of each is worth (`price`: lag in force of the last plan).

    `standing`: what the whole account's plan has left, where these are a few of its checks.
    """
    waiting = _waiting(columns, model, budget, calendar, now)
    if standing is None:
        load = _load(columns, waiting, budget, now, options, price)
    else:
        load = _load_of(standing, columns, budget, now)
    fast = _fast(columns, waiting, model, load, options)
    expected = waiting.expect(np.maximum(waiting.since, now))
    is_late = now >= np.minimum(waiting.since + load.longest, first_sight(columns, fast, budget))
    threshold = load.lag if budget.feed_covered else options.max_lag_seconds
    is_worth = np.where(np.isnan(fast), expected.urgency >= threshold, fast <= now)
    is_free = now - waiting.since >= columns.least_wait
    is_due = (columns.is_requested | is_late | (is_worth & is_free)) & ~(columns.retry > now)
    if load.is_overloaded:
        worth = _worth_in_overload(expected.chance, waiting.since)
    else:
        # The fast lane counts in seconds, the rest in hours: it goes first, or it is none.
        worth = expected.worth + np.where(np.isnan(fast), 0.0, AHEAD)
    return Weighed(waiting, load, fast, is_due, worth)


def _waiting(columns: OpenColumns, model: Model, budget: Budget, calendar: BusinessCalendar, now: float) -> Waiting:
    tables, timeline, clocks = _prepared(model, columns.groups, calendar, now)
    since = np.where(np.isnan(columns.last_pulled), columns.entered, columns.last_pulled)
    since = np.minimum(since, now)
    thinning = np.where(columns.is_push_fed, PUSH_MISSES, FEED_MISSES if budget.feed_covered else 1.0)
    return Waiting(
        tables, timeline, columns.group, clocks[columns.group], np.minimum(columns.entered, since), since, thinning
    )


def _prepared(
    model: Model, groups: tuple[GroupKey, ...], calendar: BusinessCalendar, now: float
) -> tuple[Tables, Timeline, Indexes]:
    """Return the look-up tables of the groups and of the days around `now`, made once per model and day."""
    today = now // priors.DAY * priors.DAY
    key = (groups, calendar, today)

    def made() -> tuple[Tables, Timeline, Indexes]:
        states = sorted({group[:2] for group in groups})
        paces = [model.pace(*state) for state in states] or [priors.NEUTRAL_PACE]
        clocks = np.array([states.index(group[:2]) for group in groups], dtype=np.int64)
        timeline = Timeline(calendar, paces, today - HISTORY, today + HORIZON)
        return Tables(model, groups), timeline, clocks

    return _kept(model.cache, key, CACHED, made)


def _kept(cache: dict[object, _T], key: object, most: int, make: Callable[[], _T]) -> _T:
    """Return what was made before under this key, else make it; a cache that is full begins anew."""
    if key in cache:
        return cache[key]
    made = make()
    if len(cache) >= most:
        cache.clear()
    cache[key] = made
    return made


def _load(
    columns: OpenColumns, waiting: Waiting, budget: Budget, now: float, options: PlanOptions, price: float | None
) -> Load:
    rate = _rate(budget)
    longest = _longest(columns, now, rate, len(columns))
    changes = float(np.sum(1.0 / waiting.tables.mean_seconds[columns.group]))
    is_overloaded = not budget.feed_covered and changes > OVERLOAD * rate
    least = options.max_lag_seconds
    price = _price(columns, waiting, longest, now, rate, least) if price is None else price
    return Load(rate, changes, longest, max(least, price), is_overloaded)


def _load_of(standing: Standing, columns: OpenColumns, budget: Budget, now: float) -> Load:
    rate = _rate(budget)
    longest = _longest(columns, now, rate, standing.checks)
    return Load(rate, standing.changes, longest, standing.lag, standing.is_overloaded)


def _rate(budget: Budget) -> float:
    """Return the calls per second that asking by id may use."""
    share = RECONCILE_SHARE if budget.feed_covered else 1.0
    return max(budget.requests_per_minute, 1) * share / 60.0


def _longest(columns: OpenColumns, now: float, rate: float, count: int) -> Floats:
    """Return the longest wait of each check: its worst case, unless the budget cannot keep it for all."""
    is_stale = now - columns.entered > priors.STALE_AFTER_SECONDS
    wanted = np.where(is_stale, np.maximum(columns.worst_case, priors.STALE_SECONDS), columns.worst_case)
    return np.maximum(wanted, 2.0 * count / rate)


def first_sight(columns: OpenColumns, fast: Floats, budget: Budget) -> Floats:
    """Return until when a check that was never pulled should be.

    One that nobody has ever seen is due at once, whatever its age. Of one that pushes told of, a fast lane knows
    better, and a feed is faster.
    """
    is_unpulled = np.isnan(columns.last_pulled)
    is_told = is_unpulled & columns.is_push_fed & np.isnan(fast) & (not budget.feed_covered)
    until = np.where(is_told, columns.entered + columns.first_pull, np.inf)
    return np.where(is_unpulled & ~columns.is_push_fed, -np.inf, until)


def _fast(columns: OpenColumns, waiting: Waiting, model: Model, load: Load, options: PlanOptions) -> Floats:
    """Return when the fast lane asks next; NaN for checks that are not in it (any more)."""
    when = np.full(len(columns), np.nan)
    # Where a feed or pushes tell of changes, no fast lane is faster.
    young = waiting.young[waiting.thinning[waiting.young] == 1.0]
    lag = PRICE_STEP ** round(np.log(max(load.lag, 1.0)) / np.log(PRICE_STEP))
    shortest = options.min_interval_seconds
    for group in np.unique(columns.group[young]).tolist():
        key = (columns.groups[group], lag, load.is_overloaded, shortest)
        lane = partial(next_ages, waiting.tables, group, lag, is_scarce=load.is_overloaded, shortest=shortest)
        ages = _kept(model.lanes, key, LANES_CACHED, lane)
        if ages is not None:
            chosen = young[columns.group[young] == group]
            node = np.ceil((waiting.since[chosen] - columns.entered[chosen]) / STEP - 1e-6).astype(np.int64)
            when[chosen] = columns.entered[chosen] + ages[np.clip(node, 0, len(ages) - 1)]
    return np.where(np.isinf(when), np.nan, when)


def _price(columns: OpenColumns, waiting: Waiting, longest: Floats, now: float, rate: float, least: float) -> float:
    """Return the expected lag per call at which the budget is just enough, judged by a sample of the checks.

    That it is no more than `least` is found at once, which is the rule where the budget is no matter.
    """
    count = len(columns)
    if not count:
        return 0.0
    sample = np.unique(np.linspace(0, count - 1, min(count, SAMPLE)).astype(np.int64))
    start = np.full(len(sample), now)
    fresh = waiting.taken(sample, start)
    start = start + columns.least_wait[sample]

    def is_enough(price: float) -> bool:
        wait = fresh.reach(price, longest[sample], start) - now
        return float(np.mean(1.0 / wait)) * count <= rate

    if least > LOWEST_PRICE and is_enough(_step_below(least)):
        return 0.0
    low, high = LOWEST_PRICE, HIGHEST_PRICE
    for _ in range(PRICE_HALVINGS):
        price = (low * high) ** 0.5
        low, high = (low, price) if is_enough(price) else (price, high)
    return high if high > 2 * LOWEST_PRICE else 0.0


def _step_below(price: float) -> float:
    """Return the highest price up to this one that the search could end with."""
    steps: int = 2**PRICE_HALVINGS
    whole = float(np.log(HIGHEST_PRICE / LOWEST_PRICE))
    below = floor(steps * float(np.log(price / LOWEST_PRICE)) / whole)
    return float(LOWEST_PRICE * np.exp(whole * below / steps))


def _worth_in_overload(chance: Floats, since: Floats) -> Floats:
    """Rank by the chance that a call shows a change; among equals the freshest, whose news is worth most.

    What is nearly sure counts alike: a high chance estimated of old checks is never as sure as it looks.
    """
    bucket = np.round(np.minimum(chance, NEARLY_SURE) * 10.0)
    age_rank = np.argsort(np.argsort(since, kind="stable"), kind="stable")
    return bucket + age_rank / (len(since) + 1.0)  # type: ignore[no-any-return]
