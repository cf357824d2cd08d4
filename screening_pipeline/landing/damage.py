"""Which landed lines are not as they were written: told from the line itself, so that the rest can be read. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from screening_pipeline.landing.line import is_as_written
from screening_pipeline.landing.masking import MASK

ZEROED, NOT_JSON, NO_ENVELOPE, UNSEALED = "zeroed", "not_json", "no_envelope", "not_decrypted"
DIGEST, LINE = "digest_differs", "line_differs"
REASONS = {
    ZEROED: "bytes of it are zero, as a disk or a crash of the machine leaves them",
    NOT_JSON: "it is no JSON any more",
    NO_ENVELOPE: "what every line says of its answer is not in it",
    DIGEST: "its body is not the one whose SHA-256 stands in it",
    LINE: "it is not the line whose digest stands in it",
    UNSEALED: "it cannot be decrypted, while others of its file can",
}
_TEXTS = ("response_id", "vendor", "account", "endpoint", "channel", "requested_at", "received_at")
_MESSAGES = b',"messages":['
_BODY = b',"body":'
_VERBATIM = b'"body_text":null,"body_base64":null'
_DIGEST = b'"body_sha256":"'
_DIGEST_LENGTH = 64
_END = b"}]}"


@dataclass(frozen=True)
class Damage:
    """A line that cannot be taken for what was received: where it begins in its file, in bytes, and one of REASONS."""

    file: str
    byte: int
    reason: str


def fault(line: bytes, vendor: str, account: str) -> str | None:
    """Why a line of this account cannot be believed, one of REASONS; None where nothing speaks against it."""
    if b"\0" in line:
        return ZEROED
    try:
        envelope = json.loads(line)
    except ValueError:
        return NOT_JSON
    if not (isinstance(envelope, dict) and _is_envelope(envelope, vendor, account)):
        return NO_ENVELOPE
    return digest_fault(line)


def _is_envelope(envelope: Mapping[str, Any], vendor: str, account: str) -> bool:
    texts = [envelope.get(name) for name in _TEXTS]
    if not all(isinstance(text, str) for text in texts) or not isinstance(envelope.get("messages"), list):
        return False
    try:
        datetime.fromisoformat(envelope["received_at"])
        datetime.fromisoformat(envelope["requested_at"])
    except ValueError:
        return False
    return (envelope["vendor"], envelope["account"]) == (vendor, account)


def digest_fault(line: bytes) -> str | None:
    """The reason where a line holds a body other than the one received, or anything else differs from what was written.

    Of lines that an earlier version wrote only bodies can be compared, and of those none in which something was masked.
    """
    return _body_fault(line) or (LINE if is_as_written(line) is False else None)


def _body_fault(line: bytes) -> str | None:
    head, _, messages = line.partition(_MESSAGES)
    at = head.find(_DIGEST) + len(_DIGEST)
    if at < len(_DIGEST):
        return None  # erased, or reduced
    body = _verbatim(messages) if _VERBATIM in head else _kept(head)
    if body is None or MASK.encode() in body:
        return None
    digest = hashlib.sha256(body).hexdigest().encode()
    return None if digest == head[at : at + _DIGEST_LENGTH] else DIGEST


def _verbatim(messages: bytes) -> bytes | None:
    """The body of the one message, to the letter."""
    _, found, rest = messages.partition(_BODY)
    return rest.removesuffix(_END) if found else None


def _kept(head: bytes) -> bytes | None:
    try:
        envelope = json.loads(head + b"}")
        text, packed = envelope["body_text"], envelope["body_base64"]
        return text.encode() if text is not None else base64.b64decode(packed)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
