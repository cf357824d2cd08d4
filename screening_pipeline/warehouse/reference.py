"""Reference data of the warehouse: vendors, accounts, mappings of words, calendars."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import date
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from screening_pipeline.domain.vocabulary import ADJUDICATIONS, DISPUTES, LIFECYCLES, NEXT_ACTORS, RESULTS
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse import catalog

if TYPE_CHECKING:
    from screening_pipeline.settings.account import Account
    from screening_pipeline.settings.settings import Settings


FIRST_DAY = date(2010, 1, 1)
LAST_DAY = date(2040, 12, 31)
ALWAYS = ("0001-01-01", "9999-12-31")
# Parts whose common holidays are those of the whole, where the library lists others besides: islands far away.
_PARTS: Mapping[str, Iterable[str]] = {"AU": ("ACT", "NSW", "NT", "QLD", "SA", "TAS", "VIC", "WA")}
# Raised when days are counted in another way: then calendars are filled anew.
_CALENDARS_VERSION = 2
_AXES = {
    "lifecycle": LIFECYCLES,
    "result": RESULTS,
    "adjudication": ADJUDICATIONS,
    "dispute": DISPUTES,
    "next_actor": NEXT_ACTORS,
}

STALE_AFTER_DAYS = 30
"""How long a state may last before somebody should look, unless its vendor declares another time."""

Row = dict[str, Any]


class MappingError(ValueError):
    """An invalid row of a mapping file; the message names file, line and value."""


@cache
def mapping() -> tuple[Row, ...]:
    """Every row of every vendor's mapping file, as rows of `star.dim_vendor_status`. Raises MappingError."""
    return tuple(row for slug in all_vendors() for row in _mapping_of(slug))


def _mapping_of(slug: str) -> Iterator[Row]:
    source = files("screening_pipeline.vendors").joinpath(f"{slug}.csv").read_text(encoding="utf-8")
    version = hashlib.sha256(source.encode()).hexdigest()[:12]
    for line, given in enumerate(csv.DictReader(source.splitlines()), start=2):
        row: Row = {key: value or None for key, value in given.items()}
        _check(f"vendors/{slug}.csv:{line}", row)
        valid = {"valid_from": row.get("valid_from") or ALWAYS[0], "valid_to": row.get("valid_to") or ALWAYS[1]}
        yield {"vendor": slug, **row, **valid, "mapping_version": version}


def _check(where: str, row: Mapping[str, str | None]) -> None:
    for axis, known in _AXES.items():
        word = row[axis]
        if word is not None and word not in known:
            raise MappingError(f"{where}: {word!r} is no {axis}; known are {', '.join(known)}")


def vendors() -> list[Row]:
    """Rows of `star.dim_vendor`, one for each declared vendor."""
    return [
        {
            "vendor": v.slug,
            "vendor_name": v.title,
            "documentation": v.documentation,
            "requests_per_minute": v.requests_per_minute,
            "is_limit_published": v.is_limit_published,
        }
        for v in all_vendors().values()
    ]


def message_semantics() -> list[Row]:
    """Rows of `staging.trait`: the semantics of each vendor's messages, as declared (`Record`)."""
    return [
        {
            "vendor": v.slug,
            "subject": subject,
            "detail_role": record.detail_role,
            "result_from": record.result_from,
            "continues": record.continues,
            "is_result_awaited": record.is_result_awaited,
            "time_means": record.time_means,
            "has_personal_part_names": v.has_personal_part_names,
            "has_adjudication": "vendor_adjudication" in record.columns,
            "adjudication_default": v.adjudication_default,
            "part_vocabulary": part_words(v.slug, subject) if record.has_free_form_parts else None,
            "generic_labels": list(record.generic_labels) if record.has_free_form_parts else None,
            "boundaries": _boundaries(v.slug),
        }
        for v in all_vendors().values()
        for subject, record in v.records.items()
        if subject in v.subjects
    ]


def part_words(slug: str, subject: str) -> list[str]:
    """The words that parts of this subject are known to have."""
    wanted = (slug, subject, "component_status")
    return sorted({row["value"] for row in mapping() if (row["vendor"], row["subject"], row["field"]) == wanted})


def _boundaries(slug: str) -> list[str]:
    days = {row[bound] for row in mapping() if row["vendor"] == slug for bound in ("valid_from", "valid_to")}
    return sorted({ALWAYS[0], *(days - {ALWAYS[1]})})


def accounts(settings: Settings) -> list[Row]:
    """Rows of `star.dim_account`."""
    return [
        {
            **_account(a),
            "requests_per_minute": a.requests_per_minute,
            "adjudication_expected": a.adjudication_expected,
            "e_verify_expected": a.e_verify_expected,
            "is_analyzed": a.environment in settings.environments,
        }
        for a in settings.accounts
    ]


def _account(account: Account) -> Row:
    return {
        "vendor": account.vendor,
        "account": account.name,
        "environment": account.environment,
        "calendar": account.calendar,
        "timezone": account.timezone,
        "is_polled": account.polling,
    }


def account_rules(settings: Settings) -> list[Row]:
    """Rows of `staging.account`: what reading an account's messages depends on."""
    return [
        {
            **_account(a),
            "is_discovering": a.discover,
            "adjudication_declared": a.adjudication_expected,
            "e_verify_declared": a.e_verify_expected,
            "push_settles_after": a.push_settles_after,
            "part_labels": list(a.part_labels),
            "final_adjudications": list(a.final_adjudications),
            "flex_fields": list(dict.fromkeys(a.flex_fields)),
            "date_format": a.date_format,
        }
        for a in settings.accounts
    ]


def aliases(settings: Settings) -> list[Row]:
    """Rows of `staging.alias`: an account's own status words, and the vendor's word that each stands for."""
    return [
        {"vendor": a.vendor, "account": a.name, "value": value, "meaning": meaning}
        for a in settings.accounts
        for value, meaning in a.status_aliases.items()
    ]


def sla_targets(settings: Settings) -> list[Row]:
    """Rows of `star.dim_sla_target`: the SLA targets of the configuration."""
    return [{"sla_target": number, **asdict(target)} for number, target in enumerate(settings.sla, start=1)]


def analysis_settings(settings: Settings) -> list[Row]:
    """Rows of `star.dim_setting`: thresholds that the analytics views read."""
    waiting = settings.adverse_action.waiting_business_days
    return [
        _setting("adverse_waiting_business_days", waiting),
        _setting("stale_after_days", STALE_AFTER_DAYS),
        *(_setting(*stale.setting, v.slug, stale.lifecycle) for v in all_vendors().values() for stale in v.stale),
    ]


def _setting(name: str, value: int, vendor: str | None = None, lifecycle: str | None = None) -> Row:
    return {"name": name, "vendor": vendor, "lifecycle": lifecycle, "value": value}


@cache
def holidays(code: str) -> frozenset[date]:
    """The holidays of a calendar, an ISO 3166-1 code with or without a subdivision, from FIRST_DAY to LAST_DAY.

    The days are those that hold there by law: federal days for US, England and Wales for GB. For a country as a whole
    that includes what is a holiday in every part of it, as days in lieu are in Australia, which no national list has.
    """
    from holidays.utils import list_supported_countries

    country, _, subdivision = code.partition("-")
    if code == "GB":
        subdivision = "ENG"
    days = _holidays_of(country, subdivision or None)
    parts = () if subdivision else _PARTS.get(country) or list_supported_countries().get(country, ())
    return days | frozenset.intersection(*(_holidays_of(country, part) for part in parts)) if parts else days


def _holidays_of(country: str, part: str | None) -> frozenset[date]:
    from holidays import country_holidays

    return frozenset(country_holidays(country, subdiv=part, years=range(FIRST_DAY.year, LAST_DAY.year + 1)))


def fingerprint(settings: Settings) -> str:
    """A digest of tables, mappings and account declarations; when it changes, the warehouse is rebuilt."""
    words = json.dumps(
        [
            mapping(),
            message_semantics(),
            accounts(settings),
            account_rules(settings),
            aliases(settings),
            sla_targets(settings),
            analysis_settings(settings),
            [_CALENDARS_VERSION, version("holidays")],
        ],
        sort_keys=True,
    )
    return hashlib.sha256((catalog.text() + words).encode()).hexdigest()


def calendars(settings: Settings) -> Iterable[str]:
    """The calendar codes that the accounts use."""
    return sorted({account.calendar for account in settings.accounts})
