"""Dagster schedules."""

import dagster as dg

from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.orchestration.instance import instance_of
from screening_pipeline.orchestration.jobs import PULL_JOBS, sync
from screening_pipeline.orchestration.keys import (
    PULL,
    RAW_ORDER,
    RAW_RESPONSE,
    SNAPSHOT,
    call_keys,
    pull_cron,
    run_tags,
)
from screening_pipeline.orchestration.outlook import MINUTES_A_RUN, Outlook, telling_why_not
from screening_pipeline.orchestration.retention_job import retention_job
from screening_pipeline.orchestration.sensors import why_not_pulled
from screening_pipeline.vendors import all_vendors


def pull_schedule(vendor: Vendor) -> dg.ScheduleDefinition:
    """Asks for a run of whatever is due of a vendor, orders and pushed messages read first, as long as it has accounts.

    With it alone everything comes, if later; the sensors come on top of it, and who of them is on is not asked twice.
    """

    @dg.schedule(
        name=f"{vendor.slug}_pull",
        cron_schedule=pull_cron(vendor),
        job=PULL_JOBS[vendor.slug],
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"{vendor.title}, whatever is due: {', '.join(key.path[-1] for key in call_keys(vendor))}.",
    )
    @telling_why_not
    def evaluate(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        outlook = Outlook.now(instance_of(context))
        accounts = outlook.accounts(vendor.slug)
        if not accounts:
            return dg.SkipReason(f"no {vendor.slug} account is configured")
        is_unread = outlook.is_anything_unread()
        reasons = {account.key: why_not_pulled(outlook, account) for account in accounts}
        asked = [key for key, reason in reasons.items() if reason is None]
        tags = run_tags("schedule")
        if asked:
            # A feed is polled many times by one run: to start a process for each poll costs a hundred times as much.
            is_lingering = any(vendor.feed and account.status_updates for account in accounts if account.key in asked)
            config = {"accounts": asked, "seconds": MINUTES_A_RUN * 60, "lingering": is_lingering}
            return dg.RunRequest(run_config={"ops": {PULL: {"config": config}}}, tags=tags)
        if is_unread and not outlook.runs:
            return dg.RunRequest(asset_selection=[RAW_ORDER, RAW_RESPONSE, SNAPSHOT], tags=tags)
        return dg.SkipReason("; ".join(f"{key}: {reason}" for key, reason in reasons.items()))

    return evaluate


reconciliation = dg.ScheduleDefinition(
    name="daily_reconciliation",
    cron_schedule="30 4 * * *",
    job=sync,
    run_config={"ops": {PULL: {"config": {"reconcile": True}}}},
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Off unless turned on: asks again for checks that ended in the last 30 days, should one be reopened.",
    tags=run_tags("reconciliation"),
)


daily_retention = dg.ScheduleDefinition(
    name="daily_retention",
    cron_schedule="45 3 * * *",
    job=retention_job,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night old bodies are reduced, where [privacy] keep_raw_days is set, and old runs forgotten.",
)


SCHEDULES = [
    *(pull_schedule(vendor) for vendor in all_vendors().values()),
    reconciliation,
    daily_retention,
]
