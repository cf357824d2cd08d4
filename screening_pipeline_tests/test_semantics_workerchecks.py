from __future__ import annotations

from collections.abc import Iterator

from screening_pipeline_tests.support.stage import DONE, OPEN, Saying, Stories, Story, at

told = Stories()
stage = told.stage()

RELEASED = "2026-03-02T19:30:00+11:00"

WORDS = {
    "Pending": Saying(status="Pending", result=None).means(
        "awaiting_candidate", "none", "not_exposed", "none", "candidate", OPEN
    ),
    "In-Progress": Saying(status="In Progress", result=None).means(
        "in_progress", "none", "not_exposed", "none", "vendor", OPEN
    ),
    "Completed-Clear": Saying(status="Completed", result="Clear", releaseDate=RELEASED).means(
        "completed", "clear", "not_exposed", "none", "none", DONE
    ),
    "Completed-Clear-without-release-date": Saying(status="Completed", result="Clear").means(
        "completed", "clear", "not_exposed", "none", "none", DONE
    ),
    "Completed-Attention-Required": Saying(status="Completed", result="Attention Required").means(
        "completed", "consider", "not_exposed", "none", "client", DONE
    ),
    "Completed-Refer": Saying(status="Completed", result="Refer", releaseDate=None)
    .means("completed", "referred", "not_exposed", "none", "vendor", OPEN)
    .but(completed_at=None, turnaround_excluded_reason=None),
    "Completed-Refer-released": Saying(status="Completed", result="Refer", releaseDate=RELEASED).means(
        "completed", "referred", "not_exposed", "none", "client", DONE
    ),
    "Completed-without-result": Saying(status="Completed", result=None)
    .means("in_progress", "none", "not_exposed", "none", "vendor", OPEN)
    .but(has_conflict=True, completed_at=None),
    "Cancelled": Saying(status="Cancelled", result=None).means("canceled", "none", "not_exposed", "none", "none", DONE),
    "result-before-completion": Saying(status="In Progress", result="Clear")
    .means("in_progress", "none", "not_exposed", "none", "vendor", OPEN)
    .but(has_conflict=True, vendor_result="Clear"),
    "unknown-status": Saying(status="InProgress", result="Clear")
    .means("unknown", "unknown", "not_exposed", "none", "unknown", OPEN)
    .lists(status="InProgress"),
    "american-spelling": Saying(status="Canceled")
    .means("unknown", "unknown", "not_exposed", "none", "unknown", OPEN)
    .lists(status="Canceled"),
    "unknown-result": Saying(status="Completed", result="Referred")
    .means("completed", "unknown", "not_exposed", "none", "unknown", OPEN)
    .lists(result="Referred"),
    "release-date-nobody-can-read": Saying(status="Completed", result="Refer", releaseDate="02/03/2026")
    .means("completed", "referred", "not_exposed", "none", "vendor", OPEN)
    .lists(vendor_time="99/99/9999"),
}
test_every_word_has_its_meaning = told.readings("workerchecks", WORDS)


@told.story
def test_a_referred_check_is_open_until_it_is_released(s: Story) -> Iterator[None]:
    s.of("workerchecks").order(ordered_at="2026-03-02T08:00Z")
    s.say(status="In Progress", when="08:10")
    s.say(status="Completed", result="Refer", when="09:00")
    s.say(status="Completed", result="Refer", releaseDate="2026-03-02T20:30:00+11:00", when="10:00")
    yield
    assert [(e["is_terminal"], e["next_actor"]) for e in s.events()] == [
        (False, "vendor"),
        (False, "vendor"),
        (True, "client"),
    ]
    check = s.check()
    assert (check["completed_at"], check["completed_at_source"]) == (at("09:30"), "vendor")
    assert (check["closed_at"], check["turnaround_seconds"]) == (at("10:00"), 5400)


@told.story
def test_a_referred_check_that_turns_out_clear_is_complete_then(s: Story) -> Iterator[None]:
    s.of("workerchecks").order(ordered_at="2026-03-02T08:00Z")
    s.say(status="Completed", result="Refer", when="09:00")
    s.say(status="Completed", result="Clear", when="11:00")
    yield
    check = s.check()
    assert (check["completed_at"], check["completed_at_earliest"]) == (at("11:00"), at("09:00"))
    assert check["turnaround_excluded_reason"] is None


@told.story
def test_a_result_that_lags_behind_completion_is_waited_for(s: Story) -> Iterator[None]:
    s.of("workerchecks").order(ordered_at="2026-03-02T08:00Z")
    s.say(status="Completed", result=None, when="09:00")
    s.say(status="Completed", result="Clear", when="09:01")
    yield
    check = s.check()
    assert (check["has_conflict"], s.conflicts()) == (False, {"completed_without_result"})
    assert (check["completed_at"], check["completed_at_earliest"]) == (at("09:01"), at("09:00"))


@told.story
def test_an_id_of_zeros_and_digits_stays_text(s: Story) -> Iterator[None]:
    s.check_id = "000123"
    s.of("workerchecks").say(status="Pending")
    yield
    assert s.check()["check_id"] == "000123"


@told.story
def test_a_link_loses_the_name_and_password_in_it(s: Story) -> Iterator[None]:
    s.of("workerchecks").say(
        status="Completed", result="Clear", certificateUrl="https://me:secret@files.example/c/@1.pdf?sig=a@b#c@d"
    )
    yield
    assert s.check()["report_url"] == "https://files.example/c/@1.pdf"


@told.story
def test_the_certificate_link_loses_its_query(s: Story) -> Iterator[None]:
    s.of("workerchecks").say(
        status="Completed", result="Clear", certificateUrl="https://files.example/c/1.pdf?sig=secret"
    )
    yield
    assert s.check()["report_url"] == "https://files.example/c/1.pdf"
