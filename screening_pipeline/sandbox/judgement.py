"""What the sandbox itself makes of an answer: the canonical reading, as an independent witness. Pure.

It assumes an account that expects adjudication and E-Verify cases, and takes `FINAL_ADJUDICATIONS` for final.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from screening_pipeline.sandbox.reading import Reading
from screening_pipeline.sandbox.timeline import Body, Check, State
from screening_pipeline.sandbox.wording import as_object, as_text, is_taken_back

FINAL_ADJUDICATIONS: Final = ("Approved By Security",)


def is_continued(check: Check, state: State) -> bool:
    """Whether it has gone on as another check by then: an invitation as the report to which it led."""
    return check.order.subject == "invitation" and state.body.get("report_id") is not None


def read(vendor: str, subject: str, body: Body) -> Reading:
    """Return the canonical reading of `body`."""
    return READERS[vendor, subject](body)


def read_state(check: Check, state: State) -> Reading:
    """Return the canonical reading of one state of `check`."""
    return read(check.order.vendor, check.order.subject, state.body)


def completion(check: Check, states: Iterable[State]) -> State | None:
    """Return the first of `states` in which the vendor has done its part."""
    return next((state for state in states if read_state(check, state).is_complete), None)


def disputes(check: Check, states: Iterable[State]) -> int:
    """Return how many disputes were opened over `states`."""
    told = [read_state(check, state).dispute for state in states]
    return sum(now == "open" and before != "open" for before, now in zip(["none", *told], told, strict=False))


OPEN_REPORT: Final = {
    "New": ("created", "vendor"),
    "AwaitingInput": ("awaiting_candidate", "candidate"),
    "MissingInfo": ("awaiting_client", "client"),
    "AwaitingConfirmation": ("awaiting_candidate", "client_or_candidate"),
    "AwaitingConsent": ("awaiting_candidate", "client_or_candidate"),
    "AwaitingConsentReview": ("awaiting_vendor", "vendor"),
    "AwaitingCountyFee": ("awaiting_client", "client"),
    "AwaitingDrugTestScheduling": ("awaiting_candidate", "candidate"),
    "Locked": ("awaiting_vendor", "vendor"),
    "NotVerified": ("awaiting_client", "unknown"),
}
REPORT: Final = {
    "Canceled": Reading("canceled", "none"),
    "Expired": Reading("expired", "none"),
    "CompletedAlert": Reading("completed", "client", "consider"),
    "CompletedClear": Reading("completed", "none", "clear"),
}
RUN: Final = {"New": ("none", "vendor"), "Clear": ("clear", "none"), "Alert": ("consider", "client")}

ORDER: Final = {
    "Sent to Applicant": ("awaiting_candidate", "candidate"),
    "Pending Applicant": ("awaiting_candidate", "candidate"),
    "Pending Requestor": ("awaiting_client", "client"),
    "InProgress": ("in_progress", "vendor"),
    "Completed": ("completed", "client"),
    "Invite Expired": ("expired", "none"),
    "Cancelled": ("canceled", "none"),
    "Canceled": ("canceled", "none"),
}
DECISION: Final = {
    "Meets Company Standards": ("meets", "clear", "none"),
    "Does Not Meet Company Standards": ("does_not_meet", "consider", "client"),
    "Canceled": ("canceled", "unknown", "none"),
} | dict.fromkeys(FINAL_ADJUDICATIONS, ("custom", "unknown", "none"))
REVIEWS: Final = frozenset({"Client Review Required", "Pending - Potential Conflict"})
DISPUTE: Final = {None: "none", "Received": "open", "Completed": "closed"}

FORM: Final = {
    "Sent to Employee": ("awaiting_candidate", "candidate"),
    "Pending Employer": ("awaiting_client", "client"),
    "Pending Remote Agent": ("awaiting_client", "client"),
}
E_VERIFY: Final = {
    None: ("completed", "client", "unknown"),
    "AUTHORIZED": ("completed", "none", "clear"),
    "FINAL_NON_CONFIRM": ("completed", "none", "consider"),
    "TNC": ("awaiting_candidate", "candidate", "none"),
    "CONTINUANCE": ("in_progress", "vendor", "none"),
    "IN_PROGRESS": ("in_progress", "vendor", "none"),
}

REQUEST: Final = {
    "requested": ("awaiting_candidate", "candidate"),
    "paused": ("paused", "unknown"),
    "awaiting-candidate": ("awaiting_candidate", "candidate"),
    "attention-needed": ("awaiting_client", "client"),
    "in-progress": ("in_progress", "unknown"),
    "ready-for-review": ("review_required", "client"),
    "all-clear": ("completed", "none"),
    "reviewed": ("completed", "none"),
    "cancelled": ("canceled", "none"),
}
COARSE_REQUEST: Final = {
    "pending": ("pending", "unknown"),
    "partially-completed": REQUEST["in-progress"],
    "action-required": REQUEST["ready-for-review"],
    "completed": REQUEST["all-clear"],
    "reviewed": REQUEST["reviewed"],
    "cancelled": REQUEST["cancelled"],
}
REQUEST_ADJUDICATION: Final = {
    "ready-for-review": "pending",
    "action-required": "pending",
    "reviewed": "reviewed_unspecified",
}

WORKER: Final = {
    "Pending": ("awaiting_candidate", "candidate"),
    "In Progress": ("in_progress", "vendor"),
    "Cancelled": ("canceled", "none"),
}
WORKER_RESULT: Final = {"Clear": "clear", "Attention Required": "consider", "Refer": "referred"}

PROVIDER: Final = {
    "pending": ("awaiting_candidate", "candidate"),
    "consented": ("in_progress", "vendor"),
    "declined": ("declined", "none"),
    "expired": ("expired", "none"),
}


SCREENED: Final = {
    "pending": ("in_progress", "vendor"),
    "suspended": ("awaiting_candidate", "candidate"),
    "paused": ("review_required", "client"),
    "canceled": ("canceled", "none"),
}
DECIDED: Final = {
    "engaged": ("meets", "none"),
    "pre_adverse_action": ("pre_adverse", "client"),
    "post_adverse_action": ("final_adverse", "none"),
}


def _screened(body: Body) -> Reading:
    status, result = str(body["status"]), as_text(body["result"])
    if status in SCREENED:
        return Reading(*SCREENED[status], adjudication="not_expected")
    if result == "clear":
        decision, actor = "not_expected", "none"
    else:
        decision, actor = DECIDED.get(as_text(body["adjudication"]) or "", ("pending", "client"))
    is_disputed = status == "dispute"
    dispute = "open" if is_disputed else "none"
    return Reading("completed", "vendor" if is_disputed else actor, result or "unknown", decision, dispute)


INVITED: Final = {
    "pending": ("awaiting_candidate", "candidate"),
    "completed": ("in_progress", "vendor"),
    "expired": ("expired", "none"),
}


def _invited(body: Body) -> Reading:
    lifecycle, actor = ("canceled", "none") if is_taken_back(body) else INVITED[str(body["status"])]
    return Reading(lifecycle, actor, adjudication="not_expected")


def _repeated(body: Body) -> Reading:
    """Of a subscription, and of a continuous check, which is told of only while it runs."""
    is_over = body.get("status") == "inactive"
    return Reading("canceled" if is_over else "in_progress", "none", adjudication="not_expected")


def _report(body: Body) -> Reading:
    status, details = as_text(body["Status"]), as_text(body["StatusDetails"])
    if status in REPORT:
        return REPORT[status]
    return Reading(*OPEN_REPORT.get(details or "", ("in_progress", "vendor")))


def _subscription(body: Body) -> Reading:
    if not body["IsActive"]:
        return Reading("canceled", "none")
    result, actor = RUN[str(body["LastStatus"])]
    return Reading("in_progress", actor, result)


def _order(body: Body) -> Reading:
    adjudication = as_text(body.get("adjudicationStatus"))
    lifecycle, actor = ORDER[str(body["orderStatus"])]
    reading = Reading(lifecycle, actor, adjudication="pending", dispute=DISPUTE[as_text(body.get("disputeStatus"))])
    if adjudication in DECISION:
        decision, result, actor = DECISION[adjudication]
        reading = replace(reading, adjudication=decision, result=result, next_actor=actor)
    elif lifecycle == "completed":
        reading = replace(reading, result="unknown")
    elif lifecycle == "in_progress" and adjudication in REVIEWS:
        reading = replace(reading, lifecycle="review_required", next_actor="client")
    if lifecycle == "canceled":
        return replace(reading, result="none")
    return replace(reading, next_actor="vendor") if reading.dispute == "open" else reading


def _i9(body: Body) -> Reading:
    status = str(body["i9Status"])
    if status in FORM:
        return Reading(*FORM[status], adjudication="not_expected")
    word = as_text(body.get("eVerifyStatus"))
    lifecycle, actor, result = E_VERIFY[word]
    return Reading(lifecycle, actor, result, adjudication="not_expected", is_released=word is not None)


def _request(body: Body) -> Reading:
    fine = as_text(body.get("statusV2"))
    name = fine or str(body["status"])
    lifecycle, actor = REQUEST[name] if fine else COARSE_REQUEST[name]
    result = as_text(body.get("result")) or "none"
    reading = Reading(lifecycle, actor, result, REQUEST_ADJUDICATION.get(name, "not_expected"))
    is_contradicted = name in {"all-clear", "completed"} and "consider" in {
        result,
        *_statuses(body.get("checks")),
    }
    return replace(reading, result="consider", next_actor="client") if is_contradicted else reading


def _worker(body: Body) -> Reading:
    status, result = str(body["status"]), as_text(body["result"])
    if status != "Completed":
        return Reading(*WORKER[status])
    if result is None:
        return Reading("in_progress", "vendor")
    is_released = result != "Refer" or body["releaseDate"] is not None
    actor = "vendor" if not is_released else "none" if result == "Clear" else "client"
    return Reading("completed", actor, WORKER_RESULT[result], is_released=is_released)


def _provider(body: Body) -> Reading:
    status = str(body["status"])
    if status in PROVIDER:
        return Reading(*PROVIDER[status])
    check = as_object(body.get("check"))
    said = {as_text(check.get("overall_status")), *_statuses(check.get("result"))} - {None}
    result = "consider" if "consider" in said else "clear" if said else "unknown"
    return Reading("completed", "client" if result == "consider" else "none", result)


COMPONENT_WORDS: Final = frozenset({"clear", "consider"})

READERS: Final[dict[tuple[str, str], Callable[[Body], Reading]]] = {
    ("checkr", "report"): _screened,
    ("checkr", "invitation"): _invited,
    ("checkr", "subscription"): _repeated,
    ("checkr", "continuous_check"): _repeated,
    ("goodhire", "report"): _report,
    ("goodhire", "subscription"): _subscription,
    ("hireright", "order"): _order,
    ("hireright", "i9"): _i9,
    ("zinc", "request"): _request,
    ("workerchecks", "check"): _worker,
    ("workable", "check"): _provider,
}


def _statuses(parts: object) -> list[str]:
    """Return the words among whatever stands in the components, in whatever shape they have (K4)."""
    if isinstance(parts, str):
        return [parts] if parts in COMPONENT_WORDS else []
    inner = parts.values() if isinstance(parts, dict) else parts if isinstance(parts, list) else ()
    return [word for part in inner for word in _statuses(part)]
