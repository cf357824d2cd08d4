"""HTTP transport: connections, deadlines, bounded bodies, failures as codes. One call at a time."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from typing import Any

import httpx

from screening_pipeline.base.clock import Clock
from screening_pipeline.http import wire
from screening_pipeline.http.account_gate import Withheld
from screening_pipeline.http.credentials import TokenRequest
from screening_pipeline.http.lanes import Lanes
from screening_pipeline.settings.account import Account
from screening_pipeline.state.rate_limit import DEADLINE_SECONDS

ABOUT_TO_SEND = "http11.send_request_headers.started"
HEAD_IS_THERE = "http11.receive_response_headers.complete"
Question = Callable[[], bool]
Hearing = Callable[[int, Mapping[str, str]], object]

_RETRIED_FAILURES = frozenset({"connect", "timeout", "read", "truncated"})


NO_ADDRESS = "address"


_LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Time and size limits of one call and of one batch. Times in seconds.

    `deadline` is for the whole of one attempt: connecting, headers and body. `patience` is the longest
    silence that is waited out within a batch. After `unreachable_after` calls in a row without any answer the
    batch ends. `is_proxied` makes HTTPS_PROXY and its kin be obeyed.
    """

    deadline: float = DEADLINE_SECONDS
    body_bytes: int = 10_000_000
    retries: int = 2
    backoff: float = 0.5
    jitter: Callable[[float, float], float] = random.uniform
    patience: float = 5.0
    unreachable_after: int = 3
    keep_alive: float = 4.0  # shorter than the five seconds most servers keep an idle connection
    is_proxied: bool = False


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Answer:
    """The response of one attempt, or its failure code. The body may hold people's data: it is kept out of the repr."""

    requested_at: datetime
    received_at: datetime
    latency_ms: int
    http_status: int | None = None
    failure: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)

    @property
    def is_throttled(self) -> bool:
        """Whether it asks for the account to be left alone for a while."""
        return wire.silence(self.http_status, self.headers, self.received_at, cool_down=1.0) is not None

    @property
    def is_worth_retrying(self) -> bool:
        """Whether a retry may help: no answer, a truncated one, or a server error."""
        if self.http_status is None or self.http_status < 400:
            return self.failure in _RETRIED_FAILURES
        return self.http_status >= 500 and self.http_status != 501


class Transport:
    """Single requests to the hosts of one account: bounded in time and size, never redirected.

    `heard` is told the status and headers of each answer as soon as its head is there. Each request comes with a
    question, `is_closed`, that is asked when the connection stands and the next thing is to write to it: if it is
    answered with True, nothing is sent and Withheld is raised.
    """

    def __init__(self, account: Account, clock: Clock, limits: Limits, *, heard: Hearing) -> None:
        self._clock = clock
        self._limits = limits
        self._heard = heard
        self._client = httpx.AsyncClient(
            headers={"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": _user_agent()},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            limits=httpx.Limits(max_connections=account.max_concurrency + 1, keepalive_expiry=limits.keep_alive),
            timeout=None,  # noqa: S113  httpx knows no total; `send` keeps one over all of it
            trust_env=limits.is_proxied,
            verify=_trust(account),
            # Only httpx's own transport speaks to proxies.
            transport=None if limits.is_proxied else Lanes(_trust(account), limits.keep_alive),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def get(self, url: str, header: str, is_closed: Question) -> Answer:
        """One call with this `Authorization`; none where the id makes an address that is too long for any."""
        try:
            request = self._client.build_request("GET", url, headers=[(b"Authorization", header.encode())])
        except httpx.InvalidURL:
            now = self._clock.now()
            return Answer(now, now, 0, failure=NO_ADDRESS)
        return await self._send(request, is_closed)

    async def ask(self, request: TokenRequest, is_closed: Question) -> Answer:
        """One call for a token. Its URL may hold a secret."""
        url = httpx.URL(request.url).copy_merge_params(dict(request.params))
        return await self._send(self._client.build_request(request.method, url, json=request.json), is_closed)

    async def _send(self, request: httpx.Request, is_closed: Question) -> Answer:
        requested_at, started = self._clock.now(), self._clock.monotonic()
        request.extensions["trace"] = self._watching(is_closed)
        draft = _Draft()
        try:
            async with asyncio.timeout(self._limits.deadline):
                await draft.read(await self._client.send(request, stream=True), self._limits.body_bytes)
        except (TimeoutError, wire.BrokenAnswer, httpx.HTTPError, httpx.StreamError) as problem:
            draft.failure = _failure(problem, draft)
        return Answer(
            requested_at=requested_at,
            received_at=self._clock.now(),
            latency_ms=round((self._clock.monotonic() - started) * 1000),
            http_status=draft.http_status,
            failure=draft.failure,
            headers=draft.headers,
            body=draft.body.so_far if draft.body and draft.failure != "too_large" else b"",
        )

    def _watching(self, is_closed: Question) -> Callable[[str, Mapping[str, Any]], Awaitable[None]]:
        async def watch(event: str, info: Mapping[str, Any]) -> None:
            if event == ABOUT_TO_SEND and is_closed():
                raise Withheld
            if event == HEAD_IS_THERE:
                _, status, _, headers, *_ = info["return_value"]
                self._heard(status, wire.kept((name.decode("latin-1"), v.decode("latin-1")) for name, v in headers))

        return watch


class _Draft:
    """An answer as far as it has come."""

    def __init__(self) -> None:
        self.http_status: int | None = None
        self.failure: str | None = None
        self.headers: Mapping[str, str] = {}
        self.body: wire.Body | None = None

    async def read(self, response: httpx.Response, limit: int) -> None:
        """Take the answer off the wire and let go of the connection. Raises BrokenAnswer, httpx.HTTPError."""
        try:
            await self._read(response, limit)
        finally:
            await response.aclose()

    async def _read(self, response: httpx.Response, limit: int) -> None:
        self.http_status = response.status_code
        self.headers = wire.kept(response.headers.multi_items())
        if 300 <= response.status_code < 400:
            raise wire.BrokenAnswer("redirect")
        self.body = wire.Body(response.headers.get("content-encoding", ""), limit)
        async for raw in response.aiter_raw():
            self.body.feed(raw)
        self.body.finish()


def _failure(problem: Exception, draft: _Draft) -> str:
    """The failure code of a call without a usable answer."""
    if isinstance(problem, wire.BrokenAnswer):
        return problem.code
    if isinstance(problem, TimeoutError):
        return "timeout"
    if isinstance(problem, httpx.ConnectError):
        return "tls" if _is_tls(problem) else "connect"
    return "read" if draft.http_status is None else "truncated"


def _is_tls(problem: BaseException | None) -> bool:
    while problem is not None:
        if isinstance(problem, ssl.SSLError):
            return True
        problem = problem.__cause__ or problem.__context__
    return False


def _trust(account: Account) -> ssl.SSLContext:
    urls = (account.base_url, account.token_url or "")
    is_secure = any(url.lower().startswith("https:") for url in urls)
    # Reading the certificates takes 50 ms; on loopback, without TLS, a context that trusts nobody will do.
    return _certificates() if is_secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@cache
def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context()


@cache
def _user_agent() -> str:
    return f"screening-pipeline/{version('screening-pipeline')}"


def silence_library_logs() -> None:
    """Mute the loggers of httpx and httpcore.

    They log URLs and headers, and a token request's URL and every Authorization are secret.
    """
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(lambda _record: False)
