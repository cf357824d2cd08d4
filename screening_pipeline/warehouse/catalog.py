"""The tables and views of the warehouse, read from ``sql/<schema>/<name>.sql``. Pure.

A file's first comment line is its grain; then come one line per column, and `-- @refresh <how>`:

- ``base``: the file is a CREATE TABLE; rows are put there by the program and survive a rebuild;
  ``base <key>`` where they are only added, never changed
- ``once``: computed when the warehouse is made
- ``work``: a temporary table of the checks touched by the batch; ``work read`` of what was read, ``work load`` of
  what is appended, ``work state`` of the sets of words that are new
- ``load``: appended from the batch
- ``state``: appended for the sets of words that are new
- ``check_key``: rows of the checks touched by the batch are replaced
- ``response``: rows of the responses recounted in the batch are replaced
- ``full``: replaced as a whole; for what stays small
- ``append <key>``: rows whose key is new are added
- ``view``, ``macro``: created once
- ``landed``: a view over the landed files, created where their place is known
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from importlib.resources import files
from types import MappingProxyType

SCHEMAS = ("raw", "staging", "star", "analytics", "ops")
PUBLISHED = ("star", "analytics", "ops")
_REFRESH = re.compile(r"^-- @refresh (\w+)(?: (\w+))?$", re.MULTILINE)
_COLUMN = re.compile(r"^-- (\w+)\s+(.+)$")


class CatalogError(ValueError):
    """A SQL file without a grain, a column list or a known way of refreshing; the message names the file."""


@dataclass(frozen=True, kw_only=True)
class Relation:
    """One table, view or macro. `columns` maps each column to its comment; `sql` is the statement itself."""

    schema: str
    name: str
    grain: str
    columns: Mapping[str, str]
    refresh: str
    key: str | None
    sql: str

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def is_view(self) -> bool:
        return self.refresh == "view"


@cache
def relations() -> Mapping[str, Relation]:
    """Every relation by `schema.name` (a work table by its bare name), each after those it reads."""
    found = {r.qualified if r.schema != "work" else r.name: r for r in _read_all()}
    order = TopologicalSorter({name: upstream(r, found) for name, r in found.items()}).static_order()
    return MappingProxyType({name: found[name] for name in order})


def upstream(relation: Relation, known: Iterable[str]) -> tuple[str, ...]:
    """The relations that this one reads, by name."""
    plain = relation.sql.replace('"', "")
    mentioned = set(re.findall(r"\b(?:from|join|in)\s+\(?\s*([a-z_]+(?:\.[a-z_]+)?)", plain))
    own = relation.name if relation.schema == "work" else relation.qualified
    return tuple(name for name in known if name in mentioned and name != own)


def of_schema(schema: str) -> tuple[Relation, ...]:
    """The relations of one schema, each after those it reads."""
    return tuple(r for r in relations().values() if r.schema == schema)


def refreshed(how: str) -> tuple[Relation, ...]:
    """The relations refreshed in one way, each after those it reads."""
    return tuple(r for r in relations().values() if r.refresh == how)


def macros(*schemas: str) -> str:
    """The definitions of the scalar macros of these schemas, or of all."""
    sources = (files("screening_pipeline").joinpath("sql", schema, "_macros.sql") for schema in schemas or SCHEMAS)
    return "\n".join(source.read_text() for source in sources if source.is_file())


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Something that must hold of a table. `query` finds the rows that break it."""

    schema: str
    table: str
    name: str
    says: str
    query: str
    is_warning: bool
    is_every_run: bool

    @property
    def shown_at(self) -> str:
        """The table it is shown at: its own, or for the pipeline's own records what they are about."""
        return f"{self.schema}.{self.table}" if self.schema != "ops" else "star.fact_check"


def rule_shown_as(name: str) -> Rule | None:
    """The rule that runs and people know by this name, `schema.table.rule` of where it is shown."""
    return next((rule for rule in _rules() if f"{rule.shown_at}.{rule.name}" == name), None)


def rules(*schemas: str, is_every_run: bool) -> tuple[Rule, ...]:
    """The rules about tables of these schemas, those of every run or those of once a day."""
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
    )


@cache
def checks() -> Mapping[str, str]:
    """The rules' files: `schema.table.rule` → a query for the rows that break it.

    The first line says what must hold; `-- severity: warn` and `-- every run` may follow. Without the latter a
    rule is tried once a day: it reads whole tables.
    """
    folder = files("screening_pipeline").joinpath("sql", "checks")
    entries = (entry for entry in folder.iterdir() if entry.name.endswith(".sql"))
    found = {entry.name.removesuffix(".sql"): entry.read_text() for entry in entries}
    return MappingProxyType(dict(sorted(found.items())))


@cache
def text() -> str:
    """All SQL, one string: its fingerprint tells whether a warehouse was built by this version."""
    return "\n".join([macros(), *(f"{r.qualified}\n{r.sql}" for r in relations().values())])


def _read_all() -> Iterable[Relation]:
    root = files("screening_pipeline").joinpath("sql")
    for schema in (*SCHEMAS, "work"):
        for entry in sorted(root.joinpath(schema).iterdir(), key=lambda e: e.name):
            if entry.name.endswith(".sql") and not entry.name.startswith("_"):
                yield parse(schema, entry.name.removesuffix(".sql"), entry.read_text())


def parse(schema: str, name: str, source: str) -> Relation:
    """One file as a relation. Raises CatalogError."""
    header = list(_leading(source.splitlines()))
    how = _REFRESH.search("\n".join(header))
    if not header or not how:
        raise CatalogError(f"sql/{schema}/{name}.sql: it needs a first comment line and a line `-- @refresh …`")
    columns = {found.group(1): found.group(2) for found in map(_COLUMN.match, header[1:]) if found}
    return Relation(
        schema=schema,
        name=name,
        grain=header[0].removeprefix("-- "),
        columns=MappingProxyType(columns),
        refresh=how.group(1),
        key=how.group(2),
        sql=source.split("\n", len(header))[-1],
    )


def _leading(lines: list[str]) -> Iterable[str]:
    for line in lines:
        if not line.startswith("--"):
            return
        yield line
