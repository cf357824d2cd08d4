"""The survival curve against a published estimator on the same data, many times over."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import pytest
from lifelines import KaplanMeierFitter
from lifelines.utils import qth_survival_time

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.warehouse import reference_tables, session, store
from screening_pipeline.warehouse.session import Connection
from screening_pipeline_tests.support.derived import derive
from screening_pipeline_tests.test_data_model import QUERIES

KNOWN_AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
VENDORS = ("goodhire", "hireright", "zinc")
MINUTE = 60
DAY = 86_400


@dataclass(frozen=True)
class Case:
    """One check: how long it took, or has been open; at the earliest it took `shortest`."""

    vendor: str
    seconds: int
    shortest: int
    is_complete: bool


# When each check was complete, as the columns' names say: late, early, or in the middle between.
ASSUMED: dict[str, Callable[[Case], float]] = {
    "": lambda case: case.seconds,
    "_earliest": lambda case: case.shortest,
    "_middle": lambda case: (case.seconds + case.shortest) / 2,
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    folder = tmp_path_factory.mktemp("warehouse")
    path = folder / "warehouse.duckdb"
    with store.writer(path, lock_path=folder / "lock", clock=SystemClock()) as connection:
        reference_tables.fill_calendars(connection, ["US"])
        session.insert(connection, "star.dim_account", [_account(vendor) for vendor in VENDORS])
        yield connection


@pytest.fixture
def connection(empty: Connection) -> Iterator[Connection]:
    empty.execute("begin")
    yield empty
    empty.execute("rollback")


# Times to the day are full of ties, also with open checks; times to the second have next to none.
@pytest.mark.parametrize("step", [1, 30 * MINUTE, DAY])
@pytest.mark.parametrize("seed", range(4))
def test_the_curve_is_that_of_a_published_estimator(connection: Connection, seed: int, step: int) -> None:
    cases = drawn(seed, step)
    _fill(connection, cases)
    for vendor in VENDORS:
        own = [case for case in cases if case.vendor == vendor]
        expected = _estimate([case.seconds for case in own], [case.is_complete for case in own])
        found = _curve(connection, vendor)
        assert [row[:4] for row in found] == [row[:4] for row in expected]
        assert [row[4] for row in found] == pytest.approx([row[4] for row in expected], abs=1e-12)


def test_the_optimistic_curve_is_that_of_the_earliest_possible_completions(connection: Connection) -> None:
    cases = drawn(11, 30 * MINUTE)
    _fill(connection, cases)
    for vendor in VENDORS:
        own = [case for case in cases if case.vendor == vendor]
        fitter = _fitted([case.shortest for case in own], [case.is_complete for case in own])
        found = connection.execute(
            f"select time_seconds, survival_earliest from analytics.turnaround_survival where vendor = '{vendor}'"
        ).fetchall()
        assert [value for _, value in found] == pytest.approx([fitter.predict(at) for at, _ in found], abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("assumption", ASSUMED)
def test_percentiles_that_count_open_checks_are_where_the_estimator_puts_them(
    connection: Connection, seed: int, assumption: str
) -> None:
    cases = drawn(seed, 1)
    _fill(connection, cases)
    columns = ", ".join(f"p{percent}_survival{assumption}" for percent in (50, 75, 90, 95))
    for vendor in VENDORS:
        own = [case for case in cases if case.vendor == vendor]
        found = connection.execute(
            f"select {columns} from analytics.turnaround_by_vendor where vendor = '{vendor}'"
        ).fetchone()
        assert found == tuple(_in_order(own, share)[assumption] for share in (0.5, 0.25, 0.1, 0.05))


def _in_order(own: list[Case], share: float) -> dict[str, float | None]:
    """The estimator's percentile under each assumption; a later one is never the smaller."""
    is_complete = [case.is_complete for case in own]
    found = {name: _percentile(_fitted([at(case) for case in own], is_complete), share) for name, at in ASSUMED.items()}
    if None in found.values():
        return found
    return dict(zip(("_earliest", "_middle", ""), sorted(filter(None, found.values())), strict=True))


def test_leaving_open_checks_out_makes_a_slow_vendor_look_fast(connection: Connection) -> None:
    """Every check takes five days; of those ordered in the last five, nobody has seen the end."""
    generator = random.Random(5)
    ages = [generator.randrange(1, 10 * DAY) for _ in range(400)]
    truth = [int(generator.expovariate(1 / (5 * DAY))) + 1 for _ in ages]
    cases = [Case("zinc", min(took, age), min(took, age), took <= age) for took, age in zip(truth, ages, strict=True)]
    _fill(connection, cases)
    row = connection.execute("select p50 from analytics.turnaround_by_vendor").fetchone()
    assert row is not None
    true_median = sorted(truth)[len(truth) // 2]
    (counted,) = row
    assert median(case.seconds for case in cases if case.is_complete) < 0.6 * true_median
    assert abs(counted - true_median) < 0.15 * true_median


def test_the_question_how_many_take_longer_than_a_week_is_answered_for_every_vendor(connection: Connection) -> None:
    slow = [Case("zinc", 9 * DAY, 8 * DAY, True), Case("zinc", 10 * DAY, 9 * DAY, True)]
    found_late = [Case("hireright", 8 * DAY, 2 * DAY, True), Case("hireright", 20 * DAY, 20 * DAY, True)]
    quick = [Case("goodhire", DAY, DAY, True)]
    _fill(connection, [*slow, *found_late, *quick])
    (query,) = (query for query in QUERIES if "still_open" in query)
    assert sorted(connection.execute(query).fetchall()) == [
        ("goodhire", 0, 0),
        ("hireright", 1, 0.5),
        ("zinc", 1, 1),
    ]


def drawn(seed: int, step: int) -> list[Case]:
    """Some checks of each vendor, about a third of them open, their times multiples of `step` seconds."""
    generator = random.Random(f"{seed}/{step}")
    return [_case(generator, vendor, step) for vendor in VENDORS for _ in range(generator.randrange(1, 120))]


def _case(generator: random.Random, vendor: str, step: int) -> Case:
    seconds = math.ceil(generator.lognormvariate(math.log(3 * DAY), 1.2) / step) * step
    is_complete = generator.random() < 0.66
    gap = generator.randrange(seconds) if is_complete else 0
    return Case(vendor, seconds, seconds - gap, is_complete)


def _fitted(seconds: list[float], is_complete: list[bool]) -> Any:
    return KaplanMeierFitter().fit(seconds, event_observed=is_complete)


def _estimate(seconds: list[float], is_complete: list[bool]) -> list[tuple[float, ...]]:
    """Time, number at risk, events, censored, survival, from the library's own table."""
    fitter = _fitted(seconds, is_complete)
    table = fitter.event_table.join(fitter.survival_function_)
    told = table[(table.index > 0) | (table["observed"] + table["censored"] > 0)]
    rows = told[["at_risk", "observed", "censored", "KM_estimate"]].itertuples()
    return [tuple(float(cell) for cell in row) for row in rows]


def _percentile(fitter: Any, share: float) -> float | None:
    found = float(qth_survival_time(share, fitter.survival_function_))
    return None if math.isinf(found) else found


def _curve(connection: Connection, vendor: str) -> list[tuple[float, ...]]:
    return connection.execute(
        "select time_seconds, n_at_risk, n_events, n_censored, survival "
        f"from analytics.turnaround_survival where vendor = '{vendor}' order by time_seconds"
    ).fetchall()


def _account(vendor: str) -> dict[str, Any]:
    return {"vendor": vendor, "account": "us", "calendar": "US", "timezone": "UTC", "is_analyzed": True}


def _fill(connection: Connection, cases: list[Case]) -> None:
    rows = [_row(number, case) for number, case in enumerate(cases, start=1)]
    session.insert(connection, "star.fact_check", rows)
    derive(connection)


def _row(number: int, case: Case) -> dict[str, Any]:
    ordered_at = KNOWN_AT - timedelta(seconds=case.seconds)
    row: dict[str, Any] = {
        "check_key": number,
        "vendor": case.vendor,
        "account": "us",
        "subject": "report",
        "check_id": str(number),
        "is_terminal": case.is_complete,
        "ordered_at": ordered_at.isoformat(),
        "first_observed_at": ordered_at.isoformat(),
        "last_observed_at": KNOWN_AT.isoformat(),
    }
    if case.is_complete:
        row |= {
            "completed_at": KNOWN_AT.isoformat(),
            "completed_at_earliest": (ordered_at + timedelta(seconds=case.shortest)).isoformat(),
            "completed_at_source": "observed",
            "turnaround_seconds": case.seconds,
            "turnaround_seconds_earliest": case.shortest,
        }
    return row
