"""One account of one vendor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from screening_pipeline.base.errors import MissingSecret
from screening_pipeline.vendors import vendor


@dataclass(frozen=True, kw_only=True)
class Account:
    """One account at one vendor, the unit of credentials, limits and failures.

    `secret_names` maps a role (`api_key`, `client_secret`, …) to the environment variable that holds it.
    `paths` holds only what replaces the vendor's declared paths, by endpoint. `calendar` and `timezone`
    say when the vendor works and what its times without offset mean. `polling` is off where a provider
    answers pushes only.
    """

    vendor: str
    name: str
    base_url: str
    environment: str = "production"
    auth: str
    token_url: str | None = None
    secret_names: Mapping[str, str]
    requests_per_minute: int
    max_concurrency: int = 4
    calendar: str
    timezone: str
    adjudication_expected: bool = False
    final_adjudications: tuple[str, ...] = ()
    status_aliases: Mapping[str, str] = field(default_factory=dict)
    status_updates: bool = False
    polling: bool = True
    paths: Mapping[str, str] = field(default_factory=dict)
    is_bundled: bool = False

    @property
    def key(self) -> str:
        """`vendor/name`, as messages call it."""
        return f"{self.vendor}/{self.name}"

    @property
    def is_asked(self) -> bool:
        """Whether anything is asked of the vendor; else it only pushes."""
        return self.polling or self.status_updates

    @property
    def roles(self) -> tuple[str, ...]:
        """The secrets without which this account cannot be pulled; none where it is only pushed to."""
        return vendor(self.vendor).auth[self.auth].secrets if self.is_asked else ()

    def secret(self, role: str, environ: Mapping[str, str]) -> str:
        """The secret of that role, blanks at its ends removed. Raises MissingSecret naming the variable."""
        variable = self.secret_names.get(role)
        if variable is None:
            raise MissingSecret(f"for {role}_env", account=self.key, reason="is not named in the configuration")
        value = (_well_known(variable) if self.is_bundled else environ.get(variable, "")).strip()
        if not value:
            raise MissingSecret(variable, account=self.key)
        if not value.isprintable():
            raise MissingSecret(variable, account=self.key, reason="holds characters no header can carry")
        return value

    def secrets(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Every secret that pulling needs, by role. Raises MissingSecret."""
        return {role: self.secret(role, environ) for role in self.roles}

    def known_secrets(self, environ: Mapping[str, str]) -> list[str]:
        """The account's keys, passwords and tokens that are set, those for pushed updates among them; no names."""
        roles = (role for role in self.secret_names if role.endswith(("key", "password", "secret", "token")))
        return [self.secret(role, environ) for role in roles if self._missing(role, environ) is None]

    def missing_secrets(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        """The variables that pulling needs and that have no usable value."""
        return tuple(variable for role in self.roles if (variable := self._missing(role, environ)))

    def _missing(self, role: str, environ: Mapping[str, str]) -> str | None:
        try:
            self.secret(role, environ)
        except MissingSecret as missing:
            return missing.variable
        return None


def _well_known(variable: str) -> str:
    """The sandbox's secrets are public constants, so that a demo needs no environment."""
    from screening_pipeline.sandbox.credentials import SECRETS

    return SECRETS[variable]
