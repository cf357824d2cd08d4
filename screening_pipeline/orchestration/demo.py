"""Thirty virtual days of six vendors, played through the real pipeline: real HTTP, real Dagster runs, virtual time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from screening_pipeline.base.clock import StandingClock
from screening_pipeline.base.errors import UsageError
from screening_pipeline.base.progress import Progress, no_progress
from screening_pipeline.orchestration.instance import instance
from screening_pipeline.orchestration.runs import Outcome, daily_report, sync
from screening_pipeline.runtime import bundled_sandbox, opening
from screening_pipeline.sandbox import credentials
from screening_pipeline.warehouse import catalog, session, store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from screening_pipeline.sandbox.handle import Sandbox
    from screening_pipeline.settings.settings import Settings


# Seldom enough to be quick, often enough that every vendor's states are seen come and go.
EVERY = timedelta(hours=60)
# After this look (by number), more of them within minutes: most Australian checks are back by then.
CLOSE_LOOKS = {5: (2, 5)}


class VirtualClock(StandingClock):
    """A frozen clock that `move_to` sets to another instant."""

    def move_to(self, instant: datetime) -> None:
        """Set the clock to `instant`."""
        self._instant = instant.astimezone(UTC)


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """The result of the demo: counts, turnaround and open checks as rows for printing."""

    runs: int
    calls: int
    checks: int
    turnaround: list[dict[str, Any]]
    open_checks: list[dict[str, Any]]
    stats: Mapping[str, Any]
    exit_code: int


def play(environ: Mapping[str, str], settings: Settings, *, now: datetime, tell: Progress = no_progress) -> DemoResult:
    """Play the demo in the data folder of `settings`, from a clean start. Raises UsageError, ScreeningError."""
    _clear(settings)
    end = now.replace(hour=0, minute=0, second=0, microsecond=0)
    world = bundled_sandbox.World(
        bundled_sandbox.SEED, bundled_sandbox.CHECKS, end - timedelta(days=bundled_sandbox.DAYS)
    )
    world.keep(settings.data_dir / "sandbox")
    instants = list(moments(world))
    dagster_instance = instance(settings.paths)
    with bundled_sandbox.sandbox(settings, now=world.epoch) as (placed, sandbox):
        clock = VirtualClock(world.epoch)
        work = opening.build_runtime(placed, environ, clock)
        outcomes = []
        for number, instant in enumerate(instants, start=1):
            tell(f"{instant:%d %b %H:%M}", number - 1, len(instants))
            _move(placed, sandbox, clock, instant)
            outcomes.append(sync(work, dagster_instance, trigger="demo"))
        daily_report(work, dagster_instance)
        tell("done", len(instants), len(instants))
        return _found(placed.paths.published, sandbox, outcomes)


def moments(world: bundled_sandbox.World) -> Iterator[datetime]:
    """The instants at which the demo runs a cycle; the last one is the end of the thirty days."""
    end = world.epoch + timedelta(days=bundled_sandbox.DAYS)
    count = timedelta(days=bundled_sandbox.DAYS) // EVERY
    for number in range(count):
        start = end - EVERY * (count - 1 - number)
        yield start
        yield from (start + timedelta(minutes=m) for m in CLOSE_LOOKS.get(number, ()))


def _move(settings: Settings, sandbox: Sandbox, clock: VirtualClock, instant: datetime) -> None:
    sandbox.set_clock(instant)
    clock.move_to(instant)
    bundled_sandbox.announce(settings, sandbox, until=instant)


def _clear(settings: Settings) -> None:
    """Remove what an earlier demo left. Data of real accounts is never touched."""
    paths = settings.paths
    if paths.claim.exists() or _holds_others(settings):
        raise UsageError(
            f"{settings.data_dir} holds data that is not the demo's; "
            "set SCREENING_DATA_DIR to an empty folder for the demo",
            code="not_the_demos_data",
        )
    for folder in (settings.data_dir / "sandbox", paths.landing, paths.published.parent):
        shutil.rmtree(folder, ignore_errors=True)
    for file in (
        *paths.orders.glob("sandbox-*.csv"),
        *paths.data_dir.glob("state.sqlite*"),
        paths.earlier_report,
    ):
        file.unlink(missing_ok=True)
    for file in paths.data_dir.glob("warehouse.duckdb*"):
        file.unlink()
    paths.create()


def _holds_others(settings: Settings) -> bool:
    """Whether anything is there that the sandbox's accounts did not bring, by all that can be seen."""
    paths = settings.paths
    landed = {folder.name for folder in paths.landing.glob("*/*") if any(folder.glob("*.ndjson"))}
    is_the_demos = (settings.data_dir / "sandbox" / "world.json").exists()
    return not landed <= {credentials.ACCOUNT} or (not is_the_demos and (bool(landed) or paths.warehouse.exists()))


def _found(snapshot: Path, sandbox: Sandbox, outcomes: list[Outcome]) -> DemoResult:
    with store.reader(snapshot) as connection:
        checks = connection.execute("select count(*) from star.fact_check").fetchone()
        return DemoResult(
            runs=len(outcomes),
            calls=sum(report.calls for outcome in outcomes for report in outcome.reports),
            checks=checks[0] if checks else 0,
            turnaround=session.rows(connection, catalog.statement("turnaround_in_short")),
            open_checks=session.rows(connection, catalog.statement("open_checks_in_short")),
            stats=sandbox.stats(),
            exit_code=max(_severity(outcome) for outcome in outcomes),
        )


def _severity(outcome: Outcome) -> int:
    """1 where an account needs attention or an answer was rejected, else 0.

    Failed rules are left out: the sandbox breaks some on purpose, to show that it is noticed.
    """
    return int(any(report.needs_attention for report in outcome.reports) or bool(outcome.rejects))
