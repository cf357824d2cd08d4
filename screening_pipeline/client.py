"""One HTTP client that any vendor drives: authentication, limits, retries, guards. The only user of httpx.

Every attempt is handed to the sink, which makes it durable, before anything is concluded from it. Nothing of
an answer, a URL or a credential gets into an exception or a log: both carry codes.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from types import TracebackType
from typing import Self
from urllib.parse import quote

import httpx

from screening_pipeline import wire
from screening_pipeline.clock import Clock
from screening_pipeline.errors import AccountStopped, PollingNotOffered, VendorError
from screening_pipeline.exchange import Exchange, Landed, new_response_id
from screening_pipeline.gate import Gate
from screening_pipeline.limiter import DEADLINE_SECONDS, Limiter, NoSlotInTime
from screening_pipeline.model import Endpoint, Vendor
from screening_pipeline.settings import Account
from screening_pipeline.tokens import (
    Credential,
    FixedCredential,
    Grant,
    TokenCredential,
    TokenRequest,
    UnreadableGrant,
    fixed_header,
    read_grant,
    token_request,
)

Sink = Callable[[Exchange], Landed]

_RETRIED_FAILURES = frozenset({"connect", "timeout", "read", "truncated"})
_NO_ID = "screening-pipeline-doctor"
_NO_ADDRESS = "address"
_LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one call and one batch may cost. Times in seconds.

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


@dataclass(frozen=True, kw_only=True)
class Pull:
    """One check to ask for. `endpoint` is a name; None: the vendor's call for that subject."""

    subject: str
    check_id: str
    endpoint: str | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class AccountOutcome:
    """What came of a batch. Every pull is in exactly one of the counts.

    `left` were not settled; `left_pulls` are these, in the order given (not always the last ones).
    `code` says why the batch ended early (None: it did not): a VendorError's code, or `deadline`.
    `retry_after_seconds` is set with `rate_limited`.
    """

    vendor: str
    account: str
    accepted: int = 0
    rejected: int = 0
    missing: int = 0
    failed: int = 0
    left_pulls: tuple[Pull, ...] = ()
    code: str | None = None
    retry_after_seconds: float | None = None

    @property
    def left(self) -> int:
        return len(self.left_pulls)


@dataclass(frozen=True)
class Probe:
    """What one harmless call told of an account.

    `code`: ok, or what is wrong. `is_accepted` is None where the credential could not be judged.
    `clock_offset_seconds`: the vendor's clock minus ours, to about a second.
    """

    code: str
    http_status: int | None = None
    is_reachable: bool = False
    is_accepted: bool | None = None
    clock_offset_seconds: float | None = None
    latency_ms: int = 0


@dataclass(frozen=True)
class Answer:
    """What one attempt brought. The body may hold people's data: it is kept out of the repr."""

    requested_at: datetime
    received_at: datetime
    latency_ms: int
    http_status: int | None = None
    failure: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)

    @property
    def is_throttled(self) -> bool:
        """429; or a 403 that says when to come back, since a limit may be enforced by plain rejection."""
        return self.http_status == 429 or (self.http_status == 403 and "retry-after" in self.headers)

    @property
    def is_worth_retrying(self) -> bool:
        """No answer, half an answer, or a server's trouble."""
        if self.http_status is None or self.http_status < 400:
            return self.failure in _RETRIED_FAILURES
        return self.http_status >= 500 and self.http_status != 501


class AccountClient:
    """The client of one account for one run; an async context manager.

    `secrets` holds the values by role, as the vendor's `Auth` names them. The shared state is the limiter's.
    `gate` tells whether the account may be asked, and keeps what its answers mean for the calls to come.
    """

    def __init__(
        self,
        account: Account,
        vendor: Vendor,
        *,
        secrets: Mapping[str, str],
        limiter: Limiter,
        clock: Clock,
        sink: Sink,
        run_id: str,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.account = account
        self.vendor = vendor
        self.gate = Gate(account, limiter, clock, patience=limits.patience, cool_down=vendor.cool_down_seconds)
        if limits.deadline > limiter.deadline_seconds:
            raise ValueError("a call may not take longer than the limiter keeps a slot for it")
        self._clock = clock
        self._sink = sink
        self._run_id = run_id
        self._limits = limits
        self._transport = Transport(account, clock, limits)
        self._credential = self._made_credential(secrets)
        self._unanswered = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.close()

    # ── one call ───────────────────────────────────────────────────────────────────────────────────

    async def call(
        self,
        endpoint: str,
        check_id: str | None = None,
        *,
        due_at: datetime | None = None,
        until: float | None = None,
    ) -> Landed:
        """Ask once, with retries; what became of the last attempt, whatever its status.

        Raises AccountStopped (403, or 401 after a fresh token), RateLimited, PollingNotOffered,
        VendorUnavailable (no token to be had, or nobody answered several calls in a row), NoSlotInTime
        (`until` is running time), KeyError for an unknown endpoint, ValueError for an empty id, and whatever
        the sink raises.
        """
        ask = _Ask(self.vendor.endpoint(endpoint), self.url(endpoint, check_id), check_id, due_at)
        try:
            answer, landed = await self._asked(ask, until)
            self._conclude(ask, answer, landed)
        except VendorError as problem:
            self.gate.record(problem)
            raise
        return landed

    async def _asked(self, ask: _Ask, until: float | None) -> tuple[Answer, Landed]:
        tries, is_renewed = 0, False
        while True:
            answer, landed = await self._attempt(ask, until, is_renewed=is_renewed)
            is_refused = answer.http_status == 401
            is_renewed |= is_refused
            tries += not is_refused
            is_settled = not (is_refused or answer.is_throttled or answer.is_worth_retrying)
            if is_settled or ask.endpoint.is_destructive or tries > self._limits.retries:
                return answer, landed
            if answer.is_worth_retrying:
                await self._back_off(answer, tries)

    async def _attempt(self, ask: _Ask, until: float | None, *, is_renewed: bool) -> tuple[Answer, Landed]:
        self.gate.check_open()
        header = await self.authorization()
        async with self.gate.permit(until=until):
            answer = await self._transport.get(ask.url, header)
        landed = self._sink(self._exchange(ask, answer))
        self._judge(answer, header, is_renewed=is_renewed)
        return answer, landed

    async def _back_off(self, answer: Answer, tries: int) -> None:
        longest = self._limits.backoff * 2**tries
        asked = wire.retry_after(answer.headers, self._clock.now()) or 0.0
        await self._clock.asleep(max(self._limits.jitter(longest / 2, longest), min(asked, self._limits.patience)))

    def _exchange(self, ask: _Ask, answer: Answer) -> Exchange:
        return Exchange(
            response_id=new_response_id(answer.received_at, self._clock.monotonic()),
            vendor=self.vendor.slug,
            account=self.account.name,
            endpoint=ask.endpoint.name,
            subject=ask.endpoint.subject,
            check_id=ask.check_id,
            channel="feed" if ask.endpoint.is_destructive else "pull",
            requested_at=answer.requested_at,
            received_at=answer.received_at,
            http_status=answer.http_status,
            failure=answer.failure,
            headers=answer.headers,
            body=answer.body,
            latency_ms=answer.latency_ms,
            due_at=ask.due_at,
            run_id=self._run_id,
        )

    # ── the pieces that a detached fetcher needs too ───────────────────────────────────────────────

    def url(self, endpoint: str, check_id: str | None = None) -> str:
        """The address of a call. An id is one segment of the path, whatever is in it.

        Raises KeyError for an unknown endpoint, ValueError for an empty id where one is needed.
        """
        declared = self.vendor.endpoint(endpoint)
        path = self.account.paths.get(endpoint, declared.path)
        if "{id}" in path:
            path = path.replace("{id}", _segment(check_id))
        return self.account.base_url.rstrip("/") + path

    async def authorization(self) -> str:
        """The value of the `Authorization` header to send now; fetches a token where one is needed.

        Raises CredentialRefused, RateLimited or VendorUnavailable.
        """
        return await self._credential.header()

    def permit(self, *, until: float | None = None) -> AbstractAsyncContextManager[None]:
        """Hold a slot of the account while one call is made; see `Gate.permit`."""
        return self.gate.permit(until=until)

    def heed(self, http_status: int | None, headers: Mapping[str, str], header: str) -> None:
        """Draw the account's consequences from a call that somebody else sent with this `header`.

        Raises AccountStopped (403, or 401 with a secret that is no token) or RateLimited. After a 401 the
        next `authorization` fetches a new token.
        """
        now = self._clock.now()
        try:
            self._judge(Answer(now, now, 0, http_status, headers=headers), header, is_renewed=False)
        except VendorError as problem:
            self.gate.record(problem)
            raise

    # ── what an answer says about the account, the id, the vendor ──────────────────────────────────

    def _judge(self, answer: Answer, header: str, *, is_renewed: bool) -> None:
        if answer.is_throttled:
            self.gate.throttle(answer.headers)
        elif answer.http_status == 401:
            was_newest = self._credential.refuse(header)
            if was_newest and (is_renewed or not self._credential.is_renewable):
                raise self.gate.stopped("unauthorized", 401)
        elif answer.http_status == 403:  # the account is flagged as a whole, never the check
            raise self.gate.stopped("forbidden", 403)

    def _conclude(self, ask: _Ask, answer: Answer, landed: Landed) -> None:
        if answer.failure != _NO_ADDRESS:
            self._unanswered = self._unanswered + 1 if answer.http_status is None else 0
        if self._unanswered >= self._limits.unreachable_after:
            raise self.gate.unavailable("unreachable")
        if ask.endpoint.subject is not None and ask.check_id is not None:
            self._conclude_id(ask.endpoint.subject, ask.check_id, answer, landed)
        if not landed.is_accepted:
            self.gate.note(landed.reject or answer.failure or f"http_{answer.http_status}")

    def _conclude_id(self, subject: str, check_id: str, answer: Answer, landed: Landed) -> None:
        if answer.http_status in (405, 501):
            raise self.gate.not_offered(answer.http_status)
        if answer.http_status == 404:
            self.gate.missed(subject, check_id)
        elif landed.is_accepted:
            self.gate.found(subject, check_id)

    # ── many calls ─────────────────────────────────────────────────────────────────────────────────

    async def pull_all(self, pulls: Iterable[Pull], *, seconds: float | None = None) -> AccountOutcome:
        """Ask for each, in the order given (the most urgent first), `max_concurrency` at a time.

        Ends early, with the calls under way finished, when the account is stopped, silenced or unreachable,
        or when the next call could not start within `seconds`. Raises what the sink or the machine raises.
        """
        until = None if seconds is None else self._clock.monotonic() + seconds
        batch = _Batch(list(pulls), until)
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(self.account.max_concurrency, len(batch.pulls))):
                    workers.create_task(self._work(batch))
        except BaseExceptionGroup as problems:
            raise problems.exceptions[0] from None
        return batch.outcome(self.account)

    async def _work(self, batch: _Batch) -> None:
        while (place := batch.next(self._clock.monotonic())) is not None:
            pull = batch.pulls[place]
            endpoint = pull.endpoint or self.vendor.endpoint_for(pull.subject).name
            if endpoint in batch.not_offered:
                continue
            try:
                landed = await self.call(endpoint, pull.check_id, due_at=pull.due_at, until=batch.until)
                batch.kinds[place] = _kind(landed)
            except PollingNotOffered as problem:
                batch.not_offered[endpoint] = problem.code
            except NoSlotInTime:
                batch.end("deadline")
            except VendorError as problem:
                batch.end(problem.code, getattr(problem, "retry_after_seconds", None))

    # ── tokens ─────────────────────────────────────────────────────────────────────────────────────

    def _made_credential(self, secrets: Mapping[str, str]) -> Credential:
        auth = self.vendor.auth[self.account.auth]
        header = fixed_header(auth.scheme, secrets, auth.secrets)
        if header is not None:
            return FixedCredential(header)
        # W3: a vendor without a token URL of its own declares the call for tokens among the others.
        request = token_request(auth.scheme, secrets, self.account.token_url or self.url("auth_token"))
        return TokenCredential(lambda: self._grant(request), self._clock)

    async def _grant(self, request: TokenRequest) -> Grant:
        """A new token. It takes no slot: vendors limit the calls that tell of checks, not this one."""
        for tries in range(1, self._limits.retries + 2):
            await self.gate.quiet()
            answer = await self._transport.ask(request)
            if answer.is_throttled:
                self.gate.throttle(answer.headers)
            elif not answer.is_worth_retrying:
                return self._read_grant(answer)
            elif tries <= self._limits.retries:
                await self._back_off(answer, tries)
        raise self.gate.unavailable("token_unavailable")

    def _read_grant(self, answer: Answer) -> Grant:
        status = answer.http_status
        if status is not None and 400 <= status < 500:
            raise self.gate.stopped("unauthorized", status)
        try:
            return read_grant(answer.body if answer.failure is None else b"")
        except UnreadableGrant:
            raise self.gate.unavailable("token_unreadable", status) from None

    # ── doctor ─────────────────────────────────────────────────────────────────────────────────────

    async def probe(self) -> Probe:
        """Try the credential on an id that cannot exist. Lands nothing, stops nothing, raises no VendorError.

        Takes one slot; says `rate_limited` without a call while the account is silent.
        """
        endpoint = self.vendor.endpoint_for(self.vendor.default_subject)
        try:
            header = await self.authorization()
            async with self.gate.permit(is_trial=True):
                answer = await self._transport.get(self.url(endpoint.name, _NO_ID), header)
            self._judge(answer, header, is_renewed=True)
        except VendorError as problem:
            return _refused(problem)
        return _answered(answer)


def _refused(problem: VendorError) -> Probe:
    is_reachable = problem.http_status is not None
    is_accepted = False if isinstance(problem, AccountStopped) else None
    return Probe(problem.code, problem.http_status, is_reachable, is_accepted)


def _answered(answer: Answer) -> Probe:
    theirs = wire.instant(answer.headers.get("date", ""))
    offset = (theirs - answer.received_at).total_seconds() + 0.5 if theirs else None  # Date has whole seconds
    code = _code_of(answer)
    is_reachable = answer.http_status is not None
    return Probe(code, answer.http_status, is_reachable, True if code == "ok" else None, offset, answer.latency_ms)


def _code_of(answer: Answer) -> str:
    """`ok` where the vendor's interface saw the credential: of a page for people, or of a redirect, nobody knows."""
    if answer.failure is not None or answer.http_status is None:
        return answer.failure or "no_answer"
    if answer.http_status >= 500:
        return "server_error"
    return "html" if "html" in answer.headers.get("content-type", "").lower() else "ok"


@dataclass(frozen=True)
class _Ask:
    """One call about to be made."""

    endpoint: Endpoint
    url: str = field(repr=False)
    check_id: str | None
    due_at: datetime | None


class _Batch:
    """The pulls of one account, what came of them, and why they ended early if they did."""

    def __init__(self, pulls: list[Pull], until: float | None) -> None:
        self.pulls = pulls
        self.until = until
        self.kinds: dict[int, str] = {}
        self.not_offered: dict[str, str] = {}
        self._place = 0
        self._code: str | None = None
        self._retry_after: float | None = None

    def next(self, running: float) -> int | None:
        """The place of the next pull, unless the batch has ended."""
        if self.until is not None and running >= self.until and self._place < len(self.pulls):
            self.end("deadline")
        if self._code is not None or self._place == len(self.pulls):
            return None
        self._place += 1
        return self._place - 1

    def end(self, code: str, retry_after: float | None = None) -> None:
        """No further pull; the first reason counts."""
        if self._code is None:
            self._code, self._retry_after = code, retry_after

    def outcome(self, account: Account) -> AccountOutcome:
        return AccountOutcome(
            vendor=account.vendor,
            account=account.name,
            left_pulls=tuple(p for place, p in enumerate(self.pulls) if place not in self.kinds),
            code=self._code or next(iter(self.not_offered.values()), None),
            retry_after_seconds=self._retry_after,
            **Counter(self.kinds.values()),
        )


def _kind(landed: Landed) -> str:
    if landed.is_accepted:
        return "accepted"
    if landed.reject is not None:
        return "rejected"
    return "missing" if landed.http_status == 404 else "failed"


def _segment(check_id: str | None) -> str:
    """An id as one segment of a path, that cannot be taken for a step up."""
    if not check_id:
        raise ValueError("an id is needed")
    return "%2E" * len(check_id) if check_id in (".", "..") else quote(check_id, safe="")


# ── the wire ───────────────────────────────────────────────────────────────────────────────────────


class Transport:
    """Single requests to the hosts of one account: bounded in time and size, never redirected."""

    def __init__(self, account: Account, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._client = httpx.AsyncClient(
            headers={"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": _user_agent()},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            limits=httpx.Limits(max_connections=account.max_concurrency + 1, keepalive_expiry=limits.keep_alive),
            timeout=None,  # noqa: S113  httpx knows no total; `send` keeps one over all of it
            trust_env=limits.is_proxied,
            verify=_trust(account),
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def get(self, url: str, header: str) -> Answer:
        """One call with this `Authorization`; none where the id makes an address that is too long for any."""
        try:
            request = self._client.build_request("GET", url, headers=[(b"Authorization", header.encode())])
        except httpx.InvalidURL:
            now = self._clock.now()
            return Answer(now, now, 0, failure=_NO_ADDRESS)
        return await self._send(request)

    async def ask(self, request: TokenRequest) -> Answer:
        """One call for a token. Its URL may hold a secret."""
        url = httpx.URL(request.url).copy_merge_params(dict(request.params))
        return await self._send(self._client.build_request(request.method, url, json=request.json))

    async def _send(self, request: httpx.Request) -> Answer:
        requested_at, started = self._clock.now(), self._clock.monotonic()
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
    """Why there was no usable answer, as a code."""
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


def _silence_library_logs() -> None:
    """A token request's URL and every Authorization are secret; httpx logs URLs, httpcore headers."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(lambda _record: False)


_silence_library_logs()
