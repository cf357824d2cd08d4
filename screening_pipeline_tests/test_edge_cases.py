"""Situations that cross vendors: what arrives late, twice, broken, about somebody else, or about people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from screening_pipeline.warehouse.session import DatabaseError
from screening_pipeline_tests.support.stage import Stage, Stories, Story, at, opened

told = Stories()
stage = told.stage()

ZINC_AT_WORK: dict[str, Any] = {"status": "partially-completed", "statusV2": "in-progress"}
ZINC_WAITING: dict[str, Any] = {"status": "pending", "statusV2": "awaiting-candidate"}


# -- late, twice, out of order -------------------------------------------------------------------------------


@told.story
def test_the_same_push_twice_is_one_event_and_no_new_look(s: Story) -> Iterator[None]:
    s.of("goodhire")
    s.push(Status="Processing", when="09:00")
    s.push(Status="Processing", when="11:00")
    yield
    assert len(s.events()) == 1
    assert s.check()["last_observed_at"] == at("09:00")


@told.story
def test_a_push_that_repeats_what_was_pulled_changes_nothing(s: Story) -> Iterator[None]:
    s.of("zinc")
    s.say(**ZINC_AT_WORK, when="09:00")
    s.push(**ZINC_AT_WORK, when="09:05")
    yield
    assert len(s.events()) == 1
    assert s.check()["last_observed_at"] == at("09:00")


@told.story
def test_pushes_in_the_wrong_order_end_where_the_right_order_ends(s: Story) -> Iterator[None]:
    s.of("workable")
    s.push(status="completed", check={"overall_status": "clear"}, when="09:00")
    s.push(status="consented", when="09:01")
    s.push(status="pending", when="09:02")
    yield
    assert s.lifecycles() == ["completed"]
    assert s.check()["last_observed_at"] == at("09:00")


@told.story
def test_a_push_that_is_ten_days_late_does_not_reopen_a_report(s: Story) -> Iterator[None]:
    s.of("goodhire")
    s.say(Status="Processing", when="09:00")
    s.say(Status="CompletedClear", when="10:00")
    s.push(Status="MissingInput", StatusDetails="AwaitingConsent", when="2026-03-12T09:00Z")
    yield
    check = s.check()
    assert (check["lifecycle"], check["is_terminal"], check["reopened_count"]) == ("completed", True, 0)
    assert check["last_observed_at"] == at("10:00")
    assert s.lifecycles() == ["in_progress", "completed"], "no back-dated event"


@told.story
def test_a_push_about_an_ended_check_asks_for_one_confirming_pull(s: Story) -> Iterator[None]:
    s.of("goodhire")
    s.say(Status="CompletedClear", when="10:00")
    s.push(Status="Processing", when="11:00")
    yield
    assert s.check()["is_terminal"] is True
    (doubt,) = s.stage.rows(f"from staging.open_check where check_id = '{s.check_id}'")
    assert doubt["is_requested"] is True


@told.story
def test_a_confirming_pull_reopens_the_check(s: Story) -> Iterator[None]:
    s.of("goodhire")
    s.say(Status="CompletedClear", when="10:00")
    s.push(Status="Processing", when="11:00")
    s.say(Status="Processing", when="11:01")
    yield
    check = s.check()
    assert (check["is_terminal"], check["reopened_count"], check["reopened_at"]) == (False, 1, at("11:01"))
    (row,) = s.stage.rows(f"from staging.open_check where check_id = '{s.check_id}'")
    assert row["is_requested"] is False


@told.story
def test_a_pull_that_disagrees_with_the_push_settles_it(s: Story) -> Iterator[None]:
    s.of("goodhire")
    s.say(Status="CompletedClear", when="10:00")
    s.push(Status="Processing", when="11:00")
    s.say(Status="CompletedClear", when="11:01")
    yield
    assert (s.check()["is_terminal"], s.check()["reopened_count"]) == (True, 0)
    assert s.stage.rows(f"from staging.open_check where check_id = '{s.check_id}'") == []


@told.story
def test_a_push_that_ends_an_ended_check_otherwise_waits_for_a_pull(s: Story) -> Iterator[None]:
    s.of("goodhire")
    s.say(Status="CompletedClear", when="10:00")
    s.push(Status="CompletedAlert", when="11:00")
    yield
    assert s.check()["result"] == "clear"
    (doubt,) = s.stage.rows(f"from staging.open_check where check_id = '{s.check_id}'")
    assert doubt["is_requested"] is True


@told.story
def test_a_push_that_repeats_an_old_state_of_an_ended_check_asks_too(s: Story) -> Iterator[None]:
    s.of("goodhire")
    s.push(Status="Processing", when="09:00")
    s.push(Status="CompletedClear", when="10:00")
    s.push(Status="Processing", when="11:00")
    yield
    assert s.check()["is_terminal"] is True
    (doubt,) = s.stage.rows(f"from staging.open_check where check_id = '{s.check_id}'")
    assert doubt["is_requested"] is True


@told.story
def test_a_late_copy_of_the_first_completion_does_not_end_a_reopened_check(s: Story) -> Iterator[None]:
    s.of("goodhire")
    s.say(Status="CompletedClear", when="09:00")
    s.say(Status="Processing", when="10:00")
    s.push(Status="CompletedClear", when="11:00")
    yield
    assert (s.check()["lifecycle"], s.check()["is_terminal"]) == ("in_progress", False)


@told.story
def test_a_late_copy_of_an_earlier_state_does_not_undo_a_fallback(s: Story) -> Iterator[None]:
    s.of("zinc")
    s.say(**ZINC_AT_WORK, when="09:00")
    s.say(**ZINC_WAITING, when="10:00")
    s.push(**ZINC_AT_WORK, when="11:00")
    yield
    assert s.check()["lifecycle"] == "awaiting_candidate"


@told.story
def test_a_push_may_move_a_check_forward(s: Story) -> Iterator[None]:
    s.of("zinc")
    s.say(**ZINC_WAITING, when="09:00")
    s.push(**ZINC_AT_WORK, when="10:00")
    s.push(status="completed", statusV2="all-clear", result="clear", when="11:00")
    yield
    assert s.lifecycles() == ["awaiting_candidate", "in_progress", "completed"]


@told.story
def test_a_pushed_end_after_another_end_is_a_conflict_and_no_end(s: Story) -> Iterator[None]:
    s.of("workable")
    s.push(status="consented", when="09:00")
    s.push(status="completed", check={"overall_status": "clear"}, when="10:00")
    s.push(status="expired", when="11:00")
    yield
    assert (s.check()["lifecycle"], s.check()["has_conflict"]) == ("completed", False)
    assert s.conflicts() == {"second_end"}


@told.story
def test_a_dated_push_is_taken_by_its_date(s: Story) -> Iterator[None]:
    s.of("hireright")
    s.say(orderStatus="Pending Requestor", when="10:00")
    s.push(orderStatus="InProgress", statusDate="2026-03-02T09:00:00Z", when="11:00")
    s.push(orderStatus="InProgress", statusDate="2026-03-02T10:30:00Z", when="11:05")
    yield
    assert s.lifecycles() == ["awaiting_client", "in_progress"]
    assert s.events()[-1]["occurred_at"] == at("10:30")


@told.story
def test_an_undated_push_is_not_taken_as_of_its_arrival(s: Story) -> Iterator[None]:
    s.of("hireright")
    s.say(orderStatus="InProgress", when="10:00")
    s.push(orderStatus="Sent to Applicant", when="11:00")
    yield
    assert s.lifecycles() == ["in_progress"]


@told.story
def test_a_message_of_the_feed_and_its_push_are_one_event(s: Story) -> Iterator[None]:
    s.of("hireright")
    message: dict[str, Any] = {"orderStatus": "InProgress", "statusDate": "2026-03-02T08:00:00Z"}
    s.push(**message, when="09:00")
    s.feed(message, when="10:00")
    yield
    assert len(s.events()) == 1
    assert s.check()["last_observed_at"] == at("09:00")


@told.story
def test_answers_of_one_instant_are_taken_in_the_order_of_their_receipt(s: Story) -> Iterator[None]:
    s.of("goodhire")
    s.say(Status="Processing", when="09:00")
    s.say(Status="MissingInput", when="09:00")
    yield
    assert s.lifecycles() == ["in_progress", "awaiting_candidate"]


@told.story
def test_another_way_to_have_ended_well_is_no_new_end(s: Story) -> Iterator[None]:
    s.of("goodhire")
    s.say(Status="CompletedClear", when="09:00")
    s.say(Status="CompletedAlert", when="10:00")
    yield
    check = s.check()
    assert (check["result"], check["closed_at"], check["reopened_count"]) == ("consider", at("09:00"), 0)
    assert s.conflicts() == set()


# -- answers that are not believed ---------------------------------------------------------------------------

BROKEN = {
    "an-html-page": (b"<html><body>Please log in</body></html>", "html"),
    "an-empty-body": (b"", "empty"),
    "half-a-body": (b'{"Id": "x", "Status": "Compl', "truncated"),
    "no-json": (b"OK", "not_json"),
    "a-key-twice": (b'{"Id": "x", "Status": "CompletedClear", "Status": "CompletedAlert"}', "duplicate_key"),
    "an-error-object": (
        b'{"StatusCode": "BadRequest", "StatusMessage": "Employer creation errors"}',
        "error_body",
    ),
    "no-status": (b'{"Id": "x", "ReportViewerUrl": "https://viewer.example"}', "missing_status"),
    "a-number-as-status": (b'{"Id": "x", "Status": 7}', "wrong_type"),
    "no-id": (b'{"Status": "CompletedClear"}', "missing_id"),
    "a-list": (b"[]", "not_an_object"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_answer_is_a_reject_and_never_a_state(stage_of_rejects: Stage, case: str) -> None:
    s = stage_of_rejects.story(case).of("goodhire")
    assert s.rejects() == [BROKEN[case][1]]
    assert s.lifecycles() == ["in_progress"]
    assert s.pulls() == ["changed", "rejected"]


@pytest.fixture(scope="module")
def stage_of_rejects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with opened(tmp_path_factory) as broken:
        for case, (body, _) in BROKEN.items():
            s = broken.story(case).of("goodhire")
            s.say(Status="Processing")
            s.say(body)
        broken.settle()
        yield broken


@told.story
def test_an_answer_about_another_report_is_refused(s: Story) -> Iterator[None]:
    s.of("goodhire").say({"Id": "283397e8-of-somebody-else", "Status": "CompletedClear"})
    yield
    assert s.rejects() == ["id_mismatch"]
    assert s.events() == []
    others = s.stage.rows("from star.fact_check where check_id = '283397e8-of-somebody-else'")
    assert others == [], "and nobody else learns from it"


@told.story
def test_an_error_number_of_the_vendor_is_no_state(s: Story) -> Iterator[None]:
    s.of("zinc").say({"statusCode": 703, "message": "no such request"})
    yield
    assert s.rejects() == ["error_body"]


@told.story
def test_a_failure_says_nothing_about_the_check(s: Story) -> Iterator[None]:
    s.of("goodhire")
    s.say(Status="Processing", when="09:00")
    for http_status in (404, 500, 403, 429):
        s.say({"StatusCode": "Trouble"}, http_status=http_status)
    yield
    assert s.lifecycles() == ["in_progress"]
    assert s.check()["last_observed_at"] == at("09:00")
    assert s.pulls() == ["changed", "failed", "failed", "failed", "throttled"]
    assert s.rejects() == []


@told.story
def test_one_bad_message_of_a_feed_does_not_cost_the_good_ones(s: Story) -> Iterator[None]:
    s.of("hireright")
    s.feed(
        {"orderStatus": "InProgress"},
        {"orderId": f"{s.check_id}-2", "status": 5},
        {"orderStatus": "Completed"},
    )
    yield
    assert s.lifecycles() == ["in_progress", "completed"]
    found = s.stage.rows(
        "select message_index, reason from ops.reject where source = 'message' and response_id in "
        f"(select response_id from star.fact_check_event where check_id = '{s.check_id}')"
    )
    assert found == [{"message_index": 2, "reason": "wrong_type"}]


# -- identity ------------------------------------------------------------------------------------------------

IDS = {
    "leading zeros": "000123",
    "digits beyond any integer": "12345678901234567890123",
    "not really a UUID": "def2d21d-0f00-4a11-a4fg-3f0c00000000",
    "upper case": "AbC",
    "lower case": "abc",
    "a blank inside": "A 1",
    "quotes": "o'brien\"x",
    "not ASCII": "größe-１２",
}


@pytest.fixture(scope="module")
def stage_of_ids(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with opened(tmp_path_factory) as odd:
        for check_id in IDS.values():
            s = odd.story(check_id).of("hireright")
            s.order(ordered_at="2026-03-02T08:00Z")
            s.feed({"orderStatus": "InProgress"})
        s = odd.story("2044922").of("hireright")
        s.feed({"orderId": 2044922, "orderStatus": "Sent to Applicant"})
        s.say(orderStatus="InProgress")
        odd.settle()
        yield odd


@pytest.mark.parametrize("kind", IDS)
def test_an_id_is_text_to_the_letter(stage_of_ids: Stage, kind: str) -> None:
    s = stage_of_ids.story(IDS[kind]).of("hireright")
    assert (s.check()["check_id"], s.lifecycles()) == (IDS[kind], ["in_progress"])
    assert s.check()["ordered_at"] == at("08:00"), "order and message meet"


def test_a_number_and_the_same_digits_as_text_are_one_id(stage_of_ids: Stage) -> None:
    s = stage_of_ids.story("2044922").of("hireright")
    assert s.lifecycles() == ["awaiting_candidate", "in_progress"]


@told.story
def test_one_person_at_two_vendors_is_one_candidate_with_two_checks(s: Story) -> Iterator[None]:
    for slug in ("goodhire", "workable"):
        s.of(slug).order(candidate_ref="employee-17", ordered_at="2026-03-02T08:00Z")
    s.of("goodhire").say(Status="CompletedClear")
    s.of("workable").say(status="consented")
    yield
    first, second = s.of("goodhire").check(), s.of("workable").check()
    assert first["candidate_key"] == second["candidate_key"]
    assert first["candidate_key"] not in (None, "employee-17")
    assert (first["lifecycle"], second["lifecycle"]) == ("completed", "in_progress"), "no merging across vendors"


@told.story
def test_two_checks_of_one_person_keep_their_own_dates_and_results(s: Story) -> Iterator[None]:
    s.of("goodhire").order(candidate_ref="employee-18", ordered_at="2025-03-02T08:00Z", package="old")
    s.say(Status="CompletedAlert", when="2025-03-03T08:00Z")
    s.check_id += "-again"
    s.order(candidate_ref="employee-18", ordered_at="2026-03-02T08:00Z", package="new")
    s.say(Status="CompletedClear", when="2026-03-03T08:00Z")
    yield
    key = s.check()["candidate_key"]
    found = s.stage.rows(
        f"select package, result, completed_at from star.fact_check where candidate_key = '{key}' order by ordered_at"
    )
    assert found == [
        {"package": "old", "result": "consider", "completed_at": at("2025-03-03T08:00+00:00")},
        {"package": "new", "result": "clear", "completed_at": at("2026-03-03T08:00+00:00")},
    ]


@told.story
def test_orders_that_contradict_each_other_keep_the_first_and_are_listed(s: Story) -> Iterator[None]:
    s.of("goodhire")
    s.order(package="basic", ordered_at="2026-03-02T08:00Z")
    s.order(package="premium", country="US")
    s.say(Status="Processing")
    yield
    check = s.check()
    assert (check["package"], check["country"]) == ("basic", "US"), "the rest of the second is taken"
    assert s.conflicts() == {"order.package"}
    assert check["has_conflict"] is False, "that is about orders, not about what the vendor says"


@told.story
def test_accounts_are_apart_and_have_their_environment(s: Story) -> Iterator[None]:
    s.of("hireright").say(orderStatus="InProgress")
    s.of("hireright", account="judged").say(orderStatus="Completed")
    yield
    assert (s.check()["lifecycle"], s.check()["environment"]) == ("completed", "production")
    s.account = "main"
    assert s.check()["lifecycle"] == "in_progress"


# -- people --------------------------------------------------------------------------------------------------


@told.story
def test_a_persons_details_reach_no_table_and_the_forbidden_ones_no_file(s: Story) -> Iterator[None]:
    candidate = {
        "FirstName": "Zebulon",
        "LastName": "Quackenbush",
        "DateOfBirth": "07/23/1975",
        "SSN": "900-45-6789",
        "Address": "123 Easy St",
    }
    s.of("goodhire").say(Candidate=candidate, Status="Processing")
    yield
    s.stage.connection.execute("checkpoint")
    for schema, table in s.stage.connection.execute(
        "select schema_name, table_name from duckdb_tables() where not internal and not temporary"
    ).fetchall():
        text = str(s.stage.rows(f'from {schema}."{table}"'))
        for word in ("Zebulon", "Quackenbush", "07/23/1975", "900-45-6789", "Easy St"):
            assert word not in text, f"{word} in {schema}.{table}"
    landed = b"".join((s.stage.landing.root / file).read_bytes() for file in s.stage.landing.files("goodhire"))
    for secret in (b"07/23/1975", b"900-45-6789", b"Easy St"):
        assert secret not in landed


@told.story
def test_report_data_stays_in_the_raw_answer(s: Story) -> Iterator[None]:
    s.of("goodhire").say(Status="Processing", ReportData={"Sections": [{"Name": "SSN Trace", "Person": "Ignatius"}]})
    yield
    assert s.components() == []
    assert "Ignatius" not in str(s.stage.rows("from staging.observation"))


# -- meaning over time ---------------------------------------------------------------------------------------


def test_a_word_that_changed_its_meaning_is_read_as_of_its_day(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with opened(tmp_path_factory) as changed:
        changed.connection.execute(
            "update star.dim_vendor_status set valid_to = '2026-03-05' "
            "where vendor = 'workable' and value in ('consented', 'clear');"
            "insert into star.dim_vendor_status by name select * replace ("
            "    'paused' as lifecycle, 'client' as next_actor, date '2026-03-05' as valid_from, "
            "    date '9999-12-31' as valid_to) "
            "from star.dim_vendor_status where vendor = 'workable' and value = 'consented';"
            "insert into star.dim_vendor_status by name select * replace ("
            "    'consider' as result, date '2026-03-05' as valid_from, date '9999-12-31' as valid_to) "
            "from star.dim_vendor_status where vendor = 'workable' and value = 'clear' and field <> 'result';"
            "update staging.trait set boundaries = [date '0001-01-01', date '2026-03-05'] "
            "where vendor = 'workable'"
        )
        s = changed.story("drifting").of("workable")
        s.say(status="consented", when="2026-03-04T09:00Z")
        s.say(status="consented", when="2026-03-05T09:00Z")
        s.say(status="completed", check={"result": {"mvr": "clear"}}, when="2026-03-06T09:00Z")
        earlier = changed.story("earlier").of("workable")
        earlier.say(status="completed", check={"result": {"mvr": "clear"}}, when="2026-03-04T09:00Z")
        changed.settle()
        assert s.lifecycles() == ["in_progress", "paused", "completed"]
        assert [(p["vendor_status"], p["result"]) for p in earlier.components()] == [("clear", "clear")]
        assert [(p["vendor_status"], p["result"]) for p in s.components()] == [("clear", "consider")]


def test_what_was_landed_is_read_later_when_reading_fails(tmp_path_factory: pytest.TempPathFactory) -> None:
    with opened(tmp_path_factory) as failing:
        s = failing.story("landed").of("goodhire")
        s.say(Status="Processing")
        failing.connection.execute("alter table staging.trait rename to trait_gone")
        with pytest.raises(DatabaseError):
            failing.settle()
        failing.connection.execute("alter table staging.trait_gone rename to trait")
        failing.settle()
        assert s.lifecycles() == ["in_progress"]
        assert s.pulls() == ["changed"]


# -- the list of situations ----------------------------------------------------------------------------------

PAGE = Path(__file__).parent.parent / "docs" / "edge-cases.md"


def test_the_page_of_situations_names_cases_that_exist() -> None:
    cases = {f"{path.parent.name}/{path.name}" for path in Path(__file__).parent.glob("sql/*/*")}
    named = set(re.findall(r"`([a-z]+\.\w+/\w+)`", PAGE.read_text(encoding="utf-8")))
    assert named
    assert named <= cases


def test_every_situation_of_the_page_has_a_test() -> None:
    rows = [line.split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| \d", line)]
    assert [int(row[1]) for row in rows] == list(range(1, len(rows) + 1))
    assert all(re.search(r"`(test_|\w+\.\w+/)", row[3]) for row in rows)
