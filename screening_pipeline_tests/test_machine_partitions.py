"""Machines whose connection to the database hangs: nothing passes, and nobody says so."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from screening_pipeline.base import postgres
from screening_pipeline.base.named_locks import pull_lock
from screening_pipeline.state import postgres_locks
from screening_pipeline.state.postgres_locks import PostgresLocks
from screening_pipeline_tests.support.end_to_end_world import dagster_words
from screening_pipeline_tests.support.machines import STATE
from screening_pipeline_tests.support.postgres import Server
from screening_pipeline_tests.support.sharing import Machine, _receiving, _Worker, everything_merged, machines_at
from screening_pipeline_tests.support.stalling import StallingProxy, stalling_proxy
from screening_pipeline_tests.test_machines import House, ended, house, said, synced

__all__ = ("house",)  # the fixture
pytestmark = [pytest.mark.cluster, pytest.mark.slow, dagster_words, pytest.mark.timeout(1800)]

# An answer that does not come, a new connection, and what a busy computer takes.
GOES_ON_WITHIN = postgres.ANSWER_SECONDS + 30
ENDS_WITHIN = postgres_locks.ASK_EVERY_SECONDS + postgres_locks.ANSWER_SECONDS + postgres_locks._LAST_SECONDS + 30


@pytest.fixture
def proxy(postgres_server: Server) -> Iterator[StallingProxy]:
    with stalling_proxy(postgres_server.port) as found:
        yield found


def through(machine: Machine, proxy: StallingProxy, server: Server) -> Machine:
    """The machine where the way to the shared state leads through the proxy."""
    url = machine.environ[STATE].replace(f":{server.port}/", f":{proxy.port}/")
    return replace(machine, environ={**machine.environ, STATE: url})


def test_a_puller_and_a_receiver_whose_connections_hang_go_on_and_lose_and_repeat_nothing(
    tmp_path: Path, postgres_server: Server, proxy: StallingProxy
) -> None:
    (tmp_path / "orders").mkdir()
    places = (f"file://{tmp_path}/pieces", f"file://{tmp_path}/orders")
    machines = machines_at(tmp_path, "http://127.0.0.1:9", postgres_server, {}, *places)
    noted = {name: tmp_path / f"noted by {name}" for name in ("one", "three")}
    one, three = (through(machines[name], proxy, postgres_server) for name in noted)
    puller = _Worker(one, "pull", noted["one"])
    with closing_worker(puller), _receiving(three, noted["three"]):
        _await(lambda: all(_count(file) > 20 for file in noted.values()), 120, one)
        proxy.strand()
        hung = time.monotonic()
        time.sleep(1)
        before = {name: _count(file) for name, file in noted.items()}
        _await(lambda: all(_count(file) > before[name] + 20 for name, file in noted.items()), GOES_ON_WITHIN, one)
        assert time.monotonic() - hung > postgres.ANSWER_SECONDS - 10, "they hung"
    acknowledged = {name for file in noted.values() for name in file.read_text().split()}
    stored = [name for name, _ in everything_merged(machines["two"])]
    assert acknowledged - set(stored) == set()
    assert len(stored) == len(set(stored))


def test_a_machine_that_is_cut_off_while_it_asks_ends_and_another_asks_its_accounts(
    house: House, proxy: StallingProxy
) -> None:
    one, three = through(house.machines["one"], proxy, house.server), house.machines["three"]
    doomed = one.start("screening_pipeline", "sync")
    _await(lambda: house.count("inbox") >= 3, 120, one)
    proxy.stall()
    hung = time.monotonic()
    assert ended(doomed, one, ENDS_WITHIN) == 3, said(one)[-3000:]
    took = time.monotonic() - hung
    assert took <= ENDS_WITHIN
    assert "the lock 'pull." in said(one), said(one)[-3000:]
    assert "was lost" in said(one)
    proxy.close()  # as the server finds within 20 seconds that nobody is there
    landed = house.count("inbox")
    locks = PostgresLocks(house.server.url(house.state.rpartition("/")[2]), STATE)
    _await(lambda: not locks.is_held(pull_lock("zinc", "sandbox")), 20, one)
    synced(three, 1)
    asked = house.rows(three, "select response_id from star.fact_pull")
    assert len(set(asked)) == len(asked) >= landed


@contextmanager
def closing_worker(worker: _Worker) -> Iterator[None]:
    try:
        yield
    finally:
        worker.end()


def _count(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


def _await(is_so: Callable[[], bool], within: float, machine: Machine) -> None:
    until = time.monotonic() + within
    while not is_so():
        assert time.monotonic() < until, said(machine)[-3000:]
        time.sleep(0.1)
