"""Checkr: what its words mean, how a report goes on after its end, and what a thin push asks for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from screening_pipeline_tests.support.stage import DONE, OPEN, Row, Saying, Stories, Story, at

told = Stories()
stage = told.stage()

CLEAR: dict[str, Any] = {"status": "complete", "result": "clear", "completed_at": "2026-03-02T08:30:00Z"}
CONSIDER: dict[str, Any] = CLEAR | {"result": "consider"}


def part(kind: str, status: str, result: str | None = None) -> dict[str, list[dict[str, Any]]]:
    return {kind: [{"id": "1", "status": status, "result": result}]}


WORDS = {
    "pending": Saying(status="pending").means("in_progress", "none", "not_expected", "none", "vendor", OPEN),
    "suspended": Saying(status="suspended").means(
        "awaiting_candidate", "none", "not_expected", "none", "candidate", OPEN
    ),
    "paused": Saying(status="paused").means("review_required", "none", "not_expected", "none", "client", OPEN),
    "canceled": Saying(status="canceled").means("canceled", "none", "not_expected", "none", "none", DONE),
    "clear": Saying(**CLEAR).means("completed", "clear", "not_expected", "none", "none", DONE),
    "engaged": Saying(**CONSIDER, adjudication="engaged").means("completed", "consider", "meets", "none", "none", DONE),
    "pre-adverse": Saying(**CONSIDER, adjudication="pre_adverse_action").means(
        "completed", "consider", "pre_adverse", "none", "client", OPEN
    ),
    "post-adverse": Saying(**CONSIDER, adjudication="post_adverse_action").means(
        "completed", "consider", "final_adverse", "none", "none", DONE
    ),
    "dispute": Saying(**(CONSIDER | {"status": "dispute"}), adjudication="engaged").means(
        "completed", "consider", "meets", "open", "vendor", OPEN
    ),
    "clear-of-old": Saying(status="clear").means("completed", "clear", "not_expected", "none", "none", DONE),
    "some-were-canceled": Saying(**CLEAR, **part("county_criminal_searches", "canceled"))
    .means("completed", "clear", "not_expected", "none", "none", DONE)
    .but(is_partial=True),
    "some-were-canceled-says-the-flag": Saying(**CLEAR, includes_canceled=True)
    .means("completed", "clear", "not_expected", "none", "none", DONE)
    .but(is_partial=True),
    "a-part-to-consider": Saying(**CLEAR, **part("county_criminal_searches", "complete", "consider"))
    .means("completed", "consider", "pending", "none", "client", OPEN)
    .but(has_conflict=True, result_source="derived_from_components", adjudication="not_expected", is_terminal=DONE),
    "an-unknown-status": Saying(status="archived")
    .means("unknown", "unknown", "not_expected", "none", "unknown", OPEN)
    .lists(status="archived"),
    "an-unknown-decision": Saying(**CONSIDER, adjudication="waived")
    .means("completed", "consider", "pending", "none", "client", OPEN)
    .lists(adjudication="waived"),
    "an-unknown-part": Saying(**CLEAR, **part("facis_search", "expunged"))
    .means("completed", "clear", "not_expected", "none", "none", DONE)
    .lists(component_status="expunged"),
}
test_every_word_has_its_meaning = told.readings("checkr", WORDS)


CONTINUOUS_CHECKS = {
    "criminal": Saying(type="criminal").means("in_progress", "none", "not_expected", "none", "none", OPEN),
    "mvr": Saying(type="mvr").means("in_progress", "none", "not_expected", "none", "none", OPEN),
    "a-kind-nobody-knows": Saying(type="crimina")
    .means("unknown", "unknown", "not_expected", "none", "unknown", OPEN)
    .lists(status="crimina", is_active=""),
}
test_a_continuous_check_runs_if_its_kind_is_known = told.readings(
    "checkr", CONTINUOUS_CHECKS, subject="continuous_check"
)


@told.story
def test_a_dispute_opens_what_was_done_and_ends_with_the_word_it_had_before(s: Story) -> Iterator[None]:
    s.of("checkr").order(ordered_at="2026-03-01T08:00Z")
    s.say(**CLEAR, when="09:00")
    s.say(**(CLEAR | {"status": "dispute"}), when="10:00")
    s.say(**CLEAR, revised_at="2026-03-02T10:30:00Z", when="11:00")
    yield
    check = s.check()
    assert (check["lifecycle"], check["dispute"], check["is_terminal"]) == ("completed", "none", True)
    assert (check["reopened_count"], check["completed_at"]) == (1, at("08:30"))
    assert [(row["opened_at"], row["closed_at"]) for row in s.disputes()] == [(at("10:00"), at("11:00"))]


@told.story
def test_the_adverse_action_is_told_step_by_step(s: Story) -> Iterator[None]:
    s.of("checkr").order(ordered_at="2026-03-01T08:00Z")
    s.say(**CONSIDER, when="09:00")
    s.say(**CONSIDER, adjudication="pre_adverse_action", when="10:00")
    s.say(**CONSIDER, adjudication="post_adverse_action", when="11:00")
    yield
    steps = [(event["adjudication"], event["next_actor"]) for event in s.events()]
    assert steps[-2:] == [("pre_adverse", "client"), ("final_adverse", "none")]
    assert (s.check()["adjudicated_at"], s.check()["closed_at"]) == (at("11:00"), at("11:00"))


@told.story
def test_an_upgrade_goes_on_with_a_report_that_was_done(s: Story) -> Iterator[None]:
    s.of("checkr").order(ordered_at="2026-03-01T08:00Z")
    s.say(**CLEAR, when="09:00")
    s.say(status="pending", upgraded_at="2026-03-02T10:00:00Z", when="10:00")
    yield
    assert s.lifecycles() == ["completed", "in_progress"]
    assert (s.check()["reopened_count"], s.check()["turnaround_seconds"]) == (1, None)


@told.story
def test_of_two_upgrades_the_last_is_the_last_change(s: Story) -> Iterator[None]:
    s.of("checkr").order(ordered_at="2026-03-01T08:00Z")
    for done, again in (("09:00", "10:00"), ("11:00", "12:00")):
        s.say(**CLEAR, when=done)
        s.say(status="pending", when=again)
    yield
    check = s.check()
    assert (check["reopened_count"], check["reopened_at"], check["last_changed_at"]) == (2, at("12:00"), at("12:00"))


@told.story
def test_what_is_decided_after_the_end_is_nobody_s_time_of_the_screening(s: Story) -> Iterator[None]:
    s.of("checkr").order(ordered_at="2026-03-02T08:00Z")
    s.say(status="pending", when="08:10")
    s.say(**CONSIDER, when="09:00")
    s.say(**CONSIDER, adjudication="engaged", when="15:00")
    yield
    phases = s.stage.rows(f"from analytics.check_phase where check_key = {s.check()['check_key']}")
    assert max(row["seconds_most"] for row in phases) == 1800


@told.story
def test_an_order_of_the_day_after_tomorrow_has_no_time(s: Story) -> Iterator[None]:
    s.of("checkr").order()
    s.say(status="pending", created_at="2026-03-03T15:00:00Z", when="09:00")
    yield
    assert s.check()["ordered_at"] is None


@told.story
def test_a_push_is_an_answer_about_its_check(s: Story) -> Iterator[None]:
    s.of("checkr").order(ordered_at="2026-03-01T08:00Z")
    s.push(event(s, object="report", status="pending"), when="09:00")
    yield
    answers = s.stage.rows(f"select check_key from staging.response where check_key = {s.check()['check_key']}")
    assert len(answers) == 1


@told.story
def test_what_the_vendor_counts_and_estimates_stands_beside_ours(s: Story) -> Iterator[None]:
    s.of("checkr").order(ordered_at="2026-03-02T08:00Z")
    s.say(status="pending", estimated_completion_time="2026-03-04T00:00:00Z", when="08:05")
    s.say(status="pending", estimated_completion_time="2026-03-03T23:00:00Z", when="08:15")
    s.say(**CLEAR, turnaround_time=52, assessment="eligible", when="09:00")
    yield
    check = s.check()
    assert (check["turnaround_seconds"], check["vendor_turnaround_seconds"]) == (1800, 52)
    assert (check["vendor_assessment"], check["vendor_estimated_on"]) == ("eligible", date(2026, 3, 3))
    assert [(row["vendor_estimated_on"], row["first_observed_at"]) for row in _estimates(s)] == [
        (date(2026, 3, 3), at("08:15")),
        (date(2026, 3, 4), at("08:05")),
    ]


def _estimates(s: Story) -> list[Row]:
    return s.stage.rows(f"from star.fact_vendor_estimate where check_id = '{s.check_id}' order by vendor_estimated_on")


def event(s: Story, **about: Any) -> dict[str, Any]:
    return {"object": "event", "type": "report.updated", "data": {"object": {"id": s.check_id, **about}}}


@told.story
def test_a_full_push_is_read_and_its_check_is_done(s: Story) -> Iterator[None]:
    s.of("checkr").order(ordered_at="2026-03-02T08:00Z")
    s.say(status="pending", when="09:00")
    s.push(event(s, object="report", **CLEAR), when="10:00")
    yield
    assert (s.check()["lifecycle"], s.check()["is_terminal"]) == ("completed", True)
    assert _asked(s) == []


def _asked(s: Story) -> list[bool]:
    """Whether one pull is wanted at once, of those that may be asked for."""
    rows = s.stage.rows(f"select is_requested from staging.open_check where check_id = '{s.check_id}'")
    return [row["is_requested"] for row in rows]


@told.story
def test_a_thin_push_changes_nothing_and_asks_for_one_pull(s: Story) -> Iterator[None]:
    s.of("checkr").order(ordered_at="2026-03-02T08:00Z")
    s.say(status="pending", when="09:00")
    s.push(event(s, object="report", uri="/v1/reports/x"), when="10:00")
    yield
    assert s.lifecycles() == ["in_progress"]
    assert _asked(s) == [True]


@told.story
def test_a_thin_push_about_a_check_that_is_done_asks_for_it_once_more(s: Story) -> Iterator[None]:
    s.of("checkr").order(ordered_at="2026-03-02T08:00Z")
    s.say(**CLEAR, when="09:00")
    s.push(event(s, object="report"), when="10:00")
    yield
    assert s.check()["is_terminal"]
    assert _asked(s) == [True]


@told.story
def test_a_thin_push_that_a_pull_has_answered_asks_for_nothing(s: Story) -> Iterator[None]:
    s.of("checkr").order(ordered_at="2026-03-02T08:00Z")
    s.push(event(s, object="report"), when="09:00")
    s.say(**CLEAR, when="10:00")
    yield
    assert _asked(s) == []


@told.story
def test_screenings_of_one_kind_keep_their_places_whatever_order_they_are_told_in(s: Story) -> Iterator[None]:
    s.of("checkr").order(ordered_at="2026-03-02T08:00Z")
    first, second = {"id": "a1", "status": "pending"}, {"id": "b2", "status": "complete", "result": "clear"}
    s.say(status="pending", county_criminal_searches=[first, second], when="09:00")
    s.say(status="pending", county_criminal_searches={"object": "list", "data": [second, first]}, when="10:00")
    yield
    assert [(row["component_name"], row["vendor_status"], row["completed_at"]) for row in s.components()] == [
        ("county_criminal_search", "pending", None),
        ("county_criminal_search 2", "clear", at("09:00")),
    ]


@told.story
def test_nothing_of_a_person_but_ids_is_kept(s: Story) -> Iterator[None]:
    s.of("checkr").order(ordered_at="2026-03-02T08:00Z")
    person = {
        "first_name": "Canaria",
        "last_name": "Canaria",
        "email": "canaria@example.invalid",
        "phone": "Canaria",
        "ssn": "XXX-XX-Canaria",
        "dob": "Canaria",
        "zipcode": "Canaria",
        "driver_license_number": "Canaria",
        "driver_license_state": "Canaria",
        "previous_driver_license_number": "Canaria",
    }
    records = [{"full_name": "Canaria", "charges": [{"charge": "Canaria"}]}]
    history = {"id": "1", "status": "complete", "addresses": [{"street": "Canaria"}], "records": records}
    licence = {"id": "2", "status": "complete", "license_number": "Canaria", "license_state": "Canaria"}
    s.say(**CLEAR, candidate=person, ssn_trace=history, motor_vehicle_report=licence, when="09:00")
    s.push(event(s, object="candidate", **person), when="10:00")
    yield
    landed = b"".join(path.read_bytes() for path in s.stage.landing.root.rglob("*.ndjson"))
    assert b"canaria" not in landed.lower()
    assert s.check()["lifecycle"] == "completed"
