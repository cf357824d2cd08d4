"""An account that was told to be silent is left alone: for how long, from when on, and by whom."""

from __future__ import annotations

import random
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from queue import Queue

import pytest

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.http import transport
from screening_pipeline.http.transport import Limits
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline_tests.support.loopback import Answering, Asked, Reply, json_reply, listening, serving
from screening_pipeline_tests.test_client import Place, account, pulling, saying, tokens_then_ok
from screening_pipeline_tests.tls import self_signed

VENDORS = {
    "goodhire": "report",
    "hireright": "order",
    "workable": "check",
    "workerchecks": "check",
    "zinc": "request",
}
PENDING = json_reply({"id": "c-1", "status": "pending"})


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def once_authorized(reply: Reply) -> Answering:
    """A vendor that gives out tokens and says the same to everything else."""
    return lambda asked: tokens_then_ok(asked) if "token" in asked.target else reply


# ── for how long ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("slug", VENDORS)
@pytest.mark.parametrize("told", ["-5", "0", "Mon, 02 Mar 2026 08:59:00 GMT", "Mon, 02 Mar 2026 09:00:00 GMT"], ids=str)
def test_a_429_that_names_no_time_to_come_holds_for_the_vendors_own_minute(place: Place, slug: str, told: str) -> None:
    throttling = Reply(429, b"", {"Retry-After": told})
    with serving(once_authorized(throttling)) as server:
        config = replace(account(slug, server.url), max_concurrency=1)
        outcome = place.run(config, pulling(*"123456789", subject=VENDORS[slug]))
    assert [exchange.http_status for exchange in place.sunk] == [429]
    assert (outcome.code, outcome.retry_after_seconds, outcome.left) == ("rate_limited", 60.0, 9)


@pytest.mark.parametrize("slug", VENDORS)
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_that_says_when_it_is_back_is_asked_once_and_left_alone_until_then(
    place: Place, slug: str, status: int
) -> None:
    maintained = Reply(status, b"", {"Retry-After": "600"})
    with serving(once_authorized(maintained)) as server:
        config = replace(account(slug, server.url), max_concurrency=1)
        outcome = place.run(config, pulling("1", "2", "3", subject=VENDORS[slug]))
        assert (outcome.code, outcome.retry_after_seconds, outcome.left) == ("unavailable", 600.0, 3)
        asked = len(server.asked)
        place.clock.advance(590)
        assert place.run(config, pulling("1", subject=VENDORS[slug])).code == "unavailable"
        assert len(server.asked) == asked
    assert [exchange.http_status for exchange in place.sunk] == [status]
    assert place.known(config).stopped_code is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "Mon, 02 Mar 2026 09:10:00 GMT"}, 600.0),
        ({"Retry-After": "86400"}, 3600.0),
        ({"Retry-After": "Mon, 02 Mar 2099 09:10:00 GMT"}, 3600.0),
    ],
    ids=str,
)
def test_a_maintenance_is_believed_for_an_hour_at_most(
    place: Place, headers: Mapping[str, str], seconds: float
) -> None:
    with serving(saying(Reply(503, b"", headers))) as server:
        config = account("zinc", server.url)
        place.run(config, pulling("c-1"))
    assert place.known(config).silent_seconds == pytest.approx(seconds)


@pytest.mark.parametrize("told", ["-5", "0", "soon", "Mon, 02 Mar 2026 08:59:00 GMT"], ids=str)
def test_a_server_error_that_names_no_time_to_come_is_tried_again_as_any(place: Place, told: str) -> None:
    with serving(saying(Reply(503, b"", {"Retry-After": told}), PENDING)) as server:
        outcome = place.run(account("zinc", server.url), pulling("c-1"))
    assert (outcome.accepted, place.statuses) == (1, [503, 200])


def test_a_token_call_that_says_when_it_is_back_is_made_once(place: Place) -> None:
    with serving(saying(Reply(503, b"", {"Retry-After": "600"}))) as server:
        config = account("workerchecks", server.url)
        outcome = place.run(config, pulling("c-1", "c-2", subject="check"))
    assert (outcome.code, outcome.left, server.targets) == ("unavailable", 2, ["/v1/auth/token"])


# ── from when on ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A certificate of localhost that the client trusts for as long as the test runs."""
    path = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    transport._certificates.cache_clear()
    yield path
    transport._certificates.cache_clear()


@pytest.mark.parametrize("code", ["rate_limited", "forbidden"])
def test_nothing_is_sent_where_the_account_is_silenced_or_stopped_while_the_connection_is_made(
    place: Place, certificate: Path, code: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    received: Queue[bytes] = Queue()

    def answering(plain: socket.socket) -> None:
        if code == "rate_limited":  # as another call, or another process, learns it
            place.state.silence("zinc", "main", 60, place.clock)
        else:
            place.state.stop("zinc", "main", code, place.clock)
        with context.wrap_socket(plain, server_side=True) as connection:
            received.put(connection.recv(65536))

    with listening(answering) as port:
        config = account("zinc", f"https://localhost:{port}")
        outcome = place.run(config, pulling("c-1"))
    assert (outcome.code, outcome.left, received.get(timeout=30)) == (code, 1, b"")
    assert place.limiter.used_last_window("zinc", "main") == 0


def test_a_429_counts_from_its_first_line_on_and_not_from_its_last_byte(place: Place) -> None:
    head = b"HTTP/1.1 429 Wait\r\nContent-Length: 2\r\n\r\n"

    def answering(asked: Asked) -> Reply:
        if asked.target.endswith("/throttled"):
            return Reply(pieces=[head, 0.6, b"{}"])
        time.sleep(0.2)
        return PENDING

    with serving(answering) as server:
        config = replace(account("zinc", server.url), max_concurrency=2)
        outcome = place.run(config, pulling("throttled", "under-way", "later"))
    assert sorted(server.targets) == ["/v1/results/throttled", "/v1/results/under-way"]
    assert (outcome.code, outcome.left) == ("rate_limited", 2)


@pytest.mark.parametrize("closes", [False, True], ids=["connections are kept", "each call connects anew"])
def test_in_a_burst_no_more_calls_arrive_in_the_silence_than_were_under_way(place: Place, closes: bool) -> None:
    place.clock = SystemClock()  # type: ignore[assignment]
    place.limiter = Limiter(place.state, place.clock)
    for number in range(8):
        late = calls_in_the_silence(place, f"burst-{number}", random.Random(number), closes=closes)
        assert late <= 3, f"{late} calls arrived in round {number}"


def calls_in_the_silence(place: Place, name: str, chance: random.Random, *, closes: bool) -> int:
    """How many calls reach a server after it said 429 for the first time, of four that ask it at once."""
    said: list[float] = []
    calls: list[float] = []

    def answering(asked: Asked) -> Reply:
        calls.append(asked.arrived)
        is_allowed = len(calls) <= 14
        time.sleep(chance.random() * 0.02)
        if not is_allowed:
            said.append(time.monotonic())
        return replace(PENDING if is_allowed else Reply(429), closes=closes)

    with serving(answering) as server:
        config = replace(account("zinc", server.url), name=name, max_concurrency=4)
        outcome = place.run(config, pulling(*map(str, range(40))), Limits(deadline=5.0))
    assert outcome.code == "rate_limited"
    return sum(arrived > min(said) for arrived in calls)
