"""Accounts of imagined vendors: when checks are ordered, and when each changes its state.

Nothing here is shared with the planner: hours, durations and drifts are written a second time, from what vendors
publish. Instants are seconds since 1970, durations seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indexes = NDArray[np.int64]
Life = tuple[Floats, Indexes]
"""For each check (row): when it changes for the n-th time (inf: never), and the state before that."""

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
BUSINESS_DAY = 7 * DAY / 5
START = datetime(2026, 3, 2, tzinfo=UTC).timestamp()  # a Monday
LEAD_IN = 60 * DAY
"""Orders placed this long before the start may still be open at it."""
STATES = ["awaiting_candidate", "in_progress", "review_required"]
CANDIDATE, VENDOR, CLIENT = range(3)


class Hours:
    """A working week: how much happens in each local hour of a weekday and of a weekend day."""

    def __init__(self, zone: str, weekday: Sequence[float], weekend: Sequence[float]) -> None:
        local_zone = ZoneInfo(zone)
        first = START - LEAD_IN - 10 * DAY
        hours = int((LEAD_IN + 200 * DAY) / HOUR)
        speed = np.empty(hours)
        for index in range(hours):
            local = datetime.fromtimestamp(first + index * HOUR + 1, local_zone)
            speed[index] = (weekend if local.weekday() >= 5 else weekday)[local.hour]
        speed /= (5 * sum(weekday) + 2 * sum(weekend)) / 168
        self._edges = first + HOUR * np.arange(hours + 1)
        self._work = np.concatenate(([0.0], np.cumsum(speed * HOUR)))

    def after(self, begin: Floats, work: Floats) -> Floats:
        """When `work` seconds of working time have passed since `begin`; a week of it lasts a week."""
        done = np.interp(begin, self._edges, self._work)
        return np.interp(done + work, self._work, self._edges)

    def spread(self, random: np.random.Generator, begin: float, end: float, count: int) -> Floats:
        """Return `count` instants, as dense as the week is busy."""
        low, high = np.interp([begin, end], self._edges, self._work)
        return np.sort(np.interp(random.uniform(low, high, count), self._work, self._edges))


def day_of(opens: int, closes: int, *, core: float, edge: float, evening: float, night: float) -> list[float]:
    """How much happens in each hour of a day: while open, in the hour before and after, until 23, and at night."""

    def weight(hour: int) -> float:
        if opens <= hour < closes:
            return core
        if hour in (opens - 1, closes):
            return edge
        return evening if closes < hour < 23 else night

    return [weight(hour) for hour in range(24)]


def office(zone: str, opens: int, closes: int, *, evening: float, weekend: float) -> Hours:
    """People at work: weekdays, a little in the evening, less at weekends."""
    weekday = day_of(opens, closes, core=1.0, edge=0.5, evening=evening, night=0.01)
    return Hours(zone, weekday, [weekend] * 24)


def household(zone: str) -> Hours:
    """Candidates: after work most of all, at weekends too."""
    weekday = day_of(8, 18, core=0.8, edge=0.7, evening=1.0, night=0.08)
    return Hours(zone, weekday, day_of(9, 20, core=0.6, edge=0.5, evening=0.5, night=0.08))


def desk(zone: str, opens: int) -> Hours:
    """Those who order."""
    weekday = day_of(opens, 18, core=1.0, edge=0.6, evening=0.2, night=0.05)
    return Hours(zone, weekday, day_of(9, 18, core=0.12, edge=0.1, evening=0.08, night=0.03))


US, UK, AU, PH = "America/Los_Angeles", "Europe/London", "Australia/Sydney", "Asia/Manila"
VENDOR_US = office(US, 9, 17, evening=0.05, weekend=0.02)
VENDOR_UK = office(UK, 9, 17, evening=0.12, weekend=0.04)
VENDOR_AU = office(AU, 9, 17, evening=0.03, weekend=0.005)
VENDOR_PH = office(PH, 9, 18, evening=0.1, weekend=0.12)
CLIENT_US, CLIENT_UK = office(US, 9, 17, evening=0.06, weekend=0.02), office(UK, 9, 17, evening=0.06, weekend=0.02)
CANDIDATE_US, CANDIDATE_UK = household(US), household(UK)
ORDERS_US, ORDERS_UK = desk(US, 7), desk(UK, 8)
ANY_HOUR = Hours("UTC", [1.0] * 24, [1.0] * 24)


def one_decision(random: np.random.Generator, ordered: Floats) -> Life:
    """WorkerChecks: 80 % after one to three minutes at any hour, the rest after 1 to 15 business days."""
    count = len(ordered)
    quick = ordered + random.uniform(1 * MINUTE, 3 * MINUTE, count)
    slow = VENDOR_AU.after(ordered, random.uniform(1, 15, count) * BUSINESS_DAY)
    changes = np.where(random.random(count) < 0.8, quick, slow)
    return changes[:, None], np.full((count, 1), VENDOR)


def staged_order(random: np.random.Generator, ordered: Floats) -> Life:
    """HireRight: three to six changes in two to ten days, each made by people at the vendor's."""
    count = len(ordered)
    stages = random.integers(3, 7, count)
    parts = random.exponential(1.0, (count, 6)) * (np.arange(6) < stages[:, None])
    parts *= (random.uniform(2, 10, count) * DAY / parts.sum(axis=1))[:, None]
    changes, when = np.full((count, 6), inf), ordered
    for stage in range(6):
        when = VENDOR_US.after(when, parts[:, stage])
        changes[:, stage] = np.where(stage < stages, when, inf)
    states = np.full((count, 6), VENDOR)
    states[np.arange(count), stages - 1] = np.where(random.random(count) < 0.5, CLIENT, VENDOR)
    return changes, states


def dawdling(candidate: Hours, vendor: Hours, client: Hours) -> Callable[[np.random.Generator, Floats], Life]:
    """GoodHire and Zinc: candidates who take minutes or weeks, then the vendor, then (sometimes) the client."""

    def make(random: np.random.Generator, ordered: Floats) -> Life:
        count = len(ordered)
        dawdle = np.exp(random.normal(np.log(1.2 * DAY), 1.6, count))
        prompt = random.uniform(4 * MINUTE, 50 * MINUTE, count)
        is_prompt = random.random(count) < 0.25
        first = np.where(is_prompt, ordered + prompt, candidate.after(ordered, np.minimum(dawdle, 30 * DAY)))
        expires = ~is_prompt & (dawdle > 30 * DAY)
        second = vendor.after(first, random.gamma(1.5, 1.6 * DAY, count))
        decide = np.exp(random.normal(np.log(0.8 * DAY), 1.0, count))
        third = np.where(random.random(count) < 0.3, client.after(second, decide), inf)
        second[expires] = third[expires] = inf
        return np.stack([first, second, third], axis=1), np.tile(np.array([CANDIDATE, VENDOR, CLIENT]), (count, 1))

    return make


def drifting(middle: float) -> Callable[[np.random.Generator, Floats], Life]:
    """Instant packages and slow ones mixed; at `middle` the vendor slows down and moves across the world."""

    def make(random: np.random.Generator, ordered: Floats) -> Life:
        count = len(ordered)
        is_quick = random.random(count) < 0.6
        before, after = random.uniform(1, 4, count) * MINUTE, random.uniform(15, 40, count) * MINUTE
        quick = ordered + np.where(ordered >= middle, after, before)
        first = CANDIDATE_UK.after(ordered, random.exponential(0.7 * DAY, count))
        work = random.gamma(2.0, 1.0 * DAY, count)
        second = np.where(first >= middle, VENDOR_PH.after(first, 2 * work), VENDOR_UK.after(first, work))
        changes = np.stack([np.where(is_quick, quick, first), np.where(is_quick, inf, second)], axis=1)
        return changes, np.stack([np.where(is_quick, VENDOR, CANDIDATE), np.full(count, VENDOR)], axis=1)

    return make


@dataclass(frozen=True)
class World:
    """Every check of one account, and the calls a minute that its vendor allows."""

    vendor: str
    rate: int
    timezone: str
    ordered: Floats
    changes: Floats
    states: Indexes

    @property
    def stages(self) -> Indexes:
        """How often each check changes before it has ended."""
        return np.isfinite(self.changes).sum(axis=1)


@dataclass(frozen=True)
class Account:
    """How one account's checks live; `share` is its part of the scenario's open checks."""

    vendor: str
    rate: int
    timezone: str
    orders: Hours
    make: Callable[[np.random.Generator, Floats], Life]
    share: float = 1.0

    def world(self, open_checks: int, days: float, seed: int) -> World:
        """Return a world in which about `open_checks` are open at any time."""
        random = np.random.default_rng(seed)
        sample = self.orders.spread(random, START, START + 7 * DAY, 20_000)
        stay = _last(self.make(random, sample)[0]) - sample
        expected = open_checks * self.share * (LEAD_IN + days * DAY) / stay.mean()
        ordered = self.orders.spread(random, START - LEAD_IN, START + days * DAY, random.poisson(expected))
        changes, states = self.make(random, ordered)
        keep = _last(changes) > START
        return World(self.vendor, self.rate, self.timezone, ordered[keep], changes[keep], states[keep])


def _last(changes: Floats) -> Floats:
    return np.where(np.isinf(changes), -inf, changes).max(axis=1)


def scenarios(days: float) -> dict[str, list[Account]]:
    """The four scenarios, each one or two accounts; D drifts after half of `days`."""
    return {
        "A": [Account("workerchecks", 30, AU, ANY_HOUR, one_decision)],
        "B": [Account("hireright", 50, US, ORDERS_US, staged_order)],
        "C": [
            Account("goodhire", 20, US, ORDERS_US, dawdling(CANDIDATE_US, VENDOR_US, CLIENT_US), 0.5),
            Account("zinc", 20, UK, ORDERS_UK, dawdling(CANDIDATE_UK, VENDOR_UK, CLIENT_UK), 0.5),
        ],
        "D": [Account("workable", 20, UK, ORDERS_UK, drifting(START + days * DAY / 2))],
    }
