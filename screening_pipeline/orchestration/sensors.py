"""Dagster sensors: runs for due checks, new manifests, landed messages, deferred snapshots."""

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from screening_pipeline.base.named_locks import pull_lock
from screening_pipeline.orchestration.instance import instance_of
from screening_pipeline.orchestration.jobs import order_job, publish_job, recheck_job, shard_job
from screening_pipeline.orchestration.keys import MERGE, PULL, SHARD, TRIGGER, run_tags
from screening_pipeline.orchestration.liveness import end_dead, under_way
from screening_pipeline.orchestration.outlook import MINUTES_A_RUN, Outlook, telling_why_not
from screening_pipeline.runtime import publication, unread
from screening_pipeline.runtime.opening import build_runtime
from screening_pipeline.settings.account import Account
from screening_pipeline.settings.settings import Settings
from screening_pipeline.state.pull_queue import Summary

# A run that was to read something and has not is asked for again.
ASKED_AGAIN = timedelta(minutes=5)
MERGED_EVERY = timedelta(minutes=1)


@dg.sensor(
    name="recheck",
    jobs=[recheck_job, shard_job],
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Open checks that are due are asked for, of all accounts in one run; ended ones never are.",
)
@telling_why_not
def recheck(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SensorResult | dg.SkipReason:
    """Ask for one run for all that is due. It goes on while anything is, so no second one is asked for meanwhile.

    Where machines share what is landed, for one for each shard of the accounts, which merges nothing.
    """
    outlook = Outlook.now(instance_of(context))
    words, asked, due = [], [], []
    found = [(account, outlook.summary(account)) for account in outlook.settings.accounts]
    is_run_wanted = any(summary.due for _, summary in found)
    for account, summary in found:
        obstacle = _obstacle(outlook, account, is_run_wanted=is_run_wanted)
        words.append(f"{account.key}: {_words(outlook, account, summary)}" + (f"; {obstacle}" if obstacle else ""))
        if not obstacle:
            asked.append(account.key)
            due += [account.key] if summary.due else []
    if not due:
        return dg.SkipReason("; ".join(words))
    if outlook.is_everywhere:
        return dg.SensorResult(run_requests=[*_shards(outlook.settings, due)])
    if outlook.is_warehouse_busy:
        return dg.SkipReason("; ".join([*words, "the warehouse is busy"]))
    return dg.RunRequest(job_name=recheck_job.name, run_config=_asking_of(asked))


def _asking_of(accounts: Sequence[str]) -> Mapping[str, Any]:
    return {"ops": {PULL: {"config": {"accounts": [*accounts], "seconds": MINUTES_A_RUN * 60}}}}


def _shards(settings: Settings, due: Collection[str]) -> Iterator[dg.RunRequest]:
    """A run for each shard in which an account is due: so many accounts each, in alphabetical order."""
    size = settings.run.shard_accounts
    for number, first in enumerate(range(0, len(settings.account_keys), size)):
        if mine := [key for key in settings.account_keys[first : first + size] if key in due]:
            tags = {**run_tags("recheck"), SHARD: str(number)}
            yield dg.RunRequest(job_name=shard_job.name, run_config=_asking_of(mine), tags=tags)


def _obstacle(outlook: Outlook, account: Account, *, is_run_wanted: bool) -> str | None:
    """The reason why a run would be useless for an account. Dagster is asked for its runs only where one is wanted."""
    if not account.polling:
        return "polling is off; pushed messages keep it"
    if is_run_wanted and outlook.is_asked(account):
        return "a run that asks it is queued or running"
    return outlook.trouble(account)


def _words(outlook: Outlook, account: Account, summary: Summary) -> str:
    budget = f"{outlook.used(account)} of {account.requests_per_minute} calls used in the last minute"
    if not summary.open:
        return f"nothing is open, {budget}"
    next_due = f"{summary.next_due_at:%Y-%m-%d %H:%M:%S}Z" if summary.next_due_at else "never"
    return f"{summary.open} open, {summary.due} due, next due {next_due}, {budget}"


@dg.sensor(
    name="snapshot_put_off",
    job=publish_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="A snapshot that a run put off, since making it takes long by now, is made when its time has come.",
)
@telling_why_not
def snapshot_put_off(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for one run at a time; without a key, for one that was used is skipped for good, also when its run failed."""
    outlook = Outlook.now(instance_of(context))
    since = publication.overdue(outlook.pull_queue, outlook.clock.now())
    if since is None:
        return dg.SkipReason("no snapshot waits to be made")
    runs = under_way(instance_of(context), outlook.settings.paths, job_name=publish_job.name)
    if any(run.tags.get(TRIGGER) == "snapshot" for run in runs):
        return dg.SkipReason(f"the snapshot put off at {since} is being made")
    return dg.RunRequest(tags=run_tags("snapshot"))


@dg.sensor(
    name="landed_messages",
    job=publish_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="What vendors have pushed, and what a stopped run or erasure has left, is brought to its end.",
)
@telling_why_not
def landed_messages(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Ask for a run while something waits on disk; for the same again only when some time has gone by."""
    outlook = Outlook.now(instance_of(context))
    settings, now = outlook.settings, outlook.clock.now()
    landing = build_runtime(settings, os.environ, outlook.clock).landing
    waiting = {
        **unread.unread_files(outlook.pull_queue, settings, landing),
        **unread.unfinished(outlook.pull_queue, settings),
        **unread.settling(outlook.pull_queue, now),
    }
    if not waiting:
        end_dead(instance_of(context), settings.paths)  # at every tick, of whatever job
        return dg.SkipReason("everything that was landed is read")
    merging = publish_job.name if outlook.is_everywhere else None  # other runs read nothing there
    if under_way(instance_of(context), settings.paths, job_name=merging):
        return dg.SkipReason("a run is under way, which reads what is landed")
    return _asking(context.cursor, waiting, now, trigger="landed", is_everywhere=outlook.is_everywhere)


@dg.sensor(
    name="order_manifest",
    job=order_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="New or changed manifests in data/orders/ are read.",
)
@telling_why_not
def order_manifest(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Ask for a run while a manifest is unread; for the same ones again only when some time has gone by.

    A run may fail, since the warehouse is busy or a disk full. Losing the cursor costs one run that finds nothing.
    """
    outlook = Outlook.now(instance_of(context))
    settings, now = outlook.settings, outlook.clock.now()
    unread.fetch_orders(settings)
    folder = unread.manifest_marks(settings)
    if not folder or unread.are_manifests_read(outlook.pull_queue, settings, folder):
        return dg.SkipReason(f"{len(folder)} manifests in {settings.paths.orders.name}/, none is new")
    return _asking(context.cursor, {"accounts": settings.account_keys, "orders": folder}, now, trigger="orders")


def _asking(
    cursor: str | None, found: Mapping[str, object], now: datetime, *, trigger: str, is_everywhere: bool = False
) -> dg.SensorResult | dg.SkipReason:
    """Ask for a run that reads what is found now, unless one was asked for the same a short time ago.

    `is_everywhere`: of what several machines land, which is merged once a minute.
    """
    noted = json.loads(cursor) if cursor else {}  # those of earlier versions tell nothing of it
    asked_at = datetime.fromisoformat(noted["asked_at"]) if noted.get("found") == found else None
    if asked_at and abs(now - asked_at) < ASKED_AGAIN:
        return dg.SkipReason(f"the run asked for at {asked_at:%H:%M:%S}Z has not read them yet")
    last = datetime.fromisoformat(noted["asked_at"]) if is_everywhere and noted.get("asked_at") else None
    if last and abs(now - last) < MERGED_EVERY:
        return dg.SkipReason(f"what is landed is merged once a minute, and was at {last:%H:%M:%S}Z")
    request = dg.RunRequest(tags={**run_tags(trigger), **({MERGE: "one"} if is_everywhere else {})})
    return dg.SensorResult(run_requests=[request], cursor=json.dumps({"found": found, "asked_at": now.isoformat()}))


def why_not_pulled(outlook: Outlook, account: Account) -> str | None:
    """Why an account is not asked now: it is asked already, or has nothing that is due."""
    if not account.is_asked:
        return "only pushed to"
    if not outlook.is_anything_due(account):
        return "nothing is due"
    # After a gap in a feed whoever has noticed it may ask for every open check for hours.
    if outlook.locks.is_held(pull_lock(account.vendor, account.name)):
        return "it is being asked"
    if outlook.is_asked(account):
        return "a run that asks it is queued or running"
    return outlook.trouble(account)


SENSORS = [recheck, order_manifest, landed_messages, snapshot_put_off]
