"""A handful of kills of every stage, in a process of its own. The long form is `kills`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from screening_pipeline_tests.support import crash_tests

STAGES = crash_tests.STAGES


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("kills")
    told = folder / "told.json"
    tried = {"kills": len(STAGES), "drips": 1, "together": 1, "in-a-row": 9, "hours": 24, "checks": 80}
    options = [f"--{name}={value}" for name, value in tried.items()]
    command = [sys.executable, "-m", crash_tests.__name__, *options, "--folder", str(folder / "data")]
    with told.open("w") as output:
        subprocess.run(command, stdout=output, check=False, timeout=280)
    found: dict[str, Any] = json.loads(told.read_text())
    return found


pytestmark = pytest.mark.timeout(300)


@pytest.mark.slow
def test_after_a_kill_in_any_stage_the_next_run_loses_nothing_and_doubles_nothing(killed: dict[str, Any]) -> None:
    assert killed["problems"] == []
    assert killed["acknowledged"] > 20
    assert killed["runs_to_the_end"] >= 6


@pytest.mark.slow
def test_what_the_feed_has_handed_out_is_landed_once_whoever_died(killed: dict[str, Any]) -> None:
    assert killed["updates_landed"] == killed["updates_handed_out"] > 0
    assert killed["gaps"] == 0


@pytest.mark.slow
def test_kills_fell_on_nearly_every_stage(killed: dict[str, Any]) -> None:
    assert len(killed["kills"]) >= len(STAGES) - 1  # one may have come a moment too late


@pytest.mark.slow
def test_two_pipelines_at_once_and_a_full_disk_were_tried(killed: dict[str, Any]) -> None:
    assert (killed["together"], killed["full_disks"]) == (1, 1)


def test_what_is_told_after_a_kill_is_not_told_of_a_good_run_alone(tmp_path: Path) -> None:
    """The oracle itself: it notices an answer that is gone, and one that is there twice."""
    landed = [{"response_id": "r-1"}, {"response_id": "r-2"}, {"response_id": "r-2"}]
    rows = {"r-1": 1, "r-2": 1, "r-3": 1}
    assert crash_tests.not_once({"r-1", "r-2", "r-3"}, landed, rows) == ["r-2: 2 lines, 1 rows", "r-3: 0 lines, 1 rows"]
