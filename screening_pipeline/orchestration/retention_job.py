"""The daily job that reduces old bodies, forgets old runs, and looks for files that rot."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from screening_pipeline.health import scrub
from screening_pipeline.orchestration.installation import OWN_RUN, own_runs
from screening_pipeline.orchestration.instance import forget_runs
from screening_pipeline.orchestration.keys import EVERY_MINUTE, pull_cron
from screening_pipeline.orchestration.resource import Screening
from screening_pipeline.privacy import retention
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse.engines import engine_of

RUNS_KEPT = timedelta(days=14)
# Most of them have found an empty feed.
MINUTELY_RUNS_KEPT = timedelta(days=2)
# A run a minute makes some 150 MB a day. What runs of a day take stands above it until the night.
BYTES_KEPT = 700_000_000


@dg.op(description="Bodies older than [privacy] keep_raw_days keep only what the star is computed from.")
def reduce_old_bodies(context: dg.OpExecutionContext, screening: Screening) -> None:
    """Reduce old bodies; nothing where no number of days is set."""
    context.log.info("%s landed lines reduced", retention.reduce_old_bodies(screening.runtime))
    screening.runtime.landing.store.forget_leftovers()


@dg.op(
    description=(
        "What Dagster keeps of runs that ended more than two weeks ago goes, of those of every minute after two days, "
        "and earlier where it takes more than 0.7 GB; ops.run goes on telling of them."
    )
)
def forget_old_runs(context: dg.OpExecutionContext, screening: Screening) -> None:
    """Forget old runs."""
    now, instance = screening.runtime.clock.now(), context.instance
    own = own_runs(instance, screening.runtime.settings.paths)
    # Where others' runs are as well, what all of them take is not ours to bound.
    since = now - RUNS_KEPT if own else max(now - RUNS_KEPT, kept_since(instance))
    count = forget_runs(instance, before=since, own=own)
    for slug in (slug for slug, vendor in all_vendors().items() if pull_cron(vendor) == EVERY_MINUTE):
        count += forget_runs(instance, before=now - MINUTELY_RUNS_KEPT, own=own, schedule=f"{slug}_pull")
    context.log.info("%s old runs forgotten", count)


@dg.op(
    description=(
        "Whether files still say what was written into them: landed lines, order files, the register of erasures, the "
        "warehouse, the snapshot, the shared state and Dagster's storage; of more than a gigabyte, a sample."
    )
)
def look_for_rot(context: dg.OpExecutionContext, screening: Screening) -> None:
    """Fail where a file is damaged, so that somebody is told; which one it is, and what to do, is in the log."""
    work = screening.runtime
    wait = work.lock_wait_seconds
    paths, engine = work.settings.paths, engine_of(work.settings)
    found = list(scrub.rotten(paths, work.landing, work.clock, scrub.DAILY, engine=engine, wait_seconds=wait))
    for one in found:
        shown = one.store if one.store == "orders" else one.message  # an order file may be called by anything
        context.log.error("%s: %s. %s", one.store, shown, one.fix)
    if found:
        stores = ", ".join(sorted({one.store for one in found}))
        raise dg.Failure(f"damaged: {stores}; `screening-pipeline doctor --deep` names every file and what to do")


def kept_since(instance: dg.DagsterInstance, limit: int = BYTES_KEPT) -> datetime:
    """Since when runs fit into `limit` bytes of files, were all of a size; year 1 where all fit or lie elsewhere."""
    files = Path(instance.root_directory, "history", "runs").glob("*.db")
    size, count = sum(file.stat().st_size for file in files), instance.get_runs_count()
    if size <= limit:
        return datetime.min.replace(tzinfo=UTC)
    last = instance.get_run_ids(limit=max(1, count * limit // size))[-1]
    record = instance.get_run_record_by_id(last)
    return record.create_timestamp.replace(tzinfo=UTC) if record else datetime.min.replace(tzinfo=UTC)


@dg.job(
    name="retention",
    description=(
        "Reduces bodies older than [privacy] keep_raw_days, forgets Dagster's old runs, and looks for files that rot. "
        "The star stays as it is."
    ),
    executor_def=dg.in_process_executor,
    tags=OWN_RUN,
)
def retention_job() -> None:
    """The retention job."""
    reduce_old_bodies()
    forget_old_runs()
    look_for_rot()
