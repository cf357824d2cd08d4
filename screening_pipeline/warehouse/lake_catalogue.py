"""The catalogue of a lake, a PostgreSQL database, asked directly: its lock, its marks, its dead rows.

It tells in milliseconds what opening the lake would tell in half a second.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, LiteralString

from screening_pipeline.base.errors import ConfigurationError, EnvironmentFailed, LockHeld

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import psycopg

    from screening_pipeline.base.clock import Clock


INSTALL = 'pip install "screening-pipeline[cluster]" brings what the engine "ducklake" needs'
LOCK = "warehouse"
_KEY = 0x5C4EE41C  # of our lock in that database; any number that stays the same
_LOOK_EVERY_SECONDS = 0.2
# Who is cut off from the server learns it within 20 s, and so does the server, which then frees the lock.
_ALIVE: Mapping[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "options": "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
}
_MARK = "select to_regclass('ducklake_snapshot')::oid::bigint, max(snapshot_id) from ducklake_snapshot"
_TABLES = "select count(*) from ducklake_table where end_snapshot is null and table_name = %s"


@dataclass(frozen=True)
class Catalogue:
    """One catalogue: its URL, which has a password in it and is never shown, and the key that names its variable."""

    url: str = field(repr=False)
    named_by: str

    def has(self, table: str) -> bool:
        """Whether the lake has a table of this name. Raises EnvironmentFailed where the server does not answer."""
        with self.connected() as session:
            return _is_lake(session) and bool(_one(session, _TABLES, table))

    def mark(self) -> list[int] | None:
        """[number of the catalogue, number of its last change]; None where there is no lake."""
        with self.connected() as session:
            if not _is_lake(session):
                return None
            found = session.execute(_MARK).fetchone()
            return [int(number) for number in found or ()]

    def is_locked(self) -> bool:
        """Whether somebody holds the writer's lock."""
        with self.connected() as session:
            is_free = _one(session, "select pg_try_advisory_lock(%s)", _KEY)
            return not is_free

    @contextmanager
    def locked(self, *, clock: Clock, wait_seconds: float) -> Iterator[Callable[[], None]]:
        """Context manager: holds the writer's lock. Raises LockHeld where it is not free in time.

        The server frees it when the session ends, however that comes about; what is yielded raises EnvironmentFailed
        from then on.
        """
        until = clock.monotonic() + wait_seconds
        with self.connected() as session:
            while not _one(session, "select pg_try_advisory_lock(%s)", _KEY):
                if clock.monotonic() >= until:
                    raise LockHeld(LOCK)
                clock.sleep(_LOOK_EVERY_SECONDS)
            self._require_session(session)
            yield lambda: _ask(session)

    def _require_session(self, session: psycopg.Connection) -> None:
        """Raise ConfigurationError where a pooler gives each statement another session: the lock would be nobody's."""
        query = "select count(*) from pg_locks where locktype = 'advisory' and objid = %s and pid = pg_backend_pid()"
        if not _one(session, query, _KEY):
            problem = "leads through a pooler of transactions; name the server, or a pooler of sessions"
            raise ConfigurationError([problem], source=self.named_by)

    def forget_dead_rows(self) -> None:
        """Have the server write its tables anew: what was deleted stays in their files until then."""
        with self.connected() as session:
            session.execute("set lock_timeout = '60s'")
            session.execute("analyze")  # what it sampled before is among the rows that go
            session.execute("vacuum full")
            session.execute("checkpoint")

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection]:
        """Context manager: a session in which each statement is a transaction. Raises EnvironmentFailed."""
        psycopg = driver()
        name = f"screening-pipeline {socket.gethostname()} {os.getpid()}"[:60]
        with failing_as(self.named_by):
            session = psycopg.connect(self.url, autocommit=True, application_name=name, **_ALIVE)
        with session, failing_as(self.named_by):
            yield session


def driver() -> Any:
    """The driver of PostgreSQL. Raises ConfigurationError where it is not installed."""
    try:
        import psycopg
    except ImportError:
        raise ConfigurationError([f"needs psycopg: {INSTALL}"], source="warehouse.engine") from None
    return psycopg


@contextmanager
def failing_as(named_by: str) -> Iterator[None]:
    """Context manager: what the driver raises as EnvironmentFailed. Its texts quote addresses and values."""
    psycopg = driver()
    try:
        yield
    except psycopg.Error as problem:
        told = f"the catalogue of the warehouse ({named_by}) failed: {type(problem).__name__}"
        raise EnvironmentFailed(f"{told}; is the server up, and the address right?", code="catalog_failed") from None


def _ask(session: psycopg.Connection) -> None:
    with failing_as("the writer's lock"):
        session.execute("select 1")


def _is_lake(session: psycopg.Connection) -> bool:
    return bool(_one(session, "select to_regclass('ducklake_snapshot') is not null"))


def _one(session: psycopg.Connection, query: LiteralString, *values: object) -> Any:
    """The first value of the first row."""
    found = session.execute(query, values).fetchone()
    return found[0] if found else None
