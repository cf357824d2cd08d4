"""A published table as CSV: all of it, with the text that was there, and no formula."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.errors import UsageError
from screening_pipeline.cli.export import export
from screening_pipeline.warehouse import publish, schema, store
from screening_pipeline_tests.support import generated_world

FORMULA = "=HYPERLINK(1)"


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    made = store.writer(tmp_path / "warehouse.duckdb", lock_path=tmp_path / "lock", clock=SystemClock())
    with made as connection:
        generated_world.fill(connection, checks=30, packages=("basic", FORMULA, "one\x1b[2J"))
        schema.drop_work(connection)
        publish.publish(connection, tmp_path / "data" / "published" / "screening.duckdb")
    return tmp_path


def test_a_view_becomes_a_file_that_a_spreadsheet_opens(published: Path) -> None:
    assert export("star.fact_check", published / "checks.csv") == 0
    content = (published / "checks.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")  # by which Excel knows UTF-8
    rows = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
    assert len(rows) == len({row["check_key"] for row in rows}) > 30
    packages = {row["package"] for row in rows}
    assert f"'{FORMULA}" in packages
    assert not [name for name in packages if name.startswith("=") or "\x1b" in name]
    assert rows[0]["ordered_at"].endswith("+00:00")


def test_without_a_file_it_goes_to_standard_output(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export("analytics.turnaround", None) == 0
    assert capsys.readouterr().out.startswith("vendor,n,")


@pytest.mark.parametrize("name", ["analytics.turnarond", "raw.response", "star.check_as_of", "x"])
def test_only_what_is_published_is_exported(published: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no table or view") as caught:
        export(name, None)
    if name == "analytics.turnarond":
        assert "did you mean analytics.turnaround" in str(caught.value)
