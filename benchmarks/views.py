"""Asks every view, the report, the files and the forecasts of a star of 100 thousand and of a million checks.

    python benchmarks/views.py [--smallest | --short | --full] [--checks N] [--keep FOLDER]

The star is that of `increment.py`, published. Each view is asked once, whole, in a session of the snapshot with one
thread; the peer is the leanest query that an analyst would write over `star.fact_check` for the same. Then what others
wait for: the report, the Parquet files, `status`, `show`, `check_as_of`; and what locks the writer out: the rules of
the pipeline's own tables, forecasts. Memory is what the process has at most meanwhile, some 110 MB of Python's
among it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import duckdb
import increment
from measuring import Cost, Options, busyness, machine, main, metered, run_part, say, table, today, versions

RECENT = increment.RECENT
_SQL = {path.name for path in (Path(__file__).parents[1] / "screening_pipeline" / "sql" / "analytics").iterdir()}
# What an analyst would ask of closed checks alone.
DIRECT = {
    "turnaround_by_vendor": "select vendor, quantile_cont(turnaround_seconds, [0.5, 0.75, 0.9, 0.95]) "
    "from star.fact_check where is_terminal group by vendor",
    "turnaround_by_package_month": "select vendor, package, date_trunc('month', ordered_at), "
    "quantile_cont(turnaround_seconds, [0.5, 0.9]) from star.fact_check where is_terminal group by all",
    "sla_attainment": "select vendor, avg((turnaround_business_days <= 5)::int) from star.fact_check group by vendor",
}


def published(folder: str) -> Cost:
    """CPU seconds of the whole snapshot, and of what the live warehouse is locked for beside it."""
    from corpus import Place

    from screening_pipeline.runtime import forecast
    from screening_pipeline.warehouse import catalog, publish

    place = Place(Path(folder))
    with metered() as cost, place.opened() as connection:
        (now,) = connection.execute("select max(last_observed_at) from star.fact_check").fetchone() or (None,)
        timed = _Timed(cost)
        timed("forecast of all", lambda: forecast.renew(connection, now))
        timed("forecast of none", lambda: forecast.renew(connection, now + timedelta(minutes=1)))
        timed("publish all", lambda: publish.publish(connection, place.settings.paths.published))
        for often in (True, False):
            for rule in catalog.rules("raw", "star", "ops", is_every_run=often):
                if not rule.is_published:
                    query = f"select count(*) from ({rule.query}\n)"
                    timed(f"rule {rule.table}.{rule.name}", partial(_ask, connection, query))
    return cost


def asked(folder: str) -> Cost:
    """CPU seconds and memory of each view, the direct queries, and whatever reads the snapshot."""
    from corpus import Place

    from screening_pipeline.cli import show
    from screening_pipeline.health import status
    from screening_pipeline.report import write
    from screening_pipeline.warehouse import catalog, publish
    from screening_pipeline.warehouse.engines import published_engine

    place = Place(Path(folder))
    settings = place.settings
    with metered() as cost, published_engine(settings).reader() as connection:
        connection.execute("set threads = 1")
        (now, check_id) = connection.execute(
            "select max(last_observed_at), any_value(check_id) filter (where vendor = 'checkr') from star.fact_check"
        ).fetchone() or (None, "")
        timed = _Timed(cost)
        queries = {r.name: f"from {r.qualified}" for r in catalog.refreshed("view") if r.schema == "analytics"}
        queries |= {f"direct {name}": query for name, query in DIRECT.items()}
        queries["check_as_of"] = "select lifecycle, count(*) from star.check_as_of(now() - to_days(40)) group by all"
        for name, query in queries.items():
            timed(name, partial(_ask, connection, query))
        timed("report", lambda: write.build_report(connection, generated_at=now))
        timed("Parquet files", lambda: publish.export_parquet(connection, place.settings.paths.parquet))
        timed("status", lambda: status.status_report(settings, {}, place.clock))
        timed("show", lambda: show.check_histories(settings, "checkr", check_id, None))
    return cost


def _ask(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Compute every value of every row; to hand a million of them to Python would be most of the time."""
    connection.execute(f"select bit_xor(hash(r)) from ({query}) as r").fetchall()


class _Timed:
    """Puts CPU seconds and peak memory of works into the facts of a cost."""

    def __init__(self, cost: Cost) -> None:
        self._facts = cost.facts

    def __call__(self, name: str, work: Callable[[], object]) -> None:
        with metered() as cost:
            work()
        self._facts[name] = (cost.cpu_s, cost.peak_mb)


def plan(options: Options) -> None:
    """Make stars, ask everything of them, and print it."""
    sizes = options.choose((2_000,), (100_000,), (100_000, 1_000_000))
    if options.rest.checks:
        sizes = (options.rest.checks,)
    recent = options.choose(500, RECENT, RECENT)
    say(f"{machine()}; {versions('duckdb')}; {today()}; {busyness()}")
    root = Path(options.rest.keep) if options.rest.keep else options.folder
    increment.make_stars(root, {size: root / str(size) for size in sizes}, recent)
    costs: dict[int, dict[str, tuple[float, float]]] = {}
    for size in sizes:
        folder = str(root / str(size))
        costs[size] = run_part("published", folder=folder).facts | run_part("asked", folder=folder).facts
    last = costs[sizes[-1]]
    heads = [head for size in sizes for head in (f"CPU s, {size:,} checks", f"MB, {size:,}")]
    sums = {size: sum(costs[size][name][0] for name in last if f"{name}.sql" in _SQL) for size in sizes}
    names = sorted(last, key=lambda name: -last[name][0])
    say("Each asked once and whole, one thread:")
    table(("asked", *heads), [(n, *(v for s in sizes for v in costs[s][n])) for n in names])
    say("All views once, CPU s: " + ", ".join(f"{total:.3g} of {size:,} checks" for size, total in sums.items()))


if __name__ == "__main__":
    main(
        plan,
        {"block": increment.block, "star": increment.star, "published": published, "asked": asked},
        ("--keep", {"help": "a folder in which the stars are kept for the next time"}),
        ("--checks", {"type": int, "help": "ask a star of this size alone"}),
    )
