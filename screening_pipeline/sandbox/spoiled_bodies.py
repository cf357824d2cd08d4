"""Bodies that no vendor should send: pure functions of bytes, for the faults that send them."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import cache
from typing import Final

HUGE: Final = 20_000_000
DEPTH: Final = 50_000


@cache
def bomb() -> bytes:
    """64 MB of blanks, well packed."""
    return gzip.compress(b" " * 1_000_000) * 64


def nested() -> bytes:
    """An object in an object, and so on, deeper than anybody reads."""
    return b'{"a":' * DEPTH + b"0" + b"}" * DEPTH


def huge() -> bytes:
    """One text that is longer than anybody reads."""
    return b'{"padding":"' + b"." * HUGE + b'"}'


def truncated(body: bytes) -> bytes:
    """Half of it."""
    return body[: len(body) // 2]


def not_utf8(body: bytes) -> bytes:
    """Two bytes in its middle that are no UTF-8."""
    middle = len(body) // 2
    return body[:middle] + b"\xff\xfe" + body[middle:]


def with_member(member: bytes) -> Callable[[bytes], bytes]:
    """Put a member into the first object of a JSON text, or into a list that has none."""

    def change(body: bytes) -> bytes:
        before, brace, after = body.partition(b"{")
        return before + brace + member + b", " + after if brace else b"[{" + member + b"}]"

    return change


def half_compressed(body: bytes) -> bytes:
    """Half of it, compressed."""
    compressed = gzip.compress(body)
    return compressed[: len(compressed) // 2]
