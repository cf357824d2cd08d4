"""Zinc: a fine `statusV2` beside a coarse `status`; checks and result come and go with it."""

from __future__ import annotations

from random import Random
from typing import Final

from screening_pipeline.sandbox.timeline import NONCE, Body, Card, Story

ZONE: Final = "Europe/London"
PACKAGE_NAMES: Final = {
    "pkg_uk_standard": "UK standard",
    "pkg_uk_senior": "UK senior",
    "pkg_rtw": "Right to work",
}
PACKAGES: Final = tuple(PACKAGE_NAMES)
REGIONS: Final = ("ENG", "SCT", "WLS")
COARSE: Final = {
    "requested": "pending",
    "paused": "pending",
    "awaiting-candidate": "pending",
    "attention-needed": "pending",
    "in-progress": "partially-completed",
    "ready-for-review": "action-required",
    "all-clear": "completed",
    "reviewed": "reviewed",
    "cancelled": "cancelled",
}
WITH_RESULT: Final = frozenset({"completed", "reviewed", "action-required"})

Part = tuple[str, str]
"""A component's kind (a key of `_label`) and its status."""


def check_id(draw: Random, number: int) -> str:
    """Return the id of a request: 32 hexadecimal digits."""
    return f"{draw.getrandbits(96):024x}{number:08x}"


def packages() -> Body:
    """Return the answer to the request for packages."""
    return {"packages": [{"id": key, "name": name} for key, name in PACKAGE_NAMES.items()]}


def _component(story: Story, kind: str, status: str) -> Body:
    who = story.order.person.full_name
    named: dict[str, Body] = {
        "address": {"name": f"Address check for {who}", "type": "address-check"},
        "right-to-work": {"name": f"Right to work check for {who}", "type": "right-to-work-check"},
        "manager": {"name": f"Reference by Canaria Manager about {who}", "type": "reference-check"},
        "colleague": {"name": f"Reference by Canaria Colleague about {who}", "type": "reference-check"},
        "degree": {"name": f"Degree of {who}", "type": "education-check", "checkType": "degree"},
        "certificate": {"name": f"Certificate of {who}", "checkType": "certificate"},
        # Z1: the payload schema names the kind in checkType, the field table in type
        "untyped": {"name": f"Address check for {who}", "checkType": "address-check"},
    }
    return named[kind] | {"status": status}


def _state(story: Story, fine: str, result: str | None = None, parts: tuple[Part, ...] = ()) -> Body:
    coarse = COARSE[fine]
    body: Body = {"id": story.order.check_id, "status": coarse, "statusV2": fine}
    if result is not None and coarse in WITH_RESULT:
        body["result"] = result
    if coarse in WITH_RESULT:
        body["reportUrl"] = _report_url(story)
    if coarse not in {"pending", "cancelled"}:
        body["checks"] = [_component(story, kind, status) for kind, status in parts]
    return body


def _report_url(story: Story) -> str:
    check = story.order.check_id
    if int(check, 16) % 2:  # Z8: two shapes of the same link
        return f"https://app.zinc.example/candidate/{check}?v={NONCE}"
    return f"https://app.zinc.example/recruitment/request/req_{check[-6:]}?v={NONCE}"


def _all(kinds: tuple[str, ...], status: str) -> tuple[Part, ...]:
    return tuple((kind, status) for kind in kinds)


def _begin(story: Story) -> None:
    story.say(_state(story, "requested"))
    story.dawdle(4)
    story.say(_state(story, "awaiting-candidate"))
    story.dawdle(14)


def _progress(story: Story, kinds: tuple[str, ...]) -> None:
    """The components clear one by one, the last one only with the request itself."""
    for done in range(len(kinds)):
        parts = _all(kinds[:done], "clear") + _all(kinds[done:], "pending")
        story.say(_state(story, "in-progress", parts=parts))
        story.hours(4, 40)
    story.office(ZONE)


def _clears(weight: int, *kinds: str, aged: int = 0) -> Card:
    def tell(story: Story) -> None:
        _begin(story)
        _progress(story, kinds)
        story.say(_state(story, "all-clear", "clear", _all(kinds, "clear")))

    return Card(weight, tell, "request", backdated=aged)


def _is_reviewed(weight: int, result: str, *kinds: str) -> Card:
    def tell(story: Story) -> None:
        _begin(story)
        _progress(story, kinds)
        parts = _all(kinds[:-1], "clear") + _all(kinds[-1:], "consider")
        story.say(_state(story, "ready-for-review", "consider", parts))
        story.days(0.5, 4)
        story.office(ZONE)
        story.say(_state(story, "reviewed", result, parts))

    return Card(weight, tell, "request")


def _waits_for_review(story: Story) -> None:
    _begin(story)
    _progress(story, ("address",))
    story.say(_state(story, "ready-for-review", "clear", (("address", "clear"),)))


def _hides_a_consider(weight: int, result: str) -> Card:
    def tell(story: Story) -> None:
        _begin(story)
        _progress(story, ("address", "manager"))
        parts = (("address", "clear"), ("manager", "clear" if result == "consider" else "consider"))
        story.say(_state(story, "all-clear", result, parts))  # Z3: an all-clear that is none

    return Card(weight, tell, "request")


def _interrupted(weight: int, by: str) -> Card:
    """Z7: while the request stands still, checks and result vanish from the answer."""

    def tell(story: Story) -> None:
        kinds = ("address", "right-to-work")
        _begin(story)
        story.say(_state(story, "in-progress", parts=(("address", "clear"), ("right-to-work", "pending"))))
        story.hours(5, 30)
        story.say(_state(story, by))
        story.dawdle(30)
        _progress(story, kinds)
        story.say(_state(story, "all-clear", "clear", _all(kinds, "clear")))

    return Card(weight, tell, "request")


def _resubmitted(story: Story) -> None:
    _begin(story)
    story.say(_state(story, "in-progress", parts=(("address", "pending-resubmission"),)))
    story.dawdle(20)
    _progress(story, ("address",))
    story.say(_state(story, "all-clear", "clear", (("address", "clear"),)))


def _cancelled(story: Story) -> None:
    _begin(story)
    story.say(_state(story, "cancelled"))


def _dawdles(story: Story) -> None:
    story.say(_state(story, "requested"))
    story.dawdle(4)
    story.say(_state(story, "awaiting-candidate"))


def _coarse_only(story: Story) -> None:
    """An old request whose answers lack `statusV2`."""
    story.say(_without_fine(_state(story, "requested")))
    story.dawdle(30)
    story.say(_without_fine(_state(story, "in-progress", parts=(("address", "pending"),))))
    story.days(1, 3)
    story.say(_without_fine(_state(story, "all-clear", "clear", (("address", "clear"),))))


def _without_fine(body: Body) -> Body:
    return {key: value for key, value in body.items() if key != "statusV2"}


DECK: Final = (
    _clears(10, "address", "right-to-work"),
    _clears(6, "right-to-work"),
    _clears(3, "address", "manager", "colleague"),
    _clears(1, "untyped", "right-to-work"),
    _clears(1, "degree", "certificate"),
    _clears(1, "address", "right-to-work", aged=25),
    _is_reviewed(3, "consider", "right-to-work", "address"),
    _is_reviewed(2, "clear", "address", "manager", "colleague"),
    Card(1, _waits_for_review, "request"),
    _hides_a_consider(1, "clear"),
    _hides_a_consider(1, "consider"),
    _interrupted(2, "awaiting-candidate"),
    _interrupted(2, "attention-needed"),
    _interrupted(2, "paused"),
    Card(1, _resubmitted, "request"),
    Card(3, _cancelled, "request"),
    Card(3, _dawdles, "request"),
    Card(1, _coarse_only, "request"),
)
