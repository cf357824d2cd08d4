"""Who was erased on one machine is kept out by all that share its world, also where the lake is lost."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.cycle.erase import erase_candidate
from screening_pipeline.landing.shared_store import SharedStore
from screening_pipeline.settings.sandbox_accounts import bundled
from screening_pipeline.settings.settings import Warehouse
from screening_pipeline.state.landing_schema import VERSION
from screening_pipeline_tests.support.machines import STATE, World, shared_world
from screening_pipeline_tests.support.postgres import Server
from screening_pipeline_tests.support.two_engines import Side

pytestmark = [pytest.mark.cluster]

PERSON = "candidate-of-a-test"
CLOCK = SystemClock()


@dataclass
class House:
    """A world of machines; each has a warehouse in a file of its own, as a lake that is made anew after it was lost."""

    folder: Path
    world: World
    server: Server

    def machine(self, name: str) -> Side:
        return self.world.machine(self.folder / name, CLOCK)

    def order(self, check_id: str) -> None:
        row = {"vendor": "zinc", "check_id": check_id, "candidate_ref": PERSON}
        (self.folder / "orders" / f"{check_id}.ndjson").write_text(json.dumps(row) + "\n")

    def say(self, statement: str) -> list[tuple[object, ...]]:
        return self.server.say(statement, os.environ[STATE].rpartition("/")[2])


@pytest.fixture
def house(tmp_path: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch) -> House:
    environ: dict[str, str] = {}
    (tmp_path / "orders").mkdir()
    settings = bundled({"SCREENING_DATA_DIR": str(tmp_path / "none")}, tmp_path)
    places = {"landing": f"file://{tmp_path}/pieces", "orders": f"file://{tmp_path}/orders"}
    world = shared_world(settings, tmp_path, postgres_server, environ, **places)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return House(tmp_path, replace(world, settings=replace(world.settings, warehouse=Warehouse())), postgres_server)


def ordered(side: Side) -> list[str]:
    side.settle()
    with side.opened() as connection:
        return [name for (name,) in connection.execute("select check_id from raw.order").fetchall()]


def register(side: Side) -> set[bytes]:
    return set(side.runtime.settings.paths.erasure_register.read_bytes().splitlines())


def test_who_is_erased_on_one_machine_is_kept_out_of_a_warehouse_that_another_makes_anew(house: House) -> None:
    house.order("first")
    one = house.machine("one")
    assert ordered(one) == ["first"]
    assert erase_candidate(one.runtime, PERSON) is not None
    house.order("second")
    other = house.machine("other")
    assert ordered(other) == []
    assert len(register(one)) == 2, "begun, and done"
    assert register(other) > register(one), "who is left knows it, should the database be lost"
    with other.opened() as connection:
        assert connection.execute("select check_count from ops.erasure").fetchall() == [(1,)]
    _become_of_an_earlier_version(house, one)
    assert ordered(one) == []
    assert ordered(house.machine("third")) == [], "the register of one machine has become that of all"
    other.runtime.settings.paths.erasure_register.write_text('{"key": 1}\n')
    with pytest.raises(EnvironmentFailed, match=r"erasures\.ndjson, line 1, is damaged"):
        ordered(other)


def _become_of_an_earlier_version(house: House, side: Side) -> None:
    """One whose machines had a register each."""
    house.say("drop table screening_landing.erased")
    house.say("update screening_landing.version set version = 1")
    store = side.runtime.landing.store
    assert isinstance(store, SharedStore)
    store._rows.close()  # type: ignore[attr-defined]
    assert store.erasures.lines() == []
    assert house.say("select version from screening_landing.version") == [(VERSION,)]
