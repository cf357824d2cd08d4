"""Credentials of an account: five authentication schemes, two of which fetch a token first.

Nothing here speaks HTTP; the client hands in the coroutine that fetches a token. Tokens live in memory, for
as long as their client.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from screening_pipeline.base.clock import Clock

CAUTIOUS_LIFETIME = 300.0
"""Seconds a token is used for when the answer does not say, or says something unreadable."""
LONGEST_LIFETIME = 86_400.0
USED_SHARE = 0.9  # W3: a "short-lived" token lasts 24 h; clocks differ, so it is renewed before its end
_LONGEST_TOKEN = 16_384


class UnreadableGrant(ValueError):
    """A token endpoint's answer without a token that could be sent."""


@dataclass(frozen=True)
class TokenRequest:
    """The request that fetches a token. Its parts are secret, so none is in the repr."""

    method: str
    url: str = field(repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Grant:
    """A token and its lifetime in seconds."""

    token: str = field(repr=False)
    lifetime: float


class Credential(Protocol):
    """The source of a call's `Authorization` header."""

    is_renewable: bool

    async def header(self) -> str:
        """The header value to send now; may fetch a token."""

    def refuse(self, header: str) -> bool:
        """Invalidate a header value that was answered with 401, if there can be another.

        True if it was the newest; False if it has been replaced since.
        """


class FixedCredential:
    """A static secret (API key, Basic) that is the same for every call."""

    is_renewable = False

    def __init__(self, header: str) -> None:
        self._header = header

    async def header(self) -> str:
        return self._header

    def refuse(self, header: str) -> bool:
        return header == self._header


class TokenCredential:
    """A bearer token, fetched when first needed, at 90 % of its lifetime and when it was refused.

    However many calls wait for it, one fetch is under way at a time.
    """

    is_renewable = True

    def __init__(self, fetch: Callable[[], Awaitable[Grant]], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._renewing = asyncio.Lock()
        self._header: str | None = None
        self._renew_at = 0.0

    async def header(self) -> str:
        async with self._renewing:
            if self._header is not None and self._clock.monotonic() < self._renew_at:
                return self._header
            return await self._renewed()

    async def _renewed(self) -> str:
        asked_at = self._clock.monotonic()
        grant = await self._fetch()
        self._renew_at = asked_at + USED_SHARE * grant.lifetime
        self._header = f"Bearer {grant.token}"
        return self._header

    def refuse(self, header: str) -> bool:
        if header != self._header:
            return False
        self._header = None
        return True


def fixed_header(scheme: str, secrets: Mapping[str, str], roles: tuple[str, ...]) -> str | None:
    """The `Authorization` value of the schemes without tokens, None for those with them. Raises KeyError."""
    if scheme == "basic":
        name, *password = (secrets[role] for role in roles)  # a key alone is a name without a password
        pair = f"{name}:{''.join(password)}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"
    words = {"api_key": "ApiKey", "bearer": "Bearer"}  # G4: every example sends the ApiKey scheme
    return f"{words[scheme]} {secrets[roles[0]]}" if scheme in words else None


def token_request(scheme: str, secrets: Mapping[str, str], url: str) -> TokenRequest:
    """The token request to `url`. Raises KeyError for a scheme without tokens or a missing secret."""
    if scheme == "widget_token":
        return TokenRequest("POST", url, json={"widgetSecret": secrets["widget_secret"]})
    if scheme != "oauth2":
        raise KeyError(scheme)
    given = {role: secrets[role] for role in ("client_id", "client_secret")}
    return TokenRequest("GET", url, params={"grant_type": "client_credentials", **given})


def read_grant(body: bytes) -> Grant:
    """The token in a token endpoint's answer. Raises UnreadableGrant, which quotes nothing of the answer."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise UnreadableGrant("not_json") from None
    if not isinstance(found, dict):
        raise UnreadableGrant("not_an_object")
    token = found.get("access_token", found.get("token"))
    if not isinstance(token, str) or not _is_sendable(token):
        raise UnreadableGrant("no_token")
    return Grant(token, _lifetime(found.get("expires_in", found.get("expiresIn"))))


def _is_sendable(token: str) -> bool:
    return 0 < len(token) <= _LONGEST_TOKEN and token.isascii() and token.isprintable()


def _lifetime(given: object) -> float:
    """H4: `expires_in` is a text in one place and a number in another."""
    try:
        seconds = float(given) if isinstance(given, int | float | str) else 0.0
    except (ValueError, OverflowError):
        seconds = 0.0
    if not math.isfinite(seconds) or seconds <= 0 or isinstance(given, bool):
        return CAUTIOUS_LIFETIME
    return min(seconds, LONGEST_LIFETIME)
