"""What came is there to be read: raw.response gives each body to the letter, from the landed files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from screening_pipeline.domain.exchange import HttpExchange
from screening_pipeline.landing.area import Landing
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse import catalog, ingest, publish, schema, session, store
from screening_pipeline_tests.support.stage import MORNING, PART_KEY, Stage, opened

SPACED = '{ "checkId" : "007",\t"status":"In Progress", "n": 1.0e5, "é": "\\u00e9 é \U0001f600 }]}" }'.encode()
BODIES: dict[str, tuple[bytes, dict[str, Any]]] = {
    "one object, as it was written": (SPACED, {}),
    "with line feeds": (b'{"checkId": "007",\r\n "status": "In Progress"}\n', {}),
    "with keys like those of the line": (
        b'{"checkId":"007","messages":[{"body":{"body":1}}],"status":"Pending","body":{"messages":[]}}',
        {},
    ),
    "refused": (b'{"checkId": "007", "checkId": "008", "status": "Pending"}', {}),
    "no JSON at all": (b"<html>go away</html>", {}),
    "an error": (b'{"message": "trouble"}', {"http_status": 500}),
    "about somebody else": (b'{"checkId":"8","status":"Pending"}', {}),
    "nothing": (b"", {}),
}


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with opened(tmp_path_factory) as empty:
        yield empty


def say(stage: Stage, body: bytes, **given: Any) -> None:
    story = stage.story("007").of("workerchecks")
    story.now = MORNING + timedelta(minutes=stage.said)
    story.say(body, **given)


def only(stage: Stage) -> dict[str, Any]:
    (row,) = stage.rows("from raw.response")
    return row


@pytest.mark.parametrize("name", BODIES)
def test_a_body_and_its_digest_are_those_that_the_server_sent(stage: Stage, name: str) -> None:
    body, given = BODIES[name]
    say(stage, body, **given)
    row = only(stage)
    assert row["body"] == body.decode()
    assert row["body_sha256"] == hashlib.sha256(body).hexdigest()
    assert row["http_status"] == given.get("http_status", 200)


def test_a_row_says_who_asked_what_and_when(stage: Stage) -> None:
    say(stage, b'{"checkId":"007","status":"Pending"}')
    row = only(stage)
    named = {name: row[name] for name in ("vendor", "account", "check_id", "endpoint", "channel", "run_id")}
    assert named == {
        "vendor": "workerchecks",
        "account": "main",
        "check_id": "007",
        "endpoint": "results",
        "channel": "pull",
        "run_id": "test",
    }
    assert json.loads(row["headers"]) == {"content-type": "application/json"}
    assert row["received_at"] - row["requested_at"] == timedelta(seconds=1)
    assert list(row) == list(catalog.relations()["raw.response"].columns)


def test_a_feed_is_one_row_with_its_whole_body_and_no_check(stage: Stage) -> None:
    stage.story("a").of("hireright").feed({"orderStatus": "InProgress"}, {"orderId": "b", "orderStatus": "x"})
    row = only(stage)
    assert row["check_id"] is None
    assert [message["orderId"] for message in json.loads(row["body"])] == ["a", "b"]


def test_a_value_that_must_never_be_stored_is_masked_and_the_digest_is_of_what_was_sent(stage: Stage) -> None:
    body = b'{"Id": "r", "Status": "Processing", "ReportData": {"SSN": "900-12-3456"}}'
    stage.story("r").of("goodhire").say(body)
    row = only(stage)
    assert json.loads(row["body"])["ReportData"] == {"SSN": "***"}
    assert row["body_sha256"] == hashlib.sha256(body).hexdigest()


def test_bytes_that_are_no_text_have_a_row_without_a_body(stage: Stage) -> None:
    say(stage, b'{"checkId": "\xff"}')
    row = only(stage)
    assert row["body"] is None
    assert row["body_sha256"] == hashlib.sha256(b'{"checkId": "\xff"}').hexdigest()


def test_without_any_landed_file_there_is_no_row(stage: Stage) -> None:
    assert stage.rows("from raw.response") == []


def test_what_is_landed_is_seen_at_once_and_once_also_when_it_was_loaded(stage: Stage) -> None:
    say(stage, b'{"checkId":"007","status":"Pending"}')
    assert len(stage.rows("from raw.response")) == 1
    stage.settle()
    say(stage, b'{"checkId":"007","status":"Completed"}')
    assert len(stage.rows("from raw.response")) == 2
    stage.rebuild()
    assert len(stage.rows("from raw.response")) == 2


def test_half_a_line_that_a_crash_left_is_no_row(stage: Stage) -> None:
    say(stage, b'{"checkId":"007","status":"Pending"}')
    (file,) = stage.landing.files()
    with (stage.landing.root / file).open("ab") as landed:
        landed.write(b'{"response_id":"torn","ven')
    assert len(stage.rows("from raw.response")) == 1


def test_encrypted_lines_have_rows_without_bodies_once_they_are_loaded(stage: Stage) -> None:
    sealed = Landing(
        stage.landing.root,
        vendors=all_vendors(),
        spool_key=b"spool key of a test",
        landing_key=b"landing key of a test",
        clock=stage.clock,
    )
    say(stage, b'{"checkId":"007","status":"Pending"}')
    sealed.receive(
        HttpExchange(
            response_id="20260303T000000000000Z-0-0000",
            vendor="workerchecks",
            account="main",
            subject="check",
            check_id="007",
            endpoint="results",
            channel="pull",
            requested_at=MORNING,
            received_at=MORNING + timedelta(days=1),
            run_id="test",
            http_status=200,
            body=b'{"checkId":"007","status":"Completed"}',
        )
    )
    with session.transaction(stage.connection):
        ingest.advance(stage.connection, sealed, part_key=PART_KEY)
    rows = stage.rows("from raw.response order by response_id")
    assert [(row["check_id"], row["http_status"], row["body"] is None) for row in rows] == [
        ("007", 200, False),
        ("007", 200, True),
    ]


def test_it_is_no_part_of_the_published_snapshot(stage: Stage, tmp_path: Path) -> None:
    publish.publish(stage.connection, tmp_path / "screening.duckdb")
    with store.reader(tmp_path / "screening.duckdb") as published:
        schemas = published.execute(
            "select distinct schema_name from duckdb_views() where not internal union "
            "select distinct schema_name from duckdb_tables()"
        ).fetchall()
    assert not {"raw", "staging"} & {row[0] for row in schemas}


def test_a_data_folder_that_was_moved_is_read_where_it_is_now(stage: Stage, tmp_path: Path) -> None:
    moved = tmp_path / "it's [moved]"
    moved.mkdir()
    landing = Landing(moved, vendors=all_vendors(), spool_key=b"spool key of a test", clock=stage.clock)
    stage.landing = landing
    say(stage, b'{"checkId":"007","status":"Pending"}')
    assert stage.rows("from raw.response") == []
    schema.show_landed(stage.connection, moved)
    assert only(stage)["body"] == '{"checkId":"007","status":"Pending"}'


def test_every_column_has_its_comment(stage: Stage) -> None:
    commented = stage.rows(
        "select count(*) as n from duckdb_columns() where schema_name = 'raw' and table_name = 'response' "
        "and comment is not null"
    )
    assert commented == [{"n": 13}]
