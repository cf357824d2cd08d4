"""A session of DuckDB: opened in UTC, statements, rows, transactions."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from screening_pipeline.base import memory_files
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.base.sql_text import quote
from screening_pipeline.warehouse.failures import require_room

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from screening_pipeline.warehouse.catalog import Relation


HOME = "screening"


class Traits:
    """What a database offers, and what belongs to each transaction of the live warehouse: those of a DuckDB file."""

    keeps_compression = True
    """Whether a column may name how it is compressed."""
    keeps_collations = True
    """Whether a column may name how it is compared."""
    keeps_every_comment = True
    """Whether macros and the columns of views have comments, as tables and theirs have."""

    def begun(self, connection: Connection) -> None:
        """Do what comes first in a transaction of the live warehouse."""

    def committed(self) -> None:
        """Note that such a transaction stands."""

    def copied(self, connection: Connection, relations: Sequence[Relation]) -> None:
        """Add to a snapshot, in the transaction that copies it, what it cannot say otherwise."""

    def pack(self, connection: Connection) -> None:
        """Write what a rebuild has left in a log into its place."""
        connection.execute("checkpoint")


_FILE = Traits()


def traits(connection: Connection) -> Traits:
    """The traits of what is opened; a plain connection of DuckDB's has a file open."""
    found: Traits = getattr(connection, "traits", _FILE)
    return found


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Context manager: one transaction of the live warehouse, committed at the end, rolled back on any exception."""
    with own_transaction(connection):
        traits(connection).begun(connection)
        yield
    traits(connection).committed()


@contextmanager
def own_transaction(connection: Connection) -> Iterator[None]:
    """Context manager: the same of any other database that is attached."""
    connection.execute("begin")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


Connection = duckdb.DuckDBPyConnection
DatabaseError = duckdb.Error
NAME = HOME
# The two threads of one core are counted as two: with both a rebuild costs a third more, twice the memory, and no
# less time.
THREADS = max(1, (os.cpu_count() or 1) // 2)
# What follows the locale of the process or somebody's settings: the calendar, by which instants are counted in days.
# And of a file nothing is remembered: one that was replaced within a second is another one.
SESSION = "set timezone = 'UTC'; set calendar = 'gregorian'; set enable_external_file_cache = false"
# Between the cells of a row that DuckDB reads; no text has it that is kept as one.
_SEPARATOR = "\x1f"
_MEMORY = "set memory_limit = '4GB'"
# A quarter of what DuckDB takes: most tables, and what a cycle adds to any, fill a small part of a block.
_BLOCKS = "block_size 65536"
# Who reads a snapshot needs this version or a later one. In an older format earlier ones could read a whole copy, but
# not one that this version has changed, and say so as an internal error.
SHARED = f"storage_version 'v1.5.0', {_BLOCKS}"


@contextmanager
def attached(path: Path, *, is_read_only: bool = False, is_new: bool = False) -> Iterator[Connection]:
    """Context manager: a connection whose default database is the file at `path`, in UTC, spilling only beside it.

    `is_new`: it is made, in the newest format, which only the pipeline itself has to be able to read.
    """
    connection = duckdb.connect()
    try:
        configure(connection, path.parent)
        # To put small row groups together makes every commit dearer by half; `publish` has it done at times.
        connection.execute("set max_vacuum_tasks = 0")
        # With the cryptography that it brings along DuckDB writes nothing encrypted, unless it is told that we know:
        # its random numbers are not made for that. Better is an extension, which would come from elsewhere.
        connection.execute("set force_mbedtls_unsafe = 'true'")
        mode = " (read_only)" if is_read_only else f" (storage_version 'latest', {_BLOCKS})" if is_new else ""
        try:
            connection.execute(f"attach {quote(str(path))} as {NAME}{mode}; use {NAME}")
        except duckdb.Error as problem:
            require_room(problem, path.parent)
            raise EnvironmentFailed(
                f"cannot open {path.name}: {type(problem).__name__}; `screening-pipeline doctor` looks into it",
                code="warehouse_unreadable",
            ) from None
        yield connection
    finally:
        connection.close()


def configure(connection: Connection, folder: Path) -> None:
    """Have a session count in UTC, in one thread and bounded memory, and spill only into `folder`, encrypted."""
    connection.execute(f"{SESSION}; set preserve_insertion_order = false; {_MEMORY}")
    connection.execute("set threads = 1")  # most batches are small, and threads that wait cost more
    connection.execute(f"set temp_directory = {quote(str(folder / '.duckdb_spill'))}; set temp_file_encryption = true")


@contextmanager
def in_bulk(connection: Connection) -> Iterator[None]:
    """Context manager: settings for large batches: more threads, joins in the order written.

    DuckDB takes a table for empty that the open transaction has filled, and would build its hash tables of the
    larger side. The statements name the side to look up in last. After an error it stays so: the transaction is lost.
    """
    connection.execute(f"set threads = {THREADS}; set disabled_optimizers = 'join_order,build_side_probe_side'")
    yield
    connection.execute("set threads = 1; set disabled_optimizers = ''")


@contextmanager
def apart(connection: Connection) -> Iterator[Connection]:
    """Context manager: a second session beside the open transaction, in UTC; its failures leave that one alone."""
    with connection.cursor() as beside:
        beside.execute(SESSION)
        yield beside


def forget_blocks(connection: Connection) -> None:
    """Free DuckDB's buffer cache, which otherwise grows up to its limit."""
    with suppress(duckdb.OutOfMemoryException):  # more is in use
        connection.execute("set memory_limit = '64MB'")
    connection.execute(_MEMORY)


def insert(
    connection: Connection, table: str, rows: Iterable[Mapping[str, Any]], shared: Mapping[str, str] | None = None
) -> None:
    """Append `rows` to `table`, by column name; values are JSON values, cast to the columns' types.

    `shared`: the columns that all rows have in common, as texts.
    """
    given = list(rows)
    if not given:
        return
    constant = shared or {}
    described = connection.execute(f"describe {table}").fetchall()
    types = ", ".join(f'"{name}": {quote(kind)}' for name, kind, *_ in described if name not in constant)
    columns = "".join(f', {quote(value)} as "{name}"' for name, value in constant.items())
    # As one text: to begin a new one for each row costs as much as the row.
    with memory_files.in_memory(json.dumps(given, ensure_ascii=False).encode()) as path:
        connection.execute(
            f"insert into {table} by name select *{columns} from "
            f"read_json({quote(path)}, format = 'array', columns = {{{types}}})"
        )


def insert_columns(
    connection: Connection, table: str, columns: Mapping[str, Sequence[Any]], shared: Mapping[str, str]
) -> None:
    """Append rows that are given column by column; "" and None are null. For many: it costs a third of `insert`.

    `shared`: the columns that all rows have in common, as texts. Raises ValueError where a text has control characters.
    """
    texts = (map(str, values) if name == "line" else values for name, values in columns.items())
    lines = "\n".join(map(_SEPARATOR.join, zip(*texts, strict=True)))
    size = len(next(iter(columns.values()), ()))
    if not size:
        return
    if lines.count("\n") != size - 1 or lines.count(_SEPARATOR) != size * (len(columns) - 1):
        raise ValueError("a text has control characters")
    described = {name: kind for name, kind, *_ in connection.execute(f"describe {table}").fetchall()}
    types = ", ".join(f'"{name}": {quote(described[name])}' for name in columns)
    constant = "".join(f', {quote(value)} as "{name}"' for name, value in shared.items())
    with memory_files.in_memory(lines.encode()) as path:
        connection.execute(
            f"insert into {table} by name select *{constant} from read_csv({quote(path)}, columns = {{{types}}}, "
            f"auto_detect = false, header = false, delim = '{_SEPARATOR}', quote = '', escape = '')"
        )


def replace(connection: Connection, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace all rows of `table` by `rows`."""
    connection.execute(f"delete from {table}")
    insert(connection, table, rows)


def rows(connection: Connection, query: str) -> list[dict[str, Any]]:
    """The rows of a query as dictionaries."""
    result = connection.execute(query)
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def columns(connection: Connection, query: str) -> dict[str, NDArray[Any]]:
    """The columns of a query as numpy arrays: NaN for a number that is null, None for a text. Imports no pandas."""
    return {name: _plain(column) for name, column in connection.execute(query).fetchnumpy().items()}


def _plain(column: Any) -> NDArray[Any]:
    import numpy as np

    values, is_null = np.ma.getdata(column), np.ma.getmaskarray(column)
    nothing = np.full(1, None if values.dtype == object else np.nan)
    return np.where(is_null, nothing, values) if is_null.any() else values


def frame(connection: Connection, query: str) -> pd.DataFrame:
    """The rows of a query as a pandas DataFrame: instants in UTC, nullable numbers."""
    with warnings.catch_warnings():
        # DuckDB 1.5 makes instants in a way that pandas 3.1 means to drop.
        warnings.filterwarnings("ignore", "The inplace keyword", DeprecationWarning)
        return connection.execute(query).df()
