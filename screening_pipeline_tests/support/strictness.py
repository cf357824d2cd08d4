"""Pullers that share a limit, as processes whose clocks differ, killed at random while the database crashes.

`python -m screening_pipeline_tests.support.strictness MINUTES` plays the long form: 30 calls a minute, eight processes.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.state.postgres_store import PostgresStore
from screening_pipeline.state.rate_limit import Limiter

LATENCY = 0.02
SKEWS = (-30.0, 0.0, 30.0)


@dataclass(frozen=True)
class World:
    """Who asks: so many processes, at a limit of calls in a window of seconds, each call taking `deadline` at most."""

    url: str
    folder: Path
    processes: int
    limit: int
    window: float
    deadline: float


@dataclass(frozen=True)
class Found:
    """What came of it: calls made, those that were possible, and the most in any window."""

    calls: int
    possible: int
    most: int


class SkewedClock(SystemClock):
    """A machine whose wall clock is wrong."""

    def __init__(self, seconds: float) -> None:
        self._skew = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return super().now() + self._skew


def most_in_a_window(instants: Sequence[float], window: float) -> int:
    """The largest number of instants that any window of this length holds."""
    found = sorted(instants)
    return max((sum(1 for other in found[at:] if other < first + window) for at, first in enumerate(found)), default=0)


def play(world: World, *, seconds: float, kills: int, crash: Callable[[], None] | None) -> Found:
    """Let them ask for so long; `crash` is called in the middle."""
    chance = random.Random(7)
    begun = time.monotonic()
    pullers = [_started(world, number) for number in range(world.processes)]
    events: list[tuple[float, Callable[[], None]]] = []
    for number in range(kills):
        at = seconds * (0.1 + 0.8 * number / max(1, kills)) + chance.uniform(0, 0.3)
        events.append((at, lambda: _replace(world, pullers, chance)))
    if crash is not None:
        events.append((seconds / 2, crash))
    for at, act in sorted(events, key=lambda event: event[0]):
        time.sleep(max(0.0, begun + at - time.monotonic()))
        act()
    time.sleep(max(0.0, begun + seconds - time.monotonic()))
    for puller in pullers:
        puller.kill()
        puller.wait()
    return _found(world, begun, seconds, kills, is_crashed=crash is not None)


def _found(world: World, begun: float, seconds: float, kills: int, *, is_crashed: bool) -> Found:
    calls = [float(line) for file in sorted(world.folder.glob("calls.*")) for line in file.read_text().split()]
    # A slot comes back a window and a call after it was taken. A crash costs a window of rest, a kill at most one slot.
    turn = world.window * 1.001 + LATENCY * 2
    windows = int((max(calls) - min(calls)) / turn) + 1 - (1 if is_crashed else 0)
    return Found(len(calls), world.limit * windows - kills, most_in_a_window(calls, world.window))


def _started(world: World, number: int) -> subprocess.Popen[bytes]:
    words = [world.url, str(world.folder), str(number), str(world.limit), str(world.window), str(world.deadline)]
    return subprocess.Popen([sys.executable, "-m", "screening_pipeline_tests.support.strictness", "--ask", *words])


def _replace(world: World, pullers: list[subprocess.Popen[bytes]], chance: random.Random) -> None:
    number = chance.randrange(len(pullers))
    pullers[number].kill()
    pullers[number].wait()
    pullers[number] = _started(world, number)


async def ask(url: str, folder: Path, number: int, limit: int, window: float, deadline: float) -> None:
    """One puller: asks for ever, and notes when each call was sent."""
    store = PostgresStore(url, "SCREENING_STATE_URL")
    clock = SkewedClock(SKEWS[number % len(SKEWS)])
    limiter = Limiter(store, clock, window_seconds=window, deadline_seconds=deadline)
    with (folder / f"calls.{number}").open("a", buffering=1) as calls:
        while True:
            try:
                async with limiter.slot("zinc", "uk", limit):
                    calls.write(f"{time.monotonic()}\n")
                    await asyncio.sleep(LATENCY)
            except EnvironmentFailed:  # the server is starting
                await asyncio.sleep(0.2)


def main(words: Sequence[str]) -> None:
    """A puller, or the long form."""
    if words[0] == "--ask":
        url, folder, number, limit, window, deadline = words[1:]
        asyncio.run(ask(url, Path(folder), int(number), int(limit), float(window), float(deadline)))
        return
    import tempfile

    from screening_pipeline_tests.support.postgres import running_server

    with running_server() as server, tempfile.TemporaryDirectory() as folder:
        world = World(server.new_database(), Path(folder), processes=8, limit=30, window=60.0, deadline=30.0)
        print(play(world, seconds=float(words[0]) * 60, kills=12, crash=server.crash))  # noqa: T201 - it is asked for by hand


if __name__ == "__main__":
    main(sys.argv[1:])
