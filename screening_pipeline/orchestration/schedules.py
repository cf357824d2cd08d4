"""When runs start by the clock."""

import os

import dagster as dg

from screening_pipeline.base import locks
from screening_pipeline.base.errors import ScreeningError
from screening_pipeline.domain.declaration import Schedule, Vendor
from screening_pipeline.http.account_gate import reason_to_wait
from screening_pipeline.orchestration.jobs import DOWNSTREAM, sync
from screening_pipeline.orchestration.keys import PULLS, RAW_ORDER, call_key, schedule_name
from screening_pipeline.orchestration.outlook import Outlook
from screening_pipeline.orchestration.retention_job import retention_job
from screening_pipeline.settings.account import Account
from screening_pipeline.vendors import all_vendors


def pull_schedule(vendor: Vendor, schedule: Schedule) -> dg.ScheduleDefinition:
    """Asks for a run of the calls that a vendor declares a schedule for, as long as there is an account that has them.

    A feed wants `status_updates`, whatever else is scheduled wants `polling`.
    """
    keys = [call_key(vendor, endpoint) for endpoint in schedule.endpoints]

    @dg.schedule(
        name=schedule_name(vendor, schedule),
        cron_schedule=schedule.cron,
        target=dg.AssetSelection.assets(*keys) | (DOWNSTREAM - dg.AssetSelection.assets(RAW_ORDER)),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"{vendor.title}: {', '.join(endpoint.name for endpoint in schedule.endpoints)}.",
    )
    def evaluate(_: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        try:
            outlook = Outlook.of(vendor)
        except ScreeningError as problem:
            return dg.SkipReason(str(problem))
        accounts = outlook.accounts
        if not accounts:
            return dg.SkipReason(f"no {vendor.slug} account is configured")
        switch = "status_updates" if schedule.is_feed else "polling"
        accounts = [account for account in accounts if getattr(account, switch)]
        if not accounts:
            return dg.SkipReason(f"{switch} is off for every {vendor.slug} account")
        # A list is asked for once a day: it is tried. A feed is asked again in a minute.
        reasons = {a.name: _why_not_fed(outlook, a) if schedule.is_feed else None for a in accounts}
        names = [name for name, reason in reasons.items() if reason is None]
        if not names:
            return dg.SkipReason("; ".join(f"{vendor.slug}/{name}: {reason}" for name, reason in reasons.items()))
        config = {"ops": {f"{vendor.slug}_pull": {"config": {"accounts": names}}}}
        return dg.RunRequest(run_config=config, tags={"screening/trigger": "schedule"})

    return evaluate


def _why_not_fed(outlook: Outlook, account: Account) -> str | None:
    """Why a feed is not asked now: after a gap whoever has noticed it may ask for every open check for hours."""
    if locks.is_locked(outlook.settings.paths.pull_lock(account.vendor, account.name)):
        return "it is being asked"
    return reason_to_wait(outlook.state, account, os.environ, outlook.clock)


reconciliation = dg.ScheduleDefinition(
    name="daily_reconciliation",
    cron_schedule="30 4 * * *",
    job=sync,
    run_config={"ops": {f"{slug}_pull": {"config": {"reconcile": True}} for slug in all_vendors()}},
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Off unless turned on: asks again for checks that ended in the last 30 days, should one be reopened.",
    tags={"screening/trigger": "reconciliation"},
)


daily_retention = dg.ScheduleDefinition(
    name="daily_retention",
    cron_schedule="45 3 * * *",
    job=retention_job,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night old bodies are reduced, where [privacy] keep_raw_days is set, and old runs forgotten.",
)


SCHEDULES = [
    *(pull_schedule(vendor, schedule) for vendor, schedule in PULLS),
    reconciliation,
    daily_retention,
]
