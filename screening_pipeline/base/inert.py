"""Untrusted text made harmless for a terminal, and durations in words."""

from __future__ import annotations

from screening_pipeline.base.text import span_in_words


def inert(value: object) -> str:
    """`value` as text without control characters: nothing moves a cursor, changes a colour or reverses a line."""
    text = "" if value is None else str(value)
    if text.isprintable():  # nearly always, and then there is nothing to look for
        return text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}" for c in text)


def inert_lines(text: str) -> str:
    """The same for text of several lines, whose newlines stay."""
    return "\n".join(map(inert, text.split("\n")))


def span(seconds: float | None) -> str | None:
    """A duration in words (`45 s`, `5.3 h`); None where `seconds` is None."""
    return None if seconds is None else span_in_words(seconds)
