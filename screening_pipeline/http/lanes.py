"""The transport below httpx: one connection of httpcore's for each call under way, on sockets of asyncio.

httpcore's pool looks at every connection for every call, at each of its sockets by a system call. Here a call takes the
connection that came to rest last, and gives it back when its answer was read to the end. HTTP itself is spoken by
httpcore and h11 as in httpx's own transport, and so is refused what they refuse.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager

import httpcore
import httpx

from screening_pipeline.http.sockets import Sockets

_Origin = tuple[bytes, bytes, int]


class Lanes(httpx.AsyncBaseTransport):
    """Connections by host, opened where none is at rest; as many as calls are made at once. Used by one event loop.

    A connection at rest is used for `keep_alive` seconds more.
    """

    def __init__(self, trust: ssl.SSLContext, keep_alive: float) -> None:
        self._trust = trust
        self._keep_alive = keep_alive
        self._sockets = Sockets()
        self._at_rest: dict[_Origin, list[httpcore.AsyncHTTPConnection]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer's head, with its body to be read and closed. Raises httpx.TransportError."""
        url, stream = request.url, request.stream
        if url.scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol(f"{url.scheme or 'no'} scheme")
        assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - for the type checker
        asked = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=stream,
            extensions=request.extensions,
        )
        connection = await self._taken(asked.url.origin)
        with _told_by_httpx():
            answer = await connection.handle_async_request(asked)
        body = _Body(answer.stream, self, connection, asked.url.origin)
        return httpx.Response(answer.status, headers=answer.headers, stream=body, extensions=answer.extensions)

    async def _taken(self, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection:
        at_rest = self._at_rest.get(_key(origin), [])
        while at_rest:
            connection = at_rest.pop()
            if connection.is_idle() and not connection.has_expired():
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(
            origin, ssl_context=self._trust, keepalive_expiry=self._keep_alive, network_backend=self._sockets
        )

    async def give_back(self, connection: httpcore.AsyncHTTPConnection, origin: httpcore.Origin) -> None:
        """Keep a connection whose answer was read to the end; another one is closed."""
        if connection.is_idle():
            self._at_rest.setdefault(_key(origin), []).append(connection)
        elif not connection.is_closed():
            await connection.aclose()

    async def aclose(self) -> None:
        """Close the connections that are at rest."""
        for at_rest in self._at_rest.values():
            while at_rest:
                await at_rest.pop().aclose()
        await asyncio.sleep(0)  # in which asyncio lets go of their sockets


def _key(origin: httpcore.Origin) -> _Origin:
    return origin.scheme, origin.host, origin.port


class _Body(httpx.AsyncByteStream):
    """The body of an answer, which gives the connection back when it is closed."""

    def __init__(
        self,
        stream: object,
        lanes: Lanes,
        connection: httpcore.AsyncHTTPConnection,
        origin: httpcore.Origin,
    ) -> None:
        assert isinstance(stream, AsyncIterable)  # noqa: S101 - for the type checker
        self._stream: AsyncIterable[bytes] = stream
        self._lanes, self._connection, self._origin = lanes, connection, origin

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _told_by_httpx():
            async for part in self._stream:
                yield part

    async def aclose(self) -> None:
        if close := getattr(self._stream, "aclose", None):
            await close()
        await self._lanes.give_back(self._connection, self._origin)


_KINDS = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, httpcore.UnsupportedProtocol)


@contextmanager
def _told_by_httpx() -> Iterator[None]:
    """Context manager: an error of httpcore's as that of httpx with the same name."""
    try:
        yield
    except httpcore.ConnectionNotAvailable as problem:
        raise httpx.ConnectError(str(problem)) from problem
    except _KINDS as problem:
        kind: type[httpx.TransportError] = getattr(httpx, type(problem).__name__, httpx.TransportError)
        raise kind(str(problem)) from problem
