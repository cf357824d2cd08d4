"""The daily job that reduces old bodies and forgets old runs."""

from datetime import timedelta

import dagster as dg

from screening_pipeline.orchestration.instance import forget_runs
from screening_pipeline.orchestration.keys import EVERY_MINUTE, pull_cron
from screening_pipeline.orchestration.resource import Screening
from screening_pipeline.privacy import retention
from screening_pipeline.vendors import all_vendors

RUNS_KEPT = timedelta(days=14)
# A run a minute makes 0.3 GB a day, and most of them have found an empty feed.
MINUTELY_RUNS_KEPT = timedelta(days=2)


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
    for slug in (slug for slug, vendor in all_vendors().items() if pull_cron(vendor) == EVERY_MINUTE):
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
