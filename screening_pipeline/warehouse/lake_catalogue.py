"""The catalogue of a lake, a PostgreSQL database, asked directly: its lock, its marks, its dead rows.

It tells in milliseconds what opening the lake would tell in half a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, LiteralString

from screening_pipeline.base import postgres
from screening_pipeline.base.errors import LockHeld
from screening_pipeline.base.postgres import Connection as Session
from screening_pipeline.warehouse import catalog

if TYPE_CHECKING:
    from collections.abc import Callable

    from screening_pipeline.base.clock import Clock


INSTALL = 'pip install "screening-pipeline[cluster]" brings what the engine "ducklake" needs'
LOCK = "warehouse"
_KEY = 0x5C4EE41C  # of our lock in that database; any number that stays the same
_LOOK_EVERY_SECONDS = 0.2
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

    def files(self) -> list[tuple[str, int, str]]:
        """Of each file that the last state needs: its name below the lake's folder, its bytes, the key of its seal."""
        with self.connected() as session:
            found = session.execute(catalog.statement("find_lake_files")).fetchall()
            return [(str(name), int(size), str(key)) for name, size, key in found]

    def is_locked(self) -> bool:
        """Whether somebody holds the writer's lock."""
        with self.connected() as session:
            return postgres.holder(session, _KEY) is not None

    @contextmanager
    def locked(self, *, clock: Clock, wait_seconds: float) -> Iterator[Callable[[], None]]:
        """Context manager: holds the writer's lock. Raises LockHeld where it is not free in time.

        The server frees it when the session ends, however that comes about; what is yielded raises EnvironmentFailed
        from then on. Raises ConfigurationError where a pooler lends sessions out.
        """
        postgres.require_sessions(self.url, self.named_by)
        until = clock.monotonic() + wait_seconds
        with self.connected() as session:
            while not _one(session, "select pg_try_advisory_lock(%s)", _KEY):
                if clock.monotonic() >= until:
                    raise LockHeld(LOCK, holder=postgres.holder(session, _KEY))
                clock.sleep(_LOOK_EVERY_SECONDS)
            yield lambda: self._ask(session)

    def _ask(self, session: Session) -> None:
        with postgres.told(f"the writer's lock ({self.named_by})"):
            session.execute("select 1")

    def forget_dead_rows(self) -> None:
        """Have the server write its tables anew: what was deleted stays in their files until then."""
        with self.connected() as session, postgres.patiently(session):
            session.execute("set lock_timeout = '60s'")
            session.execute("analyze")  # what it sampled before is among the rows that go
            session.execute("vacuum full")
            session.execute("checkpoint")

    @contextmanager
    def connected(self) -> Iterator[Session]:
        """Context manager: a session in which each statement is a transaction.

        Raises ConfigurationError without the driver, EnvironmentFailed.
        """
        with postgres.connected(self.url, self.named_by) as session, postgres.told(self.named_by):
            yield session


def _is_lake(session: Session) -> bool:
    return bool(_one(session, "select to_regclass('ducklake_snapshot') is not null"))


def _one(session: Session, query: LiteralString, *values: object) -> Any:
    """The first value of the first row."""
    found = session.execute(query, values).fetchone()
    return found[0] if found else None
