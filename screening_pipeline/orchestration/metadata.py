"""Asset metadata for Dagster's pages: row counts, columns, previews without names, inert text."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import dagster as dg

from screening_pipeline.base import inert
from screening_pipeline.warehouse import catalog
from screening_pipeline.warehouse.session import Connection

PREVIEW_ROWS = 10
# Texts that are ours or the configuration's. Whatever else is text may be somebody's: vendors put people's names into
# parts, words, packages and messages, and what Dagster keeps outlives an erasure.
OWN_WORDS = frozenset(
    {
        *("account", "adjudication", "age", "assumption", "calendar", "channel", "clock", "completed_at_source"),
        *("conflict", "dispute", "documentation", "endpoint", "environment", "erasure_id", "excluded_reason", "field"),
        *("gap_id", "grain", "kind", "lifecycle", "lifecycle_reason", "next_actor", "next_state", "note", "outcome"),
        *("phase", "previous_lifecycle", "reason", "reopened_from", "reopened_to", "result", "result_source", "run_id"),
        *("source", "subject", "timezone", "trigger", "turnaround_excluded_reason", "unit", "vendor", "vendor_name"),
    }
)
_NO_TEXT = re.compile(r"number|boolean|bool|date.*|time.*|interval|u?(tiny|small|big|huge)?int(eger)?|double|decimal.*")


def table_metadata(connection: Connection, relation: catalog.Relation) -> dict[str, Any]:
    """Asset metadata of a table or view: rows, columns and a preview without names."""
    result = connection.execute(f"from {relation.qualified} limit {PREVIEW_ROWS}")
    header = _header(result)
    rows = result.fetchall()
    count = connection.execute(f"select count(*) from {relation.qualified}").fetchone()
    return {
        "dagster/row_count": count[0] if count else 0,
        "dagster/column_schema": _column_schema(relation.qualified, header),
        "preview": as_table(*_nameless(header, rows)),
    }


def _header(result: Connection) -> tuple[tuple[str, str], ...]:
    return tuple((column[0], str(column[1]).lower()) for column in result.description or [])


def rows_shown(connection: Connection, query: str) -> dg.MetadataValue[Any]:
    """The rows of a query without the columns that tell of whom, as inert text."""
    result = connection.execute(query)
    return as_table(*_nameless(_header(result), result.fetchall()))


@cache
def _column_schema(qualified: str, header: tuple[tuple[str, str], ...]) -> dg.TableSchema:
    """The column schema of a table with its comments; the same in every cycle."""
    told = catalog.relations()[qualified].columns
    return dg.TableSchema([dg.TableColumn(name, kind, description=told.get(name)) for name, kind in header])


def _nameless(header: Sequence[tuple[str, str]], rows: Sequence[tuple[Any, ...]]) -> tuple[list[str], list[list[Any]]]:
    """Names and rows without the columns that can tell of whom: previews stay in the event log, whoever is erased."""
    kept = [
        place for place, (name, kind) in enumerate(header) if name in OWN_WORDS or _NO_TEXT.fullmatch(kind) is not None
    ]
    return [header[place][0] for place in kept], [[row[place] for place in kept] for row in rows]


def as_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dg.MetadataValue[Any]:
    """Rows as a table in Markdown, in inert text: vendors' words may hold markup."""
    lines = [names, ["---"] * len(names), *([_cell(value) for value in row] for row in rows)]
    return dg.MetadataValue.md("\n".join("| " + " | ".join(line) + " |" for line in lines))


def _cell(value: object) -> str:
    return inert_markdown("" if value is None else str(value)[:80])


_JOINER = "\u2060"  # nobody sees it, and it makes no link of what stands on both sides of it
_BARE_LINK = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)
_MARKUP = {ord(c): f"&#{ord(c)};" for c in f"|<>&`*_[]()!\\#~{_JOINER}"}


def inert_markdown(text: str) -> str:
    """`text` escaped so that neither Markdown nor HTML in it takes effect; URLs in it are no links."""
    return _BARE_LINK.sub(_JOINER, inert.inert(text)).translate(_MARKUP)
