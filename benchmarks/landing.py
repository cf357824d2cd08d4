"""What making an answer durable costs: a line of a file beside a row that several machines share, alone and in groups.

Run by `benchmarks/cluster.py`. Both land the same answers, encrypted, and are waited for until they are durable: by a
sync of the disk, or by the commit of a server that syncs it.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.domain.exchange import HttpExchange, new_response_id
from screening_pipeline.landing.area import Landing
from screening_pipeline.landing.objects import objects_at
from screening_pipeline.landing.shared_store import SharedStore
from screening_pipeline.state.postgres_landing import PostgresLanding
from screening_pipeline.vendors import all_vendors

sys.path.insert(0, str(Path(__file__).parent.parent))

if TYPE_CHECKING:
    from screening_pipeline_tests.support.postgres import Server

ANSWERS, GROUP, PAIRS = 600, 20, 3
KEY = b"a key of a benchmark, long enough"


def landing(server: Server, folder: Path, cpu: Callable[[], float]) -> str:
    """The table: the least of a few pairs, which are measured in turn."""
    clock = SystemClock()
    rows = PostgresLanding(server.new_database(), "SCREENING_STATE_URL")
    (folder / "shared").mkdir()
    place = objects_at(f"file://{folder}/pieces")
    store = SharedStore(rows, place, root=folder / "shared", spool_key=KEY, holder="one", clock=clock)
    areas = {
        "a file": Landing(folder / "file", vendors=all_vendors(), spool_key=KEY, landing_key=KEY, clock=clock),
        "a row": Landing(
            folder / "shared", vendors=all_vendors(), spool_key=KEY, landing_key=KEY, clock=clock, store=store
        ),
    }
    lines = ["| landing an answer in | p50 ms | client CPU ms | server CPU ms |", "|---|---|---|---|"]
    for size, name in ((1, "alone"), (GROUP, f"in groups of {GROUP}")):
        found: dict[str, list[tuple[float, float, float]]] = {area: [] for area in areas}
        for _ in range(PAIRS):
            for area, landed in areas.items():
                found[area].append(_measured(landed, size, cpu))
        lines += [f"| {area}, {name} | {_told(least)} |" for area, least in found.items()]
    before, begun, count = time.process_time(), cpu(), store.seal()
    told = f"{(time.process_time() - before) / count * 1000:.2f} | {(cpu() - begun) / count * 1000:.2f}"
    return "\n".join([*lines, f"| a piece, of {count:,} rows | – | {told} |"]) + "\n"


def _measured(landed: Landing, size: int, cpu: Callable[[], float]) -> tuple[float, float, float]:
    """The median wait in ms, and CPU ms of client and server, for each answer."""
    waited, before, begun = [], cpu(), time.process_time()
    for _ in range(ANSWERS // size):
        group = [_answer(number) for number in range(size)]
        started = time.perf_counter()
        landed.receive_together(group)
        waited.append(time.perf_counter() - started)
    client, served = time.process_time() - begun, cpu() - before
    return statistics.median(waited) * 1000, client / ANSWERS * 1000, served / ANSWERS * 1000


def _told(found: list[tuple[float, float, float]]) -> str:
    return " | ".join(f"{min(values):.2f}" for values in zip(*found, strict=True))


def _answer(number: int) -> HttpExchange:
    now = datetime.now(UTC)
    return replace(_BLANK, response_id=new_response_id(now, time.monotonic()), check_id=str(number), received_at=now)


_BLANK = HttpExchange(
    response_id="",
    vendor="workerchecks",
    account="main",
    subject="check",
    check_id="1",
    endpoint="results",
    channel="pull",
    requested_at=datetime.now(UTC),
    received_at=datetime.now(UTC),
    run_id="benchmark",
    http_status=200,
    body=json.dumps({"checkId": "1", "status": "Pending", "notes": "x" * 600}).encode(),
)
