"""screening.toml loaded into Settings, or every problem of it at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from screening_pipeline.base.errors import ConfigurationError
from screening_pipeline.settings.account import Account
from screening_pipeline.settings.moved import require_here
from screening_pipeline.settings.notify import Notify
from screening_pipeline.settings.paths import Paths, paths_of
from screening_pipeline.settings.sandbox_accounts import bundled
from screening_pipeline.settings.settings import (
    CONFIG_VARIABLE,
    FILE_NAME,
    AdverseAction,
    Analytics,
    Http,
    Operations,
    Planning,
    Privacy,
    Publish,
    Settings,
    SlaTarget,
    Warehouse,
    config_path,
)
from screening_pipeline.settings.shared import LandingPlace, OrdersPlace, Runs, SharedState


def load(environ: Mapping[str, str], cwd: Path) -> Settings:
    """The settings of SCREENING_CONFIG or ./screening.toml; without either, those of the bundled sandbox.

    Raises ConfigurationError, which lists every problem of the file; also where there is none, and the data folder is
    that of configured accounts.
    """
    from screening_pipeline.settings import file  # it reads what is declared here; the bundled sandbox needs none of it

    found = config_path(environ, cwd)
    if found is None:
        settings = bundled(environ, cwd)
        require_here(settings.paths)
        if settings.paths.claim.exists():
            problem = f"is not here, and {settings.data_dir} is the data folder of configured accounts: go where it is"
            raise ConfigurationError([f"{problem}, or name it in {CONFIG_VARIABLE}"], source=FILE_NAME)
        return settings
    paths = paths_of(environ, cwd)
    require_here(paths)
    named_by = CONFIG_VARIABLE if environ.get(CONFIG_VARIABLE, "").strip() else None
    return _settings(file.read(found, named_by=named_by), found, paths)


def _settings(values: dict[str, Any], path: Path, paths: Paths) -> Settings:
    return Settings(
        accounts=tuple(_account(account) for account in values["accounts"]),
        paths=paths,
        warehouse=Warehouse(**values["warehouse"]),
        state=SharedState(**values["state"]),
        landing=LandingPlace(**values["landing"]),
        orders=OrdersPlace(**values["orders"]),
        run=Runs(**values["run"]),
        environments=Analytics(**values["analytics"]).environments,
        privacy=Privacy(**values["privacy"]),
        planning=Planning(**values["planning"]),
        sla=tuple(SlaTarget(**target) for target in values["sla"]),
        adverse_action=AdverseAction(**values["adverse_action"]),
        http=Http(**values["http"]),
        operations=Operations(**values["operations"]),
        publish=Publish(**values["publish"]),
        notify=Notify(**values["notify"]),
        config_path=path,
    )


def _account(values: dict[str, Any]) -> Account:
    """The account of checked values: the named variables by role, the rest as it is."""
    names = {key.removesuffix("_env"): name for key, name in values.items() if key.endswith("_env") and name}
    rest = {key: value for key, value in values.items() if not key.endswith("_env")}
    return Account(secret_names=names, **rest)
