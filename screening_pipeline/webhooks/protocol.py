"""One connection of the receiver: uvicorn's own, with bounds on what a stranger may make it wait for, or hold.

uvicorn bounds connections and nothing else: 64 that say nothing would switch the receiver off, and a head of any size
is kept. Here a silent connection costs a look now and then, a head has a size and a time, a body a time, and what
follows a body is no header.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakSet

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

FIRST_BYTE_SECONDS = 10.0
HEAD_SECONDS = 10.0
BODY_SECONDS = 30.0
SWEEP_SECONDS = 0.25
MAX_HEAD_BYTES = 64 * 1024

_REFUSALS = {408: b"Request Timeout", 431: b"Request Header Fields Too Large"}
_FRAMING = 16  # bytes that a chunk of one byte may take besides, and more


_SWEPT: WeakSet[ServerState] = WeakSet()
"""The servers whose connections are looked at by one of them."""


class TooMuch(Exception):
    """A head, or what follows a body, is larger than any of a vendor's."""


class BoundedProtocol(HttpToolsProtocol):
    """Reads requests; ends a connection that is silent, slow or says too much before it is known who it is."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._deadline: float | None = None
        self._is_head = True
        self._has_begun = False
        self._named_bytes = self._raw_bytes = self._body_bytes = 0
        self._refusal: int | None = None

    # ── what comes in ──────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.server_state not in _SWEPT:  # whoever comes first sees to all
            _SWEPT.add(self.server_state)
            self.loop.call_later(SWEEP_SECONDS, self._sweep)
        self._wait(FIRST_BYTE_SECONDS)

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        if self._is_head and not self._has_begun:
            self._has_begun = True
            self._wait(HEAD_SECONDS)
        self._raw_bytes += len(data)
        super().data_received(data)
        allowed = 0 if self._is_head else self._body_bytes * _FRAMING
        if self._has_begun and self._raw_bytes > allowed + self._body_bytes + MAX_HEAD_BYTES:
            self._refuse(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_head = True
        self._named_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        if self._is_head:  # a proof that comes after the body proves nothing
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._is_head = False
        self._raw_bytes = self._body_bytes = self._named_bytes = 0
        self._wait(BODY_SECONDS)

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._wait(None)
        self._is_head, self._has_begun = True, False
        self._raw_bytes = self._body_bytes = 0
        super().on_message_complete()

    def _count(self, size: int) -> None:
        self._named_bytes += size
        if self._named_bytes > MAX_HEAD_BYTES:
            self._refusal = 431
            raise TooMuch  # the parser gives up, and says so by `send_400_response`

    # ── how it ends ────────────────────────────────────────────────────────────────────────────────

    def send_400_response(self, msg: str) -> None:
        if self._refusal is None:
            super().send_400_response(msg)
        elif not self.transport.is_closing():
            self._say(self._refusal)

    def _refuse(self, status: int) -> None:
        self._refusal = status
        if not self.transport.is_closing():
            self._say(status)

    def _say(self, status: int) -> None:
        head = b"HTTP/1.1 %d %s\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % (status, _REFUSALS[status])
        self.transport.write(head)
        self.transport.close()

    def _wait(self, seconds: float | None) -> None:
        """Give what is awaited now so long; None: it came. A timer for each would cost as much as reading the head."""
        self._deadline = None if seconds is None else self.loop.time() + seconds

    def _sweep(self) -> None:
        now = self.loop.time()
        for connection in list(self.connections):
            if isinstance(connection, BoundedProtocol) and connection.is_late(now):
                connection.end()
        if self.connections:
            self.loop.call_later(SWEEP_SECONDS, self._sweep)
        else:
            _SWEPT.discard(self.server_state)

    def is_late(self, now: float) -> bool:
        """Whether what is awaited did not come in its time."""
        return self._deadline is not None and now >= self._deadline and not self.transport.is_closing()

    def end(self) -> None:
        """Hang up; with a word where somebody waits for one."""
        is_unanswered = not self._is_head and not self.cycle.response_started
        if (self._is_head and self._has_begun) or is_unanswered:
            self._refuse(408)
        else:  # nothing was said, or the message was answered before it was whole
            self.transport.close()
