"""A strict JSON parser: UTF-8, no duplicate key, no NaN, a bounded depth, no lone surrogates."""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import NoReturn

from screening_pipeline.base.text import has_lone_surrogate
from screening_pipeline.domain.exchange import HttpExchange
from screening_pipeline.domain.vocabulary import Json

MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 64


STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


_BRACKET = re.compile(r"[\[\]{}]")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Refused(Exception):
    """Why a body or a message is not believed: one of REASONS, and a detail that names no value."""

    def __init__(self, reason: str, detail: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class _DuplicateKey(ValueError):
    pass


def is_any_json(text: str) -> bool:
    """Whether a text is JSON to Python's lenient parser."""
    try:
        json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return False
    return True


def decoded(exchange: HttpExchange) -> str:
    """The body as text. Raises Refused for what cannot be JSON by its size, content type or encoding."""
    if len(exchange.body) > MAX_BODY_BYTES:
        raise Refused("too_large")
    if exchange.http_status == 204 or not exchange.body.strip():
        raise Refused("empty")
    if exchange.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise Refused("html")
    try:
        return exchange.body.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(_unless_foreign(exchange, "not_utf8")) from None


def _content_type(exchange: HttpExchange) -> str:
    return exchange.headers.get("content-type", "").partition(";")[0].strip().lower()


def _unless_foreign(exchange: HttpExchange, reason: str) -> str:
    """`reason`, but `html` or `content_type` where the vendor itself says that this is no JSON."""
    kind = _content_type(exchange)
    if "html" in kind:  # what many send JSON as is HTML only where it is not JSON
        return "html"
    return reason if not kind or kind.endswith("json") else "content_type"


def parsed(text: str, exchange: HttpExchange) -> Json:
    """The strictly parsed JSON value. Raises Refused."""
    if _is_too_deep(text):
        raise Refused("too_deep")
    try:
        value = _STRICT.decode(text.removeprefix("\ufeff"))
    except _DuplicateKey:
        raise Refused("duplicate_key") from None
    except json.JSONDecodeError:
        raise Refused(_unless_foreign(exchange, "truncated" if _is_half(text) else "not_json")) from None
    except ValueError:  # NaN, Infinity, or a number too large for any machine type
        raise Refused("not_finite") from None
    except RecursionError:
        raise Refused("too_deep") from None
    if _has_lone_surrogate(text, value):
        raise Refused("lone_surrogate")
    return value


def _is_too_deep(text: str) -> bool:
    """Decided before parsing, for deep nesting overruns the parser's stack."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    return max(_levels(text), default=0) > MAX_DEPTH


def _is_half(text: str) -> bool:
    """Whether a JSON value was begun and its brackets are not closed at the end."""
    begins = text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[")
    return begins and next(reversed(_levels(text)), 0) > 0


def _levels(text: str) -> list[int]:
    """The level of nesting after each bracket outside of strings."""
    steps = (1 if bracket in "[{" else -1 for bracket in _BRACKET.findall(STRING.sub("", text)))
    return list(accumulate(steps))


def _has_lone_surrogate(text: str, value: Json) -> bool:
    """Whether the value has half a character; only an escape in its text can have made one."""
    return bool(_SURROGATE.search(text)) and has_lone_surrogate(json.dumps(value, ensure_ascii=False))


def unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """Decoder hook (`object_pairs_hook`): a JSON object as a dict. Raises ValueError for a duplicate key."""
    # Readers differ in which of two equal keys they keep, so `clear` and `consider` could swap.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DuplicateKey
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError
    return number


def _no_constant(_name: str) -> NoReturn:
    raise ValueError


_STRICT = json.JSONDecoder(object_pairs_hook=unique, parse_float=_finite, parse_constant=_no_constant)
