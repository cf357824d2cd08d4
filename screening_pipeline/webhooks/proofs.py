"""How each vendor proves that a pushed message is its own, and the tokens issued to those that ask first."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
from collections.abc import Callable, Iterable, Mapping

from screening_pipeline.base.clock import Clock
from screening_pipeline.base.errors import MissingSecret
from screening_pipeline.settings.account import Account
from screening_pipeline.webhooks import signatures

TOKEN_SECONDS = 3600
_SEAL_BYTES = 32

HEADERS: Mapping[str, bytes] = {
    "goodhire": b"x-goodhire-signature",
    "hireright": b"authorization",
    "workable": b"authorization",
    "zinc": b"x-zinc-webhook-signature",
}
"""The vendors that push, by slug, and the header in which each proves it."""


class Proofs:
    """Judges proofs against the secrets of `environ`, read anew each time. `key` signs our own tokens.

    Tokens need no memory: each carries its account and its end under an HMAC. The account's client
    credentials are part of the key, so that tokens end with the credentials they were issued for.
    """

    def __init__(self, accounts: Iterable[Account], environ: Mapping[str, str], *, clock: Clock, key: bytes) -> None:
        self._accounts = tuple(account for account in accounts if account.vendor in HEADERS)
        self._environ = environ
        self._clock = clock
        self._key = key
        self._judges: Mapping[str, Callable[[Account, bytes, bytes], bool]] = {
            "goodhire": self._is_goodhire,
            "hireright": self._is_hireright,
            "workable": self._is_workable,
            "zinc": self._is_zinc,
        }

    def account(self, slug: str, name: str) -> Account | None:
        """The account that may be pushed to under these names."""
        return next((a for a in self._accounts if (a.vendor, a.name) == (slug, name)), None)

    def holds(self, account: Account, header: bytes, body: bytes) -> bool:
        """Whether the header proves that the body is the vendor's. Raises MissingSecret."""
        return self._judges[account.vendor](account, header, body)

    def _is_goodhire(self, account: Account, header: bytes, body: bytes) -> bool:
        return signatures.is_signed(body, header, self._secret(account, "api_key"))

    def _is_zinc(self, account: Account, header: bytes, body: bytes) -> bool:
        key = self._secret(account, "webhook_signing_token")
        return signatures.is_signed_as_javascript(body, header, key)

    def _is_workable(self, account: Account, header: bytes, _: bytes) -> bool:
        return signatures.is_same(signatures.bearer_token(header), self._secret(account, "webhook_token"))

    def _is_hireright(self, account: Account, header: bytes, _: bytes) -> bool:
        if token := signatures.bearer_token(header):
            return self._is_issued(token, account)
        username, password = (self._secret(account, f"webhook_{role}") for role in ("username", "password"))
        return signatures.is_basic(header, username + b":" + password)

    def _secret(self, account: Account, role: str) -> bytes:
        return account.secret(role, self._environ).encode()

    # ── tokens ─────────────────────────────────────────────────────────────────────────────────────────

    def issue(self, client_id: str, client_secret: str) -> str | None:
        """A bearer token for the account whose client credentials these are; None where they are nobody's."""
        given = _joined(client_id.encode("utf-8", "replace"), client_secret.encode("utf-8", "replace"))
        found = [a for a in self._accounts if signatures.is_same(given, self._clients(a) or b"")]
        if not found:
            return None
        ends_at = int(self._clock.now().timestamp()) + TOKEN_SECONDS
        claim = json.dumps([found[0].key, ends_at, secrets.token_hex(8)]).encode()
        return base64.urlsafe_b64encode(self._seal(given, claim) + claim).decode()

    def _is_issued(self, token: bytes, account: Account) -> bool:
        clients = self._clients(account)
        try:
            given = base64.b64decode(token, altchars=b"-_", validate=True)
        except binascii.Error:
            return False
        claim = given[_SEAL_BYTES:]
        if clients is None or not signatures.is_same(given[:_SEAL_BYTES], self._seal(clients, claim)):
            return False
        key, ends_at, _ = json.loads(claim)
        return bool(key == account.key and self._clock.now().timestamp() < ends_at)

    def _clients(self, account: Account) -> bytes | None:
        try:
            return _joined(*(self._secret(account, f"webhook_client_{role}") for role in ("id", "secret")))
        except MissingSecret:
            return None

    def _seal(self, clients: bytes, claim: bytes) -> bytes:
        return hmac.digest(hmac.digest(self._key, clients, "sha256"), claim, "sha256")


def _joined(client_id: bytes, secret: bytes) -> bytes:
    return hmac.digest(b"client", client_id, "sha256") + hmac.digest(b"secret", secret, "sha256")
