"""Checkr: reports that run, wait for the candidate or the client, complete and are decided on; lists in pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Final

from screening_pipeline.sandbox.clocks import instant_text
from screening_pipeline.sandbox.timeline import Body, Card, Check, Story

ZONE: Final = "America/New_York"
PACKAGE_NAMES: Final = {"tasker_standard": "Tasker Standard", "driver_pro": "Driver Pro", "basic_plus": "Basic Plus"}
PACKAGES: Final = tuple(PACKAGE_NAMES)
REGIONS: Final = ("NY", "CO", "GA")
KINDS: Final = ("ssn_trace", "national_criminal_search", "county_criminal_searches")

Screenings = tuple[tuple[str, str | None], ...]
"""Status and result of each screening, in the order of `KINDS`."""

RUNNING: Final[Screenings] = (("complete", None), ("complete", "clear"), ("pending", None))
CLEAR: Final[Screenings] = (("complete", None), ("complete", "clear"), ("complete", "clear"))
CONSIDER: Final[Screenings] = (("complete", None), ("complete", "clear"), ("complete", "consider"))
CUT_SHORT: Final[Screenings] = (("complete", None), ("complete", "clear"), ("canceled", None))
STOPPED: Final[Screenings] = (("suspended", None), ("pending", None), ("pending", None))
NOTHING: Final[Screenings] = (("canceled", None),) * 3


def check_id(draw: Random, number: int) -> str:
    """Return an id of 24 hexadecimal digits."""
    return f"{draw.getrandbits(64):016x}{number:08x}"


def packages() -> Body:
    """Return the page of packages."""
    items: list[Body] = [
        {"id": f"pkg{key}", "object": "package", "slug": key, "name": PACKAGE_NAMES[key]} for key in PACKAGES
    ]
    return page(items, 1, 100)


def candidates(checks: Sequence[Check], now: datetime) -> list[Body]:
    """Return everybody with a report by now, the newest first."""
    by_person: dict[int, list[Check]] = {}
    for check in checks:
        if _is(check, "report") and check.order.ordered_at <= now:
            by_person.setdefault(check.order.person.number, []).append(check)
    found = sorted(by_person.values(), key=lambda theirs: theirs[0].order.ordered_at, reverse=True)
    return [_candidate(theirs) for theirs in found]


def _candidate(theirs: Sequence[Check]) -> Body:
    person = theirs[0].order.person
    first, last = person.full_name.split()
    return {
        "id": f"{person.number:024x}",
        "object": "candidate",
        "first_name": first,
        "last_name": last,
        "email": f"canaria.{person.number:04d}@example.invalid",
        "ssn": f"900-12-{person.number:04d}",
        "custom_id": person.candidate_ref,
        "created_at": instant_text(theirs[0].order.ordered_at),
        "report_ids": [check.order.check_id for check in theirs],
    }


def _is(check: Check, subject: str) -> bool:
    return (check.order.vendor, check.order.subject) == ("checkr", subject)


def listed(checks: Sequence[Check], subject: str, now: datetime) -> list[Body]:
    """Return how each invitation, or each subscription, stands now, but for those that were deleted."""
    states = [check.state_at(now) for check in checks if _is(check, subject)]
    return [state.body for state in states if state and state.body.get("deleted_at") is None]


def page(items: Sequence[Body], number: int, size: int) -> Body:
    """Return one page of a list, as every list here comes."""
    more = f"/v1/list?page={number + 1}" if number * size < len(items) else None
    shown = list(items[(number - 1) * size : number * size])
    return {"object": "list", "data": shown, "next_href": more, "previous_href": None, "count": len(items)}


def _report(story: Story, status: str, parts: Screenings, result: str | None = None, **more: object) -> None:
    story.move_on()
    order = story.order
    done = [state.body["completed_at"] for state in story.told if state.body["completed_at"]]
    is_done = status in {"complete", "dispute"}
    completed_at = done[0] if done else instant_text(story.at) if is_done else None
    screenings = [_screening(order.check_id, kind, *part) for kind, part in zip(KINDS, parts, strict=True)]
    story.say(
        {
            "id": order.check_id,
            "object": "report",
            "uri": f"/v1/reports/{order.check_id}",
            "status": status,
            "result": result,
            "includes_canceled": is_done and any(state == "canceled" for state, _ in parts),
            "created_at": instant_text(order.ordered_at),
            "completed_at": completed_at,
            "turnaround_time": 52 if is_done else None,  # what the example shows contradicts its own times
            "estimated_completion_time": None if is_done else _estimate(story),
            "package": order.package,
            "adjudication": None,
            "assessment": {"clear": "eligible", "consider": "review"}.get(result or ""),
            "candidate_id": f"{order.person.number:024x}",
            "ssn_trace": screenings[0],
            "national_criminal_search": screenings[1],
            "county_criminal_searches": screenings[2:],
            **more,
        }
    )


def _screening(check: str, kind: str, status: str, result: str | None) -> Body:
    return {"id": f"{check[:20]}{KINDS.index(kind):04x}", "object": kind, "status": status, "result": result}


def _estimate(story: Story) -> str:
    day = story.order.ordered_at + timedelta(days=3)
    return f"{day:%Y-%m-%d}T00:00:00Z"


def _run(story: Story) -> None:
    _report(story, "pending", (("pending", None),) * 3)
    story.hours(1, 6)
    _report(story, "pending", RUNNING)
    story.days(0.5, 4)
    story.office(ZONE)


def _clear(weight: int, *, aged: int = 0) -> Card:
    def tell(story: Story) -> None:
        _run(story)
        _report(story, "complete", CLEAR, "clear")

    return Card(weight, tell, "report", backdated=aged)


def _suspended(story: Story) -> None:
    _report(story, "suspended", STOPPED)
    story.dawdle(30)
    _run(story)
    _report(story, "complete", CLEAR, "clear")


def _never_answered(story: Story) -> None:
    """After thirty days without an answer the rest is canceled."""
    _report(story, "pending", (("pending", None),) * 3)
    story.hours(1, 6)
    _report(story, "suspended", (("complete", None), ("complete", "clear"), ("suspended", None)))
    story.days(30, 30)
    _report(story, "complete", CUT_SHORT, "clear")


def _paused(story: Story) -> None:
    _run(story)
    _report(story, "paused", RUNNING)
    story.hours(4, 40)
    story.office(ZONE)
    _report(story, "complete", CLEAR, "clear")


def _canceled(story: Story) -> None:
    _report(story, "suspended", STOPPED)
    story.dawdle(20)
    _report(story, "canceled", NOTHING)


def _decided(weight: int, *decisions: str, is_disputed: bool = False) -> Card:
    """Something to consider, and what the client makes of it; the candidate may contest it before."""

    def tell(story: Story) -> None:
        _run(story)
        _report(story, "complete", CONSIDER, "consider")
        if is_disputed:
            story.hours(5, 30)
            _report(story, "dispute", CONSIDER, "consider")
            story.days(3, 9)
            _report(story, "complete", CONSIDER, "consider")
        for decision in decisions:
            story.days(1, 7)
            story.office(ZONE)
            _report(story, "complete", CONSIDER, "consider", adjudication=decision)

    return Card(weight, tell, "report")


def _say(story: Story, **more: object) -> None:
    story.move_on()
    order = story.order
    told = {"id": order.check_id, "object": order.subject, "created_at": instant_text(order.ordered_at)}
    story.say({**told, "package": order.package, "candidate_id": f"{order.person.number:024x}", **more})


def _invite(story: Story, status: str, **more: object) -> None:
    _say(story, **{"status": status, "report_id": None, "completed_at": None, "deleted_at": None, **more})


def _accepted(story: Story) -> None:
    """An invitation that is answered, and leads to a report which nobody else has ordered."""
    _invite(story, "pending")
    story.dawdle(12)
    story.move_on()
    report = story.succeeded("report", check_id(story.draw, story.order.person.number))
    _invite(story, "completed", report_id=report.order.check_id, completed_at=instant_text(story.at))
    _run(report)
    _report(report, "complete", CLEAR, "clear")


def _never_accepted(story: Story) -> None:
    """An invitation that nobody answers for a week."""
    _invite(story, "pending")
    story.days(7, 7)
    _invite(story, "expired")


def _taken_back(story: Story) -> None:
    """An invitation that the client deletes; its status stays what it was."""
    _invite(story, "pending")
    story.hours(20, 60)
    story.office(ZONE)
    _invite(story, "pending", deleted_at=instant_text(story.at))


def _repeated(story: Story) -> None:
    """A subscription, by which a report is made every month until it is ended."""
    more: Body = {"interval_count": 1, "interval_unit": "month", "start_date": f"{story.order.ordered_at:%Y-%m-%d}"}
    _say(story, status="active", **more)
    story.days(6, 20)
    _say(story, status="inactive", **more)


def _watched(story: Story) -> None:
    """A continuous check: it is there, and has no status."""
    _say(story, type="criminal")


DECK: Final = (
    _clear(9),
    _clear(1, aged=20),
    Card(2, _suspended, "report"),
    Card(1, _never_answered, "report"),
    Card(2, _paused, "report"),
    Card(1, _canceled, "report"),
    _decided(3, "engaged"),
    _decided(2, "pre_adverse_action", "post_adverse_action"),
    _decided(1, "engaged", is_disputed=True),
    _decided(1),
    Card(3, _accepted, "invitation"),
    Card(1, _never_accepted, "invitation"),
    Card(1, _taken_back, "invitation"),
    Card(1, _repeated, "subscription"),
    Card(1, _watched, "continuous_check"),
)
