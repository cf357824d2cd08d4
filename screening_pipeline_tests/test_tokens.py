"""Tokens: who fetches them, how long they are used, and what answers are none."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening_pipeline.base.clock import ManualClock
from screening_pipeline.http.credentials import (
    LONGEST_LIFETIME,
    Grant,
    TokenCredential,
    TokenRequest,
    UnreadableGrant,
    read_grant,
    token_request,
)


class Fetching:
    """Hands out T1, T2, … and takes its time."""

    def __init__(self, lifetime: float = 100.0) -> None:
        self.clock = ManualClock(datetime(2026, 3, 2, tzinfo=UTC))
        self.times = 0
        self.lifetime = lifetime
        self.credential = TokenCredential(self.fetch, self.clock)

    async def fetch(self) -> Grant:
        self.times += 1
        await asyncio.sleep(0.01)
        return Grant(f"T{self.times}", self.lifetime)


def test_many_callers_at_once_fetch_one_token() -> None:
    fetching = Fetching()

    async def many() -> set[str]:
        return set(await asyncio.gather(*(fetching.credential.header() for _ in range(20))))

    assert asyncio.run(many()) == {"Bearer T1"}
    assert fetching.times == 1


def test_a_refused_token_is_replaced_once_however_many_were_refused() -> None:
    fetching = Fetching()

    async def refused(header: str) -> str:
        fetching.credential.refuse(header)
        return await fetching.credential.header()

    async def many() -> set[str]:
        header = await fetching.credential.header()
        return set(await asyncio.gather(*(refused(header) for _ in range(20))))

    assert asyncio.run(many()) == {"Bearer T2"}


def test_refusing_a_token_that_has_been_replaced_changes_nothing() -> None:
    fetching = Fetching()

    async def late() -> list[bool]:
        old = await fetching.credential.header()
        first = fetching.credential.refuse(old)
        await fetching.credential.header()
        return [first, fetching.credential.refuse(old)]

    assert asyncio.run(late()) == [True, False]
    assert fetching.times == 2


def test_a_failed_fetch_leaves_the_next_caller_to_try() -> None:
    fetching = Fetching()

    async def failing() -> Grant:
        fetching.times += 1
        if fetching.times == 1:
            raise LookupError
        return Grant("T9", 60)

    async def twice() -> str:
        credential = TokenCredential(failing, fetching.clock)
        with pytest.raises(LookupError):
            await credential.header()
        return await credential.header()

    assert asyncio.run(twice()) == "Bearer T9"


@pytest.mark.parametrize(
    ("body", "token", "lifetime"),
    [
        ({"access_token": "a", "expires_in": "1800", "token_type": "bearer"}, "a", 1800.0),
        ({"token": "a", "expiresIn": 86400}, "a", 86400.0),
        ({"token": "a", "expiresIn": 10**12}, "a", LONGEST_LIFETIME),
        ({"token": "a", "expiresIn": 90.5}, "a", 90.5),
        ({"token": "a"}, "a", 300.0),
        ({"token": "a", "expiresIn": "Infinity"}, "a", 300.0),
        ({"token": "a", "expiresIn": [60]}, "a", 300.0),
        ({"token": "a", "expiresIn": 10**400}, "a", 300.0),
    ],
    ids=str,
)
def test_a_grant_is_read_in_both_dialects(body: object, token: str, lifetime: float) -> None:
    assert read_grant(json.dumps(body).encode()) == Grant(token, lifetime)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"<html>",
        b'{"token": 7}',
        b'{"token": ""}',
        b'{"token": "a\\r\\nb"}',
        b"[" * 9999,
    ],
)
def test_an_answer_without_a_usable_token_is_unreadable_and_quotes_nothing(body: bytes) -> None:
    with pytest.raises(UnreadableGrant, match=r"^(not_json|not_an_object|no_token)$"):
        read_grant(body)


@given(body=st.binary(max_size=200))
def test_whatever_comes_for_a_token_it_is_one_or_unreadable(body: bytes) -> None:
    with suppress(UnreadableGrant):
        assert read_grant(body).token


def test_the_repr_of_a_token_and_of_its_request_tells_nothing() -> None:
    secrets = {"client_id": "canary", "client_secret": "canary", "widget_secret": "canary"}
    shown = [repr(token_request(scheme, secrets, "http://canary/")) for scheme in ("oauth2", "widget_token")]
    assert "canary" not in "".join([*shown, repr(Grant("canary", 1.0))])
    assert TokenRequest("GET", "u", {"a": "b"}) == TokenRequest("GET", "u", {"a": "b"})


def test_a_scheme_without_tokens_has_no_token_request() -> None:
    with pytest.raises(KeyError, match="bearer"):
        token_request("bearer", {}, "http://127.0.0.1/")
