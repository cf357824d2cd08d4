"""Plays vendors against pull policies and prints, side by side, what each sees, how late, and for how many calls.

    python benchmarks/planning.py [--smallest | --short | --full] [--scenario A]... [--open N]... [--out chart.svg]

The worlds in `pulls.worlds` know nothing of the planner. The planner is given what the warehouse would know (orders,
and what its own pulls showed), starts with no history, and learns every six hours from the stays it has seen. The other
policies are played with several settings each, so that ours is compared with the best of them at equal calls.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from pulls import verdict
from pulls.game import Outcome, Setting, play
from pulls.ours import Ours
from pulls.policies import BackOff, BackOffByAge, Fixed, Oracle, Policy
from pulls.worlds import DAY, HOUR, MINUTE, scenarios

Make = Callable[[], Policy]
Floats = tuple[float, ...]

SETTINGS = {
    1_000: Setting(days=14, tick=10, look=120),
    10_000: Setting(days=7, tick=10, look=600),
    # The full budget goes round once in 33 to 83 hours: five days show what there is to see.
    100_000: Setting(days=5, tick=60, look=3_600),
}
FORMS = {"smallest": Setting(days=0.5, tick=30, look=300), "short": Setting(days=4, tick=20, look=120)}
COLUMNS = (
    ("calls per change", "calls/change", "{:,.1f}"),
    ("median", "median s", "{:,.0f}"),
    ("p95", "p95 s", "{:,.0f}"),
    ("mean", "mean s", "{:,.0f}"),
    ("late mean", "mean s, 2nd half", "{:,.0f}"),
    ("budget", "budget", "{:.1%}"),
    ("seen", "changes seen", "{:.1%}"),
    ("lost", "states lost", "{:.1%}"),
)
JUDGED = ("mean", "late mean")
"""What decides whether another policy is better; the median alone is cheap: ask what is young and forget the rest."""
MEASURES = ("median", *JUDGED)
LAGS: dict[tuple[str, int], Floats] = {
    ("A", 1_000): (0, 140),
    ("B", 1_000): (0, 62),
    ("C", 1_000): (0, 60),
    ("D", 1_000): (0, 60),
    ("A", 10_000): (0, 374, 380, 390, 720),
}
"""What a call must save in ours, in seconds, by scenario and size: from every call there is to a frugal plan."""
DEFAULT_LAG = 30
RIVAL_TICKS = 3
"""The one by age weighs all open checks more often than ours does."""
RIVALS: dict[int, tuple[Floats, Floats, Floats]] = {
    1_000: ((15 * MINUTE, HOUR, 3 * HOUR), (HOUR, 3 * HOUR, 6 * HOUR, DAY), (0.25, 0.5, 1.0)),
    10_000: ((12 * HOUR, DAY), (6 * HOUR, DAY, 3 * DAY), (0.25, 0.5)),
    100_000: ((), (DAY, 3 * DAY), (0.5,)),
}
"""The others' settings by size: fixed intervals, longest waits of the back-offs, and factors of the one by age."""


def rivals(size: int, look: float) -> list[Make]:
    """Return everybody else, each with several settings; and the one that knows the future."""
    intervals, longest, factors = RIVALS[size]
    makes: list[Make] = [partial(Fixed, interval) for interval in (0.0, *intervals)]
    makes += [partial(BackOff, most) for most in longest]
    makes += [partial(BackOffByAge, factor, longest[-1], look) for factor in factors]
    return [*makes, Oracle]


def ours(scenario: str, size: int, look: float, *, has_feed: bool = False) -> list[Make]:
    """Return the planner with several prices of a call."""
    lags = (DEFAULT_LAG,) if has_feed else LAGS.get((scenario, size), (0,))
    return [partial(Ours, lag, look, has_feed=has_feed) for lag in lags]


def games(names: Sequence[str], sizes: Sequence[int], form: str) -> Iterator[Outcome]:
    """Play everything, one after the other."""
    for size in sizes:
        setting = FORMS.get(form, SETTINGS[size])
        for name in names:
            accounts = scenarios(setting.days)[name]
            for make in (*rivals(size, setting.tick * RIVAL_TICKS), *ours(name, size, setting.look)):
                yield play(name, accounts, size, make, setting)
            if name == "B":
                for make in ours(name, size, setting.look, has_feed=True):
                    yield play("B feed", accounts, size, make, setting, has_feed=True)


def header() -> str:
    """Return the names of the table's columns."""
    return f"{'':<7}{'open':>8}  {'policy':<22}" + "".join(f"{name:>17}" for _, name, _ in COLUMNS) + "  CPU s/plan"


def row(outcome: Outcome) -> str:
    """Return one line of the table."""
    figures = "".join(f"{words.format(outcome.figure(name)):>17}" for name, _, words in COLUMNS)
    spent = f"{outcome.plan_cpu:>12.2f}" if outcome.plan_cpu else ""
    return f"{outcome.scenario:<7}{outcome.open_checks:>8,}  {outcome.policy:<22}{figures}{spent}"


def chart(outcomes: Sequence[Outcome], target: Path) -> None:
    """Write mean lag over calls per change, a curve for each policy, a field for each scenario and size."""
    import altair as alt

    rows = [
        {
            "scenario": f"{o.scenario}, {o.open_checks:,} open",
            "policy": o.family,
            "setting": o.policy,
            "calls per change that happened": o.calls / max(o.happened, 1),
            "mean lag, seconds": max(o.figure("mean"), 1.0),
        }
        for o in outcomes
    ]
    curves = (
        alt.Chart({"values": rows}, width=260, height=200)
        .mark_line(point=True)
        .encode(
            x=alt.X("calls per change that happened:Q").scale(type="log"),
            y=alt.Y("mean lag, seconds:Q").scale(type="log"),
            color=alt.Color("policy:N"),
            tooltip=[alt.Tooltip("setting:N"), alt.Tooltip("mean lag, seconds:Q", format=",.0f")],
        )
        .facet("scenario:N", columns=3)
        .resolve_scale(x="independent", y="independent")
    )
    curves.save(str(target), **({"inline": True} if target.suffix == ".html" else {}))


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--smallest", dest="form", action="store_const", const="smallest", help="a few seconds")
    parser.add_argument("--short", dest="form", action="store_const", const="short", help="about a minute, 1,000 open")
    parser.add_argument("--full", dest="form", action="store_const", const="full", help="half an hour (default)")
    parser.set_defaults(form="full")
    parser.add_argument("--scenario", action="append", choices=["A", "B", "C", "D"], help="only this one; repeatable")
    parser.add_argument("--open", action="append", type=int, choices=list(SETTINGS), help="only this size; repeatable")
    parser.add_argument("--out", type=Path, help="write a chart: .html, .svg or .png")
    return parser.parse_args(given)


def main(given: Sequence[str]) -> None:
    """Play and print; the full form also tells which goals were reached."""
    options = arguments(given)
    is_full = options.form == "full"
    sizes = options.open or (list(SETTINGS) if is_full else [1_000])
    started, outcomes = time.process_time(), []
    print(header())
    for outcome in games(options.scenario or ["A", "B", "C", "D"], sizes, options.form):
        outcomes.append(outcome)
        print(row(outcome), flush=True)
    found = verdict.verdicts(outcomes, MEASURES)
    print("\nOurs against the best other at equal calls", *found, sep="\n")
    reached = verdict.goals(outcomes) if is_full else []
    print(*(["\nGoals"] if reached else []), *reached, sep="\n")
    judged = [one for one in found if one.measure in JUDGED]
    worst = max(judged, key=lambda one: one.ratio, default=None)
    print(f"\nworst: {worst} (wanted: up to +5 %)\n{time.process_time() - started:,.0f} CPU s in all")
    if options.out:
        chart(outcomes, options.out)


if __name__ == "__main__":
    main(sys.argv[1:])
