"""Fetches from a local server: calls per second and CPU per call beside httpx and aiohttp; how a limit is kept.

    python benchmarks/fetch.py [--short | --full] [--times N] [--limits]

The server (answering.py) is a process of its own and notes when each call arrives. Speed: as many calls as can be,
by the pipeline's client with what it does for every call (a slot of the limit in SQLite, total deadlines, bounded
bodies, hashing), the same with the landing area behind it (guard, encryption, two syncs), and by bare httpx and
aiohttp. Limits: what the server saw while a limit with room for nothing else was used by one process, and by four of
which one after the other was killed and started again. The full form plays 30 calls in 60 seconds with 300 ms of
latency; the short one the same ten times as fast: 30 in 6 seconds with 30 ms, and so does the jitter weigh more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from answering import Kept, answering, arrivals, judged
from measuring import Cost, Options, is_installed, main, medians, metered, run_part, say, start_part, table

if TYPE_CHECKING:
    import subprocess

    from screening_pipeline.domain.exchange import HttpExchange, LandingReceipt
    from screening_pipeline.settings.account import Account


OURS, LANDING, HTTPX, AIOHTTP = "our client", "our client, landing", "bare httpx", "bare aiohttp"
PROCESSES = 4
AT_ONCE = 4
UNLIMITED = 1_000_000


# ── speed ──────────────────────────────────────────────────────────────────────────────────────────────


def ours(url: str, folder: str, calls: int, at_once: int, is_landing: bool) -> Cost:
    """The pipeline's client; on request with the landing area behind it."""
    from screening_pipeline.base.clock import SystemClock
    from screening_pipeline.landing.area import Landing
    from screening_pipeline.landing.writer import Writer
    from screening_pipeline.vendors import all_vendors

    landing = Landing(Path(folder) / "landing", vendors=all_vendors(), spool_key=b"benchmark", clock=SystemClock())
    writer = Writer(landing, is_bounded=False)

    async def land(exchange: HttpExchange) -> LandingReceipt:
        return await writer.land(exchange)

    sink = land if is_landing else _forget
    account = _account(url, UNLIMITED, at_once)
    with metered() as cost:
        cost.facts = asyncio.run(_pull(account, Path(folder), sink, _ids(calls)))
    return cost


async def _forget(exchange: HttpExchange) -> LandingReceipt:
    from screening_pipeline.domain.exchange import LandingReceipt

    return LandingReceipt(response_id=exchange.response_id, http_status=exchange.http_status, failure=exchange.failure)


def _ids(calls: int) -> list[str]:
    return [f"check-{number:06d}" for number in range(calls)]


def _account(url: str, requests_per_minute: int, at_once: int) -> Account:
    from screening_pipeline.settings.account import Account

    return Account(
        vendor="goodhire",
        name="bench",
        base_url=url,
        auth="api_key",
        secret_names={},
        requests_per_minute=requests_per_minute,
        max_concurrency=at_once,
        calendar="US",
        timezone="UTC",
    )


async def _pull(
    account: Account,
    folder: Path,
    sink: Callable[[HttpExchange], Awaitable[LandingReceipt]],
    ids: list[str],
    *,
    window: float = 60.0,
    seconds: float | None = None,
) -> dict[str, Any]:
    from screening_pipeline.base.clock import SystemClock
    from screening_pipeline.http.batch import Pull
    from screening_pipeline.http.client import AccountClient
    from screening_pipeline.http.transport import Limits
    from screening_pipeline.state.rate_limit import Limiter
    from screening_pipeline.state.store import State
    from screening_pipeline.vendors import vendor

    clock, deadline = SystemClock(), window / 2
    limiter = Limiter(State(folder / "state.sqlite"), clock, window_seconds=window, deadline_seconds=deadline)
    async with AccountClient(
        account,
        vendor(account.vendor),
        secrets={"api_key": "bench"},
        limiter=limiter,
        clock=clock,
        sink=sink,
        run_id="bench",
        limits=Limits(deadline=deadline),
    ) as client:
        pulls = [Pull(subject="report", check_id=check_id) for check_id in ids]
        outcome = await client.pull_all(pulls, seconds=seconds)
    return {"answered": outcome.accepted, "failed": outcome.failed, "left": outcome.left}


def by_httpx(url: str, calls: int, at_once: int) -> Cost:
    """The same calls by httpx alone."""
    import httpx

    async def fetch() -> None:
        limits = httpx.Limits(max_connections=at_once)
        async with httpx.AsyncClient(timeout=30, limits=limits, trust_env=False) as client:

            async def get(target: str) -> None:
                (await client.get(target, headers={"Authorization": "ApiKey bench"})).raise_for_status()

            await _all(url, calls, at_once, get)

    with metered() as cost:
        asyncio.run(fetch())
    return cost


def by_aiohttp(url: str, calls: int, at_once: int) -> Cost:
    """The same calls by aiohttp alone."""
    import aiohttp

    async def fetch() -> None:
        connector = aiohttp.TCPConnector(limit=at_once)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def get(target: str) -> None:
                async with session.get(target, headers={"Authorization": "ApiKey bench"}) as answer:
                    answer.raise_for_status()
                    await answer.read()

            await _all(url, calls, at_once, get)

    with metered() as cost:
        asyncio.run(fetch())
    return cost


async def _all(url: str, calls: int, at_once: int, get: Callable[[str], Any]) -> None:
    waiting = iter(_ids(calls))

    async def work() -> None:
        for check_id in waiting:
            await get(f"{url}/reports/{check_id}")

    await asyncio.gather(*(work() for _ in range(at_once)))


# ── limits ─────────────────────────────────────────────────────────────────────────────────────────────


def puller(url: str, folder: str, limit: int, window: float, until: float, name: str) -> Cost:
    """Ask as often as the limit allows, together with whoever else does, until an instant of the running clock."""
    account = _account(url, limit, AT_ONCE)
    ids = [f"{name}-{number}" for number in range(int(2 * limit * (until - time.monotonic()) / window) + 2 * limit)]
    with metered() as cost:
        seconds = until - time.monotonic()
        cost.facts = asyncio.run(_pull(account, Path(folder), _forget, ids, window=window, seconds=seconds))
    return cost


@dataclass(frozen=True)
class Game:
    """A limit of so many calls in a window (seconds), so many windows long, by a vendor with some latency."""

    limit: int
    window: float
    windows: int
    latency: float

    def played(self, folder: Path, processes: int, is_killing: bool) -> Kept:
        """How the limit was kept by so many processes; on request one after the other is killed and started again."""
        folder.mkdir()
        with answering(self.latency) as url:
            start, names = time.monotonic(), count()
            given = {"url": url, "folder": str(folder), "limit": self.limit, "window": self.window}
            until = start + self.windows * self.window

            def started() -> subprocess.Popen[bytes]:
                name = f"p{next(names)}"
                return start_part("puller", folder / f"{name}.json", until=until, name=name, **given)

            running = [started() for _ in range(processes)]
            for moment, place in _killings(start, until, processes) if is_killing else ():
                time.sleep(max(0.0, moment - time.monotonic()))
                running[place].kill()
                running[place].wait()
                running[place] = started()
            for process in running:
                process.wait()
            return judged(arrivals(url), self.limit, self.window)


def _killings(start: float, until: float, processes: int) -> Iterator[tuple[float, int]]:
    """When which process is killed: each once, evenly over the time."""
    for place in range(processes):
        yield start + (until - start) * (place + 0.6) / (processes + 0.6), place


# ── what is printed ────────────────────────────────────────────────────────────────────────────────────


def plan(options: Options) -> None:
    """Measure and print."""
    calls = options.choose(200, 1_000, 20_000)
    for at_once in () if options.rest.limits else options.choose((8,), (8,), (8, 50)):
        _print_speed(options, calls, at_once)
    _print_limits(options)


def _print_limits(options: Options) -> None:
    """The games are played at the same time: they wait most of it."""
    game = options.choose(Game(20, 1.0, 4, 0.01), Game(30, 6.0, 12, 0.03), Game(30, 60.0, 10, 0.3))
    cases = {
        "one process": (options.folder / "one", 1, False),
        f"{PROCESSES} processes": (options.folder / "four", PROCESSES, False),
        f"{PROCESSES} processes, each killed and restarted once": (options.folder / "killed", PROCESSES, True),
    }
    with ThreadPoolExecutor() as players:
        kept = list(players.map(lambda case: game.played(*case), cases.values()))
    say(
        f"A limit of {game.limit} calls in {game.window:g} s, {1000 * game.latency:.0f} ms of latency, "
        f"{game.windows} windows long; what the server saw:"
    )
    rows = [(name, *asdict(found).values()) for name, found in zip(cases, kept, strict=True)]
    table(("who", "calls", "share of the rate", "worst window", "over (sliding)", "over (fixed)"), rows)


def _print_speed(options: Options, calls: int, at_once: int) -> None:
    folder = options.folder
    with answering() as url:
        given = {"url": url, "calls": calls, "at_once": at_once}
        wanted: dict[str, Callable[[], Cost]] = {
            OURS: lambda: run_part("ours", folder=new(folder), is_landing=False, **given),
            LANDING: lambda: run_part("ours", folder=new(folder), is_landing=True, **given),
            HTTPX: lambda: run_part("by_httpx", **given),
        }
        if is_installed("aiohttp"):
            wanted[AIOHTTP] = lambda: run_part("by_aiohttp", **given)
        costs = medians(options.times, wanted)
    say(f"{calls:,} calls of 1.5 KB, {at_once} at once, without a limit. Medians of {options.times}.")
    base = costs[HTTPX].cpu_s
    rows = [
        (label, calls / cost.wall_s, 1000 * cost.cpu_s / calls, cost.cpu_s / base, cost.peak_mb)
        for label, cost in costs.items()
    ]
    table(("client", "calls a second", "CPU ms a call", f"CPU / {HTTPX}", "peak MB"), rows)


def new(folder: Path) -> str:
    """A folder that was not there yet."""
    for number in count():
        place = folder / f"ours-{number}"
        if not place.exists():
            place.mkdir()
            return str(place)
    raise AssertionError


if __name__ == "__main__":
    main(
        plan,
        {"ours": ours, "by_httpx": by_httpx, "by_aiohttp": by_aiohttp, "puller": puller},
        ("--limits", {"action": "store_true", "help": "only how a limit is kept"}),
    )
