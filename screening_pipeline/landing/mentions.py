"""Search for check ids in text of unknown structure. Pure, and linear in the length of the text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from urllib.parse import unquote

from screening_pipeline.domain import ids

_LONGEST_ID = 256
_MOST_WORDS = 4
_WORD = re.compile(r"[\w-]+")
_QUOTED = re.compile(r'(?<=")[^"]+(?=")')
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)


def forms(text: str) -> list[str]:
    """The text, and its unescaped forms (JSON escapes, percent escapes), to search for ids in."""
    found = [text]
    if "\\" in text:
        units = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)) if escape[1] else escape[2], text)
        found.append(units.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    if "%" in text:
        found.append(unquote(text))
    return found


def names_any(text: str, check_ids: Collection[str]) -> bool:
    """Whether one of these ids occurs in the text as a whole word."""
    wanted = re.compile(rf"(?<![\w-])(?:{'|'.join(map(_pattern, sorted(check_ids)))})(?![\w-])")
    return any(wanted.search(form) for form in forms(text))


def _pattern(check_id: str) -> str:
    """A regular expression for all spellings of an id."""
    written = re.escape(check_id)
    return f"(?i:{written})" if ids.is_uuid(check_id) else written


def possible_ids(text: str) -> set[str]:
    """All substrings of a text that may be a check id: words, up to four joined words, quoted strings."""
    return {name for form in forms(text) for name in _names(form) if len(name) <= _LONGEST_ID}


def _names(text: str) -> Iterator[str]:
    places = [word.span() for word in _WORD.finditer(text)]
    for more in range(_MOST_WORDS):
        for (start, _), (_, end) in zip(places, places[more:], strict=False):
            if end - start <= _LONGEST_ID:
                yield text[start:end]
    yield from (quoted[0] for quoted in _QUOTED.finditer(text))
