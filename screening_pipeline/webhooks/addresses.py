"""Which of our addresses a request names, told from the bytes of its path. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

_WEBHOOKS = "webhooks"


@dataclass(frozen=True)
class Address:
    """An account that is pushed to, by its vendor's slug and its name; `check_id` where the path has one."""

    vendor: str
    account: str
    check_id: str | None = None


def address_of(raw_path: bytes) -> Address | None:
    """The address in a path, without the slash at its end (`path_of`); None where it is none.

    Behind the account the rest is one id, slashes within
    it included. An id that is empty, no UTF-8, or has control characters, invisible signs or blanks or slashes at its
    ends is nobody's.
    """
    texts = [_text(segment) for segment in raw_path.split(b"/")]
    if len(texts) < 4 or texts[0] != "" or texts[1] != _WEBHOOKS or None in texts:
        return None
    _, _, vendor, account, *rest = (text or "" for text in texts)
    if not rest:
        return Address(vendor, account)
    check_id = "/".join(rest)
    return Address(vendor, account, check_id) if _is_id(check_id) else None


def path_of(raw_path: bytes) -> bytes:
    """A path as it was sent without one slash at its end: forms and libraries add it, and it says nothing."""
    return raw_path.removesuffix(b"/") or b"/"


def _text(segment: bytes) -> str | None:
    try:
        return unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        return None


def _is_id(text: str) -> bool:
    return bool(text) and text.isprintable() and text == text.strip() and text == text.strip("/")
