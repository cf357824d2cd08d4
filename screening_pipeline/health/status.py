"""The status of every account: from the published snapshot and the shared state, waiting for nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from screening_pipeline.base.errors import PlaceOutOfReach, UsageError
from screening_pipeline.health.accounts import AccountStatus, standing
from screening_pipeline.health.backlog import Backlog, backlog
from screening_pipeline.health.running import Running, running
from screening_pipeline.runtime import unread
from screening_pipeline.runtime.shared import shared_store
from screening_pipeline.state.pull_queue import PullQueue
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline.warehouse import catalog, session
from screening_pipeline.warehouse.engines import engine_of

if TYPE_CHECKING:
    from screening_pipeline.base.clock import Clock
    from screening_pipeline.settings.settings import Settings


_ORDER_REJECTS = "select count(*) as n from ops.open_reject where source = 'manifest'"
_UNMAPPED = "select distinct vendor, account, field, value from ops.unmapped_value where is_current order by all"
_BROKEN = "select count(distinct check_key) as n from analytics.sla_breaches where is_running"
_EXPECTED_LATE = (
    "select sum(expected) as n from analytics.breach_forecast "
    "where week < (select max(latest_at) from analytics.account_horizon) + to_days(7)"
)
_AT_RISK = "select count(*) as n from analytics.starts_at_risk where is_at_risk"
_SLOW = "select distinct vendor from analytics.slowdown where is_slow order by vendor"
_KEYS = ("adjudication_expected", "e_verify_expected")
_EXPECTED = f"select vendor, account, {', '.join(_KEYS)} from star.dim_account"
_CHECKS = "select vendor, account, count(*) as checks from star.fact_check group by all order by all"


@dataclass(frozen=True, kw_only=True)
class StatusReport:
    """What runs, the status of all accounts, as configured, and what belongs to no account.

    `order_rejects` counts rows of manifests that are open; `order_files` says of files why they wait, or how they are
    written where that is not plain CSV; each of `unmapped_words` has vendor, account, field and value; each of
    `unconfigured` has vendor, account and how many checks are known of it. `backlog`: what waits to be put away, where
    machines share it; `unpublished` says why what is published cannot be read, where a bucket is out of reach.
    """

    running: Running
    accounts: list[AccountStatus]
    order_rejects: int
    order_files: Mapping[str, str]
    unmapped_words: list[dict[str, Any]]
    unconfigured: list[dict[str, Any]]
    backlog: Backlog | None = None
    unpublished: str | None = None

    @property
    def needs_attention(self) -> bool:
        """Whether nothing runs any more, or any account, or any order reject, needs a person's attention."""
        is_account = any(account.needs_attention for account in self.accounts)
        is_waiting = self.backlog is not None and self.backlog.is_alarming
        return self.running.is_stale or bool(self.order_rejects) or is_account or is_waiting or bool(self.unpublished)

    def facts(self) -> list[dict[str, Any]]:
        """The status as JSON values: a row for each account; what belongs to none is repeated in each."""
        return [
            {
                **account.facts(),
                **self.running.facts(),
                "order_rejects": self.order_rejects,
                "order_files": dict(self.order_files),
                **(self.backlog.facts() if self.backlog else {}),
                **({"unpublished": self.unpublished} if self.unpublished else {}),
                "unconfigured": self.unconfigured,
                "unmapped_words": [
                    {"field": word["field"], "value": word["value"]}
                    for word in self.unmapped_words
                    if f"{word['vendor']}/{word['account']}" == account.account
                ],
            }
            for account in self.accounts
        ]


def status_report(settings: Settings, environ: Mapping[str, str], clock: Clock) -> StatusReport:
    """The status of everything that is configured."""
    settings.paths.create()
    state = shared_store(settings, environ)
    pull_queue, limiter = PullQueue(state), Limiter(state, clock)
    queries = (catalog.statement("account_status"), _ORDER_REJECTS, _UNMAPPED, _CHECKS)
    try:
        (known, rejected, words, checks), unpublished = published(settings, *queries), None
    except PlaceOutOfReach as problem:
        (known, rejected, words, checks), unpublished = [[] for _ in queries], str(problem)
    facts = {(row["vendor"], row["account"]): row for row in known}
    return StatusReport(
        running=running(settings, pull_queue, clock.now()),
        accounts=[
            standing(account, facts.get((account.vendor, account.name), {}), state, pull_queue, limiter, environ, clock)
            for account in settings.accounts
        ],
        order_rejects=sum(row["n"] for row in rejected),
        order_files=_order_files(unread.told_of_orders(pull_queue)),
        unmapped_words=words,
        unconfigured=[row for row in checks if f"{row['vendor']}/{row['account']}" not in settings.account_keys],
        backlog=backlog(settings, environ, clock),
        unpublished=unpublished,
    )


def _order_files(told: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    written = {name: f"read as {words}" for name, words in told["dialects"].items()}
    return {**written, **{name: f"waits: {why}" for name, why in told["waiting"].items()}}


def unmapped_words(settings: Settings) -> list[dict[str, Any]]:
    """The unmapped status words in use: vendor, account, field and value of each."""
    return published(settings, _UNMAPPED)[0]


@dataclass(frozen=True, kw_only=True)
class Delays:
    """What is late, and what will be.

    `at_risk`: open checks that are needed by a day and complete before it with a chance below 80 %; `broken` promises
    of open checks; `expected` more within a week; `slow_vendors` have become slower.
    """

    at_risk: int
    broken: int
    expected: int
    slow_vendors: tuple[str, ...]


def delays(settings: Settings) -> Delays:
    """What is late, and what is about to be."""
    at_risk, broken, expected, slow = published(settings, _AT_RISK, _BROKEN, _EXPECTED_LATE, _SLOW)
    return Delays(
        at_risk=sum(row["n"] for row in at_risk),
        broken=sum(row["n"] for row in broken),
        expected=round(sum(row["n"] or 0 for row in expected)),
        slow_vendors=tuple(row["vendor"] for row in slow),
    )


def inferred(settings: Settings) -> dict[str, list[str]]:
    """By account the keys that it leaves unset and that its checks have answered with yes."""
    known = {f"{row['vendor']}/{row['account']}": row for row in published(settings, _EXPECTED)[0]}
    return {
        account.key: [
            key for key in _KEYS if getattr(account, key) is None and known.get(account.key, {}).get(key) is True
        ]
        for account in settings.accounts
    }


def published(settings: Settings, *queries: str) -> list[list[dict[str, Any]]]:
    """The rows of each query, all on one snapshot; none before there is one of this version."""
    nothing: list[list[dict[str, Any]]] = [[] for _ in queries]
    engine = engine_of(settings)
    if not engine.is_published():
        return nothing
    try:
        with engine.reader() as connection:
            return [session.rows(connection, query) for query in queries]
    except UsageError as problem:
        if problem.code != "published_before":
            raise
        return nothing
