"""WorkerChecks: Australian checks, most of them back in minutes, the rest in business days."""

from __future__ import annotations

from screening_pipeline.domain.conduct import Sandbox, Stale
from screening_pipeline.domain.declaration import Auth, Endpoint, Record, Vendor
from screening_pipeline.domain.durations import BUSINESS_DAY, HOUR, MINUTE, Prior, Spell

QUICK_OR_DAYS = (
    Spell(0.8, 1 * MINUTE, 3 * MINUTE, is_fast=True),
    Spell(0.2, 1 * BUSINESS_DAY, 15 * BUSINESS_DAY),
)

VENDOR = Vendor(
    slug="workerchecks",
    title="WorkerChecks",
    documentation="https://workerchecks.com/",
    base_url="https://workerchecks.example/v1",
    calendar="AU",
    timezone="Australia/Sydney",
    auth={"widget_token": Auth(scheme="widget_token", secrets=("widget_secret",))},
    requests_per_minute=30,
    is_limit_published=True,
    cool_down_seconds=60,
    endpoints=(
        Endpoint(name="auth_token", path="/auth/token"),
        Endpoint(name="results", path="/results/{id}", subject="check"),
    ),
    default_subject="check",
    # Fifteen business days is what the vendor allows itself, and two are ours.
    stale=(Stale(business_days=17),),
    prior=Prior(
        first_pull_seconds=1 * MINUTE,
        first_state="in_progress",
        spells={
            "in_progress": QUICK_OR_DAYS,
            # W2, W6: an id may be asked for before its check is submitted, so this state has the same fast start.
            "pending": QUICK_OR_DAYS,
            # W1: a referred result waits for its release, within the same fifteen business days.
            "completed": (Spell(1.0, HOUR, 15 * BUSINESS_DAY),),
        },
        # It counts in business days: decisions are made at a desk.
        keeps_office_hours=True,
        passes_states=False,
    ),
    sandbox=Sandbox(path="/workerchecks/v1", promised_business_days=15),
    records={
        "check": Record(
            id="checkId",
            created_id=("checkId", "id"),  # W6: whether an invitation's id is the check's is unverified
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
