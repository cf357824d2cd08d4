"""`watch`: cycles as checks fall due, real Dagster runs against a real server, while waiting moves the clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from screening_pipeline.base.clock import ManualClock, StandingClock
from screening_pipeline.base.errors import UsageError
from screening_pipeline.domain.exchange import HttpExchange
from screening_pipeline.orchestration import runs
from screening_pipeline.orchestration.instance import instance
from screening_pipeline.orchestration.watch import watch
from screening_pipeline.runtime import context, opening
from screening_pipeline.settings import load
from screening_pipeline_tests.support.end_to_end_world import dagster_words, pushed
from screening_pipeline_tests.support.loopback import Answering, Asked, Loopback, Reply, json_reply, serving
from screening_pipeline_tests.support.stage import MORNING

pytestmark = dagster_words

CONFIGURATION = """
[[accounts]]
vendor = "zinc"
name = "uk"
base_url = "{url}"
api_key_env = "ZINC_KEY"
requests_per_minute = 600
"""
FEED = """
[[accounts]]
vendor = "hireright"
name = "us"
base_url = "{url}"
username_env = "HIRERIGHT_USER"
password_env = "HIRERIGHT_PASSWORD"
auth = "basic"
requests_per_minute = 600
status_updates = true
"""
MINUTE = 60.0


@dataclass
class Watched:
    """A data folder, the vendor that is asked about it, and what the cycles have told."""

    runtime: context.Runtime
    server: Loopback
    instances: Path
    told: list[runs.Outcome] = field(default_factory=list)

    def order(self, *check_ids: str, vendor: str = "zinc") -> None:
        rows = "".join(f"{vendor},{check_id},2026-03-01T09:00:00Z\n" for check_id in check_ids)
        (self.runtime.settings.paths.orders / f"{check_ids[0]}.csv").write_text(f"vendor,check_id,ordered_at\n{rows}")

    def watch(self, minutes: float) -> int:
        with instance(self.runtime.settings.paths) as recorded:
            return watch(self.runtime, recorded, seconds=minutes * MINUTE, tell=self.told.append)

    def asked(self, check_id: str) -> int:
        return sum(target.endswith(f"/results/{check_id}") for target in self.server.targets)

    def open_checks(self) -> int:
        return self.runtime.pull_queue.summary("zinc", "uk", self.runtime.clock.now()).open


@contextmanager
def watched(
    folder: Path, answering: Answering, *, environ: dict[str, str] | None = None, accounts: str = CONFIGURATION
) -> Iterator[Watched]:
    with ExitStack() as stack:
        server = stack.enter_context(serving(answering))
        (folder / "screening.toml").write_text(accounts.format(url=server.url))
        settings = load.load({}, folder)
        settings.paths.create()
        known = dict.fromkeys(("ZINC_KEY", "HIRERIGHT_USER", "HIRERIGHT_PASSWORD"), "key-of-a-test")
        secrets = known if environ is None else environ
        yield Watched(opening.build_runtime(settings, secrets, ManualClock(MORNING)), server, folder)


def pending(asked: Asked) -> Reply:
    """A packages list, or a check that is under way."""
    if asked.target.endswith("/packages"):
        return json_reply({"packages": []})
    check_id = asked.target.rpartition("/")[2]
    return json_reply({"id": check_id, "status": "pending", "statusV2": "awaiting-candidate"})


def test_checks_are_asked_for_as_they_fall_due(tmp_path: Path) -> None:
    with watched(tmp_path, pending) as office:
        office.order("z1")
        assert office.watch(12 * 60) == 0
        assert 2 <= office.asked("z1") <= 50
        assert sum(outcome.settled.responses for outcome in office.told) == len(office.server.asked)
        assert all(outcome.settled.responses for outcome in office.told)


def test_an_account_that_is_stopped_is_tried_again_every_quarter_of_an_hour(tmp_path: Path) -> None:
    with watched(tmp_path, lambda _: Reply(403)) as office:
        office.order("z1", "z2", "z3")
        assert office.watch(40) == 1
        assert len(office.server.asked) == 3
        assert office.open_checks() == 3


def test_a_vendor_whom_nobody_reaches_is_tried_every_five_minutes_and_all_is_asked_once_it_is_back(
    tmp_path: Path,
) -> None:
    back_at = MORNING + timedelta(minutes=42)

    def answering(asked: Asked) -> Reply:
        is_back = office.runtime.clock.now() >= back_at
        return pending(asked) if is_back else Reply(pieces=[], closes=True)

    with watched(tmp_path, answering) as office:
        names = [f"z{number}" for number in range(20)]
        office.order(*names)
        office.watch(40)
        assert 7 <= len(office.told) <= 9
        assert all(outcome.exit_code == 1 for outcome in office.told)
        office.watch(30)
        last = [outcome for outcome in office.told if outcome.settled.changed]
        assert sum(outcome.settled.changed for outcome in last) == 20
        assert all(office.asked(name) for name in names)


def test_an_account_without_its_secret_is_told_of_once_and_does_not_keep_the_machine_busy(tmp_path: Path) -> None:
    with watched(tmp_path, pending, environ={}) as office:
        office.order("z1")
        assert office.watch(60) == 2
        assert (len(office.told), office.server.asked) == (1, [])


def test_what_is_pushed_and_what_is_ordered_meanwhile_is_read(tmp_path: Path) -> None:
    with watched(tmp_path, pending) as office:
        office.order("z1")
        office.watch(1)
        office.runtime.landing.receive(ended(office, "z1"))
        (tail,) = (t for t in office.runtime.landing.look({}).tails if t.vendor == "zinc")
        office.order("z2")
        office.told.clear()
        office.watch(2)
        assert tail.end > 0
        assert sum(outcome.orders for outcome in office.told) == 1
        assert sum(outcome.settled.changed for outcome in office.told) >= 1
        assert office.open_checks() == 1  # z1 has ended


def test_a_push_alone_is_reason_enough_for_a_cycle(tmp_path: Path) -> None:
    with watched(tmp_path, pending) as office:
        office.order("z1")

        def tell(outcome: runs.Outcome) -> None:
            office.told.append(outcome)
            if len(office.told) == 1:
                office.runtime.landing.receive(ended(office, "z1"))

        with instance(office.runtime.settings.paths) as recorded:
            watch(office.runtime, recorded, seconds=30, tell=tell)
        assert [outcome.settled.changed for outcome in office.told] == [1, 1]


def test_a_feed_is_drained_every_minute_by_few_runs_that_end_once_orders_wait(tmp_path: Path) -> None:
    def answering(asked: Asked) -> Reply:
        if "status-updates" not in asked.target:
            return Reply(404)
        drained_at.append(office.runtime.clock.now())
        if len(drained_at) == 8:
            office.order("HR-1", vendor="hireright")
        return Reply(204)

    drained_at: list[datetime] = []
    with watched(tmp_path, answering, accounts=FEED) as office:
        office.watch(20)
        gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(drained_at)]
        assert len(drained_at) >= 15
        assert max(gaps) <= 90, gaps
        assert len(office.told) <= 7, "a run for each poll costs a hundred times as much"
        assert [outcome.orders for outcome in office.told[:4]] == [0, 0, 0, 1], "read by the run after the one it ended"


def test_under_a_standing_clock_nothing_would_ever_fall_due(tmp_path: Path) -> None:
    settings = load.load({"SCREENING_DATA_DIR": str(tmp_path)}, tmp_path)
    settings.paths.create()
    work = opening.build_runtime(settings, {}, StandingClock(MORNING))
    with instance(settings.paths) as recorded, pytest.raises(UsageError, match="SCREENING_NOW"):
        watch(work, recorded, seconds=1, tell=lambda _: None)


def ended(office: Watched, check_id: str) -> HttpExchange:
    """The vendor's message that a check has ended."""
    body = {"id": check_id, "status": "completed", "statusV2": "all-clear"}
    return pushed("zinc", "uk", body, office.runtime.clock.now())
