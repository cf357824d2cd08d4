"""Business calendars: the kind of hour an instant falls in, and the speed of work in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOUR = 3600.0
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
def cells_of_hours(calendar: BusinessCalendar, first_hour: int, hours: int) -> NDArray[object]:  # type: ignore[type-var]
    """Return the profile cell (0-47) of each of `hours` whole UTC hours from `first_hour` (hours since 1970)."""
    import numpy as np

    zone = ZoneInfo(calendar.timezone)
    open_days: dict[date, bool] = {}
    cells = np.empty(hours, dtype=np.int64)
    for index in range(hours):
        # The middle of the hour: some zones are half an hour off.
        local = datetime.fromtimestamp((first_hour + index + 0.5) * HOUR, zone)
        day = local.date()
        if day not in open_days:
            open_days[day] = calendar.is_open_on(day)
        cells[index] = local.hour + (0 if open_days[day] else 24)
    return cells
