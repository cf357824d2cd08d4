"""Asks every view, the report and the forecasts of a star of 100 thousand and of a million checks.

    python benchmarks/views.py [--smallest | --short | --full] [--checks N]

The star is that of `increment.py`. Each view is asked once, whole, in a session with one thread, as a reader of the
published snapshot does; the peer is the leanest query that an analyst would write over `star.fact_check` for the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import increment
from measuring import Cost, Options, busyness, machine, main, metered, run_part, say, table, today, versions

BLOCK, RECENT = increment.BLOCK, increment.RECENT
# What an analyst would ask of closed checks alone.
DIRECT = {
    "turnaround_by_vendor": "select vendor, quantile_cont(turnaround_seconds, [0.5, 0.75, 0.9, 0.95]) "
    "from star.fact_check where is_terminal group by vendor",
    "turnaround_by_package_month": "select vendor, package, date_trunc('month', ordered_at), "
    "quantile_cont(turnaround_seconds, [0.5, 0.9]) from star.fact_check where is_terminal group by all",
    "sla_attainment": "select vendor, avg((turnaround_business_days <= 5)::int) from star.fact_check group by vendor",
}


def asked(folder: str) -> Cost:
    """CPU seconds of each view, the direct queries, the report and a forecast of all, in one session."""
    from corpus import Place

    from screening_pipeline.report import write
    from screening_pipeline.runtime import forecast
    from screening_pipeline.warehouse import catalog

    with metered() as cost, Place(Path(folder)).opened() as connection:
        (now,) = connection.execute("select max(last_observed_at) from star.fact_check").fetchone() or (None,)

        def timed(name: str, query: str) -> None:
            begun = time.process_time()
            connection.execute(f"create or replace temp table answer as {query}")
            cost.facts[name] = time.process_time() - begun

        for relation in catalog.refreshed("view"):
            if relation.schema == "analytics":
                timed(relation.name, f"from {relation.qualified}")
        for name, query in DIRECT.items():
            timed(f"direct {name}", query)
        connection.execute("drop table answer")
        works: dict[str, Callable[[], object]] = {
            "report": lambda: write.build_report(connection, generated_at=now),
            "forecast of all": lambda: forecast.renew(connection, now),
            "forecast of none": lambda: forecast.renew(connection, now + timedelta(minutes=1)),
        }
        for name, work in works.items():
            begun = time.process_time()
            work()
            cost.facts[name] = time.process_time() - begun
    return cost


def plan(options: Options) -> None:
    """Make stars, ask everything of them, and print it."""
    sizes = options.choose((2_000,), (100_000,), (100_000, 1_000_000))
    if options.rest.checks:
        sizes = (options.rest.checks,)
    recent = options.choose(500, RECENT, RECENT)
    say(f"{machine()}; {versions('duckdb')}; {today()}; {busyness()}")
    root = options.folder
    source = root / "block"
    run_part("block", folder=str(source), checks=min(BLOCK, recent))
    costs = {}
    for size in sizes:
        place = root / str(size)
        run_part("star", folder=str(place), block_folder=str(source), checks=size, recent=recent)
        costs[size] = run_part("asked", folder=str(place))
    names = sorted(costs[sizes[-1]].facts, key=lambda name: -costs[sizes[-1]].facts[name])
    say("CPU seconds of each, asked once and whole, one thread:")
    table(("asked", *(f"{size:,} checks" for size in sizes)), [(n, *(costs[s].facts[n] for s in sizes)) for n in names])
    table(("all of it", "CPU s", "peak MB"), [(f"{size:,} checks", c.cpu_s, c.peak_mb) for size, c in costs.items()])


if __name__ == "__main__":
    main(
        plan,
        {"block": increment.block, "star": increment.star, "asked": asked},
        ("--checks", {"type": int, "help": "ask a star of this size alone"}),
    )
