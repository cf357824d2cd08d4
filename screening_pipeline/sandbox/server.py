"""The sandbox as a process: `serve` is that process, `running_sandbox` starts one and sees to its end.

Importing this module loads no web framework; only serving does.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from screening_pipeline.sandbox.clocks import Clock, RealClock, VirtualClock, instant_text

if TYPE_CHECKING:
    """Return a server for `app` that is not running yet."""
    import uvicorn
    from starlette.types import ASGIApp

    from screening_pipeline.sandbox.wire import Wire

VIRTUAL_EPOCH: Final = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday: where a virtual clock starts when nobody says otherwise."""

HOST: Final = "127.0.0.1"
GRACE: Final = 5.0
"""Seconds that a stopping process is given."""
REFUSALS: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to serve: port 0 is any free one, `limit_factor` None is no rate limit.

    `faults` is the share of answers that go wrong, `fault_seed` decides which and how,
    `fault_elsewhere` is where redirects lead.
    Without an epoch a virtual world starts at VIRTUAL_EPOCH, and a real one so that two thirds are past.
    """

    port: int = 0
    seed: int = 7
    checks: int = 300
    epoch: datetime | None = None
    days: int = 30
    virtual: bool = False
    limit_factor: float | None = 1.0
    state: Path | None = None
    ready_file: Path | None = None
    exit_with_parent: bool = False
    workable_polling: bool = True
    faults: float = 0.0
    fault_seed: int = 7
    fault_elsewhere: str = "http://elsewhere.invalid"

    def arguments(self) -> list[str]:
        """Return the command-line arguments that mean the same."""
        given = {
            "--port": self.port,
            "--seed": self.seed,
            "--checks": self.checks,
            "--epoch": instant_text(self.epoch),
            "--days": self.days,
            "--limit-factor": self.limit_factor,
            "--state": self.state,
            "--ready-file": self.ready_file,
            "--faults": self.faults,
            "--fault-seed": self.fault_seed,
            "--fault-elsewhere": self.fault_elsewhere,
        }
        flags = {
            "--virtual": self.virtual,
            "--no-limits": self.limit_factor is None,
            "--exit-with-parent": self.exit_with_parent,
            "--no-workable-polling": not self.workable_polling,
        }
        valued = [f"{name}={value}" for name, value in given.items() if value is not None]
        return valued + [name for name, is_set in flags.items() if is_set]


def serve(**options: Any) -> None:
    """Serve on loopback until SIGTERM, SIGINT or the parent's death; takes the fields of `Options`.

    Prints one line of JSON with the `url` once requests are answered. OSError when the port is taken.
    """
    chosen = Options(**options)
    with listening(chosen.port) as listener:
        from screening_pipeline.sandbox.wire import Wire

        wire = Wire()
        server = wire.server = http_server(_app(chosen, wire))
        stop_quietly = _noted_signals(server)
        if chosen.exit_with_parent:
            _watch_parent(server)
        _announce(listener, chosen)
        with contextlib.suppress(KeyboardInterrupt), stop_quietly:
            server.run(sockets=[listener])


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


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """Yield a socket that listens on loopback; port 0 takes a free one."""
    with socket.create_server((HOST, port), backlog=256) as listener:
        yield listener


def http_server(app: ASGIApp) -> uvicorn.Server:
    """Return a server for `app` that is not running yet."""
    import uvicorn

    # No access log: HireRight's token request has its secret in the query.
    return uvicorn.Server(
        uvicorn.Config(
            app,
            lifespan="off",
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=1,
        )
    )


def _app(options: Options, wire: Wire) -> ASGIApp:
    from screening_pipeline.sandbox.app import create_app
    from screening_pipeline.sandbox.faults import Plan
    from screening_pipeline.sandbox.limits import Limits
    from screening_pipeline.sandbox.world import World

    epoch = options.epoch or _default_epoch(options)
    clock: Clock = VirtualClock(epoch.astimezone(UTC)) if options.virtual else RealClock()
    return create_app(
        World(options.seed, options.checks, epoch, options.days),
        clock=clock,
        limits=Limits.scaled(options.limit_factor),
        state_path=options.state,
        has_workable_polling=options.workable_polling,
        faults=Plan(rate=options.faults, seed=options.fault_seed, elsewhere=options.fault_elsewhere),
        wire=wire,
    )


def _default_epoch(options: Options) -> datetime:
    if options.virtual:
        return VIRTUAL_EPOCH
    today = RealClock().now().replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=2 * options.days // 3)


def _announce(listener: socket.socket, options: Options) -> None:
    port = listener.getsockname()[1]
    facts = {"url": f"http://{HOST}:{port}", "port": port, "pid": os.getpid()}
    line = json.dumps(facts | {"seed": options.seed, "checks": options.checks, "is_virtual": options.virtual})
    if options.ready_file is not None:
        fresh = options.ready_file.with_suffix(".new")
        fresh.write_text(f"{line}\n", encoding="utf-8")
        fresh.replace(options.ready_file)
    print(line, flush=True)  # noqa: T201 - the line is this program's output


@contextmanager
def _noted_signals(server: uvicorn.Server) -> Iterator[None]:
    """Take a signal before the server runs, and its repetition after it has stopped, as a wish to end."""

    def end(*_: object) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch_parent(server: uvicorn.Server) -> None:
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.3)
        server.should_exit = True

    threading.Thread(target=watch, daemon=True).start()


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
