"""A store that is damaged, full or read-only is told as what it is, with what to do; `doctor` goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.errors import DiskFull
from screening_pipeline.state.reserve import RESERVE_BYTES, reserve_of
from screening_pipeline.state.store import State
from screening_pipeline_tests.support.commands import Commands

CONFIGURATION = '[[accounts]]\nvendor = "zinc"\nname = "main"\nbase_url = "http://127.0.0.1:9"\npolling = false\n'
COMMANDS = ("sync", "rebuild", "erase --check zinc z1")
KILOBYTE = 1024


class Desk:
    """A folder in which commands are run."""

    def __init__(self, folder: Path, commands: Commands) -> None:
        self.folder, self._commands = folder, commands
        (folder / "data" / "orders").mkdir(parents=True)
        (folder / "screening.toml").write_text(CONFIGURATION)
        (folder / "data" / "orders" / "one.ndjson").write_text('{"vendor": "zinc", "check_id": "z1"}\n')

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def run(self, words: str) -> subprocess.CompletedProcess[str]:
        environ = {"PATH": os.defpath, "HOME": str(self.folder), "DAGSTER_DISABLE_TELEMETRY": "yes"}
        done = self._commands.run(*words.split(), folder=self.folder, environ=environ)
        assert "mistake of this program" not in done.stderr, done.stderr
        return done


@pytest.fixture
def desk(tmp_path: Path, commands: Commands) -> Desk:
    desk = Desk(tmp_path, commands)
    assert desk.run("sync").returncode == 0
    return desk


@pytest.fixture
def small(tmp_path: Path, commands: Commands) -> Iterator[Desk]:
    """A desk on a disk of its own, of 40 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", disk], check=False).returncode
    ):
        pytest.skip("no file system can be mounted here")
    try:
        desk = Desk(disk, commands)
        assert desk.run("sync").returncode == 0
        yield desk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def spoil(file: Path, start: int = 100) -> None:
    """What a bad disk does to all that follows."""
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(start)
        opened.write(b"\xa5" * (size - start))


def fill(desk: Desk, kilobytes_left: int) -> None:
    (desk.folder / "filling").unlink(missing_ok=True)
    free = shutil.disk_usage(desk.folder).free - kilobytes_left * KILOBYTE
    with (desk.folder / "filling").open("wb") as filling:
        os.posix_fallocate(filling.fileno(), 0, max(free, 1))


@pytest.mark.parametrize("name", ["runs.db", "runs/index.db", "../schedules/schedules.db"])
def test_damaged_storage_of_dagster_is_named_with_what_to_do_and_what_is_lost(desk: Desk, name: str) -> None:
    file = (desk.data / "dagster" / "history" / name).resolve()
    for beside in file.parent.glob(f"{file.name}-*"):
        beside.unlink()
    spoil(file)
    done = desk.run("sync")
    if done.returncode:  # what this run has no use for it does not read
        assert done.returncode == 3
        assert f"{file.name} is damaged; move {file}* away; what is lost is the record of earlier runs" in done.stderr
    examined = desk.run("doctor")
    assert f"fail  dagster: {file.name} is damaged" in examined.stdout
    for gone in file.parent.glob(f"{file.name}*"):
        gone.unlink()
    assert desk.run("sync").returncode == 0, "what it says to do helps"


def test_damaged_shared_state_is_named_with_what_to_do_and_what_is_lost(desk: Desk) -> None:
    state = desk.data / "state.sqlite"
    for beside in desk.data.glob("state.sqlite-*"):
        beside.unlink()
    spoil(state, start=4096)  # where the first page is spoilt it is made anew unasked
    examined = desk.run("doctor")
    assert "fail  shared state: " in examined.stdout
    assert "fail  disk" not in examined.stdout
    done = desk.run("sync")
    if done.returncode:
        assert done.returncode == 3
        assert f"state.sqlite is damaged; move {state}* away; what is lost is how often" in done.stderr
    for gone in desk.data.glob("state.sqlite*"):
        gone.unlink()
    assert desk.run("sync").returncode == 0, "what it says to do helps"


@pytest.mark.parametrize("kilobytes", [0, 300, 2000])
def test_a_full_disk_is_told_as_full_whichever_store_notices(small: Desk, kilobytes: int) -> None:
    for words in COMMANDS:
        (small.folder / "filling").unlink(missing_ok=True)
        (small.data / "orders" / "two.ndjson").write_text(f'{{"vendor": "zinc", "check_id": "{words[:2]}"}}\n')
        reserve_of(small.data / "state.sqlite").unlink(missing_ok=True)  # it would be room enough for so few orders
        fill(small, kilobytes)
        done = small.run(words)
        if done.returncode == 0 and kilobytes > 1000:
            continue  # that was enough
        assert done.returncode == 3, done.stdout + done.stderr
        assert "is full: " in done.stderr.splitlines()[-1], words
    (small.folder / "filling").unlink()
    assert small.run("sync").returncode == 0, "with room again nothing has to be mended"


def note_errors(state: State, clock: SystemClock) -> None:
    for number in range(2000):
        state.note_error("zinc", f"{number:0500}", "timeout", clock)


def test_what_an_account_asked_for_can_be_noted_on_a_full_disk(small: Desk) -> None:
    clock, state = SystemClock(), State(small.data / "state.sqlite")
    fill(small, 0)
    for name in ("main", "other"):
        state.silence("zinc", name, 3600, clock)  # the vendor said so, whatever the disk says
    assert state.account("zinc", "other", clock).silent_seconds > 3500
    fill(small, 0)
    with pytest.raises(DiskFull):  # it was the only one
        note_errors(state, clock)
    (small.folder / "filling").unlink()
    assert small.run("sync").returncode == 0
    assert reserve_of(state.path).stat().st_size == RESERVE_BYTES, "with room again there is one again"


def test_doctor_prints_its_whole_list_on_a_full_disk(small: Desk) -> None:
    whole = names(small.run("doctor"))
    fill(small, 0)
    examined = small.run("doctor")
    assert names(examined) >= whole, examined.stdout + examined.stderr
    assert "fail  disk: " in examined.stdout
    assert "ok    shared state: " in examined.stdout  # a reserve is kept for it


def test_doctor_prints_its_whole_list_on_a_read_only_disk(small: Desk) -> None:
    whole = names(small.run("doctor"))
    subprocess.run(["mount", "-o", "remount,ro", small.folder], check=True)
    examined = small.run("doctor")
    assert names(examined) >= whole, examined.stdout + examined.stderr
    assert "fail  shared state: cannot write" in examined.stdout


def names(done: subprocess.CompletedProcess[str]) -> set[str]:
    return {line.split(":")[0].split(maxsplit=1)[1] for line in done.stdout.splitlines() if ":" in line}
