from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from screening_pipeline_tests.support.stage import DONE, OPEN, Saying, Stories, Story, at

told = Stories()
stage = told.stage()

REPORTS = {
    # Status alone
    "New": Saying(Status="New").means("created", "none", "not_exposed", "none", "vendor", OPEN),
    "RequiresAdditionalInfo": Saying(Status="RequiresAdditionalInfo").means(
        "awaiting_client", "none", "not_exposed", "none", "unknown", OPEN
    ),
    "MissingInput": Saying(Status="MissingInput").means(
        "awaiting_candidate", "none", "not_exposed", "none", "candidate", OPEN
    ),
    "MissingInfo-as-a-status": Saying(Status="MissingInfo").means(
        "awaiting_candidate", "none", "not_exposed", "none", "candidate", OPEN
    ),
    "Processing": Saying(Status="Processing", StatusDetails=None).means(
        "in_progress", "none", "not_exposed", "none", "vendor", OPEN
    ),
    "Canceled": Saying(Status="Canceled").means("canceled", "none", "not_exposed", "none", "none", DONE),
    "Expired": Saying(Status="Expired").means("expired", "none", "not_exposed", "none", "none", DONE),
    "CompletedAlert": Saying(Status="CompletedAlert").means(
        "completed", "consider", "not_exposed", "none", "client", DONE
    ),
    "CompletedClear": Saying(Status="CompletedClear").means("completed", "clear", "not_exposed", "none", "none", DONE),
    # StatusDetails refine an open status
    "details-New": Saying(Status="New", StatusDetails="New").means(
        "created", "none", "not_exposed", "none", "vendor", OPEN
    ),
    "details-AwaitingInput": Saying(Status="MissingInput", StatusDetails="AwaitingInput").means(
        "awaiting_candidate", "none", "not_exposed", "none", "candidate", OPEN
    ),
    "details-MissingInfo": Saying(Status="MissingInput", StatusDetails="MissingInfo").means(
        "awaiting_client", "none", "not_exposed", "none", "client", OPEN
    ),
    "details-AwaitingConfirmation": Saying(Status="RequiresAdditionalInfo", StatusDetails="AwaitingConfirmation").means(
        "awaiting_candidate", "none", "not_exposed", "none", "client_or_candidate", OPEN
    ),
    "details-AwaitingConsent": Saying(Status="RequiresAdditionalInfo", StatusDetails="AwaitingConsent").means(
        "awaiting_candidate", "none", "not_exposed", "none", "client_or_candidate", OPEN
    ),
    "details-AwaitingConsentReview": Saying(
        Status="RequiresAdditionalInfo", StatusDetails="AwaitingConsentReview"
    ).means("awaiting_vendor", "none", "not_exposed", "none", "vendor", OPEN),
    "details-AwaitingCountyFee": Saying(Status="RequiresAdditionalInfo", StatusDetails="AwaitingCountyFee").means(
        "awaiting_client", "none", "not_exposed", "none", "client", OPEN
    ),
    "details-AwaitingCountyFee-while-processing": Saying(Status="Processing", StatusDetails="AwaitingCountyFee").means(
        "awaiting_client", "none", "not_exposed", "none", "client", OPEN
    ),
    "details-AwaitingDrugTestScheduling": Saying(
        Status="MissingInput", StatusDetails="AwaitingDrugTestScheduling"
    ).means("awaiting_candidate", "none", "not_exposed", "none", "candidate", OPEN),
    "details-Locked": Saying(Status="RequiresAdditionalInfo", StatusDetails="Locked").means(
        "awaiting_vendor", "none", "not_exposed", "none", "vendor", OPEN
    ),
    "details-NotVerified": Saying(Status="RequiresAdditionalInfo", StatusDetails="NotVerified").means(
        "awaiting_client", "none", "not_exposed", "none", "unknown", OPEN
    ),
    "details-Clear": Saying(Status="CompletedClear", StatusDetails="Clear").means(
        "completed", "clear", "not_exposed", "none", "none", DONE
    ),
    "details-Alert": Saying(Status="CompletedAlert", StatusDetails="Alert").means(
        "completed", "consider", "not_exposed", "none", "client", DONE
    ),
    "details-CanceledOrExpired-of-a-canceled-report": Saying(
        Status="Canceled", StatusDetails="CanceledOrExpired"
    ).means("canceled", "none", "not_exposed", "none", "none", DONE),
    "details-CanceledOrExpired-of-an-expired-report": Saying(Status="Expired", StatusDetails="CanceledOrExpired").means(
        "expired", "none", "not_exposed", "none", "none", DONE
    ),
    # words that contradict each other
    "empty-details-are-none": Saying(Status="CompletedClear", StatusDetails="").means(
        "completed", "clear", "not_exposed", "none", "none", DONE
    ),
    "Processing-with-Clear": Saying(Status="Processing", StatusDetails="Clear")
    .means("in_progress", "none", "not_exposed", "none", "vendor", OPEN)
    .but(has_conflict=True),
    "Processing-with-Alert": Saying(Status="Processing", StatusDetails="Alert")
    .means("in_progress", "none", "not_exposed", "none", "vendor", OPEN)
    .but(has_conflict=True),
    "MissingInput-with-CanceledOrExpired": Saying(Status="MissingInput", StatusDetails="CanceledOrExpired")
    .means("awaiting_candidate", "none", "not_exposed", "none", "candidate", OPEN)
    .but(has_conflict=True),
    "CompletedClear-with-Alert": Saying(Status="CompletedClear", StatusDetails="Alert")
    .means("completed", "consider", "not_exposed", "none", "client", DONE)
    .but(has_conflict=True),
    "CompletedAlert-with-Clear": Saying(Status="CompletedAlert", StatusDetails="Clear")
    .means("completed", "consider", "not_exposed", "none", "client", DONE)
    .but(has_conflict=True),
    "CompletedClear-with-an-open-detail": Saying(Status="CompletedClear", StatusDetails="AwaitingInput")
    .means("completed", "clear", "not_exposed", "none", "none", DONE)
    .but(has_conflict=True),
    "CompletedClear-with-a-section-with-alerts": Saying(
        Status="CompletedClear", StatusDetails="Clear", SectionsContainingAlerts=["Misc Court Records"]
    )
    .means("completed", "consider", "not_exposed", "none", "client", DONE)
    .but(has_conflict=True),
    "CompletedClear-without-any-section": Saying(
        Status="CompletedClear", StatusDetails="Clear", SectionsContainingAlerts=[], RequiredReportActions=[]
    ).means("completed", "clear", "not_exposed", "none", "none", DONE),
    "Expired-with-Alert": Saying(Status="Expired", StatusDetails="Alert")
    .means("expired", "none", "not_exposed", "none", "none", DONE)
    .but(has_conflict=True),
    # words nobody documented
    "unknown-Status": Saying(Status="Frozen", StatusDetails="AwaitingInput")
    .means("unknown", "unknown", "not_exposed", "none", "unknown", OPEN)
    .lists(status="Frozen"),
    "lower-case-Status": Saying(Status="completedclear")
    .means("unknown", "unknown", "not_exposed", "none", "unknown", OPEN)
    .lists(status="completedclear"),
    "unknown-detail-of-an-open-report": Saying(Status="Processing", StatusDetails="AwaitingMoonrise")
    .means("in_progress", "none", "not_exposed", "none", "unknown", OPEN)
    .lists(detail="AwaitingMoonrise"),
    "unknown-detail-of-a-completed-report": Saying(Status="CompletedClear", StatusDetails="Sparkling")
    .means("completed", "clear", "not_exposed", "none", "none", OPEN)
    .lists(detail="Sparkling"),
}
test_every_word_of_a_report_has_its_meaning = told.readings("goodhire", REPORTS)

SUBSCRIPTIONS = {
    "New-and-active": Saying(LastStatus="New", IsActive=True).means(
        "in_progress", "none", "not_exposed", "none", "vendor", OPEN
    ),
    "Clear-and-active": Saying(LastStatus="Clear", IsActive=True).means(
        "in_progress", "clear", "not_exposed", "none", "none", OPEN
    ),
    "Alert-and-active": Saying(LastStatus="Alert", IsActive=True).means(
        "in_progress", "consider", "not_exposed", "none", "client", OPEN
    ),
    "Canceled-and-inactive": Saying(LastStatus="Canceled", IsActive=False).means(
        "canceled", "none", "not_exposed", "none", "none", DONE
    ),
    "New-and-inactive": Saying(LastStatus="New", IsActive=False).means(
        "canceled", "none", "not_exposed", "none", "none", DONE
    ),
    "Clear-and-inactive": Saying(LastStatus="Clear", IsActive=False).means(
        "canceled", "clear", "not_exposed", "none", "none", DONE
    ),
    "Canceled-yet-active": Saying(LastStatus="Canceled", IsActive=True)
    .means("in_progress", "none", "not_exposed", "none", "none", OPEN)
    .but(has_conflict=True),
    "unknown-word": Saying(LastStatus="Dormant", IsActive=True)
    .means("in_progress", "unknown", "not_exposed", "none", "unknown", OPEN)
    .lists(status="Dormant"),
    "unknown-word-and-inactive": Saying(LastStatus="Dormant", IsActive=False)
    .means("canceled", "unknown", "not_exposed", "none", "unknown", OPEN)
    .lists(status="Dormant"),
    "without-IsActive": Saying(LastStatus="Clear")
    .means("unknown", "clear", "not_exposed", "none", "none", OPEN)
    .lists(is_active=""),
    "IsActive-in-other-letters": Saying(LastStatus="Clear", IsActive="False")
    .means("unknown", "clear", "not_exposed", "none", "none", OPEN)
    .lists(is_active="False"),
}
test_every_word_of_a_subscription_has_its_meaning = told.readings("goodhire", SUBSCRIPTIONS, subject="subscription")


@told.story
def test_words_are_kept_verbatim_beside_their_meaning(s: Story) -> Iterator[None]:
    s.of("goodhire").say(Status="MissingInput", StatusDetails="AwaitingConsent")
    yield
    check = s.check()
    assert (check["vendor_status"], check["vendor_status_detail"]) == ("MissingInput", "AwaitingConsent")
    assert check["vendor_result"] is None
    assert check["vendor_adjudication"] is None
    assert check["vendor_dispute"] is None


@told.story
def test_required_actions_open_and_resolve_each_on_its_own(s: Story) -> Iterator[None]:
    s.of("goodhire")
    both = [{"Type": "IncompleteCandidateInfo"}, {"Type": "MissingCandidateConsent"}]
    s.say(Status="MissingInput", StatusDetails="AwaitingInput", RequiredReportActions=both, when="09:00")
    s.say(Status="MissingInput", StatusDetails="AwaitingConsent", RequiredReportActions=both[1:], when="10:00")
    s.say(Status="Processing", RequiredReportActions=[], when="11:00")
    yield
    told = [(a["action_type"], a["next_actor"], a["first_observed_at"], a["resolved_at"]) for a in s.actions()]
    assert told == [
        ("IncompleteCandidateInfo", "candidate", at("09:00"), at("10:00")),
        ("MissingCandidateConsent", "candidate", at("09:00"), at("11:00")),
    ]


@told.story
def test_an_action_that_returns_is_another_stretch(s: Story) -> Iterator[None]:
    s.of("goodhire")
    consent = [{"Type": "MissingCandidateConsent"}]
    s.say(Status="MissingInput", RequiredReportActions=consent, when="09:00")
    s.say(Status="Processing", RequiredReportActions=[], when="10:00")
    s.say(Status="MissingInput", RequiredReportActions=consent, when="11:00")
    yield
    assert [(a["action_seq"], a["first_observed_at"], a["resolved_at"]) for a in s.actions()] == [
        (1, at("09:00"), at("10:00")),
        (2, at("11:00"), None),
    ]


@told.story
def test_an_action_nobody_documented_is_kept_and_listed(s: Story) -> Iterator[None]:
    s.of("goodhire").say(Status="MissingInput", RequiredReportActions=[{"Type": "WetSignature"}])
    yield
    assert [(a["action_type"], a["next_actor"]) for a in s.actions()] == [("WetSignature", "unknown")]
    assert s.unmapped() == {("action", "WetSignature")}


@told.story
def test_sections_with_alerts_are_components_and_the_others_are_not_called_clear(s: Story) -> Iterator[None]:
    s.of("goodhire").say(
        Status="CompletedAlert", StatusDetails="Alert", SectionsContainingAlerts=["Misc Court Records"]
    )
    yield
    (part,) = s.components()
    assert part["component_name"] == "Misc Court Records"
    assert (part["lifecycle"], part["result"]) == ("completed", "consider")


@told.story
def test_links_lose_their_query_and_never_make_an_event(s: Story) -> Iterator[None]:
    s.of("goodhire")
    s.say(Status="Processing", ReportViewerUrl="https://viewer.example/member/?_act=report&_cnduid=one")
    s.say(Status="Processing", ReportViewerUrl="https://viewer.example/member/?_act=report&_cndid=7412")
    yield
    assert s.check()["report_url"] == "https://viewer.example/member/"
    assert s.lifecycles() == ["in_progress"]
    assert s.pulls() == ["changed", "unchanged"]


@told.story
def test_a_completed_report_that_is_processing_again_is_reopened(s: Story) -> Iterator[None]:
    s.of("goodhire").order(ordered_at="2026-03-02T08:00Z", package="RPT_BASIC")
    s.say(Status="Processing", when="09:00")
    s.say(Status="CompletedClear", StatusDetails="Clear", when="10:00")
    s.say(Status="Processing", when="11:00")
    yield
    check = s.check()
    assert (check["lifecycle"], check["is_terminal"], check["closed_at"]) == ("in_progress", False, None)
    assert (check["reopened_count"], check["reopened_at"]) == (1, at("11:00"))
    assert check["completed_at"] == at("10:00"), "the first completion is kept"
    assert check["turnaround_seconds"] is None
    assert check["turnaround_excluded_reason"] is None


@told.story
def test_a_reopened_report_keeps_its_first_completion_when_it_completes_again(s: Story) -> Iterator[None]:
    s.of("goodhire").order(ordered_at="2026-03-02T08:00Z")
    s.say(Status="Processing", when="09:00")
    s.say(Status="CompletedClear", when="10:00")
    s.say(Status="Processing", when="11:00")
    s.say(Status="CompletedAlert", when="12:00")
    yield
    check = s.check()
    assert (check["completed_at"], check["completed_at_earliest"]) == (at("10:00"), at("09:00"))
    assert (check["closed_at"], check["reopened_count"]) == (at("12:00"), 1)
    assert (check["result"], check["turnaround_seconds"]) == ("consider", 7200)


@told.story
def test_a_webhook_speaks_of_the_report_inside_it(s: Story) -> Iterator[None]:
    s.of("goodhire").push(Status="CompletedAlert", StatusDetails="Alert")
    yield
    assert s.check()["result"] == "consider"
    assert s.events()[0]["channel"] == "push"


@told.story
def test_a_subscription_keeps_its_first_start_and_its_report(s: Story) -> Iterator[None]:
    s.of("goodhire", subject="subscription")
    s.say(
        LastStatus="Clear",
        IsActive=True,
        ReportId="9cfc505e",
        StartedOn="2016-07-25T15:28:14.1312006-07:00",
        Results=[{"Date": "2016-07-25T16:23:04.433-07:00", "Status": "Clear"}],
        when="09:00",
    )
    s.say(
        LastStatus="Canceled",
        IsActive=False,
        StartedOn="2016-07-25T15:28:14.13-07:00",
        Results=[{"Date": "2016-07-25T16:23:04.433-07:00", "Status": "Canceled"}],
        when="10:00",
    )
    yield
    subscription = s.subscription()
    assert subscription["report_check_id"] == "9cfc505e", "the link is kept when the vendor stops telling it"
    assert subscription["is_active"] is False
    assert (subscription["vendor_status"], subscription["result"]) == ("Canceled", "none")
    assert f"{subscription['started_on']}" == "2016-07-25"
    assert subscription["started_at"] == at("2016-07-25T22:28:14.131200+00:00")
    (run,) = s.runs()
    assert run["run_at"] == at("2016-07-25T23:23:04.433+00:00")
    assert (run["vendor_status"], run["result"], run["rewritten_count"]) == ("Canceled", "none", 1)
    check = s.check()
    assert (check["lifecycle"], check["closed_at"]) == ("canceled", at("10:00"))
    assert check["turnaround_excluded_reason"] == "canceled"


@told.story
def test_runs_are_appended_rewritten_and_kept_when_the_list_is_cut_short(s: Story) -> Iterator[None]:
    s.of("goodhire", subject="subscription")
    first = {"Date": "2026-02-01T08:00:00-08:00", "Status": "Clear"}
    second = {"Date": "2026-02-08T08:00:00-08:00", "Status": "Clear"}
    s.say(LastStatus="New", IsActive=True, Results=[], when="09:00")
    s.say(LastStatus="Clear", IsActive=True, Results=[first], when="10:00")
    s.say(LastStatus="Clear", IsActive=True, Results=[first, second], when="11:00")
    s.say(LastStatus="Alert", IsActive=True, Results=[{**second, "Status": "Alert"}], when="12:00")
    yield
    assert [(r["vendor_status"], r["result"], r["rewritten_count"], r["last_observed_at"]) for r in s.runs()] == [
        ("Clear", "clear", 0, at("11:00")),
        ("Alert", "consider", 1, at("12:00")),
    ]
    assert s.check()["is_terminal"] is False, "an active subscription is never done"


@told.story
def test_two_runs_of_one_instant_are_one_row_that_tells_of_the_alert(s: Story) -> Iterator[None]:
    s.of("goodhire", subject="subscription")
    run = {"Date": "2026-02-01T08:00:00-08:00"}
    for when in ("09:00", "10:00", "11:00"):
        s.say(LastStatus="Alert", Results=[{**run, "Status": "Alert"}, {**run, "Status": "Clear"}], when=when)
    yield
    assert [(r["vendor_status"], r["result"], r["rewritten_count"]) for r in s.runs()] == [("Alert", "consider", 0)]


@told.story
def test_runs_may_be_dated_a_day_ahead_and_no_further(s: Story) -> Iterator[None]:
    s.of("goodhire", subject="subscription")
    runs = [{"Date": date, "Status": "Clear"} for date in ("2026-03-03T10:00:00Z", "2026-03-03T22:00:00Z")]
    s.say(LastStatus="Clear", IsActive=True, Results=runs, when="10:00")
    yield
    assert [run["run_at"] for run in s.runs()] == [at("10:00"), at("10:00") + timedelta(days=1)]
    assert s.unmapped() == {("vendor_time", "2026-03-03T22:00:00Z")}


@told.story
def test_a_subscription_may_have_started_a_day_ahead_and_no_further(s: Story) -> Iterator[None]:
    s.of("goodhire", subject="subscription")
    s.say(LastStatus="New", IsActive=True, StartedOn="2026-03-03T22:00:00Z", when="10:00")
    yield
    assert s.subscription()["started_at"] is None
    assert s.unmapped() == {("vendor_time", "2026-03-03T22:00:00Z")}


@told.story
def test_a_run_word_nobody_documented_is_listed(s: Story) -> Iterator[None]:
    s.of("goodhire", subject="subscription")
    run = {"Date": "2026-02-01T08:00:00-08:00", "Status": "Skipped"}
    s.say(LastStatus="Clear", IsActive=True, Results=[run])
    yield
    assert [(r["vendor_status"], r["result"]) for r in s.runs()] == [("Skipped", "unknown")]
    assert s.unmapped() == {("run", "Skipped")}


@told.story
def test_a_subscription_that_does_not_say_whether_it_is_active_is_not_called_inactive(
    s: Story,
) -> Iterator[None]:
    s.of("goodhire", subject="subscription").say(LastStatus="Clear")
    yield
    assert s.subscription()["is_active"] is None


@told.story
def test_both_spellings_of_the_link_to_a_subscription_are_read(s: Story) -> Iterator[None]:
    s.of("goodhire", subject="subscription")
    s.say(LastStatus="Clear", IsActive=True, ReportURL="https://viewer.example/member/?_cnduid=x")
    yield
    assert s.check()["report_url"] == "https://viewer.example/member/"
