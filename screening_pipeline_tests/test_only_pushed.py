"""Accounts that nobody can ask, and what pushes tell at once: every state reaches the star, and none moves back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.runtime import unread
from screening_pipeline.warehouse import rebuild
from screening_pipeline_tests.support.stage import FACTS, broken_rules
from screening_pipeline_tests.test_receiver import ACCOUNTS, Office, opened

Row = dict[str, Any]
Telling = Callable[[Office, Row], int]

QUIET = 15 * 60
MEETS: Row = {"orderId": "c1", "orderStatus": "Completed", "adjudicationStatus": "Meets Company Standards"}
FAILS = MEETS | {"adjudicationStatus": "Does Not Meet Company Standards"}
ALL_CLEAR: Row = {"id": "c1", "status": "completed", "statusV2": "all-clear", "result": "clear"}
REVIEWED = ALL_CLEAR | {"status": "reviewed", "statusV2": "reviewed", "result": "consider"}
CLEAR: Row = {"Id": "c1", "Status": "CompletedClear", "StatusDetails": "Clear"}
ALERT: Row = {"Id": "c1", "Status": "CompletedAlert", "StatusDetails": "Alert"}
FORM: Row = {"id": "c1", "i9Status": "completed"}


@pytest.fixture
def only_pushed(tmp_path: Path) -> Iterator[Office]:
    """An office that asks nobody; its vendors' messages carry no time."""
    with opened(tmp_path, tuple(replace(account, polling=False) for account in ACCOUNTS)) as found:
        yield found


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with opened(tmp_path) as found:
        yield found


def told(office: Office, telling: Telling, *bodies: Row) -> None:
    """Each message read as soon as it came."""
    for body in bodies:
        assert telling(office, body) == 200
        office.settle()


def quiet(office: Office, seconds: float = QUIET) -> None:
    """Nothing more comes, and then a cycle runs."""
    office.clock.advance(seconds)
    office.settle()


def check(office: Office) -> Row:
    (row,) = office.rows("from star.fact_check where check_id = 'c1'")
    return row


def unconfirmed(office: Office) -> int:
    return len(office.rows("from ops.mapping_conflict where conflict = 'unconfirmed_message' and is_current"))


CHANGED = {
    "meets-to-does-not-meet": (Office.hireright, MEETS, FAILS, {"adjudication": "does_not_meet"}),
    "all-clear-to-reviewed": (Office.zinc, ALL_CLEAR, REVIEWED, {"result": "consider"}),
    "clear-to-alert": (Office.goodhire, CLEAR, ALERT, {"result": "consider"}),
    "back-to-work": (Office.goodhire, CLEAR, {"Id": "c1", "Status": "Processing"}, {"lifecycle": "in_progress"}),
}


@pytest.mark.parametrize("case", CHANGED)
def test_where_nobody_is_asked_the_newest_message_is_the_state_after_a_quiet_time(
    only_pushed: Office, case: str
) -> None:
    telling, first, second, expected = CHANGED[case]
    told(only_pushed, telling, first, second)
    assert not any(check(only_pushed)[name] == value for name, value in expected.items())
    assert (check(only_pushed)["has_conflict"], unconfirmed(only_pushed)) == (False, 1)
    quiet(only_pushed)
    assert {name: check(only_pushed)[name] for name in expected} == expected
    assert (check(only_pushed)["has_conflict"], unconfirmed(only_pushed)) == (True, 1)
    (before, after) = only_pushed.rows("from star.fact_check_event order by event_seq")
    assert (before["has_conflict"], after["has_conflict"]) == (False, True)
    with open_warehouse(only_pushed.work) as connection:
        assert broken_rules(connection) == []


def test_a_message_that_waits_for_quiet_is_brought_to_its_end_without_another_message(only_pushed: Office) -> None:
    told(only_pushed, Office.goodhire, CLEAR, ALERT)
    pull_queue, clock = only_pushed.work.pull_queue, only_pushed.clock
    assert unread.settling(pull_queue, clock.now()) == {}
    clock.advance(QUIET)
    assert unread.settling(pull_queue, clock.now()).keys() == {"settles_at"}
    only_pushed.settle()
    assert unread.settling(pull_queue, clock.now()) == {}


def test_how_long_quiet_has_to_last_is_the_accounts_to_say(tmp_path: Path) -> None:
    slow = tuple(replace(account, polling=False, push_settles_after=7_200.0) for account in ACCOUNTS)
    with opened(tmp_path, slow) as office:
        told(office, Office.goodhire, CLEAR, ALERT)
        quiet(office, 7_000)
        assert check(office)["result"] == "clear"
        quiet(office, 200)
        assert check(office)["result"] == "consider"


def test_a_message_that_comes_within_the_quiet_time_takes_the_place_of_the_one_before(only_pushed: Office) -> None:
    told(only_pushed, Office.goodhire, CLEAR, {"Id": "c1", "Status": "Processing"}, ALERT)
    quiet(only_pushed)
    results = only_pushed.column("select result from star.fact_check_event order by event_seq")
    assert results == ["clear", "consider"]


def test_a_repeated_identical_message_never_counts_as_news(only_pushed: Office) -> None:
    told(only_pushed, Office.hireright, MEETS, MEETS, FAILS, FAILS)
    quiet(only_pushed)
    events = only_pushed.rows("select event_seq, adjudication, observed_at from star.fact_check_event")
    told(only_pushed, Office.hireright, MEETS)
    quiet(only_pushed)
    assert only_pushed.rows("select event_seq, adjudication, observed_at from star.fact_check_event") == events
    assert check(only_pushed)["adjudication"] == "does_not_meet"
    assert unconfirmed(only_pushed) == 1, "a person is told that the two disagree"


def test_what_follows_a_state_that_quiet_has_settled_is_read_as_ever(only_pushed: Office) -> None:
    told(only_pushed, Office.goodhire, CLEAR, {"Id": "c1", "Status": "Processing"})
    quiet(only_pushed)
    told(only_pushed, Office.goodhire, ALERT)
    assert (check(only_pushed)["lifecycle"], check(only_pushed)["result"]) == ("completed", "consider")
    assert (check(only_pushed)["has_conflict"], check(only_pushed)["reopened_count"]) == (False, 1)


def test_parts_that_a_message_of_the_same_state_tells_anew_reach_the_star_after_a_quiet_time(
    only_pushed: Office,
) -> None:
    part = {"name": "Address check", "type": "address-check"}
    at_work: Row = {"id": "c1", "status": "partially-completed", "statusV2": "in-progress"}
    for status in ("pending", "clear"):
        told(only_pushed, Office.zinc, at_work | {"checks": [part | {"status": status}]})
    quiet(only_pushed)
    assert only_pushed.column("select vendor_status from star.fact_check_component") == ["clear"]
    assert (check(only_pushed)["has_conflict"], len(only_pushed.rows("from star.fact_check_event"))) == (False, 1)


LATER: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "a-dispute": (MEETS, MEETS | {"disputeStatus": "Received"}, {"dispute": "open", "is_terminal": False}),
    "a-first-adjudication": (
        {"orderId": "c1", "orderStatus": "Completed"},
        MEETS,
        {"adjudication": "meets", "result": "clear"},
    ),
    "an-adjudication-after-a-pending-one": (
        MEETS | {"adjudicationStatus": "Client Review Required"},
        FAILS,
        {"adjudication": "does_not_meet"},
    ),
    "an-adjudication-that-is-asked-for-after-the-end": (
        {"orderId": "c1", "orderStatus": "Completed"},
        MEETS | {"adjudicationStatus": "Client Review Required"},
        {"adjudication": "pending", "is_terminal": False, "reopened_count": 0},
    ),
    "a-dispute-that-sets-the-order-to-work-again": (
        MEETS,
        {"orderId": "c1", "orderStatus": "InProgress", "disputeStatus": "Received"},
        {"lifecycle": "in_progress", "dispute": "open", "reopened_count": 1},
    ),
    "an-e-verify-case": (
        FORM,
        FORM | {"eVerifyStatus": "IN_PROGRESS"},
        {"lifecycle": "in_progress", "is_terminal": False},
    ),
    "an-e-verify-word-after-one-that-decides-nothing": (
        FORM | {"eVerifyStatus": "IN_PROGRESS"},
        FORM | {"eVerifyStatus": "TNC"},
        {"lifecycle": "awaiting_candidate", "next_actor": "candidate"},
    ),
}


@pytest.mark.parametrize("is_polled", [False, True])
@pytest.mark.parametrize("case", LATER)
def test_what_can_only_come_later_is_applied_at_once(tmp_path: Path, case: str, is_polled: bool) -> None:
    first, second, expected = LATER[case]
    with opened(tmp_path, tuple(replace(account, polling=is_polled) for account in ACCOUNTS)) as office:
        told(office, Office.hireright, first, second)
        assert {name: check(office)[name] for name in expected} == expected
        assert (check(office)["has_conflict"], unconfirmed(office)) == (False, 0)
        pull_queue = office.work.pull_queue.due("hireright", "main", office.clock.now(), is_full=True)
        assert not any(item.is_requested for item in pull_queue)


def test_a_dispute_opened_and_closed_by_pushes_has_its_row_and_its_count(only_pushed: Office) -> None:
    told(only_pushed, Office.hireright, MEETS, *(MEETS | {"disputeStatus": word} for word in ("Received", "Completed")))
    (dispute,) = only_pushed.rows("from star.fact_dispute")
    assert dispute["opened_at"] < dispute["closed_at"]
    assert (check(only_pushed)["reopened_count"], check(only_pushed)["is_terminal"]) == (1, True)
    assert only_pushed.column("select dispute from star.fact_check_event order by event_seq") == [
        "none",
        "open",
        "closed",
    ]


def test_the_beginning_of_a_dispute_that_comes_after_its_end_undoes_nothing(office: Office) -> None:
    told(office, Office.hireright, MEETS, *(MEETS | {"disputeStatus": word} for word in ("Completed", "Received")))
    assert (check(office)["dispute"], check(office)["is_terminal"]) == ("closed", True)


@pytest.mark.parametrize("case", CHANGED)
def test_where_the_account_is_asked_what_takes_something_back_waits_for_one_pull(office: Office, case: str) -> None:
    telling, first, second, expected = CHANGED[case]
    told(office, telling, first, second)
    quiet(office, 2 * QUIET)
    assert not any(check(office)[name] == value for name, value in expected.items())
    slug = check(office)["vendor"]
    (item,) = office.work.pull_queue.due(slug, "main", office.clock.now())
    assert (item.check_id, item.is_requested) == ("c1", True)


def test_a_rebuild_comes_to_the_same_however_much_later_it_is(only_pushed: Office) -> None:
    told(only_pushed, Office.goodhire, CLEAR, ALERT)
    told(only_pushed, Office.hireright, MEETS | {"orderId": "c2"})
    quiet(only_pushed)
    told(only_pushed, Office.hireright, FAILS | {"orderId": "c2"})
    before = {table: only_pushed.rows(f"from {table} order by all") for table in (*FACTS, "staging.unsettled")}
    only_pushed.clock.advance(2 * QUIET)
    work = only_pushed.work
    with open_warehouse(work) as connection:
        rebuild.rebuild(connection, work.landing, part_key=work.part_key)
    after = {table: only_pushed.rows(f"from {table} order by all") for table in before}
    assert after == before
    quiet(only_pushed)
    assert only_pushed.column("select adjudication from star.fact_check where check_id = 'c2'") == ["does_not_meet"]


def test_the_form_id_or_the_order_id_of_a_message_about_an_i9_is_the_forms(only_pushed: Office) -> None:
    for name, status in (("formId", "Sent to Employee"), ("orderId", "Pending Employer"), ("id", "completed")):
        assert only_pushed.hireright({name: "c1", "i9Status": status}) == 200
    only_pushed.settle()
    found = only_pushed.rows("select subject, lifecycle from star.fact_check_event order by event_seq")
    assert found == [
        {"subject": "i9", "lifecycle": lifecycle}
        for lifecycle in ("awaiting_candidate", "awaiting_client", "completed")
    ]
    assert only_pushed.rows("from ops.reject") == []
