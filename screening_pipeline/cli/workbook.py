"""A table as a workbook: text stays text, so that ids keep their leading zeros and nothing is a formula.

A spreadsheet that opens CSV takes `000417` for a number, and whoever saves it has lost the id.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.exceptions import FileCreateError

from screening_pipeline.base.errors import UsageError
from screening_pipeline.base.inert import inert

MOST_ROWS = 1_048_576
# Beyond these a workbook rounds whole numbers, and knows no days.
_EXACT = 2**53
_FIRST_YEAR = 1900
_LONGEST = 32_767
_SHOWN: Mapping[type, str] = {datetime: "yyyy-mm-dd hh:mm:ss", date: "yyyy-mm-dd"}


def write(path: Path, title: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows to a workbook of one sheet, instants in UTC. Raises UsageError for too many rows, and OSError."""
    if len(rows) >= MOST_ROWS:
        problem = f"{len(rows):,} rows are more than a workbook holds ({MOST_ROWS:,}); name a .csv file"
        raise UsageError(problem, code="too_many_rows")
    # Not by way of temporary files, which others might read.
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    try:
        with xlsxwriter.Workbook(path, options) as book:
            _fill(book, title, columns, rows)
    except FileCreateError as problem:  # which hides the machine's own
        raise problem.args[0] from None


def _fill(book: Any, title: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    sheet, head = book.add_worksheet(title[:31]), book.add_format({"bold": True})
    formats = {kind: book.add_format({"num_format": shown}) for kind, shown in _SHOWN.items()}
    sheet.freeze_panes(1, 0)
    for at, column in enumerate(columns):
        sheet.write_string(0, at, column, head)
    for number, row in enumerate(rows, start=1):
        for at, value in enumerate(cell(row[column]) for column in columns):
            if value is not None:
                sheet.write(number, at, value, formats.get(type(value)))


def cell(value: Any) -> Any:
    """A value as a workbook knows it; what it would round, or does not know, is text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.year > _FIRST_YEAR else value.isoformat()
    if isinstance(value, date):
        return value if value.year > _FIRST_YEAR else value.isoformat()
    if isinstance(value, int | float | Decimal) and math.isfinite(value) and -_EXACT <= value <= _EXACT:
        return value
    text = inert(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
