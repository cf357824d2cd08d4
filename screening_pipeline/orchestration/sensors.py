"""Dagster sensors: runs for due checks, new manifests, landed messages, deferred snapshots."""

import json
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from screening_pipeline.base import locks
from screening_pipeline.base.clock import system_clock
from screening_pipeline.base.errors import ScreeningError
from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.http.account_gate import reason_to_wait
from screening_pipeline.orchestration.jobs import RECHECKS, order_job, publish_job
from screening_pipeline.orchestration.liveness import under_way
from screening_pipeline.orchestration.outlook import MINUTES_A_RUN, Outlook, prepared_settings
from screening_pipeline.runtime import publication, unread
from screening_pipeline.runtime.opening import build_runtime
from screening_pipeline.settings.account import Account
from screening_pipeline.state.pull_queue import PullQueue, Summary
from screening_pipeline.state.store import State
from screening_pipeline.vendors import all_vendors

RECHECK_TAG = "screening/recheck"
# A run that was to read something and has not is asked for again.
ASKED_AGAIN = timedelta(minutes=5)


def recheck_sensor(vendor: Vendor, job: Any) -> dg.SensorDefinition:
    """The Dagster sensor that requests one run per account for its due checks, within its budget."""

    @dg.sensor(
        name=f"{vendor.slug}_recheck",
        job=job,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Open {vendor.title} checks that are due are asked for; ended ones never are.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        try:
            outlook = Outlook.of(vendor)
        except ScreeningError as problem:
            return dg.SkipReason(str(problem))
        requests, words = [], []
        for account in outlook.accounts:
            request, word = _recheck(context, outlook, account)
            words.append(f"{account.key}: {word}")
            if request:
                requests.append(request)
        if requests:
            return dg.SensorResult(run_requests=requests)
        return dg.SkipReason("; ".join(words) or f"no {vendor.slug} account is configured")

    return sensor


def _recheck(
    context: dg.SensorEvaluationContext, outlook: Outlook, account: Account
) -> tuple[dg.RunRequest | None, str]:
    if not account.polling:
        return None, "polling is off; pushed messages keep it"
    summary = outlook.summary(account)
    words = _words(outlook, account, summary)
    if not summary.due:
        return None, words
    obstacle = _obstacle(context.instance, outlook, account)
    return (None, f"{words}; {obstacle}") if obstacle else (_request(outlook, account), words)


def _obstacle(instance: dg.DagsterInstance, outlook: Outlook, account: Account) -> str | None:
    """The reason why a run would be useless now, though something is due."""
    if reason := reason_to_wait(outlook.state, account, os.environ, outlook.clock):
        return reason
    if _is_under_way(instance, outlook, account):
        return "a run that asks it is queued or running"
    return "the warehouse is busy" if locks.is_locked(outlook.settings.paths.warehouse_lock) else None


def _words(outlook: Outlook, account: Account, summary: Summary) -> str:
    budget = f"{outlook.used(account)} of {account.requests_per_minute} calls used in the last minute"
    if not summary.open:
        return f"nothing is open, {budget}"
    next_due = f"{summary.next_due_at:%Y-%m-%d %H:%M:%S}Z" if summary.next_due_at else "never"
    return f"{summary.open} open, {summary.due} due, next due {next_due}, {budget}"


def _is_under_way(instance: dg.DagsterInstance, outlook: Outlook, account: Account) -> bool:
    """Whether a run that asks this account is on; one that a person started without naming an account is of all."""
    jobs = (f"{account.vendor}_recheck_job", f"{account.vendor}_pull_job")
    runs = (run for name in jobs for run in under_way(instance, outlook.settings.paths, job_name=name))
    return any(run.tags.get(RECHECK_TAG, account.key) == account.key for run in runs)


def _request(outlook: Outlook, account: Account) -> dg.RunRequest:
    config = {"accounts": [account.name], "check_keys": outlook.due_keys(account), "seconds": MINUTES_A_RUN * 60}
    return dg.RunRequest(
        run_config={"ops": {f"{account.vendor}_pull": {"config": config}}},
        tags={RECHECK_TAG: account.key, "screening/trigger": "recheck"},
    )


@dg.sensor(
    name="snapshot_put_off",
    job=publish_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="A snapshot that a run put off, since making it takes long by now, is made when its time has come.",
)
def snapshot_put_off(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for one run at a time; without a key, for one that was used is skipped for good, also when its run failed."""
    try:
        settings = prepared_settings()
        pull_queue = PullQueue(State(settings.paths.state))
    except ScreeningError as problem:
        return dg.SkipReason(str(problem))
    since = publication.overdue(pull_queue, system_clock(os.environ).now())
    if since is None:
        return dg.SkipReason("no snapshot waits to be made")
    runs = under_way(context.instance, settings.paths, job_name=publish_job.name)
    if any(run.tags.get("screening/trigger") == "snapshot" for run in runs):
        return dg.SkipReason(f"the snapshot put off at {since} is being made")
    return dg.RunRequest(tags={"screening/trigger": "snapshot"})


@dg.sensor(
    name="landed_messages",
    job=publish_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="What vendors have pushed, and what a stopped run or erasure has left, is brought to its end.",
)
def landed_messages(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Ask for a run while something waits on disk; for the same again only when some time has gone by."""
    try:
        settings = prepared_settings()
        work = build_runtime(settings, os.environ, system_clock(os.environ))
        waiting = {
            **unread.unread_files(work.pull_queue, settings, work.landing),
            **unread.unfinished(settings.paths),
            **unread.settling(work.pull_queue, work.clock.now()),
        }
    except ScreeningError as problem:
        return dg.SkipReason(str(problem))
    runs = under_way(context.instance, settings.paths)  # at every tick: it ends the dead, of whatever job
    if not waiting:
        return dg.SkipReason("everything that was landed is read")
    if runs:
        return dg.SkipReason("a run is under way, which reads what is landed")
    return _asking(context.cursor, waiting, work.clock.now(), trigger="landed")


@dg.sensor(
    name="order_manifest",
    job=order_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="New or changed manifests in data/orders/ are read.",
)
def order_manifest(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Ask for a run while a manifest is unread; for the same ones again only when some time has gone by.

    A run may fail, since the warehouse is busy or a disk full. Losing the cursor costs one run that finds nothing.
    """
    try:
        settings = prepared_settings()
        pull_queue = PullQueue(State(settings.paths.state))
    except ScreeningError as problem:
        return dg.SkipReason(str(problem))
    now, folder = system_clock(os.environ).now(), unread.manifest_marks(settings.paths)
    if not folder or unread.are_manifests_read(pull_queue, settings, folder):
        return dg.SkipReason(f"{len(folder)} manifests in {settings.paths.orders.name}/, none is new")
    return _asking(context.cursor, {"accounts": settings.account_keys, "orders": folder}, now, trigger="orders")


def _asking(
    cursor: str | None, found: Mapping[str, object], now: datetime, *, trigger: str
) -> dg.SensorResult | dg.SkipReason:
    """Ask for a run that reads what is found now, unless one was asked for the same a short time ago."""
    noted = json.loads(cursor) if cursor else {}  # those of earlier versions tell nothing of it
    asked_at = datetime.fromisoformat(noted["asked_at"]) if noted.get("found") == found else None
    if asked_at and abs(now - asked_at) < ASKED_AGAIN:
        return dg.SkipReason(f"the run asked for at {asked_at:%H:%M:%S}Z has not read them yet")
    request = dg.RunRequest(tags={"screening/trigger": trigger})
    return dg.SensorResult(run_requests=[request], cursor=json.dumps({"found": found, "asked_at": now.isoformat()}))


def why_not_pulled(instance: dg.DagsterInstance, outlook: Outlook, account: Account) -> str | None:
    """Why an account is not asked now: it is asked already, or has nothing that is due."""
    if not account.is_asked:
        return "only pushed to"
    if not outlook.is_anything_due(account):
        return "nothing is due"
    # After a gap in a feed whoever has noticed it may ask for every open check for hours.
    if locks.is_locked(outlook.settings.paths.pull_lock(account.vendor, account.name)):
        return "it is being asked"
    if _is_under_way(instance, outlook, account):
        return "a run that asks it is queued or running"
    return reason_to_wait(outlook.state, account, os.environ, outlook.clock)


SENSORS = [
    *(recheck_sensor(v, RECHECKS[v.slug]) for v in all_vendors().values()),
    order_manifest,
    landed_messages,
    snapshot_put_off,
]
