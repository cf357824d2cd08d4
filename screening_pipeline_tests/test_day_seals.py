"""A settle costs what was landed since the last one, however many days there were before; and misses nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest

from screening_pipeline.base import locks
from screening_pipeline.warehouse import loading, rebuild
from screening_pipeline_tests.support.stage import MORNING, PART_KEY, Stage, opened

DAYS = 1_000
_WATCHED: list[tuple[str, list[str]]] = []


def _note(event: str, given: tuple[object, ...]) -> None:
    if _WATCHED and event in ("open", "os.listdir", "os.scandir"):
        root, seen = _WATCHED[0]
        if (path := os.fsdecode(given[0]) if isinstance(given[0], str | bytes | Path) else "").startswith(root):
            seen.append(path)


sys.addaudithook(_note)


@contextmanager
def opened_below(root: Path) -> Iterator[list[str]]:
    """What this process opens or lists below a folder while the block runs."""
    seen: list[str] = []
    _WATCHED.append((str(root), seen))
    try:
        yield seen
    finally:
        _WATCHED.clear()


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with opened(tmp_path_factory) as empty:
        yield empty


def say(stage: Stage, check_id: str, when: str) -> Path:
    """One answer at that time; the file that holds it."""
    stage.story(check_id).of("zinc").say(when=when, status="pending", statusV2="awaiting-candidate")
    return stage.landing.root / "zinc" / "main" / f"{when[:10]}.ndjson"


def known(stage: Stage) -> list[str]:
    """The checks of which something was read."""
    return [row["check_id"] for row in stage.rows("select check_id from star.fact_check order by check_id")]


def grow_old(stage: Stage) -> list[str]:
    """A thousand days on which something was said."""
    first = say(stage, "old", "2023-01-01T08:00+00:00")
    content = first.read_bytes()
    days = [f"{date(2023, 1, 1) + timedelta(days=n)}" for n in range(DAYS)]
    for day in days[1:]:
        first.with_name(f"{day}.ndjson").write_bytes(content)
    return days


def test_a_settle_opens_and_locks_no_file_of_a_thousand_days_that_are_over(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow_old(stage)
    say(stage, "new", "2026-03-02T07:00+00:00")
    stage.settle()
    today = say(stage, "newer", "2026-03-02T08:00+00:00")
    locked: list[Path] = []

    def noted(path: Path, **given: bool) -> AbstractContextManager[int]:
        locked.append(path)
        return locks.locked(path, **given)

    monkeypatch.setattr("screening_pipeline.landing.file_store.locked", noted)
    with opened_below(stage.landing.root) as seen:
        stage.settle()
    assert known(stage) == ["new", "newer", "old"]
    assert locked == [today]
    assert {path for path in seen if path.endswith(".ndjson")} == {str(today)}
    with opened_below(stage.landing.root) as seen:
        stage.settle()
        assert stage.landing.gained(loading.seals(stage.connection)) == {}
    assert [path for path in seen if path.endswith(".ndjson")] == []
    assert str(today.parent) not in seen


def test_a_line_that_was_held_up_for_weeks_is_read_by_the_next_settle(stage: Stage) -> None:
    say(stage, "old", "2026-01-05T08:00+00:00")
    say(stage, "new", "2026-03-02T07:00+00:00")
    stage.settle()
    late = say(stage, "late", "2026-01-05T09:00+00:00")
    assert stage.landing.gained(loading.seals(stage.connection)) != {}
    stage.settle()
    assert known(stage) == ["late", "new", "old"]
    assert stage.landing.gained(loading.seals(stage.connection)) == {}
    assert late.exists()


def test_a_day_of_long_ago_that_is_put_back_is_read_by_the_next_settle(stage: Stage) -> None:
    lost = say(stage, "lost", "2026-01-05T08:00+00:00")
    content = lost.read_bytes()
    lost.unlink()
    say(stage, "new", "2026-03-02T07:00+00:00")
    stage.settle()
    lost.write_bytes(content)
    assert stage.landing.gained(loading.seals(stage.connection)) != {}
    stage.settle()
    assert known(stage) == ["lost", "new"]


def test_what_a_file_of_long_ago_has_gained_in_its_place_is_read_within_a_day(stage: Stage) -> None:
    file = say(stage, "old", "2026-01-05T08:00+00:00")
    whole = len(file.read_bytes())
    say(stage, "more", "2026-01-05T09:00+00:00")
    content = file.read_bytes()
    os.truncate(file, whole)
    stage.settle()
    with file.open("ab") as opened_by_others:
        opened_by_others.write(content[whole:])
    stage.settle()
    assert known(stage) == ["old"]
    stage.clock.advance(timedelta(days=1).total_seconds())
    assert stage.landing.gained(loading.seals(stage.connection)) != {}
    stage.settle()
    assert known(stage) == ["more", "old"]


def test_what_is_said_after_midnight_of_the_day_before_needs_no_mark(stage: Stage) -> None:
    say(stage, "new", "2026-03-02T07:00+00:00")
    say(stage, "yesterday", "2026-03-01T23:00+00:00")
    stage.settle()
    folder = stage.landing.root / "zinc" / "main"
    before = folder.stat().st_mtime_ns
    say(stage, "late", "2026-03-01T23:59+00:00")
    assert folder.stat().st_mtime_ns == before
    stage.settle()
    assert known(stage) == ["late", "new", "yesterday"]


def test_after_an_erasure_the_days_that_are_over_are_looked_at_once_more(stage: Stage) -> None:
    say(stage, "old", "2026-01-05T08:00+00:00")
    say(stage, "gone", "2026-01-05T09:00+00:00")
    stage.settle()
    assert stage.landing.erase("zinc", "main", {("request", "gone")}) == 1
    assert stage.landing.gained(loading.seals(stage.connection)) == {}
    late = say(stage, "late", "2026-01-05T10:00+00:00")
    stage.settle()
    assert known(stage)[:2] == ["gone", "late"]
    assert late.stat().st_size == loading.loaded_offsets(stage.connection, "zinc/main")["zinc/main/2026-01-05.ndjson"]


def test_days_are_sealed_under_one_clock_and_looked_at_anew_under_another(stage: Stage) -> None:
    say(stage, "new", "2026-03-02T07:00+00:00")
    stage.settle()
    stage.clock.advance(-timedelta(days=30).total_seconds())
    say(stage, "then", f"{MORNING - timedelta(days=30):%Y-%m-%d}T07:00+00:00")
    stage.settle()
    assert known(stage) == ["new", "then"]


def test_what_was_computed_anew_is_sealed_as_well(stage: Stage) -> None:
    grow_old(stage)
    stage.settle()
    rebuild.rebuild(stage.connection, stage.landing, part_key=PART_KEY)
    assert stage.landing.gained(loading.seals(stage.connection)) == {}
    with opened_below(stage.landing.root / "zinc" / "main") as seen:
        stage.settle()
    assert seen == []
