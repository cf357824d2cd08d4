"""The demo's plan, and that it touches nobody's data; what it plays is the end-to-end test's matter."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from screening_pipeline.base.clock import StandingClock
from screening_pipeline.base.errors import UsageError
from screening_pipeline.orchestration import demo
from screening_pipeline.orchestration.demo import VirtualClock
from screening_pipeline.runtime import bundled_sandbox
from screening_pipeline.runtime.opening import build_runtime
from screening_pipeline.sandbox.handle import running_sandbox
from screening_pipeline.sandbox.server import VIRTUAL_EPOCH
from screening_pipeline.settings import sandbox_accounts
from screening_pipeline.settings import settings as configuration
from screening_pipeline_tests.support.stage import account

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
WORLD = bundled_sandbox.World(bundled_sandbox.SEED, bundled_sandbox.CHECKS, NOW - timedelta(days=bundled_sandbox.DAYS))


def settings_at(folder: Path) -> configuration.Settings:
    settings = sandbox_accounts.bundled({"SCREENING_DATA_DIR": str(folder)}, folder)
    settings.paths.create()
    return settings


def test_the_demo_plays_thirty_days_of_at_least_three_hundred_checks_forward_in_time() -> None:
    instants = list(demo.moments(WORLD))
    assert bundled_sandbox.CHECKS >= 300
    assert instants == sorted(set(instants))
    assert instants[0] - WORLD.epoch <= timedelta(days=4)
    assert instants[-1] - WORLD.epoch >= timedelta(days=29)
    assert max(later - earlier for earlier, later in pairwise(instants)) <= timedelta(days=4)


def test_the_demo_refuses_a_folder_with_a_warehouse_of_real_accounts(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    settings.paths.warehouse.write_bytes(b"real")
    with pytest.raises(UsageError, match="not the demo's"):
        demo.play({}, settings, now=NOW)
    assert settings.paths.warehouse.read_bytes() == b"real"


def test_the_demo_refuses_a_folder_in_which_configured_accounts_were_at_work_after_it(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    bundled_sandbox.World.kept(tmp_path / "sandbox", now=NOW)
    real = replace(settings, is_embedded_sandbox=False, accounts=(account("zinc"),))
    landed = build_runtime(real, {}, StandingClock(NOW)).landing.root / "zinc" / "sandbox" / "2026-03-02.ndjson"
    landed.parent.mkdir(parents=True)
    landed.write_bytes(b"real")
    with pytest.raises(UsageError, match="not the demo's"):
        demo.play({}, settings, now=NOW)
    assert landed.read_bytes() == b"real"


@pytest.mark.parametrize("is_played", [False, True])
def test_the_demo_refuses_a_folder_with_answers_of_others_also_where_the_warehouse_was_moved_away(
    tmp_path: Path, is_played: bool
) -> None:
    settings = settings_at(tmp_path)
    if is_played:
        bundled_sandbox.World.kept(tmp_path / "sandbox", now=NOW)
    landed = settings.paths.landing / "zinc" / "uk" / "2026-03-02.ndjson"
    landed.parent.mkdir(parents=True)
    landed.write_bytes(b"real")
    with pytest.raises(UsageError, match="not the demo's"):
        demo.play({}, settings, now=NOW)
    assert landed.read_bytes() == b"real"


def test_the_world_of_a_data_folder_stays_the_same(tmp_path: Path) -> None:
    first = bundled_sandbox.World.kept(tmp_path, now=NOW)
    assert first.epoch + timedelta(days=first.days) == NOW.replace(hour=0)
    assert bundled_sandbox.World.kept(tmp_path, now=NOW + timedelta(days=9)) == first


def test_each_order_of_the_sandbox_is_announced_once(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    (tmp_path / "sandbox").mkdir()
    with running_sandbox(seed=7, checks=20, epoch=VIRTUAL_EPOCH, days=4, virtual=True) as sandbox:
        for day in (2, 2, 9):
            bundled_sandbox.announce(settings, sandbox, until=VIRTUAL_EPOCH + timedelta(days=day))
        expected = sorted(row["check_id"] for row in sandbox.orders())
    files = sorted(settings.paths.orders.glob("*.csv"))
    announced = [line.split(",")[1] for file in files for line in file.read_text().splitlines()[1:]]
    assert len(files) == 2
    assert sorted(announced) == expected


def test_a_virtual_clock_stands_until_it_is_moved() -> None:
    clock = VirtualClock(NOW)
    assert clock.now() == clock.now() == NOW
    clock.move_to(NOW + timedelta(days=1))
    assert clock.now() == NOW + timedelta(days=1)
    assert clock.monotonic() <= clock.monotonic()
