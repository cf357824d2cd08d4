"""Any provider that implements Workable's background-check contract."""

from __future__ import annotations

from screening_pipeline.domain.conduct import Push, Sandbox
from screening_pipeline.domain.declaration import PACKAGE, Auth, Endpoint, Parts, Record, Vendor
from screening_pipeline.domain.vocabulary import Json, Message


def reshape(endpoint: str, body: Json) -> list[tuple[str, Message]]:
    """K4: `check.result` is a list of {name, status}, an object name → status, or name → {status, …}."""
    if not isinstance(body, dict):
        raise ValueError("not_an_object")
    check = body.get("check")
    if not isinstance(check, dict) or not isinstance(check.get("result"), dict):
        return [("check", body)]
    parts = [_part(name, value) for name, value in check["result"].items()]
    return [("check", {**body, "check": {**check, "result": parts}})]


def _part(name: str, value: Json) -> Message:
    if isinstance(value, dict):
        return {**value, "name": name}
    return {"name": name, "status": value}


VENDOR = Vendor(
    slug="workable",
    title="Workable contract",
    documentation="https://workable.readme.io/",
    base_url="https://provider.example/v1",
    calendar="US",
    timezone="UTC",
    auth={"bearer": Auth(scheme="bearer", secrets=("token",))},
    requests_per_minute=20,
    cool_down_seconds=60,
    endpoints=(
        Endpoint(name="checks", path="/checks/{id}", subject="check"),
        Endpoint(name="packages", path="/packages", is_list=True, schedule="30 5 * * *"),
        Endpoint(name="shared_link", path="/checks/{id}/shared-link"),
    ),
    default_subject="check",
    # K: the body of a callback does not say which check it is about.
    push=Push(header="Authorization", scheme="bearer", secrets=("webhook_token",), names_check_in_path=True),
    sandbox=Sandbox(path="/workable/v1"),
    records={
        "package": PACKAGE,
        "check": Record(
            # K10: the documented body carries no id; where a provider sends one it must be the one asked for.
            id=("id", "check_id", "background_check_id"),
            is_id_required=False,
            created_id=("background_check_id", "id", "check_id"),
            required=("status",),
            columns={
                "vendor_status": "status",
                "vendor_result": "check.overall_status",
                "report_url": "results_url",
            },
            components=Parts(at="check.result", columns={"name": "name", "status": "status"}),
        ),
    },
    reshape=reshape,
    # K7: `status` is a lifecycle in answers and an HTTP number in errors; a text status is never an error's.
    error_shape=("message",),
    unverified=("shape of check.result (three are read)",),
)
