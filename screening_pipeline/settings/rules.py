"""Rules for values of a configuration file, and the reader that applies a table of them.

A rule takes a decoded TOML value and returns what the program works with, or raises Refused with a
message that reads on from the key's name ("accounts[0].base_url must be …"). All problems of a document
are collected, so that a person corrects them in one go. Messages never show a value that may be a secret.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from screening_pipeline.settings.table_reader import SECRET_WORDS, Refused, nearest, type_word

if TYPE_CHECKING:
    from screening_pipeline.settings.table_reader import Rule


_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")
_RANDOM_LOOKING = re.compile(r"(?=.*\d)[A-Z0-9]{16,}")
_OWNER = re.compile(r"team:[A-Za-z0-9_-]+|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
_KEY_PREFIX = re.compile(r"[A-Za-z0-9_]{1,63}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


# ── rules ──────────────────────────────────────────────────────────────────────────────────────────


def text(value: Any) -> str:
    """Rule: non-empty text of one line."""
    if not isinstance(value, str):
        raise Refused(f"must be text, not {type_word(value)}")
    if not value.strip() or not value.isprintable():
        raise Refused("must be text of one line that is not empty")
    return value


def flag(value: Any) -> bool:
    """Rule: a TOML boolean."""
    if not isinstance(value, bool):
        raise Refused(f"must be true or false, not {type_word(value)}")
    return value


def integer(minimum: int, maximum: int) -> Rule:
    """Rule: an integer in this closed range; a boolean is refused."""

    def rule(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Refused(f"must be an integer, not {type_word(value)}")
        if not minimum <= value <= maximum:
            raise Refused(f"must be between {minimum} and {maximum}, not {value if abs(value) < 10**12 else 'that'}")
        return value

    return rule


def positive(value: Any) -> float:
    """Rule: a finite number above zero."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"must be a number, not {type_word(value)}")
    if not 0 < value < 1e12:
        raise Refused("must be a number above zero")
    return float(value)


_DURATION = re.compile(r"(\d{1,9})\s*(s|m|min|h|d)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def duration(value: Any) -> float:
    """A length of time such as `"15m"`, `"90s"` or `"2h"`, or a number of seconds; in seconds."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9:
        return float(value)
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise Refused('must be a duration such as "90s", "15m", "2h" or "1d"')
    return float(found[1]) * _SECONDS[found[2]]


def hours_by_vendor(*known: str) -> Rule:
    """Rule: a number of hours for all vendors (key `*`), or a table of hours by vendor."""

    def rule(value: Any) -> dict[str, float]:
        if not isinstance(value, dict):
            return {"*": positive(value)}
        for slug in (slug for slug in value if slug not in known):
            raise Refused(f"must not name {_shown(slug)}{nearest(slug, known)}")
        return {slug: positive(hours) for slug, hours in value.items()}

    return rule


def one_of(*known: str) -> Rule:
    """Rule: one of these words; the refusal suggests the nearest one."""

    def rule(value: Any) -> str:
        if text(value) not in known:
            raise Refused(f"must not be {_shown(value)}{nearest(value, known)}")
        return str(value)

    return rule


def list_of(rule: Rule) -> Rule:
    """Rule: a list without repetition whose elements each satisfy `rule`; becomes a tuple."""

    def rule_of_list(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Refused(f"must be a list, not {type_word(value)}")
        read = tuple(_element(rule, element, index) for index, element in enumerate(value))
        if len(set(read)) < len(read):
            raise Refused("names something twice")
        return read

    return rule_of_list


def _element(rule: Rule, element: object, index: int) -> Any:
    try:
        return rule(element)
    except Refused as refused:
        raise Refused(f"element {index} {refused}") from None


def text_map(value: Any) -> dict[str, str]:
    """Rule: a table of text to text."""
    if not isinstance(value, dict):
        raise Refused(f"must be a table of texts, not {type_word(value)}")
    return {text(name): text(word) for name, word in value.items()}


def table(value: Any) -> dict[str, Any]:
    """Rule: a table, whose own keys are validated elsewhere."""
    if not isinstance(value, dict):
        raise Refused(f"must be a table, not {type_word(value)}")
    return value


def tables(value: Any) -> list[dict[str, Any]]:
    """Rule: an array of tables with at least one entry."""
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise Refused("must be an array of tables: write its heading in [[double brackets]]")
    if not value:
        raise Refused("must have at least one entry")
    return value


def name(value: Any) -> str:
    """Rule: a name safe in paths and URLs: letters, digits, dot, dash, underscore."""
    if not _NAME.fullmatch(text(value)):
        raise Refused("must be 1 to 63 letters, digits, '.', '-' or '_', and begin with a letter or digit")
    return str(value)


def key_prefix(value: Any) -> str:
    """Rule: what stands before asset keys and the names of groups in Dagster."""
    if not _KEY_PREFIX.fullmatch(text(value)):
        raise Refused("must be 1 to 63 letters, digits or '_'")
    return str(value)


def owner(value: Any) -> str:
    """Rule: who owns an asset in Dagster, a team or the address of a person."""
    if not _OWNER.fullmatch(text(value)):
        raise Refused('must be "team:<letters, digits, - or _>" or an e-mail address')
    return str(value)


def tags(value: Any) -> dict[str, str]:
    """Rule: a table of tags as Dagster takes them: names, with texts that are as plain."""
    found = text_map(value)
    wrong = [word for pair in found.items() for word in pair if not _NAME.fullmatch(word)]
    if wrong:
        raise Refused(f"has {wrong[0]!r}: tags are 1 to 63 letters, digits, '.', '-' or '_'")
    return found


def variable(value: Any) -> str:
    """Rule: the name of an environment variable. The value is never shown: it may be the secret itself."""
    given = value if isinstance(value, str) else ""
    if not _VARIABLE.fullmatch(given) or _RANDOM_LOOKING.fullmatch(given):
        raise Refused("must be the name of an environment variable (A-Z, 0-9, _), not the secret itself")
    return given


def url(value: Any) -> str:
    """Rule: an https URL, http on loopback only, without user, query or fragment; a slash at its end is removed.

    The value is never shown: it may carry a password.
    """
    given = text(value)
    parts, host = _split_url(given)
    if parts.scheme not in ("https", "http") or not host or set(given) & set("\\ "):
        raise Refused(_NO_ADDRESS)
    if "@" in parts.netloc:
        raise Refused("must not carry a user or password: name their variables in *_env keys")
    if parts.query or parts.fragment or given[-1] in "?#":
        raise Refused("must end before any '?' or '#'")
    if parts.scheme == "http" and not is_loopback(host):
        raise Refused("must begin with https:// (http:// is for loopback hosts only)")
    return given.rstrip("/")


_NO_ADDRESS = "must be an address such as https://api.example.com/v1"


def _split_url(given: str) -> tuple[SplitResult, str | None]:
    try:
        parts = urlsplit(given)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:  # a port that is no number, a bracket that is not closed; the text may be secret
        raise Refused(_NO_ADDRESS) from None
    return parts, host


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: `localhost`, 127.0.0.0/8 or ::1."""
    from ipaddress import ip_address  # 10 ms that a configuration with https only need not pay

    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def endpoint_path(declared: str) -> Rule:
    """Rule: a URL path to replace the declared one: absolute, and with `{id}` where that has one."""
    expected = 1 if "{id}" in declared else 0

    def rule(value: Any) -> str:
        path = text(value)
        bare = path.replace("{id}", "")
        if not path.startswith("/") or path.startswith("//") or "/../" in f"{path}/" or set(bare) & set("{}#\\ "):
            raise Refused(f"must be a path such as {declared}")
        if path.count("{id}") != expected:
            raise Refused("must contain {id} once" if expected else "must not contain {id}")
        if any(SECRET_WORDS.search(key) for key, _ in parse_qsl(urlsplit(path).query, keep_blank_values=True)):
            raise Refused("must not carry a secret in its query")
        return path

    return rule


_DATE_WORDS = re.compile(r"%(.)")
_DATE_WORDS_KNOWN = frozenset("aAbBdfHIjmMpSyY%")


def date_format(value: Any) -> str:
    """How dates are written, in the words of strptime: a day, a month and a year at least, and no zone."""
    given = text(value)
    words = set(_DATE_WORDS.findall(given))
    if unknown := sorted(f"%{word}" for word in words - _DATE_WORDS_KNOWN):
        raise Refused(f"has {_shown(unknown[0])}, which is none of %a %A %b %B %d %f %H %I %j %m %M %p %S %y %Y")
    if not (words & set("yY") and ("j" in words or ("d" in words and words & set("mbB")))):
        raise Refused("must tell a day, a month and a year, as in %d/%m/%Y")
    return given


# What lies beside the zones on many machines: it names no zone, and the warehouse does not know it.
_NO_NAMES = ("localtime", "posixrules")
_COPIES = ("posix/", "right/")


def timezone(value: Any) -> str:
    """Rule: the IANA name of a time zone."""
    from zoneinfo import ZoneInfo, available_timezones

    zone = text(value)
    if zone in _NO_NAMES or zone.startswith(_COPIES):
        raise Refused(f"must not be {_shown(value)}: name the zone itself, such as Europe/London")
    try:
        ZoneInfo(zone)
    except (KeyError, OSError, ValueError):  # an unknown name, a folder's name, no name at all
        raise Refused(f"must not be {_shown(value)}{nearest(value, available_timezones())}") from None
    return str(value)


# What people write where the standard has another code.
_COUNTRY_SLIPS = {"UK": "GB", "EN": "GB", "USA": "US", "AUS": "AU"}


def calendar(value: Any) -> str:
    """Rule: a country's ISO 3166-1 alpha-2 code, optionally with a subdivision: `US`, `AU-NSW`."""
    from holidays.utils import list_supported_countries  # 70 ms, paid only where a calendar is configured

    known = list_supported_countries(include_aliases=False)
    country, dash, subdivision = text(value).partition("-")
    if country not in known:
        slip = _COUNTRY_SLIPS.get(country.upper())
        hint = f"; did you mean {slip}{dash}{subdivision}?" if slip else nearest(country, known)
        raise Refused(f"has no known country in {_shown(value)}{hint}")
    if dash and subdivision not in known[country]:
        raise Refused(f"has no known subdivision in {_shown(value)}{nearest(subdivision, known[country])}")
    return str(value)


def _shown(value: str) -> str:
    return ascii(value if len(value) <= 40 else value[:40] + "…")
