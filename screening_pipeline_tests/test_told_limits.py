"""Limits that a vendor tells in the heads of its answers: the stricter of that and what is configured holds."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from screening_pipeline.base.clock import ManualClock, SystemClock
from screening_pipeline.domain.conduct import LimitHeaders
from screening_pipeline.domain.declaration import DeclarationError, Vendor
from screening_pipeline.domain.exchange import HttpExchange, LandingReceipt
from screening_pipeline.http import wire
from screening_pipeline.http.batch import AccountOutcome, Pull
from screening_pipeline.http.client import AccountClient
from screening_pipeline.http.transport import Limits
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline.state.store import State
from screening_pipeline.vendors import vendor
from screening_pipeline_tests.support.loopback import Asked, Reply, json_reply, serving
from screening_pipeline_tests.support.stage import account

NAMES = LimitHeaders(limit="x-ratelimit-limit", remaining="x-ratelimit-remaining", reset="x-ratelimit-reset")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
TELLING: Vendor = replace(vendor("zinc"), limit_headers=NAMES)


def head(limit: int | str, remaining: int | str, reset: datetime | str) -> dict[str, str]:
    until = reset if isinstance(reset, str) else reset.isoformat().replace("+00:00", "Z")
    return {"x-ratelimit-limit": str(limit), "x-ratelimit-remaining": str(remaining), "x-ratelimit-reset": until}


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        (head(1200, 9, NOW + timedelta(seconds=30)), (1200, 9, 30.0)),
        (head(1200, 0, NOW - timedelta(seconds=1)), (1200, 0, None)),
        (head("many", "-1", "2026-03-02T09:00:30"), (None, None, None)),
        (head(0, 1, "1772442030"), (None, 1, None)),
        ({}, (None, None, None)),
        (
            {**head(60, 1, NOW + timedelta(seconds=30)), "date": "Mon, 02 Mar 2026 09:00:20 GMT"},
            (60, 1, 10.0),
        ),
    ],
)
def test_what_a_head_tells(headers: dict[str, str], told: tuple[int | None, int | None, float | None]) -> None:
    assert wire.told_limit(headers, NAMES, NOW) == told


def test_a_429_is_waited_out_until_the_window_ends() -> None:
    headers = head(1200, 0, NOW + timedelta(seconds=17))
    assert wire.silence(429, headers, NOW, cool_down=60, names=NAMES) == 17
    assert wire.silence(429, {**headers, "retry-after": "3"}, NOW, cool_down=60, names=NAMES) == 3
    assert wire.silence(429, headers, NOW, cool_down=60) == 60
    assert wire.silence(200, headers, NOW, cool_down=60, names=NAMES) is None


def test_only_headers_that_are_kept_can_be_declared() -> None:
    with pytest.raises(DeclarationError, match=r"zinc\.limit_headers\.limit: 'RateLimit-Limit'"):
        replace(TELLING, limit_headers=replace(NAMES, limit="RateLimit-Limit"))


class Desk:
    """A limiter on a clock that moves when told, and one client at a time."""

    def __init__(self, folder: Path, clock: ManualClock | SystemClock, window: float = 60.0) -> None:
        self.clock = clock
        self.limiter = Limiter(State(folder / "state.sqlite"), clock, window_seconds=window)

    def pull(self, url: str, calls: int, *, per_minute: int, at_once: int = 4) -> AccountOutcome:
        asked = replace(account("zinc"), base_url=url, requests_per_minute=per_minute, max_concurrency=at_once)
        pulls = [Pull(subject="request", check_id=f"r{number}") for number in range(calls)]

        async def running() -> AccountOutcome:
            async with AccountClient(
                asked,
                TELLING,
                secrets={"api_key": "key"},
                limiter=self.limiter,
                clock=self.clock,
                sink=_kept,
                run_id="run",
                limits=Limits(jitter=lambda low, _: low),
            ) as client:
                return await client.pull_all(pulls)

        return asyncio.run(running())


async def _kept(exchange: HttpExchange) -> LandingReceipt:
    return LandingReceipt(response_id=exchange.response_id, http_status=exchange.http_status)


def answering(tell: Callable[[int], dict[str, str]]) -> Callable[[Asked], Reply]:
    """Each answer's head tells what `tell` says of it, by its number from 1."""
    lock, count = threading.Lock(), [0]

    def answer(_: Asked) -> Reply:
        with lock:
            count[0] += 1
            return json_reply({"id": "r"}, 200, **tell(count[0]))

    return answer


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, ManualClock(NOW, monotonic=1000.0))


def test_a_stricter_limit_than_the_configured_one_holds_from_the_first_answer(desk: Desk) -> None:
    def tell(_: int) -> dict[str, str]:
        return {"x-ratelimit-limit": "5"}

    with serving(answering(tell)) as server:
        assert desk.pull(server.url, 11, per_minute=1000, at_once=1).accepted == 11
    assert desk.clock.monotonic() - 1000 >= 120  # three windows of five


def test_a_looser_limit_than_the_configured_one_changes_nothing(desk: Desk) -> None:
    with serving(answering(lambda n: head(1200, 1200 - n, NOW + timedelta(seconds=60)))) as server:
        assert desk.pull(server.url, 11, per_minute=5, at_once=1).accepted == 11
    assert desk.clock.monotonic() - 1000 >= 120


def test_the_calls_of_others_with_the_same_key_are_left_to_them(desk: Desk) -> None:
    """Of ten calls somebody else has made seven: three are ours, and the next are made in the next window."""
    until = NOW + timedelta(seconds=20)

    def tell(number: int) -> dict[str, str]:
        return head(10, max(3 - number, 0), until) if number <= 3 else {}

    with serving(answering(tell)) as server:
        assert desk.pull(server.url, 5, per_minute=1200, at_once=1).accepted == 5
    assert 20 <= desk.clock.monotonic() - 1000 < 60


@pytest.mark.parametrize("at_once", [1, 8])
def test_a_window_is_used_and_never_overrun(tmp_path: Path, at_once: int) -> None:
    """A server that counts strictly by windows of its own, two seconds each, and tells so: nothing is refused."""
    limit, window = 40, 2.0
    clock, lock, counted, refused = SystemClock(), threading.Lock(), deque[float](), []

    def answer(_: Asked) -> Reply:
        with lock:
            now = clock.monotonic()
            start = now - now % window
            while counted and counted[0] < start:
                counted.popleft()
            counted.append(now)
            if len(counted) > limit:
                refused.append(now)
            until = clock.now() + timedelta(seconds=start + window - now)
            told = head(limit, max(limit - len(counted), 0), until)
            return json_reply({}, 429, **told) if len(counted) > limit else json_reply({"id": "r"}, 200, **told)

    desk = Desk(tmp_path, clock, window)
    with serving(answer) as server:
        started = clock.monotonic()
        assert desk.pull(server.url, 3 * limit, per_minute=1200, at_once=at_once).accepted == 3 * limit
        took = clock.monotonic() - started
    assert refused == []
    assert took < 2.5 * window  # three windows' calls: two whole windows, and the time the last ones take
