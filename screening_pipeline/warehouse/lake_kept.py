"""Sessions with lakes attached, kept open from one use to the next: to open one costs as much as a small batch.

A process that lasts finds its last one again. One whose use ended in an error is closed, and each is closed after some
minutes: keys of an object store expire. A forked child leaves those of its parent alone.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.warehouse import session

if TYPE_CHECKING:
    from screening_pipeline.warehouse.session import Connection


USED_FOR_SECONDS = 600.0


class _Kept(NamedTuple):
    connection: Connection
    pid: int
    opened_at: float


_kept: dict[tuple[object, ...], _Kept] = {}
_of_parents: list[_Kept] = []
_mutex = threading.Lock()
_clock = SystemClock()


@contextmanager
def kept(key: tuple[object, ...], opened: Callable[[], Connection]) -> Iterator[Connection]:
    """Context manager: a session for `key`, made by `opened` where none is kept."""
    one = _taken(key) or _Kept(opened(), os.getpid(), _clock.monotonic())
    try:
        yield one.connection
        session.forget_blocks(one.connection)
    except BaseException:
        one.connection.close()
        raise
    with _mutex:
        another = _kept.get(key)
        _kept[key] = one
    if another:
        another.connection.close()


def forget() -> None:
    """Close what is kept: at the end, and when nothing of it may stay in memory."""
    with _mutex:
        found = [*_kept.values()]
        _kept.clear()
    for one in found:
        if one.pid == os.getpid():
            with suppress(session.DatabaseError):  # its server may be gone
                one.connection.close()
        else:
            _of_parents.append(one)


def _taken(key: tuple[object, ...]) -> _Kept | None:
    with _mutex:
        found = _kept.pop(key, None)
    if found is None:
        return None
    if found.pid != os.getpid():
        _of_parents.append(found)  # closing it would end what the parent has open
        return None
    if _clock.monotonic() - found.opened_at > USED_FOR_SECONDS or not _is_alive(found.connection):
        found.connection.close()
        return None
    return found


def _is_alive(connection: Connection) -> bool:
    """Whether the catalogues answer in the session that was kept."""
    try:
        lakes = connection.execute("select database_name from duckdb_databases() where type = 'ducklake'").fetchall()
        for (name,) in lakes:
            connection.execute(f"from {name}.current_snapshot()").fetchall()
    except session.DatabaseError:
        return False
    return True


atexit.register(forget)
