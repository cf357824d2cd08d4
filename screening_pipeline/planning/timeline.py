"""Working time as numbers: cumulative working seconds at an instant, and their integral over a wait."""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

import numpy as np

from screening_pipeline.planning.calendar import CELLS, HOUR, BusinessCalendar, cells_of_hours

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indexes = NDArray[np.int64]


class Timeline:
    """Cumulative working time of several week profiles between two instants; outside, it runs like the wall clock."""

    def __init__(self, calendar: BusinessCalendar, paces: Sequence[Sequence[float]], start: float, end: float) -> None:
        day = 24 * HOUR
        first_hour = floor(start / day) * 24
        hours = (floor(end / day) + 1) * 24 - first_hour
        self.start = first_hour * HOUR
        self.cells = cells_of_hours(calendar, first_hour, hours)
        self.speed = np.array(paces)[:, self.cells]
        clocks = self.speed.shape[0]
        self.work = np.zeros((clocks, hours + 1))
        np.cumsum(self.speed * HOUR, axis=1, out=self.work[:, 1:])
        # The integral of the work done, for the expected lag: exact within an hour of constant speed.
        per_hour = self.work[:, :-1] * HOUR + self.speed * HOUR**2 / 2
        self.area = np.zeros((clocks, hours + 1))
        np.cumsum(per_hour, axis=1, out=self.area[:, 1:])
        self.hours = hours

    def _place(self, when: Floats) -> tuple[Indexes, Floats]:
        offset = when - self.start
        index = np.minimum(np.maximum((offset / HOUR).astype(np.int64), 0), self.hours - 1)
        return index, offset - index * HOUR

    def worked(self, clock: Indexes, when: Floats) -> Floats:
        """Return the working seconds of each profile from the start until each instant."""
        index, rest = self._place(when)
        inside = (rest >= 0) & (rest <= HOUR)
        speed = np.where(inside, self.speed[clock, index], 1.0)
        return self.work[clock, index] + speed * rest

    def at(self, clock: Indexes, when: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the working seconds until each instant, their integral over time, and the speed then."""
        index, rest = self._place(when)
        flat = clock * (self.hours + 1) + index
        speed, work = self.speed[clock, index], self.work.ravel()[flat]
        return work + speed * rest, self.area.ravel()[flat] + (work + speed * rest / 2) * rest, speed

    def cell(self, when: Floats) -> Indexes:
        """Return the profile cell (0-47) of each instant."""
        return self.cells[self._place(when)[0]]  # type: ignore[no-any-return]

    def cell_hours(self, begin: Floats, end: Floats, faded: Callable[[Floats], Floats]) -> Floats:
        """Return how many hours of each cell lie between pairs of instants, each hour weighted by when it was."""
        first, before = self._place(begin)
        last, after = self._place(np.maximum(begin, end))
        change = np.bincount(first, minlength=self.hours) - np.bincount(last, minlength=self.hours)
        # Of the first hour what comes after the beginning counts, of the last one what comes before the end.
        late = np.bincount(first, weights=before / HOUR, minlength=self.hours)
        rest = np.bincount(last, weights=after / HOUR, minlength=self.hours)
        weight = faded(np.arange(self.hours, dtype=np.float64) * HOUR + self.start)
        return np.bincount(self.cells, weights=(np.cumsum(change) - late + rest) * weight, minlength=CELLS)
