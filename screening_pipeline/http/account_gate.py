"""The circuit breaker of an account: whether a call is allowed now, and what its answers mean for the next calls.

The account's state is shared: a silence or a stop that one process learns of holds for all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from screening_pipeline.base.clock import Clock
from screening_pipeline.base.errors import (
    AccountStopped,
    CredentialRefused,
    PollingNotOffered,
    RateLimited,
    VendorError,
    VendorUnavailable,
)
from screening_pipeline.domain.conduct import LimitHeaders
from screening_pipeline.http import wire
from screening_pipeline.settings.account import Account
from screening_pipeline.state.accounts import AccountState
from screening_pipeline.state.interface import Store
from screening_pipeline.state.rate_limit import Limiter

MISSING_BEFORE_DOUBT = 3
NOTED_EVERY_SECONDS = 10.0


class Withheld(Exception):
    """A call was given up at the last moment, for its account was told to be silent, or stopped; nothing was sent."""


def reason_to_wait(state: Store, account: Account, environ: Mapping[str, str], clock: Clock) -> str | None:
    """The reason not to pull the account now (silence, stop, outage, missing secret); None if there is none."""
    unset = account.missing_secrets(environ)
    if unset:
        return f"unset: {', '.join(unset)}"
    return state.account(account.vendor, account.name, clock).reason_to_wait(clock.now())


class CircuitBreaker:
    """The circuit breaker of one account. `patience`: the longest silence, in seconds, that is waited out.

    `cool_down`: the silence, in seconds, after a 429 that does not say how long. `limit_headers`: where answers tell
    how the rate limit stands.
    """

    def __init__(
        self,
        account: Account,
        limiter: Limiter,
        clock: Clock,
        *,
        patience: float,
        cool_down: float,
        limit_headers: LimitHeaders | None = None,
    ) -> None:
        self.patience = patience
        self._limit = account.requests_per_minute
        self._limit_headers = limit_headers
        self._account = account
        self._names = (account.vendor, account.name)
        self._limiter = limiter
        self._state = limiter.state
        self._clock = clock
        self._cool_down = cool_down
        self._is_answer_noted = False
        self._success_noted_at: float | None = None

    @property
    def known(self) -> AccountState:
        """The account's state as shared by all processes."""
        return self._state.account(*self._names, self._clock)

    # ── before a call ──────────────────────────────────────────────────────────────────────────────

    def check_open(self) -> None:
        """Raises AccountStopped while the account's circuit is open."""
        code = self.known.stopped_code
        if code is not None:
            raise self.stopped(code)

    @property
    def is_silent(self) -> bool:
        """Whether nothing at all may be sent now."""
        return self.known.silent_seconds > 0

    @property
    def is_closed(self) -> bool:
        """Whether no call about a check may be sent now. To be asked last, right before the bytes go out."""
        known = self.known
        return known.silent_seconds > 0 or known.stopped_code is not None

    async def quiet(self) -> None:
        """Wait until the account's silence is over. Raises RateLimited where that exceeds `patience`."""
        while (seconds := self.known.silent_seconds) > 0:
            if seconds > self.patience:
                raise self._rate_limited(seconds)
            await self._clock.asleep(seconds)

    @asynccontextmanager
    async def permit(self, *, until: float | None = None, is_trial: bool = False) -> AsyncIterator[None]:
        """Async context manager: holds one slot of the rate limit during a call. A trial ignores an open circuit.

        Raises AccountStopped, RateLimited, and NoSlotInTime (`until` is running time). What is Withheld costs no slot.
        """
        while True:
            await self.quiet()
            async with self._limiter.slot(*self._names, self._limit, until=until) as slot:
                slot.is_used = False
                if not is_trial:
                    self.check_open()
                if self.is_silent:  # another call was throttled while we waited
                    continue
                slot.is_used = True
                try:
                    yield
                except Withheld:
                    slot.is_used = False
                    raise
                return

    # ── after an answer ────────────────────────────────────────────────────────────────────────────

    def hush(self, http_status: int | None, headers: Mapping[str, str]) -> float:
        """Leave the account alone, in all processes, for the seconds that an answer's head wants it; 0.0 for none."""
        self._heed_limit(headers)
        seconds = wire.silence(
            http_status, headers, self._clock.now(), cool_down=self._cool_down, names=self._limit_headers
        )
        if seconds is None:
            return 0.0
        self._state.silence(*self._names, seconds, self._clock)
        self.note(RateLimited.code if http_status in (403, 429) else VendorUnavailable.code)
        return seconds

    def _heed_limit(self, headers: Mapping[str, str]) -> None:
        """Keep to the limit that an answer tells where it is stricter, and leave others the calls that they made."""
        if self._limit_headers is None:
            return
        told = wire.told_limit(headers, self._limit_headers, self._clock.now())
        self._limit = min(self._account.requests_per_minute, told.limit or self._account.requests_per_minute)
        if told.remaining is not None and told.seconds is not None:
            self._limiter.leave(*self._names, self._limit, remaining=told.remaining, seconds=told.seconds)

    def throttle(self, http_status: int | None, headers: Mapping[str, str]) -> None:
        """The same for an answer that is there in full. Raises RateLimited where that outlasts our patience."""
        seconds = self.hush(http_status, headers)
        if seconds > self.patience:
            raise self._rate_limited(seconds)

    def record(self, problem: VendorError) -> None:
        """Record an error in the shared state; a stopped account stays stopped until it is resumed."""
        is_stop = isinstance(problem, AccountStopped)
        if isinstance(problem, RateLimited) or (is_stop and problem.http_status is None):
            return  # known already
        if is_stop:
            self._state.stop(*self._names, problem.code, self._clock)
        self.note(problem.code)

    def note(self, code: str) -> None:
        """Record the account's last error by its code."""
        self._success_noted_at = None
        self._state.note_error(*self._names, code, self._clock)

    def succeeded(self) -> None:
        """Record that an answer could be read: after an error at once, else now and then."""
        now = self._clock.monotonic()
        if self._success_noted_at is None or now - self._success_noted_at >= NOTED_EVERY_SECONDS:
            self._success_noted_at = now
            self._state.note_success(*self._names, self._clock)

    def found(self, subject: str, check_id: str) -> None:
        """Record that the vendor knows this id: its count of 404s is reset."""
        self._state.forget_not_found(*self._names, subject, check_id)
        if not self._is_answer_noted:
            self._state.note_answered(*self._names, self._clock)
            self._is_answer_noted = True

    def missed(self, subject: str, check_id: str) -> None:
        """Record a 404 for this id.

        Where it never knew any, it offers no polling, or the account is not the one we think. # K9
        """
        self._state.count_not_found(*self._names, subject, check_id, self._clock)
        known = self.known
        if known.answered_at is None and known.no_polling_at is None:
            missing = self._state.not_found(*self._names, at_least=1)
            if len(missing) >= MISSING_BEFORE_DOUBT:
                self._state.note_no_polling(*self._names, self._clock)

    def not_offered(self, http_status: int) -> PollingNotOffered:
        """Record that the vendor does not implement this call; the error to raise. # K9: polling is optional."""
        self._state.note_no_polling(*self._names, self._clock)
        return PollingNotOffered(*self._names, http_status=http_status)

    # ── what is raised ─────────────────────────────────────────────────────────────────────────────

    def stopped(self, code: str, http_status: int | None = None) -> AccountStopped:
        """The AccountStopped error; without `http_status` for an account that was stopped before this call."""
        kind = AccountStopped if code == "forbidden" else CredentialRefused
        return kind(*self._names, code=code, http_status=http_status)

    def unavailable(self, code: str, http_status: int | None = None) -> VendorUnavailable:
        """The VendorUnavailable error with this code."""
        return VendorUnavailable(*self._names, code=code, http_status=http_status)

    def _rate_limited(self, seconds: float) -> RateLimited:
        is_maintenance = self.known.last_error == VendorUnavailable.code
        code, status = (VendorUnavailable.code, 503) if is_maintenance else (RateLimited.code, 429)
        return RateLimited(*self._names, retry_after_seconds=seconds, code=code, http_status=status)
