"""Calls of destructive feeds that are under way, and gaps, as rows of the landing area that machines share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from screening_pipeline.state.landing_session import LandingSession

_CALL = """
insert into screening_landing.call (id, vendor, account, endpoint, run_id, requested_at, holder, is_given_up)
values (%s, %s, %s, %s, %s, %s, %s, false)
"""
_LOST_CALLS = """
select id, endpoint, run_id, requested_at from screening_landing.call
where vendor = %s and account = %s and holder <> %s and not is_given_up
    and requested_at < clock_timestamp() - make_interval(secs => %s)
order by id
"""
# In one statement: a crash in between would leave a call that is given up and no gap.
_GIVE_UP = """
with given_up as (
    update screening_landing.call set is_given_up = true where id = %s and not is_given_up
    returning id, vendor, account
)
insert into screening_landing.gap (id, vendor, account, told)
select id, vendor, account, %s from given_up on conflict do nothing
"""


class PostgresCalls(LandingSession):
    """See `landing.calls`. Every method is one transaction, durable when it returns."""

    def note_call(self, values: Sequence[object]) -> None:
        """Note a call before it is made: id, vendor, account, endpoint, run, instant, holder."""
        self._once(lambda connection: connection.execute(_CALL, values))

    def forget_call(self, call_id: str) -> None:
        """Its answer is landed, or it was not made."""
        self.rows("delete from screening_landing.call where id = %s", (call_id,))

    def calls_of(self, vendor: str, account: str, holder: str) -> list[str]:
        """The ids of calls of an account that a holder has noted."""
        query = "select id from screening_landing.call where vendor = %s and account = %s and holder = %s order by id"
        return [row[0] for row in self.rows(query, (vendor, account, holder))]

    def lost_calls(
        self, vendor: str, account: str, holder: str, older_than: float
    ) -> list[tuple[str, str, str, datetime]]:
        """Calls of other holders that are older than so many seconds and not given up: id, endpoint, run, instant."""
        rows = self.rows(_LOST_CALLS, (vendor, account, holder, older_than))
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    def give_up(self, call_id: str, told: bytes) -> None:
        """Put a lost call on record as a gap, unless somebody has done it."""
        self._once(lambda connection: connection.execute(_GIVE_UP, (call_id, told)))

    def keep_gap(self, gap_id: str, vendor: str, account: str, told: bytes) -> None:
        """Put a gap on record."""
        keep = "insert into screening_landing.gap values (%s, %s, %s, %s) on conflict do nothing"
        self._once(lambda connection: connection.execute(keep, (gap_id, vendor, account, told)))

    def gaps(self, vendor: str, account: str) -> list[bytes]:
        """The gaps of an account, the oldest first."""
        query = "select told from screening_landing.gap where vendor = %s and account = %s order by id"
        return [bytes(row[0]) for row in self.rows(query, (vendor, account))]

    def drop_gap(self, gap_id: str) -> None:
        """Remove a gap's record."""
        self.rows("delete from screening_landing.gap where id = %s", (gap_id,))
