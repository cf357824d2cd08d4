"""Answers to calls that create a check are orders, and the first that is known of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from screening_pipeline.orchestration import runs
from screening_pipeline.orders.creations import Creation, Unread, read
from screening_pipeline.sandbox.server import VIRTUAL_EPOCH
from screening_pipeline.vendors import all_vendors
from screening_pipeline_tests.support.end_to_end_world import EVENING, Play, dagster_words, playing

pytestmark = [dagster_words, pytest.mark.timeout(300)]
NOW = VIRTUAL_EPOCH + EVENING * 2


def found(slug: str, content: bytes) -> list[tuple[int, Creation | Unread]]:
    return list(read(content, all_vendors()[slug]))


@pytest.mark.parametrize(
    ("slug", "answer", "subject", "check_id", "tells_a_state"),
    [
        ("goodhire", {"Id": "r1", "Status": "New", "StatusDetails": "New"}, "report", "r1", True),
        ("goodhire", {"Id": "s1", "LastStatus": "New", "IsActive": True, "Results": []}, "subscription", "s1", True),
        ("workable", {"background_check_id": "2044922"}, "check", "2044922", False),
        ("workable", {"background_check_id": 2044922}, "check", "2044922", False),
        ("hireright", {"orderId": "HR-1", "products": []}, "order", "HR-1", False),
        ("hireright", {"formId": "F-1", "i9Status": "Sent to Employee"}, "i9", "F-1", True),
        ("zinc", {"id": "z1"}, "request", "z1", False),
        ("zinc", {"id": "z1", "status": "pending", "statusV2": "requested"}, "request", "z1", True),
        ("workerchecks", {"checkId": "w1", "status": "Pending"}, "check", "w1", True),
    ],
)
def test_each_vendors_answer_names_its_check_and_may_tell_a_state(
    slug: str, answer: dict[str, Any], subject: str, check_id: str, tells_a_state: bool
) -> None:
    ((line, creation),) = found(slug, json.dumps(answer, indent=2).encode())
    assert isinstance(creation, Creation)
    assert (line, creation.subject, creation.check_id) == (1, subject, check_id)
    assert (creation.body is not None) is tells_a_state


@pytest.mark.parametrize(
    "content",
    [b'{"id": "z1"}\n\n{"id": "z2"}\n', b'[{"id": "z1"}, {"id": "z2"}]', b'\xef\xbb\xbf{"id": "z1"}\r\n{"id": "z2"}'],
    ids=["lines", "list", "lines with a mark"],
)
def test_several_answers_may_stand_in_one_file(content: bytes) -> None:
    assert [c.check_id for _, c in found("zinc", content) if isinstance(c, Creation)] == ["z1", "z2"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"statusCode": 703, "message": "no"}', "missing_id"),
        (b'{"id": ""}', "missing_id"),
        (b'{"id": true}', "missing_id"),
        (b'"z1"', "bad_json"),
        (b'{"id": "z1", "id": "z2"}', "bad_json"),
        (b'{"id": "z1"', "bad_json"),
        (b"\xff", "not_utf8"),
    ],
)
def test_what_is_no_answer_to_a_creation_is_refused_with_its_line(content: bytes, reason: str) -> None:
    ((line, unread),) = found("zinc", content)
    assert isinstance(unread, Unread)
    assert (line, unread.reason) == (1, reason)
    assert "703" not in unread.detail


def written(play: Play) -> int:
    """Put what the vendors answered into the folders of their accounts; how many answers."""
    answers = play.sandbox.creations(until=NOW)
    for number, told in enumerate(answers):
        folder = play.paths.orders / told["vendor"] / told["account"]
        folder.mkdir(parents=True, exist_ok=True)
        if number % 2:
            with (folder / "more.ndjson").open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(told["answer"]) + "\n")
        else:
            (folder / f"{number}.json").write_text(json.dumps(told["answer"], indent=2), encoding="utf-8")
    return len(answers)


def test_answers_to_creations_are_orders_and_what_they_tell_is_the_first_look(tmp_path: Path) -> None:
    with playing(tmp_path, checks=40, days=2) as play:
        play.clock.move_to(NOW)
        play.sandbox.set_clock(NOW)
        count = written(play)
        outcome = runs.sync(play.runtime, play.instance, is_full=True)
        assert (outcome.orders, outcome.order_rejects) == (count, 0)
        checks = play.rows("from star.fact_check")
        assert len(checks) >= count
        told = {"goodhire", "workerchecks"}  # of whom the answers tell a state
        firsts = play.rows(
            "select vendor, subject, channel, lifecycle from star.fact_check_event where event_seq = 1 order by all"
        )
        assert {row["channel"] for row in firsts if row["vendor"] in told} == {"push"}
        ended = [c for c in checks if c["is_terminal"] and (c["vendor"] in told or c["subject"] == "i9")]
        assert ended
        assert {c["turnaround_excluded_reason"] for c in ended} <= {"no_order_time", "canceled", "expired", "declined"}
        again = runs.sync(play.runtime, play.instance, is_full=True)
        assert (again.orders, again.order_rejects) == (0, 0)
        assert play.rows("select count(*) as n from star.fact_check") == [{"n": len(checks)}]


def test_an_answer_in_the_folder_of_an_account_that_is_not_configured_waits_for_it(tmp_path: Path) -> None:
    with playing(tmp_path, checks=1, days=2) as play:
        folder = play.paths.orders / "zinc" / "elsewhere"
        folder.mkdir(parents=True)
        (folder / "one.json").write_text('{"id": "z1"}')
        outcome = runs.sync(play.runtime, play.instance)
        assert (outcome.orders, outcome.order_rejects) == (0, 1)
        (listed,) = play.rows("from ops.reject")
        assert (listed["file"], listed["reason"]) == ("zinc/elsewhere/one.json", "unknown_account")
