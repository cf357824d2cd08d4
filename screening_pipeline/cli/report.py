"""`report`: writes the HTML page."""

from __future__ import annotations

import os
from pathlib import Path

from screening_pipeline.base.clock import system_clock
from screening_pipeline.cli import console
from screening_pipeline.settings import load


def report(out: Path | None) -> int:
    """The `report` command: writes the HTML report from the published snapshot; returns the exit code."""
    from screening_pipeline.base.errors import UsageError
    from screening_pipeline.report import write as page
    from screening_pipeline.warehouse.engines import published_engine

    settings = load.load(os.environ, Path.cwd())
    engine = published_engine(settings)
    target = out or settings.paths.report
    if target.exists() and not target.is_file():  # what is written takes the place of what is there
        raise UsageError(f"{target} is no file: name one with --out", code="usage")
    now = system_clock(os.environ).now()
    if out:  # out of an erasure's reach in any case; and whoever may read the snapshot may write it
        with engine.reader() as connection:
            page.write_report(connection, target, generated_at=now)
    else:
        with engine.deriving() as connection:
            page.publish_report(connection, settings.paths, generated_at=now)
    console.say(f"wrote {target}")
    return 0
