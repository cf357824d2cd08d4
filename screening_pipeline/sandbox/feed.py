"""HireRight's destructive feed: every update since the last request, once, and then it is forgotten."""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

from screening_pipeline.sandbox.clocks import instant_text, parse_instant
from screening_pipeline.sandbox.timeline import Check, State, drawn
from screening_pipeline.sandbox.world import World

Update = tuple[Check, State]

BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
TWICE: Final = 0.08
SWAPPED: Final = 0.15


@dataclass(slots=True)
class Feed:
    """Hands out the order updates of `world`; with a `state_path` no update is replayed after a restart.

    `handed_out` counts the updates that are gone, `lost` those of them that a fault took on their way.
    """

    world: World
    state_path: Path | None = None
    handed_out: int = field(default=0, init=False)
    lost: int = field(default=0, init=False)
    _updates: list[Update] = field(init=False)
    _drained_to: datetime = field(init=False)

    def __post_init__(self) -> None:
        """Line the updates up by time and take up the position of an earlier process."""
        self._updates = sorted(
            (
                (check, state)
                for check in self.world.everything
                if (check.order.vendor, check.order.subject) == ("hireright", "order")
                for state in check.states
            ),
            key=lambda update: (update[1].at, update[0].order.check_id),
        )
        self._drained_to = self._load()

    def drain(self, now: datetime, *, is_lost: bool = False) -> list[Update]:
        """Return the updates since the previous call, some twice and some out of order, and forget them."""
        fresh = self._between(self._drained_to, now)
        if not fresh:
            return []
        told = _disturbed(fresh, drawn(self.world.seed, "feed", self._drained_to, now))
        self._drained_to = now
        self._save()
        self.handed_out += len(told)
        self.lost += len(told) if is_lost else 0
        return told

    def _between(self, after: datetime, until: datetime) -> list[Update]:
        first, last = (bisect_right(self._updates, instant, key=lambda u: u[1].at) for instant in (after, until))
        return self._updates[first:last]

    def _load(self) -> datetime:
        if self.state_path is None or not self.state_path.exists():
            return BEGINNING
        state = json.loads(self.state_path.read_text(encoding="utf-8"))
        if state["world"] != self._world():
            raise ValueError("the feed's state file belongs to another world")
        return parse_instant(state["drained_to"])

    def _save(self) -> None:
        """Replace the state file in one step, so that a crash leaves the old position or the new one."""
        if self.state_path is None:
            return
        fresh = self.state_path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump({"world": self._world(), "drained_to": instant_text(self._drained_to)}, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.state_path)

    def _world(self) -> list[object]:
        world = self.world
        return [world.seed, world.checks, instant_text(world.epoch), world.days]


def _disturbed(updates: list[Update], disorder: Random) -> list[Update]:
    """Repeat some updates and swap some neighbours, as queues do."""
    repeated = [update for update in updates for _ in range(1 + (disorder.random() < TWICE))]
    for position in range(len(repeated) - 1):
        if disorder.random() < SWAPPED:
            repeated[position], repeated[position + 1] = repeated[position + 1], repeated[position]
    return repeated
