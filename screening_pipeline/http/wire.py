"""Validation of a response at the level of bytes: its length, its content coding, its few useful headers.

Pure: bytes and headers in, bytes or a reason code out.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from screening_pipeline.domain.conduct import LimitHeaders

LONGEST_SILENCE = 3600.0
"""Seconds; whatever a vendor asks for, it is asked again after this long."""

_KEPT = frozenset({"content-type", "content-length", "content-encoding", "date", "retry-after", "x-request-id"})
_KEPT_PREFIX = "x-ratelimit-"
_LONGEST_HEADER = 200
_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)


class BrokenAnswer(Exception):
    """An incomplete or undecodable body. `code`: too_large, truncated, encoding."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Body:
    """The incremental decoder of a response body, limited to `limit` decoded bytes.

    `content_encoding` may be empty, identity or gzip (the one we ask for); anything else, nested codings
    too, raises BrokenAnswer at once.
    """

    def __init__(self, content_encoding: str, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._decoded_bytes = self._raw_bytes = 0
        self._is_gzip = _is_gzip(content_encoding.strip().lower())
        self._inflater = _inflater()

    def feed(self, raw: bytes) -> None:
        """Decode the next raw bytes. Raises BrokenAnswer."""
        self._raw_bytes += len(raw)
        if self._raw_bytes > self._limit:
            raise BrokenAnswer("too_large")
        if self._is_gzip:
            self._inflate(raw)
        else:
            self._keep(raw)

    def _inflate(self, raw: bytes) -> None:
        try:
            while raw:
                if self._inflater.eof:  # gzip allows several members, one after the other
                    self._inflater = _inflater()
                self._keep(self._inflater.decompress(raw, self._limit - self._decoded_bytes + 1))
                raw = self._inflater.unconsumed_tail or self._inflater.unused_data
        except zlib.error:
            raise BrokenAnswer("truncated") from None

    def _keep(self, decoded: bytes) -> None:
        self._decoded_bytes += len(decoded)
        if self._decoded_bytes > self._limit:
            raise BrokenAnswer("too_large")
        self._pieces.append(decoded)

    def finish(self) -> bytes:
        """The whole decoded body. Raises BrokenAnswer where a compressed one is truncated."""
        if self._is_gzip and self._raw_bytes and not self._inflater.eof:
            raise BrokenAnswer("truncated")
        return self.so_far

    @property
    def so_far(self) -> bytes:
        """The bytes decoded up to now."""
        return b"".join(self._pieces)


def _is_gzip(content_encoding: str) -> bool:
    if content_encoding in ("", "identity"):
        return False
    if content_encoding in ("gzip", "x-gzip"):
        return True
    raise BrokenAnswer("encoding")


def _inflater() -> zlib._Decompress:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


def kept(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The allow-listed headers, by lower-case name; all others are dropped (cookies, tokens, …)."""
    named = ((name.lower(), value) for name, value in headers)
    return {name: value[:_LONGEST_HEADER] for name, value in named if name in _KEPT or name.startswith(_KEPT_PREFIX)}


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that `Retry-After` asks for, as seconds or as a date; None where it names no time to come.

    A date is read against the answer's own `Date`, else against `now`, so that our clock need not be right. What is
    unreadable, negative, nothing or past is no answer: whoever is told to stop is not told to go on at once.
    """
    text = headers.get("retry-after", "").strip()
    seconds = _seconds(text)
    if seconds is None:
        until = instant(text)
        seconds = (until - (instant(headers.get("date", "")) or now)).total_seconds() if until else 0.0
    return min(max(seconds, 1.0), LONGEST_SILENCE) if seconds > 0 else None


def _seconds(text: str) -> float | None:
    """A plain number without a sign: what else `float` reads is no header's."""
    seconds = float(text) if _SECONDS.fullmatch(text) else math.inf
    return seconds if math.isfinite(seconds) else None


def silence(
    http_status: int | None,
    headers: Mapping[str, str],
    now: datetime,
    *,
    cool_down: float,
    names: LimitHeaders | None = None,
) -> float | None:
    """Seconds for which an answer wants its account to be left alone; None where it wants nothing of the kind.

    429, and a 403 with `Retry-After`, since a limit may be enforced by plain rejection: the vendor's `cool_down` unless
    the header, or the end of the window that is told by `names`, is another time. A server in trouble only where it
    says when to come back.
    """
    asked = retry_after(headers, now)
    if asked is None and http_status == 429 and names:
        asked = told_limit(headers, names, now).seconds
    if http_status == 429 or (http_status == 403 and "retry-after" in headers):
        return cool_down if asked is None else asked
    return asked if http_status is not None and http_status >= 500 else None


class ToldLimit(NamedTuple):
    """What an answer tells of the rate limit: calls a window, calls left of it, seconds until the next window."""

    limit: int | None
    remaining: int | None
    seconds: float | None


def told_limit(headers: Mapping[str, str], names: LimitHeaders, now: datetime) -> ToldLimit:
    """What the head of an answer tells of the rate limit; None for what it leaves out, or nobody can read.

    The end of the window is read against the answer's own `Date`, else against `now`; one that is past is no time.
    """
    limit, remaining = (_count(headers.get(name, "")) for name in (names.limit, names.remaining))
    until = _iso(headers.get(names.reset, ""))
    seconds = (until - (instant(headers.get("date", "")) or now)).total_seconds() if until else 0.0
    return ToldLimit(limit or None, remaining, min(seconds, LONGEST_SILENCE) if seconds > 0 else None)


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _iso(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def instant(text: str) -> datetime | None:
    """An HTTP date as an aware datetime; None where it is invalid."""
    try:
        found = parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
