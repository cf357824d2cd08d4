"""The reader of one table of a TOML file by its declared keys; collects every problem."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any, NamedTuple

Rule = Callable[[Any], Any]


class Refused(ValueError):
    """A value that violates its rule; the message continues the name of the key."""


class Of(NamedTuple):
    """A part of a key declaration that is computed from the table's subject: a vendor's own limit, say."""

    told_by: Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True)
class Key:
    """The declaration of one key of a table: rule, default, help text.

    `help` is its comment in the template of `init`; `example` the TOML value shown there, else the default. `is_for`
    tells whether the table about a given subject has the key at all; everything else may be an `Of`.
    """

    rule: Rule | Of
    default: Any = None
    is_required: bool = False
    help: str | Of = ""
    example: str | Of = ""
    is_for: Callable[[Any], bool] | None = None

    def checked(self, value: object) -> Any:
        """The validated and converted value. Raises Refused."""
        if isinstance(self.rule, Of):
            raise TypeError("ask `of` first, which knows what the table is about")
        return self.rule(value)

    def of(self, subject: object) -> Key:
        """The key declaration for a table about `subject`, with every `Of` resolved."""
        if not isinstance(self.rule, Of) and not isinstance(self.default, Of):
            return self
        return replace(self, rule=part_of(self.rule, subject), default=part_of(self.default, subject))

    @property
    def is_particular(self) -> bool:
        """Whether the declaration depends on the subject (has an `Of`); meaningful before `of` only."""
        return self.is_for is not None or isinstance(self.default, Of) or isinstance(self.example, Of)


def part_of(part: Any, subject: object) -> Any:
    """One part of a key declaration, resolved for a table about `subject`."""
    return part.told_by(subject) if isinstance(part, Of) else part


def setting(rule: Rule | Of, default: Any = None, **others: Any) -> Any:
    """A dataclass field that also declares a key of the file: name, type, rule, default and help in one place.

    `others` as in Key. Where a key is required, or its default is `Of` something, the field has no default.
    """
    key = Key(rule=rule, default=default, **others)
    metadata = {"key": key}
    if key.is_required or isinstance(default, Of):
        return field(metadata=metadata)
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


def keys_of(table: type, subject: object = None) -> dict[str, Key]:
    """The key declarations of a settings dataclass, resolved for `subject` where they depend on it."""
    found = {f.name: f.metadata["key"] for f in fields(table) if "key" in f.metadata}
    if subject is None:
        return found
    return {name: key.of(subject) for name, key in found.items() if key.is_for is None or key.is_for(subject)}


SECRET_WORDS = re.compile(
    r"secret|token|passw|api_?key|credential|private_?key|bearer|authorization|signing|client_id|username|(^|_)key$",
    re.IGNORECASE,
)


_TYPE_WORDS = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a table",
}


def read_table(raw: object, keys: Mapping[str, Key], at: str, problems: list[str]) -> dict[str, Any]:
    """The validated values of one table by key, defaults filled in; problems are appended to `problems`.

    A refused value is left out of the answer, so that later checks do not trip over it.
    """
    if not isinstance(raw, dict):
        problems.append(f"{at} must be a table, not {type_word(raw)}")
        return {}
    problems += [unknown_key(name, keys, at) for name in raw if name not in keys]
    missing = [name for name, key in keys.items() if key.is_required and name not in raw]
    problems += [f"{dotted(at, name)} is missing" for name in missing]
    values = {name: key.default for name, key in keys.items() if name not in raw and not key.is_required}
    for name in (name for name in raw if name in keys):
        try:
            values[name] = keys[name].checked(raw[name])
        except Refused as refused:
            problems.append(f"{dotted(at, name)} {refused}")
    return values


def toml_text(value: object) -> str:
    """A value as TOML text: strings, numbers, booleans, and lists of them."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(toml_text, value))}]"
    import json  # 1 ms that reading a file need not pay

    return json.dumps(value, ensure_ascii=False)


def unknown_key(name: str, keys: Collection[str], at: str) -> str:
    """The error message for an unknown key: a literal secret, a misspelling, or neither."""
    where = dotted(at, name if name.isprintable() else ascii(name))
    if SECRET_WORDS.search(name) and not _is_meant_as_variable(name):
        variables = [key for key in keys if key.endswith("_env")]
        hint = get_close_matches(f"{name}_env", variables, n=1, cutoff=0.4) or ["a key that ends in _env"]
        return f"{where} is a literal secret: keep it in an environment variable and name that in {hint[0]}"
    return f"{where} is no known key{nearest(name, keys)}"


def _is_meant_as_variable(name: str) -> bool:
    """Whether it ends in `_env`, or nearly so: then it names a variable, and is misspelt (`api_key_evn`)."""
    return bool(get_close_matches(re.split("[_-]", name.lower())[-1], ["env"]))


def nearest(given: str, known: Iterable[str]) -> str:
    """The suffix of an error message: the known word nearest to the given one, else all of them if they are few."""
    choices = sorted(known)
    lowered = {choice.lower(): choice for choice in choices}
    found = get_close_matches(given.lower(), lowered, n=1, cutoff=0.5)
    if found:
        return f"; did you mean {lowered[found[0]]}?"
    return f"; known: {', '.join(choices)}" if len(choices) <= 20 else ""


def dotted(at: str, name: str) -> str:
    """The path of a key inside a table: `accounts[0].name`, or the bare name at the top."""
    return f"{at}.{name}" if at else name


def type_word(value: object) -> str:
    """The name of a value's TOML type."""
    return _TYPE_WORDS.get(type(value), "a date or time")
