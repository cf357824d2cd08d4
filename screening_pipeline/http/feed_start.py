"""The process that makes one call to a feed: what it is told, its start, and its end."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from screening_pipeline.http.feed_process import FeedRequest

_INHERITED = (
    "PATH",
    "PYTHONHOME",
    "PYTHONDONTWRITEBYTECODE",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SSL_CERT_FILE",
)
_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")


def headers(authorization: str) -> dict[str, str]:
    """The headers of a call to a feed."""
    return {
        "Authorization": authorization,
        "Accept": "application/json",
        "Accept-Encoding": "identity",  # half of a compressed answer is worth less than half a plain one
        "User-Agent": f"screening-pipeline/{version('screening-pipeline')}",
        "Connection": "close",
    }


def started(order: FeedRequest, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """The fetcher at work. Nothing of the order is in its arguments or its environment."""
    fetcher = subprocess.Popen(
        [sys.executable, "-m", "screening_pipeline.http.feed_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[order.pieces],
        start_new_session=True,  # neither a closed terminal nor an interrupt reaches it
        env=_environment(environ, is_proxied=order.is_proxied),
    )
    if fetcher.stdin is not None:
        with suppress(BrokenPipeError), fetcher.stdin as pipe:
            pipe.write(order.packed())
    return fetcher


def _environment(environ: Mapping[str, str], *, is_proxied: bool) -> dict[str, str]:
    """What the fetcher needs of our environment; the secrets in it stay here."""
    names = _INHERITED + (_PROXY_VARIABLES if is_proxied else ())
    found = {name: environ[name] for name in names if name in environ}
    return {**found, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


async def ended(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that goes on when we do not: nothing here joins it or kills it with us."""
    loop, has_ended = asyncio.get_running_loop(), asyncio.Event()

    def wait() -> None:
        process.wait()
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(has_ended.set)

    threading.Thread(target=wait, daemon=True).start()
    await has_ended.wait()
