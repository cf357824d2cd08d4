"""A soak: everything runs at once, and everything goes wrong that can.

    python -m screening_pipeline_tests.support.soak [--minutes 30] [--seed 1] [--checks 150] [--without-pages]
        [--folder FOLDER]

Two receivers, `watch`, Dagster's pages and its daemon run on one data folder, while `sync`, `rebuild`, `erase` and
`report` come and go and a sender pushes. In each round one thing goes wrong: processes are killed or stopped for a
while, the disk fills, the clock jumps, files of some store are damaged. Then nobody hinders anything any more, and
the star has to say what the vendors say, with everything in it that was acknowledged and nobody who was erased; or
the damage was named, and what is said to do about it helps. Real processes, a real file system, the vendors' sandbox
as the oracle.

The disk is filled where a file system can be mounted (as root on Linux), and the clock moves under running processes
where libfaketime is installed; what is not tried is told.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from screening_pipeline.base.errors import ScreeningError
from screening_pipeline.runtime import bundled_sandbox
from screening_pipeline.sandbox.handle import Sandbox, running_sandbox
from screening_pipeline.settings.settings import Settings
from screening_pipeline.warehouse import session, store
from screening_pipeline_tests.support import soak_damage, soak_world
from screening_pipeline_tests.support.differential import differences
from screening_pipeline_tests.support.soak_world import PUSHED, Crowd, MovableClock, Sender

WORLD_DAYS, PAST_DAYS = 30, 12
DISK_MB = 1200
TRIES = 4
ERASABLE = ("zinc", "workable", "workerchecks")  # what another report is linked to would go with it
MISTAKES = ("Traceback (most recent", "mistake of this program")
BUSY = (0, 1, 3, -9)  # done, needs attention, could not: locked, full, damaged
FUTURE = "no_answer_is_of_the_future"
LOOKING = (("doctor", "--deep"), ("sync",), ("status",), ("rejects",))
COMMANDS = ("sync --full", "sync", "rebuild", "report", "erase")


@dataclass
class Told:
    """What came of it. `problems` are all that was not as it should be."""

    minutes: float = 0
    rounds: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    stops: int = 0
    exits: Counter[str] = field(default_factory=Counter)
    damages: Counter[str] = field(default_factory=Counter)
    pushed: int = 0
    tries: int = 0
    erased: int = 0
    checks: int = 0
    not_tried: list[str] = field(default_factory=list)
    slowest_recovery_seconds: float = 0
    problems: list[str] = field(default_factory=list)


@dataclass
class Ground:
    """One data folder, on which all of it happens."""

    folder: Path
    data: Path
    settings: Settings
    sandbox: Sandbox
    clock: MovableClock
    crowd: Crowd
    sender: Sender
    draw: Random
    has_small_disk: bool
    told: Told = field(default_factory=Told)
    erased: set[str] = field(default_factory=set)
    half_erased: dict[str, list[str]] = field(default_factory=dict)
    expected: set[str] = field(default_factory=set)

    # ── what goes wrong ────────────────────────────────────────────────────────────────────────────

    def kill(self) -> None:
        """SIGKILL for whichever process, again and again, while commands run."""
        for _ in range(self.draw.randint(1, 3)):
            command = self._begun()
            while command.poll() is None:
                time.sleep(self.draw.uniform(0.3, 3))
                self.told.kills += self.crowd.signal_one(self.draw, signal.SIGKILL) is not None
                self.crowd.keep_running()

    def stop(self) -> None:
        """SIGSTOP for some of them, for a while, and one command that meets them so."""
        stopped = [self.crowd.signal_one(self.draw, signal.SIGSTOP) for _ in range(3)]
        self.told.stops += len(stopped)
        command = self._begun()
        time.sleep(self.draw.uniform(2, 12))
        for pid in filter(None, stopped):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        command.wait()

    def full_disk(self) -> None:
        """No room, or hardly any, while all of them go on."""
        if not self.has_small_disk:
            return
        soak_world.fill(self.data.parent, self.draw.choice([0, 0, 200, 900, 3000]))
        for words in (["sync", "--full"], ["doctor"], self._words()):
            self._run(*words)
        (self.data.parent / "filling").unlink()

    def jump(self) -> None:
        """Our machine's clock is off by hours or days, and right again."""
        hours = self.draw.choice([-30, -5, -1, 1, 5, 30])
        self.clock.be_off(timedelta(hours=hours))
        if not self.clock.runs:
            self.crowd.end_all()
            self.crowd.keep_running()
        self._run("sync", "--full")
        self._run(*self._words())
        self.clock.be_off(timedelta(0))

    def damage(self) -> None:
        """The power fails, and a file of some store is not what it was; then all of it starts again."""
        self.sender.rest()
        self._run("sync")  # what is gone before anybody has read it, nobody can miss
        self.crowd.end_all()
        there = {name: found for name, one in soak_damage.STORES.items() if (found := one.files(self.data))}
        name = self.draw.choice([*there, "landing", "landing", "warehouse"])
        damaged, file = soak_damage.STORES[name], self.draw.choice(there[name])
        backup = soak_damage.backed_up(self.data, self.folder / "backup")
        old = self.folder / "old" / file.relative_to(self.data)
        how = self.draw.choice([kind for kind in soak_damage.KINDS if kind != "age" or old.exists()])
        soak_damage.KINDS[how](file, self.draw, old if old.exists() else None)
        is_changed = file.read_bytes() != (backup / file.relative_to(self.data)).read_bytes()
        self.crowd.keep_running()
        said = "".join(self._run(*words) for words in LOOKING)
        said += self._run("rebuild") if self.draw.random() < 0.5 else ""
        is_named = any(one in said for one in soak_damage.names_of(file, self.data))
        left = self.wrong()
        told = "named" if is_named else "unnamed"
        if left or (is_named and is_changed):
            self.crowd.end_all()
            damaged.mend(file, self.data, backup)
            self.crowd.keep_running()
            for words in damaged.then:
                said += self._run(*words.split())
        elif not left:
            told += ", made good or of no consequence"
        if left and not is_named:
            self._complain(f"{how} of {file.relative_to(self.data)} was not named: {left[:3]}")
        self.told.damages[f"{name}, {how}: {told}"] += is_changed
        if how != "age" and is_changed and name == "landing" and not is_named:
            self._complain(f"{how} of {file.relative_to(self.data)} went unnoticed")

    # ── what goes on ───────────────────────────────────────────────────────────────────────────────

    def pass_time(self) -> None:
        """Hours pass, and what was ordered in them is announced."""
        self.clock.pass_time(timedelta(hours=self.draw.uniform(0.5, 5)))
        now = self.clock.now()
        self.sandbox.set_clock(now)
        bundled_sandbox.announce(self.settings, self.sandbox, until=now)
        if not self.clock.runs:
            self.crowd.end_all()

    def _words(self) -> list[str]:
        words = self.draw.choice(COMMANDS).split()
        return self._erasing() if words == ["erase"] else words

    def _erasing(self) -> list[str]:
        known = [r["check_id"] for r in self.sandbox.truth() if r["vendor"] in ERASABLE and r["announced_at"]]
        vendors = {r["check_id"]: r["vendor"] for r in self.sandbox.truth()}
        check_id = self.draw.choice([one for one in known if one not in self.erased] or known)
        words = ["erase", "--check", vendors[check_id], check_id, "--account", "sandbox"]
        self.half_erased[check_id] = words
        return words

    def _begun(self) -> Any:
        return self.crowd.start("background", self._words())

    def _run(self, *words: str) -> str:
        return self._tried(*words)[1]

    def _tried(self, *words: str) -> tuple[int, str]:
        code, said = self.crowd.run(*words)
        self.told.exits[f"{words[0]}: {code}"] += 1
        if code not in BUSY or any(mistake in said for mistake in MISTAKES):
            self._complain(f"{' '.join(words)} ended with {code}: {said[-1500:]}")
        return code, said

    def _complain(self, what: str) -> None:
        self.told.problems.append(what)
        sys.stderr.write(f"PROBLEM {what}\n")

    # ── and what has to come of it ─────────────────────────────────────────────────────────────────

    def recover(self, kind: str) -> None:
        """Nobody hinders anything any more: everything has to be there, by itself or as it is said."""
        begun = time.monotonic()
        self.crowd.keep_running()
        self.sender.send()
        left: list[str] = []
        for attempt in range(TRIES):
            said = self._settled()
            left = self.wrong()
            if not left:
                break
            if FUTURE in said:
                self._mend_future(is_waiting=attempt > 0)
        seconds = round(time.monotonic() - begun, 1)
        self.told.slowest_recovery_seconds = max(self.told.slowest_recovery_seconds, seconds)
        if left:
            self._complain(f"after {kind}: {len(left)} left: {left[:5]}; said: {said[-1500:]}")

    def _settled(self) -> str:
        self.expected = set(self.sender.acknowledged)
        for check_id, words in list(self.half_erased.items()):
            if self._tried(*words)[0] == 0:  # it could, which it cannot while somebody holds the warehouse
                self.erased.add(check_id)
                self.half_erased.pop(check_id)
        return self._run("sync", "--full")

    def _mend_future(self, *, is_waiting: bool) -> None:
        """What the page of operations says where the clock was ahead: files of days to come are moved out."""
        self.crowd.end_all()
        today = f"{self.clock.now():%Y-%m-%d}"
        for file in self.data.glob("landing/*/*/*.ndjson"):
            if file.stem > today and file.parent.name != PUSHED:
                shutil.move(file, self.folder / f"future-{file.parent.parent.name}-{file.name}")
        if is_waiting:
            self.clock.pass_time(timedelta(hours=6))
            self.sandbox.set_clock(self.clock.now())
        self.crowd.keep_running()
        self._run("rebuild")

    def wrong(self) -> list[str]:
        """What is not there and should be, and what is there and should not; of what is pushed, as it was before."""
        try:
            with store.reader(self.settings.paths.published) as published:
                facts = session.rows(published, "from star.fact_check")
        except ScreeningError as problem:
            return [f"the snapshot cannot be read: {problem}"]
        pushed = {row["check_id"] for row in facts if row["account"] == PUSHED and row["vendor_status"] == "completed"}
        landed = b"".join(file.read_bytes() for file in self.data.glob("landing/*/*/*.ndjson*"))
        others = [row for row in facts if row["account"] != PUSHED]
        acknowledged = self.expected
        return [
            *differences(self.sandbox, others, without=self.erased | self.half_erased.keys()),
            *(f"{one}: could not be erased" for one in self.half_erased),
            *(f"{one}: acknowledged and not in the star" for one in sorted(acknowledged - pushed)),
            *(f"{one}: acknowledged and not landed" for one in acknowledged if f'"{one}"'.encode() not in landed),
            *(f"{one}: erased and in the star" for one in self.erased & {row["check_id"] for row in facts}),
            *(f"{one}: erased and landed" for one in self.erased if f'"{one}"'.encode() in landed),
        ]

    def round(self, kind: str) -> None:
        """One thing goes wrong, and is over."""
        troubles: dict[str, Callable[[], None]] = {
            "kill": self.kill,
            "stop": self.stop,
            "disk": self.full_disk,
            "clock": self.jump,
            "damage": self.damage,
        }
        self.pass_time()
        self.crowd.keep_running()
        self.sender.send()
        troubles[kind]()
        self.sender.rest()
        self.recover(kind)
        self.told.rounds[kind] += 1
        if sum(self.told.rounds.values()) % 3 == 0:
            self._keep_copy()
        self.told.pushed, self.told.tries = len(self.sender.acknowledged), self.sender.tries
        self.told.erased, self.told.checks = len(self.erased), len(self.sandbox.truth())

    def _keep_copy(self) -> None:
        self.crowd.end_all()
        soak_damage.backed_up(self.data, self.folder / "old")


@contextmanager
def ground(folder: Path, *, seed: int, checks: int, has_pages: bool, pause: float) -> Iterator[Ground]:
    """A new data folder on a disk of its own, and the world around it."""
    with ExitStack() as stack:
        has_disk = stack.enter_context(soak_world.small_disk(folder / "disk", DISK_MB))
        data = folder / "disk" / "data"
        clock = MovableClock(folder)
        sandbox = stack.enter_context(
            running_sandbox(
                seed=seed,
                checks=checks,
                days=WORLD_DAYS,
                epoch=clock.now() - timedelta(days=PAST_DAYS),
                virtual=True,
                limit_factor=None,
            )
        )
        settings, environ = soak_world.configure(folder, data, sandbox.url)
        ports = [soak_world.free_port() for _ in range(2)]
        commands = {f"receiver-{port}": ["webhooks", "--port", str(port)] for port in ports}
        commands |= {"watch": ["watch"]} if clock.runs else {}
        commands |= {"pages": ["dev", "--port", str(soak_world.free_port())]} if clock.runs and has_pages else {}
        crowd = Crowd(folder, environ, clock, commands)
        stack.callback(crowd.end_all)
        sender = Sender(ports, pause)
        stack.enter_context(sender.at_work())
        found = Ground(folder, data, settings, sandbox, clock, crowd, sender, Random(seed), has_disk)
        found.told.not_tried += [] if has_disk else ["a full disk: no file system can be mounted here"]
        found.told.not_tried += [] if clock.runs else ["watch, and a clock that jumps under them: no libfaketime here"]
        yield found


def soak(
    folder: Path, *, minutes: float, seed: int, checks: int, has_pages: bool, kinds: Sequence[str] = (), pause: float
) -> Told:
    """Rounds until the minutes are over, or one of each of `kinds`."""
    begun = time.monotonic()
    with ground(folder, seed=seed, checks=checks, has_pages=has_pages, pause=pause) as found:
        found.pass_time()
        found.recover("nothing")
        found.sender.rest()
        for kind in kinds or _until(begun + 60 * minutes, found):
            found.round(kind)
            found.told.minutes = round((time.monotonic() - begun) / 60, 1)
            sys.stderr.write(f"{json.dumps(vars(found.told))}\n")
    return found.told


def _until(end: float, found: Ground) -> Iterator[str]:
    kinds = ["kill", "stop", "clock", "damage", "damage"] + ["disk"] * found.has_small_disk
    while time.monotonic() < end:
        yield from (kind for kind in found.draw.sample(kinds, len(kinds)) if time.monotonic() < end)


def main() -> int:
    """Run the long form and print what came of it; 1 where anything was lost, doubled, let back in or not told."""
    grammar = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    grammar.add_argument("--minutes", type=float, default=30)
    grammar.add_argument("--seed", type=int, default=1)
    grammar.add_argument("--checks", type=int, default=150)
    grammar.add_argument("--pause", type=float, default=0.3, help="seconds between two pushed messages")
    grammar.add_argument("--kinds", nargs="*", default=(), help="one round of each of these, instead of minutes")
    grammar.add_argument("--without-pages", dest="has_pages", action="store_false")
    grammar.add_argument("--folder", type=Path, help="where to work; a new temporary folder, if not given")
    given = vars(grammar.parse_args())
    folder = given.pop("folder") or Path(tempfile.mkdtemp(prefix="soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started ends with it
    told = soak(folder, **given)
    sys.stdout.write(json.dumps(vars(told), indent=2) + "\n")
    if not told.problems:
        shutil.rmtree(folder)
    return int(bool(told.problems))


if __name__ == "__main__":
    sys.exit(main())
