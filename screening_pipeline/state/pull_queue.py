"""The pull queue: which checks are to be pulled when, in the shared state, readable while the warehouse is busy.

The plan is made from the warehouse (`replan`) and kept there, in `ops.pull_plan`. The agenda is a copy of it in the
shared state, which may be lost: the next cycle copies it again. Only here is a check put off that was just asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from screening_pipeline.state.interface import QueueRow, Store


@dataclass(frozen=True, slots=True)
class QueuedPull:
    """One queued pull: a check, when it is due, and the reason in words."""

    check_key: int
    vendor: str
    account: str
    subject: str
    check_id: str
    next_pull_at: datetime
    reason: str
    is_requested: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """The state of an account's pull queue at an instant: open and due checks, the next due time."""

    open: int
    due: int
    next_due_at: datetime | None


class PullQueue:
    """The pull queue in the shared state; every method is one short transaction."""

    def __init__(self, state: Store) -> None:
        self._rows = state.queue

    def replace(self, vendor: str, account: str, items: Iterable[QueuedPull]) -> None:
        """Replace the account's whole queue by `items`."""
        self.replace_rows(vendor, account, map(_row, items))

    def replace_rows(self, vendor: str, account: str, rows: Iterable[QueueRow]) -> None:
        """The same with rows, in which the time is in seconds since 1970."""
        self._rows.replace(vendor, account, rows)

    def put_rows(self, check_keys: Iterable[int], rows: Iterable[QueueRow]) -> None:
        """Put these rows in the place of what is queued of these checks."""
        self._rows.put(check_keys, rows)

    def keep_only(self, accounts: Iterable[tuple[str, str]]) -> None:
        """Delete the queues of all other accounts (vendor, name), which were renamed or removed."""
        self._rows.keep_only([*accounts])

    def due(
        self,
        vendor: str,
        account: str,
        now: datetime,
        *,
        limit: int | None = None,
        is_full: bool = False,
        without: Sequence[str] = (),
    ) -> list[QueuedPull]:
        """The pulls due at `now` (with `is_full`: all open ones), most urgent first, at most `limit`.

        `without` leaves out subjects.
        """
        latest = float("inf") if is_full else now.timestamp()
        return [_item(row) for row in self._rows.due(vendor, account, latest, limit=limit, without=without)]

    def is_due(self, vendor: str, account: str, now: datetime, *, without: Sequence[str] = ()) -> bool:
        """Whether a pull is due at `now`; `without` leaves out subjects."""
        return bool(self.due(vendor, account, now, limit=1, without=without))

    def postpone(self, check_keys: Iterable[int], until: datetime) -> None:
        """Defer these pulls to `until` at the earliest: they were just made, and the next plan is not there yet."""
        self._rows.postpone(check_keys, until.timestamp())

    def summary(self, vendor: str, account: str, now: datetime, *, without: Sequence[str] = ()) -> Summary:
        """Counts of open and due checks, and the next due time."""
        found, due, next_at = self._rows.counts(vendor, account, now.timestamp(), without=without)
        return Summary(found, due, datetime.fromtimestamp(next_at, UTC) if next_at is not None else None)

    def note(self, name: str) -> str | None:
        """The value stored under a name in the shared state; None if there is none."""
        return self._rows.note(name)

    def remember(self, name: str, value: str) -> None:
        """Store a value under a name in the shared state, which may be lost."""
        self._rows.remember(name, value)

    def forget(self, names: Iterable[str]) -> None:
        """Delete stored values by name."""
        self._rows.forget(names)


def _row(item: QueuedPull) -> QueueRow:
    at = item.next_pull_at.timestamp()
    return (
        item.check_key,
        item.vendor,
        item.account,
        item.subject,
        item.check_id,
        at,
        item.reason,
        int(item.is_requested),
    )


def _item(row: QueueRow) -> QueuedPull:
    key, vendor, account, subject, check_id, at, reason, is_requested = row
    due_at = datetime.fromtimestamp(at, UTC)
    return QueuedPull(key, vendor, account, subject, check_id, due_at, reason, bool(is_requested))
