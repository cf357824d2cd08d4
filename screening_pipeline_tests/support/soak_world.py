"""What a soak happens in: a disk of its own, a clock that can be moved, accounts at the sandbox, processes, senders."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from screening_pipeline.sandbox.credentials import ACCOUNT, SECRETS
from screening_pipeline.settings.account import Account
from screening_pipeline.settings.sandbox_accounts import bundled
from screening_pipeline.settings.settings import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
LIBRARIES = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib64/faketime/libfaketime.so.1")
PUSHED = "pushed"
TOKEN = "token-of-a-soak-that-nobody-uses"
PUSH_TOKEN = "PUSH_TOKEN"
MESSAGE = b'{"status": "completed", "results_url": "https://vendor.example", "check": {"result": {"part": "clear"}}}'


class MovableClock:
    """The machine's clock, and what is to be added to it.

    With libfaketime every process sees it, at once and while it runs; without, the time of each command stands.
    """

    def __init__(self, folder: Path) -> None:
        found = [file for pattern in LIBRARIES for file in Path("/").glob(pattern.lstrip("/"))]
        self._library = found[0] if found else None
        self._file = folder / "clock"
        self._passed, self._off = 0.0, 0.0
        self._tell()

    @property
    def runs(self) -> bool:
        return self._library is not None

    def now(self) -> datetime:
        """What time it is where the vendors are."""
        return datetime.now(UTC) + timedelta(seconds=self._passed)

    def pass_time(self, span: timedelta) -> None:
        self._passed += span.total_seconds()
        self._tell()

    def be_off(self, span: timedelta) -> None:
        """Let our machine's clock be off by so much."""
        self._off = span.total_seconds()
        self._tell()

    def _tell(self) -> None:
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{self._passed + self._off:+.0f}\n", encoding="ascii")
        draft.replace(self._file)

    def environ(self) -> dict[str, str]:
        if self._library is None:
            return {"SCREENING_NOW": (self.now() + timedelta(seconds=self._off)).isoformat()}
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",
        }


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """A file system of its own at `folder`; whether there could be one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    is_mounted = os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, kilobytes_left: int) -> None:
    """Take all room but so much."""
    with (disk / "filling").open("wb") as filling, suppress(OSError):
        os.posix_fallocate(filling.fileno(), 0, max(shutil.disk_usage(disk).free - 1024 * kilobytes_left, 1))


def configure(folder: Path, data: Path, url: str) -> tuple[Settings, dict[str, str]]:
    """Every vendor's account at the sandbox, and one that is only pushed to; where it lies, and the environment."""
    settings = bundled({"SCREENING_DATA_DIR": str(data)}, folder)
    file = folder / "screening.toml"
    file.write_text("".join(_account(account, url) for account in settings.accounts) + _PUSHED_ACCOUNT)
    settings.paths.create()
    (data / "sandbox").mkdir()
    named = {"SCREENING_CONFIG": str(file), "SCREENING_DATA_DIR": str(data), PUSH_TOKEN: TOKEN, **SECRETS}
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return settings, {**kept, **named, "PYTHONPATH": str(ROOT), "DAGSTER_DISABLE_TELEMETRY": "yes"}


_PUSHED_ACCOUNT = f"""
[[accounts]]
vendor = "workable"
name = "{PUSHED}"
base_url = "http://127.0.0.1:9"
polling = false
webhook_token_env = "{PUSH_TOKEN}"
"""


def _account(account: Account, url: str) -> str:
    from screening_pipeline.settings.sandbox_accounts import at_sandbox

    placed = at_sandbox(account, url)
    lines = {"vendor": account.vendor, "name": ACCOUNT, "base_url": placed.base_url, "token_url": placed.token_url}
    lines |= {f"{role}_env": variable for role, variable in account.secret_names.items() if variable in SECRETS}
    text = "".join(f'{key} = "{value}"\n' for key, value in lines.items() if value)
    words = ", ".join(f'"{word}"' for word in account.final_adjudications)
    text += f"final_adjudications = [{words}]\n" if words else ""
    text += "adjudication_expected = true\n" if account.adjudication_expected else ""
    text += "status_updates = true\n" if account.status_updates else ""
    return f'\n[[accounts]]\nauth = "{account.auth}"\n{text}requests_per_minute = 6000\n'


# ── processes ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Crowd:
    """The processes of a soak: those that run for long, by name, commands, and all that any of them started."""

    folder: Path
    environ: Mapping[str, str]
    clock: MovableClock
    commands: Mapping[str, list[str]]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def start(self, name: str, words: list[str]) -> subprocess.Popen[bytes]:
        """A command in the background; what it says is kept in its log."""
        environ = {**self.environ, **self.clock.environ(), "SOAK": self.mark}
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "screening_pipeline", *words],
                cwd=self.folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def run(self, *words: str, seconds: float = 240) -> tuple[int, str]:
        """A command to its end: its exit code, and what it said. -9 where it did not end in time."""
        file = self.folder / "command.log"
        file.unlink(missing_ok=True)
        process = self.start("command", list(words))
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        return code, file.read_text(errors="replace")

    def keep_running(self) -> None:
        """Start whatever of the long ones does not run."""
        for name, words in self.commands.items():
            process = self.running.get(name)
            if process is None or process.poll() is not None:
                self.running[name] = self.start(name, words)

    def pids(self) -> list[int]:
        """Every process that carries our mark."""
        marked = f"SOAK={self.mark}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if marked in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
        return found

    def signal_one(self, draw: Random, number: int) -> int | None:
        """Send a signal to one of them, whichever it is; its id."""
        pids = self.pids()
        if not pids:
            return None
        pid = draw.choice(sorted(pids))
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        return pid

    def end_all(self) -> None:
        """SIGKILL for all, as when the power fails."""
        while pids := self.pids():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for process in self.running.values():
                process.poll()
            time.sleep(0.1)
        self.running.clear()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class Sender:
    """Pushes one message for each check, to one receiver after the other, until it is told that it is stored."""

    def __init__(self, ports: list[int], pause: float) -> None:
        self._ports, self._pause = ports, pause
        self.acknowledged: set[str] = set()
        self.tries = 0
        self._is_sending = threading.Event()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._send_all, daemon=True)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            self._thread.join()

    def send(self) -> None:
        self._is_sending.set()

    def rest(self) -> None:
        self._is_sending.clear()

    def _send_all(self) -> None:
        number = 0
        while not self._is_over.is_set():
            if self._is_sending.wait(0.2):
                number += self._is_stored(f"pushed-{number:06d}", self._ports[self.tries % len(self._ports)])
                time.sleep(self._pause)

    def _is_stored(self, check_id: str, port: int) -> bool:
        self.tries += 1
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        try:
            connection.request("PUT", f"/webhooks/workable/{PUSHED}/{check_id}", MESSAGE, headers)
            is_stored = connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        if is_stored:
            self.acknowledged.add(check_id)
        return is_stored
