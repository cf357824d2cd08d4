"""Answers to calls that create a check, as orders: data/orders/<vendor>/<account>/*.json or *.ndjson.

Whoever orders by a vendor's interface holds the answer anyway: it names the id, and often the first state.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from screening_pipeline.domain.declaration import Record, Vendor, aliases
from screening_pipeline.domain.vocabulary import Json, Message
from screening_pipeline.landing.strict_json import unique
from screening_pipeline.vendors import all_vendors

ENDINGS = (".json", ".ndjson")


@dataclass(frozen=True)
class Creation:
    """A check that was created. `body` is the answer in the shape of one about the check; None: it tells no state."""

    subject: str
    check_id: str
    body: bytes | None = field(repr=False)


@dataclass(frozen=True)
class Unread:
    """Why a document is no answer to a creation: a reason code, and a detail that holds no value of it."""

    reason: str
    detail: str


def files(folder: Path) -> list[Path]:
    """The files two levels below `folder` that hold such answers by their place and name, by name."""
    found = (path for slug in all_vendors() for path in (folder / slug).glob("*/*"))
    return sorted(p for p in found if p.suffix.lower() in ENDINGS and not p.name.startswith(".") and p.is_file())


def whose(path: Path, folder: Path) -> tuple[str, str] | None:
    """Vendor and account of a file of `files`; None for any other."""
    parts = path.relative_to(folder).parts
    return (parts[0], parts[1]) if len(parts) == 3 else None


def read(content: bytes, declared: Vendor) -> Iterator[tuple[int, Creation | Unread]]:
    """Every document of a file, with its line, or its place where the file is one JSON text."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        yield 1, Unread("not_utf8", "the file is not UTF-8 text")
        return
    for number, document in _documents(text):
        yield number, document if isinstance(document, Unread) else _creation(document, declared)


def _documents(text: str) -> Iterator[tuple[int, Json]]:
    try:
        whole = _parsed(text)
    except ValueError:
        yield from _lines(text)
        return
    yield from enumerate(whole if isinstance(whole, list) else [whole], start=1)


def _lines(text: str) -> Iterator[tuple[int, Json]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, _parsed(line)
            except ValueError:
                yield number, Unread("bad_json", "the line is not JSON, or gives a name twice")


def _parsed(text: str) -> Json:
    try:
        return json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        raise ValueError("too_deep") from None


def _creation(document: Json, declared: Vendor) -> Creation | Unread:
    if not isinstance(document, dict):
        return Unread("bad_json", "the document is not a JSON object")
    subject = declared.created_subject(document) if declared.created_subject else declared.default_subject
    record = declared.records[subject]
    check_id = _id(document, record)
    if check_id is None:
        names = " or ".join(record.created_id or aliases(record.id))
        return Unread("missing_id", f"the document has no {names}: it is no answer to a creation at {declared.title}")
    return Creation(subject, check_id, _state(document, record, check_id))


def _id(document: Message, record: Record) -> str | None:
    for name in record.created_id or aliases(record.id):
        value = document.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value).strip()
    return None


def _state(document: Message, record: Record, check_id: str) -> bytes | None:
    if not any(isinstance(document.get(name), str) and document[name] for name in record.required):
        return None
    own = aliases(record.id)
    named = document if any(name in document for name in own) else {own[0]: check_id, **document}
    return json.dumps(named, ensure_ascii=False).encode("utf-8", "replace")
