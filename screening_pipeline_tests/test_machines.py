"""Machines with folders of their own that share one world: the same star as of one machine, nothing lost or twice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import dagster as dg
import pytest

from screening_pipeline.cycle.erase import erase_check
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.landing.interface import Tail
from screening_pipeline.runtime.opening import open_runtime
from screening_pipeline.sandbox.handle import Sandbox, running_sandbox
from screening_pipeline.sandbox.server import VIRTUAL_EPOCH
from screening_pipeline.settings.settings import Warehouse
from screening_pipeline_tests.support.end_to_end_world import Play, dagster_words, definitions, playing
from screening_pipeline_tests.support.machines import KEYS, STATE, World, shared_world
from screening_pipeline_tests.support.object_store import object_store
from screening_pipeline_tests.support.postgres import Server
from screening_pipeline_tests.support.sharing import Machine, machines_at, play
from screening_pipeline_tests.support.soak_world import configure
from screening_pipeline_tests.support.two_engines import LIVE, SHOWN, Side, differing, side

pytestmark = [pytest.mark.cluster, pytest.mark.slow, dagster_words, pytest.mark.timeout(1800)]

CHECKS = 30


class Shared(NamedTuple):
    """A world on one machine in files, and on two that share it."""

    file: Side
    one: Side
    other: Side
    world: World


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, postgres_server: Server) -> Iterator[Shared]:
    folder, given = tmp_path_factory.mktemp("world"), pytest.MonkeyPatch()
    environ: dict[str, str] = {}
    with object_store() as store, playing(folder / "played", checks=CHECKS) as played:
        environ |= store.environ
        for name, value in store.environ.items():
            given.setenv(name, value)
        orders = f"file://{played.paths.orders}"
        place = store.new_bucket(folder.name) + "landing"
        world = shared_world(played.runtime.settings, folder, postgres_server, environ, landing=place, orders=orders)
        for name, value in environ.items():
            given.setenv(name, value)
        one, other = (world.machine(folder / name, played.clock) for name in ("one", "other"))
        file = side(folder / "file", played, Warehouse())
        file = Side(replace(file.runtime, key=one.runtime.key))
        for number, day in enumerate((14, 29, 29.1)):
            played.cycle(day, is_full=True)
            file.read(played.paths.data_dir)
            file.settle()
            _land_anew(played, (one, other)[number % 2])
            (other, one)[number % 2].settle()
        yield Shared(file, one, other, world)
    given.undo()


landed: set[str] = set()


def _land_anew(played: Play, machine: Side) -> None:
    """Land what a play has landed since, on one machine of those that share."""
    source, target = played.runtime.landing, machine.runtime.landing
    for file in source.files():
        size = (source.root / file).stat().st_size
        lines = source.read(Tail(file.partition("/")[0], file, 0, size)).splitlines()
        new = [(line.split(b'"')[3].decode(), line) for line in lines if (line.split(b'"')[3].decode()) not in landed]
        target.store.append(file, [(name, target._written(line, file)) for name, line in new])
        landed.update(name for name, _ in new)


# Where lines and order files lie each side tells of itself; encrypted lines have no body to show.
APART = {"staging.landed_file", "staging.order_look", "raw.response"}


def test_machines_that_share_a_world_hold_what_one_machine_holds_row_for_row(shared: Shared) -> None:
    file, one = shared.file.everything(), shared.one.everything()
    assert sum(map(len, one.values())) > 1_000
    assert differing(file, one).keys() <= APART
    assert shared.one.shown() == shared.other.shown()
    assert differing(shared.file.shown(), shared.other.shown()) == {}


def test_who_is_erased_on_one_machine_is_erased_on_all_with_what_they_made_of_the_snapshot(
    shared: Shared, postgres_server: Server
) -> None:
    file, one, other = shared.file, shared.one, shared.other
    with one.opened() as connection:
        (check,) = connection.execute(
            "select vendor, account, subject, check_id from staging.response where check_id is not null limit 1"
        ).fetchall()
    one.runtime.state.queue.replace(check[0], check[1], [(1, *check, 0.0, "worst case", 0)])
    postgres_server.say("analyze", database=os.environ[STATE].rsplit("/", 1)[1])  # as the server does by itself
    assert postgres_server.holding(os.environ[STATE], check[3].encode())
    report = one.runtime.settings.paths.report
    report.write_text(f"a page that names {check[3]}")
    for side_ in (file, other):
        assert erase_check(side_.runtime, check[0], check[3], check[1])
    assert differing(file.everything(), other.everything()).keys() <= APART | OF_AN_ERASURE
    assert report.exists()
    one.settle()
    assert not report.exists(), "made before, of a snapshot that still had them"
    landing, gone = one.runtime.landing, check[3].encode()
    assert gone not in b"".join(landing.contents())
    assert list(landing.damages()) == []
    for name in (STATE, LIVE, SHOWN):
        assert postgres_server.holding(os.environ[name], gone) == [], name


OF_AN_ERASURE = {"ops.erasure", "staging.setting"}
"""Where numbers and instants of erasures stand: each side has its own."""


# ── processes of the command line ──────────────────────────────────────────────────────────────────

# What vendors say of a check, and what it means; instants and numbers are those of whoever asked.
TOLD = (
    "select vendor, account, subject, check_id, vendor_status, vendor_result, vendor_adjudication, lifecycle, result, "
    "adjudication, dispute, next_actor, is_terminal, package, country, ordered_at::varchar from star.fact_check"
)
ASKED = "select vendor, response_id from star.fact_pull"


@dataclass
class House:
    """Machines at one sandbox, whose clock stands, and what they share."""

    folder: Path
    machines: Mapping[str, Machine]
    alone: Machine
    sandbox: Sandbox
    server: Server
    state: str

    def rows(self, machine: Machine, query: str) -> list[tuple[Any, ...]]:
        """What a machine reads of what is published."""
        done = subprocess.run(
            [sys.executable, "-c", PUBLISHED, query],
            cwd=machine.folder,
            env=machine.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return sorted(tuple(row) for row in json.loads(done.stdout))

    def count(self, table: str) -> int:
        """How many rows a table of what is landed has."""
        database = self.state.rpartition("/")[2]
        if self.server.say(f"select to_regclass('screening_landing.{table}')", database) == [(None,)]:
            return 0
        return int(str(self.server.say(f"select count(*) from screening_landing.{table}", database)[0][0]))


PUBLISHED = """
import json, os, sys
from pathlib import Path
from screening_pipeline.settings import load
from screening_pipeline.warehouse.engines import published_engine
with published_engine(load.load(os.environ, Path.cwd())).reader() as connection:
    print(json.dumps(connection.execute(sys.argv[1]).fetchall()))
"""


@pytest.fixture
def house(tmp_path: Path, postgres_server: Server) -> Iterator[House]:
    orders, now = tmp_path / "orders", VIRTUAL_EPOCH + timedelta(days=20)
    orders.mkdir()
    with (
        object_store() as store,
        running_sandbox(seed=7, checks=60, epoch=VIRTUAL_EPOCH, days=30, virtual=True, limit_factor=None) as sandbox,
    ):
        sandbox.set_clock(now)
        lines = "".join(json.dumps(row) + "\n" for row in sandbox.orders(until=now))
        (orders / "orders.ndjson").write_text(lines)
        environ = dict(store.environ)
        place = store.new_bucket(f"house-{uuid4().hex}") + "landing"
        found = machines_at(tmp_path, sandbox.url, postgres_server, environ, place, f"file://{orders}")
        yield House(tmp_path, found, _alone(tmp_path, sandbox.url, orders), sandbox, postgres_server, environ[STATE])


def _alone(folder: Path, url: str, orders: Path) -> Machine:
    """A machine that shares nothing, with the same accounts, orders and keys."""
    home = folder / "alone"
    home.mkdir()
    _, environ = configure(home, home / "data", url)
    with (home / "screening.toml").open("a") as file:
        file.write('\n[analytics]\nenvironments = ["sandbox", "production"]\n')
    shutil.copytree(orders, home / "data" / "orders", dirs_exist_ok=True)
    return Machine(home, {**environ, "SCREENING_PSEUDONYM_KEY": KEYS["PSEUDONYM"]})


def ended(process: subprocess.Popen[bytes], machine: Machine, within: float = 240) -> int:
    """The exit code; what it said is shown where it took too long."""
    try:
        return process.wait(within)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail((machine.folder / "log").read_text()[-3000:])


def synced(machine: Machine, times: int) -> None:
    """Sync so many times: what an invitation led to is asked for by the next one."""
    for _ in range(times):
        assert ended(machine.start("screening_pipeline", "sync"), machine) in (0, 1), said(machine)[-3000:]


def said(machine: Machine) -> str:
    return (machine.folder / "log").read_text()


def test_two_machines_with_wrong_clocks_sync_one_world_and_show_what_one_machine_shows(house: House) -> None:
    one, three = house.machines["one"], house.machines["three"]
    running = [(machine.start("screening_pipeline", "sync"), machine) for machine in (one, three)]
    codes = [ended(process, machine) for process, machine in running]
    assert min(codes) < 2, said(one)[-2000:] + said(three)[-2000:]
    for code, machine in zip(codes, (one, three), strict=True):  # on a busy computer one may merge for over a minute
        assert code < 2 or "the lock 'warehouse' is held by process" in said(machine), said(machine)[-2000:]
    requests = house.sandbox.stats()["requests"]
    synced(one, 1)
    synced(house.alone, 2)
    told = house.rows(house.alone, TOLD)
    assert len(told) > 20
    assert house.rows(three, TOLD) == house.rows(one, TOLD) == told
    asked = house.rows(one, ASKED)
    assert len({response_id for _, response_id in asked}) == len(asked), "nothing is counted twice"
    assert len(asked) >= sum(requests.values()) - _token_calls(house), "and nothing of what was answered is lost"
    assert house.count("inbox") == 0
    for command in ("doctor", "status"):
        assert ended(one.start("screening_pipeline", command), one) in (0, 1), said(one)[-3000:]
    assert "mistake of this program" not in said(one)
    assert not (one.folder / "data" / "state.sqlite").exists()


def _token_calls(house: House) -> int:
    return sum(house.sandbox.stats().get("tokens", {}).values())


def test_a_machine_that_is_killed_loses_nothing_and_its_accounts_are_asked_again_by_another(house: House) -> None:
    one, three = house.machines["one"], house.machines["three"]
    doomed = one.start("screening_pipeline", "sync")
    until = time.monotonic() + 120
    while house.count("inbox") < 3:
        assert time.monotonic() < until, said(one)[-3000:]
        assert doomed.poll() is None, said(one)[-3000:]
        time.sleep(0.05)
    doomed.kill()
    doomed.wait()
    killed_at = time.monotonic()
    landed = house.count("inbox")
    follower = three.start("screening_pipeline", "sync")
    while house.count("inbox") + house.count("piece") <= landed and follower.poll() is None:
        time.sleep(0.05)
    waited = time.monotonic() - killed_at
    assert ended(follower, three) in (0, 1)
    assert waited <= 90, "the account is asked again"
    synced(three, 1)
    synced(house.alone, 2)
    assert house.rows(three, TOLD) == house.rows(house.alone, TOLD)
    asked = house.rows(three, ASKED)
    assert len({response_id for _, response_id in asked}) == len(asked) >= landed


def test_kills_of_pullers_sealers_mergers_and_a_receiver_lose_nothing_and_count_nothing_twice(
    tmp_path: Path, postgres_server: Server
) -> None:
    with object_store() as store:
        environ = dict(store.environ)
        (tmp_path / "orders").mkdir()
        place, orders = store.new_bucket(f"kills-{uuid4().hex}") + "landing", f"file://{tmp_path}/orders"
        machines = machines_at(tmp_path, "http://127.0.0.1:9", postgres_server, environ, place, orders)
        found = play(machines, postgres_server, kills=10, crashes=1, enough=lambda count: count > 100)
    assert (found.kills, found.crashes) == (10, 1)
    assert (found.lost, found.twice) == (set(), 0)
    assert len(found.acknowledged) > 100
    assert found.pushed > 0


def test_runs_that_ask_some_accounts_each_leave_the_star_to_one_that_merges(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = house.machines["one"]
    with (one.folder / "screening.toml").open("a") as file:
        file.write("\n[run]\nshard_accounts = 2\n")
    monkeypatch.chdir(one.folder)
    for name, value in one.environ.items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.local_temp() as instance:
        run(instance, *requested(instance, "order_manifest"))
        shards = requested(instance, "recheck")
        assert {request.job_name for request in shards} == {"recheck_shard"}
        assert [request.tags["screening/shard"] for request in shards] == sorted({*map(str, range(len(shards)))})
        asked = [request.run_config["ops"]["pull"]["config"]["accounts"] for request in shards]
        assert max(map(len, asked)) == 2
        before = live(ASKED)
        run(instance, *shards)
        assert house.count("inbox") > 0
        assert live(ASKED) == before, "they leave the star alone"
        merges = requested(instance, "landed_messages")
        assert [request.tags["screening/merge"] for request in merges] == ["one"]
        cursor = answered(instance, "landed_messages").cursor
        assert isinstance(answered(instance, "landed_messages", cursor), dg.SkipReason), "once a minute"
        run(instance, *merges)
    assert house.count("inbox") == 0
    told = live("select call_count from ops.run where trigger = 'recheck'")
    assert len(told) == len(shards)
    assert 0 < sum(count for (count,) in told) <= len(live(ASKED)) - len(before), "reports count no calls of lists"


def live(query: str) -> list[tuple[Any, ...]]:
    """What the live warehouse of this process's configuration says; nothing is merged for it."""
    with open_runtime(os.environ, Path.cwd()) as runtime, open_warehouse(runtime) as connection:
        return connection.execute(query).fetchall()


def answered(instance: dg.DagsterInstance, sensor: str, cursor: str | None = None) -> Any:
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    return definitions().resolve_sensor_def(sensor)(context)


def requested(instance: dg.DagsterInstance, sensor: str) -> list[dg.RunRequest]:
    found = answered(instance, sensor)
    assert isinstance(found, dg.SensorResult), found
    return list(found.run_requests or [])


def run(instance: dg.DagsterInstance, *requests: dg.RunRequest) -> None:
    """Carry out what a sensor asked for, one after the other."""
    jobs = {"orders": "read_orders", "landed": "publish"}
    for request in requests:
        name = request.job_name or jobs[request.tags["screening/trigger"]]
        job = definitions().resolve_job_def(name)
        assert job.execute_in_process(instance=instance, run_config=request.run_config, tags=request.tags).success
