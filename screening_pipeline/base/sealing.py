"""Encryption at rest: bytes sealed under a key (AES-256-GCM) and unsealed again."""

from __future__ import annotations

import hmac
import os

from screening_pipeline.base.errors import EnvironmentFailed

_NONCE_BYTES = 12


class Sealer:
    """Authenticated encryption (AES-256-GCM) under a key of its own for each purpose.

    GCM rather than Fernet: it binds a text to its place (`context`), so that sealed things cannot be swapped,
    and it adds 28 bytes instead of a third.
    """

    def __init__(self, key: bytes, purpose: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # 25 ms that not every command needs

        self._cipher = AESGCM(hmac.digest(key, f"screening-pipeline {purpose}".encode(), "sha256"))

    def seal(self, plain: bytes, context: str) -> bytes:
        """The encrypted bytes (nonce first), bound to `context`: they unseal with the same context only."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, context.encode())

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """The decrypted bytes. Raises EnvironmentFailed for a wrong key or context, and for bytes that were changed."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError):
            raise EnvironmentFailed(
                f"{context} cannot be decrypted: it was written with another key, or is damaged",
                code="wrong_key",
            ) from None
