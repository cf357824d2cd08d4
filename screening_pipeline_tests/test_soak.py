"""A minute of everything going wrong at once, in a process of its own. The long form is `make soak`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from screening_pipeline_tests.support import soak

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_whatever_goes_wrong_the_star_says_what_the_vendors_say_in_the_end(tmp_path: Path) -> None:
    options = ["--kinds", "kill", "disk", "damage", "--checks", "40", "--seed", "3", "--without-pages"]
    command = [sys.executable, "-m", soak.__name__, *options, "--folder", str(tmp_path / "soak")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["problems"] == []
    assert done.returncode == 0
    assert told["pushed"] > 10
    assert told["kills"] > 0
    assert set(told["rounds"]) == {"kill", "disk", "damage"}
