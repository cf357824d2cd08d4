"""Plays vendors against pull policies and prints, side by side, what each sees, how late, and for how many calls.

    python benchmarks/planning.py [--short] [--scenario A]... [--open N]... [--days D] [--chart FILE]

The worlds below know nothing of the planner: their hours, durations and drifts are written here a second time, from
what vendors publish. The planner under test is given what the warehouse would know (orders, and what its own pulls
showed), starts with no history, and learns once a day from the sojourns it has seen.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from zoneinfo import ZoneInfo

import numpy as np

from screening_pipeline.planner import (
    Budget,
    BusinessCalendar,
    GroupKey,
    Model,
    PlanOptions,
    Sojourn,
    most_urgent,
    plan_columns,
)
from screening_pipeline.planning.schedule import OpenColumns

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
START = datetime(2026, 3, 2, tzinfo=UTC).timestamp()  # a Monday
LEAD_IN = 60 * DAY
"""Orders placed this long before the start may still be open at it."""


# --- the worlds -----------------------------------------------------------------------------------------------------


class Hours:
    """A working week: how much happens in each local hour of a weekday and of a weekend day."""

    def __init__(self, zone: str, weekday: Sequence[float], weekend: Sequence[float]) -> None:
        self.zone = ZoneInfo(zone)
        self.first = START - LEAD_IN - 10 * DAY
        hours = int((LEAD_IN + 200 * DAY) / HOUR)
        speed = np.empty(hours)
        for index in range(hours):
            local = datetime.fromtimestamp(self.first + index * HOUR + 1, self.zone)
            speed[index] = (weekend if local.weekday() >= 5 else weekday)[local.hour]
        speed /= (5 * sum(weekday) + 2 * sum(weekend)) / 168
        self.edges = self.first + HOUR * np.arange(hours + 1)
        self.work = np.concatenate(([0.0], np.cumsum(speed * HOUR)))

    def after(self, begin: np.ndarray, work: np.ndarray) -> np.ndarray:
        """Return when `work` seconds of working time have passed since `begin`; a week of it lasts a week."""
        done = np.interp(begin, self.edges, self.work)
        return np.interp(done + work, self.work, self.edges)

    def spread(self, random: np.random.Generator, begin: float, end: float, count: int) -> np.ndarray:
        """Return `count` instants, as dense as the week is busy."""
        low, high = np.interp([begin, end], self.edges, self.work)
        return np.sort(np.interp(random.uniform(low, high, count), self.work, self.edges))


def day_of(open_from: int, open_to: int, core: float, edge: float, evening: float, night: float) -> list[float]:
    def weight(hour: int) -> float:
        if open_from <= hour < open_to:
            return core
        if hour in (open_from - 1, open_to):
            return edge
        return evening if open_to < hour < 23 else night

    return [weight(hour) for hour in range(24)]


VENDOR_US = Hours("America/Los_Angeles", day_of(7, 16, 1.0, 0.5, 0.05, 0.01), [0.02] * 24)
CANDIDATE_US = Hours("America/Los_Angeles", day_of(8, 18, 0.8, 0.7, 1.0, 0.08), day_of(9, 20, 0.6, 0.5, 0.5, 0.08))
CLIENT_US = Hours("America/Los_Angeles", day_of(8, 17, 1.0, 0.5, 0.06, 0.01), day_of(8, 17, 0.03, 0.02, 0.02, 0.01))
VENDOR_UK = Hours("Europe/London", day_of(9, 17, 1.0, 0.6, 0.12, 0.03), day_of(9, 17, 0.05, 0.03, 0.02, 0.01))
CANDIDATE_UK = Hours("Europe/London", day_of(8, 18, 0.8, 0.7, 1.0, 0.08), day_of(9, 20, 0.6, 0.5, 0.5, 0.08))
CLIENT_UK = Hours("Europe/London", day_of(9, 17, 1.0, 0.5, 0.06, 0.01), day_of(9, 17, 0.03, 0.02, 0.02, 0.01))
VENDOR_AU = Hours("Australia/Sydney", day_of(9, 17, 1.0, 0.5, 0.03, 0.005), [0.005] * 24)
VENDOR_FAR = Hours("Asia/Manila", day_of(9, 18, 1.0, 0.6, 0.1, 0.02), day_of(9, 18, 0.15, 0.1, 0.05, 0.02))
ORDERS_US = Hours("America/Los_Angeles", day_of(7, 18, 1.0, 0.6, 0.2, 0.05), day_of(9, 18, 0.12, 0.1, 0.08, 0.03))
ORDERS_UK = Hours("Europe/London", day_of(8, 18, 1.0, 0.6, 0.2, 0.05), day_of(9, 18, 0.12, 0.1, 0.08, 0.03))
ANY_HOUR = Hours("UTC", [1.0] * 24, [1.0] * 24)


@dataclass
class World:
    """Every check of one account: when ordered, when it changes, and what state each change leads to."""

    vendor: str
    rate: int
    calendar: BusinessCalendar
    ordered: np.ndarray
    changes: np.ndarray  # (checks, stages), inf after the last
    lifecycles: np.ndarray  # (checks, stages): index into names, of the state before each change
    names: list[str]
    packages: list[str | None]

    @property
    def closes(self) -> np.ndarray:
        return np.where(np.isinf(self.changes), -inf, self.changes).max(axis=1)


def one_decision(random: np.random.Generator, ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """WorkerChecks: 80 % after one to three minutes at any hour, the rest after 1 to 15 business days."""
    count = len(ordered)
    quick = ordered + random.uniform(1 * MINUTE, 3 * MINUTE, count)
    slow = VENDOR_AU.after(ordered, random.uniform(1, 15, count) * 7 * DAY / 5)
    changes = np.where(random.random(count) < 0.8, quick, slow)
    return changes[:, None], np.zeros((count, 1), dtype=np.int64)


def staged_order(random: np.random.Generator, ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """HireRight: three to six changes in two to ten days: the candidate first, then the vendor, maybe the client."""
    count = len(ordered)
    stages = random.integers(3, 7, count)
    total = random.uniform(2, 10, count) * DAY
    parts = random.exponential(1.0, (count, 6)) * (np.arange(6) < stages[:, None])
    parts = parts / parts.sum(axis=1, keepdims=True) * total[:, None]
    changes = np.full((count, 6), inf)
    states = np.ones((count, 6), dtype=np.int64)
    states[:, 0] = 0
    states[np.arange(count), stages - 1] = np.where(random.random(count) < 0.5, 2, 1)
    when = ordered
    for stage in range(6):
        hours = (CANDIDATE_US, VENDOR_US, CLIENT_US)
        options = np.stack([h.after(when, parts[:, stage]) for h in hours])
        when = options[states[:, stage], np.arange(count)]
        changes[:, stage] = np.where(stage < stages, when, inf)
    return changes, states


def dawdling(us: bool) -> Callable[[np.random.Generator, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """GoodHire and Zinc: candidates who take minutes or weeks, then the vendor, then (sometimes) the client."""
    candidate, vendor, client = (CANDIDATE_US, VENDOR_US, CLIENT_US) if us else (CANDIDATE_UK, VENDOR_UK, CLIENT_UK)

    def make(random: np.random.Generator, ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = len(ordered)
        dawdle = np.exp(random.normal(np.log(1.2 * DAY), 1.6, count))
        prompt = random.uniform(4 * MINUTE, 50 * MINUTE, count)
        is_prompt = random.random(count) < 0.25
        first = np.where(is_prompt, ordered + prompt, candidate.after(ordered, np.minimum(dawdle, 30 * DAY)))
        expires = ~is_prompt & (dawdle > 30 * DAY)
        work = random.gamma(1.5, 1.6 * DAY, count)
        second = vendor.after(first, work)
        decide = np.exp(random.normal(np.log(0.8 * DAY), 1.0, count))
        third = np.where(random.random(count) < 0.3, client.after(second, decide), inf)
        second[expires] = third[expires] = inf
        return np.stack([first, second, third], axis=1), np.tile(np.array([0, 1, 2]), (count, 1))

    return make


def drifting(middle: float) -> Callable[[np.random.Generator, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """A mixed account: instant packages and slow ones; in mid-run the vendor slows down and moves across the world."""

    def make(random: np.random.Generator, ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = len(ordered)
        is_quick = random.random(count) < 0.6
        late = ordered >= middle
        quick = ordered + np.where(
            late, random.uniform(15 * MINUTE, 40 * MINUTE, count), random.uniform(1 * MINUTE, 4 * MINUTE, count)
        )
        first = CANDIDATE_UK.after(ordered, random.exponential(0.7 * DAY, count))
        work = random.gamma(2.0, 1.0 * DAY, count)
        moved = VENDOR_FAR.after(first, 2 * work)
        second = np.where(first >= middle, moved, VENDOR_UK.after(first, work))
        changes = np.stack([np.where(is_quick, quick, first), np.where(is_quick, inf, second)], axis=1)
        states = np.stack([np.where(is_quick, 1, 0), np.ones(count, dtype=np.int64)], axis=1)
        return changes, states

    return make


@dataclass(frozen=True)
class Account:
    vendor: str
    rate: int
    timezone: str
    orders: Hours
    make: Callable[[np.random.Generator, np.ndarray], tuple[np.ndarray, np.ndarray]]
    share: float = 1.0

    def world(self, open_checks: int, days: float, seed: int) -> World:
        """Return a world in which about `open_checks` are open at any time."""
        random = np.random.default_rng(seed)
        sample = self.orders.spread(random, START, START + 7 * DAY, 20_000)
        changes, _ = self.make(random, sample)
        stay = np.where(np.isinf(changes), -inf, changes).max(axis=1) - sample
        end = START + days * DAY
        expected = open_checks * self.share * (LEAD_IN + days * DAY) / stay.mean()
        ordered = self.orders.spread(random, START - LEAD_IN, end, random.poisson(expected))
        changes, states = self.make(random, ordered)
        last = np.where(np.isinf(changes), -inf, changes).max(axis=1)
        keep = last > START
        names = ["awaiting_candidate", "in_progress", "review_required"]
        if self.vendor == "workerchecks":
            names = ["in_progress"]
        return World(
            self.vendor,
            self.rate,
            BusinessCalendar(self.timezone),
            ordered[keep],
            changes[keep],
            states[keep],
            names,
            packages=[None] * int(keep.sum()),
        )


def scenarios(days: float) -> dict[str, list[Account]]:
    middle = START + days * DAY / 2
    return {
        "A": [Account("workerchecks", 30, "Australia/Sydney", ANY_HOUR, one_decision)],
        "B": [Account("hireright", 50, "America/Los_Angeles", ORDERS_US, staged_order)],
        "C": [
            Account("goodhire", 20, "America/Los_Angeles", ORDERS_US, dawdling(us=True), 0.5),
            Account("zinc", 20, "Europe/London", ORDERS_UK, dawdling(us=False), 0.5),
        ],
        "D": [Account("workable", 20, "Europe/London", ORDERS_UK, drifting(middle))],
    }


# --- the game -------------------------------------------------------------------------------------------------------


@dataclass
class Table:
    """What a policy may know: which checks are open, since when their known state is known, and its own pulls."""

    world: World
    known: np.ndarray
    entered: np.ndarray  # first sight of the known state, or the order
    last_pulled: np.ndarray
    is_open: np.ndarray


class Policy:
    """Chooses whom to ask; told of new orders and of what each pull showed."""

    name: str

    def begin(self, table: Table, now: float, days: float) -> None:
        self.table = table

    def ordered(self, checks: np.ndarray, now: float) -> None: ...

    def choose(self, now: float, calls: int) -> list[int]:
        raise NotImplementedError

    def pulled(self, checks: np.ndarray, changed: np.ndarray, now: float) -> None: ...


class Queue(Policy):
    """Policies that give each check its next time when it is pulled."""

    def begin(self, table: Table, now: float, days: float) -> None:
        super().begin(table, now, days)
        self.heap: list[tuple[float, int]] = []
        for check in np.flatnonzero(table.is_open):
            self.push(int(check), now, now)

    def push(self, check: int, due: float, now: float) -> None:
        heapq.heappush(self.heap, (due, check))

    def choose(self, now: float, calls: int) -> list[int]:
        chosen = []
        while self.heap and len(chosen) < calls and self.heap[0][0] <= now:
            check = heapq.heappop(self.heap)[1]
            if self.table.is_open[check]:
                chosen.append(check)
        return chosen


class Fixed(Queue):
    """Each check every `interval` seconds; with 0 a round robin at the full budget."""

    def __init__(self, name: str, interval: float) -> None:
        self.name, self.interval = name, interval

    def ordered(self, checks: np.ndarray, now: float) -> None:
        for check in checks:
            self.push(int(check), self.table.world.ordered[check] + self.interval, now)

    def pulled(self, checks: np.ndarray, changed: np.ndarray, now: float) -> None:
        for check in checks:
            self.push(int(check), now + self.interval, now)


class BackOff(Queue):
    """Exponential back-off: the wait doubles (or grows by `factor`) from a minute to `longest` until a change."""

    def __init__(self, name: str, factor: float, longest: float) -> None:
        self.name, self.factor, self.longest = name, factor, longest

    def begin(self, table: Table, now: float, days: float) -> None:
        self.wait = np.full(len(table.is_open), MINUTE)
        random = np.random.default_rng(5)
        super().begin(table, now, days)
        for check in np.flatnonzero(table.is_open):
            self.wait[check] = self.longest
        self.heap = [(now + random.uniform(0, self.longest), c) for _, c in self.heap]
        heapq.heapify(self.heap)

    def ordered(self, checks: np.ndarray, now: float) -> None:
        for check in checks:
            self.push(int(check), self.table.world.ordered[check] + MINUTE, now)

    def pulled(self, checks: np.ndarray, changed: np.ndarray, now: float) -> None:
        self.wait[checks] = np.where(changed, MINUTE, np.minimum(self.wait[checks] * self.factor, self.longest))
        for check in checks:
            self.push(int(check), now + self.wait[check], now)


class Oracle(Queue):
    """Knows the future: asks each check once, right after each change."""

    name = "oracle"

    def begin(self, table: Table, now: float, days: float) -> None:
        self.times = np.where(np.isinf(table.world.changes), inf, table.world.changes)
        super().begin(table, now, days)

    def push(self, check: int, due: float, now: float) -> None:
        coming = self.times[check][self.times[check] > now]
        if len(coming) and coming[0] < inf:
            heapq.heappush(self.heap, (float(coming[0]), check))

    def ordered(self, checks: np.ndarray, now: float) -> None:
        for check in checks:
            # An order's first change may be over before it is announced to us in this tick.
            heapq.heappush(self.heap, (float(self.times[check][0]), int(check)))

    def pulled(self, checks: np.ndarray, changed: np.ndarray, now: float) -> None:
        for check in checks:
            self.push(int(check), now, now)


class BackOffByAge(Policy):
    """Waits as long again as the state is old, from a minute to `longest`; the most overdue in proportion first."""

    def __init__(self, name: str, factor: float, longest: float) -> None:
        self.name, self.factor, self.longest = name, factor, longest

    def choose(self, now: float, calls: int) -> list[int]:
        table = self.table
        checks = np.flatnonzero(table.is_open)
        last = np.where(np.isnan(table.last_pulled[checks]), table.entered[checks], table.last_pulled[checks])
        wait = np.minimum(np.maximum(self.factor * (last - table.entered[checks]), MINUTE), self.longest)
        overdue = (now - last) / wait
        due = np.flatnonzero(overdue >= 1.0)
        if len(due) > calls:
            due = due[np.argpartition(-overdue[due], calls - 1)[:calls]]
        return checks[due].tolist()


class Ours(Policy):
    """The planner of this project, used as the pipeline does: a plan an hour, a look a minute, the fast lane."""

    def __init__(self, name: str, options: PlanOptions, *, feed: bool = False) -> None:
        self.name, self.options, self.feed = name, options, feed

    def begin(self, table: Table, now: float, days: float) -> None:
        super().begin(table, now, days)
        world = table.world
        self.model = Model.prior(world.vendor)
        self.budget = Budget(world.rate, feed_covered=self.feed)
        self.groups = tuple(GroupKey(world.vendor, name) for name in world.names)
        self.history: list[Sojourn] = []
        self.next_plan, self.next_look, self.next_lesson = now, now, now + DAY
        self.queue: list[int] = []
        self.young: set[int] = set()
        self.looked, self.lag, self.is_overloaded, self.cpu = now, 0.0, False, 0.0

    def columns(self, checks: np.ndarray) -> OpenColumns:
        table, world = self.table, self.table.world
        count = len(checks)
        never = np.full(count, False)
        return OpenColumns(
            check_key=checks.astype(np.int64),
            groups=self.groups,
            group=world.lifecycles[checks, table.known[checks]],
            entered=table.entered[checks],
            last_pulled=table.last_pulled[checks],
            is_push_fed=never,
            is_requested=never,
            least_wait=np.full(count, self.options.min_interval_seconds),
            worst_case=np.full(count, self.options.worst_case_seconds(world.vendor, "in_progress", "check")),
            first_pull=np.full(count, self.options.first_pull_seconds(world.vendor)),
        )

    def urgent(self, checks: np.ndarray, now: float, count: int, *, is_quick: bool = False) -> list[int]:
        return most_urgent(
            self.columns(checks),
            count,
            model=self.model,
            budget=self.budget,
            calendar=self.table.world.calendar,
            now=datetime.fromtimestamp(now, UTC),
            options=self.options,
            lag_in_force=self.lag,
            fast_lane_only=is_quick,
        )

    def plan(self, now: float) -> None:
        plan = plan_columns(
            self.columns(np.flatnonzero(self.table.is_open)),
            model=self.model,
            budget=self.budget,
            calendar=self.table.world.calendar,
            now=datetime.fromtimestamp(now, UTC),
            options=self.options,
        )
        self.lag, self.is_overloaded = plan.lag_in_force, plan.is_overloaded

    def look(self, now: float) -> None:
        """Weigh all open checks; what is young is looked at again at every tick."""
        table = self.table
        checks = np.flatnonzero(table.is_open)
        self.queue = self.urgent(checks, now, self.budget.requests_per_minute + 1)[::-1]
        self.young = set(checks[now - table.entered[checks] < HOUR].tolist())
        self.looked, self.next_look = now, now + MINUTE

    def fast_lane(self, now: float, calls: int) -> list[int]:
        if self.is_overloaded or not self.young:
            return []
        checks = np.array([check for check in sorted(self.young) if self.table.is_open[check]], dtype=np.int64)
        return self.urgent(checks, now, calls, is_quick=True) if len(checks) else []

    def ordered(self, checks: np.ndarray, now: float) -> None:
        self.young.update(checks.tolist())

    def pulled(self, checks: np.ndarray, changed: np.ndarray, now: float) -> None:
        self.young.update(checks[changed].tolist())

    def choose(self, now: float, calls: int) -> list[int]:
        started = time.process_time()
        if now >= self.next_lesson:
            self.learn(now)
        if now >= self.next_plan:
            self.plan(now)
            self.next_plan = now + HOUR
        if now >= self.next_look:
            self.look(now)
        chosen = self.fast_lane(now, calls)
        while self.queue and len(chosen) < calls:
            check = self.queue.pop()
            if self.table.is_open[check] and not self.table.last_pulled[check] > self.looked and check not in chosen:
                chosen.append(check)
        self.cpu += time.process_time() - started
        return chosen

    def observed(self, check: int, lifecycle: str, entered: float, before: float, now: float, followed: bool) -> None:
        self.history.append(
            Sojourn(
                self.table.world.vendor,
                None,
                lifecycle,
                max(before - entered, 0.0),
                now - entered,
                False,
                datetime.fromtimestamp(entered, UTC),
                followed,
            )
        )

    def learn(self, now: float) -> None:
        world, table = self.table.world, self.table
        recent = [s for s in self.history[-20_000:] if s.entered_at.timestamp() > now - 60 * DAY]
        still = np.flatnonzero(table.is_open & ~np.isnan(table.last_pulled))
        if len(still) > 20_000:
            still = np.random.default_rng(0).choice(still, 20_000, replace=False)
        for check in still.tolist():
            age = max(float(table.last_pulled[check] - table.entered[check]), 0.0)
            name = world.names[world.lifecycles[check, table.known[check]]]
            entered = datetime.fromtimestamp(float(table.entered[check]), UTC)
            recent.append(Sojourn(world.vendor, None, name, age, age, True, entered))
        self.model = Model.prior(world.vendor).learn(recent, world.calendar)
        self.next_plan = self.next_look = now


@dataclass
class Outcome:
    """What one policy saw in one scenario."""

    scenario: str
    open_checks: int
    policy: str
    calls: int
    allowed: float
    seen: int
    happened: int
    seen_late: int
    lags: np.ndarray
    late_lags: np.ndarray
    seconds: float
    planning_cpu: float

    @property
    def row(self) -> dict[str, float]:
        lags = self.lags if len(self.lags) else np.array([np.nan])
        late = self.late_lags if len(self.late_lags) else np.array([np.nan])
        return {
            "calls_per_change": self.calls / max(self.seen, 1),
            "median": float(np.median(lags)),
            "p95": float(np.quantile(lags, 0.95)),
            "mean": float(lags.mean()),
            "seen": self.seen_late / max(self.happened, 1),
            "apart": self.seen / max(self.happened, 1),
            "budget": self.calls / self.allowed,
            "late_median": float(np.median(late)),
            "late_mean": float(late.mean()),
        }


class Game:
    """Lets one policy spend an account's budget on one world, tick by tick."""

    def __init__(self, world: World, policy: Policy, days: float, tick: float, feed: bool = False) -> None:
        self.world, self.policy, self.days, self.tick, self.feed = world, policy, days, tick, feed
        count = len(world.ordered)
        is_old = world.ordered <= START
        known = (world.changes <= START).sum(axis=1)
        before = np.where(known > 0, world.changes[np.arange(count), np.maximum(known - 1, 0)], world.ordered)
        self.table = Table(
            world,
            known=np.where(is_old, known, 0),
            entered=np.where(is_old, before, world.ordered),
            last_pulled=np.where(is_old, START, np.nan),
            is_open=is_old.copy(),
        )
        self.stages = (~np.isinf(world.changes)).sum(axis=1)
        self.lags: list[np.ndarray] = []
        self.when: list[np.ndarray] = []
        self.calls = self.seen = 0

    def play(self) -> None:
        now, end = START, START + self.days * DAY
        arrivals = np.flatnonzero(self.world.ordered > START)
        arrival_times = self.world.ordered[arrivals]
        arrived, saved = 0, 0.0
        per_tick = self.world.rate / MINUTE * self.tick
        self.policy.begin(self.table, now, self.days)
        next_drain = START
        self.next_changes = np.sort(self.world.changes[np.isfinite(self.world.changes)])
        while now < end:
            now += self.tick
            upto = np.searchsorted(arrival_times, now, side="right")
            if upto > arrived:
                fresh = arrivals[arrived:upto]
                self.table.is_open[fresh] = True
                self.policy.ordered(fresh, now)
                arrived = int(upto)
            saved = min(saved + per_tick, per_tick + 1.0)
            if self.feed and now >= next_drain:
                saved -= self.drain(now)
                next_drain += MINUTE
            if saved >= 1:
                chosen = self.policy.choose(now, int(saved))
                if chosen:
                    saved -= len(chosen)
                    self.pull(np.array(chosen, dtype=np.int64), now)
        self.finish(end)

    def drain(self, now: float) -> int:
        open_checks = np.flatnonzero(self.table.is_open)
        state = (self.world.changes[open_checks] <= now).sum(axis=1)
        news = open_checks[state > self.table.known[open_checks]]
        if len(news):
            steps = int((state - self.table.known[open_checks]).sum())
            self.see(news, now)
            # Unlike a pull, the feed reports each change by itself.
            self.seen += steps - len(news)
            self.policy.pulled(news[self.table.is_open[news]], np.ones(len(news), dtype=bool), now)
        calls = 2 if len(news) else 1
        self.calls += calls
        return calls

    def pull(self, checks: np.ndarray, now: float) -> None:
        self.calls += len(checks)
        changed = self.see(checks, now)
        still = self.table.is_open[checks]
        self.policy.pulled(checks[still], changed[still], now)

    def see(self, checks: np.ndarray, now: float) -> np.ndarray:
        table, world = self.table, self.world
        state = (world.changes[checks] <= now).sum(axis=1)
        changed = state > table.known[checks]
        for check, after in zip(checks[changed].tolist(), state[changed].tolist(), strict=True):
            known = int(table.known[check])
            times = world.changes[check, known:after]
            self.lags.append(now - times)
            self.when.append(times)
            self.seen += 1
            followed = after < self.stages[check]
            if isinstance(self.policy, Ours):
                before = float(table.last_pulled[check])
                entered = float(table.entered[check])
                name = world.names[world.lifecycles[check, known]]
                self.policy.observed(check, name, entered, entered if np.isnan(before) else before, now, followed)
            table.known[check] = after
            table.entered[check] = now
            if not followed:
                table.is_open[check] = False
        table.last_pulled[checks] = now
        return changed

    def finish(self, end: float) -> None:
        """Count changes that were never seen as late by what had passed at the end."""
        happened = (self.world.changes > START) & (self.world.changes <= end)
        seen_upto = self.table.known[:, None] > np.arange(self.world.changes.shape[1])
        missed = self.world.changes[happened & ~seen_upto]
        self.happened, self.found = int(happened.sum()), int((happened & seen_upto).sum())
        self.lags.append(end - missed)
        self.when.append(missed)


def play(
    scenario: str,
    accounts: Sequence[Account],
    open_checks: int,
    policy: Callable[[], Policy],
    days: float,
    tick: float,
    feed: bool = False,
) -> Outcome:
    """Play all accounts of a scenario and pool what was seen."""
    started, games, cpu = time.perf_counter(), [], 0.0
    for index, account in enumerate(accounts):
        game = Game(account.world(open_checks, days, 11 + index), policy(), days, tick, feed)
        game.play()
        games.append(game)
        cpu += getattr(game.policy, "cpu", 0.0)
    lags, when = (
        np.concatenate([lag for g in games for lag in g.lags]),
        np.concatenate([w for g in games for w in g.when]),
    )
    return Outcome(
        scenario,
        open_checks,
        games[0].policy.name,
        calls=sum(g.calls for g in games),
        allowed=sum(g.world.rate for g in games) * days * DAY / MINUTE,
        seen=sum(g.seen for g in games),
        happened=sum(g.happened for g in games),
        seen_late=sum(g.found for g in games),
        lags=lags,
        late_lags=lags[when >= START + days * DAY / 2],
        seconds=time.perf_counter() - started,
        planning_cpu=cpu,
    )


def rivals() -> list[Callable[[], Policy]]:
    return [
        lambda: Fixed("round robin", 0.0),
        lambda: Fixed("every 15 min", 15 * MINUTE),
        lambda: Fixed("hourly", HOUR),
        lambda: Fixed("every 6 h", 6 * HOUR),
        lambda: BackOff("back-off x2", 2.0, 6 * HOUR),
        lambda: BackOffByAge("back-off by age", 0.5, 6 * HOUR),
        Oracle,
    ]
