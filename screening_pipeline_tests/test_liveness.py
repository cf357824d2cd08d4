"""A run that died with its process is ended in Dagster's records, and a living one is left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from screening_pipeline.base import locks
from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.named_locks import FileLocks
from screening_pipeline.orchestration import liveness
from screening_pipeline.orchestration.installation import OWN_RUN
from screening_pipeline.orchestration.instance import forget_runs, instance
from screening_pipeline.orchestration.notifying import last_failure
from screening_pipeline.settings.paths import Paths
from screening_pipeline_tests.support.end_to_end_world import dagster_words
from screening_pipeline_tests.support.loopback import Reply, serving

pytestmark = dagster_words

CONFIGURATION = """
[[accounts]]
vendor = "zinc"
name = "uk"
base_url = "{url}"
api_key_env = "ZINC_KEY"
"""
AT_ONCE = timedelta(0)
CLUSTER = ("psycopg", "psycopg2", "dagster_postgres", "boto3")


@contextmanager
def cycling(folder: Path, *, is_cluster: bool = False, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is in the middle of a cycle: its vendor takes its time."""
    imported = sys.path if is_cluster else [str(_poisoned(folder)), *sys.path]
    with serving(lambda _: Reply(pieces=[20.0], closes=True)) as server:
        (folder / "screening.toml").write_text(CONFIGURATION.format(url=server.url))
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("SCREENING_", "DAGSTER_"))}
        with subprocess.Popen(
            [sys.executable, "-m", "screening_pipeline", "sync"],
            cwd=folder,
            env=environ | {"ZINC_KEY": "of-a-test", "PYTHONPATH": os.pathsep.join(imported), **variables},
        ) as process:
            try:
                until = time.monotonic() + 60
                while not server.asked and time.monotonic() < until:
                    time.sleep(0.1)
                assert server.asked, "the cycle never asked anything"
                yield process
            finally:
                process.kill()


def _poisoned(folder: Path) -> Path:
    """A folder with modules that end who imports them: with nothing configured none of the cluster's is imported."""
    (poisoned := folder / "poisoned").mkdir()
    for name in CLUSTER:
        (poisoned / f"{name}.py").write_text("import os\nos._exit(77)\n")
    return poisoned


def statuses(recorded: dg.DagsterInstance) -> list[dg.DagsterRunStatus]:
    return [run.status for run in recorded.get_runs()]


def test_a_run_is_left_alone_while_its_process_lives_and_ended_when_that_was_killed(tmp_path: Path) -> None:
    paths = Paths.under(tmp_path / "data", {})
    with cycling(tmp_path) as process, instance(paths, {}) as recorded:
        assert statuses(recorded) == [dg.DagsterRunStatus.STARTED]
        assert liveness.end_dead(recorded, paths, grace=AT_ONCE) == 0
        assert len(liveness.under_way(recorded, paths, grace=AT_ONCE)) == 1
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert liveness.end_dead(recorded, paths) == 0, "it may only just have begun"
        assert statuses(recorded) == [dg.DagsterRunStatus.STARTED]
        assert liveness.under_way(recorded, paths, grace=AT_ONCE) == []
        assert statuses(recorded) == [dg.DagsterRunStatus.FAILURE]
        assert list((paths.data_dir / "runs").iterdir()) == []


def test_who_ends_leaves_no_lock_and_who_is_not_the_last_of_a_run_leaves_it(tmp_path: Path) -> None:
    paths = Paths.under(tmp_path / "data", {})
    lock = paths.data_dir / "runs" / "one.lock"
    held = FileLocks(paths.data_dir)
    with liveness.alive(held, "one"):
        with liveness.alive(held, "one"):
            assert locks.is_locked(lock)
        assert locks.is_locked(lock)
    assert not lock.exists()


def test_who_is_just_ending_is_not_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = Paths.under(tmp_path / "data", {})
    with instance(paths, {}) as recorded:
        run = recorded.add_run(dg.DagsterRun(job_name="sync", status=dg.DagsterRunStatus.STARTED))
        monkeypatch.setattr(SystemClock, "sleep", lambda *_: recorded.report_run_canceled(run))
        assert liveness.end_dead(recorded, paths, grace=AT_ONCE) == 0
        assert statuses(recorded) == [dg.DagsterRunStatus.CANCELED]


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING])
def test_who_has_not_begun_is_not_dead(tmp_path: Path, status: dg.DagsterRunStatus) -> None:
    paths = Paths.under(tmp_path / "data", {})
    with instance(paths, {}) as recorded:
        recorded.add_run(dg.DagsterRun(job_name="sync", status=status))
        assert len(liveness.under_way(recorded, paths, grace=AT_ONCE)) == 1
        assert statuses(recorded) == [status]


def test_runs_that_another_launcher_starts_elsewhere_are_not_judged(tmp_path: Path) -> None:
    paths = Paths.under(tmp_path / "data", {})
    with dg.DagsterInstance.ephemeral() as recorded:
        recorded.add_run(dg.DagsterRun(job_name="sync", status=dg.DagsterRunStatus.STARTED, tags=OWN_RUN))
        assert len(liveness.under_way(recorded, paths, grace=AT_ONCE)) == 1


def test_in_a_dagster_that_others_use_their_runs_are_not_ended_told_of_or_forgotten(tmp_path: Path) -> None:
    paths = Paths.under(tmp_path / "data", {})
    (home := tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as shared:
        for tags in ({}, OWN_RUN, {"screening/installation": "another"}):
            for status in (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE):
                job_name = tags.get("screening/installation", "somebody's")
                shared.add_run(dg.DagsterRun(job_name=job_name, status=status, tags=tags))
        ours = OWN_RUN["screening/installation"]
        assert [run.job_name for run in liveness.under_way(shared, paths)] == [ours]
        told = last_failure(shared, paths)
        assert told is not None
        assert told.job == ours
        assert liveness.end_dead(shared, paths, grace=AT_ONCE) == 1
        assert forget_runs(shared, before=datetime.now(UTC), own=OWN_RUN) == 2
        assert {run.job_name for run in shared.get_runs()} == {"somebody's", "another"}
        assert len(shared.get_runs()) == 4
