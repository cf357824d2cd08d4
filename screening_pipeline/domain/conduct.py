"""A vendor's conduct beside its payloads: webhooks, staleness, its simulation by the bundled sandbox."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

PUSH_SCHEMES = {"hmac_sha256": 1, "hmac_sha256_of_json": 1, "bearer": 1, "basic": 2}
"""How a pushed message may be proven, and by how many secrets; `screening_pipeline.proofs` implements them."""

_CLOCKS = ("vendor", "total")

Problem = tuple[str, str]
"""(attribute, value and what is wrong with it); who asks puts the vendor before it."""


@dataclass(frozen=True, kw_only=True)
class Push:
    """A vendor's webhook authentication: header, scheme and secrets.

    - `header`: the HTTP header with the proof; `scheme`: one of PUSH_SCHEMES.
    - `secrets`: roles of the secrets, in the order the scheme takes them (`basic`: name, then password).
    - `token_clients`: roles of a client's id and secret, with which a sender of `basic` may get a bearer token.
    - `names_check_in_path`: the body does not say which check it is about, so each has an address of its own.
    """

    header: str
    scheme: str
    secrets: tuple[str, ...]
    token_clients: tuple[str, ...] = ()
    names_check_in_path: bool = False

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of all secrets that may authenticate a webhook."""
        return (*self.secrets, *self.token_clients)

    def problems(self) -> Iterator[Problem]:
        """Validation problems of the declaration: (attribute, value and what is wrong)."""
        if not self.header.isascii() or not self.header.replace("-", "").isalnum():
            yield "header", f"{self.header!r} is no name of a header"
        if self.scheme not in PUSH_SCHEMES:
            yield "scheme", f"{self.scheme!r} is none of {', '.join(PUSH_SCHEMES)}"
        elif len(self.secrets) != PUSH_SCHEMES[self.scheme]:
            yield "secrets", f"{self.secrets!r} are not the {PUSH_SCHEMES[self.scheme]} that {self.scheme} takes"
        if self.token_clients and (len(self.token_clients) != 2 or self.scheme != "basic"):
            yield "token_clients", f"{self.token_clients!r} are not an id and a secret beside basic"
        yield from (("secrets", f"{role!r} is no role") for role in self.roles if not is_name(role))


@dataclass(frozen=True, kw_only=True)
class LimitHeaders:
    """The headers of every answer in which a vendor tells how its rate limit stands.

    - `limit`: calls in a window; `remaining`: calls that are left of it, whoever made the others.
    - `reset`: when the window ends, as an ISO 8601 time with an offset.
    """

    limit: str
    remaining: str
    reset: str

    def problems(self) -> Iterator[Problem]:
        """Validation problems of the declaration: (attribute, value and what is wrong)."""
        for name, header in (("limit", self.limit), ("remaining", self.remaining), ("reset", self.reset)):
            if not header.startswith("x-ratelimit-") or header != header.lower():
                yield name, f"{header!r} is none of the x-ratelimit-* headers, which alone are kept, in small letters"


@dataclass(frozen=True, kw_only=True)
class Stale:
    """The age, in days or in business days, beyond which a check in a state counts as stale.

    Without a `lifecycle` it is said of every open state. It holds in place of what holds of all vendors.
    """

    lifecycle: str | None = None
    days: int | None = None
    business_days: int | None = None

    @property
    def setting(self) -> tuple[str, int]:
        """(name, value) of its row in star.dim_setting."""
        if self.business_days is not None:
            return "stale_after_business_days", self.business_days
        return "stale_after_days", self.days or 0

    def problems(self) -> Iterator[Problem]:
        """Validation problems of the declaration: (attribute, value and what is wrong)."""
        if (self.days is None) == (self.business_days is None):
            yield "stale", f"{self!r} must have one of days and business_days"
        elif self.setting[1] <= 0:
            yield "stale", f"{self!r} must have a number above zero"


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """The simulation of a vendor by the bundled sandbox: its path prefixes, and the settings of its account.

    `is_adjudicated`: what is to be considered there is decided on, sooner or later.
    `promised_business_days` is a promise of turnaround against which the demo is measured, by the clock of
    `promise_clock` ("vendor": time the vendor had to act; "total": all of it).
    """

    path: str
    oauth_path: str | None = None
    final_adjudications: tuple[str, ...] = ()
    is_adjudicated: bool = False
    promised_business_days: float | None = None
    promise_clock: str = "vendor"

    def problems(self) -> Iterator[Problem]:
        """Validation problems of the declaration: (attribute, value and what is wrong)."""
        for name, path in (("path", self.path), ("oauth_path", self.oauth_path)):
            if path is not None and (not path.startswith("/") or path.endswith("/")):
                yield name, f"{path!r} is no path such as /vendor/v1"
        if self.promise_clock not in _CLOCKS:
            yield "promise_clock", f"{self.promise_clock!r} is none of {', '.join(_CLOCKS)}"


@dataclass(frozen=True, kw_only=True)
class WordList:
    """A call that lists the adjudication words which one account offers, such as those that a customer made up.

    - `path`: of the call, with the {id} of a check of `subject`.
    - `keys`: under which a word stands where the list holds objects.
    """

    path: str
    subject: str
    keys: tuple[str, ...]

    def problems(self) -> Iterator[Problem]:
        """Validation problems of the declaration: (attribute, value and what is wrong)."""
        if not self.path.startswith("/") or "{id}" not in self.path:
            yield "path", f"{self.path!r} is no path with the {{id}} of a check"


def is_name(text: object) -> bool:
    """Whether a text is a valid name of a vendor or a secret: small letters, digits and '_'.

    `<role>_env` names the variable of a secret in screening.toml.
    """
    return isinstance(text, str) and text.isascii() and text.isidentifier() and text == text.lower() and text[0] != "_"


# ── schedules ──────────────────────────────────────────────────────────────────────────────────────────

_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
"""The lowest and the highest number of each field: minute, hour, day of month, month, day of week."""

_PART = re.compile(r"(?:\*|(\d+)(?:-(\d+))?)(?:/([1-9]\d?))?")


def is_cron(schedule: object) -> bool:
    """Whether it is a cron schedule of five fields of numbers, ranges, lists and steps."""
    fields = schedule.split(" ") if isinstance(schedule, str) else []
    return len(fields) == len(_FIELDS) and all(map(_is_field, fields, _FIELDS))


def _is_field(text: str, bounds: tuple[int, int]) -> bool:
    return all(_is_part(part, *bounds) for part in text.split(","))


def _is_part(text: str, lowest: int, highest: int) -> bool:
    found = _PART.fullmatch(text)
    if not found:
        return False
    numbers = [int(number) for number in found.groups()[:2] if number]
    return numbers == sorted(numbers) and all(lowest <= number <= highest for number in numbers)


def is_hourly(schedule: str) -> bool:
    """Whether a cron schedule fires at least once an hour."""
    return schedule.split(" ")[1:] == ["*"] * (len(_FIELDS) - 1)
