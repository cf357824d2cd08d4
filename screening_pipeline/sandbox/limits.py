"""Strict rate limits per account: a window of 60 seconds that slides over real, monotonic time."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

WINDOW: Final = 60.0
"""Seconds."""

PER_MINUTE: Final = {"checkr": 1200, "goodhire": 20, "hireright": 50, "zinc": 20, "workerchecks": 30, "workable": 20}

SILENCED: Final = frozenset({"workerchecks"})
"""Vendors that answer nothing for a whole window after an excess."""


@dataclass(slots=True)
class Limits:
    """Admits requests; `per_minute` is None when there are no limits. `monotonic` gives seconds."""

    per_minute: Mapping[str, int] | None = field(default_factory=lambda: PER_MINUTE)
    monotonic: Callable[[], float] = time.monotonic
    _admitted: dict[str, list[float]] = field(default_factory=dict)
    _silent_until: dict[str, float] = field(default_factory=dict)

    @classmethod
    def scaled(cls, factor: float | None, monotonic: Callable[[], float] = time.monotonic) -> Limits:
        """Return the vendors' own limits times `factor` (at least 1 a minute), or none for None."""
        if factor is None:
            return cls(None, monotonic)
        return cls({name: max(1, round(limit * factor)) for name, limit in PER_MINUTE.items()}, monotonic)

    def excess(self, vendor: str) -> float | None:
        """Admit a request now and return None, or return the seconds until one may be admitted again."""
        if self.per_minute is None:
            return None
        now = self.monotonic()
        if now < self._silent_until.get(vendor, now):
            return self._silent_until[vendor] - now
        recent = self._recent(vendor, now)
        if len(recent) < self.per_minute[vendor]:
            recent.append(now)
            return None
        return self._silence(vendor, now) if vendor in SILENCED else recent[0] + WINDOW - now

    def standing(self, vendor: str) -> tuple[int, int, float] | None:
        """Return the limit, the requests left of it and the seconds until all are there again; None without limits."""
        if self.per_minute is None:
            return None
        now, limit = self.monotonic(), self.per_minute[vendor]
        recent = self._recent(vendor, now)
        return limit, max(limit - len(recent), 0), recent[-1] + WINDOW - now if recent else 0.0

    def _recent(self, vendor: str, now: float) -> list[float]:
        """Return the requests admitted in the last window, the older ones forgotten."""
        admitted = self._admitted.setdefault(vendor, [])
        del admitted[: bisect_right(admitted, now - WINDOW)]
        return admitted

    def _silence(self, vendor: str, now: float) -> float:
        self._silent_until[vendor] = now + WINDOW
        return WINDOW
