"""Small things about text that several rooms need."""

from __future__ import annotations

_UNITS = ((120, 1, "s", 0), (7_200, 60, "min", 0), (172_800, 3_600, "h", 1))


def span_in_words(seconds: float) -> str:
    """A duration in words, in the unit that fits: 45 s, 12 min, 5.3 h, 4.1 d."""
    for limit, unit, name, digits in _UNITS:
        if abs(seconds) < limit:
            return f"{seconds / unit:.{digits}f} {name}"
    return f"{seconds / 86_400:.1f} d"


def has_lone_surrogate(text: str) -> bool:
    """Whether a text holds half a surrogate pair, which UTF-8 cannot encode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
