"""Business calendars: the kind of hour an instant falls in, and the speed of work in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HOUR = 3600.0
DAY = 24 * HOUR
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
CELLS = 48
"""Hours 0–23 of a business day, then hours 0–23 of any other day (weekends and holidays alike)."""
WEEK_SHARE = (5.0,) * 24 + (2.0,) * 24
"""How often each cell comes round in a week without holidays."""
SATURDAY = 5


@dataclass(frozen=True)
class BusinessCalendar:
    """A vendor's working hours: an IANA time zone, its holidays, and the local hours it is open.

    `is_business_day`, if given, decides alone; otherwise Monday to Friday without `holidays` are business days.
    """

    timezone: str = "UTC"
    holidays: frozenset[date] = frozenset()
    opens: int = 9
    closes: int = 17
    is_business_day: Callable[[date], bool] | None = None

    def is_open_on(self, day: date) -> bool:
        """Return whether a local date is a business day."""
        if self.is_business_day is not None:
            return self.is_business_day(day)
        return day.weekday() < SATURDAY and day not in self.holidays


def working_pace(
    opens: int, closes: int, *, edges: float, evening: float, night: float, off: float
) -> tuple[float, ...]:
    """Return a week profile of 48 speeds: 1.0 while open, less around it, and `off` times that on other days."""

    def speed(hour: int) -> float:
        if opens <= hour < closes:
            return 1.0
        if hour in (opens - 1, closes):
            return edges
        return evening if closes < hour <= closes + 5 else night

    business = [speed(hour) for hour in range(24)]
    return normalised([*business, *(max(off * pace, night * off) for pace in business)])


def normalised(pace: list[float] | tuple[float, ...]) -> tuple[float, ...]:
    """Scale a week profile of 48 speeds so that a week without holidays lasts a week."""
    total = sum(share * value for share, value in zip(WEEK_SHARE, pace, strict=True))
    mean = total / sum(WEEK_SHARE)
    return tuple(value / mean for value in pace)


@lru_cache(maxsize=64)
def cells_of_hours(calendar: BusinessCalendar, first_hour: int, hours: int) -> NDArray[np.int64]:
    """Return the profile cell (0-47) of each of `hours` whole UTC hours from `first_hour` (hours since 1970)."""
    import numpy as np

    # The middle of the hour: some zones are half an hour off.
    middles = np.asarray((first_hour + np.arange(hours) + 0.5) * HOUR, dtype=np.float64)
    local = middles + _offsets(ZoneInfo(calendar.timezone), middles)
    days, place = np.unique(local // DAY, return_inverse=True)
    is_open = np.array([calendar.is_open_on(date.fromordinal(_EPOCH_ORDINAL + int(day))) for day in days], dtype=bool)
    cells = (local % DAY // HOUR).astype(np.int64) + np.where(is_open[place], 0, 24)
    cells.setflags(write=False)
    return cells


def _offsets(zone: ZoneInfo, instants: NDArray[np.float64]) -> NDArray[np.float64]:
    """Seconds that local time is ahead of UTC at each instant; each day is looked up once, unless it changes in it."""
    import numpy as np

    def offset(instant: float) -> float:
        return datetime.fromtimestamp(instant, zone).utcoffset().total_seconds()  # type: ignore[union-attr]

    found = np.empty(len(instants))
    for start in range(0, len(instants), 24):
        day = instants[start : start + 24]
        first, last = offset(float(day[0])), offset(float(day[-1]))
        found[start : start + 24] = first if first == last else [offset(float(one)) for one in day]
    return found
