"""What a cycle works with: settings, clock, keys, landing area, shared state."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from screening_pipeline.base.clock import Clock
from screening_pipeline.base.progress import Progress, no_progress
from screening_pipeline.landing.area import Landing
from screening_pipeline.runtime.results import Journal
from screening_pipeline.settings.settings import Settings
from screening_pipeline.state.pull_queue import Agenda
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline.state.store import State
from screening_pipeline.warehouse import lock, session, store


@dataclass(frozen=True)
class Runtime:
    """What a cycle works with. Open it with `opened`; it holds keys, so it is never shown."""

    settings: Settings
    environ: Mapping[str, str] = field(repr=False)
    clock: Clock
    state: State
    agenda: Agenda
    limiter: Limiter
    landing: Landing
    key: bytes = field(repr=False)
    progress: Progress = no_progress
    journal: Journal = field(default_factory=Journal)
    lock_wait_seconds: float = lock.LOCK_WAIT_SECONDS

    @property
    def part_key(self) -> str:
        """The key of the hashes that stand for people's names in labels."""
        return hashlib.blake2b(b"labels", key=self.key[:64], digest_size=16).hexdigest()

    @contextmanager
    def warehouse(self) -> Iterator[session.Connection]:
        """The live warehouse for writing. Raises LockHeld when another process keeps it for too long."""
        from screening_pipeline.privacy import erasure_intent, erasure_steps
        from screening_pipeline.runtime import unread

        paths, wait = self.settings.paths, self.lock_wait_seconds
        if erasure_intent.is_pending(self):
            erasure_steps.finish(self)
        with store.writer(
            paths.warehouse, lock_path=paths.warehouse_lock, clock=self.clock, wait_seconds=wait
        ) as connection:
            before = unread.known(self.agenda, self.settings)
            yield connection
        orders, landed = self.journal.orders_read, self.journal.landed_read
        unread.remember(self.agenda, self.settings, before, orders_read=orders, landed_read=landed)
