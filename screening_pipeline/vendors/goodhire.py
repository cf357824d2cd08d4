"""GoodHire: reports with alerts and required actions, and Ongoing Alerts subscriptions."""

from __future__ import annotations

from screening_pipeline.domain.conduct import Push, Sandbox
from screening_pipeline.domain.declaration import Auth, Endpoint, Parts, Record, Vendor
from screening_pipeline.domain.durations import MINUTE, Prior
from screening_pipeline.domain.vocabulary import Json, Message


def reshape(endpoint: str, body: Json) -> list[tuple[str, Message]]:
    """Split a body into messages in the documented shape.

    A webhook wraps the report; a subscription spells its link in two ways (G5).
    """
    if endpoint == "push":
        return [("report", _inner_report(body))]
    if endpoint == "subscription" and "ReportURL" in body:
        body = {**body, "ReportUrl": body["ReportURL"]}
        del body["ReportURL"]
    return [(endpoint, body)]


def _inner_report(body: Json) -> Message:
    report = body.get("ReportStatus") if isinstance(body, dict) else None
    if not isinstance(report, dict):
        raise ValueError("missing_report_status")
    return report


def created_subject(body: Message) -> str:
    """A subscription is created with its last status, a report with its status."""
    return "subscription" if "LastStatus" in body or "IsActive" in body else "report"


VENDOR = Vendor(
    slug="goodhire",
    title="GoodHire",
    documentation="https://www.goodhire.com/api/",
    base_url="https://api.goodhire.com/v1",
    calendar="US",
    timezone="America/Los_Angeles",
    # G4: the page says "HTTP Basic Auth", every example sends the ApiKey scheme.
    auth={"api_key": Auth(scheme="api_key", secrets=("api_key",))},
    requests_per_minute=20,
    cool_down_seconds=60,
    endpoints=(
        Endpoint(name="report", path="/Report/{id}", subject="report"),
        Endpoint(name="subscription", path="/Subscription/{id}", subject="subscription", schedule="0 * * * *"),
    ),
    default_subject="report",
    # Pushes are signed with the key that calls are made with.
    push=Push(header="X-GoodHire-Signature", scheme="hmac_sha256", secrets=("api_key",)),
    prior=Prior(first_pull_seconds=15 * MINUTE),
    sandbox=Sandbox(path="/goodhire/v1"),
    records={
        "report": Record(
            id="Id",
            required=("Status",),
            detail_role="refines",
            result_from="status",
            columns={
                "vendor_status": "Status",
                "vendor_status_detail": "StatusDetails",
                "report_url": "ReportViewerUrl",
            },
            components=Parts(at="SectionsContainingAlerts", columns={"name": ""}),
            actions=Parts(at="RequiredReportActions", columns={"type": "Type"}),
        ),
        "subscription": Record(
            id="Id",
            required=("LastStatus",),
            result_from="status",
            columns={
                "vendor_status": "LastStatus",
                "is_active": "IsActive",
                "started_on": "StartedOn",
                "report_check_id": "ReportId",
                "report_url": "ReportUrl",
            },
            runs=Parts(at="Results", columns={"run_at": "Date", "status": "Status"}),
        ),
    },
    reshape=reshape,
    created_subject=created_subject,
    never_store=(
        "**.SSN",
        "**.DateOfBirth",
        "**.Address",
        "**.Zip",
        "**.DriverLicenseNum",
        "**.DriverLicenseState",
    ),
    sandbox_hosts=("*sandbox.goodhire.com",),
    error_shape=("StatusCode",),
)
