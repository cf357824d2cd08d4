"""Runs the whole suite and writes `screening_pipeline_tests/slow_tests.txt`: what `make test` leaves out.

Usage: python tools/slow_tests.py [--seconds S] [--times FILE]

A test is slow that takes longer than so many seconds, by whatever arguments, with the fixtures that it is the first to
ask for. `--times` is the JUnit XML of an earlier run, with which nothing is run anew.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "screening_pipeline_tests" / "slow_tests.txt"
SECONDS = 1.2
HEAD = """\
# Tests that `make test` leaves to `make test-all`: each took longer than {seconds} seconds where this was measured.
# Written by `python tools/slow_tests.py`.
"""


def timed(times: Path) -> None:
    """Run all tests, three at a time as `make test-all` does, and have pytest write how long each took."""
    command = [sys.executable, "-m", "pytest", f"--junitxml={times}"]
    command += ["--numprocesses=3", "--dist=loadfile", "--randomly-dont-reorganize"]
    subprocess.run(command, cwd=ROOT, check=False)


def seconds_of(times: Path) -> dict[str, float]:
    """How long the longest case of each test took, by `file::name`."""
    found: dict[str, float] = defaultdict(float)
    for case in ET.parse(times).iter("testcase"):  # noqa: S314 - pytest wrote it
        name = f"{case.attrib['classname'].rpartition('.')[2]}.py::{case.attrib['name'].partition('[')[0]}"
        found[name] = max(found[name], float(case.attrib["time"]))
    return found


def main() -> None:
    """Read the arguments, measure, write the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--times", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        times = given.times or Path(folder, "times.xml")
        if given.times is None:
            timed(times)
        found = seconds_of(times)
    slow = sorted(name for name, seconds in found.items() if seconds > given.seconds)
    LIST.write_text(HEAD.format(seconds=given.seconds) + "".join(f"{name}\n" for name in slow), encoding="utf-8")
    print(f"{len(slow)} of {len(found)} tests are slow")


if __name__ == "__main__":
    main()
