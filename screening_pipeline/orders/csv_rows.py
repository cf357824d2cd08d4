"""The rows of a CSV, each with the line on which it begins; why others cannot be read.

Nearly all rows have one line. Whole blocks of such are split at once; only where a quote is left open, closes nothing
or holds a line end is a block read row by row.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, repeat

from screening_pipeline.orders.blocks import Block, Line
from screening_pipeline.orders.dialect import (
    HEADER_WITHIN,
    MOST_COLUMNS,
    Dialect,
    bad_header,
    columns_named,
    dialect_of,
    misspelt,
    no_header,
)
from screening_pipeline.orders.files import COLUMNS, REQUIRED, Problem
from screening_pipeline.orders.text_lines import LONGEST_LINE, TextLines

Cells = tuple[int, list[str] | Problem]
Whole = list[tuple[int, list[str]]]
"""Rows of one line each, none of them torn."""
# The longest row of a CSV, in lines: what goes on for longer is a quote that was left open.
_MOST_LINES = 100
# Columns in which nobody breaks a line.
_ONE_LINE = (*REQUIRED, "account", "subject", "candidate_ref", "ordered_at")


def csv_lines(text: TextLines) -> Iterator[Line | Block]:
    """The rows by the names of their columns, one by one or many at a time, or why one cannot be read."""
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
    for found in _told(rows, header):
        if isinstance(found, tuple):
            yield from _one(header, *found)
        elif block := _block(header, found):
            yield block
        else:
            for line, row in found:
                yield from _one(header, line, row)


def _told(rows: _Rows, header: Sequence[str]) -> Iterator[Cells | Whole]:
    """The cells of each row, of many at once where they can be; what `_Rows` holds is read before the next block."""
    for line, cells in rows:
        yield line, _bad_row(rows, line) if cells is None or _is_torn(rows, header, cells) else cells
        while not rows.is_holding and (block := rows.whole(header)):
            yield block


def _one(header: Sequence[str], line: int, found: list[str] | Problem) -> Iterator[Line]:
    """One row by the names of its columns; nothing where all of it is blank."""
    if isinstance(found, Problem):
        yield line, found
    elif any(map(str.strip, found)):
        yield line, _named(header, found, line)


def _block(header: Sequence[str], rows: Whole) -> Block | None:
    """These rows column by column; None where one has cells too many or too few, or may be blank."""
    if any(len(cells) != len(header) for _, cells in rows):
        return None
    columns = zip(header, zip(*(cells for _, cells in rows), strict=True), strict=True)
    known = {name: values for name, values in columns if name in COLUMNS}
    return Block([line for line, _ in rows], known) if all(map(str.strip, known["vendor"])) else None


def _named(header: Sequence[str], cells: list[str], line: int) -> Mapping[str, str] | Problem:
    if len(cells) != len(header):
        return Problem(line, "bad_csv", f"{len(cells)} cells under a header of {len(header)}")
    return dict(zip(header, cells, strict=True))


class _Rows:
    """The rows of a CSV text from its header on, each with the line on which it begins; None for what is no row."""

    def __init__(self, text: TextLines, first: Sequence[str], dialect: Dialect) -> None:
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

    @property
    def is_holding(self) -> bool:
        """Whether lines were read that are in no row yet."""
        return bool(self._again)

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

    def whole(self, header: Sequence[str]) -> Whole:
        """The rows of the next block, of one line each; [] where it is to be read row by row, and at the end."""
        lines = self._text.block()
        cells = _of_one_line(lines, self._delimiter, header)
        if not cells:
            self._again.extend(lines)
            return []
        begin = self._line + self.height
        self._line, self._taken = begin + len(cells), []
        return list(enumerate(cells, start=begin))

    def reread(self) -> None:
        """Read what followed the first line of the last row once more."""
        self._again.extendleft(reversed(self._taken[1:]))
        del self._taken[1:]
        self._begin()

    def _lines(self) -> Iterator[str]:
        while line := self._again.popleft() if self._again else next(self._text, ""):
            self._taken.append(line)
            self.is_too_long = _is_too_long(line, self._delimiter)
            if self.height > _MOST_LINES or self.is_too_long:
                raise csv.Error
            yield line


def _of_one_line(lines: Sequence[str], delimiter: str, header: Sequence[str]) -> list[list[str]]:
    """The cells of each line; [] where one is too long, or a quote in it may be none around a cell."""
    is_any_long = max(map(len, lines), default=0) >= MOST_COLUMNS  # who has fewer signs has fewer cells
    if is_any_long and any(_is_too_long(line, delimiter) for line in lines):
        return []
    try:
        cells = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return []
    is_quoted = any('"' in line for line in lines)
    is_torn = is_quoted and any(map(_has_torn, repeat(header), cells))
    return [] if len(cells) != len(lines) or is_torn else cells


def _is_too_long(line: str, delimiter: str) -> bool:
    return len(line) >= LONGEST_LINE or line.count(delimiter) >= MOST_COLUMNS


def _is_torn(rows: _Rows, header: Sequence[str], cells: list[str]) -> bool:
    """Whether a quote that was left open, or one that closes nothing, may have moved the ends of cells."""
    return rows.is_quoted and ((rows.height > 1 and len(cells) != len(header)) or _has_torn(header, cells))


def _has_torn(header: Sequence[str], cells: list[str]) -> bool:
    told = (cell for name, cell in zip(header, cells, strict=False) if name in _ONE_LINE)
    return any("\n" in cell or cell.endswith('"') for cell in told)


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
