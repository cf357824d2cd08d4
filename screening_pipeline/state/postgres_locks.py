"""Locks by name in PostgreSQL: advisory locks of a session, which the server gives back when the session ends.

The session is a connection of its own, open while anything is held, and asked every five seconds whether it lives. One
that was lost holds nothing any more: then this process is interrupted, before the server lets others in.
"""

from __future__ import annotations

import hashlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from screening_pipeline.base import postgres
from screening_pipeline.base.clock import Clock, SystemClock
from screening_pipeline.base.errors import LockHeld, LockLost, ScreeningError

ASK_EVERY_SECONDS = 5.0
ANSWER_SECONDS = 9.0
_LOOK_EVERY_SECONDS = 0.2
_LAST_SECONDS = 75.0
"""After which who was interrupted and still holds what others may have by now is ended: it waits for nothing."""


def key_of(name: str) -> int:
    """The number by which PostgreSQL knows a lock: 64 bits, with a sign."""
    return int.from_bytes(hashlib.blake2b(f"screening {name}".encode(), digest_size=8).digest(), signed=True)


def interrupted() -> None:
    """Interrupt what this process does, as Ctrl-C would."""
    os.kill(os.getpid(), signal.SIGINT)


def ended(lost: LockLost) -> None:
    """End this process at once, with the exit code of what befell it."""
    sys.stderr.write(f"screening-pipeline: {lost}\n")
    sys.stderr.flush()
    os._exit(lost.exit_code)


@dataclass
class _Session:
    """One connection and what it holds: by name how often, and whether shared."""

    connection: postgres.Connection
    held: dict[str, tuple[int, bool]] = field(default_factory=dict)
    pid: int = field(default_factory=os.getpid)
    lost_by: str | None = None
    ended: threading.Event = field(default_factory=threading.Event)


class PostgresLocks:
    """Locks of all machines that share a database. `where`: the key that names its address, told in errors.

    `on_lost` is called, in a thread of its own, when the session was lost while anything is held, and `on_stuck` where
    anything still is some time later.
    """

    is_everywhere = True
    lost: LockLost | None = None

    def __init__(
        self,
        url: str,
        where: str,
        *,
        clock: Clock | None = None,
        on_lost: Callable[[], None] = interrupted,
        on_stuck: Callable[[LockLost], None] = ended,
    ) -> None:
        self._url, self._where = url, where
        self._clock = clock or SystemClock()
        self._on_lost, self._on_stuck = on_lost, on_stuck
        self._session: _Session | None = None
        self._mutex = threading.RLock()

    @contextmanager
    def hold(self, name: str, *, is_shared: bool = False, wait_seconds: float = 0.0) -> Iterator[None]:
        """Hold a lock in the session of this process."""
        session = self._taken_in_time(name, is_shared=is_shared, wait_seconds=wait_seconds)
        try:
            yield
        except KeyboardInterrupt:
            if session.lost_by is None:
                raise
        finally:
            self._let_go(session, name)
        if session.lost_by is not None:
            raise LockLost(name, session.lost_by)

    def is_held(self, name: str) -> bool:
        """Whether any session holds it."""
        return self.holder(name) is not None

    def holder(self, name: str) -> str | None:
        """The machine and process that hold it; None if nobody does."""
        with self._asking() as connection:
            return postgres.holder(connection, key_of(name))

    def forget(self, name: str) -> None:
        """Nothing is left behind of a lock that was let go."""

    def _taken_in_time(self, name: str, *, is_shared: bool, wait_seconds: float) -> _Session:
        until = self._clock.monotonic() + wait_seconds
        while (session := self._taken(name, is_shared=is_shared)) is None:
            if self._clock.monotonic() >= until:
                raise LockHeld(name, holder=self.holder(name))
            self._clock.sleep(_LOOK_EVERY_SECONDS)
        return session

    def _taken(self, name: str, *, is_shared: bool) -> _Session | None:
        """The session, holding the lock; None where somebody else has it, in this process or another."""
        with self._mutex:
            session = self._opened()
            times, is_held_shared = session.held.get(name, (0, is_shared))
            if times and not (is_shared and is_held_shared):
                return None  # the server would let one session take it twice
            try:
                if not times and not self._is_granted(session, name, is_shared=is_shared):
                    return None
                session.held[name] = (times + 1, is_shared)
                return session
            finally:
                self._end_if_idle(session)

    def _is_granted(self, session: _Session, name: str, *, is_shared: bool) -> bool:
        ask = "pg_try_advisory_lock_shared" if is_shared else "pg_try_advisory_lock"
        with postgres.told(self._where):
            row = session.connection.execute(f"select {ask}(%s)", (key_of(name),)).fetchone()
        return bool(row and row[0])

    def _let_go(self, session: _Session, name: str) -> None:
        with self._mutex:
            times, is_shared = session.held.pop(name)
            if times > 1:
                session.held[name] = (times - 1, is_shared)
            elif session.lost_by is None:  # asked, not only closed: the server notices an end some time later
                ask = "pg_advisory_unlock_shared" if is_shared else "pg_advisory_unlock"
                with suppress(ScreeningError), postgres.told(self._where):  # a lost session has let go already
                    session.connection.execute(f"select {ask}(%s)", (key_of(name),))
            self._end_if_idle(session)

    def _opened(self) -> _Session:
        session = self._session
        if session is None or session.lost_by is not None or session.pid != os.getpid():
            postgres.require_sessions(self._url, self._where)
            session = self._session = _Session(postgres.connected(self._url, self._where))
            self.lost = None
            threading.Thread(target=self._watch, args=(session,), name="locks", daemon=True).start()
        return session

    def _end_if_idle(self, session: _Session) -> None:
        """Close the session with its last lock: the server frees whatever it held."""
        if session.held:
            return
        session.ended.set()
        session.connection.close()
        if self._session is session:
            self._session = None

    @contextmanager
    def _asking(self) -> Iterator[Any]:
        """The session's connection where there is one, else one for this question."""
        with self._mutex:
            session = self._session
            if session is not None and session.lost_by is None and session.pid == os.getpid():
                with postgres.told(self._where):
                    yield session.connection
                return
        with postgres.connected(self._url, self._where) as connection, postgres.told(self._where):
            yield connection

    # ── is the session alive? ──────────────────────────────────────────────────────────────────────

    def _watch(self, session: _Session) -> None:
        while not session.ended.wait(ASK_EVERY_SECONDS):
            if not self._mutex.acquire(timeout=ANSWER_SECONDS):
                reason: str | None = "the database does not answer"  # whoever has the connection waits for it
            else:
                try:
                    if session.ended.is_set():
                        return
                    reason = _silence(session.connection)
                finally:
                    self._mutex.release()
            if reason is not None:
                self._lose(session, reason)
                return

    def _lose(self, session: _Session, reason: str) -> None:
        held = next(iter(session.held), None)
        session.lost_by = reason
        postgres.cut(session.connection)
        if held is not None:
            self.lost = lost = LockLost(held, reason)
            self._on_lost()
            if not session.ended.wait(_LAST_SECONDS):
                self._on_stuck(lost)


def _silence(connection: postgres.Connection) -> str | None:
    """What keeps a session from answering; None if it answered in time."""
    import psycopg

    raw = connection.pgconn
    try:
        raw.send_query(b"select 1")
        while raw.is_busy():
            if not select.select([raw.socket], [], [], ANSWER_SECONDS)[0]:
                return f"the database did not answer for {ANSWER_SECONDS:.0f} s"
            raw.consume_input()
        while raw.get_result() is not None:
            pass
    except (psycopg.Error, OSError, ValueError) as problem:  # the last where the wire is closed already
        return str(problem).partition("\n")[0] or type(problem).__name__
    return None if raw.status == psycopg.pq.ConnStatus.OK else "the database closed the session"
