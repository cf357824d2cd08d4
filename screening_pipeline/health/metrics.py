"""The status in Prometheus' text format: figures of accounts, of what runs, and of what waits for a person.

Nothing of a person, of a check or of an answer stands in it: only accounts' names and numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE

if TYPE_CHECKING:
    from screening_pipeline.health.accounts import AccountStatus
    from screening_pipeline.health.status import StatusReport

__all__ = ["CONTENT_TYPE", "exposition"]

_PREFIX = "screening"
_Value = float | datetime | None

_OF_ACCOUNT: dict[str, tuple[str, Callable[[AccountStatus], _Value]]] = {
    "checks": ("Checks known.", lambda a: a.checks),
    "checks_open": ("Checks not ended.", lambda a: a.open),
    "checks_due": ("Checks to be asked for now.", lambda a: a.due),
    "overdue_seconds": ("How long the check that waits longest is due.", lambda a: a.overdue_seconds or 0.0),
    "oldest_open_seconds": ("Age of the oldest open check.", lambda a: a.oldest_open_seconds),
    "calls_last_minute": ("Calls in the last minute.", lambda a: a.used),
    "calls_per_minute_limit": ("Calls a minute that the account's limit allows.", lambda a: a.requests_per_minute),
    "last_success_timestamp_seconds": ("When an answer could be read last.", lambda a: a.last_success_at),
    "last_error_timestamp_seconds": ("When the error came that no success has followed.", lambda a: a.last_error_at),
    "account_stopped": ("1 while the account is not asked at all.", lambda a: a.stopped_code is not None),
    "account_silent_seconds": ("How long the vendor wants no calls.", lambda a: a.silent_seconds),
    "account_needs_attention": ("1 where a person should look.", lambda a: a.needs_attention),
    "secrets_missing": ("Secrets that are not set.", lambda a: len(a.missing_secrets)),
    "rejected_answers": ("Answers that could not be read and are open.", lambda a: a.rejects),
    "unmapped_words": ("Words in use that nobody has mapped.", lambda a: a.unmapped),
    "ids_not_found": ("Ids that the vendor does not know.", lambda a: a.not_found),
    "feed_gaps_open": ("Calls of the feed that may have lost something, not made good.", lambda a: a.open_gaps),
    "states_missed_per_day": ("States expected to pass unseen within the limit.", lambda a: a.states_lost_per_day),
    "states_missed_share": ("Share of states that came and went unseen.", lambda a: a.states_lost_share),
    "refused_pushes_today": (
        "Pushed messages refused for their proof, since midnight.",
        lambda a: a.refused_pushes,
    ),
}
_OF_ALL: dict[str, tuple[str, Callable[[StatusReport], _Value]]] = {
    "last_cycle_timestamp_seconds": ("When the last cycle ended.", lambda s: s.running.pulse.cycle_at),
    "last_sign_of_life_timestamp_seconds": (
        "When a cycle ended, or `watch` or the daemon looked for what is due.",
        lambda s: s.running.pulse.last_at,
    ),
    "snapshot_timestamp_seconds": ("When the snapshot was made.", lambda s: s.running.snapshot_at),
    "parquet_timestamp_seconds": ("When the Parquet files were made.", lambda s: s.running.parquet_at),
    "stale": ("1 where nothing has run for longer than the limit.", lambda s: s.running.is_stale),
    "rejected_order_rows": ("Rows of order files that are refused and open.", lambda s: s.order_rejects),
    "landed_waiting": (
        "Answers that wait in the database to be put away and merged.",
        lambda s: s.backlog.waiting.lines if s.backlog else None,
    ),
    "landed_waiting_since_timestamp_seconds": (
        "When the oldest of them came.",
        lambda s: s.backlog.waiting.since if s.backlog else None,
    ),
    "needs_attention": ("1 where `status` ends with 1.", lambda s: s.needs_attention),
}


def exposition(found: StatusReport) -> bytes:
    """The status as Prometheus reads it (text format 0.0.4): times as Unix seconds, what is unknown left out."""
    registry = CollectorRegistry()
    registry.register(_Collector(found))
    return generate_latest(registry)


@dataclass(eq=False)  # a registry knows it by itself, not by what it holds
class _Collector:
    found: StatusReport

    def collect(self) -> Iterator[Any]:
        for name, (words, value_of) in _OF_ALL.items():
            family = GaugeMetricFamily(f"{_PREFIX}_{name}", words)
            _add(family, (), value_of(self.found))
            yield family
        for name, (words, value_of_account) in _OF_ACCOUNT.items():
            family = GaugeMetricFamily(f"{_PREFIX}_{name}", words, labels=("vendor", "account"))
            for account in self.found.accounts:
                _add(family, account.account.split("/", 1), value_of_account(account))
            yield family


def _add(family: GaugeMetricFamily, labels: Any, value: _Value) -> None:
    if value is not None:
        family.add_metric(labels, value.timestamp() if isinstance(value, datetime) else float(value))
