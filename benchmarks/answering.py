"""A vendor as small as can be: a raw asyncio server that answers every call alike and notes when each arrived.

It takes a few dozen microseconds for an answer, so that what is measured is the client. `/figures` tells what it
saw, in seconds of the machine's running clock, `/forget` begins anew.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.request import ProxyHandler, build_opener

PADDING = "x" * 1_200


class Vendor(asyncio.Protocol):
    """One connection. Calls are short and come whole, one after the other."""

    def __init__(self, latency: float, arrivals: list[float]) -> None:
        self._latency = latency
        self._arrivals = arrivals
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        target = data.split(b" ", 2)[1].decode()
        if target in ("/figures", "/forget"):
            self._reply(json.dumps(self._arrivals).encode())
            if target == "/forget":
                self._arrivals.clear()
            return
        self._arrivals.append(time.monotonic())
        body = _body(target.rpartition("/")[2])
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._reply, body)
        else:
            self._reply(body)

    def _reply(self, body: bytes) -> None:
        if not self._transport.is_closing():
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            self._transport.write(head.encode() + body)


def _body(check_id: str) -> bytes:
    """A report that is under way, of 1.5 KB."""
    report: dict[str, object] = {
        "Id": check_id,
        "Candidate": {"FirstName": "Canaria", "LastName": "Testperson", "Email": "canaria@example.invalid"},
        "Status": "Processing",
        "StatusDetails": None,
        "SectionsContainingAlerts": [],
        "RequiredReportActions": [],
        "Remarks": PADDING,
    }
    return json.dumps(report).encode()


async def serve(latency: float) -> None:
    """Serve on a free port of loopback until standard input ends; prints the port."""
    arrivals: list[float] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Vendor(latency, arrivals), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


@contextmanager
def answering(latency: float = 0.0) -> Iterator[str]:
    """A running server; its URL."""
    command = [sys.executable, __file__, str(latency)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        port = process.stdout.readline().decode().strip() if process.stdout else ""
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.communicate()


def arrivals(url: str) -> list[float]:
    """When each call arrived at the server."""
    with build_opener(ProxyHandler({})).open(f"{url}/figures", timeout=10) as answer:
        return sorted(json.load(answer))


@dataclass(frozen=True)
class Kept:
    """How a limit was kept, seen from the server.

    `sliding` and `fixed` count the calls beyond the limit in any window, and in windows of the server's clock.
    """

    calls: int
    share: float
    worst: int
    sliding: int
    fixed: int


def judged(times: Sequence[float], limit: int, window: float) -> Kept:
    """How a limit of so many calls in a window of so many seconds was kept; `share` is of the rate it allows."""
    spans = [later - earlier for earlier, later in zip(times, times[limit:], strict=False)]
    by_clock: dict[int, int] = {}
    for moment in times:
        by_clock[int(moment // window)] = by_clock.get(int(moment // window), 0) + 1
    return Kept(
        calls=len(times),
        share=len(spans) * window / sum(spans) if spans else 0.0,
        worst=_worst(times, window),
        sliding=sum(span < window for span in spans),
        fixed=sum(max(0, count - limit) for count in by_clock.values()),
    )


def _worst(times: Sequence[float], window: float) -> int:
    """The most calls that any window of this length holds."""
    first = worst = 0
    for place, moment in enumerate(times):
        while moment - times[first] >= window:
            first += 1
        worst = max(worst, place - first + 1)
    return worst


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
