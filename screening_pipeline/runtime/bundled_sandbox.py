"""The bundled sandbox as a set of accounts: started for one command, its clock set, its orders announced."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from screening_pipeline.base import files
from screening_pipeline.orders.files import COLUMNS
from screening_pipeline.sandbox.handle import Sandbox, running_sandbox
from screening_pipeline.settings.sandbox_accounts import with_sandbox_url

if TYPE_CHECKING:
    from screening_pipeline.settings.settings import Settings

DAYS = 30
CHECKS = 352
SEED = 7
# Loopback has no limit worth keeping to; the vendors' own apply as soon as an account is configured.
REQUESTS_PER_MINUTE = 60_000


@dataclass(frozen=True)
class World:
    """The parameters of the sandbox's virtual world (seed, checks, epoch), stored in the data folder."""

    seed: int
    checks: int
    epoch: datetime
    days: int = DAYS

    @classmethod
    def kept(cls, folder: Path, *, now: datetime) -> World:
        """The world stored in this data folder; where none is, one whose thirty days end today."""
        file = folder / "world.json"
        if file.exists():
            kept = json.loads(file.read_text(encoding="utf-8"))
            return cls(kept["seed"], kept["checks"], datetime.fromisoformat(kept["epoch"]), kept["days"])
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        world = cls(SEED, CHECKS, midnight - timedelta(days=DAYS))
        world.keep(folder)
        return world

    def keep(self, folder: Path) -> None:
        """Store this world in the data folder."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = {"seed": self.seed, "checks": self.checks, "epoch": self.epoch.isoformat(), "days": self.days}
        files.write_new(folder / "world.json", f"{json.dumps(kept)}\n".encode())


@contextmanager
def sandbox(settings: Settings, *, now: datetime) -> Iterator[tuple[Settings, Sandbox]]:
    """Context manager: runs the bundled sandbox at the instant `now`; yields settings with its URL, and the sandbox.

    Every order it knows of up to then is announced in data/orders/, as a customer would.
    """
    folder = settings.data_dir / "sandbox"
    world = World.kept(folder, now=now)
    with running_sandbox(
        seed=world.seed,
        checks=world.checks,
        epoch=world.epoch,
        days=world.days,
        virtual=True,
        limit_factor=None,
        state=folder / "feed.json",
    ) as running:
        running.set_clock(now)
        announce(settings, running, until=now)
        yield at(settings, running.url), running


def at(settings: Settings, url: str) -> Settings:
    """The settings with the bundled accounts at `url`, without rate limits."""
    return unlimited(with_sandbox_url(settings, url))


def unlimited(settings: Settings) -> Settings:
    """The settings with the bundled accounts' rate limits lifted."""
    accounts = (
        replace(a, requests_per_minute=REQUESTS_PER_MINUTE, max_concurrency=8) if a.is_bundled else a
        for a in settings.accounts
    )
    return replace(settings, accounts=tuple(accounts))


def announce(settings: Settings, running: Sandbox, *, until: datetime) -> Path | None:
    """Write a manifest of the sandbox's orders since the last one; None if there are none."""
    folder = settings.data_dir / "sandbox"
    mark = folder / "announced_until"
    since = datetime.fromisoformat(mark.read_text(encoding="utf-8")) if mark.exists() else None
    orders = running.orders(since, until)
    if not orders:
        return None
    manifest = settings.paths.orders / f"sandbox-{until:%Y%m%dT%H%M%S}.csv"
    lines = io.StringIO(newline="")
    writer = csv.DictWriter(lines, COLUMNS, restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(orders)
    files.write_new(manifest, lines.getvalue().encode())
    files.write_new(mark, until.isoformat().encode())
    return manifest
