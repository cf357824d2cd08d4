"""How DuckDB means to compute what a batch changes: never all with all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from screening_pipeline.warehouse import batch, catalog, schema, session

CHANGING = ("work", "load", "state", "check_key", "response", "append")
OF_A_BATCH = [relation for relation in catalog.relations().values() if relation.refresh in CHANGING]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[session.Connection]:
    """A new warehouse with an empty batch loaded."""
    folder: Path = tmp_path_factory.mktemp("plans")
    with session.attached(folder / "warehouse.duckdb") as connection:
        schema.create(connection)
        schema._empty_inputs(connection)
        batch.empty_batch(connection)
        batch.set_key(connection, "ab")
        batch.read(connection)
        batch.load(connection)
        schema._empty_inputs(connection)  # reading has dropped what was scanned
        batch.touch_batch(connection)
        for relation in catalog.refreshed("work"):
            connection.execute(f"create or replace temp table {relation.name} as {relation.sql}")
        yield connection


@pytest.mark.parametrize("relation", OF_A_BATCH, ids=lambda r: r.qualified)
def test_no_table_is_joined_row_by_row_with_all_of_another(
    empty: session.Connection, relation: catalog.Relation
) -> None:
    plan = "\n".join(row[1] for row in empty.execute(f"explain {relation.sql}").fetchall())
    assert "_JOIN" in plan or "SCAN" in plan or "GET" in plan or "EMPTY" in plan
    assert not [kind for kind in ("BLOCKWISE_NL_JOIN", "NESTED_LOOP_JOIN", "CROSS_PRODUCT") if kind in plan]
