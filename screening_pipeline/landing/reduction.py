"""Data minimization: an old line reduced to its declared addresses, without names."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from screening_pipeline.domain.declaration import Parts, Record, Vendor, aliases
from screening_pipeline.domain.vocabulary import Json
from screening_pipeline.landing.line import dumps, without_body

if TYPE_CHECKING:
    from screening_pipeline.landing.line import Envelope


LABEL = re.compile("#[0-9a-f]{16}")
"""A part's name that was replaced by its hash."""
_OPENING = re.compile(r"^([^/?#]*//)[^/?#]*@|[?#].*$", re.DOTALL)
"""What of a link opens it for whoever holds it, and the star has no use for; as sql/work/landed_message.sql has it."""


PartWords = Callable[[str, str], Collection[str]]
"""The words that parts are known to have, by the vendor's slug and the subject."""


def reduced(
    envelope: Envelope,
    vendor: Vendor,
    part_key: str,
    *,
    part_words: PartWords,
    flex_fields: Collection[str] = (),
) -> Envelope:
    """The envelope with only the declared addresses of each message: enough for a rebuild, and no more.

    Of the customer's own fields those stay that are named. Links lose what the star has no use for, and people's names
    in the labels of parts become the hashes that the star knows them by, unless that made the line longer.
    """
    messages = [
        {**message, "body": _declared(message["body"], vendor.records[message["subject"]], flex_fields)}
        for message in envelope["messages"]
        if message["subject"] in vendor.records
    ]
    messages = [_wordless(message, vendor, part_key, part_words) for message in messages]
    named = {**without_body(envelope), "messages": messages}
    if not vendor.has_personal_part_names:
        return named
    nameless = {**named, "messages": [_nameless(message, vendor, part_key) for message in messages]}
    return nameless if len(dumps(nameless)) <= len(dumps(envelope)) else named


def _wordless(message: Json, vendor: Vendor, part_key: str, part_words: PartWords) -> Json:
    """The message without the values of free-form parts that are no words; their labels stay, to be named later."""
    record = vendor.records[message["subject"]]
    elements = get(message["body"], record.components.at) if record.components else None
    if record.components is None or not record.has_free_form_parts or not elements:
        return message
    words = part_words(vendor.slug, message["subject"])
    body = copy.deepcopy(message["body"])
    kept = [_hashed_status(e, words, part_key) for e in elements if "status" in e or e.get("value") in words]
    put(body, record.components.at, kept)
    return {**message, "body": body}


def _hashed_status(element: Json, words: Collection[str], part_key: str) -> Json:
    status = element.get("status")
    if status is None or status in words or LABEL.fullmatch(status):
        return element
    hashed = hashlib.sha256(f"{part_key}{status}".encode()).hexdigest()[:16]  # as sql/work/landed_message.sql has it
    return {**element, "status": f"#{hashed}"}


def _nameless(message: Json, vendor: Vendor, part_key: str) -> Json:
    parts = vendor.records[message["subject"]].components
    elements = get(message["body"], parts.at) if parts else None
    if parts is None or not elements or "name" not in parts.columns:
        return message
    body = copy.deepcopy(message["body"])
    address = parts.columns["name"]
    put(body, parts.at, [_labelled(element, address, part_key) for element in elements])
    return {**message, "body": body}


def _labelled(element: Json, address: str, part_key: str) -> Json:
    name = get(element, address)
    if not isinstance(name, str) or LABEL.fullmatch(name):
        return element
    hashed = hashlib.sha256(f"{part_key}{name}".encode()).hexdigest()[:16]  # as sql/work/landed_message.sql has it
    labelled: dict[str, Json] = {**element}
    put(labelled, address, f"#{hashed}")
    return labelled


def _declared(body: Json, record: Record, flex_fields: Collection[str]) -> Json:
    addresses = [alias for address in (record.id, *record.columns.values()) for alias in aliases(address)]
    found = _picked(body, addresses)
    for address in aliases(record.columns.get("report_url", ())):
        link = get(found, address)
        if isinstance(link, str):
            put(found, address, _OPENING.sub(r"\1", link))
    for parts in record.lists:
        put(found, parts.at, _declared_parts(body, parts))
    if record.fields is not None:
        address = record.fields.columns["name"]
        named = [field for field in get(found, record.fields.at) or () if get(field, address) in flex_fields]
        put(found, record.fields.at, named or None)
        if not named:
            found.pop(record.fields.at, None)
    return found


def _declared_parts(body: Json, parts: Parts) -> Json:
    elements = get(body, parts.at)
    if elements is None or "" in parts.columns.values():
        return elements
    return [_picked(element, parts.columns.values()) for element in elements]


def _picked(body: Json, addresses: Iterable[str]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for address in addresses:
        put(found, address, get(body, address))
    return found


def get(body: Json, address: str) -> Json:
    """The value at an address of keys and dots; None where there is none."""
    for key in address.split("."):
        body = body.get(key) if isinstance(body, dict) else None
    return body


def put(body: dict[str, Json], address: str, value: Json) -> None:
    """Put a value at an address, unless it is None, making what is missing on the way."""
    if value is None:
        return
    *parents, leaf = address.split(".")
    for parent in parents:
        body = body.setdefault(parent, {})
    body[leaf] = value
