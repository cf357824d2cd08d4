"""How DuckDB means to compute what a batch changes: never all with all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from screening_pipeline import build, catalog, warehouse

CHANGING = ("work", "load", "check_key", "response", "append")
OF_A_BATCH = [relation for relation in catalog.relations().values() if relation.refresh in CHANGING]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[warehouse.Connection]:
    """A new warehouse with an empty batch loaded."""
    folder: Path = tmp_path_factory.mktemp("plans")
    with warehouse.attached(folder / "warehouse.duckdb") as connection:
        build.create(connection)
        build._empty_inputs(connection)
        build.empty_batch(connection)
        build.set_key(connection, "ab")
        build.read(connection)
        build.load(connection)
        build._empty_inputs(connection)  # reading has dropped what was scanned
        build.touch_batch(connection)
        for relation in catalog.refreshed("work"):
            connection.execute(f"create or replace temp table {relation.name} as {relation.sql}")
        yield connection


@pytest.mark.parametrize("relation", OF_A_BATCH, ids=lambda r: r.qualified)
def test_no_table_is_joined_row_by_row_with_all_of_another(
    empty: warehouse.Connection, relation: catalog.Relation
) -> None:
    plan = "\n".join(row[1] for row in empty.execute(f"explain {relation.sql}").fetchall())
    assert "_JOIN" in plan or "SCAN" in plan or "GET" in plan or "EMPTY" in plan
    assert not [kind for kind in ("BLOCKWISE_NL_JOIN", "NESTED_LOOP_JOIN", "CROSS_PRODUCT") if kind in plan]
