"""The status of every account: from the published snapshot and the shared state, waiting for nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from screening_pipeline.base import inert
from screening_pipeline.base.errors import UsageError
from screening_pipeline.runtime import unread
from screening_pipeline.state.pull_queue import PullQueue
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline.state.store import State
from screening_pipeline.warehouse import catalog, session, store
from screening_pipeline.webhooks.refusals import refusals

if TYPE_CHECKING:
    from screening_pipeline.base.clock import Clock
    from screening_pipeline.settings.account import Account
    from screening_pipeline.settings.settings import Settings


_ORDER_REJECTS = "select count(*) as n from ops.open_reject where source = 'manifest'"
_UNMAPPED = "select distinct vendor, account, field, value from ops.unmapped_value where is_current order by all"
_KEYS = ("adjudication_expected", "e_verify_expected")
_EXPECTED = f"select vendor, account, {', '.join(_KEYS)} from star.dim_account"
_CHECKS = "select vendor, account, count(*) as checks from star.fact_check group by all order by all"


@dataclass(frozen=True, kw_only=True)
class AccountStatus:
    """The status of one account. Counts are of checks, answers and words; times are UTC; `used` is calls per minute."""

    account: str
    checks: int
    open: int
    due: int
    next_due_at: datetime | None
    oldest_open_seconds: float | None
    used: int
    requests_per_minute: int
    last_error: str | None
    last_error_at: datetime | None
    stopped_code: str | None
    silent_seconds: float
    not_found: int
    knows_none: bool
    rejects: int
    unmapped: int
    unconfirmed: int
    hidden_labels: int
    missing_secrets: tuple[str, ...]
    is_overloaded: bool
    states_lost_per_day: float
    refused_pushes: int = 0

    COLUMNS: ClassVar[Mapping[str, str]] = {
        "account": "account",
        "checks": "checks",
        "open": "open",
        "due": "due",
        "next_due": "next due",
        "oldest": "oldest open",
        "budget": "calls a minute",
        "missed": "missed a day",
        "rejects": "rejects",
        "unmapped": "unmapped",
        "trouble": "trouble",
    }

    @property
    def needs_attention(self) -> bool:
        """Whether a person should look at the account."""
        return bool(
            self.stopped_code
            or self.knows_none
            or self.missing_secrets
            or self.rejects
            or self.unmapped
            or self.unconfirmed
            or self.is_overloaded
        )

    def facts(self) -> dict[str, Any]:
        """The status as JSON values."""
        return asdict(self)

    def words(self) -> dict[str, Any]:
        """The status as table cells for a person, by the keys of COLUMNS."""
        return {
            "account": self.account,
            "checks": self.checks,
            "open": self.open,
            "due": self.due,
            "next_due": f"{self.next_due_at:%d %b %H:%M:%S}" if self.next_due_at else None,
            "oldest": inert.span(self.oldest_open_seconds),
            "budget": f"{self.used}/{self.requests_per_minute}",
            "missed": self.states_lost_per_day,
            "rejects": self.rejects,
            "unmapped": self.unmapped,
            "trouble": self._trouble(),
        }

    def _trouble(self) -> str:
        """The worst of what is wrong."""
        troubles = (
            (self.missing_secrets, f"unset: {', '.join(self.missing_secrets)}"),
            (self.stopped_code, f"stopped: {self.stopped_code}"),
            (self.silent_seconds > 0, f"silent for {self.silent_seconds:.0f} s, as the vendor asked"),
            (self.knows_none, "knows none of the ids it was asked for, see base_url and environment"),
            (self.not_found, f"{self.not_found} ids not found"),
            (self.unconfirmed, f"{self.unconfirmed} with a message nobody can confirm, see ops.mapping_conflict"),
            (self.refused_pushes, f"{self.refused_pushes:,} pushed messages refused today for their proof"),
            (self.is_overloaded, "budget too small: only the likeliest changes are asked for"),
            (self.last_error, f"last error: {self.last_error}"),
        )
        return next((words for is_so, words in troubles if is_so), "")


@dataclass(frozen=True, kw_only=True)
class StatusReport:
    """The status of all accounts, as configured, and what belongs to no account.

    `order_rejects` counts rows of manifests that are open; `order_files` says of files why they wait, or how they are
    written where that is not plain CSV; each of `unmapped_words` has vendor, account, field and value; each of
    `unconfigured` has vendor, account and how many checks are known of it.
    """

    accounts: list[AccountStatus]
    order_rejects: int
    order_files: Mapping[str, str]
    unmapped_words: list[dict[str, Any]]
    unconfigured: list[dict[str, Any]]

    @property
    def needs_attention(self) -> bool:
        """Whether any account, or any order reject, needs a person's attention."""
        return bool(self.order_rejects) or any(account.needs_attention for account in self.accounts)

    def facts(self) -> list[dict[str, Any]]:
        """The status as JSON values: a row for each account; what belongs to none is repeated in each."""
        return [
            {
                **account.facts(),
                "order_rejects": self.order_rejects,
                "order_files": dict(self.order_files),
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
    state = State(settings.paths.state)
    pull_queue, limiter = PullQueue(state), Limiter(state, clock)
    known, rejected, words, checks = _published(
        settings, catalog.statement("account_status"), _ORDER_REJECTS, _UNMAPPED, _CHECKS
    )
    facts = {(row["vendor"], row["account"]): row for row in known}
    return StatusReport(
        accounts=[
            _standing(
                account, facts.get((account.vendor, account.name), {}), state, pull_queue, limiter, environ, clock
            )
            for account in settings.accounts
        ],
        order_rejects=sum(row["n"] for row in rejected),
        order_files=_order_files(unread.told_of_orders(pull_queue)),
        unmapped_words=words,
        unconfigured=[row for row in checks if f"{row['vendor']}/{row['account']}" not in settings.account_keys],
    )


def _order_files(told: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    written = {name: f"read as {words}" for name, words in told["dialects"].items()}
    return {**written, **{name: f"waits: {why}" for name, why in told["waiting"].items()}}


def unmapped_words(settings: Settings) -> list[dict[str, Any]]:
    """The unmapped status words in use: vendor, account, field and value of each."""
    return _published(settings, _UNMAPPED)[0]


def inferred(settings: Settings) -> dict[str, list[str]]:
    """By account the keys that it leaves unset and that its checks have answered with yes."""
    known = {f"{row['vendor']}/{row['account']}": row for row in _published(settings, _EXPECTED)[0]}
    return {
        account.key: [
            key for key in _KEYS if getattr(account, key) is None and known.get(account.key, {}).get(key) is True
        ]
        for account in settings.accounts
    }


def _published(settings: Settings, *queries: str) -> list[list[dict[str, Any]]]:
    """The rows of each query, all on one snapshot; none before there is one of this version."""
    nothing: list[list[dict[str, Any]]] = [[] for _ in queries]
    if not settings.paths.published.exists():
        return nothing
    try:
        with store.reader(settings.paths.published) as connection:
            return [session.rows(connection, query) for query in queries]
    except UsageError as problem:
        if problem.code != "published_before":
            raise
        return nothing


def _standing(
    account: Account,
    facts: Mapping[str, Any],
    state: State,
    pull_queue: PullQueue,
    limiter: Limiter,
    environ: Mapping[str, str],
    clock: Clock,
) -> AccountStatus:
    now = clock.now()
    summary = pull_queue.summary(account.vendor, account.name, now)
    known = state.account(account.vendor, account.name, clock)
    oldest = facts.get("oldest_open_at")
    return AccountStatus(
        account=account.key,
        checks=facts.get("checks", 0),
        open=summary.open,
        due=summary.due if account.polling else 0,
        next_due_at=summary.next_due_at if account.polling else None,
        oldest_open_seconds=(now - oldest).total_seconds() if oldest else None,
        used=limiter.used_last_window(account.vendor, account.name),
        requests_per_minute=account.requests_per_minute,
        last_error=known.last_error,
        last_error_at=known.last_error_at,
        stopped_code=known.stopped_code,
        silent_seconds=known.silent_seconds,
        knows_none=account.polling and known.knows_none,
        not_found=len(state.not_found(account.vendor, account.name)),
        rejects=facts.get("rejects", 0),
        unmapped=facts.get("unmapped", 0),
        unconfirmed=facts.get("unconfirmed", 0),
        hidden_labels=facts.get("hidden_labels", 0),
        missing_secrets=account.missing_secrets(environ),
        is_overloaded=facts.get("is_overloaded", False),
        states_lost_per_day=facts.get("states_lost_per_day", 0.0),
        refused_pushes=refusals(pull_queue, account.key, now).count,
    )
