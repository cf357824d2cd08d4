"""The ledger of runs in the shared state: what each step did, since steps may run in different processes.

It serves the run alone; the permanent record is `ops.run`. Losing it loses the counts of the runs under way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from screening_pipeline.state.interface import Kept, Store

# Days may pass between two steps of a run that asks for everything; the step after it may be tried again.
KEPT = timedelta(days=30)
LAST_STEP = "star"
ONLY_STEP = "pull_alone"
"""The step of a run that asks and leaves the star to others, who tell of it as well."""
KEPT_AFTER_THE_LAST_STEP = timedelta(hours=1)


class RunLedger:
    """The ledger of runs in the shared state; every method is one short transaction."""

    def __init__(self, state: Store) -> None:
        self._state = state
        self._rows = state.ledger

    def note(self, run_id: str, step: str, facts: Mapping[str, Any], *, now: datetime) -> None:
        """Record what a step of a run has done, in place of the record of an earlier try."""
        kept = Kept(KEPT.total_seconds(), LAST_STEP, KEPT_AFTER_THE_LAST_STEP.total_seconds())
        self._rows.note(run_id, step, json.dumps(facts), at=now.timestamp(), kept=kept)

    def untold(self) -> list[tuple[str, datetime]]:
        """The runs that left the star to others and were not told of yet, and when they ended."""
        found = self._rows.runs(ONLY_STEP, without=LAST_STEP)
        return [(run_id, datetime.fromtimestamp(noted_at, UTC)) for run_id, noted_at in found]

    def steps(self, run_id: str) -> list[tuple[str, dict[str, Any]]]:
        """The finished steps of a run in the order they ended: (step, recorded facts)."""
        return [(step, json.loads(facts)) for step, facts in self._rows.steps(run_id)]
