"""Machines that share a world while processes of theirs are killed: pullers, a receiver, sealers, mergers.

`python -m screening_pipeline_tests.support.sharing ANSWERS KILLS` plays the long form and prints what came of it.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from screening_pipeline.base.errors import ScreeningError
from screening_pipeline.cycle.settle import settle
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.domain.exchange import HttpExchange, new_response_id
from screening_pipeline.landing.shared_store import SharedStore
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.runtime.opening import open_runtime
from screening_pipeline_tests.support.machines import KEYS, STATE
from screening_pipeline_tests.support.object_store import object_store
from screening_pipeline_tests.support.postgres import Server, free_port, running_server
from screening_pipeline_tests.support.soak_world import MESSAGE, PUSHED, TOKEN, configure
from screening_pipeline_tests.support.two_engines import LIVE, SHOWN

MACHINES = {"one": -30.0, "two": 0.0, "three": 30.0}
"""Machine → by how many seconds its wall clock is wrong."""
ROLES = ("pull", "pull", "pull", "seal", "seal", "merge", "merge")
_ACCOUNTS = 3


@dataclass
class Machine:
    """A data folder with its configuration, and variables for whoever runs there."""

    folder: Path
    environ: Mapping[str, str]

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", *words]

    def start(self, *words: str, **more: str) -> subprocess.Popen[bytes]:
        """A process on it; what it says is in its log."""
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                self.command(*words), cwd=self.folder, env={**self.environ, **more}, stdout=log, stderr=log
            )


def machines_at(
    folder: Path, url: str, server: Server, environ: dict[str, str], place: str, orders: str
) -> dict[str, Machine]:
    """Machines with an account of each vendor at a sandbox; `environ` gets the variables of what they share."""
    environ |= {name: server.new_database() for name in (STATE, LIVE, SHOWN)}
    environ |= {f"SCREENING_{name}_KEY": key for name, key in KEYS.items()}
    return {name: _machine(folder, name, url, environ, place, orders) for name in MACHINES}


def _machine(folder: Path, name: str, url: str, environ: Mapping[str, str], place: str, orders: str) -> Machine:
    home = folder / name
    (home / "tmp").mkdir(parents=True)
    _, own = configure(home, home / "data", url)
    lake: dict[str, object] = {"engine": "ducklake", "catalog_env": LIVE, "published_catalog_env": SHOWN}
    lake |= {"data_path": str(folder / "live"), "published_data_path": str(folder / "shown")}
    tables: dict[str, dict[str, object]] = {
        "state": {"url_env": STATE},
        "landing": {"url": place},
        "orders": {"url": orders},
        "warehouse": lake,
        "privacy": {"landing_key_env": "SCREENING_LANDING_KEY"},
        "analytics": {"environments": ["sandbox", "production"]},
    }
    with (home / "screening.toml").open("a", encoding="utf-8") as file:
        for table, keys in tables.items():
            file.write(f"\n[{table}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()))
    path = os.pathsep.join((str(Path(__file__).parent / "skew"), own["PYTHONPATH"]))
    wrong = {"PYTHONPATH": path, "SKEW": str(MACHINES[name])}
    return Machine(home, {**own, **environ, **wrong, "TMPDIR": str(home / "tmp")})


# ── what the processes do ──────────────────────────────────────────────────────────────────────────


def main(role: str) -> None:
    """A process of a role, until it is killed."""
    act = {"pull": _pulling, "seal": _sealing, "merge": _merging}[role]
    while True:
        with suppress(ScreeningError), open_runtime(os.environ, Path.cwd()) as runtime:
            act(runtime)
        time.sleep(0.2)


def _pulling(runtime: Runtime) -> None:
    noted = os.open(os.environ["NOTED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for number in itertools.count():
        exchange = _answered(runtime, f"{os.getpid()}-{number}", number % _ACCOUNTS)
        runtime.landing.receive(exchange)
        os.write(noted, f"{exchange.response_id}\n".encode())


def _answered(runtime: Runtime, check_id: str, account: int) -> HttpExchange:
    now = runtime.clock.now()
    return HttpExchange(
        response_id=new_response_id(now, runtime.clock.monotonic()),
        vendor="workerchecks",
        account=f"account {account}",
        subject="check",
        check_id=check_id,
        endpoint="results",
        channel="pull",
        requested_at=now,
        received_at=now,
        run_id="test",
        http_status=200,
        body=json.dumps({"checkId": check_id, "status": "Pending"}).encode(),
    )


def _sealing(runtime: Runtime) -> None:
    store = runtime.landing.store
    assert isinstance(store, SharedStore)
    while True:
        store.seal()
        time.sleep(0.1)


def _merging(runtime: Runtime) -> None:
    while True:
        with open_warehouse(runtime) as connection:
            settle(runtime, connection)
        time.sleep(0.1)


# ── the play ───────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Found:
    """What came of it."""

    acknowledged: set[str] = field(default_factory=set)
    stored: list[str] = field(default_factory=list)
    pushed: int = 0
    kills: int = 0
    crashes: int = 0

    @property
    def lost(self) -> set[str]:
        """What was acknowledged and is nowhere."""
        return self.acknowledged - set(self.stored)

    @property
    def twice(self) -> int:
        """How many rows there are too many."""
        return len(self.stored) - len(set(self.stored))


def play(
    machines: Mapping[str, Machine], server: Server, *, kills: int, crashes: int, enough: Callable[[int], bool]
) -> Found:
    """Have all of them at it, killed one after the other, until so many answers are acknowledged."""
    chance, found = random.Random(7), Found()
    noted = next(iter(machines.values())).folder.parent / "noted"
    homes = itertools.cycle(machines.values())
    crowd = [_Worker(next(homes), role, noted) for role in ROLES]
    with _receiving(next(homes), noted) as receiver:
        victims = [*crowd, receiver]
        for number in itertools.count():
            time.sleep(chance.uniform(0.3, 1.2))
            count = _count(noted)
            if found.kills >= kills and found.crashes >= crashes and enough(count):
                break
            if found.kills < kills:
                victims[chance.randrange(len(victims))].replace()
                found.kills += 1
            if found.crashes < crashes and number and number % max(2, kills // (crashes + 1)) == 0:
                server.crash()
                found.crashes += 1
        for victim in victims:
            victim.end()
    found.acknowledged = set(noted.read_text().split()) if noted.exists() else set()
    merged = everything_merged(next(iter(machines.values())))
    found.stored = [name for name, _ in merged]
    found.pushed = sum(channel == "push" for _, channel in merged)
    return found


def _count(noted: Path) -> int:
    return noted.read_bytes().count(b"\n") if noted.exists() else 0


class _Worker:
    """A process of a role on a machine."""

    def __init__(self, machine: Machine, role: str, noted: Path) -> None:
        self._machine, self._role, self._noted = machine, role, noted
        self._process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        return self._machine.start(__spec__.name if __spec__ else __name__, self._role, NOTED=str(self._noted))

    def replace(self) -> None:
        """Kill it, and start another one."""
        self.end()
        self._process = self._started()

    def end(self) -> None:
        """Kill it."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


class _Receiver(_Worker):
    """The receiver of pushed messages, at a port."""

    def __init__(self, machine: Machine, noted: Path) -> None:
        self.port = free_port()
        super().__init__(machine, "receive", noted)

    def _started(self) -> subprocess.Popen[bytes]:
        return self._machine.start("screening_pipeline", "webhooks", "--port", str(self.port))


@contextmanager
def _receiving(machine: Machine, noted: Path) -> Iterator[_Receiver]:
    receiver, is_over = _Receiver(machine, noted), threading.Event()
    sender = threading.Thread(target=_send, args=(receiver.port, noted, is_over))
    sender.start()
    try:
        yield receiver
    finally:
        is_over.set()
        sender.join()
        receiver.end()


def _send(port: int, noted: Path, is_over: threading.Event) -> None:
    """Send messages, each until it is taken; note the id that it was stored under."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    while not is_over.is_set():
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
                connection.request("POST", f"/webhooks/workable/{PUSHED}", MESSAGE, headers)
                response = connection.getresponse()
                told = json.loads(response.read())
            if response.status == 200:
                with noted.open("a") as file:
                    file.write(f"{told['stored']}\n")
        except (OSError, http.client.HTTPException, ValueError):
            time.sleep(0.1)
        time.sleep(0.01)


STORED = """
import json, os, sys
from pathlib import Path
from screening_pipeline.cycle.settle import settle
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.runtime.opening import open_runtime
with open_runtime(os.environ, Path.cwd()) as runtime:
    runtime.landing.recover()
    with open_warehouse(runtime) as connection:
        settle(runtime, connection)
        rows = connection.execute("select response_id, channel from staging.response").fetchall()
    assert runtime.landing.store._rows.waiting() == {}
print(json.dumps(rows))
"""


def everything_merged(machine: Machine) -> list[tuple[str, str]]:
    """Id and channel of all answers in the star, after a last merge on a machine."""
    command = [sys.executable, "-c", STORED]
    done = subprocess.run(command, cwd=machine.folder, env=machine.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [(name, channel) for name, channel in json.loads(done.stdout.splitlines()[-1])]


def long_form(answers: int, kills: int) -> None:
    """Play with a server and a store of our own; print what came of it."""
    from screening_pipeline_tests.support.postgres import why_missing

    if reason := why_missing():
        sys.exit(reason)
    with tempfile.TemporaryDirectory() as name, running_server() as server, object_store() as store:
        folder, environ = Path(name), dict(store.environ)
        (folder / "orders").mkdir()
        place = store.new_bucket("landing") + "below"
        machines = machines_at(folder, "http://127.0.0.1:9", server, environ, place, f"file://{folder}/orders")
        begun = time.monotonic()
        found = play(machines, server, kills=kills, crashes=min(5, kills // 8), enough=lambda count: count >= answers)
        print(  # noqa: T201
            f"{len(found.acknowledged)} answers acknowledged in {time.monotonic() - begun:.0f} s, {found.kills} kills, "
            f"{found.crashes} crashes of PostgreSQL: {len(found.lost)} lost, {found.twice} twice, "
            f"{len(found.stored)} in the star, {found.pushed} of them pushed"
        )


if __name__ == "__main__":
    if sys.argv[1] in {*ROLES}:
        main(sys.argv[1])
    else:
        long_form(int(sys.argv[1]), int(sys.argv[2]))
