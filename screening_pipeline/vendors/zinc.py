"""Zinc: one request of several checks, told twice: a granular statusV2 and a coarse status."""

from __future__ import annotations

from screening_pipeline.domain.conduct import Push, Sandbox, Stale
from screening_pipeline.domain.declaration import PACKAGE, Auth, Endpoint, Parts, Record, Vendor
from screening_pipeline.domain.durations import MINUTE, Prior

VENDOR = Vendor(
    slug="zinc",
    title="Zinc",
    documentation="https://docs.zincwork.com/",
    base_url="https://api.zincwork.com/partner/v2",
    calendar="GB",
    timezone="Europe/London",
    auth={"bearer": Auth(scheme="bearer", secrets=("api_key",))},
    requests_per_minute=20,
    cool_down_seconds=60,
    endpoints=(
        Endpoint(name="results", path="/results/{id}", subject="request"),
        Endpoint(name="packages", path="/packages", is_list=True, schedule="15 5 * * *"),
    ),
    default_subject="request",
    # The vendor's own example hashes the parsed body, which need not be the bytes on the wire.
    push=Push(header="X-Zinc-Webhook-Signature", scheme="hmac_sha256_of_json", secrets=("webhook_signing_token",)),
    stale=(Stale(days=60),),
    prior=Prior(first_pull_seconds=15 * MINUTE),
    sandbox=Sandbox(path="/zinc/partner/v2", promised_business_days=10, promise_clock="total"),
    records={
        "package": PACKAGE,
        "request": Record(
            id="id",
            created_id=("id", "requestId"),
            required=("statusV2", "status"),
            detail_role="overrides",
            columns={
                "vendor_status": "status",
                "vendor_status_detail": "statusV2",
                "vendor_result": "result",
                "report_url": "reportUrl",
            },
            # Z1: `type` is the discriminator, the schema example has it in `checkType`.
            components=Parts(
                at="checks",
                columns={"name": "name", "type": "type", "type_fallback": "checkType", "status": "status"},
            ),
        ),
    },
    # Z9: an error's statusCode is Zinc's own number, not HTTP's.
    error_shape=("statusCode",),
    has_personal_part_names=True,
    adjudication_default="not_expected",
    unverified=("body of GET /results/{id}", "body of GET /packages"),
)
