"""SIGTERM as a request to end: what runs is interrupted as by Ctrl-C, and the command ends with 0."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stoppable() -> Iterator[None]:
    """Context manager: SIGTERM ends the block without an error, SIGINT as KeyboardInterrupt; also in the background.

    A shell has its background processes ignore SIGINT, and Dagster treats SIGTERM like SIGINT, after each run.
    It also replaces handlers during a run: which signal came is read from the pipe that Python writes all of them to.
    """
    heard, told = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    pipe_before = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    for one in before:
        signal.signal(one, _interrupt)
    try:
        yield
    except KeyboardInterrupt:
        if not _is_terminated(heard):
            raise
    finally:
        signal.set_wakeup_fd(pipe_before)
        for one, handler in before.items():
            signal.signal(one, handler)
        os.close(heard)
        os.close(told)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _is_terminated(heard: int) -> bool:
    try:
        return signal.SIGTERM in os.read(heard, 4096)
    except BlockingIOError:
        return False
