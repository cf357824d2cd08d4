"""The vendors' words in a body, verbatim, by the axis on which they stand. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, cast

from screening_pipeline.sandbox.reading import Words
from screening_pipeline.sandbox.timeline import Body

PARTIAL: Final = "includes_canceled"
DELETED: Final = "deleted"

WORD_FIELDS: Final = {
    ("goodhire", "report"): {"status": "Status", "status_detail": "StatusDetails"},
    ("goodhire", "subscription"): {"status": "LastStatus"},
    ("checkr", "report"): {"status": "status", "result": "result", "adjudication": "adjudication"},
    ("checkr", "invitation"): {"status": "status"},
    ("checkr", "subscription"): {"status": "status"},
    ("checkr", "continuous_check"): {"status": "type"},
    ("hireright", "order"): {
        "status": "orderStatus",
        "adjudication": "adjudicationStatus",
        "dispute": "disputeStatus",
    },
    ("hireright", "i9"): {"status": "i9Status", "status_detail": "eVerifyStatus"},
    ("zinc", "request"): {"status": "status", "status_detail": "statusV2", "result": "result"},
    ("workerchecks", "check"): {"status": "status", "result": "result"},
    ("workable", "check"): {"status": "status", "result": "overall_status"},
}


def words(vendor: str, subject: str, body: Body) -> Words:
    """Return the vendor's words in `body`, verbatim."""
    names = WORD_FIELDS[vendor, subject]
    source = body | as_object(body.get("check"))
    told = Words(**{axis: as_text(source.get(name)) for axis, name in names.items()})
    if is_taken_back(body):
        return replace(told, status=DELETED)
    # A flag whose name is the word.
    return replace(told, status_detail=PARTIAL) if source.get(PARTIAL) is True else told


def is_taken_back(body: Body) -> bool:
    """Whether it is an invitation that the client deleted: its status goes on to say that it is pending."""
    return body.get("deleted_at") is not None and body["status"] == "pending"


def as_object(value: object) -> Body:
    """Return the object that it is, or an empty one."""
    return cast("Body", value) if isinstance(value, dict) else {}


def as_text(value: object) -> str | None:
    """Return the text that it is, or None."""
    return value if isinstance(value, str) else None
