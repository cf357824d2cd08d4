"""Lines of CSV, NDJSON and Parquet manifests, as texts by column."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from screening_pipeline.base import memory_files
from screening_pipeline.base.nearest_word import did_you_mean
from screening_pipeline.base.sql_text import quote
from screening_pipeline.landing.strict_json import unique
from screening_pipeline.orders.files import COLUMNS, OPTIONAL, REQUIRED, Problem
from screening_pipeline.warehouse import session

if TYPE_CHECKING:
    from screening_pipeline.orders.files import Manifest
    from screening_pipeline.warehouse.session import Connection


# Columns in which nobody breaks a line.
_ONE_LINE = (*REQUIRED, "account", "subject", "candidate_ref", "ordered_at")


# The longest row of a CSV, in lines: what goes on for longer is a quote that was left open.
_MOST_LINES = 100
# Names of columns that are looked at for a misspelt one; lines of JSON may have any number of them.
_MOST_NAMES = 1_000
# Columns that customers have besides, and that no slip has made of one of ours (country).
_WORDS = ("county",)


def manifest_lines(connection: Connection, manifest: Manifest) -> Iterator[tuple[int, Mapping[str, str] | Problem]]:
    """The lines of a manifest: the number in the file, and its cells by column or what is wrong with it."""
    match manifest.path.suffix.lower():
        case ".csv":
            return _csv_lines(manifest.content)
        case ".ndjson":
            return _ndjson_lines(manifest.content)
        case _:
            return _parquet_lines(connection, manifest)


def _csv_lines(content: bytes) -> Iterator[tuple[int, Mapping[str, str] | Problem]]:
    rows = _Rows(content)
    line, first = next(rows, (1, []))
    header = [name.strip() for name in first or ()]
    problem = _bad_header(header) if first is not None else _bad_row(rows, line)
    if problem:
        yield line, problem
        return
    yield from _misspelt(header, line)
    for line, cells in rows:
        if cells is None or (rows.is_quoted and _is_torn(header, cells, rows.height)):
            yield line, _bad_row(rows, line)
        elif any(cell.strip() for cell in cells):
            yield line, _cells(header, cells, line)


class _Rows:
    """The rows of a CSV text, each with the line on which it begins; None for what is no row."""

    def __init__(self, content: bytes) -> None:
        self._text = _text_lines(content, newline="")
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._line = 1
        self._reader = csv.reader(self._lines(), strict=True)

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
        line = self._line
        try:
            return line, next(self._reader)
        except csv.Error:
            return line, None

    def reread(self) -> None:
        """Read what followed the first line of the last row once more."""
        self._again.extendleft(reversed(self._taken[1:]))
        del self._taken[1:]
        self._reader = csv.reader(self._lines(), strict=True)

    def _lines(self) -> Iterator[str]:
        while line := self._again.popleft() if self._again else next(self._text, ""):
            self._taken.append(line)
            if self.height > _MOST_LINES:
                raise csv.Error
            yield line


def _is_torn(header: list[str], cells: list[str], height: int) -> bool:
    """Whether a quote that was left open, or one that closes nothing, may have moved the ends of cells."""
    told = (cell for name, cell in zip(header, cells, strict=False) if name in _ONE_LINE)
    return (height > 1 and len(cells) != len(header)) or any("\n" in cell or cell.endswith('"') for cell in told)


def _bad_row(rows: _Rows, line: int) -> Problem:
    """Why the last row was not read; what a quote that is open in it has swallowed is read again."""
    if rows.height == 1:
        return Problem(line, "bad_csv", "the row is not well-formed CSV")
    detail = f"a quote seems to be left open in the row: it would go on to line {line + rows.height - 1}"
    rows.reread()
    return Problem(line, "bad_csv", detail)


def _text_lines(content: bytes, *, newline: str) -> io.TextIOWrapper:
    """The lines, decoded as they are asked for."""
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", errors="replace", newline=newline)


def _bad_header(header: list[str]) -> Problem | None:
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        return Problem(1, "missing_column", f"the header has no {' and no '.join(missing)}")
    twice = sorted({name for name in header if header.count(name) > 1 and name in COLUMNS})
    return Problem(1, "duplicate_column", f"the header has {twice[0]} twice") if twice else None


def _misspelt(names: Collection[str], line: int | None) -> Iterator[tuple[int, Problem]]:
    """At most one problem, of names that are nearly those of columns which are not there; others are the customer's."""
    absent = [name for name in OPTIONAL if name not in names]
    others = islice((name for name in names if name not in COLUMNS and name not in _WORDS), _MOST_NAMES)
    # A slip of the pen; with the usual cutoff candidate_id would be one of candidate_ref.
    near = ((name, did_you_mean(name, absent, alike=0.85)) for name in others)
    found = [f"{name!a} is no column{hint}" for name, hint in near if hint]
    if found:
        yield line or 1, Problem(line, "unknown_column", " ".join(found))


def _cells(header: list[str], cells: list[str], line: int) -> Mapping[str, str] | Problem:
    if len(cells) != len(header):
        return Problem(line, "bad_csv", f"{len(cells)} cells under a header of {len(header)}")
    return dict(zip(header, cells, strict=True))


def _ndjson_lines(content: bytes) -> Iterator[tuple[int, Mapping[str, str] | Problem]]:
    names: set[str] = set()
    for number, line in enumerate(_text_lines(content, newline="\n"), start=1):
        if not line.strip():
            continue
        try:
            given = json.loads(line, object_pairs_hook=unique)
        except (ValueError, RecursionError):
            yield number, Problem(number, "bad_json", "the line is not JSON, or gives a name twice")
            continue
        if isinstance(given, dict):
            names.update(given)
            yield number, _texts(number, given)
        else:
            yield number, Problem(number, "bad_json", "the line is not a JSON object")
    yield from _misspelt(sorted(names), None)


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


def _parquet_lines(connection: Connection, manifest: Manifest) -> Iterator[tuple[int, Mapping[str, str] | Problem]]:
    try:
        # Apart from the transaction that is open: DuckDB gives one up in which anything failed.
        with session.apart(connection) as reader, memory_files.in_memory(manifest.content) as path:
            table = f"read_parquet({quote(path)})"
            kinds = {name: kind for name, kind, *_ in reader.execute(f"describe from {table}").fetchall()}
            result = reader.execute(f"select columns(*)::varchar from (select {_cells_of(kinds)} from {table})")
            header = [column[0] for column in result.description or []]
            rows = result.fetchall()
    except session.DatabaseError:
        yield 1, Problem(None, "bad_parquet", "the file is not readable Parquet")
        return
    problem = _bad_header(header) or _rounded(kinds)
    if problem:
        yield 1, problem
        return
    yield from _misspelt(header, None)
    for number, cells in enumerate(rows, start=1):
        yield number, {name: "" if cell is None else cell for name, cell in zip(header, cells, strict=True)}


def _cells_of(kinds: Mapping[str, str]) -> str:
    """Every column as it is, but tags that are an object already as JSON: DuckDB's own text of one is not."""
    is_object = kinds.get("tags", "").startswith(("STRUCT", "MAP"))
    return "* replace (to_json(tags) as tags)" if is_object else "*"


def _rounded(kinds: Mapping[str, str]) -> Problem | None:
    """Ids that passed through a floating-point column, as an absent one makes pandas do, are ids no longer."""
    for name in ("check_id", "candidate_ref"):
        if re.fullmatch(r"FLOAT|DOUBLE|DECIMAL\(\d+,(?!0\))\d+\)", kinds.get(name, "")):
            return Problem(None, "bad_type", f"{name} is a column of numbers with decimals; make it text")
    return None
