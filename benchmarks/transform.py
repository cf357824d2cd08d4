"""Reads landed responses of many checks into the complete star, beside three others on the same lines.

    python benchmarks/transform.py [--short | --full] [--times N] [--responses N] [--keep FOLDER]

Ours is the pipeline's `rebuild`: every line into staging, and all tables of the star with their history. DuckDB's
typed scan, which only reads the same files with the same types and counts every column, is the limit. dlt loads the
messages with merge, so that the newest of each check stays; a loop over the rows of a pandas DataFrame does the same
by an upsert each. Those two have no history. dlt is set beside ours on the very same responses, fewer of them; the
loop is given a few thousand, and compared by response.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile
from typing import Any

from measuring import Cost, Options, costs_table, is_installed, main, medians, metered, run_part, say, table

PER_CHECK = 10, 3
OURS, SCAN, DLT, PANDAS = "ours, the complete star", "typed scan", "dlt with merge", "pandas row by row"


# ── parts ──────────────────────────────────────────────────────────────────────────────────────────────


def landed(folder: str, responses: int) -> Cost:
    """Land so many responses, and take the orders of their checks."""
    from corpus import Place, announce, exchanges, in_order_of_receipt, land, world

    place, of = Place(Path(folder)), world(responses * PER_CHECK[1] // PER_CHECK[0])
    announce(of, place.settings.paths.orders)
    with place.opened() as connection, metered() as orders:
        place.take_orders(connection)
    with metered() as cost:
        size = land(place.landing, exchanges(of, responses))
    in_order_of_receipt(place.files())
    cost.facts = {"checks": of.checks, "bytes": size, "files": len(place.files()), "orders CPU s": orders.cpu_s}
    return cost


def star(folder: str) -> Cost:
    """Read every line and compute the whole star from nothing but the orders."""
    from corpus import PART_KEY, Place, broken_rules

    from screening_pipeline.warehouse import rebuild

    place = Place(Path(folder))
    warehouse = place.settings.paths.warehouse
    spare = warehouse.with_suffix(".spare")
    copyfile(warehouse, spare)
    with metered() as cost, place.opened() as connection:
        rebuild.rebuild(connection, place.landing, part_key=PART_KEY)
    with place.opened() as connection:
        count = connection.execute("select count(*) from star.fact_check_event").fetchone()
        cost.facts = {"events": count[0] if count else 0, "megabytes": warehouse.stat().st_size / 1e6}
        cost.facts["broken rules"] = [
            r for often in (True, False) for r in broken_rules(connection, is_every_run=often)
        ]
    spare.replace(warehouse)
    return cost


def scan(folder: str) -> Cost:
    """Read the same files with the same types, and only count what is in each column."""
    from corpus import Place

    from screening_pipeline.vendors import all_vendors
    from screening_pipeline.warehouse import session

    place = Place(Path(folder))
    queries = [_typed(place, slug) for slug in all_vendors()]
    with (
        metered() as cost,
        session.attached(Path(folder) / "scan.duckdb") as connection,
        session.in_bulk(connection),
    ):
        rows = [connection.execute(query).fetchone() for query in queries]
    cost.facts = {"responses": sum(row[0] for row in rows if row)}
    return cost


def _typed(place: Any, slug: str) -> str:
    from screening_pipeline.vendors import vendor
    from screening_pipeline.warehouse.scan import ENVELOPE, _messages_type

    files = ", ".join(f"'{file}'" for file in place.files(slug))
    columns = {**ENVELOPE, "messages": _messages_type(vendor(slug))}
    typed = ", ".join(f"{name}: '{kind.replace(chr(39), 2 * chr(39))}'" for name, kind in columns.items())
    return f"select count(columns(*)) from read_json([{files}], format = 'newline_delimited', columns = {{{typed}}})"


def by_dlt(folder: str, responses: int) -> Cost:
    """Load the messages with merge on the check: the newest stays. Lists become child tables, as dlt has it."""
    os.environ.update(RUNTIME__DLTHUB_TELEMETRY="false", DLT_DATA_DIR=str(Path(folder) / "dlt"))
    import dlt

    from screening_pipeline.vendors import all_vendors

    work = Path(folder) / "dlt"
    work.mkdir(exist_ok=True)
    shares = _shares(Path(folder), responses)
    with metered() as cost:
        pipeline = dlt.pipeline(
            pipeline_name=f"bench{os.getpid()}",
            pipelines_dir=str(work),
            destination=dlt.destinations.duckdb(str(work / f"{os.getpid()}.duckdb")),
            dataset_name="bench",
        )
        pipeline.run([_dlt_resource(dlt, Path(folder), slug, shares[slug]) for slug in all_vendors() if shares[slug]])
    cost.facts = {"responses": sum(shares.values())}
    return cost


def _dlt_resource(dlt: Any, folder: Path, slug: str, count: int) -> Any:
    newest = {"received_at": {"dedup_sort": "desc"}}
    return dlt.resource(
        _messages(folder, slug, count),
        name=slug,
        primary_key=["subject", "check_id"],
        write_disposition="merge",
        columns=newest,
    )


def by_pandas(folder: str, responses: int) -> Cost:
    """Keep the newest message of each check, row by row of a DataFrame."""
    import duckdb
    import pandas as pd

    from screening_pipeline.vendors import all_vendors

    shares = _shares(Path(folder), responses)
    with metered() as cost:
        connection = duckdb.connect(str(Path(folder) / f"pandas-{os.getpid()}.duckdb"))
        for slug in all_vendors():
            frame = pd.json_normalize(list(_messages(Path(folder), slug, shares[slug]))).astype(str)
            columns = ", ".join(f'"{name}" varchar' for name in frame.columns)
            connection.execute(f"create table {slug} ({columns}, primary key (subject, check_id))")
            known = f"select received_at from {slug} where subject = ? and check_id = ?"
            put = f"insert or replace into {slug} values ({', '.join('?' for _ in frame.columns)})"
            for _, row in frame.iterrows():
                found = connection.execute(known, [row["subject"], row["check_id"]]).fetchone()
                if found is None or found[0] < row["received_at"]:
                    connection.execute(put, row.tolist())
        connection.close()
    cost.facts = {"responses": sum(shares.values())}
    return cost


def _shares(folder: Path, responses: int) -> dict[str, int]:
    """How many responses of each vendor come to so many together, in proportion to how many were landed."""
    from corpus import Place

    from screening_pipeline.vendors import all_vendors

    place = Place(folder)
    lines = {slug: sum(file.read_bytes().count(b"\n") for file in place.files(slug)) for slug in all_vendors()}
    return {slug: responses * count // sum(lines.values()) for slug, count in lines.items()}


def _messages(folder: Path, slug: str, count: int) -> Iterator[dict[str, Any]]:
    """The first messages of a vendor, in the order of receipt by file, as any reader of JSON sees them."""
    from corpus import Place, first_lines

    for line in first_lines(Place(folder).files(slug), count):
        for message in line["messages"]:
            yield {
                "account": line["account"],
                "subject": message["subject"],
                "check_id": message["check_id"],
                "received_at": line["received_at"],
                **message["body"],
            }


# ── what is printed ────────────────────────────────────────────────────────────────────────────────────


def plan(options: Options) -> None:
    """Measure and print."""
    responses = options.rest.responses or options.choose(2_000, 50_000, 1_000_000)
    few = {DLT: options.choose(200, 10_000, 100_000), PANDAS: options.choose(200, 1_000, 5_000)}
    folder = str(Path(options.rest.keep) / str(responses) if options.rest.keep else options.folder)
    facts = _prepared(Path(folder), responses)
    say(
        f"{responses:,} landed responses of {facts['checks']:,} checks in {facts['files']} files, "
        f"{facts['bytes'] / responses:,.0f} bytes each. Medians of {options.times}."
    )
    costs = medians(
        options.times,
        {SCAN: lambda: run_part("scan", folder=folder), OURS: lambda: run_part("star", folder=folder)},
    )
    costs_table("all responses", costs, base=SCAN)
    if is_installed("dlt"):
        costs[DLT] = _beside_dlt(options, Path(folder) / "fewer", few[DLT])
    costs |= medians(options.times, {PANDAS: lambda: run_part("by_pandas", folder=folder, responses=few[PANDAS])})
    _print_per_response(costs, {SCAN: responses, OURS: responses, **few})
    ours = costs[OURS].facts
    say(
        f"Rules that do not hold of the star: {', '.join(ours['broken rules']) or 'none'}. "
        f"{ours['events']:,.0f} events; a warehouse of {ours['megabytes']:,.0f} MB. Beside it: orders "
        f"{1e6 * facts['orders CPU s'] / facts['checks']:,.0f} CPU µs each."
    )


def _prepared(folder: Path, responses: int) -> dict[str, Any]:
    """What was landed is used again where it was kept."""
    kept = folder / "landed.json"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(run_part("landed", folder=str(folder), responses=responses).facts))
    return dict(json.loads(kept.read_text()))


def _beside_dlt(options: Options, folder: Path, responses: int) -> Cost:
    """What dlt costs; printed beside ours on the same responses, since costs that do not grow weigh more in few."""
    _prepared(folder, responses)
    costs = medians(
        options.times,
        {
            OURS: lambda: run_part("star", folder=str(folder)),
            DLT: lambda: run_part("by_dlt", folder=str(folder), responses=responses),
        },
    )
    costs_table(f"the same {responses:,} responses", costs, base=OURS)
    return costs[DLT]


def _print_per_response(costs: dict[str, Cost], counts: dict[str, int]) -> None:
    say("By response, with how many each was given (CPU of ours against theirs; memory as it was for their number):")
    ours = costs[OURS].cpu_s / counts[OURS]
    rows = [
        (label, counts[label], 1e6 * cost.cpu_s / counts[label], cost.cpu_s / counts[label] / ours, cost.peak_mb)
        for label, cost in costs.items()
    ]
    table(("what", "responses", "CPU µs each", "CPU / ours", "peak MB"), rows)


if __name__ == "__main__":
    main(
        plan,
        {"landed": landed, "star": star, "scan": scan, "by_dlt": by_dlt, "by_pandas": by_pandas},
        ("--keep", {"help": "a folder in which what was landed is kept for the next time"}),
        ("--responses", {"type": int, "help": "how many landed responses"}),
    )
