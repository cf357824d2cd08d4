"""The pull queue: which checks are to be pulled when, in the shared state, readable while the warehouse is busy.

The plan is made from the warehouse (`replan`) and kept there, in `ops.pull_plan`. The agenda is a copy of it in the
shared state, which may be lost: the next cycle copies it again. Only here is a check put off that was just asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

    from screening_pipeline.state.store import State

_TABLES = """
create table if not exists agenda (
    check_key integer primary key, vendor text not null, account text not null, subject text not null,
    check_id text not null, next_pull_at real not null, reason text not null, is_requested integer not null
);
create index if not exists agenda_by_time on agenda (vendor, account, next_pull_at);
create table if not exists note (name text primary key, value text not null) without rowid;
"""


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

    def __init__(self, state: State) -> None:
        self._state = state
        with state.writing() as db:
            for statement in _TABLES.split(";"):
                db.execute(statement)

    def replace(self, vendor: str, account: str, items: Iterable[QueuedPull]) -> None:
        """Replace the account's whole queue by `items`."""
        with self._state.writing() as db:
            db.execute("delete from agenda where vendor = ? and account = ?", (vendor, account))
            db.executemany("insert or replace into agenda values (?, ?, ?, ?, ?, ?, ?, ?)", map(_row, items))

    def keep_only(self, accounts: Iterable[tuple[str, str]]) -> None:
        """Delete the queues of all other accounts (vendor, name), which were renamed or removed."""
        kept = [*accounts]
        with self._state.writing() as db:
            named = ", ".join(["(?, ?)"] * len(kept))
            db.execute(
                f"delete from agenda where (vendor, account) not in (values {named})", [x for key in kept for x in key]
            )

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
        left_out = "".join(" and subject <> ?" for _ in without)
        with self._state.reading() as db:
            found = db.execute(
                f"select * from agenda where vendor = ? and account = ? and next_pull_at <= ?{left_out} "
                "order by is_requested desc, next_pull_at, check_key limit ?",
                (vendor, account, latest, *without, -1 if limit is None else limit),
            )
            return [_item(row) for row in found]

    def is_due(self, vendor: str, account: str, now: datetime, *, without: Sequence[str] = ()) -> bool:
        """Whether a pull is due at `now`; `without` leaves out subjects."""
        return bool(self.due(vendor, account, now, limit=1, without=without))

    def postpone(self, check_keys: Iterable[int], until: datetime) -> None:
        """Defer these pulls to `until` at the earliest: they were just made, and the next plan is not there yet."""
        with self._state.writing() as db:
            db.executemany(
                "update agenda set next_pull_at = max(next_pull_at, ?), is_requested = 0 where check_key = ?",
                [(until.timestamp(), key) for key in check_keys],
            )

    def summary(self, vendor: str, account: str, now: datetime, *, without: Sequence[str] = ()) -> Summary:
        """Counts of open and due checks, and the next due time."""
        left_out = "".join(" and subject <> ?" for _ in without)
        with self._state.reading() as db:
            row = db.execute(
                "select count(*), count(*) filter (where next_pull_at <= ?), min(next_pull_at) "
                f"from agenda where vendor = ? and account = ?{left_out}",
                (now.timestamp(), vendor, account, *without),
            ).fetchone()
        return Summary(row[0], row[1], datetime.fromtimestamp(row[2], UTC) if row[2] is not None else None)

    def note(self, name: str) -> str | None:
        """The value stored under a name in the shared state; None if there is none."""
        with self._state.reading() as db:
            row = db.execute("select value from note where name = ?", (name,)).fetchone()
        return str(row[0]) if row else None

    def remember(self, name: str, value: str) -> None:
        """Store a value under a name in the shared state, which may be lost."""
        with self._state.writing() as db:
            db.execute("insert or replace into note values (?, ?)", (name, value))

    def forget(self, names: Iterable[str]) -> None:
        """Delete stored values by name."""
        with self._state.writing() as db:
            db.executemany("delete from note where name = ?", [(name,) for name in names])


def _row(item: QueuedPull) -> tuple[object, ...]:
    return (
        item.check_key,
        item.vendor,
        item.account,
        item.subject,
        item.check_id,
        item.next_pull_at.timestamp(),
        item.reason,
        int(item.is_requested),
    )


def _item(row: sqlite3.Row) -> QueuedPull:
    key, vendor, account, subject, check_id, at, reason, is_requested = row
    due_at = datetime.fromtimestamp(at, UTC)
    return QueuedPull(key, vendor, account, subject, check_id, due_at, reason, bool(is_requested))
