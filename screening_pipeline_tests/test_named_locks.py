"""What all locks by name promise, of files and of a database; and what only those of a database must."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from screening_pipeline.base import postgres
from screening_pipeline.base.errors import LockHeld, LockLost
from screening_pipeline.base.named_locks import FileLocks, Locks
from screening_pipeline.orchestration import liveness
from screening_pipeline.orchestration.instance import instance
from screening_pipeline.settings.paths import Paths
from screening_pipeline.state import postgres_locks
from screening_pipeline.state.postgres_locks import PostgresLocks
from screening_pipeline_tests.support.end_to_end_world import dagster_words
from screening_pipeline_tests.support.postgres import Server
from screening_pipeline_tests.support.stalling import stalling_proxy
from screening_pipeline_tests.test_cluster_storage import documented, url_for_dagster
from screening_pipeline_tests.test_liveness import AT_ONCE, cycling, statuses

KEY = "SCREENING_STATE_URL"
HOLDER = """
import sys
from pathlib import Path
from screening_pipeline.base.named_locks import FileLocks
kind, where, name, is_shared = sys.argv[1:]
if kind == "files":
    locks = FileLocks(Path(where))
else:
    from screening_pipeline.state.postgres_locks import PostgresLocks
    locks = PostgresLocks(where, "SCREENING_STATE_URL")
with locks.hold(name, is_shared=bool(int(is_shared))):
    print("held", flush=True)
    sys.stdin.read()
"""
Where = tuple[str, str]


@pytest.fixture(params=["files", pytest.param("postgres", marks=pytest.mark.cluster)])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Where:
    if request.param == "files":
        return "files", str(tmp_path)
    return "postgres", request.getfixturevalue("postgres_server").new_database()


def made(where: Where) -> Locks:
    kind, address = where
    return FileLocks(Path(address)) if kind == "files" else PostgresLocks(address, KEY)


@contextmanager
def holding(where: Where, name: str, *, is_shared: bool = False) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a lock."""
    command = [sys.executable, "-c", HOLDER, *where, name, str(int(is_shared))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def within(seconds: float, is_so: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not (found := is_so()) and time.monotonic() < until:
        time.sleep(0.02)
    return found


def test_one_process_holds_a_lock_others_are_told_who_and_it_is_free_when_that_is_killed(where: Where) -> None:
    locks = made(where)
    with holding(where, "pull.zinc.uk") as process:
        assert locks.is_held("pull.zinc.uk")
        assert not locks.is_held("pull.zinc.us")
        with pytest.raises(LockHeld, match=f"'pull.zinc.uk(.lock)?' is held by process {process.pid}"):
            locks.hold("pull.zinc.uk").__enter__()
        with locks.hold("pull.zinc.us"):
            assert locks.is_held("pull.zinc.us")
        process.kill()
        process.wait()
        with locks.hold("pull.zinc.uk", wait_seconds=5):
            assert locks.is_held("pull.zinc.uk")
    assert not locks.is_held("pull.zinc.uk")


def test_a_shared_lock_is_held_by_many_and_by_nobody_alone(where: Where) -> None:
    locks = made(where)
    with holding(where, "runs/one", is_shared=True), locks.hold("runs/one", is_shared=True):
        with locks.hold("runs/one", is_shared=True):
            assert locks.is_held("runs/one")
        with pytest.raises(LockHeld):
            made(where).hold("runs/one").__enter__()
    assert within(5, lambda: not locks.is_held("runs/one"))
    locks.forget("runs/one")
    if where[0] == "files":
        assert list((Path(where[1]) / "runs").iterdir()) == []


def test_a_process_does_not_take_a_lock_twice_and_lets_go_of_what_it_no_longer_needs(where: Where) -> None:
    locks = made(where)
    with locks.hold("erasure"), locks.hold("pull.zinc.uk"):
        with pytest.raises(LockHeld):
            locks.hold("erasure").__enter__()
        with pytest.raises(LockHeld):
            made(where).hold("erasure").__enter__()
    for name in ("erasure", "pull.zinc.uk"):
        assert not locks.is_held(name)
        with locks.hold(name):
            pass


@pytest.mark.cluster
def test_who_loses_the_session_is_told_and_ended_and_others_get_the_lock(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_locks, "ASK_EVERY_SECONDS", 0.1)
    url, told = postgres_server.new_database(), threading.Event()
    locks = PostgresLocks(url, KEY, on_lost=told.set)
    with pytest.raises(LockLost, match="'warehouse' was lost"), locks.hold("warehouse"):  # noqa: PT012 - on leaving
        ended = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s"
        postgres_server.say(ended.replace("%s", f"'{postgres.our_name()}'"))
        assert told.wait(5)
        with PostgresLocks(url, KEY).hold("warehouse", wait_seconds=5):
            pass
    assert isinstance(locks.lost, LockLost)
    with locks.hold("warehouse"):
        assert locks.lost is None, "a new session is a new beginning"


@pytest.mark.cluster
def test_who_is_cut_off_is_interrupted_before_the_server_gives_the_lock_away(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_locks, "ASK_EVERY_SECONDS", 0.1)
    monkeypatch.setattr(postgres_locks, "ANSWER_SECONDS", 0.3)
    url = postgres_server.new_database()
    with stalling_proxy(postgres_server.port) as proxy:
        through = url.replace(f":{postgres_server.port}/", f":{proxy.port}/")
        locks = PostgresLocks(through, KEY)
        with pytest.raises(LockLost, match="did not answer"), locks.hold("warehouse"):  # noqa: PT012 - the same
            proxy.stall()
            time.sleep(10)  # interrupted as by Ctrl-C, long before that
        assert PostgresLocks(url, KEY).is_held("warehouse"), "the server has not noticed yet"


def test_we_give_up_before_the_server_does() -> None:
    ours = postgres_locks.ASK_EVERY_SECONDS + postgres_locks.ANSWER_SECONDS
    idle, interval, count = postgres._KEEPALIVE.values()
    assert ours < idle + interval * count


@pytest.mark.cluster
@pytest.mark.slow
@dagster_words
def test_a_machine_does_not_end_the_live_runs_of_another_and_ends_the_dead_ones(
    tmp_path: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = url_for_dagster(postgres_server.new_database())
    monkeypatch.setenv(KEY, url)
    first, second = (tmp_path / name for name in ("first", "second"))
    for machine in (first, second):
        home = Paths.under(machine / "data", {})
        home.create()
        (home.dagster / "dagster.yaml").write_text(documented())
    here = Paths.under(second / "data", {})
    with (
        cycling(first, is_cluster=True, TMPDIR=str(first), SCREENING_STATE_URL=url) as process,
        instance(here, {}) as recorded,
    ):
        assert statuses(recorded) == [dg.DagsterRunStatus.STARTED]
        process.send_signal(signal.SIGSTOP)
        assert liveness.end_dead(recorded, here, grace=AT_ONCE) == 0, "it is paused, and alive"
        process.send_signal(signal.SIGCONT)
        assert liveness.end_dead(recorded, here, grace=AT_ONCE) == 0
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert within(5, lambda: liveness.end_dead(recorded, here, grace=AT_ONCE) == 1)
        assert statuses(recorded) == [dg.DagsterRunStatus.FAILURE]
