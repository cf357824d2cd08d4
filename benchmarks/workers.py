"""How fast 1, 2 and 4 workers ask 200 accounts that share a database, beside one process with files of its own.

Run by `benchmarks/cluster.py`. Each worker is a process with a data folder of its own and asks every so-many-th
account, as runs of shards do; what is said lands in the inbox, and nothing is merged. Limits are no bound here: each
account has fewer checks due than it may be asked in a minute.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from answering import answering
from pace import ACCOUNT, have_due

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from screening_pipeline_tests.support.postgres import Server

ACCOUNTS, CHECKS, LIMIT, WORKERS, LATENCY = 200, 20, 60, (1, 2, 4), 0.02
KEYS = {f"SCREENING_{name}_KEY": f"of a benchmark, long enough: {name}" for name in ("PSEUDONYM", "SPOOL", "LANDING")}
SHARED = """
[state]
url_env = "SCREENING_STATE_URL"
[landing]
url = "file://{folder}/landing"
[orders]
url = "file://{folder}/orders"
[privacy]
landing_key_env = "SCREENING_LANDING_KEY"
[warehouse]
engine = "ducklake"
catalog_env = "SCREENING_CATALOG_URL"
data_path = "{folder}/live"
published_catalog_env = "SCREENING_PUBLISHED_URL"
published_data_path = "{folder}/shown"
"""


def workers(server: Server, folder: Path, cpu: Callable[[], float]) -> str:
    """The table: calls a second of each number of workers, and CPU ms a call."""
    lines = [
        "| who asks | calls | a second | × the first | client CPU ms | server CPU ms |",
        "|---|---|---|---|---|---|",
    ]
    first = 0.0
    for count, is_shared in [(1, False), *((count, True) for count in WORKERS)]:
        place = folder / f"{count}-{'shared' if is_shared else 'alone'}"
        with answering(LATENCY) as url:
            environ = _prepared(server, place, url, is_shared=is_shared)
            served, began = cpu(), _client_cpu()
            wall, calls = _asked(place, count, environ)
            client, used = _client_cpu() - began, cpu() - served
        rate = calls / wall
        first = first or (rate if is_shared else 0.0)
        who = f"{count} worker{'s' if count > 1 else ''}, shared" if is_shared else "one process, files"
        told = [f"{calls:,}", f"{rate:,.0f}", f"{rate / first:.2f}" if first else "–", f"{client / calls * 1000:.2f}"]
        lines.append(f"| {who} | {' | '.join(told)} | {used / calls * 1000:.2f} |")
    return "\n".join(lines) + "\n"


def _client_cpu() -> float:
    told = os.times()
    return told.children_user + told.children_system


def _prepared(server: Server, place: Path, url: str, *, is_shared: bool) -> dict[str, str]:
    """A world with every check due, made in the first worker's folder, and the variables that name it."""
    from screening_pipeline.base.clock import SystemClock
    from screening_pipeline.cycle.take_orders import take_orders
    from screening_pipeline.runtime.opening import build_runtime
    from screening_pipeline.settings import load

    (place / "orders").mkdir(parents=True)
    (place / "landing").mkdir()
    names = ("STATE", "CATALOG", "PUBLISHED")
    environ = {**KEYS, "BENCH_KEY": "key", **{f"SCREENING_{name}_URL": server.new_database() for name in names}}
    told = "".join(ACCOUNT.format(number=number, url=url, limit=LIMIT) for number in range(ACCOUNTS))
    (place / "screening.toml").write_text((SHARED.format(folder=place) if is_shared else "") + told)
    environ |= {"SCREENING_CONFIG": str(place / "screening.toml"), "SCREENING_DATA_DIR": str(place / "data-0")}
    os.environ.update(environ)  # where the engine looks
    settings = load.load(environ, place)
    settings.paths.create()
    rows = "".join(f"goodhire,a{a},a{a}-{n}\n" for a in range(ACCOUNTS) for n in range(CHECKS))
    orders = place / "orders" if is_shared else settings.paths.orders
    (orders / "a.csv").write_text(f"vendor,account,check_id\n{rows}")
    runtime = build_runtime(settings, environ, SystemClock())
    take_orders(runtime, run_id="orders")
    have_due(runtime)
    return environ


def _asked(place: Path, count: int, environ: dict[str, str]) -> tuple[float, int]:
    """From when all were ready until the last was done, and how many calls that were."""
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), **environ}
    started = [
        subprocess.Popen(
            [sys.executable, __file__, str(number), str(count)],
            env={**kept, "SCREENING_DATA_DIR": str(place / f"data-{number}")},
            cwd=place,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    for process in started:
        process.stdout.readline()  # type: ignore[union-attr]  # it is ready
    begun = time.monotonic()
    for process in started:
        process.stdin.write("go\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
    calls = sum(int(process.communicate()[0]) for process in started)
    return time.monotonic() - begun, calls


def work(arguments: Sequence[str]) -> None:
    """One worker: its number, and how many there are. It says when it is ready, and how many checks were answered."""
    from screening_pipeline.cycle.pull import PullRequest, pull_accounts
    from screening_pipeline.runtime.opening import build_runtime
    from screening_pipeline.runtime.shared import shared_clock
    from screening_pipeline.settings import load

    number, count = map(int, arguments)
    settings = load.load(os.environ, Path.cwd())
    settings.paths.create()
    runtime = build_runtime(settings, os.environ, shared_clock(settings, os.environ))
    print("ready", flush=True)
    sys.stdin.readline()
    reports = pull_accounts(runtime, settings.accounts[number::count], PullRequest(), run_id=f"worker {number}")
    print(sum(report.accepted for report in reports))


if __name__ == "__main__":
    work(sys.argv[1:])
