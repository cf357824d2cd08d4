"""What processes tell each other about accounts, and that losing it loses nothing."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from screening_pipeline.base.clock import ManualClock
from screening_pipeline.base.errors import LockHeld, NotWritable
from screening_pipeline.state.sqlite_file import running_boot_id
from screening_pipeline.state.store import State

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW, monotonic=1000.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "state.sqlite"


@pytest.fixture
def state(path: Path) -> State:
    return State(path, boot_id="boot-1")


def silent_seconds(state: State, clock: ManualClock) -> float:
    return state.account("zinc", "uk", clock).silent_seconds


# ── accounts ───────────────────────────────────────────────────────────────────────────────────────


def test_of_an_account_never_heard_of_nothing_is_known(state: State, clock: ManualClock) -> None:
    known = state.account("zinc", "uk", clock)
    assert (known.silent_seconds, known.stopped_code, known.last_error) == (0.0, None, None)
    assert state.accounts(clock) == []


def test_a_silence_holds_for_every_process_and_ends(path: Path, state: State, clock: ManualClock) -> None:
    state.silence("zinc", "uk", 60, clock)
    assert silent_seconds(State(path, boot_id="boot-1"), clock) == 60
    clock.advance(59)
    assert silent_seconds(state, clock) == pytest.approx(1)
    clock.advance(1)
    assert silent_seconds(state, clock) == 0


@pytest.mark.parametrize(
    ("instant", "running"),
    [(NOW, 1060.0), (NOW.replace(minute=1), 1000.0)],
    ids=["the wall clock stands still", "a replay jumps ahead"],
)
def test_a_silence_is_over_when_it_has_passed_on_either_clock(
    state: State, clock: ManualClock, instant: datetime, running: float
) -> None:
    state.silence("zinc", "uk", 60, clock)
    assert silent_seconds(state, ManualClock(instant, running)) == 0


def test_a_wall_clock_set_back_does_not_prolong_a_silence(state: State, clock: ManualClock) -> None:
    state.silence("zinc", "uk", 60, clock)
    assert silent_seconds(state, ManualClock(NOW.replace(year=2020), 1030.0)) == pytest.approx(30)


def test_after_a_reboot_a_silence_is_measured_by_the_wall_clock(path: Path, clock: ManualClock) -> None:
    State(path, boot_id="boot-1").silence("zinc", "uk", 60, clock)
    rebooted = State(path, boot_id="boot-2")
    assert silent_seconds(rebooted, ManualClock(NOW.replace(second=20), 5.0)) == pytest.approx(40)
    assert silent_seconds(rebooted, ManualClock(NOW.replace(minute=2), 5.0)) == 0
    assert silent_seconds(rebooted, ManualClock(NOW.replace(year=2020), 5.0)) == 0


def test_a_shorter_silence_does_not_cut_a_longer_one_short(state: State, clock: ManualClock) -> None:
    state.silence("zinc", "uk", 60, clock)
    clock.advance(10)
    state.silence("zinc", "uk", 5, clock)
    assert silent_seconds(state, clock) == pytest.approx(50)


def test_a_stopped_account_stays_stopped_until_it_is_resumed(state: State, clock: ManualClock) -> None:
    state.stop("zinc", "uk", "forbidden", clock)
    clock.advance(100_000)
    known = state.account("zinc", "uk", clock)
    assert (known.stopped_code, known.stopped_at) == ("forbidden", NOW)
    state.resume("zinc", "uk")
    assert state.account("zinc", "uk", clock).stopped_code is None


def test_resuming_an_account_does_not_break_its_silence(state: State, clock: ManualClock) -> None:
    state.silence("zinc", "uk", 60, clock)
    state.resume("zinc", "uk")
    assert silent_seconds(state, clock) == 60


def test_each_account_keeps_its_own_last_error(state: State, clock: ManualClock) -> None:
    state.note_error("zinc", "uk", "http_500", clock)
    state.note_error("goodhire", "us", "timeout", clock)
    clock.advance(1)
    state.note_error("zinc", "uk", "connect", clock)
    found = [(known.vendor, known.last_error, known.last_error_at) for known in state.accounts(clock)]
    assert found == [("goodhire", "timeout", NOW), ("zinc", "connect", NOW.replace(second=1))]


def test_an_answer_ends_the_doubt_whether_polling_is_offered(state: State, clock: ManualClock) -> None:
    state.note_no_polling("workable", "w", clock)
    assert state.account("workable", "w", clock).no_polling_at == NOW
    state.note_answered("workable", "w", clock)
    known = state.account("workable", "w", clock)
    assert (known.no_polling_at, known.answered_at) == (None, NOW)


# ── ids the vendor does not know ───────────────────────────────────────────────────────────────────


def test_an_id_is_not_found_after_five_in_a_row(state: State, clock: ManualClock) -> None:
    for _ in range(4):
        state.count_not_found("zinc", "uk", "request", "z1", clock)
    assert state.not_found("zinc", "uk") == []
    state.count_not_found("zinc", "uk", "request", "z1", clock)
    assert [missing.check_id for missing in state.not_found("zinc", "uk")] == ["z1"]


def test_one_answer_in_between_starts_the_count_again(state: State, clock: ManualClock) -> None:
    for _ in range(4):
        state.count_not_found("zinc", "uk", "request", "z1", clock)
    state.forget_not_found("zinc", "uk", "request", "z1")
    assert state.count_not_found("zinc", "uk", "request", "z1", clock).times == 1


def test_the_same_id_of_another_subject_or_account_is_another_id(state: State, clock: ManualClock) -> None:
    for subject, account in (("order", "us"), ("i9", "us"), ("order", "eu")):
        state.count_not_found("hireright", account, subject, "0007", clock)
    missing = state.not_found("hireright", "us", at_least=1)
    assert [(found.subject, found.check_id, found.times) for found in missing] == [
        ("i9", "0007", 1),
        ("order", "0007", 1),
    ]


# ── the file ───────────────────────────────────────────────────────────────────────────────────────


def test_only_the_owner_can_read_the_file_and_its_side_files(path: Path, state: State, clock: ManualClock) -> None:
    before = os.umask(0)
    try:
        state.stop("zinc", "uk", "forbidden", clock)
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert {"state.sqlite", "state.sqlite-wal"} <= set(modes)
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_state_deleted_under_a_running_process_is_made_anew(path: Path, state: State, clock: ManualClock) -> None:
    state.stop("zinc", "uk", "forbidden", clock)
    path.unlink()
    state.note_error("zinc", "uk", "timeout", clock)
    other = State(path).account("zinc", "uk", clock)
    assert (other.stopped_code, other.last_error) == (None, "timeout")


def test_the_journal_of_a_deleted_state_is_not_replayed_onto_the_new_one(
    path: Path, state: State, clock: ManualClock
) -> None:
    state.stop("zinc", "uk", "forbidden", clock)
    journal = path.with_name("state.sqlite-wal").read_bytes()
    path.unlink()
    path.with_name("state.sqlite-shm").unlink()
    path.with_name("state.sqlite-wal").write_bytes(journal)
    state.close()
    assert State(path).account("zinc", "uk", clock).stopped_code is None


@pytest.mark.parametrize("content", [b"", b"no database at all, but a text" * 100])
def test_a_file_that_is_no_state_is_set_aside(path: Path, clock: ManualClock, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    State(path).stop("zinc", "uk", "forbidden", clock)
    assert State(path).account("zinc", "uk", clock).stopped_code == "forbidden"
    assert path.with_name("state.sqlite.broken").read_bytes() == content


def test_a_state_of_another_version_is_set_aside(path: Path, state: State, clock: ManualClock) -> None:
    state.stop("zinc", "uk", "forbidden", clock)
    with state.writing() as db:
        db.execute("pragma user_version = 999")
    state.close()
    assert State(path).account("zinc", "uk", clock).stopped_code is None


def test_a_failed_transaction_leaves_nothing(state: State, clock: ManualClock) -> None:
    def fail() -> None:
        with state.writing() as db:
            db.execute("insert into account (vendor, account) values ('zinc', 'uk')")
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert state.accounts(clock) == []


def test_a_state_that_another_process_keeps_is_named(path: Path, state: State, clock: ManualClock) -> None:
    state.accounts(clock)
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("begin immediate")
        with pytest.raises(LockHeld, match="state"):
            State(path, busy_seconds=0.05).stop("zinc", "uk", "forbidden", clock)
    other.close()


def test_a_folder_that_cannot_be_made_is_an_environment_failure(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    with pytest.raises(NotWritable, match="state"):
        State(tmp_path / "data" / "state.sqlite").accounts(clock)


def count(path: Path, times: int) -> None:
    state, clock = State(path), ManualClock(NOW)
    for _ in range(times):
        state.count_not_found("zinc", "uk", "request", "z1", clock)


def counted(path: Path) -> int:
    (missing,) = State(path).not_found("zinc", "uk")
    return missing.times


def test_processes_that_start_at_once_make_one_state_and_lose_no_write(path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=count, args=(path, 25)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0] * 4
    assert counted(path) == 100


def test_threads_share_one_state_object(path: Path) -> None:
    state, clock = State(path), ManualClock(NOW)
    at_once = threading.Barrier(8)

    def work(_: int) -> None:
        at_once.wait()
        for _ in range(20):
            state.count_not_found("zinc", "uk", "request", "z1", clock)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert counted(path) == 160


FORKING = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from screening_pipeline.base.clock import ManualClock
from screening_pipeline.state.store import State

state, clock = State(Path(sys.argv[1])), ManualClock(datetime(2026, 3, 2, 9, tzinfo=UTC))
state.count_not_found("zinc", "uk", "request", "z1", clock)
child = os.fork()
for _ in range(20):
    state.count_not_found("zinc", "uk", "request", "z1", clock)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if child else 0)
"""


def test_a_forked_child_does_not_use_its_parents_connection(path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", FORKING, str(path)], check=True).returncode == 0
    assert counted(path) == 41


def test_where_the_system_names_no_boot_the_name_is_empty(tmp_path: Path) -> None:
    assert running_boot_id(tmp_path / "missing") == ""
