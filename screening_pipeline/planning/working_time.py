"""Working time of one calendar: from instants (seconds since 1970) to working seconds, and back. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening_pipeline.planning.calendar import HOUR, BusinessCalendar, cells_of_hours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Clock:
    """Working time of one calendar and speed per cell of the week: from instants to working seconds, and back."""

    def __init__(self, calendar: BusinessCalendar, pace: tuple[float, ...], start: float, end: float) -> None:
        first = int(start // HOUR)
        hours = int(end // HOUR) + 2 - first
        self.cells = cells_of_hours(calendar, first, hours)
        self.times = (first + np.arange(hours + 1)) * HOUR
        self.work = np.concatenate(([0.0], np.cumsum(np.array(pace)[self.cells] * HOUR)))

    def worked(self, when: Floats) -> Floats:
        """Working seconds gone by at each instant."""
        return np.interp(when, self.times, self.work)

    def instant(self, worked: Floats) -> Floats:
        """The instant at which so many working seconds have gone by."""
        return np.interp(worked, self.work, self.times)
