"""The engine of several machines: two lakes, each with PostgreSQL as its catalogue and its files in a folder or on S3.

One is the live warehouse: it is written under a lock in its catalogue, and each transaction raises the number in a
fence. The other is what is published: analysts have a role that reads it and nothing else.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from screening_pipeline.base import bucket
from screening_pipeline.base.errors import ConfigurationError
from screening_pipeline.base.locks import WAIT_SECONDS, lock
from screening_pipeline.warehouse import catalog, failures, lake_kept, lake_session, schema, session, snapshot
from screening_pipeline.warehouse.engine import Engine, is_gone
from screening_pipeline.warehouse.lake_catalogue import Catalogue
from screening_pipeline.warehouse.lake_scrub import damaged_files
from screening_pipeline.warehouse.loading import read_notes, write_note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from screening_pipeline.base.clock import Clock
    from screening_pipeline.settings.paths import Paths
    from screening_pipeline.settings.settings import Warehouse
    from screening_pipeline.warehouse.session import Connection


PUBLISHED = "published"
_MADE, _SHOWN = "check", "fact_check"
_KEPT = timedelta(days=1)
"""How long a state of a lake may be read on by whoever has it open, and its files stay."""
_MAINTAINED = "maintained_at"


@dataclass(frozen=True)
class Lake:
    """Where a lake is: its catalogue, and the folder or `s3://` address of its files."""

    catalogue: Catalogue
    data_path: str


class DuckLake(Engine):
    """See `Engine`; `settings` names the variables that hold the catalogues' URLs."""

    def __init__(self, paths: Paths, settings: Warehouse, environ: Mapping[str, str] = os.environ) -> None:
        super().__init__(paths)
        self._every = timedelta(seconds=settings.maintain_every)
        self._live = Lake(_named(settings, "catalog_env", environ), settings.data_path or "")
        self._shown = Lake(_named(settings, "published_catalog_env", environ), settings.published_data_path or "")
        if self._live.catalogue.url == self._shown.catalogue.url:
            problem = "names the catalogue of warehouse.catalog_env: who may read what is published would read all"
            raise ConfigurationError([problem], source="warehouse.published_catalog_env")

    @property
    def place(self) -> str:
        return f"the lake at {self._shown.data_path}"

    def is_made(self) -> bool:
        return self._live.catalogue.has(_MADE)

    def is_published(self) -> bool:
        return self._shown.catalogue.has(_SHOWN)

    def is_busy(self) -> bool:
        return self._live.catalogue.is_locked()

    def mark(self) -> list[int] | None:
        return self._live.catalogue.mark()

    @contextmanager
    def writer(self, *, clock: Clock, wait_seconds: float = WAIT_SECONDS) -> Iterator[Connection]:
        with (
            lock(self.paths.warehouse_lock, clock=clock, wait_seconds=wait_seconds),
            self._live.catalogue.locked(clock=clock, wait_seconds=wait_seconds) as require_lock,
            self._session(self._live) as connection,
        ):
            if not self.is_made():
                self._require_forgetting()
                _make(connection)
            with failures.failures_told():
                lake_session.traits_of(connection).fenced(connection, require_lock)
                yield connection
                schema.drop_work(connection)  # who has the session next begins with nothing

    def _require_forgetting(self) -> None:
        """Raise ConfigurationError where a bucket keeps what is deleted."""
        for key, lake in (("data_path", self._live), ("published_data_path", self._shown)):
            if bucket.is_bucket(lake.data_path):
                bucket.require_forgetting(lake.data_path, f"warehouse.{key}")

    def _session(self, lake: Lake, *, is_read_only: bool = False) -> AbstractContextManager[Connection]:
        """Context manager: a session with that lake as its default, kept for the next who wants the same."""

        def opened() -> Connection:
            with ExitStack() as stack:
                connection = lake_session.opened(self.paths.data_dir)
                stack.callback(connection.close)
                _attach(connection, session.HOME, lake, is_read_only=is_read_only)
                connection.execute(f"use {session.HOME}")
                stack.pop_all()
            return connection

        mark = lake.catalogue.mark()  # one that was made anew is another one
        key = (lake, mark and mark[0], self.paths.data_dir, is_read_only)
        return lake_kept.kept(key, opened)

    def open_once(self, *, clock: Clock) -> None:
        with (
            self._live.catalogue.locked(clock=clock, wait_seconds=0),
            self._session(self._live, is_read_only=True) as connection,
            failures.failures_told(),
        ):
            connection.execute('select count(*) from raw."check"')

    def examined(self, *, clock: Clock, wait_seconds: float = 0) -> AbstractContextManager[Connection]:  # noqa: ARG002
        return self._session(self._live, is_read_only=True)  # one state, whoever writes meanwhile

    def damages(self, store: str, connection: Connection, is_over: Callable[[], bool]) -> Iterator[str]:
        lake = self._live if store == "warehouse" else self._shown
        for file in damaged_files(connection, lake.catalogue, lake.data_path, is_over):
            yield f"{file.name} {file.reason}"

    def remedy(self, store: str) -> tuple[str, str]:
        lake = self._live if store == "warehouse" else self._shown
        fix = "put it back from a backup, or name a new database and folder in [warehouse] and run screening-pipeline "
        return f"the lake of {lake.catalogue.named_by}", f"{fix}rebuild: orders and landed answers have all of it"

    @contextmanager
    def reader(self) -> Iterator[Connection]:
        with self._session(self._shown, is_read_only=True) as connection, failures.reach_told():
            connection.execute("begin")  # one state, however long the block reads
            with snapshot.earlier_told(connection):
                yield connection
            with suppress(session.DatabaseError):  # the block may have ended it
                connection.execute("rollback")

    def is_updatable(self, connection: Connection) -> bool:
        return self.is_published() and snapshot.is_updatable(connection, _told_by(self._shown.catalogue.mark()))

    def publish(self, connection: Connection) -> int:
        is_update = self.is_updatable(connection)
        _attach(connection, PUBLISHED, self._shown)
        empty = snapshot.update(connection, PUBLISHED) if is_update else None
        is_update = empty is not None
        if empty is None:
            empty = snapshot.copy(connection, PUBLISHED)
        self._maintain_at_times(connection)
        snapshot.note(connection, _told_by(self._shown.catalogue.mark()), is_update=is_update, empty=empty)
        return lake_session.size(connection, PUBLISHED)

    def _maintain_at_times(self, connection: Connection) -> None:
        since, now = read_notes(connection, _MAINTAINED).get(_MAINTAINED), _now(connection)
        if since is not None and now - float(since) < self._every.total_seconds():
            return
        for lake in (session.HOME, PUBLISHED):
            lake_session.maintain(connection, lake, keep=_KEPT)
        with session.transaction(connection):
            write_note(connection, _MAINTAINED, str(now))

    @contextmanager
    def renewed(self, *, clock: Clock) -> Iterator[Connection]:
        """A lake is not replaced: what is gone is deleted, then nothing that is older stays."""
        with self.writer(clock=clock) as connection:
            yield connection
            _attach(connection, PUBLISHED, self._shown)
            for name in (session.HOME, PUBLISHED):
                lake_session.maintain(connection, name, keep=timedelta())
        lake_kept.forget()
        for lake in (self._live, self._shown):
            lake.catalogue.forget_dead_rows()

    def keep_rest(self, connection: Connection) -> None:
        with session.transaction(connection):
            connection.execute(catalog.statement("number_gone"))
            for relation in catalog.refreshed("base"):
                if (condition := is_gone(relation)) != "false":
                    gone = f"exists (select 1 from gone where {condition})"
                    connection.execute(f"delete from {relation.qualified} as r where {gone}")


def _named(settings: Warehouse, key: str, environ: Mapping[str, str]) -> Catalogue:
    """The catalogue of a key of `[warehouse]`. Raises ConfigurationError where its variable is not set."""
    variable = getattr(settings, key)
    url = environ.get(variable, "").strip()
    if not url:
        raise ConfigurationError([f"{variable} is not set: a postgresql:// URL"], source=f"warehouse.{key}")
    return Catalogue(url, f"warehouse.{key}, {variable}")


def _attach(connection: Connection, name: str, lake: Lake, *, is_read_only: bool = False) -> None:
    lake_session.attach(connection, name, lake.catalogue, lake.data_path, is_read_only=is_read_only)


def _make(connection: Connection) -> None:
    """The fence first, then all else at once: whoever dies in between leaves nothing that is taken for a warehouse."""
    with session.own_transaction(connection):
        connection.execute("create schema if not exists lake")
        connection.execute(f"create or replace table {lake_session.FENCE} as select 0::bigint as turn")
    schema.create(connection)


def _told_by(mark: list[int] | None) -> str:
    return " ".join(map(str, mark or ()))


def _now(connection: Connection) -> float:
    """Seconds since 1970, by the clock that the notes of maintenance go by."""
    return float(connection.execute("select epoch(now())").fetchall()[0][0])
