"""What Dagster's pages say is so: everything selected makes everything, and rules can be tried by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.orchestration.resource import Screening
from screening_pipeline.orchestration.rules import all_rules, rules
from screening_pipeline.runtime import publication
from screening_pipeline.runtime.opening import use_runtime
from screening_pipeline.warehouse import snapshot
from screening_pipeline_tests.support.end_to_end_world import Play, dagster_words, definitions, playing

pytestmark = dagster_words

EVENTS = dg.DagsterEventType


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    with playing(tmp_path_factory.mktemp("run"), checks=12, days=4) as stage:
        stage.cycle(3)
        yield stage


def counted(result: dg.ExecuteInProcessResult, *kinds: dg.DagsterEventType) -> list[int]:
    return [sum(event.event_type is kind for event in result.all_events) for kind in kinds]


def test_everything_selected_twice_makes_everything_twice(played: Play) -> None:
    everything = definitions().resolve_implicit_global_asset_job_def()
    keys = set(everything.asset_layer.executable_asset_keys)
    checks = set(everything.asset_layer.asset_graph.asset_check_keys)
    for _ in range(2):
        with use_runtime(played.runtime):
            result = everything.execute_in_process(instance=played.instance)
        made = {event.asset_key for event in result.get_asset_materialization_events()}
        tried = {(e.asset_key, e.check_name) for e in result.get_asset_check_evaluations()}
        assert keys - made == set()
        assert {(key.asset_key, key.name) for key in checks} - tried == set()
        assert counted(result, EVENTS.STEP_SKIPPED) == [0]


def test_a_run_of_our_own_leaves_out_tables_that_did_not_change(played: Play) -> None:
    with use_runtime(played.runtime):
        result = definitions().resolve_job_def("publish").execute_in_process(instance=played.instance)
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}
    assert result.success
    assert {"raw/response", "published/snapshot"} <= made
    assert made.isdisjoint({"star/fact_check", "star/fact_check_event", "star/dim_calendar"})


def published(played: Play, *, minutes: int) -> tuple[set[str], set[str]]:
    """The tables that a run of our own tells of some minutes later, after a change, and the rules of which it tells."""
    played.clock.move_to(played.clock.now() + timedelta(minutes=minutes))
    check_id = f"pushed-{played.clock.now().timestamp()}"
    played.push("zinc", check_id, {"id": check_id, "status": "pending", "statusV2": "awaiting-candidate"})
    with use_runtime(played.runtime):
        result = definitions().resolve_job_def("publish").execute_in_process(instance=played.instance)
    made = [event.asset_key for event in result.get_asset_materialization_events() if event.asset_key]
    rules = {f"{e.asset_key.path[-1]}.{e.check_name}" for e in result.get_asset_check_evaluations()}
    return {key.path[-1] for key in made if key.path[0] == "star"}, rules


def test_a_table_that_changes_all_the_time_is_told_of_now_and_then_together_with_its_rules(played: Play) -> None:
    of_checks = {f"fact_check.{rule.name}" for rule in all_rules() if rule.shown_at == "star.fact_check"}
    for minutes, is_told in ((30, True), (1, False), (1, False), (19, True)):
        tables, rules = published(played, minutes=minutes)
        assert ("fact_check" in tables, of_checks <= rules) == (is_told, is_told)
        assert is_told or not (tables or rules), "what holds as before is not told again"


def tried(played: Play, *names: str) -> list[dg.AssetCheckEvaluation]:
    """The results of these rules, executed by themselves as from the page."""
    keys = [dg.AssetCheckKey(spec.asset_key, spec.name) for spec in rules.check_specs if spec.name in names]
    job = dg.Definitions(asset_checks=[rules], resources={"screening": Screening()})
    selected = job.resolve_implicit_global_asset_job_def().get_subset(asset_check_selection=set(keys))
    with use_runtime(played.runtime):
        result = selected.execute_in_process(instance=played.instance)
    return list(result.get_asset_check_evaluations())


def test_rules_can_be_executed_by_themselves_of_published_tables_and_of_others(played: Play) -> None:
    found = tried(played, "turnaround_adds_up", "every_call_is_counted_once")
    assert {one.check_name: one.passed for one in found} == {
        "turnaround_adds_up": True,
        "every_call_is_counted_once": True,
    }


def falsify(played: Play) -> None:
    """Say of each published check that it is over where it is open, and open where it is over."""
    with open_warehouse(played.runtime) as connection:
        connection.execute("update star.fact_check set is_terminal = not is_terminal")
        snapshot.forget(connection)
        publication.publish(played.runtime, connection, is_due=True)


def test_a_rule_that_does_not_hold_shows_rows_without_who_they_are_about_its_query_and_the_fix(played: Play) -> None:
    falsify(played)
    try:
        (found,) = tried(played, "done_is_closed")
    finally:
        falsify(played)
    shown: dict[str, Any] = {name: value.value for name, value in found.metadata.items()}
    checks = played.rows("select check_id from star.fact_check")
    assert not found.passed
    assert shown["offending_rows"] == len(checks)
    assert shown["rows"].startswith("| check_key |")
    assert len(shown["rows"].splitlines()) == 2 + min(10, len(checks))
    assert "from star.fact_check" in shown["query"]
    assert "screening-pipeline rebuild" in shown["fix"]
    assert [row["check_id"] for row in checks if row["check_id"] in shown["rows"]] == []


def test_every_rule_says_how_to_mend_what_breaks_it() -> None:
    assert all(rule.fix and rule.fix.endswith(".") for rule in all_rules())
    assert len({rule.fix for rule in all_rules()}) > 3
