"""HireRight: orders in stages with products, adjudication and disputes; I-9 forms with E-Verify."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from screening_pipeline.sandbox.timeline import Body, Card, Story

ZONE: Final = "America/Los_Angeles"
PACKAGES: Final = ("US Standard", "US Executive", "Drug Panel 5")
REGIONS: Final = ("CA", "NY", "OH", "GA")
PRODUCTS: Final = ("Employment Report", "County Criminal Search", "Education Report")

MEETS: Final = "Meets Company Standards"
FAILS: Final = "Does Not Meet Company Standards"
REVIEW: Final = "Client Review Required"
CONFLICT: Final = "Pending - Potential Conflict"
CANCELED: Final = "Canceled"
CUSTOM_FINAL: Final = "Approved By Security"
CUSTOM_OPEN: Final = "Escalated To Legal"


def check_id(draw: Random, number: int) -> str:
    """Return an id as text; its leading zeros are part of it."""
    return f"0{draw.randrange(1000):03d}{number:06d}"


def adjudications() -> Body:
    """List the decisions that a customer may take, their own words among them."""
    words = (MEETS, FAILS, REVIEW, CONFLICT, CUSTOM_FINAL, CUSTOM_OPEN)
    return {"adjudicationStatuses": [{"name": word} for word in words]}


def local_text(instant: datetime) -> str:
    """Write `instant` in Pacific time with an offset, to the second."""
    return instant.astimezone(ZoneInfo(ZONE)).isoformat(timespec="seconds")


def _order(
    story: Story, status: str, adjudication: str | None = None, *, done: int = 0, dispute: str | None = None
) -> None:
    story.move_on()
    body: Body = {"orderId": story.order.check_id, "orderStatus": status}
    if adjudication is not None:
        body["adjudicationStatus"] = adjudication
    if dispute is not None:
        body["disputeStatus"] = dispute
    decided = adjudication if status == "Completed" and adjudication in {MEETS, FAILS} else None
    body["products"] = _products(story, done, decided)
    body["flexFields"] = [{"name": "CostCenter", "value": story.order.cost_center}]
    body["statusDate"] = local_text(story.at)
    story.say(body)


def _products(story: Story, done: int, decided: str | None) -> list[Body]:
    names = PRODUCTS[: 2 + len(story.order.check_id.strip("0")) % 2]
    decision: Body = {"adjudicationStatus": decided} if decided else {}
    return [
        {"name": name, "status": "Completed" if position < done else "InProgress", **decision}
        for position, name in enumerate(names)
    ]


def _invite(story: Story) -> None:
    _order(story, "Sent to Applicant")
    story.dawdle(10)
    _order(story, "Pending Applicant")
    story.dawdle(8)


def _search(story: Story) -> None:
    """Products complete one by one."""
    for done in range(len(PRODUCTS) - 1):
        _order(story, "InProgress", done=done)
        story.days(0.3, 2)
        story.office(ZONE)


def _complete(story: Story, *adjudications: str | None) -> None:
    """Complete without an adjudication; the given ones follow, hours to days apart."""
    _order(story, "Completed", done=len(PRODUCTS))
    for adjudication in adjudications:
        story.hours(2, 40)
        _order(story, "Completed", adjudication, done=len(PRODUCTS))


def _finishes(weight: int, *adjudications: str) -> Card:
    def tell(story: Story) -> None:
        _invite(story)
        _search(story)
        _complete(story, *adjudications)

    return Card(weight, tell, "order")


def _adjudicated_at_once(story: Story) -> None:
    _invite(story)
    _search(story)
    _order(story, "Completed", MEETS, done=len(PRODUCTS))


def _two_step(story: Story) -> None:
    _order(story, "Pending Requestor")
    story.hours(3, 60)
    _search(story)
    _complete(story, MEETS)


def _staged(story: Story) -> None:
    """H9: with stage ordering the client decides about a stage while the order is in progress."""
    _invite(story)
    _order(story, "InProgress")
    story.days(0.5, 2)
    _order(story, "InProgress", REVIEW, done=1)
    story.hours(4, 60)
    _order(story, "InProgress", done=1)
    story.days(0.5, 2)
    story.office(ZONE)
    _complete(story, MEETS)


def _invitation_cancelled(story: Story) -> None:
    _order(story, "Sent to Applicant")
    story.dawdle(20)
    _order(story, "Cancelled")  # H1: the invitation


def _order_canceled(weight: int, adjudication: str | None) -> Card:
    def tell(story: Story) -> None:
        _invite(story)
        _order(story, "InProgress")
        story.days(0.5, 3)
        _order(story, "Canceled", adjudication)  # H1: the order

    return Card(weight, tell, "order")


def _invitation_expires(story: Story) -> None:
    _order(story, "Sent to Applicant")
    story.days(14, 14)
    _order(story, "Invite Expired")  # H6


def _invited_again(story: Story) -> None:
    _invitation_expires(story)
    story.days(1, 3)
    _invite(story)
    _search(story)
    _complete(story, MEETS)


def _disputed(weight: int, before: str, after: str | None) -> Card:
    """A dispute re-opens a decided order."""

    def tell(story: Story) -> None:
        _invite(story)
        _search(story)
        _complete(story, before)
        story.days(0.5, 2)
        _order(story, "Completed", before, done=len(PRODUCTS), dispute="Received")
        if after is not None:
            story.days(2, 5)
            _order(story, "Completed", after, done=len(PRODUCTS), dispute="Completed")  # H8

    return Card(weight, tell, "order")


def _disputed_within_a_day(story: Story) -> None:
    """A dispute that is over before anybody who looks once a day has seen it."""
    _invite(story)
    _search(story)
    _complete(story, MEETS)
    story.days(1, 2)
    _order(story, "Completed", MEETS, done=len(PRODUCTS), dispute="Received")
    story.hours(0.5, 3)
    _order(story, "Completed", MEETS, done=len(PRODUCTS), dispute="Completed")


def _adjudicated_late(story: Story) -> None:
    """The client takes weeks to decide."""
    _invite(story)
    _search(story)
    _complete(story)
    story.days(8, 20)
    _order(story, "Completed", MEETS, done=len(PRODUCTS))


def _never_opened(story: Story) -> None:
    _order(story, "Sent to Applicant")


def _unannounced(story: Story) -> None:
    """An order that no manifest lists, such as one placed by hand in the vendor's portal."""
    _invite(story)
    _search(story)
    _complete(story, MEETS)


def _i9(story: Story, status: str, e_verify: str | None = None) -> None:
    body: Body = {"id": story.order.check_id, "i9Status": status}
    if e_verify is not None:
        body["eVerifyStatus"] = e_verify
    story.say(body)


def _form(weight: int, *answers: str | None, agent: bool = False, completed: str = "Completed") -> Card:
    """An I-9 form; E-Verify gives `answers` in turn once both sections are filled in. None: no case is open yet."""

    def tell(story: Story) -> None:
        _i9(story, "Sent to Employee")
        story.dawdle(12)
        _i9(story, "Pending Remote Agent" if agent else "Pending Employer")
        story.hours(3, 50)
        _answered(story, completed, answers)

    return Card(weight, tell, "i9")


def _answered(story: Story, completed: str, answers: Sequence[str | None]) -> None:
    for answer in answers or (None,):
        _i9(story, completed, answer)
        story.hours(1, 40)


DECK: Final = (
    _finishes(18, MEETS),
    Card(4, _adjudicated_at_once, "order"),
    _finishes(3, REVIEW, FAILS),
    _finishes(2, REVIEW, MEETS),
    _finishes(1, REVIEW),
    _finishes(2, CONFLICT, MEETS),
    _finishes(2),
    _finishes(2, CUSTOM_FINAL),
    _finishes(1, CUSTOM_OPEN),
    _finishes(1, CUSTOM_OPEN, FAILS),
    Card(3, _two_step, "order"),
    Card(3, _staged, "order"),
    Card(2, _invitation_cancelled, "order"),
    _order_canceled(1, CANCELED),
    _order_canceled(1, None),
    Card(2, _invitation_expires, "order"),
    Card(1, _invited_again, "order"),
    _disputed(1, FAILS, MEETS),
    _disputed(1, MEETS, MEETS),
    _disputed(1, FAILS, None),
    Card(1, _never_opened, "order"),
    Card(1, _unannounced, "order", is_announced=False),
    Card(1, _disputed_within_a_day, "order"),
    Card(1, _adjudicated_late, "order"),
    _form(1),
    _form(1, None, "IN_PROGRESS", "AUTHORIZED", completed="completed"),
    _form(1, "IN_PROGRESS", "AUTHORIZED", completed="completed"),
    _form(1, "IN_PROGRESS", "TNC", "CONTINUANCE", "FINAL_NON_CONFIRM"),
    _form(1, "AUTHORIZED", agent=True),
)
