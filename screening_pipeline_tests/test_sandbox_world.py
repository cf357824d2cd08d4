"""The sandbox's world: what is ordered, and what becomes of it."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from screening_pipeline.runtime import bundled_sandbox
from screening_pipeline.sandbox import goodhire, workerchecks
from screening_pipeline.sandbox.documented import DOCUMENTED, never_produced, produced
from screening_pipeline.sandbox.judgement import read, read_state
from screening_pipeline.sandbox.people import BIRTH_DATE, CANARIES, Person
from screening_pipeline.sandbox.reading import Reading
from screening_pipeline.sandbox.timeline import Body, Check, is_australian_business_day
from screening_pipeline.sandbox.world import World

EPOCH = datetime(2026, 1, 5, tzinfo=UTC)
MONTH_LATER = EPOCH + timedelta(days=30)


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=7, checks=300, epoch=EPOCH)


def by_vendor(world: World, vendor: str) -> list[Check]:
    return [check for check in world.everything if check.order.vendor == vendor]


def test_two_worlds_with_the_same_arguments_are_equal_down_to_every_state(world: World) -> None:
    twin = World(seed=7, checks=300, epoch=EPOCH)
    assert twin == world
    assert twin.everything == world.everything


def test_another_seed_gives_other_orders_and_other_courses(world: World) -> None:
    other = World(seed=8, checks=300, epoch=EPOCH)
    assert other.by_key.keys() != world.by_key.keys()
    assert [len(c.states) for c in other.everything] != [len(c.states) for c in world.everything]


def test_a_check_does_not_depend_on_which_others_were_looked_at_before(world: World) -> None:
    alone = World(seed=7, checks=300, epoch=EPOCH).check(123)
    assert alone == world.by_key[alone.order.vendor, alone.order.subject, alone.order.check_id]


def test_the_epoch_may_be_given_in_any_zone(world: World) -> None:
    in_sydney = EPOCH.astimezone(ZoneInfo("Australia/Sydney"))
    assert World(7, 300, in_sydney).everything == world.everything


def test_an_epoch_without_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        World(1, 10, EPOCH.replace(tzinfo=None))


@pytest.mark.parametrize("seed", range(4))
def test_as_many_checks_as_the_demo_has_produce_every_documented_value(seed: int) -> None:
    assert never_produced(World(seed, bundled_sandbox.CHECKS, EPOCH)) == []


def test_a_small_world_owns_up_to_the_values_it_never_produces() -> None:
    missing = never_produced(World(7, 5, EPOCH))
    assert ("hireright", "order", "disputeStatus", "Received") in missing
    assert all(DOCUMENTED[vendor, subject, path] >= {value} for vendor, subject, path, value in missing)


def test_ids_are_unique_text_and_some_begin_with_zeros(world: World) -> None:
    assert len(world.by_key) == len(world.everything)
    assert any(key[2].startswith("0") for key in world.by_key if key[0] == "hireright")


def test_the_states_of_a_check_follow_each_other_in_time_from_the_order_on(world: World) -> None:
    for check in world.everything:
        instants = [state.at for state in check.states]
        assert instants[0] == check.order.ordered_at
        assert all(earlier < later for earlier, later in itertools.pairwise(instants))


def test_before_its_order_a_check_is_nowhere_and_at_each_instant_it_is_in_one_state(world: World) -> None:
    for check in world.everything:
        assert check.state_at(check.order.ordered_at - timedelta(seconds=1)) is None
        for state in check.states:
            assert check.state_at(state.at) == state
        assert check.state_at(check.states[-1].at + timedelta(days=900)) == check.states[-1]


def test_manifests_list_orders_in_half_open_intervals_that_lose_and_repeat_nothing(world: World) -> None:
    days = [EPOCH + timedelta(days=day) for day in range(31)]
    listed = [order for since, until in itertools.pairwise(days) for order in world.announced(since, until)]
    assert listed == world.announced(None, None)
    first = listed[0].announced_at
    assert first is not None
    assert listed[0] not in world.announced(first + timedelta(seconds=1), None)
    assert listed[0] not in world.announced(None, first)


def test_some_order_is_never_listed_in_a_manifest(world: World) -> None:
    unlisted = [check.order for check in world.everything if check.order.announced_at is None]
    assert {(order.vendor, order.subject) for order in unlisted} == {("hireright", "order"), ("checkr", "report")}


def test_an_answered_invitation_leads_to_a_report_that_is_told_of_from_then_on(world: World) -> None:
    answered = [c for c in world.everything if c.states[-1].body.get("report_id") and c.order.subject == "invitation"]
    for invitation in answered:
        report = world.by_key["checkr", "report", str(invitation.states[-1].body["report_id"])]
        assert report.order.ordered_at == invitation.states[-1].at
        assert report.order.person == invitation.order.person
    assert len(answered) == len(world.everything) - 300 > 0


def test_some_orders_are_listed_when_they_are_long_over(world: World) -> None:
    dated = [(c, c.order.announced_at) for c in world.everything if c.order.announced_at]
    over = [c for c, listed in dated if (s := c.state_at(listed)) and read_state(c, s).is_over]
    assert {check.order.vendor for check in over} >= {"goodhire", "zinc", "workable"}


def submission_and_release(check: Check) -> tuple[datetime, datetime] | None:
    submitted = [state.at for state in check.states if state.body["status"] == "In Progress"]
    decided = [state.at for state in check.states if state.body["result"] is not None]
    return (submitted[0], decided[-1]) if submitted and decided else None


def test_four_in_five_workerchecks_take_one_to_three_minutes_and_the_rest_business_days() -> None:
    checks = by_vendor(World(seed=3, checks=3000, epoch=EPOCH), "workerchecks")
    spans = [span for check in checks if (span := submission_and_release(check))]
    fast = [end - start for start, end in spans if end - start <= timedelta(minutes=3)]
    assert 0.77 < len(fast) / len(spans) < 0.86
    assert min(fast) >= timedelta(minutes=1)


def test_a_slow_workerchecks_release_comes_within_fifteen_business_days_in_office_hours(
    world: World,
) -> None:
    slow = [
        span
        for check in by_vendor(world, "workerchecks")
        if (span := submission_and_release(check)) and span[1] - span[0] > timedelta(minutes=4)
    ]
    assert slow
    for submitted, released in slow:
        local = released.astimezone(ZoneInfo(workerchecks.ZONE))
        first = submitted.astimezone(ZoneInfo(workerchecks.ZONE)).date()
        days = [first + timedelta(n) for n in range(1, (local.date() - first).days + 1)]
        assert 9 <= local.hour < 17
        assert is_australian_business_day(local.date())
        assert 1 <= sum(map(is_australian_business_day, days)) <= 15


def test_workerchecks_release_dates_are_local_without_offset_and_sometimes_only_days(world: World) -> None:
    dates = produced(world, ("workerchecks", "check", "releaseDate"))
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d)?", text) for text in dates)
    assert {len(text) for text in dates} == {10, 19}


def test_in_the_hour_that_sydney_repeats_only_the_day_is_told() -> None:
    assert workerchecks.local_text(datetime(2026, 4, 4, 15, 31, 8, tzinfo=UTC)) == "2026-04-05"
    assert workerchecks.local_text(datetime(2026, 4, 4, 17, 31, 8, tzinfo=UTC)) == "2026-04-05T03:31:08"


def test_goodhire_times_carry_seven_digits_until_a_subscription_is_canceled(world: World) -> None:
    starts = produced(world, ("goodhire", "subscription", "StartedOn"))
    digits = {len(re.sub(r".*\.(\d+)-0[78]:00$", r"\1", text)) for text in starts}
    assert digits == {7, 2}
    at = datetime(2016, 7, 25, 22, 28, 14, 131200, tzinfo=UTC)
    assert goodhire.local_text(at, digits=7) == "2016-07-25T15:28:14.1312006-07:00"


def test_canceling_a_subscription_drops_its_report_and_rewrites_its_past(world: World) -> None:
    courses = [c for c in by_vendor(world, "goodhire") if c.order.subject == "subscription"]
    ended = [check for check in courses if not check.states[-1].body["IsActive"]]
    assert ended
    for check in ended:
        before, after = check.states[-2].body, check.states[-1].body
        assert "ReportId" in before
        assert "ReportId" not in after
        assert isinstance(after["Results"], list)
        assert {run["Status"] for run in after["Results"]} == {"Canceled"}
        assert {run["Date"] for run in after["Results"]} == {run["Date"] for run in _list(before["Results"])}


def test_a_subscription_watches_a_report_of_the_same_world_and_runs_weekly(world: World) -> None:
    for check in by_vendor(world, "goodhire"):
        if check.order.subject == "subscription":
            assert ("goodhire", "report", check.order.related_id) in world.by_key
            runs = [state.at for state in check.states if state.body["LastStatus"] not in {"New", "Canceled"}]
            assert {later - earlier for earlier, later in itertools.pairwise(runs)} == {timedelta(7)}


def test_a_goodhire_report_that_nobody_fills_in_expires_after_thirty_days(world: World) -> None:
    expired = [check for check in by_vendor(world, "goodhire") if check.states[-1].body.get("Status") == "Expired"]
    assert expired
    assert {check.states[-1].at - check.states[-2].at for check in expired} == {timedelta(days=30)}


def test_zinc_components_vanish_when_a_request_falls_back_and_come_back_later(world: World) -> None:
    presence = [
        "".join("x" if "checks" in state.body else "-" for state in check.states) for check in by_vendor(world, "zinc")
    ]
    assert any(re.search("x-+x", shape) for shape in presence)


def test_only_the_feed_tells_of_what_happens_after_a_check_was_over(world: World) -> None:
    """Polling stops when a check is over, so only vendors with a feed may re-open one."""
    for check in world.everything:
        over = [read_state(check, state).is_over for state in check.states]
        if any(over[:-1]) and not all(over[over.index(True) :]):
            assert (check.order.vendor, check.order.subject) == ("hireright", "order")


def test_after_a_month_most_checks_are_over_and_some_of_every_vendor_are_open(world: World) -> None:
    last = [(check, check.state_at(MONTH_LATER)) for check in world.everything]
    open_ones = [c for c, state in last if state is None or not read_state(c, state).is_over]
    assert 0.1 < len(open_ones) / 300 < 0.35
    assert {check.order.vendor for check in open_ones} == {c.order.vendor for c in world.everything}


def test_people_appear_with_canaries_in_the_places_where_vendors_name_them_and_nowhere_else(world: World) -> None:
    """GoodHire sends the candidate, Zinc and a provider of Workable's write names into their parts."""
    named = {("goodhire", "report"), ("zinc", "request"), ("workable", "check")}
    for check in world.everything:
        text = json.dumps([state.body for state in check.states])
        is_named = any(canary in text for canary in CANARIES) or re.search(BIRTH_DATE, text)
        if is_named:
            assert (check.order.vendor, check.order.subject) in named


def test_a_finished_goodhire_report_holds_every_kind_of_personal_datum(world: World) -> None:
    text = json.dumps([c.states[-1].body for c in by_vendor(world, "goodhire")])
    assert all(canary in text for canary in CANARIES)
    assert re.search(BIRTH_DATE, text)
    assert {Person(3).candidate_ref, Person(4).candidate_ref} == {"cand-000003", "cand-000004"}


CASES: list[tuple[str, str, Body, Reading, bool]] = [
    (
        "hireright",
        "order",
        {"orderStatus": "InProgress", "adjudicationStatus": "Client Review Required"},
        Reading("review_required", "client", adjudication="pending"),
        False,
    ),
    (
        "hireright",
        "order",
        {"orderStatus": "Completed", "adjudicationStatus": "Client Review Required"},
        Reading("completed", "client", "unknown", "pending"),
        False,
    ),
    (
        "hireright",
        "order",
        {"orderStatus": "Completed", "adjudicationStatus": "Escalated To Legal"},
        Reading("completed", "client", "unknown", "pending"),
        False,
    ),
    (
        "hireright",
        "order",
        {"orderStatus": "Completed", "adjudicationStatus": "Approved By Security"},
        Reading("completed", "none", "unknown", "custom"),
        True,
    ),
    (
        "hireright",
        "order",
        {
            "orderStatus": "Completed",
            "adjudicationStatus": "Meets Company Standards",
            "disputeStatus": "Received",
        },
        Reading("completed", "vendor", "clear", "meets", "open"),
        False,
    ),
    (
        "hireright",
        "i9",
        {"i9Status": "Completed", "eVerifyStatus": "TNC"},
        Reading("awaiting_candidate", "candidate", adjudication="not_expected"),
        False,
    ),
    (
        "workerchecks",
        "check",
        {"status": "Completed", "result": None, "releaseDate": None},
        Reading("in_progress", "vendor"),
        False,
    ),
    (
        "workerchecks",
        "check",
        {"status": "Completed", "result": "Refer", "releaseDate": None},
        Reading("completed", "vendor", "referred", is_released=False),
        False,
    ),
    (
        "workerchecks",
        "check",
        {"status": "Completed", "result": "Refer", "releaseDate": "2026-02-01"},
        Reading("completed", "client", "referred"),
        True,
    ),
    (
        "goodhire",
        "report",
        {"Status": "Processing", "StatusDetails": "Clear"},
        Reading("in_progress", "vendor"),
        False,
    ),
    (
        "zinc",
        "request",
        {
            "statusV2": "all-clear",
            "status": "completed",
            "result": "clear",
            "checks": [{"status": "consider"}],
        },
        Reading("completed", "client", "consider", "not_expected"),
        True,
    ),
    (
        "workable",
        "check",
        {
            "status": "completed",
            "check": {"overall_status": "clear", "result": {"a": {"status": "consider"}}},
        },
        Reading("completed", "client", "consider"),
        True,
    ),
    ("workable", "check", {"status": "completed"}, Reading("completed", "none", "unknown"), True),
]


@pytest.mark.parametrize(("vendor", "subject", "body", "reading", "is_over"), CASES)
def test_the_sandbox_reads_an_answer_by_the_canonical_vocabulary(
    vendor: str, subject: str, body: Body, reading: Reading, *, is_over: bool
) -> None:
    assert read(vendor, subject, body) == reading
    assert read(vendor, subject, body).is_over is is_over


def test_a_reading_with_an_open_dispute_is_not_over_until_it_closes() -> None:
    decided = Reading("completed", "none", "clear", "meets", "open")
    assert not decided.is_over
    assert replace(decided, dispute="closed").is_over


def _list(value: object) -> list[Body]:
    assert isinstance(value, list)
    return value
