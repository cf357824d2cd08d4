"""A server on loopback that answers byte for byte as a test says, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; `target` is the path and query as sent."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    arrived: float


@dataclass(frozen=True)
class Reply:
    """An answer. `pieces` replaces head and body by raw bytes, floats between them are pauses in seconds.

    `closes`: hang up afterwards.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Iterable[bytes | float] | None = None
    closes: bool = False


def json_reply(value: Any, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **named})


Answering = Callable[[Asked], Reply]


class Loopback:
    """The running server: its `url`, and what it was `asked` so far, in order of arrival."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []

    @property
    def targets(self) -> list[str]:
        return [asked.target for asked in self.asked]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64
    answering: Answering
    loopback: Loopback


class _Handler(socketserver.StreamRequestHandler):
    server: _Server
    timeout = 30
    disable_nagle_algorithm = True

    def handle(self) -> None:
        try:
            while (asked := self._read()) is not None:
                self.server.loopback.asked.append(asked)
                reply = self.server.answering(asked)
                self._send(reply)
                if reply.closes or reply.pieces is not None:
                    return
        except OSError:
            return  # the client hung up, as some tests want it to

    def _read(self) -> Asked | None:
        line = self.rfile.readline().decode("latin-1")
        if not line.strip():
            return None
        arrived = time.monotonic()
        method, target, _ = line.split(" ", 2)
        headers = dict(self._headers())
        body = self.rfile.read(int(headers.get("content-length", "0")))
        return Asked(method, target, headers, body, arrived)

    def _headers(self) -> Iterator[tuple[str, str]]:
        while line := self.rfile.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            yield name.strip().lower(), value.strip()

    def _send(self, reply: Reply) -> None:
        for piece in [_head(reply) + reply.body] if reply.pieces is None else reply.pieces:
            if isinstance(piece, bytes):
                self.wfile.write(piece)
            else:
                time.sleep(piece)


def _head(reply: Reply) -> bytes:
    headers = {"Content-Length": str(len(reply.body)), **reply.headers}
    lines = [f"HTTP/1.1 {reply.status} Said", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@contextmanager
def serving(answering: Answering) -> Iterator[Loopback]:
    """Serve on a free port until the block ends."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.answering = answering
        server.loopback = Loopback(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server.loopback
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def listening(answering: Callable[[socket.socket], None]) -> Iterator[int]:
    """Give every connection to `answering` until the block ends; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=answering, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
