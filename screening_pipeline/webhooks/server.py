"""The HTTP server the receiver runs on."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from screening_pipeline.base.errors import EnvironmentFailed

if TYPE_CHECKING:
    import uvicorn


def in_url(address: str) -> str:
    """A host as written in a URL: IPv6 addresses in brackets."""
    return f"[{address}]" if ":" in address else address


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Context manager: a listening TCP socket. Raises EnvironmentFailed where it cannot be opened."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=128)
    except (socket.gaierror, UnicodeError):  # the latter for a name longer than any
        problem = f"the host {host[:80]!a} cannot be resolved; name an address of this machine, such as 127.0.0.1"
        raise EnvironmentFailed(problem, code="no_such_host") from None
    except (OSError, OverflowError) as failure:
        reason = getattr(failure, "strerror", None) or "no such address"
        hint = "; try --port 0" if getattr(failure, "errno", None) in (errno.EADDRINUSE, errno.EACCES) else ""
        raise EnvironmentFailed(f"{host} port {port}: {reason}{hint}", code="port_taken") from None
    with contextlib.closing(listener):
        yield listener


def http_server(app: Any) -> uvicorn.Server:
    """A server for `app`, not running yet; it logs no request, believes no proxy, bounds what it waits for."""
    import uvicorn

    from screening_pipeline.webhooks.protocol import BoundedProtocol

    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=BoundedProtocol,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_keep_alive=15,
            timeout_graceful_shutdown=10,
        )
    )
