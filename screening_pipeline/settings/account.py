"""One account of one vendor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from screening_pipeline.base.errors import MissingSecret
from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.settings import rules
from screening_pipeline.settings.table_reader import Of, setting, toml_text
from screening_pipeline.vendors import vendor

ENVIRONMENTS = ("production", "sandbox")


def account_name(declared: Vendor) -> str:
    """The name that the configuration template gives an account: after the country of its vendor's calendar."""
    return declared.calendar.partition("-")[0].lower()


def _ways(declared: Vendor) -> str:
    """The other ways of authenticating, for the template."""
    ways = {way: " and ".join(f"{role}_env" for role in auth.secrets) for way, auth in declared.auth.items()}
    first, *others = ways
    return "; ".join(f'or "{way}", with {ways[way]} instead of {ways[first]}' for way in others)


def _paths_example(declared: Vendor) -> str:
    return f"{{ {', '.join(f'{e.name} = {toml_text(e.path)}' for e in declared.endpoints)} }}"


def _gives_tokens(declared: Vendor) -> bool:
    return any(auth.scheme == "oauth2" for auth in declared.auth.values())


def _is_adjudicated(declared: Vendor) -> bool:
    return any("vendor_adjudication" in record.columns for record in declared.records.values())


def _has_feed(declared: Vendor) -> bool:
    return declared.feed is not None


def _is_discoverable(declared: Vendor) -> bool:
    return any(endpoint.is_discovering for endpoint in declared.endpoints)


def _is_fill_in(declared: Vendor) -> bool:
    return str(urlsplit(declared.base_url).hostname).endswith(".example")


def _has_verification(declared: Vendor) -> bool:
    return any(record.detail_role == "concludes" for record in declared.records.values())


def _has_free_form(declared: Vendor) -> bool:
    return any(record.has_free_form_parts for record in declared.records.values())


def _has_fields(declared: Vendor) -> bool:
    return any(record.fields for record in declared.records.values())


def _has_times(declared: Vendor) -> bool:
    return any("vendor_time" in record.columns for record in declared.records.values())


@dataclass(frozen=True, kw_only=True)
class Account:
    """One account at one vendor, the unit of credentials, limits and failures.

    `secret_names` maps a role (`api_key`, `client_secret`, …) to the environment variable that holds it; in the file
    each role has a key of its own, `<role>_env`. `paths` holds only what replaces the vendor's declared paths, by
    endpoint. `calendar` and `timezone` say when the vendor works and what its times without offset mean, `date_format`
    (strptime words) how it writes dates that are not ISO 8601. `flex_fields` names the customer's own fields that may
    leave the landing area. `polling` is off where a provider answers pushes only; there the newest message counts once
    nothing more has come for `push_settles_after` seconds. `adjudication_expected` and `e_verify_expected` are None
    where the account's own checks tell: from the first word on. `part_labels` are names of parts that are nobody's and
    may be shown.
    """

    vendor: str = setting(rules.text, is_required=True, example=Of(lambda v: toml_text(v.slug)))
    name: str = setting(
        rules.name,
        is_required=True,
        example=Of(lambda v: toml_text(account_name(v))),
        help="yours to choose, unique within the vendor; part of every key, so keep it",
    )
    base_url: str = setting(
        rules.url,
        is_required=True,
        example=Of(lambda v: toml_text(v.base_url)),
        help=Of(
            lambda v: (
                f"put the address of your own contract here ({v.title})"
                if _is_fill_in(v)
                else "https; http is accepted for loopback hosts only"
            )
        ),
    )
    auth: str = setting(
        Of(lambda v: rules.one_of(*v.auth)),
        Of(lambda v: next(iter(v.auth))),
        help=Of(_ways),
    )
    token_url: str | None = setting(
        rules.url, example=Of(lambda v: toml_text(v.oauth_url or "")), is_for=_gives_tokens, help="where oauth2 asks"
    )
    secret_names: Mapping[str, str]
    environment: str = setting(
        rules.one_of(*ENVIRONMENTS), "production", help='or "sandbox", which stays out of the analytics views'
    )
    requests_per_minute: int = setting(
        rules.integer(1, 100_000),
        Of(lambda v: v.requests_per_minute),
        help="upper bound in any 60 seconds over all calls of the account, shared by all processes",
    )
    max_concurrency: int = setting(
        rules.integer(1, 64), Of(lambda v: v.max_concurrency), help="requests under way at once"
    )
    calendar: str = setting(
        rules.calendar,
        Of(lambda v: v.calendar),
        help="holidays that stop the vendor's clock: country, or country-subdivision such as AU-NSW",
    )
    timezone: str = setting(
        rules.timezone,
        Of(lambda v: v.timezone),
        help="what the vendor's times without offset mean, and when its days begin",
    )
    polling: bool = setting(rules.flag, True, help="false: nothing is asked, this account only receives pushed updates")
    discover: bool = setting(
        rules.flag,
        False,
        is_for=_is_discoverable,
        help="true: what the vendor lists becomes orders, so that order files only add what it does not know",
    )
    status_updates: bool = setting(
        rules.flag,
        False,
        is_for=_has_feed,
        help="true: drain the updates feed, which forgets what it hands out; only if nothing else of yours reads it",
    )
    push_settles_after: float = setting(
        rules.duration,
        900.0,
        example='"15m"',
        help="where nobody can be asked: the newest message counts once nothing more has come for so long",
    )
    adjudication_expected: bool | None = setting(
        rules.flag,
        None,
        is_for=_is_adjudicated,
        example="true",
        help="true: a completed order stays open until it is adjudicated; unset: from the first adjudication on",
    )
    e_verify_expected: bool | None = setting(
        rules.flag,
        None,
        is_for=_has_verification,
        example="true",
        help="true: a finished form stays open until its last E-Verify word; unset: from the first such word on",
    )
    part_labels: tuple[str, ...] = setting(
        rules.list_of(rules.text),
        (),
        is_for=_has_free_form,
        example='["Driving record"]',
        help="names of parts that are nobody's and may be shown",
    )
    final_adjudications: tuple[str, ...] = setting(
        rules.list_of(rules.text),
        (),
        is_for=_is_adjudicated,
        example='["Approved By Security"]',
        help="adjudications of your own that end a check",
    )
    status_aliases: Mapping[str, str] = setting(
        rules.text_map,
        {},
        example='{ "Their Word" = "Documented Word" }',
        help="words of your account, read as documented ones",
    )
    flex_fields: tuple[str, ...] = setting(
        rules.list_of(rules.text),
        (),
        is_for=_has_fields,
        example='["RequisitionId"]',
        help="fields of your own that may leave the landing area",
    )
    date_format: str | None = setting(
        rules.date_format,
        is_for=_has_times,
        example='"%d/%m/%Y"',
        help="how the vendor writes dates that are not ISO 8601, in strptime's words",
    )
    paths: Mapping[str, str] = setting(rules.table, {}, example=Of(_paths_example))
    is_bundled: bool = False

    @property
    def key(self) -> str:
        """`vendor/name`, as messages call the account."""
        return f"{self.vendor}/{self.name}"

    @property
    def is_asked(self) -> bool:
        """Whether the account is pulled at all; otherwise it is only pushed to, by webhooks."""
        return self.polling or self.status_updates

    def is_callable(self, environ: Mapping[str, str]) -> bool:
        """Whether it is pulled, and has what a call needs: an address and its secrets."""
        return bool(self.base_url) and self.is_asked and not self.missing_secrets(environ)

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of the secrets that pulling needs; none for an account that is only pushed to."""
        return vendor(self.vendor).auth[self.auth].secrets if self.is_asked else ()

    def secret(self, role: str, environ: Mapping[str, str]) -> str:
        """The value of the secret of a role, stripped of blanks. Raises MissingSecret naming the variable."""
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
        """The values of all secrets that pulling needs, by role. Raises MissingSecret."""
        return {role: self.secret(role, environ) for role in self.roles}

    def known_secrets(self, environ: Mapping[str, str]) -> list[str]:
        """The values of all secrets that are set, also those of webhooks, without user names: what must be masked."""
        roles = (role for role in self.secret_names if role.endswith(("key", "password", "secret", "token")))
        return [self.secret(role, environ) for role in roles if self._missing(role, environ) is None]

    def missing_secrets(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        """The names of the environment variables that pulling needs and that have no usable value."""
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
