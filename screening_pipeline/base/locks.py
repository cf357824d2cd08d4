"""Locks between processes: `flock` on a file, which the kernel releases when the holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from screening_pipeline.base.clock import Clock
from screening_pipeline.base.errors import LockHeld
from screening_pipeline.base.failures import telling

WAIT_SECONDS = 60.0
_LOOK_EVERY_SECONDS = 0.2
_MODE = 0o600


def take(descriptor: int, *, is_shared: bool = False, is_waiting: bool = True) -> None:
    """Lock an open descriptor, until it and every copy handed to other processes is closed.

    Raises BlockingIOError where another process holds the lock, unless `is_waiting`.
    """
    fcntl.flock(descriptor, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | (0 if is_waiting else fcntl.LOCK_NB))


@contextmanager
def locked(path: Path, *, is_shared: bool = False, is_waiting: bool = True) -> Iterator[int]:
    """Context manager: holds the lock of the file at `path` (made if missing) and yields its descriptor.

    The file may be replaced while we wait for the old one: then the wait starts again. Raises LockHeld unless
    `is_waiting`, and OSError.
    """
    descriptor = _opened_and_locked(path, is_shared=is_shared, is_waiting=is_waiting)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _opened_and_locked(path: Path, *, is_shared: bool, is_waiting: bool) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, _MODE)
        try:
            take(descriptor, is_shared=is_shared, is_waiting=is_waiting)
            if _stands_at(descriptor, path):
                return descriptor
        except BlockingIOError:
            held = LockHeld(path.name, holder_pid=_holder(descriptor))
            os.close(descriptor)
            raise held from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _stands_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _holder(descriptor: int) -> int | None:
    """The process whose number stands in a lock's file; None where nobody has written one, or it is no such file."""
    text = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
    return int(text) if text.isdigit() else None


@contextmanager
def lock(path: Path, *, clock: Clock, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Context manager: holds the lock file at `path`, which records the process id of its holder.

    Raises LockHeld, naming the holder, when it is not free in time; NotWritable.
    """
    until = clock.monotonic() + wait_seconds
    with telling(str(path)):
        descriptor = _in_time(path, clock, until)
    try:
        os.truncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)


def _in_time(path: Path, clock: Clock, until: float) -> int:
    while True:
        try:
            return _opened_and_locked(path, is_shared=False, is_waiting=False)
        except LockHeld:
            if clock.monotonic() >= until:
                raise
        clock.sleep(_LOOK_EVERY_SECONDS)


def is_locked(path: Path) -> bool:
    """Whether any process holds the lock at `path` right now."""
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDWR)
        try:
            take(descriptor, is_waiting=False)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False
