"""The whole way: a vendor's server, real HTTP, real Dagster runs, files on disk; compared with the vendors' truth."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse import session, store
from screening_pipeline_tests.support.differential import Key, expected, identity
from screening_pipeline_tests.support.end_to_end_world import Play, Row, dagster_words, play

pytestmark = [dagster_words, pytest.mark.timeout(300)]  # several runs in one fixture

CHECKS = 99
DAYS = (4, 14, 29, 48)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    yield from play(tmp_path_factory.mktemp("world"), DAYS, checks=CHECKS)


@pytest.fixture(scope="module")
def truth(played: Play) -> dict[Key, Row]:
    return {identity(row): row for row in played.sandbox.truth()}


@pytest.fixture(scope="module")
def facts(played: Play) -> dict[Key, Row]:
    return {identity(row): row for row in played.rows("from star.fact_check")}


def test_the_world_shows_what_vendors_do(truth: dict[Key, Row]) -> None:
    lifecycles = Counter(row["lifecycle"] for row in truth.values())
    assert {row["vendor"] for row in truth.values()} == set(all_vendors())
    assert len(truth) >= 80
    assert lifecycles["completed"] > 40
    assert len(lifecycles) >= 4


def test_every_order_is_in_the_star_and_nothing_else(truth: dict[Key, Row], facts: dict[Key, Row]) -> None:
    assert set(facts) == set(truth)


def test_the_star_equals_the_vendors_truth(truth: dict[Key, Row], facts: dict[Key, Row]) -> None:
    wanted = {one: expected(row) for one, row in truth.items()}
    found = {one: {name: facts[one][name] for name in wanted[one]} for one in wanted}
    assert found == wanted


def test_every_order_keeps_what_its_manifest_says(truth: dict[Key, Row], facts: dict[Key, Row]) -> None:
    for key, row in truth.items():
        if facts[key]["continues_check_id"] is not None:
            continue  # it was ordered when its invitation was
        assert facts[key]["ordered_at"] == datetime.fromisoformat(row["ordered_at"])
        assert (facts[key]["candidate_key"] is None) == (row["candidate_ref"] is None)


def test_an_observed_completion_lies_between_its_bounds(truth: dict[Key, Row], facts: dict[Key, Row]) -> None:
    completed = {key: row for key, row in truth.items() if row["completed_at"] and facts[key]["completed_at"]}
    observed = [key for key in completed if facts[key]["completed_at_source"] == "observed"]
    assert len(observed) > 20
    for key in observed:
        at = datetime.fromisoformat(completed[key]["completed_at"])
        assert facts[key]["completed_at_earliest"] <= at <= facts[key]["completed_at"]


def test_every_dispute_has_its_row_also_one_that_was_over_between_two_cycles(
    played: Play, truth: dict[Key, Row]
) -> None:
    rows = played.rows("select vendor, subject, check_id, count(*) as n from star.fact_dispute group by all")
    found = {identity(row): row["n"] for row in rows}
    assert found == {one: row["disputes"] for one, row in truth.items() if row["disputes"]}
    assert found


def test_nothing_is_asked_again_after_its_end(played: Play) -> None:
    assert played.sandbox.stats()["after_over"] == {}


def test_no_check_is_asked_more_than_once_a_cycle(played: Play) -> None:
    assert max(played.sandbox.stats()["by_check"].values()) <= len(DAYS)


def test_every_answer_is_accounted_for_once(played: Play) -> None:
    with open_warehouse(played.runtime) as connection:
        received = session.rows(
            connection, "select count(*) as n from raw.response where http_status between 200 and 299"
        )
    accounted = played.rows(
        "select count(*) as n, count(distinct response_id) as responses from star.fact_pull "
        "where outcome in ('changed', 'unchanged', 'rejected')"
    )
    assert accounted == [{"n": received[0]["n"], "responses": received[0]["n"]}]


def test_every_rule_holds_after_every_cycle(played: Play) -> None:
    assert [outcome.failed_checks for outcome in played.outcomes] == [()] * len(DAYS)
    assert [outcome.exit_code for outcome in played.outcomes] == [0] * len(DAYS)


def test_every_cycle_is_a_run_in_the_instance_and_a_row_of_the_log(played: Play) -> None:
    recorded = {run.run_id: run.status.value for run in played.instance.get_runs()}
    assert recorded == {outcome.run_id: "SUCCESS" for outcome in played.outcomes}
    assert {row["run_id"] for row in played.rows("select run_id from ops.run")} == set(recorded)


def test_an_ended_check_has_no_next_pull_and_an_open_one_has_one(facts: dict[Key, Row]) -> None:
    for row in facts.values():
        assert (row["next_pull_at"] is None) == row["is_terminal"]


def test_the_events_of_a_check_lead_to_its_present(played: Play, facts: dict[Key, Row]) -> None:
    last = played.rows(
        "from star.fact_check_event qualify row_number() over (partition by check_key order by event_seq desc) = 1"
    )
    assert {identity(row): row["lifecycle"] for row in last} == {
        key: row["lifecycle"] for key, row in facts.items() if row["first_observed_at"]
    }


def test_no_person_is_named_in_what_is_published(played: Play, truth: dict[Key, Row]) -> None:
    references = {row["candidate_ref"] for row in truth.values() if row["candidate_ref"]}
    assert references
    with store.reader(played.paths.published) as connection:
        text = json.dumps(_everything(connection), default=str)
    assert [reference for reference in references if reference in text] == []


def _everything(connection: session.Connection) -> list[Any]:
    tables = connection.execute(
        "select format('{}.{}', schema_name, table_name) from duckdb_tables() where database_name = current_database()"
    ).fetchall()
    return [connection.execute(f"from {name}").fetchall() for (name,) in tables]
