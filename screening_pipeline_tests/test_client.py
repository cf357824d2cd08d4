"""One client for five vendors, tried against servers on loopback that behave as vendors do, or worse."""

from __future__ import annotations

import asyncio
import base64
import gzip
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest

from screening_pipeline.base.clock import ManualClock
from screening_pipeline.base.errors import (
    AccountStopped,
    CredentialRefused,
    PollingNotOffered,
    RateLimited,
    VendorUnavailable,
)
from screening_pipeline.domain.exchange import HttpExchange, LandingReceipt
from screening_pipeline.http.batch import AccountOutcome, Pull
from screening_pipeline.http.client import AccountClient
from screening_pipeline.http.probe import Probe
from screening_pipeline.http.transport import Limits
from screening_pipeline.settings.account import Account
from screening_pipeline.state.accounts import AccountState
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline.state.store import State
from screening_pipeline.vendors import vendor
from screening_pipeline_tests.support.loopback import Answering, Asked, Reply, json_reply, listening, serving

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
QUICK = Limits(deadline=5.0, body_bytes=100_000, jitter=lambda low, _high: low)
SECRETS = {
    "api_key": "key-canary-1",
    "token": "token-canary-2",
    "client_id": "client-canary-3",
    "client_secret": "secret-canary-4",
    "username": "user-canary-5",
    "password": "password-canary-6",
    "widget_secret": "widget-canary-7",
}
T = TypeVar("T")
Task = Callable[[AccountClient], Awaitable[T]]


class Place:
    """What a client stands on in a test: a shared state, a clock that moves when told, a sink that keeps."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(NOW, monotonic=1000.0)
        self.state = State(folder / "state.sqlite", boot_id="boot")
        self.limiter = Limiter(self.state, self.clock)
        self.sunk: list[HttpExchange] = []
        self.rejected: Mapping[bytes, str] = {}

    async def sink(self, exchange: HttpExchange) -> LandingReceipt:
        self.sunk.append(exchange)
        return LandingReceipt(
            response_id=exchange.response_id,
            http_status=exchange.http_status,
            failure=exchange.failure,
            reject=self.rejected.get(exchange.body),
        )

    def client(self, account: Account, limits: Limits = QUICK) -> AccountClient:
        return AccountClient(
            account,
            vendor(account.vendor),
            secrets=SECRETS,
            limiter=self.limiter,
            clock=self.clock,
            sink=self.sink,
            run_id="run-1",
            limits=limits,
        )

    def run(self, account: Account, task: Task[T], limits: Limits = QUICK) -> T:
        async def running() -> T:
            async with self.client(account, limits) as client:
                return await task(client)

        return asyncio.run(running())

    def known(self, account: Account) -> AccountState:
        return self.state.account(account.vendor, account.name, self.clock)

    @property
    def statuses(self) -> list[int | None]:
        return [exchange.http_status for exchange in self.sunk]

    @property
    def failures(self) -> list[str | None]:
        return [exchange.failure for exchange in self.sunk]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def account(slug: str, url: str, auth: str | None = None, *, per_minute: int = 1000) -> Account:
    return Account(
        vendor=slug,
        name="main",
        base_url=f"{url}/v1",
        auth=auth or next(iter(vendor(slug).auth)),
        token_url=f"{url}/oauth/token" if slug == "hireright" else None,
        secret_names={},
        requests_per_minute=per_minute,
        max_concurrency=4,
        calendar="US",
        timezone="UTC",
    )


def asking(endpoint: str, check_id: str | None = "c-1") -> Task[LandingReceipt]:
    return lambda client: client.call(endpoint, check_id)


def pulling(*check_ids: str, subject: str = "request", seconds: float | None = None) -> Task[AccountOutcome]:
    pulls = [Pull(subject=subject, check_id=check_id) for check_id in check_ids]
    return lambda client: client.pull_all(pulls, seconds=seconds)


def saying(*replies: Reply) -> Answering:
    """Each request gets the next reply, the last one for ever."""
    rest = list(replies)
    return lambda _: rest.pop(0) if len(rest) > 1 else rest[0]


def unused_url() -> str:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


OK = json_reply({"id": "c-1", "status": "all-clear"})


# ── who we are ─────────────────────────────────────────────────────────────────────────────────────


def tokens_then_ok(asked: Asked) -> Reply:
    if "token" in asked.target:
        return json_reply({"access_token": "T1", "token": "T1", "expires_in": "3600", "token_type": "bearer"})
    return OK


@pytest.mark.parametrize(
    ("slug", "auth", "endpoint", "header"),
    [
        ("goodhire", "api_key", "report", "ApiKey key-canary-1"),
        ("zinc", "bearer", "results", "Bearer key-canary-1"),
        ("workable", "bearer", "checks", "Bearer token-canary-2"),
        ("workerchecks", "widget_token", "results", "Bearer T1"),
        ("hireright", "oauth2", "order_status", "Bearer T1"),
        (
            "hireright",
            "basic",
            "order_status",
            f"Basic {base64.b64encode(b'user-canary-5:password-canary-6').decode()}",
        ),
    ],
)
def test_each_vendor_is_asked_with_the_credential_it_knows(
    place: Place, slug: str, auth: str, endpoint: str, header: str
) -> None:
    with serving(tokens_then_ok) as server:
        landed = place.run(account(slug, server.url, auth), asking(endpoint))
    assert landed.is_accepted
    assert server.asked[-1].headers["authorization"] == header


def test_an_oauth2_token_is_asked_for_by_get_with_the_secret_in_the_query(place: Place) -> None:
    with serving(tokens_then_ok) as server:
        place.run(account("hireright", server.url), asking("order_status"))
    asked = server.asked[0]
    assert (asked.method, urlsplit(asked.target).path) == ("GET", "/oauth/token")
    assert parse_qs(urlsplit(asked.target).query) == {
        "grant_type": ["client_credentials"],
        "client_id": ["client-canary-3"],
        "client_secret": ["secret-canary-4"],
    }
    assert "authorization" not in asked.headers


def test_a_widget_secret_is_posted_as_json(place: Place) -> None:
    with serving(tokens_then_ok) as server:
        place.run(account("workerchecks", server.url), asking("results"))
    asked = server.asked[0]
    assert (asked.method, asked.target) == ("POST", "/v1/auth/token")
    assert asked.body == b'{"widgetSecret":"widget-canary-7"}'


def test_calls_for_tokens_are_no_exchanges_and_take_no_slot(place: Place) -> None:
    with serving(tokens_then_ok) as server:
        place.run(account("hireright", server.url), asking("order_status"))
    assert [exchange.endpoint for exchange in place.sunk] == ["order_status"]
    assert place.limiter.used_last_window("hireright", "main") == 1


class Issuer:
    """A vendor whose tokens are numbered, and which can be told to forget those it gave out."""

    def __init__(self, *, expires_in: object = 3600, revoked_at: int = -1) -> None:
        self.issued = 0
        self.valid: set[str] = set()
        self.expires_in = expires_in
        self.results = 0
        self._revoked_at = revoked_at

    def __call__(self, asked: Asked) -> Reply:
        if "token" in asked.target:
            self.issued += 1
            self.valid = {f"Bearer T{self.issued}"}
            return json_reply({"token": f"T{self.issued}", "expiresIn": self.expires_in})
        self.results += 1
        if self.results == self._revoked_at:
            self.valid = set()
        return OK if asked.headers["authorization"] in self.valid else json_reply({}, 401)


@pytest.mark.parametrize(
    ("expires_in", "lifetime"),
    [(3600, 3600.0), ("3600", 3600.0), ("soon", 300.0), (None, 300.0), (-5, 300.0), (True, 300.0)],
    ids=["number", "text", "no number", "absent", "negative", "truth value"],
)
def test_a_token_is_renewed_at_nine_tenths_of_its_lifetime(place: Place, expires_in: object, lifetime: float) -> None:
    async def calls(client: AccountClient) -> list[int]:
        seen = []
        for wait in (0.0, 0.9 * lifetime - 1, 1.0):
            place.clock.advance(wait)
            await client.call("results", "c-1")
            seen.append(issuer.issued)
        return seen

    issuer = Issuer(expires_in=expires_in)
    with serving(issuer) as server:
        assert place.run(account("workerchecks", server.url), calls) == [1, 1, 2]


def test_a_401_in_mid_batch_renews_the_token_once_and_resumes_with_the_same_item(place: Place) -> None:
    issuer = Issuer(revoked_at=37)
    ids = [f"c-{number}" for number in range(1, 81)]
    with serving(issuer) as server:
        one_by_one = replace(account("workerchecks", server.url), max_concurrency=1)
        outcome = place.run(one_by_one, pulling(*ids, subject="check"))
    assert (outcome.accepted, outcome.code, issuer.issued) == (80, None, 2)
    asked = [exchange.check_id for exchange in place.sunk]
    assert asked == [*ids[:37], "c-37", *ids[37:]]
    assert [exchange.http_status for exchange in place.sunk].count(401) == 1


def test_calls_refused_at_the_same_time_renew_the_token_once(place: Place) -> None:
    issuer = Issuer(revoked_at=9)
    with serving(issuer) as server:
        outcome = place.run(
            account("workerchecks", server.url), pulling(*(f"c-{n}" for n in range(40)), subject="check")
        )
    assert (outcome.accepted, issuer.issued) == (40, 2)


def test_a_401_after_a_fresh_token_stops_the_account_for_every_process(place: Place) -> None:
    def never(asked: Asked) -> Reply:
        return tokens_then_ok(asked) if "token" in asked.target else json_reply({"status": 401}, 401)

    with serving(never) as server:
        config = replace(account("workerchecks", server.url), max_concurrency=1)
        with pytest.raises(CredentialRefused, match="unauthorized"):
            place.run(config, asking("results"))
        assert server.targets == ["/v1/auth/token", "/v1/results/c-1"] * 2
        outcome = place.run(config, pulling("c-2", "c-3", subject="check"))
    assert (outcome.code, outcome.left, len(server.asked)) == ("unauthorized", 2, 4)


def test_a_401_to_a_fixed_secret_stops_the_account_at_once(place: Place) -> None:
    with serving(saying(json_reply({}, 401))) as server, pytest.raises(CredentialRefused):
        place.run(account("zinc", server.url), asking("results"))
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("reply", "code", "calls"),
    [
        (json_reply({"status_code": 401, "errror": "invalid_client"}, 401), "unauthorized", 1),
        (json_reply({"status_code": 400, "errror": "invalid_request"}, 400), "unauthorized", 1),
        (json_reply({"errror": "none today"}), "token_unreadable", 1),
        (json_reply({"access_token": "two\nlines"}), "token_unreadable", 1),
        (json_reply(["T1"]), "token_unreadable", 1),
        (Reply(200, b"<html>sign in</html>"), "token_unreadable", 1),
        (Reply(302, b"", {"Location": "/login"}), "token_unreadable", 1),
        (Reply(503), "token_unavailable", 3),
    ],
)
def test_without_a_token_the_batch_ends_and_says_why(place: Place, reply: Reply, code: str, calls: int) -> None:
    with serving(saying(reply)) as server:
        outcome = place.run(account("hireright", server.url), pulling("o-1", "o-2", subject="order"))
    assert (outcome.code, outcome.left, place.sunk) == (code, 2, [])
    assert len(server.asked) in (calls, 2 * calls)


# ── stopped and silenced accounts ──────────────────────────────────────────────────────────────────


def test_a_403_stops_the_account_and_not_the_check(place: Place) -> None:
    with serving(saying(OK, json_reply({}, 403))) as server:
        config = replace(account("goodhire", server.url), max_concurrency=1)
        outcome = place.run(config, pulling("r-1", "r-2", "r-3", "r-4", subject="report"))
        assert (outcome.accepted, outcome.left, outcome.code) == (1, 3, "forbidden")
        with pytest.raises(AccountStopped, match="goodhire/main: forbidden"):
            place.run(config, asking("report", "r-5"))
    assert len(server.asked) == 2
    assert place.state.not_found("goodhire", "main", at_least=1) == []


def test_a_new_run_may_resume_a_stopped_account(place: Place) -> None:
    with serving(saying(json_reply({}, 403), OK)) as server:
        config = account("goodhire", server.url)
        place.run(config, pulling("r-1", subject="report"))
        place.state.resume("goodhire", "main")
        assert place.run(config, asking("report", "r-1")).is_accepted


def test_a_429_silences_the_account_for_its_cool_down_in_every_process(place: Place) -> None:
    def throttling(asked: Asked) -> Reply:
        return tokens_then_ok(asked) if "token" in asked.target or place.clock.monotonic() > 1050 else Reply(429)

    with serving(throttling) as server:
        config = replace(account("workerchecks", server.url), max_concurrency=1)
        outcome = place.run(config, pulling("c-1", "c-2", subject="check"))
        assert (outcome.code, outcome.retry_after_seconds, outcome.left) == ("rate_limited", 60.0, 2)
        asked = len(server.asked)
        with pytest.raises(RateLimited) as problem:
            place.run(config, asking("results"))
        assert problem.value.retry_after_seconds == pytest.approx(60.0)
        assert len(server.asked) == asked
        place.clock.advance(60)
        assert place.run(config, asking("results")).is_accepted


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120.0),
        ({"Retry-After": "Mon, 02 Mar 2026 09:00:30 GMT"}, 30.0),
        (
            {"Retry-After": "Sun, 01 Mar 2020 00:02:00 GMT", "Date": "Sun, 01 Mar 2020 00:00:00 GMT"},
            120.0,
        ),
        ({"Retry-After": "tomorrow"}, 60.0),
        ({"Retry-After": "9999999999"}, 3600.0),
        ({"Retry-After": "Mon, 02 Mar 2099 09:00:30 GMT"}, 3600.0),
        ({}, 60.0),
    ],
)
def test_a_silence_lasts_as_long_as_the_vendor_says(place: Place, headers: Mapping[str, str], seconds: float) -> None:
    with serving(saying(Reply(429, b"", headers))) as server:
        config = account("zinc", server.url)
        place.run(config, pulling("c-1"))
    assert place.known(config).silent_seconds == pytest.approx(seconds)


def test_a_short_silence_is_waited_out_and_the_same_item_asked_again(place: Place) -> None:
    with serving(saying(Reply(429, b"", {"Retry-After": "3"}), OK)) as server:
        landed = place.run(account("zinc", server.url), asking("results"))
    assert landed.is_accepted
    assert place.statuses == [429, 200]
    assert place.clock.monotonic() == pytest.approx(1003.0)


def test_a_rejection_that_says_when_to_come_back_is_a_silence_even_with_status_403(place: Place) -> None:
    with serving(saying(Reply(403, b"", {"Retry-After": "30"}))) as server:
        config = account("hireright", server.url, "basic")
        outcome = place.run(config, pulling("o-1", subject="order"))
    assert (outcome.code, place.known(config).stopped_code) == ("rate_limited", None)


class Interrupted(ManualClock):
    """Something happens during the first wait."""

    def __init__(self, happening: Callable[[], None]) -> None:
        super().__init__(NOW, monotonic=1000.0)
        self._happenings = [happening]

    async def asleep(self, seconds: float) -> None:
        await super().asleep(seconds)
        while self._happenings:
            self._happenings.pop()()


@pytest.mark.parametrize("code", ["rate_limited", "forbidden"])
def test_a_call_whose_account_falls_silent_while_it_waits_for_a_slot_is_not_sent(place: Place, code: str) -> None:
    def happening() -> None:
        if code == "rate_limited":
            place.state.silence("zinc", "main", 300, place.clock)
        else:
            place.state.stop("zinc", "main", code, place.clock)

    place.clock = Interrupted(happening)
    place.limiter = Limiter(place.state, place.clock)
    with serving(saying(OK)) as server:
        config = replace(account("zinc", server.url, per_minute=1), max_concurrency=1)
        outcome = place.run(config, pulling("1", "2"))
    assert (outcome.accepted, outcome.code, len(server.asked)) == (1, code, 1)
    assert place.limiter.used_last_window("zinc", "main") == 0


# ── trying again ───────────────────────────────────────────────────────────────────────────────────


def test_a_server_error_is_tried_again_and_every_attempt_is_kept(place: Place) -> None:
    with serving(saying(Reply(500), Reply(502), OK)) as server:
        assert place.run(account("zinc", server.url), asking("results")).is_accepted
    assert place.statuses == [500, 502, 200]
    assert len({exchange.response_id for exchange in place.sunk}) == 3
    assert place.limiter.used_last_window("zinc", "main") == 3


def test_retries_end_and_the_pauses_between_them_grow(place: Place) -> None:
    with serving(saying(Reply(500))) as server:
        landed = place.run(account("zinc", server.url), asking("results"))
    assert (landed.http_status, len(place.sunk)) == (500, 3)
    assert [exchange.requested_at.second for exchange in place.sunk] == [0, 0, 1]
    assert place.clock.monotonic() == pytest.approx(1000.0 + 0.5 + 1.0)


def test_a_busy_server_is_given_the_time_it_asks_for(place: Place) -> None:
    with serving(saying(Reply(503, b"", {"Retry-After": "4"}), OK)) as server:
        assert place.run(account("zinc", server.url), asking("results")).is_accepted
    assert place.clock.monotonic() == pytest.approx(1004.0)


def test_server_errors_and_broken_bodies_never_stop_an_account(place: Place) -> None:
    broken = Reply(pieces=[b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"])
    with serving(saying(*[Reply(500)] * 6, *[broken] * 6, OK)) as server:
        outcome = place.run(replace(account("zinc", server.url), max_concurrency=1), pulling("1", "2", "3", "4", "5"))
    assert (outcome.failed, outcome.accepted, outcome.code) == (4, 1, None)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500),
        Reply(429, b"", {"Retry-After": "1"}),
        Reply(401),
        Reply(pieces=[]),
        Reply(pieces=[b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n["]),
        Reply(pieces=[2.0]),
    ],
    ids=["500", "429", "401", "hung up", "truncated", "no answer"],
)
def test_the_destructive_feed_is_never_asked_twice(place: Place, reply: Reply) -> None:
    def feeding(asked: Asked) -> Reply:
        return tokens_then_ok(asked) if "token" in asked.target else reply

    with serving(feeding) as server:
        place.run(account("hireright", server.url), asking("status_updates", None), replace(QUICK, deadline=0.5))
    assert server.targets.count("/v1/orders/status-updates") == 1
    assert [exchange.channel for exchange in place.sunk] == ["feed"]


def test_a_host_that_refuses_connections_ends_the_batch_after_three_calls(place: Place) -> None:
    config = replace(account("zinc", unused_url()), max_concurrency=1)
    outcome = place.run(config, pulling(*(str(number) for number in range(50))))
    assert (outcome.code, outcome.failed, outcome.left) == ("unreachable", 2, 48)
    assert place.failures == ["connect"] * 9
    assert place.known(config).last_error == "unreachable"


def test_one_answer_in_between_keeps_a_batch_going(place: Place) -> None:
    silent = Reply(pieces=[])
    with serving(saying(*[silent] * 6, OK, *[silent] * 6, OK)) as server:
        config = replace(account("zinc", server.url), max_concurrency=1)
        outcome = place.run(config, pulling("1", "2", "3", "4", "5", "6"))
    assert (outcome.failed, outcome.accepted, outcome.code) == (4, 2, None)


# ── ids and calls the vendor does not know ─────────────────────────────────────────────────────────


def test_an_id_is_not_found_after_five_404_in_a_row_and_stays_open_to_asking(place: Place) -> None:
    def knowing_one(asked: Asked) -> Reply:
        return OK if asked.target.endswith("known") else json_reply({"error": "none"}, 404)

    with serving(knowing_one) as server:
        config = account("zinc", server.url)
        outcomes = [place.run(config, pulling("known", "lost")) for _ in range(5)]
    assert [outcome.missing for outcome in outcomes] == [1] * 5
    assert [missing.check_id for missing in place.state.not_found("zinc", "main")] == ["lost"]
    assert place.known(config).no_polling_at is None


def test_polling_that_is_not_implemented_is_told_apart_from_a_missing_check(place: Place) -> None:
    def no_polling(asked: Asked) -> Reply:
        return json_reply([]) if asked.target.endswith("/packages") else json_reply({}, 405)

    with serving(no_polling) as server:
        config = replace(account("workable", server.url), max_concurrency=1)
        outcome = place.run(config, pulling("k-1", "k-2", "k-3", subject="check"))
        assert (outcome.code, outcome.left, outcome.missing) == ("polling_not_offered", 3, 0)
        assert len(server.asked) == 1
        assert place.run(config, asking("packages", None)).is_accepted
        with pytest.raises(PollingNotOffered):
            place.run(config, asking("checks"))
    assert place.known(config).no_polling_at == NOW
    assert place.state.not_found("workable", "main", at_least=1) == []


def test_an_account_that_never_knew_any_id_is_taken_to_offer_no_polling(place: Place) -> None:
    with serving(saying(*[json_reply({}, 404)] * 4, OK)) as server:
        config = replace(account("workable", server.url), max_concurrency=1)
        place.run(config, pulling("k-1", "k-2", subject="check"))
        assert place.known(config).no_polling_at is None
        place.run(config, pulling("k-3", "k-4", subject="check"))
        assert place.known(config).no_polling_at == NOW
        place.run(config, pulling("k-5", subject="check"))
    assert place.known(config).no_polling_at is None


def test_an_account_that_once_knew_an_id_offers_polling_however_many_it_misses_later(place: Place) -> None:
    with serving(saying(OK, json_reply({}, 404))) as server:
        config = replace(account("workable", server.url), max_concurrency=1)
        place.run(config, pulling("k-1", "k-2", "k-3", "k-4", "k-5", subject="check"))
    assert len(place.state.not_found("workable", "main", at_least=1)) == 4
    assert place.known(config).no_polling_at is None


def test_a_rejected_body_is_counted_and_is_no_answer_for_the_id(place: Place) -> None:
    place.rejected = {b"<html>": "html"}
    with serving(saying(Reply(200, b"<html>"))) as server:
        config = account("zinc", server.url)
        outcome = place.run(config, pulling("1"))
    known = place.known(config)
    assert (outcome.rejected, known.last_error, known.answered_at) == (1, "html", None)


@pytest.mark.parametrize(
    ("check_id", "target"),
    [
        ("0007", "/v1/results/0007"),
        ("a/b", "/v1/results/a%2Fb"),
        ("../packages", "/v1/results/..%2Fpackages"),
        ("..", "/v1/results/%2E%2E"),
        (".", "/v1/results/%2E"),
        ("a?b#c", "/v1/results/a%3Fb%23c"),
        ("100%", "/v1/results/100%25"),
        ("Zoë\u00a0x", "/v1/results/Zo%C3%AB%C2%A0x"),
        ("{id}", "/v1/results/%7Bid%7D"),
    ],
)
def test_an_id_never_leaves_its_place_in_the_path(place: Place, check_id: str, target: str) -> None:
    with serving(saying(OK)) as server:
        place.run(account("zinc", server.url), asking("results", check_id))
    assert server.targets == [target]
    assert place.sunk[0].check_id == check_id


def test_ids_that_make_no_address_fail_alone(place: Place) -> None:
    with serving(saying(OK)) as server:
        long_ones = [letter * 70_000 for letter in "abcd"]
        outcome = place.run(account("zinc", server.url), pulling(*long_ones, "z1"))
    assert server.targets == ["/v1/results/z1"]
    assert (outcome.code, outcome.failed, outcome.left) == (None, 4, 0)
    assert {exchange.failure for exchange in place.sunk} == {"address", None}


def test_an_empty_id_is_refused_before_anything_is_sent(place: Place) -> None:
    with serving(saying(OK)) as server, pytest.raises(ValueError, match="id"):
        place.run(account("zinc", server.url), asking("results", ""))
    assert server.asked == []


def test_a_path_of_the_configuration_replaces_the_declared_one(place: Place) -> None:
    with serving(saying(OK)) as server:
        config = replace(account("zinc", server.url + "/"), paths={"results": "/other/{id}/now"})
        place.run(config, asking("results"))
    assert server.targets == ["//v1/other/c-1/now"]


# ── what is kept of an answer ──────────────────────────────────────────────────────────────────────


def test_an_exchange_says_what_was_asked_and_what_came_back(place: Place) -> None:
    due = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
    with serving(saying(OK)) as server:
        place.run(account("hireright", server.url, "basic"), lambda c: c.call("i9_status", "0012", due_at=due))
    (kept,) = place.sunk
    assert (kept.vendor, kept.account, kept.endpoint, kept.channel) == (
        "hireright",
        "main",
        "i9_status",
        "pull",
    )
    assert (kept.subject, kept.check_id, kept.due_at, kept.run_id) == ("i9", "0012", due, "run-1")
    assert (kept.http_status, kept.failure, kept.body) == (200, None, OK.body)
    assert kept.requested_at == kept.received_at == NOW


def test_only_listed_headers_are_kept(place: Place) -> None:
    headers = {
        "Content-Type": "application/json",
        "X-RateLimit-Remaining": "12",
        "X-Request-ID": "r-9",
        "Set-Cookie": "session=canary",
        "X-Api-Key": "canary",
        "Server": "y" * 500,
    }
    with serving(saying(Reply(200, b"{}", headers))) as server:
        place.run(account("zinc", server.url), asking("results"))
    assert set(place.sunk[0].headers) == {
        "content-type",
        "content-length",
        "x-ratelimit-remaining",
        "x-request-id",
    }


def test_the_request_names_the_program_and_asks_for_json(place: Place) -> None:
    with serving(saying(OK)) as server:
        place.run(account("zinc", server.url), asking("results"))
    headers = server.asked[0].headers
    assert headers["accept"] == "application/json"
    assert headers["user-agent"].startswith("screening-pipeline/")
    assert headers["accept-encoding"] == "gzip"


def test_a_cookie_is_not_sent_back(place: Place) -> None:
    async def twice(client: AccountClient) -> None:
        for _ in range(2):
            await client.call("results", "c-1")

    with serving(saying(Reply(200, b"{}", {"Set-Cookie": "session=1; Path=/"}))) as server:
        place.run(account("zinc", server.url), twice)
    assert ["cookie" in asked.headers for asked in server.asked] == [False, False]


def test_a_proxy_of_the_environment_is_not_used(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", unused_url())
    monkeypatch.setenv("ALL_PROXY", unused_url())
    with serving(saying(OK)) as server:
        assert place.run(account("zinc", server.url), asking("results")).is_accepted


def test_a_proxy_of_the_environment_is_used_where_somebody_says_so(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serving(saying(OK)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        config = account("zinc", "http://vendor.invalid")
        assert place.run(config, asking("results"), replace(QUICK, is_proxied=True)).is_accepted
    assert proxy.targets == ["http://vendor.invalid/v1/results/c-1"]


# ── hostile answers ────────────────────────────────────────────────────────────────────────────────

ONCE = replace(QUICK, retries=0)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def dripping(head: bytes, drop: bytes, pause: float = 0.05) -> Iterator[bytes | float]:
    yield head
    for _ in range(200):
        yield drop
        yield pause


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        (dripping(b"HTTP/1.1 200 OK\r\n", b"X-Drip: 1\r\n"), None),
        (dripping(HEAD + b"Content-Length: 5000\r\n\r\n", b" "), 200),
        (dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"), 200),
        (dripping(b"", b""), None),
    ],
    ids=["headers", "body", "chunks", "silence"],
)
def test_the_deadline_is_for_the_whole_call(place: Place, pieces: Iterator[bytes | float], status: int | None) -> None:
    started = time.monotonic()
    with serving(saying(Reply(pieces=pieces))) as server:
        landed = place.run(account("zinc", server.url), asking("results"), replace(ONCE, deadline=0.3))
    assert (landed.failure, landed.http_status) == ("timeout", status)
    assert time.monotonic() - started < 3


def zipped(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


def framed(body: bytes, *headers: bytes) -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return HEAD + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body


GZIP = b"Content-Encoding: gzip"
LONG = b'{"status": "' + b"x" * 3000 + b'"}'


@pytest.mark.parametrize(
    ("wire", "failure"),
    [
        (framed(LONG)[:-10], "truncated"),
        (framed(zipped(LONG)[:-10], GZIP), "truncated"),
        (HEAD + GZIP + b"\r\n\r\n" + zipped(LONG)[:20], "truncated"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n", "truncated"),
        (framed(b"no gzip at all", GZIP), "truncated"),
        (framed(zipped(b"0" * 200_000), GZIP), "too_large"),
        (framed(b" " * 100_001), "too_large"),
        (framed(zipped(zipped(b"0" * 9_000_000)), b"Content-Encoding: gzip, gzip"), "encoding"),
        (framed(LONG, b"Content-Encoding: br"), "encoding"),
        (framed(LONG, b"Content-Encoding: deflate"), "encoding"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "read"),
        (b"", "read"),
    ],
    ids=[
        "short of its length",
        "gzip without its end",
        "gzip cut off, unframed",
        "chunks without an end",
        "no gzip",
        "gzip bomb",
        "long",
        "gzip in gzip",
        "brotli",
        "deflate",
        "another protocol",
        "nothing",
    ],
)
def test_a_body_that_cannot_be_had_in_full_is_a_failure_and_never_a_state(
    place: Place, wire: bytes, failure: str
) -> None:
    with serving(saying(Reply(pieces=[wire]))) as server:
        landed = place.run(account("zinc", server.url), asking("results"), ONCE)
    assert (landed.failure, landed.is_accepted) == (failure, False)
    assert len(place.sunk[0].body) <= (0 if failure == "too_large" else len(LONG))


def test_a_body_of_ten_megabytes_is_the_longest_that_is_read_by_default(place: Place) -> None:
    bodies = [b" " * 10_000_000, b" " * 10_000_001]
    with serving(saying(*(Reply(pieces=[framed(zipped(body), GZIP)]) for body in bodies))) as server:
        config = account("zinc", server.url)
        seen = [place.run(config, asking("results"), Limits(retries=0)).failure for _ in bodies]
    assert seen == [None, "too_large"]


@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_a_compressed_body_is_read_however_it_is_cut(place: Place, pieces: int) -> None:
    body = framed(zipped(LONG[:1000]) + zipped(LONG[1000:]), GZIP)
    size = len(body) // pieces + 1
    cut: list[bytes | float] = []
    for start in range(0, len(body), size):
        cut += [body[start : start + size], 0.01]
    with serving(saying(Reply(pieces=cut))) as server:
        assert place.run(account("zinc", server.url), asking("results")).is_accepted
    assert place.sunk[0].body == LONG


def test_a_redirect_is_not_followed_and_the_key_stays_here(place: Place) -> None:
    with serving(saying(OK)) as elsewhere:
        location = {"Location": f"{elsewhere.url}/v1/results/c-1"}
        with serving(saying(Reply(307, b"", location))) as server:
            landed = place.run(account("zinc", server.url), asking("results"))
    assert (landed.failure, landed.http_status, elsewhere.asked) == ("redirect", 307, [])


def test_a_certificate_that_is_not_trusted_is_named(place: Place) -> None:
    def answering(connection: socket.socket) -> None:
        with connection:  # whatever it says: the first bytes of TLS may look like a line, or not
            connection.recv(1)
            connection.sendall(b"no TLS here\r\n\r\n")

    with listening(answering) as port:
        config = account("zinc", f"https://127.0.0.1:{port}")
        place.run(config, asking("results"), replace(ONCE, deadline=30.0))  # the store of certificates takes a while
    assert place.failures == ["tls"]


# ── batches ────────────────────────────────────────────────────────────────────────────────────────


def test_a_batch_is_asked_in_the_order_given_and_no_more_at_once_than_allowed(place: Place) -> None:
    under_way, most = 0, 0

    def counting(_: Asked) -> Reply:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        time.sleep(0.02)
        under_way -= 1
        return OK

    ids = [f"z-{number:02}" for number in range(12)]
    with serving(counting) as server:
        outcome = place.run(replace(account("zinc", server.url), max_concurrency=3), pulling(*ids))
    assert (outcome.accepted, outcome.left) == (12, 0)
    assert most <= 3
    places = [ids.index(target.rpartition("/")[2]) for target in server.targets]
    assert all(place_ < count + 3 for count, place_ in enumerate(places)), "none comes before more than two others"


def test_the_pulls_that_are_left_are_named_wherever_they_stood(place: Place) -> None:
    def refusing_orders(asked: Asked) -> Reply:
        return OK if "I-9" in asked.target else json_reply({}, 405)

    pulls = [
        Pull(subject="order", check_id="o-1"),
        Pull(subject="i9", check_id="i-1"),
        Pull(subject="order", check_id="o-2"),
        Pull(subject="i9", check_id="i-2"),
    ]
    with serving(refusing_orders) as server:
        config = replace(account("hireright", server.url, "basic"), max_concurrency=1)
        outcome = place.run(config, lambda client: client.pull_all(pulls))
    assert (outcome.accepted, outcome.left_pulls) == (2, (pulls[0], pulls[2]))


def test_a_batch_ends_at_its_deadline_with_what_is_left(place: Place) -> None:
    with serving(saying(OK)) as server:
        config = account("zinc", server.url, per_minute=2)
        outcome = place.run(config, pulling("1", "2", "3", "4", seconds=30))
    assert (outcome.accepted, outcome.left, outcome.code) == (2, 2, "deadline")
    assert place.clock.monotonic() == pytest.approx(1000.0)


def test_the_accounts_limit_holds_for_retries_too(place: Place) -> None:
    with serving(saying(Reply(500), Reply(500), OK)) as server:
        place.run(account("zinc", server.url, per_minute=2), asking("results"))
    assert place.clock.monotonic() >= 1060.0


def test_what_the_sink_raises_ends_the_batch_as_it_is(place: Place) -> None:
    async def full(_: HttpExchange) -> LandingReceipt:
        raise LookupError("the disk is full")

    async def pull(client: AccountClient) -> AccountOutcome:
        client._sink = full
        return await client.pull_all([Pull(subject="request", check_id=str(n)) for n in range(9)])

    with serving(saying(OK)) as server, pytest.raises(LookupError, match="the disk is full"):
        place.run(account("zinc", server.url), pull)
    assert len(server.asked) <= 4


def test_an_empty_batch_asks_nothing(place: Place) -> None:
    outcome = place.run(account("hireright", unused_url()), pulling())
    assert outcome == AccountOutcome(vendor="hireright", account="main")


# ── what a detached fetcher uses ───────────────────────────────────────────────────────────────────


def test_a_call_made_elsewhere_is_heeded_like_our_own(place: Place) -> None:
    async def elsewhere(client: AccountClient) -> None:
        header = await client.authorization()
        async with client.permit():
            assert place.limiter.used_last_window("hireright", "main") == 1
        client.heed(401, {}, header)
        assert await client.authorization() != header
        with pytest.raises(RateLimited):
            client.heed(429, {"retry-after": "90"}, header)

    with serving(Issuer()) as server:
        config = account("hireright", server.url)
        place.run(config, elsewhere)
    assert place.known(config).silent_seconds == pytest.approx(90)


def test_a_403_heard_elsewhere_stops_the_account(place: Place) -> None:
    async def elsewhere(client: AccountClient) -> None:
        client.heed(403, {}, await client.authorization())

    with serving(Issuer()) as server:
        config = account("hireright", server.url)
        with pytest.raises(AccountStopped):
            place.run(config, elsewhere)
    assert place.known(config).stopped_code == "forbidden"


def test_a_call_may_not_outlast_the_slot_it_holds(place: Place) -> None:
    with pytest.raises(ValueError, match="limiter"):
        place.client(account("zinc", "http://127.0.0.1:1"), Limits(deadline=60.0))


# ── doctor ─────────────────────────────────────────────────────────────────────────────────────────


def probing(place: Place, config: Account) -> Probe:
    return place.run(config, lambda client: client.probe())


@pytest.mark.parametrize("status", [404, 400, 200])
@pytest.mark.parametrize("kind", ["application/json", "text/html; charset=UTF-8"])
def test_a_probe_tells_that_the_credential_is_accepted(place: Place, status: int, kind: str) -> None:
    date = "Mon, 02 Mar 2026 09:02:00 GMT"
    with serving(saying(json_reply({}, status, Date=date, Content_Type=kind))) as server:
        found = probing(place, account("goodhire", server.url))
    assert (found.code, found.is_reachable, found.is_accepted) == ("ok", True, True)
    assert found.clock_offset_seconds == pytest.approx(120.5)
    assert server.targets == ["/v1/Report/screening-pipeline-doctor"]


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(302, b"", {"Location": "/login"}), "redirect"),
        (Reply(200, b"<html>Sign in", {"Content-Type": "text/html; charset=utf-8"}), "html"),
        (Reply(404, b"<html>Not here", {"Content-Type": "text/HTML"}), "html"),
    ],
)
def test_a_page_for_people_does_not_tell_whether_the_credential_is_accepted(
    place: Place, reply: Reply, code: str
) -> None:
    with serving(saying(reply)) as server:
        found = probing(place, account("goodhire", server.url))
    assert (found.code, found.is_reachable, found.is_accepted) == (code, True, None)


def test_a_probe_lands_nothing_and_stops_nothing(place: Place) -> None:
    with serving(saying(json_reply({}, 403))) as server:
        config = account("goodhire", server.url)
        found = probing(place, config)
    assert (found.code, found.is_reachable, found.is_accepted) == ("forbidden", True, False)
    assert (place.sunk, place.known(config).stopped_code) == ([], None)


def test_a_probe_tells_that_a_token_was_refused(place: Place) -> None:
    with serving(saying(json_reply({"errror": "invalid_client"}, 401))) as server:
        found = probing(place, account("hireright", server.url))
    assert (found.code, found.is_accepted, found.http_status) == ("unauthorized", False, 401)


def test_a_probe_of_a_host_that_is_down_says_so(place: Place) -> None:
    found = probing(place, account("zinc", unused_url()))
    assert (found.code, found.is_reachable, found.is_accepted) == ("connect", False, None)
    found = probing(place, account("workerchecks", unused_url()))
    assert (found.code, found.is_reachable, found.is_accepted) == ("token_unavailable", False, None)


def test_a_probe_asks_an_account_that_an_earlier_run_stopped(place: Place) -> None:
    place.state.stop("zinc", "main", "forbidden", place.clock)
    with serving(saying(json_reply({}, 404))) as server:
        assert probing(place, account("zinc", server.url)).is_accepted


def test_a_probe_leaves_a_silent_account_alone(place: Place) -> None:
    place.state.silence("zinc", "main", 60, place.clock)
    with serving(saying(OK)) as server:
        found = probing(place, account("zinc", server.url))
    assert (found.code, found.is_accepted, server.asked) == ("rate_limited", None, [])


def test_a_probe_of_a_failing_server_judges_no_credential(place: Place) -> None:
    with serving(saying(Reply(500))) as server:
        found = probing(place, account("zinc", server.url))
    assert (found.code, found.is_reachable, found.is_accepted) == ("server_error", True, None)


# ── secrets and people ─────────────────────────────────────────────────────────────────────────────


def test_no_secret_and_no_body_gets_into_logs_exceptions_or_the_state(
    place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore.http11", "httpcore.connection"):
        caplog.set_level(logging.DEBUG, logger=name)
    person = json_reply({"name": "person-canary"}, 403)
    told: list[str] = []
    for slug, auth in (
        ("hireright", "oauth2"),
        ("hireright", "basic"),
        ("workerchecks", None),
        ("zinc", None),
    ):
        with serving(lambda asked: tokens_then_ok(asked) if "token" in asked.target else person) as server:
            config = replace(account(slug, server.url, auth), name=f"{slug}-{auth}")
            endpoint = vendor(slug).endpoint_for(vendor(slug).default_subject).name
            with pytest.raises(AccountStopped) as problem:
                place.run(config, asking(endpoint))
        told += [str(problem.value), repr(problem.value), repr(problem.value.__dict__)]
    told += [repr(exchange) for exchange in place.sunk]
    told += [file.read_bytes().decode("latin-1") for file in tmp_path.iterdir()]
    told += [record.getMessage() for record in caplog.records]
    assert len(place.sunk) == 4
    assert "canary" not in "\n".join(told)
    assert "Bearer T1" not in "\n".join(told)


def test_a_client_that_cannot_connect_tells_no_url(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(VendorUnavailable) as problem:
        place.run(account("hireright", unused_url()), asking("order_status"))
    assert str(problem.value) == "hireright/main: token_unavailable"
    assert (problem.value.__cause__, problem.value.__suppress_context__ or problem.value.__context__) in (
        (None, None),
        (None, True),
    )
    assert "canary" not in caplog.text


def test_what_holds_a_secret_does_not_show_it(place: Place) -> None:
    with serving(tokens_then_ok) as server:

        async def shown(client: AccountClient) -> str:
            await client.call("order_status", "o-1")
            return f"{client!r} {vars(client)!r} {vars(client._credential)!r}"

        text = place.run(account("hireright", server.url), shown)
    assert "secret-canary" not in text
