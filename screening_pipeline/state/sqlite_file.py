"""The SQLite file of the shared state as each thread opens it: for single SELECTs, or one write transaction."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from screening_pipeline.state.connection import Opened, opened, translated
from screening_pipeline.state.reserve import give_way

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class StateFile:
    """A SQLite file at `path`, safe to use from any thread, process and after a fork."""

    def __init__(self, path: Path, *, boot_id: str | None = None, busy_seconds: float = 10.0) -> None:
        self.path = path
        self._busy_seconds = busy_seconds
        self.boot_id = boot_id if boot_id is not None else running_boot_id()
        self._local = threading.local()

    def close(self) -> None:
        """Close this thread's connection; the next use opens it again."""
        found: Opened | None = getattr(self._local, "opened", None)
        self._local.opened = None
        if found is not None:
            found.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection, for single SELECTs."""
        with translated(self.path):
            yield self._connection()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One write transaction: committed at the end, rolled back on any exception."""
        with translated(self.path):
            give_way(self.path)
            connection = self._connection()
            connection.execute("begin immediate")
            try:
                yield connection
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")

    def _connection(self) -> sqlite3.Connection:
        found: Opened | None = getattr(self._local, "opened", None)
        if found is None or not found.is_current(self.path):
            self.close()
            found = self._local.opened = opened(self.path, self._busy_seconds)
        return found.connection


def running_boot_id(source: Path = _BOOT_ID) -> str:
    """The boot id of the machine, to which monotonic times belong; "" where the system does not provide one."""
    with suppress(OSError):
        return source.read_text(encoding="utf-8").strip()
    return ""
