"""The feed process: makes one call of a destructive feed and outlives the process that started it.

What the vendor hands out is gone at the vendor, so nothing that befalls the pipeline may keep this process
from bringing it to disk: it runs in a session of its own and writes each piece as it arrives. The order comes
through standard input, for it holds the credential.

The file of pieces is a sequence of frames: length (4 bytes), sealed(tag + content). Tags: O opened by who
wants the call, S about to send, H status and headers (JSON), B bytes of the body as sent, E the end (JSON:
failure, seconds).
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO, Self
from urllib.parse import SplitResult, unquote, urlsplit

from screening_pipeline.base import files, sealing
from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.http import wire

OPENED, SENT, HEAD, BODY, END = b"O", b"S", b"H", b"B", b"E"
PURPOSE = "feed"
_LENGTH = struct.Struct(">I")
_PIECE_BYTES = 65536
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class FeedRequest:
    """The request for one feed call: `deadline` in seconds, `limit` in bytes of body, `pieces` a file descriptor."""

    intent: str
    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    deadline: float
    limit: int
    pieces: int
    key: str = field(repr=False)
    is_proxied: bool = False

    def packed(self) -> bytes:
        """The request as bytes for standard input."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def unpacked(cls, content: bytes) -> Self:
        """The request from the bytes of standard input."""
        return cls(**json.loads(content))


class ResponseParts:
    """The writer of a response in sealed frames, as they arrive; a written frame survives this process."""

    def __init__(self, descriptor: int, key: bytes, intent: str, *, count: int) -> None:
        self._descriptor = descriptor
        self._sealer = sealing.Sealer(key, PURPOSE)
        self._intent = intent
        self._count, self._unsynced = count, 0

    def add(self, tag: bytes, content: bytes = b"", *, is_synced: bool = True) -> None:
        """Append one sealed frame, synced to disk if `is_synced`."""
        sealed = self._sealer.seal(tag + content, f"{self._intent} {self._count}")
        files.write_all(self._descriptor, _LENGTH.pack(len(sealed)) + sealed)
        self._count += 1
        self._unsynced += len(sealed)
        if is_synced or self._unsynced >= _PIECE_BYTES:
            files.sync(self._descriptor)
            self._unsynced = 0

    def add_json(self, tag: bytes, value: dict[str, Any]) -> None:
        """Append one sealed and synced frame of JSON."""
        self.add(tag, json.dumps(value).encode())


def frames(file: BinaryIO, key: bytes, intent: str) -> Iterator[tuple[bytes, bytes]]:
    """The (tag, content) of each complete frame of a response file. Raises EnvironmentFailed for another key."""
    sealer, count = sealing.Sealer(key, PURPOSE), 0
    while len(prefix := file.read(_LENGTH.size)) == _LENGTH.size:
        (length,) = _LENGTH.unpack(prefix)
        sealed = file.read(length)
        if length == 0 or len(sealed) < length:  # room that was reserved and not used, or a torn frame
            return
        try:
            plain = sealer.unseal(sealed, f"{intent} {count}")
        except EnvironmentFailed:
            if count == 0:
                raise
            return  # a frame that a power cut left half written
        yield plain[:1], plain[1:]
        count += 1


def room_for(limit: int) -> int:
    """Bytes on disk to reserve for a body of `limit` bytes and its frames."""
    return limit + limit // 8 + _PIECE_BYTES


class _Broken(Exception):
    """The answer cannot be had in full; the only argument is the reason."""


class _Call:
    def __init__(self, order: FeedRequest, pieces: ResponseParts) -> None:
        self._order = order
        self._pieces = pieces
        self._connection = _connection(order)
        self._is_late = self._is_sent = self._has_head = False
        self._is_over = threading.Event()

    def run(self) -> str | None:
        """Make the call; why it brought no whole answer, as a code, or None."""
        watch = threading.Thread(target=self._watch, daemon=True)
        watch.start()
        try:
            self._connection.connect()
            self._pieces.add(SENT)
            self._is_sent = True
            headers = {name: value.encode() for name, value in self._order.headers.items()}
            self._connection.request("GET", _target(self._order.url), headers=headers)
            self._receive(self._connection.getresponse())
        except (OSError, http.client.HTTPException, _Broken) as problem:
            return self._failure(problem)
        finally:
            self._is_over.set()
        return "timeout" if self._is_late else None

    def _watch(self) -> None:
        """Keep the total deadline: cut the connection, and end the process if even that does not help."""
        if self._is_over.wait(self._order.deadline):
            return
        self._is_late = True
        if self._connection.sock is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._connection.sock, socket.SHUT_RDWR)
        if not self._is_over.wait(_GRACE_SECONDS):
            os._exit(1)

    def _receive(self, response: http.client.HTTPResponse) -> None:
        headers = wire.kept(response.getheaders())
        self._pieces.add_json(HEAD, {"http_status": response.status, "headers": headers})
        self._has_head = True
        if 300 <= response.status < 400:
            raise _Broken("redirect")
        expected, received = response.length, 0
        while piece := response.read1(_wanted(expected, received)):
            self._pieces.add(BODY, piece[: self._order.limit - received], is_synced=False)
            received += len(piece)
            if received > self._order.limit:
                raise _Broken("too_large")
        if received < (expected or 0):
            raise _Broken("truncated")

    def _failure(self, problem: Exception) -> str:
        if self._is_late or isinstance(problem, TimeoutError):
            return "timeout"
        if isinstance(problem, _Broken):
            return str(problem)
        if not self._is_sent:
            return "tls" if isinstance(problem, ssl.SSLError) else "connect"
        return "truncated" if self._has_head else "read"


def _wanted(expected: int | None, received: int) -> int:
    return _PIECE_BYTES if expected is None else min(_PIECE_BYTES, expected - received)


def _connection(order: FeedRequest) -> http.client.HTTPConnection:
    parts = urlsplit(order.url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme != "https":  # loopback only; the configuration sees to that
        return http.client.HTTPConnection(host, port, timeout=order.deadline)
    proxy = _proxy(host) if order.is_proxied else None
    first = parts if proxy is None else proxy
    connection = http.client.HTTPSConnection(first.hostname or "", first.port, timeout=order.deadline, context=_trust())
    if proxy is not None:
        connection.set_tunnel(host, port, _proxy_headers(proxy))
    return connection


def _proxy(host: str) -> SplitResult | None:
    from urllib.request import getproxies_environment, proxy_bypass

    found = getproxies_environment().get("https")
    return urlsplit(found) if found and not proxy_bypass(host) else None


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _trust() -> ssl.SSLContext:
    """The authorities that the HTTP client trusts."""
    import certifi

    return ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or certifi.where())


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def main() -> None:
    """Entry point: read the request from standard input and make the call."""
    order = FeedRequest.unpacked(sys.stdin.buffer.read())
    clock = SystemClock()
    started = clock.monotonic()
    pieces = ResponseParts(order.pieces, base64.b64decode(order.key), order.intent, count=1)
    failure = _Call(order, pieces).run()
    pieces.add_json(END, {"failure": failure, "seconds": clock.monotonic() - started})


if __name__ == "__main__":
    main()
