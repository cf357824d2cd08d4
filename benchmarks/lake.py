"""What a lake costs beside a file: loading, rebuilding, publishing, and cycles with sessions opened each time or kept.

Run by `benchmarks/cluster.py`. Both engines read the very same orders and answers, and what is compared is what a run
does with them: the first load, a rebuild, and cycles about recent checks that moved on.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from corpus import NOW, Place, announce, exchange_of, exchanges, land, world
from increment import RECENT_SEED, next_looks
from measuring import cpu_seconds

from screening_pipeline.base.clock import ManualClock
from screening_pipeline.cycle.settle import settle
from screening_pipeline.cycle.take_orders import take_orders
from screening_pipeline.runtime import publication
from screening_pipeline.settings.settings import Warehouse
from screening_pipeline.warehouse import lake_kept

sys.path.insert(0, str(Path(__file__).parent.parent))

from screening_pipeline_tests.support.two_engines import Side, lakes, side_like

if TYPE_CHECKING:
    from screening_pipeline.domain.exchange import HttpExchange
    from screening_pipeline_tests.support.postgres import Server

ORDERS, ANSWERS, RECENT = 30_000, 100_000, 4_000
CYCLES = 5
BEFORE = timedelta(days=30) - timedelta(hours=6)
"""When checks move on (`increment.next_looks`): what was landed on a day that is over is looked at once a day."""


@dataclass
class Spent:
    """CPU seconds of the client and of the server."""

    client: float
    server: float

    @property
    def total(self) -> float:
        """Of both."""
        return self.client + self.server


class Measure:
    """Measures steps of both sides, by name."""

    def __init__(self, server_cpu: Callable[[], float]) -> None:
        self._server_cpu = server_cpu
        self.found: dict[tuple[str, str], list[Spent]] = {}

    def step(self, name: str, side: str, do: Callable[[], object]) -> None:
        """Do it, and note what it took."""
        client, server = cpu_seconds(), self._server_cpu()
        do()
        spent = Spent(cpu_seconds() - client, self._server_cpu() - server)
        self.found.setdefault((name, side), []).append(spent)
        print(f"{name}, {side}: {spent.client:.2f} + {spent.server:.2f}", file=sys.stderr, flush=True)

    def table(self) -> str:
        """A row for each step: medians of the file, of the lake's client and server, and the ratio."""
        lines = ["| step | file | lake: client | lake: server | ratio |", "|---|---|---|---|---|"]
        for name in dict.fromkeys(name for name, _ in self.found):
            file, lake = (_middle(self.found[name, side]) for side in ("file", "lake"))
            ratio = f"{lake.total / file.total:.1f}"
            lines.append(f"| {name} | {file.client:.2f} | {lake.client:.2f} | {lake.server:.2f} | {ratio} |")
        return "\n".join(lines) + "\n"


def _middle(found: list[Spent]) -> Spent:
    return Spent(statistics.median(s.client for s in found), statistics.median(s.server for s in found))


def lake(server: Server, folder: Path, server_cpu: Callable[[], float], environ: MutableMapping[str, str]) -> str:
    """The table; `environ` is this process's, and gets the addresses of the lakes."""
    told = Place(folder / "told")
    of = world(ORDERS)
    announce(of, told.settings.paths.orders)
    land(told.landing, exchanges(of, ANSWERS))
    measured = Measure(server_cpu)
    clock, settings = ManualClock(NOW - BEFORE), lakes(folder, server, environ)
    file = side_like(folder / "file", told.settings, Warehouse(), clock)
    both = {"file": file, "lake": side_like(folder / "lake", file.runtime.settings, settings, clock)}
    everywhere(both, told, measured, f"orders and {ANSWERS:,} answers, the first load", load)
    everywhere(both, told, measured, f"rebuild of {ANSWERS:,} answers", Side.rebuild)
    everywhere(both, told, measured, "publishing all of it", published)
    land(told.landing, first_looks())
    everywhere(both, told, measured, f"{RECENT:,} new checks that nobody ordered", load)
    number = 0
    for batch in (100, 1_000):
        for _ in range(CYCLES if batch == 100 else 2):
            for is_kept in (False, True):
                number += 1
                clock.advance(60)
                land(told.landing, next_looks(told.settings.data_dir, RECENT, batch, number))
                do = partial(load, answers=batch)
                name = f"cycle of {batch:,}, {'session kept' if is_kept else 'opened anew'}"
                everywhere(both, told, measured, name, do, is_kept=is_kept)
                everywhere(both, told, measured, f"publishing {batch:,} changes, session kept", published, is_kept=True)
    return measured.table()


def first_looks() -> Iterator[HttpExchange]:
    """The first state of every recent check, on the day on which they move on."""
    of = world(RECENT, seed=RECENT_SEED)
    for number in range(RECENT):
        seen = NOW - timedelta(days=30) + timedelta(milliseconds=number / 4)
        check = of.check(number)
        yield exchange_of(check, replace(check.states[0], at=seen), number)


def everywhere(
    both: dict[str, Side],
    told: Place,
    measured: Measure,
    name: str,
    do: Callable[[Side], object],
    *,
    is_kept: bool = False,
) -> None:
    """Have both sides read what was told, and do it."""
    for side, one in both.items():
        one.read(told.settings.data_dir)
        if not is_kept:
            lake_kept.forget()
        measured.step(name, side, partial(do, one))


def load(side: Side, *, answers: int | None = None) -> None:
    """What a run does with what was ordered and said: so many answers, where that is known."""
    if not side.engine.is_made():
        take_orders(side.runtime, run_id="bench")
    with side.opened() as connection:
        settled = settle(side.runtime, connection)
    if answers is not None and settled.responses != answers:
        raise SystemExit(f"{settled.responses} of {answers} answers were loaded")


def published(side: Side) -> None:
    """What a run does with what it came to."""
    with side.opened() as connection:
        publication.publish(side.runtime, connection, is_due=True)
