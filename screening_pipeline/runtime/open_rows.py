"""Open checks out of the warehouse, by column, as the planner takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from screening_pipeline.base.sql_text import quote
from screening_pipeline.planning.columns import Kind, OpenRows
from screening_pipeline.warehouse import catalog, session

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening_pipeline.settings.account import Account
    from screening_pipeline.warehouse.session import Connection

    Found = Mapping[str, NDArray[Any]]

# How a decision is asked for that an account is only taken to make: an hour less, so that a run that starts a second
# earlier than the day before asks all the same.
DECISION_DAILY, DECISION_FORTNIGHT = timedelta(hours=23), timedelta(days=14)
DECISION_WEEKLY, DECISION_GIVEN_UP = timedelta(days=7, hours=-1), timedelta(days=60)


def names_of(accounts: Sequence[Account]) -> str:
    """Accounts as a list of pairs in SQL."""
    return ", ".join(f"({quote(account.vendor)}, {quote(account.name)})" for account in accounts)


def open_rows(
    connection: Connection, accounts: Sequence[Account], now: datetime, *, is_whole: bool
) -> Iterator[tuple[Account, Found]]:
    """The open checks of each account of which anything is asked, by their keys; one question for all accounts."""
    given = {"accounts": names_of(accounts), "now": quote(now.isoformat()), "is_whole": str(is_whole).lower()}
    found = session.columns(connection, catalog.statement("open_checks", **given))
    waited = now.timestamp() - found["decision_since"]
    is_asked = ~(waited > DECISION_GIVEN_UP.total_seconds())
    places = {(account.vendor, account.name): place for place, account in enumerate(accounts)}
    whose = np.array([places[key] for key in zip(found["vendor"], found["account"], strict=True)], dtype=np.int64)
    for place, account in enumerate(accounts):
        chosen = np.flatnonzero((whose == place) & is_asked)
        yield account, {name: column[chosen] for name, column in found.items()}


def as_planned(found: Found, now: datetime) -> OpenRows:
    """Rows as the planner takes them."""
    return OpenRows(
        check_key=found["check_key"],
        kinds=list(zip(*(found[name].tolist() for name in Kind._fields), strict=True)),
        wait_seconds=_wait(now.timestamp() - found["decision_since"]),
        **{name: found[name] for name in ("state_since", "last_pulled_at", "retry_at", "is_push_fed", "is_requested")},
    )


def _wait(waited: NDArray[np.float64]) -> NDArray[np.float64]:
    """How long to wait where only a decision is awaited, by how long it was waited for; NaN elsewhere."""
    is_fresh = waited <= DECISION_FORTNIGHT.total_seconds()
    wait = np.where(is_fresh, DECISION_DAILY.total_seconds(), DECISION_WEEKLY.total_seconds())
    return np.where(np.isnan(waited), np.nan, wait)
