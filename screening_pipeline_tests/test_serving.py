"""`dev`, `serve` and `watch` as processes: pages behind a guard, ended by SIGTERM with 0, also in the background."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from screening_pipeline.orchestration.guard import Guard
from screening_pipeline.runtime import bundled_sandbox
from screening_pipeline.sandbox.server import VIRTUAL_EPOCH
from screening_pipeline_tests.support.loopback import listening

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SENSORS = "{repositoriesOrError{... on RepositoryConnection{nodes{sensors{name}}}}}"
ROOT = Path(__file__).parent.parent


def _shown(request: Request) -> PlainTextResponse:
    return PlainTextResponse("pages")


@pytest.fixture(scope="module")
def guarded() -> Iterator[int]:
    """The port of a real server behind the guard."""
    routes = [Route(path, _shown, methods=["GET", "POST"]) for path in ("/", "/graphql", "/below/graphql")]
    app = Guard(Starlette(routes=routes), {"localhost", "127.0.0.1", "dagster.example"})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


CASES: list[tuple[str, str, Mapping[str, str], int]] = [
    ("GET", "/", {"Host": "localhost:3000"}, 200),
    ("GET", "/", {"Host": "127.0.0.1"}, 200),
    ("GET", "/", {"Host": "DAGSTER.example."}, 200),
    ("GET", "/", {"Host": "evil.example"}, 421),
    ("GET", "/", {"Host": "localhost.evil.example"}, 421),
    ("GET", "/", {"Host": "localhost@evil.example"}, 421),
    ("GET", "/", {"Host": "[::"}, 421),
    ("POST", "/graphql", {"Host": "localhost", "Origin": "http://localhost:3000"}, 200),
    ("POST", "/graphql", {"Host": "localhost", "Origin": "http://evil.example"}, 403),
    ("POST", "/graphql", {"Host": "localhost", "Origin": "null"}, 403),
    ("POST", "/graphql", {"Host": "localhost"}, 200),
    ("GET", "/graphql?query=mutation{x}", {"Host": "localhost", "Accept": "*/*"}, 405),
    ("GET", "/below/graphql?query={x}", {"Host": "localhost", "Accept": "image/avif"}, 405),
    ("GET", "/graphql", {"Host": "localhost", "Accept": "text/html"}, 200),
]


@pytest.mark.parametrize(("method", "path", "headers", "status"), CASES, ids=[f"{c[0]} {c[1]} {c[2]}" for c in CASES])
def test_the_guard_lets_through_what_this_machine_asks(
    guarded: int, method: str, path: str, headers: Mapping[str, str], status: int
) -> None:
    assert sent(guarded, method, path, headers=dict(headers))[0] == status


def sent(port: int, method: str, path: str, body: str | None = None, **others: Any) -> tuple[int, str]:
    """The status and the body of one answer."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, path, body, **others)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@contextmanager
def started(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A command as a shell starts it in the background: SIGINT is ignored."""
    bundled_sandbox.World(7, 12, VIRTUAL_EPOCH, 4).keep(folder / "data" / "sandbox")
    environ = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "screening_pipeline", *words],
            cwd=folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        yield process
    finally:
        process.terminate()  # so that it ends what it has started
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=40)
        process.kill()
        process.communicate()


def until(condition: Callable[[], bool], process: subprocess.Popen[str], *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.1)


def test_sigterm_ends_watch_in_the_background_with_0(tmp_path: Path) -> None:
    with started(tmp_path, "watch") as process:
        assert process.stdout
        assert "calls" in process.stdout.readline()  # a Dagster run has been, after which it minds SIGTERM like SIGINT
        process.send_signal(signal.SIGTERM)
        assert (process.wait(20), process.communicate()[1]) == (0, "")


@pytest.mark.slow
def test_ctrl_c_still_ends_watch_with_130(tmp_path: Path) -> None:
    with started(tmp_path, "watch") as process:
        assert process.stdout
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130


def free_port() -> int:
    with listening(lambda _: None) as port:
        return port


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_dev_serves_the_pages_runs_the_daemon_and_ends_with_0(tmp_path: Path) -> None:
    port = free_port()
    with started(tmp_path, "dev", "--port", str(port)) as process:
        until(lambda: answers(port), process)
        until(lambda: "notifications" in asked(port, SENSORS), process, seconds=100)
        assert sent(port, "GET", "/graphql?query=%7Bversion%7D")[0] == 405
        until(lambda: "daemon" in alive(tmp_path), process, seconds=120)
        assert len(working_in(tmp_path)) >= 5, "with us: pages, daemon, the server of the code, what has it loaded"
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
    assert working_in(tmp_path) == []
    assert not answers(port)


def working_in(folder: Path) -> list[int]:
    """The processes whose working directory that is: a command, and whatever it has started."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if link.readlink() == folder:
                found.append(int(link.parent.name))
    return found


EVENTS = """query Events($run: ID!) {logsForRun(runId: $run, limit: 5000) {... on EventConnection {events {__typename
  ... on MaterializationEvent {assetKey {path}} ... on AssetMaterializationPlannedEvent {assetKey {path}}
  ... on AssetCheckEvaluationPlannedEvent {check: assetKey {path} checkName}
  ... on AssetCheckEvaluationEvent {evaluation {check: assetKey {path} checkName}}}}}}"""
PRESSED = """{runsOrError(filter: {pipelineName: "__ASSET_JOB"}) {... on Runs {results {runId status}}}}"""
Told = Mapping[str, Any]


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(600)
def test_everything_is_made_each_time_the_button_is_pressed_and_no_page_says_otherwise(
    browser: Browser, tmp_path: Path
) -> None:
    port = free_port()
    with started(tmp_path, "dev", "--port", str(port)) as process:
        until(lambda: answers(port), process)
        until(lambda: "notifications" in asked(port, SENSORS), process, seconds=100)
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        for time_pressed in (1, 2):
            press(page, port)
            until(lambda count=time_pressed: done(port) == count, process, seconds=150)  # type: ignore[misc]
        made = (tmp_path / "data" / "dagster" / "history" / "runs").glob(".empty-*.db")
        assert [*made], "what the daemon starts writes events by our log, in small files"
        for run in told_of(port, PRESSED)["runsOrError"]["results"]:
            events = told_of(port, EVENTS, run=run["runId"])["logsForRun"]["events"]
            assert run["status"] == "SUCCESS"
            assert len(keys(events, "AssetMaterializationPlannedEvent")) > 80
            assert keys(events, "AssetMaterializationPlannedEvent") == keys(events, "MaterializationEvent")
            assert keys(events, "AssetCheckEvaluationPlannedEvent") <= keys(events, "AssetCheckEvaluationEvent")
        for path, expected in (("/assets", "Materialized"), ("/assets/star/fact_check?view=checks", "Succeeded")):
            page.goto(f"http://127.0.0.1:{port}{path}")
            page.get_by_text(expected).first.wait_for()
            assert not [word for word in DOUBTS if word in page.inner_text("body").lower()], path


DOUBTS = ("unsynced", "not evaluated", "never materialized", "overdue")


def press(page: Page, port: int) -> None:
    """Press the button of the graph."""
    page.goto(f"http://127.0.0.1:{port}/asset-groups")
    page.get_by_role("button", name="Materialize all").click()
    page.get_by_text("Launched run").wait_for()


def told_of(port: int, query: str, **variables: str) -> Told:
    """What Dagster answers to a query, which it understands."""
    headers = {"Content-Type": "application/json"}
    answer = json.loads(
        sent(port, "POST", "/graphql", json.dumps({"query": query, "variables": variables}), headers=headers)[1]
    )
    assert "errors" not in answer, answer
    found: Told = answer["data"]
    return found


def done(port: int) -> int:
    """How many runs that somebody put together have ended."""
    found = told_of(port, PRESSED)["runsOrError"]["results"]
    return sum(run["status"] in ("SUCCESS", "FAILURE", "CANCELED") for run in found)


def keys(events: Sequence[Told], kind: str) -> set[tuple[str, ...]]:
    """What events of a kind are about: an asset, or a check of one."""
    told = [event.get("evaluation", event) for event in events if event["__typename"] == kind]
    return {(*(one.get("check") or one["assetKey"])["path"], one.get("checkName", "")) for one in told}


def answers(port: int) -> bool:
    try:
        return sent(port, "GET", "/server_info")[0] == 200
    except OSError:
        return False


def asked(port: int, query: str) -> str:
    headers = {"Content-Type": "application/json"}
    return sent(port, "POST", "/graphql", json.dumps({"query": query}), headers=headers)[1]


def alive(folder: Path) -> set[str]:
    from screening_pipeline.state import pulse
    from screening_pipeline.state.pull_queue import PullQueue
    from screening_pipeline.state.store import State

    state = folder / "data" / "state.sqlite"
    return set(pulse.pulse(PullQueue(State(state))).alive) if state.exists() else set()


@pytest.mark.slow
def test_pages_and_daemon_that_begin_at_once_make_one_storage(tmp_path: Path) -> None:
    """As in containers: left to themselves they write two versions into it, and nobody can open it again."""
    port = free_port()
    with (
        started(tmp_path, "serve", "--only", "pages", "--port", str(port)) as pages,
        started(tmp_path, "serve", "--only", "daemon") as daemon,
    ):
        until(lambda: answers(port), pages)
        until(lambda: "daemon" in alive(tmp_path), daemon)
        with closing(sqlite3.connect(tmp_path / "data" / "dagster" / "schedules" / "schedules.db")) as connection:
            assert len(connection.execute("select version_num from alembic_version").fetchall()) == 1


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    words = ("serve", "--only", "pages", "--port")
    with listening(lambda _: None) as port, started(tmp_path, *words, str(port)) as process:
        said = process.communicate(timeout=60)[1]
    assert (process.returncode, f"port {port}: Address already in use" in said) == (3, True), said
