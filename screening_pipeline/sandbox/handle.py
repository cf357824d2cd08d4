"""A handle on a running sandbox: its start and end as a process, and what may be asked of it over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from screening_pipeline.sandbox.clocks import instant_text
from screening_pipeline.sandbox.server import Options

GRACE: Final = 5.0
"""Seconds that a stopping process is given."""
REFUSALS: Final = 25


@contextmanager
def running_sandbox(*, startup_seconds: float = 30, **options: Any) -> Iterator[Sandbox]:
    """Start a sandbox process, yield a handle on it, and make sure that it is gone afterwards.

    Takes the fields of `Options`. RuntimeError when it does not come up within `startup_seconds`.
    """
    chosen = Options(**{"exit_with_parent": True} | options)
    command = [sys.executable, "-m", "screening_pipeline.sandbox", *chosen.arguments()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=_child_environment()) as process:  # noqa: S603
        try:
            yield Sandbox(_first_line(process, startup_seconds)["url"], process.pid)
        finally:
            _stop(process)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox as its customer and its examiner see it. Every call may raise urllib's HTTPError."""

    url: str
    pid: int

    def health(self) -> dict[str, Any]:
        """Return the sandbox's state of health and its present instant."""
        facts: dict[str, Any] = self._call("GET", "health")
        return facts

    def set_clock(self, instant: datetime) -> None:
        """Move a virtual clock to `instant` (aware)."""
        self._call("PUT", "clock", {"now": instant_text(instant)})

    def orders(self, since: datetime | None = None, until: datetime | None = None) -> list[dict[str, Any]]:
        """Return the manifest rows announced in [since, until)."""
        given = {"since": instant_text(since), "until": instant_text(until)}
        query = urlencode({name: text for name, text in given.items() if text})
        rows: list[dict[str, Any]] = self._call("GET", f"orders?{query}")
        return rows

    def creations(self, until: datetime | None = None) -> list[dict[str, Any]]:
        """Return the vendor, the account and the vendor's answer of each creation announced before `until`."""
        query = urlencode({"until": instant_text(until)} if until else {})
        answers: list[dict[str, Any]] = self._call("GET", f"creations?{query}")
        return answers

    def truth(self) -> list[dict[str, Any]]:
        """Return one row for each check that was ordered by now."""
        rows: list[dict[str, Any]] = self._call("GET", "truth")["checks"]
        return rows

    def stats(self) -> dict[str, Any]:
        """Return how the visitors behaved so far."""
        facts: dict[str, Any] = self._call("GET", "stats")
        return facts

    def flag(self, *vendors: str) -> None:
        """Put these vendors' accounts, and no others, under review (403)."""
        self._call("PUT", f"flagged?{urlencode({'vendor': vendors}, doseq=True)}")

    def revoke_tokens(self) -> None:
        """Make all issued tokens worthless."""
        self._call("DELETE", "tokens")

    def set_faults(self, rate: float, *kinds: str) -> None:
        """From now on let this share of the answers go wrong, in these ways (or in every way)."""
        self._call("PUT", "faults", {"rate": rate, "kinds": kinds})

    def _call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}/_sandbox/{path}", data, method=method)  # noqa: S310 - always http
        for _ in range(REFUSALS):  # it may be refusing connections just now, on purpose
            try:
                return _read(request)
            except URLError as problem:
                if not isinstance(problem.reason, ConnectionRefusedError):
                    raise
                time.sleep(0.02)
        return _read(request)


def _read(request: Request) -> Any:
    with build_opener(ProxyHandler({})).open(request, timeout=30) as response:
        return json.loads(response.read())


def _first_line(process: subprocess.Popen[bytes], seconds: float) -> dict[str, Any]:
    """Read the line that tells where the sandbox listens; a process that is late is killed."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        line = process.stdout.readline() if process.stdout else b""
    finally:
        timer.cancel()
        timer.join()
    if not line:
        raise RuntimeError("the sandbox did not start")
    facts: dict[str, Any] = json.loads(line)
    return facts


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()


def _child_environment() -> dict[str, str]:
    """The package is found even where it is not installed."""
    here = str(Path(__file__).resolve().parents[2])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
