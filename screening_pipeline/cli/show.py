"""The history of one check as a timeline: the vendor's words beside ours, who had to act, what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from screening_pipeline.base import inert
from screening_pipeline.base.errors import UsageError
from screening_pipeline.base.sql_text import quote
from screening_pipeline.cli import console
from screening_pipeline.domain import ids
from screening_pipeline.warehouse import catalog, session
from screening_pipeline.warehouse.engines import published_engine

if TYPE_CHECKING:
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.warehouse.session import Connection


_EVENTS = "select * from star.fact_check_event where check_key = {key} order by event_seq"
_ACTIONS = "select * from star.fact_required_action where check_key = {key} order by first_observed_at, action_type"


@dataclass(frozen=True, kw_only=True)
class CheckHistory:
    """The history of one check, as rows of the star."""

    check: dict[str, Any]
    events: list[dict[str, Any]]
    parts: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    troubles: list[dict[str, Any]]


def check_histories(settings: Settings, vendor: str, check_id: str, account: str | None) -> list[CheckHistory]:
    """The histories of all checks with that id, one per account and subject. Raises UsageError where there is none."""
    with published_engine(settings).reader() as connection:
        query = catalog.statement(
            "find_check",
            vendor=quote(vendor),
            check_id=quote(check_id),
            uuid=quote(ids.check_form(check_id)) if ids.is_uuid(check_id) else "null",
            account=quote(account) if account else "null",
        )
        found = session.rows(connection, query)
        if not found:
            settings.select([vendor], [account] if account else [])  # a name that is wrong is not an id that is
            raise UsageError(
                f"no {vendor} check has the id {inert.inert(check_id)[:80]!r}; ids are compared exactly, "
                "leading zeros and, but for UUIDs, capitals included",
                code="no_such_check",
            )
        return [_story(connection, check) for check in found]


def _story(connection: Connection, check: dict[str, Any]) -> CheckHistory:
    key = check["check_key"]
    return CheckHistory(
        check=check,
        events=session.rows(connection, _EVENTS.format(key=key)),
        parts=session.rows(connection, catalog.statement("parts_of_check", check_key=key)),
        actions=session.rows(connection, _ACTIONS.format(key=key)),
        troubles=session.rows(connection, catalog.statement("troubles_of_check", check_key=key)),
    )


def tell(story: CheckHistory) -> None:
    """Print the history of a check for a person."""
    check = story.check
    name = f"{check['vendor']}/{check['account']}  {check['subject']} {check['check_id']}  (times in UTC)"
    console.say(inert.inert(name))
    console.say(inert.inert(_standing(check)))
    timeline = _timeline(story)
    is_dated = any(event["occurred_at"] for event in story.events)
    console.table(timeline, {key: name for key, name in _COLUMNS.items() if is_dated or key != "occurred"})
    if story.parts:
        parts = [{**part, "completed_at": _moment(part["completed_at"])} for part in story.parts]
        console.table(parts, _PART_COLUMNS, title="Parts")
    for trouble in story.troubles:
        console.say(inert.inert(f"{trouble['kind']} since {_moment(trouble['since'])}: {trouble['what']}"))
    console.say(_outlook(story))


_COLUMNS = {
    "at": "known at",
    "occurred": "occurred",
    "words": "the vendor's words",
    "lifecycle": "lifecycle",
    "result": "result",
    "adjudication": "adjudication",
    "next_actor": "who has to act",
    "after": "after",
    "channel": "by",
}
_PART_COLUMNS = {
    "component_name": "part",
    "vendor_status": "the vendor's word",
    "lifecycle": "lifecycle",
    "result": "result",
    "completed_at": "completed",
}


def _standing(check: dict[str, Any]) -> str:
    words = [f"{check['lifecycle']}, result {check['result']}"]
    if check["is_terminal"]:
        words.append("ended")
    if check["ordered_at"]:
        words.append(f"ordered {_moment(check['ordered_at'])}")
    if check["turnaround_seconds"] is not None:
        days = check["turnaround_business_days"]  # null where no calendar has them
        counted = "" if days is None else f" ({days} business days)"
        words.append(f"turnaround {inert.span(check['turnaround_seconds'])}{counted}")
    if check["reopened_count"]:
        words.append("reopened once" if check["reopened_count"] == 1 else f"reopened {check['reopened_count']} times")
    return "; ".join(words)


def _timeline(story: CheckHistory) -> list[dict[str, Any]]:
    rows = [_event_row(event) for event in story.events]
    rows += [_action_row(action, "first_observed_at", "has to be done") for action in story.actions]
    rows += [_action_row(action, "resolved_at", "is done") for action in story.actions if action["resolved_at"]]
    return sorted(rows, key=lambda row: str(row["at"]))


def _event_row(event: dict[str, Any]) -> dict[str, Any]:
    names = ("vendor_status", "vendor_status_detail", "vendor_result", "vendor_adjudication", "vendor_dispute")
    dispute = f" (dispute {event['dispute']})" if event["dispute"] != "none" else ""
    return {
        **event,
        "at": _moment(event["observed_at"]),
        "occurred": _moment(event["occurred_at"]),
        "words": " · ".join(str(event[name]) for name in names if event[name] is not None),
        "lifecycle": event["lifecycle"] + dispute,
        "after": inert.span(event["seconds_in_previous_state"]),
    }


def _action_row(action: dict[str, Any], when: str, what: str) -> dict[str, Any]:
    blank = dict.fromkeys(_COLUMNS)
    words = f"{action['action_type']} {what}"
    return {**blank, "at": _moment(action[when]), "words": words, "next_actor": action["next_actor"]}


def _outlook(story: CheckHistory) -> str:
    check = story.check
    if any(trouble["what"] == "unconfirmed_message" for trouble in story.troubles):
        return (
            "The last message about it says otherwise, and nobody can confirm it, since its account is only pushed to "
            "(polling = false): ask the vendor."
        )
    if check["is_in_doubt"]:
        return "It has ended; but a message that came since says otherwise, and waits for a call to confirm it."
    if check["is_terminal"]:
        return "It is not asked for again: it has ended."
    if not check["next_pull_at"]:
        return "It is not asked for: its account is only pushed to (polling = false), or is not configured any more."
    reason = f", because {check['next_pull_reason']}" if check["next_pull_reason"] else ""
    return f"Next pull {_moment(check['next_pull_at'])} UTC{reason}."


def _moment(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M}" if value else "–"
