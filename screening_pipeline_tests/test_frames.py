"""The snapshot as data frames and as Parquet files."""

from pathlib import Path

import pytest

from screening_pipeline import frames
from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.errors import UsageError
from screening_pipeline.warehouse import catalog, publish, store


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("snapshot")
    target = folder / "published" / "screening.duckdb"
    lock = folder / "warehouse.lock"
    with store.writer(folder / "warehouse.duckdb", lock_path=lock, clock=SystemClock()) as live:
        live.execute(
            "insert into star.dim_vendor values "
            "('zinc', 'Zinc', '', 20, false), ('goodhire', 'GoodHire', '', 20, false)"
        )
        publish.publish(live, target)
    return target


def test_a_query_becomes_a_data_frame(snapshot: Path) -> None:
    found = frames.read("select vendor, requests_per_minute from star.dim_vendor order by vendor", snapshot)
    assert found["vendor"].tolist() == ["goodhire", "zinc"]
    assert found["requests_per_minute"].sum() == 40


def test_a_missing_snapshot_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="screening-pipeline sync"):
        frames.read("select 1", tmp_path / "nothing.duckdb")


def test_parquet_files_are_replaced_as_a_set_and_the_set_before_stays_readable(snapshot: Path) -> None:
    folder = snapshot.parent / "parquet"
    with store.reader(snapshot) as connection:
        count = publish.export_parquet(connection, folder)
        first = folder.resolve()
        publish.export_parquet(connection, folder)
        second = folder.resolve()
        publish.export_parquet(connection, folder)
        rows = connection.execute(f"from read_parquet('{folder}/star/dim_vendor.parquet')").fetchall()
    published = [r for r in catalog.relations().values() if r.schema in catalog.PUBLISHED and r.refresh != "macro"]
    assert count == len(published) == len(list(folder.glob("*/*.parquet")))
    assert len(rows) == 2
    assert not first.exists()
    assert second.exists()
