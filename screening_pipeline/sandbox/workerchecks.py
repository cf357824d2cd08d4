"""WorkerChecks: 80 % of the submitted checks take 1 to 3 minutes, the rest 1 to 15 business days."""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from screening_pipeline.sandbox.timeline import NONCE, Body, Card, Story

ZONE: Final = "Australia/Sydney"
PACKAGES: Final = ("ACIC-STANDARD", "ACIC-VOLUNTEER")
REGIONS: Final = ("NSW", "VIC", "QLD", "WA")
CERTIFICATES: Final = "https://certificates.workerchecks.example"


def check_id(draw: Random, number: int) -> str:
    """Return an id as text; its leading zeros are part of it."""
    return f"{draw.randrange(100):02d}{number:06d}"


def _state(story: Story, status: str, result: str | None = None, released: str | None = None) -> Body:
    check = story.order.check_id
    has_certificate = released is not None
    return {
        "checkId": check,
        "status": status,
        "result": result,
        "releaseDate": released,
        "certificateUrl": f"{CERTIFICATES}/{check}?signature={NONCE}" if has_certificate else None,
    }


def local_text(instant: datetime) -> str:
    """Write `instant` as the vendor does: local time of Sydney without an offset (W4).

    In the hour that the end of daylight saving repeats, and at every seventh minute, only the date is given.
    """
    local = instant.astimezone(ZoneInfo(ZONE)).replace(microsecond=0)
    is_ambiguous = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    if is_ambiguous or local.minute % 7 == 0:
        return local.date().isoformat()
    return local.replace(tzinfo=None).isoformat()


def _release(story: Story, result: str) -> None:
    story.say(_state(story, "Completed", result, local_text(story.at)))


def _submit(story: Story) -> None:
    """A third of the invitations wait for the worker; the others arrive with the form filled in."""
    if story.draw.random() < 1 / 3:
        story.say(_state(story, "Pending"))
        story.dawdle(5)
    story.say(_state(story, "In Progress"))


def _fast(result: str) -> Card:
    def tell(story: Story) -> None:
        _submit(story)
        story.seconds(60, 180)
        _release(story, result)

    return Card(30 if result == "Clear" else 1, tell, "check")


def _without_result_for_a_moment(story: Story) -> None:
    """The outcome follows the status some seconds later (eventual consistency)."""
    _submit(story)
    story.seconds(60, 120)
    story.say(_state(story, "Completed"))
    story.seconds(20, 60)
    _release(story, "Clear")


def _by_hand(weight: int, result: str) -> Card:
    def tell(story: Story) -> None:
        _submit(story)
        story.business_days(story.draw.randint(1, 15), ZONE)
        _release(story, result)

    return Card(weight, tell, "check")


def _refer(story: Story) -> None:
    _submit(story)
    story.seconds(60, 180)
    story.say(_state(story, "Completed", "Refer"))  # W1: referred for manual review, nothing released yet


def _referred_then(result: str) -> Card:
    def tell(story: Story) -> None:
        _refer(story)
        story.business_days(story.draw.randint(1, 15), ZONE)
        _release(story, result)

    return Card(1, tell, "check")


def _cancelled(story: Story) -> None:
    story.say(_state(story, "Pending"))
    story.dawdle(20)
    story.say(_state(story, "Cancelled"))


def _never_submitted(story: Story) -> None:
    story.say(_state(story, "Pending"))


DECK: Final = (
    _fast("Clear"),
    _fast("Attention Required"),
    Card(2, _without_result_for_a_moment, "check"),
    _by_hand(4, "Clear"),
    _by_hand(1, "Attention Required"),
    _referred_then("Refer"),
    _referred_then("Clear"),
    Card(1, _refer, "check"),
    Card(2, _cancelled, "check"),
    Card(1, _never_submitted, "check"),
)
