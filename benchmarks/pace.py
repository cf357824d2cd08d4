"""How much of what vendors allow is used: accounts side by side, the lock, sensors, and an hour of `dev` and `watch`.

    python benchmarks/pace.py [--smallest | --short | --full]

Accounts: 1, 5 and 50 of them, each with more due than its limit allows, asked by one run; the server says how many
calls came. The peer is the leanest script that keeps the same limits: a list of instants per account, bare httpx,
nothing kept. Lock: who held the writer's lock how long in a cycle and in the daily job. Sensors: 200 accounts with one
check due each, from the tick to the end of the run that it asks for. `dev`: its processes for some minutes over the
bundled sandbox, beside `dagster dev` with as many sensors that always skip. `watch`: its one process for some minutes
over the bundled sandbox, whose feed it drains every minute, and where nothing is due.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cycle
import fetch
from answering import answering, arrivals
from measuring import Cost, Options, cpu_seconds, environ, main, metered, run_part, say, table

if TYPE_CHECKING:
    from screening_pipeline.runtime.context import Runtime

ACCOUNT = """
[[accounts]]
vendor = "goodhire"
name = "a{number}"
base_url = "{url}/a{number}"
api_key_env = "BENCH_KEY"
requests_per_minute = {limit}
"""
IDLE = """
import dagster as dg

def idle(number):
    @dg.sensor(name=f"idle_{{number}}", target=dg.AssetSelection.all(), minimum_interval_seconds=30,
               default_status=dg.DefaultSensorStatus.RUNNING)
    def tick(context):
        return dg.SkipReason("nothing")
    return tick

@dg.asset
def nothing():
    pass

defs = dg.Definitions(assets=[nothing], sensors=[idle(number) for number in range({sensors})])
"""
LATENCY = 0.02
PORTS = (3971, 3972)


# ── accounts side by side ──────────────────────────────────────────────────────────────────────────────


def prepared(folder: str, url: str, accounts: int, due: int, limit: int) -> Runtime:
    """Accounts at one server, each with so many checks due."""
    from screening_pipeline.base.clock import SystemClock
    from screening_pipeline.cycle import take_orders
    from screening_pipeline.runtime.opening import build_runtime
    from screening_pipeline.settings import load

    place = Path(folder)
    told = "".join(ACCOUNT.format(number=number, url=url, limit=limit) for number in range(accounts))
    (place / "screening.toml").write_text(told)
    settings = load.load({}, place)
    settings.paths.create()
    rows = "".join(f"goodhire,a{a},a{a}-{n}\n" for a in range(accounts) for n in range(due))
    (settings.paths.orders / "a.csv").write_text(f"vendor,account,check_id\n{rows}")
    runtime = build_runtime(settings, {"BENCH_KEY": "key of a benchmark"}, SystemClock())
    take_orders.take_orders(runtime, run_id="orders")
    have_due(runtime)
    return runtime


def have_due(runtime: Runtime) -> None:
    """Have every check due now."""
    for account in runtime.settings.accounts:
        items = runtime.pull_queue.due(account.vendor, account.name, runtime.clock.now(), is_full=True)
        moved = [replace(item, next_pull_at=runtime.clock.now()) for item in items]
        runtime.pull_queue.replace(account.vendor, account.name, moved)


def side_by_side(folder: str, url: str, accounts: int, windows: int, limit: int, window: float) -> Cost:
    """One run of all accounts, each of which takes so many windows of its limit."""
    from screening_pipeline.cycle import settle
    from screening_pipeline.cycle.pull import PullRequest, pull_accounts
    from screening_pipeline.state.rate_limit import Limiter

    made = prepared(folder, url, accounts, windows * limit, limit)
    runtime = replace(made, limiter=Limiter(made.state, made.clock, window_seconds=window))
    with metered() as cost:
        publish: Callable[[], object] = partial(settle.settle_and_publish, runtime)
        reports = pull_accounts(runtime, runtime.settings.accounts, PullRequest(), run_id="bench", settle=publish)
    cost.facts["calls"] = sum(report.accepted for report in reports)
    return cost


def leanest(url: str, accounts: int, windows: int, limit: int, window: float) -> Cost:
    """The same calls by a script that keeps each account's limit and keeps nothing else."""
    import httpx

    async def ask(client: httpx.AsyncClient, name: str) -> None:
        made: deque[float] = deque(maxlen=limit)
        for number in range(windows * limit):
            if len(made) == limit:
                await asyncio.sleep(max(0.0, made[0] + window - time.monotonic()))
            (await client.get(f"{url}/{name}/Order/{name}-{number}")).json()
            made.append(time.monotonic())

    async def ask_all() -> None:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            await asyncio.gather(*(ask(client, f"a{number}") for number in range(accounts)))

    with metered() as cost:
        asyncio.run(ask_all())
    cost.facts["calls"] = accounts * windows * limit
    return cost


# ── who holds the lock ─────────────────────────────────────────────────────────────────────────────────


@contextmanager
def held_by(found: dict[str, list[float]]) -> Iterator[None]:
    """Note how long the warehouse's writer is open, by the function that opens it."""
    from screening_pipeline.warehouse import store

    opened = store.writer

    @contextmanager
    def noted(*given: Any, **named: Any) -> Iterator[Any]:
        who = _opener()
        with opened(*given, **named) as connection:
            begun = time.monotonic()
            try:
                yield connection
            finally:
                found[who].append(time.monotonic() - begun)

    store.writer = noted
    try:
        yield
    finally:
        store.writer = opened


def _opener() -> str:
    """The nearest function of ours above that is not there for opening alone."""
    frame = sys._getframe(1)  # noqa: SLF001 - what it is for
    while frame := frame.f_back:  # type: ignore[assignment]
        module = frame.f_globals.get("__name__", "")
        if module.startswith("screening_pipeline.") and not module.endswith((".writing", ".store")):
            return f"{module.removeprefix('screening_pipeline.')}.{frame.f_code.co_name}"
    return "the benchmark, between two cycles"


def lock(folder: str, checks: int) -> Cost:
    """A cycle and the daily job over a sandbox's world: the facts are times held and the longest, by whom."""
    from screening_pipeline.orchestration import runs

    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"
    with cycle.staged(Path(folder), checks) as stage:
        works: dict[str, Callable[[], object]] = {
            "sync": stage.sync,
            "the daily job": partial(runs.daily_report, stage.runtime, stage.recorded),
        }
        rows = []
        for name, work in works.items():
            found: dict[str, list[float]] = defaultdict(list)
            begun = cpu_seconds()
            with held_by(found):
                work()
            spent = cpu_seconds() - begun
            rows += [(name, spent, who, len(times), max(times)) for who, times in (found or {"nobody": [0.0]}).items()]
        return Cost(facts={"rows": rows})


# ── sensors ────────────────────────────────────────────────────────────────────────────────────────────


def ticked(folder: str, url: str, accounts: int) -> Cost:
    """A tick of the sensor of what is due, and the run that it asks for."""
    os.environ.update(SCREENING_CONFIG=f"{folder}/screening.toml", SCREENING_DATA_DIR=f"{folder}/data")
    os.environ.update(
        BENCH_KEY="key of a benchmark", DAGSTER_DISABLE_TELEMETRY="yes", DAGSTER_HOME=f"{folder}/data/dagster"
    )
    prepared(folder, url, accounts, 1, 60)
    import dagster as dg

    from screening_pipeline.orchestration.definitions import defs
    from screening_pipeline.orchestration.instance import instance
    from screening_pipeline.orchestration.sensors import recheck
    from screening_pipeline.settings import load

    repository = defs.get_repository_def()
    with instance(load.load(os.environ, Path(folder)).paths) as recorded:

        def tick() -> Any:
            context = dg.build_sensor_context(instance=recorded, sensor_name="recheck", repository_def=repository)
            return recheck.evaluate_tick(context)

        tick()
        with metered() as cost:
            begun = cpu_seconds()
            asked = tick()
            cost.facts["tick"] = 1000 * (cpu_seconds() - begun)
            for request in asked.run_requests:
                config = {**request.run_config, **cycle.QUIET}
                job = defs.resolve_job_def("recheck")
                assert job.execute_in_process(instance=recorded, run_config=config).success  # noqa: S101
        cost.facts |= {"runs": len(asked.run_requests), "calls": len(arrivals(url))}
    return cost


# ── dev ────────────────────────────────────────────────────────────────────────────────────────────────


def dev(folder: str, warm_up: float, seconds: float) -> Cost:
    """`dev` and the idle peer for some minutes side by side: the facts are CPU seconds an hour, bytes a day."""
    place = Path(folder)
    (place / "idle.py").write_text(IDLE.format(sensors=_sensors()))
    for name in ("ours", "peer"):
        (place / name).mkdir()
    given = {**environ(), "DAGSTER_DISABLE_TELEMETRY": "yes", "SCREENING_DATA_DIR": str(place / "ours" / "data")}
    given.pop("DAGSTER_HOME", None)
    binary = Path(sys.executable).parent
    ours = [sys.executable, "-m", "screening_pipeline", "dev", "--port", str(PORTS[0])]
    peer = [str(binary / "dagster"), "dev", "-f", str(place / "idle.py"), "-p", str(PORTS[1])]
    with ExitStack() as running:
        groups = {
            "ours": running.enter_context(_running(ours, place / "ours", given)),
            "peer": running.enter_context(
                _running(peer, place / "peer", {**given, "DAGSTER_HOME": str(place / "peer")})
            ),
        }
        time.sleep(warm_up)
        before = {name: _cpu_of(group) for name, group in groups.items()}
        stored = _stored(place / "ours" / "data" / "dagster")
        time.sleep(seconds)
        spent = {name: _cpu_of(group) - before[name] for name, group in groups.items()}
        grown = _stored(place / "ours" / "data" / "dagster") - stored
    hours = seconds / 3600
    return Cost(facts={**{name: cpu / hours for name, cpu in spent.items()}, "mb_a_day": grown / 1e6 / hours * 24})


def _sensors() -> int:
    """How many sensors of ours tick."""
    from screening_pipeline.orchestration.definitions import defs

    return len(list(defs.sensors or ()))


@contextmanager
def _running(words: list[str], folder: Path, given: dict[str, str]) -> Iterator[int]:
    """A command in a session of its own, ended with all its processes."""
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            words, cwd=folder, env=given, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
    try:
        yield process.pid
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 2)
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def _cpu_of(first: int) -> float:
    """CPU seconds of a process, of all below it, and of their children that have ended."""
    ticks: dict[int, int] = {}
    children: dict[int, list[int]] = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError):
            fields = stat.read_text().rpartition(")")[2].split()
            ticks[int(stat.parent.name)] = sum(map(int, fields[11:15]))
            children[int(fields[1])].append(int(stat.parent.name))
    waiting, spent = [first], 0
    while waiting:
        process = waiting.pop()
        spent += ticks.get(process, 0)
        waiting += children[process]
    return spent / os.sysconf("SC_CLK_TCK")


def _stored(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# ── watch ──────────────────────────────────────────────────────────────────────────────────────────────


def watch(folder: str, warm_up: float, seconds: float) -> Cost:
    """`watch` for some minutes, without the sandbox that it starts: the facts are CPU seconds an hour."""
    place = Path(folder)
    given = {**environ(), "DAGSTER_DISABLE_TELEMETRY": "yes", "BENCH_KEY": "key of a benchmark"}
    given.pop("DAGSTER_HOME", None)
    words = [sys.executable, "-m", "screening_pipeline", "watch"]
    with ExitStack() as running:
        groups = {}
        for name in ("sandbox", "nothing due"):
            (place / name).mkdir()
            if name == "nothing due":
                told = ACCOUNT.format(number=1, url="http://127.0.0.1:9", limit=60)
                (place / name / "screening.toml").write_text(told)
            data = {"SCREENING_DATA_DIR": str(place / name / "data")}
            groups[name] = running.enter_context(_running(words, place / name, {**given, **data}))
        time.sleep(warm_up)
        before = {name: _own_cpu(process) for name, process in groups.items()}
        time.sleep(seconds)
        spent = {name: _own_cpu(process) - before[name] for name, process in groups.items()}
    return Cost(facts={name: cpu * 3600 / seconds for name, cpu in spent.items()})


def _own_cpu(process: int) -> float:
    """CPU seconds of a process alone."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


# ── what is printed ────────────────────────────────────────────────────────────────────────────────────


def plan(options: Options) -> None:
    """Measure and print."""
    parts = {
        "accounts": _print_accounts,
        "lock": _print_lock,
        "sensors": _print_sensors,
        "dev": _print_dev,
        "watch": _print_watch,
    }
    for name in options.rest.only or parts:
        parts[name](options)


def _print_accounts(options: Options) -> None:
    limit, window, windows = options.choose((5, 1.0, 2), (10, 6.0, 4), (20, 60.0, 4))
    rows = []
    for accounts in options.choose((2,), (1, 5, 50), (1, 5, 50)):
        given = {"accounts": accounts, "windows": windows, "limit": limit, "window": window}
        for name in ("side_by_side", "leanest"):
            with answering(latency=LATENCY) as url:
                place = {"folder": fetch.new(options.folder)} if name == "side_by_side" else {}
                cost = run_part(name, url=url, **place, **given)
                calls = len(arrivals(url))
            # A first window's worth may go at once: the others take this long at least.
            share = (windows - 1) * window / max(cost.wall_s, (windows - 1) * window)
            who = "ours" if name == "side_by_side" else "the leanest script"
            rows.append((accounts, who, calls, cost.wall_s, share, 1000 * cost.cpu_s / calls))
    say(
        f"Accounts side by side, {limit} calls in {window:g} s each, {windows} windows' worth due "
        f"({(windows - 1) * window:g} s at least):"
    )
    table(("accounts", "who", "calls", "wall s", "share of the pace allowed", "CPU ms a call"), rows)


def _print_lock(options: Options) -> None:
    checks = options.choose(3_500, 4_000, 40_000)
    found = run_part("lock", folder=str(fetch.new(options.folder)), checks=checks)
    say(f"The writer's lock, over a world of {checks:,} checks:")
    table(("work", "its CPU s", "held by", "times", "longest, wall s"), [tuple(row) for row in found.facts["rows"]])


def _print_sensors(options: Options) -> None:
    accounts = options.choose(5, 200, 200)
    with answering() as url:
        found = run_part("ticked", folder=fetch.new(options.folder), url=url, accounts=accounts)
    say(f"{accounts} accounts with one check due each, by the sensor, from the tick to the end of its run:")
    names = ("runs", "calls", "tick")
    table(
        ("runs", "calls", "CPU ms of the tick", "CPU s", "wall s"),
        [(*(found.facts[name] for name in names), found.cpu_s, found.wall_s)],
    )


def _print_dev(options: Options) -> None:
    warm_up, seconds = options.choose((5, 5), (60, 120), (300, 3_600))
    found = run_part("dev", folder=fetch.new(options.folder), warm_up=warm_up, seconds=seconds).facts
    say(f"`dev` over the bundled sandbox, {seconds} s after {warm_up} s, extrapolated, beside an idle `dagster dev`:")
    rows = [("ours", found["ours"], found["mb_a_day"]), ("idle dagster dev", found["peer"], None)]
    table(("who", "CPU s an hour", "Dagster's storage, MB a day"), rows)
    say(f"Ours / idle: {found['ours'] / max(found['peer'], 1e-9):.2f}")


def _print_watch(options: Options) -> None:
    warm_up, seconds = options.choose((5, 5), (60, 300), (300, 3_600))
    found = run_part("watch", folder=fetch.new(options.folder), warm_up=warm_up, seconds=seconds).facts
    say(f"`watch`, {seconds} s after {warm_up} s, extrapolated, without the vendors' CPU:")
    table(("over", "CPU s an hour"), list(found.items()))


if __name__ == "__main__":
    main(
        plan,
        {"side_by_side": side_by_side, "leanest": leanest, "lock": lock, "ticked": ticked, "dev": dev, "watch": watch},
        ("--only", {"action": "append", "choices": ("accounts", "lock", "sensors", "dev", "watch")}),
    )
