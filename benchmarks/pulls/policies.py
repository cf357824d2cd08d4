"""Everybody else's policies, and one that knows the future."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from math import inf

import numpy as np

from pulls.worlds import HOUR, MINUTE, Floats, Indexes, World


@dataclass
class Known:
    """What a policy may know: what is open, what each pull showed, and when. Arrays by check."""

    world: World
    stage: Indexes
    """How many changes are known of."""
    entered: Floats
    """First sight of the known state, or the order."""
    last_pulled: Floats
    is_open: np.ndarray

    def state(self, checks: Indexes) -> Indexes:
        """The known state of some checks."""
        return self.world.states[checks, self.stage[checks]]


class Policy:
    """Chooses whom to ask; is told of new orders, and of what each pull showed."""

    name: str
    family: str

    def begin(self, known: Known, now: float) -> None:
        """Get to know the account."""
        self.known = known

    def ordered(self, checks: Indexes, now: float) -> None:
        """Hear of new orders."""

    def choose(self, now: float, calls: int) -> list[int]:
        """Return at most `calls` checks to ask about now."""
        raise NotImplementedError

    def seen(self, check: int, now: float, *, is_followed: bool) -> None:
        """Hear of a change before it is noted in what is known."""

    def pulled(self, checks: Indexes, changed: np.ndarray, now: float) -> None:
        """Hear of the checks just pulled that are still open."""


class Queue(Policy):
    """Policies that give each check its next time when it is pulled."""

    def begin(self, known: Known, now: float) -> None:
        super().begin(known, now)
        self.heap: list[tuple[float, int]] = []
        self.fill(np.flatnonzero(known.is_open), now)

    def fill(self, checks: Indexes, now: float) -> None:
        """Queue what is open at the start."""
        for check in checks.tolist():
            heapq.heappush(self.heap, (now, check))

    def choose(self, now: float, calls: int) -> list[int]:
        chosen: list[int] = []
        while self.heap and len(chosen) < calls and self.heap[0][0] <= now:
            check = heapq.heappop(self.heap)[1]
            if self.known.is_open[check]:
                chosen.append(check)
        return chosen


class Fixed(Queue):
    """Each check every `interval` seconds; with 0 a round robin at the full budget."""

    family = "fixed interval"

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self.name = f"every {_words(interval)}" if interval else "round robin"

    def ordered(self, checks: Indexes, now: float) -> None:
        for check in checks.tolist():
            heapq.heappush(self.heap, (float(self.known.world.ordered[check]) + self.interval, check))

    def pulled(self, checks: Indexes, changed: np.ndarray, now: float) -> None:
        for check in checks.tolist():
            heapq.heappush(self.heap, (now + self.interval, check))


class BackOff(Queue):
    """Exponential back-off: after a minute, then the wait doubles, up to `longest`, until a change."""

    family = "back-off x2"

    def __init__(self, longest: float) -> None:
        self.longest = longest
        self.name = f"back-off x2 to {_words(longest)}"

    def fill(self, checks: Indexes, now: float) -> None:
        self.wait = np.where(self.known.is_open, self.longest, MINUTE)
        random = np.random.default_rng(5)
        for check, wait in zip(checks.tolist(), random.uniform(0, self.longest, len(checks)), strict=True):
            heapq.heappush(self.heap, (now + wait, check))

    def ordered(self, checks: Indexes, now: float) -> None:
        for check in checks.tolist():
            heapq.heappush(self.heap, (float(self.known.world.ordered[check]) + MINUTE, check))

    def pulled(self, checks: Indexes, changed: np.ndarray, now: float) -> None:
        self.wait[checks] = np.where(changed, MINUTE, np.minimum(self.wait[checks] * 2, self.longest))
        for check in checks.tolist():
            heapq.heappush(self.heap, (now + float(self.wait[check]), check))


class BackOffByAge(Policy):
    """Waits `factor` times as long as the state is old, a minute to `longest`; the most overdue in proportion first."""

    family = "back-off by age"

    def __init__(self, factor: float, longest: float, look: float) -> None:
        self.factor, self.longest, self.look = factor, longest, look
        self.name = f"by age x{factor:g} to {_words(longest)}"
        self.queue: list[int] = []
        self.looked = -inf

    def choose(self, now: float, calls: int) -> list[int]:
        if now >= self.looked + self.look:
            self.queue, self.looked = self._overdue(now, calls), now
        chosen: list[int] = []
        while self.queue and len(chosen) < calls:
            check = self.queue.pop()
            if self.known.is_open[check]:
                chosen.append(check)
        return chosen

    def _overdue(self, now: float, calls: int) -> list[int]:
        known = self.known
        checks = np.flatnonzero(known.is_open)
        last = np.where(np.isnan(known.last_pulled[checks]), known.entered[checks], known.last_pulled[checks])
        wait = np.clip(self.factor * (last - known.entered[checks]), MINUTE, self.longest)
        overdue = (now - last) / wait
        due = np.flatnonzero(overdue >= 1.0)
        most = max(calls, int(known.world.rate * self.look / MINUTE))
        if len(due) > most:
            due = due[np.argpartition(-overdue[due], most - 1)[:most]]
        return checks[due[np.argsort(overdue[due])]].tolist()


class Oracle(Queue):
    """Knows the future: asks each check once, right after each change."""

    name = family = "oracle"

    def fill(self, checks: Indexes, now: float) -> None:
        self.pulled(checks, np.zeros(0), now)

    def ordered(self, checks: Indexes, now: float) -> None:
        for check in checks.tolist():
            heapq.heappush(self.heap, (float(self.known.world.changes[check, 0]), check))

    def pulled(self, checks: Indexes, changed: np.ndarray, now: float) -> None:
        for check in checks.tolist():
            times = self.known.world.changes[check]
            later = times[times > now]
            if len(later) and later[0] < inf:
                heapq.heappush(self.heap, (float(later[0]), check))


def _words(seconds: float) -> str:
    return f"{seconds / HOUR:g} h" if seconds >= HOUR else f"{seconds / MINUTE:g} min"
