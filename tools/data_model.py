"""`docs/data-model.md`, written from the SQL and its comments: `python tools/data_model.py`.

A test keeps the page and the code equal.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.warehouse import catalog, lineage, session, store
from screening_pipeline.warehouse.catalog import Relation
from screening_pipeline.warehouse.schema import show_landed

PAGE = Path("docs", "data-model.md")
Columns = Mapping[str, str]

_INTRO = """\
# Data model

This page is written from the SQL by `python tools/data_model.py`; a test compares them.

Instants are `TIMESTAMP WITH TIME ZONE` in UTC and end in `_at`, days end in `_on`, yes-or-no columns begin
with `is_`. `vendor_…` columns hold the vendor's words exactly as sent, the others ours. A natural key is
`vendor`, `account`, `subject`, `check_id`; `check_key` stands for it and is the same after a rebuild.
Analysts get the schemas `star`, `analytics` and `ops` in the published snapshot; `raw` and `staging` stay in
the live warehouse. What the views answer, and what they do not, is told in [questions](questions.md).
"""
_SCHEMAS = {
    "star": "What is known of checks, as facts and dimensions.",
    "analytics": "Answers: views over the star. Only accounts whose environment is analyzed are counted.",
    "ops": "How the pipeline itself gets on.",
    "raw": "What came, before anybody reads meaning into it. Not published.",
    "staging": "Between the two; the project's own, and free to change. Not published.",
}
# Which column of one table points to which other table.
_POINTERS = {
    "check_key": "star.fact_check",
    "package_key": "star.dim_package",
    "candidate_key": "star.dim_candidate",
    "check_type_key": "star.dim_check_type",
    "account": "star.dim_account",
    "vendor": "star.dim_vendor",
    "calendar": "star.dim_calendar",
    "sla_target": "star.dim_sla_target",
}
# Drawn, they would hide the rest.
_EVERYWHERE = ("star.dim_calendar", "analytics.account_horizon")
# Facts reach their account through the check.
_IMPLIED = {"account", "vendor", "calendar"}


def document() -> str:
    """The page. Makes an empty warehouse in a temporary folder, to ask it for types."""
    types = _types()
    shown = [relation for schema in _SCHEMAS for relation in catalog.of_schema(schema)]
    parts = [_INTRO, _entities(types), _flow(), *_schemas(shown, types)]
    return "\n".join(parts)


def _types() -> Mapping[str, Columns]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "warehouse.duckdb")
        with store.writer(path, lock_path=Path(folder, "lock"), clock=SystemClock()) as connection:
            show_landed(connection, Path(folder))
            shown = [r for r in catalog.relations().values() if r.schema != "work"]
            return {relation.qualified: _described(connection, relation) for relation in shown}


def _described(connection: session.Connection, relation: Relation) -> Columns:
    source = f"{relation.qualified}(now())" if relation.refresh == "macro" else relation.qualified
    rows = connection.execute(f"describe from {source}").fetchall()
    return {name: kind for name, kind, *_ in rows}


def _entities(types: Mapping[str, Columns]) -> str:
    links = sorted({link for relation in catalog.of_schema("star") for link in _links(relation, types)})
    lines = "\n".join(f'    {target} ||--o{{ {source} : "{column}"' for target, source, column in links)
    return f"## The star\n\n```mermaid\nerDiagram\n{lines}\n```\n"


def _links(relation: Relation, types: Mapping[str, Columns]) -> Iterator[tuple[str, str, str]]:
    columns = types[relation.qualified]
    pointers = [name for name in _POINTERS if name in columns and relation.refresh != "macro"]
    for column in pointers:
        target = _POINTERS[column]
        is_implied = column in _IMPLIED and "check_key" in columns and relation.name != "fact_check"
        if target != relation.qualified and not is_implied and not (column == "vendor" and "account" in columns):
            yield target.split(".")[1], relation.name, column


def _flow() -> str:
    edges = [
        (source, relation.qualified)
        for relation in catalog.of_schema("analytics")
        for source in _sources(relation)
        if source not in _EVERYWHERE
    ]
    nodes = dict.fromkeys(name for edge in edges for name in edge)
    lines = [f"    {_node(name)}[{name.removeprefix('analytics.')}]" for name in nodes]
    lines += [f"    {_node(source)} --> {_node(target)}" for source, target in edges]
    told = "Most views also read " + " and ".join(f"`{name}`" for name in _EVERYWHERE) + "."
    drawn = "\n".join(["```mermaid", "flowchart LR", *lines, "```"])
    return f"## What the views are made from\n\n{told}\n\n{drawn}\n"


def _node(name: str) -> str:
    return name.replace(".", "_")


def _sources(relation: Relation) -> list[str]:
    return sorted(lineage.feeds(relation.qualified))


def _schemas(shown: Iterable[Relation], types: Mapping[str, Columns]) -> Iterator[str]:
    schema = None
    for relation in sorted(shown, key=lambda r: (list(_SCHEMAS).index(r.schema), r.name)):
        if relation.schema != schema:
            schema = relation.schema
            yield f"## `{schema}`\n\n{_SCHEMAS[schema]}\n"
        yield _relation(relation, types[relation.qualified])


def _relation(relation: Relation, columns: Columns) -> str:
    name = f"{relation.qualified}(t)" if relation.refresh == "macro" else relation.qualified
    sources = ", ".join(f"`{source}`" for source in _sources(relation))
    rules = [rule for rule in catalog.checks() if rule.startswith(f"{relation.qualified}.")]
    told = [
        f"### `{name}`\n",
        f"{relation.grain}\n",
        f"Made from {sources}.\n" if sources else "",
        _table(relation, columns),
        _rules(rules),
    ]
    return "\n".join(part for part in told if part)


def _table(relation: Relation, columns: Columns) -> str:
    rows = "\n".join(
        f"| `{name}` | `{kind}` | {_cell(relation.columns.get(name, ''))} |" for name, kind in columns.items()
    )
    return f"| column | type | meaning |\n|---|---|---|\n{rows}\n"


def _rules(rules: list[str]) -> str:
    told = "\n".join(f"- {_first_line(rule)}" for rule in rules)
    return f"Checked in every run:\n\n{told}\n" if told else ""


def _first_line(rule: str) -> str:
    return _cell(catalog.checks()[rule].splitlines()[0].removeprefix("-- "))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def main() -> None:
    """Write the page to the path given, or to where it belongs in a checkout."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("target", nargs="?", type=Path, default=PAGE)
    parser.parse_args().target.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
