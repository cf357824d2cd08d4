"""One request to the sandbox, in the hands of whoever spoils its answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: who is asking for what, and the ways to answer or not to."""

    scope: Scope
    receive: Receive
    send: Send

    @property
    def path(self) -> str:
        """The path without the query."""
        return str(self.scope["path"])

    @property
    def vendor(self) -> str:
        """The vendor that is asked."""
        return self.path.split("/")[1]

    @property
    def bearer(self) -> str | None:
        """The token that the request brings, if any."""
        scheme, _, token = Headers(scope=self.scope).get("authorization", "").partition(" ")
        return token if scheme == "Bearer" else None

    async def answer(self, response: Response) -> None:
        """Answer like this."""
        await response(self.scope, self.receive, self.send)

    async def gone(self, seconds: float) -> None:
        """Wait until the visitor has gone, for so long at most."""
        try:
            async with asyncio.timeout(seconds):
                while (await self.receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return
