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
from screening_pipeline.planning.calendar import BusinessCalendar
from screening_pipeline.planning.columns import columns_of
from screening_pipeline.planning.departures import departures
from screening_pipeline.planning.histogram import Sojourn
from screening_pipeline.planning.inputs import Budget, OpenCheck, PlanOptions
from screening_pipeline.planning.model import Model
from screening_pipeline.planning.planner import plan_columns
from screening_pipeline.planning.standing import Standing
from screening_pipeline.planning.unseen import unseen
from screening_pipeline.runtime.pull_model import declared_priors

FILE = Path(__file__).parent.parent / "planning_figures.json"
NOW = datetime(2026, 3, 4, 2, 0, tzinfo=UTC)
HOUR, DAY = 3_600.0, 86_400.0
BEGIN = NOW.timestamp() - 60 * DAY
CALENDARS = {
    "goodhire": BusinessCalendar("America/New_York", frozenset({date(2026, 1, 19), date(2026, 2, 16)})),
    "zinc": BusinessCalendar("Europe/London"),
}
PACKAGES = ("basic", "executive", None)


def stays() -> Iterator[dict[str, Any]]:
    """A past: checks that are created, in progress, perhaps with the candidate, and end; looked at every few hours."""
    draw = np.random.default_rng(20260304)
    for number in range(240):
        vendor = ("goodhire", "zinc")[number % 2]
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
    return rows


def forecasts() -> dict[str, Any]:
    """What is forecast of open checks, what was left of late, and what nobody saw."""
    past = columns(list(stays()))
    now, declared = NOW.timestamp(), declared_priors()
    learned = hazards.learn(past, CALENDARS, now, declared)
    waiting = [
        {
            "check_key": number,
            "vendor": "nobody" if number == 17 else ("goodhire", "zinc")[number % 2],
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
    left = departures(past, CALENDARS, now - 14 * DAY, declared)
    return {
        "hazards": learned.to_dict(),
        "forecasts": {name: values.tolist() for name, values in told.items()},
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


def open_checks() -> list[OpenCheck]:
    """Checks of all ages, some never looked at, pushed, asked for by hand or in vain."""
    found = []
    for number in range(60):
        ordered = NOW - timedelta(hours=0.02 * number**2.4)
        seen = None if number % 6 == 0 else NOW - (NOW - ordered) / (2 + number % 5)
        state = ("in_progress", "awaiting_candidate", "created", "completed")[number % 4]
        one = OpenCheck(number, "goodhire", "us", "check", PACKAGES[number % 3], state, ordered, ordered, seen)
        retry = NOW + timedelta(minutes=10 * number) if number % 13 == 5 else None
        found.append(replace(one, is_push_fed=number % 10 == 3, is_requested=number == 17, retry_at=retry))
    return found


def plans() -> dict[str, Any]:
    """Plans with enough calls and with too few, and of some checks behind the line that those have left."""
    model = Model(priors=declared_priors()).learn(sojourns(), CALENDARS)
    found: dict[str, Any] = {"model": model.to_dict()}
    for name, budget in (("enough", Budget(30)), ("few", Budget(1, 20)), ("fed", Budget(2, 5, True))):
        options = PlanOptions()
        columns_ = columns_of(open_checks(), model, options)
        given: dict[str, Any] = {"model": model, "budget": budget, "calendar": CALENDARS["goodhire"], "now": NOW}
        made = plan_columns(columns_, options=options, **given)
        standing = Standing.from_dict(json.loads(json.dumps(made.schedule.standing.to_dict())))
        some = plan_columns(columns_.taken(np.arange(5, 25)), options=options, standing=standing, **given)
        found[name] = {
            "standing": standing.to_dict(),
            **{
                part: [
                    [one.check_key, one.next_pull_at.timestamp() - NOW.timestamp(), one.reason] for one in of.planned
                ]
                for part, of in (("whole", made), ("some", some))
            },
        }
    return found


def figures() -> dict[str, Any]:
    """All of them."""
    return {"forecasts": forecasts(), "plans": plans()}


def placed(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The figures of nested parts, each by its place."""
    if isinstance(value, dict | list | tuple):
        for name, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from placed(f"{place}/{name}", one)
    else:
        yield place, value


if __name__ == "__main__":
    FILE.write_text(json.dumps(figures()) + "\n", encoding="utf-8")
