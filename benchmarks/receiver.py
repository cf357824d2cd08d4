"""Pushes messages at the receiver: stored and synced per second, and how long a sender waits, as senders grow.

    python benchmarks/receiver.py [--short | --full] [--times N]

Two servers, each a process of its own: `screening-pipeline webhooks`, which proves, judges and lands each message, and
a bare Starlette handler on the same uvicorn that only appends what it is sent and syncs it in groups. Every sender
keeps a connection and sends its next message when the last was answered. "Strangers" adds idle and half-open
connections, unproven messages, compressed bodies and ones that are too large, which nobody waits for. At last our
receiver is killed again and again under load, and what was answered with 2xx is looked for on the disk.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random
from statistics import quantiles
from tempfile import TemporaryDirectory

from measuring import Cost, Options, environ, main, medians, run_part, table

OURS, BARE = "our receiver", "bare Starlette, group sync"
TOKEN = "token-of-a-benchmark"  # noqa: S105
CONFIG = """
[[accounts]]
vendor = "workable"
name = "ats"
base_url = "https://provider.example/v1"
polling = false
webhook_token_env = "BENCH_TOKEN"
"""
BARE_APP = """
import asyncio, os, sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

waiting, working, file = [], None, os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def write(lines):
    os.write(file, b"".join(lines)); os.fdatasync(file)

async def work():
    while waiting:
        group = waiting[:]; waiting.clear()
        await asyncio.get_running_loop().run_in_executor(None, write, [line for line, _ in group])
        for _, stored in group:
            stored.set_result(None)

async def take(request):
    global working
    stored = asyncio.get_running_loop().create_future()
    waiting.append((await request.body() + b"\\n", stored))
    if working is None or working.done():
        working = asyncio.create_task(work())
    await stored
    return JSONResponse({"stored": True})

import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
app = Starlette(routes=[Route("/webhooks/workable/ats/{id}", take, methods=["PUT"])])
uvicorn.run(app, port=int(sys.argv[2]), log_level="error", access_log=False)
"""


def message(number: int) -> bytes:
    """One pushed message, about as long as a vendor's."""
    result = {f"part_{part}": "clear" for part in range(8)}
    body = json.dumps(
        {"status": "completed", "results_url": "https://provider.example/r/1", "check": {"result": result}}
    )
    return request(f"/webhooks/workable/ats/c{number}", body.encode(), {"Authorization": f"Bearer {TOKEN}"})


def request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    told = {"Host": "x", "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"PUT {path} HTTP/1.1\r\n{head}\r\n".encode() + body


# ── the senders ────────────────────────────────────────────────────────────────────────────────────


class Senders:
    """So many at once, until all messages were sent; what was answered, and how long each took."""

    def __init__(self, port: int, count: int, messages: int) -> None:
        self.port, self.count, self.left = port, count, messages
        self.seconds: list[float] = []
        self.stored: set[bytes] = set()
        self.answers: Counter[int] = Counter()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as senders:
            for _ in range(self.count):
                senders.create_task(self._send())

    async def _send(self) -> None:
        streams = None
        while self.left > 0:
            self.left -= 1
            number = self.left
            streams = streams or await asyncio.open_connection("127.0.0.1", self.port)
            begun = time.perf_counter()
            status, closes = await exchange(*streams, message(number))
            self.seconds.append(time.perf_counter() - begun)
            self.answers[status] += 1
            if status == 200:
                self.stored.add(f'"check_id":"c{number}"'.encode())
            if closes:
                streams[1].close()
                streams = None
        if streams:
            streams[1].close()


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes) -> tuple[int, bool]:
    writer.write(sent)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    await reader.readexactly(length)
    return int(head[9:12]), b"connection: close" in head


async def strangers(port: int, until: asyncio.Event) -> None:
    """Connections that say nothing or half a head, and messages that nobody should wait for."""
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
    for number, (_, writer) in enumerate(held):
        if number % 2:
            writer.write(b"PUT /webhooks/workable/ats/c1 HTTP/1.1\r\nHost: x\r\n")
    proof = {"Authorization": f"Bearer {TOKEN}"}
    odd = (
        request("/webhooks/workable/ats/c1", b"{}", {"Authorization": "Bearer guess"}),
        request("/webhooks/workable/ats/c1", gzip.compress(b"{}" * 1000), proof | {"Content-Encoding": "gzip"}),
        request("/webhooks/workable/ats/c1", b" " * 1_100_000, proof),
    )
    while not until.is_set():
        for sent in odd:
            with suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                await exchange(reader, writer, sent)
                writer.close()
        await asyncio.sleep(0.05)


# ── the servers ────────────────────────────────────────────────────────────────────────────────────


def started(kind: str, folder: Path, port: int) -> subprocess.Popen[bytes]:
    if kind == BARE:
        command = [sys.executable, "-c", BARE_APP, str(folder / "lines"), str(port)]
    else:
        (folder / "screening.toml").write_text(CONFIG)
        command = [sys.executable, "-m", "screening_pipeline", "webhooks", "--port", str(port)]
    given = {**environ(), "BENCH_TOKEN": TOKEN, "SCREENING_DATA_DIR": str(folder / "data")}
    return subprocess.Popen(command, cwd=folder, env=given, stdout=subprocess.DEVNULL)


async def pushed(port: int, senders: int, messages: int, *, has_strangers: bool) -> Senders:
    for _ in range(300):
        with suppress(OSError):
            (await asyncio.open_connection("127.0.0.1", port))[1].close()
            break
        await asyncio.sleep(0.1)
    found, over = Senders(port, senders, messages), asyncio.Event()
    crowd = asyncio.create_task(strangers(port, over)) if has_strangers else None
    await asyncio.sleep(0.5 if crowd else 0)
    await found.run()
    over.set()
    if crowd:
        await crowd
    return found


def load(*, kind: str, senders: int, messages: int, has_strangers: bool) -> Cost:
    """One server under one load. CPU and memory are the server's."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    port = 20_000 + os.getpid() % 20_000
    with TemporaryDirectory() as folder, started(kind, Path(folder), port) as server:
        try:
            asyncio.run(pushed(port, 5, 300, has_strangers=False))  # until it is up and warm
            before = usage(server.pid)[0]
            begun = time.perf_counter()
            found = asyncio.run(pushed(port, senders, messages, has_strangers=has_strangers))
            cpu, peak = usage(server.pid)
        finally:
            server.terminate()
        wall = sum(found.seconds) / senders
        cuts = quantiles(found.seconds, n=100)
        facts = {
            "stored_per_s": found.answers[200] / wall,
            "p50_ms": cuts[49] * 1000,
            "p99_ms": cuts[98] * 1000,
            "refused": sum(found.answers.values()) - found.answers[200],
        }
        return Cost(cpu_s=cpu - before, wall_s=time.perf_counter() - begun, peak_mb=peak, facts=facts)


def killed(*, senders: int, kills: int) -> Cost:
    """Our receiver killed under load; what was answered with 2xx and is not on the disk."""
    port, draw = 20_000 + os.getpid() % 20_000, Random(1)
    stored: set[bytes] = set()
    with TemporaryDirectory() as folder:
        for number in range(1, kills + 1):
            with started(OURS, Path(folder), port) as server:
                most = 1_000_000 * number  # more than can be sent, so that no two are called the same
                stored |= asyncio.run(until_killed(server, port, senders, most, draw.uniform(0.2, 1.5)))
        landed = b"".join(file.read_bytes() for file in Path(folder).glob("data/landing/*/*/*.ndjson"))
    there = set(re.findall(rb'"check_id":"c\d+"', landed))
    return Cost(facts={"acknowledged": len(stored), "missing": len(stored - there)})


async def until_killed(
    server: subprocess.Popen[bytes], port: int, senders: int, messages: int, seconds: float
) -> set[bytes]:
    """The messages that were answered with 200 by a server that is killed so many seconds after it is up."""
    await pushed(port, 1, 1, has_strangers=False)
    found = Senders(port, senders, messages)
    sending = asyncio.create_task(found.run())
    await asyncio.sleep(seconds)
    server.kill()
    with suppress(ExceptionGroup):  # connections that broke
        await sending
    return found.stored


def usage(pid: int) -> tuple[float, float]:
    """CPU seconds so far, and the highest memory in MB."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), peak


def plan(options: Options) -> None:
    counts = options.choose([5], [5, 50, 500], [5, 50, 500, 2000])
    messages = options.choose(300, 3_000, 20_000)
    cases = [(senders, strange) for senders in counts for strange in (False, True)]
    wanted = {
        f"{kind}/{senders}/{strange}": lambda k=kind, s=senders, x=strange: run_part(
            "load", kind=k, senders=s, messages=messages, has_strangers=x
        )
        for senders, strange in cases
        for kind in (OURS, BARE)
        if not (strange and kind == BARE)
    }
    costs = medians(options.times, wanted)
    rows = []
    for name, cost in costs.items():
        kind, senders, strange = name.split("/")
        told = cost.facts
        rows.append(
            (
                kind,
                f"{int(senders):,}" + (", strangers" if strange == "True" else ""),
                f"{told['stored_per_s']:,.0f}",
                f"{told['p50_ms']:.1f}",
                f"{told['p99_ms']:.1f}",
                f"{told['refused']:,.0f}",
                f"{cost.cpu_s:.1f}",
                f"{cost.peak_mb:.0f}",
            )
        )
    table(("server", "senders", "stored a second", "p50 ms", "p99 ms", "refused", "CPU s", "memory MB"), rows)
    kills = options.choose(2, 5, 20)
    told = run_part("killed", senders=50, kills=kills).facts
    print(f"\nKilled {kills} times under 50 senders: {told['acknowledged']:,} acknowledged, {told['missing']} missing.")


if __name__ == "__main__":
    main(plan, {"load": load, "killed": killed})
