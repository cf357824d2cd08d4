"""Order manifests: what is read, what is refused and why, and that nothing is read twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from screening_pipeline.base.clock import StandingClock
from screening_pipeline.base.sql_text import quote
from screening_pipeline.orders import files, intake, text_lines
from screening_pipeline.orders.files import Looks, Problem
from screening_pipeline.runtime import unread
from screening_pipeline.settings.paths import Paths
from screening_pipeline.settings.settings import Settings
from screening_pipeline.warehouse import ingest, schema, session
from screening_pipeline_tests.support.order_rows import read_rows
from screening_pipeline_tests.support.stage import MORNING, PART_KEY, Row, Stage, opened

KEY = b"pseudonym key of a test"
HEADER = "vendor,check_id\n"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with opened(tmp_path_factory) as prepared:
        yield prepared


def read(stage: Stage, content: str | bytes, name: str = "orders.csv") -> tuple[list[Row], list[Problem]]:
    """What one manifest says; nothing is kept."""
    body = content if isinstance(content, bytes) else content.encode()
    path = stage.settings.paths.data_dir / name
    path.write_bytes(body)
    return read_rows(stage.connection, path, stage.settings, key=KEY)


def ids(stage: Stage, content: str | bytes, name: str = "orders.csv") -> list[str]:
    rows, problems = read(stage, content, name)
    assert problems == []
    return [row["check_id"] for row in rows]


def reasons(stage: Stage, content: str | bytes, name: str = "orders.csv") -> list[tuple[int | None, str]]:
    return [(problem.line, problem.reason) for problem in read(stage, content, name)[1]]


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def take_in(stage: Stage, **files: str | bytes) -> intake.IntakeCounts:
    """Put these files (`name__ending`) into the folder and read what is new, as a cycle does."""
    for name, content in files.items():
        body = content if isinstance(content, bytes) else content.encode()
        (stage.settings.paths.orders / name.replace("__", ".")).write_bytes(body)
    with session.transaction(stage.connection):
        taken = intake.take_in(stage.connection, stage.settings, key=KEY, now=MORNING, run_id="test")
        ingest.advance(stage.connection, stage.landing, part_key=PART_KEY)
    schema.drop_work(stage.connection)
    return taken


def test_a_long_manifest_is_read_in_parts_and_tells_how_far_it_is(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_lines, "BLOCK", 400)  # characters
    told = []
    without = (2, 5, 70)
    with opened(tmp_path_factory) as stage:
        rows = [f"goodhire,{'' if number in without else f'r{number}'}\n" for number in range(100)]
        (stage.settings.paths.orders / "long.csv").write_text(HEADER + "".join(rows))
        (stage.settings.paths.orders / "short.ndjson").write_text(lines({"vendor": "goodhire", "check_id": "r100"}))
        taken = intake.take_in(
            stage.connection, stage.settings, key=KEY, now=MORNING, run_id="test", progress=lambda *t: told.append(t)
        )
        assert taken == intake.IntakeCounts(files=2, orders=98, rejects=3)
        read_ids = [row["check_id"] for row in stage.rows("select check_id from raw.order order by order_seq")]
        assert read_ids == [f"r{number}" for number in range(101) if number not in without]
        rejected = stage.rows("select line from ops.reject order by line")
        assert [row["line"] for row in rejected] == [4, 7, 72]
        files = stage.rows("select file, row_count, reject_count from raw.order_file order by file")
        assert [tuple(row.values()) for row in files] == [("long.csv", 100, 3), ("short.ndjson", 1, 0)]
    done = [number for _, number, _ in told[:-1]]
    assert {what for what, *_ in told} == {"reading orders"}
    assert done == sorted(done)
    assert len(done) > 2
    assert told[-2:] == [("reading orders", 100, 101), ("reading orders", 1, 1)]


def test_rows_refused_for_their_account_are_read_again_once_others_are_configured(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    content = "vendor,account,check_id\ngoodhire,main,r1\ngoodhire,later,r2\ngoodhire,never,r3\ngoodhire,later,\n"
    with opened(tmp_path_factory) as stage:
        assert take_in(stage, a__csv=content) == intake.IntakeCounts(files=1, orders=1, rejects=3)
        assert take_in(stage) == intake.IntakeCounts()
        before = stage.settings
        (first, *_) = (account for account in before.accounts if account.vendor == "goodhire")
        stage.settings = replace(before, accounts=(*before.accounts, replace(first, name="later")))
        assert take_in(stage) == intake.IntakeCounts(files=1, orders=1, rejects=1)
        assert take_in(stage) == intake.IntakeCounts()
        orders = stage.rows("select check_id, account, line from raw.order order by order_seq")
        assert [tuple(row.values()) for row in orders] == [("r1", "main", 2), ("r2", "later", 3)]
        rejects = stage.rows("select line, reason from ops.reject order by line")
        assert [tuple(row.values()) for row in rejects] == [(4, "unknown_account"), (5, "empty_id")]
        assert stage.rows("select row_count, reject_count from raw.order_file") == [{"row_count": 4, "reject_count": 2}]


# ── CSV ────────────────────────────────────────────────────────────────────────────────────────────


def test_an_order_needs_no_more_than_a_vendor_and_an_id(stage: Stage) -> None:
    rows, problems = read(stage, HEADER + "goodhire,r1\n")
    assert problems == []
    assert rows[0]["account"] == "main"
    assert rows[0]["subject"] == "report"
    assert rows[0]["line"] == 2
    assert [rows[0][name] for name in ("package", "ordered_at", "candidate_key", "tags")] == [None] * 4


def test_leading_zeros_of_an_id_survive_in_every_format(stage: Stage, tmp_path: Path) -> None:
    assert ids(stage, HEADER + "goodhire,007\n") == ["007"]
    assert ids(stage, lines({"vendor": "goodhire", "check_id": "007"}), "o.ndjson") == ["007"]
    assert ids(stage, parquet(stage, tmp_path, "'goodhire' as vendor, '007' as check_id"), "o.parquet") == ["007"]


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_a_value(stage: Stage) -> None:
    assert ids(stage, b"\xef\xbb\xbfvendor,check_id\r\ngoodhire,r1\r\ngoodhire,r2\r\n") == ["r1", "r2"]
    body = b'\xef\xbb\xbf{"vendor": "goodhire", "check_id": "r1"}\r\n\r\n{"vendor": "goodhire", "check_id": "r2"}'
    assert ids(stage, body, "o.ndjson") == ["r1", "r2"]


def test_a_quoted_line_break_stays_in_its_cell_and_lines_are_counted_as_an_editor_does(stage: Stage) -> None:
    content = 'vendor,check_id,package\ngoodhire,r1,"two\nlines"\n\ngoodhire,,\n'
    rows, problems = read(stage, content)
    assert rows[0]["package"] == "two\nlines"
    assert rows[0]["line"] == 2
    assert [(problem.line, problem.reason) for problem in problems] == [(5, "empty_id")]


def test_a_ragged_row_is_refused_and_the_others_load(stage: Stage) -> None:
    rows, problems = read(stage, HEADER + "goodhire\ngoodhire,r1,surplus\ngoodhire,r2\n")
    assert [row["check_id"] for row in rows] == ["r2"]
    assert [(problem.line, problem.reason) for problem in problems] == [(2, "bad_csv"), (3, "bad_csv")]


LEFT_OPEN = {
    "to_the_end": ('"r2,b\ngoodhire,r3,c\ngoodhire,r4,d\n', {3}, ["r1", "r3", "r4"]),
    "to_the_next_quote": ('r2,"b\ngoodhire,r3,c\ngoodhire,r4,"d"\n', {3}, ["r1", "r3", "r4"]),
    "to_the_end_of_a_cell": ('"r2,b\ngoodhire,r3",c\ngoodhire,r4,d\n', {3, 4}, ["r1", "r4"]),
    "for_many_lines": ('r2,"b\n' + "goodhire,r3,c\n" * 150 + 'goodhire,r4,"\n', {3, 154}, ["r1", *["r3"] * 150]),
}


@pytest.mark.parametrize(("rest", "refused", "left"), LEFT_OPEN.values(), ids=LEFT_OPEN)
def test_a_quote_that_is_left_open_costs_its_own_row_and_no_other(
    stage: Stage, rest: str, refused: set[int], left: list[str]
) -> None:
    rows, problems = read(stage, "vendor,check_id,package\ngoodhire,r1,a\ngoodhire," + rest)
    assert {(problem.line, problem.reason) for problem in problems} == {(line, "bad_csv") for line in refused}
    assert "a quote seems to be left open" in problems[0].detail
    assert [row["check_id"] for row in rows] == left
    assert [row["line"] for row in rows] == [2, *(line for line in range(4, 400) if line not in refused)][: len(left)]


def test_a_quote_left_open_in_every_row_is_named_in_every_row(stage: Stage) -> None:
    rows, problems = read(stage, HEADER + 'goodhire,"r1\n' * 500)
    assert (rows, [problem.line for problem in problems]) == ([], list(range(2, 502)))


def test_a_quote_left_open_in_the_header_refuses_the_file_at_its_first_line(stage: Stage) -> None:
    assert reasons(stage, '"vendor,check_id\ngoodhire,r1\n') == [(1, "bad_csv")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "missing_column"),
        ("\n", "missing_column"),
        ("vendor,id\ngoodhire,r1\n", "missing_column"),
        ("vendor,check_id,check_id\ngoodhire,r1,r2\n", "duplicate_column"),
        ('"vendor"x,check_id\ngoodhire,r1\n', "bad_csv"),
    ],
)
def test_a_header_that_cannot_be_right_refuses_the_file_at_its_first_line(
    stage: Stage, content: str, reason: str
) -> None:
    assert read(stage, content)[0] == []
    assert reasons(stage, content) == [(1, reason)]


def test_columns_of_the_customers_own_are_left_alone(stage: Stage) -> None:
    assert ids(stage, "note,check_id,note,vendor\nx,r1,y,goodhire\n") == ["r1"]


MISSPELT = {"vendor": "goodhire", "check_id": "r1", "cadidate_ref": "c", "ordred_at": "2026-03-02", "cost_centre": "7"}
SECOND = {"check_id": "r2"}


@pytest.mark.parametrize("ending", ["csv", "ndjson", "parquet"])
def test_a_column_that_is_nearly_one_of_ours_is_named_once_and_the_rows_load(
    stage: Stage, tmp_path: Path, ending: str
) -> None:
    contents = {
        "csv": f"{','.join(MISSPELT)}\ngoodhire,r1,c,2026-03-02,7\ngoodhire,r2,c,2026-03-02,7\n".encode(),
        "ndjson": lines(MISSPELT, MISSPELT | SECOND).encode(),
        "parquet": parquet(
            stage,
            tmp_path,
            ", ".join(
                f"unnest(['{value}', '{SECOND.get(name, value)}']) as \"{name}\"" for name, value in MISSPELT.items()
            ),
        ),
    }
    rows, problems = read(stage, contents[ending], f"o.{ending}")
    assert [row["check_id"] for row in rows] == ["r1", "r2"]
    (problem,) = problems
    assert problem.reason == "unknown_column"
    assert problem.line == (1 if ending == "csv" else None)
    slips = {"cadidate_ref": "candidate_ref", "ordred_at": "ordered_at", "cost_centre": "cost_center"}
    for wrong, right in slips.items():
        assert f"'{wrong}' is no column; did you mean {right}?" in problem.detail


def test_columns_like_ours_that_are_no_slips_are_left_alone(stage: Stage) -> None:
    own = {
        "candidate_id": 1,
        "candidate_name": "n",
        "county": "c",
        "order_id": "o",
        "ordered_by": "b",
        "account_id": "a",
    }
    assert ids(stage, lines({"vendor": "goodhire", "check_id": "r1"} | own), "o.ndjson") == ["r1"]
    both = {"vendor": "goodhire", "check_id": "r1", "package": "p", "packages": "q"}
    assert ids(stage, lines(both), "o.ndjson") == ["r1"]  # ours is there, so the other is another


def test_a_row_that_is_not_utf_8_is_refused_and_the_others_load(stage: Stage) -> None:
    content = b"vendor,check_id,package\ngoodhire,r1,caf\xe9\ngoodhire,r2,caf\xc3\xa9\n"
    rows, problems = read(stage, content)
    assert [row["package"] for row in rows] == ["café"]
    assert [(problem.line, problem.reason) for problem in problems] == [(2, "not_utf8")]


# ── NDJSON and Parquet ─────────────────────────────────────────────────────────────────────────────


def test_lines_that_are_no_json_objects_are_refused_one_by_one(stage: Stage) -> None:
    content = 'not json\n[1]\n"text"\n' + "[" * 100_000 + "\n" + lines({"vendor": "goodhire", "check_id": "r1"})
    rows, problems = read(stage, content, "o.ndjson")
    assert [row["check_id"] for row in rows] == ["r1"]
    assert [(problem.line, problem.reason) for problem in problems] == [(n, "bad_json") for n in (1, 2, 3, 4)]


def test_a_whole_number_is_an_id_and_nothing_else_is(stage: Stage) -> None:
    rows, problems = read(
        stage,
        lines(*({"vendor": "goodhire", "check_id": given} for given in (12, 1.5, True, ["r1"], {"id": "r1"}, None))),
        "o.ndjson",
    )
    assert [row["check_id"] for row in rows] == ["12"]
    assert [problem.reason for problem in problems] == ["bad_value"] * 4 + ["empty_id"]


def test_a_day_by_which_a_check_is_needed_is_a_date_and_nothing_else(stage: Stage) -> None:
    days = ("2026-03-30", "2026-03-30 00:00:00", "2026-02-30", "30/03/2026", "2026-03-30T09:00", "20260330", "")
    content = "vendor,check_id,needed_by\n" + "".join(f"goodhire,r{n},{day}\n" for n, day in enumerate(days))
    rows, problems = read(stage, content)
    assert [(row["check_id"], row["needed_by"]) for row in rows] == [
        ("r0", "2026-03-30"),
        ("r1", "2026-03-30"),
        ("r6", None),
    ]
    assert [(problem.line, problem.reason) for problem in problems] == [(line, "bad_date") for line in (4, 5, 6, 7)]
    assert "2026-03-30" in problems[0].detail


def test_half_a_character_is_refused_and_not_stumbled_over(stage: Stage) -> None:
    content = '{"vendor": "goodhire", "check_id": "r1", "package": "\\ud83d"}\n'
    assert reasons(stage, content, "o.ndjson") == [(1, "not_utf8")]


def test_tags_are_a_json_object_in_every_format(stage: Stage) -> None:
    csv = 'vendor,check_id,tags\ngoodhire,r1,"{""team"": 7}"\ngoodhire,r2,"[7]"\ngoodhire,r3,seven\n'
    rows, problems = read(stage, csv)
    assert [json.loads(row["tags"]) for row in rows] == [{"team": 7}]
    assert [problem.reason for problem in problems] == ["bad_tags", "bad_tags"]
    given, problems = read(stage, lines({"vendor": "goodhire", "check_id": "r1", "tags": {"team": 7}}), "o.ndjson")
    assert [json.loads(row["tags"]) for row in given] == [{"team": 7}]
    assert problems == []


def parquet(stage: Stage, folder: Path, columns: str) -> bytes:
    target = folder / "made.parquet"
    stage.connection.execute(f"copy (select {columns}) to {quote(str(target))} (format parquet)")
    return target.read_bytes()


def test_a_parquet_manifest_may_have_typed_columns(stage: Stage, tmp_path: Path) -> None:
    columns = "'goodhire' as vendor, 12 as check_id, timestamptz '2026-03-02 09:30:00+01' as ordered_at"
    rows, problems = read(stage, parquet(stage, tmp_path, columns), "o.parquet")
    assert problems == []
    assert rows[0]["check_id"] == "12"
    assert rows[0]["ordered_at"] == "2026-03-02T08:30:00+00:00"


@pytest.mark.parametrize("tags", ["{'team': 'x', 'n': 1}", "map {'team': 'x', 'n': '1'}"])
def test_tags_of_a_parquet_manifest_may_be_an_object_of_its_own_types(stage: Stage, tmp_path: Path, tags: str) -> None:
    columns = f"'goodhire' as vendor, 'r1' as check_id, {tags} as tags"
    rows, problems = read(stage, parquet(stage, tmp_path, columns), "o.parquet")
    assert problems == []
    assert json.loads(rows[0]["tags"]) == {"team": "x", "n": 1 if tags.startswith("{") else "1"}


@pytest.mark.parametrize(
    "columns",
    ["12.0::double as check_id", "12.00::decimal(9, 2) as check_id", "'a' as check_id, 12.0::double as candidate_ref"],
)
def test_ids_that_became_numbers_with_decimals_are_refused(stage: Stage, tmp_path: Path, columns: str) -> None:
    content = parquet(stage, tmp_path, f"'goodhire' as vendor, {columns}")
    assert reasons(stage, content, "o.parquet") == [(None, "bad_type")]


def test_ids_that_are_whole_decimals_are_read(stage: Stage, tmp_path: Path) -> None:
    rows, problems = read(
        stage, parquet(stage, tmp_path, "'goodhire' as vendor, 12::decimal(9, 0) as check_id"), "o.parquet"
    )
    assert (problems, rows[0]["check_id"]) == ([], "12")


@pytest.mark.parametrize("more", ['"check_id": "2"', '"tags": {"team": "x", "team": "y"}'])
def test_a_line_that_gives_a_name_twice_is_refused(stage: Stage, more: str) -> None:
    line = f'{{"vendor": "goodhire", "check_id": "1", {more}}}\n'
    assert reasons(stage, line.encode(), "o.ndjson") == [(1, "bad_json")]


@pytest.mark.parametrize("year", ["0026", "1900", "9999"])
def test_an_order_of_a_year_that_cannot_be_is_refused(stage: Stage, year: str) -> None:
    content = f"vendor,check_id,ordered_at\ngoodhire,r1,{year}-03-02T09:00:00Z\n".encode()
    assert reasons(stage, content, "o.csv") == [(2, "bad_time")]


def test_a_file_that_only_claims_to_be_parquet_is_refused(stage: Stage) -> None:
    assert reasons(stage, b"vendor,check_id\n", "o.parquet") == [(None, "bad_parquet")]


def _damaged(tmp_path: Path, place: slice) -> bytes:
    file = tmp_path / "whole.parquet"
    with session.attached(tmp_path / "any.duckdb", is_new=True) as connection:
        rows = "select 'goodhire' as vendor, 'r' || i as check_id from range(500) as t (i)"
        connection.execute(f"copy ({rows}) to '{file}' (format parquet, compression uncompressed)")
    body = bytearray(file.read_bytes())
    body[place] = bytes(len(body[place]))
    return bytes(body)


@pytest.mark.parametrize("place", [slice(0, 40), slice(100, 160), slice(-40, None), slice(0, None)])
def test_a_damaged_parquet_file_is_refused_and_the_others_are_read(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, place: slice
) -> None:
    with opened(tmp_path_factory) as stage:
        (stage.settings.paths.orders / "bad.parquet").write_bytes(_damaged(tmp_path, place))
        for number in (1, 2):
            taken = take_in(stage, **{f"good{number}__csv": f"{HEADER}goodhire,r{number}\n"})
            assert (taken.orders, taken.rejects) == (1, 2 - number)
        assert stage.rows("select file, reason from ops.reject") == [{"file": "bad.parquet", "reason": "bad_parquet"}]


def test_a_time_in_a_parquet_file_is_that_instant(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "o.parquet"
    rows = "select 'goodhire' as vendor, 'r1' as check_id, timestamptz '2026-03-02 09:30:00+05' as ordered_at"
    stage.connection.execute(f"copy ({rows}) to '{file}' (format parquet)")
    assert read(stage, file.read_bytes(), "o.parquet")[0][0]["ordered_at"] == "2026-03-02T04:30:00+00:00"


# ── what a row may say ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("cells", "reason", "detail"),
    [
        ("goodhyre,r1,,,", "unknown_vendor", "did you mean goodhire?"),
        ("GoodHire,r1,,,", "unknown_vendor", "did you mean goodhire?"),
        (",r1,,,", "unknown_vendor", "none of"),
        ("goodhire,,,,", "empty_id", "empty"),
        ("goodhire,  ,,,", "empty_id", "empty"),
        ("goodhire,r1,mian,,", "unknown_account", "did you mean main?"),
        ("hireright,r1,,,", "account_required", "judged"),
        ("goodhire,r1,,order,", "unknown_subject", "report, subscription"),
        ("goodhire,r1,,,02.03.2026", "bad_time", "ISO 8601"),
        ("goodhire,r1,,,0001-01-01T00:00:00Z", "bad_time", "ISO 8601"),
        ("goodhire,r1,,,9999-12-31", "bad_time", "ISO 8601"),
        ("goodhire,r1,,,9999-12-31T23:59:59-12:00", "bad_time", "ISO 8601"),
    ],
)
def test_a_row_that_cannot_be_right_says_why(stage: Stage, cells: str, reason: str, detail: str) -> None:
    rows, problems = read(stage, f"vendor,check_id,account,subject,ordered_at\n{cells}\n")
    assert rows == []
    assert [(problem.line, problem.reason) for problem in problems] == [(2, reason)]
    assert detail in problems[0].detail


@pytest.mark.parametrize(
    ("vendor", "given", "instant"),
    [
        ("goodhire", "2026-03-02T09:30:00+01:00", "2026-03-02T08:30:00+00:00"),
        ("goodhire", "2026-03-02T09:30:00.1234567Z", "2026-03-02T09:30:00.123456+00:00"),
        ("goodhire", "2026-01-15T09:30:00", "2026-01-15T17:30:00+00:00"),
        ("goodhire", "2026-07-15 09:30", "2026-07-15T16:30:00+00:00"),
        ("workerchecks", "2026-03-02T09:30:00", "2026-03-01T22:30:00+00:00"),
        ("workable", "2026-03-02", "2026-03-02T00:00:00+00:00"),
        ("workable", "2026-03-02T09:30:00+01:00:30", "2026-03-02T08:29:30+00:00"),
    ],
)
def test_a_time_without_an_offset_is_that_of_the_account(stage: Stage, vendor: str, given: str, instant: str) -> None:
    rows, problems = read(stage, f"vendor,account,check_id,ordered_at\n{vendor},main,r1,{given}\n")
    assert problems == []
    assert rows[0]["ordered_at"] == instant


def test_a_candidate_is_kept_under_a_pseudonym_only(stage: Stage) -> None:
    rows, _ = read(stage, "vendor,check_id,candidate_ref\ngoodhire,r1,jane@example.com\ngoodhire,r2,jane@example.com\n")
    assert rows[0]["candidate_key"] == rows[1]["candidate_key"]
    assert "jane" not in json.dumps(rows)


def test_a_refusal_never_repeats_what_was_written(stage: Stage) -> None:
    content = "vendor,check_id,account,ordered_at\nJane Doe,r1,,\ngoodhire,r1,Jane Doe,\ngoodhire,r1,,Jane Doe\n"
    problems = read(stage, content)[1]
    assert len(problems) == 3
    assert "Jane" not in "".join(problem.detail for problem in problems)


# ── files ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_is_read_once_whatever_it_is_called_and_never_changed(stage: Stage) -> None:
    content = HEADER + "goodhire,once-1\n"
    assert take_in(stage, once_a__csv=content, once_b__csv=content) == intake.IntakeCounts(1, 1, 0)
    assert take_in(stage, once_c__csv=content) == intake.IntakeCounts(0, 0, 0)
    assert (stage.settings.paths.orders / "once_a.csv").read_text() == content
    assert len(stage.rows("from raw.order where check_id = 'once-1'")) == 1


def test_rejected_rows_are_listed_with_file_line_and_reason(stage: Stage) -> None:
    taken = take_in(stage, broken__csv=HEADER + "goodhire,\ngoodhire,kept-1\nnobody,r1\n")
    assert taken == intake.IntakeCounts(1, 1, 2)
    listed = stage.rows("select source, file, line, reason from ops.reject where file = 'broken.csv' order by line")
    assert listed == [
        {"source": "manifest", "file": "broken.csv", "line": 2, "reason": "empty_id"},
        {"source": "manifest", "file": "broken.csv", "line": 4, "reason": "unknown_vendor"},
    ]
    assert len(stage.rows("from star.fact_check where check_id = 'kept-1'")) == 1


def test_the_same_order_in_two_files_merges_and_a_contradiction_keeps_the_first(stage: Stage) -> None:
    first = "vendor,check_id,package,country\ngoodhire,twice-1,Basic,\n"
    second = "vendor,check_id,package,country\ngoodhire,twice-1,Gold,US\n"
    take_in(stage, twice_b__csv=second, twice_a__csv=first)
    assert stage.rows("select package from star.fact_check where check_id = 'twice-1'") == [{"package": "Basic"}]
    conflicts = stage.rows(
        "select c.* from ops.mapping_conflict as c semi join star.fact_check as f "
        "on c.check_key = f.check_key and f.check_id = 'twice-1'"
    )
    assert len(conflicts) == 1
    assert "package" in json.dumps(conflicts, default=str)


def test_only_files_that_are_manifests_are_looked_at(stage: Stage) -> None:
    folder = stage.settings.paths.orders
    (folder / "folder.csv").mkdir()
    (folder / "gone.csv").symlink_to(folder / "nowhere")
    content = HEADER + "goodhire,{}\n"
    taken = take_in(
        stage,
        UPPER__CSV=content.format("upper-1"),
        note__txt=content.format("note-1"),
        **{"_half__csv".replace("_", ".", 1): content.format("half-1")},
    )
    assert taken == intake.IntakeCounts(1, 1, 0)
    assert len(stage.rows("from raw.order where check_id = 'upper-1'")) == 1


def test_an_empty_folder_brings_nothing(stage: Stage, tmp_path: Path) -> None:
    assert list(files.unread(tmp_path, {}, StandingClock(MORNING), Looks())) == []
    assert list(files.unread(tmp_path / "missing", {}, StandingClock(MORNING), Looks())) == []


def test_a_manifest_that_is_taken_away_meanwhile_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(accounts=(), paths=Paths.under(tmp_path, {}))
    paths = settings.paths
    paths.create()
    left = paths.orders / "left.csv"
    left.write_text(HEADER)
    for module in (files, unread):
        monkeypatch.setattr(module, "manifests", lambda _: [paths.orders / "gone.csv", left])
    assert [m.path for m in files.unread(paths.orders, {}, StandingClock(MORNING), Looks())] == [left]
    assert list(unread.manifest_marks(settings)) == ["left.csv"]


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"a": "\ud800"}, "not_utf8"),
        ('{"a": "\\ud800"}', "bad_tags"),
        ({"a": float("nan")}, "bad_tags"),
        ({"a": [float("inf")]}, "bad_tags"),
    ],
)
def test_tags_that_would_fail_every_query_over_them_are_refused(stage: Stage, tags: Any, reason: str) -> None:
    assert reasons(stage, lines({"vendor": "goodhire", "check_id": "r1", "tags": tags}), "o.ndjson") == [(1, reason)]


def test_tags_are_kept_as_they_were_told(stage: Stage) -> None:
    (row,), _ = read(stage, lines({"vendor": "goodhire", "check_id": "r1", "tags": {"büro": "Köln"}}), "o.ndjson")
    assert row["tags"] == '{"büro": "Köln"}'
