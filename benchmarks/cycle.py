"""Asks for 100 due checks and shows where the time goes, with Dagster and without, beside a trivial Dagster run.

    python benchmarks/cycle.py [--short | --full] [--times N] [--checks N]

One process, warm: it starts the bundled sandbox (a process of its own, without an artificial limit), fills a
warehouse from it, and then repeats, in turn: `sync` as commands and schedules run it; the same steps called one
after another; a Dagster run of one asset that does nothing, in Dagster's SQLite storage as it comes and in ours; the
same calls by the pipeline's client without landing; and by bare httpx. Each cycle asks for 100 checks that have
changed since they were asked for last. Hours pass here between two cycles, where minutes do in practice: what the
planner learns every six hours is therefore learned before each of them (`increment.py` tells what that costs), and
Dagster counts as told of the tables, as it is every twenty minutes; a cycle that tells has a row of its own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measuring import Cost, Options, costs_table, main, metered, middle, run_part, say, table
from stopwatch import Stopwatch

if TYPE_CHECKING:
    import dagster as dg

    from screening_pipeline.http.client import AccountClient
    from screening_pipeline.orchestration.demo import VirtualClock
    from screening_pipeline.runtime.context import Runtime
    from screening_pipeline.sandbox.handle import Sandbox
    from screening_pipeline.sandbox.world import World
    from screening_pipeline.settings.account import Account
    from screening_pipeline.state.pull_queue import QueuedPull


DUE = 100
DAYS = 30
STEP = timedelta(hours=12)
FIRST_DAY = 8
SYNC, PLAIN, TRIVIAL = "sync (Dagster)", "the same steps without Dagster", "a trivial Dagster run"
TELLING = "sync that tells of tables"
TRIVIAL_HERE = "the same in our storage"
CLIENT, BARE = "the calls by our client", "the calls by bare httpx"
HTTP = "HTTP, limiter, tokens"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
REST = "Dagster, and the rest"
PHASES = (
    "opening and closing the warehouse",
    "orders",
    HTTP,
    "landing",
    "load",
    "merge",
    "planning",
    "checks",
    "table figures",
    "publish",
)


@dataclass
class Stage:
    """A warehouse fed by a sandbox, and which checks have changed since."""

    runtime: Runtime
    recorded: dg.DagsterInstance
    stock: dg.DagsterInstance
    sandbox: Sandbox
    clock: VirtualClock
    world: World
    watch: Stopwatch = field(default_factory=Stopwatch)

    def step(self, *, due: int = DUE) -> list[QueuedPull]:
        """Let some hours pass; `due` checks that have changed in them are due now, and no others."""
        from screening_pipeline.runtime import bundled_sandbox

        before, now = self.clock.now(), self.clock.now() + STEP
        self.clock.move_to(now)
        self.sandbox.set_clock(now)
        bundled_sandbox.announce(self.runtime.settings, self.sandbox, until=now)
        self._take_orders()
        self._learn()
        items = [i for a in self.accounts for i in self.runtime.pull_queue.due(a.vendor, a.name, now, is_full=True)]
        chosen = [item for item in items if self._has_changed(item, before, now)][:due]
        if len(chosen) < due:
            raise SystemExit(f"only {len(chosen)} checks have changed: ask for a larger world with --checks")
        wanted = {item.check_key for item in chosen}
        self._make_due(items, wanted, now)
        return chosen

    @property
    def accounts(self) -> tuple[Account, ...]:
        return self.runtime.settings.accounts

    def _take_orders(self) -> None:
        from screening_pipeline.cycle import take_orders

        take_orders.take_orders(self.runtime, run_id="orders")

    def _learn(self) -> None:
        """Learn what is learned every six hours, and plan with it once, as the cycles before have done."""
        from screening_pipeline.cycle.writing import open_warehouse
        from screening_pipeline.runtime import plans

        with open_warehouse(self.runtime) as connection:
            plans.plan_again(connection, self.runtime)  # learns
            plans.plan_again(connection, self.runtime)  # reads back what was learned, as later cycles do

    def _have_told(self) -> None:
        """Have Dagster told of the tables just now, as it is before nineteen of twenty cycles."""
        from screening_pipeline.orchestration.telling import Told

        queue = self.runtime.pull_queue
        replace(Told.noted(queue), at=self.clock.now()).note(queue)

    def _has_changed(self, item: QueuedPull, before: datetime, now: datetime) -> bool:
        check = self.world.by_key.get((item.vendor, item.subject, item.check_id))
        return check is not None and check.state_at(before) is not check.state_at(now)

    def _make_due(self, items: Sequence[QueuedPull], wanted: set[int], now: datetime) -> None:
        for account in self.accounts:
            mine = [item for item in items if (item.vendor, item.account) == (account.vendor, account.name)]
            moved = [replace(i, next_pull_at=now if i.check_key in wanted else now + 9 * STEP) for i in mine]
            self.runtime.pull_queue.replace(account.vendor, account.name, moved)

    # ── what is measured ───────────────────────────────────────────────────────────────────────────────

    def sync(self, *, is_telling: bool = False) -> Cost:
        """One cycle as a Dagster run; `is_telling`: one after which Dagster's pages show the tables anew."""
        from screening_pipeline.orchestration import runs

        self.step()
        if not is_telling:
            self._have_told()
        paths = self.runtime.settings.paths
        before = [_size(folder) for folder in (paths.landing, paths.dagster)]
        with self._watched() as cost:
            outcome = runs.sync(self.runtime, self.recorded)
        after = [_size(folder) for folder in (paths.landing, paths.dagster)]
        calls = sum(report.calls for report in outcome.reports)
        grown = [(now - then) / 1000 for now, then in zip(after, before, strict=True)]
        cost.facts |= {"calls": calls, "changed": outcome.settled.changed, "landed": grown[0], "dagster": grown[1]}
        return cost

    def plain(self) -> Cost:
        """The same steps without Dagster: no events, no tables' figures for its pages."""
        from screening_pipeline.cycle import notes, pull, settle, take_orders
        from screening_pipeline.cycle.writing import open_warehouse
        from screening_pipeline.runtime import publication
        from screening_pipeline.runtime.results import StepResult

        self.step()
        runtime, watch = self.runtime, self.watch
        run_id = f"plain-{runtime.clock.now():%Y%m%dT%H%M}"
        with self._watched() as cost:
            begun_at = runtime.clock.now()
            taken = take_orders.take_orders(runtime, run_id=run_id)
            reports = [pull.pull_account(runtime, account, run_id=run_id) for account in self.accounts]
            with open_warehouse(runtime) as connection:
                settled = taken.settled + settle.settle(runtime, connection)
                with watch.phase("checks"):
                    broken = list(_broken_rules(connection))
                whole = StepResult(begun_at=begun_at, intake=taken.intake, settled=settled, reports=tuple(reports))
                notes.note_run(runtime, connection, whole, run_id=run_id, trigger="benchmark")
                publication.publish(runtime, connection)
        cost.facts |= {
            "calls": sum(report.calls for report in reports),
            "changed": settled.changed,
            "broken_rules": len(broken),
        }
        return cost

    @contextmanager
    def _watched(self) -> Iterator[Cost]:
        self.watch.clear()
        with metered() as cost:
            yield cost
        for kind, total, phases in (("cpu", cost.cpu_s, self.watch.cpu), ("wall", cost.wall_s, self.watch.wall)):
            cost.facts |= {f"{kind}:{name}": phases.get(name, 0.0) for name in PHASES}
            cost.facts[f"{kind}:{REST}"] = total - sum(phases.values())

    def trivial(self, job: dg.JobDefinition, instance: dg.DagsterInstance) -> Cost:
        """A run of one asset that does nothing."""
        with metered() as cost:
            job.execute_in_process(instance=instance, run_config=QUIET)
        return cost

    def by_client(self) -> Cost:
        """The calls of one cycle by the pipeline's client: limiter and tokens, but nothing is landed."""
        items = self.step()
        with metered() as cost:
            for account in self.accounts:
                asyncio.run(_ask_by_client(self.runtime, account, _of(account, items)))
        return cost

    def by_httpx(self) -> Cost:
        """The same calls by httpx alone."""
        items = self.step()
        asked = [call for a in self.accounts for call in asyncio.run(_requests(self.runtime, a, _of(a, items)))]
        with metered() as cost:
            asyncio.run(_ask_by_httpx(asked, self.accounts[0].max_concurrency))
        return cost


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _broken_rules(connection: Any) -> Iterator[str]:
    from screening_pipeline.warehouse import catalog

    for rule in catalog.rules("raw", "star", "ops", is_every_run=True):
        if connection.execute(f"select count(*) from ({rule.query}\n)").fetchone()[0]:
            yield rule.name


def _of(account: Account, items: Sequence[QueuedPull]) -> list[QueuedPull]:
    return [item for item in items if (item.vendor, item.account) == (account.vendor, account.name)]


@contextmanager
def _client_of(runtime: Runtime, account: Account) -> Iterator[AccountClient]:
    from screening_pipeline.domain.exchange import HttpExchange, LandingReceipt
    from screening_pipeline.http.client import AccountClient
    from screening_pipeline.vendors import vendor

    async def forget(exchange: HttpExchange) -> LandingReceipt:
        return LandingReceipt(
            response_id=exchange.response_id, http_status=exchange.http_status, failure=exchange.failure
        )

    yield AccountClient(
        account,
        vendor(account.vendor),
        secrets=account.secrets({}),
        limiter=runtime.limiter,
        clock=runtime.clock,
        sink=forget,
        run_id="bench",
    )


async def _ask_by_client(runtime: Runtime, account: Account, items: Sequence[QueuedPull]) -> None:
    from screening_pipeline.http.batch import Pull

    with _client_of(runtime, account) as made:
        async with made as client:
            await client.pull_all([Pull(subject=i.subject, check_id=i.check_id) for i in items])


async def _requests(runtime: Runtime, account: Account, items: Sequence[QueuedPull]) -> list[tuple[str, str]]:
    with _client_of(runtime, account) as made:
        async with made as client:
            header = await client.authorization()
            names = {item.subject: client.vendor.endpoint_for(item.subject).name for item in items}
            return [(client.url(names[item.subject], item.check_id), header) for item in items]


async def _ask_by_httpx(asked: Sequence[tuple[str, str]], at_once: int) -> None:
    import httpx

    waiting = iter(asked)
    async with httpx.AsyncClient(timeout=30) as client:

        async def work() -> None:
            for url, header in waiting:
                answer = await client.get(url, headers={"Authorization": header})
                answer.json()

        await asyncio.gather(*(work() for _ in range(at_once)))


# ── the stage ──────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def staged(folder: Path, checks: int) -> Iterator[Stage]:
    """A warehouse that has caught up with a sandbox of so many checks."""
    from screening_pipeline.orchestration.demo import VirtualClock
    from screening_pipeline.orchestration.instance import instance
    from screening_pipeline.runtime import bundled_sandbox, opening
    from screening_pipeline.sandbox.handle import running_sandbox
    from screening_pipeline.sandbox.server import VIRTUAL_EPOCH
    from screening_pipeline.sandbox.world import World
    from screening_pipeline.settings import sandbox_accounts

    given = sandbox_accounts.bundled({"SCREENING_DATA_DIR": str(folder)}, folder)
    given.paths.create()
    (folder / "sandbox").mkdir()
    world = World(7, checks, VIRTUAL_EPOCH, DAYS)
    clock = VirtualClock(VIRTUAL_EPOCH + timedelta(days=FIRST_DAY))
    with ExitStack() as stack:
        sandbox = stack.enter_context(running_sandbox(virtual=True, limit_factor=None, **vars(world)))
        placed = bundled_sandbox.at(given, sandbox.url)
        # 100 checks by id, and not whatever else a feed has to tell.
        polled = replace(placed, accounts=tuple(replace(a, status_updates=False) for a in placed.accounts))
        work = opening.build_runtime(polled, {}, clock)
        recorded = stack.enter_context(instance(given.paths))
        stock = stack.enter_context(_stock_instance(folder / "stock"))
        yield _caught_up(Stage(work, recorded, stock, sandbox, clock, world))


def _stock_instance(home: Path) -> dg.DagsterInstance:
    """An instance with the same settings, and the storage that Dagster chooses."""
    import dagster as dg

    from screening_pipeline.orchestration.instance import DAGSTER_YAML

    home.mkdir()
    (home / "dagster.yaml").write_text(DAGSTER_YAML)
    return dg.DagsterInstance.from_config(str(home))


def _caught_up(stage: Stage) -> Stage:
    from screening_pipeline.orchestration import runs
    from screening_pipeline.runtime import bundled_sandbox

    stage.sandbox.set_clock(stage.clock.now())
    bundled_sandbox.announce(stage.runtime.settings, stage.sandbox, until=stage.clock.now())
    runs.sync(stage.runtime, stage.recorded, is_full=True)
    watch_phases(stage.watch)
    stage.sync()
    return stage


def watch_phases(watch: Stopwatch) -> None:
    """Time the phases where they are called. What is written to disk meanwhile, by a thread, is in the rest."""
    from screening_pipeline.cycle import notes, pull, settle, take_orders
    from screening_pipeline.landing.area import Landing
    from screening_pipeline.orchestration import pulling, tables, telling
    from screening_pipeline.runtime import publication
    from screening_pipeline.warehouse import ingest, store

    watch.watch("opening and closing the warehouse", store, "writer")
    watch.watch("orders", take_orders, "take_orders")
    watch.watch(HTTP, pull, "pull_accounts")
    watch.watch(HTTP, pulling, "pull_accounts")
    watch.watch("landing", Landing, "judged")
    watch.watch("load", ingest, "advance")
    watch.watch("merge", ingest, "refresh")
    watch.watch("load", settle, "settle")
    watch.watch("planning", settle, "plan_what_is_old")
    watch.watch("planning", take_orders, "plan_what_is_old")
    watch.watch("checks", telling.Telling, "tried")
    watch.watch("table figures", tables, "table_metadata")
    watch.watch("publish", publication, "publish")
    watch.watch("publish", notes, "note_run")


def _trivial_job() -> dg.JobDefinition:
    import dagster as dg

    @dg.asset
    def nothing() -> None:
        """Nothing."""

    return dg.Definitions(assets=[nothing], jobs=[dg.define_asset_job("trivial")]).resolve_job_def("trivial")


# ── parts ──────────────────────────────────────────────────────────────────────────────────────────────


def warm(folder: str, checks: int, times: int) -> Cost:
    """Everything that is measured in one warm process; the facts are the costs by name."""
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"
    with staged(Path(folder), checks) as stage:
        job = _trivial_job()
        for instance in (stage.stock, stage.recorded):
            stage.trivial(job, instance)
        stage.by_client()
        wanted: dict[str, Callable[[], Cost]] = {
            SYNC: stage.sync,
            TELLING: partial(stage.sync, is_telling=True),
            PLAIN: stage.plain,
            TRIVIAL: lambda: stage.trivial(job, stage.stock),
            TRIVIAL_HERE: lambda: stage.trivial(job, stage.recorded),
            CLIENT: stage.by_client,
            BARE: stage.by_httpx,
        }
        turns = [_turn(wanted) for _ in range(times)]
        return Cost(facts={name: vars(middle([turn[name] for turn in turns])) for name in wanted})


def _turn(wanted: dict[str, Callable[[], Cost]]) -> dict[str, Cost]:
    """Everything once. A machine's pace changes within seconds, so what is compared is of one turn."""
    costs = {name: measure() for name, measure in wanted.items()}
    for http in (CLIENT, BARE):
        goal = 1.5 * costs[TRIVIAL].cpu_s + costs[http].cpu_s
        costs[SYNC].facts[f"share:{http}"] = costs[SYNC].cpu_s / goal
    return costs


def start() -> Cost:
    """What a process pays before its first cycle: imports, Dagster's among them."""
    with metered() as cost:
        from screening_pipeline.orchestration import runs  # MOVER: unused  # noqa: F401 - what a command imports
        from screening_pipeline.orchestration.definitions import defs
        from screening_pipeline.runtime import opening  # MOVER: unused  # noqa: F401 - the same

        defs.resolve_job_def("sync")
    return cost


# ── what is printed ────────────────────────────────────────────────────────────────────────────────────


def plan(options: Options) -> None:
    """Measure and print."""
    checks = options.rest.checks or options.choose(3_500, 4_000, 40_000)
    times = 1 if options.form == "smallest" else options.times
    found = run_part("warm", folder=str(options.folder), checks=checks, times=times)
    costs = {name: Cost(**figures) for name, figures in found.facts.items()}
    started = middle([run_part("start") for _ in range(times)])
    synced, plain = costs[SYNC].facts, costs[PLAIN].facts
    say(
        f"{DUE} due checks, all changed, of a world of {checks:,} ({synced['calls']:.0f} calls and "
        f"{synced['changed']:.0f} changed checks a cycle). Medians of {times}, warm; the vendors' CPU is not in it."
    )
    costs_table("one cycle", costs, base=TRIVIAL)
    _print_phases(costs)
    say(
        f"Before the first cycle a process pays {started.cpu_s:.2f} CPU s for imports and definitions. "
        f"sync / (1.5 × trivial + our calls), each of one turn: {synced[f'share:{CLIENT}']:.2f} (at most 1 is "
        f"wanted); with bare httpx for the calls: {synced[f'share:{BARE}']:.2f}. "
        f"A cycle adds {synced['landed']:.0f} KB to the landing area and {synced['dagster']:.0f} KB to Dagster's "
        "storage. "
        f"Besides HTTP and Dagster: {1000 * _own(plain):.0f} CPU ms for {plain['changed']:.0f} changed checks."
    )


def _own(facts: dict[str, Any]) -> float:
    """Everything but the calls, without Dagster."""
    return sum(float(facts[f"cpu:{phase}"]) for phase in PHASES if phase != HTTP)


def _print_phases(costs: dict[str, Cost]) -> None:
    columns = [(kind, name) for kind in ("cpu", "wall") for name in (SYNC, PLAIN)]
    rows = [
        (phase, *(1000 * float(costs[name].facts[f"{kind}:{phase}"]) for kind, name in columns))
        for phase in (*PHASES, REST)
    ]
    table(("phase", "CPU ms, sync", "CPU ms, plain", "wall ms, sync", "wall ms, plain"), rows)


if __name__ == "__main__":
    main(
        plan,
        {"warm": warm, "start": start},
        ("--checks", {"type": int, "help": "checks in the sandbox's world"}),
    )
