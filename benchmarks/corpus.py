"""Landed responses in any number: what the sandbox's vendors would have answered, as lines of the landing area.

The lines are made by the pipeline's own code, without the spool and the syncing: those cost milliseconds each,
belong to the receiving, and are measured there (cycle.py). Orders come as one manifest.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from screening_pipeline.base.clock import StandingClock
from screening_pipeline.domain.exchange import HttpExchange
from screening_pipeline.landing.area import Landing
from screening_pipeline.landing.day_seals import mark_changed
from screening_pipeline.landing.judge import examine
from screening_pipeline.landing.line import line_of
from screening_pipeline.orders import intake
from screening_pipeline.sandbox.control import manifest_row
from screening_pipeline.sandbox.server import VIRTUAL_EPOCH
from screening_pipeline.sandbox.timeline import Check, State
from screening_pipeline.sandbox.world import World
from screening_pipeline.settings import sandbox_accounts
from screening_pipeline.vendors import all_vendors, vendor
from screening_pipeline.warehouse import ingest, schema, session, store

DAYS = 30
NOW = VIRTUAL_EPOCH + timedelta(days=400)
PART_KEY = "5ce4e"
# What a vendor tells beyond what anybody reads: with it an answer has the 1 to 2 KB of a full report. It is fields, and
# not one long text: that would cost a reader little, and nothing at all who takes answers apart.
UNREAD_SECTIONS = 7


def world(checks: int, *, seed: int = 7) -> World:
    """The world of so many checks."""
    return World(seed, checks, VIRTUAL_EPOCH, DAYS)


def looks(check: Check, count: int) -> list[State]:
    """What `count` looks at a check over its life show: some states twice or never, the last one in any case."""
    last = len(check.states) - 1
    places = [round(last * number / (count - 1)) for number in range(count)] if count > 1 else [last]
    ends = [state.at for state in check.states[1:]] + [check.states[-1].at + timedelta(days=2)]
    found = []
    for number, place in enumerate(places):
        state = check.states[place]
        share = (2 * places[:number].count(place) + 1) / (2 * places.count(place))
        found.append(replace(state, at=state.at + (ends[place] - state.at) * share))
    return found


def exchange_of(check: Check, state: State, number: int) -> HttpExchange:
    """The answer to a look at a check in this state; `number` makes its id unique."""
    order = check.order
    body = {**state.body, "SectionResults": _unread(number)}
    return HttpExchange(
        response_id=f"{state.at:%Y%m%dT%H%M%S%f}Z-{number:016x}-0000",
        vendor=order.vendor,
        account="sandbox",
        endpoint=vendor(order.vendor).endpoint_for(order.subject).name,
        channel="pull",
        subject=order.subject,
        check_id=order.check_id,
        requested_at=state.at - timedelta(milliseconds=300),
        received_at=state.at,
        due_at=state.at - timedelta(seconds=20),
        http_status=200,
        headers={"content-type": "application/json"},
        latency_ms=300,
        run_id="bench",
        body=json.dumps(body).encode(),
    )


def _unread(number: int) -> list[dict[str, Any]]:
    return [
        {
            "name": f"Section {section}",
            "source": "County court records",
            "searched": f"2026-01-{1 + (number + section) % 28:02d}",
            "jurisdiction": "California",
            "state": "Complete",
            "reference": (number * UNREAD_SECTIONS + section) % 1_000_000,
            "notes": [],
            "isOpen": False,
        }
        for section in range(UNREAD_SECTIONS)
    ]


def exchanges(of: World, responses: int) -> Iterator[HttpExchange]:
    """So many answers about all checks of a world, check by check."""
    for number in range(of.checks):
        first, end = responses * number // of.checks, responses * (number + 1) // of.checks
        check = of.check(number)
        for place, state in enumerate(looks(check, end - first), start=first):
            yield exchange_of(check, state, place)


def land(landing: Landing, answers: Iterable[HttpExchange]) -> int:
    """Append the line of each answer to its file; how many bytes."""
    size = 0
    for batch in _batches(answers):
        lines: dict[str, list[bytes]] = defaultdict(list)
        for exchange in batch:
            line, _ = line_of(exchange, examine(exchange, vendor(exchange.vendor)))
            lines[landing.file_of(exchange)].append(line + b"\n")
        for file, texts in lines.items():
            size += _append(landing.root / file, sorted(texts))
    return size


def _batches(answers: Iterable[HttpExchange]) -> Iterator[list[HttpExchange]]:
    remaining = iter(answers)
    while batch := list(islice(remaining, 50_000)):
        yield batch


def _append(path: Path, lines: Sequence[bytes]) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as opened:
        opened.writelines(lines)
    mark_changed(path.parent)  # as whoever adds to a day that is over does
    return sum(map(len, lines))


def in_order_of_receipt(files: Iterable[Path]) -> None:
    """Sort the lines of each file as they would have come."""
    for path in files:
        with path.open("rb") as opened:
            lines = sorted(opened)
        path.write_bytes(b"".join(lines))


def announce(of: World, folder: Path) -> None:
    """Write the manifest of all orders of a world that its customer announces."""
    with (folder / "orders.ndjson").open("w", encoding="utf-8") as manifest:
        for number in range(of.checks):
            order = of.check(number).order
            if order.announced_at is not None:
                manifest.write(json.dumps(manifest_row(order)) + "\n")


class Place:
    """A data folder: where its landing area and its warehouse lie."""

    def __init__(self, folder: Path) -> None:
        self.settings = sandbox_accounts.bundled({"SCREENING_DATA_DIR": str(folder)}, folder)
        self.settings.paths.create()
        self.clock = StandingClock(NOW)
        self.landing = Landing(
            self.settings.paths.landing, vendors=all_vendors(), spool_key=b"spool key of a benchmark", clock=self.clock
        )

    @contextmanager
    def opened(self) -> Iterator[session.Connection]:
        """The live warehouse, as a run opens it."""
        paths = self.settings.paths
        with store.writer(paths.warehouse, lock_path=paths.warehouse_lock, clock=self.clock) as connection:
            ingest.prepare(connection, self.settings, self.landing, part_key=PART_KEY)
            yield connection

    def take_orders(self, connection: session.Connection) -> None:
        """Read new manifests, and whatever else was landed."""
        with session.transaction(connection):
            intake.take_in(connection, self.settings, key=b"pseudonym key of a benchmark", now=NOW, run_id="bench")
            ingest.advance(connection, self.landing, part_key=PART_KEY)
        schema.drop_work(connection)

    def files(self, slug: str | None = None) -> list[Path]:
        """The landed files."""
        return [self.settings.paths.landing / file for file in self.landing.files(slug)]


def broken_rules(connection: session.Connection, is_every_run: bool) -> list[str]:
    """Which of the pipeline's own rules do not hold of its tables."""
    from screening_pipeline.warehouse import catalog

    rules = catalog.rules("raw", "star", "ops", is_every_run=is_every_run)
    return [rule.name for rule in rules if not rule.is_warning and _count(connection, rule.query)]


def _count(connection: session.Connection, query: str) -> int:
    row = connection.execute(f"select count(*) from ({query}\n)").fetchone()
    return int(row[0]) if row else 0


def first_lines(files: Sequence[Path], count: int) -> Iterator[dict[str, Any]]:
    """The first `count` lines, an even share of each file, as any reader of JSON sees them."""
    share = -(-count // len(files))
    given = 0
    for file in files:
        with file.open("rb") as opened:
            for line, _ in zip(opened, range(min(share, count - given)), strict=False):
                given += 1
                yield json.loads(line)
