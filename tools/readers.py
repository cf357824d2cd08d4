"""Publishes again and again under the eyes of readers, kills publishers in between, and counts who was disturbed.

Usage: python tools/readers.py [--publishes N] [--kills N] [--readers N] [--checks N] [--seed N] [--folder DIR]

Readers open the snapshot as analysts do, read it and close it, all the time; one keeps the first snapshot open to
the end; one tries to open it for writing. As root they are somebody else, as analysts are. Each snapshot names the
run that published it, so that half of one, or an old one after a new one, would be noticed. Ends with 1 where
anything was wrong.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb  # noqa: TID251 - as analysts do, who have nothing of ours

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.cycle import notes, take_orders
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.runtime import opening
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.runtime.results import StepResult
from screening_pipeline.settings import sandbox_accounts
from screening_pipeline.warehouse import publish

NOBODY = 65534
LONGEST_SECONDS = 3600.0
MARKS = "publications.txt"  # one sign for each that was completed
_FORK = multiprocessing.get_context("fork")  # who becomes somebody else may no longer read where Python lies
_SEEN = "select max(finished_at), count(*), (select count(*) from star.fact_check) from ops.run"


@dataclass(kw_only=True)
class Tally:
    """What came of it. `torn` are snapshots that lack checks, `backward` those older than one seen before."""

    publishes: int = 0
    kills: int = 0
    reads: int = 0
    reader_errors: int = 0
    torn: int = 0
    backward: int = 0
    kept_open: int = 0
    writes_refused: int = 0
    writes_allowed: int = 0

    @property
    def is_good(self) -> bool:
        """Whether nobody was disturbed and nothing was wrong."""
        wrong = self.reader_errors + self.torn + self.backward + self.writes_allowed
        return bool(self.kept_open and self.reads and not wrong)


def main(arguments: list[str]) -> int:
    """0 when nobody was disturbed, 1 otherwise."""
    given = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        Path(folder).chmod(0o711)
        tally = play(
            Path(folder) / "data",
            publishes=given.publishes,
            kills=given.kills,
            readers=given.readers,
            checks=given.checks,
            chance=random.Random(given.seed),
        )
    print(json.dumps(asdict(tally)))
    return 0 if tally.is_good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in (("publishes", 200), ("kills", 40), ("readers", 2), ("checks", 300), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--folder", default=None, help="where to work; by default the system's temporary folder")
    return parser


def play(data: Path, *, publishes: int, kills: int, readers: int, checks: int, chance: random.Random) -> Tally:
    """Publish so often in the folder `data`, which is made, with so many kills in between; what came of it."""
    _prepare(data, checks)
    tally, stop = Tally(), _FORK.Event()
    watchers: list[Watcher] = [_read] * readers + [_keep, _try_to_write]
    with _running(watchers, data, checks, stop) as heard:
        _publish_and_kill(data, tally, publishes, kills, chance)
        stop.set()
        for _ in watchers:
            for name, number in heard.get(timeout=60).items():
                setattr(tally, name, getattr(tally, name) + number)
    return tally


# ── publishers ─────────────────────────────────────────────────────────────────────────────────────────


def _prepare(data: Path, checks: int) -> None:
    """Orders, and the first snapshot; in a process of its own, since a connection must not be inherited."""
    (data / "orders").mkdir(parents=True)
    lines = (json.dumps({"vendor": "goodhire", "check_id": f"r{n}"}) + "\n" for n in range(checks))
    (data / "orders" / "all.ndjson").write_text("".join(lines))
    data.chmod(0o711)
    first = _FORK.Process(target=_publish, args=(data, 1))
    first.start()
    first.join()
    if first.exitcode:
        raise SystemExit("the first snapshot could not be published")


def _runtime(data: Path) -> Runtime:
    environ = {"SCREENING_DATA_DIR": str(data)}
    settings = sandbox_accounts.bundled(environ, data)
    return opening.build_runtime(settings, environ, SystemClock())


def _publish(data: Path, times: int) -> None:
    """Publish so often, each time with one more run on record."""
    work = _runtime(data)
    take_orders.take_orders(work, run_id="readers")
    for number in range(times):
        with open_warehouse(work) as connection:
            whole = StepResult(begun_at=work.clock.now())
            notes.note_run(work, connection, whole, run_id=f"{os.getpid()}-{number}", trigger="readers")
            publish.publish(connection, work.settings.paths.published)
        _mark(data)


def _publish_and_kill(data: Path, tally: Tally, publishes: int, kills: int, chance: random.Random) -> None:
    until = time.monotonic() + LONGEST_SECONDS
    while (tally.publishes < publishes or tally.kills < kills) and time.monotonic() < until:
        is_doomed = tally.kills < kills
        wanted = 1_000_000 if is_doomed else publishes - tally.publishes
        publisher = _FORK.Process(target=_publish, args=(data, wanted))
        publisher.start()
        if is_doomed:
            _wait_for_more(data, tally.publishes, publisher, chance)
            publisher.kill()
        publisher.join()
        tally.kills += publisher.exitcode == -signal.SIGKILL
        tally.publishes = _marks(data) - 1


def _wait_for_more(data: Path, before: int, publisher: Any, chance: random.Random) -> None:
    """Until some more are published, and then a random moment into the next."""
    wanted = before + 1 + chance.randint(0, 6)
    while _marks(data) < wanted and publisher.is_alive():
        time.sleep(0.01)
    time.sleep(chance.uniform(0, 0.6))


def _mark(data: Path) -> None:
    with (data / MARKS).open("a") as file:
        file.write(".")


def _marks(data: Path) -> int:
    return (data / MARKS).stat().st_size


# ── readers ────────────────────────────────────────────────────────────────────────────────────────────

Counts = dict[str, int]
Watcher = Callable[[Path, Any, int], Counts]


@contextmanager
def _running(watchers: list[Watcher], data: Path, checks: int, stop: Any) -> Iterator[Any]:
    """The watchers at work, each in a process of its own; what each has counted is told at the end."""
    heard = _FORK.Queue()
    processes = [_FORK.Process(target=_watch, args=(one, data, checks, stop, heard)) for one in watchers]
    for process in processes:
        process.start()
    try:
        yield heard
    finally:
        for process in processes:
            process.join(timeout=30)
            process.kill()


def _watch(watcher: Watcher, data: Path, checks: int, stop: Any, heard: Any) -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(data.stat().st_gid)  # a snapshot may be read by its owner and its group
        os.setuid(NOBODY)
    heard.put(watcher(data / "published" / "screening.duckdb", stop, checks))


def _read(snapshot: Path, stop: Any, checks: int) -> Counts:
    counts, newest = {"reads": 0, "reader_errors": 0, "torn": 0, "backward": 0}, None
    while not stop.is_set():
        try:
            with duckdb.connect(str(snapshot), read_only=True) as connection:
                seen = connection.execute(_SEEN).fetchone()
        except (duckdb.Error, OSError):
            counts["reader_errors"] += 1
            continue
        counts["reads"] += 1
        counts["torn"] += seen is None or seen[2] != checks
        counts["backward"] += seen is None or (newest is not None and seen[1] < newest)
        newest = seen[1] if seen else newest
    return counts


def _keep(snapshot: Path, stop: Any, checks: int) -> Counts:
    """Read one snapshot to the end; it must stay what it was."""
    with duckdb.connect(str(snapshot), read_only=True) as connection:
        before = connection.execute(_SEEN).fetchone()
        while not stop.wait(0.2):
            if connection.execute(_SEEN).fetchone() != before or not before or before[2] != checks:
                return {"torn": 1}
    return {"kept_open": 1}


def _try_to_write(snapshot: Path, stop: Any, checks: int) -> Counts:
    """Open the snapshot for writing, over and over; its mode forbids it, so nothing is left beside it."""
    del checks
    counts = {"writes_refused": 0, "writes_allowed": 0}
    while not stop.wait(0.1):
        try:
            duckdb.connect(str(snapshot)).close()
            counts["writes_allowed"] += 1
        except (duckdb.Error, OSError):
            counts["writes_refused"] += 1
    return counts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
