"""Our event log and Dagster's own are one: the same files, whoever writes and whoever reads."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from screening_pipeline.orchestration.event_log import EventLog
from screening_pipeline.orchestration.instance import DAGSTER_YAML, forget_runs, instance
from screening_pipeline.orchestration.retention_job import kept_since
from screening_pipeline.settings.paths import Paths

KEY = dg.AssetKey("one")


@dg.multi_asset(specs=[dg.AssetSpec(KEY)], check_specs=[dg.AssetCheckSpec("is_one", asset=KEY)])
def one() -> Iterator[Any]:
    yield dg.MaterializeResult(asset_key=KEY)
    yield dg.AssetCheckResult(asset_key=KEY, check_name="is_one", passed=True)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.under(tmp_path / "data", {})


def run(by: dg.DagsterInstance) -> str:
    return dg.materialize([one], instance=by).run_id


def story(by: dg.DagsterInstance, run_id: str) -> list[str]:
    return [entry.get_dagster_event().event_type_value for entry in by.all_logs(run_id) if entry.is_dagster_event]


def test_processes_that_open_a_new_home_at_the_same_moment_do_not_disturb_each_other(paths: Paths) -> None:
    program = f"""
import sys
from pathlib import Path
import dagster
from screening_pipeline.orchestration.instance import instance
from screening_pipeline.settings.paths import Paths
print("ready", flush=True)
sys.stdin.readline()
with instance(Paths.under(Path({str(paths.data_dir)!r}), {{}}), {{}}) as opened:
    print(opened.get_runs_count())
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [(process.communicate(timeout=60)[0], process.returncode) for process in processes] == [("0\n", 0)] * 4


def test_dagster_reads_what_ours_wrote_and_ours_what_dagster_wrote(paths: Paths) -> None:
    with instance(paths, {}) as ours:
        assert isinstance(ours.event_log_storage, EventLog)
        with dg.DagsterInstance.from_config(str(paths.dagster)) as theirs:
            for writer in (ours, theirs):
                run_id = run(writer)
                assert "ASSET_MATERIALIZATION" in story(ours, run_id)
                assert story(ours, run_id) == story(theirs, run_id)
            found = [by.get_latest_materialization_event(KEY) for by in (ours, theirs)]
            assert {event.run_id for event in found if event} == {run_id}
            assert len(ours.get_runs()) == len(theirs.get_runs()) == 2


TABLES = {"event_logs", "asset_keys", "asset_event_tags", "asset_check_executions"}


def meaning(value: Any) -> Any:
    """A value of a row; what is JSON without its blanks, which ours leaves out."""
    return json.loads(value) if isinstance(value, str) and value.startswith("{") else value


def rows(folder: Path) -> dict[str, list[Any]]:
    """Everything that the files of a storage hold, by file and table."""
    found = {}
    for path in folder.rglob("*.db"):
        with closing(sqlite3.connect(path)) as file:
            for table in TABLES:
                columns = [name for _, name, *_ in file.execute(f"pragma table_info({table})")]
                told = ", ".join(name for name in columns if name != "create_timestamp")  # when the row was written
                given = file.execute(f"select {told} from {table} order by id").fetchall()
                found[f"{path.name} {table}"] = [tuple(map(meaning, row)) for row in given]
    return {place: given for place, given in found.items() if given}


def test_the_same_events_become_the_same_rows_by_ours_and_by_dagsters(paths: Paths, tmp_path: Path) -> None:
    with instance(paths, {}) as recorded:
        told = [entry for _ in range(2) for entry in recorded.all_logs(run(recorded))]
    folders = {kind: tmp_path / kind.__name__ for kind in (EventLog, SqliteEventLogStorage)}
    for kind, folder in folders.items():
        storage = kind(str(folder))
        for entry in told:
            storage.store_event(entry)
        storage.dispose()
    ours, theirs = (rows(folder) for folder in folders.values())
    assert {place.split()[1] for place in ours} == TABLES
    assert ours == theirs


def test_of_an_asset_that_was_wiped_nothing_is_told_until_it_is_made_again(paths: Paths) -> None:
    with instance(paths, {}) as ours, dg.DagsterInstance.from_config(str(paths.dagster)) as theirs:
        for is_wiped in (False, True, False):
            if is_wiped:
                theirs.wipe_assets([KEY])
            else:
                run(ours)
            noted = [by.get_latest_materialization_event(KEY) for by in (ours, theirs)]
            assert noted[0] == noted[1]
            assert (noted[0] is None) is is_wiped


def test_a_run_that_ended_leaves_one_whole_file(paths: Paths) -> None:
    with instance(paths, {}) as ours:
        for run_id in (run(ours), run(ours)):  # the second begins with a copy of an empty file
            assert [path.name for path in paths.dagster.rglob(f"{run_id}*") if path.is_file()] == [f"{run_id}.db"]
            assert story(ours, run_id).count("ASSET_MATERIALIZATION_PLANNED") == 1
            assert story(ours, run_id)[-1] == "PIPELINE_SUCCESS"
        files = [next(paths.dagster.rglob(f"{kept.run_id}.db")) for kept in ours.get_runs()]
        assert files[0].stat().st_size < 40_000, "as Dagster makes it, it is 115 KB before its first event"


def test_another_storage_that_somebody_chose_is_left_alone(paths: Paths) -> None:
    paths.create()
    place = paths.dagster / "elsewhere"
    (paths.dagster / "dagster.yaml").write_text(
        DAGSTER_YAML + "event_log_storage:\n  module: dagster._core.storage.event_log\n"
        f"  class: ConsolidatedSqliteEventLogStorage\n  config:\n    base_dir: {place}\n"
    )
    with instance(paths, {}) as ours:
        assert not isinstance(ours.event_log_storage, EventLog)
        assert "ASSET_MATERIALIZATION" in story(ours, run(ours))


def test_old_runs_are_forgotten_with_their_files_and_later_ones_are_not(paths: Paths) -> None:
    with instance(paths, {}) as ours:
        old = run(ours)
        between = datetime.now(UTC)
        young = run(ours)
        assert kept_since(ours).year == 1, "everything fits"
        assert between < kept_since(ours, limit=1) < datetime.now(UTC)
        assert forget_runs(ours, before=between, own={}) == 1
        assert [left.run_id for left in ours.get_runs()] == [young]
        files = [path.name for path in paths.dagster.rglob(f"{old}*")]
        assert not [name for name in files if name.endswith(".db")]
        assert story(ours, young)
        latest = ours.get_latest_materialization_event(KEY)
        assert latest is not None
        assert latest.run_id == young
        assert forget_runs(ours, before=between, own={}) == 0
