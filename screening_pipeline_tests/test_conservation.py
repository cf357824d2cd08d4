"""The rules of `sql/checks`: they hold for an honest history, and each notices what breaks it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from screening_pipeline.warehouse import catalog
from screening_pipeline_tests.support.stage import MORNING, Stage, broken_rules, opened

WARNINGS = {
    "ops.pull_budget.it_fits_the_load",
    "ops.mapping_conflict.nothing_contradicts_itself",
    "ops.unmapped_value.nothing_is_unmapped",
    "star.fact_check.account_is_configured",
    "star.fact_pull.no_answer_is_of_the_future",
}

# Rule → what somebody might do to a table behind the pipeline's back.
DAMAGE = {
    "star.fact_check.who_is_done_waits_for_nobody": (
        "update star.fact_check set next_actor = 'client' where is_terminal and result = 'clear'"
    ),
    "star.fact_pull.every_answer_is_accounted_for": (
        "update star.fact_pull set outcome = 'failed' where outcome = 'changed'"
    ),
    "star.fact_pull.every_answer_ever_is_accounted_for": (
        "update star.fact_pull set outcome = 'failed' where outcome = 'changed'"
    ),
    "star.fact_pull.every_call_is_counted_once": "insert into star.fact_pull from star.fact_pull limit 1",
    "star.fact_pull.every_message_is_an_observation": ("delete from staging.observation where channel = 'push'"),
    "star.fact_pull.every_refusal_is_listed": "delete from ops.reject where source = 'response'",
    "star.fact_pull.no_answer_is_of_the_future": (
        "insert into ops.pull_budget (vendor, account, planned_at) values ('zinc', 'main', '2026-03-01T00:00:00Z')"
    ),
    "star.fact_pull.outcome_is_known": "update star.fact_pull set outcome = 'fine' where outcome = 'failed'",
    "star.fact_check.key_is_unique": "insert into star.fact_check from star.fact_check limit 1",
    "star.fact_check.every_check_has_its_row": "delete from star.fact_check where not is_terminal",
    "star.fact_check.every_order_is_there": "update star.fact_check set ordered_at = null",
    "star.fact_check.words_are_known": "update star.fact_check set lifecycle = 'done' where is_terminal",
    "star.fact_check.only_what_may_end_is_done": "update star.fact_check set is_terminal = true",
    "star.fact_check.done_is_not_asked_again": "update star.fact_check set next_pull_at = last_observed_at",
    "star.fact_check.done_is_closed": "update star.fact_check set closed_at = null",
    "star.fact_check.times_are_in_order": (
        "update star.fact_check set completed_at_earliest = completed_at + interval 1 second"
    ),
    "star.fact_check.turnaround_is_explained": "update star.fact_check set turnaround_excluded_reason = null",
    "star.fact_check.turnaround_adds_up": ("update star.fact_check set turnaround_seconds = turnaround_seconds + 60"),
    "star.fact_check.dimensions_exist": "delete from star.dim_package",
    "star.fact_check.account_is_configured": "delete from star.dim_account where account = 'judged'",
    "star.fact_check_event.events_are_numbered": "delete from star.fact_check_event where event_seq = 1",
    "star.fact_check_event.every_event_is_a_change": (
        "insert into star.fact_check_event select * replace (event_seq + 1 as event_seq) from star.fact_check_event"
    ),
    "star.fact_check_event.last_event_is_the_present": "update star.fact_check set result = 'clear'",
    "star.fact_check_component.key_is_unique": (
        "insert into star.fact_check_component from star.fact_check_component limit 1"
    ),
    "star.fact_check_component.words_are_known": "update star.fact_check_component set result = 'ok'",
    "star.fact_required_action.stretches_do_not_overlap": (
        "update star.fact_required_action set resolved_at = first_observed_at - interval 1 second"
    ),
    "star.fact_dispute.disputes_do_not_overlap": "update star.fact_dispute set dispute_seq = dispute_seq + 1",
    "star.fact_subscription.key_is_unique": "update star.fact_subscription set is_active = not is_active",
    "star.fact_subscription_run.key_is_unique": "delete from star.fact_subscription",
    "star.dim_vendor_status.one_meaning_at_a_time": (
        "insert into star.dim_vendor_status from star.dim_vendor_status limit 1"
    ),
    "star.dim_account.key_is_unique": "delete from star.dim_calendar where calendar = 'AU'",
    "star.dim_package.key_is_unique": "insert into star.dim_package from star.dim_package limit 1",
    "star.dim_check_type.key_is_unique": "insert into star.dim_check_type from star.dim_check_type limit 1",
    "star.dim_candidate.key_is_unique": "insert into star.dim_candidate values ('employee-17')",
    "star.dim_calendar.days_are_numbered": "delete from star.dim_calendar where date = '2026-03-03'",
    "ops.pull_budget.it_fits_the_load": (
        "insert into ops.pull_budget (vendor, account, is_overloaded) values ('goodhire', 'main', true)"
    ),
    "ops.unmapped_value.nothing_is_unmapped": "update ops.unmapped_value set is_current = true",
    "ops.mapping_conflict.nothing_contradicts_itself": (
        "update ops.mapping_conflict set is_current = true; update star.fact_check set is_terminal = false"
    ),
}


def test_rules_hold_where_the_vendor_stops_telling_whether_a_subscription_is_active(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with opened(tmp_path_factory) as stage:
        s = stage.story("silent").of("goodhire", subject="subscription")
        s.say(LastStatus="Clear", IsActive=True)
        s.say(LastStatus="Clear", IsActive=None)
        stage.settle()
        assert (s.subscription()["is_active"], s.check()["lifecycle"]) == (True, "unknown")
        assert broken_rules(stage.connection) == []


def test_rules_hold_where_a_check_that_was_complete_is_referred_and_released(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with opened(tmp_path_factory) as stage:
        s = stage.story("referred").of("workerchecks")
        s.order(ordered_at="2026-03-02T08:00Z")
        s.say(status="In Progress", result=None)
        s.say(status="Completed", result="Attention Required")
        s.say(status="Completed", result="Refer", releaseDate="2026-03-02T09:25:00Z")
        stage.settle()
        assert (s.check()["is_terminal"], s.check()["completed_at_source"]) == (True, "observed")
        assert broken_rules(stage.connection) == []


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with opened(tmp_path_factory) as full:
        tell_everything(full)
        full.settle()
        yield full


def tell_everything(stage: Stage) -> None:
    """A history with every kind of row, in which nothing is unmapped or contradicts itself at the end."""
    report = stage.story("report").of("goodhire")
    report.order(ordered_at="2026-03-02T08:00Z", package="RPT_BASIC", candidate_ref="employee-17")
    report.say(Status="Strange")
    report.say(Status="MissingInput", RequiredReportActions=[{"Type": "MissingCandidateConsent"}])
    report.say(Status="Processing", StatusDetails="Clear", RequiredReportActions=[])
    report.say(Status="Processing", StatusDetails=None)
    report.say(Status="Processing", StatusDetails=None)
    report.say(b"<html>")
    report.say({"StatusCode": "Trouble"}, http_status=500)
    report.say({"StatusCode": "Slow down"}, http_status=429)
    report.push(Status="CompletedAlert", SectionsContainingAlerts=["Misc Court Records"])
    report.push(b"{}")
    subscription = stage.story("subscription").of("goodhire", subject="subscription")
    run = {"Date": "2026-03-01T08:00:00-08:00", "Status": "Clear"}
    subscription.say(LastStatus="Clear", IsActive=True, Results=[run])
    order = stage.story("order").of("hireright", account="judged")
    done: dict[str, Any] = {"orderStatus": "Completed", "adjudicationStatus": "Meets Company Standards"}
    order.feed({"orderStatus": "InProgress", "statusDate": "2026-03-02T08:00:00Z"}, {"orderId": 17})
    order.say(**done, disputeStatus="Received")
    order.say(**done, disputeStatus="Completed")
    late = stage.story("late").of("workerchecks")
    late.order(ordered_at="2026-03-02T08:00Z")
    late.say(status="Completed", result="Clear", releaseDate="2026-03-02T07:00:00+00:00")
    late.say(b'{"checkId": "late", "sta', failure="truncated")
    request = stage.story("request").of("zinc")
    request.say(status="partially-completed", statusV2="in-progress", checks=[{"name": "A", "status": "clear"}])
    stage.story("never-seen").of("workable").order(ordered_at="2026-03-02T08:00Z")
    ended = stage.story("ended").of("workable")
    ended.say(status="declined")
    stage.land(
        received_at=MORNING,
        vendor="zinc",
        account="main",
        endpoint="packages",
        channel="pull",
        body={"packages": [{"id": "p1", "name": "Basic"}]},
    )


def broken(stage: Stage, rule: str) -> int:
    """How many rows break a rule."""
    return len(stage.rows(catalog.checks()[rule]))


def test_every_rule_is_tried() -> None:
    assert set(catalog.checks()) == set(DAMAGE)


@pytest.mark.parametrize("rule", DAMAGE)
def test_a_rule_holds_for_an_honest_history_and_notices_damage(stage: Stage, rule: str) -> None:
    assert broken(stage, rule) == 0
    stage.connection.execute("begin")
    try:
        stage.connection.execute(DAMAGE[rule])
        assert broken(stage, rule) > 0
    finally:
        stage.connection.execute("rollback")


@pytest.mark.parametrize("rule", DAMAGE)
def test_a_rule_says_what_must_hold_and_how_much_it_matters(rule: str) -> None:
    header = [line for line in catalog.checks()[rule].splitlines() if line.startswith("-- ")]
    assert header[0].endswith(".")
    assert ("-- severity: warn" in header) is (rule in WARNINGS)


def test_conservation_is_proven_on_every_run() -> None:
    (rule,) = [r for r in catalog.rules("star", is_every_run=True) if r.name == "every_answer_is_accounted_for"]
    assert not rule.is_warning


def test_every_answer_is_changed_unchanged_or_rejected(stage: Stage) -> None:
    outcomes = stage.rows(
        "select outcome, count(*) as n from star.fact_pull inner join staging.response using (response_id) "
        "where staging.response.http_status between 200 and 299 group by outcome order by outcome"
    )
    assert {row["outcome"]: row["n"] for row in outcomes} == {"changed": 11, "unchanged": 2, "rejected": 2}
    others = stage.rows("select outcome from star.fact_pull where http_status >= 300 order by outcome")
    assert [row["outcome"] for row in others] == ["failed", "throttled"]


def test_half_an_answer_is_rejected_and_listed(stage: Stage) -> None:
    assert stage.story("late").of("workerchecks").pulls() == ["changed", "rejected"]
    assert stage.story("late").of("workerchecks").rejects() == ["truncated"]


def test_the_same_history_twice_over_changes_no_rule_and_no_fact(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with opened(tmp_path_factory) as once:
        tell_everything(once)
        once.settle()
        before = once.facts()
        once.settle()
        assert once.facts() == before
        assert [rule for rule in catalog.checks() if broken(once, rule)] == []
