"""Settings of what several machines share: state, landed lines, orders, and how much one run of them asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from screening_pipeline.settings import rules
from screening_pipeline.settings.table_reader import Refused, setting


def _place(value: Any) -> str:
    """Rule: a bucket (`s3://bucket/prefix`) or a folder (`file:///folder`), without keys; never shown."""
    given = rules.text(value)
    parts = urlsplit(given)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise Refused("must carry no key and no query: keys of a bucket come from where AWS's own tools look")
    is_folder = parts.scheme == "file" and not parts.netloc and parts.path.startswith("/")
    if not (is_folder or (parts.scheme == "s3" and parts.netloc)):
        raise Refused("must be s3://bucket/prefix, or file:///folder that all machines mount")
    return given.rstrip("/")


@dataclass(frozen=True, kw_only=True)
class SharedState:
    """Where what processes share lies: with `url_env` in a PostgreSQL of several machines, else in the data folder."""

    url_env: str | None = setting(
        rules.variable,
        example='"SCREENING_STATE_URL"',
        help="for several machines: variable with a postgresql:// URL; with landing, orders and a lake",
    )


@dataclass(frozen=True, kw_only=True)
class LandingPlace:
    """Where landed lines lie: with `url` in a bucket, or a folder that all machines mount, else in the data folder."""

    url: str | None = setting(
        _place, example='"s3://bucket/landing"', help="goes with state.url_env; or file:///mounted/landing"
    )


@dataclass(frozen=True, kw_only=True)
class OrdersPlace:
    """Where order files lie: with `url` in a bucket or a mounted folder, of which the data folder has a copy."""

    url: str | None = setting(
        _place, example='"s3://bucket/orders"', help="goes with state.url_env; or file:///mounted/orders"
    )


@dataclass(frozen=True, kw_only=True)
class Runs:
    """Settings of runs where machines share their state: how many accounts one run asks."""

    shard_accounts: int = setting(
        rules.integer(1, 10_000), 50, help="accounts that one run asks, where machines share their state"
    )


def problems(values: dict[str, dict[str, object]]) -> list[str]:
    """Half of what is shared is how limits break: machines would ask for the same and land it apart."""
    if not values["state"].get("url_env"):
        return [f"{name}.url goes with state.url_env" for name in ("landing", "orders") if values[name].get("url")]
    found = []
    if not values["landing"].get("url"):
        found.append("landing.url is missing (state.url_env is set): what is landed must be shared as well")
    if values["warehouse"].get("engine") == "duckdb":
        found.append('warehouse.engine must be "ducklake" (state.url_env is set): a file is one machine\'s')
    if not values["orders"].get("url"):
        found.append("orders.url is missing (state.url_env is set): any machine may be the one that reads orders")
    if not values["privacy"].get("landing_key_env"):
        found.append("privacy.landing_key_env is missing (state.url_env is set): lines leave this machine")
    return found
