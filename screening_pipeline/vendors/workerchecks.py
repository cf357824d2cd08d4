"""WorkerChecks: Australian checks, most of them back in minutes, the rest in business days."""

from __future__ import annotations

from screening_pipeline.domain.declaration import Auth, Endpoint, Record, Vendor

VENDOR = Vendor(
    slug="workerchecks",
    title="WorkerChecks",
    documentation="https://workerchecks.com/",
    auth={"widget_token": Auth(scheme="widget_token", secrets=("widget_secret",))},
    requests_per_minute=30,
    is_limit_published=True,
    cool_down_seconds=60,
    endpoints=(
        Endpoint(name="auth_token", path="/auth/token"),
        Endpoint(name="results", path="/results/{id}", subject="check"),
    ),
    default_subject="check",
    records={
        "check": Record(
            id="checkId",
            required=("status",),
            is_result_awaited=True,
            time_means="completion",
            columns={
                "vendor_status": "status",
                "vendor_result": "result",
                "vendor_time": "releaseDate",
                "report_url": "certificateUrl",
            },
        ),
    },
    error_shape=("error", "errorCode", "statusCode"),
    unverified=("field names and paths (W4)", "token call", "date format and zone of releaseDate"),
)
