"""Who was erased is nowhere any more, does not come back, and takes nobody else along; a crash only delays it."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest

from screening_pipeline.base import locks, sealing
from screening_pipeline.base.clock import ManualClock, system_clock
from screening_pipeline.base.errors import EnvironmentFailed, UsageError
from screening_pipeline.base.files import write_new
from screening_pipeline.base.sql_text import quote
from screening_pipeline.cycle import settle, take_orders
from screening_pipeline.cycle.erase import erase_candidate, erase_check
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.domain.exchange import HttpExchange, new_response_id
from screening_pipeline.domain.pseudonym import pseudonym
from screening_pipeline.landing.area import Landing
from screening_pipeline.orders import intake
from screening_pipeline.privacy import erasure_intent, erasure_steps
from screening_pipeline.runtime import plans
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.runtime.opening import build_runtime
from screening_pipeline.settings.paths import Paths
from screening_pipeline.settings.settings import Settings
from screening_pipeline.state.store import State
from screening_pipeline.vendors import all_vendors, vendor
from screening_pipeline.warehouse import ingest, publish, session, store, suppression
from screening_pipeline.warehouse import rebuild as warehouse_rebuild
from screening_pipeline.warehouse.engines import engine_of
from screening_pipeline_tests.support.commands import Commands
from screening_pipeline_tests.support.stage import FACTS, MORNING, account, broken_rules, call_of

PERSON = "employee-CANARY"
ACCOUNTS = tuple(replace(account(slug), status_updates=vendor(slug).feed is not None) for slug in sorted(all_vendors()))
ERASED_IDS = ("CANARY-report", "CANARY-watch", "CANARY-order", "CANARY-request")


@dataclass
class House:
    """A data folder in which things are said and ordered."""

    work: Runtime
    clock: ManualClock
    manifests: int = 0

    @property
    def data(self) -> Path:
        return self.work.settings.data_dir

    def order(self, *rows: Mapping[str, Any]) -> None:
        self.manifests += 1
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (self.work.settings.paths.orders / f"{self.manifests:03d}.ndjson").write_text(text)

    def say(
        self,
        slug: str,
        check_id: str | None,
        body: Any,
        *,
        channel: str = "pull",
        subject: str | None = None,
        http_status: int = 200,
        failure: str | None = None,
    ) -> None:
        self.clock.advance(60)
        now, declared = self.clock.now(), vendor(slug)
        wanted = subject or declared.default_subject
        self.work.landing.receive(
            HttpExchange(
                response_id=new_response_id(now, self.clock.monotonic()),
                vendor=slug,
                account="main",
                subject=wanted if check_id else None,
                check_id=check_id,
                endpoint=call_of(slug, channel, wanted),
                channel=channel,
                requested_at=now - timedelta(seconds=1),
                received_at=now,
                run_id="test",
                http_status=http_status,
                failure=failure,
                headers={"content-type": "application/json"},
                body=body if isinstance(body, bytes) else json.dumps(body).encode(),
            )
        )

    def push_report(self, check_id: str, status: str) -> None:
        report = {"Id": check_id, "Status": status}
        self.say("goodhire", None, {"Id": "w", "ReportStatus": report}, channel="push")

    def cycle(self) -> None:
        """What a run does with what was ordered and said."""
        take_orders.take_orders(self.work, run_id="test")
        with open_warehouse(self.work) as connection:
            settle.settle(self.work, connection)
            publish.publish(connection, self.work.settings.paths.published)

    def export(self) -> None:
        """What the daily job does for tools that read Parquet."""
        paths = self.work.settings.paths
        with store.reader(paths.published) as published:
            publish.export_parquet(published, paths.parquet)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with open_warehouse(self.work) as connection:
            result = connection.execute(sql)
            names = [column[0] for column in result.description or []]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def facts(self) -> dict[str, list[str]]:
        """Everything derived, as text; when a check is asked next is a plan and no fact."""
        with open_warehouse(self.work) as connection:
            return {table: sorted(map(str, connection.execute(_all_of(table)).fetchall())) for table in FACTS}

    def rebuild(self) -> None:
        with open_warehouse(self.work) as connection:
            warehouse_rebuild.rebuild(connection, self.work.landing, part_key=self.work.part_key)

    def broken_rules(self) -> list[str]:
        with open_warehouse(self.work) as connection:
            return broken_rules(connection)

    def mentions(self, *words: str, with_views: bool = False) -> list[str]:
        """Where a word stands: files outside data/orders by their bytes, databases row by row.

        Views show what tables and files hold; to compute them all takes ten times as long as to search those.
        """
        files = (path for path in self.data.rglob("*") if path.is_file() and path.parent.name != "orders")
        found = [str(path.relative_to(self.data)) for path in files if _holds(path.read_bytes(), words)]
        paths = self.work.settings.paths
        with open_warehouse(self.work) as connection:
            found += _relations_named(connection, words, with_views=with_views)
        with store.reader(paths.published) as published:
            found += [f"published {name}" for name in _relations_named(published, words, with_views=with_views)]
            found += _parquet_with(published, paths.parquet, words)
        return found


def _all_of(table: str) -> str:
    return f"select * exclude (next_pull_at) from {table}" if table == "star.fact_check" else f"from {table}"


def _holds(content: bytes, words: Iterable[str]) -> bool:
    return any(word.encode() in content for word in words)


def _relations_named(connection: session.Connection, words: Iterable[str], *, with_views: bool) -> list[str]:
    tables = "select schema_name || '.' || table_name from duckdb_tables() where not internal"
    views = "select schema_name || '.' || view_name from duckdb_views() where not internal"
    names = connection.execute(f"{tables} union all {views}" if with_views else tables).fetchall()
    return _relations_with(connection, {name: name for (name,) in names}, words)


def _parquet_with(connection: session.Connection, folder: Path, words: Iterable[str]) -> list[str]:
    """Files of this and of any other set of Parquet files; they are compressed, so they are read and not searched."""
    files = folder.parent.glob(f"{folder.name}*/**/*.parquet")
    relations = {str(file): f"read_parquet({quote(str(file))})" for file in files}
    return _relations_with(connection, relations, words) if relations else []


def _relations_with(connection: session.Connection, relations: Mapping[str, str], words: Iterable[str]) -> list[str]:
    matches = " or ".join(f"contains(r::varchar, {quote(word)})" for word in words)
    query = " union all ".join(
        f"select {quote(name)} where exists (select 1 from {relation} as r where {matches})"
        for name, relation in relations.items()
    )
    return [name for (name,) in connection.execute(query).fetchall()]


def house_in(folder: Path) -> House:
    paths = Paths.under(folder, {})
    paths.create()
    clock = ManualClock(MORNING)
    return House(build_runtime(Settings(accounts=ACCOUNTS, paths=paths), {}, clock), clock)


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one person to erase, known to three vendors, among others."""
    house = house_in(tmp_path_factory.mktemp("lived-in") / "data")
    house.order(
        {"vendor": "goodhire", "check_id": "CANARY-report", "candidate_ref": PERSON, "package": "basic"},
        {"vendor": "hireright", "check_id": "CANARY-order", "candidate_ref": PERSON},
        {"vendor": "zinc", "check_id": "CANARY-request", "candidate_ref": PERSON},
        {"vendor": "goodhire", "check_id": "other-report", "candidate_ref": "employee-2", "package": "basic"},
        {"vendor": "zinc", "check_id": "other-request", "candidate_ref": "employee-3"},
    )
    house.say("goodhire", "CANARY-report", {"Id": "CANARY-report", "Status": "Processing"})
    house.say("goodhire", "other-report", {"Id": "other-report", "Status": "Processing"})
    house.push_report("CANARY-report", "CompletedClear")
    house.say("goodhire", "CANARY-report", b"<html>CANARY-report</html>")
    watch = {"Id": "CANARY-watch", "LastStatus": "Clear", "IsActive": True, "ReportId": "CANARY-report"}
    house.say("goodhire", "CANARY-watch", watch, subject="subscription")
    updates = [
        {"orderId": "CANARY-order", "orderStatus": "InProgress"},
        {"orderId": "other-order", "orderStatus": "Completed"},
    ]
    house.say("hireright", None, updates, channel="feed")
    for name in ("CANARY-request", "other-request"):
        house.say("zinc", name, {"id": name, "status": "pending", "statusV2": "strange"})
    house.work.state.count_not_found("zinc", "main", "request", "CANARY-request", house.clock)
    house.cycle()
    _leave_pages(house)
    house.work.state.close()
    return house.data


def _leave_pages(house: House) -> None:
    """The report, half of one whose writer was killed, and shared state that could not be read and was set aside."""
    pages = ("report.html", "report.html.part", ".report.html.new")
    for name in (*pages, "state.sqlite.broken", *(f"published/{page}" for page in pages)):
        (house.data / name).write_text("CANARY-request is open")


@contextmanager
def moved_into(folder: Path, copied: Path, *, days: int = 1) -> Iterator[House]:
    """A copy of a data folder, so many days later."""
    shutil.copytree(copied, folder)
    house = house_in(folder)
    house.clock.advance(days * 86_400)
    house.manifests = 10
    yield house
    house.work.state.close()


@pytest.fixture
def house(lived_in: Path, tmp_path: Path) -> Iterator[House]:
    with moved_into(tmp_path / "data", lived_in) as house:
        yield house


@pytest.fixture(scope="module")
def left(lived_in: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same data folder after the person was erased."""
    with moved_into(tmp_path_factory.mktemp("left") / "data", lived_in) as house:
        assert erase_candidate(house.work, PERSON) is not None
    return house.data


@pytest.fixture
def house_left(left: Path, tmp_path: Path) -> Iterator[House]:
    """A house in which the person was erased the day before."""
    with moved_into(tmp_path / "data", left, days=2) as house:
        yield house


def test_a_person_is_nowhere_any_more(house: House) -> None:
    key = pseudonym(house.work.key, PERSON)
    assert len(house.mentions("CANARY", key, with_views=True)) > 20, "they are in many places before"
    erased = erase_candidate(house.work, PERSON)
    assert erased is not None
    assert house.mentions("CANARY", key, with_views=True) == []
    published = house.work.settings.paths.published.parent
    assert [path.name for path in published.iterdir()] == ["screening.duckdb"], "nobody uses Parquet here"


def test_blanks_around_a_reference_are_no_part_of_it(house: House) -> None:
    assert erase_candidate(house.work, f" {PERSON}\t") is not None
    assert house.mentions("CANARY") == []


def test_the_parquet_files_are_made_anew_and_no_older_set_is_kept(house: House) -> None:
    for _ in range(2):  # the set before the last one is kept for its readers
        house.export()
    parquet = house.work.settings.paths.parquet
    assert len(list(parquet.parent.glob("parquet-*"))) == 2
    assert any("parquet" in place for place in house.mentions("CANARY"))
    erase_candidate(house.work, PERSON)
    assert len(list(parquet.parent.glob("parquet-*"))) == 1
    assert house.mentions("CANARY") == []
    assert (parquet / "star" / "fact_check.parquet").is_file()


def test_the_others_are_as_they_were(house: House) -> None:
    before = _about_others(house)
    erase_candidate(house.work, PERSON)
    assert _about_others(house) == before
    assert len(before["star.fact_check"]) == 3


def _about_others(house: House) -> dict[str, list[str]]:
    return {table: [row for row in rows if "other-" in row] for table, rows in house.facts().items()}


def test_every_rule_holds_afterwards_and_every_answer_is_accounted_for(house: House) -> None:
    calls = len(house.rows("from star.fact_pull"))
    erase_candidate(house.work, PERSON)
    assert house.broken_rules() == []
    assert len(house.rows("from star.fact_pull")) == calls, "that calls were made stays true"
    assert len(house.rows("from raw.response")) == calls + 1
    assert house.rows("from ops.reject where reason = 'erased'") == []


def test_a_rebuild_does_not_bring_them_back(house_left: House) -> None:
    before = house_left.facts()
    house_left.rebuild()
    assert house_left.facts() == before
    assert house_left.mentions("CANARY") == []


def test_files_from_before_that_are_put_back_lose_them_in_the_next_cycle(house: House, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(house.work.landing.root, copy)
    erase_candidate(house.work, PERSON)
    house.cycle()
    shutil.rmtree(house.work.landing.root)
    shutil.copytree(copy, house.work.landing.root)
    shutil.rmtree(copy)
    assert landed_names(house)
    house.cycle()
    assert not landed_names(house)
    assert "other-report" in landed(house)


def landed(house: House) -> str:
    files = (house.work.landing.root / file for file in house.work.landing.files())
    return "".join(file.read_text(encoding="utf-8") for file in files)


def landed_names(house: House) -> bool:
    return "CANARY" in landed(house)


def test_the_erasure_is_on_record_without_the_person(house: House) -> None:
    erased = erase_candidate(house.work, PERSON)
    assert erased is not None
    (row,) = house.rows("from ops.erasure")
    assert (row["kind"], row["check_count"], row["response_count"], row["order_count"]) == (
        "candidate",
        4,
        6,
        3,
    )
    assert row["completed_at"] >= row["requested_at"]
    assert len(row["pseudonym"]) == 64
    with store.reader(house.work.settings.paths.published) as published:
        assert published.execute("select erasure_id from ops.erasure").fetchall() == [(erased.erasure_id,)]


def test_what_is_said_of_them_later_is_kept_out(house_left: House) -> None:
    before = house_left.facts()
    house_left.push_report("CANARY-report", "Processing")
    house_left.say("zinc", "CANARY-request", {"id": "CANARY-request", "status": "completed"})
    updates = [
        {"orderId": "CANARY-order", "orderStatus": "Completed"},
        {
            "orderId": "other-order",
            "orderStatus": "Completed",
            "disputeStatus": "Received",
            "statusDate": "2026-03-03T09:00:00Z",
        },
    ]
    house_left.say("hireright", None, updates, channel="feed")
    house_left.cycle()
    assert house_left.mentions("CANARY") == []
    assert house_left.broken_rules() == []
    after = house_left.facts()
    assert after["star.dim_candidate"] == before["star.dim_candidate"]
    assert "other-order" in "".join(after["star.fact_dispute"]), "the other message of the feed counts"


def test_a_refused_text_that_names_them_later_is_wiped(house_left: House) -> None:
    before = house_left.facts()
    house_left.say(
        "zinc", "other-request", {"id": "CANARY-request", "status": "completed"}
    )  # G6: another than was asked for
    house_left.say("zinc", "other-request", b'{"status": "completed", "id": "CANARY-request", ')
    house_left.say("zinc", None, b"no JSON, but of CANARY-request", channel="push")
    house_left.say("zinc", None, b"neither text: \xff\xfe CANARY-request", channel="push")
    house_left.say(
        "hireright", None, [{"orderId": "CANARY-order"}, {"orderId": "o", "orderStatus": "New"}], channel="feed"
    )
    house_left.say("zinc", "other-request", {"error": "as is CANARY-request"}, http_status=500)
    house_left.say("zinc", None, b"no JSON, and of nobody", channel="push")
    house_left.cycle()
    assert house_left.mentions("CANARY") == []
    assert house_left.mentions("of nobody") != [], "what names nobody who was erased stays as it was said"
    assert house_left.broken_rules() == []
    assert len(house_left.facts()["ops.reject"]) == len(before["ops.reject"]) + 6
    house_left.rebuild()
    assert house_left.mentions("CANARY") == []


@pytest.mark.parametrize("is_said_before", [True, False])
def test_an_id_that_is_no_single_word_is_found_in_refused_texts_too(tmp_path: Path, is_said_before: bool) -> None:
    ids = ("CANARY/2024.1", "acme:CANARY", "CANARY é")
    house = house_in(tmp_path / "data")
    house.order(
        *({"vendor": "workable", "check_id": check_id, "candidate_ref": PERSON} for check_id in ids),
        {"vendor": "workable", "check_id": "other", "candidate_ref": "employee-2"},
    )
    house.cycle()
    if not is_said_before:
        erase_candidate(house.work, PERSON)
    for check_id in ids:
        escaped = json.dumps({"id": check_id, "status": "completed"}).replace("/", "\\/").encode()
        house.say("workable", "other", escaped)
        house.say("workable", "other", f"{check_id} is locked".encode(), http_status=503)
        house.say("workable", "other", escaped[:-9], failure="timeout")
        house.say("workable", "other", b"\xff " + f"{check_id}".encode())
    house.cycle()
    if is_said_before:
        erase_candidate(house.work, PERSON)
    assert house.mentions("CANARY") == []
    assert house.broken_rules() == []
    house.work.state.close()


def test_a_404_that_was_under_way_while_they_were_erased_leaves_no_id(house_left: House) -> None:
    house_left.work.state.count_not_found("zinc", "main", "request", "CANARY-request", house_left.clock)
    house_left.work.state.count_not_found("zinc", "main", "request", "other-request", house_left.clock)
    house_left.clock.advance(3600)
    house_left.cycle()
    assert house_left.mentions("CANARY") == []
    kept = house_left.work.state.not_found("zinc", "main", at_least=1)
    assert [one.check_id for one in kept] == ["other-request"]


def test_an_erasure_waits_for_whoever_makes_files_of_the_old_snapshot(house: House) -> None:
    paths = house.work.settings.paths
    with ThreadPoolExecutor() as pool, engine_of(house.work.settings).deriving() as old:
        before = paths.published.stat().st_ino
        waiting = pool.submit(erase_candidate, house.work, PERSON)
        while paths.published.stat().st_ino == before:
            time.sleep(0.05)
        paths.report.write_text(str(old.execute("select check_id from star.fact_check").fetchall()))
        publish.export_parquet(old, paths.parquet)
        assert _holds(paths.report.read_bytes(), ["CANARY"])
        assert not waiting.done()
    assert waiting.result(timeout=60)
    assert not paths.report.exists()
    assert house.mentions("CANARY") == []


def _rebuild(house: House) -> None:
    house.rebuild()


def _settings_change(house: House) -> None:
    """What words mean has changed, as it does with a new version: the next cycle reads all history anew."""
    with open_warehouse(house.work) as connection:
        connection.execute("update staging.setting set value = 'older' where name = 'fingerprint'")


@pytest.mark.parametrize("happens", [_rebuild, _settings_change])
def test_what_is_said_of_them_before_history_is_read_anew_is_kept_out_as_well(
    house_left: House, happens: Callable[[House], None]
) -> None:
    checks = house_left.rows("select check_key from raw.check order by all")
    house_left.push_report("CANARY-report", "Completed")
    house_left.order({"vendor": "zinc", "check_id": "CANARY-again", "candidate_ref": PERSON})
    happens(house_left)
    house_left.cycle()
    assert house_left.mentions("CANARY") == []
    assert house_left.rows("select check_key from raw.check order by all") == checks


def test_what_comes_while_they_are_erased_is_kept_out(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver of pushed updates is another process, and goes on."""
    renew = erasure_steps._renew

    def push_first(runtime: Runtime, intent: Any) -> None:
        house.push_report("CANARY-report", "Completed")
        renew(runtime, intent)

    monkeypatch.setattr(erasure_steps, "_renew", push_first)
    erase_candidate(house.work, PERSON)
    house.cycle()
    assert house.mentions("CANARY") == []


@pytest.mark.parametrize("is_erased_first", [True, False])
def test_of_whom_nothing_was_ever_answered_nothing_is_known_after_a_change_of_settings(
    tmp_path: Path, is_erased_first: bool
) -> None:
    house = house_in(tmp_path / "data")
    others = {"vendor": "goodhire", "check_id": "other", "candidate_ref": "employee-2"}
    house.order({"vendor": "goodhire", "check_id": "CANARY-report", "candidate_ref": PERSON}, others)
    house.cycle()
    if is_erased_first:
        erase_candidate(house.work, PERSON)
    _settings_change(house)
    if not is_erased_first:
        erase_candidate(house.work, PERSON)
    house.order({"vendor": "goodhire", "check_id": "CANARY-second", "candidate_ref": PERSON})
    house.cycle()
    assert house.mentions("CANARY") == []
    house.work.state.close()


def test_without_the_key_of_its_hashes_nobody_is_looked_for(house_left: House) -> None:
    with session.attached(house_left.work.settings.paths.warehouse) as connection:
        connection.execute("create temp table new_order as from raw.order limit 0")
        with pytest.raises(RuntimeError, match="part_key"):
            suppression.suppress_orders(connection)


def test_who_is_known_from_refused_rows_only_is_kept_out_when_these_are_accepted(house: House) -> None:
    rows = [{"vendor": "zinc", "account": "later", "check_id": f"of-{name}", "candidate_ref": name} for name in "ab"]
    house.order(*rows)
    house.cycle()
    erased = erase_candidate(house.work, "a")
    assert erased is not None
    assert (erased.check_count, erased.order_count) == (0, 0)
    assert erase_candidate(house.work, "a") is None
    settings = replace(house.work.settings, accounts=(*ACCOUNTS, account("zinc", "later")))
    house.work = replace(house.work, settings=settings)
    house.cycle()
    assert house.rows("select check_id from star.fact_check where account = 'later'") == [{"check_id": "of-b"}]
    with pytest.raises(UsageError, match="nothing is known"):
        erase_candidate(house.work, "c")


def test_later_orders_of_them_are_skipped_and_so_is_what_is_said_of_those(house_left: House) -> None:
    house_left.order(
        {"vendor": "zinc", "check_id": "CANARY-again", "candidate_ref": PERSON},
        {"vendor": "zinc", "check_id": "CANARY-request", "candidate_ref": "somebody else"},
        {"vendor": "zinc", "check_id": "newcomer", "candidate_ref": "employee-9"},
    )
    house_left.cycle()
    house_left.say("zinc", None, {"id": "CANARY-again", "status": "pending"}, channel="push")
    house_left.cycle()
    assert house_left.mentions("CANARY") == []
    checks = house_left.rows("select check_id from star.fact_check where vendor = 'zinc' order by check_id")
    assert [row["check_id"] for row in checks] == ["newcomer", "other-request"]


def test_a_subscription_that_turns_out_to_watch_their_report_is_kept_out(house: House) -> None:
    house.order({"vendor": "goodhire", "check_id": "watch-2", "subject": "subscription"})
    house.cycle()
    erase_candidate(house.work, PERSON)
    body = {"Id": "watch-2", "LastStatus": "Clear", "IsActive": True, "Name": "CANARY"}
    house.say("goodhire", "watch-2", {**body, "ReportId": "CANARY-report"}, subject="subscription")
    house.cycle()
    assert house.mentions("CANARY") == []
    # G11: the answer to a cancellation names no report.
    house.say("goodhire", "watch-2", {**body, "IsActive": False}, subject="subscription")
    house.cycle()
    assert house.mentions("CANARY") == []
    assert house.broken_rules() == []
    assert house.rows("from star.fact_subscription") == []


@pytest.fixture
def numbered(tmp_path: Path) -> Iterator[House]:
    """An order and an I-9 form of two people whose numbers meet."""
    house = house_in(tmp_path / "data")
    house.order(
        {"vendor": "hireright", "check_id": "CANARY-1001", "candidate_ref": PERSON, "subject": "order"},
        {"vendor": "hireright", "check_id": "CANARY-1001", "candidate_ref": "employee-2", "subject": "i9"},
    )
    house.say("hireright", "CANARY-1001", {"orderId": "CANARY-1001", "orderStatus": "InProgress"})
    house.say("hireright", "CANARY-1001", {"id": "CANARY-1001", "i9Status": "Pending Employer"}, subject="i9")
    house.cycle()
    yield house
    house.work.state.close()


def test_a_form_that_is_numbered_as_their_order_is_somebody_elses_and_stays(numbered: House) -> None:
    before = numbered.rows("select * exclude next_pull_at from star.fact_check where subject = 'i9'")
    erase_candidate(numbered.work, PERSON)
    assert numbered.rows("select * exclude next_pull_at from star.fact_check") == before
    numbered.say("hireright", "CANARY-1001", {"orderId": "CANARY-1001", "orderStatus": "Completed"})
    numbered.say("hireright", "CANARY-1001", {"id": "CANARY-1001", "i9Status": "completed"}, subject="i9")
    numbered.order({"vendor": "hireright", "check_id": "CANARY-1001", "subject": "i9", "package": "basic"})
    numbered.cycle()
    assert [(row["subject"], row["lifecycle"], row["package"]) for row in numbered.rows("from star.fact_check")] == [
        ("i9", "completed", "basic")
    ]
    assert numbered.broken_rules() == []


def test_who_erases_by_an_id_alone_means_whatever_has_it(numbered: House) -> None:
    erase_check(numbered.work, "hireright", "CANARY-1001")
    numbered.say("hireright", None, [{"id": "CANARY-1001", "i9Status": "completed"}], channel="feed")
    numbered.cycle()
    assert numbered.mentions("CANARY") == []


def test_what_nobody_ordered_under_an_id_of_theirs_is_taken_for_theirs(tmp_path: Path) -> None:
    house = house_in(tmp_path / "data")
    house.order({"vendor": "hireright", "check_id": "CANARY-7", "candidate_ref": PERSON})
    house.say("hireright", None, [{"id": "CANARY-7", "i9Status": "Pending Employer"}], channel="feed")
    house.cycle()
    erase_candidate(house.work, PERSON)
    assert house.mentions("CANARY") == []
    assert erase_check(house.work, "hireright", "CANARY-7") is None
    house.work.state.close()


def test_one_check_can_be_erased_alone(house: House) -> None:
    erased = erase_check(house.work, "zinc", "CANARY-request")
    assert erased is not None
    assert (erased.kind, erased.check_count, erased.order_count) == ("check", 1, 1)
    assert house.mentions("CANARY-request") == []
    left = house.rows("select check_id from star.fact_check where check_id like 'CANARY%' order by check_id")
    assert [row["check_id"] for row in left] == ["CANARY-order", "CANARY-report", "CANARY-watch"]


def test_a_check_of_an_account_that_is_not_configured_any_more_can_be_erased(house: House) -> None:
    accounts = (*(a for a in ACCOUNTS if a.vendor != "zinc"), account("zinc", "renamed"))
    later = replace(house.work, settings=replace(house.work.settings, accounts=accounts))
    with pytest.raises(UsageError, match="nothing is known"):
        erase_check(later, "zinc", "CANARY-request")
    assert erase_check(later, "zinc", "CANARY-request", "main") is not None
    assert house.mentions("CANARY-request") == []


def test_a_report_takes_the_subscription_that_watches_it_along(house: House) -> None:
    erase_check(house.work, "goodhire", "CANARY-report")
    assert house.mentions("CANARY-report", "CANARY-watch") == []


def test_whoever_was_erased_can_be_erased_again(house_left: House) -> None:
    assert erase_candidate(house_left.work, PERSON) is None
    assert len(house_left.rows("from ops.erasure")) == 1


def test_two_erasures_are_two_records(house_left: House) -> None:
    erase_candidate(house_left.work, "employee-2")
    assert len(house_left.rows("from ops.erasure where completed_at is not null")) == 2
    house_left.push_report("CANARY-report", "Processing")
    house_left.cycle()
    assert house_left.mentions("CANARY", "other-report") == []


@pytest.mark.parametrize(
    ("slug", "check_id", "name"),
    [("zinc", "nobody", None), ("zinc", "CANARY-request", "elsewhere"), ("acme", "1", None)],
)
def test_what_nothing_is_known_of_is_not_said_to_be_erased(
    house: House, slug: str, check_id: str, name: str | None
) -> None:
    with pytest.raises(UsageError):
        erase_check(house.work, slug, check_id, name)
    with pytest.raises(UsageError, match="nothing is known of this candidate"):
        erase_candidate(house.work, "nobody")
    assert house.rows("from ops.erasure") == []


def test_an_id_that_begins_like_another_is_another(house: House) -> None:
    for name in ("7", "77"):
        house.say("zinc", name, {"id": name, "status": "pending", "statusV2": "awaiting-candidate"})
    house.cycle()
    erase_check(house.work, "zinc", "7")
    left = house.rows("select check_id from star.fact_check where vendor = 'zinc' and check_id like '7%'")
    assert left == [{"check_id": "77"}]


def test_encrypted_lines_are_erased_too(house: House) -> None:
    sealed = Landing(
        house.work.landing.root,
        vendors=all_vendors(),
        spool_key=b"another spool key",
        landing_key=b"landing key of a test",
        clock=house.clock,
    )
    house.work = replace(house.work, landing=sealed)
    house.say("zinc", "CANARY-request", {"id": "CANARY-request", "status": "completed"})
    house.cycle()
    erase_candidate(house.work, PERSON)
    lines = "".join(sealed.read(tail).decode() for tail in sealed.look({}).tails)
    assert "CANARY" not in lines
    assert house.mentions("CANARY") == []


# ── crashes ────────────────────────────────────────────────────────────────────────────────────────────


class _Crash(BaseException):
    pass


class _LandingThatCrashes(Landing):
    def erase(self, *_: Any) -> int:
        raise _Crash


class _StateThatCrashes(State):
    def erase_not_found(self, *_: Any) -> None:
        raise _Crash


def _crashing(house: House, name: str) -> Runtime:
    if name == "landing":
        return replace(house.work, landing=_landing(house, _LandingThatCrashes))
    return replace(house.work, state=_StateThatCrashes(house.work.settings.paths.state))


def _landing(house: House, kind: type[Landing]) -> Landing:
    key = house.work.settings.paths.spool_key.read_bytes().strip()
    return kind(house.work.landing.root, vendors=all_vendors(), spool_key=key, clock=house.clock)


@pytest.mark.parametrize("name", ["landing", "state"])
def test_the_next_command_finishes_what_a_crash_interrupted(house: House, name: str) -> None:
    with pytest.raises(_Crash):
        erase_candidate(_crashing(house, name), PERSON)
    assert erasure_intent.is_pending(house.work)
    assert not _holds((house.data / "erasure.sealed").read_bytes(), ["CANARY", "zinc"])
    house.cycle()
    assert not erasure_intent.is_pending(house.work)
    assert house.mentions("CANARY") == []
    assert len(house.rows("from ops.erasure where completed_at is not null")) == 1


def test_what_was_begun_under_another_key_says_so_and_is_finished_when_the_key_is_back(house: House) -> None:
    with pytest.raises(_Crash):
        erase_candidate(_crashing(house, "landing"), PERSON)
    begun = house.data / "erasure.sealed"
    sealed = begun.read_bytes()
    write_new(begun, sealing.Sealer(b"another key", "erasure").seal(b"{}", begun.name))
    with pytest.raises(EnvironmentFailed, match=r"put that key back, or delete erasure\.sealed and erase again"):
        house.cycle()
    assert erasure_intent.is_pending(house.work)
    write_new(begun, sealed)
    house.cycle()
    assert house.mentions("CANARY") == []


def test_what_an_earlier_version_began_is_finished_by_this_one(house: House) -> None:
    with pytest.raises(_Crash):
        erase_candidate(_crashing(house, "landing"), PERSON)
    begun = house.data / "erasure.sealed"
    sealer = sealing.Sealer(house.work.landing.key_for("erasure"), "erasure")
    intent = json.loads(sealer.unseal(begun.read_bytes(), begun.name))
    intent["checks"] = sorted({(vendor, account, check_id) for vendor, account, _, check_id in intent["checks"]})
    write_new(begun, sealer.seal(json.dumps(intent).encode(), begun.name))
    house.cycle()
    assert not erasure_intent.is_pending(house.work)
    assert house.mentions("CANARY") == []


@pytest.mark.slow
def test_killed_at_any_moment_an_erasure_is_done_in_the_end(house: House) -> None:
    started = _killed_after(house, None)
    shutil.rmtree(house.data)
    killed = 0
    for share in (0.3, 0.6, 0.85):
        shutil.copytree(LIVED_IN[0], house.data)
        killed += _killed_after(house, started * share) > 0
        again = house_in(house.data)
        if not erasure_intent.is_pending(again.work) and again.rows("from raw.order where check_id like 'CANARY%'"):
            erase_candidate(again.work, PERSON)
        again.cycle()
        assert again.mentions("CANARY") == []
        assert again.broken_rules() == []
        assert len(again.rows("from ops.erasure")) == 1
        again.work.state.close()
        shutil.rmtree(house.data)
    assert killed >= 1, "most were killed while they worked"


LIVED_IN: list[Path] = []


@pytest.fixture(autouse=True)
def _remember(lived_in: Path) -> None:
    LIVED_IN[:] = [lived_in]


def _erase_in(folder: Path) -> None:
    erase_candidate(house_in(folder).work, PERSON)


def _killed_after(house: House, seconds: float | None) -> float:
    """Erase in a process of its own, killed after so long; the seconds that it lived, 0 where it was done before."""
    process = multiprocessing.get_context("fork").Process(target=_erase_in, args=(house.data,))
    begun = time.monotonic()
    process.start()
    process.join(timeout=seconds if seconds is not None else 60)
    is_alive = process.is_alive()
    if is_alive and process.pid is not None:
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    lived = time.monotonic() - begun
    return lived if is_alive or seconds is None else 0


# ── at the same time ───────────────────────────────────────────────────────────────────────────────────


def _in_real_time(folder: Path) -> Runtime:
    """The same house as another process finds it, which waits for locks."""
    return build_runtime(Settings(accounts=ACCOUNTS, paths=Paths.under(folder, {})), {}, system_clock({}))


def _erase_slowly(folder: Path, go: Event, reference: str, arriving: Mapping[str, str] | None = None) -> None:
    """Erase, with some time between noting what is to be done and doing it, in which a manifest may arrive."""
    write = erasure_intent.write_intent

    def write_and_wait(runtime: Runtime, intent: Any) -> None:
        write(runtime, intent)
        if arriving:
            (folder / "orders" / "arriving.ndjson").write_text(json.dumps(arriving) + "\n")
        time.sleep(2)

    erasure_intent.write_intent = write_and_wait
    go.wait()
    erase_candidate(_in_real_time(folder), reference)


def _take_orders(folder: Path, go: Event) -> None:
    """What a run begins with; it comes second, and waits."""
    go.wait()
    time.sleep(0.7)
    work = _in_real_time(folder)
    with open_warehouse(work) as connection:
        plans.prepare(connection, work)
        with session.transaction(connection):
            intake.take_in(connection, work.settings, key=work.key, now=work.clock.now(), run_id="test")
            ingest.advance(connection, work.landing, part_key=work.part_key)


def _at_once(house: House, *tasks: tuple[Callable[..., None], tuple[Any, ...]]) -> None:
    """Processes that all begin while the warehouse is in use, and so find nobody else at work."""
    fork = multiprocessing.get_context("fork")
    go = fork.Event()
    processes = [fork.Process(target=task, args=(house.data, go, *arguments)) for task, arguments in tasks]
    for process in processes:
        process.start()
    with locks.lock(house.work.settings.paths.warehouse_lock, clock=house.clock):
        go.set()
        time.sleep(1.4)
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0] * len(processes)


def test_two_who_erase_at_once_both_do(house: House) -> None:
    _at_once(house, (_erase_slowly, (PERSON,)), (_erase_slowly, ("employee-2",)))
    assert house.mentions("CANARY", "other-report") == []
    assert len(house.rows("from ops.erasure where completed_at is not null")) == 2


def test_an_order_that_arrives_while_its_person_is_erased_is_kept_out(house: House) -> None:
    order = {"vendor": "zinc", "check_id": "CANARY-late", "candidate_ref": PERSON}
    _at_once(house, (_erase_slowly, (PERSON, order)), (_take_orders, ()))
    house.cycle()
    assert house.mentions("CANARY") == []
    assert house.rows("from ops.erasure where completed_at is null") == []


# ── the command ────────────────────────────────────────────────────────────────────────────────────────


def test_the_command_tells_how_much_and_not_whom(tmp_path: Path, commands: Commands) -> None:
    (tmp_path / "data" / "orders").mkdir(parents=True)
    order = {"vendor": "zinc", "check_id": "CANARY-request", "candidate_ref": PERSON}
    (tmp_path / "data" / "orders" / "1.ndjson").write_text(json.dumps(order) + "\n")

    def erase(*arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
        environ = {"PATH": os.defpath, "HOME": str(tmp_path)}
        return commands.run("erase", *arguments, folder=tmp_path, environ=environ, said=said)

    done = erase("--check", "zinc", "CANARY-request", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["order_count"] == 1
    assert "CANARY" not in done.stdout
    again = erase("--candidate-ref", "-", said=f"{PERSON}\n")
    assert (again.returncode, again.stdout) == (2, "")
    assert "nothing is known of this candidate" in again.stderr
    assert "CANARY" not in again.stderr
    both = erase("--check", "zinc", "CANARY-request", "--candidate-ref", PERSON)
    assert (both.returncode, both.stdout) == (2, "")
