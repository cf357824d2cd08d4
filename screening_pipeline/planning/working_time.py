"""Working time of one calendar: from instants (seconds since 1970) to working seconds, and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from screening_pipeline.planning.calendar import DAY, HOUR, BusinessCalendar, cells_of_hours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Clock:
    """Working time of one calendar and speed per cell of the week: from instants to working seconds, and back."""

    def __init__(self, calendar: BusinessCalendar, pace: tuple[float, ...], start: float, end: float) -> None:
        self.calendar, self.pace, self.start, self.end = calendar, pace, start, end
        first = int(start // HOUR)
        hours = int(end // HOUR) + 2 - first
        self.cells = cells_of_hours(calendar, first, hours)
        self.times = (first + np.arange(hours + 1)) * HOUR
        self.work = np.concatenate(([0.0], np.cumsum(np.array(pace)[self.cells] * HOUR)))

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON values; holidays of its time only."""
        first, last = (datetime.fromtimestamp(when, UTC).date() for when in (self.start - DAY, self.end + DAY))
        days = sorted(day.isoformat() for day in self.calendar.holidays if first <= day <= last)
        return {
            "timezone": self.calendar.timezone,
            "holidays": days,
            "pace": self.pace,
            "start": self.start,
            "end": self.end,
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Clock:
        """The clock that `to_dict` told."""
        days = frozenset(date.fromisoformat(day) for day in saved["holidays"])
        calendar = BusinessCalendar(saved["timezone"], days)
        return cls(calendar, tuple(saved["pace"]), saved["start"], saved["end"])

    def worked(self, when: Floats) -> Floats:
        """Working seconds gone by at each instant."""
        return np.interp(when, self.times, self.work)

    def instant(self, worked: Floats) -> Floats:
        """The instant at which so many working seconds have gone by."""
        return np.interp(worked, self.work, self.times)
