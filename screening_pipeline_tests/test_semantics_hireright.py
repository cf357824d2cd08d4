from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from screening_pipeline_tests.support.stage import DONE, OPEN, Saying, Stage, Stories, Story, at, broken_rules, opened

told = Stories()
stage = told.stage()

# An account without adjudication.
PLAIN = {
    "Sent-to-Applicant": Saying(orderStatus="Sent to Applicant").means(
        "awaiting_candidate", "none", "not_expected", "none", "candidate", OPEN
    ),
    "Pending-Applicant": Saying(orderStatus="Pending Applicant").means(
        "awaiting_candidate", "none", "not_expected", "none", "candidate", OPEN
    ),
    "Pending-Requestor": Saying(orderStatus="Pending Requestor").means(
        "awaiting_client", "none", "not_expected", "none", "client", OPEN
    ),
    "InProgress": Saying(orderStatus="InProgress").means("in_progress", "none", "not_expected", "none", "vendor", OPEN),
    "Completed": Saying(orderStatus="Completed").means("completed", "unknown", "not_expected", "none", "none", DONE),
    "Completed-Not-Available": Saying(orderStatus="Completed", adjudicationStatus="Not Available")
    .means("completed", "unknown", "not_expected", "none", "none", DONE)
    .but(vendor_adjudication="Not Available"),
    "Invite-Expired": Saying(orderStatus="Invite Expired").means(
        "expired", "none", "not_expected", "none", "none", DONE
    ),
    "Cancelled": Saying(orderStatus="Cancelled")
    .means("canceled", "none", "not_expected", "none", "none", DONE)
    .but(lifecycle_reason="invitation_cancelled"),
    "Canceled": Saying(orderStatus="Canceled")
    .means("canceled", "none", "not_expected", "none", "none", DONE)
    .but(lifecycle_reason="order_canceled"),
    "status-in-place-of-orderStatus": Saying(status="InProgress").means(
        "in_progress", "none", "not_expected", "none", "vendor", OPEN
    ),
    "status-beside-an-empty-orderStatus": Saying(orderStatus="", status="InProgress").means(
        "in_progress", "none", "not_expected", "none", "vendor", OPEN
    ),
    # spellings that are other words
    "In-Progress": Saying(orderStatus="In Progress")
    .means("unknown", "unknown", "not_expected", "none", "unknown", OPEN)
    .lists(status="In Progress"),
    "in-progress": Saying(orderStatus="in-progress")
    .means("unknown", "unknown", "not_expected", "none", "unknown", OPEN)
    .lists(status="in-progress"),
    "Completed-and-a-blank": Saying(orderStatus="Completed ")
    .means("unknown", "unknown", "not_expected", "none", "unknown", OPEN)
    .lists(status="Completed ")
    .but(vendor_status="Completed "),
    "Pending-nbsp-Applicant": Saying(orderStatus="Pending\u00a0Applicant")
    .means("unknown", "unknown", "not_expected", "none", "unknown", OPEN)
    .lists(status="Pending\u00a0Applicant"),
    "CANCELED": Saying(orderStatus="CANCELED")
    .means("unknown", "unknown", "not_expected", "none", "unknown", OPEN)
    .lists(status="CANCELED"),
    "localised-word": Saying(orderStatus="Abgeschlossen")
    .means("unknown", "unknown", "not_expected", "none", "unknown", OPEN)
    .lists(status="Abgeschlossen"),
}
test_every_order_word_of_a_plain_account_has_its_meaning = told.readings("hireright", PLAIN, account="plain")

# An account that adjudicates, and that declares "Approved By Security" final.
JUDGED = {
    "Sent-to-Applicant": Saying(orderStatus="Sent to Applicant").means(
        "awaiting_candidate", "none", "pending", "none", "candidate", OPEN
    ),
    "InProgress": Saying(orderStatus="InProgress").means("in_progress", "none", "pending", "none", "vendor", OPEN),
    "Completed": Saying(orderStatus="Completed").means("completed", "unknown", "pending", "none", "client", OPEN),
    "Completed-Not-Available": Saying(orderStatus="Completed", adjudicationStatus="Not Available").means(
        "completed", "unknown", "pending", "none", "client", OPEN
    ),
    "Canceled": Saying(orderStatus="Canceled").means("canceled", "none", "pending", "none", "none", DONE),
    "Cancelled": Saying(orderStatus="Cancelled").means("canceled", "none", "pending", "none", "none", DONE),
    "Invite-Expired": Saying(orderStatus="Invite Expired").means("expired", "none", "pending", "none", "none", DONE),
    "empty-words-are-none": Saying(orderStatus="Completed", adjudicationStatus="", disputeStatus="").means(
        "completed", "unknown", "pending", "none", "client", OPEN
    ),
    "Meets": Saying(orderStatus="Completed", adjudicationStatus="Meets Company Standards")
    .means("completed", "clear", "meets", "none", "none", DONE)
    .but(result_source="derived_from_adjudication", vendor_result=None),
    "Does-Not-Meet": Saying(orderStatus="Completed", adjudicationStatus="Does Not Meet Company Standards")
    .means("completed", "consider", "does_not_meet", "none", "client", DONE)
    .but(result_source="derived_from_adjudication"),
    "Client-Review-Required": Saying(orderStatus="Completed", adjudicationStatus="Client Review Required").means(
        "completed", "unknown", "pending", "none", "client", OPEN
    ),
    "Potential-Conflict": Saying(orderStatus="Completed", adjudicationStatus="Pending - Potential Conflict").means(
        "completed", "unknown", "pending", "none", "client", OPEN
    ),
    "adjudication-Canceled": Saying(orderStatus="Completed", adjudicationStatus="Canceled").means(
        "completed", "unknown", "canceled", "none", "none", DONE
    ),
    "InProgress-Client-Review-Required": Saying(
        orderStatus="InProgress", adjudicationStatus="Client Review Required"
    ).means("review_required", "none", "pending", "none", "client", OPEN),
    "InProgress-Potential-Conflict": Saying(
        orderStatus="InProgress", adjudicationStatus="Pending - Potential Conflict"
    ).means("review_required", "none", "pending", "none", "client", OPEN),
    "InProgress-Meets": Saying(orderStatus="InProgress", adjudicationStatus="Meets Company Standards").means(
        "in_progress", "none", "meets", "none", "vendor", OPEN
    ),
    "custom-declared-final": Saying(orderStatus="Completed", adjudicationStatus="Approved By Security").means(
        "completed", "unknown", "custom", "none", "none", DONE
    ),
    "custom-declared-final-in-other-case": Saying(orderStatus="Completed", adjudicationStatus="Approved by Security")
    .means("completed", "unknown", "pending", "none", "client", OPEN)
    .lists(adjudication="Approved by Security"),
    "custom-never-seen": Saying(orderStatus="Completed", adjudicationStatus="Escalated To Legal")
    .means("completed", "unknown", "pending", "none", "client", OPEN)
    .lists(adjudication="Escalated To Legal")
    .but(vendor_adjudication="Escalated To Legal"),
    "unknown-status-keeps-the-absent-adjudication": Saying(orderStatus="Parked")
    .means("unknown", "unknown", "pending", "none", "unknown", OPEN)
    .lists(status="Parked"),
    # disputes
    "dispute-Received": Saying(
        orderStatus="Completed", adjudicationStatus="Meets Company Standards", disputeStatus="Received"
    ).means("completed", "clear", "meets", "open", "vendor", OPEN),
    "dispute-Completed": Saying(
        orderStatus="Completed", adjudicationStatus="Meets Company Standards", disputeStatus="Completed"
    ).means("completed", "clear", "meets", "closed", "none", DONE),
    "dispute-Completed-is-not-the-order": Saying(orderStatus="InProgress", disputeStatus="Completed").means(
        "in_progress", "none", "pending", "closed", "vendor", OPEN
    ),
    "dispute-nobody-documented": Saying(
        orderStatus="Completed", adjudicationStatus="Meets Company Standards", disputeStatus="Escalated"
    )
    .means("completed", "clear", "meets", "unknown", "unknown", OPEN)
    .lists(dispute="Escalated"),
}
test_every_word_of_an_account_that_adjudicates_has_its_meaning = told.readings("hireright", JUDGED, account="judged")

I9 = {
    "Sent-to-Employee": Saying(i9Status="Sent to Employee").means(
        "awaiting_candidate", "none", "not_expected", "none", "candidate", OPEN
    ),
    "Pending-Employer": Saying(i9Status="Pending Employer").means(
        "awaiting_client", "none", "not_expected", "none", "client", OPEN
    ),
    "Pending-Remote-Agent": Saying(i9Status="Pending Remote Agent").means(
        "awaiting_client", "none", "not_expected", "none", "client", OPEN
    ),
    "completed": Saying(i9Status="completed").means("completed", "unknown", "not_expected", "none", "none", DONE),
    "Completed": Saying(i9Status="Completed").means("completed", "unknown", "not_expected", "none", "none", DONE),
    "AUTHORIZED": Saying(i9Status="completed", eVerifyStatus="AUTHORIZED")
    .means("completed", "clear", "not_expected", "none", "none", DONE)
    .but(vendor_status="completed", vendor_status_detail="AUTHORIZED"),
    "FINAL_NON_CONFIRM": Saying(i9Status="completed", eVerifyStatus="FINAL_NON_CONFIRM").means(
        "completed", "consider", "not_expected", "none", "none", DONE
    ),
    "TNC": Saying(i9Status="completed", eVerifyStatus="TNC").means(
        "awaiting_candidate", "none", "not_expected", "none", "candidate", OPEN
    ),
    "CONTINUANCE": Saying(i9Status="completed", eVerifyStatus="CONTINUANCE").means(
        "in_progress", "none", "not_expected", "none", "vendor", OPEN
    ),
    "IN_PROGRESS": Saying(i9Status="completed", eVerifyStatus="IN_PROGRESS").means(
        "in_progress", "none", "not_expected", "none", "vendor", OPEN
    ),
    "COMPLETED": Saying(i9Status="COMPLETED")
    .means("unknown", "unknown", "not_expected", "none", "unknown", OPEN)
    .lists(status="COMPLETED"),
    "eVerify-nobody-documented": Saying(i9Status="completed", eVerifyStatus="Authorized")
    .means("completed", "unknown", "not_expected", "none", "unknown", OPEN)
    .lists(detail="Authorized"),
    "AUTHORIZED-before-completion": Saying(i9Status="Pending Employer", eVerifyStatus="AUTHORIZED")
    .means("awaiting_client", "none", "not_expected", "none", "client", OPEN)
    .but(has_conflict=True),
}
# Of an account whose forms have told a word of E-Verify, none is done without a last one.
I9_AWAITED = {
    "completed-without-a-case": Saying(i9Status="completed").means(
        "completed", "unknown", "not_expected", "none", "client", OPEN
    ),
    "an-empty-word-is-none": Saying(i9Status="Completed", eVerifyStatus="").means(
        "completed", "unknown", "not_expected", "none", "client", OPEN
    ),
    "Sent-to-Employee": I9["Sent-to-Employee"],
    "TNC": I9["TNC"],
    "AUTHORIZED": I9["AUTHORIZED"],
    "FINAL_NON_CONFIRM": I9["FINAL_NON_CONFIRM"],
}
test_a_form_of_an_account_that_uses_e_verify_is_open_until_its_last_word = told.readings(
    "hireright", I9_AWAITED, account="verified", subject="i9"
)

test_every_word_of_an_i9_has_its_meaning = told.readings("hireright", I9, account="unverified", subject="i9")

OWN_WORDS = {
    "declared": Saying(orderStatus="Done")
    .means("completed", "unknown", "not_expected", "none", "none", DONE)
    .but(vendor_status="Done"),
    "declared-canceled": Saying(orderStatus="Order Stopped")
    .means("canceled", "none", "not_expected", "none", "none", DONE)
    .but(lifecycle_reason="order_canceled"),
    "not-declared": Saying(orderStatus="done")
    .means("unknown", "unknown", "not_expected", "none", "unknown", OPEN)
    .lists(status="done"),
}
test_words_that_an_account_declares_are_read_as_it_says = told.readings("hireright", OWN_WORDS, account="own-words")


@told.story
def test_declared_words_hold_for_their_account_only(s: Story) -> Iterator[None]:
    s.of("hireright").say(orderStatus="Done")
    yield
    assert s.check()["lifecycle"] == "unknown"
    assert s.unmapped() == {("status", "Done")}


@told.story
def test_cancelled_and_canceled_in_one_answer_stay_two_words(s: Story) -> Iterator[None]:
    s.of("hireright")
    s.feed({"orderStatus": "Cancelled"}, {"orderId": f"{s.check_id}-2", "orderStatus": "Canceled"})
    yield
    assert s.check()["lifecycle_reason"] == "invitation_cancelled"
    s.check_id = f"{s.check_id}-2"
    assert s.check()["lifecycle_reason"] == "order_canceled"


@told.story
def test_adjudication_comes_after_completion_and_closes_the_order(s: Story) -> Iterator[None]:
    s.of("hireright", account="judged").order(ordered_at="2026-03-02T08:00Z")
    s.say(orderStatus="InProgress", when="09:00")
    s.say(orderStatus="Completed", when="10:00")
    s.say(orderStatus="Completed", adjudicationStatus="Client Review Required", when="11:00")
    s.say(orderStatus="Completed", adjudicationStatus="Meets Company Standards", when="12:00")
    yield
    check = s.check()
    assert s.lifecycles() == ["in_progress", "completed", "completed", "completed"]
    assert (check["completed_at"], check["completed_at_earliest"]) == (at("10:00"), at("09:00"))
    assert (check["adjudicated_at"], check["closed_at"]) == (at("12:00"), at("12:00"))
    assert check["turnaround_seconds"] == 7200, "the client's time is not the vendor's"


@told.story
def test_a_review_after_the_screening_is_no_part_of_its_turnaround(s: Story) -> Iterator[None]:
    s.of("hireright", account="judged").order(ordered_at="2026-03-02T08:00Z")
    s.say(orderStatus="InProgress", when="09:00")
    s.say(orderStatus="Completed", when="10:00")
    s.say(orderStatus="Completed", adjudicationStatus="Client Review Required", when="11:00")
    yield
    held = {row["phase"]: (row["held_us"], row["is_holding"]) for row in s.phases()}
    assert held["vendor"] == (7200 * 1_000_000, False)
    assert held["client"] == (0, False), "whoever acts now holds up no screening"


@told.story
def test_a_dispute_opens_a_finished_order_again_and_its_end_closes_it(s: Story) -> Iterator[None]:
    s.of("hireright", account="judged").order(ordered_at="2026-03-02T08:00Z")
    done: dict[str, Any] = {"orderStatus": "Completed", "adjudicationStatus": "Meets Company Standards"}
    s.say(orderStatus="InProgress", when="09:00")
    s.say(**done, when="10:00")
    s.say(**done, disputeStatus="Received", when="11:00")
    s.say(**done, disputeStatus="Completed", when="12:00")
    yield
    check = s.check()
    assert (check["reopened_count"], check["reopened_at"]) == (1, at("11:00"))
    assert (check["completed_at"], check["closed_at"]) == (at("10:00"), at("12:00"))
    assert (check["dispute"], check["lifecycle"], check["is_terminal"]) == ("closed", "completed", True)
    assert [(d["opened_at"], d["closed_at"]) for d in s.disputes()] == [(at("11:00"), at("12:00"))]


@told.story
def test_a_word_about_a_dispute_that_nobody_mapped_is_no_second_one(s: Story) -> Iterator[None]:
    s.of("hireright")
    for dispute in ("Received", "Looked At By Somebody", "Received"):
        s.say(orderStatus="Completed", disputeStatus=dispute)
    yield
    assert [row["dispute_seq"] for row in s.disputes()] == [1]
    assert ("dispute", "Looked At By Somebody") in s.unmapped()


@told.story
def test_a_second_dispute_is_another_row(s: Story) -> Iterator[None]:
    s.of("hireright")
    for dispute in ("Received", "Completed", "Received"):
        s.say(orderStatus="Completed", disputeStatus=dispute)
    yield
    assert [(d["dispute_seq"], d["closed_at"] is None) for d in s.disputes()] == [(1, False), (2, True)]
    assert s.check()["reopened_count"] == 1


@told.story
def test_products_are_components_with_their_own_adjudication(s: Story) -> Iterator[None]:
    s.of("hireright", account="judged")
    s.say(
        orderStatus="InProgress",
        products=[
            {"name": "Criminal Felony", "status": "InProgress"},
            {"name": "Education", "status": "Completed", "adjudicationStatus": "Meets Company Standards"},
            {"name": "Employment", "status": "Completed", "adjudicationStatus": "Client Review Required"},
            {"name": "Motor Vehicle", "status": "Completed", "adjudicationStatus": "Approved By Security"},
            {"name": "Sanctions", "status": "Completed"},
        ],
    )
    yield
    told = [(p["component_name"], p["lifecycle"], p["result"], p["adjudication"]) for p in s.components()]
    assert told == [
        ("Criminal Felony", "in_progress", "none", "not_expected"),
        ("Education", "completed", "clear", "meets"),
        ("Employment", "completed", "unknown", "pending"),
        ("Motor Vehicle", "completed", "unknown", "custom"),
        ("Sanctions", "completed", "unknown", "not_expected"),
    ]
    assert s.unmapped() == set()
    assert s.check()["lifecycle"] == "in_progress", "a product is not the order"


@told.story
def test_an_adjudication_word_of_a_product_that_nobody_knows_is_listed(s: Story) -> Iterator[None]:
    s.of("hireright", account="judged")
    s.say(
        orderStatus="InProgress",
        products=[{"name": "Education", "status": "Completed", "adjudicationStatus": "Under Glass"}],
    )
    yield
    assert [(p["vendor_adjudication"], p["adjudication"]) for p in s.components()] == [("Under Glass", "pending")]
    assert s.unmapped() == {("component_adjudication", "Under Glass")}


@told.story
def test_a_product_shows_one_message_at_a_time(s: Story) -> Iterator[None]:
    s.of("hireright", account="judged")
    judged = {"name": "Education", "status": "Completed", "adjudicationStatus": "Meets Company Standards"}
    s.say(orderStatus="InProgress", products=[judged])
    s.say(orderStatus="InProgress", products=[{"name": "Education", "status": "InProgress"}])
    yield
    (part,) = s.components()
    assert (part["vendor_status"], part["vendor_adjudication"]) == ("InProgress", None)
    assert (part["lifecycle"], part["adjudication"]) == ("in_progress", "not_expected")


@told.story
def test_a_completed_order_with_a_canceled_product_is_partial(s: Story) -> Iterator[None]:
    s.of("hireright", account="judged")
    products = [{"name": "Education", "status": "Completed"}, {"name": "Employment", "status": "Canceled"}]
    s.say(orderStatus="Completed", adjudicationStatus="Meets Company Standards", products=products)
    yield
    check = s.check()
    assert (check["result"], check["is_partial"], check["is_terminal"]) == ("clear", True, True)
    assert [p["lifecycle"] for p in s.components()] == ["completed", "canceled"]


@told.story
def test_a_product_word_nobody_documented_is_listed_and_does_not_hold_up_the_order(
    s: Story,
) -> Iterator[None]:
    s.of("hireright", account="judged")
    products = [{"name": "Education", "status": "Paused"}]
    s.say(orderStatus="Completed", adjudicationStatus="Meets Company Standards", products=products)
    yield
    assert s.check()["is_terminal"] is True
    assert [(p["lifecycle"], p["result"]) for p in s.components()] == [("unknown", "unknown")]
    assert s.unmapped() == {("component_status", "Paused")}


@told.story
def test_products_without_a_name_are_told_apart_by_their_place(s: Story) -> Iterator[None]:
    s.of("hireright").say(orderStatus="InProgress", products=[{"status": "InProgress"}, {"status": "Completed"}])
    yield
    assert sorted(p["lifecycle"] for p in s.components()) == ["completed", "in_progress"]
    assert len({p["component_id"] for p in s.components()}) == 2


@told.story
def test_an_i9_and_an_order_of_one_id_are_two_checks(s: Story) -> Iterator[None]:
    s.of("hireright").say(orderStatus="InProgress")
    s.of("hireright", subject="i9").say(i9Status="Sent to Employee")
    yield
    assert s.check()["lifecycle"] == "awaiting_candidate"
    s.subject = "order"
    assert s.check()["lifecycle"] == "in_progress"


# -- the feed ------------------------------------------------------------------------------------------------


@told.story
def test_an_update_for_an_order_nobody_announced_becomes_a_stub(s: Story) -> Iterator[None]:
    s.of("hireright").feed({"orderStatus": "InProgress"})
    yield
    check = s.check()
    assert (check["lifecycle"], check["ordered_at"], check["is_terminal"]) == ("in_progress", None, False)


@told.story
def test_messages_of_one_answer_are_applied_by_their_vendor_times(s: Story) -> Iterator[None]:
    s.of("hireright").order(ordered_at="2026-03-01T00:00Z")
    s.feed(
        {"orderStatus": "Completed", "statusDate": "2026-03-02T08:30:00Z"},
        {"orderStatus": "Sent to Applicant", "statusDate": "2026-03-01T10:00:00-08:00"},
        {"orderStatus": "InProgress", "statusDate": "2026-03-02T08:00:00Z"},
        when="09:00",
    )
    yield
    assert s.lifecycles() == ["awaiting_candidate", "in_progress", "completed"]
    assert [e["occurred_at"] for e in s.events()] == [
        at("2026-03-01T18:00:00+00:00"),
        at("08:00"),
        at("08:30"),
    ]
    check = s.check()
    assert (check["completed_at"], check["completed_at_earliest"]) == (at("08:30"), at("08:30"))
    assert check["completed_at_source"] == "vendor"
    assert check["turnaround_seconds"] == 32 * 3600 + 1800


@told.story
def test_messages_of_equal_times_are_applied_as_they_stand(s: Story) -> Iterator[None]:
    s.of("hireright")
    moment = {"statusDate": "2026-03-02T08:00:00Z"}
    s.feed({"orderStatus": "InProgress", **moment}, {"orderStatus": "Pending Requestor", **moment}, when="09:00")
    yield
    assert s.lifecycles() == ["in_progress", "awaiting_client"]


@told.story
def test_messages_without_times_are_applied_as_they_stand(s: Story) -> Iterator[None]:
    s.of("hireright")
    s.feed({"orderStatus": "Sent to Applicant"}, {"orderStatus": "InProgress"})
    s.feed({"orderStatus": "Pending Requestor"}, {"orderStatus": "InProgress"})
    yield
    assert s.lifecycles() == ["awaiting_candidate", "in_progress", "awaiting_client", "in_progress"]


@told.story
def test_an_update_that_waited_in_the_feed_does_not_undo_what_was_pulled_since(s: Story) -> Iterator[None]:
    s.of("hireright", account="judged")
    s.say(orderStatus="Completed", adjudicationStatus="Meets Company Standards", when="10:00")
    s.feed(
        {"orderStatus": "InProgress", "statusDate": "2026-03-02T08:00:00Z"},
        {"orderStatus": "Sent to Applicant"},
        when="10:05",
    )
    yield
    check = s.check()
    assert (check["lifecycle"], check["is_terminal"]) == ("completed", True)
    assert check["last_observed_at"] == at("10:00"), "late messages do not move it"
    assert s.lifecycles() == ["completed"]


@told.story
def test_a_dated_update_reopens_a_finished_order(s: Story) -> Iterator[None]:
    s.of("hireright")
    s.feed({"orderStatus": "Completed", "statusDate": "2026-03-02T08:00:00Z"}, when="09:00")
    s.feed({"orderStatus": "InProgress", "statusDate": "2026-03-02T09:30:00Z"}, when="10:00")
    yield
    check = s.check()
    assert (check["lifecycle"], check["reopened_count"]) == ("in_progress", 1)
    assert check["completed_at"] == at("08:00")


@told.story
def test_an_undated_update_does_not_reopen_a_finished_order(s: Story) -> Iterator[None]:
    s.of("hireright")
    s.feed({"orderStatus": "Completed"})
    s.feed({"orderStatus": "InProgress"})
    yield
    assert (s.check()["lifecycle"], s.check()["is_terminal"]) == ("completed", True)


@told.story
def test_an_undated_decision_follows_a_review_and_a_review_no_decision(s: Story) -> Iterator[None]:
    s.of("hireright", account="plain")
    s.say(orderStatus="InProgress", when="10:00")
    s.push(orderStatus="Completed", adjudicationStatus="Client Review Required", when="11:00")
    s.push(orderStatus="Completed", when="11:01")
    s.push(orderStatus="Completed", adjudicationStatus="Meets Company Standards", when="11:02")
    s.push(orderStatus="Completed", adjudicationStatus="Escalated To Legal", when="11:03")
    yield
    assert [event["adjudication"] for event in s.events()] == ["not_expected", "pending", "not_expected", "meets"]


@told.story
def test_an_expired_invitation_that_is_renewed_goes_on(s: Story) -> Iterator[None]:
    s.of("hireright").order(ordered_at="2026-03-02T08:00Z")
    s.say(orderStatus="Sent to Applicant", when="09:00")
    s.say(orderStatus="Invite Expired", when="10:00")
    s.say(orderStatus="Completed", when="12:00")
    yield
    check = s.check()
    assert (check["lifecycle"], check["is_terminal"]) == ("completed", True)
    assert (check["reopened_count"], check["reopened_at"]) == (1, at("12:00"))
    assert (check["completed_at"], check["closed_at"]) == (at("12:00"), at("12:00"))
    assert s.conflicts() == set()


@pytest.mark.parametrize("dates", [(None, None), ("2026-03-02T11:00:00Z", "2026-03-02T12:00:00Z")])
@pytest.mark.parametrize("is_one_answer", [False, True])
def test_a_dispute_opened_and_closed_between_two_cycles_has_its_row_its_count_and_both_states(
    stage_of_disputes: Stage, dates: tuple[str | None, str | None], is_one_answer: bool
) -> None:
    s = stage_of_disputes.story(f"disputed-{dates[0]}-{is_one_answer}").of("hireright", account="judged")
    done = {"orderStatus": "Completed", "adjudicationStatus": "Meets Company Standards"}
    s.feed(done, when="10:00")
    stage_of_disputes.settle()
    opened_and_closed = [
        done | {"disputeStatus": word} | ({"statusDate": date} if date else {})
        for word, date in zip(("Received", "Completed"), dates, strict=True)
    ]
    for messages in [opened_and_closed] if is_one_answer else [[one] for one in opened_and_closed]:
        s.feed(*messages, when="13:00")
    stage_of_disputes.settle()
    assert [event["dispute"] for event in s.events()] == ["none", "open", "closed"]
    assert [dispute["closed_at"] is not None for dispute in s.disputes()] == [True]
    assert (s.check()["reopened_count"], s.check()["is_terminal"]) == (1, True)
    assert broken_rules(stage_of_disputes.connection) == []


@pytest.fixture(scope="module")
def stage_of_disputes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with opened(tmp_path_factory) as disputed:
        yield disputed
