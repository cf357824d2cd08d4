"""Population figures and foretold ends against worlds whose truth is known, beside what others would have said.

    python benchmarks/figures.py [--seeds 1 2 …]

Each world is drawn by the tests' `support.known_world`, which shares nothing with what is measured; what was seen of it
is loaded as answers are. The peers are the median of closed checks and Kaplan and Meier's estimator with
ends at their first sight, nothing else ending a check, and every check followed from its order; of ends to come, the
vendor's quantiles less the age, and those of the time that open checks had left on earlier days, whatever their age.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from screening_pipeline.planning import eta
from screening_pipeline.runtime import backtest, forecast
from screening_pipeline.settings.settings import SlaTarget
from screening_pipeline_tests.support import known_world
from screening_pipeline_tests.support.known_world import DAY, Shape, World, seen
from screening_pipeline_tests.support.stage import Stage

WORLDS = {
    "22 % open": Shape(vendor="goodhire", open_share=0.22),
    "daily file": Shape(vendor="zinc", announced="daily", open_share=0.22),
    "2 h file": Shape(vendor="goodhire", announced="two_hourly"),
    "planner's looks": Shape(vendor="goodhire", looks="when_likely", open_share=0.22),
    "25 % no-shows": Shape(vendor="goodhire", no_shows=0.25, days=110),
    "backlog": Shape(vendor="goodhire", checks=900, days=110, records_days=25),
}
STEADY = Shape(vendor="goodhire", checks=500, days=110)
SLOWER = replace(STEADY, slow_days=25)
YOUNG = Shape(vendor="goodhire", checks=500, days=80, records_days=24)
PROMISED = 120
TENTHS = tuple(tenth / 10 for tenth in range(1, 10))
WATCHED = 70
"""Days for which a steady vendor is watched for false alarms."""
PROMISE = SlaTarget(vendor="goodhire", clock="total", target_hours=PROMISED)


def kaplan_meier(stage: Stage, share: float) -> float | None:
    """Days, by the estimator that leaves out what ended otherwise or was found ended."""
    rows = stage.rows(
        "select seconds_latest as time, outcome from star.fact_turnaround "
        "where outcome <> 'otherwise' and is_seen_open and is_observed order by seconds_latest"
    )
    left = 1.0
    for place, row in enumerate(rows):
        if row["outcome"] == "complete":
            left *= 1 - 1 / (len(rows) - place)
        if left <= 1 - share:
            return float(row["time"]) / 86_400
    return None


def closed_only(stage: Stage, share: float) -> float | None:
    (row,) = stage.rows(f"select quantile_cont(turnaround_seconds, {share}) as days from star.fact_check")
    return None if row["days"] is None else float(row["days"]) / 86_400


def populations(seed: int, out: dict[str, list[Any]]) -> None:
    for name, shape in WORLDS.items():
        with seen(shape, seed) as (of, stage):
            (row,) = stage.rows("from analytics.turnaround")
            for key, column, share in (("p50", "median_days", 0.5), ("p90", "p90_days", 0.9)):
                true = of.quantile(share) / 86_400
                for who, told in (
                    ("ours", row[column]),
                    ("Kaplan–Meier", kaplan_meier(stage, share)),
                    ("closed only", closed_only(stage, share)),
                ):
                    out[f"{name}|{key}|{who}"].append(None if told is None else told / true - 1)
            true = of.quantile(0.5) / 86_400
            out["interval"].append(row["ci_low"] is not None and row["ci_low"] <= true <= (row["ci_high"] or 1e9))
            out["order"].append(row["low"] <= row["median_days"] <= row["high"])
            out[f"{name}|share"].append((row["share_completing"] or 0) - of.share_completing)


def phases_and_promises(seed: int, out: dict[str, list[Any]]) -> None:
    shape = Shape(vendor="goodhire", hiccups=0.6, looks="once_a_day", announced="daily", no_shows=0.1, days=80)
    with seen(shape, seed, PROMISE) as (of, stage):
        lives = {life.check_id: life for life in of.lives}
        for row in stage.rows(
            "select f.check_id, p.phase, p.seconds_least, p.seconds_most from analytics.check_phase as p "
            "inner join star.fact_check as f using (check_key) "
            "where f.lifecycle = 'completed' and p.phase in ('candidate', 'vendor', 'client')"
        ):
            true = lives[row["check_id"]].spent(of.shape.now).get(row["phase"], 0)
            out["phase"].append(row["seconds_least"] - 2 <= true <= row["seconds_most"] + 2)
        for week in stage.rows("from analytics.sla_attainment_by_week where n >= 5"):
            kept = [life.completes and life.seconds <= PROMISED * 3600 for life in _judged(of, week["week"])]
            out["week"].append(week["attainment_at_worst"] - 1e-9 <= mean(kept) <= week["attainment_at_best"] + 1e-9)


def _judged(of: World, week: Any) -> list[known_world.Life]:
    zone = known_world.zone_of(of.shape.vendor)
    return [
        life
        for life in of.lives
        if 0 <= (life.ordered_at.astimezone(zone).date() - week).days < 7
        and life.announced_at < of.shape.now
        and (of.shape.now - life.ordered_at).total_seconds() > PROMISED * 3600
        and (life.completes or life.seconds > PROMISED * 3600)
    ]


def foretold(seed: int, out: dict[str, list[Any]]) -> None:
    for name, shape, days in (
        ("steady", STEADY, (12, 24, 36)),
        ("twice as slow", SLOWER, (4, 12)),
        ("3 weeks", YOUNG, (2,)),
    ):
        with seen(shape, seed, PROMISE) as (of, stage):
            lives = {life.check_id: life for life in of.lives}
            keys = {row["check_key"]: lives[row["check_id"]] for row in stage.rows("from star.fact_check")}
            for ago in days:
                now = of.shape.now - ago * DAY
                _score(name, backtest.forecast(stage.connection, now), keys, now, of, out)
                _reliability(name, stage, keys, now, out)
            if name == "steady":
                out["false alarms"].append(_alarms(stage, of))
            forecast.renew(stage.connection, of.shape.now)
            if name == "steady":
                for row in stage.rows(
                    "from analytics.open_check_eta where chance_late is not null and due_at > made_at"
                ):
                    late = lives[row["check_id"]].ended_at > row["due_at"]
                    out["brier"].append((row["chance_late"] - late) ** 2)
                    out["late"].append((row["chance_late"], late))
    with seen(replace(STEADY, slow_days=14), seed) as (of, stage):
        forecast.renew(stage.connection, of.shape.now)
        found = stage.rows(
            "select count(*) filter (where is_slow and state = 'in_progress') as n from analytics.slowdown"
        )
        out["slow found"].append(found[0]["n"] > 0)


def _alarms(stage: Stage, of: World) -> int:
    """How often a vendor that is steady begins to be told as slower, looked at every other day."""
    days = forecast.business_calendars(stage.connection)
    found, before = 0, set[str]()
    for ago in range(WATCHED, -1, -2):
        now = of.shape.now - ago * DAY
        forecast.keep_pace(stage.connection, forecast.stays(stage.connection, now), days, now)
        slow = {row["state"] for row in stage.rows("select state from analytics.slowdown where is_slow")}
        found += bool(slow - before)
        before = slow
    return found


def _reliability(name: str, stage: Stage, keys: dict[int, Any], now: Any, out: dict[str, list[Any]]) -> None:
    """For each tenth whether a check had ended by the time by which it was said to have with that chance."""
    learned, waiting = backtest.known_then(stage.connection, now)
    told = np.quantile(eta.ends(learned, waiting)[0], TENTHS, axis=1)
    for check_key, quantiles in zip(waiting["check_key"].tolist(), told.T.tolist(), strict=True):
        true = keys[check_key].ended_at.timestamp()
        if true > now.timestamp():
            for tenth, quantile in zip(TENTHS, quantiles, strict=True):
                out[f"{name}|by|{tenth:.0%}"].append(true <= quantile)


def _left(of: World, at: float) -> list[float]:
    """Seconds that checks had left at each day before, of those that have ended by now, in order."""
    done = [(life.ordered_at.timestamp(), life.ended_at.timestamp()) for life in of.lives]
    days = [at - day * DAY.total_seconds() for day in range(1, 60)]
    return sorted(ended - day for day in days for ordered, ended in done if ordered <= day < ended <= at)


def _score(name: str, told: Any, keys: dict[int, Any], now: Any, of: World, out: dict[str, list[Any]]) -> None:
    at = now.timestamp()
    done = sorted(life.seconds for life in of.lives if life.ended_at <= now)
    left = _left(of, at)
    peers, whole = ([known[int(share * (len(known) - 1))] for share in (0.1, 0.5, 0.9)] for known in (done, left))
    for row in told.to_dict("records"):
        life = keys[row["check_key"]]
        true = life.ended_at.timestamp()
        if true <= at:
            continue
        for who, ends in (
            ("ours", [row["p10"], row["p50"], row["p90"]]),
            ("vendor − age", [life.ordered_at.timestamp() + peer for peer in peers]),
            ("overall", [at + peer for peer in whole]),
        ):
            low, middle, high = (max(end, at) for end in ends)
            out[f"{name}|cover|{who}"].append(low - 60 <= true <= high + 60)
            losses = [max(p * (true - q), (p - 1) * (true - q)) for p, q in ((0.1, low), (0.5, middle), (0.9, high))]
            out[f"{name}|loss|{who}"].append(2 * mean(losses) / 3600)


def percent(values: list[Any]) -> str:
    known = [value for value in values if value is not None]
    return "–" if not known else f"{100 * mean(known):+.1f} %"


def report(out: dict[str, list[Any]]) -> None:
    print("| figure | ours | Kaplan–Meier | closed only |\n|---|---|---|---|")
    for name in WORLDS:
        for key in ("p50", "p90"):
            told = (percent(out[f"{name}|{key}|{who}"]) for who in ("ours", "Kaplan–Meier", "closed only"))
            print(f"| {name}, {key}: mean error | {' | '.join(told)} |")
    worst = max(abs(value) for value in out["25 % no-shows|share"])
    print(f"| share that completes, 25 % no-shows: worst error | {100 * worst:.1f} points | not told | not told |")
    print(f"| bounds of the median in order | {100 * mean(out['order']):.0f} % | | |")
    print(f"| 95 % interval of the median covers | {100 * mean(out['interval']):.0f} % of {len(out['interval'])} | | |")
    print(f"| phases: least and most hold | {100 * mean(out['phase']):.1f} % of {len(out['phase'])} | | |")
    print(f"| promises: worst and best hold | {100 * mean(out['week']):.0f} % of {len(out['week'])} weeks | | |")
    for name in ("steady", "twice as slow", "3 weeks"):
        cover, loss = (out[f"{name}|{what}|ours"] for what in ("cover", "loss"))
        peers = (_beside(out, name, who, mean(loss)) for who in ("vendor − age", "overall"))
        own = f"{mean(cover):.2f}, {mean(loss):.1f} (n {len(cover)})"
        print(f"| end forecast, {name}: coverage, pinball h | {own} | {' | '.join(peers)} |")
    late = [late for _, late in out["late"]]
    base = mean(late) * (1 - mean(late))
    print(
        f"| breaches: Brier skill; counts told and true | {1 - mean(out['brier']) / base:.2f}; "
        f"{sum(chance for chance, _ in out['late']):.0f}, {sum(late)} | | |"
    )
    years = len(out["false alarms"]) * WATCHED / 365
    print(
        f"| slow-down: false alarms a year; twofold found in 14 days | {sum(out['false alarms']) / years:.1f} "
        f"({sum(out['false alarms'])} in {years:.1f} years); {100 * mean(out['slow found']):.0f} % | | |"
    )
    print(f"\n| had ended by | {' | '.join(f'{tenth:.0%}' for tenth in TENTHS)} |\n|---{'|---' * len(TENTHS)}|")
    for name in ("steady", "twice as slow", "3 weeks"):
        shares = [mean(out[f"{name}|by|{tenth:.0%}"]) for tenth in TENTHS]
        print(f"| {name} | {' | '.join(f'{share:.0%}' for share in shares)} |")


def _beside(out: dict[str, list[Any]], name: str, who: str, loss: float) -> str:
    cover, peer = (mean(out[f"{name}|{what}|{who}"]) for what in ("cover", "loss"))
    return f"{who}: {cover:.2f}, {peer:.1f}; ratio {loss / peer:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[501, 502, 503, 504])
    out: dict[str, list[Any]] = defaultdict(list)
    seeds = parser.parse_args().seeds
    for seed in seeds:
        populations(seed, out)
        phases_and_promises(seed, out)
        foretold(seed, out)
    print(f"Seeds {seeds}\n")
    report(out)


if __name__ == "__main__":
    main()
