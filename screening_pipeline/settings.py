"""screening.toml → accounts; where data lives; which environment variables hold secrets.

The file only ever *names* secrets. Without a file the bundled sandbox is the only set of accounts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from screening_pipeline import settings_file, toml_rules
from screening_pipeline.errors import ConfigurationError, MissingSecret, UsageError
from screening_pipeline.model import Vendor
from screening_pipeline.paths import Paths
from screening_pipeline.vendors import vendor

FILE_NAME = "screening.toml"
CONFIG_VARIABLE = "SCREENING_CONFIG"


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


@dataclass(frozen=True, kw_only=True)
class Warehouse:
    """Where the star lives. `catalog` and `data_path` are given with DuckLake only."""

    engine: str = "duckdb"
    catalog: str | None = None
    data_path: str | None = None


@dataclass(frozen=True, kw_only=True)
class Privacy:
    """Variables that hold keys, and for how many days raw bodies are kept (None: for ever)."""

    pseudonym_key_env: str = "SCREENING_PSEUDONYM_KEY"
    landing_key_env: str | None = None
    keep_raw_days: int | None = None


@dataclass(frozen=True, kw_only=True)
class Planning:
    """What the planner of pulls is asked for; what is None or empty is left to the planner.

    `max_lag_seconds`: the expected lag at which a check is asked again. `worst_case_hours`: each open check
    is seen at least that often while the budget allows, by vendor, `*` being all of them. `history_days`:
    how far back durations are learned.
    """

    max_lag_seconds: float | None = None
    worst_case_hours: Mapping[str, float] = field(default_factory=dict)
    history_days: int | None = None


@dataclass(frozen=True, kw_only=True)
class SlaTarget:
    """A promised turnaround; exactly one of the two targets is set. None in a scope means any."""

    vendor: str | None = None
    account: str | None = None
    package: str | None = None
    target_business_days: float | None = None
    target_hours: float | None = None
    clock: str = "vendor"


@dataclass(frozen=True, kw_only=True)
class AdverseAction:
    """Thresholds of the adverse-action timeline."""

    waiting_business_days: int = 5


@dataclass(frozen=True, kw_only=True)
class Http:
    """Whether HTTPS_PROXY and its kin are obeyed; not unless somebody says so."""

    proxies_from_environment: bool = False


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything a command needs to know before it starts. Holds names of secrets, never secrets."""

    accounts: tuple[Account, ...]
    paths: Paths
    warehouse: Warehouse = field(default_factory=Warehouse)
    environments: tuple[str, ...] = ("production",)
    privacy: Privacy = field(default_factory=Privacy)
    planning: Planning = field(default_factory=Planning)
    sla: tuple[SlaTarget, ...] = ()
    adverse_action: AdverseAction = field(default_factory=AdverseAction)
    http: Http = field(default_factory=Http)
    config_path: Path | None = None
    is_embedded_sandbox: bool = False

    @property
    def data_dir(self) -> Path:
        return self.paths.data_dir

    @property
    def engine(self) -> str:
        return self.warehouse.engine

    @property
    def account_keys(self) -> list[str]:
        """`vendor/name` of every account, by name."""
        return sorted(account.key for account in self.accounts)

    def account(self, vendor: str, name: str | None = None) -> Account:
        """The account of that name, or the vendor's only one. Raises KeyError if there is not exactly one."""
        found = [a for a in self.accounts if a.vendor == vendor and name in (None, a.name)]
        if len(found) != 1:
            raise KeyError(f"{vendor}/{name or '?'}")
        return found[0]

    def select(self, vendors: Iterable[str] = (), names: Iterable[str] = ()) -> tuple[Account, ...]:
        """The accounts of these vendors and names, where no choice means every one. Raises UsageError."""
        wanted_vendors, wanted_names = tuple(vendors), tuple(names)
        _check_choice("vendor", wanted_vendors, {a.vendor for a in self.accounts})
        _check_choice("account", wanted_names, {a.name for a in self.accounts})
        found = tuple(
            a
            for a in self.accounts
            if (not wanted_vendors or a.vendor in wanted_vendors) and (not wanted_names or a.name in wanted_names)
        )
        if not found:
            raise UsageError("no account belongs to the chosen vendor and name", code="no_account")
        return found

    def with_sandbox_url(self, url: str) -> Settings:
        """The same, with the bundled accounts talking to the sandbox that runs at `url`."""
        return replace(self, accounts=tuple(_at_sandbox(account, url) for account in self.accounts))


def load(environ: Mapping[str, str], cwd: Path) -> Settings:
    """The settings of SCREENING_CONFIG or ./screening.toml; without either, of the bundled sandbox.

    Raises ConfigurationError, which lists every problem of the file; also where there is none, and the data folder is
    that of configured accounts.
    """
    found = config_path(environ, cwd)
    if found is None:
        settings = bundled(environ, cwd)
        if settings.paths.claim.exists():
            problem = f"is not here, and {settings.data_dir} is the data folder of configured accounts: go where it is"
            raise ConfigurationError([f"{problem}, or name it in {CONFIG_VARIABLE}"], source=FILE_NAME)
        return settings
    named_by = CONFIG_VARIABLE if environ.get(CONFIG_VARIABLE, "").strip() else None
    return _settings(settings_file.read(found, named_by=named_by), found, paths_of(environ, cwd))


def bundled(environ: Mapping[str, str], cwd: Path) -> Settings:
    """The settings of the bundled sandbox, whatever is configured."""
    return _embedded(paths_of(environ, cwd))


def paths_of(environ: Mapping[str, str], cwd: Path) -> Paths:
    """Where data lies, whatever is configured."""
    data_dir = cwd / Path(environ.get("SCREENING_DATA_DIR", "").strip() or "data").expanduser()
    return Paths.under(data_dir, environ)


def config_path(environ: Mapping[str, str], cwd: Path) -> Path | None:
    """The configuration file that holds here, if any."""
    named = environ.get(CONFIG_VARIABLE, "").strip()
    if named:
        return cwd / Path(named).expanduser()
    default = cwd / FILE_NAME
    return default if os.path.lexists(default) else None


def _settings(values: dict[str, Any], path: Path, paths: Paths) -> Settings:
    return Settings(
        accounts=tuple(_account(account) for account in values["accounts"]),
        paths=paths,
        warehouse=Warehouse(**values["warehouse"]),
        environments=values["analytics"]["environments"],
        privacy=Privacy(**values["privacy"]),
        planning=Planning(**values["planning"]),
        sla=tuple(SlaTarget(**target) for target in values["sla"]),
        adverse_action=AdverseAction(**values["adverse_action"]),
        http=Http(**values["http"]),
        config_path=path,
    )


def _account(values: dict[str, Any]) -> Account:
    """The account of checked values: the named variables by role, the rest as it is."""
    names = {key.removesuffix("_env"): name for key, name in values.items() if key.endswith("_env") and name}
    rest = {key: value for key, value in values.items() if not key.endswith("_env")}
    return Account(secret_names=names, **rest)


def _check_choice(kind: str, given: Iterable[str], known: set[str]) -> None:
    for word in given:
        if word not in known:
            raise UsageError(
                f"no {kind} {word[:40]!a} is configured{toml_rules.nearest(word, known)}",
                code="no_account",
            )


# ── the bundled sandbox ────────────────────────────────────────────────────────────────────────────

_SANDBOX_PATHS = {
    "goodhire": "/goodhire/v1",
    "hireright": "/hireright/connect",
    "zinc": "/zinc/partner/v2",
    "workerchecks": "/workerchecks/v1",
    "workable": "/workable/v1",
}
_SANDBOX_OAUTH_PATH = "/hireright/oauth/token"
_SANDBOX_WEBHOOK_SECRETS = {
    "zinc": {"webhook_signing_token": "SANDBOX_ZINC_SIGNING_TOKEN"},
    "workable": {"webhook_token": "SANDBOX_WORKABLE_WEBHOOK_TOKEN"},
    "hireright": {
        "webhook_username": "SANDBOX_HIRERIGHT_USERNAME",
        "webhook_password": "SANDBOX_HIRERIGHT_PASSWORD",
        "webhook_client_id": "SANDBOX_HIRERIGHT_CLIENT_ID",
        "webhook_client_secret": "SANDBOX_HIRERIGHT_CLIENT_SECRET",
    },
}


def _embedded(paths: Paths) -> Settings:
    return Settings(
        accounts=tuple(_sandbox_account(vendor(slug)) for slug in _SANDBOX_PATHS),
        paths=paths,
        environments=("sandbox",),
        sla=(
            SlaTarget(vendor="hireright", target_business_days=5),
            SlaTarget(vendor="workerchecks", target_business_days=15),
            SlaTarget(vendor="zinc", target_business_days=10, clock="total"),
        ),
        is_embedded_sandbox=True,
    )


def _sandbox_account(declared: Vendor) -> Account:
    calendar, zone = settings_file.HOMES.get(declared.slug, settings_file.ELSEWHERE)
    auth, flow = next(iter(declared.auth.items()))
    names = {role: f"SANDBOX_{declared.slug}_{role}".upper() for role in flow.secrets}
    return Account(
        vendor=declared.slug,
        name="sandbox",
        base_url="",
        environment="sandbox",
        auth=auth,
        secret_names=names | _SANDBOX_WEBHOOK_SECRETS.get(declared.slug, {}),
        requests_per_minute=declared.requests_per_minute,
        calendar=calendar,
        timezone=zone,
        adjudication_expected=declared.feed is not None,
        final_adjudications=("Approved By Security",) if declared.feed is not None else (),
        status_updates=declared.feed is not None,
        is_bundled=True,
    )


def _at_sandbox(account: Account, url: str) -> Account:
    if not account.is_bundled:
        return account
    root = url.rstrip("/")
    token_url = root + _SANDBOX_OAUTH_PATH if account.auth == "oauth2" else None
    return replace(account, base_url=root + _SANDBOX_PATHS[account.vendor], token_url=token_url)


def _well_known(variable: str) -> str:
    """The sandbox's secrets are public constants, so that a demo needs no environment."""
    from screening_pipeline.sandbox.credentials import SECRETS

    return SECRETS[variable]
