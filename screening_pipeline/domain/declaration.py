"""The vocabulary every vendor is translated into, and what a vendor declares about itself.

A vendor is a value, not a class with behaviour: which calls it offers, how it authenticates, at which address of
a payload each of our columns is found, and what else the pipeline must know to live with it: its working days, its
schedules, what it pushes, when it is late. Nothing else in the package knows a vendor by name. Declarations are
checked when they are defined, so a wrong one cannot be imported. What the vendor's *words* mean is not here: that
is data, in ``vendors/<slug>.csv``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from screening_pipeline.domain.conduct import (
    LimitHeaders,
    Push,
    Sandbox,
    Stale,
    WordList,
    is_cron,
    is_hourly,
    is_name,
)
from screening_pipeline.domain.durations import Prior
from screening_pipeline.domain.vocabulary import (
    ADJUDICATIONS,
    FACTS,
    LIFECYCLES,
    ONGOING,
    SUBJECTS,
    WORDS,
    Json,
    Message,
)

FIELD_COLUMNS = ("name", "value")

RECORD_TRAITS = {
    "detail_role": ("none", "refines", "overrides", "concludes", "limits"),
    "result_from": ("status", "detail", "result", "adjudication"),
    "time_means": ("state", "completion"),
}

AUTH_SCHEMES = ("api_key", "bearer", "widget_token", "oauth2", "basic")
"""How a call may prove who we are; `screening_pipeline.tokens` implements them."""

_ADDRESS = re.compile(r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")
_CALENDAR = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
_ZONE = re.compile(r"UTC|[A-Z][A-Za-z_]+(/[A-Z][A-Za-z_-]+)+")
_HOST = re.compile(r"https://[a-z0-9.-]+\.[a-z]+(/[^?#\s]*)?")


class DeclarationError(TypeError):
    """An invalid vendor declaration; the message names the vendor, the attribute and the value."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A nested list of a message: `at` is its address, `columns` maps column → address within one element.

    An element that is a bare text (a section name, say) is addressed as "" (the element itself).
    """

    at: str
    columns: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Record:
    """The field addresses of a message about one subject: where the payload keeps each of our columns.

    `id` and every value of `columns` are dotted addresses; a tuple lists aliases, the first one present wins.
    `continues`: the subject of what led to it, which `continues_id` names: an invitation and its report are one check.
    `required`: addresses of which at least one must be present and text, or the body is half a body.
    `created_id`: the keys of the id in the answer to a creation, where they differ.
    The next four say how the fields hang together; `sql/staging/reading.sql` is the only reader:

    - `detail_role`: what vendor_status_detail does to vendor_status: "none", "refines" an open one, "overrides" it,
      "concludes" a completed one, or "limits" it: not all of it was done.
    - `result_from`: which field carries the result: "status", "detail", "result" or "adjudication".
    - `is_result_awaited`: completed without a result is not yet completed (W2).
    - `time_means`: whether vendor_time dates the "state" of the message or the "completion" of the check.

    `has_free_form_parts`: their labels and values are the provider's own. A value counts if it is a word of the mapping
    and leaves the landing area only then, a label if all its words are among `generic_labels`, which are nobody's.
    """

    id: str | tuple[str, ...]
    columns: Mapping[str, str | tuple[str, ...]]
    required: tuple[str, ...]
    is_id_required: bool = True
    created_id: tuple[str, ...] = ()
    continues: str | None = None
    has_free_form_parts: bool = False
    generic_labels: tuple[str, ...] = ()
    detail_role: str = "none"
    result_from: str = "result"
    is_result_awaited: bool = False
    time_means: str = "state"
    components: Parts | None = None
    actions: Parts | None = None
    runs: Parts | None = None
    fields: Parts | None = None
    """The customer's own references, of which an account names those that leave the landing area (`flex_fields`)."""

    @property
    def lists(self) -> tuple[Parts, ...]:
        """Everything of the record that is a list."""
        return tuple(parts for parts in (self.components, self.actions, self.runs, self.fields) if parts is not None)


@dataclass(frozen=True, kw_only=True)
class Pages:
    """How a list is read page by page: names of query parameters, and addresses in an answer.

    - `number`, `size`: the parameters of a page's number (from 1) and of how many items it holds; `at_once`: how many.
    - `items`: where the list is; `more`: what is null on the last page; `total`: how many items there are in all.
    - `fresh`: the query of a look at what is new, between two looks at everything; `{since}` is when the look before it
      began. Which page comes next is counted and never taken from an answer.
    """

    number: str = "page"
    size: str = "per_page"
    at_once: int = 100
    items: str = "data"
    more: str = "next_href"
    total: str = "count"
    fresh: str | None = None


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One call that a vendor offers. `subject` is None for feeds and lists that are not about one check.

    `reports`: the subjects of which a feed is known to report every change; others are pulled by id all the same.
    `schedule`: the cron schedule (UTC) of what is not planned check by check: feeds, lists and subscriptions.
    `pages`: how a list is read that does not come in one answer.
    `is_discovering`: a list of checks: what it shows becomes orders of the accounts that ask for it (`discover`).
    """

    name: str
    path: str
    subject: str | None = None
    is_destructive: bool = False
    is_list: bool = False
    pages: Pages | None = None
    is_discovering: bool = False
    reports: tuple[str, ...] = ()
    schedule: str | None = None

    @property
    def is_scheduled(self) -> bool:
        """Whether it is pulled by its cron schedule alone, and not by the planner, check by check."""
        return self.is_destructive or self.is_list or self.subject in ONGOING

    @property
    def is_by_id(self) -> bool:
        """Whether its path takes the id of a check."""
        return "{id}" in self.path


class Schedule(NamedTuple):
    """Endpoints pulled together by one cron schedule (UTC)."""

    cron: str
    endpoints: tuple[Endpoint, ...]
    is_feed: bool


@dataclass(frozen=True, kw_only=True)
class Auth:
    """The authentication of calls: `scheme` names the flow (the client implements it), `secrets` its roles in order."""

    scheme: str  # one of AUTH_SCHEMES
    secrets: tuple[str, ...]


PACKAGE = Record(id="id", required=("name",), columns={"package_name": "name"})
"""How the vendors that list their packages do it: objects with an id (text or number) and a name."""

Reshape = Callable[[str, Json], list[tuple[str, Message]]]
"""(endpoint name, decoded body) → [(subject, message in the documented shape), …].

Raises ValueError on a shape nobody documented.
"""


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """The declaration of a vendor: everything the pipeline knows about it, except what its words mean.

    - `base_url`, and `oauth_url` for tokens: where it answers, as `init` writes it; a host of `.example` is for the
      customer to fill in.
    - `calendar`: the country, perhaps with a subdivision, whose holidays stop its clock; `timezone`: what its times
      without offset mean, and when its days begin.
    - `limit_headers`: where it tells how its rate limit stands; the stricter of that and what is configured holds.
    - `max_concurrency`: calls under way at once, unless the account says otherwise: what its rate limit needs.
    - `push`: how it proves what it pushes, None where it pushes nothing.
    - `stale`: when somebody should look; `prior`: what is believed of its durations.
    - `sandbox`: how the bundled sandbox plays it, None where it does not.
    - `created_subject`: what the answer to a creation is about, where that is not always the same thing.
    - `offered_adjudications`: the call that lists what an account may decide, None where there is none.
    - `sandbox_hosts`: patterns (`*` stands for anything) of hosts on which no check is real.
    """

    slug: str
    title: str
    documentation: str
    base_url: str
    oauth_url: str | None = None
    calendar: str
    timezone: str
    auth: Mapping[str, Auth]
    requests_per_minute: int
    cool_down_seconds: int
    endpoints: tuple[Endpoint, ...]
    records: Mapping[str, Record]
    default_subject: str
    limit_headers: LimitHeaders | None = None
    max_concurrency: int = 4
    push: Push | None = None
    stale: tuple[Stale, ...] = ()
    prior: Prior = field(default_factory=Prior)
    sandbox: Sandbox | None = None
    reshape: Reshape | None = None
    created_subject: Callable[[Message], str] | None = None
    offered_adjudications: WordList | None = None
    never_store: tuple[str, ...] = ()
    sandbox_hosts: tuple[str, ...] = ()
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
        """The subjects that an order can be about: those with a record, packages excepted."""
        return tuple(subject for subject in self.records if subject != "package")

    @property
    def endpoint_names(self) -> tuple[str, ...]:
        return tuple(e.name for e in self.endpoints)

    def endpoint_for(self, subject: str) -> Endpoint:
        """The endpoint that answers for one check of `subject`. Raises KeyError where the vendor has none."""
        found = [e for e in self.endpoints if e.subject == subject and e.is_by_id]
        return found[0] if found else _missing(self, subject)

    @property
    def feed(self) -> Endpoint | None:
        """The destructive feed, if the vendor has one."""
        return next((e for e in self.endpoints if e.is_destructive), None)

    @property
    def lists(self) -> tuple[Endpoint, ...]:
        """The endpoints that list many checks or packages at once."""
        return tuple(e for e in self.endpoints if e.is_list)

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        """Cron schedules with their endpoints; the feed stands apart, since it has a switch of its own."""
        groups: dict[tuple[str, bool], list[Endpoint]] = {}
        for endpoint in self.endpoints:
            if endpoint.schedule:
                groups.setdefault((endpoint.schedule, endpoint.is_destructive), []).append(endpoint)
        return tuple(Schedule(cron, tuple(found), is_feed) for (cron, is_feed), found in groups.items())

    @property
    def secrets(self) -> tuple[str, ...]:
        """The roles of every secret an account may need: those of its calls first, then those of webhooks alone."""
        asked = {role for auth in self.auth.values() for role in auth.secrets}
        pushed = self.push.roles if self.push else ()
        return (*sorted(asked), *(role for role in pushed if role not in asked))


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
        problems += _unknown(vendor, f"records[{subject}].continues", filter(None, [record.continues]), SUBJECTS)
        problems += _bad_addresses(vendor, subject, record)
    problems += [*_bad_home(vendor), *_bad_auth(vendor), *_bad_schedules(vendor), *_bad_conduct(vendor)]
    if problems:
        raise DeclarationError("; ".join(problems))


def _unknown(vendor: Vendor, where: str, given: Any, known: tuple[str, ...]) -> list[str]:
    return [f"{vendor.slug}.{where}: {name!r} is none of {', '.join(known)}" for name in given if name not in known]


def _bad_addresses(vendor: Vendor, subject: str, record: Record) -> list[str]:
    given = [a for address in (record.id, *record.columns.values()) for a in aliases(address)]
    return [f"{vendor.slug}.records[{subject}]: {a!r} is no address" for a in given if not _ADDRESS.match(a)]


def _bad_home(vendor: Vendor) -> list[str]:
    """Only the forms: whether there is such a country or zone, the tests ask libraries that are slow to import."""
    forms = {
        "base_url": (_HOST, "https address"),
        "oauth_url": (_HOST, "https address"),
        "calendar": (_CALENDAR, "country code such as US or AU-NSW"),
        "timezone": (_ZONE, "name of a time zone such as Europe/London"),
    }
    given = {name: getattr(vendor, name) for name in forms}
    bad_slug = [] if is_name(vendor.slug) else [f"{vendor.slug}.slug: {vendor.slug!r} is no name of small letters"]
    return bad_slug + [
        f"{vendor.slug}.{name}: {value!r} is no {forms[name][1]}"
        for name, value in given.items()
        if not (isinstance(value, str) and forms[name][0].fullmatch(value)) and (name, value) != ("oauth_url", None)
    ]


def _bad_auth(vendor: Vendor) -> list[str]:
    problems = [] if vendor.auth else [f"{vendor.slug}.auth: {{}} is no way to authenticate"]
    for name, auth in vendor.auth.items():
        problems += _unknown(vendor, f"auth[{name}].scheme", [auth.scheme], AUTH_SCHEMES)
        problems += [
            f"{vendor.slug}.auth[{name}].secrets: {role!r} is no role" for role in auth.secrets if not is_name(role)
        ]
        if auth.scheme == "oauth2" and vendor.oauth_url is None:
            problems.append(f"{vendor.slug}.oauth_url: None is no https address, and oauth2 asks there for a token")
    return problems


def _bad_schedules(vendor: Vendor) -> list[str]:
    found = ((endpoint, _bad_schedule(endpoint)) for endpoint in vendor.endpoints)
    return [f"{vendor.slug}.endpoints[{e.name}].schedule: {e.schedule!r} {why}" for e, why in found if why]


def _bad_schedule(endpoint: Endpoint) -> str | None:
    if (endpoint.pages or endpoint.is_discovering) and not endpoint.is_list:
        return "has pages or discovers checks, and is no list"
    if endpoint.schedule is None and not endpoint.is_scheduled:
        return None
    if not is_cron(endpoint.schedule):
        return "is no cron schedule such as '15 5 * * *', and nothing else asks for it"
    if not endpoint.is_scheduled:
        return "is for feeds, lists and subscriptions; checks are asked for when the planner says"
    if endpoint.is_destructive and not is_hourly(str(endpoint.schedule)):
        return "drains a feed less than once an hour, and the planner believes that a feed tells of changes"
    return None


def _bad_conduct(vendor: Vendor) -> list[str]:
    states = {
        "stale": [stale.lifecycle for stale in vendor.stale if stale.lifecycle],
        "prior.first_state": [vendor.prior.first_state] if vendor.prior.first_state else [],
        "prior.spells": vendor.prior.spells,
    }
    parts = {
        "limit_headers": vendor.limit_headers,
        "push": vendor.push,
        "prior": vendor.prior,
        "sandbox": vendor.sandbox,
        "offered_adjudications": vendor.offered_adjudications,
    }
    found = [problem for stale in vendor.stale for problem in stale.problems()]
    found += [(f"{name}.{at}", words) for name, part in parts.items() if part for at, words in part.problems()]
    return [
        *(words for where, given in states.items() for words in _unknown(vendor, where, given, LIFECYCLES)),
        *(f"{vendor.slug}.{where}: {words}" for where, words in found),
    ]
