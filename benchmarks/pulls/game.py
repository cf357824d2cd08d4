"""One policy spends one account's budget on one world, tick by tick; what it saw is counted here, not by it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pulls.policies import Known, Policy
from pulls.worlds import DAY, MINUTE, START, Account, Floats, Indexes, World


@dataclass(frozen=True)
class Setting:
    """How long and how finely one size is played, and how often a policy weighs all open checks (seconds)."""

    days: float
    tick: float
    look: float


@dataclass(frozen=True)
class Outcome:
    """What one policy saw in one scenario. Lags are seconds; of a change never seen, until the end of the game."""

    scenario: str
    open_checks: int
    policy: str
    family: str
    calls: int
    allowed: float
    happened: int
    found: int
    apart: int
    lags: Floats
    late_lags: Floats
    cpu: float
    plan_cpu: float

    def figure(self, name: str) -> float:
        """Return one figure of the table by its name."""
        return float(_FIGURES[name](self))


_FIGURES: dict[str, Callable[[Outcome], Any]] = {
    "calls per change": lambda o: o.calls / max(o.found, 1),
    "median": lambda o: np.median(o.lags),
    "p95": lambda o: np.quantile(o.lags, 0.95),
    "mean": lambda o: o.lags.mean(),
    "late median": lambda o: np.median(o.late_lags),
    "late mean": lambda o: o.late_lags.mean(),
    "budget": lambda o: o.calls / o.allowed,
    "seen": lambda o: o.found / max(o.happened, 1),
    "lost": lambda o: (o.found - o.apart) / max(o.happened, 1),
}


class Game:
    """Plays one policy; of what is open at the start the state is known, but not since when."""

    def __init__(self, world: World, policy: Policy, setting: Setting, *, has_feed: bool = False) -> None:
        self.world, self.policy, self.setting, self.has_feed = world, policy, setting, has_feed
        is_old = world.ordered <= START
        self.known = Known(
            world,
            stage=np.where(is_old, (world.changes <= START).sum(axis=1), 0),
            entered=world.ordered.copy(),
            last_pulled=np.where(is_old, START, np.nan),
            is_open=is_old.copy(),
        )
        self.stages = world.stages
        self.lags: list[Floats] = []
        self.when: list[Floats] = []
        self.calls = self.apart = 0

    def play(self) -> Game:
        """Play it to the end."""
        now, end, tick = START, START + self.setting.days * DAY, self.setting.tick
        arrivals = np.flatnonzero(self.world.ordered > START)
        times = self.world.ordered[arrivals]
        per_tick, saved, arrived, next_drain = self.world.rate / MINUTE * tick, 0.0, 0, START
        self.policy.begin(self.known, now)
        while now < end:
            now += tick
            upto = int(np.searchsorted(times, now, side="right"))
            if upto > arrived:
                self._order(arrivals[arrived:upto], now)
                arrived = upto
            saved = min(saved + per_tick, per_tick + 1.0)
            if self.has_feed and now >= next_drain:
                saved -= self._drain(now)
                next_drain += MINUTE
            if saved >= 1:
                saved -= self._pull(self.policy.choose(now, int(saved)), now)
        self._finish(end)
        return self

    def _order(self, checks: Indexes, now: float) -> None:
        self.known.is_open[checks] = True
        self.policy.ordered(checks, now)

    def _pull(self, chosen: list[int], now: float) -> int:
        if chosen:
            checks = np.array(chosen, dtype=np.int64)
            changed = self._see(checks, now)
            still = self.known.is_open[checks]
            self.policy.pulled(checks[still], changed[still], now)
        self.calls += len(chosen)
        return len(chosen)

    def _drain(self, now: float) -> int:
        """Everything that changed, in one call, and a second one that says there is no more."""
        known = self.known
        open_checks = np.flatnonzero(known.is_open)
        steps = (self.world.changes[open_checks] <= now).sum(axis=1) - known.stage[open_checks]
        news = open_checks[steps > 0]
        if len(news):
            self._see(news, now)
            self.apart += int(steps[steps > 0].sum()) - len(news)  # a feed tells each change by itself
            still = news[known.is_open[news]]
            self.policy.pulled(still, np.ones(len(still), dtype=bool), now)
        calls = 2 if len(news) else 1
        self.calls += calls
        return calls

    def _see(self, checks: Indexes, now: float) -> np.ndarray:
        known, changes = self.known, self.world.changes
        stage = (changes[checks] <= now).sum(axis=1)
        changed = stage > known.stage[checks]
        for check, after in zip(checks[changed].tolist(), stage[changed].tolist(), strict=True):
            times = changes[check, known.stage[check] : after]
            self.lags.append(now - times)
            self.when.append(times)
            self.apart += 1
            is_followed = after < self.stages[check]
            self.policy.seen(check, now, is_followed=is_followed)
            known.stage[check], known.entered[check], known.is_open[check] = after, now, is_followed
        known.last_pulled[checks] = now
        return changed

    def _finish(self, end: float) -> None:
        happened = (self.world.changes > START) & (self.world.changes <= end)
        is_found = self.known.stage[:, None] > np.arange(self.world.changes.shape[1])
        missed = self.world.changes[happened & ~is_found]
        self.happened, self.found = int(happened.sum()), int((happened & is_found).sum())
        self.lags.append(end - missed)
        self.when.append(missed)


def play(
    scenario: str,
    accounts: Sequence[Account],
    open_checks: int,
    policy: Callable[[], Policy],
    setting: Setting,
    *,
    has_feed: bool = False,
) -> Outcome:
    """Play all accounts of a scenario and pool what was seen."""
    started = time.process_time()
    games = [
        Game(account.world(open_checks, setting.days, 11 + n), policy(), setting, has_feed=has_feed).play()
        for n, account in enumerate(accounts)
    ]
    lags = np.concatenate([lag for game in games for lag in game.lags])
    when = np.concatenate([times for game in games for times in game.when])
    return Outcome(
        scenario=scenario,
        open_checks=open_checks,
        policy=games[0].policy.name,
        family=games[0].policy.family,
        calls=sum(game.calls for game in games),
        allowed=sum(game.world.rate for game in games) * setting.days * DAY / MINUTE,
        happened=sum(game.happened for game in games),
        found=sum(game.found for game in games),
        apart=sum(game.apart for game in games),
        lags=lags,
        late_lags=lags[when >= START + setting.days * DAY / 2],
        cpu=time.process_time() - started,
        plan_cpu=max(getattr(game.policy, "plan_cpu", 0.0) for game in games),
    )
