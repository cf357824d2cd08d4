"""The shared state of several machines, in PostgreSQL: as in SQLite, by the server's clock where it matters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from screening_pipeline.base.clock import Clock
from screening_pipeline.state.accounts import NOT_FOUND_AFTER, AccountState, Missing
from screening_pipeline.state.interface import Counts, Kept, QueueRow
from screening_pipeline.state.postgres_session import PostgresSession, Row

_ACCOUNT = """
select vendor, account,
    greatest(0, coalesce(screening_state.seconds(silent_until - clock_timestamp()), 0)) as silent_seconds,
    extract(epoch from silent_until)::double precision as silent_until,
    stopped_code, stopped_at, last_error, last_error_at, no_polling_at, answered_at, succeeded_at
from screening_state.account
"""
_SILENCE = """
insert into screening_state.account (vendor, account, silent_until)
values (%s, %s, screening_state.in_seconds(%s))
on conflict (vendor, account) do update
set silent_until = greatest(account.silent_until, excluded.silent_until)
"""
_COUNT_NOT_FOUND = """
insert into screening_state.not_found as known (vendor, account, subject, check_id, times, last_at)
values (%s, %s, %s, %s, 1, %s)
on conflict (vendor, account, subject, check_id) do update set times = known.times + 1, last_at = excluded.last_at
returning times
"""
_FORGET_NOT_FOUND = """
delete from screening_state.not_found where vendor = %s and account = %s and subject = %s and check_id = %s
"""
_QUEUE = """
insert into screening_state.agenda values (%s, %s, %s, %s, %s, %s, %s, %s)
on conflict (check_key) do update set vendor = excluded.vendor, account = excluded.account,
    subject = excluded.subject, check_id = excluded.check_id, next_pull_at = excluded.next_pull_at,
    reason = excluded.reason, is_requested = excluded.is_requested
"""
_STEP = """
insert into screening_state.run_step (run_id, step, noted_at, facts) values (%s, %s, %s, %s)
"""
_OLD_STEPS = """
delete from screening_state.run_step where run_id <> %s and (abs(noted_at - %s) > %s or run_id in
    (select run_id from screening_state.run_step where step = %s and abs(noted_at - %s) > %s))
"""


class PostgresStore(PostgresSession):
    """The shared state in a PostgreSQL database; `where`: the key that names its address, told in errors."""

    @property
    def slots(self) -> PostgresSlots:
        """Slots of the rate limit."""
        return PostgresSlots(self)

    @property
    def queue(self) -> PostgresQueue:
        """The pull queue, and named values."""
        return PostgresQueue(self)

    @property
    def ledger(self) -> PostgresLedger:
        """What the steps of runs have done."""
        return PostgresLedger(self)

    def account(self, vendor: str, account: str, clock: Clock) -> AccountState:
        """The state of one account now; a blank one where nothing is recorded."""
        row = self.row(f"{_ACCOUNT} where vendor = %s and account = %s", (vendor, account))
        return _account(row) if row else AccountState(vendor, account)

    def accounts(self, clock: Clock) -> list[AccountState]:
        """The states of all accounts with a record, in alphabetical order."""
        return [_account(row) for row in self.rows(f'{_ACCOUNT} order by vendor collate "C", account collate "C"')]

    def silence(self, vendor: str, account: str, seconds: float, clock: Clock) -> None:
        """Silence the account for that many seconds, by the server's clock. A longer silence is never shortened."""
        self.rows(_SILENCE, (vendor, account, seconds))

    def stop(self, vendor: str, account: str, code: str, clock: Clock) -> None:
        """Open the account's circuit: no call by anybody until `resume`."""
        self._set(vendor, account, stopped_code=code, stopped_at=clock.now().timestamp())

    def resume(self, vendor: str, account: str) -> None:
        """Close the account's circuit, as a new run does; a silence stays."""
        self._set(vendor, account, stopped_code=None, stopped_at=None)

    def note_error(self, vendor: str, account: str, code: str, clock: Clock) -> None:
        """Record the account's last error, by its code alone."""
        self._set(vendor, account, last_error=code, last_error_at=clock.now().timestamp())

    def note_no_polling(self, vendor: str, account: str, clock: Clock) -> None:
        """Record that the vendor offers no polling for this account. # K9: polling is optional."""
        self._set(vendor, account, no_polling_at=clock.now().timestamp())

    def note_answered(self, vendor: str, account: str, clock: Clock) -> None:
        """Record that the vendor has answered for an id of this account: it does offer polling."""
        now = clock.now().timestamp()
        self._set(vendor, account, no_polling_at=None, answered_at=now, succeeded_at=now)

    def note_success(self, vendor: str, account: str, clock: Clock) -> None:
        """Record that an answer of this account could be read, whatever it was asked: an id, a list or its feed."""
        self._set(vendor, account, succeeded_at=clock.now().timestamp())

    def _set(self, vendor: str, account: str, **values: str | float | None) -> None:
        names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
        changes = ", ".join(f"{name} = excluded.{name}" for name in values)
        self.rows(
            f"insert into screening_state.account (vendor, account, {names}) values (%s, %s, {marks})"
            f" on conflict (vendor, account) do update set {changes}",
            (vendor, account, *values.values()),
        )

    def count_not_found(self, vendor: str, account: str, subject: str, check_id: str, clock: Clock) -> Missing:
        """Count one more 404 in a row for an id, and return its record."""
        key = (vendor, account, subject, check_id)
        row = self.row(_COUNT_NOT_FOUND, (*key, clock.now().timestamp()))
        return Missing(*key, row[0] if row else 1)

    def forget_not_found(self, vendor: str, account: str, subject: str, check_id: str) -> None:
        """Reset the count of 404s of an id, which was answered."""
        self.rows(_FORGET_NOT_FOUND, (vendor, account, subject, check_id))

    def erase_not_found(self, ids: Iterable[tuple[str, str, str, str]]) -> None:
        """Erase the 404 records of these ids (vendor, account, subject, id) and their bytes in the database's files.

        The queue, which is planned without them by now, and what the server notes of usual values had them, too. The
        server's log (WAL), and whatever is made of it, keeps them for as long as it is kept.
        """
        self.together((_FORGET_NOT_FOUND, ids))
        for table in ("not_found", "agenda"):
            self.rows(f"vacuum (full, analyze) screening_state.{table}")
        self.rows("vacuum (full) pg_catalog.pg_statistic")

    def not_found(self, vendor: str, account: str, *, at_least: int = NOT_FOUND_AFTER) -> list[Missing]:
        """The account's ids with `at_least` so many 404s in a row, in order of id."""
        rows = self.rows(
            "select vendor, account, subject, check_id, times from screening_state.not_found"
            ' where vendor = %s and account = %s and times >= %s order by subject collate "C", check_id collate "C"',
            (vendor, account, at_least),
        )
        return [Missing(*row) for row in rows]


class PostgresSlots:
    """Slots by the functions of the schema, one round trip each; the caller's clock has no say."""

    def __init__(self, session: PostgresSession) -> None:
        self._session = session

    def take(self, key: str, limit: int, *, longest: float, window: float, clock: Clock) -> tuple[int | None, float]:
        """A slot of the account, or the seconds after which one may be free."""
        row = self._session.row(
            "select * from screening_state.take_slot(%s, %s, %s, %s)", (key, limit, longest, window)
        )
        return (row[0], row[1] or 0.0) if row else (None, window)

    def give(self, slot_id: int, *, window: float, clock: Clock) -> None:
        """Give a slot back: it is free one window from now."""
        self._session.rows("select screening_state.give_slot(%s, %s)", (slot_id, window))

    def drop(self, slot_id: int) -> None:
        """Give a slot back that was not used: it is free at once."""
        self._session.rows("select screening_state.drop_slot(%s)", (slot_id,))

    def used(self, key: str, *, clock: Clock) -> int:
        """How many are out."""
        ask = "select count(*) from screening_state.slot where account = %s and free_at > clock_timestamp()"
        row = self._session.row(ask, (key,))
        return int(row[0]) if row else 0

    def fill(self, key: str, limit: int, *, seconds: float, longest: float, window: float, clock: Clock) -> None:
        """Take slots for `seconds` until `limit` are out."""
        self._session.rows("select screening_state.fill_slots(%s, %s, %s)", (key, limit, seconds))


class PostgresQueue:
    """The queue's rows, and named values."""

    def __init__(self, session: PostgresSession) -> None:
        self._session = session

    def replace(self, vendor: str, account: str, rows: Iterable[QueueRow]) -> None:
        """Replace the account's whole queue."""
        emptied = "delete from screening_state.agenda where vendor = %s and account = %s"
        self._session.together((emptied, [(vendor, account)]), (_QUEUE, rows))

    def put(self, check_keys: Iterable[int], rows: Iterable[QueueRow]) -> None:
        """Put these rows in the place of those of these checks."""
        removed = "delete from screening_state.agenda where check_key = %s"
        self._session.together((removed, [(key,) for key in check_keys]), (_QUEUE, rows))

    def keep_only(self, accounts: Sequence[tuple[str, str]]) -> None:
        """Delete the queues of all other accounts."""
        vendors, names = [vendor for vendor, _ in accounts], [name for _, name in accounts]
        self._session.rows(
            "delete from screening_state.agenda where (vendor, account) not in"
            " (select * from unnest(%s::text[], %s::text[]))",
            (vendors, names),
        )

    def due(
        self, vendor: str, account: str, latest: float, *, limit: int | None, without: Sequence[str]
    ) -> list[QueueRow]:
        """The rows due at `latest` (epoch seconds), most urgent first, at most `limit`."""
        rows = self._session.rows(
            "select * from screening_state.agenda where vendor = %s and account = %s and next_pull_at <= %s"
            " and subject <> all(%s::text[]) order by is_requested desc, next_pull_at, check_key limit %s",
            (vendor, account, latest, list(without), limit),
        )
        return [(row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7]) for row in rows]

    def postpone(self, check_keys: Iterable[int], until: float) -> None:
        """Put these rows off until then at the earliest."""
        self._session.rows(
            "update screening_state.agenda set next_pull_at = greatest(next_pull_at, %s), is_requested = 0"
            " where check_key = any(%s::bigint[])",
            (until, list(check_keys)),
        )

    def counts(self, vendor: str, account: str, now: float, *, without: Sequence[str]) -> Counts:
        """How many there are, how many are due, and when the next one is."""
        row = self._session.row(
            "select count(*), count(*) filter (where next_pull_at <= %s), min(next_pull_at)"
            " from screening_state.agenda where vendor = %s and account = %s and subject <> all(%s::text[])",
            (now, vendor, account, list(without)),
        )
        return (row[0], row[1], row[2]) if row else (0, 0, None)

    def note(self, name: str) -> str | None:
        """A named value."""
        row = self._session.row("select value from screening_state.note where name = %s", (name,))
        return str(row[0]) if row else None

    def remember(self, name: str, value: str) -> None:
        """Keep a named value."""
        keep = "on conflict (name) do update set value = excluded.value"
        self._session.rows(f"insert into screening_state.note values (%s, %s) {keep}", (name, value))

    def forget(self, names: Iterable[str]) -> None:
        """Delete named values."""
        self._session.rows("delete from screening_state.note where name = any(%s::text[])", (list(names),))


class PostgresLedger:
    """The ledger's rows."""

    def __init__(self, session: PostgresSession) -> None:
        self._session = session

    def note(self, run_id: str, step: str, facts: str, *, at: float, kept: Kept) -> None:
        """Put a step's record in place of an earlier one, and forget runs as `kept` says."""
        self._session.together(
            ("delete from screening_state.run_step where run_id = %s and step = %s", [(run_id, step)]),
            (_STEP, [(run_id, step, at, facts)]),
            (_OLD_STEPS, [(run_id, at, kept.seconds, kept.last_step, at, kept.seconds_after)]),
        )

    def steps(self, run_id: str) -> list[tuple[str, str]]:
        """The steps of a run in the order they were noted."""
        rows = self._session.rows(
            "select step, facts from screening_state.run_step where run_id = %s order by id", (run_id,)
        )
        return [(step, facts) for step, facts in rows]

    def runs(self, step: str, *, without: str) -> list[tuple[str, float]]:
        """The runs that have noted a step and not another, and when."""
        rows = self._session.rows(
            "select run_id, noted_at from screening_state.run_step where step = %s and run_id not in"
            " (select run_id from screening_state.run_step where step = %s) order by id",
            (step, without),
        )
        return [(run_id, noted_at) for run_id, noted_at in rows]


def _account(row: Row) -> AccountState:
    vendor, account, left, silent_until, code, stopped_at, error, error_at, *others = row
    no_polling_at, answered_at, succeeded_at = map(_instant, others)
    return AccountState(
        vendor=vendor,
        account=account,
        silent_seconds=left,
        silent_until=_instant(silent_until) if left else None,
        stopped_code=code,
        stopped_at=_instant(stopped_at),
        last_error=error,
        last_error_at=_instant(error_at),
        no_polling_at=no_polling_at,
        answered_at=answered_at,
        succeeded_at=succeeded_at,
    )


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
