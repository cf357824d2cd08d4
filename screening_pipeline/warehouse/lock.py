"""The writer's lock beside the warehouse."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from screening_pipeline.base.clock import Clock
from screening_pipeline.base.errors import LockHeld, NotWritable

LOCK_WAIT_SECONDS = 60.0


@contextmanager
def lock(path: Path, *, clock: Clock, wait_seconds: float = LOCK_WAIT_SECONDS) -> Iterator[None]:
    """Hold the writer's lock at `path`. Raises LockHeld, naming the holder, when it is not free in time."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise NotWritable(str(path), error.strerror or "not writable") from None
    try:
        _acquire(handle, path, clock=clock, until=clock.monotonic() + wait_seconds)
        os.truncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, path: Path, *, clock: Clock, until: float) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock.monotonic() >= until:
                raise LockHeld(path.name, holder_pid=_holder(handle)) from None
            clock.sleep(0.2)
        else:
            return


def _holder(handle: int) -> int | None:
    text = os.pread(handle, 32, 0).decode(errors="replace").strip()
    return int(text) if text.isdigit() else None


def is_locked(path: Path) -> bool:
    """Whether somebody holds the writer's lock right now."""
    with suppress(FileNotFoundError):
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
    return False
