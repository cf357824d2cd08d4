"""Masking of what must never be stored: values of named keys, secrets, free text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote

from screening_pipeline.domain.declaration import Vendor

MASK = "***"
_SHORTEST_SECRET = 12


_BLANK = r"(?:\s|\\++(?:[nrt]|u00(?:20|09|0a|0d)))*+"
_AFTER_VALUE = re.compile(r"\s*+(?:[,}\]]|$)")
# Whatever a vendor's documents say of them: nobody here has a use for these values.
_NEVER_STORED = (
    *("**.SSN", "**.SocialSecurityNumber"),
    *("**.DateOfBirth", "**.BirthDate", "**.DOB"),
    *("**.DriverLicenseNumber", "**.DriverLicenseNum", "**.DriverLicenceNumber", "**.DrivingLicenceNumber"),
    *("**.DriverLicense", "**.DriversLicense", "**.DriversLicenseNumber"),
)


_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|[_-]")
_GAP = r"[\s_-]?"
_REST_OF_LINE = re.compile(r"[^&\r\n]*+")
_REST_OF_STRING = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)


def masked_keys(vendor: Vendor) -> tuple[str, ...]:
    """The keys of this vendor whose values are masked, at whatever depth. Raises ValueError for any other path."""
    return _keys_of((*_NEVER_STORED, *vendor.never_store))


@lru_cache(maxsize=64)
def _keys_of(paths: tuple[str, ...]) -> tuple[str, ...]:
    wrong = [path for path in paths if not re.fullmatch(r"\*\*\.[A-Za-z0-9_-]+", path)]
    if wrong:
        raise ValueError(f"never_store: {wrong[0]!r} is not of the form '**.Key'")
    return tuple(path.removeprefix("**.") for path in paths)


def mask(text: str, keys: tuple[str, ...]) -> str:
    """`text` with the value of each of `keys`, at any depth and however written (G13), replaced by "***".

    `DateOfBirth` is also `date_of_birth` and `"DATE OF BIRTH "`. Works on the letters, so that broken bodies are
    masked too: a value that cannot be read, or that something follows which cannot follow a value, is masked to the
    end. In JSON that stands inside a JSON string, the rest of that string goes.
    """
    if not _may_hold(text, keys):
        return text
    kept, position = [], 0
    pattern = _key_pattern(keys)
    while found := pattern.search(text, position):
        is_inner = found["quote"] != '"'
        kept += [text[position : found.end()], MASK if is_inner else f'"{MASK}"']
        position = _end_of_string(text, found.end()) if is_inner else _end_of_value(text, found.end())
    return "".join([*kept, text[position:]])


def _may_hold(text: str, keys: tuple[str, ...]) -> bool:
    """Whether it is worth looking for keys: a tenth of the search, and most texts have none."""
    if "\\u" in text or not text.isascii():
        return True
    plain = text.lower()
    return any(all(word in plain for word in words) for words in _words(keys))


@lru_cache(maxsize=64)
def _words(keys: tuple[str, ...]) -> list[list[str]]:
    return [[word.lower() for word in _HUMP.split(key)] for key in keys]


def mask_words(text: str, keys: tuple[str, ...]) -> str:
    """`text`, which is no JSON, with what follows any of `keys` replaced by "***".

    Of markup that is all up to the closing tag, after `=` or `:` the rest of the line, or of the field of a form.
    """
    kept, position = [], 0
    pattern = _word_pattern(keys)
    while found := pattern.search(text, position):
        kept += [text[position : found.end()], MASK]
        position = _end_of_element(text, found) if found["tag"] else _end_of_line(text, found.end())
    return "".join([*kept, text[position:]])


@lru_cache(maxsize=64)
def _word_pattern(keys: tuple[str, ...]) -> re.Pattern[str]:
    """An opening tag, or a word with what parts it from its value."""
    spelled = "|".join(_GAP.join(map(re.escape, words)) for words in _words(keys))
    tag = rf"<(?P<tag>(?:[\w.-]{{1,64}}:)?(?:{spelled}))(?:\s[^<>]*+)?>"
    # A field of a form may be one of several, `person[ssn]=`, and its brackets may be escaped.
    before, after = r"(?:(?<!\w)|(?<=%5b))", r"(?!\w)(?:[\"'\]]|%5d)?"
    masked = rf'(?!\s*+"{re.escape(MASK)}")'
    return re.compile(rf"{tag}|{before}(?:{spelled}){after}\s*+[=:]{masked}", re.IGNORECASE)


def _end_of_element(text: str, opening: re.Match[str]) -> int:
    found = re.compile(rf"</{re.escape(opening['tag'])}\s*+>", re.IGNORECASE).search(text, opening.end())
    return found.start() if found else len(text)


def _end_of_line(text: str, start: int) -> int:
    found = _REST_OF_LINE.match(text, start)
    return found.end() if found else len(text)


@lru_cache(maxsize=64)
def _key_pattern(keys: tuple[str, ...]) -> re.Pattern[str]:
    """A quoted key and its colon, each letter plain or as an escape; in an inner text quotes and colon may be, too.

    What stands before a quote is not looked at: a search that begins anew at each of many backslashes takes forever.
    """
    spelled = "|".join(_GAP.join("".join(map(_spellings, word)) for word in words) for words in _words(keys))
    opening, closing = r'(?:"|(?<=\\)u0022)\s*+', r'\s*+(?P<quote>\\*+"|\\++u0022)'
    return re.compile(rf"{opening}(?:{spelled}){closing}{_BLANK}(?::|\\++u003a){_BLANK}", re.IGNORECASE)


def _spellings(letter: str) -> str:
    codes = "|".join(f"{ord(form):04x}" for form in sorted({letter.lower(), letter.upper()}))
    return rf"(?:{re.escape(letter)}|\\++u(?:{codes}))"


_LENIENT = json.JSONDecoder()


def _end_of_value(text: str, start: int) -> int:
    try:
        end = _LENIENT.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return len(text)
    # A quote that should have been escaped ends the value too early.
    return end if _AFTER_VALUE.match(text, end) else len(text)


def _end_of_string(text: str, start: int) -> int:
    found = _REST_OF_STRING.match(text, start)
    return found.end() if found else len(text)


def masked_headers(headers: Mapping[str, str], secrets: tuple[str, ...]) -> dict[str, str]:
    """Response headers without the secrets that somebody repeats in them."""
    return {name: _without_secrets(value, secrets) for name, value in headers.items()}


def _without_secrets(text: str, secrets: tuple[str, ...]) -> str:
    """`text` with each of `secrets`, plain or as JSON or an address has it, replaced by "***"; digits by ones."""
    for form in _forms(secrets):
        if form in text:
            text = text.replace(form, "1" * len(form) if form.isdecimal() else MASK)
    return text


@lru_cache(maxsize=64)
def _forms(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """The spellings of secrets in a body (escaped, encoded), longest first; too short secrets are left out."""
    forms = {form for one in secrets for form in (one, json.dumps(one)[1:-1], quote(one, safe=""))}
    return tuple(sorted((form for form in forms if len(form) >= _SHORTEST_SECRET), key=lambda form: (-len(form), form)))


def masked_body(body: bytes, vendor: Vendor, secrets: tuple[str, ...]) -> tuple[str | None, bytes]:
    """The masked body: (text, b""), or (None, bytes) where it is not UTF-8."""
    keys = masked_keys(vendor)
    if b"\0" in body and (vendor.never_store or _is_hiding(body, keys)):
        # UTF-16, UTF-32 or packed: keys cannot be found there, so nothing may be kept of a vendor known to send them.
        return MASK, b""
    try:
        return _masked(_without_secrets(body.decode("utf-8"), secrets), keys), b""
    except UnicodeDecodeError:
        text = _without_secrets(body.decode("latin-1"), secrets)
        return None, mask_words(mask(text, keys), keys).encode("latin-1")


def _masked(text: str, keys: tuple[str, ...]) -> str:
    is_json = text.lstrip("\ufeff \t\r\n").startswith(("{", "["))  # or was meant to be
    return mask(text, keys) if is_json else mask_words(mask(text, keys), keys)


def _is_hiding(body: bytes, keys: tuple[str, ...]) -> bool:
    """Whether a value that must be masked would be seen without the zeros alone, as in UTF-16."""
    plain = _masked(body.lstrip(b"\xff\xfe").decode("latin-1"), keys).replace("\0", "")
    return mask_words(mask(plain, keys), keys) != plain
