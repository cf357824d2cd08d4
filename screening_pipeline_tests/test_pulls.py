"""The planner against other policies in a small world with too few calls, in which what was learned becomes wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
DAYS = 5.0


@pytest.fixture(scope="module")
def pulls() -> Iterator[dict[str, ModuleType]]:
    """The parts of the benchmark; they stand in a folder beside the scripts and are no installed package."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield {name: import_module(f"pulls.{name}") for name in ("game", "ours", "policies", "worlds")}
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_with_too_few_calls_and_durations_that_drift_the_plan_is_no_worse_than_a_back_off_or_a_round_robin(
    pulls: dict[str, ModuleType],
) -> None:
    worlds, policies = pulls["worlds"], pulls["policies"]
    drift = worlds.drifting(worlds.START + DAYS * worlds.DAY / 2)
    account = worlds.Account("workable", 2, "Europe/London", worlds.ORDERS_UK, drift)
    setting = pulls["game"].Setting(days=DAYS, tick=60, look=600)
    makes = {
        "ours": partial(pulls["ours"].Ours, 0, setting.look),
        "back-off": partial(policies.BackOff, 6 * 3_600.0),
        "round robin": partial(policies.Fixed, 0.0),
    }
    found = {name: pulls["game"].play("drift", [account], 1_000, make, setting) for name, make in makes.items()}
    assert found["ours"].calls <= found["ours"].allowed
    for measure in ("median", "mean", "late mean"):
        best = min(found[name].figure(measure) for name in ("back-off", "round robin"))
        assert found["ours"].figure(measure) <= 1.05 * best
