"""What Dagster loads and shows, and what a run reports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from screening_pipeline.cycle import take_orders
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.orchestration import runs
from screening_pipeline.orchestration.assets import raw_order
from screening_pipeline.orchestration.resource import Screening
from screening_pipeline.runtime.opening import use_runtime
from screening_pipeline.sandbox.server import VIRTUAL_EPOCH
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse import catalog, rebuild, session
from screening_pipeline_tests.support.end_to_end_world import Play, dagster_words, definitions, playing

pytestmark = dagster_words

DEFS = definitions()
SPECS = {spec.key.to_user_string(): spec for spec in DEFS.resolve_all_asset_specs()}


# ── the graph ──────────────────────────────────────────────────────────────────────────────────────


def test_every_call_that_brings_something_is_an_asset_under_its_vendor() -> None:
    found = {key for key in SPECS if key.split("/")[0] in all_vendors()}
    assert found == {
        f"{vendor.slug}/{endpoint.name}"
        for vendor in all_vendors().values()
        for endpoint in vendor.endpoints
        if endpoint.subject or endpoint.is_list or endpoint.is_destructive
    }
    assert len(found) >= len(all_vendors())


def test_no_asset_depends_on_one_that_nobody_makes() -> None:
    assert [key for key, spec in SPECS.items() if "dagster/auto_created_stub_asset" in spec.metadata] == []


def test_every_table_of_the_star_and_every_view_of_the_analysts_is_an_asset() -> None:
    expected = {
        relation.qualified.replace(".", "/")
        for relation in catalog.relations().values()
        if relation.schema in ("star", "analytics") and relation.refresh != "macro"
    }
    assert expected <= set(SPECS)
    assert {"star/fact_check", "star/fact_check_event", "analytics/turnaround_by_vendor"} <= expected


@pytest.mark.parametrize("key", sorted(SPECS))
def test_every_asset_says_what_it_is_to_whom_it_belongs_and_what_it_is_made_with(key: str) -> None:
    spec = SPECS[key]
    assert spec.description
    assert spec.owners
    assert spec.kinds
    assert spec.group_name not in (None, "default")
    if key.split("/", maxsplit=1)[0] in all_vendors():
        assert spec.group_name == key.split("/", maxsplit=1)[0]
        assert spec.freshness_policy


def test_the_layers_follow_from_one_another() -> None:
    def upstream(key: str) -> set[str]:
        direct = {dep.asset_key.to_user_string() for dep in SPECS[key].deps}
        return direct.union(*(upstream(dep) for dep in direct)) if direct else set()

    assert {"star/fact_check", "raw/response", "raw/order", "goodhire/report"} <= upstream(
        "analytics/turnaround_by_vendor"
    )


def test_every_rule_is_a_check_of_the_table_it_is_about() -> None:
    checks = {key.name for key in DEFS.resolve_asset_graph().asset_check_keys}
    assert {name.split(".")[2] for name in catalog.checks()} <= checks
    assert "every_account_answers" in checks


def test_the_named_jobs_sensors_and_schedules_are_there() -> None:
    assert {DEFS.resolve_job_def(name).name for name in ("sync", "rebuild")} == {"sync", "rebuild"}
    assert {schedule.name for schedule in DEFS.schedules or []} >= {
        "goodhire_pull",
        "hireright_pull",
        "zinc_pull",
        "workable_pull",
        "workerchecks_pull",
        "daily_reconciliation",
        "daily_report",
    }


def test_the_destructive_call_is_never_retried_by_dagster() -> None:
    for name in ("sync", "hireright_recheck_job"):
        job = DEFS.resolve_job_def(name)
        assert [node.definition.retry_policy for node in job.nodes] == [None] * len(job.nodes)  # type: ignore[attr-defined]


# ── a run ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    with playing(tmp_path_factory.mktemp("run"), checks=12, days=4) as stage:
        yield stage


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture(scope="module")
def result(played: Play, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    played.wake(day=5)
    with use_runtime(played.runtime):
        done = DEFS.resolve_job_def("sync").execute_in_process(instance=instance)
    CHECKS_AFTER[done.run_id] = played.rows("select count(*) as n from star.fact_check")[0]["n"]
    return done


def next_day(play: Play) -> None:
    """Let it be the evening of the day after: tests that share a world never put its clock back."""
    play.wake(day=(play.clock.now() - VIRTUAL_EPOCH) // timedelta(days=1) + 1)


CHECKS_AFTER: dict[str, int] = {}
"""How many checks there were after a run: other tests, in whatever order, bring more."""


def metadata(result: dg.ExecuteInProcessResult, key: str) -> dict[str, Any]:
    for event in result.get_asset_materialization_events():
        if event.asset_key and event.asset_key.to_user_string() == key:
            return {name: value.value for name, value in event.materialization.metadata.items()}
    raise AssertionError(f"{key} was not materialized")


def test_a_run_turns_green(result: dg.ExecuteInProcessResult, instance: dg.DagsterInstance) -> None:
    assert result.success
    record = instance.get_run_by_id(result.run_id)  # other tests, in whatever order, run more
    assert record is not None
    assert record.status is dg.DagsterRunStatus.SUCCESS


# What the daily report brings, and no cycle.
DAILY = ("analytics/", "published/report", "published/parquet")


def test_a_run_materializes_every_asset_of_the_cycle(result: dg.ExecuteInProcessResult) -> None:
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}
    assert {key for key in SPECS if not key.startswith(DAILY)} <= made


def test_a_table_shows_its_rows_its_columns_with_comments_and_a_preview(result: dg.ExecuteInProcessResult) -> None:
    shown = metadata(result, "star/fact_check")
    assert shown["dagster/row_count"] == CHECKS_AFTER[result.run_id] > 0
    columns = {column.name: column for column in shown["dagster/column_schema"].columns}
    assert set(columns) == set(catalog.relations()["star.fact_check"].columns)
    assert all(column.description for column in columns.values())
    assert columns["turnaround_seconds"].type in ("number", "double", "bigint")
    assert shown["preview"].startswith("| check_key |")


def test_what_is_shown_of_an_asset_is_stored_with_it_and_not_with_the_output_as_well(
    result: dg.ExecuteInProcessResult,
) -> None:
    outputs = [e.step_output_data for e in result.all_events if e.event_type is dg.DagsterEventType.STEP_OUTPUT]
    assert len(outputs) > 20
    assert not any(output.metadata for output in outputs)


def test_a_pull_shows_how_it_went_for_each_account(result: dg.ExecuteInProcessResult) -> None:
    shown = metadata(result, "goodhire/report")
    assert shown["calls"] > 0
    assert shown["accounts"].splitlines()[0].startswith("| account | accepted |")
    assert [line.split(" | ")[0] for line in shown["accounts"].splitlines()[2:]] == ["| sandbox"]


def test_every_rule_of_a_cycle_is_reported_and_holds(result: dg.ExecuteInProcessResult) -> None:
    evaluations = {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}
    assert "every_answer_is_accounted_for" in evaluations
    assert {rule.name for rule in catalog.rules("raw", "star", "ops", is_every_run=True)} <= set(evaluations)
    assert [name for name, evaluation in evaluations.items() if not evaluation.passed] == []


def test_the_daily_run_tries_every_rule_and_brings_what_no_cycle_does(
    result: dg.ExecuteInProcessResult, played: Play, instance: dg.DagsterInstance
) -> None:
    assert result.success
    with use_runtime(played.runtime):
        daily = DEFS.resolve_job_def("daily_report_job").execute_in_process(instance=instance)
    evaluations = {evaluation.check_name: evaluation for evaluation in daily.get_asset_check_evaluations()}
    rules = (rule for often in (True, False) for rule in catalog.rules("raw", "star", "ops", is_every_run=often))
    assert {rule.name for rule in rules} == set(evaluations)
    assert [name for name, evaluation in evaluations.items() if not evaluation.passed] == []
    made = {event.asset_key.to_user_string() for event in daily.get_asset_materialization_events() if event.asset_key}
    assert {key for key in SPECS if key.startswith(DAILY)} == made
    assert "data:image/png;base64," in metadata(daily, "published/report")["charts"]


def test_the_daily_run_goes_on_with_a_rebuild_that_was_stopped(
    result: dg.ExecuteInProcessResult, played: Play, instance: dg.DagsterInstance
) -> None:
    assert result.success
    with open_warehouse(played.runtime) as connection, session.transaction(connection):
        rebuild.begin_rebuild(connection)
        assert connection.execute("select count(*) from star.fact_check").fetchone() == (0,)
    with use_runtime(played.runtime):
        daily = DEFS.resolve_job_def("daily_report_job").execute_in_process(instance=instance)
    assert [e.check_name for e in daily.get_asset_check_evaluations() if not e.passed] == []
    checks = played.rows("select count(*) as n from star.fact_check")[0]["n"]
    with open_warehouse(played.runtime) as connection:
        assert connection.execute("select count(*) from star.fact_check").fetchone() == (checks,)
    assert metadata(daily, "analytics/check_clock")["dagster/row_count"] > 0


def test_what_dagster_keeps_of_a_run_names_no_secret_and_nobody(
    result: dg.ExecuteInProcessResult, instance: dg.DagsterInstance, played: Play
) -> None:
    kept = "".join(str(entry.event_log_entry) for entry in instance.get_records_for_run(result.run_id).records)
    kept += json.dumps(instance.get_runs()[0].run_config)
    orders = played.sandbox.orders()
    private = {str(row[name]) for row in orders for name in ("candidate_ref",) if row[name]}
    private |= played.secrets()
    assert private
    assert [word for word in private if word in kept] == []


def test_a_second_run_with_nothing_due_asks_nothing_and_changes_nothing(
    result: dg.ExecuteInProcessResult, played: Play, instance: dg.DagsterInstance
) -> None:
    with use_runtime(played.runtime):  # whatever other tests have left to be asked
        DEFS.resolve_job_def("sync").execute_in_process(instance=instance)
    before = played.rows("select * exclude (next_pull_at) from star.fact_check order by check_key")
    asked = sum(played.sandbox.stats()["by_check"].values())
    with use_runtime(played.runtime):
        again = DEFS.resolve_job_def("sync").execute_in_process(instance=instance)
    assert again.success
    assert sum(played.sandbox.stats()["by_check"].values()) == asked
    assert played.rows("select * exclude (next_pull_at) from star.fact_check order by check_key") == before


def test_a_cycle_of_one_vendor_intends_no_other_step_and_no_rule_that_it_does_not_try(
    result: dg.ExecuteInProcessResult, played: Play, instance: dg.DagsterInstance
) -> None:
    assert result.success
    next_day(played)  # a table of which Dagster was told a moment ago it is told of later, with its rules
    outcome = runs.sync(played.runtime, instance, vendors=["zinc"], is_full=True)
    events = [e.dagster_event for e in instance.all_logs(outcome.run_id) if e.dagster_event]
    kinds = dg.DagsterEventType

    def checks(kind: dg.DagsterEventType) -> set[str]:
        return {getattr(e.event_specific_data, "check_name", "") for e in events if e.event_type == kind}

    steps = {e.step_key for e in events if e.event_type in (kinds.STEP_START, kinds.STEP_SKIPPED)}
    assert steps == {"raw__order", "pull", "star"}
    intended, tried = checks(kinds.ASSET_CHECK_EVALUATION_PLANNED), checks(kinds.ASSET_CHECK_EVALUATION)
    assert intended == {"every_account_answers"}, "the rules are tried by the step of the star, as they need it"
    assert {rule.name for rule in catalog.rules("raw", "star", "ops", is_every_run=True)} | intended <= tried


def test_what_a_push_has_ended_is_not_asked_for_by_the_next_run(
    result: dg.ExecuteInProcessResult, played: Play, instance: dg.DagsterInstance
) -> None:
    assert result.success
    next_day(played)
    ended = "ended-by-push"
    (played.paths.orders / "ended.csv").write_text(f"vendor,account,check_id\nzinc,sandbox,{ended}\n")
    take_orders.take_orders(played.runtime, run_id="test")
    assert ended in {pull.check_id for pull in played.runtime.pull_queue.due("zinc", "sandbox", played.clock.now())}
    played.push("zinc", ended, {"id": ended, "status": "completed", "statusV2": "all-clear", "result": "clear"})
    with use_runtime(played.runtime):
        assert DEFS.resolve_job_def("sync").execute_in_process(instance=instance).success
    assert f"zinc/request/{ended}" not in played.sandbox.stats()["by_check"]
    assert played.rows(f"select is_terminal from star.fact_check where check_id = '{ended}'") == [{"is_terminal": True}]


def test_a_run_of_which_orders_are_no_part_tells_of_itself_alone(
    result: dg.ExecuteInProcessResult, played: Play, instance: dg.DagsterInstance
) -> None:
    assert result.success
    next_day(played)
    begun = played.clock.now()
    played.push("zinc", "anybody", {"id": "anybody", "status": "pending", "statusV2": "awaiting-candidate"})
    for expected in (1, 0):
        with use_runtime(played.runtime):
            again = DEFS.resolve_job_def("publish").execute_in_process(instance=instance)
        (row,) = played.rows(f"select started_at, changed_count from ops.run where run_id = '{again.run_id}'")
        assert (row["started_at"], row["changed_count"]) == (begun, expected)
        next_day(played)
        begun = played.clock.now()


def sync_job() -> dg.JobDefinition:
    """The job as Dagster's pages know it, which start a part of it again."""
    return DEFS.resolve_job_def("sync")


def test_a_single_step_of_a_run_can_be_run_again_from_dagsters_page(
    result: dg.ExecuteInProcessResult, played: Play, instance: dg.DagsterInstance
) -> None:
    assert result.success
    next_day(played)
    played.push("zinc", "somebody", {"id": "somebody", "status": "pending", "statusV2": "awaiting-candidate"})
    options = dg.ReexecutionOptions(parent_run_id=result.run_id, step_selection=["star"])
    with (
        use_runtime(played.runtime),
        dg.execute_job(dg.reconstructable(sync_job), instance=instance, reexecution_options=options) as again,
    ):
        assert again.success
    (row,) = played.rows(f"select order_count, call_count, changed_count from ops.run where run_id = '{again.run_id}'")
    assert row == {"order_count": 0, "call_count": 0, "changed_count": 1}


def test_the_order_asset_by_itself_says_what_it_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    with playing(tmp_path_factory.mktemp("orders"), checks=5, days=2) as stage:
        (stage.paths.orders / "mine.csv").write_text("vendor,check_id\ngoodhire,r1\ngoodhire,\n")
        with use_runtime(stage.runtime), dg.DagsterInstance.ephemeral() as empty:
            made = dg.materialize([raw_order], instance=empty, resources={"screening": Screening()})
        shown = made.asset_materializations_for_node("raw__order")[0].metadata
    assert {name: value.value for name, value in shown.items()} == {"files": 1, "orders": 1, "rejects": 1}
