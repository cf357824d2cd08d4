"""Telling somebody: the sensor that looks how things stand, and what `watch` knows of the last run."""

import os
from datetime import UTC, datetime
from functools import partial

import dagster as dg

from screening_pipeline.notify.attend import attend
from screening_pipeline.notify.troubles import FailedRun
from screening_pipeline.orchestration.installation import own_runs
from screening_pipeline.orchestration.instance import instance_of
from screening_pipeline.orchestration.outlook import prepared_settings, telling_why_not
from screening_pipeline.runtime.shared import shared_clock
from screening_pipeline.settings.paths import Paths
from screening_pipeline.state import pulse

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


def last_failure(instance: dg.DagsterInstance, paths: Paths) -> FailedRun | None:
    """The run of ours that ended last, if it failed; None where it succeeded, or none has ended."""
    ended = dg.RunsFilter(statuses=_ENDED, tags=own_runs(instance, paths))
    for record in instance.get_run_records(ended, limit=1, order_by="update_timestamp"):
        run = record.dagster_run
        if run.status is dg.DagsterRunStatus.FAILURE:
            ended_at = record.end_time or record.update_timestamp.timestamp()
            return FailedRun(run.run_id, run.job_name, datetime.fromtimestamp(ended_at, UTC))
    return None


@dg.sensor(
    name="notifications",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells whoever [notify] in screening.toml names of what is wrong, and when it is over. Starts no run.",
)
@telling_why_not
def notifications(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Look, and tell of what has changed; the reason to skip says what came of it."""
    settings = prepared_settings()
    clock = shared_clock(settings, os.environ)
    failure = partial(last_failure, instance_of(context), settings.paths)
    told = attend(settings, os.environ, clock, who=pulse.DAEMON, last_failure=failure)
    return dg.SkipReason(told)
