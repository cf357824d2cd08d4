"""The sandbox's end of its connections, for what no web framework does: hanging up, and not listening."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import uvicorn

_AT_ONCE = struct.pack("ii", 1, 0)


class Wire:
    """The connections of one running server; without a server, nothing of this happens."""

    def __init__(self) -> None:
        self.server: uvicorn.Server | None = None
        self._is_closed = False

    def reset(self, client: Any) -> None:
        """Break off the connection of `client` (host and port) in the middle of whatever is being said."""
        if (transport := self._transport(client)) is not None:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            transport.abort()

    def hang_up(self, client: Any) -> None:
        """End the connection of `client` politely, once everything said so far has gone out."""
        if (transport := self._transport(client)) is not None:
            transport.close()

    async def refuse(self, seconds: float) -> None:
        """Let nobody connect for so long; connections that stand are left alone."""
        if self.server is None or self._is_closed:
            return
        self._is_closed = True
        address = self.server.servers[0].sockets[0].getsockname()
        for listening in self.server.servers:
            listening.close()
        await asyncio.sleep(seconds)
        await self._listen(self.server, address)
        self._is_closed = False

    async def _listen(self, server: uvicorn.Server, address: Any) -> None:
        """Listen there again; where the system has lent the port to somebody meanwhile, as soon as it is back."""
        while not server.should_exit:
            with contextlib.suppress(OSError):
                listener = socket.create_server(address, backlog=256)
                server.servers[:] = [
                    await asyncio.get_running_loop().create_server(lambda: _protocol(server), sock=listener)
                ]
                return
            await asyncio.sleep(0.01)

    def _transport(self, client: Any) -> Any:
        connections: Any = self.server.server_state.connections if self.server else ()
        return next((c.transport for c in connections if c.client == tuple(client)), None)


def _protocol(server: uvicorn.Server) -> asyncio.Protocol:
    made: Any = server.config.http_protocol_class
    protocol: asyncio.Protocol = made(
        config=server.config, server_state=server.server_state, app_state=server.lifespan.state
    )
    return protocol
