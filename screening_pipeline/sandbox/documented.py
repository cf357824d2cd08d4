"""The values that the vendors document, and which of them a world never produces. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from screening_pipeline.sandbox.world import World

Field = tuple[str, str, str]
"""Vendor, subject and the path of the field; `[]` stands for every element of a list."""

DOCUMENTED: Final[dict[Field, frozenset[str]]] = {
    ("checkr", "report", "status"): frozenset({"pending", "suspended", "paused", "complete", "canceled", "dispute"}),
    ("checkr", "report", "result"): frozenset({"clear", "consider"}),
    ("checkr", "report", "adjudication"): frozenset({"engaged", "pre_adverse_action", "post_adverse_action"}),
    ("checkr", "invitation", "status"): frozenset({"pending", "completed", "expired"}),
    ("checkr", "subscription", "status"): frozenset({"active", "inactive"}),
    ("goodhire", "report", "Status"): frozenset(
        {
            "New",
            "RequiresAdditionalInfo",
            "MissingInput",
            "Processing",
            "Canceled",
            "Expired",
            "CompletedAlert",
            "CompletedClear",
        }
    ),
    ("goodhire", "report", "StatusDetails"): frozenset(
        {
            "New",
            "AwaitingInput",
            "MissingInfo",
            "AwaitingConfirmation",
            "AwaitingConsent",
            "AwaitingConsentReview",
            "AwaitingCountyFee",
            "AwaitingDrugTestScheduling",
            "Clear",
            "Alert",
            "CanceledOrExpired",
            "Locked",
            "NotVerified",
        }
    ),
    ("goodhire", "report", "RequiredReportActions[].Type"): frozenset(
        {"IncompleteCandidateInfo", "MissingCandidateConsent"}
    ),
    ("goodhire", "subscription", "LastStatus"): frozenset({"New", "Clear", "Canceled"}),
    ("goodhire", "subscription", "Results[].Status"): frozenset({"Clear", "Canceled"}),
    ("hireright", "order", "orderStatus"): frozenset(
        {
            "Sent to Applicant",
            "Pending Applicant",
            "Pending Requestor",
            "InProgress",
            "Completed",
            "Invite Expired",
            "Cancelled",
            "Canceled",
        }
    ),
    ("hireright", "order", "adjudicationStatus"): frozenset(
        {
            "Meets Company Standards",
            "Does Not Meet Company Standards",
            "Client Review Required",
            "Pending - Potential Conflict",
            "Canceled",
            "Approved By Security",
        }
    ),
    ("hireright", "order", "products[].status"): frozenset({"InProgress", "Completed"}),
    ("hireright", "order", "disputeStatus"): frozenset({"Received", "Completed"}),
    ("hireright", "i9", "i9Status"): frozenset(
        {"Sent to Employee", "Pending Employer", "Pending Remote Agent", "completed"}
    ),
    ("hireright", "i9", "eVerifyStatus"): frozenset(
        {"AUTHORIZED", "TNC", "CONTINUANCE", "IN_PROGRESS", "FINAL_NON_CONFIRM"}
    ),
    ("zinc", "request", "status"): frozenset(
        {"pending", "partially-completed", "action-required", "reviewed", "completed", "cancelled"}
    ),
    ("zinc", "request", "statusV2"): frozenset(
        {
            "requested",
            "paused",
            "awaiting-candidate",
            "attention-needed",
            "in-progress",
            "ready-for-review",
            "all-clear",
            "reviewed",
            "cancelled",
        }
    ),
    ("zinc", "request", "result"): frozenset({"clear", "consider"}),
    ("zinc", "request", "checks[].status"): frozenset({"clear", "consider", "pending"}),
    ("zinc", "request", "checks[].type"): frozenset({"address-check", "reference-check", "right-to-work-check"}),
    ("zinc", "request", "checks[].checkType"): frozenset({"address-check", "degree", "certificate"}),
    ("workerchecks", "check", "status"): frozenset({"Pending", "In Progress", "Completed", "Cancelled"}),
    ("workerchecks", "check", "result"): frozenset({"Clear", "Attention Required", "Refer"}),
    ("workable", "check", "status"): frozenset({"pending", "consented", "completed", "declined", "expired"}),
    ("workable", "check", "check.overall_status"): frozenset({"clear", "consider"}),
    ("workable", "check", "check.result[].status"): frozenset({"clear", "consider"}),
}


def never_produced(world: World) -> list[tuple[str, str, str, str]]:
    """Return vendor, subject, field and value of every documented value that no state of `world` has."""
    return sorted((*field, value) for field, values in DOCUMENTED.items() for value in values - produced(world, field))


def produced(world: World, field: Field) -> frozenset[str]:
    """Return the texts that the states of `world` have in `field`."""
    vendor, subject, path = field
    bodies = (
        state.body
        for check in world.everything
        if (check.order.vendor, check.order.subject) == (vendor, subject)
        for state in check.states
    )
    return frozenset(text for body in bodies for text in _texts(body, path.split(".")))


def _texts(value: object, path: list[str]) -> Iterator[str]:
    if isinstance(value, str) and not path:
        yield value
    elif isinstance(value, dict) and path:
        name = path[0].removesuffix("[]")
        inner = value.get(name)
        parts = inner if name != path[0] and isinstance(inner, list) else [inner]
        for part in parts:
            yield from _texts(part, path[1:])
