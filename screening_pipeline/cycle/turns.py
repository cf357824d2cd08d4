"""Turns at settling: of runs side by side one settles for all; each knows until when all that came is settled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from screening_pipeline.base.clock import Clock
    from screening_pipeline.state.pull_queue import PullQueue

# What has come is settled and published this often while calls go on: that takes time, too, and a minute is promised.
SETTLED_EVERY_SECONDS = 45.0
_BEGUN, _DONE = "settling_since", "settled_until"


@contextmanager
def settling(pull_queue: PullQueue, clock: Clock) -> Iterator[None]:
    """Context manager: somebody settles and publishes all there is; noted where the block succeeds, too."""
    begun_at = clock.now().isoformat()
    pull_queue.remember(_BEGUN, begun_at)
    yield
    pull_queue.remember(_DONE, begun_at)


def settled_until(pull_queue: PullQueue, clock: Clock) -> datetime | None:
    """What was landed before is settled, published and planned; None where that is not known, or yet to come.

    Under a clock that was put back nothing would seem to wait for a plan, and all would be asked at every look.
    """
    noted = pull_queue.note(_DONE)
    at = datetime.fromisoformat(noted) if noted else None
    return None if at is None or at > clock.now() else at


@dataclass(slots=True)
class Turns:
    """When one run settles: some seconds after whoever did last, be it another one."""

    pull_queue: PullQueue
    clock: Clock
    _own: str | None = field(init=False)

    def __post_init__(self) -> None:
        """Begin."""
        self._own = self.pull_queue.note(_BEGUN)

    def wait(self) -> float:
        """Seconds until it is this run's turn; 0: now. Under a clock that stands it always is."""
        noted = self.pull_queue.note(_BEGUN)
        if not noted or noted == self._own:
            return 0.0
        age = (self.clock.now() - datetime.fromisoformat(noted)).total_seconds()
        return max(0.0, SETTLED_EVERY_SECONDS - age) if age >= 0 else 0.0

    def taken(self) -> None:
        """Note that this run has just settled."""
        self._own = self.pull_queue.note(_BEGUN)
