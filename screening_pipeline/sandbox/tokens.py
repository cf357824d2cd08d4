"""Bearer tokens that expire by the sandbox's own clock."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from screening_pipeline.sandbox.clocks import Clock


@dataclass(slots=True)
class Tokens:
    """Issues tokens that live for `lifetime` and remembers when each expires."""

    clock: Clock
    lifetime: timedelta
    issued: int = 0
    _expires_at: dict[str, datetime] = field(default_factory=dict)

    def issue(self) -> str:
        """Return a new token."""
        token = secrets.token_urlsafe(24)
        self._expires_at[token] = self.clock.now() + self.lifetime
        self.issued += 1
        return token

    def accepts(self, token: str) -> bool:
        """Whether `token` was issued here, is not revoked and has not expired."""
        expires_at = self._expires_at.get(token)
        return expires_at is not None and self.clock.now() < expires_at

    def revoke(self, token: str) -> None:
        """Let `token` be accepted no more."""
        self._expires_at.pop(token, None)

    def revoke_all(self) -> None:
        """Let no token issued so far be accepted again."""
        self._expires_at.clear()
