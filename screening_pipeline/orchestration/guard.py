"""A guard before Dagster's pages, which know no users: no other page in the same browser may use them.

Dagster takes GraphQL, mutations too, by GET from anywhere, and answers to any name. So a page somewhere else could
start runs by an image's address, or, with a name of its own that it points to this machine, read what the pages show.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Guard:
    """Lets requests through that name one of `hosts`, come from no other site, and ask GraphQL by POST only."""

    def __init__(self, app: App, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ASGI wants it."""
        if scope["type"] not in ("http", "websocket") or (refusal := self._refusal(scope)) is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _answer(send, *refusal)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = dict(scope["headers"])
        host = _host_of(headers.get(b"host", b""))
        if host not in self._hosts:
            return 421, "this name is not served: add it with --allow-host"
        origin = headers.get(b"origin")
        if origin is not None and _host_of(urlsplit(origin.decode("latin-1")).netloc.encode("latin-1")) != host:
            return 403, "another site may not use these pages"
        return (405, "GraphQL is asked by POST") if _is_query_by_get(scope, headers) else None


def _is_query_by_get(scope: Scope, headers: MutableMapping[bytes, bytes]) -> bool:
    """Whether it is GraphQL by any method but POST; the page to write queries in is none."""
    is_graphql = scope["type"] == "http" and scope["path"].rstrip("/").endswith("/graphql")
    return is_graphql and scope["method"] != "POST" and b"text/html" not in headers.get(b"accept", b"")


def _host_of(name: bytes) -> str:
    """The host of `host:port`, in lower case; "" where it is none."""
    try:
        return (urlsplit(f"//{name.decode('latin-1')}").hostname or "").rstrip(".")
    except ValueError:
        return ""


async def _answer(send: Send, status: int, words: str) -> None:
    headers: Iterable[tuple[bytes, bytes]] = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{words}\n".encode()})
