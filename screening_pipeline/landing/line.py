"""One landed line: what was asked, what came back and what was made of it, as one JSON object. Pure.

`messages` is the last key, so that a body that stands in the line to the letter can be cut out of it again.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from screening_pipeline.domain.exchange import HttpExchange
from screening_pipeline.domain.ids import check_form
from screening_pipeline.domain.vocabulary import Json
from screening_pipeline.landing.judge import AcceptedMessage, Examined
from screening_pipeline.landing.mentions import names_any

MAX_LINE_BYTES = 32 * 1024 * 1024
"""Readers of the files must allow for lines of this length."""

Envelope = dict[str, Any]
Told = tuple[str | None, str]
"""What a message is about: its subject and the vendor's id."""
_VENDOR = b',"vendor":'
_MESSAGES = b',"messages":['
_BODY = b',"body":'
_STAMP = b',"line_digest":"'
_STAMP_BYTES = 16
_STAMP_LENGTH = 2 * _STAMP_BYTES
_ERASED = "erased"
ERASED_LINE = b'"reject":"erased"'
"""What stands in a line of which everything was erased."""


def line_of(exchange: HttpExchange, examined: Examined) -> tuple[bytes, Examined]:
    """The landed line of an exchange, without its newline, and the verdict that it holds.

    An answer that makes no line of a bearable length is refused as `too_large`, with its body kept.
    """
    line = _stamped(_head(exchange, examined), _MESSAGES + _messages(examined) + b"]}")
    if len(line) <= MAX_LINE_BYTES:
        return line, examined
    refused = Examined(
        reject=examined.reject or "too_large",
        raw=examined.raw if examined.text is None else examined.text.encode(),
    )
    return _stamped(_head(exchange, refused), _MESSAGES + b"]}"), refused


def _stamped(head: bytes, messages: bytes) -> bytes:
    return b"".join((head, _STAMP, _stamp(head, messages), b'"', messages))


def _stamp(head: bytes, messages: bytes) -> bytes:
    return hashlib.blake2b(head + messages, digest_size=_STAMP_BYTES).hexdigest().encode()


def _parts(line: bytes) -> tuple[bytes, bytes, bytes] | None:
    """What stands before the digest of the line, the digest, and what follows; None where an older version wrote it."""
    head, found, messages = line.rstrip().partition(_MESSAGES)
    before, _, stamp = head.rpartition(_STAMP)
    is_stamped = found and before and len(stamp) == _STAMP_LENGTH + 1 and stamp.endswith(b'"')
    return (before, stamp[:-1], found + messages) if is_stamped else None


def is_as_written(line: bytes) -> bool | None:
    """Whether nothing of a line differs from what its digest was made of; None where it has none."""
    parts = _parts(line)
    return None if parts is None else parts[1] == _stamp(parts[0], parts[2])


def restamped(line: bytes) -> bytes:
    """A line that was changed on purpose, as long, with the digest of what it says now, if it had one."""
    parts = _parts(line)
    return line if parts is None else _stamped(parts[0], parts[2]).ljust(len(line))


def _head(exchange: HttpExchange, examined: Examined) -> bytes:
    """Everything but the messages; the closing brace is left out."""
    is_in_text = examined.text is not None and not examined.is_verbatim
    head = {
        "response_id": exchange.response_id,
        "vendor": exchange.vendor,
        "account": exchange.account,
        "subject": exchange.subject,
        "check_id": exchange.check_id,
        "endpoint": exchange.endpoint,
        "channel": exchange.channel,
        "http_status": exchange.http_status,
        "failure": exchange.failure,
        "headers": dict(exchange.headers),
        "requested_at": instant(exchange.requested_at),
        "received_at": instant(exchange.received_at),
        "due_at": instant(exchange.due_at) if exchange.due_at else None,
        "latency_ms": exchange.latency_ms,
        "run_id": exchange.run_id,
        "body_sha256": hashlib.sha256(exchange.body).hexdigest(),
        "body_bytes": len(exchange.body),
        "reject": examined.reject,
        "body_text": examined.text if is_in_text else None,
        "body_base64": base64.b64encode(examined.raw).decode() if examined.text is None else None,
        "reject_detail": examined.detail,
        "message_rejects": [{"index": i, "reason": reason} for i, reason in examined.message_rejects],
        "part_rejects": [{"index": i, "part": address} for i, address in examined.part_rejects],
    }
    return dumps(head)[:-1]


def _messages(examined: Examined) -> bytes:
    if examined.is_verbatim:
        return _message(examined.messages[0], (examined.text or "").encode())
    return b",".join(_message(reading, dumps(reading.body)) for reading in examined.messages)


def _message(reading: AcceptedMessage, body: bytes) -> bytes:
    return dumps({"subject": reading.subject, "check_id": reading.check_id})[:-1] + _BODY + body + b"}"


def dumps(value: Json) -> bytes:
    """Compact JSON in UTF-8; what UTF-8 cannot carry (half a surrogate pair) becomes a question mark."""
    return _ENCODE(value).encode("utf-8", "replace")


_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def instant(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds and `Z`."""
    return f"{moment.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z"


def begins_with(response_id: str) -> bytes:
    """The byte prefix of the line of this response, by which it is found in a file."""
    return dumps({"response_id": response_id})[:-1]


def beginning_of(line: bytes) -> bytes:
    """The byte prefix that `begins_with` gives for this line's response."""
    return line.partition(_VENDOR)[0]


def without(envelope: Envelope, gone: Collection[Told]) -> Envelope | None:
    """The envelope with everything about these checks erased; None where it does not mention them.

    Messages about other checks stay, also of another subject with the same id; the text of the whole body goes,
    since it holds them all.
    """
    gone = {(subject, check_form(check_id)) for subject, check_id in gone}
    own = envelope["check_id"] and check_form(envelope["check_id"])
    ids = {check_id for _, check_id in gone}
    # A call that is about no subject is about whatever has the id.
    was_asked = (envelope["subject"], own) in gone or (envelope["subject"] is None and own in ids)
    given = envelope["messages"]
    kept = [m for m in given if not was_asked and (m["subject"], check_form(m["check_id"])) not in gone]
    if not was_asked and len(kept) == len(given) and not _text_mentions(envelope, ids):
        return None
    asked = {"subject": None, "check_id": None} if was_asked else {}
    reject = _ERASED if given and not kept else envelope["reject"]
    return {**without_body(envelope), **asked, "reject": reject, "messages": kept}


def without_body(envelope: Envelope) -> Envelope:
    """The envelope without the response headers and the body."""
    bodiless: Envelope = {"headers": {}, "body_sha256": None, "body_text": None, "body_base64": None}
    return {**envelope, **bodiless}


def _text_mentions(envelope: Envelope, check_ids: Collection[str]) -> bool:
    """Whether a kept body speaks of these checks; bytes that are no text may do so unseen."""
    if envelope["body_base64"] is not None:
        return True
    return envelope["body_text"] is not None and names_any(envelope["body_text"], check_ids)
