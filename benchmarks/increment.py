"""Merges 1,000 and 10,000 new responses into a star of 100 thousand, a million and ten million checks.

    python benchmarks/increment.py [--short | --full] [--times N] [--keep FOLDER]

A star is made cheaply: the past by copying, in SQL, what was told of a block of checks that the pipeline itself has
read, each copy some weeks older than the next and each check of it as much faster or slower as no other, since to one
duration a million times any figure is quick; all that is derived of it, and 20,000 recent checks, most of them open, by
the pipeline. The pipeline's own rules are then tried on the whole. What is measured are changes of recent checks, each
batch in a new process: opening the warehouse, one transaction, closing it. The peers of the last section do only the
upsert of the current row: DuckDB's own MERGE by a text key, with the primary key that this asks for and without one.
"""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from measuring import Cost, Options, cpu_seconds, main, metered, middle, run_part, say, table

if TYPE_CHECKING:
    from screening_pipeline.domain.exchange import HttpExchange
    from screening_pipeline.warehouse.session import Connection


BLOCK = 10_000
RECENT = 20_000
PAST_WEEKS = 260
AT_ONCE = 50
BATCHES = (1_000, 10_000)
RECENT_SEED = 11

# What is not the same in each copy of a row; $copy copies of $checks checks come before it.
_CHANGED = {
    "check_key": "$copy * $checks + b.check_key",
    "check_id": "concat(b.check_id, '-', $copy)",
    "report_check_id": "case when b.report_check_id is not null then concat(b.report_check_id, '-', $copy) end",
    "response_id": "concat(b.response_id, '-', $copy)",
    "order_seq": "$copy * $checks + b.order_seq",
    "id_hash": "staging.id_hash(b.vendor, b.account, b.subject, concat(b.check_id, '-', $copy))",
}
# What was told of checks, of which all else is computed.
_TOLD = ('raw."check"', 'raw."order"', 'staging."observation"', 'staging."response"')
# Of how much of its own time a copy of a check takes; none like another's.
_PACE = "(0.7 + 0.8 * (hash(check_key) / 18446744073709551616.0))"
# The checks of the block that have ended, numbered without gaps.
_KEPT = """
create or replace temp table kept as
select
    check_key as old_key,
    row_number() over (order by check_key) as check_key,
    least(ordered_at, first_observed_at) as begun_at
from block.star.fact_check where is_terminal
"""


# ── making a star ──────────────────────────────────────────────────────────────────────────────────────


def block(folder: str, checks: int) -> Cost:
    """A warehouse of so many checks, read by the pipeline at two looks each: the first state, and the last."""
    from corpus import Place, announce, exchanges, land, world

    with metered() as cost:
        place, of = Place(Path(folder)), world(checks)
        announce(of, place.settings.paths.orders)
        land(place.landing, exchanges(of, 2 * checks))
        with place.opened() as connection:
            place.take_orders(connection)
    return cost


def star(folder: str, block_folder: str, checks: int, recent: int) -> Cost:
    """A star of so many checks: copies of the block, then recent checks; the facts say how it turned out."""
    from corpus import Place, broken_rules, land

    from screening_pipeline.warehouse.loading import write_note
    from screening_pipeline.warehouse.rebuild import REBUILT

    place = Place(Path(folder))
    with metered() as cost:
        with place.opened() as connection:
            _copy(connection, Path(block_folder) / "warehouse.duckdb", checks - recent)
            connection.execute("checkpoint")
            # As if a rebuild had read all there is and were stopped before the first check: opening goes on with it.
            write_note(connection, REBUILT, "-1")
        land(place.landing, _first_looks(recent))
        with place.opened() as connection:
            place.take_orders(connection)
            connection.execute("checkpoint")
            cost.facts = _facts(connection)
            cost.facts["broken_rules"] = broken_rules(connection, is_every_run=True)
    cost.facts["gigabytes"] = place.settings.paths.warehouse.stat().st_size / 1e9
    return cost


def _copy(connection: Connection, source: Path, checks: int) -> None:
    """Fill the tables with copies of what the block was told of ended checks, the oldest first."""
    connection.execute(f"attach '{source}' as block (read_only)")
    connection.execute(_KEPT)
    kept = _number(connection, "select count(*) from kept")
    copies = -(-checks // kept)
    _copy_words(connection)
    for name, columns in _tables(connection):
        listed = ", ".join("k.check_key" if column == "check_key" else f'b."{column}"' for column, _ in columns)
        connection.execute(
            f"create or replace temp table copied as select {listed}, k.begun_at from block.{name} as b "
            "inner join kept as k on b.check_key = k.old_key order by k.check_key"
        )
        for first in range(0, copies, AT_ONCE):  # large inserts bypass the write-ahead log
            chosen = (_copied(columns, copy, copies, kept) for copy in range(first, min(first + AT_ONCE, copies)))
            rows = f"select * from ({' union all '.join(chosen)}) where check_key <= {checks}"
            connection.execute(f"insert into {name} by name {rows}")
    connection.execute("drop table kept; drop table copied; detach block")


def _copy_words(connection: Connection) -> None:
    for name in ("staging.state", "staging.reading", "star.dim_candidate", "star.dim_check_type", "star.dim_package"):
        connection.execute(f"insert into {name} by name from block.{name}")


def _tables(connection: Connection) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Every table of what was told, and its columns with their types."""
    found = connection.execute(
        "select concat(schema_name, '.\"', table_name, '\"') as name, "
        "list((column_name, data_type) order by column_index) "
        "from duckdb_columns() semi join duckdb_tables() using (database_name, schema_name, table_name) "
        "where database_name = current_database() group by all order by all"
    ).fetchall()
    return ((name, columns) for name, columns in found if name in _TOLD)


def _copied(columns: Sequence[tuple[str, str]], copy: int, copies: int, kept: int) -> str:
    return f"select {', '.join(_selected(*column, copy, copies, kept) for column in columns)} from copied as b"


def _selected(column: str, kind: str, copy: int, copies: int, kept: int) -> str:
    if column in _CHANGED:
        value = _CHANGED[column].replace("$copy", str(copy)).replace("$checks", str(kept))
    elif kind == "TIMESTAMP WITH TIME ZONE":
        weeks = 1 + (copies - copy) * PAST_WEEKS // copies
        key = _CHANGED["check_key"].replace("$copy", str(copy)).replace("$checks", str(kept))
        pace = _PACE.replace("check_key", key)
        value = f'b.begun_at + {pace} * (b."{column}" - b.begun_at) - to_days({7 * weeks})'
    else:
        value = f'b."{column}"'
    return f'{value} as "{column}"'


def _facts(connection: Connection) -> dict[str, object]:
    return {
        "checks": _number(connection, "select count(*) from star.fact_check"),
        "open": _number(connection, "select count(*) from star.fact_check where is_terminal is not true"),
        "responses": _number(connection, "select count(*) from star.fact_pull"),
        "events": _number(connection, "select count(*) from star.fact_check_event"),
    }


def _number(connection: Connection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _first_looks(recent: int) -> Iterator[HttpExchange]:
    """The first state of every recent check."""
    from corpus import exchange_of, world

    of = world(recent, seed=RECENT_SEED)
    for number in range(recent):
        check = of.check(number)
        yield exchange_of(check, check.states[0], number)


# ── what is measured ───────────────────────────────────────────────────────────────────────────────────


def merge(folder: str, recent: int, batch: int, seed: int) -> Cost:
    """So many recent checks have moved on: load and merge what was landed about them."""
    from corpus import PART_KEY, Place, land

    from screening_pipeline.warehouse import ingest

    place = Place(Path(folder))
    land(place.landing, next_looks(Path(folder), recent, batch, seed))
    steps: dict[str, float] = {}
    with metered() as cost:
        started = cpu_seconds()
        with place.opened() as connection:
            steps["open"] = cpu_seconds() - started
            ingest.ingest(connection, place.landing, part_key=PART_KEY)
            steps["merge"] = cpu_seconds() - started - steps["open"]
        steps["close"] = cpu_seconds() - started - steps["open"] - steps["merge"]
    cost.facts = dict(steps)
    return cost


def next_looks(folder: Path, recent: int, batch: int, seed: int) -> Iterator[HttpExchange]:
    """The next state of `batch` recent checks that have one; how far each has come is kept beside the star.

    The answers come one every two seconds, each batch after those before.
    """
    from corpus import NOW, exchange_of, world

    kept = folder / "looked_at.json"
    come = json.loads(kept.read_text()) if kept.exists() else [0] * recent
    of = world(recent, seed=RECENT_SEED)
    left = batch
    for number in random.Random(seed).sample(range(recent), recent):
        check = of.check(number)
        if come[number] + 1 >= len(check.states):
            continue
        come[number] += 1
        left -= 1
        seen = replace(check.states[come[number]], at=NOW - timedelta(days=30) + timedelta(seconds=2 * sum(come)))
        yield exchange_of(check, seen, (seed + 1) * recent + number)
        if not left:
            break
    if left:
        raise SystemExit(f"{left} of {batch} changes are lacking: fewer repetitions, please")
    kept.write_text(json.dumps(come))


def follow_up(folder: str, recent: int, batch: int) -> Cost:
    """What a cycle does after the merge: try the rules of every run, plan, publish; as a whole, and what changed."""
    from corpus import NOW, PART_KEY, Place, broken_rules, land

    from screening_pipeline.runtime.replan import replan
    from screening_pipeline.state.pull_queue import PullQueue
    from screening_pipeline.state.store import State
    from screening_pipeline.warehouse import ingest, publish

    place = Place(Path(folder))
    pull_queue = PullQueue(State(place.settings.paths.state))
    with metered() as cost, place.opened() as connection:
        marks = [cpu_seconds()]
        broken_rules(connection, is_every_run=True)
        marks.append(cpu_seconds())
        for _ in range(2):  # the first learns from history, as once a day
            replan(connection, place.settings, pull_queue, now=NOW)
            marks.append(cpu_seconds())
        started = time.perf_counter()
        publish.publish(connection, place.settings.paths.published)
        marks.append(cpu_seconds())
        whole = time.perf_counter() - started
        land(place.landing, next_looks(Path(folder), recent, batch, recent))
        ingest.ingest(connection, place.landing, part_key=PART_KEY)
        marks.append(cpu_seconds())
        started = time.perf_counter()
        size = publish.publish(connection, place.settings.paths.published)
        marks.append(cpu_seconds())
        names = ("rules", "learn and plan", "plan", "publish all", "merge", "publish changes")
        cost.facts = {name: after - before for name, before, after in zip(names, marks, marks[1:], strict=False)}
        update = time.perf_counter() - started
        cost.facts |= {"publish all, wall": whole, "publish changes, wall": update, "gigabytes": size / 1e9}
    return cost


def upsert(folder: str, checks: int, batch: int, has_key: bool) -> Cost:
    """The peer: DuckDB's MERGE of current rows by their text key, in a table of so many checks."""
    import duckdb

    file = Path(folder) / f"peer-{checks}-{has_key}.duckdb"
    columns = "concat('check-', hash(i)) as check_id, 'open' as status, repeat('x', 300) as facts"
    source = f"select {columns} from range({{}}) as r (i)"
    with duckdb.connect(str(file)) as connection:
        key = ", primary key (check_id)" if has_key else ""
        connection.execute(f"create table if not exists state (check_id varchar, status varchar, facts varchar{key})")
        if not _number(connection, "select count(*) from state"):
            connection.execute(f"insert into state {source.format(checks)}; checkpoint")
    recent = source.format(f"{checks - RECENT}, {checks}") + f" using sample {batch} rows"
    connection = duckdb.connect(str(file))
    connection.execute(f"create temp table batch as {recent}")
    with metered() as cost:
        connection.execute(
            "merge into state using batch on state.check_id = batch.check_id "
            "when matched then update set status = 'moved', facts = batch.facts when not matched then insert"
        )
        connection.close()
    return cost


# ── what is printed ────────────────────────────────────────────────────────────────────────────────────


def plan(options: Options) -> None:
    """Measure and print."""
    sizes = options.choose((6_000, 12_000), (50_000, 500_000), (100_000, 1_000_000, 10_000_000))
    batches = options.choose((100, 500), BATCHES, BATCHES)
    recent = options.choose(2_000, RECENT, RECENT)
    root = Path(options.rest.keep) if options.rest.keep else options.folder
    folders = {size: root / str(size) for size in sizes}
    make_stars(root, folders, recent)
    merged = {
        (batch, size): middle(_merges(folder, recent, batch, options.times))
        for batch in batches
        for size, folder in folders.items()
    }
    _print_merges(merged, sizes)
    _print_follow_ups(
        {
            size: run_part("follow_up", folder=str(folder), recent=recent, batch=batches[0])
            for size, folder in folders.items()
        },
        batches[0],
    )
    if not options.rest.keep:
        _print_peers(options, sizes, batches)


def make_stars(root: Path, folders: dict[int, Path], recent: int) -> None:
    """Make the stars that are not there, or that an earlier version of the tables made."""
    from screening_pipeline.settings import sandbox_accounts
    from screening_pipeline.warehouse import reference

    mark = root / "made_for"
    version = reference.fingerprint(sandbox_accounts.bundled({}, root))
    if mark.exists() and mark.read_text() != version:
        for folder in (root / "block", *folders.values()):
            shutil.rmtree(folder, ignore_errors=True)
    root.mkdir(parents=True, exist_ok=True)
    mark.write_text(version)
    missing = {size: folder for size, folder in folders.items() if not (folder / "warehouse.duckdb").exists()}
    if missing:
        _print_stars({size: _made(root, folder, size, recent) for size, folder in missing.items()})


def _made(root: Path, folder: Path, size: int, recent: int) -> Cost:
    source = root / "block"
    if not source.exists():
        run_part("block", folder=str(source), checks=min(BLOCK, recent))
    return run_part("star", folder=str(folder), block_folder=str(source), checks=size, recent=recent)


def _merges(folder: Path, recent: int, batch: int, times: int) -> list[Cost]:
    return [run_part("merge", folder=str(folder), recent=recent, batch=batch, seed=batch + n) for n in range(times)]


def _print_stars(stars: dict[int, Cost]) -> None:
    say("The stars, and which of the rules of every run do not hold of them:")
    names = ("checks", "open", "responses", "events", "gigabytes")
    rows = [
        (*(cost.facts[name] for name in names), ", ".join(cost.facts["broken_rules"]) or "none", cost.cpu_s)
        for cost in stars.values()
    ]
    table(("checks", "open", "responses", "events", "GB", "broken rules", "CPU s to make"), rows)


def _print_merges(merged: dict[tuple[int, int], Cost], sizes: Sequence[int]) -> None:
    say("New responses about recent checks, each batch in a new process (ratios against the smallest star):")
    rows = []
    for (batch, size), cost in merged.items():
        base = merged[batch, sizes[0]]
        steps = (1000 * cost.facts[step] for step in ("open", "merge", "close"))
        ratios = (cost.cpu_s / base.cpu_s, cost.peak_mb / base.peak_mb)
        rows.append((batch, size, 1000 * cost.cpu_s, *steps, cost.wall_s, cost.peak_mb, *ratios))
    names = ("opening", "merging", "closing", "wall s", "peak MB", "CPU ratio", "memory ratio")
    table(("batch", "checks", "CPU ms", *names), rows)


def _print_follow_ups(costs: dict[int, Cost], batch: int) -> None:
    say(
        "What follows in a cycle, over the whole star (CPU s unless told otherwise): first a snapshot that is copied "
        f"as a whole, then one that is brought up to date with {batch:,} changes:"
    )
    names = ("rules", "learn and plan", "plan", "publish all", "publish changes")
    walls = ("publish all, wall", "publish changes, wall")
    rows = [
        (size, *(cost.facts[name] for name in (*names, *walls, "gigabytes")), cost.peak_mb)
        for size, cost in costs.items()
    ]
    table(("checks", *names, *(f"{name} s" for name in walls), "snapshot GB", "peak MB"), rows)


def _print_peers(options: Options, sizes: Sequence[int], batches: Sequence[int]) -> None:
    say("The peer: DuckDB's MERGE of current rows only, by a text key:")
    cases = [(has_key, batch, size) for has_key in (True, False) for batch in batches for size in sizes]
    rows = [_peer_row(options, *case) for case in cases]
    table(("table", "batch", "checks", "CPU ms", "wall s", "peak MB"), rows)


def _peer_row(options: Options, has_key: bool, batch: int, size: int) -> tuple[object, ...]:
    given = {"folder": str(options.folder), "checks": size, "batch": batch, "has_key": has_key}
    cost = middle([run_part("upsert", **given) for _ in range(options.times)])
    return ("primary key" if has_key else "no index", batch, size, 1000 * cost.cpu_s, cost.wall_s, cost.peak_mb)


if __name__ == "__main__":
    main(
        plan,
        {"block": block, "star": star, "merge": merge, "follow_up": follow_up, "upsert": upsert},
        ("--keep", {"help": "a folder in which the stars are kept for the next time; leaves the peers out"}),
    )
