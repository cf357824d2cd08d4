"""What was received is durable, found again, readable by one typed scan, and forgotten when it must be."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screening_pipeline.base import files
from screening_pipeline.base.clock import ManualClock
from screening_pipeline.base.errors import DiskFull, EnvironmentFailed, LockHeld, NotWritable
from screening_pipeline.base.failures import telling
from screening_pipeline.base.locks import locked
from screening_pipeline.domain.exchange import HttpExchange, new_response_id
from screening_pipeline.landing.area import Landing
from screening_pipeline.landing.interface import Tail
from screening_pipeline.landing.spool import UNOPENED
from screening_pipeline.vendors import all_vendors, vendor
from screening_pipeline.warehouse.reference import part_words
from screening_pipeline.warehouse.scan import scan_sql
from screening_pipeline_tests.support.plain_feed import SPOOL_KEY
from screening_pipeline_tests.test_guard import GOOD, NOON, ORDER, REPORT, REQUEST, SSN, mutated
from screening_pipeline_tests.test_guard import exchange as judged_exchange

LANDING_KEY = b"landing key of the tests"
TODAY = NOON.date()


def opened(root: Path, *, landing_key: bytes | None = None, now: datetime = NOON) -> Landing:
    return Landing(root, vendors=all_vendors(), spool_key=SPOOL_KEY, landing_key=landing_key, clock=ManualClock(now))


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return opened(tmp_path / "landing")


def exchange(
    slug: str = "workerchecks",
    endpoint: str = "results",
    check_id: str | None = "w1",
    body: Any = None,
    at: datetime = NOON,
    **others: Any,
) -> HttpExchange:
    found = judged_exchange(slug, endpoint, check_id, {"checkId": "w1", "status": "Pending"} if body is None else body)
    names = {
        "received_at": at,
        "requested_at": at,
        "response_id": new_response_id(at, time.monotonic()),
        **others,
    }
    return replace(found, **names)


def lines(landing: Landing) -> list[bytes]:
    return [line for tail in landing.look({}).tails for line in landing.read(tail).splitlines()]


def envelopes(landing: Landing) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(landing)]


def everything(root: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file())


# ── receiving ────────────────────────────────────────────────────────────────────────────────────────────


def test_an_exchange_becomes_one_line_with_the_keys_in_order(landing: Landing) -> None:
    given_exchange = exchange(due_at=NOON - timedelta(minutes=1), latency_ms=7)
    landed = landing.receive(given_exchange)
    assert (landed.is_accepted, landed.message_count) == (True, 1)
    (line,) = lines(landing)
    stamp = line[line.index(b',"line_digest":') : line.index(b',"messages":')]
    assert list(json.loads(line).items()) == [
        ("response_id", given_exchange.response_id),
        ("vendor", "workerchecks"),
        ("account", "us"),
        ("subject", None),
        ("check_id", "w1"),
        ("endpoint", "results"),
        ("channel", "pull"),
        ("http_status", 200),
        ("failure", None),
        ("headers", {"content-type": "application/json; charset=utf-8"}),
        ("requested_at", "2026-03-02T12:00:00.000000Z"),
        ("received_at", "2026-03-02T12:00:00.000000Z"),
        ("due_at", "2026-03-02T11:59:00.000000Z"),
        ("latency_ms", 7),
        ("run_id", "run"),
        ("body_sha256", hashlib.sha256(given_exchange.body).hexdigest()),
        ("body_bytes", len(given_exchange.body)),
        ("reject", None),
        ("body_text", None),
        ("body_base64", None),
        ("reject_detail", None),
        ("message_rejects", []),
        ("part_rejects", []),
        ("line_digest", hashlib.blake2b(line.replace(stamp, b""), digest_size=16).hexdigest()),
        (
            "messages",
            [{"subject": "check", "check_id": "w1", "body": {"checkId": "w1", "status": "Pending"}}],
        ),
    ]


def body_of(line: bytes) -> str | None:
    """The body text as the line holds it; None where it was no UTF-8, or was erased."""
    envelope = json.loads(line)
    if envelope["body_text"] is not None or envelope["body_base64"] is not None:
        text: str | None = envelope["body_text"]
        return text
    if envelope["reject"] is not None or len(envelope["messages"]) != 1 or envelope["body_sha256"] is None:
        return None
    _, _, messages = line.partition(b',"messages":[')
    return messages.partition(b',"body":')[2].removesuffix(b"}]}").decode()


def raw_body_of(line: bytes) -> bytes | None:
    """The kept bytes of a body that was no UTF-8, None for all others."""
    encoded = json.loads(line)["body_base64"]
    return None if encoded is None else base64.b64decode(encoded)


@pytest.mark.parametrize(
    "body",
    [
        b'{"checkId" : "w1",  "status":"Pending", "n": 1.50, "u": "\\u00e9\xc3\xa9"}',
        b'{"checkId": "w1", "status": "},\\"messages\\":[{", "body": "]}"}',
        b'{"checkId": "w1",\n "status": "Pending"}\r\n',
        b'\xef\xbb\xbf{"checkId": "w1", "status": "Pending"}',
        b"<html>\0\x01",
        b"[1, 2",
        b"",
    ],
)
def test_the_body_can_be_had_back_to_the_letter(landing: Landing, body: bytes) -> None:
    landing.receive(exchange(body=body))
    assert body_of(lines(landing)[0]) == body.decode()
    assert raw_body_of(lines(landing)[0]) is None


def test_a_body_that_is_no_text_is_kept_as_bytes(landing: Landing) -> None:
    landed = landing.receive(exchange(body=b"\xff\xfe\x00"))
    assert landed.reject == "not_utf8"
    assert body_of(lines(landing)[0]) is None
    assert raw_body_of(lines(landing)[0]) == b"\xff\xfe\x00"


def test_failures_and_error_answers_are_landed_without_messages(landing: Landing) -> None:
    refused = landing.receive(exchange(body=b'{"error": "no"}', http_status=404))
    silent = landing.receive(exchange(body=b"", http_status=None, failure="timeout"))
    assert [(e["reject"], e["messages"]) for e in envelopes(landing)] == [(None, []), (None, [])]
    assert body_of(lines(landing)[0]) == '{"error": "no"}'
    assert not refused.is_accepted
    assert not silent.is_accepted


def test_a_feed_lands_its_good_messages_and_names_the_bad_ones(landing: Landing) -> None:
    body = json.dumps([ORDER, {"orderId": "HR-2"}, {**ORDER, "orderId": "HR-3"}])
    landed = landing.receive(exchange("hireright", "status_updates", None, body.encode(), channel="feed"))
    (found,) = envelopes(landing)
    assert landed.message_count == 2
    assert [message["check_id"] for message in found["messages"]] == ["HR-1", "HR-3"]
    assert found["message_rejects"] == [{"index": 1, "reason": "missing_status"}]
    assert found["body_text"] == body


def test_lines_go_to_the_day_of_receipt_in_utc(landing: Landing) -> None:
    east = datetime.fromisoformat("2026-03-03T01:00:00+10:00")
    landing.receive(exchange(at=east))
    landing.receive(exchange(at=NOON + timedelta(days=1)))
    assert landing.files() == ["workerchecks/us/2026-03-02.ndjson", "workerchecks/us/2026-03-03.ndjson"]


@pytest.mark.parametrize("account", ["../../up", "..", ".hidden", "a/b", "a b", "äö", "CON"])
def test_the_name_of_an_account_never_leads_out_of_the_landing_area(tmp_path: Path, account: str) -> None:
    landing = opened(tmp_path / "landing")
    landing.receive(exchange(account=account))
    assert len(list((tmp_path / "landing" / "workerchecks").glob("*/*.ndjson"))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["landing"]
    assert envelopes(landing)[0]["account"] == account


def test_everything_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        landing = opened(tmp_path / "landing")
        landing.receive(exchange())
    finally:
        os.umask(previous)
    for path in [landing.root, *landing.root.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)


def test_values_that_are_never_stored_reach_no_file(landing: Landing) -> None:
    for body in (REPORT, {"SSN": SSN, "x": [REPORT]}, json.dumps(REPORT).encode()[:-20]):
        landing.receive(exchange("goodhire", "report", "a1", body))
    landing.receive(exchange("goodhire", "report", "a1", REPORT, http_status=500))
    assert SSN.encode() not in everything(landing.root)
    assert b"900 Canary Row" not in everything(landing.root)
    assert all(
        e["body_sha256"] == hashlib.sha256(json.dumps(REPORT).encode()).hexdigest() for e in envelopes(landing)[:1]
    )


def test_a_line_never_grows_beyond_what_readers_allow_for(landing: Landing) -> None:
    numbers = b'{"checkId": "w1",\n"status": "x", "n": [' + b"1e15," * 1_900_000 + b"1]}"
    landed = landing.receive(exchange(body=numbers))
    assert landed.reject == "too_large"
    assert len(lines(landing)[0]) < 16 * 1024 * 1024
    assert raw_body_of(lines(landing)[0]) == numbers


def test_an_id_that_utf8_cannot_carry_does_not_break_the_line(landing: Landing) -> None:
    landing.receive(exchange(check_id="a\ud800b", http_status=404))
    assert envelopes(landing)[0]["check_id"] == "a?b"


def test_several_writers_at_once_lose_and_tear_nothing(landing: Landing) -> None:
    def work(number: int) -> None:
        for _ in range(10):
            landing.receive(exchange(check_id=f"w{number}", http_status=404))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({e["response_id"] for e in envelopes(landing)}) == 60


# ── one typed scan reads whatever was landed ─────────────────────────────────────────────────────────────


def scanned(landing: Landing, slug: str) -> list[tuple[Any, ...]]:
    tails = [tail for tail in landing.look({}).tails if tail.vendor == slug]
    with ExitStack() as stack, duckdb.connect() as connection:
        paths = [stack.enter_context(landing.scan_path(tail)) for tail in tails]
        connection.execute("set timezone = 'UTC'")
        found = connection.sql(scan_sql(vendor(slug), str(paths)))
        return found.select("vendor_status", "asked_check_id", "reject").fetchall()


def test_every_good_answer_is_read_by_the_scan(landing: Landing) -> None:
    for slug, endpoint, check_id, body in GOOD:
        landing.receive(exchange(slug, endpoint, check_id, body))
    assert scanned(landing, "goodhire") == [("MissingInput", "a1", None), ("Clear", "s1", None)]
    assert len(scanned(landing, "hireright")) == 5


@given(cases=st.lists(mutated(), min_size=25, max_size=25))
@settings(max_examples=12)
def test_no_answer_whatsoever_breaks_the_scan(cases: list[tuple[str, str, str | None, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        landing = opened(Path(folder))
        rows = dict.fromkeys(all_vendors(), 0)
        for slug, endpoint, check_id, raw in cases:
            rows[slug] += max(1, landing.receive(exchange(slug, endpoint, check_id, raw)).message_count)
        for slug in {slug for slug, *_ in cases}:
            assert len(scanned(landing, slug)) == rows[slug]


# ── crashes ──────────────────────────────────────────────────────────────────────────────────────────────


def spooled(landing: Landing, given_exchange: HttpExchange) -> None:
    """What a process leaves that is killed between the spool and the line."""
    landing._spool.put(given_exchange)


def test_what_a_crash_left_in_the_spool_is_landed_by_the_next_run(landing: Landing) -> None:
    first, second = exchange(), exchange(body=b"\xff", at=NOON - timedelta(days=3))
    spooled(landing, first)
    spooled(landing, second)
    landed = opened(landing.root).recover()
    assert {found.response_id for found in landed} == {first.response_id, second.response_id}
    assert {e["response_id"] for e in envelopes(landing)} == {first.response_id, second.response_id}
    assert raw_body_of(next(line for line in lines(landing) if second.response_id.encode() in line)) == b"\xff"


def test_what_was_landed_and_only_not_tidied_up_is_not_landed_twice(landing: Landing) -> None:
    given_exchange = exchange()
    landing.receive(given_exchange)
    spooled(landing, given_exchange)
    assert landing.recover() == []
    assert len(lines(landing)) == 1
    assert landing.recover() == []


def test_receiving_once_is_receiving_once_however_often(landing: Landing) -> None:
    given_exchange = exchange()
    assert [landing.receive_once(given_exchange) for _ in range(3)] == [landing.receive_once(given_exchange)] * 3
    spooled(landing, given_exchange)
    landing.receive_once(given_exchange)
    assert landing.recover() == []
    assert len(lines(landing)) == 1


def test_the_spool_is_unreadable_without_its_key(landing: Landing) -> None:
    spooled(landing, exchange("goodhire", "report", "a1", REPORT))
    assert b"Canaria" not in everything(landing.root)
    other = Landing(landing.root, vendors=all_vendors(), spool_key=b"another", clock=ManualClock(NOON))
    with pytest.raises(EnvironmentFailed, match=r"another spool\.key") as caught:
        other.recover()
    assert caught.value.code == UNOPENED
    assert len(landing.recover()) == 1


def test_half_a_spool_file_was_never_acknowledged_and_is_dropped(landing: Landing) -> None:
    (landing.spool / "x.sealed.part").write_bytes(b"half")
    assert landing.recover() == []
    assert not list(landing.spool.glob("*.part"))


def test_an_exchange_of_a_vendor_that_is_not_declared_now_stays_in_the_spool(landing: Landing) -> None:
    spooled(landing, exchange())
    others = {"zinc": vendor("zinc")}
    fewer = Landing(landing.root, vendors=others, spool_key=SPOOL_KEY, clock=ManualClock(NOON))
    assert fewer.recover() == []
    assert len(landing.recover()) == 1


def test_recovering_waits_for_those_who_are_receiving(landing: Landing) -> None:
    done: list[str] = []
    with locked(landing.spool / "lock", is_shared=True):
        spooled(landing, exchange())
        waiting = threading.Thread(target=lambda: done.extend(x.response_id for x in landing.recover()))
        waiting.start()
        waiting.join(0.1)
        assert done == []
    waiting.join()
    assert len(done) == 1


@pytest.mark.parametrize("torn", [b'{"response_id":"2026', b"\0" * 100, b"x" * 200_000])
def test_a_torn_last_line_is_cut_off_before_the_next_one(landing: Landing, torn: bytes) -> None:
    landing.receive(exchange())
    path = landing.root / landing.files()[0]
    with path.open("ab") as file:
        file.write(torn)
    before = landing.look({}).tails
    landing.receive(exchange())
    assert len(envelopes(landing)) == 2
    assert landing.look({}, lambda _: {before[0].file: before[0].end}).tails[0].start == before[0].end
    assert path.with_name(f"{path.name}.torn").read_bytes() == torn + b"\n"


def test_a_torn_last_line_is_not_read(landing: Landing) -> None:
    landing.receive(exchange())
    whole = landing.look({}).tails
    with (landing.root / landing.files()[0]).open("ab") as file:
        file.write(b'{"half')
    assert landing.look({}).tails == whole


KILLED = """
import sys, time
from datetime import datetime
from pathlib import Path
from screening_pipeline.base.clock import SystemClock
from screening_pipeline.domain.exchange import HttpExchange, new_response_id
from screening_pipeline.landing.area import Landing
from screening_pipeline.vendors import all_vendors
root, key, at = Path(sys.argv[1]), sys.argv[2].encode(), datetime.fromisoformat(sys.argv[3])
landing = Landing(root, vendors=all_vendors(), spool_key=key, clock=SystemClock())
landing.recover()
names = {"vendor": "workerchecks", "account": "us", "endpoint": "results", "channel": sys.argv[4], "run_id": "run"}
body = b'{"checkId": "w1", "status": "Pending", "x": "' + b"y" * 20000 + b'"}'
while True:
    print("?", flush=True)
    response_id = new_response_id(at, time.monotonic())
    given = {**names, "response_id": response_id, "requested_at": at, "received_at": at, "http_status": 200}
    landed = landing.receive(HttpExchange(**given, body=body))
    print(landed.response_id, flush=True)
"""


@pytest.mark.parametrize("channel", ["pull", "push"])
def test_nothing_that_was_acknowledged_is_lost_or_doubled_when_the_process_is_killed(
    tmp_path: Path, channel: str
) -> None:
    acknowledged: list[str] = []
    given = [str(tmp_path / "landing"), SPOOL_KEY.decode(), NOON.isoformat(), channel]
    for kill in range(12):
        command = [sys.executable, "-c", KILLED, *given]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.003 * kill)
            process.send_signal(signal.SIGKILL)
            acknowledged += [line for line in process.stdout.read().split() if line != "?"]
    landing = opened(tmp_path / "landing")
    landing.recover()
    landed = [e["response_id"] for e in envelopes(landing)]
    assert set(acknowledged) <= set(landed)
    assert len(landed) == len(set(landed))
    assert len(landed) <= len(acknowledged) + 12
    assert not list(landing.spool.glob("*.sealed*"))


# ── a machine that cannot ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("channel", ["pull", "push"])
def test_a_full_disk_leaves_whole_lines_and_says_so(landing: Landing, channel: str) -> None:
    landing.receive(exchange())
    path = landing.root / landing.files()[0]
    size = path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            files.append_line(path, b"x" * 1000)
        with pytest.raises(DiskFull) as caught:
            landing.receive(exchange(body=b"x" * 10_000, channel=channel))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.stat().st_size == size
    assert caught.value.exit_code == 3
    assert landing.recover() == []
    assert len(envelopes(landing)) == 1


def test_room_that_is_not_there_cannot_be_reserved(landing: Landing) -> None:
    with pytest.raises(DiskFull), landing.reserve(2**50):
        pytest.fail("there was room for a petabyte")


def test_reserved_room_is_taken_and_given_back(landing: Landing) -> None:
    def used() -> int:
        stats = os.statvfs(landing.root)
        return stats.f_blocks * stats.f_frsize - stats.f_bfree * stats.f_frsize

    before = used()
    with landing.reserve(256 * 1024 * 1024):
        assert used() - before > 128 * 1024 * 1024
        assert list(landing.spool.iterdir()) == []  # a file without a name: a kill leaves nothing behind
    assert used() - before < 128 * 1024 * 1024


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "landing").write_text("not a folder")
    with pytest.raises(NotWritable, match="landing area"):
        opened(tmp_path / "landing")


READ_ONLY = """
import os, sys
from pathlib import Path
from screening_pipeline.base.errors import NotWritable
from screening_pipeline_tests.test_landing import exchange, opened
if os.geteuid() == 0:  # who may do everything cannot be forbidden anything
    os.setuid(65534)
try:
    opened(Path(sys.argv[1])).receive(exchange())
except NotWritable as problem:
    print(problem)
"""


def test_a_read_only_folder_is_named() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
        folder.chmod(0o500)
        command = [sys.executable, "-c", READ_ONLY, str(folder / "landing")]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        folder.chmod(0o700)
    assert ran.stdout.strip() == "cannot write the landing area: Permission denied", ran.stderr


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EROFS, NotWritable),
        (errno.EACCES, NotWritable),
        (errno.EIO, EnvironmentFailed),
    ],
)
def test_what_the_system_says_is_told_as_ours(tmp_path: Path, number: int, kind: type[Exception]) -> None:
    with pytest.raises(kind), telling("the place", 10, tmp_path):
        raise OSError(number, os.strerror(number))


def test_a_lock_that_is_held_is_not_waited_for_unless_wanted(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "lock"),
        pytest.raises(LockHeld),
        locked(tmp_path / "lock", is_waiting=False),
    ):
        pytest.fail("both hold it")


# ── reading what is new ──────────────────────────────────────────────────────────────────────────────────


def test_only_what_is_new_is_read(landing: Landing) -> None:
    landing.receive(exchange())
    (first,) = landing.look({}).tails
    assert landing.look({}, lambda _: {first.file: first.end}).tails == []
    newer = exchange()
    landing.receive(newer)
    (second,) = landing.look({}, lambda _: {first.file: first.end}).tails
    assert second == Tail("workerchecks", first.file, first.end, second.end)
    assert [json.loads(line)["response_id"] for line in landing.read(second).splitlines()] == [newer.response_id]


def test_a_file_that_became_shorter_than_what_was_read_is_noticed(landing: Landing) -> None:
    landing.receive(exchange())
    (tail,) = landing.look({}).tails
    with pytest.raises(EnvironmentFailed, match="rebuild"):
        landing.look({}, lambda _: {tail.file: tail.end + 1})
    with pytest.raises(EnvironmentFailed, match="rebuild"):
        landing.read(replace(tail, end=tail.end + 1))


def read_by_duckdb(path: str) -> list[str]:
    with duckdb.connect() as connection:
        columns = {"response_id": "varchar"}
        found = connection.read_json(path, format="newline_delimited", columns=columns)
        return [row[0] for row in found.fetchall()]


def test_a_finished_day_is_scanned_in_place_and_nobody_appends_to_it_meanwhile(landing: Landing) -> None:
    late = exchange(at=NOON - timedelta(days=1))
    landing.receive(late)
    (tail,) = landing.look({}).tails
    with landing.scan_path(tail) as path:
        assert path == str(landing.root / tail.file)
        appending = threading.Thread(target=lambda: landing.receive(exchange(at=NOON - timedelta(days=1))))
        appending.start()
        appending.join(0.1)
        assert appending.is_alive()
        assert read_by_duckdb(path) == [late.response_id]
    appending.join()
    assert len(lines(landing)) == 2
    with landing.scan_path(tail) as path:  # the file has grown beyond the tail since
        assert read_by_duckdb(path) == [late.response_id]


@pytest.mark.parametrize("start", [0, 1])
def test_a_day_that_goes_on_is_scanned_up_to_the_end_of_the_tail(landing: Landing, start: int) -> None:
    ids = []
    for _ in range(3):
        ids.append(exchange())
        landing.receive(ids[-1])
    (tail,) = landing.look({}).tails
    begin = landing.read(tail).index(b"\n") + 1 if start else 0
    landing.receive(exchange())
    with landing.scan_path(replace(tail, start=begin)) as path:
        landing.receive(exchange())  # nobody waits
        assert read_by_duckdb(path) == [e.response_id for e in ids[start:]]


def test_scanning_leaves_no_descriptors_behind(landing: Landing) -> None:
    landing.receive(exchange())
    landing.receive(exchange(at=NOON - timedelta(days=1)))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for tail in landing.look({}).tails:
        with landing.scan_path(tail) as path:
            assert len(read_by_duckdb(path)) == 1
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# ── encryption at rest ───────────────────────────────────────────────────────────────────────────────────


def test_with_a_key_nothing_is_readable_at_rest_and_everything_with_it(tmp_path: Path) -> None:
    landing = opened(tmp_path / "landing", landing_key=LANDING_KEY)
    old = exchange("goodhire", "report", "a1", REPORT, at=NOON - timedelta(days=1))
    landing.receive(old)
    landing.receive(exchange("goodhire", "report", "a1", REPORT))
    assert b"Canaria" not in everything(landing.root)
    assert b"goodhire" not in everything(landing.root)
    assert [row[0] for row in scanned(landing, "goodhire")] == ["MissingInput"] * 2
    spooled(landing, old)
    assert landing.recover() == []


def test_without_the_key_encrypted_lines_are_an_error_and_not_nothing(tmp_path: Path) -> None:
    opened(tmp_path / "landing", landing_key=LANDING_KEY).receive(exchange())
    for key in (None, b"another key"):
        landing = opened(tmp_path / "landing", landing_key=key)
        with pytest.raises(EnvironmentFailed) as caught:
            landing.read(landing.look({}).tails[0])
        assert caught.value.code == "wrong_key"


def test_a_key_may_be_introduced_later(tmp_path: Path) -> None:
    opened(tmp_path / "landing").receive(exchange())
    landing = opened(tmp_path / "landing", landing_key=LANDING_KEY)
    landing.receive(exchange())
    assert len(envelopes(landing)) == 2
    assert len(scanned(landing, "workerchecks")) == 2
    assert landing.erase("workerchecks", "us", {("check", "w1")}) == 2


def test_an_encrypted_line_cannot_be_moved_to_another_file(tmp_path: Path) -> None:
    landing = opened(tmp_path / "landing", landing_key=LANDING_KEY)
    landing.receive(exchange())
    (tail,) = landing.look({}).tails
    path = landing.root / tail.file
    path.rename(path.with_name("2026-03-01.ndjson"))
    with pytest.raises(EnvironmentFailed):
        landing.read(landing.look({}).tails[0])


# ── forgetting ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(params=[None, LANDING_KEY], ids=["clear", "encrypted"])
def peopled(request: pytest.FixtureRequest, tmp_path: Path) -> Landing:
    """Answers about a1 and others, in every form in which a body is kept."""
    landing = opened(tmp_path / "landing", landing_key=request.param)
    landing.receive(exchange("goodhire", "report", "a1", REPORT))
    landing.receive(exchange("goodhire", "report", "a1", json.dumps(REPORT, indent=1).encode()))
    landing.receive(exchange("goodhire", "report", "b2", {**REPORT, "Id": "b2"}))
    landing.receive(exchange("goodhire", "report", "c3", REPORT))  # another person's report: refused
    landing.receive(exchange("goodhire", "report", "a1", b"<p>Canaria", http_status=500))
    landing.receive(exchange("goodhire", "report", "b2", b"Canaria\xff"))
    return landing


def test_a_person_is_erased_and_no_line_moves(peopled: Landing) -> None:
    before, old = peopled.look({}).tails, envelopes(peopled)
    assert peopled.erase("goodhire", "us", {("report", "a1")}) == 5
    assert peopled.look({}).tails == before
    new = envelopes(peopled)
    assert [e["response_id"] for e in new] == [e["response_id"] for e in old]
    assert [e["reject"] for e in new] == ["erased", "erased", None, "id_mismatch", None, "not_utf8"]
    assert [e["check_id"] for e in new] == [None, None, "b2", "c3", None, "b2"]
    assert [len(e["messages"]) for e in new] == [0, 0, 1, 0, 0, 0]
    assert new[2] == old[2]
    kept = b"".join(lines(peopled))
    assert b'"a1"' not in kept
    assert kept.count(b"Canaria") == 1
    assert body_of(lines(peopled)[0]) is None
    assert len(scanned(peopled, "goodhire")) == 6


def test_erasing_again_changes_nothing(peopled: Landing) -> None:
    peopled.erase("goodhire", "us", {("report", "a1")})
    before = everything(peopled.root)
    assert peopled.erase("goodhire", "us", {("report", "a1")}) == 0
    assert peopled.erase("goodhire", "them", {("report", "b2")}) == 0
    assert everything(peopled.root) == before


def test_erasing_one_person_leaves_the_others_of_a_feed(landing: Landing) -> None:
    feed = [ORDER, {**ORDER, "orderId": "HR-2"}, {**ORDER, "orderId": "HR-10"}]
    landing.receive(exchange("hireright", "status_updates", None, feed, channel="feed"))
    assert landing.erase("hireright", "us", {("order", "HR-1")}) == 1
    (found,) = envelopes(landing)
    assert [message["check_id"] for message in found["messages"]] == ["HR-2", "HR-10"]
    assert (found["reject"], found["body_text"]) == (None, None)
    assert [row[0] for row in scanned(landing, "hireright")] == ["InProgress"] * 2


def test_erasing_takes_the_torn_lines_with_it(landing: Landing) -> None:
    landing.receive(exchange())
    path = landing.root / landing.files()[0]
    with path.open("ab") as file:
        file.write(b'{"check_id":"w1", "half')
    landing.receive(exchange(check_id="w2", body={"checkId": "w2", "status": "Pending"}))
    with path.open("ab") as file:
        file.write(b'{"check_id":"w1", "half')
    landing.erase("workerchecks", "us", {("check", "w1")})
    assert b'"w1"' not in everything(landing.root)
    assert b"half" not in everything(landing.root)


def test_what_takes_the_place_of_a_line_is_never_longer(landing: Landing) -> None:
    landing.receive(exchange())
    before = everything(landing.root)
    with pytest.raises(ValueError, match="longer"):
        landing.rewrite(landing.files()[0], lambda envelope: {**envelope, "more": "x" * 1000})
    assert everything(landing.root) == before


def test_numbers_that_grow_when_they_are_written_anew_do_not_keep_an_old_body_alive(landing: Landing) -> None:
    parts = b",".join([b'{"name":1e15,"status":1e15}'] * 50)
    body = b'{"status":"completed","check":{"result":[' + parts + b"]}}"
    landing.receive(exchange("workable", "checks", "k1", body))
    assert sum(landing.purge(date(2027, 1, 1), part_key="a key", part_words=part_words).values()) == 1
    (left,) = envelopes(landing)[0]["messages"]
    assert all(part["status"].startswith("#") for part in left["body"]["check"]["result"]), "of what is no word a hash"
    assert "1e15" not in json.dumps(left)
    assert "1000000000000000" not in json.dumps(left)


def test_appending_waits_for_a_rewrite_and_goes_to_the_new_file(landing: Landing) -> None:
    landing.receive(exchange())
    started, go_on = threading.Event(), threading.Event()

    def slowly(envelope: dict[str, Any]) -> dict[str, Any]:
        started.set()
        go_on.wait(10)
        return {**envelope, "headers": {}}

    rewriting = threading.Thread(target=lambda: landing.rewrite(landing.files()[0], slowly))
    appending = threading.Thread(target=lambda: landing.receive(exchange()))
    rewriting.start()
    started.wait(10)
    appending.start()
    appending.join(0.1)
    assert appending.is_alive()
    go_on.set()
    rewriting.join()
    appending.join()
    assert [bool(e["headers"]) for e in envelopes(landing)] == [False, True]


def test_old_bodies_are_reduced_to_what_a_rebuild_needs(landing: Landing) -> None:
    yesterday = NOON - timedelta(days=1)
    for slug, endpoint, check_id, body in GOOD:
        landing.receive(exchange(slug, endpoint, check_id, body, at=yesterday))
    landing.receive(exchange("goodhire", "report", "a1", REPORT))
    landing.receive(exchange("zinc", "results", "z1", b"<p>Jane Doe", at=yesterday))
    before, tails = {slug: scanned(landing, slug) for slug in all_vendors()}, landing.look({}).tails
    assert sum(landing.purge(TODAY, part_key="a key", part_words=part_words).values()) == len(GOOD) + 1
    assert {slug: scanned(landing, slug) for slug in all_vendors()} == before
    assert landing.look({}).tails == tails
    kept = b"".join(lines(landing))
    assert kept.count(b"Canaria") == 1
    assert b"<p>" not in kept
    assert sum(landing.purge(TODAY, part_key="a key", part_words=part_words).values()) == 0
    assert sum(landing.purge(date(2026, 3, 3), part_key="a key", part_words=part_words).values()) == 1


def test_purging_keeps_the_parts_that_are_declared(landing: Landing) -> None:
    landing.receive(exchange("zinc", "results", "z1", {**REQUEST, "candidate": "Jane"}))
    landing.purge(date(2027, 1, 1), part_key="a key", part_words=part_words)
    (message,) = envelopes(landing)[0]["messages"]
    label = "#" + hashlib.sha256(b"a keyAddress check for Jane Doe").hexdigest()[:16]
    kept = {name: REQUEST[name] for name in ("id", "status", "statusV2")}
    assert message["body"] == kept | {"checks": [{"name": label, "status": "clear", "type": "address-check"}]}


# ── what it costs ────────────────────────────────────────────────────────────────────────────────────────


def test_landing_an_answer_takes_little_of_the_processor(landing: Landing) -> None:
    body = {**REPORT, "filler": "x" * 1000}
    given_exchanges = [exchange("goodhire", "report", "a1", body) for _ in range(50)]
    before = time.thread_time()
    for given_exchange in given_exchanges:
        landing.receive(given_exchange)
    assert (time.thread_time() - before) / len(given_exchanges) < 0.005  # several times what it really takes
