"""The runtime of a cycle: settings, clock, keys, landing area, shared state."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from screening_pipeline.base.clock import Clock
from screening_pipeline.base.locks import WAIT_SECONDS
from screening_pipeline.base.named_locks import Locks
from screening_pipeline.base.progress import Progress, no_progress
from screening_pipeline.landing.area import Landing
from screening_pipeline.settings.settings import Settings
from screening_pipeline.state.interface import Store
from screening_pipeline.state.pull_queue import PullQueue
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline.state.run_ledger import RunLedger


@dataclass(frozen=True)
class Runtime:
    """The runtime of a cycle: settings, clock, keys, landing area, shared state. Opened by `opened`; never shown."""

    settings: Settings
    environ: Mapping[str, str] = field(repr=False)
    clock: Clock
    state: Store
    pull_queue: PullQueue
    limiter: Limiter
    ledger: RunLedger
    locks: Locks
    landing: Landing
    key: bytes = field(repr=False)
    progress: Progress = no_progress
    lock_wait_seconds: float = WAIT_SECONDS

    @property
    def part_key(self) -> str:
        """The key (hex) of the hashes that stand for people's names in labels."""
        return hashlib.blake2b(b"labels", key=self.key[:64], digest_size=16).hexdigest()
