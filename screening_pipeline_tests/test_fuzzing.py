"""Whatever a vendor sends: never a crash, never a guess, and nothing unaccounted for. The long form is `fuzzing`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from screening_pipeline.landing.judge import AcceptedMessage, Examined
from screening_pipeline.vendors import all_vendors
from screening_pipeline_tests.support.fuzzing import (
    BATCH,
    GUESSES,
    SPOKEN,
    TYPES,
    Case,
    Found,
    fuzz,
    is_of_another,
    judge,
    run,
)
from screening_pipeline_tests.support.stage import Stage, staged


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("fuzzed")) as stage:
        fuzz(5, range(600), stage, Found())
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
    assert stage.rows(GUESSES[rule]) == []
    stage.connection.execute("begin")
    stage.connection.execute(GUESSING[rule])
    noticed = stage.rows(GUESSES[rule])
    stage.connection.execute("rollback")
    assert noticed


def test_a_word_of_what_led_to_a_check_is_nothing_that_it_says_itself(stage: Stage) -> None:
    """What an invitation may say of its report, the report may not."""
    own = stage.rows(f"""
        select s.check_id from {SPOKEN} as s where s.vendor = 'checkr' and s.spoken_as = 'report'
        and s.first_observed_at is not null""")
    led = stage.rows(f"select s.check_id from {SPOKEN} as s where s.subject = 'report' and s.spoken_as = 'invitation'")
    stage.connection.execute("begin")
    stage.connection.execute("""
        update star.fact_check set vendor_status = 'completed', lifecycle = 'in_progress'
        where vendor = 'checkr' and subject = 'report' and first_observed_at is not null""")
    noticed = stage.rows(GUESSES["a status that nobody knows is read as something"])
    stage.connection.execute("rollback")
    assert own
    assert led
    assert sorted(row["check_id"] for row in noticed) == sorted(row["check_id"] for row in own)


ITSELF = AcceptedMessage(subject="invitation", check_id="v1", body={"id": "v1", "status": "completed"})
REPORT = AcceptedMessage(subject="report", check_id="r1", body={"id": "r1", "continues": "v1"})


@pytest.mark.parametrize(
    ("messages", "is_noticed"),
    [
        ((ITSELF, REPORT), False),
        ((REPORT,), True),
        ((replace(ITSELF, check_id="v2"),), True),
        ((replace(REPORT, check_id="v1"),), True),
        ((ITSELF, replace(ITSELF, check_id="v2")), True),
        ((ITSELF, replace(REPORT, check_id="r2")), True),
        ((ITSELF, replace(REPORT, body={"id": "r1", "continues": "v2"})), True),
        ((ITSELF, replace(REPORT, body={"id": "r1", "continues": "v1", "status": "complete"})), True),
        ((ITSELF, replace(REPORT, subject="subscription")), True),
    ],
)
def test_a_message_of_another_check_would_be_noticed(messages: tuple[AcceptedMessage, ...], is_noticed: bool) -> None:
    body = b'{"id": "v1", "status": "completed", "report_id": "r1"}'
    asked = Case(1, "checkr", "invitation", "pull", "v1", body, TYPES[0])
    assert is_of_another(asked, Examined(messages=messages)) is is_noticed
