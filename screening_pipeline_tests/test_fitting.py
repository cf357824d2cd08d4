"""What cannot be read in an optional part costs that part, not the answer, and is listed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from screening_pipeline.landing.fitting import UNREADABLE, fitted
from screening_pipeline.vendors import all_vendors
from screening_pipeline_tests.support.stage import Stories, Story

told = Stories()
stage = told.stage()

PARTS = [
    ("goodhire", "SectionsContainingAlerts", "SSN Trace"),
    ("goodhire", "RequiredReportActions", {"Type": "IncompleteCandidateInfo"}),
    ("goodhire", "Results", {"Date": "2026-03-01T08:00:00Z", "Status": "Clear"}),
    ("hireright", "products", {"name": "Criminal", "status": "Completed"}),
    ("zinc", "checks", {"name": "Address check", "status": "clear", "type": "address-check"}),
]
WORDS = [
    ("goodhire", "StatusDetails"),
    ("hireright", "adjudicationStatus"),
    ("hireright", "disputeStatus"),
    ("hireright", "eVerifyStatus"),
    ("workerchecks", "result"),
    ("zinc", "statusV2"),
    ("zinc", "result"),
]
FACTS = [
    ("goodhire", "ReportViewerUrl"),
    ("goodhire", "StartedOn"),
    ("hireright", "statusDate"),
    ("workerchecks", "releaseDate"),
    ("zinc", "reportUrl"),
    ("workable", "results_url"),
]


def fit(slug: str, message: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    return fitted(message, all_vendors()[slug].records.values())


@pytest.mark.parametrize(("slug", "at", "one"), PARTS)
def test_the_only_part_may_stand_for_the_list_and_nulls_in_lists_say_nothing(slug: str, at: str, one: Any) -> None:
    for given in (one, [one], [None, one], [one, None]):
        assert fit(slug, {"x": 1, at: given}) == ({"x": 1, at: [one]}, ())


@pytest.mark.parametrize(("slug", "at", "one"), PARTS)
def test_what_languages_write_for_an_empty_list_is_one(slug: str, at: str, one: Any) -> None:
    nothings: list[Any] = [[], {}, "", [None]]
    for given in nothings:
        assert fit(slug, {at: given}) == ({at: []}, ())
    assert fit(slug, {at: None}) == ({at: None}, ())


@pytest.mark.parametrize(("slug", "at", "one"), PARTS)
def test_a_part_of_another_kind_is_listed_and_leaves_the_others_standing(slug: str, at: str, one: Any) -> None:
    for other in (5, True, [one]):
        assert fit(slug, {at: [other, one]}) == ({at: [one]}, (at,))
        assert fit(slug, {at: other}) == ({at: [one] if other == [one] else []}, () if other == [one] else (at,))


@pytest.mark.parametrize(("slug", "at"), WORDS + FACTS)
def test_an_empty_list_or_object_in_the_place_of_a_value_is_none(slug: str, at: str) -> None:
    nothings: list[Any] = [[], {}]
    for given in nothings:
        assert fit(slug, {"x": 1, at: given}) == ({"x": 1}, ())


@pytest.mark.parametrize(("slug", "at"), WORDS)
def test_a_word_that_is_no_text_stands_as_unreadable(slug: str, at: str) -> None:
    for given in ({"@value": "Jane Doe"}, ["Jane Doe"]):
        assert fit(slug, {"x": 1, at: given}) == ({"x": 1, at: UNREADABLE}, (at,))


@pytest.mark.parametrize(("slug", "at"), FACTS)
def test_a_fact_that_is_no_text_is_not_told(slug: str, at: str) -> None:
    assert fit(slug, {"x": 1, at: {"y": 2}}) == ({"x": 1}, (at,))


@pytest.mark.parametrize("nothing", [[], {}, "", None])
def test_an_empty_list_for_an_optional_object_is_its_absence(nothing: Any) -> None:
    found, unread = fit("workable", {"status": "completed", "check": nothing})
    assert (bool(found.get("check")), unread) == (False, ())


@pytest.mark.parametrize("other", ["consider", 5, [1], True])
def test_another_kind_in_the_place_of_an_object_leaves_its_words_unreadable(other: Any) -> None:
    found, unread = fit("workable", {"status": "completed", "check": other})
    assert found == {"status": "completed", "check": {"overall_status": UNREADABLE}}
    assert "check.overall_status" in unread


def test_a_part_keeps_what_can_be_read_of_it() -> None:
    products = [{"name": {"en": "x"}, "status": ["Completed"]}, {"name": "y", "status": "Completed"}]
    assert fit("hireright", {"products": products}) == (
        {"products": [{"status": UNREADABLE}, {"name": "y", "status": "Completed"}]},
        ("products.name", "products.status"),
    )


def test_a_message_that_fits_is_the_message_itself() -> None:
    message = {"orderId": "1", "orderStatus": "Completed", "products": [{"name": "x", "status": "Completed"}]}
    assert fit("hireright", message)[0] is message


# ── what becomes of it ─────────────────────────────────────────────────────────────────────────────


@told.story
def test_the_only_product_of_an_order_is_its_component(s: Story) -> Iterator[None]:
    s.of("hireright").say(
        orderStatus="Completed",
        adjudicationStatus="Meets Company Standards",
        products={"name": "Criminal", "status": "Completed"},
    )
    yield
    assert s.check()["is_terminal"]
    assert [part["component_name"] for part in s.components()] == ["Criminal"]
    assert s.rejects() == []


@told.story
def test_an_order_is_read_beside_a_product_that_cannot_be_and_that_is_listed(s: Story) -> Iterator[None]:
    s.of("hireright").say(orderStatus="Completed", products=["Criminal", {"name": "Drug", "status": "Completed"}])
    yield
    assert s.check()["lifecycle"] == "completed"
    assert [part["component_name"] for part in s.components()] == ["Drug"]
    assert s.pulls() == ["changed"]
    (listed,) = s.stage.rows(f"from ops.reject where check_id = '{s.check_id}'")
    assert (listed["source"], listed["reason"], listed["detail"]) == ("part", "unreadable_part", "products")


@told.story
def test_an_adjudication_that_cannot_be_read_keeps_its_order_open(s: Story) -> Iterator[None]:
    s.of("hireright").say(orderStatus="Completed", adjudicationStatus={"value": "Jane Doe"})
    yield
    check = s.check()
    assert (check["lifecycle"], check["adjudication"], check["is_terminal"]) == ("completed", "pending", False)
    assert s.unmapped() == {("adjudication", UNREADABLE)}


@told.story
def test_a_dispute_that_cannot_be_read_keeps_its_order_open(s: Story) -> Iterator[None]:
    s.of("hireright").say(orderStatus="Completed", disputeStatus=["Received"])
    yield
    assert (s.check()["dispute"], s.check()["is_terminal"]) == ("unknown", False)


@told.story
def test_the_only_section_with_an_alert_is_a_component(s: Story) -> Iterator[None]:
    s.of("goodhire").say(Status="CompletedAlert", StatusDetails="Alert", SectionsContainingAlerts="SSN Trace")
    yield
    assert [(p["component_name"], p["result"]) for p in s.components()] == [("SSN Trace", "consider")]


@told.story
def test_the_only_run_of_a_subscription_is_a_run(s: Story) -> Iterator[None]:
    run = {"Date": "2026-03-01T08:00:00Z", "Status": "Clear"}
    s.of("goodhire", subject="subscription").say(LastStatus="Clear", IsActive=True, Results=run)
    yield
    assert [r["vendor_status"] for r in s.runs()] == ["Clear"]


@told.story
def test_the_only_check_of_a_request_is_a_component(s: Story) -> Iterator[None]:
    check = {"name": "Address check for Jane Doe", "status": "consider", "type": "address-check"}
    s.of("zinc").say(status="action-required", statusV2="ready-for-review", result="consider", checks=check)
    yield
    assert [(p["component_type"], p["result"]) for p in s.components()] == [("address-check", "consider")]


@told.story
def test_a_provider_that_writes_an_empty_list_for_no_check_has_completed_without_a_result(
    s: Story,
) -> Iterator[None]:
    s.of("workable").say(status="completed", check=[])
    yield
    assert (s.check()["result"], s.check()["is_terminal"]) == ("unknown", True)


@told.story
def test_a_result_that_cannot_be_read_is_no_clear_one(s: Story) -> Iterator[None]:
    s.of("workerchecks").say(status="Completed", result=["Attention Required"])
    yield
    assert (s.check()["result"], s.check()["is_terminal"]) == ("unknown", False)
    assert s.unmapped() == {("result", UNREADABLE)}
