"""The vocabulary every vendor is translated into, and what a vendor declares about itself.

A vendor is a value, not a class with behaviour: which calls it offers, how it authenticates, and at which
address of a payload each of our columns is found. Declarations are checked when they are defined, so a wrong
one cannot be imported. What the vendor's *words* mean is not here: that is data, in ``vendors/<slug>.csv``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from screening_pipeline.domain.vocabulary import ADJUDICATIONS, FACTS, SUBJECTS, WORDS, Json, Message

RECORD_TRAITS = {
    "detail_role": ("none", "refines", "overrides", "concludes"),
    "result_from": ("status", "detail", "result", "adjudication"),
    "time_means": ("state", "completion"),
}

_ADDRESS = re.compile(r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")


class DeclarationError(TypeError):
    """A vendor declaration that cannot be right; the message names the vendor, the attribute and the value."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A list inside a message: `at` is its address, `columns` maps our column to the address in one element.

    An element that is a bare text (a section name, say) is addressed as "" (the element itself).
    """

    at: str
    columns: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Record:
    """Where a message about one subject keeps what we call by our own names.

    `id` and every value of `columns` are dotted addresses; a tuple lists aliases, the first one present wins.
    `required`: addresses of which at least one must be present and text, or the body is half a body.
    The next four say how the fields hang together; `sql/staging/reading.sql` is the only reader:

    - `detail_role`: what vendor_status_detail does to vendor_status: "none", "refines" an open one, "overrides" it,
      or "concludes" a completed one.
    - `result_from`: which field carries the result: "status", "detail", "result" or "adjudication".
    - `is_result_awaited`: completed without a result is not yet completed (W2).
    - `time_means`: whether vendor_time dates the "state" of the message or the "completion" of the check.
    """

    id: str | tuple[str, ...]
    columns: Mapping[str, str | tuple[str, ...]]
    required: tuple[str, ...]
    is_id_required: bool = True
    detail_role: str = "none"
    result_from: str = "result"
    is_result_awaited: bool = False
    time_means: str = "state"
    components: Parts | None = None
    actions: Parts | None = None
    runs: Parts | None = None


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One call the vendor offers. `subject` is None for feeds and lists that are not about one check.

    `reports` are the subjects of which a feed is known to tell every change; others are asked for by id as ever.
    """

    name: str
    path: str
    subject: str | None = None
    is_destructive: bool = False
    is_list: bool = False
    reports: tuple[str, ...] = ()

    @property
    def is_by_id(self) -> bool:
        return "{id}" in self.path


@dataclass(frozen=True, kw_only=True)
class Auth:
    """How a call proves who we are. `scheme` names the flow (the client implements it), `secrets` its roles."""

    scheme: str  # "api_key" | "bearer" | "widget_token" | "oauth2" | "basic"
    secrets: tuple[str, ...]


PACKAGE = Record(id="id", required=("name",), columns={"package_name": "name"})
"""How the vendors that list their packages do it: objects with an id (text or number) and a name."""

Reshape = Callable[[str, Json], list[tuple[str, Message]]]
"""(endpoint name, decoded body) → [(subject, message in the documented shape), …].

Raises ValueError on a shape nobody documented.
"""


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """Everything the pipeline knows about a vendor, except what its words mean."""

    slug: str
    title: str
    documentation: str
    auth: Mapping[str, Auth]
    requests_per_minute: int
    cool_down_seconds: int
    endpoints: tuple[Endpoint, ...]
    records: Mapping[str, Record]
    default_subject: str
    reshape: Reshape | None = None
    never_store: tuple[str, ...] = ()
    error_shape: tuple[str, ...] = ()
    has_personal_part_names: bool = False
    adjudication_default: str = "not_exposed"
    is_limit_published: bool = False
    unverified: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_vendor(self)

    def endpoint(self, name: str) -> Endpoint:
        """The endpoint of that name. Raises KeyError."""
        found = [e for e in self.endpoints if e.name == name]
        return found[0] if found else _missing(self, name)

    @property
    def subjects(self) -> tuple[str, ...]:
        """What an order can be about: whatever has a record, packages excepted."""
        return tuple(subject for subject in self.records if subject != "package")

    @property
    def endpoint_names(self) -> tuple[str, ...]:
        return tuple(e.name for e in self.endpoints)

    def endpoint_for(self, subject: str) -> Endpoint:
        """The call that answers for one check of `subject`. Raises KeyError where the vendor has none."""
        found = [e for e in self.endpoints if e.subject == subject and e.is_by_id]
        return found[0] if found else _missing(self, subject)

    @property
    def feed(self) -> Endpoint | None:
        return next((e for e in self.endpoints if e.is_destructive), None)

    @property
    def lists(self) -> tuple[Endpoint, ...]:
        return tuple(e for e in self.endpoints if e.is_list)


def _missing(vendor: Vendor, name: str) -> Endpoint:
    raise KeyError(f"{vendor.slug} declares no endpoint for {name!r}")


def aliases(address: str | tuple[str, ...]) -> tuple[str, ...]:
    """An address as a tuple of its aliases, the preferred one first."""
    return (address,) if isinstance(address, str) else address


def _check_vendor(vendor: Vendor) -> None:
    problems = [
        *_unknown(vendor, "records", vendor.records, (*SUBJECTS, "package")),
        *_unknown(vendor, "adjudication_default", [vendor.adjudication_default], ADJUDICATIONS),
        *_unknown(vendor, "default_subject", [vendor.default_subject], tuple(vendor.records)),
    ]
    for subject, record in vendor.records.items():
        problems += _unknown(vendor, f"records[{subject}].columns", record.columns, WORDS + FACTS)
        for trait, known in RECORD_TRAITS.items():
            problems += _unknown(vendor, f"records[{subject}].{trait}", [getattr(record, trait)], known)
        problems += _bad_addresses(vendor, subject, record)
    if problems:
        raise DeclarationError("; ".join(problems))


def _unknown(vendor: Vendor, where: str, given: Any, known: tuple[str, ...]) -> list[str]:
    return [f"{vendor.slug}.{where}: {name!r} is none of {', '.join(known)}" for name in given if name not in known]


def _bad_addresses(vendor: Vendor, subject: str, record: Record) -> list[str]:
    given = [a for address in (record.id, *record.columns.values()) for a in aliases(address)]
    return [f"{vendor.slug}.records[{subject}]: {a!r} is no address" for a in given if not _ADDRESS.match(a)]
