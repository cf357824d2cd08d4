"""Curves and percentiles against a published library, on hundreds of random data sets at once: each is a vendor."""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lifelines import AalenJohansenFitter, KaplanMeierFitter

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.warehouse import session, store
from screening_pipeline.warehouse.session import Connection

DAY = 86_400
SETS = 200
PLACED = {"earliest": 0.0, "middle": 0.5, "latest": 1.0}


@dataclass(frozen=True)
class Case:
    """One check: its end lies between two ages (seconds); first looked at, open, at a third."""

    vendor: str
    outcome: str
    earliest: int
    latest: int
    entered: int

    def at(self, assumption: str) -> float:
        return self.earliest + PLACED[assumption] * (self.latest - self.earliest)

    @property
    def entry(self) -> int:
        """From when on it is under watch: its order, unless it was found more than a day later."""
        return self.entered if self.entered > DAY else 0


def drawn(seed: int, *, competing: float, late: float, step: int = 1) -> list[Case]:
    """The checks of one vendor. No two times are the same where `step` is 1."""
    generator = random.Random(f"{seed}/{competing}/{late}/{step}")
    taken: set[int] = set()
    return [_case(generator, f"v{seed}", taken, competing, late, step) for _ in range(generator.randrange(3, 90))]


def _case(generator: random.Random, vendor: str, taken: set[int], competing: float, late: float, step: int) -> Case:
    while True:
        seconds = 2 * step * math.ceil(generator.lognormvariate(math.log(4 * DAY), 0.9) / step)
        if step > 1 or seconds not in taken:
            break
    taken.add(seconds)
    chance = generator.random()
    outcome = "open" if chance < 0.25 else "otherwise" if chance < 0.25 + competing else "complete"
    entered = generator.randrange(seconds) if generator.random() < late else min(seconds - 1, generator.randrange(DAY))
    return Case(vendor, outcome, seconds, seconds, entered)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    folder: Path = tmp_path_factory.mktemp("warehouse")
    path = folder / "warehouse.duckdb"
    with store.writer(path, lock_path=folder / "lock", clock=SystemClock()) as connection:
        yield connection


@pytest.fixture
def connection(empty: Connection) -> Iterator[Connection]:
    empty.execute("begin")
    yield empty
    empty.execute("rollback")


@pytest.mark.parametrize("late", [0.0, 0.5], ids=["from-their-order", "entering-late"])
def test_incidence_is_that_of_a_published_estimator(connection: Connection, late: float) -> None:
    sets = [drawn(seed, competing=0.2, late=late) for seed in range(SETS)]
    _fill(connection, sets)
    for cases in filter(_is_answered, sets):
        found = _rows(connection, "incidence_curve", cases[0].vendor, "time, incidence", "n_events > 0")
        expected = _aalen_johansen(cases)
        assert [time for time, _ in found] == [time for time, _ in expected]
        assert [share for _, share in found] == pytest.approx([share for _, share in expected], abs=1e-9)


@pytest.mark.parametrize("late", [0.0, 0.5], ids=["from-their-order", "entering-late"])
@pytest.mark.parametrize("step", [1, 1800, DAY])
def test_where_nothing_else_ends_a_check_shares_and_intervals_are_those_of_kaplan_and_meier(
    connection: Connection, late: float, step: int
) -> None:
    sets = [drawn(seed, competing=0.0, late=late, step=step) for seed in range(SETS // 2)]
    _fill(connection, sets)
    for cases in filter(_is_answered, sets):
        fitter = _kaplan_meier(cases)
        curve = _rows(connection, "completion_curve", cases[0].vendor, "time, share, share_low, share_high", "true")
        _compare(fitter, curve)
        (medians,) = _rows(connection, "group_summary", cases[0].vendor, "times[1], times[3]", "true")
        assert medians == tuple(_quantile(fitter, share) for share in (0.5, 0.9))


def test_each_assumption_places_ends_where_its_name_says_and_looks_at_open_ones_where_they_were(
    connection: Connection,
) -> None:
    generator = random.Random(3)
    sets = [
        [_blurred(generator, case) for case in drawn(seed, competing=0.2, late=0.0, step=2 * DAY)]
        for seed in range(SETS // 4)
    ]
    _fill(connection, sets)
    for cases in sets:
        for assumption in PLACED:
            found = _rows(connection, "incidence_curve", cases[0].vendor, "time, n_censored", "true", assumption)
            assert {time for time, _ in found} == {case.at(assumption) for case in cases}
            censored = {time for time, count in found if count}
            assert censored == {case.latest for case in cases if case.outcome == "open"}


def test_the_bounds_of_every_percentile_are_in_order(connection: Connection) -> None:
    generator = random.Random(5)
    sets = [[_blurred(generator, case) for case in drawn(seed, competing=0.3, late=0.3)] for seed in range(SETS)]
    _fill(connection, sets)
    rows = connection.execute(
        "select list(value order by assumption), any_value(value_least), any_value(value_most) from "
        "analytics.group_percentile where grain = 'vendor' and unit = 'seconds' group by vendor, percentile"
    ).fetchall()
    assert len(rows) > SETS
    for (earliest, latest, middle), least, most in rows:
        if None not in (earliest, middle, latest):
            assert least <= earliest <= middle <= latest
            assert most is None or latest <= most


def test_a_95_percent_interval_covers_what_it_promises(connection: Connection) -> None:
    """True median 4 days; a quarter never completes, a quarter of the others is still open."""
    generator = random.Random(11)
    sizes = (10, 20, 60)
    sets = [_sample(generator, f"{size}-{number}", size) for size in sizes for number in range(400)]
    _fill(connection, sets)
    rows = connection.execute(
        "select vendor, lows[1], highs[1], lows[3], highs[3] from analytics.group_summary "
        "where grain = 'vendor' and unit = 'seconds' and assumption = 'middle'"
    ).fetchall()
    for size in sizes:
        own = [row[1:] for row in rows if row[0].startswith(f"{size}-")]
        covered = sum((low or 0) <= 4 * DAY <= (high or math.inf) for low, high, _, _ in own) / len(own)
        assert 0.925 <= covered <= 0.985, (size, covered)


def test_the_interval_of_the_share_that_completes_covers_it(connection: Connection) -> None:
    generator = random.Random(12)
    _fill(connection, [_sample(generator, f"s{number}", 80) for number in range(400)])
    rows = connection.execute("select low, high from analytics.completion_share where grain = 'vendor'").fetchall()
    known = [row for row in rows if row[0] is not None]
    assert len(known) > 300
    covered = sum(low <= 0.75 <= high for low, high in known) / len(known)
    assert 0.92 <= covered <= 0.985, covered


def _sample(generator: random.Random, vendor: str, size: int) -> list[Case]:
    return [_followed(generator, vendor) for _ in range(size)]


def _followed(generator: random.Random, vendor: str) -> Case:
    age = generator.uniform(0.05, 24) * DAY
    if generator.random() < 0.25:
        took, outcome = generator.uniform(1, 12) * DAY, "otherwise"
    else:
        took, outcome = generator.lognormvariate(math.log(4 * DAY), 0.7), "complete"
    seconds = max(2, int(min(age, took)))
    return Case(vendor, outcome if took < age else "open", seconds, seconds, 1)


def _blurred(generator: random.Random, case: Case) -> Case:
    if case.outcome == "open":
        return case
    earliest = generator.randrange(case.entered, case.latest + 1)
    return Case(case.vendor, case.outcome, earliest, case.latest, case.entered)


def _aalen_johansen(cases: list[Case]) -> list[tuple[float, float]]:
    kinds = {"open": 0, "complete": 1, "otherwise": 2}
    if not any(case.outcome == "complete" for case in cases):
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitter = AalenJohansenFitter(calculate_variance=False).fit(
            [case.latest for case in cases],
            [kinds[case.outcome] for case in cases],
            event_of_interest=1,
            entry=[case.entry for case in cases],
        )
    curve = fitter.cumulative_density_.iloc[:, 0]
    times = sorted(case.latest for case in cases if case.outcome == "complete")
    return [(time, float(curve.loc[time])) for time in times]


def _is_answered(cases: list[Case]) -> bool:
    """The library refuses sets in which nobody is under watch any more while some are yet to enter."""
    ends = sorted({case.latest for case in cases})
    at_risk = {end: [case for case in cases if case.entry <= end <= case.latest] for end in ends}
    later = max(case.entry for case in cases)
    return all(
        end >= later or any(case.latest > end or case.outcome == "open" for case in at_risk[end]) for end in ends
    )


def test_the_last_one_under_watch_is_not_the_last_of_all_while_others_are_yet_to_enter(connection: Connection) -> None:
    first = Case("gap", "complete", 2 * DAY, 2 * DAY, 1)
    later = [Case("gap", "complete", end * DAY, end * DAY, 5 * DAY) for end in (6, 7, 8)]
    _fill(connection, [[first, *later]])
    found = _rows(connection, "completion_curve", "gap", "time, share", "n_events > 0")
    assert [round(share, 3) for _, share in found] == [0.632, 0.755, 0.877, 1.0]


def _kaplan_meier(cases: list[Case]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return KaplanMeierFitter().fit(
            [case.latest for case in cases],
            [case.outcome == "complete" for case in cases],
            entry=[case.entry for case in cases],
        )


def _compare(fitter: Any, curve: list[tuple[float, ...]]) -> None:
    survival, interval = fitter.survival_function_.iloc[:, 0], fitter.confidence_interval_
    for time, share, low, high in curve:
        left = float(survival.loc[time])
        assert share == pytest.approx(1 - left, abs=1e-9)
        if 1e-9 < left < 1 - 1e-9 and low is not None:
            lower, upper = (float(value) for value in interval.loc[time])
            assert (1 - high, 1 - low) == pytest.approx((lower, upper), abs=1e-6)


def _quantile(fitter: Any, share: float) -> float | None:
    """The first time at which so many are complete; a product of fractions meets its share but for rounding."""
    curve = fitter.survival_function_.iloc[:, 0]
    reached = curve[curve <= 1 - share + 1e-9]
    return float(reached.index[0]) if len(reached) else None


def _rows(
    connection: Connection, view: str, vendor: str, columns: str, where: str, assumption: str = "latest"
) -> list[tuple[Any, ...]]:
    order = " order by time" if "curve" in view else ""
    return connection.execute(
        f"select {columns} from computed_{view} where vendor = '{vendor}' and assumption = '{assumption}' "
        f"and {where}{order}"
    ).fetchall()


def _fill(connection: Connection, sets: list[list[Case]]) -> None:
    """Put the sets in, and compute each view once for all."""
    vendors = [{"vendor": cases[0].vendor, "account": "us", "is_analyzed": True} for cases in sets]
    session.insert(connection, "star.dim_account", vendors)
    cases = [case for own in sets for case in own]
    session.insert(connection, "star.fact_turnaround", [_row(*numbered) for numbered in enumerate(cases, start=1)])
    for view in ("incidence_curve", "completion_curve", "group_summary"):
        connection.execute(
            f"create or replace temp table computed_{view} as "
            f"from analytics.{view} where grain = 'vendor' and unit = 'seconds'"
        )


def _row(number: int, case: Case) -> dict[str, Any]:
    return {
        "check_key": number,
        "vendor": case.vendor,
        "account": "us",
        "outcome": case.outcome,
        "is_observed": True,
        "is_seen_open": True,
        "is_dated": False,
        "seconds_entered": case.entered,
        "seconds_earliest": case.earliest,
        "seconds_latest": case.latest,
    }
