"""A provider of Workable's contract: pending, then consented, completed, declined or expired."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from screening_pipeline.sandbox.people import Person
from screening_pipeline.sandbox.timeline import NONCE, Body, Card, Story

ZONE: Final = "America/New_York"
PACKAGE_NAMES: Final[dict[int | str, str]] = {
    1: "Criminal Basic",
    2: "Motor Vehicle Record",
    "12345": "Executive Search",  # K3: ids are numbers in one example and text in another
}
PACKAGES: Final = tuple(str(package) for package in PACKAGE_NAMES)
REGIONS: Final = ("NY", "MA", "IL")
REPORTS: Final = "https://reports.provider.example"

Shape = Callable[[dict[str, str], Person], object]


def check_id(draw: Random, number: int) -> str:
    """Return a numeric id as text; leading zeros are part of it."""
    return f"{draw.choice(('00', '20'))}{number:05d}"


def packages() -> Body:
    """Return the answer to the request for packages."""
    return {"packages": [{"id": key, "name": name} for key, name in PACKAGE_NAMES.items()]}


def shared_link(check: str) -> Body:
    """Return a link that anyone may follow for two hours; `ttl` is text (K8)."""
    return {"url": f"{REPORTS}/shared/{check}?key={NONCE}", "ttl": "120", "ttl_units": "minutes"}


def as_array(parts: dict[str, str], _: Person) -> object:
    """Results as the document's example has them (K4)."""
    return [{"name": name, "status": status} for name, status in parts.items()]


def as_object(parts: dict[str, str], _: Person) -> object:
    """Results as the document's prose has them: key and value (K4)."""
    return dict(parts)


def as_nested_object(parts: dict[str, str], _: Person) -> object:
    """Results as objects, one level deep (K4)."""
    return {name: {"status": status, "jurisdiction": "county"} for name, status in parts.items()}


def as_free_form(parts: dict[str, str], who: Person) -> object:
    """Results in a group, beside whatever else a provider thinks worth showing (K4)."""
    return {
        "Criminal": dict(parts),
        "Name on record": who.full_name,
        "Completed on": "2026-03-02",
        "Score": 700,
        "Aliases": [who.full_name],
        f"Reference of {who.full_name}": {"spoken on": "2026-03-02T09:00:00Z", "reached": True},
    }


def _open(status: str) -> Body:
    return {"results_url": "", "status": status}


def _completed(story: Story, check: Body | None) -> Body:
    report = f"{REPORTS}/checks/{story.order.check_id}?key={NONCE}"
    body: Body = {"results_url": report, "status": "completed"}
    if check is not None:
        body["check"] = check
    body["attachments"] = [{"description": "Background check report", "url": f"{report}&format=pdf"}]
    return body


def _consent(story: Story) -> None:
    story.say(_open("pending"))
    story.dawdle(18)
    story.say(_open("consented"))


def _finishes(weight: int, overall: str | None, parts: dict[str, str], shape: Shape, aged: int = 0) -> Card:
    def tell(story: Story) -> None:
        _consent(story)
        story.days(0.5, 5)
        story.office(ZONE)
        outcome: Body = {"overall_status": overall} if overall else {}
        story.say(_completed(story, outcome | {"result": shape(parts, story.order.person)}))

    return Card(weight, tell, "check", backdated=aged)


def _without_check(story: Story) -> None:
    _consent(story)
    story.days(1, 4)
    story.say(_completed(story, None))  # K5: the results are optional


def _ends(weight: int, status: str, *, after_consent: bool) -> Card:
    def tell(story: Story) -> None:
        story.say(_open("pending"))
        if after_consent:
            story.dawdle(18)
            story.say(_open("consented"))  # K11: the document gives the states no order
        if status == "expired":
            story.days(7, 7)
        else:
            story.dawdle(24)
        story.say(_open(status))

    return Card(weight, tell, "check")


def _never_answered(story: Story) -> None:
    story.say(_open("pending"))


CLEAR: Final = {"motor_vehicle_report": "clear", "education_verification": "clear"}
MIXED: Final = {"motor_vehicle_report": "clear", "education_verification": "consider"}

COURTS: Final = {"Federal": "clear", "County": "clear"}
FELONY: Final = {"Federal": "clear", "County": "consider"}

DECK: Final = (
    _finishes(10, "clear", CLEAR, as_array),
    _finishes(6, "clear", CLEAR, as_object),
    _finishes(4, "clear", CLEAR, as_nested_object),
    _finishes(3, "consider", MIXED, as_array),
    _finishes(1, "consider", MIXED, as_nested_object),
    _finishes(1, "clear", MIXED, as_object),  # an overall clear that hides a consider
    _finishes(1, None, MIXED, as_array),
    _finishes(2, "clear", COURTS, as_free_form),
    _finishes(1, None, COURTS, as_free_form),
    _finishes(1, None, FELONY, as_free_form),
    _finishes(1, None, {}, as_free_form),
    _finishes(1, "clear", CLEAR, as_array, aged=21),
    Card(2, _without_check, "check"),
    _ends(3, "declined", after_consent=False),
    _ends(1, "declined", after_consent=True),
    _ends(3, "expired", after_consent=False),
    _ends(1, "expired", after_consent=True),
    Card(2, _never_answered, "check"),
)
