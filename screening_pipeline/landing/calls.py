"""Calls of destructive feeds that are under way, and gaps: what others must know who may go on with an account.

On one machine the feed's own folder tells (`http.feed`). Where several share, a call is in their database before it is
made, so that one whose machine never comes back is a gap on record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from screening_pipeline.base.files import write_new


@dataclass(frozen=True)
class Call:
    """A call of a feed that was or will be made."""

    id: str
    endpoint: str
    run_id: str
    requested_at: datetime


class Calls(Protocol):
    """The calls of one account."""

    def note(self, call: Call) -> None:
        """Tell the others of a call, durably, before it is made."""

    def forget(self, call_id: str) -> None:
        """Its answer is landed, or it was not made."""

    def mine(self) -> list[str]:
        """The ids of calls that this machine has told of."""

    def lost(self, older_than: float) -> list[Call]:
        """Calls of other machines that are older than so many seconds and are not given up."""

    def give_up(self, call_id: str, told: bytes) -> None:
        """Put such a call on record as a gap, durably; nothing where somebody else has done it."""

    def gaps(self) -> list[bytes]:
        """The gaps on record, the oldest first."""

    def keep_gap(self, gap_id: str, told: bytes) -> None:
        """Put a gap on record, durably."""

    def drop_gap(self, gap_id: str) -> None:
        """Remove its record."""


class FileCalls:
    """Of one machine: gaps in the feed's folder; of calls its intents tell."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(self, call: Call) -> None:
        """Nothing: its intent tells."""

    def forget(self, call_id: str) -> None:
        """Nothing."""

    def mine(self) -> list[str]:
        return []

    def lost(self, older_than: float) -> list[Call]:  # noqa: ARG002 - there is no other machine
        return []

    def give_up(self, call_id: str, told: bytes) -> None:
        """Nothing: none is lost."""

    def gaps(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self._folder.glob("*.gap"))]

    def keep_gap(self, gap_id: str, told: bytes) -> None:
        write_new(self._folder / f"{gap_id}.gap", told)

    def drop_gap(self, gap_id: str) -> None:
        (self._folder / f"{gap_id}.gap").unlink(missing_ok=True)


class CallRows(Protocol):
    """The rows in the database; see `state.postgres_landing`."""

    def note_call(self, values: Sequence[object]) -> None: ...

    def forget_call(self, call_id: str) -> None: ...

    def calls_of(self, vendor: str, account: str, holder: str) -> list[str]: ...

    def lost_calls(
        self, vendor: str, account: str, holder: str, older_than: float
    ) -> list[tuple[str, str, str, datetime]]: ...

    def give_up(self, call_id: str, told: bytes) -> None: ...

    def keep_gap(self, gap_id: str, vendor: str, account: str, told: bytes) -> None: ...

    def gaps(self, vendor: str, account: str) -> list[bytes]: ...

    def drop_gap(self, gap_id: str) -> None: ...


class SharedCalls:
    """Of several machines; `holder`: this one."""

    def __init__(self, rows: CallRows, vendor: str, account: str, holder: str) -> None:
        self._rows = rows
        self._whose = (vendor, account)
        self._holder = holder

    def note(self, call: Call) -> None:
        self._rows.note_call((call.id, *self._whose, call.endpoint, call.run_id, call.requested_at, self._holder))

    def forget(self, call_id: str) -> None:
        self._rows.forget_call(call_id)

    def mine(self) -> list[str]:
        return self._rows.calls_of(*self._whose, self._holder)

    def lost(self, older_than: float) -> list[Call]:
        return [Call(*row) for row in self._rows.lost_calls(*self._whose, self._holder, older_than)]

    def give_up(self, call_id: str, told: bytes) -> None:
        self._rows.give_up(call_id, told)

    def gaps(self) -> list[bytes]:
        return self._rows.gaps(*self._whose)

    def keep_gap(self, gap_id: str, told: bytes) -> None:
        self._rows.keep_gap(gap_id, *self._whose, told)

    def drop_gap(self, gap_id: str) -> None:
        self._rows.drop_gap(gap_id)
