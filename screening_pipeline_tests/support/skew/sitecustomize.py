"""Found by every Python whose path begins here: a machine whose wall clock is wrong by the seconds in SKEW."""

import os
from datetime import datetime, timedelta

from screening_pipeline.base.clock import SystemClock

_SKEW = timedelta(seconds=float(os.environ.get("SKEW", "0")))
_right = SystemClock.now


def _wrong(self: SystemClock) -> datetime:
    return _right(self) + _SKEW


SystemClock.now = _wrong  # type: ignore[method-assign]
