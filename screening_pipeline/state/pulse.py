"""What runs: when the last cycle ended and who ran it, and who is alive between cycles; in the shared state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from screening_pipeline.state.pull_queue import PullQueue

DAEMON, WATCH, SYNC = "daemon", "watch", "sync"
_CYCLE = "last_cycle"
_ALIVE = "alive"
_NOTED_EVERY = timedelta(seconds=10)
# Whatever else starts a run does so by Dagster's daemon, or in its pages.
_BY_TRIGGER = {SYNC: SYNC, WATCH: WATCH, "demo": "demo", "dagster": "Dagster's pages"}


@dataclass(frozen=True)
class Pulse:
    """When the last cycle ended, by whom it was run, and when `watch` and the daemon last showed that they live."""

    cycle_at: datetime | None = None
    cycle_by: str | None = None
    alive: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def last_at(self) -> datetime | None:
        """The last sign of life of anything that runs cycles."""
        return max((at for at in (self.cycle_at, *self.alive.values()) if at), default=None)


def pulse(pull_queue: PullQueue) -> Pulse:
    """What is noted; nothing before the first cycle."""
    cycle = json.loads(pull_queue.note(_CYCLE) or "{}")
    alive = json.loads(pull_queue.note(_ALIVE) or "{}")
    return Pulse(
        cycle_at=datetime.fromisoformat(cycle["at"]) if cycle else None,
        cycle_by=cycle.get("by"),
        alive={who: datetime.fromisoformat(at) for who, at in alive.items()},
    )


def note_cycle(pull_queue: PullQueue, trigger: str, now: datetime) -> None:
    """Note the end of a cycle that `trigger` asked for."""
    pull_queue.remember(_CYCLE, json.dumps({"at": now.isoformat(), "by": _BY_TRIGGER.get(trigger, DAEMON)}))


def note_alive(pull_queue: PullQueue, who: str, now: datetime) -> None:
    """Note that `who` lives and looks for what is due; at most every ten seconds."""
    alive = dict(pulse(pull_queue).alive)
    if who not in alive or abs(now - alive[who]) >= _NOTED_EVERY:
        _keep(pull_queue, alive | {who: now})


def note_ended(pull_queue: PullQueue, who: str) -> None:
    """Note that `who` was stopped on purpose: nobody waits for a sign of life."""
    _keep(pull_queue, {name: at for name, at in pulse(pull_queue).alive.items() if name != who})


def _keep(pull_queue: PullQueue, alive: Mapping[str, datetime]) -> None:
    pull_queue.remember(_ALIVE, json.dumps({name: at.isoformat() for name, at in alive.items()}))
