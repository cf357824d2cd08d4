"""Measures the window in which an answer of the destructive feed is nowhere: gone at the vendor, not yet on our disk.

Usage: python tools/window.py [--times N] [--folder DIR]

A server on loopback notes when it lets go of a body; the fetcher's own code notes when it has written the last byte
(from then on its death costs nothing) and when it has synced it (from then on a power cut costs nothing). A network's
latency comes on top.
"""

from __future__ import annotations

import argparse
import http.server
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from screening_pipeline.http import feed_process
from screening_pipeline.http.feed_process import BODY, FeedRequest, ResponseParts

SIZES = (2_000, 20_000, 200_000)
KEY = b"a key for measuring only"


class Window(NamedTuple):
    """Milliseconds from the vendor's letting go until the bytes were written, and until they were synced."""

    written: float
    synced: float


class _Timed(ResponseParts):
    """Pieces that remember when the last one of the body was written."""

    written = 0.0

    def add(self, tag: bytes, content: bytes = b"", *, is_synced: bool = True) -> None:
        super().add(tag, content, is_synced=is_synced)
        if tag == BODY:
            self.written = time.monotonic()


class _Vendor(http.server.ThreadingHTTPServer):
    """Answers every call with as many bytes as its path asks for."""

    let_go = 0.0


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Vendor

    def do_GET(self) -> None:
        body = b"[" + b" " * (int(self.path[1:]) - 2) + b"]"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.server.let_go = time.monotonic()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base says so
        """Say nothing."""


def main(arguments: Sequence[str]) -> int:
    """Print the median, the 95th percentile and the longest for each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--folder", default=None, help="where to write; by default the system's temporary folder")
    given = parser.parse_args(arguments)
    with _vendor() as vendor, tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for size in SIZES:
            windows = [measured(vendor, Path(folder), size) for _ in range(given.times)]
            print(
                f"{size:>7,} bytes: written {_told([w.written for w in windows])}; "
                f"synced {_told([w.synced for w in windows])}"
            )
    return 0


def measured(vendor: _Vendor, folder: Path, size: int) -> Window:
    """One call for a body of that size."""
    descriptor, name = tempfile.mkstemp(dir=folder)
    try:
        pieces = _Timed(descriptor, KEY, "window", count=1)
        url = f"http://127.0.0.1:{vendor.server_port}/{size}"
        order = FeedRequest(intent="window", url=url, headers={}, deadline=30, limit=10**7, pieces=descriptor, key="")
        failure = feed_process._Call(order, pieces).run()  # noqa: SLF001 - what its process does, without the process
        pieces.add_json(feed_process.END, {"failure": failure})
        synced = time.monotonic()
    finally:
        os.close(descriptor)
        Path(name).unlink()
    return Window(1000 * (pieces.written - vendor.let_go), 1000 * (synced - vendor.let_go))


def _told(times: list[float]) -> str:
    ranked = sorted(times)
    return f"{ranked[len(ranked) // 2]:.1f} ms, p95 {ranked[int(0.95 * len(ranked))]:.1f}, at most {ranked[-1]:.1f}"


@contextmanager
def _vendor() -> Iterator[_Vendor]:
    with _Vendor(("127.0.0.1", 0), _Handler) as vendor:
        thread = threading.Thread(target=vendor.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield vendor
        finally:
            vendor.shutdown()
            thread.join()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
