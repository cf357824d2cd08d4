"""Recheck sensors under load and trouble: many open checks, a tick cut off, a state that was lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from screening_pipeline.settings.paths import Paths
from screening_pipeline.state.pull_queue import PullQueue, QueuedPull
from screening_pipeline.state.store import State
from screening_pipeline_tests.support.end_to_end_world import dagster_words
from screening_pipeline_tests.test_automation import CONFIGURATION, NOW, Desk, asked, run_of

pytestmark = dagster_words

OPEN = 50_000
KEYS_APART = 20  # one check of a million in twenty is open


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    (tmp_path / "screening.toml").write_text(CONFIGURATION)
    monkeypatch.chdir(tmp_path)
    for name in ("EAST_KEY", "WEST_KEY", "ZINC_KEY"):
        monkeypatch.setenv(name, "secret-key")
    monkeypatch.setenv("SCREENING_NOW", NOW.isoformat())
    paths = Paths.under(tmp_path / "data", {})
    paths.create()
    with dg.DagsterInstance.local_temp(str(paths.dagster)) as instance:
        yield Desk(paths, instance)


def open_check(number: int, due_in: float) -> QueuedPull:
    due_at = NOW + timedelta(seconds=due_in)
    key, reason = number * KEYS_APART, "31 % chance that it has changed by then"
    return QueuedPull(key, "goodhire", "east", "report", f"id-{number}", due_at, reason)


@pytest.mark.parametrize("first_due_in", [60.0, -3_600.0], ids=["nothing due", "many due"])
def test_a_tick_over_fifty_thousand_open_checks_takes_under_a_second(desk: Desk, first_due_in: float) -> None:
    items = [open_check(number, first_due_in + number / 10) for number in range(OPEN)]
    PullQueue(State(desk.paths.state)).replace("goodhire", "east", items)
    desk.evaluate("order_manifest")  # what is imported once is not what a tick costs
    started = time.process_time()
    answer = desk.evaluate("recheck")
    spent = time.process_time() - started
    assert spent < 1.0
    if isinstance(answer, dg.SkipReason):
        assert f"{OPEN} open, 0 due" in str(answer.skip_message)
    else:
        assert isinstance(answer, dg.RunRequest)
        assert asked(answer) == ["goodhire/east", "goodhire/west"]


def test_a_tick_costs_as_much_however_many_runs_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.plan("east", -5)
    for _ in range(50):
        desk.instance.add_run(run_of("goodhire/west", status=dg.DagsterRunStatus.NOT_STARTED))
    asked_for: list[object] = []
    get_runs = desk.instance.get_runs

    def counted(*given: object, **named: object) -> object:
        asked_for.append(given)
        return get_runs(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(desk.instance, "get_runs", counted)
    (request,) = desk.requests()
    assert asked(request) == ["goodhire/east"]
    assert len(asked_for) == 1, "the runs are read once for all accounts"


def test_a_recheck_started_by_hand_for_no_account_in_particular_holds_up_all_of_them(desk: Desk) -> None:
    desk.plan("east", -5)
    desk.plan("west", -5, first_key=11)
    desk.instance.add_run(dg.DagsterRun(job_name="goodhire_recheck_job", status=dg.DagsterRunStatus.STARTED))
    assert desk.skipped().count("a run that asks it is queued or running") == 2


def test_a_recheck_sensor_keeps_no_cursor_that_could_be_lost(desk: Desk) -> None:
    desk.plan("east", -5)
    for cursor in (None, "", "a cursor of another version"):
        answer = desk.evaluate("recheck", cursor)
        assert isinstance(answer, dg.RunRequest)
        assert asked(answer) == ["goodhire/east", "goodhire/west"]


def test_a_lost_state_means_that_nothing_is_planned_and_breaks_no_tick(desk: Desk) -> None:
    desk.plan("east", -5)
    for file in desk.paths.state.parent.glob(f"{desk.paths.state.name}*"):
        file.unlink()
    assert "goodhire/east: nothing is open" in desk.skipped()
