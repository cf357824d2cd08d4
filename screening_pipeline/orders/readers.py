"""From the bytes of a manifest to its rows as text by column, each with its line; why others cannot be read.

Nothing is read as a whole: a line has a bound, and a row of a CSV has one in lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from screening_pipeline.landing.strict_json import unique
from screening_pipeline.orders import parquet
from screening_pipeline.orders.blocks import Block, Line
from screening_pipeline.orders.csv_rows import csv_lines
from screening_pipeline.orders.dialect import (
    HEADER_WITHIN,
    MOST_COLUMNS,
    bad_header,
    columns_named,
    dialect_of,
    encoding_of,
    misspelt,
    other_kind,
)
from screening_pipeline.orders.files import COLUMNS, Manifest, Problem
from screening_pipeline.orders.text_lines import LONGEST_LINE, TextLines

if TYPE_CHECKING:
    from screening_pipeline.warehouse.session import Connection

_BEGINNING = 4096


def lines(connection: Connection, manifest: Manifest) -> Iterator[Line | Block]:
    """The rows of a manifest as text by column, one by one or many at a time, or why one cannot be read.

    A file without any is a problem itself.
    """
    is_empty = True
    for line in _lines(connection, manifest):
        is_empty = False
        yield line
    if is_empty and not manifest.is_partial:
        yield 1, Problem(None, "no_rows", "there is no row of an order in it")


def _lines(connection: Connection, manifest: Manifest) -> Iterator[Line | Block]:
    ending = manifest.path.suffix.lower()
    if ending == ".parquet":
        yield from parquet.lines(connection, manifest)
        return
    with manifest.open() as file:
        if what := other_kind(beginning := file.read(_BEGINNING), ending):
            yield 1, Problem(None, "not_text", what)
            return
        file.seek(0)
        text = TextLines(file, manifest.size, encoding_of(beginning), newline="" if ending == ".csv" else "\n")
        yield from csv_lines(text) if ending == ".csv" else _ndjson_lines(text)


def words_of(manifest: Manifest) -> str | None:
    """How a file is written, for a person; None where that is as the README has it."""
    if manifest.path.suffix.lower() != ".csv":
        return None
    with manifest.open() as file:
        encoding = encoding_of(file.read(_BEGINNING))
        file.seek(0)
        dialect = dialect_of(list(islice(TextLines(file, manifest.size, encoding, newline=""), HEADER_WITHIN)))
    return dialect.words(encoding) if dialect else None


def _ndjson_lines(text: TextLines) -> Iterator[Line]:
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
