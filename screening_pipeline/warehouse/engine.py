"""The interface of an engine: where the warehouse lives, who writes it, and what analysts read of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from screening_pipeline.base.failures import telling
from screening_pipeline.base.locks import WAIT_SECONDS, locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from screening_pipeline.base.clock import Clock
    from screening_pipeline.settings.paths import Paths
    from screening_pipeline.warehouse.catalog import Relation
    from screening_pipeline.warehouse.session import Connection


def is_gone(relation: Relation) -> str:
    """The SQL condition by which a row `r` of a base table is of a check in the temporary table `gone`."""
    if "check_id" in relation.columns:
        others = [name for name in ("vendor", "account", "subject") if name in relation.columns]
        same = "staging.check_form(r.check_id) = staging.check_form(gone.check_id)"
        return " and ".join([*(f"r.{name} = gone.{name}" for name in others), same])
    return "r.check_key = gone.check_key" if "check_key" in relation.columns else "false"


class Engine(ABC):
    """The live warehouse, with one writer at a time, and its published snapshot, with any number of readers."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths

    @property
    @abstractmethod
    def place(self) -> str:
        """Where analysts find what is published, as told to a person."""

    @abstractmethod
    def is_made(self) -> bool:
        """Whether there is a live warehouse."""

    @abstractmethod
    def is_published(self) -> bool:
        """Whether there is a snapshot."""

    @abstractmethod
    def is_busy(self) -> bool:
        """Whether somebody writes the live warehouse right now."""

    @abstractmethod
    def mark(self) -> list[int] | None:
        """The change mark of the live warehouse, its identity first; None where there is none. It opens nothing."""

    @abstractmethod
    def writer(self, *, clock: Clock, wait_seconds: float = WAIT_SECONDS) -> AbstractContextManager[Connection]:
        """Context manager: the live warehouse for writing, made if missing. Raises LockHeld, EnvironmentFailed."""

    @abstractmethod
    def open_once(self, *, clock: Clock) -> None:
        """Try to open and read the live warehouse. Raises LockHeld at once, EnvironmentFailed."""

    @abstractmethod
    def examined(self, *, clock: Clock, wait_seconds: float = 0) -> AbstractContextManager[Connection]:
        """Context manager: the live warehouse, read-only, to be read through. Raises LockHeld, EnvironmentFailed."""

    @abstractmethod
    def damages(self, store: str, connection: Connection, is_over: Callable[[], bool]) -> Iterator[str]:
        """What of an opened store ("warehouse", "snapshot") is not as it was written, with the file where it is known.

        As much is read as there is time for. Raises what the connection raises where a part is damaged.
        """

    @abstractmethod
    def remedy(self, store: str) -> tuple[str, str]:
        """The name of a store and what is to be done where it is damaged, as told to a person."""

    @abstractmethod
    def reader(self) -> AbstractContextManager[Connection]:
        """Context manager: the snapshot, read-only; an open one blocks no writer and stays as it was.

        Raises UsageError `published_before` where the block asks for what an earlier version has not published.
        """

    @abstractmethod
    def is_updatable(self, connection: Connection) -> bool:
        """Whether the snapshot can be updated incrementally instead of copied as a whole."""

    @abstractmethod
    def publish(self, connection: Connection) -> int:
        """Publish the live warehouse, which is open, as the snapshot, atomically; the snapshot's size in bytes."""

    @abstractmethod
    def renewed(self, *, clock: Clock) -> AbstractContextManager[Connection]:
        """Context manager: the live warehouse for an erasure, whose temporary table `gone` names what goes.

        The block fills `gone` and calls `keep_rest`, derives everything anew and publishes. When it has succeeded no
        byte of what is gone is left with the engine. Raises LockHeld, EnvironmentFailed.
        """

    @abstractmethod
    def keep_rest(self, connection: Connection) -> None:
        """Within `renewed`: have the base tables hold what they held without the rows of `gone`."""

    @contextmanager
    def deriving(self) -> Iterator[Connection]:
        """Context manager: the snapshot, under the lock of those who export from it; an erasure waits for it."""
        with (
            telling("the data folder", folder=self.paths.data_dir),
            locked(self.paths.derived_lock),
            self.reader() as connection,
        ):
            yield connection
