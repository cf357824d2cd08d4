"""What processes share, as an interface: of one machine in SQLite, of several in PostgreSQL; no connection leaves it.

Instants are epoch seconds here, and rows plain values; `PullQueue`, `Limiter` and `RunLedger` give them their meaning.
Every method is one short transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from screening_pipeline.base.clock import Clock
from screening_pipeline.state.accounts import NOT_FOUND_AFTER, AccountState, Missing

QueueRow = tuple[int, str, str, str, str, float, str, int]
"""check_key, vendor, account, subject, check_id, next_pull_at, reason, is_requested."""
Counts = tuple[int, int, float | None]
"""Open, due, and when the next one is."""


class Kept(NamedTuple):
    """How long the steps of a run are kept: so many seconds, and so many after its last step."""

    seconds: float
    last_step: str
    seconds_after: float


class Slots(Protocol):
    """Slots of the rate limit. `longest`: after how many seconds one comes back whose holder died."""

    def take(self, key: str, limit: int, *, longest: float, window: float, clock: Clock) -> tuple[int | None, float]:
        """A slot of the account, or the seconds after which one may be free."""

    def give(self, slot_id: int, *, window: float, clock: Clock) -> None:
        """Give a slot back: it is free one window from now."""

    def drop(self, slot_id: int) -> None:
        """Give a slot back that was not used: it is free at once."""

    def used(self, key: str, *, clock: Clock) -> int:
        """How many are out."""

    def fill(self, key: str, limit: int, *, seconds: float, longest: float, window: float, clock: Clock) -> None:
        """Take slots for `seconds` until `limit` are out."""


class Queue(Protocol):
    """The pull queue, and named values."""

    def replace(self, vendor: str, account: str, rows: Iterable[QueueRow]) -> None:
        """Replace the account's whole queue."""

    def put(self, check_keys: Iterable[int], rows: Iterable[QueueRow]) -> None:
        """Put these rows in the place of those of these checks."""

    def keep_only(self, accounts: Sequence[tuple[str, str]]) -> None:
        """Delete the queues of all other accounts."""

    def due(
        self, vendor: str, account: str, latest: float, *, limit: int | None, without: Sequence[str]
    ) -> list[QueueRow]:
        """The rows due at `latest`, most urgent first, at most `limit`, but those of the subjects `without`."""

    def postpone(self, check_keys: Iterable[int], until: float) -> None:
        """Put these rows off until then at the earliest."""

    def counts(self, vendor: str, account: str, now: float, *, without: Sequence[str]) -> Counts:
        """How many there are, how many are due, and when the next one is."""

    def note(self, name: str) -> str | None:
        """A named value."""

    def remember(self, name: str, value: str) -> None:
        """Keep a named value."""

    def forget(self, names: Iterable[str]) -> None:
        """Delete named values."""


class Ledger(Protocol):
    """What the steps of runs have done, as JSON."""

    def note(self, run_id: str, step: str, facts: str, *, at: float, kept: Kept) -> None:
        """Put a step's record in place of an earlier one, and forget other runs as `kept` says."""

    def steps(self, run_id: str) -> list[tuple[str, str]]:
        """The steps of a run in the order they were noted."""

    def runs(self, step: str, *, without: str) -> list[tuple[str, float]]:
        """The runs that have noted a step and not another, and when, in the order of that."""


class Store(Protocol):
    """The shared state. Raises EnvironmentFailed where it cannot be read or written."""

    @property
    def slots(self) -> Slots:
        """Slots of the rate limit."""

    @property
    def queue(self) -> Queue:
        """The pull queue, and named values."""

    @property
    def ledger(self) -> Ledger:
        """What the steps of runs have done."""

    def close(self) -> None:
        """Close this thread's connection; the next use opens it again."""

    def account(self, vendor: str, account: str, clock: Clock) -> AccountState:
        """The state of one account now; a blank one where nothing is recorded."""

    def accounts(self, clock: Clock) -> list[AccountState]:
        """The states of all accounts with a record, in alphabetical order."""

    def silence(self, vendor: str, account: str, seconds: float, clock: Clock) -> None:
        """Silence the account for that many seconds. A longer silence is never shortened."""

    def stop(self, vendor: str, account: str, code: str, clock: Clock) -> None:
        """Open the account's circuit: no call by anybody until `resume`."""

    def resume(self, vendor: str, account: str) -> None:
        """Close the account's circuit, as a new run does; a silence stays."""

    def note_error(self, vendor: str, account: str, code: str, clock: Clock) -> None:
        """Record the account's last error, by its code alone."""

    def note_no_polling(self, vendor: str, account: str, clock: Clock) -> None:
        """Record that the vendor offers no polling for this account."""

    def note_answered(self, vendor: str, account: str, clock: Clock) -> None:
        """Record that the vendor has answered for an id of this account."""

    def note_success(self, vendor: str, account: str, clock: Clock) -> None:
        """Record that an answer of this account could be read."""

    def count_not_found(self, vendor: str, account: str, subject: str, check_id: str, clock: Clock) -> Missing:
        """Count one more 404 in a row for an id, and return its record."""

    def forget_not_found(self, vendor: str, account: str, subject: str, check_id: str) -> None:
        """Reset the count of 404s of an id, which was answered."""

    def erase_not_found(self, ids: Iterable[tuple[str, str, str, str]]) -> None:
        """Erase the 404 records of these ids (vendor, account, subject, id) and their bytes in the files."""

    def not_found(self, vendor: str, account: str, *, at_least: int = NOT_FOUND_AFTER) -> list[Missing]:
        """The account's ids with `at_least` so many 404s in a row, in order of id."""
