from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from screening_pipeline_tests.support.stage import DONE, OPEN, Saying, Stories, Story, at

told = Stories()
stage = told.stage()

JANE = {"name": "Address check for Jane Doe", "status": "clear", "type": "address-check"}


def both(granular: str, coarse: str, **more: Any) -> Saying:
    """A message that tells its state in both ways."""
    return Saying(status=coarse, statusV2=granular, **more)


GRANULAR = {
    "requested": both("requested", "pending").means(
        "awaiting_candidate", "none", "not_expected", "none", "candidate", OPEN
    ),
    "paused": both("paused", "pending").means("paused", "none", "not_expected", "none", "unknown", OPEN),
    "awaiting-candidate": both("awaiting-candidate", "pending").means(
        "awaiting_candidate", "none", "not_expected", "none", "candidate", OPEN
    ),
    "attention-needed": both("attention-needed", "pending").means(
        "awaiting_client", "none", "not_expected", "none", "client", OPEN
    ),
    "in-progress": both("in-progress", "partially-completed").means(
        "in_progress", "none", "not_expected", "none", "unknown", OPEN
    ),
    "ready-for-review-clear": both("ready-for-review", "action-required", result="clear").means(
        "review_required", "clear", "pending", "none", "client", OPEN
    ),
    "ready-for-review-consider": both("ready-for-review", "action-required", result="consider").means(
        "review_required", "consider", "pending", "none", "client", OPEN
    ),
    "all-clear": both("all-clear", "completed", result="clear")
    .means("completed", "clear", "not_expected", "none", "none", DONE)
    .but(vendor_status="completed", vendor_status_detail="all-clear", result_source="vendor"),
    "all-clear-without-result": both("all-clear", "completed").means(
        "completed", "clear", "not_expected", "none", "none", DONE
    ),
    "reviewed-clear": both("reviewed", "reviewed", result="clear").means(
        "completed", "clear", "reviewed_unspecified", "none", "none", DONE
    ),
    "reviewed-consider": both("reviewed", "reviewed", result="consider").means(
        "completed", "consider", "reviewed_unspecified", "none", "none", DONE
    ),
    "reviewed-consider-with-its-check": both(
        "reviewed", "reviewed", result="consider", checks=[{**JANE, "status": "consider"}]
    ).means("completed", "consider", "reviewed_unspecified", "none", "none", DONE),
    "cancelled": both("cancelled", "cancelled").means("canceled", "none", "not_expected", "none", "none", DONE),
    # result or component against the state
    "all-clear-with-result-consider": both("all-clear", "completed", result="consider")
    .means("completed", "consider", "not_expected", "none", "client", DONE)
    .but(has_conflict=True),
    "all-clear-with-a-check-to-consider": both(
        "all-clear", "completed", result="clear", checks=[JANE, {**JANE, "status": "consider"}]
    )
    .means("completed", "consider", "not_expected", "none", "client", DONE)
    .but(has_conflict=True, result_source="derived_from_components"),
    "ready-for-review-clear-with-a-check-to-consider": both(
        "ready-for-review", "action-required", result="clear", checks=[{**JANE, "status": "consider"}]
    )
    .means("review_required", "consider", "pending", "none", "client", OPEN)
    .but(has_conflict=True),
    "result-before-its-time": both("in-progress", "partially-completed", result="clear")
    .means("in_progress", "none", "not_expected", "none", "unknown", OPEN)
    .but(has_conflict=True),
    # the two ways disagree: the one that is not final holds
    "granular-final-coarse-open": both("all-clear", "partially-completed", result="clear")
    .means("in_progress", "none", "not_expected", "none", "unknown", OPEN)
    .but(has_conflict=True),
    "granular-cancelled-coarse-pending": both("cancelled", "pending")
    .means("pending", "none", "not_expected", "none", "unknown", OPEN)
    .but(has_conflict=True),
    "granular-open-coarse-final": both("in-progress", "completed")
    .means("in_progress", "none", "not_expected", "none", "unknown", OPEN)
    .but(has_conflict=True),
    "granular-review-coarse-final": both("ready-for-review", "completed", result="clear")
    .means("review_required", "clear", "pending", "none", "client", OPEN)
    .but(has_conflict=True),
    "both-open-and-different": both("attention-needed", "partially-completed")
    .means("awaiting_client", "none", "not_expected", "none", "client", OPEN)
    .but(has_conflict=True),
    # new words
    "unknown-granular": both("archived", "completed", result="clear")
    .means("unknown", "clear", "not_expected", "none", "unknown", OPEN)
    .lists(detail="archived"),
    "unknown-granular-without-result": both("archived", "pending")
    .means("unknown", "unknown", "not_expected", "none", "unknown", OPEN)
    .lists(detail="archived"),
    "unknown-coarse": both("all-clear", "done", result="clear")
    .means("completed", "clear", "not_expected", "none", "none", OPEN)
    .lists(status="done"),
    "unknown-result": both("all-clear", "completed", result="adverse")
    .means("completed", "unknown", "not_expected", "none", "unknown", OPEN)
    .lists(result="adverse"),
    "granular-in-other-case": both("All-Clear", "completed", result="clear")
    .means("unknown", "clear", "not_expected", "none", "unknown", OPEN)
    .lists(detail="All-Clear"),
}
test_every_granular_word_has_its_meaning = told.readings("zinc", GRANULAR)

COARSE = {
    "pending": Saying(status="pending").means("pending", "none", "not_expected", "none", "unknown", OPEN),
    "partially-completed": Saying(status="partially-completed").means(
        "in_progress", "none", "not_expected", "none", "unknown", OPEN
    ),
    "action-required": Saying(status="action-required", result="consider").means(
        "review_required", "consider", "pending", "none", "client", OPEN
    ),
    "completed": Saying(status="completed", result="clear").means(
        "completed", "clear", "not_expected", "none", "none", DONE
    ),
    "completed-without-a-result": Saying(status="completed").means(
        "completed", "unknown", "not_expected", "none", "none", DONE
    ),
    "completed-without-a-result-and-a-check-to-consider": Saying(
        status="completed", checks=[{**JANE, "status": "consider"}]
    )
    .means("completed", "consider", "not_expected", "none", "client", DONE)
    .but(has_conflict=True, result_source="derived_from_components"),
    "completed-consider": Saying(status="completed", result="consider")
    .means("completed", "consider", "not_expected", "none", "client", DONE)
    .but(has_conflict=True),
    "reviewed": Saying(status="reviewed", result="consider").means(
        "completed", "consider", "reviewed_unspecified", "none", "none", DONE
    ),
    "completed-with-an-empty-granular-word": Saying(status="completed", statusV2="", result="clear").means(
        "completed", "clear", "not_expected", "none", "none", DONE
    ),
    "cancelled": Saying(status="cancelled").means("canceled", "none", "not_expected", "none", "none", DONE),
    "unknown": Saying(status="archived")
    .means("unknown", "unknown", "not_expected", "none", "unknown", OPEN)
    .lists(status="archived"),
}
test_the_coarse_word_counts_where_the_granular_one_is_missing = told.readings("zinc", COARSE)

OWN_WORDS = {
    "granular-word-of-the-account": both("all-done", "completed", result="clear").means(
        "completed", "clear", "not_expected", "none", "none", DONE
    ),
}
test_a_granular_word_that_an_account_declares_is_read_as_it_says = told.readings("zinc", OWN_WORDS, account="own-words")


@told.story
def test_checks_that_vanish_on_a_fallback_are_kept(s: Story) -> Iterator[None]:
    s.of("zinc")
    s.say(status="partially-completed", statusV2="in-progress", checks=[JANE], when="09:00")
    s.say(status="pending", statusV2="awaiting-candidate", when="10:00")
    yield
    assert s.lifecycles() == ["in_progress", "awaiting_candidate"], "a pull is believed, also backwards"
    (part,) = s.components()
    assert (part["lifecycle"], part["result"]) == ("completed", "clear")
    assert (part["last_observed_at"], part["completed_at"]) == (at("09:00"), at("09:00"))
    assert s.check()["last_observed_at"] == at("10:00")


@told.story
def test_two_references_are_told_apart_without_anybodys_name(s: Story) -> Iterator[None]:
    s.of("zinc")
    first = {"name": "Reference from Ann Other at Acme", "status": "pending", "type": "reference-check"}
    second = {"name": "Reference from Bo Dyson at Globex", "status": "pending", "type": "reference-check"}
    s.say(status="partially-completed", statusV2="in-progress", checks=[first, second])
    s.say(status="partially-completed", statusV2="in-progress", checks=[{**second, "status": "clear"}, first])
    yield
    told = [(p["component_name"], p["component_type"], p["lifecycle"]) for p in s.components()]
    assert told == [
        ("reference-check", "reference-check", "in_progress"),
        ("reference-check 2", "reference-check", "completed"),
    ]
    everything = " ".join(str(row) for row in s.components() + s.stage.rows("from staging.observation"))
    for name in ("Ann Other", "Bo Dyson", "Acme", "Jane"):
        assert name not in everything


@told.story
def test_two_checks_of_one_label_are_told_apart_by_their_place(s: Story) -> Iterator[None]:
    s.of("zinc")
    same = {"name": "Reference", "type": "reference-check"}
    s.say(
        status="partially-completed",
        statusV2="in-progress",
        checks=[{**same, "status": "clear"}, {**same, "status": "pending"}],
    )
    yield
    assert [p["result"] for p in s.components()] == ["clear", "none"]


@told.story
def test_the_kind_of_an_education_is_kept_beside_its_type(s: Story) -> Iterator[None]:
    s.of("zinc")
    s.say(
        status="partially-completed",
        statusV2="in-progress",
        checks=[
            {"name": "A", "status": "clear", "type": "education-check", "checkType": "degree"},
            {"name": "B", "status": "clear", "checkType": "certificate"},
            {"name": "C", "status": "clear", "checkType": "address-check"},
            {"name": "D", "status": "clear", "type": "education-check", "checkType": "Degree of Jane Doe"},
            {"name": "E", "status": "clear", "type": "education-check"},
        ],
    )
    yield
    found = [(part["component_type"], part["component_subtype"]) for part in s.components()]
    assert sorted(found, key=str) == [
        ("address-check", None),
        ("education-check", "certificate"),
        ("education-check", "degree"),
        ("education-check", None),
        ("education-check", None),
    ]


@told.story
def test_type_is_preferred_and_checktype_stands_in_for_it(s: Story) -> Iterator[None]:
    s.of("zinc")
    s.say(
        status="partially-completed",
        statusV2="in-progress",
        checks=[
            {"name": "a", "status": "clear", "type": "address-check", "checkType": "other-check"},
            {"name": "b", "status": "clear", "checkType": "right-to-work-check"},
            {"name": "c", "status": "clear", "checkType": "degree"},
            {"name": "d", "status": "clear"},
        ],
    )
    yield
    assert {(p["component_name"], p["component_type"]) for p in s.components()} == {
        ("address-check", "address-check"),
        ("right-to-work-check", "right-to-work-check"),
        ("education-check", "education-check"),
        ("check", None),
    }


@told.story
def test_every_component_word_has_its_meaning(s: Story) -> Iterator[None]:
    s.of("zinc")
    words = ("clear", "consider", "pending", "pending-resubmission", "cancelled", "escalated")
    s.say(
        status="partially-completed",
        statusV2="in-progress",
        checks=[{"name": word, "status": word, "type": f"{word}-check"} for word in words],
    )
    yield
    assert {p["vendor_status"]: (p["lifecycle"], p["result"]) for p in s.components()} == {
        "clear": ("completed", "clear"),
        "consider": ("completed", "consider"),
        "pending": ("in_progress", "none"),
        "pending-resubmission": ("in_progress", "none"),
        "cancelled": ("canceled", "none"),
        "escalated": ("unknown", "unknown"),
    }
    assert s.unmapped() == {("component_status", "escalated")}


@told.story
def test_a_reviewed_request_counts_as_adjudicated_without_a_decision(s: Story) -> Iterator[None]:
    s.of("zinc").order(ordered_at="2026-03-02T08:00Z")
    s.say(status="partially-completed", statusV2="in-progress", when="09:00")
    s.say(status="action-required", statusV2="ready-for-review", result="consider", when="10:00")
    s.say(status="reviewed", statusV2="reviewed", result="consider", when="12:00")
    yield
    check = s.check()
    assert (check["adjudication"], check["adjudicated_at"]) == ("reviewed_unspecified", at("12:00"))
    assert check["completed_at"] == at("12:00"), "ready for review is not complete"
    assert check["completed_at_earliest"] == at("10:00")


@told.story
def test_the_link_loses_its_query_in_both_shapes(s: Story) -> Iterator[None]:
    s.of("zinc")
    s.say(
        status="completed",
        statusV2="all-clear",
        result="clear",
        reportUrl="https://app.example/recruitment/request/req_123?token=secret#top",
    )
    yield
    assert s.check()["report_url"] == "https://app.example/recruitment/request/req_123"
