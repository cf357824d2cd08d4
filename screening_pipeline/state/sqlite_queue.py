"""The pull queue, named values and the ledger of runs in SQLite, as rows of plain values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from screening_pipeline.state.interface import Counts, Kept, QueueRow
from screening_pipeline.state.sqlite_file import StateFile

_TABLES = """
create table if not exists agenda (
    check_key integer primary key, vendor text not null, account text not null, subject text not null,
    check_id text not null, next_pull_at real not null, reason text not null, is_requested integer not null
);
create index if not exists agenda_by_time on agenda (vendor, account, next_pull_at);
create table if not exists note (name text primary key, value text not null) without rowid;
create table if not exists run_step (
    id integer primary key, run_id text not null, step text not null, noted_at real not null, facts text not null,
    unique (run_id, step)
)
"""

_QUEUE = "insert or replace into agenda values (?, ?, ?, ?, ?, ?, ?, ?)"


class SqliteQueue:
    """The queue's rows; every method is one short transaction. Its tables are made when it is."""

    def __init__(self, state: StateFile) -> None:
        self._state = state
        with state.writing() as db:
            for statement in _TABLES.split(";"):
                db.execute(statement)

    def replace(self, vendor: str, account: str, rows: Iterable[QueueRow]) -> None:
        """Replace the account's whole queue."""
        with self._state.writing() as db:
            db.execute("delete from agenda where vendor = ? and account = ?", (vendor, account))
            db.executemany(_QUEUE, rows)

    def put(self, check_keys: Iterable[int], rows: Iterable[QueueRow]) -> None:
        """Put these rows in the place of those of these checks."""
        with self._state.writing() as db:
            db.executemany("delete from agenda where check_key = ?", [(key,) for key in check_keys])
            db.executemany(_QUEUE, rows)

    def keep_only(self, accounts: Sequence[tuple[str, str]]) -> None:
        """Delete the queues of all other accounts."""
        with self._state.writing() as db:
            named = ", ".join(["(?, ?)"] * len(accounts))
            values = [word for key in accounts for word in key]
            db.execute(f"delete from agenda where (vendor, account) not in (values {named})", values)

    def due(
        self, vendor: str, account: str, latest: float, *, limit: int | None, without: Sequence[str]
    ) -> list[QueueRow]:
        """The rows due at `latest` (epoch seconds), most urgent first, at most `limit`."""
        left_out = "".join(" and subject <> ?" for _ in without)
        with self._state.reading() as db:
            found = db.execute(
                f"select * from agenda where vendor = ? and account = ? and next_pull_at <= ?{left_out} "
                "order by is_requested desc, next_pull_at, check_key limit ?",
                (vendor, account, latest, *without, -1 if limit is None else limit),
            )
            return [tuple(row) for row in found]

    def postpone(self, check_keys: Iterable[int], until: float) -> None:
        """Put these rows off until then at the earliest."""
        with self._state.writing() as db:
            db.executemany(
                "update agenda set next_pull_at = max(next_pull_at, ?), is_requested = 0 where check_key = ?",
                [(until, key) for key in check_keys],
            )

    def counts(self, vendor: str, account: str, now: float, *, without: Sequence[str]) -> Counts:
        """How many there are, how many are due, and when the next one is."""
        left_out = "".join(" and subject <> ?" for _ in without)
        with self._state.reading() as db:
            row = db.execute(
                "select count(*), count(*) filter (where next_pull_at <= ?), min(next_pull_at) "
                f"from agenda where vendor = ? and account = ?{left_out}",
                (now, vendor, account, *without),
            ).fetchone()
        return row[0], row[1], row[2]

    def note(self, name: str) -> str | None:
        """A named value."""
        with self._state.reading() as db:
            row = db.execute("select value from note where name = ?", (name,)).fetchone()
        return str(row[0]) if row else None

    def remember(self, name: str, value: str) -> None:
        """Keep a named value."""
        with self._state.writing() as db:
            db.execute("insert or replace into note values (?, ?)", (name, value))

    def forget(self, names: Iterable[str]) -> None:
        """Delete named values."""
        with self._state.writing() as db:
            db.executemany("delete from note where name = ?", [(name,) for name in names])


class SqliteLedger:
    """The ledger's rows. Its table is made with those of the queue."""

    def __init__(self, state: StateFile) -> None:
        self._state = state
        with state.writing() as db:
            db.execute(_TABLES.rpartition(";")[2])

    def note(self, run_id: str, step: str, facts: str, *, at: float, kept: Kept) -> None:
        """Put a step's record in place of an earlier one, and forget runs as `kept` says."""
        with self._state.writing() as db:
            db.execute(
                "insert or replace into run_step (run_id, step, noted_at, facts) values (?, ?, ?, ?)",
                (run_id, step, at, facts),
            )
            db.execute(
                "delete from run_step where run_id <> ? and (abs(noted_at - ?) > ? or run_id in"
                " (select run_id from run_step where step = ? and abs(noted_at - ?) > ?))",
                (run_id, at, kept.seconds, kept.last_step, at, kept.seconds_after),
            )

    def steps(self, run_id: str) -> list[tuple[str, str]]:
        """The steps of a run in the order they were noted."""
        with self._state.reading() as db:
            rows = db.execute("select step, facts from run_step where run_id = ? order by id", (run_id,)).fetchall()
        return [(row["step"], row["facts"]) for row in rows]

    def runs(self, step: str, *, without: str) -> list[tuple[str, float]]:
        """The runs that have noted a step and not another, and when."""
        with self._state.reading() as db:
            rows = db.execute(
                "select run_id, noted_at from run_step where step = ? and run_id not in"
                " (select run_id from run_step where step = ?) order by id",
                (step, without),
            ).fetchall()
        return [(row["run_id"], row["noted_at"]) for row in rows]
