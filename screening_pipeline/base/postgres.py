"""Connections to the PostgreSQL that several machines share, and what goes wrong with it in our words."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from math import inf
from typing import TYPE_CHECKING, Any

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.errors import ConfigurationError, EnvironmentFailed

if TYPE_CHECKING:
    import psycopg

Connection = Any
"""A connection of psycopg; the package is there only where the extra `cluster` is."""

# A machine that is gone is noticed by the server after 20 seconds, and by us before that: nobody takes over too early.
_KEEPALIVE = {"tcp_keepalives_idle": 5, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3}
_OPTIONS: dict[str, Any] = {
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 15_000,
    "connect_timeout": 10,
}

ANSWER_SECONDS = 60.0
"""For so long an answer is waited for where the wire lives and nothing comes: a proxy, or a server, that hangs."""
_SUSPECT_SECONDS = 5.0
CLOCK = SystemClock()

_HOLDER = """
select activity.application_name
from pg_locks as held left join pg_stat_activity as activity using (pid)
where held.locktype = 'advisory' and held.granted and held.objsubid = 1
    and held.database = (select oid from pg_database where datname = current_database())
    and (held.classid::bigint << 32) | held.objid::bigint = %s
limit 1
"""


def connected(url: str, where: str) -> psycopg.Connection[Any]:
    """A connection that commits each statement. `where`: the key that names the address, told in errors.

    Raises ConfigurationError without the driver, EnvironmentFailed where the server cannot be reached.
    """
    try:
        connect = _class().connect
    except ModuleNotFoundError:
        problem = "needs the package psycopg: install screening-pipeline[cluster]"
        raise ConfigurationError([problem], source=where) from None
    with told(where):
        connection = connect(address(url), autocommit=True, application_name=our_name(), **_OPTIONS)
        try:
            for name, seconds in _KEEPALIVE.items():
                connection.execute("select set_config(%s, %s, false)", (name, str(seconds)))
        except BaseException:
            connection.close()
            raise
        return connection


@cache
def _class() -> type[psycopg.Connection[Any]]:
    """A connection that waits for no answer for ever."""
    import psycopg

    class Connection(psycopg.Connection[Any]):
        answer_seconds: float | None = ANSWER_SECONDS
        heard_at, silent_at = -inf, -inf  # the latter of any connection of this process

        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            seconds = timeout or self.answer_seconds
            if seconds and self.heard_at < Connection.silent_at:  # one that was there when another one hung
                seconds = min(seconds, _SUSPECT_SECONDS)
            try:
                found = super().wait(gen, interval, seconds)
            except psycopg.errors._WaitTimeout:  # noqa: SLF001 - an OperationalError as others, but the answer may come yet
                Connection.silent_at = CLOCK.monotonic()
                self.pgconn.finish()
                raise psycopg.OperationalError(f"no answer came for {seconds:.0f} s") from None
            self.heard_at = CLOCK.monotonic()
            return found

    return Connection


@contextmanager
def patiently(connection: Connection) -> Iterator[None]:
    """Wait in the block for as long as it takes: for who writes a table anew, or for whoever keeps others out."""
    connection.answer_seconds, before = None, connection.answer_seconds
    try:
        yield
    finally:
        connection.answer_seconds = before


def lasting_address(url: str) -> str:
    """The address for whoever opens connections of its own: those notice that the other side is gone as ours do."""
    given = "&".join(f"{name}={value}" for name, value in _OPTIONS.items() if f"{name}=" not in url)
    return f"{address(url)}{'&' if '?' in url else '?'}{given}" if given else address(url)


@cache
def require_sessions(url: str, where: str) -> None:
    """Refuse a pooler that lends a session to others between two transactions: its locks would be theirs.

    Asked once of an address that is good: it takes two connections. Raises ConfigurationError, EnvironmentFailed.
    """
    with connected(url, where) as one, connected(url, where) as other, told(where):
        mine = _server_process(one)
        with other.transaction():
            is_lent = _server_process(other) == mine or _server_process(one) != mine
    if is_lent:
        problem = "goes through a pooler that lends sessions out: set pool_mode = session, or name the server itself"
        raise ConfigurationError([problem], source=where)


def _server_process(connection: Connection) -> object:
    return connection.execute("select pg_backend_pid()").fetchone()


def holder(connection: Connection, key: int) -> str | None:
    """Which machine and process hold the advisory lock of this number in this database; None if nobody does."""
    row = connection.execute(_HOLDER, (key,)).fetchone()
    return (row[0] or "somebody") if row else None


def cut(connection: Connection) -> None:
    """Cut the wire: whoever waits for an answer waits no longer, and the server, if it still hears us, lets go."""
    import psycopg

    with suppress(OSError, ValueError, psycopg.Error), socket.socket(fileno=os.dup(connection.pgconn.socket)) as wire:
        wire.shutdown(socket.SHUT_RDWR)


def address(url: str) -> str:
    """The address as PostgreSQL's own library takes it: without the driver that SQLAlchemy is told."""
    scheme, _, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}://{rest}"


def our_name() -> str:
    """By what others know who holds a lock: the machine and the process."""
    return f"process {os.getpid()} on {socket.gethostname()}"[:63]


@contextmanager
def told(where: str) -> Iterator[None]:
    """Turn what the server or the way to it says into EnvironmentFailed.

    Of the way there, of who is let in and of room the first line is told; of all else, which quotes values and
    addresses, the kind alone.
    """
    import psycopg

    try:
        yield
    except psycopg.Error as problem:
        line = str(problem).partition("\n")[0].strip() if isinstance(problem, psycopg.OperationalError) else ""
        words = f"{where}: {line or type(problem).__name__}; see that it runs and lets us in"
        raise EnvironmentFailed(words, code="database_failed") from None
