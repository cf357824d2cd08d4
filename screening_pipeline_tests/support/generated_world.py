"""A few months of an imagined customer, as rows of the star: for what is built on the views."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.runtime import forecast
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse import reference, reference_tables, session
from screening_pipeline.warehouse.session import Connection
from screening_pipeline_tests.support.derived import derive

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = 86_400
# Median seconds from ordered to complete; a vendor that is quick answers four of five within minutes.
USUAL, QUICK = (3 * DAY, 5 * DAY, 2 * DAY, 4 * DAY, 6 * DAY), 150
ACTORS = ("candidate", "vendor", "client", "vendor", "unknown")
Row = dict[str, Any]

_COUNT_BUSINESS_DAYS = """
update star.fact_check as f
set turnaround_business_days = d.business_day_number - o.business_day_number
from star.dim_account as a, star.dim_calendar as o, star.dim_calendar as d
where
    f.turnaround_seconds is not null and f.vendor = a.vendor and f.account = a.account
    and o.calendar = a.calendar and o.date = timezone(a.timezone, f.ordered_at)::date
    and d.calendar = a.calendar and d.date = timezone(a.timezone, f.completed_at)::date
"""


def fill(connection: Connection, *, checks: int = 60, packages: tuple[str, ...] = ("basic", "standard")) -> None:
    """Fill the star of an empty warehouse with `checks` checks of each vendor."""
    generator = random.Random(7)
    reference_tables.fill_calendars(connection, sorted({declared.calendar for declared in all_vendors().values()}))
    session.insert(connection, "star.dim_vendor", reference.vendors())
    session.insert(connection, "star.dim_account", [_account(declared) for declared in all_vendors().values()])
    session.insert(connection, "star.dim_setting", _settings())
    session.insert(connection, "star.dim_sla_target", _targets())
    story = [row for vendor in all_vendors() for row in _checks(generator, vendor, checks, packages)]
    for table in dict.fromkeys(name for name, _ in story):
        session.insert(connection, table, [row for name, row in story if name == table])
    connection.execute(_COUNT_BUSINESS_DAYS)
    derive(connection)
    forecast.renew(connection, NOW)


def _account(declared: Vendor) -> Row:
    return {
        "vendor": declared.slug,
        "account": "main",
        "environment": "production",
        "calendar": declared.calendar,
        "timezone": declared.timezone,
        "requests_per_minute": 30,
        "adjudication_expected": declared.feed is not None,
        "is_analyzed": True,
    }


def _settings() -> list[Row]:
    return [
        {"name": "adverse_waiting_business_days", "value": 5},
        {"name": "stale_after_days", "value": 30},
    ]


def _targets() -> list[Row]:
    return [
        {"sla_target": 1, "clock": "vendor", "target_business_days": 4},
        {
            "sla_target": 2,
            "clock": "total",
            "target_hours": 1,
            "vendor": next(slug for slug in all_vendors() if _is_quick(slug)),
        },
        {"sla_target": 3, "clock": "total", "target_business_days": 12},
    ]


def _checks(generator: random.Random, vendor: str, checks: int, packages: tuple[str, ...]) -> Iterator[tuple[str, Row]]:
    for number in range(checks):
        key = 1000 * list(all_vendors()).index(vendor) + number + 1
        ordered_at = NOW - timedelta(seconds=generator.randrange(150 * DAY))
        took = _duration(generator, vendor)
        check = _identity(vendor, key) | {"package": generator.choice(packages)}
        needed = {"needed_by": str((NOW + timedelta(days=number % 10)).date())} if number % 3 == 0 else {}
        yield from _life(generator, check | needed, ordered_at, took)


def _identity(vendor: str, key: int) -> Row:
    return {
        "check_key": key,
        "vendor": vendor,
        "account": "main",
        "subject": all_vendors()[vendor].default_subject,
        "check_id": f"{key:05}",
    }


def _duration(generator: random.Random, vendor: str) -> int:
    if _is_quick(vendor) and generator.random() < 0.2:
        return generator.randrange(DAY, 18 * DAY)
    usual = USUAL[list(all_vendors()).index(vendor) % len(USUAL)]
    median, spread = (QUICK, 0.4) if _is_quick(vendor) else (usual, 0.8)
    return math.ceil(generator.lognormvariate(math.log(median), spread))


def _is_quick(vendor: str) -> bool:
    """Whether a vendor declares that it answers within minutes."""
    return any(spell.is_fast for spells in all_vendors()[vendor].prior.spells.values() for spell in spells)


def _life(generator: random.Random, check: Row, ordered_at: datetime, took: int) -> Iterator[tuple[str, Row]]:
    """A check handed around, looked at now and then, and complete after `took` seconds if that is past."""
    done_at = ordered_at + timedelta(seconds=took)
    cuts = sorted(generator.random() for _ in range(generator.randrange(1, 4)))
    turns = [ordered_at + timedelta(seconds=took * cut) for cut in (0.0, *cuts)]
    seen = [
        (_look(generator, ordered_at, at), actor)
        for at, actor in zip(turns, ACTORS, strict=False)
        if at <= min(done_at, NOW)
    ]
    is_done = done_at < NOW
    events = [(at, "in_progress", actor) for (_, at), actor in seen if at < NOW]
    yield from _calls(generator, check, ordered_at)
    last = events[-1][0] if events else ordered_at
    found = _look(generator, last, done_at)
    if is_done and found[1] < NOW:
        lifecycle = "canceled" if generator.random() < 0.05 else "completed"
        row = _closed(generator, check, ordered_at, found, lifecycle)
        events.append((found[1], lifecycle, "none"))
    else:
        row = _open(check, ordered_at, events)
    yield "star.fact_check", row
    yield from _events(check, events, is_terminal=row["is_terminal"])


def _look(generator: random.Random, after: datetime, at: datetime) -> tuple[datetime, datetime]:
    """The last look before `at`, and the first one after it."""
    gap = timedelta(seconds=generator.randrange(60, 12 * 3600))
    return min(at, max(after, at - gap)), at + gap / 4


def _closed(
    generator: random.Random,
    check: Row,
    ordered_at: datetime,
    found: tuple[datetime, datetime],
    lifecycle: str,
) -> Row:
    earliest, observed = found
    is_complete = lifecycle == "completed"
    result = generator.choice(("clear", "clear", "clear", "consider"))
    row = check | {
        "lifecycle": lifecycle,
        "result": result,
        "adjudication": "meets" if result == "clear" else "pending",
        "next_actor": "none" if result == "clear" else "client",
        "is_terminal": result == "clear" or not is_complete,
        "is_partial": False,
        "has_conflict": False,
        "ordered_at": str(ordered_at),
        "first_observed_at": str(ordered_at + timedelta(seconds=30)),
        "last_observed_at": str(observed),
        "last_changed_at": str(observed),
        "reopened_count": 0,
    }
    if not is_complete:
        return row | {"closed_at": str(observed), "turnaround_excluded_reason": lifecycle}
    return row | {
        "completed_at": str(observed),
        "completed_at_earliest": str(earliest),
        "completed_at_source": "observed",
        **(_measured(ordered_at, earliest, observed) if row["is_terminal"] else {}),
    }


def _measured(ordered_at: datetime, earliest: datetime, observed: datetime) -> Row:
    return {
        "closed_at": str(observed),
        "turnaround_seconds": int((observed - ordered_at).total_seconds()),
        "turnaround_seconds_earliest": int((earliest - ordered_at).total_seconds()),
    }


def _open(check: Row, ordered_at: datetime, events: list[tuple[datetime, str, str]]) -> Row:
    return check | {
        "lifecycle": events[-1][1] if events else "unknown",
        "result": "none",
        "adjudication": "pending",
        "next_actor": events[-1][2] if events else "unknown",
        "is_terminal": False,
        "ordered_at": str(ordered_at),
        "first_observed_at": str(events[0][0]) if events else None,
        "last_observed_at": str(NOW) if events else None,
        "last_changed_at": str(events[-1][0]) if events else None,
        "reopened_count": 0,
    }


def _events(check: Row, events: list[tuple[datetime, str, str]], *, is_terminal: bool) -> Iterator[tuple[str, Row]]:
    previous = None
    for number, (at, lifecycle, actor) in enumerate(events, start=1):
        yield (
            "star.fact_check_event",
            check
            | {
                "event_seq": number,
                "lifecycle": lifecycle,
                "result": "none",
                "next_actor": actor,
                "is_terminal": is_terminal and number == len(events),
                "channel": "pull",
                "observed_at": str(at),
                "observed_at_earliest": previous and str(previous),
            },
        )
        previous = at


def _calls(generator: random.Random, check: Row, ordered_at: datetime) -> Iterator[tuple[str, Row]]:
    for number in range(generator.randrange(2, 8)):
        at = min(NOW, ordered_at + timedelta(hours=generator.randrange(1, 200)))
        yield (
            "star.fact_pull",
            check
            | {
                "response_id": f"{check['check_key']}-{number}",
                "channel": "pull",
                "requested_at": str(at),
                "received_at": str(at),
                "was_due_at": str(at - timedelta(minutes=1)),
                "outcome": generator.choice(("changed", "unchanged", "unchanged", "unchanged", "failed")),
            },
        )
