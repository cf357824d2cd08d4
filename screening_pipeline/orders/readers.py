"""From the bytes of a manifest to its rows as text by column, each with its line; why others cannot be read.

Nothing is read as a whole: a line has a bound, and a row of a CSV has one in lines.
"""

from __future__ import annotations

import csv
import io
import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import IO, TYPE_CHECKING

from screening_pipeline.landing.strict_json import unique
from screening_pipeline.orders import parquet
from screening_pipeline.orders.dialect import (
    HEADER_WITHIN,
    MOST_COLUMNS,
    Dialect,
    bad_header,
    columns_named,
    dialect_of,
    encoding_of,
    misspelt,
    no_header,
    other_kind,
)
from screening_pipeline.orders.files import COLUMNS, REQUIRED, Manifest, Problem

if TYPE_CHECKING:
    from screening_pipeline.warehouse.session import Connection

Line = tuple[int, Mapping[str, str] | Problem]

LONGEST_LINE = 1_000_000
"""Characters; what is longer was not made by whoever lists orders, line by line."""
# The longest row of a CSV, in lines: what goes on for longer is a quote that was left open.
_MOST_LINES = 100
# Columns in which nobody breaks a line.
_ONE_LINE = (*REQUIRED, "account", "subject", "candidate_ref", "ordered_at")
_BEGINNING = 4096


def lines(connection: Connection, manifest: Manifest) -> Iterator[Line]:
    """The rows of a manifest as text by column, or why one cannot be read. A file without any is a problem itself."""
    is_empty = True
    for line in _lines(connection, manifest):
        is_empty = False
        yield line
    if is_empty and not manifest.is_partial:
        yield 1, Problem(None, "no_rows", "there is no row of an order in it")


def _lines(connection: Connection, manifest: Manifest) -> Iterator[Line]:
    ending = manifest.path.suffix.lower()
    if ending == ".parquet":
        yield from parquet.lines(connection, manifest)
        return
    with manifest.open() as file:
        if what := other_kind(beginning := file.read(_BEGINNING), ending):
            yield 1, Problem(None, "not_text", what)
            return
        file.seek(0)
        text = _Text(file, manifest.size, encoding_of(beginning), newline="" if ending == ".csv" else "\n")
        yield from _csv_lines(text) if ending == ".csv" else _ndjson_lines(text)


def words_of(manifest: Manifest) -> str | None:
    """How a file is written, for a person; None where that is as the README has it."""
    if manifest.path.suffix.lower() != ".csv":
        return None
    with manifest.open() as file:
        encoding = encoding_of(file.read(_BEGINNING))
        file.seek(0)
        dialect = dialect_of(list(islice(_Text(file, manifest.size, encoding, newline=""), HEADER_WITHIN)))
    return dialect.words(encoding) if dialect else None


class _Text:
    """The lines of a text, decoded as they are asked for; of one that is too long only the beginning."""

    def __init__(self, file: IO[bytes], size: int, encoding: str, *, newline: str) -> None:
        self._text = io.TextIOWrapper(
            io.BufferedReader(_Limited(file, size)), encoding=encoding, errors="replace", newline=newline
        )
        self._is_first = True
        self.is_cut = False

    def __iter__(self) -> _Text:
        return self

    def __next__(self) -> str:
        line = self._text.readline(LONGEST_LINE)
        self.is_cut = len(line) == LONGEST_LINE and not line.endswith(("\n", "\r"))
        rest = line
        while self.is_cut and rest and not rest.endswith(("\n", "\r")):
            rest = self._text.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        if self._is_first:
            self._is_first, line = False, line.removeprefix("\ufeff")
        return line


class _Limited(io.RawIOBase):
    """The first bytes of a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        content = self._file.read(min(len(buffer), self._left))
        buffer[: len(content)] = content
        self._left -= len(content)
        return len(content)


# ── CSV ────────────────────────────────────────────────────────────────────────────────────────────


def _csv_lines(text: _Text) -> Iterator[Line]:
    first = list(islice(text, HEADER_WITHIN))
    dialect = dialect_of(first)
    rows = _Rows(text, first, dialect or Dialect())
    line, cells = next(rows, (1, []))
    header = columns_named(cells or ())
    problem = bad_header(header, line) if cells is not None else _bad_row(rows, line)
    if problem:
        yield line, problem if problem.reason != "missing_column" else no_header(first)
        return
    yield from misspelt(header, line)
    for line, cells in rows:
        if cells is None or (rows.is_quoted and _is_torn(header, cells, rows.height)):
            yield line, _bad_row(rows, line)
        elif any(cell.strip() for cell in cells):
            yield line, _cells(header, cells, line)


class _Rows:
    """The rows of a CSV text from its header on, each with the line on which it begins; None for what is no row."""

    def __init__(self, text: _Text, first: Sequence[str], dialect: Dialect) -> None:
        self._text = text
        self._again: deque[str] = deque(first[dialect.header_line - 1 :])
        self._taken: list[str] = []
        self._line = dialect.header_line
        self._delimiter = dialect.delimiter
        self.is_too_long = False
        self._begin()

    def _begin(self) -> None:
        self._reader = csv.reader(self._lines(), delimiter=self._delimiter, strict=True)

    @property
    def height(self) -> int:
        """How many lines the last row has."""
        return len(self._taken)

    @property
    def is_quoted(self) -> bool:
        """Whether there is a quote in the last row; one of several lines begins with one in its first."""
        return '"' in self._taken[0]

    def __iter__(self) -> _Rows:
        return self

    def __next__(self) -> tuple[int, list[str] | None]:
        self._line += self.height
        self._taken.clear()
        line, self.is_too_long = self._line, False
        try:
            return line, next(self._reader)
        except csv.Error:
            self._begin()
            return line, None

    def reread(self) -> None:
        """Read what followed the first line of the last row once more."""
        self._again.extendleft(reversed(self._taken[1:]))
        del self._taken[1:]
        self._begin()

    def _lines(self) -> Iterator[str]:
        while line := self._again.popleft() if self._again else next(self._text, ""):
            self._taken.append(line)
            self.is_too_long = len(line) >= LONGEST_LINE or line.count(self._delimiter) >= MOST_COLUMNS
            if self.height > _MOST_LINES or self.is_too_long:
                raise csv.Error
            yield line


def _is_torn(header: Sequence[str], cells: list[str], height: int) -> bool:
    """Whether a quote that was left open, or one that closes nothing, may have moved the ends of cells."""
    told = (cell for name, cell in zip(header, cells, strict=False) if name in _ONE_LINE)
    return (height > 1 and len(cells) != len(header)) or any("\n" in cell or cell.endswith('"') for cell in told)


def _bad_row(rows: _Rows, line: int) -> Problem:
    """Why the last row was not read; what a quote that is open in it has swallowed is read again."""
    if rows.is_too_long and rows.height == 1:
        detail = f"the line has more than {MOST_COLUMNS:,} cells or {LONGEST_LINE:,} characters"
        return Problem(line, "too_long", f"{detail}: are the rows parted by line ends?")
    if rows.height == 1:
        return Problem(line, "bad_csv", "the row is not well-formed CSV")
    detail = f"a quote seems to be left open in the row: it would go on to line {line + rows.height - 1}"
    rows.reread()
    return Problem(line, "bad_csv", detail)


def _cells(header: Sequence[str], cells: list[str], line: int) -> Mapping[str, str] | Problem:
    if len(cells) != len(header):
        return Problem(line, "bad_csv", f"{len(cells)} cells under a header of {len(header)}")
    return dict(zip(header, cells, strict=True))


# ── NDJSON ─────────────────────────────────────────────────────────────────────────────────────────


def _ndjson_lines(text: _Text) -> Iterator[Line]:
    names: dict[str, None] = {}
    for number, line in enumerate(text, start=1):
        if text.is_cut:
            yield number, Problem(number, "too_long", f"the line has more than {LONGEST_LINE:,} characters")
        elif line.strip():
            given = _object(number, line)
            if not isinstance(given, Problem) and len(names) < MOST_COLUMNS:
                names |= dict.fromkeys(islice(given, MOST_COLUMNS))
            yield number, given if isinstance(given, Problem) else _texts(number, given)
    yield from misspelt(sorted(names), None)


def _object(number: int, line: str) -> Mapping[str, object] | Problem:
    """The JSON object in a line, its keys as our names of columns."""
    try:
        given = json.loads(line, object_pairs_hook=unique)
    except (ValueError, RecursionError):
        detail = "the line is not one JSON object, or gives a name twice"
        return Problem(number, "bad_json", detail)
    if not isinstance(given, dict):
        return Problem(number, "bad_json", "the line is not a JSON object")
    if all(name in COLUMNS for name in given):
        return given
    names = columns_named(given)
    named = dict(zip(names, given.values(), strict=True))
    if len(named) < len(names) and bad_header(names[:MOST_COLUMNS], number):
        return bad_header(names[:MOST_COLUMNS], number) or given
    return named


def _texts(line: int, given: Mapping[str, object]) -> Mapping[str, str] | Problem:
    """The columns as text. A number with a fraction, a truth value or a list is no name of anything."""
    texts = {}
    for name in COLUMNS:
        value = given.get(name)
        if isinstance(value, str):
            texts[name] = value
        elif (isinstance(value, int) and not isinstance(value, bool)) or (name == "tags" and isinstance(value, dict)):
            texts[name] = json.dumps(value, ensure_ascii=False)
        elif value is not None:
            return Problem(line, "bad_value", f"{name} is neither text nor a whole number")
    return texts
