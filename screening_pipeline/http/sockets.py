"""Connections for httpcore on asyncio alone: the bytes of a socket, with or without TLS, and nothing of HTTP.

httpcore brings a layer that runs on several event loops; it costs as much as all of a call's framing. What HTTP means
is left to httpcore and h11 as before.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore

# So much is kept of what nobody has read yet before the other side is let wait.
MOST_UNREAD = 256 * 1024
# How long one address is waited for before the next is tried beside it, as RFC 8305 has it.
NEXT_ADDRESS_SECONDS = 0.25


class Sockets(httpcore.AsyncNetworkBackend):
    """Opens connections in the running event loop. The caller keeps time: no timeout is heeded here."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises httpcore.ConnectError."""
        loop = asyncio.get_running_loop()
        with _told_as(httpcore.ConnectError):
            _, stream = await loop.create_connection(
                Stream, host, port, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, interleave=1
            )
        return stream

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Stream(httpcore.AsyncNetworkStream, asyncio.Protocol):
    """One connection: what has come and was not read, and whether more may come."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._unread = bytearray()
        self._is_over = False
        self._problem: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._is_paused = False

    # ── what asyncio tells ─────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if len(self._unread) > MOST_UNREAD and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        _wake(self._reader)

    def eof_received(self) -> bool:
        self._is_over = True
        _wake(self._reader)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over, self._problem = True, exc
        _wake(self._reader)
        self.resume_writing()

    def pause_writing(self) -> None:
        self._writer = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        _wake(self._writer)
        self._writer = None

    # ── what httpcore asks ─────────────────────────────────────────────────────────────────────────

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Some of the next bytes; none at the end. Raises httpcore.ReadError."""
        while not self._unread and not self._is_over:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        if not self._unread and self._problem is not None:
            raise httpcore.ReadError(str(self._problem)) from self._problem
        found = bytes(self._unread[:max_bytes])
        del self._unread[:max_bytes]
        if self._is_paused and not self._unread and not self._is_over:
            self._is_paused = False
            self._transport.resume_reading()
        return found

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Hand bytes to the system, at its pace. Raises httpcore.WriteError."""
        if self._transport.is_closing():
            raise httpcore.WriteError("the connection is closed") from self._problem
        if buffer:
            self._transport.write(buffer)
        if self._writer is not None:
            await self._writer

    async def aclose(self) -> None:
        """Close at once. What was written and has not gone is dropped: nobody waits for an answer to it."""
        self._transport.abort()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """The same connection with TLS. Raises httpcore.ConnectError."""
        loop, secured = asyncio.get_running_loop(), Stream()
        with _told_as(httpcore.ConnectError):
            try:
                transport = await loop.start_tls(self._transport, secured, ssl_context, server_hostname=server_hostname)
            except BaseException:
                self._transport.abort()
                raise
        if transport is None:
            raise httpcore.ConnectError("the connection was closed while TLS began")
        secured.connection_made(transport)
        return secured

    def get_extra_info(self, info: str) -> Any:
        """`is_readable`: of a connection at rest, whether the other side has ended it, or spoken unasked."""
        if info == "is_readable":
            return bool(self._unread) or self._is_over or self._transport.is_closing()
        return self._transport.get_extra_info({"ssl_object": "ssl_object", "server_addr": "peername"}.get(info, info))


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)


@contextmanager
def _told_as(kind: type[Exception]) -> Iterator[None]:
    """Context manager: what the system or TLS says, as an error of httpcore's."""
    try:
        yield
    except OSError as problem:  # ssl.SSLError is one
        raise kind(str(problem)) from problem
