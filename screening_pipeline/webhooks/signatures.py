"""Verification of webhook signatures. Pure: bytes and secrets in, true or false out.

Everything is compared as bytes and in constant time: a header may hold anything, and a comparison of texts
raises where they are not ASCII.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import math
import re
from collections.abc import Iterator
from typing import Any

_LONGEST_INDEX = 2**32 - 2  # the largest key that JavaScript takes for a place in an array
_SPECIAL = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def is_same(given: bytes, expected: bytes) -> bool:
    """Whether two secrets are equal, compared in constant time."""
    return hmac.compare_digest(given, expected)


def is_signed(body: bytes, signature: bytes, key: bytes) -> bool:
    """Whether `signature` is the HMAC-SHA-256 of the body in hexadecimal, of any case."""
    return is_same(signature.strip().lower(), hmac.digest(key, body, "sha256").hex().encode())


def is_signed_as_javascript(body: bytes, signature: bytes, key: bytes) -> bool:
    """Whether `signature` is the HMAC-SHA-256 of what `JSON.stringify` prints of the parsed body.

    # Z: the vendor's own example hashes the parsed body, which need not be the bytes on the wire.
    """
    if is_signed(body, signature, key):
        return True
    try:
        printed = stringified(body)
    except (ValueError, RecursionError):
        return False
    return is_signed(printed, signature, key)


def is_basic(header: bytes, credentials: bytes) -> bool:
    """Whether an Authorization header holds these Basic credentials (`name:password`)."""
    scheme, _, encoded = header.strip().partition(b" ")
    if scheme.lower() != b"basic":
        return False
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        return False
    return is_same(given, credentials)


def bearer_token(header: bytes) -> bytes:
    """The token of an `Authorization: Bearer` header; empty where there is none."""
    scheme, _, token = header.strip().partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""


# ── what JSON.stringify(JSON.parse(text)) prints ───────────────────────────────────────────────────────


def stringified(body: bytes) -> bytes:
    """The body re-serialized as JavaScript's `JSON.stringify` prints it: compact, its own key order, numbers, escapes.

    Raises ValueError for what JavaScript would not parse either, RecursionError for what is nested too deep.
    """
    value = json.loads(body.decode(), parse_int=_number, parse_float=_number, parse_constant=_refused)
    return "".join(_printed(value)).encode()


def _refused(name: str) -> None:
    raise ValueError(name)


class _Number(str):
    """A number as JavaScript prints it."""

    __slots__ = ()


def _printed(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield "{"
        for place, key in enumerate(_in_order(value)):
            yield f"{',' if place else ''}{_text(key)}:"
            yield from _printed(value[key])
        yield "}"
    elif isinstance(value, list):
        yield "["
        for place, element in enumerate(value):
            yield "," if place else ""
            yield from _printed(element)
        yield "]"
    else:
        yield _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    return _text(value) if isinstance(value, str) else {None: "null", True: "true", False: "false"}[value]


def _in_order(keys: dict[str, Any]) -> list[str]:
    """Keys that look like places in an array come first, in order of number; the others as they came."""
    indices = sorted((key for key in keys if _is_index(key)), key=int)
    return indices + [key for key in keys if not _is_index(key)]


def _is_index(key: str) -> bool:
    is_canonical = key.isascii() and key.isdigit() and (key == "0" or key[0] != "0")
    return is_canonical and len(key) <= 10 and int(key) <= _LONGEST_INDEX


def _text(text: str) -> str:
    return f'"{_SPECIAL.sub(_escaped, text)}"'


def _escaped(found: re.Match[str]) -> str:
    character = found.group()
    return _ESCAPES.get(character, f"\\u{ord(character):04x}")


def _number(text: str) -> _Number:
    """A number as the nearest double, in its shortest form; with an exponent below 1e-6 and from 1e21."""
    number = float(text)
    if number == 0:
        return _Number("0")  # minus zero too
    if math.isinf(number):
        return _Number("null")
    sign = "-" if number < 0 else ""
    digits, exponent = _shortest(abs(number))
    return _Number(sign + _placed(digits, exponent))


def _shortest(number: float) -> tuple[str, int]:
    """The fewest digits that tell the number from its neighbours, and where its decimal point stands."""
    mantissa, _, power = f"{number!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading_zeros = len(whole + fraction) - len(digits)
    point = len(whole) - leading_zeros + int(power or 0)
    return digits.rstrip("0"), point


def _placed(digits: str, point: int) -> str:
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    exponent = f"e{point - 1:+d}"
    return f"{digits[0]}.{digits[1:]}{exponent}" if count > 1 else digits + exponent
