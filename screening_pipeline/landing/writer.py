"""Makes answers and messages durable in groups: what arrives while a group is being synced is the next group."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from screening_pipeline.base.errors import EnvironmentFailed

if TYPE_CHECKING:
    from screening_pipeline.domain.exchange import HttpExchange, LandingReceipt
    from screening_pipeline.landing.area import Landing, Line

MOST_WAITING = 1024
GROUP_BYTES = 8 * 1024 * 1024


class Busy(Exception):
    """More waits to be stored than is worth waiting for."""


class Writer:
    """Appends lines to the landing area, as many at a time as wait; used by one event loop."""

    def __init__(self, landing: Landing, *, is_bounded: bool = True) -> None:
        """`is_bounded`: turns away what comes while MOST_WAITING wait, for senders whose number nobody bounds."""
        self._landing = landing
        self._is_bounded = is_bounded
        self._waiting: list[tuple[Line, asyncio.Future[None]]] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="landing")
        self._working: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether one more would have to be turned away."""
        return self._is_bounded and len(self._waiting) >= MOST_WAITING

    def close(self) -> None:
        """Wait until what was handed on to the disk is there."""
        self._thread.shutdown(wait=True)

    async def store(self, line: Line) -> None:
        """Return when the line is durable. Raises Busy, EnvironmentFailed or OSError: then it is not stored."""
        if self.is_full:
            raise Busy
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((line, stored))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        await stored

    async def land(self, exchange: HttpExchange) -> LandingReceipt:
        """Judge an exchange and return when its line is durable. Raises as `store`."""
        line = self._landing.judged(exchange)
        await self.store(line)
        return line.landed

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group = self._group()
            failures = await loop.run_in_executor(self._thread, self._written, [line for line, _ in group])
            for line, stored in group:
                if not stored.done():  # whoever waited may have hung up
                    _settle(stored, failures.get(line.file))

    def _group(self) -> list[tuple[Line, asyncio.Future[None]]]:
        size = count = 0
        for line, _ in self._waiting:
            size += len(line.content)
            if count and size > GROUP_BYTES:
                break
            count += 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    def _written(self, lines: Sequence[Line]) -> Mapping[str, BaseException]:
        """Append the lines; why not, by file."""
        by_file: dict[str, list[Line]] = defaultdict(list)
        for line in lines:
            by_file[line.file].append(line)
        failures: dict[str, BaseException] = {}
        for file, mine in by_file.items():
            try:
                self._landing.append(file, mine)
            except (EnvironmentFailed, OSError) as problem:
                failures[file] = problem
        return failures


def _settle(stored: asyncio.Future[None], problem: BaseException | None) -> None:
    if problem is None:
        stored.set_result(None)
    else:
        stored.set_exception(problem)
