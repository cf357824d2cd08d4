"""What the steps of a run hand on: through the shared state, so that each may run in a process of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from screening_pipeline.http.feed_record import Gap
from screening_pipeline.orders.intake import IntakeCounts
from screening_pipeline.runtime.results import (
    AccountReport,
    BatchCounts,
    StepResult,
    note_step,
    steps_before,
    whole_run,
)
from screening_pipeline.state.run_ledger import KEPT, KEPT_AFTER_THE_LAST_STEP, LAST_STEP, RunLedger
from screening_pipeline.state.store import State

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
GAP = Gap(id="g1", vendor="hireright", account="us", requested_at=NOW, reason="cut", salvaged=2)
REPORT = AccountReport(vendor="hireright", account="us", accepted=3, left=1, code="deadline", gaps=(GAP,), message="m")
ORDERS = StepResult(
    begun_at=NOW, intake=IntakeCounts(1, 2, 3), settled=BatchCounts(responses=4, written=frozenset({"raw.order"}))
)
PULLED = StepResult(begun_at=NOW + timedelta(minutes=1), reports=(REPORT,))


@pytest.fixture
def ledger(tmp_path: Path) -> RunLedger:
    return RunLedger(State(tmp_path / "state.sqlite"))


def another_process(ledger: RunLedger) -> RunLedger:
    """The ledger as another process opens it."""
    assert isinstance(ledger._state, State)
    return RunLedger(State(ledger._state.path))


def test_a_step_in_another_process_finds_what_the_steps_before_it_have_done(ledger: RunLedger) -> None:
    note_step(ledger, "run", "raw__order", ORDERS, now=NOW)
    note_step(another_process(ledger), "run", "hireright_pull", PULLED, now=NOW)
    note_step(ledger, "another run", "zinc_pull", PULLED, now=NOW)
    found = steps_before(another_process(ledger), "run", LAST_STEP, begun_at=NOW + timedelta(hours=1))
    assert found == ORDERS + PULLED
    assert found.begun_at == NOW


def test_a_step_that_is_tried_again_counts_once(ledger: RunLedger) -> None:
    for _ in range(2):
        note_step(ledger, "run", "hireright_pull", PULLED, now=NOW)
        note_step(ledger, "run", LAST_STEP, ORDERS, now=NOW)
    assert whole_run(ledger, "run", now=NOW) == ORDERS + PULLED
    assert steps_before(ledger, "run", LAST_STEP, begun_at=PULLED.begun_at) == PULLED


def test_of_a_run_that_nobody_noted_nothing_is_known(ledger: RunLedger) -> None:
    assert whole_run(ledger, "run", now=NOW) == StepResult(begun_at=NOW)


def test_runs_are_forgotten_an_hour_after_their_last_step_and_stopped_ones_after_a_month(ledger: RunLedger) -> None:
    note_step(ledger, "stopped", "hireright_pull", PULLED, now=NOW)
    note_step(ledger, "done", "hireright_pull", PULLED, now=NOW)
    note_step(ledger, "done", LAST_STEP, ORDERS, now=NOW)
    note_step(ledger, "slow", "raw__order", ORDERS, now=NOW)
    later = NOW + KEPT_AFTER_THE_LAST_STEP + timedelta(seconds=1)
    note_step(ledger, "slow", "hireright_pull", PULLED, now=later)
    assert ledger.steps("done") == []
    assert len(ledger.steps("stopped")) == 1
    note_step(ledger, "slow", LAST_STEP, ORDERS, now=NOW + KEPT + timedelta(seconds=1))
    assert ledger.steps("stopped") == []
    assert [step for step, _ in ledger.steps("slow")] == ["raw__order", "hireright_pull", LAST_STEP]
