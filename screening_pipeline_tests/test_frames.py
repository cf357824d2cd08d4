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
from screening_pipeline.warehouse import catalog, computed, publish, store
from screening_pipeline_tests.support import generated_world
from screening_pipeline_tests.support.parquet import differing

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


@pytest.fixture(scope="module")
def imagined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data folder of an imagined customer."""
    folder = tmp_path_factory.mktemp("imagined")
    with store.writer(folder / "warehouse.duckdb", lock_path=folder / "warehouse.lock", clock=SystemClock()) as live:
        generated_world.fill(live)
        publish.publish(live, folder / "data" / "published" / "screening.duckdb")
    return folder


def test_each_file_has_the_rows_and_types_of_its_table_or_view(imagined: Path, tmp_path: Path) -> None:
    with store.reader(imagined / "data" / "published" / "screening.duckdb") as connection:
        publish.export_parquet(connection, tmp_path / "parquet")
        assert differing(connection, tmp_path / "parquet") == []
        (filled,) = connection.execute("select count(*) from analytics.turnaround_survival").fetchone() or (0,)
    assert filled > 100


def test_a_view_that_was_computed_is_not_computed_for_those_that_read_it(imagined: Path, tmp_path: Path) -> None:
    read, reads = (catalog.relations()[f"analytics.{name}"] for name in ("incidence_tally", "survival_curve"))
    counted = f"select count(*) from {reads.qualified}"
    with store.reader(imagined / "data" / "published" / "screening.duckdb") as connection:
        before = connection.execute(counted).fetchall()
        with computed.standing_before(connection) as placed:
            assert {relation.qualified for relation in placed} > {read.qualified, reads.qualified}
            assert connection.execute(counted).fetchall() == before
            for chosen, found in (("limit 0", [(0,)]), ("", before)):  # a file with nothing in it shows who reads it
                connection.execute(f"copy (from {read.qualified} {chosen}) to '{tmp_path}/rows.parquet'")
                computed.replace_by_file(connection, read, tmp_path / "rows.parquet")
                assert connection.execute(counted).fetchall() == found
                connection.execute(f"create or replace view {read.qualified} as from screening.{read.qualified}")
            texts = f"select * replace (time::text as time) from {read.qualified}"
            connection.execute(f"copy ({texts}) to '{tmp_path}/texts.parquet'")
            computed.replace_by_file(connection, read, tmp_path / "texts.parquet")
            assert connection.execute(counted).fetchall() == before, "a file with other types stands for nothing"
        assert connection.execute(counted).fetchall() == before


def test_the_example_notebook_runs_from_its_first_cell_to_its_last(
    imagined: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(imagined)
    cells = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    said: dict[str, Any] = {}
    for cell in cells:
        exec("".join(cell["source"]), said)  # noqa: S102 - our own page, as its readers run it
    assert len(said["turnaround"]) == len(frames.turnaround())
    assert len(said["eta"]) > 10
    assert said["days"].notna().any()
