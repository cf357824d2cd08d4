"""The transport below httpx: it refuses what is no HTTP, and uses a connection again only where that is safe."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from screening_pipeline.http.lanes import Lanes
from screening_pipeline.http.sockets import MOST_UNREAD
from screening_pipeline_tests.tls import self_signed

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
LONG = b"x" * 300_000
REFUSED = {
    "no HTTP at all": b"hello\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "a version without a point": b"HTTP/11 200 OK\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "a status of letters": b"HTTP/1.1 2OO OK\r\n\r\n",
    "a status beyond all": b"HTTP/1.1 999999 OK\r\n\r\n",
    "a blank before the status line": b" HTTP/1.1 200 OK\r\n\r\n",
    "a zero in the reason": b"HTTP/1.1 200 O\x00K\r\nContent-Length: 2\r\n\r\n{}",
    "a header without a colon": b"HTTP/1.1 200 OK\r\nContent-Length 2\r\n\r\n{}",
    "a blank before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}",
    "a header without a name": b"HTTP/1.1 200 OK\r\n: 2\r\n\r\n{}",
    "a blank within a name": b"HTTP/1.1 200 OK\r\nContent Length: 2\r\n\r\n{}",
    "a first header that is a fold": b"HTTP/1.1 200 OK\r\n X: 2\r\n\r\n{}",
    "a zero in a header": b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    "two lengths that differ": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "two lengths in one": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n{} ",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
    "a length with a sign": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
    "a length in hex": b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n{}",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}",
    "a length beyond all": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 40 + b"\r\n\r\n{}",
    "a coding nobody asked for": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "two transfer codings": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ),
    "a chunk without a size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n",
    "a chunk of a negative size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    "a chunk with a prefix": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than told": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}XX\r\n0\r\n\r\n",
    "a size beyond all": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"F" * 30 + b"\r\n{}\r\n0\r\n\r\n",
    "chunks without an end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "a body that is cut": b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n{}",
    "a head that is cut": b"HTTP/1.1 200 OK\r\nContent-Le",
    "a head without an end": b"HTTP/1.1 200 OK\r\nX: " + LONG + b"\r\n\r\n{}",
    "a status line without an end": b"HTTP/1.1 200 " + LONG,
    "only an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n",
    "nothing": b"",
}
READ = {
    "plain": OK,
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;ext=1\r\n{\r\n1\r\n}\r\n0\r\nX: y\r\n\r\n",
    "chunked wins over a length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ),
    "the same length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "until the end": b"HTTP/1.0 200 OK\r\n\r\n{}",
    "after interim answers": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK,
    "without a reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}",
    "bare line ends": b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
}
AGAIN = {
    "as it is": (OK, 1),
    "the server closes": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", 2),
    "an old version": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 2),
}


@asynccontextmanager
async def answering(
    answer: bytes, *, trust: ssl.SSLContext | None = None, is_open: bool = False, apart: int = 0
) -> AsyncIterator[tuple[str, list[int]]]:
    """A server that gives the same bytes to each request (`apart`: in pieces of that size), a note of each dial."""
    dialled: list[int] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            for place in range(0, len(answer), apart or len(answer) or 1):
                writer.write(answer[place : place + (apart or len(answer))])
                await writer.drain()
                if apart:
                    await asyncio.sleep(0)
            if not is_open:
                return

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dialled.append(1)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await speak(reader, writer)
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    async with await asyncio.start_server(serve, "localhost", ssl=trust) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http{'s' if trust else ''}://localhost:{port}/", dialled
        await asyncio.sleep(0.01)  # those that were hung up on close their side


def asked(answer: bytes, *, times: int = 1, **given: object) -> tuple[list[bytes], int]:
    """The bodies that a client reads, and how many connections it took."""

    async def ask() -> tuple[list[bytes], int]:
        lanes = Lanes(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), keep_alive=4.0)
        async with (
            answering(answer, **given) as (url, dialled),  # type: ignore[arg-type]
            httpx.AsyncClient(transport=lanes, timeout=None) as client,  # noqa: S113 - asyncio keeps time
            asyncio.timeout(5),
        ):
            bodies = []
            for _ in range(times):
                bodies.append((await client.get(url)).content)
                await asyncio.sleep(0.02)
            return bodies, len(dialled)

    return asyncio.run(ask())


@pytest.mark.parametrize("apart", [0, 1])
@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_http_is_refused(what: str, apart: int) -> None:
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        asked(REFUSED[what], apart=apart and max(1, len(REFUSED[what]) // 50))


@pytest.mark.parametrize("what", READ)
def test_what_is_http_is_read_however_it_comes_in_pieces(what: str) -> None:
    assert asked(READ[what])[0] == asked(READ[what], apart=1)[0] == [b"{}"]


@pytest.mark.parametrize("what", AGAIN)
def test_a_connection_is_used_again_only_where_its_answer_was_read_to_the_end(what: str) -> None:
    answer, dialled = AGAIN[what]
    assert asked(answer, times=2, is_open=True) == ([b"{}", b"{}"], dialled)


def test_a_connection_that_was_closed_while_at_rest_is_not_used() -> None:
    assert asked(OK, times=3) == ([b"{}"] * 3, 3)


def test_whoever_reads_slowly_lets_the_other_side_wait() -> None:
    body = bytes(range(256)) * (8 * MOST_UNREAD // 256)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    assert asked(answer) == ([body], 1)
    packed = gzip.compress(body)
    told = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
    assert asked(told) == ([body], 1)


def test_a_call_that_is_given_up_leaves_no_connection_behind() -> None:
    async def give_up() -> tuple[int, int]:
        lanes = Lanes(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), keep_alive=4.0)
        half = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"
        async with answering(half, is_open=True) as (url, dialled), httpx.AsyncClient(transport=lanes) as client:
            for _ in range(2):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await client.get(url)
            return len(dialled), sum(map(len, lanes._at_rest.values()))

    assert asyncio.run(give_up()) == (2, 0)


def test_nobody_is_there() -> None:
    async def ask() -> None:
        async with answering(OK) as (url, _):
            pass
        async with httpx.AsyncClient(transport=Lanes(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), 4.0)) as client:
            await client.get(url)

    with pytest.raises(httpx.ConnectError):
        asyncio.run(ask())


@pytest.mark.parametrize(("is_trusted", "host"), [(True, "localhost"), (False, "localhost"), (True, "127.0.0.1")])
def test_tls_is_spoken_only_with_whom_the_certificate_names(tmp_path: Path, is_trusted: bool, host: str) -> None:
    pem = self_signed(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    trust = ssl.create_default_context(cafile=pem if is_trusted else None)

    async def ask() -> list[bytes]:
        async with (
            answering(OK, trust=server, is_open=True) as (url, dialled),
            httpx.AsyncClient(transport=Lanes(trust, 4.0)) as client,
        ):
            bodies = [(await client.get(url.replace("localhost", host))).content for _ in range(2)]
            assert len(dialled) == 1
            return bodies

    if is_trusted and host == "localhost":
        assert asyncio.run(ask()) == [b"{}", b"{}"]
    else:
        with pytest.raises(httpx.ConnectError) as refused:
            asyncio.run(ask())
        assert _is_tls(refused.value)


def _is_tls(problem: BaseException | None) -> bool:
    while problem is not None and not isinstance(problem, ssl.SSLError):
        problem = problem.__cause__
    return problem is not None
