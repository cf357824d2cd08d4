"""`move`: takes a world to another configuration, from a data folder to what several machines share, or back."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

from screening_pipeline.base.errors import UsageError
from screening_pipeline.cli import console
from screening_pipeline.settings import load
from screening_pipeline.settings.settings import CONFIG_VARIABLE


def command(to: Path, data_dir: Path, *, is_json: bool) -> int:
    """The `move` command: moves, compares and says what was moved; returns the exit code."""
    from screening_pipeline.cycle.move import move
    from screening_pipeline.runtime import opening
    from screening_pipeline.runtime.shared import shared_clock

    environ = {**os.environ, CONFIG_VARIABLE: str(to), "SCREENING_DATA_DIR": str(data_dir)}
    here, there = load.load(os.environ, Path.cwd()), load.load(environ, Path.cwd())
    if here.data_dir.resolve() == there.data_dir.resolve():
        raise UsageError("--data-dir is the data folder of this world: name an empty one", code="usage")
    with console.progress("moving") as tell:
        works = [
            opening.build_runtime(settings, given, shared_clock(settings, given), tell, may_be_moved=is_new)
            for settings, given, is_new in ((here, os.environ, False), (there, environ, True))
        ]
        found = move(*works, to=f"{to}, {there.data_dir}")
    if is_json:
        console.say_json(asdict(found))
    else:
        console.say(f"moved {found.orders} order files and {found.lines:,} landed lines")
        console.say(f"{found.checks:,} checks; {found.tables} tables hold the same at both places")
        console.say(f"from now on: {CONFIG_VARIABLE}={to} SCREENING_DATA_DIR={data_dir}")
    return 0
