"""From the warehouse to the agenda: what is planned, what is learned, and that what has ended is never asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from screening_pipeline.planning import priors
from screening_pipeline.planning.model import Model
from screening_pipeline.runtime.pull_model import declared_priors
from screening_pipeline.runtime.replan import replan
from screening_pipeline.state.pull_queue import PullQueue, QueuedPull
from screening_pipeline.state.store import State
from screening_pipeline_tests.support.stage import MORNING, Stage, Story, account, opened

EVENING = MORNING + timedelta(hours=9)
SYDNEY = ZoneInfo("Australia/Sydney")
WORDS: dict[str, list[dict[str, Any]]] = {
    "workerchecks": [
        {"status": "Pending", "result": None},
        {"status": "In Progress", "result": None},
        {"status": "Completed", "result": "Clear"},
        {"status": "Completed", "result": "Refer", "releaseDate": None},
        {"status": "Cancelled", "result": None},
        {"status": "a word nobody mapped"},
    ],
    "hireright": [
        {"orderStatus": "Pending Applicant"},
        {"orderStatus": "InProgress"},
        {"orderStatus": "Completed"},
        {"orderStatus": "Canceled"},
    ],
    "zinc": [
        {"status": "pending", "state": "awaiting-candidate"},
        {"status": "completed", "state": "all-clear"},
        {"status": "cancelled", "state": "cancelled"},
    ],
}
NUMBERS = count()
HISTORIES = st.lists(
    st.sampled_from(sorted(WORDS)).flatmap(
        lambda slug: st.tuples(st.just(slug), st.lists(st.sampled_from(WORDS[slug]), max_size=6))
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage that one test has for itself, so that nothing else is learned from."""
    with opened(tmp_path_factory) as found:
        yield found


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with opened(tmp_path_factory) as found:
        yield found


def planned(stage: Stage, now: datetime = EVENING) -> dict[str, QueuedPull]:
    """Everything on the agenda after a settled load and a new plan, by the vendor's id."""
    stage.settle()
    pull_queue = PullQueue(State(stage.settings.paths.state))
    replan(stage.connection, stage.settings, pull_queue, now=now)
    items = [i for a in stage.settings.accounts for i in pull_queue.due(a.vendor, a.name, now, is_full=True)]
    return {item.check_id: item for item in items}


def learned(stage: Stage, now: datetime) -> Model:
    """The model that a lesson at `now` gives."""
    stage.connection.execute("delete from staging.setting where name = 'pull_model'")
    planned(stage, now)
    (row,) = stage.rows("select value from staging.setting where name = 'pull_model'")
    return Model.from_dict(json.loads(row["value"])["model"], declared_priors())


def worker_check(stage: Stage, name: str, ordered_at: datetime) -> Story:
    """A WorkerChecks check, announced as soon as it was ordered."""
    (story,) = worker_checks(stage, [name], ordered_at)
    return story


def worker_checks(stage: Stage, names: Iterable[str], ordered_at: datetime) -> list[Story]:
    """The same of many at once: a load for each would take longer than all that follows."""
    stories = [stage.story(name).of("workerchecks") for name in names]
    for story in stories:
        story.order(ordered_at=ordered_at.isoformat())
    stage.settle(ordered_at)
    return stories


@settings(deadline=None, max_examples=10, phases=[Phase.explicit, Phase.generate])
@given(histories=HISTORIES, pace=st.integers(1, 3_000))
def test_whatever_a_check_went_through_it_is_on_the_agenda_if_and_only_if_it_is_open(
    stage: Stage, histories: list[tuple[str, list[dict[str, Any]]]], pace: int
) -> None:
    for slug, words in histories:
        story = stage.story(f"random-{next(NUMBERS)}").of(slug)
        story.order(ordered_at=MORNING.isoformat())
        for place, word in enumerate(words, start=1):
            story.say(when=(MORNING + timedelta(seconds=place * pace)).isoformat(), **word)
    pull_queue = planned(stage)
    ended = {row["check_id"] for row in stage.rows("select check_id from star.fact_check where is_terminal")}
    still = {row["check_id"] for row in stage.rows("select check_id from star.fact_check where not is_terminal")}
    assert set(pull_queue) == still
    assert not set(pull_queue) & ended


@pytest.mark.parametrize("year", [2027, 2062, 9998])
def test_an_order_that_claims_to_come_from_the_future_is_asked_for_all_the_same(stage: Stage, year: int) -> None:
    stage.story(f"of-{year}").of("workerchecks").order(ordered_at=EVENING.replace(year=year).isoformat())
    assert planned(stage)[f"of-{year}"].next_pull_at < EVENING + timedelta(hours=1)


def test_what_a_feed_does_not_report_is_asked_for_as_if_there_were_none(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with opened(tmp_path_factory, (account("hireright", status_updates=True), account("hireright", "without"))) as fed:
        for name, whose in (("form", "main"), ("alone", "without")):
            fed.story(name).of("hireright", subject="i9", account=whose).order(ordered_at=MORNING.isoformat())
        fed.story("order").of("hireright").order(ordered_at=MORNING.isoformat())
        pull_queue = planned(fed, MORNING)
        assert max(item.next_pull_at for item in pull_queue.values()) <= MORNING, "nobody has ever seen them"
        for name, whose in (("form", "main"), ("alone", "without")):
            story = fed.story(name).of("hireright", subject="i9", account=whose)
            story.say(i9Status="Sent to Employee", when="09:00")
        fed.story("order").of("hireright").say(orderStatus="Sent to Applicant", when="09:00")
        pull_queue = planned(fed, MORNING)
        assert pull_queue["form"].next_pull_at == pull_queue["alone"].next_pull_at < pull_queue["order"].next_pull_at
        budgets = {row["account"]: row["open_checks"] for row in fed.rows("from ops.pull_budget")}
        assert budgets == {"main": 2, "without": 1}


@pytest.mark.parametrize("ordered_at", [EVENING, EVENING - timedelta(days=70), None])
@pytest.mark.parametrize("slug", ["workerchecks", "zinc"])
def test_a_check_that_nobody_has_ever_seen_is_asked_for_at_once_whatever_its_age(
    stage: Stage, slug: str, ordered_at: datetime | None
) -> None:
    story = stage.story(f"never-seen-{next(NUMBERS)}").of(slug)
    story.order(**{"ordered_at": ordered_at.isoformat()} if ordered_at else {})
    stage.settle(EVENING)
    item = planned(stage)[story.check_id]
    assert (item.next_pull_at <= EVENING, item.reason) == (True, "not seen yet")


def test_a_check_whose_first_state_was_seen_days_after_its_order_is_not_taken_for_a_fresh_one(stage: Stage) -> None:
    story = worker_check(stage, "seen-late", MORNING - timedelta(days=5))
    story.say(status="In Progress", result=None, when=EVENING.isoformat())
    item = planned(stage, EVENING + timedelta(seconds=1))["seen-late"]
    assert item.next_pull_at - EVENING > timedelta(minutes=5)


@pytest.mark.parametrize(
    ("answer", "minutes"),
    [
        ({"http_status": None, "failure": "connect"}, (5, 5, 10, 20, 40, 60, 60)),
        ({"http_status": 503}, (5, 5, 10, 20, 40, 60, 60)),
        ({"http_status": 200, "failure": "truncated"}, (5, 5, 10, 20, 40, 80, 160)),
        ({"http_status": 404}, (5, 5, 10, 20, 40, 80, 160)),
        ({"http_status": 200, "body": b"<html>"}, (5, 5, 10, 20, 40, 80, 160)),
    ],
)
def test_an_answer_that_tells_nothing_is_no_look_and_is_asked_for_again_soon_and_then_less_often(
    stage: Stage, answer: dict[str, Any], minutes: tuple[int, ...]
) -> None:
    now = MORNING + timedelta(hours=1)
    story = worker_check(stage, f"in-vain-{next(NUMBERS)}", MORNING)
    for wait in minutes:
        story.say(**({"body": b""} | answer), when=now.isoformat())
        item = planned(stage, now + timedelta(seconds=1))[story.check_id]
        assert (item.next_pull_at - now, item.reason) == (timedelta(minutes=wait), "asked in vain")
        now = item.next_pull_at
    story.say(status="In Progress", result=None, when=now.isoformat())
    assert planned(stage, now)[story.check_id].reason != "asked in vain"


@pytest.mark.parametrize("http_status", [401, 403, 429])
def test_what_is_the_accounts_fault_keeps_no_check_waiting(stage: Stage, http_status: int) -> None:
    story = worker_check(stage, f"refused-{http_status}", MORNING)
    story.say(body=b"", http_status=http_status, when=EVENING.isoformat())
    item = planned(stage)[story.check_id]
    assert (item.next_pull_at <= EVENING, item.reason) == (True, "not seen yet")


def test_the_warehouse_and_the_agenda_hold_the_same_plan(stage: Stage) -> None:
    worker_check(stage, "in-both", EVENING)
    stage.story("of-another-vendor").of("zinc").order(ordered_at=MORNING.isoformat())
    pull_queue = planned(stage)
    assert {pull_queue[name].vendor for name in ("in-both", "of-another-vendor")} == {"workerchecks", "zinc"}
    rows = stage.rows(
        "select f.check_id, p.vendor, p.account, p.next_pull_at, p.reason, p.planned_at, f.next_pull_at as of_fact "
        "from ops.pull_plan as p inner join star.fact_check as f using (check_key)"
    )
    assert {row["check_id"] for row in rows} == set(pull_queue)
    for row in rows:
        item = pull_queue[row["check_id"]]
        assert (row["vendor"], row["account"], row["reason"]) == (item.vendor, item.account, item.reason)
        assert abs(row["next_pull_at"] - item.next_pull_at) <= timedelta(microseconds=1)
        assert row["of_fact"] == row["next_pull_at"]
        assert row["planned_at"] == EVENING


def test_a_model_that_is_kept_from_cycle_to_cycle_plans_as_one_that_is_read_anew(stage: Stage) -> None:
    worker_check(stage, "again-and-again", MORNING)
    planned(stage)  # learns
    fresh = planned(stage, EVENING + timedelta(minutes=1))
    for minutes in (2, 3):
        planned(stage, EVENING + timedelta(minutes=minutes))
    assert planned(stage, EVENING + timedelta(minutes=1)) == fresh


def test_of_an_account_that_is_only_pushed_to_no_pull_is_planned(tmp_path_factory: pytest.TempPathFactory) -> None:
    with opened(tmp_path_factory, (account("zinc", polling=False), account("zinc", "asked"))) as alone:
        for name in ("main", "asked"):
            alone.story(f"of-{name}").of("zinc", account=name).order(ordered_at=MORNING.isoformat())
        planned(alone)
        plans = alone.rows("select check_id, next_pull_at is not null as is_planned from star.fact_check order by all")
        budgets = alone.rows("select account, open_checks, is_overloaded from ops.pull_budget order by all")
    assert plans == [
        {"check_id": "of-asked", "is_planned": True},
        {"check_id": "of-main", "is_planned": False},
    ]
    assert [row["open_checks"] for row in budgets] == [1, 1]


def test_what_was_over_at_the_first_look_is_learned_as_a_stay_in_the_vendors_first_state(alone: Stage) -> None:
    for group in range(8):
        ordered_at = MORNING + timedelta(minutes=30 * group)
        for story in worker_checks(alone, [f"prompt-{group}-{number}" for number in range(10)], ordered_at):
            story.say(status="Completed", result="Clear", when=(ordered_at + timedelta(seconds=100)).isoformat())
    model = learned(alone, EVENING)
    ends = model.learned["workerchecks", "in_progress", None].events  # type: ignore[index]
    before_100_s = priors.FAST_EDGES.index(100.0)
    assert sum(ends[:before_100_s]) > 75
    assert sum(ends[:before_100_s]) > 0.9 * sum(ends)


def test_the_hours_of_a_vendor_are_learned_in_its_own_time_zone(alone: Stage) -> None:
    stories = worker_checks(alone, [f"afternoon-{number}" for number in range(60)], MORNING)
    for number, story in enumerate(stories):
        done_at = datetime(2026, 3, 3 + number % 20, 15, number, tzinfo=SYDNEY)
        story.say(status="In Progress", result=None, when=(done_at - timedelta(minutes=40)).isoformat())
        story.say(status="Completed", result="Clear", when=done_at.isoformat())
    pace = learned(alone, MORNING + timedelta(days=40)).pace("workerchecks", "in_progress")
    assert max(range(24), key=pace.__getitem__) in {14, 15}


def test_what_a_batch_touches_is_planned_alone_as_it_would_be_among_all(alone: Stage) -> None:
    pull_queue = PullQueue(State(alone.settings.paths.state))
    stories = worker_checks(alone, [f"n{number}" for number in range(40)], MORNING)
    for story in stories:
        story.say(when=MORNING.isoformat(), status="Pending", result=None)
    alone.settle(MORNING)
    before = replanned(alone, pull_queue, MORNING)
    moved, ended = stories[3], stories[5]
    moved.say(when=EVENING.isoformat(), status="In Progress", result=None)
    ended.say(when=EVENING.isoformat(), status="Completed", result="Clear")
    alone.settle(EVENING)
    touched = replanned(alone, pull_queue, EVENING, is_whole=False)
    changed = {name for name in before if touched.get(name) != before[name]}
    assert changed == {moved.check_id, ended.check_id}
    assert ended.check_id not in touched
    assert {row["open_checks"] for row in alone.rows("from ops.pull_budget where vendor = 'workerchecks'")} == {39}
    planned_for = "select epoch(next_pull_at) as at from star.fact_check where check_id = " + f"'{moved.check_id}'"
    assert alone.rows(planned_for)[0]["at"] == pytest.approx(touched[moved.check_id].timestamp(), abs=1e-3)
    whole = replanned(alone, pull_queue, EVENING)
    # One call at most was wanted before it.
    assert abs((whole[moved.check_id] - touched[moved.check_id]).total_seconds()) <= 60


def replanned(stage: Stage, pull_queue: PullQueue, now: datetime, *, is_whole: bool = True) -> dict[str, datetime]:
    """When everything of WorkerChecks is asked next after a new plan, by the vendor's id."""
    replan(stage.connection, stage.settings, pull_queue, now=now, is_whole=is_whole)
    stage.connection.execute("delete from staging.unplanned_check")
    found = pull_queue.due("workerchecks", "main", now, is_full=True)
    return {item.check_id: item.next_pull_at for item in found}
