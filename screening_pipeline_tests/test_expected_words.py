"""What an account's own checks tell to be expected: adjudications and E-Verify, where nobody declared them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from screening_pipeline.health import status
from screening_pipeline.runtime.replan import replan
from screening_pipeline.state.pull_queue import PullQueue, QueuedPull
from screening_pipeline.state.store import State
from screening_pipeline.warehouse import ingest, publish
from screening_pipeline_tests.support.stage import (
    FACTS,
    MORNING,
    PART_KEY,
    Row,
    Stage,
    Story,
    account,
    broken_rules,
    opened,
)

MEETS = "Meets Company Standards"
EVENING = MORNING + timedelta(hours=9)


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Accounts that declare nothing, and others that do."""
    accounts = (
        *(account("hireright", name) for name in ("one", "other")),
        account("hireright", "never", adjudication_expected=False, e_verify_expected=False),
        account("hireright", "always", adjudication_expected=True, e_verify_expected=True),
        account("hireright", "fed", status_updates=True),
    )
    with opened(tmp_path_factory, accounts) as found:
        yield found


def order(stage: Stage, name: str, whose: str = "one", *, subject: str = "order", **words: Any) -> Story:
    """An order of an account, complete unless told otherwise."""
    story = stage.story(name).of("hireright", account=whose, subject=subject)
    story.order(ordered_at=MORNING.isoformat())
    story.say(**({"orderStatus": "Completed"} if subject == "order" and not words else words))
    return story


def pull_queue(stage: Stage, now: datetime, whose: str = "one") -> dict[str, QueuedPull]:
    """What is planned to be asked of an account."""
    kept = PullQueue(State(stage.settings.paths.state))
    replan(stage.connection, stage.settings, kept, now=now)
    return {item.check_id: item for item in kept.due("hireright", whose, now, is_full=True)}


def state(story: Story) -> tuple[str, str, bool]:
    check = story.check()
    return check["adjudication"], check["next_actor"], check["is_terminal"]


def test_from_the_first_adjudication_on_completed_orders_without_one_are_pending(stage: Stage) -> None:
    before, elsewhere = order(stage, "before"), order(stage, "elsewhere", "other")
    stage.settle(EVENING)
    assert state(before) == ("not_expected", "none", True)
    decided = order(stage, "decided", orderStatus="Completed", adjudicationStatus=MEETS)
    at_once = order(stage, "at-once")
    stage.settle(EVENING)
    later = order(stage, "later")
    stage.settle(EVENING)
    assert state(before) == state(at_once) == state(later) == ("pending", "client", False)
    assert state(decided) == ("meets", "none", True)
    assert state(elsewhere) == ("not_expected", "none", True)
    assert before.check()["reopened_count"] == 0, "it was never done"
    replan(stage.connection, stage.settings, PullQueue(State(stage.settings.paths.state)), now=EVENING)
    assert broken_rules(stage.connection) == []
    expected = {row["account"]: row["adjudication_expected"] for row in stage.rows("from star.dim_account")}
    assert expected == {"one": True, "other": False, "never": False, "always": True, "fed": False}


def test_no_word_at_all_and_not_available_tell_nothing(stage: Stage) -> None:
    for number, word in enumerate(("", "Not Available", None)):
        order(stage, f"order-{number}", orderStatus="Completed", adjudicationStatus=word)
    stage.settle(EVENING)
    assert stage.rows("from staging.inference") == []


def test_what_an_account_declares_decides_whatever_its_orders_tell(stage: Stage) -> None:
    for whose in ("never", "always"):
        order(stage, f"decided-{whose}", whose, orderStatus="Completed", adjudicationStatus=MEETS)
    never, always = order(stage, "never", "never"), order(stage, "always", "always")
    stage.settle(EVENING)
    assert (state(never), state(always)) == (("not_expected", "none", True), ("pending", "client", False))


@pytest.mark.parametrize("whose", ["one", "fed"])
def test_a_decision_that_is_only_inferred_is_asked_for_daily_for_a_fortnight_then_weekly_until_sixty_days(
    stage: Stage, whose: str
) -> None:
    waiting = order(stage, "waiting", whose)
    order(stage, "decided", whose, orderStatus="Completed", adjudicationStatus=MEETS)
    stage.settle(EVENING)
    asked: list[float] = []
    for day in range(1, 80):
        now = MORNING + timedelta(days=day)
        due = pull_queue(stage, now, whose)
        if "waiting" in due and due["waiting"].next_pull_at <= now:
            asked.append(day)
            waiting.say(orderStatus="Completed", when=now.isoformat())
            stage.settle(now)
    assert asked == [*range(1, 15), 21, 28, 35, 42, 49, 56]
    assert pull_queue(stage, MORNING + timedelta(days=80), whose) == {}
    assert state(waiting) == ("pending", "client", False)
    assert waiting.check()["next_pull_at"] is None
    assert broken_rules(stage.connection) == []


def test_a_late_adjudication_ends_the_order_and_is_not_asked_for_again(stage: Stage) -> None:
    waiting = order(stage, "waiting")
    order(stage, "decided", orderStatus="Completed", adjudicationStatus=MEETS)
    stage.settle(EVENING)
    waiting.say(orderStatus="Completed", adjudicationStatus=MEETS, when="2026-03-05T09:00Z")
    stage.settle(EVENING)
    assert state(waiting) == ("meets", "none", True)
    assert pull_queue(stage, MORNING + timedelta(days=4)) == {}


def test_from_the_first_e_verify_word_on_a_finished_form_is_open_until_its_last_one(stage: Stage) -> None:
    first = order(stage, "first", subject="i9", i9Status="completed")
    stage.settle(EVENING)
    assert state(first) == ("not_expected", "none", True)
    case = order(stage, "case", subject="i9", i9Status="completed", eVerifyStatus="IN_PROGRESS")
    stage.settle(EVENING)
    assert state(first) == ("not_expected", "client", False)
    assert (first.check()["completed_at"], first.check()["turnaround_seconds"]) == (None, None)
    case.say(i9Status="completed", eVerifyStatus="AUTHORIZED")
    first.say(i9Status="completed", eVerifyStatus="TNC")
    stage.settle(EVENING)
    assert (case.check()["is_terminal"], case.check()["result"]) == (True, "clear")
    assert (first.check()["is_terminal"], first.check()["next_actor"]) == (False, "candidate")
    first.say(i9Status="completed", eVerifyStatus="FINAL_NON_CONFIRM")
    stage.settle(EVENING)
    check = first.check()
    assert (check["is_terminal"], check["result"], check["next_actor"]) == (True, "consider", "none")
    assert check["completed_at"] == first.now


def test_a_form_of_an_account_without_e_verify_is_done_when_it_is_completed(stage: Stage) -> None:
    order(stage, "odd", "never", subject="i9", i9Status="completed", eVerifyStatus="AUTHORIZED")
    form = order(stage, "form", "never", subject="i9", i9Status="completed")
    stage.settle(EVENING)
    assert state(form) == ("not_expected", "none", True)


def test_a_rebuild_comes_to_what_the_increments_came_to(stage: Stage) -> None:
    story = stage.story("fed").of("hireright", account="fed")
    for words in (
        {"orderStatus": "Completed"},
        {"orderStatus": "InProgress"},
        {"orderStatus": "Completed", "adjudicationStatus": MEETS},
    ):
        story.feed(words)
        stage.settle(EVENING)
    for number in range(4):
        order(stage, f"order-{number}")
        order(stage, f"form-{number}", subject="i9", i9Status="completed")
        stage.settle(EVENING)
    order(stage, "decided", orderStatus="Completed", adjudicationStatus=MEETS)
    order(stage, "case", subject="i9", i9Status="completed", eVerifyStatus="TNC")
    stage.settle(EVENING)
    before = _everything(stage)
    stage.rebuild()
    assert _everything(stage) == before


def _everything(stage: Stage) -> dict[str, list[Row]]:
    tables = (*FACTS, "star.dim_account", "staging.inference", "staging.reading", "staging.state", "staging.open_check")
    return {table: stage.rows(f"from {table} order by all") for table in tables}


def test_what_was_inferred_is_told_of_the_keys_that_are_not_set(stage: Stage) -> None:
    for whose in ("one", "never", "always"):
        order(stage, f"decided-{whose}", whose, orderStatus="Completed", adjudicationStatus=MEETS)
        order(stage, f"case-{whose}", whose, subject="i9", i9Status="completed", eVerifyStatus="TNC")
    stage.settle(EVENING)
    publish.publish(stage.connection, stage.settings.paths.published)
    both = ["adjudication_expected", "e_verify_expected"]
    told = {key.partition("/")[2]: keys for key, keys in status.inferred(stage.settings).items() if keys}
    assert told == {"one": both}


def test_so_many_orders_that_are_read_anew_are_recomputed_in_steps(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "MOST_TOUCHED", 2)
    before = [order(stage, f"before-{number}") for number in range(4)]
    stage.settle(EVENING)
    order(stage, "decided", orderStatus="Completed", adjudicationStatus=MEETS)
    stage.settle(EVENING)
    assert ingest.is_rebuilding(stage.connection)
    ingest.prepare(stage.connection, stage.settings, stage.landing, part_key=PART_KEY)
    assert [state(one) for one in before] == [("pending", "client", False)] * 4
