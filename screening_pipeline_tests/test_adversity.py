"""A machine that misbehaves under a running pipeline: a clock that jumps, a folder that may not be written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from screening_pipeline.base.errors import NotWritable
from screening_pipeline.orchestration import runs
from screening_pipeline_tests.support.differential import differences
from screening_pipeline_tests.support.end_to_end_world import Play, dagster_words, playing

pytestmark = [pytest.mark.slow, dagster_words, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    with playing(tmp_path_factory.mktemp("adversity"), checks=30) as played:
        played.cycle(8)
        yield played


def jumped(play: Play, away: timedelta) -> runs.Outcome:
    """A cycle by a clock that is wrong by so much; the vendors' clocks are right."""
    right = play.clock.now()
    play.clock.move_to(right + away)
    try:
        return runs.sync(play.runtime, play.instance, is_full=True)
    finally:
        play.clock.move_to(right)


def test_a_clock_that_jumps_loses_nothing_and_the_star_is_right_when_it_is_right_again(play: Play) -> None:
    for away in (timedelta(days=-400), timedelta(minutes=50)):
        _jump_and_come_back(play, away)


def _jump_and_come_back(play: Play, away: timedelta) -> None:
    day = 9 + len(play.outcomes)
    play.wake(day)
    # By a clock that is 400 days behind, what came before is of the future, and a rule says so.
    said = {"star.fact_pull.no_answer_is_of_the_future"} if away < timedelta(0) else set()
    assert set(jumped(play, away).failed_checks) == said
    outcome = play.cycle(day + 1, is_full=True)
    assert (outcome.exit_code, outcome.failed_checks) == (0, ())
    assert differences(play.sandbox, play.rows("from star.fact_check")) == []
    # What ended while the clock was behind may be asked for once more, and then no more.
    assert max(play.sandbox.stats()["after_over"].values(), default=0) <= 1


@pytest.mark.skipif(os.geteuid() == 0, reason="who may do everything cannot be forbidden anything")
def test_in_a_folder_that_may_not_be_written_nothing_is_asked(play: Play, tmp_path: Path) -> None:
    asked = play.sandbox.stats()["requests"]
    play.paths.landing.chmod(0o500)
    try:
        with pytest.raises(NotWritable):
            runs.sync(play.runtime, play.instance, is_full=True)
    finally:
        play.paths.landing.chmod(0o700)
    assert play.sandbox.stats()["requests"] == asked
