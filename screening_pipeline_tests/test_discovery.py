"""Checks that nobody announced and a list of the vendor's shows: none is lost and none is there twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from screening_pipeline.base.clock import ManualClock
from screening_pipeline.cycle import lists
from screening_pipeline.domain.declaration import Pages
from screening_pipeline.domain.exchange import HttpExchange, LandingReceipt
from screening_pipeline.domain.pseudonym import pseudonym
from screening_pipeline.http.client import AccountClient
from screening_pipeline.http.listing import MOST_PAGES, PASSES, page_of, read_list
from screening_pipeline.http.transport import Limits
from screening_pipeline.state.pull_queue import PullQueue
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline.state.store import State
from screening_pipeline.vendors import vendor
from screening_pipeline_tests.support.loopback import Asked, Reply, json_reply, serving
from screening_pipeline_tests.support.stage import MORNING, PART_KEY, PERSON_KEY, Stage, account, broken_rules, opened

CHECKR = vendor("checkr")
CANDIDATES = CHECKR.endpoint("candidates")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
AT_ONCE = Pages().at_once

# ── pages ──────────────────────────────────────────────────────────────────────────────────────────


class Vendor:
    """A list of so many candidates, the newest first, that may change after each page it hands out."""

    def __init__(self, count: int, change: Callable[[Vendor, int], object] | None = None) -> None:
        self.ids = [f"c{number:05d}" for number in range(count, 0, -1)]
        self.change = change
        self.calls = 0

    def answer(self, asked: Asked) -> Reply:
        self.calls += 1
        page = int(parse_qs(urlsplit(asked.target).query)["page"][0])
        items = [{"id": one, "report_ids": []} for one in self.ids[(page - 1) * AT_ONCE : page * AT_ONCE]]
        more = f"/v1/candidates?page={page + 1}" if page * AT_ONCE < len(self.ids) else None
        reply = json_reply({"object": "list", "data": items, "next_href": more, "count": len(self.ids)})
        if self.change:
            self.change(self, self.calls)
        return reply


def read(tmp_path: Path, answer: Callable[[Asked], Reply], query: str = "") -> tuple[bool, set[str], list[str]]:
    """Whether the list was read whole, the candidates that were landed, and what was asked for."""
    seen: set[str] = set()

    async def sink(exchange: HttpExchange) -> LandingReceipt:
        if exchange.is_success:
            seen.update(item["id"] for item in json.loads(exchange.body).get("data", ()))
        return LandingReceipt(response_id=exchange.response_id, http_status=exchange.http_status)

    async def reading(url: str) -> bool:
        clock = ManualClock(NOW, monotonic=1000.0)
        async with AccountClient(
            replace(account("checkr"), base_url=f"{url}/v1"),
            CHECKR,
            secrets={"api_key": "key"},
            limiter=Limiter(State(tmp_path / "state.sqlite"), clock),
            clock=clock,
            sink=sink,
            run_id="run",
            limits=Limits(jitter=lambda low, _: low),
        ) as client:
            return await read_list(client, CANDIDATES, query)

    with serving(answer) as server:
        return asyncio.run(reading(server.url)), seen, server.targets


@pytest.mark.parametrize("count", [0, 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE])
def test_every_page_is_asked_for_once(tmp_path: Path, count: int) -> None:
    book = Vendor(count)
    is_whole, seen, targets = read(tmp_path, book.answer, "created_after=2026-03-01T00:00:00Z")
    assert (is_whole, seen) == (True, set(book.ids))
    assert targets == [
        f"/v1/candidates?created_after=2026-03-01T00:00:00Z&page={number}&per_page={AT_ONCE}"
        for number in range(1, max(1, -(-count // AT_ONCE)) + 1)
    ]


def test_what_comes_while_it_is_read_moves_the_rest_on_and_loses_nothing(tmp_path: Path) -> None:
    before = set(Vendor(250).ids)
    book = Vendor(250, lambda book, call: book.ids.insert(0, f"n{call:05d}"))
    is_whole, seen, _ = read(tmp_path, book.answer)
    assert is_whole
    assert seen >= before


def test_what_vanishes_while_it_is_read_moves_the_rest_up_and_is_read_again(tmp_path: Path) -> None:
    """Of the second page the first goes to the first page, which was read: a second reading finds it."""
    book = Vendor(250, lambda book, call: book.ids.pop(0) if call == 1 else None)
    is_whole, seen, targets = read(tmp_path, book.answer)
    assert is_whole
    assert seen >= set(book.ids)
    assert len(targets) == 6


def test_a_list_from_which_something_vanishes_all_the_time_is_left_for_later(tmp_path: Path) -> None:
    is_whole, _, targets = read(tmp_path, Vendor(250, lambda book, _: book.ids.pop(0)).answer)
    assert not is_whole
    assert len(targets) == 3 * PASSES


def test_a_page_that_fails_leaves_the_pages_before_it_and_the_look_undone(tmp_path: Path) -> None:
    book = Vendor(250)

    def answer(asked: Asked) -> Reply:
        return book.answer(asked) if "page=1&" in asked.target else json_reply({"error": "out"}, 500)

    is_whole, seen, _ = read(tmp_path, answer)
    assert (is_whole, len(seen)) == (False, AT_ONCE)


def test_a_page_that_repeats_itself_ends_the_look(tmp_path: Path) -> None:
    first = Vendor(250).answer
    same = Asked("GET", "/v1/candidates?page=1", {}, b"", 0.0)
    is_whole, seen, targets = read(tmp_path, lambda _: first(same))
    assert (is_whole, len(seen), len(targets)) == (False, AT_ONCE, 2)
    assert len(targets) < MOST_PAGES


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data": 7}', b'{"data": {"id": "c1"}}', b"[" * 100_000])
def test_what_is_no_page_is_none(body: bytes) -> None:
    assert page_of(body, Pages()) is None


def test_items_without_an_id_are_told_apart_by_what_they_are() -> None:
    page = page_of(json.dumps({"data": [{"id": "a"}, {"id": None}, 7, "x"], "count": True}).encode(), Pages())
    assert page is not None
    assert (len(page.items), page.total, page.has_more) == (4, None, False)


# ── when ───────────────────────────────────────────────────────────────────────────────────────────


def test_everything_is_looked_at_daily_and_what_is_new_hourly(tmp_path: Path) -> None:
    queue, asking = PullQueue(State(tmp_path / "state.sqlite")), replace(account("checkr"), discover=True)
    assert lists.due_query(queue, asking, CANDIDATES, NOW) == ""
    lists.note_look(queue, asking, CANDIDATES, "", NOW)
    assert lists.due_query(queue, asking, CANDIDATES, NOW + timedelta(minutes=50)) is None
    later = NOW + timedelta(hours=1)
    fresh = lists.due_query(queue, asking, CANDIDATES, later)
    assert fresh == "created_after=2026-03-02T08:00:00Z"  # an hour before the look before it
    lists.note_look(queue, asking, CANDIDATES, fresh, later)
    assert lists.due_query(queue, asking, CANDIDATES, later + timedelta(minutes=50)) is None
    assert lists.due_query(queue, asking, CANDIDATES, NOW + timedelta(hours=23)) == ""


def test_nothing_is_discovered_where_nobody_asked_for_it(tmp_path: Path) -> None:
    queue = PullQueue(State(tmp_path / "state.sqlite"))
    assert lists.due_query(queue, account("checkr"), CANDIDATES, NOW) is None
    assert lists.due_query(queue, account("checkr"), CHECKR.endpoint("packages"), NOW) == ""
    unasked = replace(account("checkr"), discover=True, polling=False)
    assert lists.due_query(queue, unasked, CANDIDATES, NOW) is None


# ── what a list shows becomes orders ───────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with opened(tmp_path_factory) as found:
        yield found


def candidate(name: str, *reports: str, custom_id: str | None = None) -> dict[str, Any]:
    return {"id": name, "custom_id": custom_id, "first_name": "Canaria", "report_ids": list(reports)}


def shown(stage: Stage, call: str, *items: Mapping[str, Any], minutes: int = 0) -> None:
    body = {"object": "list", "data": list(items), "next_href": None, "count": len(items)}
    at = MORNING + timedelta(minutes=minutes)
    stage.land(received_at=at, vendor="checkr", account="main", endpoint=call, channel="pull", body=body)


def fact(stage: Stage, check_id: str) -> dict[str, Any]:
    (row,) = stage.rows(f"from star.fact_check where vendor = 'checkr' and check_id = '{check_id}'")
    return row


def key(reference: str) -> str:
    return pseudonym(PERSON_KEY, reference)


def test_reports_are_known_by_their_candidates_however_often_they_are_shown(stage: Stage) -> None:
    for minutes in (0, 1, 2):
        shown(stage, "candidates", candidate("k1", "r1", "r2", custom_id="C-1"), candidate("k2", "r3"), minutes=minutes)
        stage.settle()
    assert {name: fact(stage, name)["candidate_key"] for name in ("r1", "r2", "r3")} == {
        "r1": key("C-1"),
        "r2": key("C-1"),
        "r3": key("k2"),
    }
    (orders,) = stage.rows("select count(*) as n from raw.order where check_id in ('r1', 'r2', 'r3')")
    assert orders["n"] == 3
    assert fact(stage, "r1")["lifecycle"] == "unknown"
    assert broken_rules(stage.connection) == []


def test_a_list_is_no_look_at_the_checks_it_names(stage: Stage) -> None:
    shown(stage, "candidates", candidate("k4", "r4"))
    stage.settle()
    (waiting,) = stage.rows("from staging.open_check where check_id = 'r4'")
    assert (waiting["last_pulled_at"], waiting["last_asked_at"], waiting["is_requested"]) == (None, None, False)


def test_a_list_of_states_is_a_look_at_all_of_them(stage: Stage) -> None:
    item = {"object": "invitation", "status": "pending", "package": "driver_pro", "created_at": "2026-03-01T08:00:00Z"}
    shown(stage, "invitations", {**item, "id": "i1"}, {**item, "id": "i2", "status": "expired"})
    stage.settle()
    assert (fact(stage, "i1")["lifecycle"], fact(stage, "i2")["lifecycle"]) == ("awaiting_candidate", "expired")
    assert (fact(stage, "i1")["package"], fact(stage, "i1")["ordered_at"]) == (
        "driver_pro",
        MORNING - timedelta(hours=25),
    )


def test_what_the_vendor_tells_of_an_order_fills_what_no_file_says(stage: Stage) -> None:
    stage.orders.append({"vendor": "checkr", "account": "main", "check_id": "r5", "package": "ours", "country": "US"})
    told = {"id": "r5", "status": "pending", "package": "theirs", "created_at": "2026-03-02T08:00:00Z"}
    asked = {"vendor": "checkr", "account": "main", "endpoint": "report", "channel": "pull"}
    shown(stage, "candidates", candidate("k5", "r5"))
    stage.land(received_at=MORNING, body=told, subject="report", check_id="r5", **asked)
    stage.settle()
    found = fact(stage, "r5")
    assert (found["package"], found["country"], found["candidate_key"]) == ("ours", "US", key("k5"))
    assert found["ordered_at"] == MORNING - timedelta(hours=1)
    stage.orders.append({"vendor": "checkr", "account": "main", "check_id": "r5", "candidate_ref": "C-5"})
    stage.settle()
    assert fact(stage, "r5")["candidate_key"] == key("C-5")
    assert broken_rules(stage.connection) == []


def test_a_rebuild_comes_to_the_same(stage: Stage) -> None:
    shown(stage, "candidates", candidate("k6", "r6", custom_id="C-6"))
    stage.settle()
    before = stage.facts()
    stage.rebuild()
    assert stage.facts() == before


# ── an invitation and its report are one check ─────────────────────────────────────────────────────


def invitation(name: str, status: str, report: str | None = None) -> dict[str, Any]:
    told = {"object": "invitation", "package": "driver_pro", "created_at": "2026-03-01T08:00:00Z"}
    return {**told, "id": name, "status": status, "report_id": report}


def answered(stage: Stage, subject: str, body: dict[str, Any], minutes: int) -> None:
    asked = {"vendor": "checkr", "account": "main", "endpoint": subject, "channel": "pull", "subject": subject}
    stage.land(received_at=MORNING + timedelta(minutes=minutes), body=body, check_id=body["id"], **asked)


def test_an_invitation_goes_on_as_its_report(stage: Stage) -> None:
    answered(stage, "invitation", invitation("i10", "pending"), 0)
    stage.settle()
    assert fact(stage, "i10")["lifecycle"] == "awaiting_candidate"
    answered(stage, "invitation", invitation("i10", "completed", "r10"), 10)
    stage.settle()
    assert stage.rows("from star.fact_check where check_id = 'i10'") == []
    begun = fact(stage, "r10")
    assert (begun["lifecycle"], begun["next_actor"], begun["continues_check_id"]) == ("in_progress", "vendor", "i10")
    assert stage.rows("select last_pulled_at from staging.open_check where check_id = 'r10'") == [
        {"last_pulled_at": None}
    ]
    assert begun["next_pull_at"] <= MORNING + timedelta(minutes=10), "nobody has asked for the report itself"
    report = {"object": "report", "created_at": "2026-03-02T09:05:00Z", "package": "driver_pro"}
    answered(stage, "report", {**report, "id": "r10", "status": "pending"}, 20)
    done = {"status": "complete", "result": "clear", "completed_at": "2026-03-02T09:25:00Z"}
    answered(stage, "report", {**report, **done, "id": "r10"}, 30)
    answered(stage, "invitation", invitation("i10", "completed", "r10"), 40)  # told for years, and says no more
    stage.settle()
    found = fact(stage, "r10")
    assert (found["lifecycle"], found["ordered_at"]) == ("completed", MORNING - timedelta(hours=25))
    assert found["turnaround_seconds"] == (25 * 60 + 25) * 60
    steps = stage.rows("select lifecycle from star.fact_check_event where check_id = 'r10' order by event_seq")
    assert [row["lifecycle"] for row in steps] == ["awaiting_candidate", "in_progress", "in_progress", "completed"]
    assert broken_rules(stage.connection) == []
    before = stage.facts()
    stage.rebuild()
    assert stage.facts() == before


def test_a_report_that_was_known_before_its_invitation_has_its_beginning_all_the_same(stage: Stage) -> None:
    answered(stage, "report", {"id": "r11", "status": "pending", "created_at": "2026-03-02T09:05:00Z"}, 20)
    stage.settle()
    shown(stage, "invitations", invitation("i11", "completed", "r11"), minutes=30)
    stage.settle()
    found = fact(stage, "r11")
    assert (found["lifecycle"], found["ordered_at"]) == ("in_progress", MORNING - timedelta(hours=25))
    assert stage.rows("from star.fact_check where check_id = 'i11'") == []
    assert broken_rules(stage.connection) == []


def test_an_order_for_an_invitation_is_one_for_its_report(stage: Stage) -> None:
    order = {"vendor": "checkr", "account": "main", "subject": "invitation", "check_id": "i12", "candidate_ref": "C-12"}
    stage.orders.append({**order, "ordered_at": "2026-02-28T08:00:00Z"})
    answered(stage, "invitation", invitation("i12", "completed", "r12"), 10)
    stage.settle()
    found = fact(stage, "r12")
    assert (found["candidate_key"], found["ordered_at"]) == (key("C-12"), MORNING - timedelta(hours=49))
    assert stage.rows("select count(*) as n from staging.open_check where check_id in ('i12', 'r12')") == [{"n": 1}]


def test_a_new_report_about_somebody_who_was_erased_is_kept_out(stage: Stage) -> None:
    gone = f"insert into staging.erased select staging.candidate_hash('{key('C-13')}')"
    stage.connection.execute(f"set variable part_key = '{PART_KEY}'")
    stage.connection.execute(gone)
    shown(stage, "candidates", candidate("k13", "r13", custom_id="C-13"), candidate("k14", "r14"))
    stage.settle()
    assert stage.rows("from star.fact_check where check_id = 'r13'") == []
    assert fact(stage, "r14")["candidate_key"] == key("k14")
    landed = b"".join(path.read_bytes() for path in stage.landing.root.rglob("*.ndjson"))
    assert b"r13" not in landed
    answered(stage, "report", {"id": "r13", "status": "pending"}, 50)
    stage.settle()
    assert stage.rows("from star.fact_check where check_id = 'r13'") == []
