"""The probe of an account: one call that tests its credential; nothing of it is landed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from screening_pipeline.base.errors import AccountStopped, VendorError
from screening_pipeline.http import wire

if TYPE_CHECKING:
    from collections.abc import Iterable

    from screening_pipeline.http.transport import Answer


@dataclass(frozen=True)
class Probe:
    """The result of a probe call.

    `code`: ok, or what is wrong. `is_accepted` is None where the credential could not be judged.
    `clock_offset_seconds`: the vendor's clock minus ours, to about a second.
    """

    code: str
    http_status: int | None = None
    is_reachable: bool = False
    is_accepted: bool | None = None
    clock_offset_seconds: float | None = None
    latency_ms: int = 0


def refused(problem: VendorError) -> Probe:
    """The probe result for a call that ended in one of our errors."""
    is_reachable = problem.http_status is not None
    is_accepted = False if isinstance(problem, AccountStopped) else None
    return Probe(problem.code, problem.http_status, is_reachable, is_accepted)


def answered(answer: Answer) -> Probe:
    """The probe result for an answer, with the vendor's clock offset in seconds."""
    theirs = wire.instant(answer.headers.get("date", ""))
    offset = (theirs - answer.received_at).total_seconds() + 0.5 if theirs else None  # Date has whole seconds
    code = _code_of(answer)
    is_reachable = answer.http_status is not None
    return Probe(code, answer.http_status, is_reachable, True if code == "ok" else None, offset, answer.latency_ms)


def _code_of(answer: Answer) -> str:
    """`ok` where the vendor's interface saw the credential: of a page for people, or of a redirect, nobody knows."""
    if answer.failure is not None or answer.http_status is None:
        return answer.failure or "no_answer"
    if answer.http_status >= 500:
        return "server_error"
    return "html" if "html" in answer.headers.get("content-type", "").lower() and not is_json(answer.body) else "ok"


def is_json(body: bytes) -> bool:
    """Whether it is JSON, whatever it is called."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def words_of(body: bytes, keys: Iterable[str]) -> tuple[str, ...]:
    """The words that a list holds: as texts, or under one of `keys` in objects; the list may stand in an object.

    None for what is no such list: this is asked for out of curiosity, and nobody depends on it.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return ()
    lists = [told] if isinstance(told, list) else list(told.values()) if isinstance(told, dict) else []
    items = [item for one in lists if isinstance(one, list) for item in one]
    found = (item if isinstance(item, str) else _first(item, keys) for item in items)
    return tuple(dict.fromkeys(word.strip() for word in found if isinstance(word, str) and word.strip()))


def _first(item: object, keys: Iterable[str]) -> object:
    return next((item[key] for key in keys if key in item), None) if isinstance(item, dict) else None
