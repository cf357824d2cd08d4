"""For any history: computed anew it is the same, and neither the order of arrival nor copies matter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count, groupby
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screening_pipeline.sandbox.judgement import is_continued, read_state
from screening_pipeline.sandbox.timeline import Check
from screening_pipeline.sandbox.world import World
from screening_pipeline.warehouse import ingest, loading, rebuild, schema
from screening_pipeline_tests.support.derived import derive
from screening_pipeline_tests.support.stage import (
    MORNING,
    PART_KEY,
    Stage,
    Story,
    broken_rules,
    call_of,
    is_called_back,
    opened,
)

few = settings(max_examples=4)


@dataclass(frozen=True)
class Line:
    """One way a vendor tells something: the call or the push, and the body for a check's id."""

    vendor: str
    account: str
    subject: str
    channel: str
    body: Callable[[str], Any]
    http_status: int = 200


def _report(channel: str = "pull", **fields: Any) -> Line:
    def body(check_id: str) -> Any:
        report = {"Id": check_id, **fields}
        return {"Id": "w", "ReportStatus": report} if channel == "push" else report

    return Line("goodhire", "main", "report", channel, body)


def _subscription(**fields: Any) -> Line:
    return Line("goodhire", "main", "subscription", "pull", lambda check_id: {"Id": check_id, **fields})


def _order(channel: str = "pull", account: str = "judged", **fields: Any) -> Line:
    def body(check_id: str) -> Any:
        message = {"orderId": check_id, **fields}
        return [message] if channel == "feed" else message

    return Line("hireright", account, "order", channel, body)


def _request(channel: str = "pull", **fields: Any) -> Line:
    return Line("zinc", "main", "request", channel, lambda check_id: {"id": check_id, **fields})


def _worker(**fields: Any) -> Line:
    return Line("workerchecks", "main", "check", "pull", lambda check_id: {"checkId": check_id, **fields})


def _provider(channel: str = "pull", **fields: Any) -> Line:
    return Line("workable", "main", "check", channel, lambda _: fields)


CONSENT = [{"Type": "MissingCandidateConsent"}]
RUN = {"Date": "2026-03-01T08:00:00-08:00", "Status": "Clear"}
JANE = {"name": "Address check for Jane Doe", "status": "clear", "type": "address-check"}
DONE = {"orderStatus": "Completed", "adjudicationStatus": "Meets Company Standards"}
LINES = (
    _report(Status="MissingInput", StatusDetails="AwaitingConsent", RequiredReportActions=CONSENT),
    _report(Status="Processing", RequiredReportActions=[]),
    _report(Status="CompletedClear", StatusDetails="Clear", SectionsContainingAlerts=[]),
    _report(Status="CompletedAlert", SectionsContainingAlerts=["Misc Court Records"]),
    _report("push", Status="Processing"),
    _report("push", Status="CompletedClear", StatusDetails="Clear"),
    Line("goodhire", "main", "report", "pull", lambda _: b"<html>"),
    Line("goodhire", "main", "report", "pull", lambda _: {"StatusCode": "Gone"}, 404),
    _subscription(LastStatus="Clear", IsActive=True, ReportId="r", Results=[RUN]),
    _subscription(LastStatus="Canceled", IsActive=False, Results=[{**RUN, "Status": "Canceled"}]),
    _order(orderStatus="InProgress", products=[{"name": "Education", "status": "InProgress"}]),
    _order(**DONE),
    _order(**DONE, disputeStatus="Received"),
    _order("feed", orderStatus="InProgress", statusDate="2026-03-02T09:10:00Z"),
    _order("feed", **DONE, statusDate="2026-03-02T09:40:00Z"),
    _order("feed", orderStatus="Pending Requestor"),
    _order("push", orderStatus="Invite Expired", statusDate="2026-03-02T09:20:00Z"),
    _order("push", orderStatus="InProgress"),
    _request(status="partially-completed", statusV2="in-progress", checks=[JANE, {**JANE, "status": "pending"}]),
    _request(status="pending", statusV2="awaiting-candidate"),
    _request("push", status="completed", statusV2="all-clear", result="clear", checks=[JANE]),
    _worker(status="In Progress", result=None),
    _worker(status="Completed", result="Refer"),
    _worker(status="Completed", result="Clear", releaseDate="2026-03-02"),
    _worker(status="Nowhere", result="Clear"),
    _provider(status="consented"),
    _provider("push", status="completed", check={"result": {"mvr": "clear"}}),
    _provider("push", status="expired"),
)

# Which line, about which of two checks, how many minutes later; a minute of its own for each.
steps = st.lists(
    st.tuples(st.sampled_from(LINES), st.sampled_from(["one", "two"]), st.integers(1, 9)),
    min_size=20,
    max_size=45,
)
Told = list[dict[str, Any]]


def told(history: Sequence[tuple[Line, str, int]]) -> Told:
    """The exchanges of a history, in the order of their receipt."""
    now, exchanges = MORNING, []
    for number, (line, check_id, minutes) in enumerate(history):
        now += timedelta(minutes=minutes)
        exchanges.append(exchange(line, check_id) | {"received_at": now, "response_id": f"r{number:06d}"})
    return exchanges


def exchange(line: Line, check_id: str) -> dict[str, Any]:
    """What is said, without when."""
    is_asked = line.channel == "pull" or is_called_back(line.vendor)
    return {
        "vendor": line.vendor,
        "account": line.account,
        "endpoint": call_of(line.vendor, line.channel, line.subject),
        "channel": line.channel,
        "http_status": line.http_status,
        "body": line.body(check_id),
        **({"subject": line.subject, "check_id": check_id} if is_asked else {}),
    }


def order_everything(stage: Stage) -> None:
    """Manifests for one of the two checks of each vendor."""
    for slug in ("goodhire", "zinc", "workerchecks", "workable"):
        story = stage.story("one").of(slug)
        story.order(ordered_at="2026-03-02T08:00Z", package="basic", candidate_ref="employee-17")


@few
@given(history=steps, cuts=st.lists(st.integers(0, 45), max_size=3), ordered_after=st.integers(0, 45))
def test_computed_anew_every_fact_is_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    history: list[tuple[Line, str, int]],
    cuts: list[int],
    ordered_after: int,
) -> None:
    with opened(tmp_path_factory) as stage:
        for number, said in enumerate(told(history)):
            if number == ordered_after:
                order_everything(stage)
            stage.land(**said)
            if number in cuts:
                stage.settle()
        stage.settle()
        before = stage.facts()
        assert broken_rules(stage.connection) == []
        stage.rebuild()
        assert stage.facts() == before
        with small_steps():
            stage.rebuild()
        assert stage.facts() == before


@contextmanager
def small_steps() -> Iterator[None]:
    """A rebuild in many transactions: of a file each, two checks each, ten calls each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "BATCH_FILES", 1)
        for name, size in {"STEP_CHECKS": 2, "STEP_CALLS": 10}.items():
            patch.setattr(rebuild, name, size)
        yield


@settings(max_examples=3)
@given(history=steps, chance=st.integers(0, 2**16), parts=st.integers(2, 4))
def test_the_order_of_arrival_makes_no_difference(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[Line, str, int]], chance: int, parts: int
) -> None:
    exchanges = told(history)
    with opened(tmp_path_factory) as stage:
        order_everything(stage)
        for said in exchanges:
            stage.land(**said)
        stage.settle()
        in_order = stage.facts(without_arrival=True)
    with opened(tmp_path_factory) as stage:
        order_everything(stage)
        for number, said in enumerate(Random(chance).sample(exchanges, len(exchanges))):
            stage.land(**said)
            if number % parts == 0 and number < 4 * parts:
                stage.settle()
        stage.settle()
        assert stage.facts(without_arrival=True) == in_order
        assert broken_rules(stage.connection) == []


@few
@given(history=steps)
def test_late_copies_of_pushed_messages_change_no_fact(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[Line, str, int]]
) -> None:
    exchanges = told(history)
    with opened(tmp_path_factory) as stage:
        for said in exchanges:
            stage.land(**said)
        stage.settle()
        before = stage.facts()
        for number, said in enumerate(exchange for exchange in exchanges if exchange["channel"] == "push"):
            late = MORNING + timedelta(days=9, minutes=number)
            stage.land(**{**said, "received_at": late, "response_id": f"s{number:06d}"})
        stage.settle()
        after = stage.facts()
        assert without_conflicts(after) == without_conflicts(before)


def test_a_kind_of_part_stays_when_what_told_of_it_is_not_applied_any_more(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with opened(tmp_path_factory) as stage:
        s = stage.story("late").of("goodhire")
        s.push(Status="CompletedAlert", SectionsContainingAlerts=["Misc Court Records"], when="10:00")
        stage.settle()
        s.say(Status="Expired", when="09:00")  # it was received before, and landed after a crash
        stage.settle()
        assert (s.check()["lifecycle"], s.components()) == ("expired", [])
        before = stage.facts()
        stage.rebuild()
        assert stage.facts() == before


def without_conflicts(facts: dict[str, list[str]]) -> dict[str, list[str]]:
    """Without the list of contradictions, where a copy may tell that one was still told later."""
    return {table: rows for table, rows in facts.items() if table != "ops.mapping_conflict"}


@few
@given(order=st.permutations(["pending", "consented", "completed"] * 2))
def test_pushes_of_one_life_in_any_order_never_go_back(
    tmp_path_factory: pytest.TempPathFactory, order: list[str]
) -> None:
    with opened(tmp_path_factory) as stage:
        story = stage.story("shuffled").of("workable")
        for status in order:
            story.push(status=status)
        stage.settle()
        ranks = ["awaiting_candidate", "in_progress", "completed"]
        seen = [ranks.index(lifecycle) for lifecycle in story.lifecycles()]
        assert seen == sorted(set(seen))
        assert seen[-1] == 2


@few
@given(history=steps)
def test_the_last_pull_says_how_an_open_check_stands(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[Line, str, int]]
) -> None:
    pulls = [step for step in history if step[0].channel == "pull" and step[0].vendor == "zinc"]
    with opened(tmp_path_factory) as stage:
        for said in told(pulls):
            stage.land(**said)
        stage.settle()
        for check_id in {check_id for _, check_id, _ in pulls}:
            last = [line for line, told_of, _ in pulls if told_of == check_id][-1]
            assert stage.story(check_id).of("zinc").check()["vendor_status"] == last.body("")["status"]


def test_a_rebuild_twice_is_a_rebuild_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    with opened(tmp_path_factory) as stage:
        settle_much(stage)
        before = stage.facts()
        stage.rebuild()
        stage.rebuild()
        assert stage.facts() == before
        assert all(before[table] for table in ("star.fact_check", "star.fact_dispute", "ops.reject")), (
            "it is a rich one"
        )


def test_what_is_kept_of_days_and_delays_is_what_the_rows_say_in_any_calendar_and_zone(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with opened(tmp_path_factory) as stage:
        settle_by_the_dozen(stage)
        kept = [stage.facts()]
        derive(stage.connection)
        assert stage.facts() == kept[0]
        moved = [replace(a, calendar="AU", timezone="Pacific/Kiritimati") for a in stage.settings.accounts]
        elsewhere = replace(stage.settings, accounts=tuple(moved))
        found = ingest.prepare(stage.connection, elsewhere, stage.landing, part_key=PART_KEY)
        assert found is ingest.Prepared.REREAD
        kept.append(stage.facts())
        derive(stage.connection)
        assert stage.facts() == kept[1]
        changed = {table for table in kept[0] if kept[0][table] != kept[1][table]}
        assert changed == {
            "star.fact_check",
            "star.fact_check_component",
            "star.fact_check_event",
            "star.fact_check_phase",
            "star.fact_turnaround",
        }


class Stopped(Exception):
    """Nobody expects it."""


def test_a_rebuild_that_was_stopped_is_gone_on_with_by_whoever_comes_next(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    stopped_in: list[str] = []

    def prepare(stage: Stage, *, steps: int) -> ingest.Prepared:
        left = count(steps, -1)

        def stop(what: str, done: int, total: int) -> None:
            assert 0 <= done < total
            if next(left) == 0:
                stopped_in.append(what)
                raise Stopped

        return ingest.prepare(stage.connection, stage.settings, stage.landing, part_key=PART_KEY, progress=stop)

    with opened(tmp_path_factory) as stage, small_steps():
        settle_much(stage)
        before = stage.facts()
        stage.connection.execute("delete from staging.setting where name = 'fingerprint'")
        found, steps = None, 1
        while found is None:
            try:
                found = prepare(stage, steps=steps)
            except Stopped:
                steps += stopped_in[-1] == "judging calls"  # which begins from the first one
        assert set(stopped_in) == {"reading what was landed", "recomputing checks", "judging calls"}
        assert min(Counter(stopped_in).values()) > 2
        assert found is ingest.Prepared.REREAD
        assert stage.facts() == before
        assert prepare(stage, steps=0) is ingest.Prepared.READY


def prepare(stage: Stage) -> None:
    ingest.prepare(stage.connection, stage.settings, stage.landing, part_key=PART_KEY)


def test_what_was_learned_of_other_words_is_forgotten_with_them(tmp_path_factory: pytest.TempPathFactory) -> None:
    with opened(tmp_path_factory) as stage:
        settle_much(stage)
        stage.connection.execute("update staging.setting set value = 'older' where name = 'fingerprint'")
        stage.connection.execute("insert into staging.setting values ('pull_model', 'of an earlier shape')")
        prepare(stage)
        names = {row["name"] for row in stage.rows("from staging.setting")}
        # What the rebuild has read is of this version.
        assert names == {"erasure_register", "fingerprint", "landed_seals"}


def test_what_is_landed_while_a_rebuild_lies_stopped_is_read_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    def stop(what: str, done: int, _total: int) -> None:
        if what == "recomputing checks" and done:
            raise Stopped

    with opened(tmp_path_factory) as stage, small_steps():
        settle_much(stage)
        before = stage.facts()
        with pytest.raises(Stopped):
            rebuild.rebuild(stage.connection, stage.landing, part_key=PART_KEY, progress=stop)
        stage.story("one").of("zinc").say(status="reviewed", statusV2="reviewed", result="clear")
        ingest.prepare(stage.connection, stage.settings, stage.landing, part_key=PART_KEY)
        assert stage.facts() == before
        stage.settle()
        after = stage.facts()
        assert len(after["star.fact_pull"]) == len(before["star.fact_pull"]) + 1
        stage.rebuild()
        assert stage.facts() == after


def settle_much(stage: Stage) -> None:
    """Have everything told that there is to tell, of two checks of each vendor, and one of them ordered."""
    order_everything(stage)
    for said in told([(line, check_id, 1) for line in LINES for check_id in ("one", "two")]):
        stage.land(**said)
    stage.settle()


def settle_by_the_dozen(stage: Stage) -> None:
    """The same told over two days, and settled in many batches."""
    order_everything(stage)
    whole = told([(line, check_id, 29) for line in LINES for check_id in ("one", "two")])
    for first in range(0, len(whole), 12):
        for said in whole[first : first + 12]:
            stage.land(**said)
        stage.settle()


# -- an independent witness ----------------------------------------------------------------------------------

AXES = ("lifecycle", "result", "adjudication", "dispute", "next_actor")


def read_by_the_witness(*begun: Check) -> list[tuple[str, ...]]:
    """The sandbox's own reading of each state of a check, repetitions left out; first of what led to it."""
    readings = [read_state(check, state) for check in begun for state in check.states]
    told = [tuple(str(getattr(reading, axis)) for axis in AXES) for reading in readings]
    return [axes for axes, _ in groupby(told)]


def test_the_warehouse_reads_a_whole_world_as_the_sandbox_does(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    world = World(seed=11, checks=100, epoch=MORNING)
    with opened(tmp_path_factory) as stage:
        for check in world.everything:
            live_through(stage, check)
        stage.settle()
        led = {c.states[-1].body["report_id"]: c for c in world.everything if is_continued(c, c.states[-1])}
        assert led
        for check in world.everything:
            if check in led.values():
                continue  # it is one with its report
            story = story_of(stage, check)
            seen = [tuple(event[axis] for axis in AXES) for event in story.events()]
            before = [led[check.order.check_id]] if check.order.check_id in led else []
            assert [axes for axes, _ in groupby(seen)] == read_by_the_witness(*before, check), check.order.check_id
            assert story.check()["is_terminal"] is read_state(check, check.states[-1]).is_over
        assert broken_rules(stage.connection) == []


def live_through(stage: Stage, check: Check) -> None:
    """Have every state of a check pulled a second after it began."""
    story = story_of(stage, check)
    story.order(ordered_at=check.order.ordered_at.isoformat(), package=check.order.package)
    for state in check.states:
        story.say(state.body, when=(state.at + timedelta(seconds=1)).isoformat())


def story_of(stage: Stage, check: Check) -> Story:
    """The story of a check of the sandbox, which takes it that orders are adjudicated and forms are not."""
    name = "judged" if (check.order.vendor, check.order.subject) == ("hireright", "order") else "main"
    return stage.story(check.order.check_id).of(check.order.vendor, account=name, subject=check.order.subject)


def test_a_warehouse_of_refused_answers_alone_is_read_anew_and_not_taken_for_a_new_one(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with opened(tmp_path_factory) as stage:
        refused = {"endpoint": "packages", "channel": "pull", "http_status": 500, "body": b"down"}
        stage.land(vendor="workable", account="main", received_at=MORNING, **refused)
        stage.settle()
        before = stage.facts()
        assert stage.rows("from raw.check") == []
        stage.connection.execute("delete from staging.setting where name = 'fingerprint'")
        found = ingest.prepare(stage.connection, stage.settings, stage.landing, part_key=PART_KEY)
        assert found is ingest.Prepared.REREAD
        assert stage.facts() == before
        assert len(before["star.fact_pull"]) == 1


def test_a_warehouse_of_an_earlier_version_is_given_the_macros_of_this_one(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with opened(tmp_path_factory) as stage:
        stage.connection.execute("create or replace macro star.local_time(zone, moment) as (moment)")
        stage.connection.execute("create or replace macro staging.key_of(a, b, c) as (1)")
        stage.connection.execute("delete from staging.setting where name = 'fingerprint'")
        ingest.prepare(stage.connection, stage.settings, stage.landing, part_key=PART_KEY)
        (found,) = stage.rows(
            "select star.local_time('Australia/Sydney', timestamptz '2026-03-02 00:00:00Z') as morning, "
            "staging.key_of('a', 'b', 'c') as key"
        )
        assert str(found["morning"]) == "2026-03-02 11:00:00"
        assert found["key"] > 1


def test_a_large_batch_says_what_a_small_one_says(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    for large_bytes in (loading.LARGE_BYTES, 0):
        monkeypatch.setattr(loading, "LARGE_BYTES", large_bytes)
        with opened(tmp_path_factory) as stage:
            for check in World(seed=7, checks=40, epoch=MORNING).everything:
                live_through(stage, check)
            stage.settle()
            told.append(stage.facts())
            settings = stage.rows("select current_setting('threads') as t, current_setting('disabled_optimizers') as d")
            assert settings == [{"t": 1, "d": ""}]
    assert len(told[0]["star.fact_check"]) == 40
    assert told[0] == told[1]


def test_a_warehouse_of_an_earlier_version_gets_its_shape_anew_also_where_nothing_is_in_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with opened(tmp_path_factory) as stage:
        stage.settle()
        stage.connection.execute("update staging.setting set value = 'older' where name = 'fingerprint'")
        stage.connection.execute("drop view analytics.data_quality; create table analytics.data_quality (older int)")
        stage.connection.execute("alter table star.fact_pull drop column was_due_at")
        prepare(stage)
        settle_much(stage)
        assert stage.rows("select was_due_at from star.fact_pull")
        assert "older" not in {row["column_name"] for row in stage.rows("describe analytics.data_quality")}


def test_a_view_of_landed_lines_is_the_new_version_s_even_after_a_crash(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise Stopped

    with opened(tmp_path_factory) as stage:
        settle_much(stage)
        stage.connection.execute("update staging.setting set value = 'older' where name = 'fingerprint'")
        lines = f"read_text('{stage.landing.root.resolve()}/**/*.ndjson')"
        stage.connection.execute(f"create or replace view raw.response as select 'x' as older from {lines}")
        with monkeypatch.context() as patched:
            patched.setattr(schema, "show_landed", stop)
            with pytest.raises(Stopped):
                prepare(stage)
        prepare(stage)
        assert "older" not in {row["column_name"] for row in stage.rows("describe raw.response")}
