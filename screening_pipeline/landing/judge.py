"""The judge of answers: strict validation of a body before anything is made of it. Pure and total.

For any bytes `examine` returns a reading: the messages that can be trusted, or a reason code why there are
none. A reason never holds a value of the payload. Values that must never be stored are masked in whatever is
handed on, also in answers that are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from screening_pipeline.domain import ids
from screening_pipeline.domain.declaration import Endpoint, Record, Vendor, aliases
from screening_pipeline.domain.exchange import HttpExchange
from screening_pipeline.domain.vocabulary import Announcement, Json
from screening_pipeline.landing.fitting import fitted
from screening_pipeline.landing.masking import mask_words, masked_body, masked_keys
from screening_pipeline.landing.strict_json import STRING, Refused, decoded, is_any_json, parsed

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
    "spoiled_id",
    "unreadable_shape",
    "unexpected_status",
)

_TOKEN = re.compile(rf"{STRING.pattern}|[\[\]{{}}]", re.DOTALL)
# Why a text is refused that could not be read as JSON at all.
_UNPARSED = ("not_json", "content_type", "html", "truncated")


@dataclass(frozen=True, kw_only=True)
class AcceptedMessage:
    """One accepted message in its documented shape, masked, with its subject and check id."""

    subject: str
    check_id: str
    body: Json = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Examined:
    """The verdict on an answer: accepted messages, reject reasons, masked body.

    `text` is the body with masked values, None where it is no UTF-8; then `raw` holds the (masked) bytes.
    `is_verbatim`: there is one message and its body is `text`, to the letter. `message_rejects` lists
    (index in the answer, reason) of messages that were refused beside others that were not, `part_rejects` (index,
    address) what could not be read within a message. `detail` says more of the reject to a person, and holds no value.
    """

    reject: str | None = None
    detail: str | None = None
    messages: tuple[AcceptedMessage, ...] = field(default=(), repr=False)
    message_rejects: tuple[tuple[int, str], ...] = ()
    part_rejects: tuple[tuple[int, str], ...] = ()
    text: str | None = field(default=None, repr=False)
    raw: bytes = field(default=b"", repr=False)
    is_verbatim: bool = False


def examine(exchange: HttpExchange, vendor: Vendor, secrets: tuple[str, ...] = ()) -> Examined:
    """Judge one exchange: validate and mask its body. Failures and non-2xx answers are masked, and not judged.

    `secrets` are masked wherever they stand: some answers quote the credential they refuse.
    """
    text, raw = masked_body(exchange.body, vendor, secrets)
    if not exchange.is_success:
        is_read = text is None or is_any_json(text)
        return Examined(text=text if is_read else mask_words(text or "", masked_keys(vendor)), raw=raw)
    if _is_nothing_waiting(exchange, vendor):
        return Examined(text=text)
    if exchange.http_status not in (200, 204) and not _is_feed(exchange, vendor):
        # Part of an answer (206), one that is not ready (202), or what something on the way made of it (203).
        return Examined(reject="unexpected_status", text=text, raw=raw)
    try:
        original = decoded(exchange)
        value = parsed(original, exchange)
        if text is not None and text != original:  # a value was masked: go on without it
            value = _reread(text)
        found = _messages(exchange, vendor, value)
    except Refused as refused:
        salvaged = _salvaged(exchange, vendor, text or "") if refused.reason == "truncated" else None
        if text is not None and refused.reason in _UNPARSED:
            text = mask_words(text, masked_keys(vendor))
        return salvaged or Examined(reject=refused.reason, detail=refused.detail, text=text, raw=raw)
    return _judged(exchange, vendor, found, text or "", value)


def _reread(text: str) -> Json:
    """A text that was JSON before something in it was masked. Raises _Refused."""
    try:
        return json.loads(text)
    except ValueError:  # a secret began in the middle of an escape
        raise Refused("not_json") from None


def _is_feed(exchange: HttpExchange, vendor: Vendor) -> bool:
    return vendor.feed is not None and exchange.endpoint == vendor.feed.name


def _is_nothing_waiting(exchange: HttpExchange, vendor: Vendor) -> bool:
    """A feed that says "no content" says the same as one that sends an empty list."""
    return _is_feed(exchange, vendor) and exchange.http_status == 204 and not exchange.body


def _salvaged(exchange: HttpExchange, vendor: Vendor, text: str) -> Examined | None:
    """The complete messages of a truncated answer of a destructive feed: they can be had nowhere else."""
    if not _is_feed(exchange, vendor):
        return None
    try:
        found = _messages(exchange, vendor, parsed(_closed(text), exchange)) or []
    except Refused:
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


def _messages(exchange: HttpExchange, vendor: Vendor, value: Json) -> list[tuple[str, Json]] | None:
    """(subject, message) of each message in a decoded body; None where it is not about checks at all."""
    endpoint = _endpoint(exchange, vendor)
    if endpoint is not None and endpoint.subject is None and not endpoint.is_destructive:
        _check_list(vendor, endpoint, value)
        if endpoint.is_discovering and vendor.reshape is not None:
            return _reshaped(exchange, vendor, value)
        return [("package", item) for item in _listed(value)] if endpoint.is_list else None
    is_feed = endpoint is not None and endpoint.is_destructive
    if not isinstance(value, dict) and not (is_feed and isinstance(value, list)):
        raise Refused("not_an_object")
    if vendor.reshape is None:
        return [(_subject(exchange, endpoint, vendor), value)]
    return _reshaped(exchange, vendor, value)


def _reshaped(exchange: HttpExchange, vendor: Vendor, value: Json) -> list[tuple[str, Json]]:
    """What the declaration's own code makes of a body. Raises Refused."""
    try:
        return list((vendor.reshape or _no_shape)(exchange.endpoint, value))
    except Exception:  # noqa: BLE001  # hostile input in a declaration's own code: whatever it trips over
        is_error = isinstance(value, dict) and _is_error(vendor, value)
        raise Refused("error_body" if is_error else "unreadable_shape") from None


def _no_shape(_: str, value: Json) -> list[tuple[str, Json]]:
    raise ValueError(type(value).__name__)


def _endpoint(exchange: HttpExchange, vendor: Vendor) -> Endpoint | None:
    """The declared endpoint, or None for a pushed message. Raises Refused for an undeclared call."""
    found = [endpoint for endpoint in vendor.endpoints if endpoint.name == exchange.endpoint]
    if not found and exchange.channel != "push":
        raise Refused("unreadable_shape")
    return found[0] if found else None


def _subject(exchange: HttpExchange, endpoint: Endpoint | None, vendor: Vendor) -> str:
    return (endpoint.subject if endpoint else exchange.subject) or vendor.default_subject


def _check_list(vendor: Vendor, endpoint: Endpoint, value: Json) -> None:
    """Answers about no check (packages, links) are kept as they are, unless they are plainly errors."""
    if not isinstance(value, dict | list) or (isinstance(value, list) and not endpoint.is_list):
        raise Refused("not_an_object")
    if isinstance(value, dict) and _is_error(vendor, value) and not _has_list(value):
        raise Refused("error_body")


def _listed(value: Json) -> list[Json]:
    """The items of a bare list, or of the only one in an object that wraps it; an object in its place is one item."""
    if isinstance(value, list):
        return value
    for kind in (list, dict):
        found = [item for item in value.values() if isinstance(item, kind)]
        if len(found) == 1:
            return list(found[0]) if kind is list else found
    raise Refused("unreadable_shape")


def _has_list(value: Mapping[str, Json]) -> bool:
    return any(isinstance(item, list) for item in value.values())


def _is_error(vendor: Vendor, message: Mapping[str, Json]) -> bool:
    return any(key in message for key in vendor.error_shape)


def _judged(
    exchange: HttpExchange, vendor: Vendor, found: list[tuple[str, Json]] | None, text: str, value: Json
) -> Examined:
    """Keep the messages that can be believed; when none of them can, the whole answer is refused."""
    good: list[AcceptedMessage] = []
    bad: list[tuple[int, Refused]] = []
    unread: list[tuple[int, str]] = []
    for index, (subject, message) in enumerate(found or ()):
        if message is None:  # a null in a list says nothing
            continue
        try:
            reading, addresses = _reading(exchange, vendor, subject, message)
        except Refused as refused:
            bad.append((index, refused))
        else:
            good.append(reading)
            unread += [(index, address) for address in addresses]
    if _is_about_another(exchange, good, {(found or ())[index][0] for index, _ in bad}):
        good, unread = [], []
    whole = bad[0][1] if bad and not good else None
    return Examined(
        reject=whole.reason if whole else None,
        detail=whole.detail if whole else None,
        messages=tuple(good),
        message_rejects=tuple((index, refused.reason) for index, refused in bad) if good else (),
        part_rejects=tuple(unread),
        text=text,
        is_verbatim=len(good) == 1 and good[0].body is value and _fits_a_line(text),
    )


def _is_about_another(exchange: HttpExchange, good: list[AcceptedMessage], refused: set[str]) -> bool:
    """Whether what was asked about is refused: what the answer says beside it may belong to anything."""
    is_answered = any(message.subject == exchange.subject for message in good)
    return exchange.check_id is not None and exchange.subject in refused and not is_answered


def _fits_a_line(text: str) -> bool:
    return "\n" not in text and "\r" not in text and not text.startswith("\ufeff")


def _reading(
    exchange: HttpExchange, vendor: Vendor, subject: str, message: Json
) -> tuple[AcceptedMessage, tuple[str, ...]]:
    """One message, judged against the declaration of its subject, and where it could not be read. Raises _Refused."""
    record = vendor.records.get(subject)
    if record is None:
        raise Refused("unreadable_shape")
    if not isinstance(message, dict):
        raise Refused("not_an_object")
    if not isinstance(message, Announcement):
        _check_required(vendor, record, message)
    # An answer about one check may speak of another: of what it goes on as.
    asked = exchange.check_id if exchange.subject in (None, subject) else None
    check_id = _check_id(asked, record, message)
    body, unread = fitted(message, vendor.records.values())
    return AcceptedMessage(subject=subject, check_id=check_id, body=body), unread


def _check_required(vendor: Vendor, record: Record, message: Mapping[str, Json]) -> None:
    given = [_lookup(message, address) for address in record.required]
    words = [value for value in given if isinstance(value, str) and value]
    is_error = _is_error(vendor, message)
    if words and not (is_error and all(word.strip().isdecimal() for word in words)):
        return
    if is_error:  # K7: an error's `status` is a number, also one that is written as a text, and no lifecycle
        raise Refused("error_body")
    raise Refused("wrong_type" if any(value not in (None, "") for value in given) else "missing_status")


def _check_id(asked: str | None, record: Record, message: Mapping[str, Json]) -> str:
    """The message's own id as text, or else the one asked for. G6: they must be the same."""
    own = next((value for address in aliases(record.id) if (value := _own_id(message, address)) is not None), None)
    if own is None and (record.is_id_required or not asked):
        raise Refused("missing_id")
    if own is not None and asked is not None and not _is_same_id(own, asked):
        raise Refused("id_mismatch", _difference(str(own), asked))
    return asked or _sound_id(str(own))


def _sound_id(told: str) -> str:
    """The id that a message tells, as order files have it. Raises Refused for what names no check."""
    own = ids.trimmed(told)
    problem = ids.problem_of(own) if own else ids.NO_VALUE  # nothing but signs that nobody sees
    if problem:
        raise Refused("missing_id" if problem == ids.NO_VALUE else "spoiled_id")
    return own


def _own_id(message: Mapping[str, Json], address: str) -> str | int | None:
    value = _lookup(message, address)
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise Refused("wrong_type")
    return value if value != "" else None


def _is_same_id(own: str | int, asked: str) -> bool:
    """A number has no zeros before it and a UUID no case; everything else is compared to the letter."""
    if isinstance(own, int):
        digits = asked.lstrip("0") or "0" if asked.isascii() and asked.isdecimal() else asked
        return str(own) == digits
    return ids.check_form(own) == ids.check_form(asked)


def _difference(own: str, asked: str) -> str | None:
    """What two ids of one check may differ in that were written by different hands, for a person to decide."""
    if own.casefold() == asked.casefold():
        return "the id answered differs from the one asked for only in case"
    if own.lstrip("0") == asked.lstrip("0"):
        return "the id answered differs from the one asked for only in leading zeros"
    return None


def _lookup(message: Mapping[str, Json], address: str) -> Json:
    """The value at a dotted address, None where there is none. Raises _Refused when the way is blocked."""
    value: Any = message
    for key in address.split("."):
        if value is None:
            return None
        if not isinstance(value, dict):
            raise Refused("wrong_type")
        value = value.get(key)
    return value
