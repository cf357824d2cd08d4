"""Dagster's own storage in SQLite, with one engine for all files of events.

As it comes, it makes an engine for every statement, and so compiles every statement anew: a third of the computing
time of a whole cycle. The files are the same, so that `dagster dev` reads and writes them as it always does.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import sqlalchemy
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy.pool import NullPool


class Storage(DagsterSqliteStorage):
    """Runs, schedules and events, where Dagster keeps them."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data=inst_data)
        self._event_log_storage = EventLog(self._event_log_storage._base_dir)  # noqa: SLF001 - where it would be

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> "Storage":
        """Made by Dagster from its configuration."""
        return cls.from_local(inst_data=inst_data, **config_value)


class EventLog(SqliteEventLogStorage):
    """Events, a file for each run and one for what is asked across runs."""

    _shard = ""

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sqlalchemy.Connection]:
        with self._db_lock:  # so that nobody else sets `_shard` meanwhile
            self._shard = shard
            if shard not in self._initialized_dbs:
                self._initdb(self._engine)
                self._initialized_dbs.add(shard)
            with self._engine.begin() as connection:
                yield connection

    @cached_property
    def _engine(self) -> sqlalchemy.Engine:
        return sqlalchemy.create_engine("sqlite://", poolclass=NullPool, creator=self._opened)

    def _opened(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path_for_shard(self._shard), timeout=SQLITE_BUSY_TIMEOUT_SECONDS)
