"""The sandbox as a process: `serve` is that process; `sandbox.handle` starts one and sees to its end.

Importing this module loads no web framework; only serving does.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from screening_pipeline.sandbox.clocks import Clock, RealClock, VirtualClock, instant_text

if TYPE_CHECKING:
    """Return a server for `app` that is not running yet."""
    import uvicorn
    from starlette.types import ASGIApp

    from screening_pipeline.sandbox.wire import Wire

VIRTUAL_EPOCH: Final = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday: where a virtual clock starts when nobody says otherwise."""

HOST: Final = "127.0.0.1"


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
