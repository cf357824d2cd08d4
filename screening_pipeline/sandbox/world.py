"""The sandbox's world: orders over some virtual days and what becomes of each, from a seed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from screening_pipeline.sandbox import checkr, goodhire, hireright, workable, workerchecks, zinc
from screening_pipeline.sandbox.people import Person
from screening_pipeline.sandbox.timeline import Card, Check, Order, Story, dealt, drawn

Key = tuple[str, str, str]
"""Vendor, subject and check id."""


@dataclass(frozen=True, slots=True)
class Trade:
    """What the world needs to know of one vendor."""

    country: str
    zone: str
    packages: Sequence[str]
    regions: Sequence[str]
    deck: Sequence[Card]
    check_id: Callable[[Random, int], str]


TRADES: Final = {
    "goodhire": Trade("US", goodhire.ZONE, goodhire.PACKAGES, goodhire.REGIONS, goodhire.DECK, goodhire.check_id),
    "hireright": Trade("US", hireright.ZONE, hireright.PACKAGES, hireright.REGIONS, hireright.DECK, hireright.check_id),
    "zinc": Trade("GB", zinc.ZONE, zinc.PACKAGES, zinc.REGIONS, zinc.DECK, zinc.check_id),
    "workerchecks": Trade(
        "AU",
        workerchecks.ZONE,
        workerchecks.PACKAGES,
        workerchecks.REGIONS,
        workerchecks.DECK,
        workerchecks.check_id,
    ),
    "checkr": Trade("US", checkr.ZONE, checkr.PACKAGES, checkr.REGIONS, checkr.DECK, checkr.check_id),
    "workable": Trade("US", workable.ZONE, workable.PACKAGES, workable.REGIONS, workable.DECK, workable.check_id),
}

ROTATION: Final = tuple(
    {"W": "workerchecks", "G": "goodhire", "H": "hireright", "Z": "zinc", "K": "workable", "C": "checkr"}[letter]
    for letter in "WGHZKWGHZKWGHZKWGHWWCC"
)
"""Which vendor the checks go to, in turn."""


@dataclass(frozen=True)
class World:
    """`checks` checks ordered over `days` virtual days from `epoch` (an aware instant).

    Each check depends only on the arguments and its number: two worlds with the same arguments are equal.
    """

    seed: int
    checks: int
    epoch: datetime
    days: int = 30

    def __post_init__(self) -> None:
        """Refuse a world that cannot be placed in time, with ValueError."""
        if self.epoch.tzinfo is None:
            raise ValueError("epoch needs an offset")
        if self.checks < 0 or self.days < 1:
            raise ValueError("checks must be 0 or more and days 1 or more")

    @cached_property
    def everything(self) -> tuple[Check, ...]:
        """All checks, announced or not, in the order of their numbers, each followed by those to which it led."""
        return tuple(check for number in range(self.checks) for check in self._story(number).checks())

    @cached_property
    def by_key(self) -> dict[Key, Check]:
        """All checks by vendor, subject and id."""
        return {(c.order.vendor, c.order.subject, c.order.check_id): c for c in self.everything}

    def announced(self, since: datetime | None, until: datetime | None) -> list[Order]:
        """Return the orders that the customer's manifests list in [since, until), oldest first."""
        dated = [(o.announced_at, o.check_id, o) for c in self.everything if (o := c.order).announced_at]
        wanted = [row for row in dated if (since is None or row[0] >= since) and (until is None or row[0] < until)]
        return [order for _, _, order in sorted(wanted, key=lambda row: row[:2])]

    def check(self, number: int) -> Check:
        """Return check `number` with its whole timeline."""
        return next(self._story(number).checks())

    def _story(self, number: int) -> Story:
        vendor, turn = _vendor_and_turn(number)
        card = dealt(TRADES[vendor].deck, turn, self.seed)
        story = Story(self._order(number, card), drawn(self.seed, number, "story"))
        card.tell(story)
        return story

    def _order(self, number: int, card: Card) -> Order:
        vendor, turn = _vendor_and_turn(number)
        trade, draw = TRADES[vendor], drawn(self.seed, number, "order")
        listed_at = self._listed_at(number, trade.zone, draw)
        return Order(
            vendor=vendor,
            subject=card.subject,
            check_id=self._check_id(number),
            person=Person((number if draw.random() < 0.9 else max(number - 7, 0)) % 10_000),
            package=draw.choice(trade.packages),
            country=trade.country,
            region=draw.choice(trade.regions),
            cost_center=f"CC-{draw.randrange(100, 120)}",
            ordered_at=listed_at - timedelta(days=card.backdated),
            announced_at=listed_at if card.is_announced else None,
            related_id=self._check_id(self._nearest_report(turn))
            if (vendor, card.subject) == ("goodhire", "subscription")
            else "",
        )

    def _check_id(self, number: int) -> str:
        vendor, _ = _vendor_and_turn(number)
        return TRADES[vendor].check_id(drawn(self.seed, number, "id"), number)

    def _listed_at(self, number: int, zone: str, draw: Random) -> datetime:
        """Orders come evenly over the days, three in four of them at the customer's office hours."""
        epoch = self.epoch.astimezone(UTC).replace(microsecond=0)
        span = timedelta(days=self.days)
        instant = epoch + span * ((number + draw.random()) / self.checks)
        hour = draw.randrange(8, 18) if draw.random() < 0.75 else draw.randrange(24)
        local = instant.astimezone(ZoneInfo(zone)).replace(hour=hour, microsecond=0)
        last = epoch + span - timedelta(seconds=1)
        return min(max(local.astimezone(UTC), epoch), last)

    def _nearest_report(self, turn: int) -> int:
        """Return the number of the GoodHire report that a subscription of turn `turn` watches."""
        deck = TRADES["goodhire"].deck
        candidates = (*range(turn - 1, -1, -1), *range(turn + 1, turn + 100))
        return next(
            _number("goodhire", other) for other in candidates if dealt(deck, other, self.seed).subject == "report"
        )


def _vendor_and_turn(number: int) -> tuple[str, int]:
    """Return the vendor of check `number`, and how many checks of that vendor come before it."""
    rounds, position = divmod(number, len(ROTATION))
    vendor = ROTATION[position]
    return vendor, rounds * ROTATION.count(vendor) + ROTATION[:position].count(vendor)


def _number(vendor: str, turn: int) -> int:
    """Return the number of the `turn`-th check of `vendor`."""
    places = [position for position, name in enumerate(ROTATION) if name == vendor]
    rounds, place = divmod(turn, len(places))
    return rounds * len(ROTATION) + places[place]
