"""Dagster schedules."""

import dagster as dg

from screening_pipeline.base.errors import ScreeningError
from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.orchestration.jobs import PULL_JOBS, sync
from screening_pipeline.orchestration.keys import RAW_ORDER, call_keys, pull_cron
from screening_pipeline.orchestration.liveness import under_way
from screening_pipeline.orchestration.outlook import MINUTES_A_RUN, Outlook
from screening_pipeline.orchestration.retention_job import retention_job
from screening_pipeline.orchestration.sensors import RECHECK_TAG, why_not_pulled
from screening_pipeline.orchestration.tables import star
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
    def evaluate(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        try:
            outlook = Outlook.of(vendor)
            if not outlook.accounts:
                return dg.SkipReason(f"no {vendor.slug} account is configured")
            is_unread = outlook.is_anything_unread()
        except ScreeningError as problem:
            return dg.SkipReason(str(problem))
        reasons = {a.name: why_not_pulled(context.instance, outlook, a) for a in outlook.accounts}
        names = [name for name, reason in reasons.items() if reason is None]
        tags = {"screening/trigger": "schedule"}
        if names:
            config = {"accounts": names, "seconds": MINUTES_A_RUN * 60}
            if len(names) == 1:
                tags[RECHECK_TAG] = f"{vendor.slug}/{names[0]}"
            return dg.RunRequest(run_config={"ops": {f"{vendor.slug}_pull": {"config": config}}}, tags=tags)
        if is_unread and not under_way(context.instance, outlook.settings.paths):
            return dg.RunRequest(asset_selection=[RAW_ORDER, *star.keys], tags=tags)
        return dg.SkipReason("; ".join(f"{vendor.slug}/{name}: {reason}" for name, reason in reasons.items()))

    return evaluate


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
    *(pull_schedule(vendor) for vendor in all_vendors().values()),
    reconciliation,
    daily_retention,
]
