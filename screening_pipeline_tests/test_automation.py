"""Sensors and schedules: a run only when something is due, for what is due, within the account's budget."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.schedule_definition import ScheduleExecutionData

from screening_pipeline.base import locks
from screening_pipeline.base.clock import StandingClock
from screening_pipeline.cycle import take_orders
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.orchestration.sensors import ASKED_AGAIN
from screening_pipeline.runtime import unread
from screening_pipeline.runtime.opening import build_runtime
from screening_pipeline.settings import load
from screening_pipeline.settings.paths import Paths
from screening_pipeline.state.pull_queue import PullQueue, QueuedPull
from screening_pipeline.state.store import State
from screening_pipeline.vendors import all_vendors
from screening_pipeline_tests.support.end_to_end_world import dagster_words, definitions, pushed

pytestmark = dagster_words

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
CONFIGURATION = """
[[accounts]]
vendor = "goodhire"
name = "east"
base_url = "http://127.0.0.1:9/goodhire"
api_key_env = "EAST_KEY"
requests_per_minute = 2

[[accounts]]
vendor = "goodhire"
name = "west"
base_url = "http://127.0.0.1:9/goodhire"
api_key_env = "WEST_KEY"

[[accounts]]
vendor = "zinc"
name = "pushed"
base_url = "http://127.0.0.1:9/zinc"
api_key_env = "ZINC_KEY"
polling = false

[[accounts]]
vendor = "hireright"
name = "asked"
base_url = "http://127.0.0.1:9/hireright"
auth = "basic"
username_env = "HIRERIGHT_USER"
password_env = "HIRERIGHT_PASSWORD"
"""


@dataclass
class Desk:
    """A data folder with accounts in which nothing was pulled yet, and an instance without runs."""

    paths: Paths
    instance: dg.DagsterInstance

    def plan(self, account: str, *due_in_minutes: float, subject: str = "report", first_key: int = 1) -> None:
        items = [
            QueuedPull(
                key, "goodhire", account, subject, f"secret-id-{key}", NOW + timedelta(minutes=minutes), "planned"
            )
            for key, minutes in enumerate(due_in_minutes, start=first_key)
        ]
        PullQueue(State(self.paths.state)).replace("goodhire", account, items)

    def evaluate(self, name: str, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason | dg.RunRequest:
        context = dg.build_sensor_context(instance=self.instance, cursor=cursor)
        answer = definitions().resolve_sensor_def(name)(context)
        assert isinstance(answer, dg.SensorResult | dg.SkipReason | dg.RunRequest)
        return answer

    def requests(self, name: str = "recheck") -> list[dg.RunRequest]:
        answer = self.evaluate(name)
        if isinstance(answer, dg.RunRequest):
            return [answer]
        assert isinstance(answer, dg.SensorResult), answer
        return list(answer.run_requests or [])

    def skipped(self, name: str = "recheck") -> str:
        answer = self.evaluate(name)
        assert isinstance(answer, dg.SkipReason)
        return answer.skip_message or ""


def run_of(
    *accounts: str, job_name: str = "recheck", status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED
) -> dg.DagsterRun:
    """A run that asks these accounts."""
    run_config = {"ops": {"pull": {"config": {"accounts": list(accounts)}}}}
    return dg.DagsterRun(job_name=job_name, status=status, run_config=run_config)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    (tmp_path / "screening.toml").write_text(CONFIGURATION)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCREENING_NOW", NOW.isoformat())
    for name in ("EAST_KEY", "WEST_KEY", "ZINC_KEY"):
        monkeypatch.setenv(name, "secret-key")
    paths = Paths.under(tmp_path / "data", {})
    paths.create()
    with dg.DagsterInstance.local_temp(str(paths.dagster)) as instance:
        yield Desk(paths, instance)


def asked(request: dg.RunRequest) -> list[str]:
    """The accounts that a run is to ask."""
    accounts: list[str] = request.run_config["ops"]["pull"]["config"]["accounts"]
    return accounts


def test_nothing_ordered_is_nothing_to_do(desk: Desk) -> None:
    assert "goodhire/east: nothing is open, 0 of 2 calls used in the last minute" in desk.skipped()


def test_a_skip_says_how_many_are_open_and_when_the_next_is_due(desk: Desk) -> None:
    desk.plan("east", 5, 90)
    assert "goodhire/east: 2 open, 0 due, next due 2026-03-02 09:05:00Z, 0 of 2 calls" in desk.skipped()


def test_one_run_is_asked_for_all_accounts_for_a_quarter_of_an_hour(desk: Desk) -> None:
    desk.plan("east", -5, 0, 5)
    desk.plan("west", -1, first_key=11)
    (request,) = desk.requests()
    assert asked(request) == ["goodhire/east", "goodhire/west"]
    assert request.run_config["ops"]["pull"]["config"]["seconds"] == 900


def test_who_has_nothing_due_yet_is_asked_by_the_same_run_when_it_has(desk: Desk) -> None:
    desk.plan("east", -5)
    desk.plan("west", 1, first_key=11)
    (request,) = desk.requests()
    assert asked(request) == ["goodhire/east", "goodhire/west"]


@pytest.mark.parametrize(
    "status",
    [
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    ],
)
def test_no_second_recheck_of_an_account_is_asked_for_while_one_is_unfinished(
    desk: Desk, status: dg.DagsterRunStatus
) -> None:
    desk.plan("east", -5)
    desk.plan("west", -5, first_key=11)
    desk.instance.add_run(run_of("goodhire/east", status=status))
    (request,) = desk.requests()
    assert asked(request) == ["goodhire/west"]
    desk.instance.add_run(dg.DagsterRun(job_name="recheck", status=status))
    assert desk.skipped().count("a run that asks it is queued or running") == 3


@pytest.mark.parametrize(
    "status", [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
)
def test_a_finished_recheck_holds_up_nothing(desk: Desk, status: dg.DagsterRunStatus) -> None:
    desk.plan("east", -5)
    desk.instance.add_run(run_of("goodhire/east", status=status))
    assert asked(desk.requests()[0]) == ["goodhire/east", "goodhire/west"]


def test_nothing_is_asked_for_while_the_warehouse_is_busy(desk: Desk) -> None:
    desk.plan("east", -5)
    with locks.lock(desk.paths.warehouse_lock, clock=StandingClock(NOW)):
        assert "the warehouse is busy" in desk.skipped()
    assert len(desk.requests()) == 1


def test_an_account_that_the_vendor_silenced_is_left_alone(desk: Desk) -> None:
    desk.plan("east", -5)
    State(desk.paths.state).silence("goodhire", "east", 60, StandingClock(NOW))
    assert "silent for 60 s" in desk.skipped()


def test_an_account_that_was_stopped_is_tried_again_after_a_quarter_of_an_hour(desk: Desk) -> None:
    desk.plan("east", -60)
    state = State(desk.paths.state)
    state.stop("goodhire", "east", "credential_refused", StandingClock(NOW - timedelta(minutes=14)))
    assert "stopped: credential_refused" in desk.skipped()
    state.stop("goodhire", "east", "credential_refused", StandingClock(NOW - timedelta(minutes=16)))
    assert len(desk.requests()) == 1


def test_a_vendor_whom_nobody_reached_is_tried_again_after_five_minutes(desk: Desk) -> None:
    desk.plan("east", -60)
    state = State(desk.paths.state)
    state.note_error("goodhire", "east", "unreachable", StandingClock(NOW - timedelta(minutes=4)))
    assert "vendor not available: unreachable" in desk.skipped()
    state.note_answered("goodhire", "east", StandingClock(NOW - timedelta(minutes=3)))
    assert len(desk.requests()) == 1
    state.note_error("goodhire", "east", "unreachable", StandingClock(NOW - timedelta(minutes=6)))
    assert len(desk.requests()) == 1


def test_an_error_of_one_check_keeps_no_account_waiting(desk: Desk) -> None:
    desk.plan("east", -60)
    State(desk.paths.state).note_error("goodhire", "east", "http_404", StandingClock(NOW))
    assert len(desk.requests()) == 1


def test_a_clock_that_was_ahead_keeps_no_account_waiting(desk: Desk) -> None:
    desk.plan("east", -60)
    state, ahead = State(desk.paths.state), StandingClock(NOW + timedelta(days=30))
    state.stop("goodhire", "east", "forbidden", ahead)
    state.note_error("goodhire", "east", "unreachable", ahead)
    assert len(desk.requests()) == 1


def test_an_account_without_its_secret_is_named_and_not_tried(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.plan("east", -5)
    monkeypatch.delenv("EAST_KEY")
    assert "unset: EAST_KEY" in desk.skipped()


def test_a_check_that_has_ended_is_on_no_agenda_and_so_never_asked_for(desk: Desk) -> None:
    desk.plan("east", -5, -4)
    assert len(desk.requests()) == 1
    desk.plan("east")  # the next plan, after both have ended
    assert "nothing is open" in desk.skipped()


def test_subscriptions_are_left_to_the_schedule(desk: Desk) -> None:
    desk.plan("east", -5, subject="subscription")
    assert "nothing is open" in desk.skipped()


def test_an_account_that_is_only_pushed_is_never_asked(desk: Desk) -> None:
    assert "zinc/pushed: nothing is open, 0 of 20 calls used in the last minute; polling is off" in desk.skipped()


def test_a_wrong_configuration_is_said_and_raises_nothing(desk: Desk) -> None:
    Path("screening.toml").write_text("[[accounts]]\nvendor = 'goodhyre'\n")
    assert "goodhire" in desk.skipped()
    assert "goodhire" in desk.skipped("order_manifest")


def test_what_is_asked_for_names_no_secret_and_no_check(desk: Desk) -> None:
    desk.plan("east", -5)
    request = desk.requests()[0]
    assert "secret" not in json.dumps([request.run_config, request.tags, request.run_key])


def test_the_run_that_is_asked_for_can_be_made(desk: Desk) -> None:
    desk.plan("east", -5)
    job = definitions().resolve_job_def("recheck")
    assert dg.validate_run_config(job, desk.requests()[0].run_config)


# ── manifests ──────────────────────────────────────────────────────────────────────────────────────


def cursor_of(answer: dg.SensorResult | dg.SkipReason | dg.RunRequest) -> str:
    assert isinstance(answer, dg.SensorResult)
    assert len(answer.run_requests or []) == 1
    assert answer.cursor is not None
    return answer.cursor


def test_a_new_manifest_is_read_once_and_a_changed_one_again(desk: Desk) -> None:
    assert isinstance(desk.evaluate("order_manifest"), dg.SkipReason)
    manifest = desk.paths.orders / "a.csv"
    manifest.write_text("vendor,check_id\n")
    cursor = cursor_of(desk.evaluate("order_manifest"))
    assert isinstance(desk.evaluate("order_manifest", cursor), dg.SkipReason)
    manifest.write_text("vendor,check_id\ngoodhire,r1\n")
    assert cursor_of(desk.evaluate("order_manifest", cursor)) != cursor


def test_a_lost_cursor_costs_one_run_and_no_more(desk: Desk) -> None:
    (desk.paths.orders / "a.csv").write_text("vendor,check_id\n")
    cursor = cursor_of(desk.evaluate("order_manifest"))
    again = cursor_of(desk.evaluate("order_manifest", None))
    assert again == cursor
    assert isinstance(desk.evaluate("order_manifest", again), dg.SkipReason)


def test_manifests_that_a_run_failed_to_read_are_asked_for_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk.paths.orders / "a.csv").write_text("vendor,check_id\n")
    cursor = cursor_of(desk.evaluate("order_manifest"))
    answer = desk.evaluate("order_manifest", cursor)
    assert isinstance(answer, dg.SkipReason)
    assert "asked for at 09:00:00Z has not read them" in (answer.skip_message or "")
    monkeypatch.setenv("SCREENING_NOW", (NOW + ASKED_AGAIN).isoformat())
    assert cursor_of(desk.evaluate("order_manifest", cursor)) != cursor


def test_an_account_that_is_new_has_them_read_at_once_though_a_run_was_just_asked_for(desk: Desk) -> None:
    (desk.paths.orders / "a.csv").write_text("vendor,account,check_id\ngoodhire,later,r1\n")
    cursor = cursor_of(desk.evaluate("order_manifest"))
    Path("screening.toml").write_text(CONFIGURATION.replace('name = "west"', 'name = "later"'))
    assert cursor_of(desk.evaluate("order_manifest", cursor)) != cursor


def test_manifests_that_were_read_wake_nobody_whatever_the_cursor_says(desk: Desk) -> None:
    desk.paths.warehouse.touch()
    (desk.paths.orders / "a.csv").write_text("vendor,check_id\n")
    settings = load.load(os.environ, Path.cwd())
    pull_queue = PullQueue(State(desk.paths.state))
    unread.store_watermark(pull_queue, settings, None, orders=unread.manifest_marks(settings), seals={})
    for cursor in (None, "{}", json.dumps({"a.csv": [16, 1]})):
        answer = desk.evaluate("order_manifest", cursor)
        assert isinstance(answer, dg.SkipReason)
        assert "1 manifests in orders/, none is new" in (answer.skip_message or "")
    Path("screening.toml").write_text(CONFIGURATION.replace('name = "west"', 'name = "later"'))
    cursor_of(desk.evaluate("order_manifest"))  # rows of an old manifest may be for the account that is new
    Path("screening.toml").write_text(CONFIGURATION)
    put_back = desk.paths.warehouse.with_name("of_yesterday")
    put_back.touch()
    put_back.replace(desk.paths.warehouse)
    cursor_of(desk.evaluate("order_manifest"))
    desk.paths.warehouse.unlink()
    cursor_of(desk.evaluate("order_manifest"))


def push(number: int) -> None:
    """Have a message arrive, as the receiver takes it."""
    settings = load.load(os.environ, Path.cwd())
    body = {"id": f"z{number}", "status": "pending", "statusV2": "awaiting-candidate"}
    landing = build_runtime(settings, os.environ, StandingClock(NOW)).landing
    landing.receive(pushed("zinc", "pushed", body, NOW, number=number))


def test_a_message_that_was_pushed_wakes_a_run_and_no_second_one_while_that_is_on(desk: Desk) -> None:
    assert "everything that was landed is read" in desk.skipped("landed_messages")
    push(1)
    (request,) = desk.requests("landed_messages")
    assert request.tags["screening/trigger"] == "landed"
    run = dg.DagsterRun(job_name="publish", status=dg.DagsterRunStatus.STARTED)
    desk.instance.add_run(run)
    assert "a run is under way" in desk.skipped("landed_messages")
    desk.instance.delete_run(run.run_id)
    assert len(desk.requests("landed_messages")) == 1


def test_a_message_that_a_run_failed_to_read_is_asked_for_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    push(1)
    cursor = cursor_of(desk.evaluate("landed_messages"))
    answer = desk.evaluate("landed_messages", cursor)
    assert isinstance(answer, dg.SkipReason)
    assert "asked for at 09:00:00Z has not read" in (answer.skip_message or "")
    push(2)
    assert cursor_of(desk.evaluate("landed_messages", cursor)) != cursor
    monkeypatch.setenv("SCREENING_NOW", (NOW + ASKED_AGAIN).isoformat())
    assert cursor_of(desk.evaluate("landed_messages", cursor)) != cursor


def test_an_erasure_that_was_begun_and_not_finished_wakes_a_run(desk: Desk) -> None:
    desk.paths.erasure_intent.touch()
    assert len(desk.requests("landed_messages")) == 1
    desk.paths.erasure_intent.unlink()
    assert "everything that was landed is read" in desk.skipped("landed_messages")


def test_a_message_that_was_read_wakes_nobody(desk: Desk) -> None:
    push(1)
    work = build_runtime(load.load(os.environ, Path.cwd()), os.environ, StandingClock(NOW))
    take_orders.take_orders(work, run_id="test")
    assert "everything that was landed is read" in desk.skipped("landed_messages")
    with open_warehouse(work):
        pass
    assert "everything that was landed is read" in desk.skipped("landed_messages")
    desk.paths.warehouse.rename(desk.paths.warehouse.with_name("of_yesterday"))
    assert len(desk.requests("landed_messages")) == 1


def test_files_that_are_no_manifests_wake_nobody(desk: Desk) -> None:
    (desk.paths.orders / "notes.txt").write_text("")
    (desk.paths.orders / ".half.csv").write_text("")
    (desk.paths.orders / "folder.csv").mkdir()
    assert "0 manifests" in desk.skipped("order_manifest")


# ── schedules ──────────────────────────────────────────────────────────────────────────────────────


def tick_of(desk: Desk, name: str) -> ScheduleExecutionData:
    context = dg.build_schedule_context(instance=desk.instance, scheduled_execution_time=NOW)
    return definitions().resolve_schedule_def(name).evaluate_tick(context)


@pytest.mark.parametrize(
    "name",
    [*(f"{slug}_pull" for slug, v in all_vendors().items() if v.sandbox), "daily_reconciliation", "daily_report"],
)
def test_every_schedule_asks_for_one_run_that_can_be_made(desk: Desk, name: str) -> None:
    Path("screening.toml").unlink()  # the bundled accounts have all there is
    for number, slug in enumerate(all_vendors()):
        item = QueuedPull(number, slug, "sandbox", all_vendors()[slug].default_subject, f"id-{number}", NOW, "planned")
        PullQueue(State(desk.paths.state)).replace(slug, "sandbox", [item])
    requests = list(tick_of(desk, name).run_requests or [])
    assert len(requests) == 1
    job_name = definitions().resolve_schedule_def(name).job_name
    assert dg.validate_run_config(definitions().resolve_job_def(job_name), requests[0].run_config) is not None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("workable_pull", "no workable account is configured"),
        ("hireright_pull", "hireright/asked: nothing is due"),
        ("zinc_pull", "zinc/pushed: only pushed to"),
        ("goodhire_pull", "goodhire/east: nothing is due; goodhire/west: nothing is due"),
    ],
)
def test_a_schedule_skips_where_no_account_has_anything_due(desk: Desk, name: str, reason: str) -> None:
    tick = tick_of(desk, name)
    assert (list(tick.run_requests or []), tick.skip_message) == ([], reason)


@pytest.mark.parametrize("subject", ["report", "subscription"])
def test_a_schedule_takes_whatever_is_due_of_all_subjects(desk: Desk, subject: str) -> None:
    desk.plan("west", -5, subject=subject)
    (request,) = tick_of(desk, "goodhire_pull").run_requests or []
    assert asked(request) == ["goodhire/west"]
    assert request.run_config["ops"]["pull"]["config"]["lingering"] is False


@pytest.mark.parametrize("job_name", ["goodhire_recheck_job", "goodhire_pull_job"])
def test_neither_the_schedule_nor_the_sensor_asks_an_account_that_a_run_asks(desk: Desk, job_name: str) -> None:
    desk.plan("west", -5)
    desk.instance.add_run(run_of("goodhire/west", job_name=job_name))
    assert "goodhire/west: a run that asks it is queued or running" in (
        tick_of(desk, "goodhire_pull").skip_message or ""
    )
    assert "a run that asks it is queued or running" in desk.skipped()


def test_with_the_sensors_off_a_schedule_has_new_orders_and_messages_read_where_nobody_is_asked(desk: Desk) -> None:
    (desk.paths.orders / "new.csv").write_text("vendor,check_id\nzinc,z1\n")
    (request,) = tick_of(desk, "zinc_pull").run_requests or []
    assert request.asset_selection is not None
    assert {key.path[0] for key in request.asset_selection} == {"raw", "published"}, "the tables come with the snapshot"
    desk.instance.add_run(dg.DagsterRun(job_name="publish", status=dg.DagsterRunStatus.STARTED))
    assert not tick_of(desk, "zinc_pull").run_requests, "one run reads for all"


def test_a_schedule_leaves_an_account_alone_whose_vendor_refuses_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("screening.toml").write_text(CONFIGURATION + "status_updates = true\n")
    for name in ("HIRERIGHT_USER", "HIRERIGHT_PASSWORD"):
        monkeypatch.setenv(name, "given")
    (request,) = tick_of(desk, "hireright_pull").run_requests or []
    assert asked(request) == ["hireright/asked"]
    assert request.run_config["ops"]["pull"]["config"]["lingering"] is True, "its feed is drained by one run"
    State(desk.paths.state).stop("hireright", "asked", "forbidden", StandingClock(NOW))
    tick = tick_of(desk, "hireright_pull")
    assert (list(tick.run_requests or []), tick.skip_message) == ([], "hireright/asked: stopped: forbidden")


def test_a_feed_is_not_asked_by_a_second_run_while_one_asks_the_account(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("screening.toml").write_text(CONFIGURATION + "status_updates = true\n")
    for name in ("HIRERIGHT_USER", "HIRERIGHT_PASSWORD"):
        monkeypatch.setenv(name, "given")
    with locks.lock(desk.paths.data_dir / "pull.hireright.asked.lock", clock=StandingClock(NOW)):
        assert tick_of(desk, "hireright_pull").skip_message == "hireright/asked: it is being asked"
    assert len(tick_of(desk, "hireright_pull").run_requests or []) == 1


def test_a_schedule_tells_what_is_wrong_with_the_configuration(desk: Desk) -> None:
    Path("screening.toml").write_text("accounts = 1")
    tick = tick_of(desk, "zinc_pull")
    assert not tick.run_requests
    assert "accounts" in (tick.skip_message or "")


@pytest.mark.parametrize("slug", all_vendors())
def test_a_schedule_alone_brings_everything_of_its_vendor(slug: str) -> None:
    job = definitions().resolve_job_def(definitions().resolve_schedule_def(f"{slug}_pull").job_name)
    keys = {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
    declared = all_vendors()[slug]
    calls = {f"{slug}/{e.name}" for e in declared.endpoints if e.subject or e.is_destructive or e.is_list}
    assert calls | {"raw/order", "raw/response", "published/snapshot"} <= keys
    assert {node.name for node in job.nodes} == {"raw__order", "pull", "star"}
    assert {key for key in keys if key.startswith(tuple(all_vendors()))} == calls


def test_every_job_that_a_sensor_or_a_schedule_starts_has_a_name() -> None:
    starting = [one for one in definitions().sensors or [] if one.targets]  # who only tells somebody starts nothing
    started = [one.job_name for one in definitions().schedules or []]  # type: ignore[union-attr]
    started += [target.job_name for one in starting for target in one.targets]
    assert [name for name in started if name is None or name.startswith("__")] == []


def test_all_but_the_reconciliation_is_on_without_being_turned_on() -> None:
    stopped = [s.name for s in definitions().schedules or [] if s.default_status is dg.DefaultScheduleStatus.STOPPED]
    assert stopped == ["daily_reconciliation"]
    assert all(s.default_status is dg.DefaultSensorStatus.RUNNING for s in definitions().sensors or [])


def test_one_sensor_looks_at_all_accounts() -> None:
    names = {sensor.name for sensor in definitions().sensors or []}
    assert {"recheck", "order_manifest", "landed_messages", "snapshot_put_off"} <= names
    assert not any(name.endswith("_recheck") for name in names)
