"""`demo`: plays the pipeline against the bundled sandbox and prints turnaround."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from screening_pipeline.base import inert
from screening_pipeline.base.clock import system_clock
from screening_pipeline.cli import console
from screening_pipeline.settings import sandbox_accounts
from screening_pipeline.settings import settings as configuration
from screening_pipeline.vendors import all_vendors


def demo(*, is_json: bool) -> int:
    """The `demo` command: plays thirty virtual days and prints what they show; returns the exit code."""
    from screening_pipeline.orchestration import demo as thirty_days

    settings = sandbox_accounts.bundled(os.environ, Path.cwd())
    clock = system_clock(os.environ)
    if not is_json:
        console.say(
            f"Playing 30 virtual days of {len(all_vendors())} vendors: real HTTP, real Dagster runs, a virtual clock."
        )
    started = clock.monotonic()
    with console.progress("demo") as tell:
        played = thirty_days.play(os.environ, settings, now=clock.now(), tell=tell)
    if is_json:
        console.say_json(asdict(played))
    else:
        _tell_demo(played, settings, clock.monotonic() - started)
    return played.exit_code


def _tell_demo(played: Any, settings: configuration.Settings, seconds: float) -> None:
    console.table(
        played.turnaround,
        {
            "vendor": "vendor",
            "n": "ordered",
            "n_completed": "complete",
            "n_open": "open",
            "median_days": "median, days",
            "interval_days": "95 % interval",
            "p90_days": "90 in 100, days",
            "note": "note",
        },
        title="Turnaround, from order to completed screening",
    )
    console.table(
        [{**row, "oldest": inert.span(row["oldest"].total_seconds())} for row in played.open_checks],
        {"vendor": "vendor", "next_actor": "who has to act", "open_checks": "open", "oldest": "oldest"},
        title="Still open",
    )
    again = sum(played.stats["after_over"].values())
    console.say(
        f"{played.checks} checks, {played.runs} Dagster runs, {played.calls} calls "
        f"({played.calls / max(played.checks, 1):.1f} a check), {again} calls about checks that had ended; "
        f"{seconds:.0f} s"
    )
    console.say(f"warehouse  {settings.paths.published}  (read-only snapshot: star, analytics, ops)")
    console.say(f"report     {settings.paths.report}")
    console.say("Dagster    screening-pipeline dev, then http://127.0.0.1:3000")
