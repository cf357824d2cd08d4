"""One HTTP client that any vendor drives: authentication, limits, retries, guards. The only user of httpx.

Every attempt is handed to the sink, which makes it durable, before anything is concluded from it. Nothing of
an answer, a URL or a credential gets into an exception or a log: both carry codes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from screening_pipeline.base.clock import Clock
from screening_pipeline.base.errors import PollingNotOffered, VendorError
from screening_pipeline.domain.declaration import Endpoint, Vendor
from screening_pipeline.domain.exchange import HttpExchange, LandingReceipt, new_response_id
from screening_pipeline.http.account_gate import CircuitBreaker, Withheld
from screening_pipeline.http.batch import Batch, kind_of
from screening_pipeline.http.credentials import (
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
from screening_pipeline.http.probe import answered, refused, words_of
from screening_pipeline.http.transport import DEFAULT_LIMITS, NO_ADDRESS, Answer, Transport, silence_library_logs
from screening_pipeline.settings.account import Account
from screening_pipeline.state.rate_limit import Limiter, NoSlotInTime

if TYPE_CHECKING:
    from screening_pipeline.domain.conduct import WordList
    from screening_pipeline.http.batch import AccountOutcome, Pull
    from screening_pipeline.http.probe import Probe
    from screening_pipeline.http.transport import Limits


Sink = Callable[[HttpExchange], Awaitable[LandingReceipt]]

_NO_ID = "screening-pipeline-doctor"


def _ignore(_pull: Pull) -> None:
    """Who is told of what is settled where nobody asks."""


class AccountClient:
    """The HTTP client of one account for one run; an async context manager.

    `secrets` holds the values by role, as the vendor's `Auth` names them. The shared state is the limiter's. `gate` is
    the account's circuit breaker.
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
        self.gate = CircuitBreaker(
            account,
            limiter,
            clock,
            patience=limits.patience,
            cool_down=vendor.cool_down_seconds,
            limit_headers=vendor.limit_headers,
        )
        if limits.deadline > limiter.deadline_seconds:
            raise ValueError("a call may not take longer than the limiter keeps a slot for it")
        self._clock = clock
        self._sink = sink
        self._run_id = run_id
        self._limits = limits
        self._transport = Transport(account, clock, limits, heard=self.gate.hush)
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
    ) -> LandingReceipt:
        """Make one call with retries; the receipt of its last attempt, whatever its status.

        Raises AccountStopped (403, or 401 after a fresh token), RateLimited, PollingNotOffered,
        VendorUnavailable (no token to be had, or nobody answered several calls in a row), NoSlotInTime
        (`until` is running time), KeyError for an unknown endpoint, ValueError for an empty id, and whatever
        the sink raises.
        """
        ask = _Ask(self.vendor.endpoint(endpoint), self.url(endpoint, check_id), check_id, due_at)
        _, landed = await self._called(ask, until)
        return landed

    async def page(self, endpoint: str, query: str, *, until: float | None = None) -> tuple[LandingReceipt, bytes]:
        """Make one call of a list with this query; its receipt, and the body, for whoever turns the pages.

        Raises what `call` raises.
        """
        url = self.url(endpoint)
        if query:
            url += f"{'&' if '?' in url else '?'}{query}"
        answer, landed = await self._called(_Ask(self.vendor.endpoint(endpoint), url, None, None), until)
        return landed, answer.body

    async def _called(self, ask: _Ask, until: float | None) -> tuple[Answer, LandingReceipt]:
        try:
            answer, landed = await self._asked(ask, until)
            self._conclude(ask, answer, landed)
        except VendorError as problem:
            self.gate.record(problem)
            raise
        return answer, landed

    async def _asked(self, ask: _Ask, until: float | None) -> tuple[Answer, LandingReceipt]:
        tries, is_renewed = 0, False
        while True:
            answer, landed = await self._attempt(ask, until, is_renewed=is_renewed)
            is_refused = answer.http_status == 401
            is_renewed |= is_refused
            tries += not is_refused
            is_settled = not (is_refused or answer.is_throttled or answer.is_worth_retrying)
            if is_settled or ask.endpoint.is_destructive or tries > self._limits.retries:
                return answer, landed
            if answer.is_worth_retrying and not answer.is_throttled:  # a silence is waited out anyway
                await self._back_off(tries)

    async def _attempt(self, ask: _Ask, until: float | None, *, is_renewed: bool) -> tuple[Answer, LandingReceipt]:
        answer, header = await self._sent(ask, until)
        landed = await self._sink(self._exchange(ask, answer))
        self._judge(answer, header, is_renewed=is_renewed)
        return answer, landed

    async def _sent(self, ask: _Ask, until: float | None) -> tuple[Answer, str]:
        """The answer to a call, and the `Authorization` that it was sent with."""
        while True:
            self.gate.check_open()
            header = await self.authorization()
            with suppress(Withheld):  # what closed the way is raised, or waited for, above
                async with self.gate.permit(until=until):
                    return await self._transport.get(ask.url, header, lambda: self.gate.is_closed), header

    async def _back_off(self, tries: int) -> None:
        longest = self._limits.backoff * 2**tries
        await self._clock.asleep(self._limits.jitter(longest / 2, longest))

    def _exchange(self, ask: _Ask, answer: Answer) -> HttpExchange:
        return HttpExchange(
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
        """The URL of a call. An id is escaped into one segment of the path.

        Raises KeyError for an unknown endpoint, ValueError for an empty id where one is needed.
        """
        declared = self.vendor.endpoint(endpoint)
        return self._url(self.account.paths.get(endpoint, declared.path), check_id)

    def _url(self, path: str, check_id: str | None) -> str:
        if "{id}" in path:
            path = path.replace("{id}", _segment(check_id))
        return self.account.base_url.rstrip("/") + path

    async def authorization(self) -> str:
        """The value of the `Authorization` header to send now; fetches a token where one is needed.

        Raises CredentialRefused, RateLimited or VendorUnavailable.
        """
        return await self._credential.header()

    def permit(self, *, until: float | None = None) -> AbstractAsyncContextManager[None]:
        """Hold a slot of the account's rate limit during a call; see `Gate.permit`."""
        return self.gate.permit(until=until)

    def heed(self, http_status: int | None, headers: Mapping[str, str], header: str) -> None:
        """Apply an answer's consequences to the account, for a call that another process sent with this `header`.

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
            self.gate.throttle(answer.http_status, answer.headers)
        elif answer.http_status == 401:
            was_newest = self._credential.refuse(header)
            if was_newest and (is_renewed or not self._credential.is_renewable):
                raise self.gate.stopped("unauthorized", 401)
        elif answer.http_status == 403:  # the account is flagged as a whole, never the check
            raise self.gate.stopped("forbidden", 403)

    def _conclude(self, ask: _Ask, answer: Answer, landed: LandingReceipt) -> None:
        if answer.failure != NO_ADDRESS:
            self._unanswered = self._unanswered + 1 if answer.http_status is None else 0
        if self._unanswered >= self._limits.unreachable_after:
            raise self.gate.unavailable("unreachable")
        if ask.endpoint.subject is not None and ask.check_id is not None:
            self._conclude_id(ask.endpoint.subject, ask.check_id, answer, landed)
        if landed.is_accepted:
            self.gate.succeeded()
        else:
            self.gate.note(landed.reject or answer.failure or f"http_{answer.http_status}")

    def _conclude_id(self, subject: str, check_id: str, answer: Answer, landed: LandingReceipt) -> None:
        if answer.http_status in (405, 501):
            raise self.gate.not_offered(answer.http_status)
        if answer.http_status == 404:
            self.gate.missed(subject, check_id)
        elif landed.is_accepted:
            self.gate.found(subject, check_id)

    # ── many calls ─────────────────────────────────────────────────────────────────────────────────

    async def pull_all(
        self, pulls: Iterable[Pull], *, seconds: float | None = None, settled: Callable[[Pull], object] = _ignore
    ) -> AccountOutcome:
        """Make all pulls, in the order given (the most urgent first), `max_concurrency` at a time.

        `settled` is called for each pull that is settled.

        Ends early, with the calls under way finished, when the account is stopped, silenced or unreachable,
        or when the next call could not start within `seconds`. Raises what the sink or the machine raises.
        """
        until = None if seconds is None else self._clock.monotonic() + seconds
        batch = Batch(list(pulls), until)
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(self.account.max_concurrency, len(batch.pulls))):
                    workers.create_task(self._work(batch, settled))
        except BaseExceptionGroup as problems:
            raise problems.exceptions[0] from None
        return batch.outcome(self.account)

    async def _work(self, batch: Batch, settled: Callable[[Pull], object]) -> None:
        while (place := batch.next(self._clock.monotonic())) is not None:
            pull = batch.pulls[place]
            endpoint = pull.endpoint or self.vendor.endpoint_for(pull.subject).name
            if endpoint in batch.not_offered:
                continue
            try:
                landed = await self.call(endpoint, pull.check_id, due_at=pull.due_at, until=batch.until)
                batch.kinds[place] = kind_of(landed)
                settled(pull)
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
            answer = await self._asked_for_token(request)
            if answer.is_throttled:
                self.gate.throttle(answer.http_status, answer.headers)
            elif not answer.is_worth_retrying:
                return self._read_grant(answer)
            elif tries <= self._limits.retries:
                await self._back_off(tries)
        raise self.gate.unavailable("token_unavailable")

    async def _asked_for_token(self, request: TokenRequest) -> Answer:
        while True:
            await self.gate.quiet()
            with suppress(Withheld):
                return await self._transport.ask(request, lambda: self.gate.is_silent)

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
            return answered(await self._looked(self.url(endpoint.name, _NO_ID)))
        except VendorError as problem:
            return refused(problem)

    async def offered(self, words: WordList, check_id: str) -> tuple[str, ...]:
        """The adjudication words that the account offers for a check; none where it does not say.

        Like a probe it takes one slot and lands nothing. Raises VendorError.
        """
        answer = await self._looked(self._url(words.path, check_id))
        return words_of(answer.body, words.keys) if answer.http_status == 200 else ()

    async def _looked(self, url: str) -> Answer:
        header = await self.authorization()
        answer = await self._tried(url, header)
        self._judge(answer, header, is_renewed=True)
        return answer

    async def _tried(self, url: str, header: str) -> Answer:
        while True:
            with suppress(Withheld):
                async with self.gate.permit(is_trial=True):
                    return await self._transport.get(url, header, lambda: self.gate.is_silent)


@dataclass(frozen=True)
class _Ask:
    """One call about to be made."""

    endpoint: Endpoint
    url: str = field(repr=False)
    check_id: str | None
    due_at: datetime | None


def _segment(check_id: str | None) -> str:
    """An id as one segment of a path, that cannot be taken for a step up."""
    if not check_id:
        raise ValueError("an id is needed")
    return "%2E" * len(check_id) if check_id in (".", "..") else quote(check_id, safe="")


# ── the wire ───────────────────────────────────────────────────────────────────────────────────────


silence_library_logs()
