"""Worlds whose truth is known: when each check really moved, and what somebody saw of it who looks now and then.

Nothing here is shared with the sandbox, the planner or any estimator: lives are drawn from distributions of working
hours in a country's own days, and what is seen of them is landed and loaded as any answer is.
"""

from __future__ import annotations

import atexit
import json
import math
import random
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import holidays

from screening_pipeline.domain.exchange import HttpExchange
from screening_pipeline.settings.paths import Paths
from screening_pipeline.settings.settings import SlaTarget
from screening_pipeline.vendors import vendor
from screening_pipeline.warehouse import reference, session
from screening_pipeline_tests.support.stage import Stage, staged

FIRST, DAYS = datetime(2025, 6, 2, 15, tzinfo=UTC), 365
"""The present of a world is some day of this year."""
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
OPENS, CLOSES = 9, 17
PLACES = {
    "goodhire": ("US", "America/Los_Angeles"),
    "zinc": ("GB", "Europe/London"),
    "workerchecks": ("AU", "Australia/Sydney"),
}
# Who has to act in each state; the others are ends.
ACTORS = {"candidate": "candidate", "vendor": "vendor", "client": "client", "review": "client"}
WORDS: dict[str, dict[str, dict[str, Any]]] = {
    "goodhire": {
        "candidate": {"Status": "MissingInput", "StatusDetails": "AwaitingInput"},
        "vendor": {"Status": "Processing"},
        "client": {"Status": "RequiresAdditionalInfo"},
        "complete": {"Status": "CompletedClear"},
        "expired": {"Status": "Expired"},
        "canceled": {"Status": "Canceled"},
    },
    "zinc": {
        "candidate": {"statusV2": "awaiting-candidate", "status": "pending"},
        "vendor": {"statusV2": "in-progress", "status": "partially-completed"},
        "client": {"statusV2": "attention-needed", "status": "pending"},
        "review": {"statusV2": "ready-for-review", "status": "action-required", "result": "consider"},
        "complete": {"statusV2": "all-clear", "status": "completed", "result": "clear"},
        "expired": {"statusV2": "cancelled", "status": "cancelled"},
        "canceled": {"statusV2": "cancelled", "status": "cancelled"},
    },
    "workerchecks": {
        "candidate": {"status": "Pending"},
        "vendor": {"status": "In Progress"},
        "complete": {"status": "Completed", "result": "Clear"},
        "expired": {"status": "Cancelled"},
        "canceled": {"status": "Cancelled"},
    },
}
ID_KEYS = {"goodhire": "Id", "zinc": "id", "workerchecks": "checkId"}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a world is like.

    `hours` is the median of a vendor's working hours (in minutes' reach if below one), `sigma` its spread as that of
    the logarithm. `open_share` of the checks are open at the end, unless `days` says how long orders came.
    `announced` is how the order file comes: at_once, two_hourly or daily. `records_days` is for how long anybody has
    looked: what was ordered before is the backlog of the first day. `slow_days` ago the vendor became `slowdown` times
    slower. `looks` is how often: the name of a function of this module. `now` is the present, drawn unless given.
    """

    vendor: str
    checks: int = 400
    hours: float = 24.0
    sigma: float = 0.7
    candidate_hours: float = 8.0
    open_share: float = 0.1
    days: float | None = None
    no_shows: float = 0.0
    expire_days: float = 30.0
    canceled: float = 0.02
    hiccups: float = 0.2
    announced: str = "at_once"
    records_days: float | None = None
    slow_days: float | None = None
    slowdown: float = 2.0
    looks: str = "every_four_hours"
    now: datetime = FIRST
    packages: tuple[tuple[str, float], ...] = (("basic", 0.7), ("standard", 1.0), ("executive", 1.6))


@dataclass(frozen=True)
class Life:
    """One check: its order, and each state from when on; the last one is an end."""

    check_id: str
    package: str
    ordered_at: datetime
    states: tuple[tuple[datetime, str], ...]
    announced_at: datetime

    @property
    def ended_at(self) -> datetime:
        return self.states[-1][0]

    @property
    def completes(self) -> bool:
        """Whether it ever comes to a result."""
        return self.states[-1][1] == "complete"

    @property
    def seconds(self) -> float:
        """From the order to the end."""
        return (self.ended_at - self.ordered_at).total_seconds()

    def state_at(self, when: datetime) -> str:
        """The state it is in."""
        return [state for begun, state in self.states if begun <= when][-1]

    def spent(self, until: datetime) -> dict[str, float]:
        """Seconds in which each party had to act."""
        found: dict[str, float] = defaultdict(float)
        ends = [begun for begun, _ in self.states[1:]]
        for (begun, state), ends_at in zip(self.states, ends, strict=False):
            found[ACTORS[state]] += max(0.0, (min(ends_at, until) - begun).total_seconds())
        return found


@dataclass(frozen=True)
class World:
    """The lives of one vendor's checks, and the looks at each of them."""

    shape: Shape
    lives: tuple[Life, ...]
    looks: dict[str, tuple[datetime, ...]] = field(repr=False)

    @property
    def ordered(self) -> list[Life]:
        return list(self.lives)

    def quantile(self, share: float) -> float:
        """Seconds by which this share of all checks that ever complete is complete, whenever that is."""
        took = sorted(life.seconds for life in self.lives if life.completes)
        return took[min(len(took) - 1, math.ceil(share * len(took)) - 1)]

    @property
    def share_completing(self) -> float:
        return sum(life.completes for life in self.lives) / len(self.lives)

    @property
    def states_lost(self) -> int:
        """States that came and went between two looks, or before the first."""
        return sum(self._lost(life) for life in self.lives)

    def _lost(self, life: Life) -> int:
        looks = self.looks[life.check_id]
        ends = [begun for begun, _ in life.states[1:]]
        seen_until = looks[-1] if looks else life.ordered_at
        stays = zip(life.states, ends, strict=False)
        return sum(end <= seen_until and not any(begun <= look < end for look in looks) for (begun, _), end in stays)


def world(shape: Shape, seed: int) -> World:
    """The world of this shape and seed."""
    generator = random.Random(f"{shape}/{seed}")
    if shape.now == FIRST:
        shape = replace(shape, now=FIRST + generator.randrange(DAYS * 24) * HOUR)
    days = shape.days or _days_for(shape, seed)
    ordered = [shape.now - days * DAY * generator.random() for _ in range(shape.checks)]
    lives = tuple(_life(generator, shape, number, ordered_at) for number, ordered_at in enumerate(ordered))
    return World(shape, lives, {life.check_id: tuple(_looks(generator, shape, life)) for life in lives})


def _days_for(shape: Shape, seed: int) -> float:
    """For how many days orders must have come so that the wished share of them is open."""
    generator = random.Random(f"{shape}/{seed}/days")
    sample = [_life(generator, shape, number, shape.now - 40 * DAY * generator.random()) for number in range(300)]
    took = [life.seconds / 86_400 for life in sample]
    low, high = 0.01, 2_000.0
    for _ in range(40):
        middle = math.sqrt(low * high)
        share = sum(min(1.0, days / middle) for days in took) / len(took)
        low, high = (middle, high) if share > shape.open_share else (low, middle)
    return high


# ── lives ──────────────────────────────────────────────────────────────────────────────────────────────


def _life(generator: random.Random, shape: Shape, number: int, ordered_at: datetime) -> Life:
    package, pace = generator.choice(shape.packages)
    states = tuple(_states(generator, shape, pace, ordered_at))
    return Life(f"{shape.vendor}-{number:05}", package, ordered_at, states, _announced(shape, ordered_at))


def _states(
    generator: random.Random, shape: Shape, pace: float, ordered_at: datetime
) -> Iterator[tuple[datetime, str]]:
    now = ordered_at
    yield now, "candidate"
    if generator.random() < shape.no_shows:
        yield now + shape.expire_days * DAY * generator.uniform(0.9, 1.1), "expired"
        return
    now += _drawn(generator, shape.candidate_hours, 1.0) * HOUR
    is_canceled = generator.random() < shape.canceled
    work = _drawn(generator, shape.hours * pace, shape.sigma)
    yield now, "vendor"
    if is_canceled:
        yield _worked(shape, now, work * generator.random()), "canceled"
        return
    if generator.random() < shape.hiccups:
        now = _worked(shape, now, work / 2)
        # WorkerChecks has no word for a client who has to act.
        yield now, "candidate" if shape.vendor == "workerchecks" else "client"
        now += _drawn(generator, min(6.0, shape.hours / 4), 1.2) * HOUR
        yield now, "vendor"
        work /= 2
    now = _worked(shape, now, work)
    if shape.vendor == "zinc" and generator.random() < 0.4:
        yield now, "review"
        now += _drawn(generator, 5.0, 1.0) * HOUR
    yield now, "complete"


def _drawn(generator: random.Random, median: float, sigma: float) -> float:
    return generator.lognormvariate(math.log(median), sigma)


def _worked(shape: Shape, since: datetime, hours: float) -> datetime:
    """When the vendor has worked so many hours; what takes minutes is done by machines, at any hour."""
    if shape.hours < 1:
        return since + hours * HOUR
    now, left = since, hours * HOUR
    while True:
        opens, closes = _day(shape.vendor, now)
        begin = max(now, opens)
        slow_at = shape.now - shape.slow_days * DAY if shape.slow_days else None
        pace = shape.slowdown if slow_at and begin >= slow_at else 1.0
        ends = min(closes, slow_at) if slow_at and begin < slow_at else closes
        if ends > begin:
            if left * pace <= ends - begin:
                return begin + left * pace
            left -= (ends - begin) / pace
        now = ends if now < ends < closes else closes


def _day(slug: str, when: datetime) -> tuple[datetime, datetime]:
    """The working hours of the first local day that has not ended at this instant; none on days off."""
    zone = zone_of(slug)
    today = when.astimezone(zone).date()
    opens, closes = (datetime.combine(today, time(hour), zone).astimezone(UTC) for hour in (OPENS, CLOSES))
    midnight = datetime.combine(today + DAY, time(0), zone).astimezone(UTC)
    if closes <= when or not _is_open(slug, today):
        return midnight, midnight
    return opens, closes


def zone_of(slug: str) -> ZoneInfo:
    """Where a vendor's days begin."""
    return ZoneInfo(PLACES[slug][1])


@cache
def _is_open(slug: str, day: date) -> bool:
    return day.weekday() < 5 and day not in _holidays(PLACES[slug][0])


@cache
def _holidays(country: str) -> Any:
    return holidays.country_holidays(country, years=range(2023, 2028))


# ── what is seen of them ───────────────────────────────────────────────────────────────────────────────


def _announced(shape: Shape, ordered_at: datetime) -> datetime:
    steps = {"at_once": timedelta(minutes=1), "two_hourly": 2 * HOUR, "twelve_hours_late": 12 * HOUR, "daily": DAY}
    step = steps[shape.announced]
    if shape.announced in ("at_once", "twelve_hours_late"):
        told = ordered_at + step
    else:
        told = ordered_at + step - (ordered_at - datetime(2020, 1, 1, 5, tzinfo=UTC)) % step
    return told if shape.records_days is None else max(told, shape.now - shape.records_days * DAY)


def _looks(generator: random.Random, shape: Shape, life: Life) -> Iterator[datetime]:
    """From its announcement on until its end is seen, or the present."""
    gap_after = LOOKS[shape.looks]
    now = life.announced_at + generator.uniform(0.2, 3) * timedelta(minutes=1)
    while now < shape.now:
        yield now
        if now >= life.ended_at:
            return
        now += gap_after(shape, life, now) * generator.uniform(0.7, 1.3)


def every_four_hours(shape: Shape, life: Life, now: datetime) -> timedelta:
    """Much the same at all times."""
    return 4 * HOUR


def once_a_day(shape: Shape, life: Life, now: datetime) -> timedelta:
    """As a nightly job looks."""
    return DAY


def when_likely(shape: Shape, life: Life, now: datetime) -> timedelta:
    """Often where a change is likely, by what was seen: soon after one, in working hours, and around the usual age."""
    opens, closes = _day(shape.vendor, now)
    is_working = opens <= now < closes
    begun = [begun for begun, _ in life.states if begun <= now][-1]
    days, usual = (now - begun) / DAY, shape.hours / 8 * 7 / 5
    near = abs(math.log((days + 0.05) / (usual + 0.05)))
    return min(DAY, (0.5 if is_working else 4.0) * (1 + 2 * near) * HOUR)


LOOKS: dict[str, Callable[[Shape, Life, datetime], timedelta]] = {
    look.__name__: look for look in (every_four_hours, once_a_day, when_likely)
}


# ── landing them ───────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def seen(shape: Shape, seed: int, *promises: SlaTarget, all_looks: bool = False) -> Iterator[tuple[World, Stage]]:
    """A world, and the warehouse of who looked at it, to whom these turnarounds were promised."""
    of = world(shape, seed)
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths.under(Path(folder), {})
        paths.create()
        shutil.copyfile(_empty_warehouse(), paths.warehouse)
        with staged(Path(folder)) as stage:
            land(stage, of, all_looks=all_looks)
            promised = reference.sla_targets(replace(stage.settings, sla=promises))
            session.insert(stage.connection, "star.dim_sla_target", promised)
            yield of, stage


@cache
def _empty_warehouse() -> Path:
    """A warehouse of which nothing is known yet; to make one takes longer than to load a world."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    with staged(folder) as stage:
        return stage.settings.paths.warehouse


def land(stage: Stage, of: World, *, all_looks: bool = False) -> None:
    """Order the checks, land what each look showed, and load it all."""
    say(stage, of, all_looks=all_looks)
    stage.settle(now=of.shape.now)


def say(stage: Stage, of: World, *, all_looks: bool = False) -> None:
    """Order the checks, and land what each look showed, as the pipeline does with answers.

    A look that shows what the ones before and after it show changes nothing that is known: it is left out, unless
    somebody counts calls.
    """
    slug = of.shape.vendor
    for life in of.lives:
        if life.announced_at < of.shape.now:
            stage.orders.append(
                {
                    "vendor": slug,
                    "account": "main",
                    "check_id": life.check_id,
                    "package": life.package,
                    "ordered_at": life.ordered_at.isoformat(),
                    "country": PLACES[slug][0],
                }
            )
    lines: dict[str, list[bytes]] = defaultdict(list)
    for number, exchange in enumerate(_exchanges(of, all_looks=all_looks)):
        line = stage.landing.judged(exchange(number))
        lines[line.file].append(line.content)
    for file, texts in lines.items():
        stage.landing.store.append(file, [("", text) for text in sorted(texts)])


def _exchanges(of: World, *, all_looks: bool) -> Iterator[Callable[[int], HttpExchange]]:
    for life in of.lives:
        seen = [(look, life.state_at(look)) for look in of.looks[life.check_id]]
        for place, (look, state) in enumerate(seen):
            around = [other for _, other in seen[max(0, place - 1) : place + 2]]
            is_between = 0 < place < len(seen) - 1 and set(around) == {state}
            if all_looks or not is_between:
                yield _exchange(of.shape.vendor, life, look, state)


def _exchange(slug: str, life: Life, look: datetime, state: str) -> Callable[[int], HttpExchange]:
    subject = vendor(slug).default_subject
    body = {ID_KEYS[slug]: life.check_id, **WORDS[slug][state]}

    def numbered(number: int) -> HttpExchange:
        return HttpExchange(
            response_id=f"{look:%Y%m%dT%H%M%S%f}Z-{number:016x}-0000",
            vendor=slug,
            account="main",
            endpoint=vendor(slug).endpoint_for(subject).name,
            channel="pull",
            subject=subject,
            check_id=life.check_id,
            requested_at=look - timedelta(seconds=1),
            received_at=look,
            due_at=look - timedelta(seconds=20),
            http_status=200,
            headers={"content-type": "application/json"},
            latency_ms=300,
            run_id="test",
            body=json.dumps(body).encode(),
        )

    return numbered
