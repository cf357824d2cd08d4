"""The planner under test, told what the warehouse would know and no more."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np

from pulls.policies import Known, Policy
from pulls.worlds import DAY, HOUR, START, STATES, Indexes
from screening_pipeline.planning.calendar import BusinessCalendar
from screening_pipeline.planning.columns import OpenColumns
from screening_pipeline.planning.histogram import GroupKey, Sojourn
from screening_pipeline.planning.inputs import Budget, PlanOptions
from screening_pipeline.planning.model import Model
from screening_pipeline.planning.planner import plan_columns
from screening_pipeline.planning.weighing import Weighed, weigh
from screening_pipeline.runtime.pull_model import declared_priors

PLAN_EVERY = 4 * HOUR
LESSON = 6 * HOUR
HISTORY, SAMPLE = 30 * DAY, 15_000


def most_urgent(columns: OpenColumns, weighed: Weighed, count: int) -> list[int]:
    """The keys of at most `count` checks due now, most urgent first."""
    places = np.flatnonzero(weighed.is_due)
    worth = np.where(columns.is_requested[places], np.inf, weighed.worth[places])
    if len(places) > count:
        kept = np.argpartition(-worth, count - 1)[:count] if count else np.arange(0)
        places, worth = places[kept], worth[kept]
    keys: list[int] = columns.check_key[places[np.lexsort((columns.check_key[places], -worth))]].tolist()
    return keys


def fast_lane(columns: OpenColumns, weighed: Weighed, now: float) -> dict[int, float]:
    """When (seconds since 1970) each check that is in the fast lane is asked next."""
    is_in = ~np.isnan(weighed.fast)
    times = np.fmax(np.maximum(weighed.fast[is_in], now), columns.retry[is_in])
    return dict(zip(columns.check_key[is_in].tolist(), times.tolist(), strict=True))


class Ours(Policy):
    """A plan every four hours, a look at what is open every `look` seconds, the fast lane at once, four lessons a day.

    It starts with no history. `max_lag` is the planner's only knob: the seconds that a call must be expected to save.
    """

    family = "ours"

    def __init__(self, max_lag: float, look: float, *, has_feed: bool = False) -> None:
        self.name = f"ours {max_lag:g} s"
        self.options, self.every, self.has_feed = PlanOptions(max_lag_seconds=max_lag), look, has_feed
        self.history: list[Sojourn] = []
        self.random = np.random.default_rng(0)
        self.queue: list[int] = []
        self.lane: list[tuple[float, int]] = []
        self.lag, self.is_overloaded = 0.0, False
        self.cpu, self.plan_cpu = 0.0, 0.0
        self.lost_per_day = 0.0

    def begin(self, known: Known, now: float) -> None:
        super().begin(known, now)
        self.model = Model(priors=declared_priors())
        self.budget = Budget(known.world.rate, feed_covered=self.has_feed)
        self.calendar = BusinessCalendar(known.world.timezone)
        self.groups = tuple(GroupKey(known.world.vendor, state) for state in STATES)
        self.looked = self.next_plan = self.next_look = now
        self.next_lesson = now + LESSON

    def ordered(self, checks: Indexes, now: float) -> None:
        self._enter(checks, now)

    def pulled(self, checks: Indexes, changed: np.ndarray, now: float) -> None:
        self._enter(checks[now - self.known.entered[checks] < HOUR], now)

    def choose(self, now: float, calls: int) -> list[int]:
        started = time.process_time()
        if now >= self.next_lesson:
            self._learn(now)
        if now >= self.next_plan:
            self._plan(now)
        if now >= self.next_look:
            self._look(now)
        chosen = list(dict.fromkeys(self._called(now, calls)))
        self.cpu += time.process_time() - started
        return chosen

    def seen(self, check: int, now: float, *, is_followed: bool) -> None:
        last, entered = float(self.known.last_pulled[check]), float(self.known.entered[check])
        lower = entered if np.isnan(last) else last
        self.history.append(self._stay(check, lower, now, is_followed=is_followed))

    def _plan(self, now: float) -> None:
        columns = self._columns(np.flatnonzero(self.known.is_open))
        started = time.process_time()
        plan = plan_columns(columns, **self._at(now))
        self.plan_cpu = max(self.plan_cpu, time.process_time() - started)
        self.lag, self.is_overloaded, self.lost_per_day = (
            plan.lag_in_force,
            plan.is_overloaded,
            plan.states_lost_per_day,
        )
        self.lane, self.next_plan = [], now + PLAN_EVERY
        self._enter(np.flatnonzero(self.known.is_open & (now - self.known.entered < HOUR)), now)

    def _look(self, now: float) -> None:
        """Weigh all open checks for the calls until the next look."""
        checks, count = np.flatnonzero(self.known.is_open), int(self.budget.requests_per_minute * self.every / 60) + 1
        columns = self._columns(checks)
        self.queue = most_urgent(columns, self._weighed(columns, now), count)[::-1]
        self.looked, self.next_look = now, now + self.every

    def _enter(self, checks: Indexes, now: float) -> None:
        """Put what belongs there into the fast lane (unless nothing but the likeliest can be asked at all)."""
        started = time.process_time()
        if len(checks) and not self.is_overloaded:
            columns = self._columns(checks)
            for check, when in fast_lane(columns, self._weighed(columns, now), now).items():
                heapq.heappush(self.lane, (when, check))
        self.cpu += time.process_time() - started

    def _called(self, now: float, calls: int) -> Iterator[int]:
        known, left = self.known, calls
        while self.lane and left and self.lane[0][0] <= now:
            when, check = heapq.heappop(self.lane)
            if known.is_open[check] and not known.last_pulled[check] >= when:
                left -= 1
                yield check
        while self.queue and left:
            check = self.queue.pop()
            if known.is_open[check] and not known.last_pulled[check] > self.looked:
                left -= 1
                yield check

    def _learn(self, now: float) -> None:
        """Learn from what ended in the last weeks and what is still open; of very many, from a fair sample."""
        self.history = [stay for stay in self.history if self._ended_at(stay) > now - HISTORY]
        still = np.flatnonzero(self.known.is_open & ~np.isnan(self.known.last_pulled))
        share = min(1.0, SAMPLE / max(len(still) + len(self.history), 1))
        chosen = still[self.random.random(len(still)) < share].tolist()
        stays = [stay for stay in self.history if share == 1.0 or self.random.random() < share]
        stays += [self._stay(c, at := float(self.known.last_pulled[c]), at, is_followed=None) for c in chosen]
        self.model = Model(priors=declared_priors()).learn(stays, self.calendar)
        self.next_lesson, self.next_plan, self.next_look = now + LESSON, now, now

    @staticmethod
    def _ended_at(stay: Sojourn) -> float:
        return stay.entered_at.timestamp() + stay.seconds_upper

    def _stay(self, check: int, lower: float, upper: float, *, is_followed: bool | None) -> Sojourn:
        """Return a stay in the known state, left (or, if `is_followed` is None, not yet) between two instants."""
        entered = float(self.known.entered[check])
        return Sojourn(
            vendor=self.known.world.vendor,
            package=None,
            lifecycle=STATES[self.known.world.states[check, self.known.stage[check]]],
            seconds_lower=max(lower - entered, 0.0),
            seconds_upper=max(upper - entered, 0.0),
            is_censored=is_followed is None,
            entered_at=datetime.fromtimestamp(entered, UTC),
            is_followed=bool(is_followed),
            seconds_before=max(START - entered, 0.0),
        )

    def _columns(self, checks: Indexes) -> OpenColumns:
        known, vendor, count = self.known, self.known.world.vendor, len(checks)
        never = np.full(count, fill_value=False)
        return OpenColumns(
            check_key=checks.astype(np.int64),
            groups=self.groups,
            group=known.state(checks),
            entered=known.entered[checks],
            last_pulled=known.last_pulled[checks],
            is_push_fed=never,
            is_requested=never,
            least_wait=np.full(count, self.options.min_interval_seconds),
            worst_case=np.full(count, self.options.worst_case_seconds(vendor, "check")),
            first_pull=np.full(count, self.model.prior_of(vendor).first_pull_seconds),
            retry=np.full(count, np.nan),
        )

    def _weighed(self, columns: OpenColumns, now: float) -> Weighed:
        """A look at some checks at the price of a call that the last plan found."""
        return weigh(columns, self.model, self.budget, self.calendar, now, self.options, self.lag)

    def _at(self, now: float) -> dict[str, Any]:
        return {
            "model": self.model,
            "budget": self.budget,
            "calendar": self.calendar,
            "now": datetime.fromtimestamp(now, UTC),
            "options": self.options,
        }
