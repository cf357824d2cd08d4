"""Whatever a vendor sends: never a crash, never a guess, and nothing unaccounted for. The long form is `fuzzing`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from screening_pipeline.vendors import all_vendors
from screening_pipeline_tests.support.fuzzing import BATCH, GUESSES, Found, fuzz, judge, run
from screening_pipeline_tests.support.stage import Stage, staged


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("fuzzed")) as stage:
        yield stage


def test_thousands_of_mutated_answers_are_accepted_or_rejected_and_nothing_is_guessed(tmp_path: Path) -> None:
    found = run(BATCH, 1, iter([tmp_path]))
    assert found.broken == []
    assert found.accepted + found.rejected == found.cases == BATCH
    assert set(found.vendors) == set(all_vendors())
    assert min(found.accepted, found.rejected, found.unmapped, len(found.reasons)) > 10


@given(seed=st.integers(0, 2**32))
@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_other_few_hundred_are_too(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    found = Found()
    with staged(tmp_path_factory.mktemp("seed")) as fresh:
        fuzz(seed, range(300), fresh, found)
        judge(fresh, found)
    assert found.broken == []


# Rule → what would break it, done behind the pipeline's back.
GUESSING = {
    "a lifecycle that no word told": "update star.fact_check set lifecycle = 'expired' where lifecycle = 'unknown'",
    "a status that nobody knows is read as something": (
        "update star.fact_check set lifecycle = 'in_progress' where lifecycle = 'unknown'"
    ),
    "a result that no word told": "update star.fact_check set result = 'referred' where vendor = 'zinc'",
    "an unknown word that is not listed": "delete from ops.unmapped_value where field = 'status'",
    "a check with an unknown word that is done": "update star.fact_check set is_terminal = true",
    "a value of the payload among the reasons": "update ops.reject set reason = 'Zanzibar-Canary is no status'",
}


@pytest.mark.parametrize("rule", GUESSES)
def test_a_guess_would_be_noticed(stage: Stage, rule: str) -> None:
    if not stage.rows("from star.fact_check"):
        fuzz(2, range(600), stage, Found())
    assert stage.rows(GUESSES[rule]) == []
    stage.connection.execute("begin")
    stage.connection.execute(GUESSING[rule])
    noticed = stage.rows(GUESSES[rule])
    stage.connection.execute("rollback")
    assert noticed
