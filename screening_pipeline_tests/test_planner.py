"""The planner: who is asked next, when and why."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from math import exp, isnan
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screening_pipeline.planning import priors
from screening_pipeline.planning.calendar import BusinessCalendar
from screening_pipeline.planning.columns import CHANCE, WORST_CASE, columns_of
from screening_pipeline.planning.fastlane import AGES, UNSEEN_SECONDS, best_ages
from screening_pipeline.planning.hazards import known_at
from screening_pipeline.planning.histogram import BIN_AGES, Histogram, Sojourn
from screening_pipeline.planning.inputs import Budget, OpenCheck, PlanOptions
from screening_pipeline.planning.model import Model
from screening_pipeline.planning.planner import Plan, plan
from screening_pipeline.planning.priors import FAST_EDGES
from screening_pipeline.planning.timeline import Timeline
from screening_pipeline.planning.weighing import weigh
from screening_pipeline.planning.wording import reasons_of
from screening_pipeline.runtime.pull_model import declared_priors
from screening_pipeline.vendors import all_vendors

NOW = datetime(2026, 3, 4, 2, 0, tzinfo=UTC)  # Wednesday, 13:00 in Sydney
SYDNEY = BusinessCalendar("Australia/Sydney")
LIFECYCLES = ["created", "pending", "awaiting_candidate", "awaiting_client", "in_progress", "paused", "completed"]
VENDORS = sorted(all_vendors())


def unlearned() -> Model:
    """The model that has seen nothing yet: what vendors declare is all it believes."""
    return Model(priors=declared_priors())


def check(key: int = 1, *, age: float = 0.0, pulled: float | None = None, **changes: object) -> OpenCheck:
    """An open check ordered `age` seconds ago and last pulled `pulled` seconds ago."""
    ordered = NOW - timedelta(seconds=age)
    seen = None if pulled is None else NOW - timedelta(seconds=pulled)
    one = OpenCheck(key, "workerchecks", "au", "check", None, "in_progress", ordered, ordered, seen)
    return replace(one, **changes)  # type: ignore[arg-type]


def planned(
    checks: Sequence[OpenCheck],
    budget: Budget | None = None,
    model: Model | None = None,
    calendar: BusinessCalendar = SYDNEY,
    now: datetime = NOW,
    **options: float,
) -> Plan:
    return plan(
        checks,
        model=model or unlearned(),
        budget=budget or Budget(30),
        calendar=calendar,
        now=now,
        options=PlanOptions(**options),  # type: ignore[arg-type]
    )


def pulls_of(one: OpenCheck, count: int, **options: float) -> list[float]:
    """Ages in seconds at which a check that never changes is pulled."""
    ages, now = [], one.state_since
    for _ in range(count):
        now = planned([one], now=now, **options).planned[0].next_pull_at  # type: ignore[arg-type]
        one = replace(one, last_pulled_at=now)
        ages.append((now - one.state_since).total_seconds())
    return ages


@st.composite
def open_checks(draw: st.DrawFn) -> list[OpenCheck]:
    ages = draw(st.lists(st.floats(0, 200 * 86_400), max_size=30))
    vendor = draw(st.sampled_from(VENDORS))
    return [
        check(
            key,
            age=age,
            pulled=draw(st.none() | st.floats(0, age)),
            vendor=vendor,
            lifecycle=draw(st.sampled_from(LIFECYCLES)),
            is_push_fed=draw(st.booleans()),
            is_requested=draw(st.integers(0, 9)) == 0,
            retry_at=draw(st.none() | st.floats(-7_200, 86_400).map(lambda seconds: NOW + timedelta(seconds=seconds))),
        )
        for key, age in enumerate(ages)
    ]


budgets = st.builds(Budget, st.integers(1, 60), st.integers(0, 60), st.booleans())


@settings(deadline=None, max_examples=60)
@given(open_checks(), budgets, open_checks(), budgets)
def test_a_model_that_has_served_other_plans_plans_as_a_new_one(
    before: list[OpenCheck], other: Budget, checks: list[OpenCheck], budget: Budget
) -> None:
    kept, new = unlearned(), unlearned()
    planned(before, other, kept)
    planned(before, budget, kept, calendar=BusinessCalendar("UTC"))
    assert planned(checks, budget, kept).planned == planned(checks, budget, new).planned


@settings(deadline=None, max_examples=60)
@given(open_checks(), budgets)
def test_every_open_check_gets_exactly_one_next_pull_that_is_not_in_the_past(
    checks: list[OpenCheck], budget: Budget
) -> None:
    found = planned(checks, budget).planned
    assert sorted(one.check_key for one in found) == [one.check_key for one in checks]
    assert all(one.next_pull_at >= NOW for one in found)
    assert all(one.reason for one in found)


@settings(deadline=None, max_examples=60)
@given(open_checks(), budgets)
def test_what_was_asked_in_vain_waits_and_keeps_nobody_else_waiting(checks: list[OpenCheck], budget: Budget) -> None:
    made = planned(checks, budget)
    when = {one.check_key: one for one in made.planned}
    waiting = {check.check_key: check.retry_at for check in checks if check.retry_at and check.retry_at > NOW}
    assert all(when[key].next_pull_at >= retry_at for key, retry_at in waiting.items())
    assert not waiting.keys() & set(made.due_keys)
    others = [check for check in checks if check.check_key not in waiting]
    assert made.due == planned(others, budget).due


def test_what_was_asked_in_vain_is_as_urgent_as_before_once_it_has_waited() -> None:
    one = check(age=7_200, pulled=None, retry_at=NOW + timedelta(minutes=5))
    (waiting,) = planned([one]).planned
    assert (waiting.next_pull_at, waiting.reason) == (one.retry_at, "asked in vain")
    later = NOW + timedelta(minutes=6)
    (due,) = planned([one], now=later).planned
    assert (due.next_pull_at, due.reason) == (later, "not seen yet")


def test_stays_as_they_were_known_tell_of_nothing_later() -> None:
    stays = {
        "left_by": np.array([50.0, 100.0, 101.0, np.nan]),
        "next_state": np.array(["paused", "paused", "paused", None], dtype=object),
        "seen_until": np.array([40.0, 100.0, 100.5, 300.0]),
        "state": np.array(["pending"] * 4, dtype=object),
    }
    then = {name: column.tolist() for name, column in known_at(stays, 100.0).items()}
    assert then["next_state"] == ["paused", "paused", None, None]
    assert str(then["left_by"]) == "[50.0, 100.0, nan, nan]"
    assert then["seen_until"] == [40.0, 100.0, 100.0, 100.0]
    assert then["state"] == ["pending"] * 4


def test_reasons_are_told_apart_where_their_words_differ() -> None:
    waited = np.array([10.0, 11.0, 59.0, 60.0, 3_600.0, 86_400.0, 2 * 86_400.0])
    chance = np.array([0.001, 0.5, 0.99, 0.991, 0.999, 1.0, 0.5])
    code = np.full(7, WORST_CASE)
    told = ["10 s", "11 s", "59 s", "1 min", "1 h", "1 d", "2 d"]
    assert reasons_of(code, chance, waited, is_overloaded=False) == [f"not looked at for {one} by then" for one in told]
    shares = ["under 1 %", "50 %", "99 %", "99 %", "over 99 %", "over 99 %", "50 %"]
    said = [f"{one} chance that it has changed by then, over budget" for one in shares]
    assert reasons_of(np.full(7, CHANCE), chance, waited, is_overloaded=True) == said


@pytest.mark.parametrize(
    ("hours", "subject", "seconds"),
    [
        ({}, "check", 3 * 86_400),
        ({"*": 5.0}, "check", 5 * 3_600),
        ({"*": 5.0, "zinc": 2.5}, "check", 9_000),
        ({"zinc": 2.5}, "subscription", 7 * 86_400),
        ({"goodhire": 2.5}, "check", 3 * 86_400),
    ],
)
def test_the_longest_wait_is_the_vendors_own_else_that_of_all(
    hours: dict[str, float], subject: str, seconds: float
) -> None:
    assert PlanOptions(worst_case_hours=hours).worst_case_seconds("zinc", subject) == seconds


@settings(deadline=None, max_examples=60)
@given(open_checks(), st.integers(1, 60))
def test_no_check_waits_longer_than_its_worst_case_while_the_budget_allows(checks: list[OpenCheck], calls: int) -> None:
    options = PlanOptions()
    queue = timedelta(minutes=2 * len(checks) / calls + 1)
    worst = {
        one.check_key: timedelta(
            seconds=options.worst_case_seconds(one.vendor, one.subject)
            if NOW - one.state_since <= timedelta(days=45)
            else 7 * 86_400
        )
        for one in checks
    }
    for one in planned(checks, Budget(calls)).planned:
        assert one.next_pull_at <= NOW + worst[one.check_key] + queue


@settings(deadline=None, max_examples=60)
@given(open_checks(), budgets)
def test_what_was_asked_for_goes_first(checks: list[OpenCheck], budget: Budget) -> None:
    requested = {one.check_key for one in checks if one.is_requested}
    asked = requested - {one.check_key for one in checks if one.retry_at and one.retry_at > NOW}
    found = planned(checks, budget)
    assert {one.check_key for one in found.planned[: len(asked)]} == asked
    assert set(found.due_keys) >= asked
    assert asked <= {one.check_key for one in found.planned if one.reason == "asked for"} <= requested


@settings(deadline=None, max_examples=40)
@given(open_checks(), budgets, st.randoms())
def test_the_plan_does_not_depend_on_the_order_in_which_checks_are_given(
    checks: list[OpenCheck], budget: Budget, random: Random
) -> None:
    shuffled = random.sample(checks, len(checks))
    assert planned(shuffled, budget).planned == planned(checks, budget).planned


@settings(deadline=None, max_examples=60)
@given(open_checks(), st.integers(1, 59), st.integers(1, 60))
def test_a_larger_budget_never_delays_the_plan(checks: list[OpenCheck], calls: int, more: int) -> None:
    small = sorted(one.next_pull_at for one in planned(checks, Budget(calls)).planned)
    large = sorted(one.next_pull_at for one in planned(checks, Budget(calls + more)).planned)
    assert all(late <= early for early, late in zip(small, large, strict=True))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 300), st.integers(1, 60), st.integers(0, 60))
def test_planned_pulls_keep_to_the_budget(count: int, calls: int, used: int) -> None:
    times = [
        one.next_pull_at for one in planned([check(n, age=900) for n in range(count)], Budget(calls, used)).planned
    ]
    for minute in range(1, 10):
        end = NOW + timedelta(minutes=minute)
        assert sum(at < end for at in times) <= max(0, calls - used) + calls * minute + 1


def test_nothing_open_means_an_empty_plan() -> None:
    found = planned([])
    assert found.planned == ()
    assert found.due_keys == []
    assert found.next_due_at is None
    assert not found.is_overloaded


def test_a_fresh_check_of_a_fast_vendor_is_pulled_within_its_first_minutes_and_then_left_alone() -> None:
    at_once, *ages = pulls_of(check(), 8)
    assert at_once == 0, "nobody has ever seen it"
    assert [60 < age <= 185 for age in ages[:2]] == [True, True]
    assert ages[2] > 600


def test_a_lower_price_per_call_means_earlier_pulls() -> None:
    old = check(age=5 * 86_400, pulled=0)
    eager, lazy = (planned([old], max_lag_seconds=lag).planned[0].next_pull_at for lag in (5, 300))
    assert NOW < eager < lazy


def test_a_check_is_pulled_less_at_night_and_on_holidays_than_in_working_hours() -> None:
    old = check(age=5 * 86_400, pulled=0)
    working = planned([old]).planned[0].next_pull_at - NOW
    closed = replace(SYDNEY, holidays=frozenset({date(2026, 3, 4)}))
    holiday = planned([old], calendar=closed).planned[0].next_pull_at - NOW
    assert holiday > 1.5 * working


def test_a_push_fed_check_is_pulled_less_often() -> None:
    alone, fed = check(1, age=5 * 86_400, pulled=0), check(2, age=5 * 86_400, pulled=0, is_push_fed=True)
    found = {one.check_key: one.next_pull_at for one in planned([alone, fed]).planned}
    assert found[2] - NOW > 2 * (found[1] - NOW)


def test_where_a_feed_reports_changes_asking_by_id_stays_under_one_percent_of_the_budget() -> None:
    checks = [check(n, vendor="hireright", age=86_400, pulled=36_000) for n in range(5_000)]
    found = planned(checks, Budget(50, feed_covered=True)).planned
    end = NOW + timedelta(days=1)
    assert sum(one.next_pull_at < end for one in found) <= 0.01 * 50 * 1_440 + 50


def test_a_subscription_is_looked_at_once_a_week() -> None:
    one = check(subject="subscription", vendor="goodhire", age=400 * 86_400, pulled=0)
    assert timedelta(days=1) < planned([one]).planned[0].next_pull_at - NOW <= timedelta(days=7, minutes=1)


def test_reasons_are_words_for_people() -> None:
    new, old = check(1, vendor="zinc"), check(2, age=5 * 86_400, pulled=86_000)
    found = {one.check_key: one.reason for one in planned([new, old]).planned}
    assert found[1] == "not seen yet"
    assert found[2].endswith("% chance that it has changed by then")


def test_a_load_that_cannot_be_seen_is_called_overload_and_the_likeliest_changes_go_first() -> None:
    fresh = [check(n, age=300 + n, pulled=300 + n) for n in range(2_000)]
    old = [check(5_000 + n, age=5 * 86_400, pulled=7_200) for n in range(2_000)]
    found = planned(fresh + old, Budget(1))
    assert found.is_overloaded
    assert set(found.due_keys[:2_000]) == set(range(2_000))
    assert "over budget" in found.planned[0].reason
    assert not planned(fresh[:10], Budget(30)).is_overloaded


def test_in_overload_what_is_nearly_sure_counts_alike_and_the_freshest_of_it_goes_first() -> None:
    fresh = [check(n, age=300 + n, pulled=300 + n) for n in range(4_000)]
    surer = [check(5_000 + n, age=25 * 86_400, pulled=15 * 86_400) for n in range(500)]
    found = planned(fresh + surer, Budget(1))
    assert found.is_overloaded
    assert set(found.due_keys[:4_000]) == set(range(4_000))


def test_at_night_the_surest_change_goes_first_and_by_day_the_one_that_waited_too_long_for_its_pace() -> None:
    slow = check(1, age=5 * 86_400, pulled=3 * 86_400)
    quick = check(2, age=18.5 * 86_400, pulled=0.8 * 86_400)
    night = planned([slow, quick], now=NOW + timedelta(hours=13))
    chances = {one.check_key: one.reason for one in night.planned}
    assert night.due_keys == [2, 1], chances
    assert planned([slow, quick]).due_keys == [1, 2]


def looks(lag: float) -> list[float]:
    """Ages in seconds at which the fast lane asks about a check that does not change, a call being worth `lag`."""
    one, now, ages = check(), NOW, list[float]()
    while True:
        columns = columns_of([one], unlearned(), PlanOptions())
        (at,) = weigh(columns, unlearned(), Budget(30), SYDNEY, now.timestamp(), PlanOptions(), lag).fast.tolist()
        if isnan(at):
            return ages
        now = datetime.fromtimestamp(max(at, now.timestamp()), UTC)
        one = replace(one, last_pulled_at=now)
        ages.append((now - NOW).total_seconds())


@settings(deadline=None, max_examples=40)
@given(open_checks(), budgets, st.sampled_from([0.1, 5.0, 30.0, 600.0]))
def test_what_a_call_must_save_is_the_budgets_price_of_a_call_or_the_configured_lag_whichever_is_more(
    checks: list[OpenCheck], budget: Budget, lag: float
) -> None:
    price = planned(checks, budget, max_lag_seconds=0).lag_in_force
    assert planned(checks, budget, max_lag_seconds=lag).lag_in_force == max(lag, price)


def test_a_fresh_check_is_looked_at_less_often_where_calls_are_short() -> None:
    assert len(looks(50_000)) < len(looks(600)) <= len(looks(30))


def test_where_calls_are_wanted_elsewhere_the_first_look_at_a_fresh_check_is_a_little_later() -> None:
    (wanted, last), (idle, *others) = looks(450), looks(200)
    assert wanted > idle
    assert [last] == others


def test_states_lost_between_pulls_are_estimated_and_grow_as_the_budget_shrinks() -> None:
    checks = [check(n, vendor="hireright", age=86_400, pulled=600) for n in range(5_000)]
    roomy, tight = planned(checks, Budget(500)), planned(checks, Budget(2))
    assert 0 <= roomy.states_lost_per_day < tight.states_lost_per_day
    assert tight.calls_needed_per_minute > 2
    assert planned([check()]).states_lost_per_day == 0  # one change is all there is to see


def stays(count: int, low: float, high: float, **changes: object) -> list[Sojourn]:
    """Sojourns that ended between two ages, one entered every hour of the weeks before."""
    return [
        Sojourn("workerchecks", None, "in_progress", low, high, False, NOW - timedelta(hours=n + 400))._replace(
            **changes  # type: ignore[arg-type]
        )
        for n in range(count)
    ]


def test_the_model_follows_what_history_shows() -> None:
    model = unlearned().learn(stays(400, 1_200.0, 1_230.0), SYDNEY)
    histogram_key = ("workerchecks", "in_progress")
    histogram = model.histogram(*histogram_key)
    young = check(age=1_150, pulled=5)
    before = planned([young]).planned[0].next_pull_at
    after = planned([young], model=model).planned[0].next_pull_at
    assert histogram.mean_seconds < 10 * 3_600 < unlearned().histogram(*histogram_key).mean_seconds
    assert before - NOW > timedelta(minutes=3)
    assert timedelta(seconds=40) < after - NOW < timedelta(seconds=120)


def test_censored_sojourns_count_as_time_without_a_change() -> None:
    ended = stays(50, 3 * 86_400, 3 * 86_400 + 3_600)
    waiting = stays(500, 20 * 86_400, 20 * 86_400, is_censored=True)
    naive = unlearned().learn(ended, SYDNEY).histogram("workerchecks", "in_progress").mean_seconds
    honest = unlearned().learn(ended + waiting, SYDNEY).histogram("workerchecks", "in_progress").mean_seconds
    assert honest > 4 * naive


def test_the_hours_in_which_things_happen_are_learned() -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    ends = [start + timedelta(days=5 + n % 20, hours=20) for n in range(300)]
    spans = [3_600.0 * (30 + n % 50) for n in range(300)]
    evening = [
        Sojourn("zinc", None, "in_progress", span, span + 3_600, False, end - timedelta(seconds=span))
        for end, span in zip(ends, spans, strict=True)
    ]
    pace = unlearned().learn(evening, BusinessCalendar()).pace("zinc", "in_progress")
    assert pace[20] > 3 * pace[12]
    assert sum(5 * pace[hour] + 2 * pace[24 + hour] for hour in range(24)) == pytest.approx(168)


def test_an_hour_counts_as_watched_for_the_part_of_it_that_was_watched() -> None:
    noon = NOW.replace(hour=12).timestamp()
    timeline = Timeline(BusinessCalendar(), (priors.NEUTRAL_PACE,), noon - priors.DAY, noon + priors.DAY)
    begin, end = np.array([noon - 1_800.0, noon + 900.0]), np.array([noon + 4_500.0, noon + 1_800.0])
    hours = timeline.cell_hours(begin, end, np.ones_like)
    assert hours[10:15] == pytest.approx([0.0, 0.5, 1.25, 0.25, 0.0])
    assert hours.sum() == pytest.approx(2.0)


def test_the_pace_learned_from_one_morning_does_not_leap_in_the_hour_in_which_it_is_learned() -> None:
    begin = NOW - timedelta(hours=4)  # 9:00 in Sydney
    looked = [timedelta(minutes=minute) for minute in range(5, 235, 5)]
    known = Sojourn("workerchecks", None, "in_progress", 0, 0, True, begin - timedelta(days=20))
    before = 20 * 86_400.0
    seen = [
        known._replace(
            seconds_lower=before + (0 if is_ended else look.total_seconds()),
            seconds_upper=before + look.total_seconds(),
            is_censored=not is_ended,
            seconds_before=before,
        )
        for look in looked
        for is_ended in [True] + 20 * [False]
    ]
    pace = unlearned().learn(seen, SYDNEY).pace("workerchecks", "in_progress")
    assert max(pace[9:13]) < 3 * min(pace[9:13])


def test_a_vendor_that_counts_in_business_days_is_expected_to_rest_at_night_and_on_weekends() -> None:
    desk, other = (unlearned().pace(vendor, "in_progress") for vendor in ("workerchecks", "hireright"))
    assert sum(desk[24:]) < sum(other[24:]) / 5
    assert sum(desk[19:24]) < sum(other[19:24]) / 5
    assert sum(desk[9:17]) > sum(other[9:17])


def test_a_wait_of_days_that_ends_on_a_weekend_does_not_make_the_weekend_busy() -> None:
    saturday = datetime(2026, 3, 6, 17, tzinfo=UTC)  # 04:00 in Sydney
    quick = [stay._replace(entered_at=saturday - timedelta(minutes=n)) for n, stay in enumerate(stays(8_000, 60, 90))]
    spans = [(4 + n % 5) * 86_400.0 for n in range(600)]
    waits = [
        Sojourn("workerchecks", None, "in_progress", span - 345_600, span, False, saturday - timedelta(seconds=span))
        for span in spans
    ]
    pace = unlearned().learn(quick + waits, SYDNEY).pace("workerchecks", "in_progress")
    assert max(pace[24:]) < min(pace[9:17])


def test_a_package_with_enough_history_has_durations_of_its_own() -> None:
    slow = stays(100, 5 * 86_400, 5 * 86_400 + 600, package="police")
    quick = stays(100, 100, 110, package="basic")
    few = stays(5, 100, 110, package="rare")
    model = unlearned().learn(slow + quick + few, SYDNEY)
    assert (
        model.histogram("workerchecks", "in_progress", "police").mean_seconds
        > 3 * model.histogram("workerchecks", "in_progress", "basic").mean_seconds
    )
    assert model.knows("workerchecks", "in_progress", "basic")
    assert not model.knows("workerchecks", "in_progress", "rare")


def test_of_a_rare_state_as_many_changes_are_expected_as_come_once_fifty_looks_were_made() -> None:
    random = Random(11)
    for days in (0.7, 3.0, 8.0):
        expected = []
        for _ in range(20):
            history: list[Sojourn] = []
            while sum(stay.seconds_upper for stay in history) < 50 * 86_400:
                history.append(_looked_at_daily(random, days))
            histogram = unlearned().learn(history, SYDNEY).histogram("hireright", "paused")
            looked = [_looked_at_daily(random, days) for _ in range(100)]
            came = sum(not stay.is_censored for stay in looked)
            expected.append(sum(_chances(histogram, stay.seconds_upper) for stay in looked) / came)
        assert 0.75 <= sum(expected) / len(expected) <= 1.25


def _looked_at_daily(random: Random, days: float) -> Sojourn:
    """A stay of such a mean length, looked at once a day until it is over, for a month at most."""
    until, age = random.expovariate(1 / days), random.uniform(1, 30)
    looks = min(int(until) + 1, int(age))
    is_over = until < looks
    low, high = (looks - 1, looks) if is_over else (looks, looks)
    entered = NOW - timedelta(days=age)
    return Sojourn("hireright", None, "paused", low * 86_400.0, high * 86_400.0, not is_over, entered)


def _chances(histogram: Histogram, until: float) -> float:
    """How many changes looks once a day until then are expected to show."""
    ages = [day * 86_400.0 for day in range(round(until / 86_400) + 1)]
    gathered = [
        sum(h * max(0.0, min(age, high) - low) for h, (low, high) in zip(histogram.hazards, BIN_AGES, strict=True))
        for age in ages
    ]
    return sum(1 - exp(before - after) for before, after in pairwise(gathered))


def test_a_model_survives_being_written_and_read() -> None:
    model = unlearned().learn(stays(60, 100, 130, package="basic"), SYDNEY)
    again = Model.from_dict(json.loads(json.dumps(model.to_dict())), declared_priors())
    one = [check(age=90, pulled=5, package="basic")]
    assert [p.reason for p in planned(one, model=again).planned] == [
        p.reason for p in planned(one, model=model).planned
    ]
    assert Model.from_dict({"version": 0}) == Model()


def test_ends_known_only_between_two_pulls_are_spread_as_they_happen() -> None:
    random = Random(3)
    ages = [random.uniform(60, 180) for _ in range(1_000)]
    pulled = [(0.0, 140.0) if age < 140 else (140.0, 180.0) for age in ages]
    history = [replace_ages(stay, *pair) for stay, pair in zip(stays(1_000, 0, 1), pulled, strict=True)]
    events = unlearned().learn(history, SYDNEY).learned["workerchecks", "in_progress", None].events  # type: ignore[index]
    by_120 = sum(events[: FAST_EDGES.index(120.0)]) / sum(events)
    assert 0.45 < by_120 < 0.55


def replace_ages(stay: Sojourn, lower: float, upper: float) -> Sojourn:
    return stay._replace(seconds_lower=lower, seconds_upper=upper)


def test_checks_that_came_under_watch_late_say_nothing_of_the_time_before() -> None:
    late = stays(200, 20 * 86_400, 20 * 86_400, is_censored=True, seconds_before=19 * 86_400.0)
    whole = [stay._replace(seconds_before=0.0) for stay in late]
    young = FAST_EDGES.index(300.0)
    exposures = [
        unlearned().learn(each, SYDNEY).learned["workerchecks", "in_progress", None].exposure[young]  # type: ignore[index]
        for each in (late, whole)
    ]
    assert exposures[0] == 0 < exposures[1]


def test_a_vendor_with_much_history_that_changes_its_ways_is_followed_within_days() -> None:
    def day(days_ago: float, age: float) -> list[Sojourn]:
        return [
            Sojourn("workable", None, "in_progress", age, age + 10, False, NOW - timedelta(days=days_ago, minutes=n))
            for n in range(1_000)
        ]

    before = [stay for ago in range(3, 12) for stay in day(ago, 120)]
    model = unlearned().learn(before + day(1.5, 1_500) + day(0.8, 1_500), BusinessCalendar())
    events = model.histogram("workable", "in_progress").events
    assert events[FAST_EDGES.index(1_440.0)] > 3 * events[FAST_EDGES.index(120.0)]


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.integers(1, 200), st.floats(1e-7, 0.05)), min_size=1, max_size=8),
    st.floats(1, 3_000),
    st.floats(1, 3_000),
    st.integers(0, len(AGES)),
    st.integers(1, 70),
)
def test_no_other_ages_to_ask_at_cost_less_than_those_of_the_fast_lane(
    stretches: list[tuple[int, float]], one: float, other: float, until: int, gap: int
) -> None:
    hazard = np.resize(np.concatenate([np.full(count, rate) for count, rate in stretches]), len(AGES) - 1)
    survival = np.exp(-np.concatenate([[0.0], np.cumsum(hazard * 5.0)]))
    area = np.concatenate([[0.0], np.cumsum((survival[1:] + survival[:-1]) * 2.5)])
    price = np.where(np.arange(len(AGES)) < until, min(one, other), max(one, other))
    chosen, last = best_ages(survival, area, price, gap), len(AGES) - 1
    cost = np.empty(len(AGES))
    cost[last] = -area[last] - survival[last] * UNSEEN_SECONDS
    for here in range(last - 1, -1, -1):
        # All that may be asked at next: by each the cost is the price and the lag until then, and what follows.
        by_way_of = survival[here] * (AGES + price) + cost
        by_way_of[last] = survival[here] * (AGES[last] + UNSEEN_SECONDS) + cost[last]
        best = by_way_of[min(here + gap, last) :].min()
        place = last if np.isinf(chosen[here]) else int(np.searchsorted(AGES, chosen[here]))
        assert place >= min(here + gap, last)
        assert by_way_of[place] == pytest.approx(best, rel=1e-9, abs=1e-6)
        cost[here] = best - survival[here] * AGES[here]


def test_a_check_that_nobody_saw_yet_is_taken_to_stand_in_its_vendors_first_state() -> None:
    unseen, seen = check(1, lifecycle="unknown"), check(2, lifecycle="in_progress")
    first, second = (planned([one]).planned[0].next_pull_at for one in (unseen, seen))
    assert first == second


def test_learning_is_deterministic_and_does_not_depend_on_order() -> None:
    history = stays(50, 100, 130) + stays(50, 90_000, 100_000)
    first, second = unlearned().learn(history, SYDNEY), unlearned().learn(history[::-1], SYDNEY)
    events = [model.histogram("workerchecks", "in_progress").events for model in (first, second)]
    assert np.allclose(events[0], events[1])


def test_planning_a_hundred_thousand_open_checks_takes_under_a_second_of_cpu() -> None:
    random = Random(1)
    checks = [
        check(n, age=(age := random.expovariate(1 / 400_000)), pulled=age * random.random()) for n in range(100_000)
    ]
    planned(checks[:10])
    started = time.process_time()
    found = planned(checks)
    spent = time.process_time() - started
    assert len(found.schedule.check_key) == 100_000
    assert spent < 1.0


def test_importing_the_planner_does_not_import_numpy() -> None:
    code = "import sys, screening_pipeline.planning.planner; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_waits_that_differ_in_their_unit_alone_are_told_apart() -> None:
    waited = np.array([5.0, 300.0, 18_000.0, 432_000.0])
    told = reasons_of(np.full(4, WORST_CASE), np.zeros(4), waited, is_overloaded=False)
    assert told == [f"not looked at for {words} by then" for words in ("5 s", "5 min", "5 h", "5 d")]
