"""The content of the snapshot for analysts: copied as a whole, or updated with what has changed.

What a merge touches is noted in `staging.unpublished_*`, in its own transaction. With that an old snapshot is made
the new one, as long as it is the very file that was published last, and both then count the same rows: whatever
changes tables by another way is noticed, and makes the next snapshot a whole copy.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from screening_pipeline.base.errors import UsageError
from screening_pipeline.base.sql_text import quote
from screening_pipeline.warehouse import catalog, failures, session
from screening_pipeline.warehouse.schema import comment, create_empty, name_zones

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from screening_pipeline.warehouse.catalog import Relation
    from screening_pipeline.warehouse.session import Connection


UPDATES = 100
"""After so many updates a whole copy: it packs the file, and nothing wrong would outlast it."""
PACKED = 4
"""After so many updates what each has added to a table is put together: every cycle adds a row group, which makes all
later ones dearer, and to do it every time costs more than that."""
SMALL_PART = 2
"""One check in so many may have changed; with more of them a whole copy is cheaper."""


class _UnequalError(Exception):
    """An updated snapshot has other rows than the warehouse."""


_KEYS = {"check_key": "staging.unpublished_check", "response": "staging.unpublished_call"}
_NOTE = "snapshot"


@contextmanager
def earlier_told(connection: Connection) -> Iterator[None]:
    """Context manager: raises UsageError `published_before` where the block asks for what an earlier version lacks."""
    try:
        yield
    except session.DatabaseError as problem:
        if failures.is_unknown_name(problem) and not _is_of_this_version(connection):
            told = "what is published is of an earlier version; run `screening-pipeline sync` first"
            raise UsageError(told, code="published_before") from None
        raise


def _is_of_this_version(connection: Connection) -> bool:
    """Whether a published file has every table, view and column that is published now."""
    query = "select schema_name, table_name, column_name from duckdb_columns() where database_name = current_database()"
    relations = (r for r in catalog.relations().values() if r.schema in catalog.PUBLISHED and r.refresh != "macro")
    wanted = {(relation.schema, relation.name, column) for relation in relations for column in relation.columns}
    return wanted <= set(connection.execute(query).fetchall())


def is_updatable(connection: Connection, file: str) -> bool:
    """Whether the published file, by its change mark `file`, can be updated incrementally."""
    last = _last(connection)
    if last.get("file") != file or last["updates"] >= UPDATES:
        return False
    return _is_true(
        connection,
        f"(select count(distinct check_key) from staging.unpublished_check) * {SMALL_PART} "
        "<= (select count(*) from raw.check)",
    )


def is_packed_next(connection: Connection) -> bool:
    """Whether the next write compacts row groups."""
    return bool(_last(connection).get("updates", 0) % PACKED == 0)


def _last(connection: Connection) -> dict[str, Any]:
    """The record of the last snapshot; empty where the next one has to be a whole copy."""
    noted = connection.execute(f"select value from staging.setting where name = {quote(_NOTE)}").fetchone()
    return dict(json.loads(noted[0])) if noted else {}


def _is_true(connection: Connection, condition: str) -> bool:
    found = connection.execute(f"select {condition}").fetchone()
    return bool(found and found[0])


def note(connection: Connection, file: str, *, is_update: bool, empty: Sequence[str]) -> None:
    """Record the published file, by its change mark, as up to date with the warehouse, and the `empty` tables in it."""
    updates = _last(connection)["updates"] + 1 if is_update else 0
    value = quote(json.dumps({"file": file, "updates": updates, "empty": [*empty]}))
    with session.transaction(connection):
        forget(connection)
        connection.execute(f"insert into staging.setting values ('{_NOTE}', {value})")


def forget(connection: Connection) -> None:
    """Force the next snapshot to be a whole copy."""
    connection.execute(catalog.statement("forget_snapshot"))


def copy(connection: Connection, database: str) -> list[str]:
    """Copy the public schemas into an attached database: tables as rows, views and macros as they are.

    What stands there under their names goes, for readers at the same moment as the new comes. Returns the tables
    without a row.
    """
    connection.execute(f"use {database}")
    try:
        with session.own_transaction(connection):  # one commit, not one for each comment
            for schema in catalog.PUBLISHED:
                connection.execute(f"drop schema if exists {schema} cascade; create schema {schema}")
            _fill(connection)
            session.traits(connection).copied(connection, list(published()))
    finally:
        connection.execute(f"use {session.HOME}")
    return _empty(_counts(connection, session.HOME, _tables()))


def _fill(connection: Connection) -> None:
    connection.execute(catalog.macros(*catalog.PUBLISHED))
    name_zones(connection, is_shared=True)
    for relation in published():
        _copy(connection, relation)
        comment(connection, relation)


def published() -> Iterator[Relation]:
    """What is in a snapshot, in order of dependency."""
    return (relation for relation in catalog.relations().values() if relation.schema in catalog.PUBLISHED)


def _tables() -> Iterator[Relation]:
    return (relation for relation in published() if relation.refresh not in ("view", "macro"))


def _copy(connection: Connection, relation: Relation) -> None:
    match relation.refresh:
        case "view":
            connection.execute(f"create view {relation.qualified} as {relation.sql}")
        case "macro":
            connection.execute(relation.sql)
        case _:
            source = f"from {session.HOME}.{relation.qualified}"
            create_empty(connection, relation, source, is_shared=True)
            connection.execute(f"insert into {relation.qualified} by name {source}")


def update(connection: Connection, database: str) -> list[str] | None:
    """Update an attached snapshot, if each of its tables then has as many rows as the warehouse's; else None.

    Returns the tables without a row. Those that had none when it was made, and have none, are left alone: in a lake
    each statement costs ten milliseconds.
    """
    wanted, were_empty = _counts(connection, session.HOME, _tables()), _last(connection).get("empty", ())
    tables = [one for one in _tables() if wanted[one.qualified] or one.qualified not in were_empty]
    try:
        with session.own_transaction(connection):
            for relation in tables:
                _update(connection, relation, f"{database}.{relation.qualified}")
            connection.execute(catalog.statement("plan_anew"))
            _require_equal(_counts(connection, database, tables), wanted)
    except _UnequalError:
        return None
    return _empty(wanted)


def _empty(counts: Mapping[str, int]) -> list[str]:
    return [name for name, count in counts.items() if not count]


def _require_equal(found: Mapping[str, int], wanted: Mapping[str, int]) -> None:
    if any(count != wanted[name] for name, count in found.items()):
        raise _UnequalError


def _counts(connection: Connection, database: str, relations: Iterable[Relation]) -> dict[str, int]:
    """Row counts of published tables in a database; one query without joins is planned in half the time."""
    tables = (relation.qualified for relation in relations)
    counts = " union all ".join(f"select {quote(table)}, count(*) from {database}.{table}" for table in tables)
    return dict(connection.execute(counts).fetchall())


def _update(connection: Connection, relation: Relation, target: str) -> None:
    if relation.refresh in _KEYS:
        key = "check_key" if relation.refresh == "check_key" else "response_id"
        chosen = f"where {key} in (select {key} from {_KEYS[relation.refresh]})"
        connection.execute(f"delete from {target} {chosen}")
        connection.execute(f"insert into {target} by name from {relation.qualified} {chosen}")
    elif relation.key:  # rows are only ever added
        missing = f"from {relation.qualified} anti join {target} as known using ({relation.key})"
        connection.execute(f"insert into {target} by name {missing}")
    elif relation.refresh == "full" or relation.schema == "ops":
        connection.execute(f"delete from {target}")
        connection.execute(f"insert into {target} by name from {relation.qualified}")
