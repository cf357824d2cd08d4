"""Order files as people have them: out of spreadsheets, mails and look-ups, half written, and of any size."""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from screening_pipeline.base.clock import ManualClock
from screening_pipeline.base.progress import no_progress
from screening_pipeline.base.sql_text import quote
from screening_pipeline.domain import ids
from screening_pipeline.domain.pseudonym import pseudonym
from screening_pipeline.orders import files, instants, intake, taking, text_lines
from screening_pipeline.orders.files import Problem
from screening_pipeline.warehouse import ingest, schema, session
from screening_pipeline_tests.support import order_rows
from screening_pipeline_tests.support.stage import MORNING, PART_KEY, Row, Stage, opened

KEY = b"pseudonym key of a test"
HEADER = "vendor,check_id,candidate_ref,ordered_at\n"
ORDER = "goodhire,{},C-1,2026-03-02T09:00:00Z\n"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with opened(tmp_path_factory) as prepared:
        yield prepared


@pytest.fixture
def own_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with opened(tmp_path_factory) as prepared:
        yield prepared


def read(stage: Stage, content: str | bytes, name: str = "orders.csv") -> tuple[list[Row], list[Problem]]:
    """What one manifest says; nothing is kept."""
    path = stage.settings.paths.data_dir / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return order_rows.read_rows(stage.connection, path, stage.settings, key=KEY)


def in_every_format(stage: Stage, tmp_path: Path, **cells: str) -> Iterator[tuple[list[Row], list[Problem]]]:
    """What a row of these cells is read as from a CSV, an NDJSON and a Parquet file."""
    row = {"vendor": "goodhire", "check_id": "r1", **cells}
    quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in row.values())
    yield read(stage, f"{','.join(row)}\n{quoted}\n")
    yield read(stage, json.dumps(row) + "\n", "orders.ndjson")
    columns = ", ".join(f"{quote(cell)} as {name}" for name, cell in row.items())
    yield read(stage, parquet(stage, tmp_path, columns), "orders.parquet")


def parquet(stage: Stage, folder: Path, columns: str) -> bytes:
    target = folder / "made.parquet"
    stage.connection.execute(f"copy (select {columns}) to {quote(str(target))} (format parquet)")
    return target.read_bytes()


# ── ids ────────────────────────────────────────────────────────────────────────────────────────────

SPREADSHEET_NUMBERS = ["1042.0", "1042.00", "1042,0", "1042.", "1.23457E+17", "1,23457E+17", "1E+17", "1E05", "2e+21"]
FORMULAS = ["=A1+0", "'00417", "1,042", "1.5e17"]
NOTHING = [
    "#N/A",
    "#REF!",
    "#NAME?",
    "#DIV/0!",
    "#NV",
    "NULL",
    "\\N",
    "nan",
    "None",
    "n/a",
    "-",
    "--",
    "<NA>",
    "(null)",
]
NOTHING_EITHER = ["N/A", "unknown", "########", "?", "00000000-0000-0000-0000-000000000000", "TRUE"]
UNSEEN = [
    "41\u200b7",
    "41\u00ad7",
    "41\u00a07",
    "41\u20117",
    "41\u202e7",
    "41\ufeff7",
    "41\u20627",
    "41\u31647",
    "41\t7",
]


@pytest.mark.parametrize("column", ["check_id", "candidate_ref"])
@pytest.mark.parametrize("text", [*SPREADSHEET_NUMBERS, *FORMULAS])
def test_an_id_that_went_through_a_spreadsheet_as_a_number_is_refused_in_every_format(
    stage: Stage, tmp_path: Path, column: str, text: str
) -> None:
    for read_rows, problems in in_every_format(stage, tmp_path, **{column: text}):
        assert read_rows == []
        assert [problem.reason for problem in problems] == ["spreadsheet_number"]
        assert column in problems[0].detail
        assert text not in problems[0].detail


@pytest.mark.parametrize("text", ["73928e03", "1042", "00417", "A.0", "1.5.2", "C-1042", "e03", "12345678901234567890"])
def test_an_id_that_only_looks_a_little_like_a_number_of_a_spreadsheet_stays_an_id(
    stage: Stage, tmp_path: Path, text: str
) -> None:
    for read_rows, problems in in_every_format(stage, tmp_path, check_id=text, candidate_ref=text):
        assert (problems, [row["check_id"] for row in read_rows]) == ([], [text])


@pytest.mark.parametrize("column", ["check_id", "candidate_ref"])
@pytest.mark.parametrize("text", [*NOTHING, *NOTHING_EITHER])
def test_a_word_for_nothing_is_no_id_and_no_person_in_every_format(
    stage: Stage, tmp_path: Path, column: str, text: str
) -> None:
    for read_rows, problems in in_every_format(stage, tmp_path, **{column: text}):
        assert (read_rows, [problem.reason for problem in problems]) == ([], ["no_value"])


@pytest.mark.parametrize("text", UNSEEN)
def test_a_sign_that_nobody_sees_inside_an_id_is_refused_in_every_format(
    stage: Stage, tmp_path: Path, text: str
) -> None:
    for column in ("check_id", "candidate_ref"):
        for read_rows, problems in in_every_format(stage, tmp_path, **{column: text}):
            assert (read_rows, [problem.reason for problem in problems]) == ([], ["invisible_sign"])


@pytest.mark.parametrize("sign", ["\u200b", "\ufeff", "\u00a0", "\u200e", "\u2069", "\u00ad", "\u2060", "\u202f", " "])
def test_signs_that_nobody_sees_at_the_ends_of_an_id_are_dropped_in_every_format(
    stage: Stage, tmp_path: Path, sign: str
) -> None:
    for text in (f"{sign}417", f"417{sign}", f" {sign}417{sign} "):
        for read_rows, problems in in_every_format(stage, tmp_path, check_id=text, candidate_ref=text):
            assert (problems, [row["check_id"] for row in read_rows]) == ([], ["417"])
            assert read_rows[0]["candidate_key"] == pseudonym(KEY, "417")


def test_a_person_is_the_same_however_their_letters_are_composed(stage: Stage, tmp_path: Path) -> None:
    keys = {
        row["candidate_key"]
        for text in ("Zo\u00eb", "Zoe\u0308")
        for read_rows, _ in in_every_format(stage, tmp_path, candidate_ref=text)
        for row in read_rows
    }
    assert keys == {pseudonym(KEY, "Zo\u00eb")}


@pytest.mark.parametrize(
    ("kept", "asked"),
    [("1042.0", "1042"), ("1042", "1042.0"), ("Zoe\u0308", "Zo\u00eb"), ("\u200banna", "anna"), ("anna\u00ad", "anna")],
)
def test_the_spellings_of_a_person_include_those_that_earlier_versions_kept(kept: str, asked: str) -> None:
    assert kept in set(ids.spellings(asked))
    assert ids.is_same_person(kept, asked)
    assert not ids.is_same_person("anna", "Anna")


# ── instants ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("vendor", "given", "instant"),
    [
        ("workerchecks", "2026-03-05-08:00", "2026-03-05T08:00:00+00:00"),
        ("workerchecks", "2026-03-05+10:00", "2026-03-04T14:00:00+00:00"),
        ("goodhire", "2026-03-05Z", "2026-03-05T00:00:00+00:00"),
        ("goodhire", "2026-03-05T09:14Z", "2026-03-05T09:14:00+00:00"),
        ("goodhire", "2026-03-05T09:14+01:00", "2026-03-05T08:14:00+00:00"),
        ("goodhire", "2026-03-08 02:30", "2026-03-08T10:30:00+00:00"),
    ],
)
def test_a_day_of_a_zone_is_its_first_moment_there_and_never_a_time_of_day(
    stage: Stage, vendor: str, given: str, instant: str
) -> None:
    read_rows, problems = read(stage, f"vendor,check_id,ordered_at\n{vendor},r1,{given}\n")
    assert (problems, [row["ordered_at"] for row in read_rows]) == ([], [instant])


@pytest.mark.parametrize("given", ["2026-03-05-0800", "2026-03-05-08", "2026-W10-4", "20260305T091400Z", "46086.38"])
def test_a_time_that_may_be_read_in_two_ways_is_refused(stage: Stage, given: str) -> None:
    _, problems = read(stage, f"vendor,check_id,ordered_at\ngoodhire,r1,{given}\n")
    assert [problem.reason for problem in problems] == ["bad_time"]


def test_a_vendor_s_day_of_a_zone_lasts_until_the_day_ends_there(own_stage: Stage) -> None:
    story = own_stage.story("zoned").of("workerchecks")
    story.order(ordered_at="2026-03-02T00:00:00Z")
    body = {"checkId": "zoned", "status": "Completed", "result": "Clear", "releaseDate": "2026-03-05-08:00"}
    own_stage.land(
        received_at=MORNING + timedelta(days=30),
        body=body,
        vendor="workerchecks",
        account="main",
        subject="check",
        check_id="zoned",
        endpoint="results",
        channel="pull",
    )
    own_stage.settle()
    (fact,) = own_stage.rows("select completed_at, completed_at_earliest from star.fact_check where check_id = 'zoned'")
    assert f"{fact['completed_at']:%Y-%m-%dT%H:%M:%S}" == "2026-03-06T07:59:59"
    assert f"{fact['completed_at_earliest']:%Y-%m-%dT%H:%M:%S}" == "2026-03-05T08:00:00"


# ── how files are written ──────────────────────────────────────────────────────────────────────────

DIALECTS = {
    "semicolons": (b"vendor;check_id;package\r\ngoodhire;007;a,b\r\n", "semicolons"),
    "tabs": (b"vendor\tcheck_id\ngoodhire\t007\n", "tabs"),
    "bars": (b"vendor|check_id\ngoodhire|007\n", "bars"),
    "utf_16": ("vendor\tcheck_id\r\ngoodhire\t007\r\n".encode("utf-16"), "tabs, UTF-16-LE"),
    "utf_16_big": (b"\xfe\xff" + "vendor,check_id\ngoodhire,007\n".encode("utf-16-be"), "UTF-16-BE"),
    "utf_16_unmarked": ("vendor,check_id\ngoodhire,007\n".encode("utf-16-le"), "UTF-16-LE"),
    "sep_line": (b"sep=;\r\nvendor;check_id\r\ngoodhire;007\r\n", "semicolons, header in line 2"),
    "sep_of_its_own": (b"sep=^\nvendor^check_id\ngoodhire^007\n", "'^', header in line 2"),
    "title": (b"Orders of March;;\r\n;;\r\nvendor;check_id;note\r\ngoodhire;007;\r\n", "semicolons, header in line 3"),
    "capitals": (b"Vendor,Check ID\ngoodhire,007\n", None),
    "no_break_blanks": ("\u00a0VENDOR ,Check\u00a0Id\ngoodhire,007\n".encode(), None),
    "old_mac": (b"vendor,check_id\rgoodhire,007\r", None),
    "plain": (b"vendor,check_id\ngoodhire,007\n", None),
}


@pytest.mark.parametrize(("content", "words"), DIALECTS.values(), ids=DIALECTS)
def test_a_csv_is_read_as_its_header_line_shows_it_to_be_written(
    own_stage: Stage, content: bytes, words: str | None
) -> None:
    (own_stage.settings.paths.orders / "orders.csv").write_bytes(content)
    own_stage.settle()
    assert own_stage.rows("select check_id from raw.order") == [{"check_id": "007"}]
    assert own_stage.rows("select dialect from raw.order_file") == [{"dialect": words}]
    assert intake.dialects(own_stage.connection) == ({"orders.csv": words} if words else {})


def test_names_of_columns_may_have_capitals_and_blanks_in_every_format(stage: Stage, tmp_path: Path) -> None:
    line = json.dumps({"Vendor": "goodhire", "Check ID": "007", "Candidate-Ref": "C-1"}) + "\n"
    columns = "'goodhire' as \"Vendor\", '007' as \"Check ID\", 'C-1' as \"Candidate-Ref\""
    for content, name in ((line, "o.ndjson"), (parquet(stage, tmp_path, columns), "o.parquet")):
        (row,), problems = read(stage, content, name)
        assert (problems, row["check_id"], row["candidate_key"]) == ([], "007", pseudonym(KEY, "C-1"))


def test_a_column_of_our_very_name_is_not_disturbed_by_one_like_it(stage: Stage) -> None:
    (row,), problems = read(stage, "vendor,check_id,Check ID\ngoodhire,007,mine\n")
    assert (problems, row["check_id"]) == ([], "007")


OTHER_KINDS = {
    "workbook": ("o.csv", b"PK\x03\x04rest", "Excel workbook"),
    "old_workbook": ("o.csv", b"\xd0\xcf\x11\xe0rest", "save the sheet as CSV"),
    "parquet": ("o.csv", b"PAR1rest", "ends in .parquet"),
    "gzip": ("o.ndjson", b"\x1f\x8b\x08rest", "unpack"),
    "json": ("o.csv", b'{"vendor": "goodhire"}\n', "ends in .ndjson"),
    "array": ("o.ndjson", b'[{"vendor": "goodhire"}]\n', "one object on a line"),
    "page": ("o.csv", b"<!doctype html>\n", "web page"),
    "zeros": ("o.csv", bytes(4096), "zeros"),
}


@pytest.mark.parametrize(("name", "content", "advice"), OTHER_KINDS.values(), ids=OTHER_KINDS)
def test_a_file_of_another_kind_is_named_as_what_it_is_with_what_to_do(
    stage: Stage, name: str, content: bytes, advice: str
) -> None:
    read_rows, problems = read(stage, content, name)
    assert (read_rows, [problem.reason for problem in problems]) == ([], ["not_text"])
    assert advice in problems[0].detail


def test_a_header_that_is_not_found_says_what_was_seen_instead(stage: Stage) -> None:
    (problem,) = read(stage, "Anbieter;Nummer;Person\ngoodhire;1;Jane Doe\n")[1]
    assert problem.reason == "missing_column"
    assert "line 1 has 3 cells parted by semicolons" in problem.detail
    assert "Nummer" not in problem.detail


@pytest.mark.parametrize("name", ["o.csv", "o.ndjson", "o.parquet"])
def test_a_file_without_any_row_is_a_reject_and_never_no_orders(stage: Stage, tmp_path: Path, name: str) -> None:
    columns = "'goodhire' as vendor, 'r1' as check_id where false"
    contents = {"o.csv": b"vendor,check_id\n", "o.ndjson": b"\n", "o.parquet": parquet(stage, tmp_path, columns)}
    assert [problem.reason for problem in read(stage, contents[name], name)[1]] == ["no_rows"]


def test_four_thousand_orders_on_one_line_are_a_reject_and_take_no_time(stage: Stage) -> None:
    content = "vendor,check_id," + ",".join(f"goodhire,r{number}" for number in range(4_000)) + "\n"
    started = time.process_time()
    read_rows, problems = read(stage, content)
    assert (read_rows, [problem.reason for problem in problems]) == ([], ["too_long"])
    (problem,) = read(stage, ",".join(f"column{number}" for number in range(900_000)) + "\n")[1]
    assert time.process_time() - started < 5
    assert "1,000 cells" in problem.detail


def test_a_line_without_end_costs_its_row_and_no_other(stage: Stage) -> None:
    content = HEADER + ORDER.format("r1") + "goodhire," + "x" * 3_000_000 + "\n" + ORDER.format("r2")
    read_rows, problems = read(stage, content)
    assert [row["check_id"] for row in read_rows] == ["r1", "r2"]
    assert [(problem.line, problem.reason) for problem in problems] == [(3, "too_long")]
    lines = json.dumps({"vendor": "goodhire", "check_id": "r3"}) + "\n"
    read_rows, problems = read(stage, lines + '{"x": "' + "x" * 3_000_000 + '"}\n' + lines, "o.ndjson")
    assert ([row["check_id"] for row in read_rows], [p.line for p in problems]) == (["r3", "r3"], [2])


# ── Parquet ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("'r1'::blob", "bytes"),
        ("['r1']", "lists"),
        ("{'id': 'r1'}", "objects"),
        ("true", "truth values"),
        ("date '2026-03-02'", "date"),
        ("12.5::double", "decimals"),
    ],
)
@pytest.mark.parametrize("column", ["check_id", "candidate_ref"])
def test_an_id_column_of_parquet_that_holds_no_text_is_refused(
    stage: Stage, tmp_path: Path, column: str, value: str, word: str
) -> None:
    cells = {"vendor": "'goodhire'", "check_id": "'r1'", column: value}
    content = parquet(stage, tmp_path, ", ".join(f"{cell} as {name}" for name, cell in cells.items()))
    read_rows, problems = read(stage, content, "o.parquet")
    assert (read_rows, [problem.reason for problem in problems]) == ([], ["bad_type"])
    assert column in problems[0].detail
    assert word in problems[0].detail


def test_ids_of_whole_numbers_and_guids_of_parquet_are_read(stage: Stage, tmp_path: Path) -> None:
    for value, text in (
        ("12::utinyint", "12"),
        ("18446744073709551615::ubigint", "18446744073709551615"),
        ("uuid '6f7a86f2-5f0c-4c5e-9f07-1d1f2b3c4d5e'", "6f7a86f2-5f0c-4c5e-9f07-1d1f2b3c4d5e"),
        ("'a'::enum('a', 'b')", "a"),
    ):
        content = parquet(stage, tmp_path, f"'goodhire' as vendor, {value} as check_id")
        (row,), problems = read(stage, content, "o.parquet")
        assert (problems, row["check_id"]) == ([], text)


# One order of 2026-03-05 09:14, its instant in 96 bits, as Spark writes them.
OF_SPARK = (
    "UEFSMRUAFSQVJCwVAhUAFQYVBhwAAAACAAAAAgEIAAAAZ29vZGhpcmUVABUYFRgsFQIVABUGFQYcAAAAAgAAAAIBAgAAAHIxFQAV"
    "JBUkLBUCFQAVBhUGHAAAAAIAAAACAQBwZEo7HgAAsY0lABUEGUw1ABgGc2NoZW1hFQYAFQwlAhgGdmVuZG9yJQBMHAAAABUMJQIY"
    "CGNoZWNrX2lkJQBMHAAAABUGJQIYCm9yZGVyZWRfYXQAFgIZHBk8JgAcFQwZJQYAGRgGdmVuZG9yFQAWAhZKFkomCEkcFQAVABUC"
    "ADwWEBkGGSYAAgAAACYAHBUMGSUGABkYCGNoZWNrX2lkFQAWAhY+Fj4mUkkcFQAVABUCADwWBBkGGSYAAgAAACYAHBUGGSUGABkY"
    "Cm9yZGVyZWRfYXQVABYCFkoWSiaQAUkcFQAVABUCADwpBhkmAAIAAAAW0gEWAiYIFtIBACggcGFycXVldC1jcHAtYXJyb3cgdmVy"
    "c2lvbiAyNi4wLjEZPBwAABwAABwAAAAhAQAAUEFSMQ=="
)


def test_instants_that_spark_has_written_are_utc(stage: Stage) -> None:
    (row,), problems = read(stage, base64.b64decode(OF_SPARK), "o.parquet")
    assert (problems, row["ordered_at"]) == ([], "2026-03-05T09:14:00+00:00")


# ── tags ───────────────────────────────────────────────────────────────────────────────────────────


def test_values_that_must_never_be_stored_are_masked_in_tags_before_anything_is_kept(
    stage: Stage, tmp_path: Path
) -> None:
    tags = {"team": "x", "ssn": "078-05-1120", "person": {"date_of_birth": "1980-01-02"}, "Driver License": "D123"}
    cells = json.dumps(tags)
    made = list(in_every_format(stage, tmp_path, tags=cells))
    object_columns = "'goodhire' as vendor, 'r1' as check_id, {'team': 'x', 'ssn': '078-05-1120'} as tags"
    made.append(read(stage, parquet(stage, tmp_path, object_columns), "o.parquet"))
    for (row,), problems in made:
        assert problems == []
        assert json.loads(row["tags"])["team"] == "x"
        assert json.loads(row["tags"])["ssn"] == "***"
        assert not any(value in row["tags"] for value in ("078-05-1120", "1980-01-02", "D123"))


# ── files that are being written ───────────────────────────────────────────────────────────────────


def take_in(stage: Stage, clock: ManualClock) -> intake.IntakeCounts:
    with session.transaction(stage.connection):
        taken = intake.take_in(stage.connection, stage.settings, key=KEY, now=clock.now(), run_id="test", clock=clock)
        ingest.advance(stage.connection, stage.landing, part_key=PART_KEY)
    schema.drop_work(stage.connection)
    return taken


def known(stage: Stage) -> list[str]:
    return [row["check_id"] for row in stage.rows("select distinct check_id from raw.order order by check_id")]


def written(stage: Stage, name: str, content: str, at: ManualClock) -> Path:
    path = stage.settings.paths.orders / name
    path.write_text(content)
    moment = at.now().timestamp()
    os.utime(path, (moment, moment))
    return path


@pytest.mark.parametrize("ending", ["csv", "ndjson"])
def test_the_last_line_of_a_file_that_is_being_written_is_not_read_until_it_is_whole(
    own_stage: Stage, ending: str
) -> None:
    clock = ManualClock(MORNING)
    whole = {
        "csv": HEADER + ORDER.format("1") + "goodhire,1042718,C-2,2026-03-02T09:00:00Z\n",
        "ndjson": '{"vendor": "goodhire", "check_id": "1"}\n{"vendor": "goodhire", "check_id": "1042718"}\n',
    }[ending]
    written(own_stage, f"o.{ending}", whole[: whole.index("1042718") + 4], clock)
    taken = take_in(own_stage, clock)
    assert (taken.orders, taken.rejects, list(taken.waiting)) == (1, 0, [f"o.{ending}"])
    assert known(own_stage) == ["1"]
    clock.advance(20)
    written(own_stage, f"o.{ending}", whole, clock)
    assert take_in(own_stage, clock).waiting == {}
    assert known(own_stage) == ["1", "1042718"]


def test_a_last_line_without_a_line_end_is_read_once_the_file_has_been_still_for_a_minute(own_stage: Stage) -> None:
    clock = ManualClock(MORNING)
    written(own_stage, "o.csv", HEADER + "goodhire,1042,C-2,2026-03-02T09:00:00Z", clock)
    assert (take_in(own_stage, clock).orders, known(own_stage)) == (0, [])
    clock.advance(30)
    assert list(take_in(own_stage, clock).waiting) == ["o.csv"]
    clock.advance(31)
    taken = take_in(own_stage, clock)
    assert (taken.orders, taken.rejects, taken.waiting) == (1, 0, {})


def test_a_file_whose_time_lies_before_us_is_still_when_it_was_seen_so_for_a_minute(own_stage: Stage) -> None:
    clock, ahead = ManualClock(MORNING), ManualClock(MORNING + timedelta(days=200))
    written(own_stage, "o.csv", HEADER + "goodhire,1042,C-2,2026-03-02T09:00:00Z", ahead)
    assert list(take_in(own_stage, clock).waiting) == ["o.csv"]
    clock.advance(61)
    assert take_in(own_stage, clock).orders == 1


def test_a_file_that_changes_between_two_looks_waits_as_a_whole(own_stage: Stage) -> None:
    path = own_stage.settings.paths.orders / "o.csv"

    class Writing(ManualClock):
        """Somebody writes while we wait for the second look."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            with path.open("a") as file:
                file.write(ORDER.format("late"))

    clock = Writing(MORNING)
    written(own_stage, "o.csv", HEADER + ORDER.format("early"), clock)
    assert take_in(own_stage, clock).waiting == {"o.csv": files.BEING_WRITTEN}
    assert known(own_stage) == []
    assert take_in(own_stage, ManualClock(clock.now())).orders == 2


def test_a_file_that_is_known_by_size_and_time_is_not_read_again(
    own_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(MORNING)
    written(own_stage, "o.csv", HEADER + ORDER.format("r1"), clock)
    assert take_in(own_stage, clock).orders == 1
    monkeypatch.setattr(files, "_measured", None)  # whoever hashed it would fail
    assert take_in(own_stage, clock) == intake.IntakeCounts()


@pytest.fixture
def in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "STEP_ORDERS", 50)
    monkeypatch.setattr(taking, "SMALL_BYTES", 100)
    monkeypatch.setattr(text_lines, "BLOCK", 800)  # characters


def steps(stage: Stage, clock: ManualClock, *, most: int = 1_000) -> Iterator[intake.IntakeCounts]:
    """What each step brings, committed; a crash after `most`."""
    given: dict[str, Any] = {"run_id": "test", "progress": no_progress, "clock": clock, "landing": stage.landing}
    found = intake.steps(stage.connection, stage.settings, key=KEY, **given)
    is_more = True
    while is_more and (most := most - 1) >= 0:
        with session.transaction(stage.connection):
            taken, is_more = next(found)
            ingest.advance(stage.connection, stage.landing, part_key=PART_KEY)
        schema.drop_work(stage.connection)
        yield taken


def lines_of(stage: Stage, name: str = "o.csv") -> list[int]:
    return [row["line"] for row in stage.rows(f"select line from raw.order where file = '{name}' order by order_seq")]


BAD = (7, 120)
LARGE = HEADER + "".join(ORDER.format("" if number in BAD else f"r{number}") for number in range(2, 302))
GOOD = [number for number in range(2, 302) if number not in BAD]


@pytest.mark.usefixtures("in_small_parts")
def test_a_large_file_is_read_in_parts_and_gone_on_with_where_that_was_stopped(own_stage: Stage) -> None:
    clock = ManualClock(MORNING)
    written(own_stage, "o.csv", LARGE, clock)
    first = list(steps(own_stage, clock, most=2))
    assert len(first) == 2
    assert lines_of(own_stage) == GOOD[: sum(taken.orders for taken in first)]
    assert own_stage.rows("from raw.order_file") == []
    rest = list(steps(own_stage, clock))
    assert len(rest) > 2
    assert lines_of(own_stage) == GOOD
    assert [tuple(row.values()) for row in own_stage.rows("select row_count, reject_count from raw.order_file")] == [
        (300, 2)
    ]
    assert [row["line"] for row in own_stage.rows("select line from ops.reject order by line")] == list(BAD)
    counted = "select count(*) as n, count(ordered_at) as dated, count(distinct check_id) as ids from star.fact_check"
    assert own_stage.rows(counted) == [{"n": 298, "dated": 298, "ids": 298}]
    assert [taken.orders for taken in steps(own_stage, clock)] == [0]


@pytest.mark.usefixtures("in_small_parts")
def test_a_large_file_that_is_changed_while_it_is_read_is_read_as_it_was_and_then_as_it_is(own_stage: Stage) -> None:
    clock = ManualClock(MORNING)
    written(own_stage, "o.csv", LARGE, clock)
    for number, _ in enumerate(steps(own_stage, clock)):
        if not number:
            written(own_stage, "o.csv", HEADER + ORDER.format("another"), clock)
    assert lines_of(own_stage) == GOOD
    assert sum(taken.orders for taken in steps(own_stage, clock)) == 1
    assert lines_of(own_stage) == [*GOOD, 2]
    assert own_stage.rows("select count(*) as n from star.fact_check") == [{"n": 299}]


# What a cycle reads of a file full of holes, in a process of its own whose largest size is told.
_MEASURED = """
import resource, sys
from pathlib import Path
from typing import Any
from screening_pipeline.orders import files, readers
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
manifest = files.manifest_of(Path(sys.argv[1]))
found = list(readers.lines(None, manifest))
print(len(found), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_manifest_of_300_mib_of_holes_costs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "holes.csv"
    path.write_text(HEADER + ORDER.format("r1"))
    os.truncate(path, 300 * 1024 * 1024)
    done = subprocess.run([sys.executable, "-c", _MEASURED, str(path)], capture_output=True, text=True, check=True)
    lines, grown = map(int, done.stdout.split())
    assert lines == 2
    assert grown < 64 * 1024  # KiB


def test_an_instant_in_full_means_what_the_macro_reads_in_it(stage: Stage) -> None:
    chance = random.Random(24)
    days = [
        f"{chance.choice((2000, 2024, 2026, 2099))}-{chance.randrange(14):02}-{chance.randrange(33):02}"
        for _ in range(400)
    ]
    times = [f"{chance.randrange(26):02}:{chance.randrange(61):02}:{chance.randrange(61):02}" for _ in days]
    parts = zip(days, "T " * 200, times, ("", ".5", ".123456", ".1234567") * 100, strict=True)
    ends = chance.choices(("Z", "+00:00", "-08:00", "+14:59", "+15:00", "+0530", "+05", "z", ""), k=400)
    texts = ["".join(part) + end for part, end in zip(parts, ends, strict=True)]
    quoted = ", ".join(map(quote, texts))
    found = stage.rows(f"select epoch_us(staging.instant(t, 'UTC')) as moment from (select unnest([{quoted}]) as t)")
    read = instants.read(stage.connection, [(text, "UTC") for text in texts])
    assert len({text for text in read if text}) > 100
    assert [text and round(datetime.fromisoformat(text).timestamp() * 1e6) for text in read] == [
        row["moment"] for row in found
    ]


def test_rows_are_told_by_their_lines_wherever_a_large_file_is_cut(stage: Stage) -> None:
    odd = {
        700: ('workerchecks,n700,"a\nb"', None),
        2_000: ('workerchecks,n2000,"left open', "bad_csv"),
        2_001: ("workerchecks,n2001,x,y", "bad_csv"),
        4_100: ('"workerchecks","n4100","said ""so"""', None),
        9_000: ("workerchecks,n/a,x", "no_value"),
        9_001: ("workerchecks,n9001,Qualität", None),
        20_000: ("nobody,n20000,x", "unknown_vendor"),
    }
    lines = [odd.get(n, (f"workerchecks,n{n},standard", None))[0] for n in range(2, 20_100)]
    orders, problems = read(stage, "vendor,check_id,package\n" + "\n".join(lines) + "\n")
    below = {n: n + (n > 700) for n in odd}  # one row has two lines
    assert [(p.line, p.reason) for p in problems] == [(below[n], why) for n, (_, why) in odd.items() if why]
    assert len(orders) == len(lines) - len(problems)
    assert all(row["line"] == int(row["check_id"][1:]) + (int(row["check_id"][1:]) > 700) for row in orders)
