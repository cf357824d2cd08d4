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

Where several machines share what is landed, calls and gaps are in their database as well (`landing.calls`): a call
whose machine has not come back with an answer when it must have ended is a gap.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from screening_pipeline.base import files, locks
from screening_pipeline.base.clock import Clock
from screening_pipeline.base.errors import LockHeld, VendorError
from screening_pipeline.base.failures import telling
from screening_pipeline.base.locks import locked
from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.domain.exchange import HttpExchange, LandingReceipt, new_response_id
from screening_pipeline.http import feed_record
from screening_pipeline.http.feed_answer import Heard, as_exchange, doubt, heard
from screening_pipeline.http.feed_process import OPENED, PURPOSE, FeedRequest, ResponseParts, room_for
from screening_pipeline.http.feed_record import DEFAULT_LIMITS, CallIntent, DrainResult, Gap, Settled
from screening_pipeline.http.feed_start import ended, headers, started
from screening_pipeline.landing.area import Landing
from screening_pipeline.landing.calls import Call

if TYPE_CHECKING:
    from screening_pipeline.http.feed_record import FeedLimits


# After its deadline; a fetcher that could not be cut off ends itself, and clocks of machines differ.
_LOST_AFTER_SECONDS = 60.0
_LOST = "interrupted"
_LANDING_FACTOR = 4  # a body in the spool, in its line as text and as messages, and the escapes in both


class FeedClient(Protocol):
    """The interface of an account's HTTP client that draining a feed needs; see `client.AccountClient`."""

    def url(self, endpoint: str, check_id: str | None = None) -> str: ...

    async def authorization(self) -> str: ...

    def permit(self, *, until: float | None = None) -> AbstractAsyncContextManager[None]: ...

    def heed(self, http_status: int | None, headers: Mapping[str, str], header: str) -> None: ...


class Feed:
    """The destructive feed of one account, drained by one process at a time."""

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
        self._calls = landing.store.calls(vendor.slug, account)

    # ── for the caller ─────────────────────────────────────────────────────────────────────────────

    async def drain(self, client: FeedClient, *, run_id: str) -> DrainResult:
        """Finish interrupted calls of earlier runs, then call until the feed is empty; each answer is durable first.

        Raises EnvironmentFailed (disk, locks); then no call was made that is not on record.
        """
        with self._alone() as is_alone:
            if not is_alone:
                return DrainResult(code="busy", gaps=self.gaps())
            drained = await asyncio.to_thread(self._recovered)
            drained = await self._drained(client, run_id, drained)
            return replace(drained, gaps=self.gaps())

    def recover(self) -> DrainResult:
        """Land the answers that earlier runs left, without any call; waits for a feed process still running."""
        with self._alone() as is_alone:
            drained = self._recovered() if is_alone else DrainResult(code="busy")
            return replace(drained, gaps=self.gaps())

    def gaps(self) -> tuple[Gap, ...]:
        """The gaps on record, the oldest first."""
        return tuple(Gap(**feed_record.unpacked(told)) for told in self._calls.gaps())

    def acknowledge(self, gap: Gap) -> None:
        """Remove a gap's record: it is in the warehouse now, and every open check has been pulled since."""
        self._calls.drop_gap(gap.id)

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

    async def _drained(self, client: FeedClient, run_id: str, drained: DrainResult) -> DrainResult:
        is_renewed = False
        for _ in range(self._limits.calls):
            try:
                header = await client.authorization()
                settled = await self._called(client, header, run_id)
                if settled is None:
                    return replace(drained, code="not_sent")
                drained = settled.onto(drained)
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

    async def _called(self, client: FeedClient, header: str, run_id: str) -> Settled | None:
        """One call, landed; None where the fetcher died before it sent it. Raises VendorError before that."""
        url = client.url(self._endpoint)
        with self._landing.reserve(_LANDING_FACTOR * self._limits.body_bytes):
            async with client.permit():
                intent = await self._fetched(url, header, run_id)
        return await asyncio.to_thread(self._landed, intent, self._clock.now())  # others are being asked meanwhile

    def _landed(self, intent: CallIntent, now: datetime) -> Settled | None:
        with telling("the landing area", self._limits.body_bytes, self._folder):
            return self._settled(intent, now)

    async def _fetched(self, url: str, header: str, run_id: str) -> CallIntent:
        """Write the intent down, have the call made, and wait for the fetcher to end."""
        intent = self._new_intent(run_id)
        with telling("the landing area", self._limits.body_bytes, self._folder):
            pieces = os.open(self._path(intent.id, "pieces"), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                locks.take(pieces)  # handed on to the fetcher: held while either lives
                files.allocate(pieces, room_for(self._limits.body_bytes))
                ResponseParts(pieces, self._key, intent.id, count=0).add(OPENED)
                self._calls.note(Call(intent.id, intent.endpoint, intent.run_id, intent.requested_at))
                self._write_intent(intent)
                await ended(started(self._order(intent, url, header, pieces), self._environ))
            finally:
                os.close(pieces)
        return intent

    def _new_intent(self, run_id: str) -> CallIntent:
        now = self._clock.now()
        intent_id = new_response_id(now, self._clock.monotonic())
        return CallIntent(id=intent_id, endpoint=self._endpoint, run_id=run_id, requested_at=now)

    def _write_intent(self, intent: CallIntent) -> None:
        files.write_new(self._path(intent.id, "intent"), feed_record.packed(intent))

    def _intent(self, path: Path) -> CallIntent:
        return CallIntent(**feed_record.read(path))

    def _order(self, intent: CallIntent, url: str, header: str, pieces: int) -> FeedRequest:
        return FeedRequest(
            intent=intent.id,
            url=url,
            headers=headers(header),
            deadline=self._limits.deadline,
            limit=self._limits.body_bytes,
            pieces=pieces,
            key=base64.b64encode(self._key).decode(),
            is_proxied=self._is_proxied,
        )

    # ── settling ───────────────────────────────────────────────────────────────────────────────────

    def _recovered(self) -> DrainResult:
        drained = DrainResult()
        with telling("the landing area", self._limits.body_bytes, self._folder):
            for path in sorted(self._folder.glob("*.intent")):
                settled = self._resumed(self._intent(path))
                drained = settled.onto(drained) if settled else drained
            # Their intents were never written, or not to their ends: no call was made.
            for orphan in (*self._folder.glob("*.pieces"), *self._folder.glob("*.part")):
                orphan.unlink()
            self._give_up_lost()
        return drained

    def _give_up_lost(self) -> None:
        """Calls that were told of and not made are none; those of machines that do not come back are gaps."""
        for call_id in self._calls.mine():
            if not self._path(call_id, "intent").exists():
                self._calls.forget(call_id)
        for call in self._calls.lost(self._limits.deadline + _LOST_AFTER_SECONDS):
            self._calls.give_up(call.id, feed_record.packed(self._lost(call)))

    def _lost(self, call: Call) -> Gap:
        whose, asked_at = self.vendor.slug, call.requested_at
        return Gap(id=call.id, vendor=whose, account=self.account, requested_at=asked_at, reason=_LOST)

    def _resumed(self, intent: CallIntent) -> Settled | None:
        pieces = self._path(intent.id, "pieces")
        if not pieces.exists():  # landed, and then interrupted while tidying up
            self._forget(intent)
            return None
        with locked(pieces):  # a fetcher that lives holds it, for no longer than its deadline
            return self._settled(intent, None)

    def _settled(self, intent: CallIntent, now: datetime | None) -> Settled | None:
        """Land what came of a call, once; None if it was never sent. `now` is None for an earlier run's."""
        found = heard(self._path(intent.id, "pieces"), self._key, intent.id, self._limits.body_bytes)
        if not found.is_sent and found.failure == "interrupted":
            self._forget(intent)
            return None
        exchange = as_exchange(intent, found, (self.vendor.slug, self.account), *self._identity(intent, found, now))
        landed = self._landing.receive_once(exchange)
        gap = self._gap(intent, found, exchange, landed)
        if gap is not None:
            self._calls.keep_gap(gap.id, feed_record.packed(gap))
        self._forget(intent)
        return Settled(http_status=found.http_status, headers=found.headers, landed=landed, gap=gap)

    def _identity(self, intent: CallIntent, found: Heard, now: datetime | None) -> tuple[str, datetime]:
        """The response id and the time of receipt, decided once and kept, however often we are killed."""
        path = self._path(intent.id, "settled")
        if not path.exists():
            received_at = now or intent.requested_at + timedelta(seconds=self._seconds(intent, found))
            response_id = new_response_id(received_at, self._clock.monotonic())
            files.write_new(path, feed_record.packed({"response_id": response_id, "received_at": received_at}))
        kept = feed_record.read(path)
        return kept["response_id"], kept["received_at"]

    def _seconds(self, intent: CallIntent, found: Heard) -> float:
        """How long after the intent the last byte came."""
        if found.seconds is not None:
            return found.seconds
        begun, ended = (self._path(intent.id, kind).stat().st_mtime for kind in ("intent", "pieces"))
        return max(0.0, ended - begun)

    def _gap(self, intent: CallIntent, found: Heard, exchange: HttpExchange, landed: LandingReceipt) -> Gap | None:
        reason = doubt(found, exchange, landed, self.vendor)
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

    def _forget(self, intent: CallIntent) -> None:
        """Remove the traces of a call, the pieces first: without them there is nothing left to land."""
        self._path(intent.id, "pieces").unlink(missing_ok=True)
        files.sync_folder(self._folder)
        self._path(intent.id, "settled").unlink(missing_ok=True)
        self._path(intent.id, "intent").unlink(missing_ok=True)
        self._calls.forget(intent.id)

    def _path(self, intent_id: str, kind: str) -> Path:
        return self._folder / f"{intent_id}.{kind}"
