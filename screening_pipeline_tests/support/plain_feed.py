"""Draining a feed without limits and tokens, light enough to be started and killed often."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.errors import AccountStopped
from screening_pipeline.http.feed import Feed
from screening_pipeline.http.feed_record import DrainResult, FeedLimits
from screening_pipeline.landing.area import Landing
from screening_pipeline.vendors import all_vendors, vendor

SECRET = "Bearer canary-of-the-tests"
SPOOL_KEY = b"spool key of the tests"


def fetchers(folder: Path) -> list[int]:
    """The processes that fetch from a feed and hold a file below this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            files = [str(file.readlink()) for file in (process / "fd").iterdir()]
        except OSError:
            continue
        if b"feed_process" in command and any(file.startswith(str(folder)) for file in files):
            found.append(int(process.name))
    return found


class PlainClient:
    """What draining needs of a client: it sends one token after the other."""

    def __init__(self, url: str, *tokens: str) -> None:
        self._url = url
        self._tokens = list(tokens) or [SECRET]

    def url(self, endpoint: str, check_id: str | None = None) -> str:
        assert (endpoint, check_id) == ("status_updates", None)
        return f"{self._url}/orders/status-updates"

    async def authorization(self) -> str:
        return self._tokens[0]

    def permit(self, *, until: float | None = None) -> AbstractAsyncContextManager[None]:
        return _permit()

    def heed(self, http_status: int | None, headers: Mapping[str, str], header: str) -> None:
        if http_status == 401 and len(self._tokens) > 1:
            self._tokens.remove(header)
        if http_status == 403:
            raise AccountStopped("hireright", "us", code="forbidden", http_status=403)


@asynccontextmanager
async def _permit() -> AsyncIterator[None]:
    yield


LIMITS = FeedLimits(deadline=10.0, body_bytes=1_000_000)


def feed_of(landing: Landing, limits: FeedLimits = LIMITS, **others: Any) -> Feed:
    return Feed(landing, vendor("hireright"), "us", limits=limits, **{"clock": SystemClock(), **others})


def drain(feed: Feed, client: PlainClient, run_id: str = "run") -> DrainResult:
    return asyncio.run(feed.drain(client, run_id=run_id))


def main(root: str, url: str) -> None:
    """Drain into the landing area at `root`, having said so."""
    landing = Landing(Path(root), vendors=all_vendors(), spool_key=SPOOL_KEY, clock=SystemClock())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    drain(feed_of(landing), PlainClient(url), "killed")


if __name__ == "__main__":
    main(*sys.argv[1:])
