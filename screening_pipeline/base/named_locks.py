"""Locks by name between all who work on the same accounts: of files on one machine, of a database on several."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from screening_pipeline.base import files, locks
from screening_pipeline.base.clock import Clock, SystemClock
from screening_pipeline.base.errors import LockLost
from screening_pipeline.base.failures import telling

ERASURE = "erasure"


def pull_lock(vendor: str, account: str) -> str:
    """The name of the lock of an account, held while it is pulled."""
    return f"pull.{vendor}.{account}"


def run_lock(run_id: str) -> str:
    """The name of the lock of a run, held for as long as a process of it lives."""
    return f"runs/{run_id}"


class Locks(Protocol):
    """Locks by name. Whoever dies, or is cut off for good, holds none any more."""

    is_everywhere: bool
    """Whether other machines see the same locks."""
    lost: LockLost | None
    """The last lock that this process lost while it held it."""

    def hold(self, name: str, *, is_shared: bool = False, wait_seconds: float = 0.0) -> AbstractContextManager[None]:
        """Context manager: holds a lock. Raises LockHeld, naming the holder, when it is not free in time.

        Raises LockLost at its end where it was lost meanwhile, and NotWritable or EnvironmentFailed.
        """

    def is_held(self, name: str) -> bool:
        """Whether anybody holds a lock right now."""

    def forget(self, name: str) -> None:
        """Leave nothing behind of a lock that nobody will ask for again."""


class FileLocks:
    """Locks of the processes of one machine: a file for each, `<name>.lock` in one folder."""

    is_everywhere = False
    lost: LockLost | None = None  # the kernel takes none away

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock or SystemClock()

    @contextmanager
    def hold(self, name: str, *, is_shared: bool = False, wait_seconds: float = 0.0) -> Iterator[None]:
        """Hold a lock; a shared one is waited for: who looks whether it is held has it for an instant."""
        path = self._path(name)
        with telling("the data folder"):
            files.make_folder(path.parent)
        if is_shared:
            with locks.locked(path, is_shared=True):
                yield
        else:
            with locks.lock(path, clock=self._clock, wait_seconds=wait_seconds):
                yield

    def is_held(self, name: str) -> bool:
        """Whether any process of this machine holds it."""
        return locks.is_locked(self._path(name))

    def forget(self, name: str) -> None:
        """Remove its file unless somebody holds it."""
        if not self.is_held(name):
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.lock"
