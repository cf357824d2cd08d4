"""What is learned, planned and forecast of a small made-up past: every figure of it, to compare with those kept.

No formula stands behind the kept figures. They are what the code told when they were written, and tests against known
worlds say how good that is; these tell whoever changes a step of it that it changed. Mean it, then write them anew:
`python -m screening_pipeline_tests.support.planning_figures`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from screening_pipeline.planning import eta, hazards
from screening_pipeline.planning.calendar import BusinessCalendar, cells_of_hours, working_pace
from screening_pipeline.planning.columns import columns_of
from screening_pipeline.planning.departures import departures
from screening_pipeline.planning.fastlane import next_ages
from screening_pipeline.planning.histogram import GroupKey, Histogram, Sojourn
from screening_pipeline.planning.inputs import Budget, OpenCheck, PlanOptions
from screening_pipeline.planning.model import Model
from screening_pipeline.planning.planner import plan_columns
from screening_pipeline.planning.priors import BINS, CANDIDATE_PACE, UNTOLD, VENDOR_PACE, masses
from screening_pipeline.planning.rule import Tables
from screening_pipeline.planning.standing import Standing
from screening_pipeline.planning.timeline import Timeline
from screening_pipeline.planning.unseen import unseen
from screening_pipeline.planning.weighing import weigh
from screening_pipeline.runtime.pull_model import declared_priors

FILE = Path(__file__).parent.parent / "planning_figures.json"
NOW = datetime(2026, 3, 4, 2, 0, tzinfo=UTC)
HOUR, DAY = 3_600.0, 86_400.0
BEGIN = NOW.timestamp() - 60 * DAY
CALENDARS = {
    "goodhire": BusinessCalendar("America/New_York", frozenset({date(2026, 2, 16), date(2026, 3, 6)})),
    "zinc": BusinessCalendar("Europe/London"),
    "workerchecks": BusinessCalendar("Australia/Sydney"),
}
VENDORS = tuple(CALENDARS)
LEFT_NEVER = {"vendor": "zinc", "package": "basic", "state": "paused", "left_by": math.nan, "next_state": None}
PACKAGES = ("basic", "executive", None)


def stays() -> Iterator[dict[str, Any]]:
    """A past: checks that are created, in progress, perhaps with the candidate, and end; looked at every few hours."""
    draw = np.random.default_rng(20260304)
    for number in range(240):
        vendor = VENDORS[number // 3 % 3]
        begun = BEGIN + draw.uniform(0, 59) * DAY
        watched = begun + (draw.uniform(0, 3) * DAY if number % 7 == 0 else 0.0)
        slow = 2.0 if number % 3 == 1 else 1.0
        path = ["unknown", "in_progress"] + (["awaiting_candidate"] if number % 4 == 0 else [])
        for place, state in enumerate(path):
            long = slow * draw.lognormal(math.log((0.2, 30.0, 60.0)[place] * HOUR), 0.8)
            look = draw.uniform(1, 9) * HOUR
            over = begun + long < NOW.timestamp() - look
            is_last = place == len(path) - 1
            following = ("end:complete" if number % 9 else "end:canceled") if is_last else path[place + 1]
            if begun + long > watched:
                yield {
                    "vendor": vendor,
                    "package": PACKAGES[number % 3] or "",
                    "state": state,
                    "entered": begun,
                    "watched_from": max(begun, watched),
                    "seen_until": min(begun + long - 0.3 * look, NOW.timestamp()),
                    "left_by": begun + long + 0.7 * look if over else math.nan,
                    "next_state": following if over else None,
                }
            begun += long
            if not over:
                break
    yield {**LEFT_NEVER, "entered": BEGIN, "watched_from": BEGIN, "seen_until": NOW.timestamp()}


def columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows as columns: numbers as such, texts as objects."""
    found = {name: [row[name] for row in rows] for name in rows[0]}
    numbers = {name for name, values in found.items() if isinstance(values[0], int | float)}
    return {name: np.array(values, dtype=None if name in numbers else object) for name, values in found.items()}


def looks() -> list[dict[str, Any]]:
    """Stays as looks showed them: some are shorter than the time between two looks."""
    draw = np.random.default_rng(4)
    rows: list[dict[str, Any]] = []
    for number in range(160):
        gap, states = draw.uniform(0.5, 12) * HOUR, ("in_progress", "review_required", "awaiting_candidate")
        for place, state in enumerate(states[: 1 + number % 3]):
            is_end = number % 5 == 0 and place == number % 3
            rows.append(
                {
                    "check_key": number,
                    "vendor": "goodhire",
                    "account": ("us", "eu")[number % 2],
                    "state": "completed" if is_end else state,
                    "is_first": place == 0,
                    "is_end": is_end,
                    "is_over": number % 3 != 0,
                    "before": 0.0 if number % 11 == 0 else gap,
                    "within": draw.lognormal(math.log((30.0, 2.0, 6.0)[place] * HOUR), 1.0),
                    "after": math.nan if number % 3 == 0 or (number + place) % 5 == 1 else draw.uniform(0.5, 12) * HOUR,
                }
            )
    return rows + [hasty(number, draw) for number in range(300)]


def hasty(number: int, draw: np.random.Generator) -> dict[str, Any]:
    """A first look at a check of a vendor of whom the ten quickest show another state than the thirty quickest."""
    is_beginning = 9 <= number < 90 or number % 7 == 3
    return {
        "check_key": 1_000 + number,
        "vendor": "zinc",
        "account": "uk",
        "state": "created" if is_beginning else "in_progress",
        "is_first": True,
        "is_end": False,
        "is_over": number % 2 == 0,
        "before": 60.0 * (number + 1),
        "within": draw.lognormal(math.log(600.0), 1.5),
        "after": math.nan if number % 5 == 0 else draw.uniform(0.1, 3) * HOUR,
    }


def forecasts() -> dict[str, Any]:
    """What is forecast of open checks, what was left of late, and what nobody saw."""
    past = columns(list(stays()))
    now, declared = NOW.timestamp(), declared_priors()
    learned = hazards.learn(past, CALENDARS, now, declared)
    waiting = [
        {
            "check_key": number,
            "vendor": "nobody" if number == 17 else VENDORS[number // 3 % 3],
            "package": PACKAGES[number % 3] or "",
            "state": "unknown" if number % 7 == 6 else ("in_progress", "awaiting_candidate", "paused")[number % 3],
            "entered": now - (0.1 if number == 6 else 2_000 if number == 16 else number * 7) * HOUR,
            "seen_until": now - (0 if number == 6 else number) * HOUR,
            "due": math.nan if number % 4 == 0 else now + number * 5 * HOUR,
            "needed": math.nan if number % 5 == 0 else now + number * 3 * HOUR,
        }
        for number in range(18)
    ]
    told = eta.predict(hazards.Hazards.from_dict(json.loads(json.dumps(learned.to_dict()))), columns(waiting), now)
    when, is_complete = eta.ends(learned, columns(waiting))
    left = departures(past, CALENDARS, now - 14 * DAY, declared)
    return {
        "hazards": learned.to_dict(),
        "forecasts": {name: values.tolist() for name, values in told.items()},
        "ends": [when.mean(axis=1).tolist(), is_complete.mean(axis=1).tolist()],
        "departures": [[*key, *pair] for key, pair in left.items()],
        "unseen": [[*key, one.seen, one.before, one.between] for key, one in unseen(columns(looks())).items()],
    }


def sojourns() -> Iterator[Sojourn]:
    """The same past as the planner reads it."""
    for number, row in enumerate(stays()):
        ended = not math.isnan(row["left_by"])
        yield Sojourn(
            row["vendor"],
            row["package"] or None,
            row["state"],
            max(0.0, row["seen_until"] - row["entered"]),
            max(0.0, (row["left_by"] if ended else row["seen_until"]) - row["entered"]),
            not ended,
            datetime.fromtimestamp(row["entered"], UTC),
            is_followed=ended and not str(row["next_state"]).startswith("end:"),
            seconds_before=row["watched_from"] - row["entered"] if number % 2 else 0.0,
        )


def open_checks(count: int = 60) -> list[OpenCheck]:
    """Checks of all ages, some never looked at, pushed, asked for by hand or in vain."""
    found = []
    for number in range(count):
        ordered = NOW - timedelta(hours=0.02 * (number % 60) ** 2.4 + number // 120)
        seen = None if number % 6 == 0 else NOW - (NOW - ordered) / (2 + number % 5)
        seen = NOW - timedelta(seconds=number) if number % 11 == 4 else seen
        state = ("in_progress", "awaiting_candidate", "created", "completed")[number % 4]
        one = OpenCheck(number, "goodhire", "us", "check", PACKAGES[number % 3], state, ordered, ordered, seen)
        retry = NOW + timedelta(minutes=10 * number) if number % 13 == 5 else None
        one = replace(one, is_push_fed=number % 10 == 3, is_requested=number == 17, retry_at=retry)
        found.append(replace(one, wait_seconds=5 * DAY if number % 14 == 8 else None))
    return found


def plans() -> dict[str, Any]:
    """Plans with enough calls and with too few, and of some checks behind the line that those have left."""
    learned = Model(priors=declared_priors()).learn(sojourns(), CALENDARS).to_dict()
    model = Model.from_dict(json.loads(json.dumps(learned)), declared_priors())
    found: dict[str, Any] = {"model": learned}
    kinds = {"enough": Budget(30), "few": Budget(1, 20), "fed": Budget(2, 5, True), "too few": Budget(1)}
    for name, budget in kinds.items():
        options = PlanOptions()
        columns_ = columns_of(open_checks(5_000 if name == "too few" else 60), model, options)
        given: dict[str, Any] = {"model": model, "budget": budget, "calendar": CALENDARS["goodhire"], "now": NOW}
        made = plan_columns(columns_, options=options, **given)
        standing = Standing.from_dict(json.loads(json.dumps(made.schedule.standing.to_dict())))
        some = plan_columns(columns_.taken(np.arange(5, 25)), options=options, standing=standing, **given)
        found[name] = {
            "standing": standing.to_dict(),
            "needed": made.calls_needed_per_minute,
            "changes": made.changes_per_minute,
            "lost": made.states_lost_per_day,
            "lag": made.lag_in_force,
            **{
                part: [
                    [one.check_key, one.next_pull_at.timestamp() - NOW.timestamp(), one.reason]
                    for one in of.planned[:60]
                ]
                for part, of in (("whole", made), ("some", some))
            },
        }
    return found


def rules() -> dict[str, Any]:
    """What plans are made of: the pace of work and time on it, priors, what a call is worth, and the fast lane."""
    return {"paces": paces(), "times": times(), "priors": expected_ends(), "worth": worth(), "lanes": lanes()}


def paces() -> dict[str, Any]:
    """Speeds by the hour of a week, and the hours themselves where the clock is changed or is half an hour off."""
    first = int(datetime(2026, 3, 6, tzinfo=UTC).timestamp() // HOUR)
    zones = ("America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/London")
    return {
        "office": working_pace(8, 18, edges=0.6, evening=0.2, night=0.04, off=0.1),
        "quiet nights": working_pace(9, 16, edges=0.5, evening=0.3, night=0.2, off=0.05),
        **{zone: cells_of_hours(BusinessCalendar(zone), first, 77).tolist() for zone in zones},
    }


def times() -> dict[str, Any]:
    """Working time before, within and after what a timeline is for."""
    now = NOW.timestamp()
    line = Timeline(CALENDARS["zinc"], (VENDOR_PACE, CANDIDATE_PACE), now - 3 * DAY, now + 2 * DAY)
    when = now + HOUR * np.array([-200.0, -72.5, -71.9, -30.25, 0.0, 0.3, 17.75, 47.9, 69.0, 70.0, 71.0, 300.0])
    clock = np.arange(len(when)) % 2
    half_life = 2 * DAY
    hours = line.cell_hours(when[2:5], when[5:8], lambda hour: 0.5 ** ((now - hour) / half_life))
    return {
        "worked": line.worked(clock, when).tolist(),
        "at": [part.tolist() for part in line.at(clock[1:8], when[1:8])],
        "cells": line.cell(when[1:8]).tolist(),
        "hours": hours.tolist(),
    }


def expected_ends() -> dict[str, list[float]]:
    """Shares of checks that leave a state in each bin of ages, of a vendor that declares nothing."""
    return {state: masses(UNTOLD, state) for state in ("created", "in_progress", "paused", "a word nobody knows")}


def unchanging() -> Model:
    """A model of a state in which nothing was ever seen to happen."""
    nothing = Histogram((0.0,) * BINS, (1e12,) * BINS, 1e6)
    return Model({GroupKey("goodhire", "in_progress"): nothing}, priors=declared_priors())


def worth() -> dict[str, Any]:
    """What calls at later instants are worth, by what was learned, by what is declared, and where nothing happens."""
    options = PlanOptions(worst_case_hours={"goodhire": 30.0, "*": 9.0})
    found: dict[str, Any] = {}
    models = {"learned": Model().learn(sojourns(), CALENDARS), "declared": Model(priors=declared_priors())}
    for name, model in {**models, "unchanging": unchanging()}.items():
        columns_ = columns_of(open_checks(), model, options)
        weighed = weigh(columns_, model, Budget(5), CALENDARS["goodhire"], NOW.timestamp(), options)
        for later in (0.5, 90.0, 700.0, 1_500.0, 2.5 * HOUR, 9 * HOUR, 3 * DAY):
            told = weighed.waiting.expect(weighed.waiting.since + later)
            found[f"{name} {later:.0f}"] = [told.chance.tolist(), told.urgency.tolist(), told.worth.tolist()]
        found[f"{name} due"] = [weighed.is_due.tolist(), weighed.fast.tolist(), weighed.load.longest.tolist()]
    return found


def lanes() -> dict[str, Any]:
    """Ages at which young checks are asked about, by the price of a call."""
    model = Model(priors=declared_priors())
    groups = [GroupKey("goodhire", "created"), GroupKey("zinc", "created"), GroupKey("zinc", "in_progress")]
    tables = Tables(model, groups)
    found = {}
    for group, lag, is_scarce in (
        (0, 30.0, False),
        (1, 30.0, False),
        (2, 30.0, False),
        (1, 900.0, True),
        (1, 4e3, False),
    ):
        ages = next_ages(tables, group, lag, is_scarce=is_scarce, shortest=10.0)
        found[f"{group} {lag:.0f} {is_scarce}"] = None if ages is None else ages[::6].tolist()
    return found


def figures() -> dict[str, Any]:
    """All of them."""
    return {"forecasts": forecasts(), "plans": plans(), "rules": rules()}


def placed(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The figures of nested parts, each by its place."""
    if isinstance(value, dict | list | tuple):
        for name, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from placed(f"{place}/{name}", one)
    else:
        yield place, value


if __name__ == "__main__":
    FILE.write_text(json.dumps(figures(), indent=0) + "\n", encoding="utf-8")
