"""The catalog of the warehouse's tables and views, read from ``sql/<schema>/<name>.sql``.

A file's first comment line is its grain; then come one line per column, and `-- @refresh <how>`:

- ``base``: the file is a CREATE TABLE; rows are put there by the program and survive a rebuild;
  ``base <key>`` where they are only added, never changed
- ``once``: computed when the warehouse is made
- ``work``: a temporary table of the checks touched by the batch; ``work read`` of what was read, ``work load`` of
  what is appended, ``work state`` of the sets of words that are new
- ``load``: appended from the batch
- ``state``: appended for the sets of words that are new
- ``check_key``: rows of the checks touched by the batch are replaced; where a line `-- @only <query>` follows, only in
  batches of which that finds something: no others have such rows
- ``response``: rows of the responses recounted in the batch are replaced
- ``full``: replaced as a whole; for what stays small
- ``append <key>``: rows whose key is new are added
- ``view``, ``macro``: created once
- ``landed``: a view over the landed files, created where their place is known

What is run and is no table stands in ``sql/statements/<name>.sql``; the first line says what it does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from importlib.resources import files
from types import MappingProxyType

from screening_pipeline.warehouse.dependencies import tables_read

SCHEMAS = ("raw", "staging", "star", "analytics", "ops")
PUBLISHED = ("star", "analytics", "ops")
_REFRESH = re.compile(r"^-- @refresh (\w+)(?: (\w+))?$", re.MULTILINE)
_MACRO = re.compile(r"^\s*create macro \S+ as table\s")
_NOTHING = "select null"
_GIVEN = re.compile(r"\$(\w+)")
_ONLY = re.compile(r"^-- @only (.+)$", re.MULTILINE)
_COLUMN = re.compile(r"^-- (\w+)\s+(.+)$")


class CatalogError(ValueError):
    """An invalid SQL file: no grain, no column list or an unknown refresh mode; the message names the file."""


@dataclass(frozen=True, kw_only=True)
class Relation:
    """One table, view or macro. `columns` maps each column to its comment; `sql` is the statement itself.

    `only`: a query that finds a row in each batch in which some of its rows may change; None: in all.
    """

    schema: str
    name: str
    grain: str
    columns: Mapping[str, str]
    refresh: str
    key: str | None
    only: str | None
    sql: str

    @property
    def qualified(self) -> str:
        """`schema.name`."""
        return f"{self.schema}.{self.name}"

    @property
    def known_as(self) -> str:
        """The name in SQL statements: `schema.name`, or the bare name of a temporary table."""
        return self.name if self.schema == "work" else self.qualified

    @property
    def query(self) -> str:
        """The SELECT that computes its rows; empty for a base table, which the program fills."""
        match self.refresh:
            case "base":
                return _NOTHING
            case "macro":
                return _MACRO.sub("", self.sql)
            case _:
                return self.sql


@cache
def relations() -> Mapping[str, Relation]:
    """Every relation by its name in SQL, in order of dependency."""
    found = _found()
    order = TopologicalSorter({name: upstream(relation, found) for name, relation in found.items()}).static_order()
    return MappingProxyType({name: found[name] for name in order})


def upstream(relation: Relation, known: Iterable[str]) -> tuple[str, ...]:
    """The names of the relations that this one reads."""
    read = reads()[relation.known_as]
    return tuple(name for name in known if name in read and name != relation.known_as)


@cache
def _found() -> Mapping[str, Relation]:
    return {relation.known_as: relation for relation in _read_all()}


@cache
def reads() -> Mapping[str, frozenset[str]]:
    """The names of the relations that each relation reads.

    Parsed all at once: that costs 45 ms of CPU, one by one ten times that.
    """
    queries = {name: relation.query for name, relation in _found().items()}
    return dict(zip(queries, tables_read(list(queries.values())), strict=True))


def of_schema(schema: str) -> tuple[Relation, ...]:
    """The relations of one schema, in order of dependency."""
    return tuple(r for r in relations().values() if r.schema == schema)


def refreshed(how: str) -> tuple[Relation, ...]:
    """The relations with one refresh mode, in order of dependency."""
    return tuple(r for r in relations().values() if r.refresh == how)


def macros(*schemas: str) -> str:
    """The CREATE statements of the scalar macros of these schemas, or of all."""
    sources = (files("screening_pipeline").joinpath("sql", schema, "_macros.sql") for schema in schemas or SCHEMAS)
    return "\n".join(source.read_text(encoding="utf-8") for source in sources if source.is_file())


_UNPUBLISHED = re.compile(r"\b(?:raw|staging)\.")
_FIX = "-- fix: "
_USUAL_FIX = (
    "This cannot come of what vendors say: run `screening-pipeline rebuild`, and if it stays, report it as a fault of "
    "this program, with the query and the rows."
)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A data quality rule of a table. `query` finds the rows that violate it."""

    schema: str
    table: str
    name: str
    says: str
    query: str
    is_warning: bool
    is_every_run: bool
    fix: str

    @property
    def is_published(self) -> bool:
        """Whether it reads published tables alone, so that it can be tried on the snapshot."""
        return not _UNPUBLISHED.search(self.query)

    @property
    def shown_at(self) -> str:
        """The table whose asset shows the rule: its own, or the subject of the pipeline's own records."""
        return f"{self.schema}.{self.table}" if self.schema != "ops" else "star.fact_check"


def rule_shown_as(name: str) -> Rule | None:
    """The rule with this display name, `schema.table.rule`; None if there is none."""
    return next((rule for rule in _rules() if f"{rule.shown_at}.{rule.name}" == name), None)


def rules(*schemas: str, is_every_run: bool) -> tuple[Rule, ...]:
    """The rules of tables in these schemas: those tried in every run (`is_every_run`) or those tried once a day."""
    return tuple(rule for rule in _rules() if rule.schema in schemas and rule.is_every_run is is_every_run)


def _rules() -> Iterable[Rule]:
    return (_rule(name, source) for name, source in checks().items())


def _rule(qualified: str, source: str) -> Rule:
    schema, table, name = qualified.split(".")
    header = list(_leading(source.splitlines()))
    return Rule(
        schema=schema,
        table=table,
        name=name,
        says=header[0].removeprefix("-- "),
        query=source.rstrip().rstrip(";"),
        is_warning="-- severity: warn" in header,
        is_every_run="-- every run" in header,
        fix=next((line.removeprefix(_FIX) for line in header if line.startswith(_FIX)), _USUAL_FIX),
    )


@cache
def checks() -> Mapping[str, str]:
    """The SQL of every rule: `schema.table.rule` → a query for the rows that violate it.

    The first line says what must hold; `-- severity: warn` and `-- every run` may follow. Without the latter a
    rule is tried once a day: it reads whole tables.
    """
    return _texts("checks")


@cache
def questions() -> Mapping[str, str]:
    """The SQL of the report: the name of a figure → the query in `sql/report/<name>.sql`."""
    return _texts("report")


def _texts(folder: str) -> Mapping[str, str]:
    entries = (
        entry for entry in files("screening_pipeline").joinpath("sql", folder).iterdir() if entry.name.endswith(".sql")
    )
    return MappingProxyType(
        {e.name.removesuffix(".sql"): e.read_text(encoding="utf-8") for e in sorted(entries, key=lambda e: e.name)}
    )


@cache
def statements() -> Mapping[str, str]:
    """The SQL statements that are no tables: name → the text of `sql/statements/<name>.sql`."""
    return _texts("statements")


def statement(name: str, **given: str | int) -> str:
    """The text of `sql/statements/<name>.sql` with each `$name` substituted from `given` (numbers or quoted SQL)."""
    return _GIVEN.sub(lambda found: str(given[found.group(1)]), _statement(name))


@cache
def _statement(name: str) -> str:
    source = files("screening_pipeline").joinpath("sql", "statements", f"{name}.sql").read_text(encoding="utf-8")
    # What is given must not get into a comment: a new line in it would end that.
    lines = source.splitlines()
    return "\n".join(lines[len(list(_leading(lines))) :]).rstrip().rstrip(";")


@cache
def text() -> str:
    """All SQL in one string, of which the schema's fingerprint is computed."""
    return "\n".join([macros(), *(f"{r.qualified}\n{r.sql}" for r in relations().values())])


def _read_all() -> Iterable[Relation]:
    root = files("screening_pipeline").joinpath("sql")
    for schema in (*SCHEMAS, "work"):
        for entry in sorted(root.joinpath(schema).iterdir(), key=lambda e: e.name):
            if entry.name.endswith(".sql") and not entry.name.startswith("_"):
                yield parse(schema, entry.name.removesuffix(".sql"), entry.read_text(encoding="utf-8"))


def parse(schema: str, name: str, source: str) -> Relation:
    """A SQL file parsed into a Relation. Raises CatalogError."""
    header = list(_leading(source.splitlines()))
    how = _REFRESH.search("\n".join(header))
    if not header or not how:
        raise CatalogError(f"sql/{schema}/{name}.sql: it needs a first comment line and a line `-- @refresh …`")
    only = _ONLY.search("\n".join(header))
    columns = {found.group(1): found.group(2) for found in map(_COLUMN.match, header[1:]) if found}
    return Relation(
        schema=schema,
        name=name,
        grain=header[0].removeprefix("-- "),
        columns=MappingProxyType(columns),
        refresh=how.group(1),
        key=how.group(2),
        only=only.group(1) if only else None,
        sql=source.split("\n", len(header))[-1],
    )


def _leading(lines: list[str]) -> Iterable[str]:
    for line in lines:
        if not line.startswith("--"):
            return
        yield line
