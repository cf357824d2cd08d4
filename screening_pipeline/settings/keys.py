"""Encryption and pseudonym keys: read from the environment or a key file, and checked against the digest in use."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from screening_pipeline.base.errors import ConfigurationError, EnvironmentFailed, MissingSecret
from screening_pipeline.base.failures import telling
from screening_pipeline.base.files import write_once
from screening_pipeline.domain.pseudonym import ANOTHER_LANDING_KEY, ANOTHER_PSEUDONYM_KEY, SHORTEST_KEY, TOO_SHORT
from screening_pipeline.settings.settings import Settings


def pseudonym_key(settings: Settings, environ: Mapping[str, str]) -> bytes:
    """The pseudonym key from the environment, else from the data folder, where it is created the first time.

    Raises what `known_pseudonym_key` does, and EnvironmentFailed where none can be kept.
    """
    key = known_pseudonym_key(settings, environ)
    settings.paths.create()
    if key is None:
        key = kept_key(settings.paths.pseudonym_key)
    _note(key, settings.paths.pseudonym_note)
    return key


def known_pseudonym_key(settings: Settings, environ: Mapping[str, str]) -> bytes | None:
    """The pseudonym key from the environment, else from the data folder; None where there is none yet.

    Raises ConfigurationError for a key that is too short, or is not the one by which the people of the warehouse have
    their pseudonyms, and who was erased is known; EnvironmentFailed where the kept one is damaged.
    """
    variable, paths = settings.privacy.pseudonym_key_env, settings.paths
    given = environ.get(variable, "").strip()
    if not given and settings.landing.url:
        raise MissingSecret(variable, account="[privacy] pseudonym_key_env", reason=_NEEDED)
    if given and len(given) < SHORTEST_KEY:
        raise ConfigurationError([TOO_SHORT], source=variable)
    is_kept = not given and paths.pseudonym_key.exists()
    key = kept_key(paths.pseudonym_key) if is_kept else given.encode()
    is_lake = settings.engine != "duckdb" and paths.pseudonym_note.exists()  # it outlives what is in this folder
    is_in_use = is_lake or paths.warehouse.exists() or paths.erasure_register.exists()
    if is_in_use and _is_another(key, paths.pseudonym_note):
        problem = ANOTHER_PSEUDONYM_KEY if key else "is not set, and people have their pseudonyms by the key in it"
        raise ConfigurationError([problem], source=paths.pseudonym_key.name if is_kept else variable)
    return key or None


def landing_key(settings: Settings, environ: Mapping[str, str]) -> bytes | None:
    """The encryption key of landed lines, whose digest is recorded; None where the configuration names none.

    Raises what `known_landing_key` does.
    """
    key = known_landing_key(settings, environ)
    if key is not None:
        settings.paths.create()
        _note(key, settings.paths.landing_note)
    return key


def known_landing_key(settings: Settings, environ: Mapping[str, str]) -> bytes | None:
    """The encryption key of landed lines, without recording its digest; None where the configuration names none.

    Raises MissingSecret where one is named and there is no usable one: nothing may lie in clear for want of a key;
    ConfigurationError where it is not the one that lines were encrypted with before.
    """
    variable, paths = settings.privacy.landing_key_env, settings.paths
    if variable is None:
        return None
    key = environ.get(variable, "").strip().encode()
    if len(key) < SHORTEST_KEY:
        reason = TOO_SHORT if key else "is not set in the environment"
        raise MissingSecret(variable, account="[privacy] landing_key_env", reason=reason)
    if _is_another(key, paths.landing_note) and any(paths.landing.glob("*/*/*.ndjson")):
        raise ConfigurationError([ANOTHER_LANDING_KEY], source=variable)
    return key


def spool_key(settings: Settings, environ: Mapping[str, str]) -> bytes:
    """The key of the spool: kept in the data folder, or, where machines share what is landed, of the environment.

    Raises MissingSecret where that has none, EnvironmentFailed where the kept one is damaged.
    """
    if not settings.landing.url:
        return kept_key(settings.paths.spool_key)
    variable = settings.privacy.spool_key_env
    key = environ.get(variable, "").strip().encode()
    if len(key) < SHORTEST_KEY:
        reason = TOO_SHORT if key else _NEEDED
        raise MissingSecret(variable, account="[privacy] spool_key_env", reason=reason)
    return key


def digest_of(key: bytes) -> str:
    """By which others know that theirs is the same key; it does not tell the key."""
    return _digest(key).decode()


def kept_key(path: Path) -> bytes:
    """The key in a key file: 64 hex digits, random, created the first time, readable by the owner only.

    Processes that start at once agree on one key. As it is text, it can be moved into the environment
    and stays the same key. Raises EnvironmentFailed where the file is damaged: a new one would not do.
    """
    with telling(path.name, folder=path.parent):
        if not path.exists():
            write_once(path, f"{secrets.token_hex(32)}\n".encode())
        key = path.read_bytes().strip()
    if len(key) < SHORTEST_KEY:
        raise EnvironmentFailed(f"{path.name} is damaged; restore it from a backup", code="key_damaged")
    return key


_NEEDED = "is not set in the environment: machines that share what is landed need the same key"
_DIGEST = re.compile(rb"[0-9a-f]{64}")


def _digest(key: bytes) -> bytes:
    return hmac.digest(key, b"which key this is", "sha256").hex().encode()


def _is_another(key: bytes, note: Path) -> bool:
    with telling(note.name, folder=note.parent):
        noted = note.read_bytes().strip() if note.exists() else None
    if noted is not None and not _DIGEST.fullmatch(noted):
        raise EnvironmentFailed(f"{note.name} is damaged; delete it: it is noted anew", code="key_damaged")
    return noted is not None and noted != _digest(key)


def _note(key: bytes, note: Path) -> None:
    """Note which key is in use, in the place of one with which nothing was made."""
    with telling(note.name, folder=note.parent):
        if _is_another(key, note):
            note.unlink(missing_ok=True)
        if not note.exists():
            write_once(note, _digest(key) + b"\n")
