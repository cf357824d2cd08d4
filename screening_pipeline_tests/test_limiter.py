"""The limit of an account, as its server counts: strictly, in every window, whoever asks."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import mean

import pytest

from screening_pipeline.base.clock import Clock, ManualClock, SystemClock
from screening_pipeline.state.rate_limit import DRIFT, Limiter, NoSlotInTime
from screening_pipeline.state.store import State
from screening_pipeline_tests.support.loopback import Asked, Reply, serving

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
LIMIT = 30
WINDOW = 2.0
LATENCY = 0.01

ASKER = """
import asyncio, http.client, sys, time
from pathlib import Path
from screening_pipeline.base.clock import SystemClock
from screening_pipeline.state.rate_limit import Limiter, NoSlotInTime
from screening_pipeline.state.store import State

path, (port, limit), (window, seconds) = sys.argv[1], map(int, sys.argv[2:4]), map(float, sys.argv[4:])

def ask():
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/")
    connection.getresponse().read()
    connection.close()

async def work(limiter, until):
    while True:
        try:
            async with limiter.slot("zinc", "uk", limit, until=until):
                await asyncio.to_thread(ask)
        except NoSlotInTime:
            return

async def main():
    limiter = Limiter(State(Path(path)), SystemClock(), window_seconds=window, deadline_seconds=0.3)
    until = time.monotonic() + seconds
    await asyncio.gather(*(work(limiter, until) for _ in range(3)))

asyncio.run(main())
"""


def slow(_: Asked) -> Reply:
    time.sleep(LATENCY)
    return Reply(closes=True)


Process = subprocess.Popen[bytes]


@contextmanager
def askers(count: int, path: Path, url: str, seconds: float) -> Iterator[list[Process]]:
    """So many processes that ask as often as they may, for so long."""
    processes = started(count, path, url, seconds)
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def started(count: int, path: Path, url: str, seconds: float) -> list[Process]:
    arguments = [str(path), url.rpartition(":")[2], str(LIMIT), str(WINDOW), str(seconds)]
    return [subprocess.Popen([sys.executable, "-c", ASKER, *arguments]) for _ in range(count)]


def endings(processes: list[Process]) -> set[int]:
    return {process.wait(20) for process in processes}


def over_limit(arrivals: list[float]) -> int:
    """How many calls were one too many in the strictest window that ends with them."""
    times = sorted(arrivals)
    return sum(late - early < WINDOW for early, late in zip(times, times[LIMIT:], strict=False))


def share_of_rate(arrivals: list[float]) -> float:
    """The rate that was used: how long it took to be allowed so many whole limits more, against the least."""
    times = sorted(arrivals)
    more = len(times) // LIMIT - 1
    took = [late - early for early, late in zip(times, times[more * LIMIT :], strict=False)]
    return more * WINDOW / mean(took)


def test_four_processes_together_never_exceed_the_limit_and_use_nearly_all_of_it(tmp_path: Path) -> None:
    with serving(slow) as server:
        with askers(4, tmp_path / "state.sqlite", server.url, 4.2) as processes:
            assert endings(processes) == {0}
        arrivals = [asked.arrived for asked in server.asked]
    assert over_limit(arrivals) == 0
    assert share_of_rate(arrivals) >= 0.95


def test_the_limit_holds_when_a_holder_is_killed_and_another_process_starts(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite"
    with serving(slow) as server:
        with askers(3, state, server.url, 4.2) as processes:
            while len(server.asked) < LIMIT + 10:  # in mid-window
                time.sleep(0.005)
            processes[0].kill()
            with askers(1, state, server.url, 2.0) as restarted:
                assert endings(processes[1:] + restarted) == {0}
        arrivals = [asked.arrived for asked in server.asked]
    assert over_limit(arrivals) == 0
    assert share_of_rate(arrivals) >= 0.8


def test_four_processes_killed_and_replaced_over_and_over_keep_the_limit_and_most_of_the_rate(tmp_path: Path) -> None:
    """Latency varies, and kills fall on whatever is under way: waiting, holding a slot, writing it down."""
    draw = Random(7)

    def uneven(_: Asked) -> Reply:
        time.sleep(draw.uniform(0.0, 3 * LATENCY))
        return Reply(closes=True)

    state = tmp_path / "state.sqlite"
    with serving(uneven) as server, askers(4, state, server.url, 7.0) as processes:
        wait_for(lambda: len(server.asked) > LIMIT)
        for number in range(8):
            time.sleep(draw.uniform(0.2, 0.6))
            processes[number].kill()
            processes.extend(started(1, state, server.url, 7.0 if number < 4 else 3.0))  # the first four are killed too
        assert endings(processes[:8]) == {-signal.SIGKILL}
        assert endings(processes[8:]) == {0}
        arrivals = [asked.arrived for asked in server.asked]
    assert over_limit(arrivals) == 0
    assert share_of_rate(arrivals) >= 0.85


def wait_for(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.005)


def test_threads_with_loops_of_their_own_share_the_limit(tmp_path: Path) -> None:
    state, taken = State(tmp_path / "state.sqlite"), []

    async def take() -> None:
        limiter = Limiter(state, SystemClock(), window_seconds=0.2, deadline_seconds=0.1)
        for _ in range(5):
            async with limiter.slot("zinc", "uk", 4):
                taken.append(time.monotonic())

    threads = [threading.Thread(target=lambda: asyncio.run(take())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = sorted(taken)
    assert len(times) == 20
    assert all(late - early >= 0.2 for early, late in zip(times, times[4:], strict=False))


# ── one process, a clock that moves when told ──────────────────────────────────────────────────────


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW, monotonic=1000.0)


@pytest.fixture
def limiter(tmp_path: Path, clock: ManualClock) -> Limiter:
    return made(tmp_path, clock)


def made(tmp_path: Path, clock: Clock, boot_id: str = "boot-1") -> Limiter:
    state = State(tmp_path / "state.sqlite", boot_id=boot_id)
    return Limiter(state, clock, window_seconds=60.0, deadline_seconds=30.0, jitter=lambda: 0.0)


async def ask(limiter: Limiter, clock: ManualClock, *, limit: int = 2, latency: float = 0.0) -> float:
    """One call; the running time at which it was sent."""
    async with limiter.slot("zinc", "uk", limit):
        sent = clock.monotonic()
        clock.advance(latency)
    return sent


def test_a_slot_comes_back_one_window_after_the_answer_arrived(limiter: Limiter, clock: ManualClock) -> None:
    async def three() -> list[float]:
        return [await ask(limiter, clock, latency=5.0) for _ in range(3)]

    sent = asyncio.run(three())
    assert sent[:2] == [1000.0, 1005.0]
    assert sent[2] == pytest.approx(1005.0 + 60 * (1 + DRIFT))


def test_accounts_do_not_share_slots(limiter: Limiter, clock: ManualClock) -> None:
    async def both() -> None:
        await ask(limiter, clock, limit=1)
        async with limiter.slot("zinc", "de", 1), limiter.slot("goodhire", "uk", 1):
            pass

    asyncio.run(both())
    assert clock.monotonic() == 1000.0


def test_a_holder_that_died_gives_its_slot_back_after_deadline_and_window(
    tmp_path: Path, limiter: Limiter, clock: ManualClock
) -> None:
    async def die() -> None:
        await limiter.slot("zinc", "uk", 1).__aenter__()

    asyncio.run(die())
    sent = asyncio.run(ask(made(tmp_path, clock), clock, limit=1))
    assert sent - 1000.0 >= 30 + 60
    assert sent - 1000.0 <= 3 * 60 + 1


def test_a_call_given_up_in_mid_flight_keeps_its_slot_as_a_dead_holder_does(
    limiter: Limiter, clock: ManualClock
) -> None:
    async def give_up() -> None:
        async with limiter.slot("zinc", "uk", 2):
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(give_up())
    clock.advance(70)
    assert limiter.used_last_window("zinc", "uk") == 1
    clock.advance(21)
    assert limiter.used_last_window("zinc", "uk") == 0


def test_a_call_that_fails_gives_its_slot_back_like_any_other(limiter: Limiter, clock: ManualClock) -> None:
    async def fail() -> None:
        async with limiter.slot("zinc", "uk", 2):
            raise LookupError

    with pytest.raises(LookupError):
        asyncio.run(fail())
    clock.advance(61)
    assert limiter.used_last_window("zinc", "uk") == 0


def test_a_slot_that_was_not_used_is_free_at_once(limiter: Limiter, clock: ManualClock) -> None:
    async def renounce() -> None:
        async with limiter.slot("zinc", "uk", 1) as slot:
            slot.is_used = False

    asyncio.run(renounce())
    assert asyncio.run(ask(limiter, clock, limit=1)) == 1000.0


def test_a_wall_clock_that_jumps_changes_nothing(tmp_path: Path) -> None:
    async def fill(limiter: Limiter, clock: ManualClock) -> None:
        for _ in range(2):
            await ask(limiter, clock)

    for year in (1990, 2090):
        folder = tmp_path / str(year)
        folder.mkdir()
        early = ManualClock(NOW, monotonic=1000.0)
        asyncio.run(fill(made(folder, early), early))
        jumped = ManualClock(NOW.replace(year=year), monotonic=1010.0)
        assert asyncio.run(ask(made(folder, jumped), jumped)) == pytest.approx(1060.06)


def test_after_a_reboot_the_slots_of_the_last_minute_count_from_now(tmp_path: Path) -> None:
    before = ManualClock(NOW, monotonic=9000.0)
    asyncio.run(ask(made(tmp_path, before), before, limit=1))
    rebooted = ManualClock(NOW.replace(second=20), monotonic=3.0)
    sent = asyncio.run(ask(made(tmp_path, rebooted, "boot-2"), rebooted, limit=1))
    assert sent == pytest.approx(3.0 + 60.06)


def test_after_a_reboot_slots_of_long_ago_are_free(tmp_path: Path) -> None:
    before = ManualClock(NOW, monotonic=9000.0)
    asyncio.run(ask(made(tmp_path, before), before, limit=1))
    rebooted = ManualClock(NOW.replace(hour=10), monotonic=3.0)
    assert asyncio.run(ask(made(tmp_path, rebooted, "boot-2"), rebooted, limit=1)) == 3.0


def test_a_lowered_limit_holds_at_once(limiter: Limiter, clock: ManualClock) -> None:
    async def lowered() -> float:
        for _ in range(4):
            await ask(limiter, clock, limit=4, latency=1.0)
        return await ask(limiter, clock, limit=2)

    assert asyncio.run(lowered()) == pytest.approx(1003.0 + 60.06)


def test_no_slot_in_time_is_said_at_once_and_not_waited_for(limiter: Limiter, clock: ManualClock) -> None:
    async def hurried() -> None:
        await ask(limiter, clock, limit=1)
        async with limiter.slot("zinc", "uk", 1, until=1059.0):
            pytest.fail("there was no slot to have")

    with pytest.raises(NoSlotInTime):
        asyncio.run(hurried())
    assert clock.monotonic() == 1000.0


def test_the_used_budget_counts_calls_under_way_and_those_of_the_last_window(
    limiter: Limiter, clock: ManualClock
) -> None:
    async def use() -> list[int]:
        seen = [limiter.used_last_window("zinc", "uk")]
        async with limiter.slot("zinc", "uk", 5):
            seen.append(limiter.used_last_window("zinc", "uk"))
        seen.append(limiter.used_last_window("zinc", "uk"))
        clock.advance(61)
        return [*seen, limiter.used_last_window("zinc", "uk")]

    assert asyncio.run(use()) == [0, 1, 1, 0]


def test_a_slot_costs_little(tmp_path: Path) -> None:
    limiter = Limiter(State(tmp_path / "state.sqlite"), SystemClock())

    async def many(count: int) -> float:
        started = time.process_time()
        for _ in range(count):
            async with limiter.slot("zinc", "uk", 3000):
                pass
        return (time.process_time() - started) / count

    asyncio.run(many(20))
    assert asyncio.run(many(300)) < 0.0015  # 0.1 ms on a quiet machine
