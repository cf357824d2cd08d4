"""Who may come in: each vendor's authentication, strictly as documented."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from screening_pipeline.sandbox.clocks import Clock
from screening_pipeline.sandbox.credentials import SECRETS
from screening_pipeline.sandbox.tokens import Tokens

MISSING: Final = "missing"
INVALID: Final = "invalid"

TOKEN_SECONDS: Final = {"hireright": 3600, "workerchecks": 86400}


@dataclass(frozen=True, slots=True)
class Gates:
    """Judges the Authorization header of every vendor; `tokens` are those issued here, by vendor."""

    tokens: Mapping[str, Tokens]

    @classmethod
    def by(cls, clock: Clock) -> Gates:
        """Return gates whose tokens expire by `clock`."""
        lifetimes = {vendor: timedelta(seconds=seconds) for vendor, seconds in TOKEN_SECONDS.items()}
        return cls({vendor: Tokens(clock, lifetime) for vendor, lifetime in lifetimes.items()})

    def refusal(self, vendor: str, authorization: str | None) -> str | None:
        """Return why a request with this header is turned away, MISSING or INVALID; None lets it in."""
        if not authorization:
            return MISSING
        return None if self._is_good(vendor, authorization) else INVALID

    def _is_good(self, vendor: str, authorization: str) -> bool:
        scheme, _, credential = authorization.partition(" ")
        match vendor, scheme:
            case "goodhire", "ApiKey":  # G4: the header's own scheme and not Basic
                return is_secret(credential, "SANDBOX_GOODHIRE_API_KEY")
            case "zinc", "Bearer":
                return is_secret(credential, "SANDBOX_ZINC_API_KEY")
            case "workable", "Bearer":
                return is_secret(credential, "SANDBOX_WORKABLE_TOKEN")
            case (("hireright" | "workerchecks"), "Bearer"):
                return self.tokens[vendor].accepts(credential)
            case (("hireright" | "checkr"), "Basic"):
                return hmac.compare_digest(credential.encode(), _basic(vendor))
        return False


def is_secret(given: str, name: str) -> bool:
    """Whether `given` is the sandbox's secret called `name`."""
    return hmac.compare_digest(given.encode(), SECRETS[name].encode())


def _basic(vendor: str) -> bytes:
    if vendor == "checkr":  # the key is the user name, and there is no password
        pair = f"{SECRETS['SANDBOX_CHECKR_API_KEY']}:"
    else:
        pair = f"{SECRETS['SANDBOX_HIRERIGHT_USERNAME']}:{SECRETS['SANDBOX_HIRERIGHT_PASSWORD']}"
    return base64.b64encode(pair.encode())
