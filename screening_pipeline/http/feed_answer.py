"""What a fetcher left of one call to a feed: an answer as far as it came, and whether it may be all of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.domain.exchange import HttpExchange, LandingReceipt
from screening_pipeline.http import wire
from screening_pipeline.http.feed_process import BODY, END, HEAD, SENT, frames
from screening_pipeline.http.feed_record import CallIntent
from screening_pipeline.landing.judge import examine


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What the fetcher left. `failure` is None for a whole answer; `seconds` since the fetcher started."""

    is_sent: bool = False
    http_status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    failure: str | None = "interrupted"
    seconds: float | None = None


def heard(pieces: Path, key: bytes, intent_id: str, limit: int) -> Heard:
    """The answer in a file of sealed pieces, its body decoded; no more of it than `limit` bytes."""
    found, raw = Heard(), []
    with pieces.open("rb") as file:
        for tag, content in frames(file, key, intent_id):
            if tag == SENT:
                found = replace(found, is_sent=True)
            elif tag == BODY:
                raw.append(content)
            elif tag in (HEAD, END):
                found = replace(found, **json.loads(content))
    return _decoded(found, b"".join(raw), limit)


def _decoded(found: Heard, raw: bytes, limit: int) -> Heard:
    try:
        body = wire.Body(found.headers.get("content-encoding", ""), limit)
    except wire.BrokenAnswer as problem:
        return replace(found, body=raw, failure=found.failure or problem.code)
    try:
        body.feed(raw)
        return replace(found, body=body.finish())
    except wire.BrokenAnswer as problem:
        return replace(found, body=body.so_far, failure=found.failure or problem.code)


def as_exchange(
    intent: CallIntent, found: Heard, names: tuple[str, str], response_id: str, received_at: datetime
) -> HttpExchange:
    """The call as an exchange; `names` are those of vendor and account.

    Part of an answer is judged as a whole one: nobody else has the rest.
    """
    is_answer = found.http_status is not None and 200 <= found.http_status < 300
    return HttpExchange(
        response_id=response_id,
        vendor=names[0],
        account=names[1],
        endpoint=intent.endpoint,
        channel="feed",
        requested_at=intent.requested_at,
        received_at=received_at,
        run_id=intent.run_id,
        http_status=found.http_status,
        failure=None if is_answer and found.body else found.failure,
        headers=found.headers,
        body=found.body,
        latency_ms=round((found.seconds or 0.0) * 1000),
    )


def doubt(found: Heard, exchange: HttpExchange, landed: LandingReceipt, vendor: Vendor) -> str | None:
    """Why something may have been handed out that we do not have, or None."""
    is_refused = found.http_status is not None and 300 <= found.http_status < 500
    if not found.is_sent or is_refused:  # who refuses a call hands nothing out
        return None
    if found.failure is not None or landed.reject is not None:
        return found.failure or landed.reject
    if not landed.is_accepted:  # a gateway's 504 says nothing about the vendor behind it
        return f"http_{found.http_status}"
    if found.http_status not in (200, 204):  # part of an answer: what came of it is kept
        return "unexpected_status"
    rejects = examine(exchange, vendor).message_rejects
    return rejects[0][1] if rejects else None
