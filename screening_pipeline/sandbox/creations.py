"""What each vendor answers to the call that creates a check. Pure."""

from __future__ import annotations

from screening_pipeline.sandbox.timeline import NONCE, Body, Order


def answer(order: Order) -> Body:
    """Return the body of a 201, as the vendors document it, or as it is likely where they do not."""
    made = {
        ("checkr", "report"): _pending,
        ("checkr", "invitation"): _pending,
        ("checkr", "subscription"): _repeated,
        ("checkr", "continuous_check"): _watched,
        ("goodhire", "report"): _report,
        ("goodhire", "subscription"): _subscription,
        ("hireright", "order"): _order,
        ("hireright", "i9"): _form,
        ("zinc", "request"): _request,
        ("workerchecks", "check"): _invitation,
        ("workable", "check"): _check,
    }
    return made[order.vendor, order.subject](order)


def _pending(order: Order) -> Body:
    return {"id": order.check_id, "object": order.subject, "status": "pending", "package": order.package}


def _repeated(order: Order) -> Body:
    return {"id": order.check_id, "object": "subscription", "status": "active", "package": order.package}


def _watched(order: Order) -> Body:
    return {"id": order.check_id, "object": "continuous_check", "type": "criminal"}


def _report(order: Order) -> Body:
    return {
        "Id": order.check_id,
        "Candidate": order.person.name_and_email(),
        "Status": "New",
        "StatusDetails": "New",
        "SectionsContainingAlerts": [],
        "ReportViewerUrl": f"https://sandbox.goodhire.example/member/?_act=candidateReportAPI&_cnduid={NONCE}",
        "RequiredReportActions": [],
    }


def _subscription(order: Order) -> Body:
    return {
        "Id": order.check_id,
        "ReportId": order.related_id,
        "IsActive": True,
        "StartedOn": order.ordered_at.isoformat(),
        "LastStatus": "New",
        "ReportUrl": f"https://sandbox.goodhire.example/member/?_act=phm_report&_cnduid={NONCE}",
        "Results": [],
    }


def _order(order: Order) -> Body:
    return {"orderId": order.check_id, "products": [{"name": order.package}]}


def _form(order: Order) -> Body:
    return {"formId": order.check_id, "i9Status": "Sent to Employee"}


def _request(order: Order) -> Body:
    return {"id": order.check_id}


def _invitation(order: Order) -> Body:
    return {"checkId": order.check_id, "status": "Pending"}


def _check(order: Order) -> Body:
    return {"background_check_id": order.check_id}
