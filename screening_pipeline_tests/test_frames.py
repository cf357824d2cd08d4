"""The snapshot as data frames and as Parquet files."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from screening_pipeline import frames
from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.errors import UsageError
from screening_pipeline.warehouse import catalog, publish, store
from screening_pipeline_tests.support import generated_world

NOTEBOOK = Path(__file__).parent.parent / "examples" / "turnaround.ipynb"


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
        listed = sorted(first.glob("*/*.parquet"))
        publish.export_parquet(connection, folder, kept_seconds=600)
        assert [path for path in listed if not path.exists()] == [], "who has listed them reads them to the end"
        os.utime(first, (1, 1))  # as if ten minutes had gone by
        second = folder.resolve()
        publish.export_parquet(connection, folder, kept_seconds=600)
        rows = connection.execute(f"from read_parquet('{folder}/star/dim_vendor.parquet')").fetchall()
    published = [r for r in catalog.relations().values() if r.schema in catalog.PUBLISHED and r.refresh != "macro"]
    assert count == len(published) == len(list(folder.glob("*/*.parquet")))
    assert len(rows) == 2
    assert not first.exists()
    assert second.exists()


def test_files_where_a_copy_has_followed_their_link_are_replaced_as_well(snapshot: Path) -> None:
    folder = snapshot.parent / "parquet"
    with store.reader(snapshot) as connection:
        publish.export_parquet(connection, folder)
        copied = shutil.copytree(folder.parent, folder.parent.with_name("copied")) / "parquet"
        assert copied.is_dir()
        assert not copied.is_symlink()
        publish.export_parquet(connection, copied)
    assert copied.is_symlink()
    assert [path.name for path in copied.parent.glob("parquet-*")] == [copied.resolve().name]


def test_the_example_notebook_runs_from_its_first_cell_to_its_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "warehouse.lock"
    with store.writer(tmp_path / "warehouse.duckdb", lock_path=lock, clock=SystemClock()) as live:
        generated_world.fill(live)
        publish.publish(live, tmp_path / "data" / "published" / "screening.duckdb")
    monkeypatch.chdir(tmp_path)
    cells = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    said: dict[str, Any] = {}
    for cell in cells:
        exec("".join(cell["source"]), said)  # noqa: S102 - our own page, as its readers run it
    assert len(said["turnaround"]) == len(frames.turnaround())
    assert len(said["eta"]) > 10
    assert said["days"].notna().any()
