"""When the snapshot is replaced, and when that is put off."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from screening_pipeline.base.clock import StandingClock
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.runtime import context, opening, parquet_files, plans, publication
from screening_pipeline.settings import sandbox_accounts
from screening_pipeline.settings.settings import Publish

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


class SlowClock(StandingClock):
    """A clock by which whatever is measured took `takes` seconds."""

    def __init__(self, now: datetime, takes: float) -> None:
        super().__init__(now)
        self.takes = takes
        self.asked = 0.0

    def monotonic(self) -> float:
        self.asked += self.takes
        return self.asked


@dataclass
class Office:
    """A data folder in which snapshots are made, by clocks that say how long that takes."""

    work: context.Runtime

    def publish(self, *, after: float = 0.0, takes: float = 0.0) -> int | None:
        """What one run does in the end, so many seconds after noon."""
        work = replace(self.work, clock=SlowClock(NOW + timedelta(seconds=after), takes), lock_wait_seconds=1e9)
        with open_warehouse(work) as connection:
            plans.prepare(connection, work)
            return publication.publish(work, connection)

    def renew_parquet(self, every: float | None, *, after: float = 0.0, takes: float = 0.0) -> int | None:
        """What follows a publication where Parquet is asked for every so many seconds."""
        settings = replace(self.work.settings, publish=Publish(parquet_every=every))
        clock = SlowClock(NOW + timedelta(seconds=after), takes)
        return parquet_files.renew(replace(self.work, settings=settings, clock=clock))

    def overdue(self, after: float) -> str | None:
        """What waits to be published so many seconds after noon."""
        return publication.overdue(self.work.pull_queue, NOW + timedelta(seconds=after))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    environ = {"SCREENING_DATA_DIR": str(tmp_path / "data")}
    with opening.open_runtime(environ, tmp_path, settings=sandbox_accounts.bundled(environ, tmp_path)) as work:
        yield Office(work)


def test_a_snapshot_that_is_quickly_made_is_made_by_every_run(office: Office) -> None:
    assert office.publish(takes=1)
    assert office.publish(after=1, takes=1)
    assert office.overdue(after=100) is None


def test_one_that_takes_long_is_put_off_until_it_has_taken_its_share_of_the_time(office: Office) -> None:
    assert office.publish(takes=1)
    assert office.publish(after=1, takes=6)
    assert office.publish(after=120, takes=6) is None
    assert office.overdue(after=120) is None
    assert office.overdue(after=122)
    assert office.publish(after=122, takes=6)
    assert office.overdue(after=1000) is None


def test_how_long_a_whole_copy_takes_puts_off_whole_copies_only(office: Office) -> None:
    assert office.publish(takes=6)
    assert office.publish(after=1, takes=1)
    assert office.publish(after=2, takes=6)
    os.utime(office.work.settings.paths.published, (1, 1))  # so that it has to be copied as a whole
    assert office.publish(after=3, takes=6) is None


def test_a_clock_that_ran_ahead_once_puts_nothing_off(office: Office) -> None:
    assert office.publish(after=400 * 86_400, takes=6)
    os.utime(office.work.settings.paths.published, (1, 1))  # so that it has to be copied as a whole
    assert office.publish(after=0, takes=6)


def test_a_snapshot_that_is_gone_is_made_anew_at_once(office: Office) -> None:
    assert office.publish(takes=6)
    office.work.settings.paths.published.unlink()
    assert office.publish(after=1, takes=6)


def test_parquet_follows_a_snapshot_only_where_it_is_asked_for_and_for_a_twentieth_of_the_time(office: Office) -> None:
    assert office.publish(takes=1)
    folder, queue = office.work.settings.paths.parquet, office.work.pull_queue
    assert office.renew_parquet(None) is None
    assert not folder.exists()
    assert office.renew_parquet(0.0, takes=2) == len(list(folder.glob("*/*.parquet"))) > 50
    assert office.renew_parquet(0.0, after=39) is None, "it took two seconds"
    for every, after, is_due in ((0, 40, True), (900, 899, False), (900, 900, True), (900, -86_400, True)):
        at = NOW + timedelta(seconds=after)
        assert parquet_files.is_due(queue, at, timedelta(seconds=every)) is is_due, (every, after)
