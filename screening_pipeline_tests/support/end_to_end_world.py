"""Plays virtual cycles against the sandbox's own process, as the demo does, and keeps what both sides know."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from screening_pipeline.domain.exchange import HttpExchange
from screening_pipeline.orchestration import runs
from screening_pipeline.orchestration.demo import VirtualClock
from screening_pipeline.orchestration.instance import instance
from screening_pipeline.runtime import bundled_sandbox, context, opening
from screening_pipeline.sandbox.handle import Sandbox, running_sandbox
from screening_pipeline.sandbox.server import VIRTUAL_EPOCH
from screening_pipeline.settings import sandbox_accounts
from screening_pipeline.settings.paths import Paths
from screening_pipeline.warehouse import session, store

Row = dict[str, Any]
EVENING = timedelta(hours=21)

# Dagster still asks pydantic in an old way; what we do ourselves stays an error.
_OLD_WAY = "The `__fields__` attribute is deprecated"
dagster_words = pytest.mark.filterwarnings(f"ignore:{_OLD_WAY}:DeprecationWarning")


@cache
def definitions() -> dg.Definitions:
    """What Dagster loads."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _OLD_WAY, DeprecationWarning)
        from screening_pipeline.orchestration.definitions import defs
    return defs


def pushed(vendor: str, account: str, body: Row, now: datetime, *, number: int = 1) -> HttpExchange:
    """A message that a vendor sends by itself, as the receiver lands it; `number` tells those of one instant apart."""
    return HttpExchange(
        response_id=f"{now:%Y%m%dT%H%M%S%f}Z-{number:016x}-0000",
        vendor=vendor,
        account=account,
        endpoint="push",
        channel="push",
        requested_at=now,
        received_at=now,
        run_id="receiver",
        http_status=200,
        headers={"content-type": "application/json"},
        body=json.dumps(body).encode(),
        latency_ms=0,
    )


@dataclass
class Play:
    """A data folder, the sandbox that it was filled from, and the runs that filled it."""

    runtime: context.Runtime
    instance: dg.DagsterInstance
    sandbox: Sandbox
    clock: VirtualClock
    outcomes: list[runs.Outcome] = field(default_factory=list)

    @property
    def paths(self) -> Paths:
        """Where things lie in the data folder."""
        return self.runtime.settings.paths

    def wake(self, day: float) -> None:
        """Let it be the evening of that day of the world, and announce the orders until then."""
        now = VIRTUAL_EPOCH + timedelta(days=day) + EVENING
        self.clock.move_to(now)
        self.sandbox.set_clock(now)
        bundled_sandbox.announce(self.runtime.settings, self.sandbox, until=now)

    def cycle(self, day: float, *, is_full: bool = False) -> runs.Outcome:
        """Wake on that evening and run a cycle."""
        self.wake(day)
        self.outcomes.append(runs.sync(self.runtime, self.instance, is_full=is_full))
        return self.outcomes[-1]

    def push(self, vendor: str, check_id: str, body: Row) -> None:
        """Have the vendor tell something by itself; it waits on disk for the next run."""
        message = pushed(vendor, "sandbox", body, self.clock.now())
        assert self.runtime.landing.receive(message).is_accepted

    def secrets(self) -> set[str]:
        """What the accounts prove themselves with."""
        accounts = self.runtime.settings.accounts
        return {secret for account in accounts for secret in account.secrets({}).values()}

    def rows(self, query: str) -> list[Row]:
        """The rows of a query on the published snapshot."""
        with store.reader(self.paths.published) as connection:
            return session.rows(connection, query)


@contextmanager
def playing(folder: Path, *, checks: int, days: int = 30, **options: Any) -> Iterator[Play]:
    """A new world and an empty data folder at `folder`; `options` are the sandbox's."""
    settings = sandbox_accounts.bundled({"SCREENING_DATA_DIR": str(folder)}, folder)
    settings.paths.create()
    (folder / "sandbox").mkdir()
    world: Row = {"seed": 7, "checks": checks, "epoch": VIRTUAL_EPOCH, "days": days}
    with (
        running_sandbox(**world, virtual=True, limit_factor=None, **options) as sandbox,
        instance(settings.paths) as recorded,
    ):
        clock = VirtualClock(VIRTUAL_EPOCH)
        work = opening.build_runtime(bundled_sandbox.at(settings, sandbox.url), {}, clock)
        yield Play(work, recorded, sandbox, clock)


def play(folder: Path, days: Sequence[float], *, checks: int) -> Iterator[Play]:
    """The same after cycles on these days; the last one asks for everything that is open."""
    with playing(folder, checks=checks) as played:
        for day in days:
            played.cycle(day, is_full=day == days[-1])
        yield played
