"""When runs start by themselves: sensors for checks that are due and for what came, schedules for the rest."""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from screening_pipeline import news, publication, retention, warehouse
from screening_pipeline import settings as configuration
from screening_pipeline.agenda import Agenda, Summary
from screening_pipeline.assets import RAW_ORDER, SNAPSHOT, Screening, call_key, pulled_endpoints, rule_specs
from screening_pipeline.clock import Clock, system_clock
from screening_pipeline.errors import ScreeningError
from screening_pipeline.gate import reason_to_wait
from screening_pipeline.instance import forget_runs
from screening_pipeline.limiter import Limiter
from screening_pipeline.liveness import under_way
from screening_pipeline.model import Vendor
from screening_pipeline.runtime import assembled
from screening_pipeline.settings import Account, Settings
from screening_pipeline.state import State
from screening_pipeline.vendors import all_vendors

RECHECK_TAG = "screening/recheck"
MINUTES_A_RUN = 5
# A run that was to read something and has not is asked for again.
ASKED_AGAIN = timedelta(minutes=5)
RUNS_KEPT = timedelta(days=14)
# A run a minute makes 0.3 GB a day, and most of them have found an empty feed.
MINUTELY_RUNS_KEPT = timedelta(days=2)

# A selection brings every check of its assets; those that read whole tables are tried once a day (`maintenance`).
SELDOM = dg.AssetSelection.checks(*(spec.key for spec in rule_specs("raw", "star", "ops", is_every_run=False)))
CYCLE = dg.AssetSelection.assets(SNAPSHOT).upstream() - SELDOM
DOWNSTREAM = CYCLE - dg.AssetSelection.groups(*all_vendors())
FROM_LANDED = DOWNSTREAM - dg.AssetSelection.assets(RAW_ORDER)
sync = dg.define_asset_job(
    "sync",
    selection=CYCLE,
    description="One cycle: orders in, every check that is due asked for, answers into the star, snapshot published.",
    tags={"screening/trigger": "sync"},
)


def calls(vendor: Vendor, *, is_by_id: bool, subjects: Sequence[str] | None = None) -> list[dg.AssetKey]:
    """The assets of a vendor's calls by id, or of its feeds and lists."""
    return [
        call_key(vendor, e)
        for e in pulled_endpoints(vendor)
        if e.is_by_id is is_by_id and (subjects is None or e.subject in subjects)
    ]


def recheck_keys(vendor: Vendor) -> list[dg.AssetKey]:
    """What a recheck pulls: checks by id. Subscriptions, feeds and lists are left to the schedule."""
    subjects = [s for s in vendor.subjects if s != "subscription"]
    return calls(vendor, is_by_id=True, subjects=subjects)


def _recheck_job(vendor: Vendor) -> Any:
    return dg.define_asset_job(
        f"{vendor.slug}_recheck_job",
        selection=dg.AssetSelection.assets(*recheck_keys(vendor)) | FROM_LANDED,
        description=f"Asks {vendor.title} for checks that are due and brings what it says into the star.",
    )


def recheck_sensor(vendor: Vendor, job: Any) -> dg.SensorDefinition:
    """Asks for one run per account, for the checks that are due now, as many as its budget allows."""

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


def _prepared_settings() -> Settings:
    """The configuration that holds here, its folders made. Raises ScreeningError."""
    settings = configuration.load(os.environ, Path.cwd())
    settings.paths.create()
    return settings


class Outlook:
    """What a sensor needs to know, read without the warehouse, which may be busy."""

    def __init__(self, settings: Settings, vendor: Vendor, clock: Clock) -> None:
        self.settings = settings
        self.vendor = vendor
        self.clock = clock
        self.state = State(settings.paths.state)
        self.agenda = Agenda(self.state)
        self.limiter = Limiter(self.state, clock)
        self.accounts = [a for a in settings.accounts if a.vendor == vendor.slug]
        self.left_out = () if "subscription" not in vendor.subjects else ("subscription",)

    @classmethod
    def of(cls, vendor: Vendor) -> "Outlook":
        """The outlook of the configuration that holds here. Raises ScreeningError."""
        return cls(_prepared_settings(), vendor, system_clock(os.environ))

    def summary(self, account: Account) -> Summary:
        """How many are open and due, and when the next one is."""
        return self.agenda.summary(account.vendor, account.name, self.clock.now(), without=self.left_out)

    def used(self, account: Account) -> int:
        """Calls of the last minute."""
        return self.limiter.used_last_window(account.vendor, account.name)

    def due_keys(self, account: Account) -> list[int]:
        """What one run may ask for: the most urgent, as many as the budget of some minutes allows."""
        limit = max(1, account.requests_per_minute * MINUTES_A_RUN - self.used(account))
        now = self.clock.now()
        items = self.agenda.due(account.vendor, account.name, now, limit=limit, without=self.left_out)
        return [item.check_key for item in items]


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
    """Why a run would be of no use now, though something is due."""
    if reason := reason_to_wait(outlook.state, account, os.environ, outlook.clock):
        return reason
    if _is_under_way(instance, outlook, account):
        return "a recheck is queued or running"
    return "the warehouse is busy" if warehouse.is_locked(outlook.settings.paths.warehouse_lock) else None


def _words(outlook: Outlook, account: Account, summary: Summary) -> str:
    budget = f"{outlook.used(account)} of {account.requests_per_minute} calls used in the last minute"
    if not summary.open:
        return f"nothing is open, {budget}"
    next_due = f"{summary.next_due_at:%Y-%m-%d %H:%M:%S}Z" if summary.next_due_at else "never"
    return f"{summary.open} open, {summary.due} due, next due {next_due}, {budget}"


def _is_under_way(instance: dg.DagsterInstance, outlook: Outlook, account: Account) -> bool:
    """Whether a recheck of this account is on; one that a person started without naming an account is of all."""
    job_name = f"{account.vendor}_recheck_job"
    runs = under_way(instance, outlook.settings.paths, job_name=job_name)
    return any(run.tags.get(RECHECK_TAG, account.key) == account.key for run in runs)


def _request(outlook: Outlook, account: Account) -> dg.RunRequest:
    config = {"accounts": [account.name], "check_keys": outlook.due_keys(account), "seconds": MINUTES_A_RUN * 60}
    return dg.RunRequest(
        run_config={"ops": {f"{account.vendor}_pull": {"config": config}}},
        tags={RECHECK_TAG: account.key, "screening/trigger": "recheck"},
    )


order_job = dg.define_asset_job(
    "read_orders",
    selection=DOWNSTREAM,
    description="Reads new manifests; the checks they announce are asked for by the recheck sensors.",
)


publish_job = dg.define_asset_job(
    "publish",
    selection=FROM_LANDED,
    description="Brings what was landed into the star and replaces the snapshot.",
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
        settings = _prepared_settings()
        agenda = Agenda(State(settings.paths.state))
    except ScreeningError as problem:
        return dg.SkipReason(str(problem))
    since = publication.overdue(agenda, system_clock(os.environ).now())
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
        settings = _prepared_settings()
        work = assembled(settings, os.environ, system_clock(os.environ))
        waiting = {**news.unread(work.agenda, settings, work.landing), **news.unfinished(settings.paths)}
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
        settings = _prepared_settings()
        agenda = Agenda(State(settings.paths.state))
    except ScreeningError as problem:
        return dg.SkipReason(str(problem))
    now, folder = system_clock(os.environ).now(), news.orders(settings.paths)
    if not folder or news.are_read(agenda, settings, folder):
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


def pull_schedule(vendor: Vendor, cron: str) -> dg.ScheduleDefinition:
    """Asks for a run of what no recheck pulls, as long as there is an account that has it."""
    rest = [key for key in map_keys(vendor) if key not in recheck_keys(vendor)]

    @dg.schedule(
        name=f"{vendor.slug}_pull",
        cron_schedule=cron,
        target=dg.AssetSelection.assets(*rest) | (DOWNSTREAM - dg.AssetSelection.assets(RAW_ORDER)),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"{vendor.title}: {', '.join(key.path[-1] for key in rest)}.",
    )
    def schedule(_: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        try:
            outlook = Outlook.of(vendor)
        except ScreeningError as problem:
            return dg.SkipReason(str(problem))
        accounts = outlook.accounts
        if not accounts:
            return dg.SkipReason(f"no {vendor.slug} account is configured")
        switch = "status_updates" if vendor.feed else "polling"
        accounts = [account for account in accounts if getattr(account, switch)]
        if not accounts:
            return dg.SkipReason(f"{switch} is off for every {vendor.slug} account")
        # A list is asked for once a day: it is tried. A feed is asked again in a minute.
        reasons = {a.name: _why_not_fed(outlook, a) if vendor.feed else None for a in accounts}
        names = [name for name, reason in reasons.items() if reason is None]
        if not names:
            return dg.SkipReason("; ".join(f"{vendor.slug}/{name}: {reason}" for name, reason in reasons.items()))
        config = {"ops": {f"{vendor.slug}_pull": {"config": {"accounts": names}}}}
        return dg.RunRequest(run_config=config, tags={"screening/trigger": "schedule"})

    return schedule


def _why_not_fed(outlook: Outlook, account: Account) -> str | None:
    """Why a feed is not asked now: after a gap whoever has noticed it may ask for every open check for hours."""
    if warehouse.is_locked(outlook.settings.paths.pull_lock(account.vendor, account.name)):
        return "it is being asked"
    return reason_to_wait(outlook.state, account, os.environ, outlook.clock)


def map_keys(vendor: Vendor) -> list[dg.AssetKey]:
    """The assets of all calls of a vendor."""
    return [call_key(vendor, e) for e in pulled_endpoints(vendor)]


# Feeds wait for nobody: every minute costs 2 % of HireRight's budget. Lists and subscriptions change rarely.
EVERY_MINUTE = "* * * * *"
PULL_CRONS = {"hireright": EVERY_MINUTE, "goodhire": "0 * * * *", "zinc": "15 5 * * *", "workable": "30 5 * * *"}

reconciliation = dg.ScheduleDefinition(
    name="daily_reconciliation",
    cron_schedule="30 4 * * *",
    job=sync,
    run_config={"ops": {f"{slug}_pull": {"config": {"reconcile": True}} for slug in all_vendors()}},
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Off unless turned on: asks again for checks that ended in the last 30 days, should one be reopened.",
    tags={"screening/trigger": "reconciliation"},
)


@dg.op(description="Bodies older than [privacy] keep_raw_days keep only what the star is computed from.")
def reduce_old_bodies(context: dg.OpExecutionContext, screening: Screening) -> None:
    """Reduce old bodies; nothing where no number of days is set."""
    context.log.info("%s landed lines reduced", retention.reduce_old_bodies(screening.runtime))


@dg.op(
    description=(
        "What Dagster keeps of runs that ended more than two weeks ago goes, of those of every minute after two days; "
        "ops.run goes on telling of them."
    )
)
def forget_old_runs(context: dg.OpExecutionContext, screening: Screening) -> None:
    """Forget old runs."""
    now = screening.runtime.clock.now()
    count = forget_runs(context.instance, before=now - RUNS_KEPT)
    for slug in (slug for slug, cron in PULL_CRONS.items() if cron == EVERY_MINUTE):
        count += forget_runs(context.instance, before=now - MINUTELY_RUNS_KEPT, schedule=f"{slug}_pull")
    context.log.info("%s old runs forgotten", count)


@dg.job(
    name="retention",
    description=(
        "Reduces bodies older than [privacy] keep_raw_days, and forgets Dagster's old runs. The star stays as it is."
    ),
    executor_def=dg.in_process_executor,
)
def retention_job() -> None:
    """The retention job."""
    reduce_old_bodies()
    forget_old_runs()


daily_retention = dg.ScheduleDefinition(
    name="daily_retention",
    cron_schedule="45 3 * * *",
    job=retention_job,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night old bodies are reduced, where [privacy] keep_raw_days is set, and old runs forgotten.",
)

RECHECKS = {vendor.slug: _recheck_job(vendor) for vendor in all_vendors().values()}
JOBS = [sync, order_job, publish_job, retention_job, *RECHECKS.values()]
SENSORS = [
    *(recheck_sensor(v, RECHECKS[v.slug]) for v in all_vendors().values()),
    order_manifest,
    landed_messages,
    snapshot_put_off,
]
SCHEDULES = [
    *(pull_schedule(v, PULL_CRONS[v.slug]) for v in all_vendors().values() if v.slug in PULL_CRONS),
    reconciliation,
    daily_retention,
]
