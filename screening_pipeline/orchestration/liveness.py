"""Liveness of Dagster runs: each holds a lock for as long as its process lives, where its records are.

Dagster's launcher of local processes does not look after them: a run that dies with its machine, or whose command is
killed, stays started in its records for hours, and whoever waits for it waits as long. Where several machines share the
records on PostgreSQL the lock is there, too: a file tells nothing of another machine's processes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache

import dagster as dg

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.errors import LockLost
from screening_pipeline.base.named_locks import FileLocks, Locks, run_lock
from screening_pipeline.orchestration.installation import own_runs
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
def alive(locks: Locks, run_id: str) -> Iterator[None]:
    """Context manager: holds the lock of a run; it is free as soon as the process dies."""
    name = run_lock(run_id)
    try:
        with locks.hold(name, is_shared=True):  # by each process of it, should there be several
            yield
    finally:
        locks.forget(name)


def locks_of(instance: dg.DagsterInstance, paths: Paths) -> Locks:
    """The locks of runs that this instance records: in its database, where several machines share one."""
    url = getattr(instance.event_log_storage, "postgres_url", None)
    return FileLocks(paths.data_dir) if url is None else _locks_in(url)


def lost_lock(instance: dg.DagsterInstance) -> LockLost | None:
    """The lock of a run that this process lost, for which it was interrupted."""
    url = getattr(instance.event_log_storage, "postgres_url", None)
    return None if url is None else _locks_in(url).lost


@cache
def _locks_in(url: str) -> Locks:
    from screening_pipeline.state.postgres_locks import PostgresLocks

    return PostgresLocks(url, "storage.postgres in dagster.yaml")


def end_dead(instance: dg.DagsterInstance, paths: Paths, grace: timedelta = GRACE) -> int:
    """Mark our dead runs as failed, of all machines whose locks are seen from here; how many there were."""
    locks = locks_of(instance, paths)
    if not locks.is_everywhere and type(instance.run_launcher).__name__ != _LAUNCHER:
        return 0  # who runs elsewhere holds no lock here
    own = own_runs(instance, paths)
    started = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], tags=own))
    suspects = [record.dagster_run for record in started if _is_dead(record, locks, grace)]
    if suspects:
        SystemClock().sleep(ENDING_SECONDS)
    dead = [run for run in suspects if _is_started(instance, run)]
    for run in dead:
        instance.report_run_failed(run, "The process of this run is gone: it was killed, or the machine stopped.")
        locks.forget(run_lock(run.run_id))
    return len(dead)


def under_way(
    instance: dg.DagsterInstance, paths: Paths, *, job_name: str | None = None, grace: timedelta = GRACE
) -> Sequence[dg.DagsterRun]:
    """Our queued and running runs, of one job or of all; dead ones are marked as failed first."""
    end_dead(instance, paths, grace)
    own = own_runs(instance, paths)
    return instance.get_runs(dg.RunsFilter(job_name=job_name, statuses=_UNFINISHED, tags=own))


def _is_dead(record: dg.RunRecord, locks: Locks, grace: timedelta) -> bool:
    begun = datetime.fromtimestamp(record.start_time or record.create_timestamp.timestamp(), UTC)
    return SystemClock().now() - begun > grace and not locks.is_held(run_lock(record.dagster_run.run_id))


def _is_started(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    found = instance.get_run_by_id(run.run_id)
    return found is not None and found.status is dg.DagsterRunStatus.STARTED
