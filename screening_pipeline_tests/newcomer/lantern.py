"""Lantern Screening, an invented vendor: orders by id and by pages, packages, a feed that forgets, signed pushes."""

from __future__ import annotations

from screening_pipeline.domain.conduct import Push, Stale
from screening_pipeline.domain.declaration import PACKAGE, Auth, Endpoint, Pages, Record, Vendor
from screening_pipeline.domain.durations import MINUTE, Prior
from screening_pipeline.domain.vocabulary import Announcement, Json, Message


def reshape(endpoint: str, body: Json) -> list[tuple[str, Message]]:
    """The feed is an array of orders, the roster names them; all the rest tells of one."""
    if endpoint == "roster":
        return [("order", Announcement(reference=item["reference"])) for item in body["orders"]]
    return [("order", message) for message in (body if endpoint == "updates" else [body])]


VENDOR = Vendor(
    slug="lantern",
    title="Lantern Screening",
    documentation="https://developer.lantern.example/",
    base_url="https://api.lantern.example/v1",
    calendar="CA",
    timezone="America/Toronto",
    auth={"bearer": Auth(scheme="bearer", secrets=("api_key",))},
    requests_per_minute=30,
    cool_down_seconds=60,
    endpoints=(
        Endpoint(name="order", path="/orders/{id}", subject="order"),
        Endpoint(name="updates", path="/updates", is_destructive=True, reports=("order",), schedule="* * * * *"),
        Endpoint(
            name="roster",
            path="/roster",
            is_list=True,
            is_discovering=True,
            pages=Pages(number="leaf", size="a_leaf", at_once=2, items="orders", more="next", total="of"),
            schedule="20 * * * *",
        ),
        Endpoint(name="packages", path="/packages", is_list=True, schedule="45 5 * * *"),
    ),
    default_subject="order",
    push=Push(header="X-Lantern-Signature", scheme="hmac_sha256", secrets=("webhook_key",)),
    stale=(Stale(business_days=9),),
    prior=Prior(first_pull_seconds=5 * MINUTE),
    records={
        "package": PACKAGE,
        "order": Record(
            id="reference",
            required=("state",),
            columns={"vendor_status": "state", "vendor_result": "outcome"},
        ),
    },
    reshape=reshape,
    error_shape=("problem",),
)
