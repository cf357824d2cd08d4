"""What the sandbox notes about its visitors, so that a test can ask how they behaved."""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from screening_pipeline.sandbox.limits import WINDOW
from screening_pipeline.sandbox.world import Key


@dataclass(slots=True)
class Ledger:
    """Counts requests by vendor and check. `monotonic` gives seconds."""

    monotonic: Callable[[], float] = time.monotonic
    _statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    _by_check: Counter[Key] = field(default_factory=Counter)
    _after_over: Counter[Key] = field(default_factory=Counter)
    _told: dict[Key, tuple[datetime, bool]] = field(default_factory=dict)
    _window: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    _worst: Counter[str] = field(default_factory=Counter)

    def asked(self, vendor: str, key: Key | None) -> None:
        """Note a request, about one check when there is a `key`."""
        self._note_time(vendor)
        if key is not None:
            self._by_check[key] += 1
            if self._told.get(key, (None, False))[1]:
                self._after_over[key] += 1

    def answered(self, vendor: str, status: int) -> None:
        """Note the HTTP status of an answer."""
        self._statuses[vendor][status] += 1

    def told(self, key: Key, at: datetime, *, is_over: bool) -> None:
        """Note that the client has been shown the state of `key` that began at `at`."""
        if key not in self._told or at >= self._told[key][0]:
            self._told[key] = (at, is_over)

    def summary(self) -> dict[str, object]:
        """Return everything noted, ready for JSON; checks are named vendor/subject/id."""
        return {
            "requests": {vendor: statuses.total() for vendor, statuses in self._statuses.items()},
            "statuses": {vendor: _text_keys(statuses) for vendor, statuses in self._statuses.items()},
            "throttled": {vendor: statuses[429] for vendor, statuses in self._statuses.items()},
            "by_check": _text_keys(self._by_check),
            "after_over": _text_keys(self._after_over),
            "told_over": sum(is_over for _, is_over in self._told.values()),
            "worst_window": dict(self._worst),
        }

    def _note_time(self, vendor: str) -> None:
        now, window = self.monotonic(), self._window[vendor]
        window.append(now)
        while window[0] <= now - WINDOW:
            window.popleft()
        self._worst[vendor] = max(self._worst[vendor], len(window))


def _text_keys(counter: Counter[int] | Counter[Key]) -> dict[str, int]:
    return {"/".join(key) if isinstance(key, tuple) else str(key): count for key, count in counter.items()}
