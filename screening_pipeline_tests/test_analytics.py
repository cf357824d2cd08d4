"""The views on what the pipeline itself wrote, and what must hold between their figures whatever the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.settings.settings import AdverseAction, SlaTarget
from screening_pipeline.warehouse import ingest, session, store
from screening_pipeline_tests.support import generated_world
from screening_pipeline_tests.support.stage import PART_KEY, Stage, account, at, opened

STATE = (
    "check_key, vendor_status, vendor_status_detail, vendor_result, vendor_adjudication, vendor_dispute, "
    "lifecycle, lifecycle_reason, result, result_source, adjudication, dispute, next_actor, is_terminal, "
    "is_partial, has_conflict"
)
# Questions whose answer must be nothing, whatever the data.
NEVER = {
    "a check is counted twice or not at all": """
        select vendor from analytics.turnaround_by_vendor as t
        where t.n + t.n_open + t.n_excluded <> (
            select count(*) from star.fact_check as f where f.vendor = t.vendor and f.subject <> 'subscription'
        )
    """,
    "months do not add up to the vendor": """
        select t.vendor
        from analytics.turnaround_by_vendor as t
        inner join (
            select vendor, sum(n) as n, sum(n_open) as n_open, sum(n_excluded) as n_excluded
            from analytics.turnaround_by_package_month group by vendor
        ) as m on t.vendor = m.vendor
        where (t.n, t.n_open, t.n_excluded) is distinct from (m.n, m.n_open, m.n_excluded)
    """,
    "a figure is outside its bounds": """
        select vendor from analytics.turnaround
        where
            median_days not between low and high or median_days not between ci_low and ci_high
            or p90_days not between p90_low and p90_high or low > p90_low or n < n_completed + n_open
    """,
    "what came in is neither out nor open": """
        select vendor from analytics.throughput group by vendor
        having sum(ordered - completed - ended_otherwise) <> arg_max(open_at_end, week)
    """,
    "the early bound is later than the late one": """
        select vendor from analytics.turnaround_by_vendor
        where p50_earliest > p50 or p95_earliest > p95 or p50_business_days_earliest > p50_business_days
    """,
    "phases do not add up to the turnaround": """
        select c.check_key
        from analytics.check_clock as c
        inner join analytics.check_phase as p on c.check_key = p.check_key
        where c.is_included
        group by c.check_key, c.seconds, c.business_days
        having abs(sum(p.seconds) - c.seconds) > 5 or sum(p.business_days) <> c.business_days
    """,
    "a phase is outside its bounds": """
        select check_key from analytics.check_phase
        where
            seconds_least > seconds or seconds > seconds_most
            or business_days_least > business_days or business_days > business_days_most
    """,
    "a survival curve rises, or ends below nothing": """
        select vendor
        from (
            select vendor, survival, survival_earliest,
                lag(survival, 1, 1.0) over (partition by vendor order by time_seconds) as previous
            from analytics.turnaround_survival
        )
        where survival > previous or survival < 0
    """,
    "shares of a vendor are not one": """
        select vendor from analytics.adjudication_mix group by vendor having abs(sum(share) - 1) > 1e-9
    """,
    "a promise is kept and broken": """
        select sla_target from analytics.sla_attainment
        where
            n <> n_met + n_breached + n_uncertain or attainment_at_worst > attainment + 1e-9
            or attainment > attainment_at_best + 1e-9
    """,
    "a breach is not in the list": """
        select sla_target from analytics.sla_attainment as a
        where n_breached <> (
            select count(*) from analytics.sla_breaches as b
            where a.sla_target = b.sla_target and a.vendor = b.vendor and b.is_certain
        )
    """,
    "calls do not add up": """
        select vendor from analytics.pull_efficiency
        where n_calls <> n_changed + n_unchanged + n_rejected + n_throttled + n_failed
    """,
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[session.Connection]:
    folder = tmp_path_factory.mktemp("warehouse")
    path = folder / "warehouse.duckdb"
    with store.writer(path, lock_path=folder / "lock", clock=SystemClock()) as connection:
        generated_world.fill(connection)
        yield connection


@pytest.mark.parametrize("what", NEVER)
def test_it_never_happens_that(filled: session.Connection, what: str) -> None:
    assert filled.execute(NEVER[what]).fetchall() == []


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with opened(tmp_path_factory) as stage:
        yield stage


def test_what_was_known_then_is_what_the_star_said_then(stage: Stage) -> None:
    order = stage.story("H1").of("hireright")
    request = stage.story("z1").of("zinc")
    days: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
        ("2026-03-02T12:00Z", {"orderStatus": "InProgress"}, {"status": "pending", "statusV2": "requested"}),
        ("2026-03-04T12:00Z", {"orderStatus": "Completed"}, {"status": "pending", "statusV2": "paused"}),
        (
            "2026-03-06T12:00Z",
            {"orderStatus": "Completed", "disputeStatus": "Received"},
            {"status": "completed", "statusV2": "all-clear", "result": "clear"},
        ),
    )
    said_then = {}
    for when, of_order, of_request in days:
        order.say(when=when, **of_order)
        request.say(when=when, **of_request)
        stage.settle()
        said_then[when] = _states(stage, "star.fact_check")
    assert len({str(states) for states in said_then.values()}) == len(days)
    for when, states in said_then.items():
        assert _states(stage, f"star.check_as_of(timestamptz '{at(when)}')") == states
    assert _states(stage, "star.check_as_of(timestamptz '2026-03-02 11:59:00Z')") == []


def test_time_is_counted_from_the_order_to_the_first_sight_of_the_end(stage: Stage) -> None:
    check = stage.story("g1").of("goodhire")
    check.order(ordered_at="2026-03-02T08:00:00Z", package="basic")
    check.say(when="2026-03-02T09:00Z", Status="MissingInput", StatusDetails="AwaitingInput")
    check.say(when="2026-03-03T09:00Z", Status="Processing")
    check.say(when="2026-03-05T09:00Z", Status="Processing")
    check.say(when="2026-03-06T09:00Z", Status="CompletedClear")
    stage.settle()
    (row,) = stage.rows("from analytics.turnaround_by_vendor where vendor = 'goodhire'")
    assert (row["n"], row["p50"], row["p50_earliest"]) == (1, 97 * 3600, 73 * 3600)
    assert (row["p50_business_days"], row["p50_survival"]) == (4, 97 * 3600)
    phases = stage.rows(
        "select phase, p50 from analytics.turnaround_phases where vendor = 'goodhire' and n_touched > 0"
    )
    assert {phase["phase"]: phase["p50"] for phase in phases} == {"candidate": 25 * 3600, "vendor": 72 * 3600}


def test_what_waits_for_a_decision_is_open_but_its_screening_is_over(stage: Stage) -> None:
    check = stage.story("H1").of("hireright", account="judged")
    check.order(ordered_at="2026-03-02T08:00:00Z")
    check.say(when="2026-03-02T09:00Z", orderStatus="InProgress")
    check.say(when="2026-03-03T08:00Z", orderStatus="Completed", adjudicationStatus="Client Review Required")
    check.say(when="2026-03-09T08:00Z", orderStatus="Completed", adjudicationStatus="Client Review Required")
    stage.settle()
    (row,) = stage.rows("from analytics.turnaround_by_vendor")
    assert (row["n"], row["n_open"], row["p50"], row["p50_survival"]) == (0, 1, 86_400, 86_400)
    (waiting,) = stage.rows("from analytics.missing_adjudication")
    assert (waiting["waiting_seconds"], waiting["waiting_business_days"], waiting["is_expected"]) == (
        6 * 86_400,
        4,
        True,
    )


def test_promises_and_thresholds_are_those_of_the_configuration(stage: Stage) -> None:
    check = stage.story("g1").of("goodhire")
    check.order(ordered_at="2026-03-02T08:00:00Z")
    check.say(when="2026-03-02T09:00Z", Status="Processing")
    check.say(when="2026-03-02T13:30Z", Status="Processing")
    check.say(when="2026-03-02T14:00Z", Status="CompletedClear")
    # Only orders older than a promise are judged by it.
    stage.story("g2").of("goodhire").say(when="2026-03-04T14:00Z", Status="Processing")
    stage.settle()
    assert stage.rows("from analytics.sla_attainment") == []
    promised = replace(
        stage.settings,
        sla=(SlaTarget(vendor="goodhire", target_hours=4), SlaTarget(target_business_days=1, clock="total")),
        adverse_action=AdverseAction(waiting_business_days=7),
    )
    ingest.prepare(stage.connection, promised, stage.landing, part_key=PART_KEY)
    kept = stage.rows("select sla_target, clock, n, attainment from analytics.sla_attainment order by sla_target")
    assert [tuple(row.values()) for row in kept] == [(1, "vendor", 1, 0.0), (2, "total", 1, 1.0)]
    (setting,) = stage.rows("select value from star.dim_setting where name = 'adverse_waiting_business_days'")
    assert setting["value"] == 7


def test_accounts_that_are_not_analyzed_are_in_the_star_and_in_no_view(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    accounts = (account("zinc", environment="sandbox"), account("goodhire"))
    with opened(tmp_path_factory, accounts) as stage:
        stage.story("z1").of("zinc").say(status="pending", statusV2="in-progress")
        stage.story("g1").of("goodhire").say(Status="Processing")
        stage.settle()
        assert len(stage.rows("from star.fact_check")) == 2
        for view in ("turnaround_by_vendor", "open_check_ageing", "pull_efficiency", "data_quality"):
            assert {row["vendor"] for row in stage.rows(f"from analytics.{view}")} == {"goodhire"}


def test_the_views_have_no_clock_of_their_own(filled: session.Connection) -> None:
    """The same data gives the same answer at any time: no view asks what time it is."""
    texts = filled.execute("select sql from duckdb_views() where schema_name = 'analytics'").fetchall()
    assert texts
    asking = ("now()", "current_date", "current_timestamp", "get_current", "today()", "localtime")
    assert [word for (text,) in texts for word in asking if word in text.lower()] == []


def test_a_failing_account_does_not_make_its_open_checks_look_older_than_known(stage: Stage) -> None:
    check = stage.story("g1").of("goodhire")
    check.order(ordered_at="2026-03-02T08:00:00Z")
    check.say(when="2026-03-02T20:00Z", Status="Processing")
    check.say(b"", when="2026-03-12T20:00Z", http_status=503)
    stage.settle()
    (curve,) = stage.rows("from analytics.turnaround_survival")
    assert (curve["time_seconds"], curve["n_censored"]) == (12 * 3600, 1)
    (ageing,) = stage.rows("from analytics.open_check_ageing")
    assert ageing["as_of"] == datetime(2026, 3, 12, 20, tzinfo=UTC)
    assert ageing["unseen_seconds"] == timedelta(days=10).total_seconds()


def _states(stage: Stage, source: str) -> list[dict[str, Any]]:
    return stage.rows(f"select {STATE} from {source} order by check_key")
