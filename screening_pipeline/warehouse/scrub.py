"""Reading a database through: whatever block of it is not as it was written, DuckDB tells by its checksum."""

from __future__ import annotations

from collections.abc import Callable
from random import SystemRandom
from typing import TYPE_CHECKING

from screening_pipeline.warehouse import catalog

if TYPE_CHECKING:
    from screening_pipeline.warehouse.session import Connection


ROWS_AT_ONCE = 500_000


def read_through(connection: Connection, is_over: Callable[[], bool]) -> bool:
    """Read every row of every table, or as many pieces, by chance, as there is time for; whether that was all of it.

    Raises what the connection raises where a block is damaged.
    """
    pieces = connection.execute(catalog.statement("list_pieces", rows=ROWS_AT_ONCE)).fetchall()
    SystemRandom().shuffle(pieces)
    for table, first in pieces:
        if is_over():
            return False
        last = first + ROWS_AT_ONCE - 1
        connection.execute(f"select bit_xor(hash(p)) from {table} as p where rowid between {first} and {last}")
    return True
