"""Somebody is told, on change: by real receivers on loopback, each message until it was taken, never of a person."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from screening_pipeline.base.clock import ManualClock, SystemClock
from screening_pipeline.base.locks import locked
from screening_pipeline.cli.doctor_notify import tried
from screening_pipeline.health.status import status_report
from screening_pipeline.notify.attend import attend, attending, trial_message
from screening_pipeline.notify.messages import Message, changes
from screening_pipeline.notify.troubles import FailedRun, troubles
from screening_pipeline.notify.webhook import body
from screening_pipeline.orchestration.instance import instance
from screening_pipeline.orchestration.notifying import notifications
from screening_pipeline.settings.notify import Notify
from screening_pipeline.settings.paths import Paths
from screening_pipeline.settings.settings import Settings
from screening_pipeline.state import pulse
from screening_pipeline.state.pull_queue import PullQueue
from screening_pipeline.state.store import State
from screening_pipeline_tests.support.loopback import Loopback, Reply, listening, serving
from screening_pipeline_tests.support.stage import MORNING, account


@dataclass
class Desk:
    """A data folder of one account, a webhook that answers as `replies` says, and what is tried by hand."""

    settings: Settings
    webhook: Loopback
    replies: list[Reply]
    clock: ManualClock = field(default_factory=lambda: ManualClock(MORNING))
    failed: FailedRun | None = None
    secret: str = "a key"

    @property
    def environ(self) -> dict[str, str]:
        return {
            "ZINC_KEY": self.secret,
            "HOOK": f"{self.webhook.url}/hook/secret-path",
            "ALIVE": f"{self.webhook.url}/alive",
        }

    @property
    def state(self) -> State:
        return State(self.settings.paths.state)

    def look(self, *, after: float = 30) -> str:
        self.clock.advance(after)
        return attend(self.settings, self.environ, self.clock, who=pulse.DAEMON, last_failure=lambda: self.failed)

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(asked.body) for asked in self.webhook.asked if asked.target.startswith("/hook")]

    @property
    def words(self) -> list[str]:
        return [change["words"] for message in self.told for change in message["changes"]]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    replies = [Reply()]
    with serving(lambda _: replies[-1]) as webhook:
        paths = Paths.under(tmp_path, {})
        paths.create()
        one = replace(account("zinc"), secret_names={"api_key": "ZINC_KEY"})
        yield Desk(Settings(accounts=(one,), paths=paths, notify=Notify(webhook_url_env="HOOK")), webhook, replies)


# ── on change ──────────────────────────────────────────────────────────────────────────────────────


def test_a_revoked_key_is_told_once_and_that_it_is_mended_once(desk: Desk) -> None:
    assert desk.look() == "0 changes, 0 messages wait"
    desk.state.stop("zinc", "main", "unauthorized", desk.clock)
    desk.state.note_error("zinc", "main", "unauthorized", desk.clock)
    desk.look()
    desk.look()
    assert desk.words == ["zinc/main is stopped: unauthorized. `screening-pipeline doctor` says what to do."]
    assert desk.told[0]["text"].startswith("screening_pipeline: 1 needs attention\n")
    desk.state.resume("zinc", "main")  # as each run does, which then fails again: nothing is over yet
    desk.look()
    assert len(desk.told) == 1
    desk.clock.advance(1)
    desk.state.note_success("zinc", "main", desk.clock)
    desk.look()
    desk.look()
    assert [message["title"] for message in desk.told][1:] == ["screening_pipeline: 1 over"]


def test_a_vendor_that_fails_for_a_moment_is_not_told_of(desk: Desk) -> None:
    desk.state.note_success("zinc", "main", desk.clock)
    desk.clock.advance(60)
    desk.state.note_error("zinc", "main", "unreachable", desk.clock)
    desk.look()
    assert desk.told == []
    desk.look(after=600)
    assert desk.words == ["zinc/main has given no answer for 12 min: unreachable."]


def test_a_secret_that_is_not_set_a_failed_run_and_a_full_disk_are_told_in_one_message(desk: Desk) -> None:
    desk.secret = ""
    desk.failed = FailedRun("run-1", "sync", desk.clock.now())
    desk.settings = replace(desk.settings, notify=replace(desk.settings.notify, disk_below_gb=1e9))
    desk.look()
    assert [change["name"] for change in desk.told[0]["changes"]] == ["run", "disk", "zinc/main secrets"]
    assert "ZINC_KEY is not set" in desk.told[0]["text"]


def test_twice_as_much_is_news_and_a_little_more_is_not(desk: Desk) -> None:
    found = status_report(desk.settings, desk.environ, desk.clock)
    names = []
    known: dict[str, dict[str, Any]] = {}
    for count in (1, 2, 3, 4, 2):
        now = [
            one for one in troubles(replace(found, order_rejects=count), desk.settings, None) if one.name == "orders"
        ]
        for change in changes(known, now):
            names.append((count, change.state))
            known = {one.name: {"words": one.words, "count": one.count} for one in now}
    assert names == [(1, "new"), (2, "more"), (4, "more")]


# ── until it was taken, and in nobody's way ────────────────────────────────────────────────────────


def test_what_a_receiver_does_not_take_is_sent_again_with_the_same_id(desk: Desk) -> None:
    desk.replies.append(Reply(500))
    desk.secret = ""
    assert desk.look() == "1 changes, 1 messages wait; webhook: HTTP 500"
    desk.look(after=10)  # too early for the next try
    assert len(desk.told) == 1
    desk.replies.append(Reply())
    assert desk.look(after=60) == "0 changes, 0 messages wait"
    assert desk.told[0] == desk.told[1]
    desk.look(after=3600)
    assert len(desk.told) == 2


def test_a_message_that_nobody_takes_for_a_day_is_given_up(desk: Desk) -> None:
    desk.replies.append(Reply(503))
    desk.secret = ""
    for _ in range(40):
        desk.look(after=3700)
    assert desk.look().startswith("0 changes, 0 messages wait")
    assert 20 < len(desk.told) < 30


def test_whoever_comes_second_leaves_it_to_the_first(desk: Desk) -> None:
    desk.secret = ""
    with locked(desk.settings.data_dir / "notify.lock"):
        assert desk.look() == "another process is telling"
    assert desk.told == []


def test_watch_tells_beside_its_cycles_and_says_that_it_lives(desk: Desk) -> None:
    """A receiver that takes the connection and says nothing holds up nobody."""
    held: list[socket.socket] = []
    with listening(held.append) as port:
        environ = desk.environ | {"HOOK": f"http://127.0.0.1:{port}/", "ZINC_KEY": ""}
        begun = time.monotonic()
        with attending(desk.settings, environ, SystemClock(), last_failure=lambda: None):
            until = time.monotonic() + 10
            while not held and time.monotonic() < until:
                time.sleep(0.01)
            assert set(pulse.pulse(PullQueue(desk.state)).alive) == {"watch"}
            for one in held:
                one.close()
        assert time.monotonic() - begun < 9
    assert pulse.pulse(PullQueue(desk.state)).alive == {}


def test_a_good_cycle_is_told_to_whoever_waits_for_it_once_each(desk: Desk) -> None:
    desk.settings = replace(desk.settings, notify=Notify(alive_url_env="ALIVE"))
    desk.look()
    assert desk.webhook.targets == []
    pulse.note_cycle(PullQueue(desk.state), "sync", desk.clock.now())
    desk.look()
    desk.look()
    assert desk.webhook.targets == ["/alive"]
    desk.failed = FailedRun("run-1", "sync", desk.clock.now())
    pulse.note_cycle(PullQueue(desk.state), "sync", desk.clock.now())
    desk.look()
    assert desk.webhook.targets == ["/alive"]


# ── forms and ways ─────────────────────────────────────────────────────────────────────────────────


def test_slack_teams_and_others_each_get_the_form_that_they_take() -> None:
    message = trial_message(MORNING)
    assert body("https://hooks.slack.com/services/x", message, "auto") == {"text": message.text}
    card = body("https://prod-1.westeurope.logic.azure.com/workflows/x", message, "auto")
    (attachment,) = card["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert [block["text"] for block in attachment["content"]["body"]] == message.text.split("\n")
    plain = body("https://example.com/hook", message, "auto")
    assert plain["text"] == message.text
    assert Message.of_facts(plain) == message


def test_a_command_is_given_the_message(desk: Desk, tmp_path: Path) -> None:
    target = tmp_path / "told.json"
    copy = f"import sys; open({str(target)!r}, 'w').write(sys.stdin.read())"
    desk.settings = replace(desk.settings, notify=Notify(command=(sys.executable, "-c", copy)))
    desk.secret = ""
    assert desk.look() == "1 changes, 0 messages wait"
    assert json.loads(target.read_text())["changes"][0]["name"] == "zinc/main secrets"


def test_mail_is_sent(desk: Desk) -> None:
    letters: list[str] = []
    with listening(lambda connection: letters.append(_mail_server(connection))) as port:
        told = Notify(
            mail_to=("ops@example.com",),
            mail_from="screening@example.com",
            smtp_host="127.0.0.1",
            smtp_port=port,
            smtp_security="none",
        )
        desk.settings = replace(desk.settings, notify=told)
        desk.secret = ""
        assert desk.look() == "1 changes, 0 messages wait"
        until = time.monotonic() + 5
        while not letters and time.monotonic() < until:
            time.sleep(0.01)
    assert "Subject: screening_pipeline: 1 needs attention" in letters[0]
    assert "To: ops@example.com" in letters[0]


def _mail_server(connection: socket.socket) -> str:
    """The letter that one client sends."""
    letter, is_letter = [], False
    with connection, connection.makefile("rwb", buffering=0) as talk:
        talk.write(b"220 here\r\n")
        for raw in talk:
            line = raw.decode().rstrip("\r\n")
            if is_letter and line != ".":
                letter.append(line)
                continue
            is_letter = line.upper() == "DATA"
            talk.write(b"354 go on\r\n" if is_letter else b"221 bye\r\n" if line.upper() == "QUIT" else b"250 fine\r\n")
    return "\n".join(letter)


def test_doctor_tries_every_receiver_and_names_no_address(desk: Desk) -> None:
    (found,) = tried(desk.settings, desk.environ, desk.clock)
    assert (found.level, found.name) == ("ok", "notify webhook")
    desk.replies.append(Reply(404))
    (found,) = tried(desk.settings, desk.environ, desk.clock)
    assert (found.level, found.message) == ("fail", "has not taken a test message: HTTP 404")
    assert "secret-path" not in str(found)
    (found,) = tried(replace(desk.settings, notify=Notify()), desk.environ, desk.clock)
    assert found.level == "warn"
    unset = {**desk.environ, "HOOK": ""}
    (found,) = tried(desk.settings, unset, desk.clock)
    assert found.message.endswith("HOOK is not set")


def test_nothing_that_a_vendor_said_is_in_a_message(desk: Desk) -> None:
    found = status_report(desk.settings, desk.environ, desk.clock)
    canary = {"vendor": "zinc", "account": "main", "field": "status", "value": "CANARY"}
    full = replace(
        found,
        order_rejects=1,
        order_files={"CANARY.csv": "waits: CANARY"},
        unmapped_words=[canary],
        accounts=[replace(one, unmapped=2, rejects=3, knows_none=True, is_overloaded=True) for one in found.accounts],
    )
    wrong = troubles(full, desk.settings, None)
    assert len(wrong) >= 5
    assert "CANARY" not in str(wrong)


def test_the_sensor_tells_of_the_run_that_failed_last(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    @dg.job
    def broken() -> None:
        @dg.op
        def fails() -> None:
            raise ValueError("CANARY")

        fails()

    recorded = instance(desk.settings.paths)
    with pytest.raises(ValueError, match="CANARY"):
        broken.execute_in_process(instance=recorded)
    (desk.settings.data_dir / "screening.toml").write_text(
        '[[accounts]]\nvendor = "zinc"\nname = "main"\nbase_url = "https://vendor.example"\napi_key_env = "ZINC_KEY"\n'
        '[notify]\nwebhook_url_env = "HOOK"\n'
    )
    for name, value in desk.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SCREENING_DATA_DIR", str(desk.settings.data_dir))
    monkeypatch.setenv("SCREENING_CONFIG", str(desk.settings.data_dir / "screening.toml"))
    with dg.build_sensor_context(instance=recorded) as context:
        told = notifications(context)
    assert isinstance(told, dg.SkipReason)
    assert told.skip_message == "1 changes, 0 messages wait"
    assert [word.split(",")[0] for word in desk.words] == ["The last run failed: job broken"]
    assert "CANARY" not in str(desk.told)
    assert set(pulse.pulse(PullQueue(desk.state)).alive) == {"daemon"}


def test_no_thread_is_left(desk: Desk) -> None:
    with attending(desk.settings, desk.environ, SystemClock(), last_failure=lambda: None):
        pass
    assert [thread for thread in threading.enumerate() if thread.name == "notify"] == []
