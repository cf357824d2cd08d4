"""The schema of the shared state in PostgreSQL as each thread asks it: made where it is missing, asked again if cut."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

from screening_pipeline.base import postgres
from screening_pipeline.base.errors import ConfigurationError, EnvironmentFailed
from screening_pipeline.state.postgres_schema import NEEDS_SERVER, SCHEMA, VERSION

Row = tuple[Any, ...]


class _Opened:
    """One thread's connection: closed with its thread, and left alone in a forked child, where it is the parent's."""

    def __init__(self, connection: postgres.Connection) -> None:
        self.connection = connection
        self._pid = os.getpid()
        weakref.finalize(self, _end, connection, self._pid)

    @property
    def is_usable(self) -> bool:
        return self._pid == os.getpid() and not self.connection.closed


_INHERITED: list[postgres.Connection] = []


def _end(connection: postgres.Connection, pid: int) -> None:
    if pid == os.getpid():
        connection.close()
    else:
        _INHERITED.append(connection)


class PostgresSession:
    """Statements on the schema, safe to use from any thread, process and after a fork.

    `where`: the key that names the address, told in errors. Raises EnvironmentFailed where the server cannot be reached
    or is of another version than this program, ConfigurationError where it is too old.
    """

    def __init__(self, url: str, where: str) -> None:
        self._url, self.where = url, where
        self._local = threading.local()

    def close(self) -> None:
        """Close this thread's connection; the next use opens it again."""
        self._local.opened = None

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """What a statement answers, in a transaction of its own."""
        return self._again_where_cut(lambda connection: _answer(connection.execute(statement, values)))

    def row(self, statement: str, values: Sequence[object] = ()) -> Row | None:
        """The first row of it, if there is any."""
        found = self.rows(statement, values)
        return found[0] if found else None

    def together(self, *steps: tuple[str, Iterable[Sequence[object]]]) -> None:
        """Several statements in one transaction, each for every one of its lists of values."""
        kept = [(statement, [*lists]) for statement, lists in steps]

        def change(connection: postgres.Connection) -> list[Row]:
            with connection.transaction(), connection.cursor() as cursor:
                for statement, lists in kept:
                    cursor.executemany(statement, lists)
            return []

        self._again_where_cut(change)

    def _again_where_cut(self, ask: Any) -> list[Row]:
        """Ask; once more on a new connection where the server has closed this one: what is asked can be repeated."""
        import psycopg

        with postgres.told(self.where):
            connection = self._connection()
            try:
                return list(ask(connection))
            except psycopg.OperationalError:
                if not connection.broken:
                    raise
            return list(ask(self._connection()))

    def _connection(self) -> postgres.Connection:
        found: _Opened | None = getattr(self._local, "opened", None)
        if found is None or not found.is_usable:
            found = self._local.opened = _Opened(self._opened())
        return found.connection

    def _opened(self) -> postgres.Connection:
        connection = postgres.connected(self._url, self.where)
        try:
            self._require_usable(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _require_usable(self, connection: postgres.Connection) -> None:
        if connection.info.server_version < NEEDS_SERVER * 10_000:
            problem = f"is PostgreSQL {connection.info.server_version // 10_000}: {NEEDS_SERVER} or newer is needed"
            raise ConfigurationError([problem], source=self.where)
        with connection.transaction():
            connection.execute("select pg_advisory_xact_lock(hashtextextended('screening schema', 0))")
            if connection.execute("select to_regclass('screening_state.version')").fetchone() == (None,):
                connection.execute(SCHEMA)
        found = _answer(connection.execute("select version from screening_state.version"))
        if found != [(VERSION,)]:
            words = f"{self.where}: the schema screening_state is of version {found[0][0] if found else '?'}"
            upgrade = f"this program needs {VERSION}: bring all machines to one version, then drop the schema"
            raise EnvironmentFailed(f"{words}, {upgrade}", code="state_version")


def _answer(cursor: Any) -> list[Row]:
    return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
