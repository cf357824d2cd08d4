"""Liveness of Dagster runs: each holds a lock file for as long as its process lives.

Dagster's launcher of local processes does not look after them: a run that dies with its machine, or whose command is
killed, stays started in its records for hours, and whoever waits for it waits as long.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from screening_pipeline.base import files, locks
from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.failures import telling
from screening_pipeline.base.locks import locked
from screening_pipeline.settings.paths import Paths

# A run is recorded as started before it takes its lock.
GRACE = timedelta(minutes=1)
# And lets go of it before it is recorded as ended.
ENDING_SECONDS = 2.0
_LAUNCHER = "DefaultRunLauncher"
_FINISHED = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
    dg.DagsterRunStatus.MANAGED,
)
_UNFINISHED = [status for status in dg.DagsterRunStatus if status not in _FINISHED]


@contextmanager
def alive(paths: Paths, run_id: str) -> Iterator[None]:
    """Context manager: holds the lock of a run; the kernel releases it when the process dies."""
    lock = _lock(paths, run_id)
    with telling("the data folder"):
        files.make_folder(lock.parent)
    try:
        with locked(lock, is_shared=True):  # by each process of it, should there be several
            yield
    finally:
        if not locks.is_locked(lock):
            lock.unlink(missing_ok=True)


def end_dead(instance: dg.DagsterInstance, paths: Paths, grace: timedelta = GRACE) -> int:
    """Mark the dead runs of this machine as failed; how many there were."""
    if type(instance.run_launcher).__name__ != _LAUNCHER:  # who runs elsewhere holds no lock here
        return 0
    started = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    suspects = [record.dagster_run for record in started if _is_dead(record, paths, grace)]
    if suspects:
        SystemClock().sleep(ENDING_SECONDS)
    dead = [run for run in suspects if _is_started(instance, run)]
    for run in dead:
        instance.report_run_failed(run, "The process of this run is gone: it was killed, or the machine stopped.")
        _lock(paths, run.run_id).unlink(missing_ok=True)
    return len(dead)


def under_way(
    instance: dg.DagsterInstance, paths: Paths, *, job_name: str | None = None, grace: timedelta = GRACE
) -> Sequence[dg.DagsterRun]:
    """The queued and running runs, of one job or of all; dead ones are marked as failed first."""
    end_dead(instance, paths, grace)
    return instance.get_runs(dg.RunsFilter(job_name=job_name, statuses=_UNFINISHED))


def _is_dead(record: dg.RunRecord, paths: Paths, grace: timedelta) -> bool:
    begun = datetime.fromtimestamp(record.start_time or record.create_timestamp.timestamp(), UTC)
    return SystemClock().now() - begun > grace and not locks.is_locked(_lock(paths, record.dagster_run.run_id))


def _is_started(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    found = instance.get_run_by_id(run.run_id)
    return found is not None and found.status is dg.DagsterRunStatus.STARTED


def _lock(paths: Paths, run_id: str) -> Path:
    return paths.data_dir / "runs" / f"{run_id}.lock"
