"""Keyed pseudonyms: how a person is called everywhere outside the landing area.

Whoever has the key can tell whether a known reference is the person behind a pseudonym; without it
nobody can. Another key makes other pseudonyms, so the key is kept for as long as the warehouse is.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from screening_pipeline.errors import ConfigurationError, EnvironmentFailed, MissingSecret, NotWritable
from screening_pipeline.settings import Settings

SHORTEST_KEY = 16
_OWNER_ONLY = 0o600


def pseudonym(key: bytes, candidate_ref: str) -> str:
    """The pseudonym of a reference: HMAC-SHA-256, the first 32 hex digits. Exact text, nothing is folded."""
    return hmac.digest(key, candidate_ref.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


def pseudonym_key(settings: Settings, environ: Mapping[str, str]) -> bytes:
    """The key from the environment, else the one kept in the data folder, made there the first time.

    Raises ConfigurationError for a key that is too short, EnvironmentFailed where none can be kept.
    """
    variable = settings.privacy.pseudonym_key_env
    given = environ.get(variable, "").strip()
    if not given:
        settings.paths.create()
        return kept_key(settings.paths.pseudonym_key)
    if len(given) < SHORTEST_KEY:
        raise ConfigurationError([f"must hold at least {SHORTEST_KEY} characters"], source=variable)
    return given.encode()


def landing_key(settings: Settings, environ: Mapping[str, str]) -> bytes | None:
    """The key that landed lines are encrypted with; None where the configuration names none.

    Raises MissingSecret where one is named and there is no usable one: nothing may lie in clear for want of a key.
    """
    variable = settings.privacy.landing_key_env
    if variable is None:
        return None
    given = environ.get(variable, "").strip()
    if len(given) < SHORTEST_KEY:
        reason = f"must hold at least {SHORTEST_KEY} characters" if given else "is not set in the environment"
        raise MissingSecret(variable, account="[privacy] landing_key_env", reason=reason)
    return given.encode()


def kept_key(path: Path) -> bytes:
    """The key in that file: 64 hex digits, made at random the first time, readable by the owner only.

    Processes that start at once agree on one key. As it is text, it can be moved into the environment
    and stays the same key. Raises EnvironmentFailed where the file is damaged: a new one would not do.
    """
    try:
        if not path.exists():
            _make_key(path)
        key = path.read_bytes().strip()
    except OSError as error:
        raise NotWritable(path.name, error.strerror or type(error).__name__) from None
    if len(key) < SHORTEST_KEY:
        raise EnvironmentFailed(f"{path.name} is damaged; restore it from a backup", code="key_damaged")
    return key


def _make_key(path: Path) -> None:
    """Write a key beside the path and link it there: the name appears with all its content or not at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    try:
        os.write(descriptor, f"{secrets.token_hex(32)}\n".encode())
        os.fsync(descriptor)
        _link_unless_there(draft, path)
    finally:
        os.close(descriptor)
        draft.unlink()


def _link_unless_there(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:  # another process was faster, and its key holds
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
