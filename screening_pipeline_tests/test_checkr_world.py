"""Checkr as a whole: an account without order files, and a catch-up that uses its rate limit and never overruns it."""

from __future__ import annotations

import asyncio
import hmac
import os
import re
import subprocess
import sys
import threading
import time
from bisect import bisect_left
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.http.batch import Pull
from screening_pipeline.http.client import AccountClient
from screening_pipeline.http.transport import Limits
from screening_pipeline.landing.area import Landing
from screening_pipeline.landing.writer import Writer
from screening_pipeline.sandbox.credentials import SECRETS
from screening_pipeline.sandbox.handle import running_sandbox
from screening_pipeline.sandbox.people import BIRTH_DATE, CANARIES
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline.state.store import State
from screening_pipeline.vendors import all_vendors, vendor
from screening_pipeline.warehouse import store
from screening_pipeline.webhooks.proofs import WebhookAuth
from screening_pipeline_tests.support.differential import Row, expected, identity
from screening_pipeline_tests.support.loopback import Asked, Reply, json_reply, serving
from screening_pipeline_tests.support.stage import account

CONFIGURATION = """
[[accounts]]
vendor = "checkr"
name = "us"
base_url = "{url}/checkr/v1"
api_key_env = "SANDBOX_CHECKR_API_KEY"
adjudication_expected = true
discover = true
"""


def is_listed(true: Row) -> bool:
    """Whether a list shows it to whoever asks now: no continuous check, and no invitation that was taken back."""
    return bool(true["subject"] != "continuous_check" and true["final"]["status"] != "deleted")


@pytest.mark.timeout(120)
def test_one_cycle_without_order_files_knows_every_report_as_the_vendor_does(tmp_path: Path) -> None:
    epoch = datetime.now(UTC).replace(microsecond=0) - timedelta(days=20)
    with running_sandbox(seed=7, checks=600, epoch=epoch, days=30, virtual=False, limit_factor=1) as sandbox:
        (tmp_path / "screening.toml").write_text(CONFIGURATION.format(url=sandbox.url), encoding="utf-8")
        environ = {**os.environ, "SANDBOX_CHECKR_API_KEY": SECRETS["SANDBOX_CHECKR_API_KEY"]}
        command = [sys.executable, "-m", "screening_pipeline", "sync"]
        done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        truth = {identity(row): row for row in sandbox.truth() if row["vendor"] == "checkr" and is_listed(row)}
    with store.reader(tmp_path / "data" / "published" / "screening.duckdb") as connection:
        result = connection.execute("from star.fact_check")
        names = [column[0] for column in result.description or []]
        facts = {identity(row): row for row in (dict(zip(names, one, strict=True)) for one in result.fetchall())}
    wanted = {one: expected(row) for one, row in truth.items()}
    assert len(wanted) > 20
    assert {one: {name: facts[one][name] for name in wanted[one]} for one in facts} == wanted
    assert {row["subject"] for row in facts.values()} == {"report", "invitation", "subscription"}
    reports = [row for row in facts.values() if row["subject"] == "report"]
    assert all(row["ordered_at"] and row["candidate_key"] and row["package"] for row in reports)
    assert sum(row["continues_check_id"] is not None for row in reports) >= 1, "an invitation led to it"
    landed = "".join(path.read_text() for path in (tmp_path / "data" / "landing").rglob("*.ndjson"))
    assert not [canary for canary in CANARIES if canary in landed]
    assert not re.search(BIRTH_DATE, landed)


def test_a_push_is_proven_by_the_key_that_calls_are_made_with() -> None:
    asking = replace(account("checkr"), secret_names={"api_key": "KEY"})
    auth = WebhookAuth([asking], {"KEY": "secret"}, clock=SystemClock(), key=b"ours")
    body = b'{"id":"1","object":"event","type":"report.completed","data":{"object":{"id":"r1","object":"report"}}}'
    signature = hmac.digest(b"secret", body, "sha256").hex().encode()
    assert auth.is_valid(asking, signature, body)
    assert auth.is_valid(asking, signature.upper(), body)
    assert not auth.is_valid(asking, signature, body + b" ")
    assert not auth.is_valid(asking, hmac.digest(b"other", body, "sha256").hex().encode(), body)
    # What stands there while an account has no key at the vendor.
    assert not auth.is_valid(asking, b"Please create an API key to check the authenticity of our webhooks.", body)


class Strict:
    """A vendor that counts strictly, by windows of its own, tells how they stand, and takes a while to answer."""

    def __init__(self, limit: int, window: float, latency: float) -> None:
        self.limit, self.window, self.latency = limit, window, latency
        self.admitted: list[float] = []
        self.refused = 0
        self._lock = threading.Lock()

    def answer(self, asked: Asked) -> Reply:
        with self._lock:
            now = time.monotonic()
            left = self.limit - (len(self.admitted) - bisect_left(self.admitted, now - self.window))
            if left > 0:
                self.admitted.append(now)
            else:
                self.refused += 1
        until = datetime.now(UTC) + timedelta(seconds=self.window)
        told = {"limit": self.limit, "remaining": max(left - 1, 0), "reset": f"{until:%Y-%m-%dT%H:%M:%S.%fZ}"}
        heads = {f"X_Ratelimit_{name}": str(text) for name, text in told.items()}
        if left <= 0:
            return json_reply({"error": "Too many requests"}, 429, **heads)
        time.sleep(self.latency)
        return json_reply({"id": asked.target.split("/")[-1].partition("?")[0], "status": "pending"}, 200, **heads)

    def used(self) -> float:
        """How much of the limit was used in the windows from the first call on in which there was enough to do."""
        whole = (len(self.admitted) - 1) // self.limit
        end = self.admitted[0] + whole * self.window
        return bisect_left(self.admitted, end) / (whole * self.limit)

    def most_in_any_window(self) -> int:
        """The most calls that any stretch of a window's length has held."""
        arrived = self.admitted
        return max(bisect_left(arrived, start + self.window) - place for place, start in enumerate(arrived))


def caught_up(folder: Path, calls: int, limit: int, window: float) -> tuple[int, Strict]:
    """How many checks were read in a catch-up by the pipeline's client, with the landing area behind it."""
    book = Strict(limit, window, latency=0.1)
    clock = SystemClock()
    landing = Landing(folder / "landing", vendors=all_vendors(), spool_key=b"test", clock=clock)
    writer = Writer(landing, is_bounded=False)
    limiter = Limiter(State(folder / "state.sqlite"), clock, window_seconds=window, deadline_seconds=window / 2)
    pulls = [Pull(subject="report", check_id=f"r{number:05d}") for number in range(calls)]

    async def pulling(url: str) -> int:
        async with AccountClient(
            replace(account("checkr"), base_url=f"{url}/v1"),
            vendor("checkr"),
            secrets={"api_key": "key"},
            limiter=limiter,
            clock=clock,
            sink=writer.land,
            run_id="run",
            limits=Limits(deadline=window / 2),
        ) as client:
            return (await client.pull_all(pulls)).accepted

    with serving(book.answer) as server:
        return asyncio.run(pulling(server.url)), book


AT_LENGTH = pytest.mark.skipif("TEST_CATCH_UP" not in os.environ, reason="takes nine minutes: TEST_CATCH_UP=1")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("calls", "limit", "window"),
    [pytest.param(1_000, 120, 6.0, id="short"), pytest.param(10_000, 1_200, 60.0, id="as-documented", marks=AT_LENGTH)],
)
def test_a_catch_up_uses_the_limit_and_never_overruns_it(tmp_path: Path, calls: int, limit: int, window: float) -> None:
    read, book = caught_up(tmp_path, calls, limit, window)
    assert (read, book.refused) == (calls, 0)
    assert book.most_in_any_window() <= limit
    assert book.used() >= 0.95
