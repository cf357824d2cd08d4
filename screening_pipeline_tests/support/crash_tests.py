"""Real runs killed (SIGKILL) at random points of every stage, each followed by a run that nobody helps.

    python -m screening_pipeline_tests.support.crash_tests [--kills 324] [--drips 60] [--together 3] [--in-a-row 1]
        [--hours 4] [--seed 1] [--checks 300]

The vendors' sandbox is the oracle: after the run that follows a kill, the star must say what the vendors say,
every answer that was acknowledged must be there exactly once, and what the destructive feed has handed out must
have been landed once. Virtual time goes on from kill to kill, in one data folder that is never mended.

This process opens no database and starts no thread: what works is forked from it, so a kill costs a run and not
an interpreter.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import wraps
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

from screening_pipeline.base.clock import StandingClock
from screening_pipeline.base.errors import DiskFull
from screening_pipeline.cycle import erase, pull, settle, take_orders
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.http.feed import Feed
from screening_pipeline.http.transport import Transport
from screening_pipeline.landing.writer import Writer
from screening_pipeline.orchestration import runs
from screening_pipeline.orchestration.instance import instance
from screening_pipeline.privacy import erasure_steps
from screening_pipeline.runtime import bundled_sandbox, opening
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.runtime.results import AccountReport
from screening_pipeline.sandbox.handle import Sandbox, running_sandbox
from screening_pipeline.sandbox.server import VIRTUAL_EPOCH
from screening_pipeline.settings import sandbox_accounts
from screening_pipeline.warehouse import catalog, ingest, loading, publish, rebuild, session, store
from screening_pipeline_tests.support.differential import differences

DAYS = 60
ERASABLE = ("zinc", "workable", "workerchecks")  # what a GoodHire report is linked to would go with it
TRIES = 3
STUCK_SECONDS = 120
RECORDED = 3
RUN_ID = "next"
STEPS = (5, 30, 100)  # files, checks, calls
RULED = ("raw", "star", "ops")
ROOM = 30_000_000  # for any file; the feed wants more before it is asked
DISK_FULL = 3

# Stage → where it begins: the owner and the name of a function that a run enters.
STAGES: dict[str, tuple[Any, str]] = {
    "feed": (Feed, "drain"),
    "fetch": (Transport, "get"),
    "land": (Writer, "land"),
    "load": (loading, "load"),
    "merge": (ingest, "refresh"),
    "publish": (publish, "publish"),
    "create": (store, "_make"),
    "rebuild": (rebuild, "rebuild"),
    "erase": (erasure_steps, "finish"),
}
WHOLE = ("feed", "fetch", "land", "load", "merge", "publish", "create", "rebuild")
Work = Callable[["Notes"], object]


@dataclass
class Killed:
    """What came of it all: kills by stage, and everything that was not as it should be."""

    kills: Counter[str] = field(default_factory=Counter)
    runs_to_the_end: int = 0
    acknowledged: int = 0
    updates_handed_out: int = 0
    updates_landed: int = 0
    gaps: int = 0
    erased: int = 0
    together: int = 0
    full_disks: int = 0
    checks: int = 0
    problems: list[str] = field(default_factory=list)


# ── in a child ─────────────────────────────────────────────────────────────────────────────────────────


class Notes:
    """Tells the parent, through a pipe, what is entered, how long it took, and what was acknowledged."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def say(self, *words: object) -> None:
        """One line; it is out when this returns, whatever happens next."""
        os.write(self._pipe, (" ".join(map(str, words)) + "\n").encode())

    def result(self, value: object) -> None:
        """What the child's work came to; longer than a line of the other kind may be."""
        with os.fdopen(os.dup(self._pipe), "w") as file:
            file.write(f"result {json.dumps(value)}\n")

    def watch(self, live: Path) -> None:
        """Have every stage tell of itself, in this process and no other; and whoever opens the live warehouse.

        The database opens it unseen by Python. Anybody else would make the kernel forget the database's lock.
        """
        sys.addaudithook(lambda event, given: self._opened(given[0], live) if event == "open" else None)
        for stage, (owner, name) in STAGES.items():
            setattr(owner, name, self._watched(stage, getattr(owner, name)))

    def _opened(self, path: object, live: Path) -> None:
        if isinstance(path, str | Path) and str(path) == str(live):
            self.say("opened")

    def _watched(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        if asyncio.iscoroutinefunction(function):

            @wraps(function)
            async def telling(*given: Any, **named: Any) -> Any:
                started = self._entered(stage)
                return self._left(stage, started, await function(*given, **named))

            return telling

        @wraps(function)
        def told(*given: Any, **named: Any) -> Any:
            started = self._entered(stage)
            return self._left(stage, started, function(*given, **named))

        return told

    def _entered(self, stage: str) -> float:
        self.say("entered", stage)
        return time.monotonic()

    def _left(self, stage: str, started: float, found: Any) -> Any:
        self.say("left", stage, time.monotonic() - started)
        if stage == "land":
            self.say("acknowledged", found.response_id)
        return found


# ── the parent ─────────────────────────────────────────────────────────────────────────────────────────


class Ground:
    """One data folder and its sandbox, over which time and kills pass."""

    def __init__(self, folder: Path, sandbox: Sandbox, seed: int, step: timedelta) -> None:
        settings = sandbox_accounts.bundled({"SCREENING_DATA_DIR": str(folder)}, folder)
        settings.paths.create()
        self.settings = bundled_sandbox.at(settings, sandbox.url)
        self.sandbox = sandbox
        self.draw = Random(seed)
        self.now = VIRTUAL_EPOCH
        self.step = step
        self.trials = 0
        self.killed = Killed()
        self._acknowledged: set[str] = set()
        self._erased: set[str] = set()
        self._lengths: dict[str, list[float]] = defaultdict(lambda: [0.01])
        self._entries: Counter[str] = Counter()
        (folder / "sandbox").mkdir()

    def pass_time(self) -> None:
        """Let some hours pass, and the orders of these hours be announced."""
        self.now += self.step
        self.trials += 1
        self.sandbox.set_clock(self.now)
        bundled_sandbox.announce(self.settings, self.sandbox, until=self.now)

    def runtime(self) -> Runtime:
        """A runtime as of now."""
        return opening.build_runtime(self.settings, {}, StandingClock(self.now))

    # ── what is done in children ───────────────────────────────────────────────────────────────────

    def _whole_run(self, _notes: Notes) -> None:
        self._run()

    def _rebuilding(self, _notes: Notes) -> None:
        """Compute everything anew, in as many steps as a large warehouse takes."""
        loading.BATCH_FILES, rebuild.STEP_CHECKS, rebuild.STEP_CALLS = STEPS
        with instance(self.settings.paths, {}) as recorded:
            runs.rebuild(self.runtime(), recorded)

    def _only_the_feed(self, _notes: Notes) -> None:
        account = self.settings.account("hireright", None)
        pull.pull_account(self.runtime(), account, run_id="drip", endpoints={"status_updates"})

    def _erasing(self, vendor: str, check_id: str) -> Work:
        return lambda _notes: erase.erase_check(self.runtime(), vendor, check_id)

    def _drain_and_judge(self, notes: Notes) -> None:
        """What the next run does first: it brings home what the fetcher has, and asks the feed again."""
        self._only_the_feed(notes)
        updates = sum(len(line["messages"]) for line in self._landed() if line["channel"] == "feed")
        landed = Counter(line["response_id"] for line in self._landed())
        notes.result({"problems": [one for one, n in landed.items() if n > 1], "gaps": 0, "updates": updates})

    def _run_and_judge(self, notes: Notes) -> None:
        reports = self._run()
        problems = [f"{r.vendor}: {r.code or r.feed_code}" for r in reports if r.needs_attention]
        with store.reader(self.settings.paths.published) as published:
            facts = session.rows(published, "from star.fact_check")
            gaps = len(session.rows(published, "from ops.feed_gap"))
        problems += differences(self.sandbox, facts, without=self._erased)
        problems += self._broken() + self._not_gone(facts)
        updates = sum(len(line["messages"]) for line in self._landed() if line["channel"] == "feed")
        notes.result({"problems": problems, "gaps": gaps, "updates": updates, "modules": sorted(sys.modules)})

    def _run(self) -> Sequence[AccountReport]:
        """One cycle; every third time as Dagster runs it, and else its steps alone, which cost half as much."""
        if self.trials % RECORDED == 0:
            with instance(self.settings.paths, {}) as recorded:
                return runs.sync(self.runtime(), recorded, is_full=True).reports
        work = self.runtime()
        take_orders.take_orders(work, run_id=RUN_ID)
        request = pull.PullRequest(is_full=True)
        reports = pull.pull_accounts(work, self.settings.accounts, request, run_id=RUN_ID)
        with open_warehouse(work) as connection:
            settle.settle(work, connection)
        with open_warehouse(work) as connection:
            publish.publish(connection, self.settings.paths.published)
        return reports

    def _landed(self) -> Iterator[dict[str, Any]]:
        for file in sorted(self.settings.paths.landing.glob("*/*/*.ndjson")):
            yield from (json.loads(line) for line in file.read_bytes().splitlines())

    def _broken(self) -> list[str]:
        """Rules that do not hold, and answers that are not there exactly once."""
        landed = list(self._landed())
        with open_warehouse(self.runtime()) as live:
            counted = "select response_id, count(*) from staging.response group by all"
            rows = dict(live.execute(counted).fetchall())
            rules = [*catalog.rules(*RULED, is_every_run=False), *catalog.rules(*RULED, is_every_run=True)]
            broken = [r.name for r in rules if not r.is_warning and live.execute(f"from ({r.query}\n)").fetchall()]
        return not_once(self._acknowledged, landed, rows) + [f"broken: {name}" for name in broken]

    def _not_gone(self, facts: Sequence[dict[str, Any]]) -> list[str]:
        text = b"".join(file.read_bytes() for file in self.settings.paths.landing.glob("**/*.ndjson*"))
        known = {row["check_id"] for row in facts}
        return [f"{one}: erased and still there" for one in self._erased if one in known or f'"{one}"'.encode() in text]

    # ── killing ────────────────────────────────────────────────────────────────────────────────────

    def kill_in(self, stage: str, work: Work) -> bool:
        """Have `work` done and kill it within the stage; whether it was (it may have been done before)."""
        usual = self._entries.copy()
        entry = self.draw.randint(1, max(1, self._entries[stage]))
        delay = self.draw.random() * 1.1 * max(self._lengths[stage][-20:])
        pid, lines = self._forked(work)
        for words in lines:
            self._take(words)
            entry -= words[:2] == ["entered", stage]
            if entry == 0:
                time.sleep(delay)
                os.kill(pid, signal.SIGKILL)
                entry = -1
        self._entries = usual
        is_killed = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        self.killed.kills[stage] += is_killed
        return is_killed

    def recover(self, what: str, work: Work | None = None) -> list[str]:
        """The next run, by itself, and what is to be said of what it leaves; the modules that it imported."""
        self._entries.clear()
        pid, lines = self._forked(work or self._run_and_judge)
        found: dict[str, Any] = {"problems": [], "gaps": 0, "updates": -1, "modules": []}
        for words in lines:
            self._take(words)
            if words[0] == "result":
                found = json.loads(" ".join(words[1:]))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.killed.runs_to_the_end += code == 0
        handed_out = self.sandbox.stats()["feed"]["handed_out"]
        problems = found["problems"] + ([f"the next run ended with {code}"] if code else [])
        if found["updates"] != handed_out and not found["gaps"]:
            problems.append(f"feed: {handed_out} handed out, {found['updates']} landed")
        self.killed.problems += [f"after a kill in {what} at {self.now:%d %b %H:%M}: {p}" for p in problems]
        self.killed.updates_handed_out, self.killed.updates_landed = handed_out, found["updates"]
        self.killed.gaps, self.killed.acknowledged = found["gaps"], len(self._acknowledged)
        sys.stderr.write(f"{what}: {json.dumps(vars(self.killed))}\n")
        return list(found.get("modules", []))

    def _take(self, words: list[str]) -> None:
        if words[0] == "entered":
            self._entries[words[1]] += 1
        elif words[0] == "left":
            self._lengths[words[1]].append(float(words[2]))
        elif words[0] == "acknowledged":
            self._acknowledged.add(words[1])
        elif words[0] == "opened":
            self.killed.problems.append("the live warehouse was opened by another than the database")

    # ── what is tried ──────────────────────────────────────────────────────────────────────────────

    def try_run(self, stage: str, *, is_last: bool = True) -> None:
        """One kill within that stage of a whole run; after the last of several in a row, the run that mends it."""
        self.pass_time()
        if stage == "create":
            for file in self.settings.data_dir.glob("warehouse.duckdb*"):
                file.unlink()
        self._until_killed(stage, self._rebuilding if stage == "rebuild" else self._whole_run)
        if is_last:
            self.recover(stage)

    def try_drip(self) -> None:
        """One kill of the orchestrator while the feed's reply drips in, or shortly before or after."""
        self.pass_time()
        self._lengths["feed"] = [0.9]
        self.sandbox.set_faults(1, "dripping")
        self.kill_in("feed", self._only_the_feed)
        self.sandbox.set_faults(0)
        if self.trials % 8 == 0:
            self.recover("a dripping feed")
        else:
            self.recover("a dripping feed", self._drain_and_judge)

    def try_erasing(self) -> None:
        """One kill while a check is erased; where nothing had been begun, it is erased anew."""
        self.pass_time()
        true = [row for row in self.sandbox.truth() if row["vendor"] in ERASABLE and row["announced_at"]]
        row = self.draw.choice([row for row in true if row["check_id"] not in self._erased])
        work = self._erasing(row["vendor"], row["check_id"])
        self.kill_in("erase", work)
        is_begun = (self.settings.data_dir / "erasure.sealed").exists()
        if not is_begun:
            pid, lines = self._forked(work)
            for words in lines:
                self._take(words)
            os.waitpid(pid, 0)
        self._erased.add(row["check_id"])
        self.killed.erased += 1
        self.recover("erase")

    def try_together(self) -> None:
        """Two pipelines started at once on the one data folder: both do their work, or wait for the other."""
        self.pass_time()
        both = [self._forked(self._whole_run) for _ in range(2)]
        for pid, lines in both:
            for words in lines:
                self._take(words)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            self.killed.problems += [f"of two at once, one ended with {code}"] if code else []
        self.killed.together += 1
        self.recover("neither of two")

    def try_full_disk(self) -> None:
        """No room for what the feed may say: the call is not made, and nothing of it is lost."""
        self.pass_time()
        before = self.sandbox.stats()["feed"]
        pid, lines = self._forked(self._without_room)
        for words in lines:
            self._take(words)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        after = self.sandbox.stats()["feed"]
        self.killed.problems += [f"on a full disk: ended with {code}"] if code != DISK_FULL else []
        self.killed.problems += ["on a full disk the feed was asked"] if after != before else []
        self.killed.full_disks += 1
        self.recover("a full disk")

    def _without_room(self, notes: Notes) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            self._only_the_feed(notes)
        except DiskFull:
            os._exit(DISK_FULL)

    def _forked(self, work: Work) -> tuple[int, Iterator[list[str]]]:
        return _forked(work, self.settings.paths.warehouse)

    def _until_killed(self, stage: str, work: Work) -> None:
        for _ in range(TRIES):
            if self.kill_in(stage, work):
                return
            if stage == "create":
                return


def not_once(acknowledged: set[str], landed: Iterable[Mapping[str, Any]], rows: Mapping[str, int]) -> list[str]:
    """Answers that were acknowledged, or landed, and are not there exactly once, on disk and in the tables."""
    lines = Counter(str(line["response_id"]) for line in landed)
    wrong = sorted(one for one in acknowledged | set(lines) if (lines[one], rows.get(one, 0)) != (1, 1))
    return [f"{one}: {lines[one]} lines, {rows.get(one, 0)} rows" for one in wrong]


def _forked(work: Work, live: Path) -> tuple[int, Iterator[list[str]]]:
    """A child that does the work, and the lines it tells until it ends."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _child(work, writer, live)
    os.close(writer)
    return pid, _lines(reader)


def _child(work: Work, pipe: int, live: Path) -> None:
    code = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(STUCK_SECONDS)  # whoever waits for somebody who was killed ends, and is told of
        notes = Notes(pipe)
        notes.watch(live)
        work(notes)
        code = 0
    except BaseException:  # noqa: BLE001 - a child must never return into its parent's code
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _lines(reader: int) -> Iterator[list[str]]:
    with os.fdopen(reader) as file:
        for line in file:
            yield line.split()


def kill(
    folder: Path, *, kills: int, drips: int, together: int, in_a_row: int, hours: float, seed: int, checks: int
) -> Killed:
    """So many kills over all stages, so many while the feed drips, and so many other troubles."""
    shares = {stage: kills // len(STAGES) + (place < kills % len(STAGES)) for place, stage in enumerate(STAGES)}
    with running_sandbox(
        seed=seed, checks=checks, days=DAYS, epoch=VIRTUAL_EPOCH, virtual=True, limit_factor=None
    ) as sandbox:
        ground = Ground(folder, sandbox, seed, timedelta(hours=hours))
        for _ in range(3):
            ground.pass_time()
        _import_what_runs_need(ground.recover("nothing"))
        rounds = [stage for turn in range(max(shares.values())) for stage in WHOLE if turn < shares[stage]]
        for place, stage in enumerate(rounds, start=1):
            ground.try_run(stage, is_last=place % in_a_row == 0 or place == len(rounds))
        for _ in range(drips):
            ground.try_drip()
        for _ in range(together):
            ground.try_together()
            ground.try_full_disk()
        for _ in range(shares["erase"]):
            ground.try_erasing()
        ground.killed.checks = len(sandbox.truth())
        return ground.killed


def _import_what_runs_need(modules: Iterable[str]) -> None:
    """Once, here, and not in every child."""
    from screening_pipeline.orchestration.definitions import defs

    for name in modules:
        with suppress(Exception):  # some are parts of others and cannot be had alone
            import_module(name)
    defs.resolve_job_def("sync")


def main() -> int:
    """Run the long form and print what came of it; 1 where anything was lost, doubled or in need of help."""
    grammar = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    grammar.add_argument("--kills", type=int, default=324)
    grammar.add_argument("--drips", type=int, default=60)
    grammar.add_argument("--together", type=int, default=3)
    grammar.add_argument("--in-a-row", type=int, default=1, help="kills before the run that mends them")
    grammar.add_argument("--hours", type=float, default=4, help="virtual hours from one trial to the next")
    grammar.add_argument("--seed", type=int, default=1)
    grammar.add_argument("--folder", type=Path, help="where to work; a new temporary folder, if not given")
    grammar.add_argument("--checks", type=int, default=300)
    given = vars(grammar.parse_args())
    warnings.simplefilter("ignore")  # Dagster's own, about pydantic
    folder = given.pop("folder") or Path(tempfile.mkdtemp(prefix="kills-"))
    killed = kill(folder, **given)
    sys.stdout.write(json.dumps(vars(killed), indent=2) + "\n")
    shutil.rmtree(folder)
    return int(bool(killed.problems))


if __name__ == "__main__":
    sys.exit(main())
