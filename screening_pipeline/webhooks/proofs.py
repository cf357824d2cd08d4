"""Authentication of webhooks: the vendors' schemes, and the bearer tokens issued to senders that ask for one."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
from collections.abc import Callable, Iterable, Mapping

from screening_pipeline.base.clock import Clock
from screening_pipeline.base.errors import MissingSecret
from screening_pipeline.domain.conduct import Push
from screening_pipeline.settings.account import Account
from screening_pipeline.vendors import vendor
from screening_pipeline.webhooks import signatures

TOKEN_SECONDS = 3600
_SEAL_BYTES = 32


class WebhookAuth:
    """The verifier of webhook authentication; reads the secrets of `environ` anew each time. `key` signs our tokens.

    Tokens need no memory: each carries its account and its end under an HMAC. The account's client
    credentials are part of the key, so that tokens end with the credentials they were issued for.
    """

    def __init__(self, accounts: Iterable[Account], environ: Mapping[str, str], *, clock: Clock, key: bytes) -> None:
        self._accounts = tuple(account for account in accounts if _push(account))
        self._environ = environ
        self._clock = clock
        self._key = key
        self._judges: Mapping[str, Callable[[Account, Push, bytes, bytes], bool]] = {
            "hmac_sha256": self._is_signed,
            "hmac_sha256_of_json": self._is_signed_as_json,
            "bearer": self._is_bearer,
            "basic": self._is_basic,
        }

    def account(self, slug: str, name: str) -> Account | None:
        """The account that webhooks under this vendor slug and name belong to, if there is one."""
        return next((a for a in self._accounts if (a.vendor, a.name) == (slug, name)), None)

    @property
    def has_unset(self) -> bool:
        """Whether a secret is not set that an account names for proofs: its messages could not be judged."""
        return any(self._is_unset(account, role) for account in self._accounts for role in _proof_roles(account))

    def _is_unset(self, account: Account, role: str) -> bool:
        try:
            self._secret(account, role)
        except MissingSecret:
            return True
        return False

    def is_valid(self, account: Account, header: bytes, body: bytes) -> bool:
        """Whether the header authenticates the body as the vendor's. Raises MissingSecret."""
        push = _push(account)
        return push is not None and self._judges[push.scheme](account, push, header, body)

    def _is_signed(self, account: Account, push: Push, header: bytes, body: bytes) -> bool:
        return signatures.is_signed(body, header, self._secret(account, push.secrets[0]))

    def _is_signed_as_json(self, account: Account, push: Push, header: bytes, body: bytes) -> bool:
        return signatures.is_signed_as_javascript(body, header, self._secret(account, push.secrets[0]))

    def _is_bearer(self, account: Account, push: Push, header: bytes, _: bytes) -> bool:
        return signatures.is_same(signatures.bearer_token(header), self._secret(account, push.secrets[0]))

    def _is_basic(self, account: Account, push: Push, header: bytes, _: bytes) -> bool:
        if token := signatures.bearer_token(header):
            return self._is_issued(token, account)
        username, password = (self._secret(account, role) for role in push.secrets)
        return signatures.is_basic(header, username + b":" + password)

    def _secret(self, account: Account, role: str) -> bytes:
        return account.secret(role, self._environ).encode()

    # ── tokens ─────────────────────────────────────────────────────────────────────────────────────────

    def issue(self, client_id: str, client_secret: str) -> str | None:
        """A new bearer token for the account with these client credentials; None for unknown credentials."""
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
        push = _push(account)
        if push is None or not push.token_clients:
            return None
        try:
            return _joined(*(self._secret(account, role) for role in push.token_clients))
        except MissingSecret:
            return None

    def _seal(self, clients: bytes, claim: bytes) -> bytes:
        return hmac.digest(hmac.digest(self._key, clients, "sha256"), claim, "sha256")


def _push(account: Account) -> Push | None:
    """The webhook authentication that the account's vendor declares."""
    return vendor(account.vendor).push


def _proof_roles(account: Account) -> list[str]:
    push = _push(account)
    return [] if push is None else [role for role in push.roles if role in account.secret_names]


def _joined(client_id: bytes, secret: bytes) -> bytes:
    return hmac.digest(b"client", client_id, "sha256") + hmac.digest(b"secret", secret, "sha256")
