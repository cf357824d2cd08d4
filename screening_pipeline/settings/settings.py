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
from screening_pipeline.settings import table_reader
from screening_pipeline.settings.paths import Paths

if TYPE_CHECKING:
    from screening_pipeline.settings.account import Account


FILE_NAME = "screening.toml"
CONFIG_VARIABLE = "SCREENING_CONFIG"


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


def config_path(environ: Mapping[str, str], cwd: Path) -> Path | None:
    """The configuration file that holds here, if any."""
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
