"""Tells where the time of a piece of work goes: named functions are timed where they are called.

A phase has its own time only: what it spends in another timed function belongs to that one.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import Any


class Stopwatch:
    """CPU and wall seconds by phase, of the thread that works."""

    def __init__(self) -> None:
        self.cpu: defaultdict[str, float] = defaultdict(float)
        self.wall: defaultdict[str, float] = defaultdict(float)
        self._phases: list[str] = []
        self._mark = (0.0, 0.0)

    def clear(self) -> None:
        """Begin anew."""
        self.cpu.clear()
        self.wall.clear()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the block to `name`."""
        self._book()
        self._phases.append(name)
        try:
            yield
        finally:
            self._book()
            self._phases.pop()

    def _book(self) -> None:
        now = (time.thread_time(), time.perf_counter())
        if self._phases:
            self.cpu[self._phases[-1]] += now[0] - self._mark[0]
            self.wall[self._phases[-1]] += now[1] - self._mark[1]
        self._mark = now

    def watch(self, name: str, owner: Any, *attributes: str) -> None:
        """Count these functions of a module or class to `name` from now on. Raises AttributeError if one is gone."""
        for attribute in attributes:
            setattr(owner, attribute, self._watched(name, getattr(owner, attribute)))

    def _watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def timed(*given: Any, **named: Any) -> Any:
            with self.phase(name):
                result = function(*given, **named)
            if isinstance(result, AbstractContextManager) and hasattr(result, "gen"):
                return self._entered(name, result)
            return self._stepped(name, result) if isinstance(result, Iterator) else result

        return timed

    @contextmanager
    def _entered(self, name: str, manager: AbstractContextManager[Any]) -> Iterator[Any]:
        """Count going in and out, not what happens between."""
        with self.phase(name):
            value = manager.__enter__()
        try:
            yield value
        finally:
            with self.phase(name):
                manager.__exit__(None, None, None)

    def _stepped(self, name: str, steps: Iterator[Any]) -> Iterator[Any]:
        """Count the making of each value, not what is done with it."""
        while True:
            with self.phase(name):
                value = next(steps, self)
            if value is self:
                return
            yield value
