"""What sharing costs: slots of the rate limit, Dagster's records, a lake, landing, workers, beside the embedded form.

    python benchmarks/cluster.py [--runs 3] [--only slots|runs|lake|landing|workers]

It starts a PostgreSQL of its own (fsync on, loopback) with the programs of this machine, and needs the extra `cluster`.
CPU is of the client and of all processes of the server, apart.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measuring import machine, versions

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.state.interface import Store
from screening_pipeline.state.postgres_store import PostgresStore
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline.state.store import State

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from screening_pipeline_tests.support.postgres import Server, running_server, why_missing  # noqa: E402 - beside the package

KEY = "SCREENING_STATE_URL"
SLOTS = 2000
ACCOUNTS = 1000
TICKS = os.sysconf("SC_CLK_TCK")
STORAGE = "storage:\n  postgres:\n    postgres_url: {env: SCREENING_STATE_URL}\n"


def main(arguments: list[str]) -> int:
    """0; 1 where there is no PostgreSQL."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=("slots", "runs", "lake", "landing", "workers"))
    parser.add_argument("--ask", nargs=2, metavar=("STORE", "SLOTS"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.ask:
        print(*asyncio.run(asked(store_at(given.ask[0]), int(given.ask[1]))))
        return 0
    if reason := why_missing():
        print(reason)
        return 1
    print(f"{machine()}; {versions('dagster', 'dagster-postgres', 'duckdb', 'psycopg')}\n")
    with running_server(fsync=True) as server, tempfile.TemporaryDirectory() as folder:
        tables: dict[str, Callable[[], str]] = {
            "slots": lambda: slots(server, Path(folder)),
            "runs": lambda: runs(server, Path(folder), given.runs),
            "lake": lambda: lake(server, Path(folder), lambda: server_cpu(server)),
            "landing": lambda: landing(server, Path(folder), lambda: server_cpu(server)),
            "workers": lambda: workers(server, Path(folder), lambda: server_cpu(server)),
        }
        for name in [given.only] if given.only else tables:
            print(tables[name]())
    return 0


def lake(server: Server, folder: Path, cpu: Callable[[], float]) -> str:
    """The table of a lake beside a file."""
    import lake as measured

    return measured.lake(server, folder, cpu, os.environ)


def landing(server: Server, folder: Path, cpu: Callable[[], float]) -> str:
    """The table of landing an answer in a row beside a file."""
    import landing as measured

    return measured.landing(server, folder, cpu)


def workers(server: Server, folder: Path, cpu: Callable[[], float]) -> str:
    """The table of workers that ask the accounts they share."""
    import workers as measured

    return measured.workers(server, folder, cpu)


def store_at(address: str) -> Store:
    return PostgresStore(address, KEY) if "://" in address else State(Path(address))


async def asked(store: Store, count: int) -> tuple[float, float]:
    """The median of what taking a slot takes, in ms, and the CPU ms of taking and giving one."""
    limiter = Limiter(store, SystemClock())
    taken, before = [], time.process_time()
    for number in range(count):
        begun = time.perf_counter()
        async with limiter.slot("zinc", f"account-{number % ACCOUNTS}", 1000):
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1000, (time.process_time() - before) / count * 1000


def slots(server: Server, folder: Path) -> str:
    """The table of slots: one process, and four at once."""
    lines = [
        "| slots, take and give | p50 of taking, ms | client CPU ms | server CPU ms | a second |",
        "|---|---|---|---|---|",
    ]
    for name, address in (("SQLite", str(folder / "state.sqlite")), ("PostgreSQL", server.new_database())):
        for processes in (1, 4):
            before, begun = server_cpu(server), time.monotonic()
            found = asking(address, processes)
            wall, cpu = time.monotonic() - begun, server_cpu(server) - before
            p50, client = (statistics.mean(values) for values in zip(*found, strict=True))
            count = SLOTS * processes
            told = f"{cpu / count * 1000:.2f}" if "://" in address else "–"
            lines.append(f"| {name}, {processes} processes | {p50:.2f} | {client:.2f} | {told} | {count / wall:,.0f} |")
    return "\n".join(lines) + "\n"


def asking(address: str, processes: int) -> list[tuple[float, float]]:
    command = [sys.executable, __file__, "--ask", address, str(SLOTS)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    said = [process.communicate()[0].split() for process in started]
    return [(float(p50), float(client)) for p50, client in said]


def runs(server: Server, folder: Path, count: int) -> str:
    """The table of what a `sync` costs that finds little, the first one left out."""
    lines = ["| a `sync` that finds little | client CPU s | server CPU s |", "|---|---|---|"]
    for name, url in (("SQLite", ""), ("PostgreSQL", server.new_database())):
        home, variables = folder / name, {KEY: url.replace("postgresql://", "postgresql+psycopg2://")}
        (home / "data" / "dagster").mkdir(parents=True)
        if url:
            (home / "data" / "dagster" / "dagster.yaml").write_text(f"telemetry: {{enabled: false}}\n{STORAGE}")
        cycle(home, variables)
        before, client = server_cpu(server), [cycle(home, variables) for _ in range(count)]
        cpu = f"{(server_cpu(server) - before) / count:.2f}" if url else "–"
        lines.append(f"| {name} | {statistics.median(client):.2f} | {cpu} |")
    return "\n".join(lines) + "\n"


def cycle(home: Path, variables: dict[str, str]) -> float:
    """The CPU seconds of one `sync` of the bundled sandbox."""
    before = os.times()
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [sys.executable, "-m", "screening_pipeline", "sync"]
    subprocess.run(command, cwd=home, env={**kept, **variables}, check=False, capture_output=True)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def server_cpu(server: Server) -> float:
    """The CPU seconds of the server, of its processes that ended as well."""
    found = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parts = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(folder.name) == server.process.pid:
            found += sum(map(int, parts[11:15]))  # its own, and those of children that ended
        elif int(parts[1]) == server.process.pid:
            found += sum(map(int, parts[11:13]))
    return found / TICKS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
