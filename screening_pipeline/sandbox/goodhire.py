"""GoodHire: reports that ask for input, run, and complete or end; Ongoing Alerts subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from screening_pipeline.sandbox.timeline import NONCE, Body, Card, Story

ZONE: Final = "America/Los_Angeles"
PACKAGES: Final = ("RPT_BASIC", "RPT_STANDARD", "RPT_PREMIUM")
REGIONS: Final = ("CA", "TX", "FL", "WA")
MEMBER: Final = "https://sandbox.goodhire.example/member"
INFO: Final = "IncompleteCandidateInfo"
CONSENT: Final = "MissingCandidateConsent"
WORDS_FOR_ACTION: Final = {
    INFO: "Personal details still have to be entered by the candidate",
    CONSENT: "The candidate has not agreed to the search yet",
}
SECTIONS: Final = ("National Criminal Records Check", "Misc Court Records", "SSN Trace + Address History")
RUNS: Final = 12


def check_id(draw: Random, number: int) -> str:
    """Return an id that looks like a UUID; some have a letter no UUID can have."""
    text = str(UUID(int=draw.getrandbits(128), version=4))
    return f"{text[:-8]}{'g' if number % 10 == 0 else 'a'}{number:07x}"


def _report(
    story: Story,
    status: str,
    details: str | None,
    *,
    is_filled_in: bool = True,
    actions: Sequence[str] = (),
    alerts: Sequence[str] = (),
) -> None:
    person = story.order.person
    candidate = person.full_candidate() if is_filled_in else person.name_and_email()
    story.say(
        {
            "Id": story.order.check_id,
            "Candidate": candidate,
            "Status": status,
            "StatusDetails": details,
            "SectionsContainingAlerts": list(alerts),
            "ReportViewerUrl": f"{MEMBER}/?_act=candidateReportAPI&_cnduid={NONCE}",  # G7: new at each GET
            "RequiredReportActions": [_action(kind) for kind in actions],
        }
    )


def _action(kind: str) -> Body:
    return {
        "Description": WORDS_FOR_ACTION[kind],
        "Type": kind,
        "Url": f"{MEMBER}/?_act=dashboard",
        "UrlCandidate": f"{MEMBER}/self-complete?_cnduid={NONCE}",
    }


def _invite(story: Story) -> None:
    """The candidate is asked for details and consent, and gives one after the other."""
    _report(story, "New", "New", is_filled_in=False)  # G1
    story.minutes(2, 20)
    _report(story, "MissingInput", "AwaitingInput", is_filled_in=False, actions=(INFO, CONSENT))
    story.dawdle(16)


def _fill_in(story: Story) -> None:
    _invite(story)
    if story.draw.random() < 1 / 3:
        _report(story, "MissingInput", "AwaitingConsent", actions=(CONSENT,))
        story.dawdle(4)


def _process(story: Story, low: float = 0.3, high: float = 4) -> None:
    _report(story, "Processing", None)
    story.days(low, high)
    story.office(ZONE)


def _complete(story: Story, alerts: int = 0) -> None:
    if alerts:
        _report(story, "CompletedAlert", "Alert", alerts=SECTIONS[:alerts])
    else:
        _report(story, "CompletedClear", "Clear")


def _straight(weight: int, alerts: int = 0, aged: int = 0) -> Card:
    def tell(story: Story) -> None:
        _fill_in(story)
        _process(story)
        _complete(story, alerts)

    return Card(weight, tell, "report", backdated=aged)


def _held_up(weight: int, status: str, details: str, *, hours: float, before_search: bool = False) -> Card:
    """Something has to be settled before the search starts or while it runs."""

    def tell(story: Story) -> None:
        _fill_in(story)
        if not before_search:
            _process(story)
        _report(story, status, details)
        story.dawdle(hours)
        story.office(ZONE)
        _process(story)
        _complete(story)

    return Card(weight, tell, "report")


def _without_candidate_info(story: Story) -> None:
    _report(story, "New", "New", is_filled_in=False)
    story.minutes(2, 20)
    _report(story, "MissingInput", "MissingInfo", is_filled_in=False, actions=(INFO,))
    story.dawdle(20)
    _process(story)
    _complete(story)


def _details_ahead_of_status(story: Story) -> None:
    _fill_in(story)
    _process(story)
    _report(story, "Processing", "Clear")
    story.hours(1, 8)
    _complete(story)


def _expires(weight: int, aged: int = 0) -> Card:
    def tell(story: Story) -> None:
        _report(story, "New", "New", is_filled_in=False)
        story.minutes(2, 20)
        _report(story, "MissingInput", "AwaitingInput", is_filled_in=False, actions=(INFO, CONSENT))
        story.days(30, 30)
        _report(story, "Expired", "CanceledOrExpired", is_filled_in=False)  # G12

    return Card(weight, tell, "report", backdated=aged)


def _canceled(story: Story) -> None:
    _invite(story)
    _report(story, "Canceled", "CanceledOrExpired", is_filled_in=False)


def _subscription(weight: int, *, alert_in_run: int | None = None, canceled_after: int | None = None) -> Card:
    def tell(story: Story) -> None:
        runs: list[tuple[datetime, str]] = []
        _subscribed(story, runs)
        for run in range(canceled_after or RUNS):
            story.days(7, 7)
            runs.append((story.at, "Alert" if run == alert_in_run else "Clear"))
            _subscribed(story, runs)
        if canceled_after:
            story.days(1, 4)
            _unsubscribed(story, runs)

    return Card(weight, tell, "subscription")


def _subscribed(story: Story, runs: Sequence[tuple[datetime, str]]) -> None:
    order = story.order
    body: Body = {
        "Id": order.check_id,
        "ReportId": order.related_id,
        "IsActive": True,
        "StartedOn": local_text(order.ordered_at + timedelta(microseconds=131200), digits=7),
        "LastStatus": runs[-1][1] if runs else "New",
        "ReportUrl": f"{MEMBER}/?_act=phm_report&_cnduid={NONCE}",
        "Results": [{"Date": local_text(at, digits=3), "Status": status} for at, status in runs],
    }
    story.say(body)


def _unsubscribed(story: Story, runs: Sequence[tuple[datetime, str]]) -> None:
    """G11: the link to the report is gone, the start is less precise, and past runs are rewritten."""
    order = story.order
    story.say(
        {
            "Id": order.check_id,
            "IsActive": False,
            "StartedOn": local_text(order.ordered_at + timedelta(microseconds=130000), digits=2),
            "LastStatus": "Canceled",
            "ReportUrl": f"{MEMBER}/?_act=phm_report&_cnduid={NONCE}",
            "Results": [{"Date": local_text(at, digits=3), "Status": "Canceled"} for at, _ in runs],
        }
    )


def local_text(instant: datetime, *, digits: int) -> str:
    """Write `instant` in Pacific time with an offset and `digits` fractional digits, up to 7."""
    local = instant.astimezone(ZoneInfo(ZONE))
    fraction = f"{local.microsecond:06d}6"[:digits]
    offset = local.isoformat()[-6:]
    return f"{local:%Y-%m-%dT%H:%M:%S}.{fraction}{offset}"


DECK: Final = (
    _straight(22),
    _straight(3, alerts=1),
    _straight(2, alerts=3),
    _straight(1, aged=25),
    _straight(1, alerts=1, aged=32),
    _held_up(3, "RequiresAdditionalInfo", "AwaitingCountyFee", hours=20),
    _held_up(1, "RequiresAdditionalInfo", "Locked", hours=30),
    _held_up(1, "RequiresAdditionalInfo", "NotVerified", hours=30, before_search=True),
    _held_up(2, "RequiresAdditionalInfo", "AwaitingConsentReview", hours=6, before_search=True),
    _held_up(2, "MissingInput", "AwaitingConfirmation", hours=12, before_search=True),
    _held_up(3, "MissingInput", "AwaitingDrugTestScheduling", hours=30),
    Card(2, _without_candidate_info, "report"),
    Card(1, _details_ahead_of_status, "report"),
    _expires(2),
    _expires(2, aged=20),
    Card(3, _canceled, "report"),
    _subscription(3),
    _subscription(1, alert_in_run=1),
    _subscription(2, canceled_after=2),
)
