"""What every shared state promises, in SQLite and in PostgreSQL; and what only that of several machines must."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.state.interface import Store
from screening_pipeline.state.postgres_store import PostgresStore
from screening_pipeline.state.pull_queue import PullQueue, QueuedPull, Summary
from screening_pipeline.state.run_ledger import KEPT, KEPT_AFTER_THE_LAST_STEP, RunLedger
from screening_pipeline.state.store import State
from screening_pipeline_tests.support import strictness
from screening_pipeline_tests.support.postgres import Server

KEY = "SCREENING_STATE_URL"
CLOCK = SystemClock()
UK = ("zinc", "uk")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
Making = Callable[[], Store]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.cluster)])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Making:
    """Makes a store; all of a test share what they keep."""
    if request.param == "sqlite":
        return lambda: State(tmp_path / "state.sqlite")
    url = request.getfixturevalue("postgres_server").new_database()
    return lambda: PostgresStore(url, KEY)


def take(store: Store, limit: int = 2, *, longest: float = 9.0, window: float = 0.4) -> tuple[int | None, float]:
    return store.slots.take("zinc/uk", limit, longest=longest, window=window, clock=CLOCK)


def test_a_slot_comes_back_one_window_after_it_was_given_and_at_once_where_it_was_not_used(make: Making) -> None:
    one, other = make(), make()
    (first, _), (second, _) = take(one), take(other)
    assert None not in (first, second)
    assert len({first, second}) == 2
    none, wait = take(one)
    assert none is None
    assert wait == pytest.approx(0.4, abs=0.05), "both are held: a window from now at best"
    assert first is not None
    assert second is not None
    one.slots.give(first, window=0.4, clock=CLOCK)
    refused, wait = take(other)
    assert refused is None
    assert 0 < wait <= 0.4
    other.slots.drop(second)
    assert take(one)[0] is not None
    assert one.slots.used("zinc/uk", clock=CLOCK) == 2
    assert one.slots.used("zinc/us", clock=CLOCK) == 0
    time.sleep(wait + 0.02)
    assert take(other)[0] is not None
    assert take(other)[0] is None


def test_a_slot_whose_holder_died_comes_back_and_its_late_holder_changes_nothing(make: Making) -> None:
    store = make()
    late, _ = take(store, 1, longest=0.2)
    assert late is not None
    assert take(store, 1)[0] is None
    time.sleep(0.25)
    now, _ = take(store, 1)
    assert now is not None
    store.slots.give(late, window=0.0, clock=CLOCK)
    store.slots.drop(late)
    assert take(store, 1)[0] is None, "the slot of who holds one now"


def test_slots_that_others_have_used_are_given_away_for_as_long_as_was_said(make: Making) -> None:
    store = make()
    assert take(store, 5)[0] is not None
    store.slots.fill("zinc/uk", 4, seconds=0.3, longest=9.0, window=0.4, clock=CLOCK)
    store.slots.fill("zinc/uk", 3, seconds=9.0, longest=9.0, window=0.4, clock=CLOCK)
    assert store.slots.used("zinc/uk", clock=CLOCK) == 4
    assert take(store, 5)[0] is not None
    assert take(store, 5)[0] is None
    time.sleep(0.32)
    assert store.slots.used("zinc/uk", clock=CLOCK) == 2


def test_a_silence_is_seen_by_all_is_never_shortened_and_passes(make: Making) -> None:
    one, other = make(), make()
    one.silence(*UK, 0.6, CLOCK)
    other.silence(*UK, 0.1, CLOCK)
    state = other.account(*UK, CLOCK)
    assert 0.3 < state.silent_seconds <= 0.6
    assert state.silent_until is not None
    assert abs(state.silent_until - CLOCK.now()) < timedelta(seconds=1)
    assert one.account("zinc", "us", CLOCK).silent_seconds == 0
    time.sleep(0.65)
    assert other.account(*UK, CLOCK).silent_seconds == 0
    assert other.account(*UK, CLOCK).silent_until is None


def test_what_is_noted_of_an_account_is_told_to_all_and_a_new_run_opens_its_circuit(make: Making) -> None:
    one, other = make(), make()
    one.stop(*UK, "credential_refused", CLOCK)
    one.note_error(*UK, "unreachable", CLOCK)
    one.note_no_polling(*UK, CLOCK)
    state = other.account(*UK, CLOCK)
    assert (state.stopped_code, state.last_error, state.knows_none) == ("credential_refused", "unreachable", True)
    assert state.present_error == "unreachable"
    assert state.stopped_at is not None
    assert abs(state.stopped_at - CLOCK.now()) < timedelta(seconds=5)
    other.resume(*UK)
    other.note_answered(*UK, CLOCK)
    other.note_success("checkr", "us", CLOCK)
    state = one.account(*UK, CLOCK)
    assert (state.stopped_code, state.stopped_at, state.knows_none, state.present_error) == (None, None, False, None)
    assert [(found.vendor, found.account) for found in one.accounts(CLOCK)] == [("checkr", "us"), UK]


def test_ids_that_are_not_found_are_counted_forgotten_and_erased(make: Making) -> None:
    one, other = make(), make()
    for check_id in ("b", "a", "b", "c"):
        one.count_not_found(*UK, "order", check_id, CLOCK)
    assert other.count_not_found(*UK, "order", "b", CLOCK).times == 3
    assert [(found.check_id, found.times) for found in one.not_found(*UK, at_least=1)] == [("a", 1), ("b", 3), ("c", 1)]
    assert [found.check_id for found in one.not_found(*UK, at_least=3)] == ["b"]
    other.forget_not_found(*UK, "order", "b")
    other.forget_not_found(*UK, "order", "never")
    other.erase_not_found([(*UK, "order", "a"), (*UK, "order", "never")])
    assert [found.check_id for found in one.not_found(*UK, at_least=1)] == ["c"]


def pull(key: int, minutes: int = 0, **others: object) -> QueuedPull:
    values = {"subject": "order", "check_id": f"id-{key}", "reason": "why not?", "is_requested": False, **others}
    return QueuedPull(key, *UK, next_pull_at=NOON + timedelta(minutes=minutes), **values)  # type: ignore[arg-type]


def test_the_queue_tells_what_is_due_most_urgent_first_and_puts_off_what_was_asked(make: Making) -> None:
    one, other = PullQueue(make()), PullQueue(make())
    one.replace(*UK, [pull(9)])
    one.replace(
        *UK, [pull(1, 5), pull(2, -5), pull(3, -9), pull(4, -1, is_requested=True), pull(5, -7, subject="list")]
    )
    one.replace("checkr", "us", [QueuedPull(7, "checkr", "us", "report", "x", NOON, "so")])
    due = other.due(*UK, NOON)
    assert [found.check_key for found in due] == [4, 3, 5, 2]
    assert due[1] == pull(3, -9)
    assert [found.check_key for found in other.due(*UK, NOON, limit=2, without=["list", "?"])] == [4, 3]
    assert [found.check_key for found in other.due(*UK, NOON, is_full=True)] == [4, 3, 5, 2, 1]
    assert other.summary(*UK, NOON, without=["list"]) == Summary(4, 3, NOON - timedelta(minutes=9))
    assert other.summary("zinc", "us", NOON) == Summary(0, 0, None)
    other.postpone([3, 4, 1], NOON + timedelta(minutes=1))
    assert [found.check_key for found in one.due(*UK, NOON, is_full=True)] == [5, 2, 3, 4, 1]
    row = (4, *UK, "order", "id-4", (NOON - timedelta(hours=1)).timestamp(), "touched", 0)
    other.put_rows([2, 4, 8], [row])
    assert [found.check_key for found in one.due(*UK, NOON, is_full=True)] == [4, 5, 3, 1]
    one.keep_only([UK, ("zinc", "us")])
    assert other.summary("checkr", "us", NOON).open == 0
    assert other.is_due(*UK, NOON)
    one.replace(*UK, [])
    assert not other.is_due(*UK, NOON)


def test_named_values_are_kept_replaced_and_forgotten(make: Making) -> None:
    one, other = PullQueue(make()), PullQueue(make())
    one.remember("a", "1")
    one.remember("a", "2 ✓ %s ?")
    one.remember("b", "")
    assert (other.note("a"), other.note("b"), other.note("c")) == ("2 ✓ %s ?", "", None)
    other.forget(["a", "c"])
    assert (one.note("a"), one.note("b")) == (None, "")


def test_the_ledger_tells_the_steps_of_a_run_in_their_order_and_forgets_old_runs(make: Making) -> None:
    one, other = RunLedger(make()), RunLedger(make())
    one.note("old", "pull", {"n": 1}, now=NOON - KEPT - timedelta(days=1))
    one.note("done", "star", {}, now=NOON - KEPT_AFTER_THE_LAST_STEP - timedelta(minutes=1))
    one.note("goes-on", "pull", {}, now=NOON - timedelta(hours=5))
    for step, facts in (("pull", {"n": 1}), ("star", {"n": 2}), ("pull", {"n": 3})):
        other.note("run", step, facts, now=NOON)
    assert one.steps("run") == [("star", {"n": 2}), ("pull", {"n": 3})]
    assert [bool(one.steps(run)) for run in ("old", "done", "goes-on")] == [False, False, True]


def test_many_threads_take_no_more_slots_in_any_window_than_the_limit(make: Making) -> None:
    store, limit, window = make(), 6, 0.4
    until, taken, alone = time.monotonic() + 1.5, list[float](), threading.Lock()

    def ask() -> None:
        while time.monotonic() < until:
            slot, wait = take(store, limit, window=window)
            if slot is None:
                time.sleep(min(wait, 0.1))
                continue
            with alone:
                taken.append(time.monotonic())
            store.slots.give(slot, window=window, clock=CLOCK)

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(ask) for _ in range(6)]:
            done.result()
    store.close()
    assert strictness.most_in_a_window(taken, window) == limit
    assert len(taken) >= 3 * limit


@pytest.mark.cluster
def test_machines_that_come_first_at_the_same_moment_make_one_schema(postgres_server: Server) -> None:
    url = postgres_server.new_database()
    with ThreadPoolExecutor(6) as pool:
        found = [pool.submit(lambda: take(PostgresStore(url, KEY), 3)[0]) for _ in range(6)]
        assert [one.result() is None for one in found].count(False) == 3


@pytest.mark.cluster
def test_a_schema_of_another_version_and_a_server_that_is_gone_are_told_with_the_key(postgres_server: Server) -> None:
    url = postgres_server.new_database()
    PullQueue(PostgresStore(url, KEY)).remember("a", "1")
    postgres_server.say("update screening_state.version set version = 7", url.rpartition("/")[2])
    with pytest.raises(EnvironmentFailed, match=f"{KEY}: the schema screening_state is of version 7, .* needs 1"):
        take(PostgresStore(url, KEY))
    for wrong in (postgres_server.url(port=1), postgres_server.url(password="not-it"), postgres_server.url("nowhere")):
        with pytest.raises(EnvironmentFailed, match=KEY) as refused:
            take(PostgresStore(wrong, KEY))
        assert "not-it" not in str(refused.value)


@pytest.mark.cluster
def test_nobody_is_granted_anything_for_a_window_after_the_server_crashed(postgres_server: Server) -> None:
    store = PostgresStore(postgres_server.new_database(), KEY)
    assert take(store, 1, window=1.5)[0] is not None
    postgres_server.crash()
    try:
        slot, wait = take(store, 9, window=1.5)
        assert slot is None
        assert wait == pytest.approx(1.5, abs=0.2)
    finally:
        assert PullQueue(store).note("a") is None, "the connection is opened again"
    time.sleep(1.0)
    assert take(store, 9, window=1.5)[0] is None
    time.sleep(0.6)
    assert take(store, 9, window=1.5)[0] is not None


@pytest.mark.cluster
@pytest.mark.slow
def test_processes_whose_clocks_differ_keep_to_a_limit_through_kills_and_a_crash_of_the_server(
    postgres_server: Server, tmp_path: Path
) -> None:
    world = strictness.World(
        url=postgres_server.new_database(), folder=tmp_path, processes=3, limit=12, window=2.0, deadline=0.5
    )
    found = strictness.play(world, seconds=12.0, kills=3, crash=postgres_server.crash)
    assert found.most == world.limit
    assert found.calls >= 0.98 * found.possible, found
