"""How long bodies are kept: older ones are reduced to the addresses that the star is computed from."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from screening_pipeline.runtime import Runtime


def reduce_old_bodies(runtime: Runtime) -> int:
    """Reduce what was received before the days that `[privacy] keep_raw_days` keeps; the lines that changed.

    Nothing is reduced where no number is set. A rebuild gives the same star as before.
    """
    before = first_day_kept(runtime.clock.now().date(), runtime.settings.privacy.keep_raw_days)
    return 0 if before is None else runtime.landing.purge(before, part_key=runtime.part_key)


def first_day_kept(today: date, keep_raw_days: int | None) -> date | None:
    """The first day (UTC) whose bodies stay as they came; None where all do."""
    return None if keep_raw_days is None else today - timedelta(days=keep_raw_days)
