"""A world is moved to what several machines share, and back: every row, as often as it is cut off."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from screening_pipeline.base.errors import ConfigurationError, UsageError
from screening_pipeline.cycle.move import MOVED, move
from screening_pipeline.runtime import opening
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.settings import moved
from screening_pipeline.settings.paths import Paths
from screening_pipeline.settings.settings import Warehouse
from screening_pipeline_tests.support.commands import Commands
from screening_pipeline_tests.support.end_to_end_world import dagster_words, playing
from screening_pipeline_tests.support.machines import shared_world
from screening_pipeline_tests.support.object_store import object_store
from screening_pipeline_tests.support.postgres import Server
from screening_pipeline_tests.support.two_engines import Side, differing, side

ZINC = '[[accounts]]\nvendor = "zinc"\nname = "main"\nbase_url = "https://zinc.example"\napi_key_env = "ZINC_KEY"\n'
OF_A_PLACE = {"staging.setting", "staging.landed_file", "staging.order_look", "raw.response"}
"""What tells of files and notes of one place; bodies lie encrypted where machines share them."""
OF_A_PLAN = {"star.fact_check", "ops.pull_plan", "ops.pull_budget", "ops.account_state", "analytics.open_check_ageing"}
OF_A_FORECAST = {"ops.check_eta", "ops.check_eta_history", "ops.vendor_pace"}


def test_a_folder_that_was_moved_away_says_where_to_and_the_new_one_goes_on(commands: Commands, tmp_path: Path) -> None:
    (tmp_path / "screening.toml").write_text(ZINC)
    environ = {"ZINC_KEY": "of a test"}
    (tmp_path / "data" / "orders").mkdir(parents=True)
    (tmp_path / "data" / "orders" / "one.csv").write_text("vendor,check_id\nzinc,one\nzinc,two\n")
    there = tmp_path / "there"
    words = ("move", "--to", "screening.toml", "--data-dir", str(there))
    done = commands.run(*words, folder=tmp_path, environ=environ)
    assert done.returncode == 2
    assert "SCREENING_PSEUDONYM_KEY: is not the key" in done.stderr
    environ["SCREENING_PSEUDONYM_KEY"] = (tmp_path / "data" / "pseudonym.key").read_text().strip()
    done = commands.run(*words, folder=tmp_path, environ=environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert "moved 1 order files and 0 landed lines\n2 checks; " in done.stdout
    for command in ("status", "sync", "rebuild", "doctor"):
        refused = commands.run(command, folder=tmp_path, environ=environ)
        assert refused.returncode == 2, command
        assert f"was moved to screening.toml, {there}" in refused.stderr
    told = commands.run("status", "--json", folder=tmp_path, environ={**environ, "SCREENING_DATA_DIR": str(there)})
    assert '"open": 2' in told.stdout


class Worlds(NamedTuple):
    """A world in a data folder, and the machine of a shared one to which it is to go."""

    here: Side
    there: Side


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory, postgres_server: Server) -> Iterator[Worlds]:
    folder, given = tmp_path_factory.mktemp("moving"), pytest.MonkeyPatch()
    environ: dict[str, str] = {}
    with object_store() as store, playing(folder / "played", checks=60) as played:
        environ |= store.environ
        bucket = store.new_bucket("moved")
        world = shared_world(
            played.runtime.settings,
            folder,
            postgres_server,
            environ,
            landing=f"{bucket}landing",
            orders=f"{bucket}orders",
        )
        for name, value in environ.items():
            given.setenv(name, value)
        here = side(folder / "here", played, Warehouse())
        for day in (10, 20):
            played.cycle(day, is_full=True)
            here.read(played.paths.data_dir)
            here.settle()
        there = world.machine(folder / "there", played.clock)
        yield Worlds(here, there)
    given.undo()


KILLED = """
import os, pickle, signal, sys
from screening_pipeline.base.clock import ManualClock
from screening_pipeline.cycle.move import move
from screening_pipeline.runtime import opening
*both, now, step = pickle.load(sys.stdin.buffer)
def tell(what, done, of):
    if what == step and (done or "copying" not in step):
        os.kill(os.getpid(), signal.SIGKILL)
move(*(opening.build_runtime(one, os.environ, ManualClock(now), tell) for one in both), to="there")
"""
STEPS = ("copying what was landed", "reading what was landed", "recomputing checks", "judging calls")
"""Of a move: where it is killed, in this order."""


@pytest.mark.cluster
@pytest.mark.slow
@dagster_words
@pytest.mark.timeout(1200)
def test_what_is_moved_there_and_back_is_the_same_row_for_row(worlds: Worlds, tmp_path: Path) -> None:
    here, there = worlds
    before = here.everything()
    for step in STEPS:
        given = pickle.dumps((here.runtime.settings, there.runtime.settings, here.runtime.clock.now(), step))
        done = subprocess.run([sys.executable, "-c", KILLED], input=given, capture_output=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    assert not here.runtime.settings.paths.moved.exists()
    found = move(here.runtime, there.runtime, to="there")
    assert found.lines == sum(content.count(b"\n") for content in here.runtime.landing.contents())
    assert found.checks == len(before["star.fact_check"])
    after = there.everything()
    assert differing(before, after).keys() <= OF_A_PLACE | OF_A_PLAN | OF_A_FORECAST
    assert len(before["star.fact_check_event"]) > 60
    with pytest.raises(UsageError, match="moved to there at 2026"):
        moved.require_here(here.runtime.settings.paths)

    home = Side(_at(here, tmp_path / "home"))
    back = move(there.runtime, home.runtime, to="home")
    assert (back.lines, back.checks, back.orders) == (found.lines, found.checks, found.orders)
    again = home.everything()
    assert differing(before, again).keys() <= (OF_A_PLACE - {"raw.response"}) | OF_A_PLAN | OF_A_FORECAST
    assert there.runtime.pull_queue.note(MOVED) == "home"
    with pytest.raises(UsageError, match="what the machines share was moved to home"):
        opening.build_runtime(there.runtime.settings, os.environ, there.runtime.clock)
    with pytest.raises(UsageError, match="the other place is in use"):
        move(here.runtime, home.runtime, to="home")
    other = replace(home.runtime, key=b"another key of a test")
    with pytest.raises(ConfigurationError, match="SCREENING_PSEUDONYM_KEY"):
        move(here.runtime, other, to="other")


def _at(one: Side, folder: Path) -> Runtime:
    """The settings of a side, with nothing in its folder yet."""
    settings = replace(one.runtime.settings, paths=Paths.under(folder, {}))
    settings.paths.create()
    return opening.build_runtime(settings, os.environ, one.runtime.clock)
