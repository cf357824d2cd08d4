"""The ledger of runs in the shared state: what each step did, since steps may run in different processes.

It serves the run alone; the permanent record is `ops.run`. Losing it loses the counts of the runs under way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from screening_pipeline.state.store import State

_TABLE = """
create table if not exists run_step (
    id integer primary key, run_id text not null, step text not null, noted_at real not null, facts text not null,
    unique (run_id, step)
)
"""
# Days may pass between two steps of a run that asks for everything; the step after it may be tried again.
KEPT = timedelta(days=30)
LAST_STEP = "star"
KEPT_AFTER_THE_LAST_STEP = timedelta(hours=1)


class RunLedger:
    """The ledger of runs in the shared state; every method is one short transaction."""

    def __init__(self, state: State) -> None:
        self._state = state
        with state.writing() as db:
            db.execute(_TABLE)

    def note(self, run_id: str, step: str, facts: Mapping[str, Any], *, now: datetime) -> None:
        """Record what a step of a run has done, in place of the record of an earlier try."""
        at = now.timestamp()
        with self._state.writing() as db:
            db.execute(
                "insert or replace into run_step (run_id, step, noted_at, facts) values (?, ?, ?, ?)",
                (run_id, step, at, json.dumps(facts)),
            )
            db.execute(
                "delete from run_step where run_id <> ? and (abs(noted_at - ?) > ? or run_id in"
                " (select run_id from run_step where step = ? and abs(noted_at - ?) > ?))",
                (run_id, at, KEPT.total_seconds(), LAST_STEP, at, KEPT_AFTER_THE_LAST_STEP.total_seconds()),
            )

    def steps(self, run_id: str) -> list[tuple[str, dict[str, Any]]]:
        """The finished steps of a run in the order they ended: (step, recorded facts)."""
        with self._state.reading() as db:
            rows = db.execute("select step, facts from run_step where run_id = ? order by id", (run_id,)).fetchall()
        return [(row["step"], json.loads(row["facts"])) for row in rows]
