"""The engine of one machine: the live warehouse and its snapshot are DuckDB files in the data folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening_pipeline.base.files import mark_of
from screening_pipeline.base.locks import WAIT_SECONDS, is_locked
from screening_pipeline.warehouse import catalog, publish, store
from screening_pipeline.warehouse.engine import Engine, is_gone
from screening_pipeline.warehouse.scrub import read_through

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from screening_pipeline.base.clock import Clock
    from screening_pipeline.warehouse.session import Connection


class DuckDBFiles(Engine):
    """See `Engine`; the lock is one of the kernel, beside the live file."""

    @property
    def place(self) -> str:
        return str(self.paths.published)

    def is_made(self) -> bool:
        return self.paths.warehouse.exists()

    def is_published(self) -> bool:
        return self.paths.published.exists()

    def is_busy(self) -> bool:
        return is_locked(self.paths.warehouse_lock)

    def mark(self) -> list[int] | None:
        return mark_of(self.paths.warehouse)

    def writer(self, *, clock: Clock, wait_seconds: float = WAIT_SECONDS) -> AbstractContextManager[Connection]:
        paths = self.paths
        return store.writer(paths.warehouse, lock_path=paths.warehouse_lock, clock=clock, wait_seconds=wait_seconds)

    def open_once(self, *, clock: Clock) -> None:
        store.open_once(self.paths.warehouse, lock_path=self.paths.warehouse_lock, clock=clock)

    def examined(self, *, clock: Clock, wait_seconds: float = 0) -> AbstractContextManager[Connection]:
        lock_path = self.paths.warehouse_lock
        return store.examined(self.paths.warehouse, lock_path=lock_path, clock=clock, wait_seconds=wait_seconds)

    def damages(self, store: str, connection: Connection, is_over: Callable[[], bool]) -> Iterator[str]:  # noqa: ARG002
        read_through(connection, is_over)
        return iter(())

    def remedy(self, store: str) -> tuple[str, str]:
        if store == "warehouse":
            return self.paths.warehouse.name, "restore it, or move it away and run screening-pipeline rebuild"
        return self.paths.published.name, "move it away; the next sync makes it anew"

    def reader(self) -> AbstractContextManager[Connection]:
        return store.reader(self.paths.published)

    def is_updatable(self, connection: Connection) -> bool:
        return publish.is_updatable(connection, self.paths.published)

    def publish(self, connection: Connection) -> int:
        return publish.publish(connection, self.paths.published)

    def renewed(self, *, clock: Clock) -> AbstractContextManager[Connection]:
        return store.renewed(self.paths.warehouse, lock_path=self.paths.warehouse_lock, clock=clock)

    def keep_rest(self, connection: Connection) -> None:
        connection.execute(catalog.statement("number_erased"))
        for relation in catalog.refreshed("base"):
            connection.execute(
                f"insert into {relation.qualified} by name "
                f"from old.{relation.qualified} as r anti join gone on {is_gone(relation)}"
            )
