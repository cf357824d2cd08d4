"""The schema: creation and migration of every table, view and macro."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from screening_pipeline.base.sql_text import quote
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse import catalog, zones
from screening_pipeline.warehouse.scan import scan_sql
from screening_pipeline.warehouse.session import HOME, own_transaction, traits

if TYPE_CHECKING:
    from screening_pipeline.warehouse.catalog import Relation
    from screening_pipeline.warehouse.session import Connection


LANDED_FILES = "landing/**/*.ndjson"
_LANDED = re.compile(rf"read_ndjson_objects\(\s*{re.escape(quote(LANDED_FILES))}[^)]*\)")
_NONE_LANDED = "(select null::json as json where false)"
NO_LINES = "none.ndjson"


KEPT_AS = {"response_id": "zstd"}
"""How a column is kept of which nearly every row differs: to make a dictionary of it takes DuckDB three times as long,
and more room."""

_INPUTS = ("batch_check", "known_state", "touched", "recounted", "changed_by")


def create(connection: Connection) -> None:
    """Create every schema, table, view and macro, with a comment on each table and column."""
    with own_transaction(connection):
        for schema in catalog.SCHEMAS:
            connection.execute(f"create schema if not exists {schema}")
        connection.execute(catalog.macros())
        for relation in catalog.refreshed("base"):
            connection.execute(relation.sql)
        create_derived(connection)


def migrate(connection: Connection) -> None:
    """Migrate a warehouse of an earlier version: add missing macros, base tables and columns; rows stay."""
    connection.execute(catalog.macros())
    for relation in catalog.refreshed("base"):
        shape = re.sub(r"create table \S+", "create or replace temp table shape", relation.sql, count=1)
        connection.execute(shape)
        wanted = connection.execute("describe temp.shape").fetchall()
        known = _columns(connection, relation)
        if not known:
            connection.execute(relation.sql)
        for name, kind, *_ in wanted if known else ():
            if name not in known:
                connection.execute(f'alter table {relation.qualified} add column "{name}" {kind}')
        comment(connection, relation)
    connection.execute("drop table temp.shape")


def name_zones(connection: Connection, *, is_shared: bool = False) -> None:
    """Have `star.local_time` and its like in the database in use know the time zones of all accounts by their names.

    `is_shared`: for sessions whose calendar is not ours. Raises ConfigurationError for a zone that nobody knows.
    """
    found = connection.execute(
        f"select distinct timezone from {HOME}.star.dim_account order by timezone asc nulls last"
    ).fetchall()
    named = sorted({"UTC", *(zone for (zone,) in found)})
    connection.execute(zones.shared_macros(connection, named) if is_shared else zones.macros(connection, named))


def _columns(connection: Connection, relation: Relation) -> set[str]:
    found = connection.execute(
        f"select column_name from duckdb_columns() where database_name = current_database() "
        f"and schema_name = {quote(relation.schema)} and table_name = {quote(relation.name)}"
    ).fetchall()
    return {row[0] for row in found}


def create_derived(connection: Connection) -> None:
    """Create the derived tables and views, empty. Base tables must exist."""
    _empty_inputs(connection)
    for relation in catalog.relations().values():
        _create(connection, relation)
    for relation in catalog.relations().values():
        if relation.schema != "work" and relation.refresh != "landed":
            comment(connection, relation)
    _drop_work(connection)


def drop_derived(connection: Connection) -> None:
    """Drop the derived tables and views that `create_derived` makes."""
    named = "select schema_name, view_name from duckdb_views() where database_name = current_database()"
    views = set(connection.execute(named).fetchall())
    for relation in reversed(tuple(catalog.relations().values())):
        if relation.schema != "work" and relation.refresh not in ("base", "landed"):
            # By what is there: an earlier version may have had as a view what is a table now.
            stored = "view" if (relation.schema, relation.name) in views else "table"
            kind = "macro table" if relation.refresh == "macro" else stored
            connection.execute(f"drop {kind} if exists {relation.qualified}")


def _empty_inputs(connection: Connection) -> None:
    connection.execute(catalog.statement("empty_inputs"))
    with tempfile.NamedTemporaryFile(suffix=".ndjson") as empty:
        scan(connection, {slug: [Path(empty.name)] for slug in all_vendors()})


def _create(connection: Connection, relation: Relation) -> None:
    match relation.refresh:
        case "base" | "landed":
            return
        case "work":
            connection.execute(f"create or replace temp table {relation.name} as {relation.sql}")
        case "view":
            connection.execute(f"create view {relation.qualified} as {relation.sql}")
        case "macro":
            connection.execute(relation.sql)
        case "once":
            connection.execute(f"create table {relation.qualified} as {relation.sql}")
        case _:
            create_empty(connection, relation, relation.sql)


def create_empty(connection: Connection, relation: Relation, query: str, *, is_shared: bool = False) -> None:
    """An empty table for the rows of `query`, in the database in use.

    `is_shared`: others read it, whose sessions may take texts for the same that are not; its columns compare exactly.
    """
    empty, offered = f"from ({query}) limit 0", traits(connection)
    if not is_shared and relation.columns.keys().isdisjoint(KEPT_AS):
        connection.execute(f"create table {relation.qualified} as {empty}")
        return
    kinds = connection.execute(f"describe {empty}").fetchall()
    columns = (
        f'"{name}" {kind}'
        + (f" using compression {KEPT_AS[name]}" if name in KEPT_AS and offered.keeps_compression else "")
        + (" collate c" if is_shared and kind == "VARCHAR" and offered.keeps_collations else "")
        for name, kind, *_ in kinds
    )
    connection.execute(f"create table {relation.qualified} ({', '.join(columns)})")


def comment(connection: Connection, relation: Relation) -> None:
    """Store the comments of a relation and its columns in the database."""
    kind = {"view": "view", "landed": "view", "macro": "macro table"}.get(relation.refresh, "table")
    is_all = traits(connection).keeps_every_comment
    if relation.refresh == "macro" and not is_all:
        return
    comments = [f"comment on {kind} {relation.qualified} is {quote(relation.grain)}"]
    if relation.refresh != "macro" and (is_all or kind == "table"):
        comments += [
            f'comment on column {relation.qualified}."{column}" is {quote(meaning)}'
            for column, meaning in relation.columns.items()
        ]
    connection.execute(";".join(comments))


def show_landed(connection: Connection, root: Path | None, *, is_forced: bool = False) -> None:
    """Point the views of kind `landed` at the landing area at `root`; recreated only if needed or `is_forced`.

    A view knows its files by their absolute place, and one file must be there: an empty one is put there. Without a
    folder of files they show what was loaded, and no bodies.
    """
    given = _NONE_LANDED
    if root is not None:
        (root / NO_LINES).touch(mode=0o600)
        given = quote(str(Path(escape(str(root.resolve()))) / "**" / "*.ndjson"))
    for relation in catalog.refreshed("landed"):
        is_there = given in _view_text(connection, relation) if root else _is_shown_without(connection, relation)
        if is_forced or not is_there:
            whole = _LANDED.sub(lambda _: _NONE_LANDED, relation.sql)
            sql = whole if root is None else relation.sql.replace(quote(LANDED_FILES), given)
            connection.execute(f"create or replace view {relation.qualified} as {sql}")
            comment(connection, relation)


def _is_shown_without(connection: Connection, relation: Relation) -> bool:
    text = _view_text(connection, relation)
    return bool(text) and "read_ndjson_objects" not in text


def _view_text(connection: Connection, relation: Relation) -> str:
    found = connection.execute(
        f"select sql from duckdb_views() where database_name = current_database() "
        f"and schema_name = {quote(relation.schema)} and view_name = {quote(relation.name)}"
    ).fetchone()
    return str(found[0]) if found else ""


def scan(connection: Connection, sources: Mapping[str, Sequence[Path | str]]) -> None:
    """Scan the landed lines of each vendor (SQL lists of paths) into the temporary table `landed`."""
    scans = []
    for slug, paths in sources.items():
        listed = ", ".join(quote(str(path)) for path in paths)
        scans.append(f"from ({scan_sql(all_vendors()[slug], f'[{listed}]')})")
    connection.execute(f"create or replace temp table landed as {' union all by name '.join(scans)}")


def drop_work(connection: Connection) -> None:
    """Drop the temporary tables of the batch, in one transaction: in a lake each begins by asking the catalogue."""
    with own_transaction(connection):
        _drop_work(connection)


def _drop_work(connection: Connection) -> None:
    batch = ("landed", "batch_id", "batch_new", "batch_touched", "batch_response", "batch_package", "new_order")
    work = (relation.name for relation in catalog.refreshed("work"))
    names = [*batch, *_INPUTS, *work]
    for name in names:
        connection.execute(f"drop table if exists temp.{name}")
