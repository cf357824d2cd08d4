"""HireRight Connect: orders with products, adjudication and disputes, I-9 forms, and a feed that forgets."""

from __future__ import annotations

from screening_pipeline.domain.conduct import Push, Sandbox, Stale, WordList
from screening_pipeline.domain.declaration import Auth, Endpoint, Parts, Record, Vendor
from screening_pipeline.domain.durations import MINUTE, Prior
from screening_pipeline.domain.vocabulary import Json, Message


def reshape(endpoint: str, body: Json) -> list[tuple[str, Message]]:
    """Split a body into messages in the documented shape.

    The feed is a bare array or wrapped in `statusUpdates`; orders and I-9 forms share it and the pushes.
    """
    if endpoint == "status_updates":
        return [(_subject(message), _with_fields(message)) for message in _updates(body)]
    if not isinstance(body, dict):
        raise ValueError("not_an_object")
    return [({"order_status": "order", "i9_status": "i9"}.get(endpoint) or _subject(body), _with_fields(body))]


def _with_fields(message: Json) -> Json:
    """FlexFields are a list of {name, value}, or an object name → value."""
    given = message.get("flexFields") if isinstance(message, dict) else None
    if not isinstance(given, dict) or given.keys() <= {"name", "value"}:
        return message
    return {**message, "flexFields": [{"name": name, "value": value} for name, value in given.items()]}


def created_subject(body: Message) -> str:
    """What is created with a form id, or an I-9 status, is a form."""
    return "i9" if "i9Status" in body or "formId" in body else "order"


def _updates(body: Json) -> list[Json]:
    """Converters from XML make the only update of a list the update itself, and an empty list an empty text."""
    updates = body.get("statusUpdates", body) if isinstance(body, dict) else body
    if updates in (None, "", {}) and updates is not body:
        return []
    if isinstance(updates, dict) and (updates is not body or _is_update(updates)):
        return [updates]
    if not isinstance(updates, list):
        raise ValueError("no_list_of_updates")
    return updates


def _is_update(body: Message) -> bool:
    return not body.keys().isdisjoint(("orderStatus", "i9Status")) and not body.keys().isdisjoint(("orderId", "id"))


def _subject(message: Json) -> str:
    return "i9" if isinstance(message, dict) and "i9Status" in message else "order"


_FLEX_FIELDS = Parts(at="flexFields", columns={"name": "name", "value": "value"})

VENDOR = Vendor(
    slug="hireright",
    title="HireRight",
    documentation="https://developer.hireright.com/",
    base_url="https://api.hireright.com/connect",
    oauth_url="https://api.hireright.com/oauth/token",
    calendar="US",
    timezone="America/Los_Angeles",
    auth={
        "oauth2": Auth(scheme="oauth2", secrets=("client_id", "client_secret")),
        "basic": Auth(scheme="basic", secrets=("username", "password")),
    },
    # H7: the limit names no scope, so all calls of an account share it.
    requests_per_minute=50,
    is_limit_published=True,
    cool_down_seconds=60,
    endpoints=(
        Endpoint(name="order_status", path="/orders/{id}/status", subject="order"),
        # Whether I-9 forms are told of under /orders is unverified: they are read where they are, and asked for anyway.
        Endpoint(
            name="status_updates",
            path="/orders/status-updates",
            is_destructive=True,
            reports=("order",),
            schedule="* * * * *",  # a feed waits for nobody: every minute costs 2 % of the budget
        ),
        Endpoint(name="i9_status", path="/I-9/{id}/status", subject="i9"),
    ),
    default_subject="order",
    push=Push(
        header="Authorization",
        scheme="basic",
        secrets=("webhook_username", "webhook_password"),
        token_clients=("webhook_client_id", "webhook_client_secret"),
    ),
    stale=(Stale(lifecycle="completed", days=14),),
    prior=Prior(first_pull_seconds=15 * MINUTE),
    sandbox=Sandbox(
        path="/hireright/connect",
        oauth_path="/hireright/oauth/token",
        final_adjudications=("Approved By Security",),
        promised_business_days=5,
    ),
    records={
        "order": Record(
            id="orderId",
            created_id=("orderId", "id"),
            required=("orderStatus", "status"),
            result_from="adjudication",
            columns={
                "vendor_status": ("orderStatus", "status"),
                "vendor_adjudication": "adjudicationStatus",
                "vendor_dispute": "disputeStatus",
                "vendor_time": "statusDate",
            },
            components=Parts(
                at="products",
                columns={"name": "name", "status": "status", "adjudication": "adjudicationStatus"},
            ),
            fields=_FLEX_FIELDS,
        ),
        "i9": Record(
            # The order id of a status message is the form's id where it is about an I-9.
            id=("id", "formId", "orderId"),
            created_id=("formId", "id", "orderId"),
            required=("i9Status",),
            detail_role="concludes",
            result_from="detail",
            columns={
                "vendor_status": "i9Status",
                "vendor_status_detail": "eVerifyStatus",
                "vendor_time": "statusDate",
            },
            fields=_FLEX_FIELDS,
        ),
    },
    reshape=reshape,
    created_subject=created_subject,
    # H3: the failure body of the token call is misspelt; both spellings are error bodies.
    error_shape=("errror", "error", "errorCode"),
    adjudication_default="not_expected",
    offered_adjudications=WordList(
        path="/orders/{id}/adjudication-statuses", subject="order", keys=("adjudicationStatus", "status", "name")
    ),
    sandbox_hosts=("stage*.hireright.com", "*.stage*.hireright.com", "*-stage.hireright.com"),
    unverified=("order status body", "I-9 body", "updates feed body", "adjudication statuses body", "paths"),
)
