"""What `status` says of what runs, and of accounts that were in trouble and are well again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from screening_pipeline.base.clock import ManualClock
from screening_pipeline.cycle import settle as cycle_settle
from screening_pipeline.cycle.pull import pull_account
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.health import metrics
from screening_pipeline.health.accounts import AccountStatus
from screening_pipeline.health.status import StatusReport, status_report
from screening_pipeline.runtime import publication
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.runtime.opening import build_runtime
from screening_pipeline.settings.paths import Paths
from screening_pipeline.settings.settings import Operations, Settings
from screening_pipeline.state import pulse
from screening_pipeline.state.pull_queue import PullQueue, QueuedPull
from screening_pipeline.state.store import State
from screening_pipeline_tests.support.loopback import Loopback, Reply, json_reply, serving
from screening_pipeline_tests.support.stage import MORNING, account


class Desk:
    """A data folder of one account, and a clock that only this test moves."""

    def __init__(self, folder: Path) -> None:
        self.paths = Paths.under(folder, {})
        self.settings = Settings(
            accounts=(replace(account("zinc"), secret_names={"api_key": "ZINC_KEY"}),), paths=self.paths
        )
        self.clock = ManualClock(MORNING)
        self.paths.create()
        self.state = State(self.paths.state)
        self.queue = PullQueue(self.state)

    def status(self) -> StatusReport:
        return status_report(self.settings, {"ZINC_KEY": "a key"}, self.clock)

    def account(self) -> AccountStatus:
        return self.status().accounts[0]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def published(desk: Desk) -> None:
    """What a cycle does at its end."""
    pulse.note_cycle(desk.queue, "sync", desk.clock.now())
    work = build_runtime(desk.settings, {}, desk.clock)
    with open_warehouse(work) as connection:
        cycle_settle.settle(work, connection)
        publication.publish(work, connection)


# ── what runs ──────────────────────────────────────────────────────────────────────────────────────


def test_before_the_first_cycle_it_says_how_to_run_one(desk: Desk) -> None:
    found = desk.status()
    assert found.running.words() == "No cycle has ended yet: `screening-pipeline sync` runs one."
    assert not found.needs_attention


def test_it_begins_with_the_last_cycle_and_the_age_of_the_snapshot(desk: Desk) -> None:
    published(desk)
    desk.clock.advance(240)
    assert desk.status().running.words() == "Last cycle 4 min ago (sync); snapshot 4 min old."
    assert not desk.status().needs_attention


def test_nothing_that_ran_for_longer_than_the_limit_is_for_a_person_until_it_runs_again(desk: Desk) -> None:
    published(desk)
    desk.clock.advance(2 * 3600 + 1)
    found = desk.status()
    assert found.needs_attention
    assert "Nothing has run for more than 2.0 h: start `watch` or the daemon" in found.running.words()
    published(desk)
    assert not desk.status().needs_attention


def test_the_limit_is_configured(desk: Desk) -> None:
    desk.settings = replace(desk.settings, operations=Operations(stale_after=60.0))
    published(desk)
    desk.clock.advance(61)
    assert desk.status().needs_attention


def test_who_looks_and_finds_nothing_due_is_alive(desk: Desk) -> None:
    published(desk)
    desk.clock.advance(5 * 3600)
    pulse.note_alive(desk.queue, pulse.WATCH, desk.clock.now())
    desk.clock.advance(8)
    found = desk.status()
    assert found.running.words() == "Last cycle 5.0 h ago (sync), watch seen 8 s ago; snapshot 5.0 h old."
    assert not found.needs_attention


def test_who_was_stopped_on_purpose_is_not_waited_for(desk: Desk) -> None:
    pulse.note_alive(desk.queue, pulse.WATCH, desk.clock.now())
    pulse.note_alive(desk.queue, pulse.DAEMON, desk.clock.now())
    pulse.note_ended(desk.queue, pulse.WATCH)
    assert set(pulse.pulse(desk.queue).alive) == {"daemon"}


def test_a_cycle_whose_snapshot_never_came_is_for_a_person(desk: Desk) -> None:
    published(desk)
    desk.clock.advance(3600)
    pulse.note_cycle(desk.queue, "recheck", desk.clock.now())
    assert not desk.status().needs_attention
    desk.clock.advance(3601)
    pulse.note_alive(desk.queue, pulse.DAEMON, desk.clock.now())
    assert "What was found since is not published" in desk.status().running.words()
    assert desk.status().needs_attention


def test_an_account_that_was_refused_needs_attention_until_it_has_answered(desk: Desk) -> None:
    names = ("zinc", desk.settings.accounts[0].name)
    published(desk)
    desk.state.stop(*names, "unauthorized", desk.clock)
    desk.state.note_error(*names, "unauthorized", desk.clock)
    assert desk.account().words()["trouble"] == "stopped: unauthorized, 0 s ago"
    desk.state.resume(*names)  # as a run does, which then had nothing to ask it for
    desk.clock.advance(60)
    assert desk.account().words()["trouble"] == "refused: unauthorized, 60 s ago; `doctor` tries it at once"
    assert desk.status().needs_attention
    desk.state.note_success(*names, desk.clock)
    assert desk.account().words()["trouble"] == ""
    assert not desk.status().needs_attention


# ── accounts ───────────────────────────────────────────────────────────────────────────────────────


def test_an_error_counts_until_an_answer_could_be_read(desk: Desk) -> None:
    names = ("zinc", desk.settings.accounts[0].name)
    desk.state.note_error(*names, "unreachable", desk.clock)
    desk.clock.advance(180)
    assert desk.account().words()["trouble"] == "last error: unreachable, 3 min ago"
    desk.state.note_success(*names, desk.clock)
    assert (desk.account().last_error, desk.account().words()["trouble"]) == (None, "")
    desk.clock.advance(1)
    desk.state.note_error(*names, "http_500", desk.clock)
    assert desk.account().last_error == "http_500"


def test_what_waits_too_long_is_overdue(desk: Desk) -> None:
    name, now = desk.settings.accounts[0].name, desk.clock.now()
    desk.queue.replace("zinc", name, [QueuedPull(1, "zinc", name, "check", "a", now, "due")])
    assert desk.account().words()["next_due"] == "now"
    desk.clock.advance(3 * 3600)
    assert desk.account().words()["next_due"] == "overdue 3.0 h"
    assert desk.account().facts()["overdue_seconds"] == 3 * 3600


@pytest.fixture
def fed(tmp_path: Path) -> Iterator[tuple[Runtime, Loopback, list[Reply]]]:
    """HireRight's feed alone, and the answers it gives from now on."""
    replies: list[Reply] = []
    with serving(lambda _: replies[-1]) as server:
        names = {"username": "HIRERIGHT_USER", "password": "HIRERIGHT_PASSWORD"}
        one = replace(account("hireright"), base_url=server.url, auth="basic", secret_names=names, status_updates=True)
        environ = dict.fromkeys(names.values(), "secret")
        paths = Paths.under(tmp_path, {})
        paths.create()
        yield (
            build_runtime(Settings(accounts=(one,), paths=paths), environ, ManualClock(MORNING)),
            server,
            replies,
        )


def test_an_empty_feed_that_was_read_is_a_success(fed: tuple[Runtime, Loopback, list[Reply]]) -> None:
    work, _, replies = fed
    one = work.settings.accounts[0]
    replies.append(json_reply({}, 500))
    pull_account(work, one, run_id="first", endpoints=["status_updates"])
    clock = work.clock
    assert isinstance(clock, ManualClock)
    (before,) = status_report(work.settings, work.environ, clock).accounts
    assert before.last_error == "http_500"
    clock.advance(400)
    replies.append(json_reply([]))
    pull_account(work, one, run_id="second", endpoints=["status_updates"])
    (after,) = status_report(work.settings, work.environ, clock).accounts
    assert (after.last_error, after.last_success_at) == (None, MORNING + timedelta(seconds=400))


def test_the_state_of_an_earlier_version_learns_the_new_column_and_keeps_what_it_knows(tmp_path: Path) -> None:
    file = tmp_path / "state.sqlite"
    State(file).note_error("zinc", "main", "html", ManualClock(MORNING))
    with sqlite3.connect(file) as db:
        db.execute("alter table account drop column succeeded_at")
    known = State(file).account("zinc", "main", ManualClock(MORNING))
    assert (known.last_error, known.succeeded_at, known.present_error) == ("html", None, "html")


# ── as metrics ─────────────────────────────────────────────────────────────────────────────────────


def test_the_metrics_are_what_prometheus_reads_and_say_what_status_says(desk: Desk) -> None:
    published(desk)
    desk.state.note_error("zinc", desk.settings.accounts[0].name, "unreachable", desk.clock)
    desk.clock.advance(60)
    text = metrics.exposition(desk.status()).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    told = {sample.name: sample.value for sample in samples}
    assert told["screening_last_cycle_timestamp_seconds"] == MORNING.timestamp()
    assert told["screening_snapshot_timestamp_seconds"] == MORNING.timestamp()
    assert told["screening_last_error_timestamp_seconds"] == MORNING.timestamp()
    assert "screening_last_success_timestamp_seconds" not in told
    labels = {tuple(sorted(sample.labels.items())) for sample in samples if sample.labels}
    assert labels == {(("account", desk.settings.accounts[0].name), ("vendor", "zinc"))}
