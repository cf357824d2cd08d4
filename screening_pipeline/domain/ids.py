"""What may stand as an id: one set of rules for order files and for vendors' messages. Pure.

An id that a spreadsheet, a mail or a failed look-up has spoiled names no check that any vendor knows, or makes one
person of two. It is refused, never repaired: only what cannot be seen at its ends goes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import product

SPREADSHEET_NUMBER = "spreadsheet_number"
NO_VALUE = "no_value"
INVISIBLE_SIGN = "invisible_sign"

# What has no shape of its own, beside format characters, controls and the blanks of other widths.
_SHAPELESS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_VARIATION_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
# It looks like the hyphen that an id has, and is another sign.
_NO_BREAK_HYPHEN = "\u2011"

# An id of digits comes out of a column of numbers with decimals, or rounded to what a cell shows of it.
_NUMBER = re.compile(
    r"""[+-]?(?:
        \d+[.,]0*                                  # 1042.0
      | \d(?:[.,]\d*)?E[+-]?\d{2,}                 # 1.23457E+17
      | \d+(?:[.,]\d+)?[eE]\+\d+                   # 123457e+12
      | \d[.,]\d+e-?\d+                            # 1.23457e17
      | \d{1,3}(?:[,'\u2019\x20\u00a0\u202f]\d{3})+(?:[.,]\d*)?   # 1,042
    )""",
    re.VERBOSE,
)
_FORMULA = re.compile(r"=|'\d")
# Nearly every id: letters, digits and hyphens with a digit that is no zero, which no word for nothing has, and no
# number as a spreadsheet shows it.
_PLAIN = re.compile(r"(?![+-]?\dE)(?=[A-Za-z0_-]*+[1-9])[A-Za-z0-9_-]++")
_ERROR_OF_A_CELL = re.compile(
    r"#[\u00a1\u00bf]?[^\W\d][\w/ ]*[!?]|#(?:N/?[ADV]|N/D|NV|N/DISP|GETTING_DATA)", re.IGNORECASE
)
_PUNCTUATION = re.compile(r"[\W_]+")
_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_NIL_GUID = re.compile(r"\{?0{8}-?0{4}-?0{4}-?0{4}-?0{12}\}?")
_BRACKETS = "<>()[]{}'\"`"
_WORDS_FOR_NOTHING = frozenset(
    {
        *("null", "nil", "none", "nan", "nat", "na", "n/a", "n.a.", "n.a", "n/k", "n/d", "\\n", "void", "undefined"),
        *("unknown", "missing", "empty", "blank", "tbd", "tba", "tbc", "inf", "+inf", "-inf", "infinity", "-infinity"),
        *("true", "false", "not available", "not applicable", "not found", "not known", "no value", "no id"),
    }
)


def trimmed(text: str) -> str:
    """`text` without blanks and without signs that nobody sees at its ends."""
    text = text.strip()
    if text.isascii() and text.isprintable():
        return text
    start, end = 0, len(text)
    while start < end and _is_unseen(text[start]):
        start += 1
    while end > start and _is_unseen(text[end - 1]):
        end -= 1
    return text[start:end]


def person_form(candidate_ref: str) -> str:
    """The one form in which a person's reference is known: trimmed, and composed (NFC)."""
    return unicodedata.normalize("NFC", trimmed(candidate_ref))


def check_form(check_id: str) -> str:
    """The form in which all spellings of one check's id are equal: a UUID has no case. Every other id is itself."""
    return check_id.lower() if is_uuid(check_id) else check_id


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID, with or without its hyphens."""
    return _UUID.fullmatch(text) is not None


def written_forms(check_id: str) -> set[str]:
    """The spellings of an id by which an earlier version may have known it; see `staging.erased_hashes`."""
    return {check_id.lower(), check_id.upper(), check_id} if is_uuid(check_id) else {check_id}


def problem_of(text: str) -> str | None:
    """Why a trimmed text cannot be an id, a code of this module; None where it may be one. An empty text may."""
    if not text or is_plain(text):
        return None
    if not (text.isascii() and text.isprintable()) and any(map(_is_deceptive, text)):
        return INVISIBLE_SIGN
    if _NUMBER.fullmatch(text) or _FORMULA.match(text):
        return SPREADSHEET_NUMBER
    return NO_VALUE if _is_nothing(text) else None


def is_plain(text: str) -> bool:
    """Whether a trimmed text is an id like nearly all, about which there is no question."""
    return _PLAIN.fullmatch(text) is not None


def _is_nothing(text: str) -> bool:
    word = text.strip(_BRACKETS).casefold()
    is_word = word in _WORDS_FOR_NOTHING or text.casefold() in _WORDS_FOR_NOTHING
    return is_word or any(form.fullmatch(text) for form in (_PUNCTUATION, _ERROR_OF_A_CELL, _NIL_GUID))


def _is_deceptive(sign: str) -> bool:
    return sign == _NO_BREAK_HYPHEN or (sign != " " and _is_unseen(sign))


def _is_unseen(sign: str) -> bool:
    if unicodedata.category(sign) in _UNSEEN_CATEGORIES or sign in _SHAPELESS:
        return True
    return any(ord(sign) in selectors for selectors in _VARIATION_SELECTORS)


# ── the spellings under which a person may have been kept before there was one form ─────────────────

_AT_ENDS = ("", *"\u200b\ufeff\u200e\u200f\u2060\u00ad\u200c\u200d\u061c\u202a\u202c\u2066\u2069\u00a0")
_FORMS: tuple[Callable[[str], str], ...] = (
    lambda text: text,
    lambda text: unicodedata.normalize("NFC", text),
    lambda text: unicodedata.normalize("NFD", text),
)


def is_same_person(one: str, other: str) -> bool:
    """Whether two references differ only in what cannot be seen, or in how a spreadsheet wrote a number."""
    return _bare(one) == _bare(other)


def _bare(reference: str) -> str:
    seen = "".join(sign for sign in unicodedata.normalize("NFC", reference) if sign == " " or not _is_unseen(sign))
    whole = re.fullmatch(r"(\d+)[.,]0+", seen.strip())
    return unicodedata.normalize("NFC", whole[1] if whole else seen.strip())


def spellings(candidate_ref: str) -> Iterator[str]:
    """The spellings of a person's reference that an earlier version may have kept, the form of today first."""
    reference = person_form(candidate_ref)
    yield reference
    whole = re.fullmatch(r"(\d+)(?:[.,]0+)?", reference)
    numbers = (f"{whole[1]}{decimals}" for decimals in ("", ".0", ".00", ",0", ",00")) if whole else ()
    yield from numbers
    for text in dict.fromkeys(form(given) for given in (reference, candidate_ref.strip()) for form in _FORMS):
        yield from (f"{before}{text}{after}" for before, after in product(_AT_ENDS, _AT_ENDS))
