"""A feed that forgets what it hands out: nothing of it is lost unnoticed, whoever dies."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from screening_pipeline.base.clock import ManualClock, SystemClock
from screening_pipeline.base.errors import DiskFull, EnvironmentFailed
from screening_pipeline.http.client import AccountClient
from screening_pipeline.http.feed import Feed
from screening_pipeline.http.feed_answer import heard
from screening_pipeline.http.feed_process import OPENED, ResponseParts
from screening_pipeline.http.feed_record import DrainResult
from screening_pipeline.landing.area import Landing
from screening_pipeline.settings.account import Account
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline.state.store import State
from screening_pipeline.vendors import vendor
from screening_pipeline_tests.support import plain_feed
from screening_pipeline_tests.support.loopback import Asked, Loopback, Reply, json_reply, listening, serving
from screening_pipeline_tests.support.plain_feed import LIMITS, SECRET, PlainClient, drain, feed_of, fetchers
from screening_pipeline_tests.test_guard import ORDER
from screening_pipeline_tests.test_landing import envelopes, opened
from screening_pipeline_tests.tls import self_signed

HIRERIGHT = vendor("hireright")


def orders(*numbers: int) -> list[dict[str, Any]]:
    return [{**ORDER, "orderId": f"HR-{number}"} for number in numbers]


def answers(*replies: Reply | Any) -> Callable[[Asked], Reply]:
    """One answer after the other, then empty ones."""
    left = [reply if isinstance(reply, Reply) else json_reply(reply) for reply in replies]
    return lambda _asked: left.pop(0) if left else json_reply([])


def dripped(body: bytes, *, seconds: float, pieces: int = 20, cut: int | None = None) -> Reply:
    """An answer that takes its time, and breaks off after `cut` bytes of the body."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    sent, step = body[:cut], max(1, len(body) // pieces)
    parts: list[bytes | float] = [head]
    for start in range(0, len(sent), step):
        parts += [sent[start : start + step], seconds / pieces]
    return Reply(pieces=parts)


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return opened(tmp_path / "landing")


def drained(landing: Landing, *replies: Any, **others: Any) -> tuple[DrainResult, Loopback]:
    with serving(answers(*replies)) as server:
        return drain(feed_of(landing, **others), PlainClient(server.url)), server


def landed_orders(landing: Landing) -> list[str]:
    return [message["check_id"] for e in envelopes(landing) for message in e["messages"]]


def leftovers(landing: Landing) -> list[str]:
    return sorted(path.suffix for path in (landing.root / "feed").rglob("*.*") if path.is_file())


# ── the ordinary course ──────────────────────────────────────────────────────────────────────────────────


def test_the_feed_is_drained_until_it_is_empty(landing: Landing) -> None:
    found, server = drained(landing, orders(1, 2), {"statusUpdates": orders(3)})
    told = frozenset(("order", f"HR-{number}") for number in (1, 2, 3))
    assert found == DrainResult(calls=3, messages=3, is_empty=True, told=told)
    assert landed_orders(landing) == ["HR-1", "HR-2", "HR-3"]
    assert [(e["channel"], e["http_status"], e["reject"], e["run_id"]) for e in envelopes(landing)] == [
        ("feed", 200, None, "run")
    ] * 3
    assert leftovers(landing) == [".lock"]
    assert [asked.headers["authorization"] for asked in server.asked] == [SECRET] * 3
    assert server.asked[0].headers["accept"] == "application/json"
    assert server.asked[0].headers["user-agent"].startswith("screening-pipeline/")


def test_each_answer_is_landed_before_the_next_call(landing: Landing) -> None:
    seen: list[list[str]] = []
    replies = answers(orders(1), orders(2))

    def answering(asked: Asked) -> Reply:
        seen.append(landed_orders(landing))
        return replies(asked)

    with serving(answering) as server:
        drain(feed_of(landing), PlainClient(server.url))
    assert seen == [[], ["HR-1"], ["HR-1", "HR-2"]]


def test_no_content_ends_it_too(landing: Landing) -> None:
    found, _ = drained(landing, orders(1), Reply(204, b""))
    assert found == DrainResult(calls=2, messages=1, is_empty=True, told=frozenset({("order", "HR-1")}))


def test_a_feed_without_an_end_is_left_after_some_rounds(landing: Landing) -> None:
    found, server = drained(landing, *[orders(1)] * 9, limits=replace(LIMITS, calls=3))
    assert (found.calls, found.code, found.is_empty, found.is_in_doubt) == (3, "rounds", False, False)
    assert len(server.asked) == 3


def test_a_second_drainer_leaves_the_first_alone(landing: Landing) -> None:
    body = json.dumps(orders(1, 2)).encode()
    with serving(answers(dripped(body, seconds=0.5))) as server:
        first = threading.Thread(target=lambda: drain(feed_of(landing), PlainClient(server.url)))
        first.start()
        wait_until(lambda: bool(server.asked))
        assert drain(feed_of(landing), PlainClient(server.url)) == DrainResult(code="busy")
        assert feed_of(landing).recover() == DrainResult(code="busy")
        first.join()
    assert len(server.asked) == 2


def test_under_a_standing_clock_the_time_of_receipt_stands_still(tmp_path: Path) -> None:
    landing = opened(tmp_path / "landing")
    drained(landing, orders(1), clock=ManualClock(datetime(2026, 3, 2, 12, tzinfo=UTC)))
    assert {e["received_at"] for e in envelopes(landing)} == {"2026-03-02T12:00:00.000000Z"}
    assert landing.files() == ["hireright/us/2026-03-02.ndjson"]


def test_a_compressed_answer_is_read_although_none_was_asked_for(landing: Landing) -> None:
    body = gzip.compress(json.dumps(orders(1)).encode())
    found, server = drained(landing, Reply(200, body, {"Content-Encoding": "gzip"}))
    assert server.asked[0].headers["accept-encoding"] == "identity"
    assert (found.messages, found.is_empty) == (1, True)


def test_a_vendor_without_such_a_feed_is_a_mistake(landing: Landing) -> None:
    with pytest.raises(ValueError, match="zinc"):
        Feed(landing, vendor("zinc"), "us", clock=SystemClock())


def test_the_real_client_brings_token_slot_and_address(landing: Landing, tmp_path: Path) -> None:
    clock = SystemClock()
    with serving(answers(orders(1))) as server:
        account = Account(
            vendor="hireright",
            name="us",
            base_url=f"{server.url}/connect",
            auth="basic",
            secret_names={},
            requests_per_minute=50,
            max_concurrency=4,
            calendar="US",
            timezone="America/Los_Angeles",
        )
        limiter = Limiter(State(tmp_path / "state.sqlite"), clock)

        async def land(exchange: Any) -> Any:
            return landing.receive(exchange)

        async def work() -> DrainResult:
            secrets = {"username": "u", "password": "p"}
            async with AccountClient(
                account,
                HIRERIGHT,
                secrets=secrets,
                limiter=limiter,
                clock=clock,
                sink=land,
                run_id="run",
            ) as client:
                return await feed_of(landing).drain(client, run_id="run")

        told = frozenset({("order", "HR-1")})
        assert asyncio.run(work()) == DrainResult(calls=2, messages=1, is_empty=True, told=told)
    assert server.targets == ["/connect/orders/status-updates"] * 2
    assert server.asked[0].headers["authorization"] == "Basic dTpw"
    assert limiter.used_last_window("hireright", "us") == 2


# ── answers that are none ────────────────────────────────────────────────────────────────────────────────


def test_who_refuses_a_call_has_handed_nothing_out(landing: Landing) -> None:
    for status in (301, 400, 404, 429):
        found, server = drained(landing, Reply(status, b"{}", {"Location": "http://127.0.0.1:1/"}))
        assert (found.calls, found.is_in_doubt, len(server.asked)) == (1, False, 1)
    assert [e["http_status"] for e in envelopes(landing)] == [301, 400, 404, 429]
    assert envelopes(landing)[0]["failure"] == "redirect"


def test_a_token_that_ended_is_renewed_once(landing: Landing) -> None:
    with serving(answers(Reply(401), orders(1))) as server:
        assert drain(feed_of(landing), PlainClient(server.url, "old", "new")).messages == 1
    assert [asked.headers["authorization"] for asked in server.asked] == ["old", "new", "new"]
    with serving(answers(Reply(401), Reply(401), orders(1))) as server:
        assert drain(feed_of(landing), PlainClient(server.url, "old", "new")).code == "http_401"
    assert len(server.asked) == 2


def test_a_stopped_account_ends_it_and_the_answer_is_landed(landing: Landing) -> None:
    found, _ = drained(landing, orders(1), Reply(403))
    assert (found.calls, found.messages, found.code, found.is_in_doubt) == (2, 1, "forbidden", False)
    assert [e["http_status"] for e in envelopes(landing)] == [200, 403]


def test_nobody_there_is_no_gap(landing: Landing) -> None:
    with serving(answers()) as server:
        pass
    found = drain(feed_of(landing), PlainClient(server.url))
    assert found == DrainResult(calls=1, code="connect")
    assert envelopes(landing)[0]["failure"] == "connect"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(500, b"{}"), "http_500"),
        (Reply(504, b"<p>gateway"), "http_504"),
        (Reply(200, b"<p>sign in"), "html"),
        (Reply(200, b""), "empty"),
        (Reply(200, b'[{"orderId": "HR-1", "orderId": "HR-2"}]'), "duplicate_key"),
        (Reply(200, b"[]", {"Content-Encoding": "br"}), "encoding"),
        (Reply(pieces=[]), "read"),
        (Reply(pieces=[b"HTTP/1.1 200 OK\r\n"]), "empty"),
        (Reply(pieces=[b"no http at all"]), "read"),
        (Reply(pieces=[b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"]), "truncated"),
        (Reply(pieces=[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[{"]), "truncated"),
    ],
)
def test_whatever_may_have_been_handed_out_and_did_not_arrive_is_a_gap(
    landing: Landing, reply: Reply, reason: str
) -> None:
    found, server = drained(landing, reply)
    assert [(gap.reason, gap.salvaged) for gap in found.gaps] == [(reason, 0)]
    assert (found.code, found.is_empty, len(server.asked)) == (reason, False, 1)  # never asked again blindly
    assert len(envelopes(landing)) == 1


def test_a_bad_message_among_good_ones_is_a_gap(landing: Landing) -> None:
    found, _ = drained(landing, [*orders(1), {"orderId": "HR-2"}])
    assert [(gap.reason, gap.salvaged) for gap in found.gaps] == [("missing_status", 1)]
    assert landed_orders(landing) == ["HR-1"]


@pytest.mark.parametrize("wrapped", [False, True])
def test_what_came_complete_of_half_an_answer_is_landed(landing: Landing, wrapped: bool) -> None:
    body = json.dumps({"statusUpdates": orders(1, 2, 3)} if wrapped else orders(1, 2, 3)).encode()
    found, _ = drained(landing, dripped(body, seconds=0.1, cut=len(body) - 20))
    assert [(gap.reason, gap.salvaged) for gap in found.gaps] == [("truncated", 2)]
    assert landed_orders(landing) == ["HR-1", "HR-2"]
    (line,) = envelopes(landing)
    assert line["body_text"] == body[:-20].decode()
    assert line["message_rejects"] == [{"index": 2, "reason": "truncated"}]


def test_an_answer_that_takes_too_long_is_cut_off_and_its_beginning_kept(landing: Landing) -> None:
    body = json.dumps(orders(*range(20))).encode()
    started = time.monotonic()
    found, _ = drained(landing, dripped(body, seconds=30.0, pieces=60), limits=replace(LIMITS, deadline=1.5))
    assert time.monotonic() - started < 5
    (gap,) = found.gaps
    assert gap.reason == "timeout"
    assert gap.salvaged == len(landed_orders(landing))


def test_an_answer_without_measure_is_cut_off(landing: Landing) -> None:
    body = json.dumps(orders(*range(100))).encode()
    found, _ = drained(landing, Reply(200, body), limits=replace(LIMITS, body_bytes=5000))
    (gap,) = found.gaps
    assert (gap.reason, gap.salvaged > 0) == ("too_large", True)


def test_a_compressed_bomb_is_cut_off(landing: Landing) -> None:
    bomb = gzip.compress(b"[" + b" " * 50_000_000)
    found, _ = drained(landing, Reply(200, bomb, {"Content-Encoding": "gzip"}))
    assert [gap.reason for gap in found.gaps] == ["too_large"]


def test_part_of_an_answer_is_kept_and_the_rest_of_it_is_a_gap(landing: Landing) -> None:
    found, _ = drained(landing, json_reply(orders(1), 206))
    assert [(gap.reason, gap.salvaged) for gap in found.gaps] == [("unexpected_status", 1)]
    assert landed_orders(landing) == ["HR-1"]


def test_a_gap_stays_on_record_until_it_is_acknowledged(landing: Landing) -> None:
    drained(landing, Reply(500))
    found, _ = drained(landing, orders(1))
    assert (found.is_empty, found.is_in_doubt) == (True, True)
    (gap,) = found.gaps
    assert (gap.vendor, gap.account, gap.reason) == ("hireright", "us", "http_500")
    feed_of(landing).acknowledge(gap)
    feed_of(landing).acknowledge(gap)
    assert feed_of(landing).gaps() == ()
    assert leftovers(landing) == [".lock"]


def test_on_a_full_disk_the_request_is_not_sent(landing: Landing) -> None:
    with serving(answers(orders(1))) as server:
        with pytest.raises(DiskFull):
            drain(feed_of(landing, limits=replace(LIMITS, body_bytes=2**48)), PlainClient(server.url))
        assert server.asked == []
        assert drain(feed_of(landing), PlainClient(server.url)).messages == 1


# ── who dies when ────────────────────────────────────────────────────────────────────────────────────────


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.005)
    pytest.fail("it never came to that")


@contextmanager
def parent(landing: Landing, server: Loopback) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that drains; killed at the end of the block, if it still lives."""
    command = [sys.executable, "-m", plain_feed.__name__, str(landing.root), server.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_nothing_is_lost_when_the_one_who_drains_is_killed(landing: Landing) -> None:
    """Kills fall on starting, calling, dripping and landing; the fetcher brings home what it was given."""
    handed_out: list[str] = []
    calls = iter(range(10_000))

    def answering(_asked: Asked) -> Reply:
        call = next(calls)
        batch = [] if call % 4 == 3 else orders(2 * call, 2 * call + 1)
        handed_out.extend(order["orderId"] for order in batch)
        return dripped(json.dumps(batch).encode(), seconds=0.1)

    with serving(answering) as server:
        for kill in range(14):
            with parent(landing, server):
                time.sleep(0.04 * kill)
        found = drain(feed_of(landing, limits=replace(LIMITS, calls=100)), PlainClient(server.url))
    assert found.gaps == ()
    assert landed_orders(landing) == handed_out
    assert leftovers(landing) == [".lock"]
    ids = [e["response_id"] for e in envelopes(landing)]
    assert len(ids) == len(set(ids))


def test_a_fetcher_outlives_its_parent_and_is_waited_for(landing: Landing) -> None:
    body = json.dumps(orders(1, 2)).encode()
    with serving(answers(dripped(body, seconds=0.6))) as server:
        with parent(landing, server):
            wait_until(lambda: bool(server.asked))
        assert leftovers(landing) == [".intent", ".lock", ".pieces"]
        found = feed_of(landing).recover()
        assert found == DrainResult(calls=1, messages=2, told=frozenset({("order", "HR-1"), ("order", "HR-2")}))
        assert len(server.asked) == 1
    assert landed_orders(landing) == ["HR-1", "HR-2"]
    (line,) = envelopes(landing)
    assert line["run_id"] == "killed"
    taken = datetime.fromisoformat(line["received_at"]) - datetime.fromisoformat(line["requested_at"])
    assert timedelta(seconds=0.5) < taken < timedelta(seconds=5)


def test_the_credential_is_in_no_argument_no_environment_and_no_file(landing: Landing) -> None:
    body = json.dumps(orders(1)).encode()
    feed = feed_of(landing, environ={**os.environ, "HIRERIGHT_CLIENT_SECRET": "canary"})
    with serving(answers(dripped(body, seconds=1.0))) as server:
        working = threading.Thread(target=lambda: drain(feed, PlainClient(server.url)))
        working.start()
        wait_until(lambda: bool(server.asked))
        (fetcher,) = fetchers(landing.root)
        process = Path(f"/proc/{fetcher}")
        shown = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        kept = b"".join(path.read_bytes() for path in landing.root.rglob("*") if path.is_file())
        assert os.getsid(fetcher) == fetcher
        working.join()
    assert b"canary" not in shown
    assert b"canary" not in kept
    assert b"HR-1" not in kept


def test_when_the_fetcher_is_killed_the_complete_messages_are_saved_and_the_gap_is_known(
    landing: Landing,
) -> None:
    body = json.dumps(orders(*range(10))).encode()
    with serving(answers(dripped(body, seconds=2.0))) as server:
        result: list[DrainResult] = []
        working = threading.Thread(target=lambda: result.append(drain(feed_of(landing), PlainClient(server.url))))
        working.start()
        wait_until(lambda: bool(server.asked))
        time.sleep(1.0)
        for fetcher in fetchers(landing.root):
            os.kill(fetcher, signal.SIGKILL)
        working.join()
        assert len(server.asked) == 1
    (gap,) = result[0].gaps
    assert gap.reason == "interrupted"
    assert gap.salvaged == len(landed_orders(landing)) > 0
    assert landed_orders(landing) == [f"HR-{number}" for number in range(gap.salvaged)]


def test_when_both_are_killed_the_next_run_finds_the_intent(landing: Landing) -> None:
    body = json.dumps(orders(*range(10))).encode()
    with serving(answers(dripped(body, seconds=2.0))) as server:
        with parent(landing, server):
            wait_until(lambda: bool(server.asked))
            time.sleep(0.8)
        for fetcher in fetchers(landing.root):
            os.kill(fetcher, signal.SIGKILL)
        found = drain(feed_of(landing), PlainClient(server.url))
        assert len(server.asked) == 2
    assert (found.calls, found.is_empty) == (2, True)
    (gap,) = found.gaps
    assert (gap.reason, gap.salvaged) == ("interrupted", found.messages)
    assert found.messages > 0
    assert [e["message_rejects"][-1]["reason"] for e in envelopes(landing)[:1]] == ["truncated"]


def test_a_call_that_was_never_sent_is_no_gap(landing: Landing) -> None:
    feed = feed_of(landing)
    with feed._alone():
        intent = feed._new_intent("killed")
        pieces = os.open(feed._path(intent.id, "pieces"), os.O_RDWR | os.O_CREAT, 0o600)
        ResponseParts(pieces, feed._key, intent.id, count=0).add(OPENED)
        os.close(pieces)
        feed._write_intent(intent)
        feed._path("without-intent", "pieces").write_bytes(b"")
    assert feed_of(landing).recover() == DrainResult()
    assert leftovers(landing) == [".lock"]
    assert landing.files() == []


@pytest.mark.parametrize("left", [("intent", "pieces", "settled"), ("intent", "settled"), ("intent",)])
def test_a_call_that_was_landed_and_not_tidied_up_is_not_landed_twice(landing: Landing, left: tuple[str, ...]) -> None:
    body = json.dumps(orders(1)).encode()
    with serving(answers(dripped(body, seconds=0.3))) as server, parent(landing, server):
        wait_until(lambda: bool(server.asked))
    feed = feed_of(landing)
    (intent_path,) = feed._folder.glob("*.intent")
    with feed._alone():
        wait_until(lambda: not fetchers(landing.root))
        kept = {kind: intent_path.with_suffix(f".{kind}").read_bytes() for kind in ("intent", "pieces")}
        feed._identity(
            feed._intent(intent_path),
            heard(intent_path.with_suffix(".pieces"), feed._key, intent_path.stem, 1_000),
            None,
        )
        kept["settled"] = intent_path.with_suffix(".settled").read_bytes()
    assert feed.recover().messages == 1
    for kind in left:
        intent_path.with_suffix(f".{kind}").write_bytes(kept[kind])
    assert feed.recover().gaps == ()
    assert len(envelopes(landing)) == 1
    assert leftovers(landing) == [".lock"]


def test_pieces_under_another_key_are_an_error_and_not_a_gap(landing: Landing) -> None:
    body = json.dumps(orders(1)).encode()
    with serving(answers(dripped(body, seconds=0.3))) as server, parent(landing, server):
        wait_until(lambda: bool(server.asked))
    other = Landing(landing.root, vendors={"hireright": HIRERIGHT}, spool_key=b"other", clock=SystemClock())
    with pytest.raises(EnvironmentFailed) as caught:
        feed_of(other).recover()
    assert caught.value.code == "wrong_key"
    assert feed_of(landing).recover().messages == 1


def test_giving_up_waiting_leaves_the_fetcher_at_work(landing: Landing) -> None:
    body = json.dumps(orders(1)).encode()

    async def impatient(url: str) -> None:
        async with asyncio.timeout(0.4):
            await feed_of(landing).drain(PlainClient(url), run_id="impatient")

    with serving(answers(dripped(body, seconds=1.0))) as server:
        with pytest.raises(TimeoutError):
            asyncio.run(impatient(server.url))
        assert feed_of(landing).recover() == DrainResult(calls=1, messages=1, told=frozenset({("order", "HR-1")}))


# ── TLS and proxies ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"))


@contextmanager
def secure(certificate: Path, body: bytes) -> Iterator[int]:
    """A server that speaks TLS and answers everything with `body`; gives its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    def answering(plain: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
            connection.recv(65536)
            connection.sendall(answer)

    with listening(answering) as port:
        yield port


@contextmanager
def tunnelling(seen: list[bytes]) -> Iterator[int]:
    """A proxy that opens tunnels to loopback and keeps what it was asked; gives its port."""

    def answering(client: socket.socket) -> None:
        asked = client.recv(65536)
        seen.append(asked)
        port = int(asked.split(b" ")[1].rpartition(b":")[2])
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=pump, args=(server, client))
            back.start()
            pump(client, server)
            back.join()

    with listening(answering) as port:
        yield port


def pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


def test_a_server_that_nobody_vouches_for_gets_no_credential(landing: Landing, certificate: Path) -> None:
    with secure(certificate, b"[]") as port:
        client = PlainClient(f"https://localhost:{port}")
        assert drain(feed_of(landing), client) == DrainResult(calls=1, code="tls")
        trusting = feed_of(landing, environ={"SSL_CERT_FILE": str(certificate)})
        assert drain(trusting, client) == DrainResult(calls=1, is_empty=True)
        wrong_name = drain(trusting, PlainClient(f"https://127.0.0.1:{port}"))
        assert wrong_name == DrainResult(calls=1, code="tls")


def test_a_proxy_is_used_only_where_that_was_asked_for_and_sees_no_credential(
    landing: Landing, certificate: Path
) -> None:
    seen: list[bytes] = []
    with secure(certificate, b"[]") as port, tunnelling(seen) as proxy:
        environ = {"SSL_CERT_FILE": str(certificate), "HTTPS_PROXY": f"http://user:p%40ss@127.0.0.1:{proxy}"}
        client = PlainClient(f"https://localhost:{port}")
        assert drain(feed_of(landing, environ=environ), client).is_empty
        assert seen == []
        assert drain(feed_of(landing, environ=environ, is_proxied=True), client).is_empty
        environ["NO_PROXY"] = "localhost"
        assert drain(feed_of(landing, environ=environ, is_proxied=True), client).is_empty
    (asked,) = seen
    assert asked.startswith(b"CONNECT localhost:%d " % port)
    assert base64.b64encode(b"user:p@ss") in asked
    assert b"canary" not in asked
