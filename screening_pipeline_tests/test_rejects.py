"""Rejects are open until somebody need not look at them any more; then `status` is content again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from screening_pipeline.cli.app import app
from screening_pipeline_tests.support.end_to_end_world import dagster_words
from screening_pipeline_tests.support.loopback import Asked, Reply, json_reply, serving

pytestmark = [dagster_words, pytest.mark.timeout(300)]

HEADER = "vendor,check_id,candidate_ref,ordered_at\n"
GOOD = "workerchecks,417,C-1,2026-03-02T09:00:00Z\n"
CONFIGURATION = """
[[accounts]]
vendor = "workerchecks"
name = "au"
base_url = "{url}"
widget_secret_env = "WIDGET_SECRET"
requests_per_minute = 6000
"""


class Desk:
    """One account, its vendor on loopback, and the command line in this process."""

    def __init__(self, folder: Path) -> None:
        self.orders = folder / "data" / "orders"
        self.orders.mkdir(parents=True)
        self.answer: object = None
        self.instant = "2026-03-06T09:00:00Z"

    def answering(self, asked: Asked) -> Reply:
        if asked.method == "POST":
            return json_reply({"token": "token-1234567890", "expiresIn": 86400})
        check_id = asked.target.rsplit("/", 1)[-1]
        return json_reply(self.answer or {"checkId": check_id, "status": "Pending", "result": None})

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, words, env={"SCREENING_NOW": self.instant})

    def sync(self) -> Result:
        return self.run("sync", "--full")

    def open_rows(self) -> list[tuple[str, int, str]]:
        found = json.loads(self.run("rejects", "--json").stdout)
        return [(row["file"], row["line"], row["reason"]) for row in found]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("DAGSTER_HOME", "SCREENING_CONFIG", "SCREENING_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WIDGET_SECRET", "a widget secret of a test")
    with serving(desk.answering) as vendor:
        (tmp_path / "screening.toml").write_text(CONFIGURATION.format(url=vendor.url))
        yield desk


def test_a_rejected_row_is_open_until_its_file_is_gone_and_again_when_it_is_back(desk: Desk) -> None:
    bad = desk.orders / "bad.csv"
    bad.write_text(HEADER + GOOD + "workerchecks,418,C-2,yesterday\n")
    assert desk.sync().exit_code == 1
    assert desk.run("status").exit_code == 1
    assert desk.open_rows() == [("bad.csv", 3, "bad_time")]
    listed = desk.run("rejects")
    assert listed.exit_code == 1
    assert "bad.csv:3" in listed.stdout
    content = bad.read_text()
    bad.unlink()
    assert desk.sync().exit_code == 0
    assert desk.open_rows() == []
    assert desk.run("rejects").exit_code == 0
    assert desk.run("status").exit_code == 0
    bad.write_text(content)
    desk.sync()
    assert desk.open_rows() == [("bad.csv", 3, "bad_time")]


def test_a_rejected_row_is_settled_by_a_later_file_that_holds_it(desk: Desk) -> None:
    (desk.orders / "a.csv").write_text(HEADER + GOOD + "workerchekcs,418,C-2,2026-03-02T09:00:00Z\n,,,\nzinc,9,C,\n")
    desk.sync()
    assert [line for _, line, _ in desk.open_rows()] == [3, 5]
    (desk.orders / "b.csv").write_text(HEADER + "workerchecks,418,C-2,2026-03-02T09:00:00Z\n")
    desk.sync()
    assert [line for _, line, _ in desk.open_rows()] == [5]


def test_a_file_that_is_mended_in_its_place_leaves_nothing_open(desk: Desk) -> None:
    orders = desk.orders / "orders.csv"
    orders.write_text(HEADER + "workerchecks,418,C-2,yesterday\n")
    assert desk.sync().exit_code == 1
    orders.write_text(HEADER + "workerchecks,418,C-2,2026-03-02T09:00:00Z\n")
    assert desk.sync().exit_code == 0
    assert desk.run("status").exit_code == 0


def test_rejects_are_settled_by_hand_and_stay_so_after_a_rebuild(desk: Desk) -> None:
    (desk.orders / "bad.csv").write_text(HEADER + "workerchecks,1042.0,C-2,2026-03-02T09:00:00Z\n")
    desk.sync()
    settled = desk.run("rejects", "--settle")
    assert settled.exit_code == 0
    assert "settled 1 rejects" in settled.stdout
    assert desk.run("status").exit_code == 0
    assert desk.run("rebuild").exit_code == 0
    assert desk.open_rows() == []


def test_an_answer_that_could_not_be_read_is_open_until_a_later_one_about_the_check_could(desk: Desk) -> None:
    (desk.orders / "orders.csv").write_text(HEADER + GOOD)
    desk.answer = {"checkId": "another", "status": "Pending"}
    desk.sync()
    assert desk.run("status").exit_code == 1
    (row,) = json.loads(desk.run("rejects", "--json").stdout)
    assert (row["source"], row["check_id"], row["reason"]) == ("response", "417", "id_mismatch")
    desk.answer, desk.instant = None, "2026-03-07T09:00:00Z"
    desk.sync()
    assert desk.open_rows() == []
    assert desk.run("status").exit_code == 0


def test_status_says_how_a_file_is_written_and_which_one_waits(desk: Desk) -> None:
    (desk.orders / "excel.csv").write_text(HEADER.replace(",", ";") + GOOD.replace(",", ";"))
    (desk.orders / "growing.csv").write_text(HEADER + GOOD.replace("417", "418").removesuffix("0:00Z\n"))
    synced = desk.sync()
    assert "Waits: growing.csv: its last line has no line end" in synced.stdout
    said = desk.run("status").stdout
    assert "Order file excel.csv: read as semicolons" in said
    assert "Order file growing.csv: waits" in said
    os.utime(desk.orders / "growing.csv", (1_700_000_000, 1_700_000_000))
    desk.sync()
    assert "waits" not in desk.run("status").stdout
    assert [row[0] for row in desk.open_rows()] == ["growing.csv"]


def test_a_person_is_erased_in_every_spelling_that_an_earlier_version_has_kept(desk: Desk) -> None:
    from screening_pipeline.base.sql_text import quote
    from screening_pipeline.cycle.writing import open_warehouse
    from screening_pipeline.domain.pseudonym import pseudonym
    from screening_pipeline.runtime import opening
    from screening_pipeline.warehouse import store

    (desk.orders / "orders.csv").write_text(HEADER + "".join(GOOD.replace("417", str(n)) for n in range(417, 421)))
    desk.sync()
    kept = dict(zip(range(417, 421), ("Zo\u00eb", "Zoe\u0308", "\u200bZo\u00eb", "Zo\u00e9"), strict=True))
    with opening.open_runtime(os.environ, Path.cwd()) as work, open_warehouse(work) as connection:
        for check_id, reference in kept.items():
            key = quote(pseudonym(work.key, reference))
            connection.execute(f"update raw.order set candidate_key = {key} where check_id = '{check_id}'")
    assert desk.run("erase", "--candidate-ref", "Zoe\u0308").exit_code == 0
    with store.reader(Path("data/published/screening.duckdb")) as connection:
        assert connection.execute("select check_id from star.fact_check").fetchall() == [("420",)]
