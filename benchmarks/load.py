"""Loads orders, plans what changed, and makes calls with landing, each beside the leanest script for the same.

    python benchmarks/load.py [--smallest | --short | --full] [--times N]

Orders: one CSV, read, numbered, made rows of the star, committed and planned; the peers read the same file and hash its
people, by Python's csv module, and by DuckDB into a table. Planning: 40,000 open checks of one account as a whole, one
of them, and none. A call: our client with limiter, judging and landing; the peers are bare httpx and aiohttp.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import fetch
from answering import answering
from measuring import (
    Cost,
    Options,
    costs_table,
    cpu_seconds,
    is_installed,
    main,
    medians,
    metered,
    run_part,
    say,
    table,
)

if TYPE_CHECKING:
    from corpus import Place

OURS, BY_CSV, BY_DUCKDB = "our intake, star and plan", "csv and hmac", "read_csv and sha256 into a table"
KEY = b"pseudonym key of a benchmark"
LONG_AGO = 1_000_000_000
AT_ONCE = 8


# ── orders ─────────────────────────────────────────────────────────────────────────────────────────────


def written(folder: str, orders: int) -> Cost:
    """The file of orders, written long ago."""
    from corpus import NOW

    path = Path(folder) / "orders.csv"
    with metered() as cost, path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("vendor", "account", "check_id", "candidate_ref", "package", "ordered_at"))
        for n in range(orders):
            at = (NOW - timedelta(days=3) + timedelta(seconds=n)).isoformat()
            rows.writerow(("workerchecks", "sandbox", f"{n:07d}", f"C-{n // 2:06d}", "standard", at))
    os.utime(path, (LONG_AGO, LONG_AGO))
    return cost


def ours(file: str, folder: str) -> Cost:
    """Intake, star and plan of one file; the facts are CPU seconds of its steps."""
    from corpus import NOW, PART_KEY, Place

    from screening_pipeline.base.progress import no_progress
    from screening_pipeline.orders import intake
    from screening_pipeline.runtime.replan import replan
    from screening_pipeline.state.pull_queue import PullQueue
    from screening_pipeline.state.store import State
    from screening_pipeline.warehouse import ingest, schema, session

    place = Place(Path(folder))
    (place.settings.paths.orders / "orders.csv").hardlink_to(file)
    pull_queue = PullQueue(State(place.settings.paths.state))
    given: dict[str, Any] = {
        "key": KEY,
        "run_id": "bench",
        "progress": no_progress,
        "clock": place.clock,
        "landing": place.landing,
    }
    with place.opened() as connection, metered() as cost:
        marks = [cpu_seconds()]

        def mark(step: str) -> None:
            marks.append(cpu_seconds())
            cost.facts[step] = cost.facts.get(step, 0.0) + marks[-1] - marks[-2]

        steps, is_more = intake.steps(connection, place.settings, **given), True
        while is_more:  # as a run does
            with session.transaction(connection):
                _, is_more = next(steps)
                mark("reading")
                ingest.advance(connection, place.landing, part_key=PART_KEY)
                mark("star")
            schema.drop_work(connection)
            session.forget_blocks(connection)
            mark("commit")
        replan(connection, place.settings, pull_queue, now=NOW)
        mark("plan")
    return cost


def by_csv(file: str) -> Cost:
    """The rows as tuples, people as keyed hashes."""
    import hmac

    with metered() as cost, Path(file).open(newline="", encoding="utf-8") as opened:
        rows = csv.reader(opened)
        next(rows)
        kept = [(*row[:3], hmac.digest(KEY, row[3].encode(), "sha256").hex(), *row[4:]) for row in rows]
        cost.facts["rows"] = len(kept)
    return cost


def by_duckdb(file: str) -> Cost:
    """A table in memory."""
    import duckdb

    with metered() as cost, duckdb.connect() as connection:
        connection.execute("set threads = 1")
        table = f"read_csv('{file}', all_varchar = true)"
        connection.execute(f"create table orders as select *, sha256('key' || candidate_ref) from {table}")
    return cost


# ── planning ───────────────────────────────────────────────────────────────────────────────────────────


def planning(file: str, folder: str) -> Cost:
    """CPU milliseconds of a plan of all, of what one changed check needs, and of nothing new."""
    from corpus import Place

    place = Place(Path(folder))
    (place.settings.paths.orders / "orders.csv").hardlink_to(file)
    with place.opened() as connection, metered() as cost:
        place.take_orders(connection)
        cost.facts = _planned(place, connection)
    return cost


def _planned(place: Place, connection: Any) -> dict[str, float]:
    from screening_pipeline.runtime import plans
    from screening_pipeline.state.pull_queue import PullQueue
    from screening_pipeline.state.store import State

    state = State(place.settings.paths.state)
    given: Any = SimpleNamespace(clock=place.clock, state=state, settings=place.settings, pull_queue=PullQueue(state))
    touch = "insert into staging.unplanned_check select check_key from raw.check limit 1"
    plans.plan_again(connection, given)  # learns

    def touched() -> None:
        connection.execute(touch)
        plans.plan_what_is_old(connection, given)

    works: dict[str, Callable[[], object]] = {
        "all of it": lambda: plans.plan_again(connection, given),
        "one check was touched": touched,
        "nothing was touched": lambda: plans.plan_what_is_old(connection, given),
    }
    return {name: min(_milliseconds(work) for _ in range(5)) for name, work in works.items()}


def _milliseconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return 1000 * (time.process_time() - begun)


# ── what is printed ────────────────────────────────────────────────────────────────────────────────────


def plan(options: Options) -> None:
    """Measure and print."""
    _print_orders(options, options.choose(2_000, 200_000, 200_000))
    _print_planning(options, options.choose(1_000, 40_000, 40_000))
    _print_calls(options, options.choose(200, 1_000, 10_000))


def _print_orders(options: Options, orders: int) -> None:
    folder = fetch.new(options.folder)
    run_part("written", folder=folder, orders=orders)
    file = f"{folder}/orders.csv"
    costs = medians(
        1 if options.form == "smallest" else options.times,
        {
            OURS: lambda: run_part("ours", file=file, folder=fetch.new(options.folder)),
            BY_CSV: lambda: run_part("by_csv", file=file),
            BY_DUCKDB: lambda: run_part("by_duckdb", file=file),
        },
    )
    say(f"{orders:,} orders in one CSV:")
    costs_table("what", costs, base=BY_CSV)
    table(("step of ours", "CPU s"), list(costs[OURS].facts.items()))


def _print_planning(options: Options, orders: int) -> None:
    folder = fetch.new(options.folder)
    run_part("written", folder=folder, orders=orders)
    found = run_part("planning", file=f"{folder}/orders.csv", folder=fetch.new(options.folder))
    say(f"Planning an account of {orders:,} open checks, with the forecasts that belong to it; the least of five:")
    table(("what is planned", "CPU ms"), list(found.facts.items()))


def _print_calls(options: Options, calls: int) -> None:
    with answering() as url:
        given = {"url": url, "calls": calls, "at_once": AT_ONCE}
        wanted: dict[str, Callable[[], Cost]] = {
            fetch.LANDING: lambda: run_part("call", folder=fetch.new(options.folder), is_landing=True, **given),
            fetch.OURS: lambda: run_part("call", folder=fetch.new(options.folder), is_landing=False, **given),
            fetch.HTTPX: lambda: run_part("by_httpx", **given),
        }
        if is_installed("aiohttp"):
            wanted[fetch.AIOHTTP] = lambda: run_part("by_aiohttp", **given)
        costs = medians(options.times, wanted)
    say(f"{calls:,} calls of 1.5 KB, {AT_ONCE} at once, without a limit:")
    base = costs[fetch.HTTPX].cpu_s
    rows = [(name, 1000 * cost.cpu_s / calls, cost.cpu_s / base) for name, cost in costs.items()]
    table(("client", "CPU ms a call", f"CPU / {fetch.HTTPX}"), rows)


if __name__ == "__main__":
    main(
        plan,
        {
            "written": written,
            "ours": ours,
            "by_csv": by_csv,
            "by_duckdb": by_duckdb,
            "planning": planning,
            "call": fetch.ours,
            "by_httpx": fetch.by_httpx,
            "by_aiohttp": fetch.by_aiohttp,
        },
    )
