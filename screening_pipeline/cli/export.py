"""`export`: a table or view of the snapshot as CSV, or as a workbook in which ids stay text."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from screening_pipeline.base.errors import UsageError
from screening_pipeline.base.failures import telling
from screening_pipeline.base.inert import inert
from screening_pipeline.base.nearest_word import did_you_mean
from screening_pipeline.cli import console
from screening_pipeline.settings import load

# What a spreadsheet takes for a formula, whoever wrote it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export(name: str, out: Path | None) -> int:
    """The `export` command: writes a published table or view to `out`, else as CSV to standard output; exit code.

    `out` becomes a workbook where its name ends in `.xlsx`, and CSV otherwise.
    """
    from screening_pipeline.warehouse import catalog, session
    from screening_pipeline.warehouse.engines import published_engine

    settings = load.load(os.environ, Path.cwd())
    relation = _named(name, catalog.relations(), catalog.PUBLISHED)
    with published_engine(settings).reader() as connection:
        rows = session.rows(connection, f"from {relation.qualified}")
    columns = list(relation.columns)
    if out is None:
        _write(sys.stdout, columns, rows)
        return 0
    with telling(out.name, folder=out.parent):
        if out.suffix.lower() == ".xlsx":
            from screening_pipeline.cli import workbook

            workbook.write(out, relation.qualified, columns, rows)
        else:
            with out.open("w", encoding="utf-8-sig", newline="") as file:
                _write(file, columns, rows)
    console.say(f"wrote {len(rows):,} rows to {out}")
    return 0


def _named(name: str, relations: Any, schemas: Iterable[str]) -> Any:
    known = {key: one for key, one in relations.items() if one.schema in schemas and one.refresh != "macro"}
    if name not in known:
        hint = did_you_mean(name, known) or "; see docs/data-model.md for the names"
        raise UsageError(f"no table or view {name[:60]!a} is published{hint}", code="no_table")
    return known[name]


def _write(file: TextIO, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)


def _cell(value: Any) -> Any:
    """A value as a spreadsheet shows it: text stays text, also where it looks like a formula; and it is inert."""
    if isinstance(value, str):
        return inert(f"'{value}" if value.startswith(_FORMULA) else value)
    return value.isoformat() if hasattr(value, "isoformat") else value
