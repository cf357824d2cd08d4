"""Text of strangers, made harmless for a terminal, and lengths of time as people say them."""

from __future__ import annotations

from datetime import timedelta


def inert(value: object) -> str:
    """`value` as text in which no character moves a cursor, changes a colour or reverses a line."""
    text = "" if value is None else str(value)
    if text.isprintable():  # nearly always, and then there is nothing to look for
        return text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}" for c in text)


def inert_lines(text: str) -> str:
    """Text of several lines, each of them inert."""
    return "\n".join(map(inert, text.split("\n")))


def span(seconds: float | None) -> str | None:
    """A length of time as a person says it: 45 s, 12 min, 5.3 h, 4.1 d."""
    if seconds is None:
        return None
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if abs(seconds) < limit:
            return f"{seconds / unit:.0f} {name}" if unit < 3600 else f"{seconds / unit:.1f} {name}"
    return f"{timedelta(seconds=seconds) / timedelta(days=1):.1f} d"
