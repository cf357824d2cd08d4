"""What the benchmarks reckon with: a measurement that reckons wrongly is worse than none."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, ModuleType]]:
    """The modules that scripts share; they stand in a folder and are no package."""
    sys.path.insert(0, str(BENCHMARKS))
    names = ("answering", "corpus", "cycle", "measuring", "pulls.game", "pulls.verdict", "stopwatch")
    try:
        yield {name: import_module(name) for name in names}
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_a_limit_that_is_just_kept_counts_as_kept_and_wholly_used(scripts: dict[str, ModuleType]) -> None:
    kept = scripts["answering"].judged([0.0, 0.0, 10.0, 10.0, 20.0, 20.0], 2, 10.0)
    assert (kept.calls, kept.worst, kept.sliding, kept.fixed) == (6, 2, 0, 0)
    assert kept.share == pytest.approx(1.0)


def test_a_call_too_many_in_a_sliding_window_is_seen_where_fixed_windows_see_none(
    scripts: dict[str, ModuleType],
) -> None:
    kept = scripts["answering"].judged([8.0, 9.0, 11.0, 12.0], 2, 10.0)
    assert (kept.worst, kept.sliding, kept.fixed) == (4, 2, 0)


def test_a_call_too_many_in_a_fixed_window_is_counted_once(scripts: dict[str, ModuleType]) -> None:
    assert scripts["answering"].judged([1.0, 2.0, 3.0, 25.0], 2, 10.0).fixed == 1


def test_a_limit_used_half_the_time_is_used_by_half(scripts: dict[str, ModuleType]) -> None:
    assert scripts["answering"].judged([0.0, 20.0, 40.0], 1, 10.0).share == pytest.approx(0.5)


def test_the_median_of_costs_is_that_of_each_figure(scripts: dict[str, ModuleType]) -> None:
    cost, middle = scripts["measuring"].Cost, scripts["measuring"].middle
    costs = [
        cost(cpu_s=c, wall_s=w, peak_mb=10.0, facts={"calls": c, "word": "x"}) for c, w in ((1, 9), (2, 1), (9, 5))
    ]
    found = middle(costs)
    assert (found.cpu_s, found.wall_s, found.peak_mb, found.facts) == (2, 5, 10.0, {"calls": 2, "word": "x"})


def test_a_phase_has_its_own_time_and_not_that_of_a_phase_within(scripts: dict[str, ModuleType]) -> None:
    watch = scripts["stopwatch"].Stopwatch()
    with watch.phase("outer"):
        time.sleep(0.02)
        with watch.phase("inner"):
            time.sleep(0.1)
    assert watch.wall["inner"] >= 0.1
    assert 0.02 <= watch.wall["outer"] < 0.1


def test_the_memory_of_a_block_is_its_own_peak(scripts: dict[str, ModuleType]) -> None:
    with scripts["measuring"].metered() as small:
        pass
    with scripts["measuring"].metered() as large:
        assert len(bytearray(b"x") * 100_000_000) == 100_000_000
    assert large.peak_mb > small.peak_mb + 90


def test_looks_at_a_check_are_in_order_and_end_with_its_last_state(scripts: dict[str, ModuleType]) -> None:
    corpus = scripts["corpus"]
    for number in range(40):
        check = corpus.world(40).check(number)
        for count in (1, 2, 3, 9):
            looks = corpus.looks(check, count)
            assert len(looks) == count
            assert [look.at for look in looks] == sorted(look.at for look in looks)
            assert looks[-1].body == check.states[-1].body
            assert all(look.body == check.state_at(look.at).body for look in looks)


def played(scripts: dict[str, ModuleType], scenario: str, size: int, policy: str, calls: int, lag: float) -> Any:
    lags, family = np.array([lag]), "ours" if policy.startswith("ours") else policy
    return scripts["pulls.game"].Outcome(
        scenario, size, policy, family, calls, 1e6, 1, 1, 1, lags, lags, cpu=0.0, plan_cpu=0.0
    )


@pytest.mark.parametrize(("calls", "is_reached"), [(50, True), (60, False)])
def test_a_goal_that_no_setting_is_frugal_enough_for_is_missed_and_not_left_out(
    scripts: dict[str, ModuleType], calls: int, *, is_reached: bool
) -> None:
    robin = played(scripts, "A", 10_000, "round robin", 100, 10_000.0)
    hourly = played(scripts, "B", 1_000, "every 1 h", 75, 1_800.0)
    ours = [played(scripts, "A", 10_000, "ours", calls, 10.0), played(scripts, "B", 1_000, "ours", calls, 10.0)]
    goals = scripts["pulls.verdict"].goals([robin, hourly, *ours])
    assert [goal.is_reached for goal in goals] == [is_reached] * 3


def test_every_phase_of_a_cycle_is_timed_where_there_is_a_function_of_that_name(
    scripts: dict[str, ModuleType],
) -> None:
    class Looking:
        def watch(self, phase: str, owner: Any, *names: str) -> None:
            assert phase in scripts["cycle"].PHASES
            assert all(callable(getattr(owner, name)) for name in names)
            found.append(phase)

    found: list[str] = []
    scripts["cycle"].watch_phases(Looking())
    assert set(found) == set(scripts["cycle"].PHASES)
