"""The checks of `doctor`: configuration, secrets, hosts, clocks, budgets, warehouse, disk, permissions.

Each finding is one line with the fix. What needs the network, the state or the warehouse is passed in,
so the questions asked here can be put to a server on loopback. No finding holds a secret.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from screening_pipeline.base.clock import VARIABLE as NOW_VARIABLE
from screening_pipeline.base.clock import Clock
from screening_pipeline.base.errors import ConfigurationError, DiskFull, LockHeld, NotWritable, ScreeningError
from screening_pipeline.cli.doctor_accounts import account_findings, fixed_instant, stranger
from screening_pipeline.cli.doctor_stores import unless_broken
from screening_pipeline.cli.findings import Finding
from screening_pipeline.orders.files import ENDINGS, not_manifests
from screening_pipeline.runtime import unread
from screening_pipeline.runtime.shared import shared_store
from screening_pipeline.settings.account import Account
from screening_pipeline.settings.keys import known_landing_key, known_pseudonym_key
from screening_pipeline.settings.readers import give_to_group, readers
from screening_pipeline.settings.settings import Settings
from screening_pipeline.state.pull_queue import PullQueue
from screening_pipeline.warehouse.engines import engine_of

if TYPE_CHECKING:
    from screening_pipeline.cli.doctor_accounts import Probe


_LOW_BYTES = 1_000_000_000
_TOO_LOW_BYTES = 100_000_000


def diagnose(
    settings: Settings,
    environ: Mapping[str, str],
    clock: Clock,
    *,
    probe: Probe,
    used_last_minute: Callable[[Account], int],
    inspect_warehouse: Callable[[Settings], str],
    knows_none: Callable[[Account], bool] = lambda _: False,
    inferred: Callable[[Account], Sequence[str]] = lambda _: (),
    free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
) -> list[Finding]:
    """Every finding of `doctor`: general ones first, then account by account as configured.

    `inspect_warehouse` says in a few words what it found, or raises ScreeningError. `free_bytes` is asked
    about a folder that exists, `knows_none` whether a vendor answered 404 for every id of an account so far, `inferred`
    for the keys that an account leaves unset and its checks have answered.
    """
    return [
        _configuration(settings),
        _time(environ, clock),
        *_folders(settings),
        *_private_files(settings),
        *_readers(settings),
        *_not_manifests(settings),
        _disk(settings, free_bytes),
        _warehouse(settings, inspect_warehouse),
        *_erasure(settings, environ),
        *_keys(settings, environ),
        *account_findings(settings, environ, probe, used_last_minute),
        *(stranger(account) for account in settings.accounts if account.polling and knows_none(account)),
        *(_inferred(account, key) for account in settings.accounts for key in inferred(account)),
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
    if not fixed_instant(environ):
        return Finding("clock", "ok", "the machine's")
    message = f"stands still at {clock.now():%Y-%m-%dT%H:%M:%SZ}"
    return Finding("clock", "warn", message, f"unset {NOW_VARIABLE}, unless this is a replay")


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
    for file in (paths.warehouse, paths.state, paths.erasure_register, paths.pseudonym_key, paths.spool_key):
        if file.exists() and _is_open_to_others(file):
            yield Finding(f"file {file.name}", "warn", "others can read it", f"chmod 600 {file}")


def _readers(settings: Settings) -> Iterator[Finding]:
    """Who can read what is published."""
    try:
        give_to_group(settings)
    except ConfigurationError as problem:
        yield Finding("published files", "fail", str(problem), "correct publish.group in screening.toml")
        return
    found = readers(settings)
    if found is None:
        return
    if settings.publish.group and found.closed:
        fix = f"chmod g+x,o+x {found.closed[0]}, or put the data folder (SCREENING_DATA_DIR) where they get to"
        message = f"group {found.group} may read them, and cannot get to them: {found.closed[0]} is closed"
        yield Finding("published files", "warn", message, fix)
    else:
        fix = "" if settings.publish.group else "[publish] group in screening.toml lets others read them"
        yield Finding("published files", "ok", f"read by {found.words}", fix)


def _not_manifests(settings: Settings) -> Iterator[Finding]:
    names = not_manifests(settings.paths.orders)
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        read = f"{', '.join(ENDINGS)} in the folder itself, and <vendor>/<account>/*.json"
        fix = f"only {read} are read: convert, unpack or move them"
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
    try:
        if not engine_of(settings).is_made():
            return Finding("warehouse", "ok", "not there yet; the first sync makes it")
        return Finding("warehouse", "ok", inspect(settings))
    except LockHeld as held:
        return Finding("warehouse", "warn", str(held), "wait for that run, then ask again")
    except (DiskFull, NotWritable) as error:
        return Finding("warehouse", "fail", str(error), "make room, and the disk writable")
    except ScreeningError as error:
        register = settings.paths.erasure_register
        erased = (
            f"{register.name} keeps out who was erased" if register.exists() else "refused if that undid an erasure"
        )
        fix = f"restore it, or move it away and run screening-pipeline rebuild: {erased}"
        if settings.engine != "duckdb":
            fix = "see [warehouse] in screening.toml, the variables that it names, and their servers"
        return Finding("warehouse", "fail", str(error), fix)


def _erasure(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    if unless_broken(lambda: bool(unread.unfinished(PullQueue(shared_store(settings, environ)), settings)), False):
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


_SHOWN = {
    "adjudication_expected": "its orders show adjudications, so completed ones without count as pending for 60 days",
    "e_verify_expected": "its forms show words of E-Verify, so a completed one is open until its last",
}


def _inferred(account: Account, key: str) -> Finding:
    message = f"{key} is not set, and taken to be true: {_SHOWN[key]}; true or false in screening.toml decides it"
    return Finding(f"{account.key} {key.removesuffix('_expected')}", "ok", message)
