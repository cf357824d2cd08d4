"""The sandbox as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from screening_pipeline.sandbox.__main__ import parser
from screening_pipeline.sandbox.clocks import parse_instant
from screening_pipeline.sandbox.credentials import SECRETS
from screening_pipeline.sandbox.handle import running_sandbox
from screening_pipeline.sandbox.server import VIRTUAL_EPOCH, Options

UPDATES = "hireright/connect/orders/status-updates"
COMMAND = [sys.executable, "-m", "screening_pipeline.sandbox", "--virtual", "--checks=5"]


def ask(url: str, authorization: str | None = None, data: object = None) -> Any:
    headers = {"Authorization": authorization} if authorization else {}
    body = None if data is None else json.dumps(data).encode()
    request = Request(url, body, headers)  # noqa: S310 - always http on loopback
    with build_opener(ProxyHandler({})).open(request, timeout=10) as response:
        return json.loads(response.read())


def hireright_authorization(url: str) -> str:
    query = (
        f"client_id={SECRETS['SANDBOX_HIRERIGHT_CLIENT_ID']}&client_secret={SECRETS['SANDBOX_HIRERIGHT_CLIENT_SECRET']}"
    )
    token = ask(f"{url}/hireright/oauth/token?grant_type=client_credentials&{query}")["access_token"]
    return f"Bearer {token}"


def test_one_process_answers_as_all_five_vendors_and_is_gone_afterwards() -> None:
    with running_sandbox(virtual=True, seed=7, checks=40, days=10) as sandbox:
        sandbox.set_clock(VIRTUAL_EPOCH + timedelta(days=10))
        ids = {(row["vendor"], row["subject"]): row["check_id"] for row in sandbox.orders()}
        worker = ask(
            f"{sandbox.url}/workerchecks/v1/auth/token",
            data={"widgetSecret": SECRETS["SANDBOX_WORKERCHECKS_WIDGET_SECRET"]},
        )["token"]
        answers = [
            ask(
                f"{sandbox.url}/goodhire/v1/Report/{ids['goodhire', 'report']}",
                f"ApiKey {SECRETS['SANDBOX_GOODHIRE_API_KEY']}",
            )["Id"],
            ask(
                f"{sandbox.url}/hireright/connect/orders/{ids['hireright', 'order']}/status",
                hireright_authorization(sandbox.url),
            )["orderId"],
            ask(
                f"{sandbox.url}/zinc/partner/v2/results/{ids['zinc', 'request']}",
                f"Bearer {SECRETS['SANDBOX_ZINC_API_KEY']}",
            )["id"],
            ask(f"{sandbox.url}/workerchecks/v1/results/{ids['workerchecks', 'check']}", f"Bearer {worker}")["checkId"],
        ]
        workable = ask(
            f"{sandbox.url}/workable/v1/checks/{ids['workable', 'check']}",
            f"Bearer {SECRETS['SANDBOX_WORKABLE_TOKEN']}",
        )
        stats, truth = sandbox.stats(), sandbox.truth()
        url, pid = sandbox.url, sandbox.pid
    assert answers == [
        ids[key]
        for key in (
            ("goodhire", "report"),
            ("hireright", "order"),
            ("zinc", "request"),
            ("workerchecks", "check"),
        )
    ]
    assert workable["status"] in {"pending", "consented", "completed", "declined", "expired"}
    assert sum(stats["requests"].values()) == 5
    assert len(truth) == 40
    with pytest.raises(URLError):
        ask(f"{url}/_sandbox/health")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_real_clock_cannot_be_moved() -> None:
    with running_sandbox(checks=20) as sandbox:
        health = sandbox.health()
        with pytest.raises(HTTPError) as refused:
            sandbox.set_clock(datetime(2030, 1, 1, tzinfo=UTC))
        refused.value.close()
        assert refused.value.code == 409
        past = parse_instant(health["now"]) - parse_instant(health["epoch"])
        assert timedelta(days=20) <= past <= timedelta(days=21)


def test_a_restarted_sandbox_does_not_replay_its_feed(tmp_path: Path) -> None:
    options: dict[str, Any] = {"virtual": True, "checks": 40, "state": tmp_path / "state.json"}
    lengths = []
    for _ in range(2):
        with running_sandbox(**options) as sandbox:
            sandbox.set_clock(VIRTUAL_EPOCH + timedelta(days=30))
            lengths.append(len(ask(f"{sandbox.url}/{UPDATES}", hireright_authorization(sandbox.url))))
    assert lengths[0] > 0
    assert lengths[1] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    with subprocess.Popen([*COMMAND, f"--ready-file={ready}"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert json.loads(line) == json.loads(ready.read_text())
        assert ask(f"{json.loads(line)['url']}/_sandbox/health")["status"] == "ok"
        process.send_signal(number)
        assert process.wait(10) == 0


def test_the_process_ends_when_its_parent_is_killed() -> None:
    parent = (
        "import sys; from screening_pipeline.sandbox.handle import running_sandbox\n"
        "with running_sandbox(virtual=True, checks=5) as sandbox:\n"
        "    print(sandbox.pid, flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", parent], stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        orphan = int(process.stdout.readline())
        process.kill()
    assert is_gone_within(orphan, seconds=10)


def test_a_sandbox_that_cannot_start_is_reported_and_not_waited_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state.json").write_text('{"world": [], "drained_to": "2026-01-05T00:00:00Z"}')
    with pytest.raises(RuntimeError, match="did not start"), running_sandbox(state=tmp_path / "state.json"):
        pass
    assert "another world" in capfd.readouterr().err


def test_importing_the_server_loads_no_web_framework() -> None:
    code = (
        "import sys, screening_pipeline.sandbox.server, screening_pipeline.sandbox.credentials\n"
        "print([name for name in ('starlette', 'uvicorn', 'holidays', 'httpx') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code]).strip() == b"[]"


def test_options_survive_the_way_over_the_command_line() -> None:
    options = Options(
        port=8123,
        seed=3,
        checks=9,
        epoch=datetime(2026, 3, 1, tzinfo=UTC),
        days=12,
        virtual=True,
        limit_factor=None,
        state=Path("state.json"),
        ready_file=Path("ready.json"),
        exit_with_parent=True,
        workable_polling=False,
    )
    assert Options(**vars(parser().parse_args(options.arguments()))) == options
    assert Options(**vars(parser().parse_args([]))) == Options()


def is_gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if b") Z " in _stat(pid):
            return True
        time.sleep(0.05)
    return False


def _stat(pid: int) -> bytes:
    path = Path(f"/proc/{pid}/stat")
    return path.read_bytes() if path.exists() else b""
