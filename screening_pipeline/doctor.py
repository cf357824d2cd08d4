"""Is everything in place? Configuration, secrets, hosts, clocks, budgets, warehouse, disk, permissions.

Each finding is one line with the fix. What needs the network, the state or the warehouse is passed in,
so the questions asked here can be put to a server on loopback. No finding holds a secret.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn, Protocol
from urllib.parse import urlsplit

from screening_pipeline.clock import VARIABLE as NOW_VARIABLE
from screening_pipeline.clock import Clock
from screening_pipeline.errors import LockHeld, MissingSecret, ScreeningError
from screening_pipeline.exchange import Exchange
from screening_pipeline.intake import ENDINGS, not_manifests
from screening_pipeline.limiter import Limiter
from screening_pipeline.pseudonym import known_landing_key, known_pseudonym_key
from screening_pipeline.settings import Account, Settings
from screening_pipeline.vendors import vendor

Level = Literal["ok", "warn", "fail"]

_LOW_BYTES = 1_000_000_000
_TOO_LOW_BYTES = 100_000_000
_OFFSET_SECONDS = 5.0  # a Date header tells whole seconds, and an answer takes its time


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `fix` says what to do about it and is empty where nothing is to be done."""

    name: str
    level: Level
    message: str
    fix: str = ""


class Probed(Protocol):
    """What one harmless call told of an account; `screening_pipeline.client.Probe` is one.

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
    """The probe that asks as a sync would, within the account's limit, also where a run was stopped."""
    # Here, since it brings httpx, which nothing else in this module needs.
    from screening_pipeline.client import AccountClient, Limits

    async def probe(account: Account, secrets: Mapping[str, str]) -> Probed:
        asked = AccountClient(
            account,
            vendor(account.vendor),
            secrets=secrets,
            limiter=limiter,
            clock=clock,
            sink=_nothing_lands,
            run_id="doctor",
            limits=Limits(is_proxied=is_proxied),
        )
        async with asked as client:
            return await client.probe()

    return probe


def _nothing_lands(exchange: Exchange) -> NoReturn:
    raise AssertionError(f"a probe of {exchange.vendor}/{exchange.account} is no answer about a check")


def diagnose(
    settings: Settings,
    environ: Mapping[str, str],
    clock: Clock,
    *,
    probe: Probe,
    used_last_minute: Callable[[Account], int],
    inspect_warehouse: Callable[[Settings], str],
    knows_none: Callable[[Account], bool] = lambda _: False,
    free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
) -> list[Finding]:
    """Every finding, the general ones first, then account by account in the order of the configuration.

    `inspect_warehouse` says in a few words what it found, or raises ScreeningError. `free_bytes` is asked
    about a folder that exists, `knows_none` whether a vendor answered 404 for every id of an account so far.
    """
    return [
        _configuration(settings),
        _time(environ, clock),
        *_folders(settings),
        *_private_files(settings),
        *_not_manifests(settings),
        _disk(settings, free_bytes),
        _warehouse(settings, inspect_warehouse),
        *_erasure(settings),
        *_keys(settings, environ),
        *_accounts(settings, environ, probe, used_last_minute),
        *(_stranger(account) for account in settings.accounts if account.polling and knows_none(account)),
    ]


def exit_code(findings: Sequence[Finding]) -> int:
    """1 where anything failed, else 0; a warning does not keep a sync from its work."""
    return int(any(finding.level == "fail" for finding in findings))


# ── the machine ────────────────────────────────────────────────────────────────────────────────────


def _configuration(settings: Settings) -> Finding:
    if settings.config_path is None:
        message = "no screening.toml here: the bundled sandbox is the only set of accounts"
        return Finding("configuration", "ok", message, "screening-pipeline init writes one")
    return Finding("configuration", "ok", f"{settings.config_path}: {len(settings.accounts)} accounts")


def _time(environ: Mapping[str, str], clock: Clock) -> Finding:
    if not _fixed_instant(environ):
        return Finding("clock", "ok", "the machine's")
    message = f"stands still at {clock.now():%Y-%m-%dT%H:%M:%SZ}"
    return Finding("clock", "warn", message, f"unset {NOW_VARIABLE}, unless this is a replay")


def _fixed_instant(environ: Mapping[str, str]) -> str:
    return environ.get(NOW_VARIABLE, "").strip()


def _folders(settings: Settings) -> Iterator[Finding]:
    for folder, mode in settings.paths.folders().items():
        name = f"folder {folder.name}"
        if not folder.exists():
            yield _folder_to_be(folder, name)
        elif not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            yield Finding(name, "fail", "cannot be written", f"make it a folder of this user: {folder}")
        elif mode == stat.S_IRWXU and _is_open_to_others(folder) and _holds_data(folder):
            yield Finding(name, "warn", "others can read people's data in it", f"chmod 700 {folder}")
        else:
            is_private = not _is_open_to_others(folder)
            yield Finding(name, "ok", "writable, by this user only" if is_private else "writable")


def _folder_to_be(folder: Path, name: str) -> Finding:
    above = _existing(folder)
    if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
        return Finding(name, "ok", "not there yet; made when it is needed")
    return Finding(name, "fail", "is not there and cannot be made", f"give this user write access to {above}")


def _holds_data(folder: Path) -> bool:
    """Whether anybody's data is in it.

    In a fresh clone git has made the folder of orders, for all to read; the bundled sandbox's orders are of nobody.
    """
    return any(not path.name.startswith((".", "sandbox-")) for path in folder.iterdir())


def _private_files(settings: Settings) -> Iterator[Finding]:
    paths = settings.paths
    for file in (paths.warehouse, paths.state, paths.pseudonym_key, paths.spool_key):
        if file.exists() and _is_open_to_others(file):
            yield Finding(f"file {file.name}", "warn", "others can read it", f"chmod 600 {file}")


def _not_manifests(settings: Settings) -> Iterator[Finding]:
    names = not_manifests(settings.paths.orders)
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        fix = f"only {', '.join(ENDINGS)} in the folder itself are read: convert, unpack or move them"
        yield Finding("orders", "warn", f"nobody reads {', '.join(names[:3])}{more}", fix)


def _is_open_to_others(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _disk(settings: Settings, free_bytes: Callable[[Path], int]) -> Finding:
    free = free_bytes(_existing(settings.data_dir))
    message = f"{free / 1e9:,.1f} GB free"
    if free < _TOO_LOW_BYTES:
        return Finding("disk", "fail", message, "make room: feeds that forget are not read on a full disk")
    if free < _LOW_BYTES:
        return Finding("disk", "warn", message, "make room, or set privacy.keep_raw_days")
    return Finding("disk", "ok", message)


def _existing(path: Path) -> Path:
    return next(above for above in (path, *path.parents) if above.exists())


def _warehouse(settings: Settings, inspect: Callable[[Settings], str]) -> Finding:
    if settings.engine == "duckdb" and not settings.paths.warehouse.exists():
        return Finding("warehouse", "ok", "not there yet; the first sync makes it")
    try:
        return Finding("warehouse", "ok", inspect(settings))
    except LockHeld as held:
        return Finding("warehouse", "warn", str(held), "wait for that run, then ask again")
    except ScreeningError as error:
        fix = "restore it, or move it away and run screening-pipeline rebuild"
        return Finding("warehouse", "fail", str(error), fix)


def _erasure(settings: Settings) -> Iterator[Finding]:
    if settings.paths.erasure_intent.exists():
        message = "begun and not finished: somebody who is to be forgotten is still there"
        fix = "screening-pipeline sync finishes it, as whatever writes does, or says why it cannot"
        yield Finding("erasure", "warn", message, fix)


def _keys(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    yield _key("pseudonym key", settings.privacy.pseudonym_key_env, lambda: _pseudonym_key(settings, environ))
    landing = settings.privacy.landing_key_env
    if landing is not None:
        yield _key("landing key", landing, lambda: _landing_key(landing, settings, environ))


def _key(name: str, variable: str, judged: Callable[[], Finding]) -> Finding:
    try:
        return judged()
    except ScreeningError as error:
        fix = f"export {variable}=…, the key in use; for a new data folder openssl rand -hex 32 makes one"
        return Finding(name, "fail", str(error), fix)


def _pseudonym_key(settings: Settings, environ: Mapping[str, str]) -> Finding:
    variable, kept = settings.privacy.pseudonym_key_env, settings.paths.pseudonym_key
    key = known_pseudonym_key(settings, environ)
    if key is None:
        return Finding("pseudonym key", "ok", "made when needed")
    if not environ.get(variable, "").strip():
        return Finding("pseudonym key", "ok", "kept in the data folder")
    if kept.exists() and kept.read_bytes().strip() != key:
        message = f"{variable} differs from the key kept in the data folder, and is the one in use"
        return Finding("pseudonym key", "warn", message, f"keep a copy of {kept} elsewhere, and remove it here")
    return Finding("pseudonym key", "ok", f"from {variable}")


def _landing_key(variable: str, settings: Settings, environ: Mapping[str, str]) -> Finding:
    known_landing_key(settings, environ)
    return Finding("landing key", "ok", f"from {variable}")


# ── the accounts ───────────────────────────────────────────────────────────────────────────────────


def _accounts(
    settings: Settings,
    environ: Mapping[str, str],
    probe: Probe,
    used_last_minute: Callable[[Account], int],
) -> Iterator[Finding]:
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
    """What the probes told, all accounts at once; only of accounts that can be asked at all."""
    import asyncio

    async def asked(account: Account) -> Probed | ScreeningError:
        try:
            return await probe(account, account.secrets(environ))
        except ScreeningError as error:
            return error

    async def all_asked() -> dict[str, Probed | ScreeningError]:
        found = await asyncio.gather(*(asked(account) for account in able))
        return {account.key: answer for account, answer in zip(able, found, strict=True)}

    able = [a for a in accounts if a.base_url and a.is_asked and not a.missing_secrets(environ)]
    return asyncio.run(all_asked())


def _judged(account: Account, answer: Probed | ScreeningError, environ: Mapping[str, str]) -> Iterator[Finding]:
    host = urlsplit(account.base_url).hostname
    if isinstance(answer, ScreeningError) or not answer.is_reachable:
        fix = "check base_url, the network, and http.proxies_from_environment"
        yield Finding(f"{account.key} host", "fail", f"{host} gave no answer ({answer.code})", fix)
        return
    yield Finding(f"{account.key} host", "ok", f"{host} answers")
    yield _credential(account, answer)
    if answer.clock_offset_seconds is not None and not _fixed_instant(environ):
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


def _stranger(account: Account) -> Finding:
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
