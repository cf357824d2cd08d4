"""A destructive feed, drained so that nothing it hands out is lost unnoticed.

The vendor forgets what it has answered and offers no acknowledgement. So the intent to call is written down
first, room on the disk is reserved, the call is made by a process that survives ours, and its bytes are on
disk as they arrive. Whoever comes next finds the intent and finishes the work. Where it cannot be known
whether something was handed out that never arrived, a gap is put on record, until somebody acknowledges that
every open check was asked for by its id. Nothing is ever asked for again as if it had not been handed out.

    feed/<vendor>.<account>.lock            held by the one who drains
    feed/<vendor>.<account>/<id>.intent     a call that was or will be made; no secret in it
                            <id>.pieces     what came back, sealed, piece by piece; locked while it comes
                            <id>.settled    the response id and instant under which it is landed
                            <id>.gap        something may be lost
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from screening_pipeline.base import files, locks
from screening_pipeline.base.clock import Clock
from screening_pipeline.base.errors import LockHeld, VendorError
from screening_pipeline.base.failures import telling
from screening_pipeline.base.locks import locked
from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.domain.exchange import Exchange, Landed, new_response_id
from screening_pipeline.http import wire
from screening_pipeline.http.feed_process import (
    BODY,
    END,
    HEAD,
    OPENED,
    PURPOSE,
    SENT,
    Order,
    Pieces,
    frames,
    room_for,
)
from screening_pipeline.http.feed_record import DEFAULT_LIMITS, Drained, Gap, Intent
from screening_pipeline.landing.area import Landing
from screening_pipeline.landing.judge import examine

if TYPE_CHECKING:
    from screening_pipeline.http.feed_record import FeedLimits


_LANDING_FACTOR = 4  # a body in the spool, in its line as text and as messages, and the escapes in both
_INHERITED = (
    "PATH",
    "PYTHONHOME",
    "PYTHONDONTWRITEBYTECODE",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SSL_CERT_FILE",
)
_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")


class FeedClient(Protocol):
    """What draining needs of the account's HTTP client; see `client.AccountClient`."""

    def url(self, endpoint: str, check_id: str | None = None) -> str: ...

    async def authorization(self) -> str: ...

    def permit(self, *, until: float | None = None) -> AbstractAsyncContextManager[None]: ...

    def heed(self, http_status: int | None, headers: Mapping[str, str], header: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class _Heard:
    """What the fetcher left. `failure` is None for a whole answer; `seconds` since the fetcher started."""

    is_sent: bool = False
    http_status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    failure: str | None = "interrupted"
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class _Settled:
    http_status: int | None
    headers: Mapping[str, str]
    landed: Landed
    gap: Gap | None

    @property
    def code(self) -> str | None:
        """Why draining cannot go on after this answer, or None."""
        if self.gap is not None:
            return self.gap.reason
        if self.landed.is_accepted:
            return None
        return self.landed.failure or self.landed.reject or f"http_{self.http_status}"


class Feed:
    """The destructive feed of one account. Many processes may try to drain it; one at a time does."""

    def __init__(
        self,
        landing: Landing,
        vendor: Vendor,
        account: str,
        *,
        clock: Clock,
        limits: FeedLimits = DEFAULT_LIMITS,
        is_proxied: bool = False,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        if vendor.feed is None:
            raise ValueError(f"{vendor.slug} declares no destructive feed")
        self.vendor = vendor
        self.account = account
        self._endpoint = vendor.feed.name
        self._landing = landing
        self._key = landing.key_for(PURPOSE)
        self._clock = clock
        self._limits = limits
        self._is_proxied = is_proxied
        self._environ = environ
        self._folder = landing.feed_folder(vendor.slug, account)

    # ── for the caller ─────────────────────────────────────────────────────────────────────────────

    async def drain(self, client: FeedClient, *, run_id: str) -> Drained:
        """Finish what earlier runs began, then call until the feed is empty, one durable answer at a time.

        Raises EnvironmentFailed (disk, locks); then no call was made that is not on record.
        """
        with self._alone() as is_alone:
            if not is_alone:
                return Drained(code="busy", gaps=self.gaps())
            drained = await asyncio.to_thread(self._recovered)
            drained = await self._drained(client, run_id, drained)
            return replace(drained, gaps=self.gaps())

    def recover(self) -> Drained:
        """Land what earlier runs left, without any call; waits for a fetcher that is still at work."""
        with self._alone() as is_alone:
            drained = self._recovered() if is_alone else Drained(code="busy")
            return replace(drained, gaps=self.gaps())

    def gaps(self) -> tuple[Gap, ...]:
        """The gaps on record, the oldest first."""
        return tuple(Gap(**_read(path)) for path in sorted(self._folder.glob("*.gap")))

    def acknowledge(self, gap: Gap) -> None:
        """Take a gap off the record: it stands elsewhere now, and every open check was asked for."""
        self._path(gap.id, "gap").unlink(missing_ok=True)

    # ── draining ───────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        with ExitStack() as stack:
            with telling("the landing area"):
                files.make_folder(self._folder)
                lock = self._folder.with_name(f"{self._folder.name}.lock")
                try:
                    stack.enter_context(locked(lock, is_waiting=False))
                except LockHeld:
                    yield False
                    return
            yield True

    async def _drained(self, client: FeedClient, run_id: str, drained: Drained) -> Drained:
        is_renewed = False
        for _ in range(self._limits.calls):
            try:
                header = await client.authorization()
                settled = await self._called(client, header, run_id)
                if settled is None:
                    return replace(drained, code="not_sent")
                drained = _added(drained, settled)
                client.heed(settled.http_status, settled.headers, header)
            except VendorError as problem:
                return replace(drained, code=problem.code)
            if settled.http_status == 401 and not is_renewed:  # a token that ended; nothing was handed out
                is_renewed = True
            elif settled.code is not None:
                return replace(drained, code=settled.code)
            elif settled.landed.message_count == 0:
                return replace(drained, is_empty=True)
        return replace(drained, code="rounds")

    async def _called(self, client: FeedClient, header: str, run_id: str) -> _Settled | None:
        """One call, landed; None where the fetcher died before it sent it. Raises VendorError before that."""
        url = client.url(self._endpoint)
        with self._landing.reserve(_LANDING_FACTOR * self._limits.body_bytes):
            async with client.permit():
                intent = await self._fetched(url, header, run_id)
        with telling("the landing area", self._limits.body_bytes, self._folder):
            return self._settled(intent, self._clock.now())

    async def _fetched(self, url: str, header: str, run_id: str) -> Intent:
        """Write the intent down, have the call made, and wait for the fetcher to end."""
        intent = self._new_intent(run_id)
        with telling("the landing area", self._limits.body_bytes, self._folder):
            pieces = os.open(self._path(intent.id, "pieces"), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                locks.take(pieces)  # handed on to the fetcher: held while either lives
                files.allocate(pieces, room_for(self._limits.body_bytes))
                Pieces(pieces, self._key, intent.id, count=0).add(OPENED)
                self._write_intent(intent)
                await _ended(self._started(self._order(intent, url, header, pieces)))
            finally:
                os.close(pieces)
        return intent

    def _new_intent(self, run_id: str) -> Intent:
        now = self._clock.now()
        intent_id = new_response_id(now, self._clock.monotonic())
        return Intent(id=intent_id, endpoint=self._endpoint, run_id=run_id, requested_at=now)

    def _write_intent(self, intent: Intent) -> None:
        files.write_new(self._path(intent.id, "intent"), _packed(intent))

    def _intent(self, path: Path) -> Intent:
        return Intent(**_read(path))

    def _order(self, intent: Intent, url: str, header: str, pieces: int) -> Order:
        headers = {
            "Authorization": header,
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # half of a compressed answer is worth less than half a plain one
            "User-Agent": f"screening-pipeline/{version('screening-pipeline')}",
            "Connection": "close",
        }
        return Order(
            intent=intent.id,
            url=url,
            headers=headers,
            deadline=self._limits.deadline,
            limit=self._limits.body_bytes,
            pieces=pieces,
            key=base64.b64encode(self._key).decode(),
            is_proxied=self._is_proxied,
        )

    def _started(self, order: Order) -> subprocess.Popen[bytes]:
        """The fetcher at work. Nothing of the order is in its arguments or its environment."""
        fetcher = subprocess.Popen(
            [sys.executable, "-m", "screening_pipeline.http.feed_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[order.pieces],
            start_new_session=True,  # neither a closed terminal nor an interrupt reaches it
            env=self._environment(),
        )
        if fetcher.stdin is not None:
            with suppress(BrokenPipeError), fetcher.stdin as pipe:
                pipe.write(order.packed())
        return fetcher

    def _environment(self) -> dict[str, str]:
        """What the fetcher needs of our environment; the secrets in it stay here."""
        names = _INHERITED + (_PROXY_VARIABLES if self._is_proxied else ())
        found = {name: self._environ[name] for name in names if name in self._environ}
        return {**found, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}

    # ── settling ───────────────────────────────────────────────────────────────────────────────────

    def _recovered(self) -> Drained:
        drained = Drained()
        with telling("the landing area", self._limits.body_bytes, self._folder):
            for path in sorted(self._folder.glob("*.intent")):
                settled = self._resumed(self._intent(path))
                drained = _added(drained, settled) if settled else drained
            # Their intents were never written, or not to their ends: no call was made.
            for orphan in (*self._folder.glob("*.pieces"), *self._folder.glob("*.part")):
                orphan.unlink()
        return drained

    def _resumed(self, intent: Intent) -> _Settled | None:
        pieces = self._path(intent.id, "pieces")
        if not pieces.exists():  # landed, and then interrupted while tidying up
            self._forget(intent)
            return None
        with locked(pieces):  # a fetcher that lives holds it, for no longer than its deadline
            return self._settled(intent, None)

    def _settled(self, intent: Intent, now: datetime | None) -> _Settled | None:
        """Land what came of a call, once; None if it was never sent. `now` is None for an earlier run's."""
        heard = self._heard(intent)
        if not heard.is_sent and heard.failure == "interrupted":
            self._forget(intent)
            return None
        exchange = self._exchange(intent, heard, now)
        landed = self._landing.receive_once(exchange)
        gap = self._gap(intent, heard, exchange, landed)
        if gap is not None:
            files.write_new(self._path(intent.id, "gap"), _packed(gap))
        self._forget(intent)
        return _Settled(http_status=heard.http_status, headers=heard.headers, landed=landed, gap=gap)

    def _heard(self, intent: Intent) -> _Heard:
        heard, raw = _Heard(), []
        with self._path(intent.id, "pieces").open("rb") as file:
            for tag, content in frames(file, self._key, intent.id):
                if tag == SENT:
                    heard = replace(heard, is_sent=True)
                elif tag == BODY:
                    raw.append(content)
                elif tag in (HEAD, END):
                    heard = replace(heard, **json.loads(content))
        return self._decoded(heard, b"".join(raw))

    def _decoded(self, heard: _Heard, raw: bytes) -> _Heard:
        try:
            body = wire.Body(heard.headers.get("content-encoding", ""), self._limits.body_bytes)
        except wire.BrokenAnswer as problem:
            return replace(heard, body=raw, failure=heard.failure or problem.code)
        try:
            body.feed(raw)
            return replace(heard, body=body.finish())
        except wire.BrokenAnswer as problem:
            return replace(heard, body=body.so_far, failure=heard.failure or problem.code)

    def _exchange(self, intent: Intent, heard: _Heard, now: datetime | None) -> Exchange:
        """The call as an exchange. Part of an answer is judged as a whole one: nobody else has the rest."""
        response_id, received_at = self._identity(intent, heard, now)
        is_answer = heard.http_status is not None and 200 <= heard.http_status < 300
        return Exchange(
            response_id=response_id,
            vendor=self.vendor.slug,
            account=self.account,
            endpoint=intent.endpoint,
            channel="feed",
            requested_at=intent.requested_at,
            received_at=received_at,
            run_id=intent.run_id,
            http_status=heard.http_status,
            failure=None if is_answer and heard.body else heard.failure,
            headers=heard.headers,
            body=heard.body,
            latency_ms=round((heard.seconds or 0.0) * 1000),
        )

    def _identity(self, intent: Intent, heard: _Heard, now: datetime | None) -> tuple[str, datetime]:
        """The response id and the time of receipt, decided once and kept, however often we are killed."""
        path = self._path(intent.id, "settled")
        if not path.exists():
            received_at = now or intent.requested_at + timedelta(seconds=self._seconds(intent, heard))
            response_id = new_response_id(received_at, self._clock.monotonic())
            files.write_new(path, _packed({"response_id": response_id, "received_at": received_at}))
        kept = _read(path)
        return kept["response_id"], kept["received_at"]

    def _seconds(self, intent: Intent, heard: _Heard) -> float:
        """How long after the intent the last byte came."""
        if heard.seconds is not None:
            return heard.seconds
        begun, ended = (self._path(intent.id, kind).stat().st_mtime for kind in ("intent", "pieces"))
        return max(0.0, ended - begun)

    def _gap(self, intent: Intent, heard: _Heard, exchange: Exchange, landed: Landed) -> Gap | None:
        reason = self._doubt(heard, exchange, landed)
        if reason is None:
            return None
        return Gap(
            id=intent.id,
            vendor=self.vendor.slug,
            account=self.account,
            requested_at=intent.requested_at,
            reason=reason,
            salvaged=landed.message_count,
        )

    def _doubt(self, heard: _Heard, exchange: Exchange, landed: Landed) -> str | None:
        """Why something may have been handed out that we do not have, or None."""
        is_refused = heard.http_status is not None and 300 <= heard.http_status < 500
        if not heard.is_sent or is_refused:  # who refuses a call hands nothing out
            return None
        if heard.failure is not None or landed.reject is not None:
            return heard.failure or landed.reject
        if not landed.is_accepted:  # a gateway's 504 says nothing about the vendor behind it
            return f"http_{heard.http_status}"
        if heard.http_status not in (200, 204):  # part of an answer: what came of it is kept
            return "unexpected_status"
        rejects = examine(exchange, self.vendor).message_rejects
        return rejects[0][1] if rejects else None

    def _forget(self, intent: Intent) -> None:
        """Remove the traces of a call, the pieces first: without them there is nothing left to land."""
        self._path(intent.id, "pieces").unlink(missing_ok=True)
        files.sync_folder(self._folder)
        self._path(intent.id, "settled").unlink(missing_ok=True)
        self._path(intent.id, "intent").unlink(missing_ok=True)

    def _path(self, intent_id: str, kind: str) -> Path:
        return self._folder / f"{intent_id}.{kind}"


async def _ended(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that goes on when we do not: nothing here joins it or kills it with us."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def wait() -> None:
        process.wait()
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait, daemon=True).start()
    await ended.wait()


def _added(drained: Drained, settled: _Settled) -> Drained:
    messages = drained.messages + settled.landed.message_count
    told = drained.told | settled.landed.told
    return replace(drained, calls=drained.calls + 1, messages=messages, told=told)


def _packed(value: Any) -> bytes:
    found = value if isinstance(value, dict) else asdict(value)
    return json.dumps(found, default=datetime.isoformat).encode()


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes())
    for name in ("requested_at", "received_at"):
        if name in found:
            found[name] = datetime.fromisoformat(found[name])
    return found
