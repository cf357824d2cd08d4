"""SIGKILL of Dagster's own processes while real runs are under way: a step, a run worker, the daemon.

    python -m screening_pipeline_tests.support.dagster_crashes [--steps 20] [--workers 20] [--daemons 20]
        [--seed 1] [--minutes 240]

After each kill the next run must succeed without anybody's help: no slot stuck, no lock held, nothing lost. Runs
execute in process, so a step and its run worker are one process: a step is killed when it has begun, a worker at
any time.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.orchestration.instance import ensure_instance_files
from screening_pipeline.orchestration.keys import PULL
from screening_pipeline.runtime import bundled_sandbox
from screening_pipeline.sandbox.credentials import SECRETS
from screening_pipeline.sandbox.handle import running_sandbox
from screening_pipeline.settings import load
from screening_pipeline.settings.settings import Settings
from screening_pipeline.warehouse import catalog, session, store
from screening_pipeline_tests.support.crash_tests import not_once
from screening_pipeline_tests.support.differential import differences

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent
PATIENCE = 300.0
PID = re.compile(r"pid: (\d+)")
ENDED = ("SUCCESS", "FAILURE", "CANCELED")
ACCOUNTS = """
[[accounts]]
vendor = "zinc"
name = "sandbox"
base_url = "{url}/zinc/partner/v2"
api_key_env = "SANDBOX_ZINC_API_KEY"
requests_per_minute = 6000
[[accounts]]
vendor = "workerchecks"
name = "sandbox"
base_url = "{url}/workerchecks/v1"
widget_secret_env = "SANDBOX_WORKERCHECKS_WIDGET_SECRET"
requests_per_minute = 6000
[[accounts]]
vendor = "hireright"
name = "sandbox"
base_url = "{url}/hireright/connect"
token_url = "{url}/hireright/oauth/token"
client_id_env = "SANDBOX_HIRERIGHT_CLIENT_ID"
client_secret_env = "SANDBOX_HIRERIGHT_CLIENT_SECRET"
status_updates = true
adjudication_expected = true
final_adjudications = ["Approved By Security"]
requests_per_minute = 6000
"""
SELECTOR = {
    "repositoryLocationName": "screening_pipeline.definitions",
    "repositoryName": "__repository__",
    "jobName": "sync",
}
LAUNCH = """mutation($p: ExecutionParams!) { launchRun(executionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } } }"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
LOGS = """query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {
  __typename ... on MessageEvent { message stepKey } } } } }"""


@dataclass
class Told:
    """What came of it: kills by kind, how the killed runs ended, and what was not as it should be."""

    kills: Counter[str] = field(default_factory=Counter)
    killed_runs: Counter[str] = field(default_factory=Counter)
    runs_after_a_kill: Counter[str] = field(default_factory=Counter)
    slowest_end_of_a_killed_run: float = 0.0
    responses: int = 0
    problems: list[str] = field(default_factory=list)


@contextmanager
def process(name: str, *arguments: str, environ: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command of Dagster's, in a session of its own, gone with all it started when the block ends."""
    with log.open("ab") as output:
        started = subprocess.Popen(
            [str(BIN / name), *arguments, "-w", str(ROOT / "workspace.yaml")],
            cwd=ROOT,
            env=environ,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield started
    finally:
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()


class Dagster:
    """A webserver and a daemon on one instance, and runs launched through them."""

    def __init__(self, environ: Mapping[str, str], folder: Path, stack: ExitStack) -> None:
        self._environ, self._log, self._stack = environ, folder / "dagster.log", stack
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}/graphql"
        webserver = process("dagster-webserver", "-h", "127.0.0.1", "-p", str(port), environ=environ, log=self._log)
        stack.enter_context(webserver)
        self.daemon = self._daemon()
        wait_for(self._is_up, "the webserver did not start")

    def _daemon(self) -> subprocess.Popen[bytes]:
        return self._stack.enter_context(process("dagster-daemon", "run", environ=self._environ, log=self._log))

    def kill_daemon(self) -> None:
        """Kill the daemon, and it alone; a supervisor starts another."""
        self.daemon.kill()
        self.daemon.wait()
        self.daemon = self._daemon()

    def _is_up(self) -> bool:
        try:
            return bool(self._ask("{ version }"))
        except OSError:
            return False

    def _ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = Request(self._url, body, {"Content-Type": "application/json"})  # noqa: S310 - always http
        with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
            return json.loads(answer.read())["data"]

    def launch(self, *, is_full: bool = False) -> str:
        """Queue one cycle, for what is due or for everything that is open; the id of its run."""
        ops = {PULL: {"config": {"full": is_full}}}
        params = {"selector": SELECTOR, "runConfigData": {"ops": ops}, "mode": "default"}
        answer = self._ask(LAUNCH, p=params)["launchRun"]
        return str(answer["run"]["runId"])

    def status(self, run_id: str) -> str:
        return str(self._ask(STATUS, id=run_id)["runOrError"]["status"])

    def events(self, run_id: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = self._ask(LOGS, id=run_id)["logsForRun"]["events"]
        return events

    def worker(self, run_id: str) -> int | None:
        """The process that executes the run, once there is one."""
        told = (PID.search(event.get("message") or "") for event in self.events(run_id))
        return next((int(found[1]) for found in told if found), None)

    def has_begun(self, run_id: str, steps: tuple[str, ...]) -> bool:
        begun = {e.get("stepKey") for e in self.events(run_id) if e["__typename"] == "ExecutionStepStartEvent"}
        return bool(begun & set(steps))

    def end(self, run_id: str) -> str:
        """How the run ended; `stuck` where it did not."""
        with suppress(TimeoutError):
            wait_for(lambda: self.status(run_id) in ENDED, "stuck")
            return self.status(run_id)
        return "stuck"


def wait_for(condition: Any, complaint: str, seconds: float = PATIENCE) -> None:
    """Wait until it holds. Raises TimeoutError."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(complaint)
        time.sleep(0.2)


STEPS = ("raw__order", PULL, "star")


def kill_step(dagster: Dagster, draw: Random) -> str:
    """Kill a run when one of its steps has begun; the id of the run."""
    run_id, step = dagster.launch(), draw.choice(STEPS)
    wait_for(lambda: dagster.has_begun(run_id, (step,)) or dagster.status(run_id) in ENDED, "no step began")
    time.sleep(draw.uniform(0, 0.3))
    _kill_worker(dagster, run_id)
    return run_id


def kill_worker(dagster: Dagster, draw: Random) -> str:
    """Kill a run worker at any time of its life; the id of the run."""
    run_id = dagster.launch()
    wait_for(lambda: dagster.worker(run_id) is not None or dagster.status(run_id) in ENDED, "no worker started")
    time.sleep(draw.uniform(0, 8))
    _kill_worker(dagster, run_id)
    return run_id


def kill_daemon(dagster: Dagster, draw: Random) -> str:
    """Kill the daemon while a run is queued, starting, or at work; the id of the run."""
    run_id = dagster.launch()
    time.sleep(draw.uniform(0, 15))
    dagster.kill_daemon()
    return run_id


def _kill_worker(dagster: Dagster, run_id: str) -> None:
    worker = dagster.worker(run_id)
    if worker is not None:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


KINDS = {"step": kill_step, "worker": kill_worker, "daemon": kill_daemon}


def _in_turn(wanted: Mapping[str, int]) -> Iterator[str]:
    for turn in range(max(wanted.values())):
        yield from (kind for kind, count in wanted.items() if turn < count)


def try_kinds(folder: Path, wanted: Mapping[str, int], seed: int, minutes: float) -> Told:
    """So many kills of each kind, for so long at most, each followed by a run that has to succeed."""
    told, draw = Told(), Random(seed)
    with running_sandbox(seed=seed, checks=90, days=30, limit_factor=None) as sandbox, ExitStack() as stack:
        settings, environ = _configured(folder, sandbox.url)
        bundled_sandbox.announce(settings, sandbox, until=datetime.now(UTC))
        dagster = Dagster(environ, folder, stack)
        until = time.monotonic() + 60 * minutes
        for kind in _in_turn(wanted):
            if time.monotonic() < until:
                _try(dagster, kind, draw, told)
                sys.stderr.write(f"{dict(told.kills)} {dict(told.killed_runs)} {dict(told.runs_after_a_kill)}\n")
        told.problems += [] if dagster.end(dagster.launch(is_full=True)) == "SUCCESS" else ["the last run did not end"]
        told.problems += _judged(settings, told)
        with store.reader(settings.paths.published) as published:
            facts = session.rows(published, "from star.fact_check")
        known = {row["vendor"] for row in facts}
        strange = [one for one in differences(sandbox, facts) if one.partition("/")[0] in known]
        told.problems += strange
    return told


def _try(dagster: Dagster, kind: str, draw: Random, told: Told) -> None:
    run_id = KINDS[kind](dagster, draw)
    killed_at = time.monotonic()
    ended = dagster.end(run_id)
    told.kills[kind] += 1
    told.killed_runs[f"{kind}: {ended}"] += 1
    told.slowest_end_of_a_killed_run = max(told.slowest_end_of_a_killed_run, round(time.monotonic() - killed_at, 1))
    after = dagster.end(dagster.launch())
    told.runs_after_a_kill[after] += 1
    if "stuck" in (ended, after) or after != "SUCCESS":
        told.problems.append(f"kill {told.kills[kind]} of a {kind}: the run {ended}, the next one {after}")


def _configured(folder: Path, url: str) -> tuple[Settings, dict[str, str]]:
    file = folder / "screening.toml"
    file.write_text(ACCOUNTS.format(url=url), encoding="utf-8")
    named = {
        "SCREENING_CONFIG": str(file),
        "SCREENING_DATA_DIR": str(folder / "data"),
        "DAGSTER_HOME": str(folder / "dagster"),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        **SECRETS,
    }
    settings = load.load(named, folder)
    ensure_instance_files(settings.paths)
    (settings.data_dir / "sandbox").mkdir()
    return settings, {**os.environ, **named}


def _judged(settings: Settings, told: Told) -> list[str]:
    """Answers that are not there exactly once, and rules that do not hold."""
    landed = [
        json.loads(line) for f in settings.paths.landing.glob("*/*/*.ndjson") for line in f.read_bytes().splitlines()
    ]
    told.responses = len(landed)
    paths = settings.paths
    with store.writer(paths.warehouse, lock_path=paths.warehouse_lock, clock=SystemClock()) as live:
        rows = dict(live.execute("select response_id, count(*) from staging.response group by all").fetchall())
        rules = [r for is_every in (True, False) for r in catalog.rules("raw", "star", "ops", is_every_run=is_every)]
        broken = [r.name for r in rules if not r.is_warning and live.execute(f"from ({r.query}\n)").fetchall()]
    return not_once(set(), landed, rows) + [f"broken: {name}" for name in broken]


def main() -> int:
    """Run it and print what came of it; 1 where anything was stuck, lost or doubled."""
    grammar = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind in KINDS:
        grammar.add_argument(f"--{kind}s", type=int, default=20)
    grammar.add_argument("--seed", type=int, default=1)
    grammar.add_argument("--minutes", type=float, default=240, help="no further kill after so many minutes")
    given = grammar.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="dagster-kills-"))
    told = try_kinds(folder, {kind: getattr(given, f"{kind}s") for kind in KINDS}, given.seed, given.minutes)
    sys.stdout.write(json.dumps(vars(told), indent=2) + "\n")
    if not told.problems:
        shutil.rmtree(folder)
    return int(bool(told.problems))


if __name__ == "__main__":
    sys.exit(main())
