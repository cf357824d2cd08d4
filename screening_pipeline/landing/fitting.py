"""Brings a believed message into its declared shape: what cannot be read costs its own part, not the message. Pure.

Converters from XML, and languages in which an empty list and an empty object are one, write one part as the part
itself, none as an empty text, and nothing as null, `[]` or `{}`: all of these are read. What is left is unreadable: a
fact or a part of that kind is gone, a word stands as UNREADABLE, which no mapping knows, so that its check stays open.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from screening_pipeline.domain.declaration import Parts, Record, aliases
from screening_pipeline.domain.vocabulary import WORDS, Json, Message

UNREADABLE = "(unreadable)"
"""Stands for a word that is no text and no number."""

_PART_WORDS = frozenset({"status", "result", "adjudication"})


def fitted(message: Message, records: Collection[Record]) -> tuple[Message, tuple[str, ...]]:
    """(The message in the shape of all records at once, the addresses at which something could not be read).

    One typed scan reads all messages of a vendor, so each must fit the shapes of all its subjects. A message that
    fits already is returned itself. The addresses are the declaration's own words, never the message's.
    """
    shapes = tuple(map(_shape, records))
    if all(_fits(message, shape) for shape in shapes):  # nearly all do
        return message, ()
    draft = _Draft(message)
    for record in records:
        for name, address in record.columns.items():
            for alias in aliases(address):
                draft.fit_value(alias, is_word=name in WORDS)
        for parts in record.lists:
            draft.fit_parts(parts, is_action=parts is record.actions)
    return draft.message, tuple(sorted(draft.unread))


Keys = tuple[str, ...]


@dataclass(frozen=True)
class _Shape:
    """A record's addresses, taken apart: of its values, and of its lists with those of their elements (None: texts)."""

    values: tuple[Keys, ...]
    lists: tuple[tuple[Keys, tuple[Keys, ...] | None], ...]


_SHAPES: dict[int, tuple[Record, _Shape]] = {}


def _shape(record: Record) -> _Shape:
    known = _SHAPES.get(id(record))
    if known is None:  # declarations live as long as the program, and hold dicts, so that they cannot be hashed
        values = tuple(_keys(a) for address in record.columns.values() for a in aliases(address))
        lists = tuple((_keys(parts.at), _columns(parts)) for parts in record.lists)
        known = _SHAPES[id(record)] = (record, _Shape(values, lists))
    return known[1]


def _keys(address: str) -> Keys:
    return tuple(address.split("."))


def _columns(parts: Parts) -> tuple[Keys, ...] | None:
    return None if "" in parts.columns.values() else tuple(map(_keys, parts.columns.values()))


def _fits(message: Message, shape: _Shape) -> bool:
    """Whether nothing of a message is in the way of its shape."""
    return all(_is_scalar(message, keys) for keys in shape.values) and all(
        _is_list(message, keys, columns) for keys, columns in shape.lists
    )


def _is_scalar(message: Message, keys: Keys) -> bool:
    for key in keys[:-1]:
        message = message.get(key)  # type: ignore[assignment]
        if message is None:
            return True
        if not isinstance(message, dict):
            return False
    return not isinstance(message.get(keys[-1]), dict | list)


def _is_list(message: Message, keys: Keys, columns: tuple[Keys, ...] | None) -> bool:
    found: Json = message
    for key in keys:
        if not isinstance(found, dict):
            return False
        found = found.get(key)
        if found is None:
            return True
    if not isinstance(found, list):
        return False
    if columns is None:
        return all(isinstance(element, str) for element in found)
    return all(
        isinstance(element, dict) and all(_is_scalar(element, column) for column in columns) for element in found
    )


def is_nothing(value: Json) -> bool:
    """Whether a value says no more than that there is none, in whatever language it was written."""
    return value is None or (isinstance(value, str | list | dict) and not value)


class _Draft:
    """A message on its way into shape; what of it is changed is a copy."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.unread: set[str] = set()

    def fit_value(self, address: str, *, is_word: bool) -> None:
        """Leave a scalar at `address`, or nothing."""
        if (blocked := self._blocked(address)) is not None:
            self._put(blocked, None)
            self._note(address)
            if is_word:
                self._put(address, UNREADABLE)
            return
        value = _at(self.message, address)
        if not isinstance(value, dict | list):
            return
        if not value:
            self._put(address, None)
            return
        self._note(address)
        self._put(address, UNREADABLE if is_word else None)

    def fit_parts(self, parts: Parts, *, is_action: bool) -> None:
        """Leave a list of what the declaration says at `parts.at`, or nothing."""
        if (blocked := self._blocked(parts.at)) is not None:
            self._put(blocked, None)
            self._note(parts.at)
            return
        value = _at(self.message, parts.at)
        if value is None:
            return
        fitting = list(self._elements(value, parts, is_action=is_action))
        if fitting != value:
            self._put(parts.at, fitting)

    def _elements(self, value: Json, parts: Parts, *, is_action: bool) -> Iterator[Json]:
        kind = str if "" in parts.columns.values() else dict
        is_one = not isinstance(value, list)
        for element in [value] if is_one else value:
            if isinstance(element, kind) and not (is_one and is_nothing(element)):
                yield element if isinstance(element, str) else self._element(element, parts, is_action=is_action)
            elif not is_nothing(element):
                self._note(parts.at)

    def _element(self, element: Message, parts: Parts, *, is_action: bool) -> Message:
        inner = _Draft(element)
        for name, address in parts.columns.items():
            inner.fit_value(address, is_word=name in _PART_WORDS or is_action)
        for address in inner.unread:
            self._note(f"{parts.at}.{address}")
        return inner.message

    def _blocked(self, address: str) -> str | None:
        """Where the way to `address` ends at something that is no object; None where it does not."""
        keys = address.split(".")
        for length in range(1, len(keys)):
            parent = ".".join(keys[:length])
            value = _at(self.message, parent)
            if is_nothing(value):
                if value is not None:
                    self._put(parent, None)
                return None
            if not isinstance(value, dict):
                return parent
        return None

    def _note(self, address: str) -> None:
        self.unread.add(address)

    def _put(self, address: str, value: Json) -> None:
        self.message = _with(self.message, address.split("."), value)


def _at(message: Mapping[str, Json], address: str) -> Json:
    value: Json = message
    for key in address.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _with(message: Message, keys: list[str], value: Json) -> Message:
    """A copy with another value at the end of `keys`; without one where it is None."""
    key, *deeper = keys
    inner = message.get(key)
    new = _with(inner if isinstance(inner, dict) else {}, deeper, value) if deeper else value
    if new is None:
        return {name: old for name, old in message.items() if name != key}
    return {**message, key: new}
