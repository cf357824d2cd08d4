"""Which answers may be believed: strict reading of a body, before anything is made of it. Pure and total.

For any bytes `examine` returns a reading: the messages that can be trusted, or a reason code why there are
none. A reason never holds a value of the payload. Values that must never be stored are masked in whatever is
handed on, also in answers that are refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import accumulate
from typing import Any, NoReturn
from urllib.parse import quote

from screening_pipeline.exchange import Exchange
from screening_pipeline.model import Endpoint, Json, Parts, Record, Vendor, aliases

REASONS = (
    "not_utf8",
    "empty",
    "html",
    "content_type",
    "not_json",
    "duplicate_key",
    "not_finite",
    "too_deep",
    "lone_surrogate",
    "too_large",
    "truncated",
    "not_an_object",
    "wrong_type",
    "error_body",
    "missing_status",
    "missing_id",
    "id_mismatch",
    "unreadable_shape",
)
MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 64
MASK = "***"
_SHORTEST_SECRET = 12

_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_TOKEN = re.compile(rf"{_STRING.pattern}|[\[\]{{}}]", re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_BLANK = r"(?:\s|\\++(?:[nrt]|u00(?:20|09|0a|0d)))*+"
_AFTER_VALUE = re.compile(r"\s*+(?:[,}\]]|$)")
# Whatever a vendor's documents say of them: nobody here has a use for these values.
_NEVER_STORED = (
    *("**.SSN", "**.SocialSecurityNumber"),
    *("**.DateOfBirth", "**.BirthDate", "**.DOB"),
    *("**.DriverLicenseNumber", "**.DriverLicenseNum", "**.DriverLicenceNumber", "**.DrivingLicenceNumber"),
    *("**.DriverLicense", "**.DriversLicense", "**.DriversLicenseNumber"),
)
# Why a text is refused that could not be read as JSON at all.
_UNPARSED = ("not_json", "content_type", "truncated")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|[_-]")
_GAP = r"[\s_-]?"
_REST_OF_LINE = re.compile(r"[^&\r\n]*+")
_REST_OF_STRING = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One message in its documented shape, masked, with the subject and the id it speaks of."""

    subject: str
    check_id: str
    body: Json = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What an answer is worth.

    `text` is the body with masked values, None where it is no UTF-8; then `raw` holds the (masked) bytes.
    `is_verbatim`: there is one message and its body is `text`, to the letter. `message_rejects` lists
    (index in the answer, reason) of messages that were refused beside others that were not.
    """

    reject: str | None = None
    messages: tuple[Reading, ...] = field(default=(), repr=False)
    message_rejects: tuple[tuple[int, str], ...] = ()
    text: str | None = field(default=None, repr=False)
    raw: bytes = field(default=b"", repr=False)
    is_verbatim: bool = False


class _Refused(Exception):
    """Why a body or a message is not believed; the only argument is one of REASONS."""

    @property
    def reason(self) -> str:
        return str(self.args[0])


class _DuplicateKey(ValueError):
    pass


def examine(exchange: Exchange, vendor: Vendor, secrets: tuple[str, ...] = ()) -> Examined:
    """Judge one exchange. Failures and answers other than 2xx are kept, masked, and not judged at all.

    `secrets` are masked wherever they stand: some answers quote the credential they refuse.
    """
    text, raw = _masked_body(exchange.body, vendor, secrets)
    if not exchange.is_success:
        is_read = text is None or _is_json(text)
        return Examined(text=text if is_read else mask_words(text or "", masked_keys(vendor)), raw=raw)
    if _is_nothing_waiting(exchange, vendor):
        return Examined(text=text)
    try:
        original = _decoded(exchange)
        value = _parsed(original, exchange)
        if text is not None and text != original:  # a value was masked: go on without it
            value = _reread(text)
        found = _messages(exchange, vendor, value)
    except _Refused as refused:
        salvaged = _salvaged(exchange, vendor, text or "") if refused.reason == "truncated" else None
        if text is not None and refused.reason in _UNPARSED:
            text = mask_words(text, masked_keys(vendor))
        return salvaged or Examined(reject=refused.reason, text=text, raw=raw)
    return _judged(exchange, vendor, found, text or "", value)


def _reread(text: str) -> Json:
    """A text that was JSON before something in it was masked. Raises _Refused."""
    try:
        return json.loads(text)
    except ValueError:  # a secret began in the middle of an escape
        raise _Refused("not_json") from None


def _is_feed(exchange: Exchange, vendor: Vendor) -> bool:
    return vendor.feed is not None and exchange.endpoint == vendor.feed.name


def _is_nothing_waiting(exchange: Exchange, vendor: Vendor) -> bool:
    """A feed that says "no content" says the same as one that sends an empty list."""
    return _is_feed(exchange, vendor) and exchange.http_status == 204 and not exchange.body


def _salvaged(exchange: Exchange, vendor: Vendor, text: str) -> Examined | None:
    """What came complete of half a destructive feed's answer: it can be had nowhere else."""
    if not _is_feed(exchange, vendor):
        return None
    try:
        found = _messages(exchange, vendor, _parsed(_closed(text), exchange)) or []
    except _Refused:
        return None
    examined = _judged(exchange, vendor, found, text, None)
    if not examined.messages:
        return None
    return replace(examined, message_rejects=(*examined.message_rejects, (len(found), "truncated")))


def _closed(text: str) -> str:
    """Half a JSON text, cut off after the last complete object in its first array, its brackets closed."""
    kept, open_brackets = 0, ""
    stack: list[str] = []
    for found in _TOKEN.finditer(text):
        if found[0] in "[{":
            stack.append("]" if found[0] == "[" else "}")
        elif found[0] in "]}":
            if not stack or stack.pop() != found[0]:
                break
            if found[0] == "}" and stack[-1:] == ["]"] and stack.count("]") == 1:
                kept, open_brackets = found.end(), "".join(reversed(stack))
    return text[:kept] + open_brackets


def masked_keys(vendor: Vendor) -> tuple[str, ...]:
    """The keys whose values are never stored, at whatever depth. Raises ValueError for any other path."""
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


def _without_secrets(text: str, secrets: tuple[str, ...]) -> str:
    """`text` with each of `secrets`, plain or as JSON or an address has it, replaced by "***"; digits by ones."""
    for form in _forms(secrets):
        if form in text:
            text = text.replace(form, "1" * len(form) if form.isdecimal() else MASK)
    return text


@lru_cache(maxsize=64)
def _forms(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """How secrets may be written, the longest first; what is short enough to be a word of any text is left out."""
    forms = {form for one in secrets for form in (one, json.dumps(one)[1:-1], quote(one, safe=""))}
    return tuple(sorted((form for form in forms if len(form) >= _SHORTEST_SECRET), key=lambda form: (-len(form), form)))


def _masked_body(body: bytes, vendor: Vendor, secrets: tuple[str, ...]) -> tuple[str | None, bytes]:
    """(masked text, b""), or (None, masked bytes) where the body is no UTF-8."""
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


def _is_json(text: str) -> bool:
    try:
        json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return False
    return True


def _decoded(exchange: Exchange) -> str:
    """The body as text. Raises _Refused for what cannot be JSON by its size, type or encoding."""
    if len(exchange.body) > MAX_BODY_BYTES:
        raise _Refused("too_large")
    if exchange.http_status == 204 or not exchange.body.strip():
        raise _Refused("empty")
    if "html" in _content_type(exchange) or exchange.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise _Refused("html")
    try:
        return exchange.body.decode("utf-8")
    except UnicodeDecodeError:
        raise _Refused(_unless_foreign(exchange, "not_utf8")) from None


def _content_type(exchange: Exchange) -> str:
    return exchange.headers.get("content-type", "").partition(";")[0].strip().lower()


def _unless_foreign(exchange: Exchange, reason: str) -> str:
    """`reason`, but `content_type` where the vendor itself says that this is no JSON."""
    kind = _content_type(exchange)
    return reason if not kind or kind.endswith("json") else "content_type"


def _parsed(text: str, exchange: Exchange) -> Json:
    """The strictly read JSON value. Raises _Refused."""
    if _is_too_deep(text):
        raise _Refused("too_deep")
    try:
        value = _STRICT.decode(text.removeprefix("\ufeff"))
    except _DuplicateKey:
        raise _Refused("duplicate_key") from None
    except json.JSONDecodeError:
        raise _Refused(_unless_foreign(exchange, "truncated" if _is_half(text) else "not_json")) from None
    except ValueError:  # NaN, Infinity, or a number too large for any machine type
        raise _Refused("not_finite") from None
    except RecursionError:
        raise _Refused("too_deep") from None
    if _has_lone_surrogate(text, value):
        raise _Refused("lone_surrogate")
    return value


def _is_too_deep(text: str) -> bool:
    """Decided before parsing, for deep nesting overruns the parser's stack."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    return max(_levels(text), default=0) > MAX_DEPTH


def _is_half(text: str) -> bool:
    """Whether a JSON value was begun and its brackets are not closed at the end."""
    begins = text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[")
    return begins and next(reversed(_levels(text)), 0) > 0


def _levels(text: str) -> list[int]:
    """The level of nesting after each bracket outside of strings."""
    steps = (1 if bracket in "[{" else -1 for bracket in _BRACKET.findall(_STRING.sub("", text)))
    return list(accumulate(steps))


def _has_lone_surrogate(text: str, value: Json) -> bool:
    if not _SURROGATE.search(text):
        return False
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """A JSON object, for a decoder's `object_pairs_hook`. Raises ValueError where a key stands twice."""
    # Readers differ in which of two equal keys they keep, so `clear` and `consider` could swap.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DuplicateKey
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("not_finite")
    return number


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("not_finite")


_STRICT = json.JSONDecoder(object_pairs_hook=unique, parse_float=_finite, parse_constant=_no_constant)


def _messages(exchange: Exchange, vendor: Vendor, value: Json) -> list[tuple[str, Json]] | None:
    """(subject, message) of each message in a decoded body; None where it is not about checks at all."""
    endpoint = _endpoint(exchange, vendor)
    if endpoint is not None and endpoint.subject is None and not endpoint.is_destructive:
        _check_list(vendor, endpoint, value)
        return [("package", item) for item in _listed(value)] if endpoint.is_list else None
    is_feed = endpoint is not None and endpoint.is_destructive
    if not isinstance(value, dict) and not (is_feed and isinstance(value, list)):
        raise _Refused("not_an_object")
    if vendor.reshape is None:
        return [(_subject(exchange, endpoint, vendor), value)]
    try:
        return list(vendor.reshape(exchange.endpoint, value))
    except Exception:  # noqa: BLE001  # hostile input in a declaration's own code: whatever it trips over
        is_error = isinstance(value, dict) and _is_error(vendor, value)
        raise _Refused("error_body" if is_error else "unreadable_shape") from None


def _endpoint(exchange: Exchange, vendor: Vendor) -> Endpoint | None:
    """The declared call, or None for a pushed message. Raises _Refused for a call nobody declared."""
    found = [endpoint for endpoint in vendor.endpoints if endpoint.name == exchange.endpoint]
    if not found and exchange.channel != "push":
        raise _Refused("unreadable_shape")
    return found[0] if found else None


def _subject(exchange: Exchange, endpoint: Endpoint | None, vendor: Vendor) -> str:
    return (endpoint.subject if endpoint else exchange.subject) or vendor.default_subject


def _check_list(vendor: Vendor, endpoint: Endpoint, value: Json) -> None:
    """Answers about no check (packages, links) are kept as they are, unless they are plainly errors."""
    if not isinstance(value, dict | list) or (isinstance(value, list) and not endpoint.is_list):
        raise _Refused("not_an_object")
    if isinstance(value, dict) and _is_error(vendor, value) and not _has_list(value):
        raise _Refused("error_body")


def _listed(value: Json) -> list[Json]:
    """The items of a bare list, or of the only list in an object that wraps it."""
    if isinstance(value, list):
        return value
    lists = [item for item in value.values() if isinstance(item, list)]
    if len(lists) != 1:
        raise _Refused("unreadable_shape")
    return list(lists[0])


def _has_list(value: Mapping[str, Json]) -> bool:
    return any(isinstance(item, list) for item in value.values())


def _is_error(vendor: Vendor, message: Mapping[str, Json]) -> bool:
    return any(key in message for key in vendor.error_shape)


def _judged(
    exchange: Exchange, vendor: Vendor, found: list[tuple[str, Json]] | None, text: str, value: Json
) -> Examined:
    """Keep the messages that can be believed; when none of them can, the whole answer is refused."""
    good: list[Reading] = []
    bad: list[tuple[int, str]] = []
    for index, (subject, message) in enumerate(found or ()):
        try:
            good.append(_reading(exchange, vendor, subject, message))
        except _Refused as refused:
            bad.append((index, refused.reason))
    reject = bad[0][1] if bad and not good else None
    return Examined(
        reject=reject,
        messages=tuple(good),
        message_rejects=tuple(bad) if good else (),
        text=text,
        is_verbatim=len(good) == 1 and good[0].body is value and _fits_a_line(text),
    )


def _fits_a_line(text: str) -> bool:
    return "\n" not in text and "\r" not in text and not text.startswith("\ufeff")


def _reading(exchange: Exchange, vendor: Vendor, subject: str, message: Json) -> Reading:
    """One message, judged against the declaration of its subject. Raises _Refused."""
    record = vendor.records.get(subject)
    if record is None:
        raise _Refused("unreadable_shape")
    if not isinstance(message, dict):
        raise _Refused("not_an_object")
    _check_required(vendor, record, message)
    check_id = _check_id(exchange, record, message)
    for address in _flat(record.columns.values()):
        if isinstance(_lookup(message, address), dict | list):
            raise _Refused("wrong_type")
    for other in vendor.records.values():
        _check_scannable(other, message)
    return Reading(subject=subject, check_id=check_id, body=message)


def _check_scannable(record: Record, message: Mapping[str, Json]) -> None:
    """One typed scan reads all messages of a vendor, so each must fit the shapes of all its subjects."""
    for address in _flat(record.columns.values()):
        _lookup(message, address)
    for parts in (record.components, record.actions, record.runs):
        if parts is not None:
            _check_parts(parts, message)


def _check_required(vendor: Vendor, record: Record, message: Mapping[str, Json]) -> None:
    given = [_lookup(message, address) for address in record.required]
    words = [value for value in given if isinstance(value, str) and value]
    is_error = _is_error(vendor, message)
    if words and not (is_error and all(word.strip().isdecimal() for word in words)):
        return
    if is_error:  # K7: an error's `status` is a number, also one that is written as a text, and no lifecycle
        raise _Refused("error_body")
    raise _Refused("wrong_type" if any(value not in (None, "") for value in given) else "missing_status")


def _check_id(exchange: Exchange, record: Record, message: Mapping[str, Json]) -> str:
    """The message's own id as text, or else the one asked for. G6: they must be the same."""
    own = next(filter(None, (_id_text(message, address) for address in aliases(record.id))), None)
    if own is None and (record.is_id_required or not exchange.check_id):
        raise _Refused("missing_id")
    if own is not None and exchange.check_id is not None and own != exchange.check_id:
        raise _Refused("id_mismatch")
    return own or exchange.check_id or ""


def _id_text(message: Mapping[str, Json], address: str) -> str | None:
    value = _lookup(message, address)
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise _Refused("wrong_type")
    return None if value is None else str(value)


def _check_parts(parts: Parts, message: Mapping[str, Json]) -> None:
    elements = _lookup(message, parts.at)
    if elements is None:
        return
    kind = str if "" in parts.columns.values() else dict
    if not isinstance(elements, list) or not all(isinstance(element, kind) for element in elements):
        raise _Refused("wrong_type")
    for element in elements if kind is dict else ():
        if any(isinstance(_lookup(element, address), dict | list) for address in parts.columns.values()):
            raise _Refused("wrong_type")


def _flat(addresses: Iterable[str | tuple[str, ...]]) -> Iterable[str]:
    return (alias for address in addresses for alias in aliases(address))


def _lookup(message: Mapping[str, Json], address: str) -> Json:
    """The value at a dotted address, None where there is none. Raises _Refused when the way is blocked."""
    value: Any = message
    for key in address.split("."):
        if value is None:
            return None
        if not isinstance(value, dict):
            raise _Refused("wrong_type")
        value = value.get(key)
    return value
