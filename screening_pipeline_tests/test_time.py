from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from screening_pipeline_tests.support.stage import Stage, Stories, Story, at, opened

told = Stories()
stage = told.stage()

# The account of these tests works in Sydney: +11:00 until 5 April 2026, 03:00, and +10:00 after.
CLEAR: dict[str, Any] = {"status": "Completed", "result": "Clear"}


# -- reading what vendors write ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with opened(tmp_path_factory) as empty:
        yield empty


READABLE = {
    "2016-07-25T15:28:14.1312006-07:00": "2016-07-25T22:28:14.131200+00:00",
    "2016-07-25T15:28:14.13-07:00": "2016-07-25T22:28:14.130000+00:00",
    "2026-03-02T10:00:00Z": "2026-03-02T10:00:00+00:00",
    "2026-03-02T10:00:00z": "2026-03-02T10:00:00+00:00",
    "2026-03-02T10:00:00+1000": "2026-03-02T00:00:00+00:00",
    "2026-03-02T10:00:00+10": "2026-03-02T00:00:00+00:00",
    "2026-03-02 10:00:00+05:45": "2026-03-02T04:15:00+00:00",
    "2026-03-02T10:00:00": "2026-03-01T23:00:00+00:00",
    "2026-03-02T10:00": "2026-03-01T23:00:00+00:00",
    "2026-03-02T10:00:00.1234567": "2026-03-01T23:00:00.123456+00:00",
    "2026-04-06T10:00:00": "2026-04-06T00:00:00+00:00",
    "2026-03-02": "2026-03-01T13:00:00+00:00",
    "2000-01-01T00:00:00Z": "2000-01-01T00:00:00+00:00",
}


@pytest.mark.parametrize(("text", "instant"), READABLE.items(), ids=READABLE)
def test_times_are_read_with_their_offset_or_in_the_zone_of_the_account(bare: Stage, text: str, instant: str) -> None:
    (row,) = bare.rows(f"select staging.instant('{text}', 'Australia/Sydney') as instant")
    assert row["instant"] == at(instant)


@pytest.mark.parametrize(
    "text",
    [
        "02/03/2026",
        "01/01/1975",
        "2026-02-30",
        "2026-03-02T10:00:00 UTC",
        "2026-03-02T10:00:00 Europe/London",
        "2026-03-02T25:00:00Z",
        "20260302",
        "1772445600",
        "infinity",
        "epoch",
        "yesterday",
        "0001-01-01",
        "0001-01-01T00:00:00Z",
        "0001-12-31",
        "0000-01-01T00:00:00Z",
        "1900-01-01T00:00:00",
        "1970-01-01T00:00:00Z",
        "1969-12-31T16:00:00-08:00",
        "1999-12-31",
        "9999-12-31",
        "9999-12-31T23:59:59.9999999Z",
        "2026-03-02T10:00:00+16:00",
        "2026-03-02T10:00:00+99:99",
        "2026-03-02T10:00:00+10:60",
        "",
    ],
)
def test_times_that_say_nothing_certain_are_not_guessed(bare: Stage, text: str) -> None:
    (row,) = bare.rows(f"select staging.instant('{text}', 'Australia/Sydney') as instant")
    assert row["instant"] is None


@told.story
def test_a_time_that_cannot_be_read_is_listed_and_the_observation_counts(s: Story) -> Iterator[None]:
    s.of("workerchecks").order(ordered_at="2026-03-02T08:00Z")
    s.say(status="In Progress", when="09:00")
    s.say(**CLEAR, releaseDate="02/03/2026", when="10:00")
    yield
    check = s.check()
    assert (check["completed_at"], check["completed_at_source"]) == (at("10:00"), "observed")
    assert s.unmapped() == {("vendor_time", "99/99/9999")}  # by its shape


@pytest.mark.parametrize("text", ["0001-01-01", "0001-01-01T00:00:00", "", None])
def test_the_first_day_of_all_and_an_empty_text_are_no_time(
    tmp_path_factory: pytest.TempPathFactory, text: str | None
) -> None:
    with opened(tmp_path_factory) as empty:
        s = empty.story("released").of("workerchecks")
        s.say(status="Completed", result="Refer", releaseDate=text)
        empty.settle()
        assert s.check()["is_terminal"] is False
        assert s.unmapped() == set()


@pytest.mark.parametrize("text", ["9999-12-31", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "1970-01-01T00:00:00Z"])
def test_a_release_that_never_comes_releases_nothing_and_is_listed(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    with opened(tmp_path_factory) as empty:
        s = empty.story("referred").of("workerchecks")
        s.say(status="Completed", result="Refer", releaseDate=text)
        empty.settle()
        check = s.check()
        assert (check["is_terminal"], check["next_actor"], check["completed_at"]) == (False, "vendor", None)
        assert s.unmapped() == {("vendor_time", text)}


FUTURE = ["2099-01-01T00:00:00Z", "2099-01-01", "2026-03-04T09:00:01Z", "2026-03-05"]


@pytest.mark.parametrize("text", FUTURE)
def test_a_vendors_time_over_a_day_beyond_the_look_that_shows_it_is_none_and_is_listed(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    looks = ("2026-03-02T09:00Z", "2026-03-03T09:00Z")
    with opened(tmp_path_factory) as empty:
        released, order, subscription = (empty.story(name) for name in ("released", "order", "subscription"))
        released.of("workerchecks").order(ordered_at="2026-03-01T08:00:00Z")
        order.of("hireright").order(ordered_at="2026-03-01T08:00:00Z")
        released.say(status="In Progress", when=looks[0])
        order.say(orderStatus="InProgress", when=looks[0])
        released.say(status="Completed", result="Clear", releaseDate=text, when=looks[1])
        order.say(orderStatus="Completed", statusDate=text, when=looks[1])
        run = {"Date": text, "Status": "Alert"}
        subscription.of("goodhire", subject="subscription")
        subscription.say(LastStatus="Alert", IsActive=True, StartedOn=text, Results=[run], when=looks[1])
        empty.settle()
        for story in (released, order):
            check = story.check()
            assert (check["completed_at"], check["completed_at_source"]) == (at(looks[1]), "observed")
            assert check["turnaround_seconds"] == 2 * 86400 + 3600
            assert story.unmapped() == {("vendor_time", text)}
        assert subscription.subscription()["started_on"] is None
        assert [(r["run_at"], r["result"]) for r in subscription.runs()] == [(at(looks[1]), "consider")]
        assert ("vendor_time", text) in subscription.unmapped()


def test_a_vendors_clock_may_be_a_day_ahead(tmp_path_factory: pytest.TempPathFactory) -> None:
    with opened(tmp_path_factory) as empty:
        s = empty.story("ahead").of("hireright")
        s.say(orderStatus="Completed", statusDate="2026-03-03T09:00:00Z", when="2026-03-02T09:00Z")
        empty.settle()
        assert (s.check()["completed_at_source"], s.unmapped()) == ("vendor", set())


# -- turnaround ----------------------------------------------------------------------------------------------


@told.story
def test_one_hour_across_a_change_of_clocks_is_one_hour(s: Story) -> Iterator[None]:
    s.of("hireright").order(ordered_at="2026-03-08T01:30:00-08:00")
    s.feed({"orderStatus": "Completed", "statusDate": "2026-03-08T03:30:00-07:00"}, when="2026-03-08T12:00Z")
    yield
    assert s.check()["turnaround_seconds"] == 3600


@told.story
def test_local_times_without_offset_follow_the_accounts_zone_across_a_change_of_clocks(
    s: Story,
) -> Iterator[None]:
    s.of("workerchecks").order(ordered_at="2026-04-05T01:00:00")
    s.say(**CLEAR, releaseDate="2026-04-05T04:00:00", when="2026-04-05T12:00Z")
    yield
    check = s.check()
    assert check["ordered_at"] == at("2026-04-04T14:00:00+00:00")
    assert check["completed_at"] == at("2026-04-04T18:00:00+00:00")
    assert check["turnaround_seconds"] == 4 * 3600


@told.story
def test_in_an_hour_that_comes_twice_order_and_vendor_mean_the_same_one(s: Story) -> Iterator[None]:
    s.of("workerchecks").order(ordered_at="2026-04-05T02:30:00")
    s.say(**CLEAR, releaseDate="2026-04-05T02:50:00", when="2026-04-05T12:00Z")
    yield
    check = s.check()
    assert check["ordered_at"] == at("2026-04-04T16:30:00+00:00"), "the later one"
    assert check["turnaround_seconds"] == 20 * 60


@told.story
def test_an_hour_that_clocks_leave_out_is_read_alike_of_order_and_vendor(s: Story) -> Iterator[None]:
    s.of("workerchecks").order(ordered_at="2026-10-04T02:30:00")
    s.say(**CLEAR, releaseDate="2026-10-04T02:50:00", when="2026-10-04T12:00Z")
    yield
    assert s.check()["turnaround_seconds"] == 20 * 60


@told.story
def test_an_observed_completion_is_bounded_by_the_observation_before_it(s: Story) -> Iterator[None]:
    s.of("goodhire").order(ordered_at="2026-03-02T08:00Z")
    s.say(Status="Processing", when="09:00")
    s.say(Status="Processing", when="09:30")
    s.say(Status="CompletedClear", when="2026-03-07T09:30Z")
    yield
    check = s.check()
    assert check["completed_at"] == at("2026-03-07T09:30+00:00")
    assert check["completed_at_earliest"] == at("09:30"), "a gap of five days leaves five days open"
    assert check["completed_at_source"] == "observed"
    assert check["turnaround_seconds"] == 5 * 86400 + 5400
    assert check["turnaround_seconds_earliest"] == 5400


@told.story
def test_what_stands_in_one_answer_of_the_feed_bounds_nothing_else_in_it(s: Story) -> Iterator[None]:
    s.of("hireright").order(ordered_at="2026-03-02T08:00Z")
    s.say(orderStatus="Pending Applicant", when="09:00")
    s.feed({"orderStatus": "InProgress"}, {"orderStatus": "Completed"}, when="2026-03-04T12:00Z")
    yield
    assert [e["observed_at_earliest"] for e in s.events()] == [None, at("09:00"), at("09:00")]
    assert s.check()["completed_at_earliest"] == at("09:00")
    assert s.check()["turnaround_seconds_earliest"] == 3600


@told.story
def test_a_check_that_the_first_answer_of_a_feed_shows_complete_has_no_turnaround(s: Story) -> Iterator[None]:
    s.of("hireright").order(ordered_at="2026-03-01T08:00Z")
    s.feed({"orderStatus": "InProgress"}, {"orderStatus": "Completed"}, when="2026-03-04T12:00Z")
    yield
    assert s.check()["turnaround_excluded_reason"] == "left_censored"
    assert s.check()["turnaround_seconds"] is None


@told.story
def test_a_pushed_completion_says_so(s: Story) -> Iterator[None]:
    s.of("goodhire").order(ordered_at="2026-03-02T08:00Z")
    s.say(Status="Processing", when="09:00")
    s.push(Status="CompletedClear", when="09:20")
    yield
    check = s.check()
    assert (check["completed_at"], check["completed_at_source"]) == (at("09:20"), "push")
    assert check["turnaround_seconds"] == 4800


@told.story
def test_a_check_first_seen_complete_has_no_turnaround(s: Story) -> Iterator[None]:
    s.of("goodhire").order(ordered_at="2026-03-02T08:00Z")
    s.say(Status="CompletedClear", when="10:00")
    yield
    check = s.check()
    assert (check["completed_at"], check["completed_at_earliest"]) == (at("10:00"), at("08:00"))
    assert (check["turnaround_seconds"], check["turnaround_seconds_earliest"]) == (None, None)
    assert check["turnaround_business_days"] is None
    assert check["turnaround_excluded_reason"] == "left_censored"


@told.story
def test_a_stub_first_seen_complete_claims_no_earliest_time(s: Story) -> Iterator[None]:
    s.of("goodhire").say(Status="CompletedClear", when="10:00")
    yield
    check = s.check()
    assert (check["completed_at"], check["completed_at_earliest"]) == (at("10:00"), None)
    assert check["turnaround_excluded_reason"] == "left_censored"


@told.story
def test_a_check_first_seen_complete_with_the_vendors_time_has_a_turnaround(s: Story) -> Iterator[None]:
    s.of("hireright").order(ordered_at="2026-03-01T08:00Z")
    s.say(orderStatus="Completed", statusDate="2026-03-01T12:00:00-08:00", when="10:00")
    yield
    check = s.check()
    assert check["completed_at"] == check["completed_at_earliest"] == at("2026-03-01T20:00+00:00")
    assert (check["completed_at_source"], check["turnaround_excluded_reason"]) == ("vendor", None)
    assert check["turnaround_seconds"] == check["turnaround_seconds_earliest"] == 12 * 3600


@told.story
def test_without_an_order_time_there_is_no_turnaround(s: Story) -> Iterator[None]:
    s.of("goodhire").say(Status="Processing", when="09:00")
    s.say(Status="CompletedClear", when="10:00")
    yield
    check = s.check()
    assert check["completed_at_earliest"] == at("09:00")
    assert (check["turnaround_seconds"], check["turnaround_excluded_reason"]) == (None, "no_order_time")


@told.story
def test_an_order_that_arrives_after_the_fact_brings_the_turnaround(s: Story) -> Iterator[None]:
    s.of("hireright").say(orderStatus="Completed", statusDate="2026-03-02T08:30:00Z", when="09:00")
    s.stage.settle()
    assert s.check()["turnaround_excluded_reason"] == "no_order_time"
    s.order(ordered_at="2026-03-02T08:00Z")
    yield
    assert (s.check()["turnaround_seconds"], s.check()["turnaround_excluded_reason"]) == (1800, None)


@told.story
def test_a_negative_turnaround_is_kept_and_flagged(s: Story) -> Iterator[None]:
    s.of("workerchecks").order(ordered_at="2026-03-02T08:00Z")
    s.say(**CLEAR, releaseDate="2026-03-02T18:00:00+11:00", when="09:00")
    yield
    assert (s.check()["turnaround_seconds"], s.check()["turnaround_excluded_reason"]) == (-3600, "negative")


@told.story
def test_a_turnaround_of_less_than_a_second_is_one_of_nothing(s: Story) -> Iterator[None]:
    s.of("workerchecks").order(ordered_at="2026-03-02T09:00:00.6Z")
    s.say(status="Pending", when="2026-03-02T09:00:00.7+00:00")
    s.say(**CLEAR, when="2026-03-02T09:00:01.2+00:00")
    yield
    check = s.check()
    assert (check["turnaround_seconds"], check["turnaround_excluded_reason"]) == (0, "negative")


@told.story
def test_a_completion_is_not_earlier_than_its_order_though_it_was_looked_at_before(s: Story) -> Iterator[None]:
    s.of("workerchecks").order(ordered_at="2026-03-02T10:00Z")
    s.say(status="Pending", when="08:00")
    s.say(**CLEAR, when="11:00")
    yield
    check = s.check()
    assert check["completed_at_earliest"] == at("10:00")
    assert (check["turnaround_seconds_earliest"], check["turnaround_seconds"]) == (0, 3600)


@told.story
def test_a_turnaround_of_nothing_is_flagged_too(s: Story) -> Iterator[None]:
    s.of("workerchecks").order(ordered_at="2026-03-02T08:00Z")
    s.say(**CLEAR, releaseDate="2026-03-02T19:00:00+11:00", when="09:00")
    yield
    assert (s.check()["turnaround_seconds"], s.check()["turnaround_excluded_reason"]) == (0, "negative")


@told.story
def test_an_open_check_has_no_completion_no_turnaround_and_no_reason(s: Story) -> Iterator[None]:
    s.of("goodhire").order(ordered_at="2026-03-02T08:00Z")
    s.say(Status="Processing", when="09:00")
    yield
    check = s.check()
    for column in ("completed_at", "completed_at_earliest", "completed_at_source", "closed_at"):
        assert check[column] is None, column
    for column in ("turnaround_seconds", "turnaround_business_days", "turnaround_excluded_reason"):
        assert check[column] is None, column


@told.story
def test_an_ordered_check_that_was_never_seen_is_open_and_unknown(s: Story) -> Iterator[None]:
    s.of("goodhire").order(ordered_at="2026-03-02T08:00Z")
    yield
    check = s.check()
    assert (check["lifecycle"], check["result"], check["is_terminal"]) == ("unknown", "unknown", False)
    assert check["first_observed_at"] is None
    assert check["completed_at_earliest"] is None
    assert check["next_pull_at"] is not None


@told.story
def test_a_check_that_was_stopped_is_closed_but_never_completed(s: Story) -> Iterator[None]:
    s.of("workerchecks").order(ordered_at="2026-03-02T08:00Z")
    s.say(status="Pending", when="08:30")
    s.say(status="Cancelled", releaseDate="2026-03-02T19:40:00+11:00", when="09:00")
    s.say(status="Cancelled", when="10:00")
    yield
    check = s.check()
    assert (check["completed_at"], check["completed_at_earliest"]) == (None, None)
    assert (check["closed_at"], check["last_observed_at"]) == (at("09:00"), at("10:00"))
    assert check["turnaround_excluded_reason"] == "canceled"
    assert check["started_at"] is None, "it was stopped before it started"


@told.story
def test_expired_is_its_own_reason(s: Story) -> Iterator[None]:
    s.of("goodhire").order(ordered_at="2026-02-01T08:00Z")
    s.say(Status="Expired", StatusDetails="CanceledOrExpired", when="09:00")
    yield
    assert s.check()["turnaround_excluded_reason"] == "expired"


@told.story
def test_work_starts_with_the_first_state_past_the_candidates(s: Story) -> Iterator[None]:
    s.of("goodhire")
    s.say(Status="New", StatusDetails="New", when="09:00")
    s.say(Status="MissingInput", StatusDetails="AwaitingInput", when="10:00")
    s.say(Status="Processing", when="11:00")
    s.say(Status="MissingInput", StatusDetails="AwaitingInput", when="12:00")
    s.say(Status="Processing", when="13:00")
    yield
    assert s.check()["started_at"] == at("11:00")


@told.story
def test_a_completion_stands_although_the_check_is_not_done(s: Story) -> Iterator[None]:
    s.of("hireright", account="judged").order(ordered_at="2026-03-02T08:00Z")
    s.say(orderStatus="InProgress", when="09:00")
    s.say(orderStatus="Completed", when="10:00")
    yield
    check = s.check()
    assert (check["is_terminal"], check["completed_at"]) == (False, at("10:00"))
    assert (check["turnaround_seconds"], check["turnaround_excluded_reason"]) == (7200, None)
    assert (check["turnaround_business_days"], check["closed_at"]) == (0, None)


@told.story
def test_a_turnaround_stands_while_a_dispute_is_open(s: Story) -> Iterator[None]:
    s.of("hireright").order(ordered_at="2026-03-02T08:00Z")
    s.say(orderStatus="InProgress", when="09:00")
    s.say(orderStatus="Completed", when="10:00")
    s.say(orderStatus="Completed", disputeStatus="Received", when="11:00")
    yield
    check = s.check()
    assert (check["dispute"], check["is_terminal"], check["turnaround_seconds"]) == ("open", False, 7200)


@told.story
def test_a_screening_that_goes_on_again_has_no_turnaround_until_it_is_complete_again(s: Story) -> Iterator[None]:
    s.of("goodhire").order(ordered_at="2026-03-02T08:00Z")
    s.say(Status="Processing", when="09:00")
    s.say(Status="CompletedClear", when="10:00")
    s.say(Status="Processing", when="11:00")
    yield
    check = s.check()
    assert (check["completed_at"], check["turnaround_seconds"]) == (at("10:00"), None)
    assert (check["turnaround_seconds_earliest"], check["turnaround_business_days"]) == (None, None)


@told.story
def test_after_it_went_on_again_the_first_completion_is_that_of_the_turnaround(s: Story) -> Iterator[None]:
    s.of("goodhire").order(ordered_at="2026-03-02T08:00Z")
    s.say(Status="Processing", when="09:00")
    s.say(Status="CompletedClear", when="10:00")
    s.say(Status="Processing", when="11:00")
    s.say(Status="CompletedAlert", when="13:00")
    yield
    check = s.check()
    assert (check["completed_at"], check["turnaround_seconds"], check["closed_at"]) == (at("10:00"), 7200, at("13:00"))


@told.story
def test_what_is_complete_and_open_tells_why_it_has_no_turnaround(s: Story) -> Iterator[None]:
    s.of("hireright", account="judged").order(ordered_at="2026-03-02T08:00Z")
    s.say(orderStatus="Completed", when="10:00")
    yield
    check = s.check()
    assert (check["is_terminal"], check["turnaround_excluded_reason"]) == (False, "left_censored")
    assert check["turnaround_seconds"] is None


# -- dates without a time ------------------------------------------------------------------------------------


@told.story
def test_a_release_day_ends_at_its_local_end(s: Story) -> Iterator[None]:
    s.of("workerchecks").order(ordered_at="2026-03-01T08:00Z")
    s.say(**CLEAR, releaseDate="2026-03-02", when="2026-03-03T09:00Z")
    yield
    check = s.check()
    assert check["completed_at"] == at("2026-03-02T12:59:59.999999+00:00")
    assert check["completed_at_earliest"] == at("2026-03-01T13:00+00:00")
    assert check["completed_at_source"] == "vendor"
    assert check["turnaround_business_days"] == 1


@told.story
def test_a_release_day_of_23_hours_ends_at_its_local_end(s: Story) -> Iterator[None]:
    s.of("workerchecks").order(ordered_at="2026-10-01T08:00Z")
    s.say(**CLEAR, releaseDate="2026-10-04", when="2026-10-06T09:00Z")
    yield
    assert s.check()["completed_at_earliest"] == at("2026-10-03T14:00+00:00")
    assert s.check()["completed_at"] == at("2026-10-04T12:59:59.999999+00:00")


@told.story
def test_a_release_day_of_25_hours_ends_at_its_local_end(s: Story) -> Iterator[None]:
    s.of("workerchecks").order(ordered_at="2026-04-01T08:00Z")
    s.say(**CLEAR, releaseDate="2026-04-05", when="2026-04-07T09:00Z")
    yield
    assert s.check()["completed_at_earliest"] == at("2026-04-04T13:00+00:00")
    assert s.check()["completed_at"] == at("2026-04-05T13:59:59.999999+00:00")


@told.story
def test_a_release_day_ends_with_the_observation_that_shows_it(s: Story) -> Iterator[None]:
    s.of("workerchecks").order(ordered_at="2026-03-02T08:00Z")
    s.say(**CLEAR, releaseDate="2026-03-02", when="09:00")
    yield
    check = s.check()
    assert (check["completed_at"], check["completed_at_earliest"]) == (at("09:00"), at("08:00"))
    assert (check["turnaround_seconds"], check["turnaround_excluded_reason"]) == (3600, None)


@told.story
def test_a_release_day_that_has_not_begun_counts_as_the_observation(s: Story) -> Iterator[None]:
    s.of("workerchecks").order(ordered_at="2026-03-02T08:00Z")
    s.say(**CLEAR, releaseDate="2026-03-03", when="09:00")
    yield
    assert (s.check()["completed_at"], s.check()["completed_at_earliest"]) == (at("09:00"), at("09:00"))


@told.story
def test_a_completion_dated_after_the_look_that_shows_it_counts_as_that_look(s: Story) -> Iterator[None]:
    s.of("hireright").order(ordered_at="2026-03-01T00:00Z")
    # A time without an offset, told in another zone than the account's: 10:30 in Los Angeles is 18:30 UTC.
    s.say(orderStatus="Completed", statusDate="2026-03-02T10:30:00", when="10:31")
    yield
    check = s.check()
    assert (check["completed_at"], check["completed_at_source"]) == (at("10:31"), "vendor")
    assert check["completed_at_earliest"] == check["completed_at"]
    assert check["turnaround_seconds"] == 34 * 3600 + 31 * 60


@told.story
def test_a_release_day_releases_a_referred_check(s: Story) -> Iterator[None]:
    s.of("workerchecks").order(ordered_at="2026-03-01T08:00Z")
    s.say(status="Completed", result="Refer", when="09:00")
    s.say(status="Completed", result="Refer", releaseDate="2026-03-02", when="10:00")
    yield
    check = s.check()
    assert (check["is_terminal"], check["completed_at"]) == (True, at("10:00"))


@told.story
def test_a_status_date_without_time_is_a_local_day_too(s: Story) -> Iterator[None]:
    s.of("hireright").order(ordered_at="2026-03-01T08:00Z")
    s.feed({"orderStatus": "InProgress", "statusDate": "2026-03-01"}, when="2026-03-03T09:00Z")
    s.feed({"orderStatus": "Completed", "statusDate": "2026-03-02"}, when="2026-03-03T10:00Z")
    yield
    check = s.check()
    assert check["completed_at"] == at("2026-03-03T07:59:59.999999+00:00")
    assert check["completed_at_earliest"] == at("2026-03-02T08:00+00:00")


# -- business days -------------------------------------------------------------------------------------------


@told.story
def test_business_days_skip_weekends_and_holidays(s: Story) -> Iterator[None]:
    s.of("workerchecks").order(ordered_at="2026-01-23T10:00:00+11:00")  # a Friday before Australia Day
    s.say(**CLEAR, releaseDate="2026-01-28T10:00:00+11:00", when="2026-01-28T09:00Z")
    yield
    assert s.check()["turnaround_business_days"] == 2


@told.story
def test_business_days_are_local_days(s: Story) -> Iterator[None]:
    # Both on Monday evening in Los Angeles, though on two days in UTC.
    s.of("hireright").order(ordered_at="2026-03-02T23:00Z")
    s.say(orderStatus="Completed", statusDate="2026-03-03T04:00:00Z", when="2026-03-03T09:00Z")
    yield
    assert (s.check()["turnaround_business_days"], s.check()["turnaround_seconds"]) == (0, 5 * 3600)


@told.story
def test_business_days_from_a_weekend_count_from_the_friday_before(s: Story) -> Iterator[None]:
    s.of("hireright").order(ordered_at="2026-03-07T12:00:00-08:00")  # a Saturday
    s.say(orderStatus="Completed", statusDate="2026-03-09T12:00:00-07:00", when="2026-03-10T09:00Z")
    yield
    assert s.check()["turnaround_business_days"] == 1


@pytest.mark.parametrize(
    ("calendar", "day"),
    [
        ("US", "2026-07-03"),  # Independence Day falls on a Saturday
        ("US", "2026-11-26"),
        ("GB", "2026-05-25"),
        ("GB", "2026-04-06"),
        ("AU", "2026-01-26"),
        ("AU", "2026-04-03"),
    ],
)
def test_a_holiday_has_the_number_of_the_business_day_before_it(bare: Stage, calendar: str, day: str) -> None:
    found = bare.rows(
        f"select is_business_day, business_day_number from star.dim_calendar where calendar = '{calendar}' "
        f"and date in ('{day}', date '{day}' - 1) order by date"
    )
    assert found[1]["is_business_day"] is False
    assert found[0]["business_day_number"] == found[1]["business_day_number"]


def test_england_has_no_scottish_holidays(bare: Stage) -> None:
    (day,) = bare.rows("from star.dim_calendar where calendar = 'GB' and date = '2026-01-02'")
    assert day["is_business_day"] is True


# -- events --------------------------------------------------------------------------------------------------


@told.story
def test_every_transition_has_its_bounds_and_its_length(s: Story) -> Iterator[None]:
    s.of("goodhire")
    s.say(Status="New", when="09:00")
    s.say(Status="New", when="09:10")
    s.say(Status="Processing", when="10:00")
    yield
    first, second = s.events()
    assert (first["event_seq"], second["event_seq"]) == (1, 2)
    assert (first["observed_at"], first["observed_at_earliest"]) == (at("09:00"), None)
    assert (second["observed_at"], second["observed_at_earliest"]) == (at("10:00"), at("09:10"))
    assert (first["previous_lifecycle"], second["previous_lifecycle"]) == (None, "created")
    assert (first["seconds_in_previous_state"], second["seconds_in_previous_state"]) == (None, 3600)
    assert (second["occurred_at"], second["channel"]) == (None, "pull")


@told.story
def test_an_event_happened_when_the_vendor_says(s: Story) -> Iterator[None]:
    s.of("hireright").say(orderStatus="InProgress", statusDate="2026-03-02T00:30:00-08:00", when="09:00")
    yield
    (event,) = s.events()
    assert (event["occurred_at"], event["observed_at"]) == (at("08:30"), at("09:00"))


@told.story
def test_a_release_date_dates_the_completion_only(s: Story) -> Iterator[None]:
    s.of("workerchecks").say(status="In Progress", releaseDate="2026-03-02T19:00:00+11:00", when="09:00")
    yield
    (event,) = s.events()
    assert event["occurred_at"] is None


@told.story
def test_columns_of_the_last_look_move_only_with_a_look(s: Story) -> Iterator[None]:
    s.of("goodhire")
    s.say(Status="Processing", when="09:00")
    s.say(Status="Processing", when="10:00")
    yield
    check = s.check()
    assert (check["first_observed_at"], check["last_changed_at"]) == (at("09:00"), at("09:00"))
    assert check["last_observed_at"] == at("10:00")


# -- local times ---------------------------------------------------------------------------------------------


def test_local_times_are_those_of_any_zone_by_name_or_not(bare: Stage) -> None:
    zones = [row["timezone"] for row in bare.rows("select distinct timezone from star.dim_account")]
    assert "Australia/Sydney" in zones
    assert "Asia/Kathmandu" not in zones
    chosen = ", ".join(f"('{zone}')" for zone in [*zones, "Asia/Kathmandu", "America/St_Johns"])
    hours = "range(timestamptz '2026-01-01', timestamptz '2027-01-01', interval 5 hour)"  # over both changes of clocks
    differing = bare.rows(f"""
        select zone, hour from (values {chosen}, (null)) as z (zone), unnest({hours}) as h (hour)
        where star.local_time(zone, hour) is distinct from timezone(zone, hour)
        or star.instant_of(zone, hour::timestamp) is distinct from timezone(zone, hour::timestamp)
    """)
    assert differing == []


def test_the_zones_of_accounts_are_known_beforehand(bare: Stage) -> None:
    (macro,) = bare.rows("select macro_definition as text from duckdb_functions() where function_name = 'local_time'")
    for row in bare.rows("select distinct timezone from star.dim_account"):
        assert f"timezone('{row['timezone']}', moment)" in macro["text"]
