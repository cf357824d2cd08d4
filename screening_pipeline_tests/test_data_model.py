from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.warehouse import catalog, store
from screening_pipeline.warehouse.session import Connection
from screening_pipeline_tests.support import generated_world
from screening_pipeline_tests.test_tools import loaded

DOCS = Path(__file__).parent.parent / "docs"
SHOWN = [relation.qualified for relation in catalog.relations().values() if relation.schema != "work"]
VIEWS = [relation.qualified for relation in catalog.of_schema("analytics")]
QUESTIONS = (DOCS / "questions.md").read_text(encoding="utf-8")
QUERIES = [
    query.strip()
    for block in re.findall(r"```sql\n(.*?)```", QUESTIONS, re.DOTALL)
    for query in block.split(";")
    if query.strip()
]


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    folder = tmp_path_factory.mktemp("warehouse")
    path = folder / "warehouse.duckdb"
    with store.writer(path, lock_path=folder / "lock", clock=SystemClock()) as filled:
        generated_world.fill(filled, checks=5)
        yield filled


@pytest.fixture(scope="module")
def written() -> str:
    return str(loaded("data_model").document())


def test_the_page_is_what_the_sql_says(written: str) -> None:
    page = (DOCS / "data-model.md").read_text(encoding="utf-8")
    assert page == written, "run: python tools/data_model.py"


@pytest.mark.parametrize("name", SHOWN)
def test_it_tells_every_relation_and_the_meaning_of_every_column(written: str, name: str) -> None:
    section = _section(written, name)
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \| (.*) \|$", section, re.MULTILINE)
    assert {column for column, _, _ in rows} == set(catalog.relations()[name].columns)
    assert all(kind and meaning for _, kind, meaning in rows)


def test_it_draws_how_facts_and_dimensions_hang_together(written: str) -> None:
    assert 'fact_check ||--o{ fact_check_event : "check_key"' in written
    assert 'dim_account ||--o{ fact_check : "account"' in written
    assert "analytics_survival_curve --> analytics_turnaround_survival" in written


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_has_its_question_and_a_query_that_asks_it(name: str) -> None:
    assert any(name in query for query in QUERIES)


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_every_query_of_the_questions_can_be_asked(connection: Connection, query: str) -> None:
    assert connection.execute(query).description


def test_each_question_stands_in_a_file_that_can_be_run() -> None:
    """Their queries are those of the page, which are asked above."""
    folder = DOCS.parent / "examples" / "questions"
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert found == loaded("questions").files(), "run: python tools/questions.py"
    assert sum(text.count(";\n") for text in found.values()) == len(QUERIES)


def _section(page: str, name: str) -> str:
    found = re.search(rf"^### `{re.escape(name)}(?:\(t\))?`\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found.group(1)
