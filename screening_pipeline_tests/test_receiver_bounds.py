"""What strangers can make the receiver wait for, hold or believe: little, and never so that messages are lost."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from screening_pipeline.landing import writer
from screening_pipeline.landing.area import Landing, Line
from screening_pipeline.webhooks import protocol, receiver, refusals
from screening_pipeline_tests.test_receiver import REQUEST, Office, hmac_hex, opened, zinc_signed

HEAD = b"POST /webhooks/zinc/main HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with opened(tmp_path) as running:
        yield running


def connected(office: Office) -> socket.socket:
    return socket.create_connection(("127.0.0.1", office.port), timeout=10)


def said(connection: socket.socket) -> bytes:
    """Everything that comes until the other side hangs up."""
    pieces = []
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


# ── time ───────────────────────────────────────────────────────────────────────────────────────────


def test_silent_connections_and_half_heads_do_not_keep_messages_out(office: Office) -> None:
    with ExitStack() as held:
        for number in range(300):
            connection = held.enter_context(connected(office))
            if number % 2:
                connection.sendall(HEAD)
        assert office.zinc(REQUEST) == 200


def test_who_says_nothing_is_hung_up_on_and_a_head_that_takes_too_long_is_408(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "FIRST_BYTE_SECONDS", 0.3)
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.5)
    with connected(office) as silent, connected(office) as dripping:
        begun = time.monotonic()
        for piece in (b"POST /web", b"hooks/zinc/main HTTP/1.1\r\n", b"Host: x\r\n"):
            dripping.sendall(piece)
            time.sleep(0.1)
        assert said(silent) == b""
        assert said(dripping).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - begun < 5


def test_a_body_that_takes_too_long_is_408_and_a_message_that_never_ends_is_cut_off(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "BODY_SECONDS", 0.5)
    with connected(office) as slow, connected(office) as endless:
        slow.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        endless.sendall(
            b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{"
        )  # answered before its end
        assert said(slow).startswith(b"HTTP/1.1 408 ")
        assert said(endless).startswith(b"HTTP/1.1 404 ")


# ── size ───────────────────────────────────────────────────────────────────────────────────────────


def pouring(connection: socket.socket, piece: bytes, megabytes: int) -> int:
    """Send a piece again and again until nobody takes it any more; how many bytes were taken."""
    sent = 0
    with suppress(ConnectionResetError, BrokenPipeError, TimeoutError):
        while sent < megabytes * 1_000_000:
            connection.sendall(piece)
            sent += len(piece)
    return sent


@pytest.mark.parametrize(
    "piece",
    [b"X-Filler: " + b"x" * 1000 + b"\r\n", b"x" * 4096, b"x: y\r\n" * 1000],
    ids=["headers", "one header", "small headers"],
)
def test_a_head_over_64_kilobytes_is_431_and_is_not_kept(office: Office, piece: bytes) -> None:
    with connected(office) as connection:
        connection.sendall(HEAD + b"X-First: ")
        assert pouring(connection, piece, megabytes=200) < 20_000_000
    with connected(office) as connection:
        connection.sendall(HEAD + b"X-First: " + piece * (100_000 // len(piece)) + b"\r\n\r\n")
        assert said(connection).startswith(b"HTTP/1.1 431 ")
    assert office.zinc(REQUEST) == 200


def test_a_head_of_60_kilobytes_is_read(office: Office) -> None:
    body = json.dumps(REQUEST).encode()
    headers = zinc_signed(body) | {f"X-{number}": "x" * 1000 for number in range(58)}
    assert office.send("POST", "/webhooks/zinc/main", body, headers)[0] == 200


def chunked(body: bytes, trailers: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, trailers)


def test_a_signature_that_comes_after_the_body_proves_nothing(office: Office) -> None:
    body = json.dumps(REQUEST).encode()
    trailer = f"x-zinc-webhook-signature: {hmac_hex(body, 'ZINC_TOKEN')}\r\n".encode()
    named = b"Transfer-Encoding: chunked\r\nTrailer: x-zinc-webhook-signature\r\n\r\n"
    with connected(office) as connection:
        connection.sendall(HEAD + named + chunked(body, trailer))
        assert connection.recv(64).startswith(b"HTTP/1.1 401 ")
    assert office.landed() == 0


def test_what_follows_a_body_is_not_kept_either(office: Office) -> None:
    with connected(office) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\nX-Filler: ")
        assert pouring(connection, b"x" * 4096, megabytes=200) < 20_000_000


def test_one_byte_at_a_time_is_still_a_message(office: Office) -> None:
    body = json.dumps(REQUEST).encode()
    pieces = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    signature = f"x-zinc-webhook-signature: {hmac_hex(body, 'ZINC_TOKEN')}\r\n".encode()
    with connected(office) as connection:
        connection.sendall(HEAD + signature + b"Transfer-Encoding: chunked\r\n\r\n" + pieces)
        assert connection.recv(64).startswith(b"HTTP/1.1 200 ")


def test_bodies_that_are_more_than_all_requests_may_hold_together_come_again_later(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "MAX_HELD_BYTES", 100_000)
    large = json.dumps(REQUEST | {"more": "x" * 200_000}).encode()
    assert office.send("POST", "/webhooks/zinc/main", large, zinc_signed(large))[0] == 503
    assert office.zinc(REQUEST) == 200
    assert office.landed() == 1


# ── many at once ───────────────────────────────────────────────────────────────────────────────────


def sent_at_once(office: Office, count: int) -> list[int]:
    def send(number: int) -> int:
        body = json.dumps(REQUEST | {"id": f"z{number}"}).encode()
        connection = http.client.HTTPConnection("127.0.0.1", office.port, timeout=60)
        connection.request("POST", "/webhooks/zinc/main", body, zinc_signed(body))
        try:
            return connection.getresponse().status
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as senders:
        return list(senders.map(send, range(count)))


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the groups that were written, each of which takes a tenth of a second."""
    sizes: list[int] = []
    append = Landing.append

    def slowly(self: Landing, file: str, lines: Sequence[Line]) -> None:
        time.sleep(0.1)
        sizes.append(len(lines))
        append(self, file, lines)

    monkeypatch.setattr(Landing, "append", slowly)
    return sizes


def test_what_arrives_while_a_group_is_written_is_the_next_group(office: Office, groups: list[int]) -> None:
    assert sent_at_once(office, 60) == [200] * 60
    assert (sum(groups), office.landed()) == (60, 60)
    assert len(groups) < 15


def test_what_is_too_much_at_once_is_sent_away_and_the_rest_is_stored(
    office: Office, groups: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MOST_WAITING", 5)
    answers = sent_at_once(office, 40)
    assert set(answers) == {200, 503}
    assert office.landed() == answers.count(200)


def test_a_group_that_cannot_be_written_is_not_acknowledged(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Landing, file: str, contents: Sequence[bytes]) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Landing, "append", full)
        assert set(sent_at_once(office, 10)) == {503}
    assert office.landed() == 0
    assert office.zinc(REQUEST) == 200


# ── guesses, and how it is ─────────────────────────────────────────────────────────────────────────


def test_guesses_are_answered_late_and_counted_where_status_looks(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "SLOWED_SECONDS", 0.5)
    begun = time.monotonic()
    for number in range(3):
        assert office.workable("c1", {"status": "consented"}, Authorization=f"Bearer guess-{number}") == 401
    assert time.monotonic() - begun >= 1.5
    assert office.zinc(REQUEST) == 200
    assert (office.standing("workable/main").refused_pushes, office.standing("zinc/main").refused_pushes) == (3, 0)
    assert office.standing("workable/main").facts()["refused_pushes"] == 3
    office.clock.advance(86_400)
    assert office.standing("workable/main").refused_pushes == 0


def test_guesses_do_not_keep_messages_waiting(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "SLOWED_SECONDS", 3.0)
    guess = threading.Thread(target=office.workable, args=("c1", {}), kwargs={"Authorization": "Bearer guess"})
    guess.start()
    begun = time.monotonic()
    body = json.dumps(REQUEST).encode()
    connection = http.client.HTTPConnection("127.0.0.1", office.port, timeout=20)
    connection.request("POST", "/webhooks/zinc/main", body, zinc_signed(body))
    assert (connection.getresponse().status, time.monotonic() - begun < 2) == (200, True)
    connection.close()
    guess.join()


def test_too_many_guesses_at_once_are_sent_away(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "MOST_SLOWED", 0)
    assert office.workable("c1", {"status": "consented"}, Authorization="Bearer guess") == 429
    assert office.standing("workable/main").refused_pushes == 1


def test_health_is_told_to_anybody_and_tells_nothing_else(tmp_path: Path) -> None:
    with opened(tmp_path, OTHER="secret") as office:
        assert office.send("GET", "/healthz") == (200, {"status": "ok", "troubles": []})
        assert office.send("GET", "/healthz/") == (200, {"status": "ok", "troubles": []})


def test_metrics_are_there_only_where_asked_for(tmp_path: Path) -> None:
    with opened(tmp_path / "without") as office:
        assert office.send("GET", "/metrics")[0] == 404
    with opened(tmp_path / "with", metrics=lambda: ("text/plain; version=0.0.4", b"screening_stale 0.0\n")) as office:
        assert office.send("GET", "/metrics") == (200, b"screening_stale 0.0\n")


def test_health_tells_that_a_secret_is_not_set(tmp_path: Path) -> None:
    with opened(tmp_path, ZINC_TOKEN="") as office:
        assert office.send("GET", "/healthz") == (503, {"status": "failing", "troubles": ["secret_not_set"]})


def test_health_tells_that_nothing_can_be_stored(office: Office, tmp_path: Path) -> None:
    landing = office.work.landing.root
    moved = tmp_path / "away"
    landing.rename(moved)
    landing.write_text("a file where the folder was")
    status, told = office.send("GET", "/healthz")
    landing.unlink()
    moved.rename(landing)
    assert (status, told["status"]) == (503, "failing")
