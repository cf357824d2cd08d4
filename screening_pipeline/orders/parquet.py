"""The rows of a Parquet manifest, as text by column."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from screening_pipeline.base.sql_text import quote
from screening_pipeline.orders.blocks import Block, Line
from screening_pipeline.orders.dialect import bad_header, columns_named, misspelt
from screening_pipeline.orders.files import COLUMNS, Manifest, Problem
from screening_pipeline.warehouse import session

if TYPE_CHECKING:
    from screening_pipeline.warehouse.session import Connection

_FETCHED = 10_000
_OPEN_FILES = Path("/proc/self/fd")
_IDS = ("check_id", "candidate_ref")
# What an id may be a column of: everything else has lost or gained something on its way into the file.
_ID = re.compile(r"VARCHAR|U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?|DECIMAL\(\d+,0\)|UUID|ENUM\(.*\)", re.DOTALL)
_NESTED = re.compile(r"BLOB|BIT|(?:STRUCT|MAP|UNION)\(.*|.*\[\d*\]|VARIANT", re.DOTALL)
_ROUNDED = re.compile(r"FLOAT|DOUBLE|DECIMAL\(\d+,(?!0\))\d+\)")


def lines(connection: Connection, manifest: Manifest) -> Iterator[Line | Block]:
    """The rows of a Parquet file as text by column, or why it cannot be read."""
    try:
        # Apart from the transaction that is open: DuckDB gives one up in which anything failed.
        with session.apart(connection) as reader, manifest.open() as file:
            # By the open file: in a name some signs would mean other files.
            path = _OPEN_FILES / str(file.fileno()) if _OPEN_FILES.is_dir() else manifest.path
            yield from _rows(reader, f"read_parquet({quote(str(path))})", str(path))
    except session.DatabaseError:
        yield 1, Problem(None, "bad_parquet", "the file is not readable Parquet")


def _rows(reader: Connection, table: str, path: str) -> Iterator[Line | Block]:
    described = reader.execute(f"describe from {table}").fetchall()
    header = columns_named(name for name, *_ in described)
    kinds = {ours: kind for ours, (_, kind, *_) in zip(header, described, strict=True)}
    problem = bad_header(header, None) or _unfit(kinds)
    if problem:
        yield 1, problem
        return
    yield from misspelt(header, None)
    given = {ours: name for ours, (name, *_) in zip(header, described, strict=True) if ours in COLUMNS}
    utc = _in_96_bits(reader, path)
    cells = ", ".join(f"{_cell(ours, name, kinds[ours], utc)}::varchar" for ours, name in given.items())
    result = reader.execute(f"select {cells} from {table}")
    number = 1
    while rows := result.fetchmany(_FETCHED):
        columns = zip(given, zip(*rows, strict=True), strict=True)
        texts = {name: [cell or "" for cell in cells] for name, cells in columns}
        yield Block(range(number, number + len(rows)), texts)
        number += len(rows)


def _cell(ours: str, name: str, kind: str, utc: set[str]) -> str:
    """A column as it is read; DuckDB's own text of an object is no JSON."""
    column = '"' + name.replace('"', '""') + '"'
    if ours == "tags" and kind.startswith(("STRUCT", "MAP")):
        return f"to_json({column})"
    if ours == "ordered_at" and name in utc:
        return f"timezone('UTC', {column})"
    return column


def _in_96_bits(reader: Connection, path: str) -> set[str]:
    """The columns of instants as Spark and Hive write them: in UTC, though the file does not say so."""
    found = reader.execute(f"select name from parquet_schema({quote(path)}) where type = 'INT96'")
    return {name for (name,) in found.fetchall()}


def _unfit(kinds: Mapping[str, str]) -> Problem | None:
    """A column that holds no text of what it names, such as ids that an absent one has made numbers with decimals."""
    for name in (name for name in COLUMNS if name in kinds):
        kind = kinds[name]
        if name in _IDS and _ROUNDED.fullmatch(kind):
            return Problem(None, "bad_type", f"{name} is a column of numbers with decimals; make it text")
        is_unfit = not _ID.fullmatch(kind) if name in _IDS else name != "tags" and _NESTED.fullmatch(kind)
        if is_unfit:
            return Problem(None, "bad_type", f"{name} is a column of {_word(kind)}; make it text")
    return None


def _word(kind: str) -> str:
    """A type of DuckDB in the words of whoever made the file."""
    if kind.endswith("]"):
        return "lists"
    words = {"BLOB": "bytes", "BOOLEAN": "truth values", "STRUCT": "objects", "MAP": "objects"}
    return words.get(kind.partition("(")[0], f"type {kind.partition('(')[0].lower()}")
