"""Account findings of `doctor`: secrets, a probe call, the clock, the rate limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn, Protocol
from urllib.parse import urlsplit

from screening_pipeline.base.clock import VARIABLE as NOW_VARIABLE
from screening_pipeline.base.clock import Clock
from screening_pipeline.base.errors import MissingSecret, ScreeningError
from screening_pipeline.cli.findings import Finding
from screening_pipeline.domain.exchange import HttpExchange
from screening_pipeline.settings.account import Account
from screening_pipeline.settings.settings import Settings
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline.vendors import vendor

if TYPE_CHECKING:
    from screening_pipeline.cli.findings import Level
    from screening_pipeline.http.client import AccountClient


_OFFSET_SECONDS = 5.0  # a Date header tells whole seconds, and an answer takes its time


class Probed(Protocol):
    """The interface of a probe's result; `screening_pipeline.http.probe.Probe` implements it.

    `code` is a word for how it went, `is_accepted` whether the credential was (None where the answer does not
    tell), `clock_offset_seconds` how far the server's clock is ahead of ours (None where it did not say).
    """

    @property
    def code(self) -> str: ...
    @property
    def is_reachable(self) -> bool: ...
    @property
    def is_accepted(self) -> bool | None: ...
    @property
    def clock_offset_seconds(self) -> float | None: ...


Probe = Callable[[Account, Mapping[str, str]], Awaitable[Probed]]
"""(account, its secrets by role) → what one harmless call told; may raise ScreeningError."""


def client_probe(limiter: Limiter, clock: Clock, *, is_proxied: bool = False) -> Probe:
    """The probe function that makes one real call, within the account's limit, even if its circuit is open.

    An account that is accepted again is noted to be: who has mended it need not wait until a check of it is due.
    """

    async def probe(account: Account, secrets: Mapping[str, str]) -> Probed:
        async with probing_client(account, secrets, limiter, clock, is_proxied=is_proxied) as client:
            answer = await client.probe()
        if answer.is_accepted:
            limiter.state.resume(account.vendor, account.name)
            limiter.state.note_success(account.vendor, account.name, clock)
        return answer

    return probe


def probing_client(
    account: Account, secrets: Mapping[str, str], limiter: Limiter, clock: Clock, *, is_proxied: bool = False
) -> AccountClient:
    """A client whose calls land nothing; `secrets` by role."""
    # Here, since it brings httpx, which nothing else in this module needs.
    from screening_pipeline.http.client import AccountClient
    from screening_pipeline.http.transport import Limits

    return AccountClient(
        account,
        vendor(account.vendor),
        secrets=secrets,
        limiter=limiter,
        clock=clock,
        sink=_nothing_lands,
        run_id="doctor",
        limits=Limits(is_proxied=is_proxied),
    )


async def _nothing_lands(exchange: HttpExchange) -> NoReturn:
    raise AssertionError(f"a probe of {exchange.vendor}/{exchange.account} is no answer about a check")


def fixed_instant(environ: Mapping[str, str]) -> str:
    """The value of SCREENING_NOW (a frozen clock) as written; empty where it is not set."""
    return environ.get(NOW_VARIABLE, "").strip()


def account_findings(
    settings: Settings,
    environ: Mapping[str, str],
    probe: Probe,
    used_last_minute: Callable[[Account], int],
) -> Iterator[Finding]:
    """The findings about each account: secrets, a probe call, its clock, its rate limit."""
    answers = _answers(settings.accounts, environ, probe)
    for account in settings.accounts:
        yield from _secrets(account, environ)
        if account.key in answers:
            yield from _judged(account, answers[account.key], environ)
        yield _budget(account, used_last_minute(account))


def _secrets(account: Account, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Pulling needs its secrets; without those for pushed updates the receiver answers 503."""
    needed = account.roles or tuple(account.secret_names)  # who is only pushed to has no use for others
    unset = set()
    for role, variable in account.secret_names.items():
        try:
            account.secret(role, environ)
        except MissingSecret as missing:
            unset.add(role)
            level: Level = "fail" if role in needed else "warn"
            fix = f"export {variable}=…, or delete the account" if level == "fail" else f"export {variable}=…"
            yield Finding(f"{account.key} {role}", level, missing.problems[0], fix)
    if unset.isdisjoint(needed):
        yield Finding(f"{account.key} secret", "ok", ", ".join(account.secret_names[role] for role in needed) or "none")


def _answers(
    accounts: Sequence[Account], environ: Mapping[str, str], probe: Probe
) -> dict[str, Probed | ScreeningError]:
    """The probes' results, all accounts probed at once; accounts that cannot be called are left out."""
    import asyncio

    async def asked(account: Account) -> Probed | ScreeningError:
        try:
            return await probe(account, account.secrets(environ))
        except ScreeningError as error:
            return error

    async def all_asked() -> dict[str, Probed | ScreeningError]:
        found = await asyncio.gather(*(asked(account) for account in able))
        return {account.key: answer for account, answer in zip(able, found, strict=True)}

    able = [account for account in accounts if account.is_callable(environ)]
    return asyncio.run(all_asked())


def _judged(account: Account, answer: Probed | ScreeningError, environ: Mapping[str, str]) -> Iterator[Finding]:
    host = urlsplit(account.base_url).hostname
    if isinstance(answer, ScreeningError) or not answer.is_reachable:
        fix = "check base_url, the network, and http.proxies_from_environment"
        yield Finding(f"{account.key} host", "fail", f"{host} gave no answer ({answer.code})", fix)
        return
    yield Finding(f"{account.key} host", "ok", f"{host} answers")
    yield _credential(account, answer)
    if answer.clock_offset_seconds is not None and not fixed_instant(environ):
        yield _offset(account, answer.clock_offset_seconds)


def _credential(account: Account, answer: Probed) -> Finding:
    name = f"{account.key} credential"
    if answer.is_accepted:
        return Finding(name, "ok", "accepted")
    if answer.is_accepted is None:
        message = f"the answer does not tell whether it is accepted ({answer.code})"
        return Finding(name, "warn", message, "see whether a sync works")
    variables = ", ".join(account.secret_names[role] for role in account.roles)
    fix = f"renew {variables}, and see that base_url is of the same environment"
    return Finding(name, "fail", f"refused ({answer.code})", fix)


def stranger(account: Account) -> Finding:
    """The finding about an account whose every id was answered with 404 or 405."""
    message = "every id it was ever asked for was answered with 404 or 405"
    fix = "see that base_url and environment are those of the orders; polling = false where its vendor only pushes"
    return Finding(f"{account.key} ids", "warn", message, fix)


def _offset(account: Account, seconds: float) -> Finding:
    name = f"{account.key} clock"
    if abs(seconds) <= _OFFSET_SECONDS:
        return Finding(name, "ok", f"within {_OFFSET_SECONDS:.0f} s of the vendor's")
    side = "behind" if seconds > 0 else "ahead of"
    return Finding(name, "warn", f"{abs(seconds):,.0f} s {side} the vendor's", "let NTP set this machine's clock")


def _budget(account: Account, used: int) -> Finding:
    name, limit = f"{account.key} budget", account.requests_per_minute
    message = f"{used} of {limit} requests used in the last minute"
    declared = vendor(account.vendor)
    # The bundled sandbox has no limit, whatever the vendors publish.
    if declared.is_limit_published and limit > declared.requests_per_minute and not account.is_bundled:
        over = f"{message}; {declared.title} publishes {declared.requests_per_minute}"
        return Finding(name, "warn", over, f"requests_per_minute = {declared.requests_per_minute}")
    return Finding(name, "ok", message)
