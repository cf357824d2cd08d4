"""Makes a small data folder with the version of the pipeline that runs this, and packs it for the tests.

Usage: in a second work tree, at the version whose data folder is wanted, with its own environment (`make`), run
`.venv/bin/python <this work tree>/tools/old_data_folder.py <this work tree>/screening_pipeline_tests/data_folders`.

The archive is named after the commit. The modules that are named here are those of commit 81b0aee; for a later version,
name its own. The bundled sandbox plays some checks of all five vendors at fixed instants, each look a run of Dagster;
at the end a message that a vendor pushed lies sealed in the spool, as a crash between its receipt and its line leaves
it. The keys in it were made for it, and open nothing else.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

EPOCH = datetime(2025, 3, 3, tzinfo=UTC)  # long ago: whoever opens the folder comes after all its days
SEED, CHECKS, DAYS = 7, 25, 30
LOOKS = (3, 12, 21)  # days after the epoch
PUSHED = "2000014"  # a check of Workable, open at the last look; some days later it has ended
LEFT_OUT = (".lock", "-shm", "-wal", "feed.json")


def main(folder: Path) -> None:
    """Make the data folder somewhere else, and pack it into `folder`."""
    version = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    with tempfile.TemporaryDirectory() as working:
        data_dir = Path(working, "data")
        play(data_dir)
        for file in (*data_dir.glob("dagster/**/*.db"), data_dir / "state.sqlite"):
            tidy(file)
        folder.mkdir(exist_ok=True)
        pack(data_dir, folder / f"{version.strip()}.tar.xz")


def play(data_dir: Path) -> None:
    """The looks, one run each, and a message that waits in the spool."""
    embedded, demo = module("embedded"), module("demo")
    environ = {"SCREENING_DATA_DIR": str(data_dir)}
    settings = module("settings").load(environ, data_dir.parent)
    embedded.World(SEED, CHECKS, EPOCH, DAYS).keep(data_dir / "sandbox")
    with (
        module("instance").instance(settings.paths, environ) as dagster_instance,
        embedded.sandbox(settings, now=EPOCH) as (placed, sandbox),
    ):
        clock = demo.VirtualClock(EPOCH)
        work = module("runtime").assembled(placed, environ, clock)
        for instant in (EPOCH + timedelta(days=day) for day in LOOKS):
            sandbox.set_clock(instant)
            clock.move_to(instant)
            embedded.announce(placed, sandbox, until=instant)
            module("run").sync(work, dagster_instance, trigger="manual")
        leave_pushed(work, sandbox, clock.now() + timedelta(days=7))


def module(name: str) -> Any:
    """A module of the version that is at work."""
    return import_module(f"screening_pipeline.{name}")


def leave_pushed(work: Any, sandbox: Any, now: datetime) -> None:
    """Have a vendor push what it says now, and stop before it is landed."""
    exchange = module("exchange")
    sandbox.set_clock(now)
    pushed = exchange.Exchange(
        response_id=exchange.new_response_id(now, 1.0),
        vendor="workable",
        account="sandbox",
        endpoint="push",
        channel="push",
        requested_at=now,
        received_at=now,
        run_id="webhooks",
        subject="check",
        check_id=PUSHED,
        http_status=200,
        headers={"content-type": "application/json"},
        body=said(f"{sandbox.url}/workable/v1/checks/{PUSHED}"),
    )
    work.landing._spooled(pushed)  # noqa: SLF001 - where a crash would leave it


def said(url: str) -> bytes:
    """What the sandbox answers there now."""
    key = module("sandbox.credentials").SECRETS["SANDBOX_WORKABLE_TOKEN"]
    with urlopen(Request(url, headers={"Authorization": f"Bearer {key}"}), timeout=30) as answer:  # noqa: S310 - http
        body: bytes = answer.read()
    return body


def tidy(file: Path) -> None:
    """One SQLite file as a process leaves it that closes it in peace: without its journal."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")


def pack(data_dir: Path, target: Path) -> None:
    """The folder as an archive that tells neither whose it was nor when it was made."""

    def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if member.name.endswith(LEFT_OUT):
            return None
        return member.replace(uid=0, gid=0, uname="", gname="", mtime=int(EPOCH.timestamp()), deep=False)

    with tarfile.open(target, "w:xz", preset=9) as archive:
        archive.add(data_dir, "data", filter=anonymous)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
