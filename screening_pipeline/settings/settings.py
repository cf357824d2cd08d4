"""screening.toml → accounts; where data lives; which environment variables hold secrets.

The file only ever *names* secrets. Without a file the bundled sandbox is the only set of accounts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from screening_pipeline.base.errors import UsageError
from screening_pipeline.settings import rules, table_reader
from screening_pipeline.settings.account import ENVIRONMENTS, account_name
from screening_pipeline.settings.notify import Notify
from screening_pipeline.settings.paths import Paths
from screening_pipeline.settings.shared import LandingPlace, OrdersPlace, Runs, SharedState
from screening_pipeline.settings.table_reader import Of, setting, toml_text
from screening_pipeline.vendors import all_vendors

if TYPE_CHECKING:
    from screening_pipeline.settings.account import Account


FILE_NAME = "screening.toml"
CONFIG_VARIABLE = "SCREENING_CONFIG"


ENGINES = ("duckdb", "ducklake")
SLA_CLOCKS = ("vendor", "total")


@dataclass(frozen=True, kw_only=True)
class Warehouse:
    """Settings of the warehouse: engine and place. All but the engine go with DuckLake only.

    `maintain_every`, in seconds: how often small files are put together and old states forgotten.
    """

    engine: str = setting(
        rules.one_of(*ENGINES),
        "duckdb",
        help='"ducklake": PostgreSQL and a folder or bucket, with the keys below and the extra "cluster"',
    )
    catalog_env: str | None = setting(
        rules.variable,
        example='"SCREENING_CATALOG_URL"',
        help="postgresql:// URL of the catalogue of the live warehouse",
    )
    data_path: str | None = setting(rules.text, example='"s3://bucket/lake/"', help="or a folder")
    published_catalog_env: str | None = setting(
        rules.variable,
        example='"SCREENING_PUBLISHED_URL"',
        help="of another database, for what analysts read",
    )
    published_data_path: str | None = setting(rules.text, example='"s3://bucket/published/"')
    maintain_every: float = setting(
        rules.duration, 3600.0, example='"1h"', help="how often small files are put together (ducklake)"
    )


@dataclass(frozen=True, kw_only=True)
class Privacy:
    """Settings of privacy: variables that hold keys, and retention of raw bodies in days (None: for ever)."""

    pseudonym_key_env: str = setting(
        rules.variable, "SCREENING_PSEUDONYM_KEY", help="made and kept in the data folder when unset"
    )
    landing_key_env: str | None = setting(
        rules.variable,
        example='"SCREENING_LANDING_KEY"',
        help="when named, bodies are encrypted where they land",
    )
    spool_key_env: str = setting(
        rules.variable, "SCREENING_SPOOL_KEY", help="needed where machines share what is landed; else made and kept"
    )
    keep_raw_days: int | None = setting(rules.integer(1, 100_000), example="3650", help="for ever when left out")


@dataclass(frozen=True, kw_only=True)
class Analytics:
    """Settings of the analytics views: which account environments they count."""

    environments: tuple[str, ...] = setting(
        rules.list_of(rules.one_of(*ENVIRONMENTS)), ("production",), help="whose checks the views count"
    )


@dataclass(frozen=True, kw_only=True)
class Planning:
    """Settings of the planner; a value that is None or empty is left to the planner.

    `max_lag_seconds`: the expected lag at which a check is asked again. `worst_case_hours`: each open check
    is seen at least that often while the budget allows, by vendor, `*` being all of them. `history_days`:
    how far back durations are learned.
    """

    max_lag_seconds: float | None = setting(
        rules.positive, example="30", help="expected delay in seeing a change at which a check is asked again"
    )
    worst_case_hours: Mapping[str, float] = setting(
        rules.hours_by_vendor(*all_vendors()),
        {},
        example="24",
        help="each open check is seen at least this often while the budget allows; or a table of hours by vendor; "
        "left out: by state",
    )
    history_days: int | None = setting(
        rules.integer(1, 100_000), example="365", help="how far back durations are learned"
    )


@dataclass(frozen=True, kw_only=True)
class SlaTarget:
    """A promised turnaround (SLA); exactly one of the two targets is set. None in a scope means any."""

    vendor: str | None = setting(rules.text, example=Of(lambda v: toml_text(v.slug)))
    account: str | None = setting(rules.text, example=Of(lambda v: toml_text(account_name(v))))
    package: str | None = setting(rules.text, example='"standard"')
    target_business_days: float | None = setting(rules.positive, example="5", help="or target_hours = 24")
    target_hours: float | None = setting(rules.positive)
    clock: str = setting(
        rules.one_of(*SLA_CLOCKS),
        "vendor",
        help='time the vendor had to act; "total" counts candidate and client too',
    )


@dataclass(frozen=True, kw_only=True)
class AdverseAction:
    """Thresholds of the adverse-action timeline."""

    waiting_business_days: int = setting(
        rules.integer(0, 365), 5, help="between the notice before and the notice of an adverse action"
    )


@dataclass(frozen=True, kw_only=True)
class Http:
    """Settings of HTTP: whether HTTPS_PROXY and its kin are obeyed (default: no)."""

    proxies_from_environment: bool = setting(rules.flag, False, help="true: obey HTTPS_PROXY and its kin")


@dataclass(frozen=True, kw_only=True)
class Operations:
    """Settings of operations: `stale_after`, in seconds, is how long nothing may run before `status` calls it wrong.

    `owners` and `tags` are those of every asset in Dagster; no owners mean the usual one. `key_prefix` stands before
    every asset key and group there.
    """

    stale_after: float = setting(
        rules.duration, 7200.0, example='"2h"', help="`status` ends with 1 where nothing has run for longer"
    )
    owners: tuple[str, ...] = setting(
        rules.list_of(rules.owner), (), example='["team:people-operations"]', help="of the assets in Dagster"
    )
    tags: Mapping[str, str] = setting(rules.tags, {}, example='{ domain = "hiring" }', help="of the assets in Dagster")
    key_prefix: str | None = setting(
        rules.key_prefix, example='"emea"', help="before asset keys and groups, where two installations share a Dagster"
    )


@dataclass(frozen=True, kw_only=True)
class Publish:
    """Settings of publication: the group of this machine that may read what is published (None: this user's own).

    `parquet_every`, in seconds: how often Parquet files are made with a snapshot at most; None: every morning only.
    """

    group: str | None = setting(
        rules.name, example='"analysts"', help="the group of this machine that may read data/published/"
    )
    parquet_every: float | None = setting(
        rules.duration, example='"15m"', help="Parquet with a snapshot, at most so often; left out, every morning"
    )


SECTIONS: Mapping[str, type] = {
    "warehouse": Warehouse,
    "state": SharedState,
    "landing": LandingPlace,
    "orders": OrdersPlace,
    "run": Runs,
    "privacy": Privacy,
    "analytics": Analytics,
    "planning": Planning,
    "adverse_action": AdverseAction,
    "http": Http,
    "operations": Operations,
    "publish": Publish,
    "notify": Notify,
}
"""The tables of screening.toml that stand in it once, beside [[accounts]] and [[sla]]."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The whole configuration; holds names of secrets, never secrets."""

    accounts: tuple[Account, ...]
    paths: Paths
    warehouse: Warehouse = field(default_factory=Warehouse)
    state: SharedState = field(default_factory=SharedState)
    landing: LandingPlace = field(default_factory=LandingPlace)
    orders: OrdersPlace = field(default_factory=OrdersPlace)
    run: Runs = field(default_factory=Runs)
    environments: tuple[str, ...] = Analytics.environments
    privacy: Privacy = field(default_factory=Privacy)
    planning: Planning = field(default_factory=Planning)
    sla: tuple[SlaTarget, ...] = ()
    adverse_action: AdverseAction = field(default_factory=AdverseAction)
    http: Http = field(default_factory=Http)
    operations: Operations = field(default_factory=Operations)
    publish: Publish = field(default_factory=Publish)
    notify: Notify = field(default_factory=Notify)
    config_path: Path | None = None
    is_embedded_sandbox: bool = False

    @property
    def data_dir(self) -> Path:
        """The data folder."""
        return self.paths.data_dir

    @property
    def engine(self) -> str:
        """The engine of the warehouse: `duckdb` or `ducklake`."""
        return self.warehouse.engine

    @property
    def account_keys(self) -> list[str]:
        """`vendor/name` of every account, sorted."""
        return sorted(account.key for account in self.accounts)

    def account(self, vendor: str, name: str | None = None) -> Account:
        """The account of that name, or the vendor's only one. Raises KeyError if there is not exactly one."""
        found = [a for a in self.accounts if a.vendor == vendor and name in (None, a.name)]
        if len(found) != 1:
            raise KeyError(f"{vendor}/{name or '?'}")
        return found[0]

    def select(self, vendors: Iterable[str] = (), names: Iterable[str] = ()) -> tuple[Account, ...]:
        """The accounts of these vendors and names; an empty choice selects all. Raises UsageError."""
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


def config_path(environ: Mapping[str, str], cwd: Path) -> Path | None:
    """The path of the configuration file in force: SCREENING_CONFIG or ./screening.toml; None if there is none."""
    named = environ.get(CONFIG_VARIABLE, "").strip()
    if named:
        return cwd / Path(named).expanduser()
    default = cwd / FILE_NAME
    return default if os.path.lexists(default) else None


def _check_choice(kind: str, given: Iterable[str], known: set[str]) -> None:
    for word in given:
        if word not in known:
            raise UsageError(
                f"no {kind} {word[:40]!a} is configured{table_reader.nearest(word, known)}",
                code="no_account",
            )


# ── the bundled sandbox ────────────────────────────────────────────────────────────────────────────
