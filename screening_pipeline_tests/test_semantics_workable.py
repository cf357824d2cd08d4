from __future__ import annotations

from collections.abc import Iterator

from screening_pipeline_tests.support.stage import DONE, OPEN, Saying, Stories, Story, at

told = Stories()
stage = told.stage()

WORDS = {
    "pending": Saying(status="pending").means("awaiting_candidate", "none", "not_exposed", "none", "candidate", OPEN),
    "consented": Saying(status="consented").means("in_progress", "none", "not_exposed", "none", "vendor", OPEN),
    "declined": Saying(status="declined").means("declined", "none", "not_exposed", "none", "none", DONE),
    "expired": Saying(status="expired").means("expired", "none", "not_exposed", "none", "none", DONE),
    "completed-clear": Saying(status="completed", check={"overall_status": "clear"})
    .means("completed", "clear", "not_exposed", "none", "none", DONE)
    .but(vendor_result="clear", result_source="vendor"),
    "completed-consider": Saying(status="completed", check={"overall_status": "consider"}).means(
        "completed", "consider", "not_exposed", "none", "client", DONE
    ),
    "completed-without-check": Saying(status="completed", results_url="https://report.example/1").means(
        "completed", "unknown", "not_exposed", "none", "none", DONE
    ),
    "completed-with-an-empty-check": Saying(status="completed", check={}).means(
        "completed", "unknown", "not_exposed", "none", "none", DONE
    ),
    "completed-with-no-parts": Saying(status="completed", check={"result": []}).means(
        "completed", "unknown", "not_exposed", "none", "none", DONE
    ),
    # three shapes of check.result
    "parts-as-a-list": Saying(
        status="completed",
        check={
            "overall_status": "consider",
            "result": [{"name": "mvr", "status": "clear"}, {"name": "education", "status": "consider"}],
        },
    ).means("completed", "consider", "not_exposed", "none", "client", DONE),
    "parts-as-words": Saying(
        status="completed",
        check={"overall_status": "clear", "result": {"mvr": "clear", "education": "clear"}},
    ).means("completed", "clear", "not_exposed", "none", "none", DONE),
    "parts-as-objects": Saying(
        status="completed",
        check={"overall_status": "clear", "result": {"mvr": {"status": "clear", "date": "2026-03-02"}}},
    ).means("completed", "clear", "not_exposed", "none", "none", DONE),
    # no overall word: the worst part counts
    "worst-part-is-clear": Saying(status="completed", check={"result": {"mvr": "clear", "education": "clear"}})
    .means("completed", "clear", "not_exposed", "none", "none", DONE)
    .but(result_source="derived_from_components", vendor_result=None),
    "worst-part-is-consider": Saying(
        status="completed", check={"result": {"mvr": "clear", "education": {"status": "consider"}}}
    )
    .means("completed", "consider", "not_exposed", "none", "client", DONE)
    .but(result_source="derived_from_components"),
    # What is no word of the contract is detail, whatever a provider puts there.
    "a-value-that-is-no-known-word-is-detail": Saying(
        status="completed", check={"result": {"mvr": "clear", "education": "verified"}}
    )
    .means("completed", "clear", "not_exposed", "none", "none", DONE)
    .but(result_source="derived_from_components"),
    "no-value-that-is-a-known-word": Saying(
        status="completed", check={"result": {"education": "verified", "on": "2026-03-02", "score": 7, "ok": True}}
    ).means("completed", "unknown", "not_exposed", "none", "none", DONE),
    "overall-word-with-details": Saying(
        status="completed", check={"overall_status": "clear", "result": {"education": "verified", "years": [2019]}}
    ).means("completed", "clear", "not_exposed", "none", "none", DONE),
    "a-leaf-of-a-group-to-consider": Saying(
        status="completed", check={"result": {"Criminal": {"Federal": "consider", "County": "clear"}}}
    )
    .means("completed", "consider", "not_exposed", "none", "client", DONE)
    .but(result_source="derived_from_components"),
    "overall-clear-with-a-part-to-consider": Saying(
        status="completed", check={"overall_status": "clear", "result": {"education": "consider"}}
    )
    .means("completed", "consider", "not_exposed", "none", "client", DONE)
    .but(has_conflict=True, result_source="derived_from_components", vendor_result="clear"),
    "result-before-completion": Saying(status="consented", check={"overall_status": "clear"})
    .means("in_progress", "none", "not_exposed", "none", "vendor", OPEN)
    .but(has_conflict=True),
    "unknown-status": Saying(status="on-hold")
    .means("unknown", "unknown", "not_exposed", "none", "unknown", OPEN)
    .lists(status="on-hold"),
    "unknown-overall-word": Saying(status="completed", check={"overall_status": "engaged"})
    .means("completed", "unknown", "not_exposed", "none", "unknown", OPEN)
    .lists(result="engaged"),
    "capital-letter": Saying(status="Completed", check={"overall_status": "clear"})
    .means("unknown", "unknown", "not_exposed", "none", "unknown", OPEN)
    .lists(status="Completed"),
}
test_every_word_has_its_meaning = told.readings("workable", WORDS)


@told.story
def test_parts_are_completed_components_under_the_providers_names(s: Story) -> Iterator[None]:
    s.of("workable")
    result = {"motor_vehicle_report": "clear", "education_verification": {"status": "consider"}}
    s.say(status="completed", check={"overall_status": "consider", "result": result})
    yield
    assert [(p["component_name"], p["lifecycle"], p["result"]) for p in s.components()] == [
        ("education_verification", "completed", "consider"),
        ("motor_vehicle_report", "completed", "clear"),
    ]


@told.story
def test_a_candidate_may_decline_after_consenting(s: Story) -> Iterator[None]:
    s.of("workable").order(ordered_at="2026-03-02T08:00Z")
    s.say(status="pending", when="09:00")
    s.say(status="consented", when="10:00")
    s.say(status="declined", when="11:00")
    yield
    check = s.check()
    assert (check["lifecycle"], check["completed_at"], check["closed_at"]) == ("declined", None, at("11:00"))
    assert (check["turnaround_excluded_reason"], check["turnaround_seconds"]) == ("declined", None)
    assert check["started_at"] == at("10:00")


@told.story
def test_a_check_that_expires_after_completion_stays_completed(s: Story) -> Iterator[None]:
    s.of("workable").order(ordered_at="2026-03-02T08:00Z")
    s.say(status="consented", when="09:00")
    s.say(status="completed", check={"overall_status": "clear"}, when="10:00")
    s.say(status="expired", when="11:00")
    yield
    check = s.check()
    assert (check["lifecycle"], check["result"], check["closed_at"]) == ("completed", "clear", at("10:00"))
    assert s.lifecycles() == ["in_progress", "completed"]
    assert s.conflicts() == {"second_end"}


@told.story
def test_a_pushed_status_belongs_to_the_check_of_its_address(s: Story) -> Iterator[None]:
    s.of("workable")
    s.push(status="consented")
    s.push(status="completed", check={"overall_status": "clear"})
    yield
    assert s.lifecycles() == ["in_progress", "completed"]
    assert s.check()["completed_at_source"] == "push"


@told.story
def test_an_error_body_is_no_lifecycle(s: Story) -> Iterator[None]:
    s.of("workable")
    s.say(status="consented", when="09:00")
    s.say({"status": 401, "message": "Invalid Token"}, when="10:00")
    yield
    assert s.lifecycles() == ["in_progress"]
    assert s.rejects() == ["error_body"]
    assert s.pulls() == ["changed", "rejected"]
