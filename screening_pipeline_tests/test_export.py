"""A published table as CSV: all of it, with the text that was there, and no formula."""

from __future__ import annotations

import csv
import re
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET
from zipfile import ZipFile

import pytest

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.errors import NotWritable, UsageError
from screening_pipeline.cli.export import export
from screening_pipeline.warehouse import catalog, publish, schema, store
from screening_pipeline_tests.support import generated_world

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
PARTS = ("worksheets/sheet1", "sharedStrings")
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


def test_in_a_workbook_ids_keep_their_zeros_and_nothing_is_a_formula(published: Path) -> None:
    assert export("star.fact_check", published / "checks.xlsx") == 0
    head, *rows = cells(published / "checks.xlsx")
    known = {name: [row.get(at) for row in rows] for at, name in head.items()}
    assert len(rows) > 30
    assert set(known) == set(catalog.relations()["star.fact_check"].columns)
    assert [word for word in known["check_id"] if not re.fullmatch(r"0\d{4}", word or "")] == []
    assert FORMULA in known["package"]
    assert not [word for word in known["package"] if "\x1b" in (word or "")]
    assert all(45_000 < float(day or 0) < 47_000 for day in known["ordered_at"]), "days since 1900"


def test_a_workbook_that_cannot_be_written_is_told(published: Path) -> None:
    (published / "checks.xlsx").mkdir()
    with pytest.raises(NotWritable):
        export("star.fact_check", published / "checks.xlsx")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("000417", "000417"),
        (2**60, str(2**60)),
        (0.25, 0.25),
        (float("inf"), "inf"),
        (Decimal("1.5"), Decimal("1.5")),
        (["a"], "['a']"),
        (True, True),
        (None, None),
        (date(1850, 1, 1), "1850-01-01"),
        (datetime(2026, 3, 1, 9, tzinfo=timezone(timedelta(hours=11))), datetime(2026, 2, 28, 22)),  # noqa: DTZ001
        ("x" * 40_000, "x" * 32_766 + "…"),
    ],
)
def test_what_a_workbook_would_round_or_not_know_is_text(value: object, shown: object) -> None:
    from screening_pipeline.cli import workbook

    assert workbook.cell(value) == shown


def cells(path: Path) -> list[dict[str, str]]:
    """The cells of the first sheet, row by row, by their column; a formula would have an element of its own."""
    with ZipFile(path) as parts:
        # Our own, and no stranger's.
        sheet, strings = (ET.fromstring(parts.read(f"xl/{name}.xml")) for name in PARTS)  # noqa: S314
    texts = ["".join(one.itertext()) for one in strings]
    assert not list(sheet.iter(f"{SHEET}f"))
    return [
        {cell.attrib["r"].rstrip("0123456789"): _text(cell, texts) for cell in row} for row in sheet.iter(f"{SHEET}row")
    ]


def _text(cell: ET.Element, texts: list[str]) -> str:
    value = "".join(cell.itertext())
    return texts[int(value)] if cell.get("t") == "s" else value
