"""Text of strangers, made harmless for a terminal, and lengths of time as people say them."""

from __future__ import annotations

from screening_pipeline.base.text import span_in_words


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
    """A length of time as a person says it; None where it is not known."""
    return None if seconds is None else span_in_words(seconds)
