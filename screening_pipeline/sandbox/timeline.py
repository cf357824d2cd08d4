"""What one check goes through: the order, the states, and the instants between them. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from random import Random
from typing import TypeVar
from zoneinfo import ZoneInfo

from screening_pipeline.sandbox.people import Person

Body = dict[str, object]
T = TypeVar("T")

NONCE = "{nonce}"
"""Stands in a body wherever the vendor writes something new at every request."""

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Order:
    """One ordered check. `announced_at` is when the customer's manifest lists it, None if it never does."""

    vendor: str
    subject: str
    check_id: str
    person: Person
    package: str
    country: str
    region: str
    cost_center: str
    ordered_at: datetime
    announced_at: datetime | None
    related_id: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """What the vendor answers from `at` (UTC) on, until the next state."""

    at: datetime
    body: Body


@dataclass(frozen=True, slots=True)
class Check:
    """An order and all its states, in strictly rising order of time, the first at `ordered_at`."""

    order: Order
    states: tuple[State, ...]

    def state_at(self, instant: datetime) -> State | None:
        """The state in force at `instant`; None before the order was placed."""
        position = bisect_right(self.states, instant, key=lambda state: state.at)
        return self.states[position - 1] if position else None

    def states_until(self, instant: datetime) -> tuple[State, ...]:
        """Every state that has begun by `instant`, oldest first."""
        return tuple(state for state in self.states if state.at <= instant)


@dataclass(slots=True)
class Story:
    """Tells a check's states one after another; time passes only by `minutes`, `hours` and the like."""

    order: Order
    draw: Random
    at: datetime = field(init=False)
    told: list[State] = field(default_factory=list)
    successors: list[Story] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start the clock at the order."""
        self.at = self.order.ordered_at

    def say(self, body: Body) -> None:
        """From now on the vendor answers `body`."""
        self.move_on()
        self.told.append(State(self.at, body))

    def succeeded(self, subject: str, check_id: str) -> Story:
        """Begin the story of a check to which this one leads, and which no manifest lists."""
        order = replace(self.order, subject=subject, check_id=check_id, ordered_at=self.at, announced_at=None)
        self.successors.append(Story(order, self.draw))
        return self.successors[-1]

    def checks(self) -> Iterator[Check]:
        """Yield the check that was told of, and all to which it led."""
        yield Check(self.order, tuple(self.told))
        for successor in self.successors:
            yield from successor.checks()

    def move_on(self) -> None:
        """See to it that two states never share an instant."""
        if self.told and self.at <= self.told[-1].at:
            self.at = self.told[-1].at + SECOND

    def seconds(self, low: float, high: float) -> None:
        """Let between `low` and `high` seconds pass, in whole seconds."""
        self.at += timedelta(seconds=round(self.draw.uniform(low, high)))

    def minutes(self, low: float, high: float) -> None:
        """Let between `low` and `high` minutes pass."""
        self.seconds(60 * low, 60 * high)

    def hours(self, low: float, high: float) -> None:
        """Let between `low` and `high` hours pass."""
        self.seconds(3600 * low, 3600 * high)

    def days(self, low: float, high: float) -> None:
        """Let between `low` and `high` days pass."""
        self.seconds(86400 * low, 86400 * high)

    def dawdle(self, median_hours: float) -> None:
        """Let a candidate take their time: log-normal, so that a few take very long; at most 12 days."""
        self.at += timedelta(seconds=round(3600 * min(median_hours * self.draw.lognormvariate(0, 1.2), 288)))

    def office(self, zone: str) -> None:
        """Move on to the next office hour (Monday to Friday, 9 to 17) in `zone`, if it is not one."""
        if not is_office_hour(self.at, zone):
            self.at = office_hour(next_office_day(self.at, zone), zone, self.draw)

    def business_days(self, count: int, zone: str) -> None:
        """Let `count` Australian business days pass, ending in office hours of `zone`."""
        for _ in range(count):
            self.at = next_working_day(self.at, zone)
        if not is_office_hour(self.at, zone):
            self.at = office_hour(self.at.astimezone(ZoneInfo(zone)).date(), zone, self.draw)


@dataclass(frozen=True, slots=True)
class Card:
    """One course a check can take, dealt `weight` times in a vendor's deck.

    A backdated order was placed `backdated` days before the customer's manifest lists it, as in a backfill.
    """

    weight: int
    tell: Callable[[Story], None]
    subject: str
    backdated: int = 0
    is_announced: bool = True


def dealt(deck: Sequence[Card], turn: int, seed: int) -> Card:
    """Return the card of the `turn`-th check: the deck is shuffled anew each time it has been dealt once."""
    cards = [card for card in deck for _ in range(card.weight)]
    round_number, position = divmod(turn, len(cards))
    drawn(seed, "deck", deck[0].subject, round_number).shuffle(cards)
    return cards[position]


def drawn(*seed: object) -> Random:
    """A source of randomness that depends on `seed` alone, on every platform."""
    return Random(":".join(map(str, seed)))


def is_office_hour(instant: datetime, zone: str) -> bool:
    """Whether it is Monday to Friday, 9 to 17, in `zone`."""
    local = instant.astimezone(ZoneInfo(zone))
    return _is_weekday(local.date()) and 9 <= local.hour < 17


def next_office_day(instant: datetime, zone: str) -> date:
    """Return the day in `zone` on which an office opens next after `instant`."""
    local = instant.astimezone(ZoneInfo(zone))
    day = local.date() if local.hour < 9 else local.date() + timedelta(days=1)
    while not _is_weekday(day):
        day += timedelta(days=1)
    return day


def office_hour(day: date, zone: str, draw: Random) -> datetime:
    """Return some instant (UTC) of that day's office hours in `zone`."""
    opening = datetime.combine(day, time(9), ZoneInfo(zone)).astimezone(UTC)
    return opening + timedelta(seconds=draw.randrange(8 * 3600))


def next_working_day(instant: datetime, zone: str) -> datetime:
    """Return the same local time on the next Australian business day (UTC)."""
    local = instant.astimezone(ZoneInfo(zone)) + timedelta(days=1)
    while not is_australian_business_day(local.date()):
        local += timedelta(days=1)
    return local.astimezone(UTC)


def is_australian_business_day(day: date) -> bool:
    """Whether `day` is neither a weekend nor a national holiday of Australia."""
    return _is_weekday(day) and day not in _australian_holidays(day.year)


def _is_weekday(day: date) -> bool:
    return day.weekday() < 5


@cache
def _australian_holidays(year: int) -> frozenset[date]:
    import holidays

    return frozenset(holidays.country_holidays("AU", years=year))
