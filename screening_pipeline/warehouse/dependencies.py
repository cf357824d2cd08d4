"""The tables that a query reads, by DuckDB's own parser. Queries are parsed and never run, on an empty database."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import duckdb

# DuckDB shows the parsed tree of queries only.
_FILLING = re.compile(
    r"""(?:\s|--[^\n]*\n)*(?:insert\ into|create\ or\ replace\ temp\ table)\ (?P<table>[\w."]+)(?:\ by\ name|\ as)?
    \s+(?P<query>(?:select|with|from)\b.*)""",
    re.DOTALL | re.VERBOSE,
)
# Bound parameters would make DuckDB import pandas.
_PARSED = "json_serialize_sql({query}, skip_null := true, skip_empty := true, skip_default := true)"


def tables_read(queries: Sequence[str]) -> list[frozenset[str]]:
    """The tables, views and table macros that each query reads, as `schema.name` or bare `name`, without CTEs.

    Raises ValueError with DuckDB's complaint about the first query that is none.
    """
    with duckdb.connect(":memory:", config={"threads": 1}) as parser:
        found = parser.execute(f"select {', '.join(map(_parsed, queries))}").fetchone() or ()
    return [_names(_tree(text)) for text in found]


def tables_filled(texts: Iterable[str]) -> list[tuple[str, frozenset[str]]]:
    """(target, sources) of each INSERT and CREATE TABLE AS in texts of statements."""
    statements = (statement.query for text in texts for statement in duckdb.extract_statements(text))
    filling = [found for found in map(_FILLING.match, statements) if found]
    tables = [found["table"].replace('"', "") for found in filling]
    return list(zip(tables, tables_read([found["query"] for found in filling]), strict=True))


def _parsed(query: str) -> str:
    quoted = query.replace("'", "''")
    return _PARSED.format(query=f"'{quoted}'")


def _tree(text: str) -> dict[str, Any]:
    tree = dict(json.loads(text))
    if tree["error"]:
        raise ValueError(tree["error_message"])
    return tree


def _names(tree: Any) -> frozenset[str]:
    found: set[str] = set()
    _collect(tree, frozenset(), found)
    return frozenset(found)


def _collect(node: Any, common: frozenset[str], found: set[str]) -> None:
    """Add what is named below a node of the parsed tree, in which the tables called `common` are common tables."""
    if isinstance(node, dict):
        _add_own(node, common, found)
        if node.get("type") == "RECURSIVE_CTE_NODE":
            common |= {node["cte_name"]}
        for entry in node.get("cte_map", {}).get("map", ()):
            _collect(entry["value"], common, found)  # which sees those before it
            common |= {entry["key"]}
        node = [value for key, value in node.items() if key != "cte_map"]
    for element in node:
        if isinstance(element, dict | list):
            _collect(element, common, found)


def _add_own(node: dict[str, Any], common: frozenset[str], found: set[str]) -> None:
    match node.get("type"):
        case "BASE_TABLE":
            schema, name = node.get("schema_name"), node["table_name"]
            if schema or name not in common:
                found.add(f"{schema}.{name}" if schema else name)
        case "TABLE_FUNCTION" if node["function"].get("schema"):
            found.add(f"{node['function']['schema']}.{node['function']['function_name']}")
