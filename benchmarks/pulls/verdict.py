"""How one policy compares with all others at an equal number of calls, and whether the goals are reached."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, inf, log

from pulls.game import Outcome


@dataclass(frozen=True)
class Verdict:
    """One setting of ours, beside the best of the others at as many calls."""

    ours: Outcome
    measure: str
    lag: float
    rival: str
    rival_lag: float

    @property
    def ratio(self) -> float:
        """Our lag as a share of theirs."""
        return self.lag / self.rival_lag

    def __str__(self) -> str:
        """Return a line of the report."""
        return (
            f"{self.ours.scenario} {self.ours.open_checks:>7,} {self.ours.policy:<11}{self.measure:<12}"
            f"{self.lag:>9,.0f} s, best other at equal calls {self.rival_lag:>9,.0f} s ({self.rival}): "
            f"{100 * (self.ratio - 1):+.0f} %"
        )


def verdicts(outcomes: Iterable[Outcome], measures: Sequence[str]) -> list[Verdict]:
    """Compare every setting of ours with the others of the same scenario and size."""
    places: dict[tuple[str, int], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        places[outcome.scenario, outcome.open_checks].append(outcome)
    found = []
    for place in places.values():
        others = _families(o for o in place if o.family not in ("ours", "oracle"))
        for ours in (o for o in place if o.family == "ours"):
            found += [v for measure in measures if (v := _verdict(ours, measure, others))]
    return found


def _families(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    families: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        families[outcome.family].append(outcome)
    return families


def _verdict(ours: Outcome, measure: str, families: dict[str, list[Outcome]]) -> Verdict | None:
    lags = {family: _at_calls(curve, ours.calls, measure) for family, curve in families.items()}
    rival = min(lags, key=lambda family: lags[family], default="")
    if not rival or lags[rival] == inf:
        return None
    return Verdict(ours, measure, ours.figure(measure), rival, lags[rival])


def _at_calls(curve: Sequence[Outcome], calls: int, measure: str) -> float:
    """Return a policy's lag at as many calls, between its settings on logarithmic scales; inf if it needs more."""
    points = sorted((outcome.calls, outcome.figure(measure)) for outcome in curve)
    allowed = [point for point in points if point[0] <= calls]
    if not allowed:
        return inf
    best = min(lag for _, lag in allowed)
    later = [point for point in points if point[0] > calls]
    if later:
        (low, start), (high, end) = allowed[-1], later[0]
        share = (log(calls) - log(low)) / (log(high) - log(low))
        best = min(best, exp((1 - share) * log(max(start, 1.0)) + share * log(max(end, 1.0))))
    return best


@dataclass(frozen=True)
class Goal:
    """What is to be reached, and what was."""

    words: str
    found: float
    wanted: float
    is_least: bool = True

    @property
    def is_reached(self) -> bool:
        """Whether it was."""
        return self.found >= self.wanted if self.is_least else self.found <= self.wanted

    def __str__(self) -> str:
        """Return a line of the report."""
        sign = "≥" if self.is_least else "≤"
        word = "reached" if self.is_reached else "MISSED "
        return f"{word}  {self.words}: {self.found:,.3g} (wanted {sign} {self.wanted:g})"


def goals(outcomes: Sequence[Outcome]) -> list[Goal]:
    """Return the goals that the outcomes tell something of."""
    return [*_instant(outcomes), *_crowded(outcomes), *_staged(outcomes), *_fed(outcomes), *_quick(outcomes)]


def _instant(outcomes: Sequence[Outcome]) -> list[Goal]:
    fixed, found = _one(outcomes, "A", 1_000, "every 15 min"), _ours(outcomes, "A", 1_000)
    if not fixed or not found:
        return []

    def times(measure: str, share: float) -> float:
        lags = [o.figure(measure) for o in found if o.calls <= share * fixed.calls]
        return fixed.figure(measure) / min(lags, default=inf)

    return [
        Goal("A 1,000: median shorter than every 15 min, at no more calls, times", times("median", 1), 70),
        Goal("A 1,000: the same at an eighth of the calls, times", times("median", 1 / 8), 35),
        Goal("A 1,000: mean shorter than every 15 min, at no more calls, times", times("mean", 1), 8),
    ]


def _crowded(outcomes: Sequence[Outcome]) -> list[Goal]:
    robin, found = _one(outcomes, "A", 10_000, "round robin"), _ours(outcomes, "A", 10_000)
    if not robin or not found:
        return []
    frugal = min((o for o in found if o.calls <= 0.55 * robin.calls), key=lambda o: o.figure("mean"), default=None)

    def times(measure: str) -> float:
        return robin.figure(measure) / frugal.figure(measure) if frugal else 0.0

    words = "shorter than round robin, at most 55 % of its calls, times"
    return [
        Goal(f"A 10,000: median {words}", times("median"), 500),
        Goal(f"A 10,000: mean {words}", times("mean"), 9),
    ]


def _staged(outcomes: Sequence[Outcome]) -> list[Goal]:
    hourly, found = _one(outcomes, "B", 1_000, "every 1 h"), _ours(outcomes, "B", 1_000)
    if not hourly or not found:
        return []
    frugal = [o.figure("median") for o in found if o.calls <= 0.75 * hourly.calls]
    share = min(frugal, default=inf) / hourly.figure("median")
    return [Goal("B 1,000: median as a share of hourly, at 75 % of its calls", share, 0.5, is_least=False)]


def _fed(outcomes: Sequence[Outcome]) -> list[Goal]:
    fed = [o for o in outcomes if o.scenario == "B feed" and o.family == "ours"]
    return [
        goal
        for o in fed
        for goal in (
            Goal(f"B with the feed, {o.open_checks:,}: median seconds", o.figure("median"), 45, is_least=False),
            Goal(f"B with the feed, {o.open_checks:,}: share of the budget", o.figure("budget"), 0.05, is_least=False),
        )
    ]


def _quick(outcomes: Sequence[Outcome]) -> list[Goal]:
    spent = [o.plan_cpu for o in outcomes if o.family == "ours" and o.open_checks == 100_000]
    words = "a plan of 100,000 open checks, CPU seconds"
    return [Goal(words, max(spent), 1.0, is_least=False)] if spent else []


def _one(outcomes: Sequence[Outcome], scenario: str, size: int, policy: str) -> Outcome | None:
    return next((o for o in outcomes if (o.scenario, o.open_checks, o.policy) == (scenario, size, policy)), None)


def _ours(outcomes: Sequence[Outcome], scenario: str, size: int) -> list[Outcome]:
    return [o for o in outcomes if (o.scenario, o.open_checks, o.family) == (scenario, size, "ours")]
