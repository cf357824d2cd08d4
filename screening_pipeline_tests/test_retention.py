"""Old bodies are reduced to what the star needs: it stays the same, also when it is computed anew."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from screening_pipeline.base.clock import ManualClock
from screening_pipeline.landing.area import Transform
from screening_pipeline.landing.line import restamped
from screening_pipeline.orchestration.instance import instance
from screening_pipeline.privacy import retention
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.runtime.opening import build_runtime, use_runtime
from screening_pipeline.settings.paths import Paths
from screening_pipeline.settings.settings import Privacy, Settings
from screening_pipeline.warehouse.reference import part_words
from screening_pipeline_tests.support.stage import MORNING, PART_KEY, Stage, account, opened
from screening_pipeline_tests.test_rebuild import LINES, order_everything, told

NAME = "Canaria Testperson"


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with opened(tmp_path_factory) as empty:
        yield empty


def test_after_reduction_every_fact_is_the_same_also_when_computed_anew(stage: Stage) -> None:
    order_everything(stage)
    for said in told([(line, check_id, 1) for line in LINES for check_id in ("one", "two")]):
        stage.land(**said)
    stage.settle()
    before = stage.facts()
    assert (
        sum(
            stage.landing.purge((MORNING + timedelta(days=2)).date(), part_key=PART_KEY, part_words=part_words).values()
        )
        > 0
    )
    assert stage.facts() == before
    stage.rebuild()
    assert stage.facts() == before
    assert all(before[table] for table in ("star.fact_check", "star.fact_check_component", "ops.reject"))


def test_what_was_reduced_before_it_was_loaded_is_read_all_the_same(stage: Stage) -> None:
    story = stage.story("r1").of("goodhire")
    story.say(Status="Processing", FirstName=NAME)
    stage.landing.purge((MORNING + timedelta(days=1)).date(), part_key=PART_KEY, part_words=part_words)
    stage.settle()
    assert story.check()["lifecycle"] == "in_progress"


def test_names_of_people_leave_with_the_body_and_so_does_its_text(stage: Stage) -> None:
    stage.story("r1").of("goodhire").say(Status="Processing", FirstName=NAME)
    stage.story("r1").of("goodhire").say(f"<html>{NAME}</html>".encode())
    stage.story("z1").of("zinc").say(status="pending", statusV2="requested", candidate={"name": NAME})
    assert NAME in landed_text(stage)
    stage.landing.purge((MORNING + timedelta(days=1)).date(), part_key=PART_KEY, part_words=part_words)
    assert NAME not in landed_text(stage)
    rows = stage.rows("from raw.response")
    assert [row["body"] for row in rows] == [None, None, None]
    assert {row["http_status"] for row in rows} == {200}


def test_names_in_labels_and_what_opens_a_link_leave_too_and_the_star_stays_as_it_is(stage: Stage) -> None:
    checks = [
        {"name": f"Reference check for {NAME}", "type": "reference-check", "status": "clear"},
        {"name": f"Reference check for {NAME}", "type": "reference-check", "status": "pending"},
        {"name": f"Address check for {NAME} ünd", "status": "consider"},
        {"type": "address-check", "status": "clear"},
        {"name": 7, "status": "clear"},
    ]
    stage.story("z1").of("zinc").say(status="pending", statusV2="in-progress", checks=checks)
    link = f"https://{NAME}:canary-secret@vendor.example/c/1?token=canary-secret#{NAME}"
    stage.story("w1").of("workable").say(status="completed", results_url=link)
    stage.settle()
    before = stage.facts()
    assert len(before["star.fact_check_component"]) == len(checks)
    later = (MORNING + timedelta(days=1)).date()
    assert sum(stage.landing.purge(later, part_key=PART_KEY, part_words=part_words).values()) == 2
    assert NAME not in landed_text(stage)
    assert "canary-secret" not in landed_text(stage)
    stage.rebuild()
    assert stage.facts() == before
    assert sum(stage.landing.purge(later, part_key=PART_KEY, part_words=part_words).values()) == 0


def test_a_label_that_is_as_short_as_a_name_never_costs_a_message(stage: Stage) -> None:
    checks = [{"name": str(number), "status": "clear"} for number in range(40)]
    stage.story("z1").of("zinc").say(status="pending", statusV2="in-progress", checks=checks)
    stage.settle()
    before = stage.facts()
    stage.landing.purge((MORNING + timedelta(days=1)).date(), part_key=PART_KEY, part_words=part_words)
    stage.rebuild()
    assert stage.facts() == before


def test_a_label_that_looks_like_a_hash_of_ours_and_is_none_is_hashed(stage: Stage) -> None:
    checks = [{"name": f"#{NAME}", "status": "clear"}]
    stage.story("z1").of("zinc").say(status="pending", statusV2="in-progress", checks=checks)
    stage.settle()
    assert NAME not in str(stage.rows("from star.fact_check_component"))


def landed_text(stage: Stage) -> str:
    return "".join(stage.landing.read(tail).decode() for tail in stage.landing.look({}).tails)


# ── how long ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("days", "first"), [(None, None), (1, date(2026, 3, 1)), (30, date(2026, 1, 31)), (365, date(2025, 3, 2))]
)
def test_so_many_days_are_kept_before_today(days: int | None, first: date | None) -> None:
    assert retention.first_day_kept(date(2026, 3, 2), days) == first


def runtime(folder: Path, keep_raw_days: int | None) -> tuple[Runtime, ManualClock]:
    paths = Paths.under(folder / "data", {})
    paths.create()
    clock = ManualClock(MORNING)
    settings = Settings(accounts=(account("workerchecks"),), paths=paths, privacy=Privacy(keep_raw_days=keep_raw_days))
    return build_runtime(settings, {}, clock), clock


def land(work: Runtime, clock: ManualClock) -> None:
    from screening_pipeline.domain.exchange import HttpExchange, new_response_id

    now = clock.now()
    body: dict[str, Any] = {"checkId": "1", "status": "Pending", "name": NAME}
    work.landing.receive(
        HttpExchange(
            response_id=new_response_id(now, clock.monotonic()),
            vendor="workerchecks",
            account="main",
            subject="check",
            check_id="1",
            endpoint="results",
            channel="pull",
            requested_at=now,
            received_at=now,
            run_id="test",
            http_status=200,
            body=json.dumps(body).encode(),
        )
    )


def named(work: Runtime) -> int:
    return sum(work.landing.read(tail).decode().count(NAME) for tail in work.landing.look({}).tails)


def test_only_bodies_older_than_that_are_reduced_and_only_once(tmp_path: Path) -> None:
    work, clock = runtime(tmp_path, 7)
    for _ in range(10):
        land(work, clock)
        clock.advance(86_400)
    assert retention.reduce_old_bodies(work) == 3
    assert named(work) == 7
    assert retention.reduce_old_bodies(work) == 0
    clock.advance(86_400)
    assert retention.reduce_old_bodies(work) == 1


def test_a_file_in_which_nothing_was_left_is_not_read_again_until_it_changes(tmp_path: Path) -> None:
    work = nights(tmp_path)
    (file,) = work.landing.files()
    path = work.landing.root / file
    written = path.read_bytes().replace(b'"checkId"', b'"checkID"')  # an address that nobody declares
    spoilt = b"".join(restamped(line) + b"\n" for line in written.splitlines())
    was = path.stat()
    with path.open("r+b") as opened:
        opened.write(spoilt)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert retention.reduce_old_bodies(work) == 0
    assert path.read_bytes() == spoilt
    os.utime(path)
    assert retention.reduce_old_bodies(work) == 1
    assert retention.reduce_old_bodies(work) == 0
    land(work, ManualClock(MORNING))  # what comes late goes to its day
    assert work.landing.files() == [file]
    assert retention.reduce_old_bodies(work) == 1


@pytest.mark.parametrize("note", [None, '{"rules": "of an older version", "files": FILES}'])
def test_every_old_file_is_read_once_more_by_other_rules_and_where_the_note_was_lost(
    tmp_path: Path, note: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = nights(tmp_path)
    noted = json.loads(str(work.pull_queue.note("bodies_reduced")))
    assert list(noted["files"]) == work.landing.files()
    if note is None:
        work.pull_queue.forget(["bodies_reduced"])
    else:
        work.pull_queue.remember("bodies_reduced", note.replace("FILES", json.dumps(noted["files"])))
    read, rewrite = [], work.landing.rewrite

    def noticed(file: str, change: Transform) -> int:
        read.append(file)
        return rewrite(file, change)

    monkeypatch.setattr(work.landing, "rewrite", noticed)
    assert [retention.reduce_old_bodies(work) for _ in range(2)] == [0, 0]
    assert read == work.landing.files(), "once"


def nights(folder: Path) -> Runtime:
    """One answer, forty days old, and the two nights after which its file is known to be done."""
    work, clock = runtime(folder, 7)
    land(work, clock)
    clock.advance(40 * 86_400)
    assert [retention.reduce_old_bodies(work) for _ in range(2)] == [1, 0]
    return work


def test_without_a_number_everything_is_kept(tmp_path: Path) -> None:
    work, clock = runtime(tmp_path, None)
    land(work, clock)
    clock.advance(10_000 * 86_400)
    assert retention.reduce_old_bodies(work) == 0
    assert named(work) == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Dagster's own, as it is loaded
def test_a_schedule_runs_the_job_every_night_and_the_job_reduces(tmp_path: Path) -> None:
    from screening_pipeline.orchestration.definitions import defs

    schedule = defs.resolve_schedule_def("daily_retention")
    assert schedule.job_name == "retention"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    work, clock = runtime(tmp_path, 7)
    land(work, clock)
    clock.advance(30 * 86_400)
    with use_runtime(replace(work)), instance(work.settings.paths) as storage:
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        result = defs.resolve_job_def("retention").execute_in_process(instance=storage, run_config=quiet)
    assert result.success
    assert named(work) == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Dagster's own, as it is loaded
def test_runs_of_every_minute_are_forgotten_after_two_days_and_others_after_two_weeks(tmp_path: Path) -> None:
    from screening_pipeline.orchestration.definitions import defs
    from screening_pipeline.orchestration.installation import OWN_RUN

    work, clock = runtime(tmp_path, None)
    clock.advance((datetime.now(UTC) - clock.now()).total_seconds())  # Dagster dates runs by the machine's clock
    with dg.DagsterInstance.ephemeral() as storage:
        for name, tags in (
            ("of_the_feed", {"dagster/schedule_name": "hireright_pull", **OWN_RUN}),
            ("other", OWN_RUN),
            ("of_somebody_else", {"dagster/schedule_name": "hireright_pull"}),
        ):
            storage.add_run(dg.DagsterRun(job_name=name, tags=tags, status=dg.DagsterRunStatus.SUCCESS))

        def left_after(days: float) -> list[str]:
            clock.advance(days * 86_400)
            with use_runtime(work):
                assert defs.resolve_job_def("retention").execute_in_process(instance=storage).success
            return sorted(kept.job_name for kept in storage.get_runs() if kept.job_name != "retention")

        assert left_after(1.9) == ["of_somebody_else", "of_the_feed", "other"]
        assert left_after(0.2) == ["of_somebody_else", "other"]
        assert left_after(11.8) == ["of_somebody_else", "other"]
        assert left_after(0.2) == ["of_somebody_else"]
