"""A faster SQLite storage for Dagster's events, with its connections kept open.

As it comes, it makes an engine and puts a statement together for every event and opens the file anew, and asks for
every event of an asset which columns a table has: together a third of the computing time of a whole cycle. The files
are the same, so that `dagster dev` reads and writes them as it always does.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cached_property, partial
from pathlib import Path
from threading import RLock
from typing import Any
from urllib.parse import quote

import sqlalchemy
from dagster import AssetKey, DagsterEventType, __version__
from dagster._core.event_api import EventLogRecord
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, EVENT_TYPE_TO_PIPELINE_RUN_STATUS
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import AssetKeyTable, SqlEventLogStorageTable, SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData, deserialize_value, serialize_value
from sqlalchemy.pool import NullPool

_LAST = (DagsterEventType.RUN_SUCCESS, DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_CANCELED)
_ACROSS_RUNS = {*ASSET_EVENTS, *ASSET_CHECK_EVENTS, *EVENT_TYPE_TO_PIPELINE_RUN_STATUS}
# Made once, with the values apart: what is made for each event SQLAlchemy takes to pieces each time.
_INSERT = SqlEventLogStorageTable.insert()
_UPDATE_ASSET = AssetKeyTable.update().where(AssetKeyTable.c.asset_key == sqlalchemy.bindparam("known_key"))


def _slim(event: EventLogEntry) -> EventLogEntry:
    """The event without what it says twice: its message, and the tags of its log line, which nothing reads back."""
    told = event.dagster_event
    if told is None:
        return event
    words = event.user_message if told.message is None else ""
    return event._replace(dagster_event=told._replace(logging_tags={}), user_message=words)


def _copy_empty(file: Path, empty: Path) -> None:
    """Keep a file in which only tables are; where others write to it already, for the next time.

    In small pages: a table or an index takes one at least, and an event fills its last one only in part.
    """
    new = empty.with_suffix(f".{os.getpid()}")
    new.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("pragma page_size = 512")
        connection.execute("vacuum into ?", [str(new)])
    with closing(sqlite3.connect(new)) as connection:
        connection.execute("pragma journal_mode = wal")  # it does not go with the copy
        is_empty = connection.execute("select count(*) from event_logs").fetchone() == (0,)
    if is_empty:
        new.replace(empty)
    else:
        new.unlink()


def _put_copy(empty: Path, file: Path) -> bool:
    """Put a copy in place, unless another process was as quick and has events in its own; whether one is there."""
    new = file.with_suffix(f".{os.getpid()}")
    try:
        shutil.copyfile(empty, new)
        os.link(new, file)
    except FileExistsError:
        return True
    except OSError:  # a file system without links: Dagster makes the tables
        return False
    finally:
        new.unlink(missing_ok=True)
    return True


def _noted_record(asset: Mapping[str, Any]) -> EventLogRecord | None:
    """The last materialization as recorded with the asset, unless the asset may have been wiped since."""
    if asset["asset_details"] or not asset["last_materialization"]:
        return None
    noted = deserialize_value(asset["last_materialization"])
    return noted if isinstance(noted, EventLogRecord) else None


def mind_signs_in_paths() -> None:
    """Have Dagster's own storage find its files also where a folder's name has signs that mean something in a URL."""
    for module in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
        module.create_db_conn_string = _connection_string  # type: ignore[attr-defined]


def _connection_string(base_dir: str, db_name: str) -> str:
    return f"sqlite:///{quote(str(Path(base_dir).absolute()))}/{db_name}.db"


class Storage(DagsterSqliteStorage):
    """Dagster's storage of runs, schedules and events in SQLite."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data=inst_data)
        self._event_log_storage = EventLog(self._event_log_storage._base_dir)  # noqa: SLF001 - where it would be

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> "Storage":
        """Made by Dagster from its configuration."""
        return cls.from_local(inst_data=inst_data, **config_value)


class EventLog(SqliteEventLogStorage):
    """Dagster's event log in SQLite: a file for each run, and an index of events across runs.

    Two connections stay open: to the file across runs, and to that of the run spoken of last.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data=inst_data)
        self._db_lock = RLock()  # type: ignore[assignment]  # a batch goes on holding it while each of its events is stored

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sqlalchemy.Connection]:
        with self._db_lock:
            connection = self._kept.get(shard) or self._open(shard)
            if connection.in_transaction():
                yield connection
            else:
                with connection.begin():
                    yield connection

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event; the last of a run leaves its file closed and whole, without a log beside it."""
        event = _slim(event)
        row = self._event_to_row(event)
        kind = event.dagster_event_type if event.is_dagster_event else None
        with self.run_connection(event.run_id) as connection:
            connection.execute(_INSERT, row)
        if kind in _ACROSS_RUNS:
            self._store_across_runs(event, row)
        if kind in _LAST:
            with self._db_lock:
                if kept := self._kept.pop(event.run_id, None):
                    kept.close()

    def _event_to_row(self, event: EventLogEntry) -> dict[str, Any]:
        """The row of an event: as Dagster's, in JSON without blanks."""
        told = event.dagster_event
        return {
            "run_id": event.run_id,
            "event": serialize_value(event, separators=(",", ":")),
            "dagster_event_type": told and told.event_type_value,
            "timestamp": self._event_insert_timestamp(event),  # type: ignore[no-untyped-call]
            "step_key": told.step_key if told else event.step_key,
            "asset_key": told.asset_key.to_string() if told and told.asset_key else None,
            "partition": (told.partition or None) if told else None,
        }

    def _store_across_runs(self, event: EventLogEntry, row: Mapping[str, Any]) -> None:
        with self.index_connection() as connection:
            event_id = connection.execute(_INSERT, row).lastrowid
            if event.dagster_event_type in ASSET_EVENTS:
                self._store_asset_event_tags(connection, [event], [event_id])
                self._store_asset_event(connection, event, event_id)
            elif event.dagster_event_type in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(event, event_id)

    def _store_asset_event(self, conn: sqlalchemy.Connection, event: EventLogEntry, event_id: int) -> None:
        """Note an event with its asset. Nearly all are known, and Dagster tries to add each of them first."""
        key = event.get_dagster_event().asset_key
        values = self._get_asset_entry_values(event, event_id, self._has_asset_key_index_cols_on_connection(conn))
        is_noted = key and values and conn.execute(_UPDATE_ASSET, {**values, "known_key": key.to_string()}).rowcount
        if not is_noted:
            super()._store_asset_event(conn, event, event_id)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one run in one transaction of each file."""
        with self.run_connection(events[0].run_id), self.index_connection():
            for event in events:
                self.store_event(event)

    def _get_latest_materialization_records(
        self, raw_asset_rows: Sequence[Mapping[str, Any]]
    ) -> Mapping[AssetKey, EventLogRecord | None]:
        """The last materialization of each asset; events are searched, as by Dagster, only for what no asset notes."""
        noted = [(AssetKey.from_db_string(row["asset_key"]), _noted_record(row)) for row in raw_asset_rows]
        found = {key: record for key, record in noted if key and record}
        if len(found) == len(noted):
            return found
        return super()._get_latest_materialization_records(raw_asset_rows)

    @cached_property
    def _kept(self) -> dict[str, sqlalchemy.Connection]:
        return {}

    def _open(self, shard: str) -> sqlalchemy.Connection:
        for name, connection in tuple(self._kept.items()):
            if INDEX_SHARD_NAME not in (name, shard) and not connection.in_transaction():
                self._kept.pop(name).close()
        self._opening = shard
        if shard not in self._initialized_dbs:
            self._begin(shard)
            self._initialized_dbs.add(shard)
        self._kept[shard] = self._engine.connect()
        return self._kept[shard]

    def _begin(self, shard: str) -> None:
        """Make the file of a run a copy of an empty one: to make its tables anew takes Dagster 0.1 s."""
        file, empty = Path(self.path_for_shard(shard)), Path(self._base_dir, f".empty-{__version__}.db")
        is_new = shard != INDEX_SHARD_NAME and not file.exists()
        if is_new and empty.exists() and _put_copy(empty, file):
            return
        self._initdb(self._engine)
        if is_new:
            _copy_empty(file, empty)

    @cached_property
    def _engine(self) -> sqlalchemy.Engine:
        """One for all files, since it is what compiles statements and remembers them compiled."""
        return sqlalchemy.create_engine("sqlite://", poolclass=NullPool, creator=self._opened)

    def _opened(self) -> sqlite3.Connection:
        # Threads take turns, by the lock.
        path = self.path_for_shard(self._opening)
        connection = sqlite3.connect(path, timeout=SQLITE_BUSY_TIMEOUT_SECONDS, check_same_thread=False)
        # Of a new file: in larger pages, of which an event fills one and a part of another, a third stays empty.
        connection.execute("pragma page_size = 1024")
        # Not every event is waited for until a disk has it: losing power may cost the last ones, never the file.
        connection.execute("pragma synchronous = normal")
        # A connection that stays open keeps its log at the length it ever had.
        connection.execute("pragma wal_autocheckpoint = 250")
        return connection

    # What a file of events has once, it keeps: Dagster's migrations only add.

    def has_asset_key_col(self, column_name: str) -> bool:
        """Whether the table of assets has a column."""
        return self._is_known(column_name, super().has_asset_key_col)

    def has_secondary_index(self, name: str) -> bool:
        """Whether a migration of the data has been made."""
        return self._is_known(name, super().has_secondary_index)

    def has_table(self, table_name: str) -> bool:
        """Whether there is a table."""
        return self._is_known(table_name, super().has_table)

    def _has_asset_key_col_on_connection(self, conn: sqlalchemy.Connection, column_name: str) -> bool:
        return self._is_known(column_name, partial(super()._has_asset_key_col_on_connection, conn))

    def _is_known(self, name: str, ask: Callable[[str], bool]) -> bool:
        if name not in self._known and ask(name):
            self._known.add(name)
        return name in self._known

    @cached_property
    def _known(self) -> set[str]:
        return set()
