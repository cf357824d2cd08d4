"""Views of a snapshot that are computed once, however many others read them.

A database in memory stands before the snapshot: it has each published name, tables lead to the snapshot, and views are
the snapshot's own, read anew in here. Where one has been computed, its rows take its place for all that read it.
"""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from screening_pipeline.base.sql_text import quote
from screening_pipeline.warehouse import catalog, session
from screening_pipeline.warehouse.snapshot import published

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from screening_pipeline.warehouse.catalog import Relation
    from screening_pipeline.warehouse.session import Connection

_NAME = "computed"
# It names the schema in a file, and none in a lake; what is read names no database in either.
_BEGUN = re.compile(r'^CREATE VIEW [\w."]+')


@contextmanager
def standing_before(connection: Connection) -> Iterator[Iterator[Relation]]:
    """Context manager: the database in memory, in use in the place of the snapshot.

    Each table and view has its place there once the iterator has yielded it, after what it reads.
    """
    views = dict(connection.execute(catalog.statement("find_views")).fetchall())
    connection.execute(f"attach if not exists ':memory:' as {_NAME}")
    try:
        connection.execute(f"{_begun(connection)} use {_NAME}")
        yield _placed(connection, views)
    except BaseException:
        with suppress(session.DatabaseError):  # a transaction that failed can only be rolled back, and that does it
            _clear(connection)
        raise
    _clear(connection)


@contextmanager
def keeping(connection: Connection, kept: Mapping[str, str]) -> Iterator[None]:
    """Context manager: the same with all of its tables and views, of which those that `kept` names are in memory.

    Of each it has the rows that meet a condition, "" for all; then no question may be about another one.
    """
    with standing_before(connection) as relations:
        for relation in relations:
            if (condition := kept.get(relation.qualified)) is not None:
                rows = f"from {relation.qualified} where {condition or 'true'}"
                connection.execute(f"create table {relation.qualified}_kept as {rows}")
                _replace(connection, relation, f"from {relation.qualified}_kept")
        yield


def replace_by_file(connection: Connection, relation: Relation, file: Path) -> None:
    """Have what reads this view read a Parquet file of its rows instead, if that gives back the same types."""
    source = f"from read_parquet({quote(str(file))})"
    if _types(connection, source) == _types(connection, f"from {relation.qualified}"):
        _replace(connection, relation, source)


def _clear(connection: Connection) -> None:
    connection.execute(f"use {session.HOME}")
    for schema in catalog.PUBLISHED:  # within a transaction nothing can be detached
        connection.execute(f"drop schema {_NAME}.{schema} cascade")


def _begun(connection: Connection) -> str:
    """The statements that make schemas and macros; to call one by its whole name is all that a macro does."""
    schemas = "".join(f"create schema {_NAME}.{schema};" for schema in catalog.PUBLISHED)
    macros = connection.execute(catalog.statement("find_macros")).fetchall()
    return schemas + "".join(_macro(*found) for found in macros if found[0] in catalog.PUBLISHED)


def _macro(schema: str, name: str, given: str, is_table: object) -> str:
    call = f"{session.HOME}.{schema}.{name}({given})"
    called = f"table from {call}" if is_table else f"({call})"
    return f"create macro {_NAME}.{schema}.{name}({given}) as {called};"


def _placed(connection: Connection, views: Mapping[str, str]) -> Iterator[Relation]:
    for relation in published():
        if relation.refresh != "macro":
            begun = f"create view {relation.qualified}"
            # What an earlier version has not published is told by its name.
            theirs = views.get(relation.qualified, f"{begun} as from {session.HOME}.{relation.qualified}")
            connection.execute(_BEGUN.sub(begun, theirs))
            yield relation


def _replace(connection: Connection, relation: Relation, source: str) -> None:
    connection.execute(f"create or replace view {relation.qualified} as {source}")


def _types(connection: Connection, query: str) -> list[tuple[str, str]]:
    return [(name, kind) for name, kind, *_ in connection.execute(f"describe {query}").fetchall()]
