"""How a text file of orders is written: its encoding, what parts its cells, and where its header is. Pure.

People's files come out of spreadsheets: with semicolons or tabs, in UTF-16, with a `sep=` line or a title above the
header, with names of columns in capitals. Only the header tells, since no row may be guessed at.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from screening_pipeline.base.nearest_word import did_you_mean
from screening_pipeline.domain.ids import trimmed
from screening_pipeline.orders.files import COLUMNS, OPTIONAL, REQUIRED, Problem, utf_16_of

MOST_COLUMNS = 1_000
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
HEADER_WITHIN = 20
"""Lines among which the header is looked for: titles and dates of a report may stand above it."""
# Columns that customers have besides, and that no slip has made of one of ours (country).
_WORDS = ("county",)
_LONGEST_NAME = 40
_JOINTS = re.compile(r"[\s_\-.]+")
_SEP = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_OTHER_KINDS = (
    (b"PK\x03\x04", "this is an Excel workbook or another archive: save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "this is an Excel workbook: save the sheet as CSV"),
    (b"PAR1", "this is a Parquet file: give it a name that ends in .parquet"),
    (b"\x1f\x8b", "this is compressed: unpack it"),
    (b"\x28\xb5\x2f\xfd", "this is compressed: unpack it"),
    (b"BZh", "this is compressed: unpack it"),
    (b"%PDF", "this is a PDF: export the orders as CSV"),
    (b"SQLite format 3\x00", "this is a database: export the orders as CSV"),
    (b"\xff\xfe\x00\x00", "this is UTF-32 text: save it as UTF-8"),
    (b"\x00\x00\xfe\xff", "this is UTF-32 text: save it as UTF-8"),
)
_OTHER_TEXTS = (
    ("{", ".csv", "this is JSON: put one object on a line, in a file whose name ends in .ndjson"),
    ("[", "", "this is a JSON array: put one object on a line, in a file whose name ends in .ndjson"),
    ("<", "", "this is a web page or XML: save the orders as CSV"),
)
_SHORTHANDS = {name.replace("_", ""): name for name in COLUMNS}


@dataclass(frozen=True)
class Dialect:
    """How a CSV is written. `header_line` is the line, from 1, on which the names of the columns stand."""

    delimiter: str = ","
    header_line: int = 1
    header: Sequence[str] = field(default=())

    def words(self, encoding: str) -> str | None:
        """What a person should know of it; None where it is written as the README has it."""
        said = [
            *([DELIMITERS.get(self.delimiter, f"'{self.delimiter}'")] if self.delimiter != "," else []),
            *([encoding.upper()] if encoding != "utf-8-sig" else []),
            *([f"header in line {self.header_line}"] if self.header_line > 1 else []),
        ]
        return ", ".join(said) or None


def other_kind(beginning: bytes, ending: str) -> str | None:
    """What a file is and what to do about it, where it is no text of lines such as its name says."""
    if beginning and not beginning.strip(b"\0"):
        return "it begins with zeros: was it copied or downloaded as a whole?"
    for sign, what in _OTHER_KINDS:
        if beginning.startswith(sign):
            return what
    text = beginning.decode(encoding_of(beginning), "replace").lstrip("\ufeff \t\r\n")
    for mark, only, what in _OTHER_TEXTS:
        if text.startswith(mark) and only in ("", ending):
            return what
    return None


def encoding_of(beginning: bytes) -> str:
    """UTF-16 where the first two bytes tell, else UTF-8, with or without a mark."""
    return utf_16_of(beginning) or "utf-8-sig"


def column_named(name: str) -> str:
    """Our name of a column, where it differs in capitals, blanks and hyphens alone; else the name without blanks."""
    shown = trimmed(name)
    return _SHORTHANDS.get(_JOINTS.sub("", shown).casefold(), shown) if len(shown) <= _LONGEST_NAME else shown


def columns_named(names: Iterable[str]) -> list[str]:
    """The names of columns as ours; a column that has our very name keeps it alone."""
    shown = [trimmed(name) for name in names]
    exact = set(shown).intersection(COLUMNS)
    return [name if (ours := column_named(name)) in exact else ours for name in shown]


def dialect_of(lines: Sequence[str]) -> Dialect | None:
    """The dialect of a CSV that begins with these lines; None where no header is among them."""
    for number, line in enumerate(lines[:HEADER_WITHIN], start=1):
        for delimiter in (*_told(lines[0]), *DELIMITERS):
            header = columns_named(_cells(line, delimiter) or ())
            if all(name in header for name in REQUIRED):
                return Dialect(delimiter, number, header)
    return None


def _told(first: str) -> Iterator[str]:
    """What Excel says of itself in a line before the header."""
    if found := _SEP.fullmatch(trimmed(first)):
        yield found[1]


def _cells(line: str, delimiter: str) -> list[str] | None:
    if line.count(delimiter) >= MOST_COLUMNS:
        return line.split(delimiter, MOST_COLUMNS)
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None


def no_header(lines: Sequence[str]) -> Problem:
    """Why a file is refused in which no header was found, by what its first line with anything in it looks like."""
    number, line = next(((n, line) for n, line in enumerate(lines, start=1) if line.strip()), (1, ""))
    if not line.strip():
        return Problem(1, "missing_column", "the file is empty: a header with vendor and check_id is wanted")
    counts = Counter({delimiter: line.count(delimiter) for delimiter in DELIMITERS})
    delimiter, count = counts.most_common(1)[0]
    header = columns_named(_cells(line, delimiter) or ())
    missing = [name for name in REQUIRED if name not in header]
    seen = f"{count + 1:,} cells parted by {DELIMITERS[delimiter]}" if count else "one cell"
    detail = f"the header has no {' and no '.join(missing)}: line {number} has {seen}"
    return Problem(number, "missing_column", detail + "; name the columns as the README does, in the first line")


def bad_header(header: Sequence[str], line: int | None) -> Problem | None:
    """Why rows cannot be read under this header."""
    if len(header) > MOST_COLUMNS:
        detail = f"the header has more than {MOST_COLUMNS:,} columns: are its lines parted by line ends?"
        return Problem(line, "too_many_columns", detail)
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        return Problem(line, "missing_column", f"the header has no {' and no '.join(missing)}")
    counts = Counter(header)
    twice = sorted(name for name in COLUMNS if counts[name] > 1)
    return Problem(line, "duplicate_column", f"the header has {twice[0]} twice") if twice else None


def misspelt(names: Iterable[str], line: int | None) -> Iterator[tuple[int, Problem]]:
    """At most one problem, of names that are nearly those of columns which are not there; others are the customer's."""
    known = set(names)
    absent = [name for name in OPTIONAL if name not in known]
    others = (name for name in names if name not in COLUMNS and name not in _WORDS and len(name) <= _LONGEST_NAME)
    # A slip of the pen; with the usual cutoff candidate_id would be one of candidate_ref.
    near = ((name, did_you_mean(name, absent, alike=0.85)) for name in islice(others, MOST_COLUMNS))
    found = [f"{name!a} is no column{hint}" for name, hint in near if hint]
    if found:
        yield line or 1, Problem(line, "unknown_column", " ".join(found))
