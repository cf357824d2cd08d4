"""Where SQL stands, how it is read, and that it stays readable."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from screening_pipeline.warehouse import catalog, lineage
from screening_pipeline.warehouse.dependencies import tables_read

PACKAGE = Path(catalog.__file__).parent.parent
SQL = PACKAGE / "sql"
# The shared state is another database, made by its own room.
SQLITE = "state"
# The one scan whose columns come from a vendor's declaration, and short statements with computed names.
LINES_IN_PYTHON = 30
LONGEST_IN_PYTHON = 8
FILES_OVER_100_LINES = 11


def test_sql_that_means_something_stands_in_files() -> None:
    found = {f"{path.name}:{line}": length for path, line, length in _sql_in_python() if path.parent.name != SQLITE}
    assert max(found.values()) <= LONGEST_IN_PYTHON, f"move it to sql/statements/: {found}"
    assert sum(found.values()) <= LINES_IN_PYTHON, f"move some of it to sql/statements/: {found}"


def test_files_of_sql_are_short() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in SQL.rglob("*.sql")}
    long = sorted(path.name for path, length in lengths.items() if length > 100)
    assert statistics.median(lengths.values()) <= 30
    assert len(long) <= FILES_OVER_100_LINES, long


@pytest.mark.parametrize("folder", ["statements", "report", "work"])
def test_every_file_begins_with_what_it_is_for(folder: str) -> None:
    firsts = {path.name: path.read_text(encoding="utf-8").splitlines()[0] for path in (SQL / folder).glob("*.sql")}
    assert {name: line for name, line in firsts.items() if not re.fullmatch(r"-- [A-Z].{15,}[.:]", line)} == {}


def test_every_statement_is_run_somewhere_with_all_that_it_asks_for() -> None:
    calls = {name: given for path in PACKAGE.rglob("*.py") for name, given in _statements_run(path)}
    asked = {path.stem: set(re.findall(r"\$(\w+)", path.read_text())) for path in (SQL / "statements").glob("*.sql")}
    assert calls.keys() == asked.keys()
    # The first line may name them, too; what is handed on as a mapping is not read here.
    assert {name for name, given in calls.items() if given is not None and given != asked[name]} == set()


@pytest.mark.parametrize("name", sorted(catalog.statements()))
def test_what_is_given_to_a_statement_never_gets_into_a_comment(name: str) -> None:
    given = dict.fromkeys(re.findall(r"\$(\w+)", catalog.statements()[name]), "0 -- given")
    comments = [line for line in catalog.statement(name, **given).splitlines() if line.lstrip().startswith("--")]
    assert [line for line in comments if "given" in line] == []


QUERIES = {
    "tables of joins, subqueries and unions": (
        "select 1 from a join s.b using (x) where y in (select y from c) union all (from d)",
        {"a", "s.b", "c", "d"},
    ),
    "common tables are not tables": ("with w as (from a) from w", {"a"}),
    "a common table sees those before it": ("with v as (from a), w as (from v) from w", {"a"}),
    "a common table may have the name of the table it reads": ("with a as (from a) from a", {"a"}),
    "a common table is known inside its query only": ("with v as (with w as (from a) from w) from v, w", {"a", "w"}),
    "a recursive one reads itself": (
        "with recursive w as (select 1 as x from a union all select x + 1 from w join b using (x)) from w",
        {"a", "b"},
    ),
    "table macros are read, table functions are not": (
        "from s.as_of(now()) join read_csv('x.csv') using (x)",
        {"s.as_of"},
    ),
    "words in comments and texts are nobody's tables": ("select 'from x' from a -- join b", {"a"}),
}


@pytest.mark.parametrize(("query", "tables"), QUERIES.values(), ids=QUERIES)
def test_what_a_query_reads_is_what_its_parser_says(query: str, tables: set[str]) -> None:
    assert tables_read([query]) == [frozenset(tables)]


def test_what_is_no_query_is_refused() -> None:
    with pytest.raises(ValueError, match="syntax error"):
        tables_read(["select 1", "selec"])


def test_no_two_steps_of_a_batch_are_computed_out_of_order() -> None:
    known = list(catalog.relations())
    for name, relation in catalog.relations().items():
        assert all(known.index(read) < known.index(name) for read in catalog.upstream(relation, known))


def test_what_statements_put_into_tables_is_part_of_where_they_come_from() -> None:
    assert lineage.feeds("raw.check") == {"raw.order", "raw.response"}
    assert lineage.feeds("ops.reject") == {"raw.response"}
    assert lineage.feeds("star.dim_candidate") == {"raw.order"}


def _sql_in_python() -> Iterator[tuple[Path, int, int]]:
    """Every string of several lines that DuckDB can parse: the file, the line and how many lines it takes."""
    for path in PACKAGE.rglob("*.py"):
        if "sandbox" not in path.relative_to(PACKAGE).parts:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                text = _text(node)
                length = (getattr(node, "end_lineno", None) or 0) - getattr(node, "lineno", 0) + 1
                if text and length > 1 and _is_sql(text):
                    yield path, node.lineno, length  # type: ignore[attr-defined]


def _text(node: ast.AST) -> str | None:
    """A literal text, with a name in each place where something is put in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "x" for v in node.values)
    return None


def _is_sql(text: str) -> bool:
    try:
        return bool(duckdb.extract_statements(text.replace("{", "").replace("}", "")))
    except duckdb.Error:
        return False


def _statements_run(path: Path) -> Iterator[tuple[str, set[str] | None]]:
    """The statements that a module runs, each with what it gives; None where that is computed."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "catalog.statement":
            names = [keyword.arg for keyword in node.keywords]
            yield ast.literal_eval(node.args[0]), None if None in names else {str(name) for name in names}
