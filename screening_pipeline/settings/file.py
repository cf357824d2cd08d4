"""The parser and validator of screening.toml: every key by its own rule, and the rules between keys.

The keys, their rules and defaults are the fields of the dataclasses in `screening_pipeline.settings`. `read` gives
checked plain values, of which the settings are made.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from screening_pipeline.base.errors import ConfigurationError
from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.settings import rules, shared, table_reader
from screening_pipeline.settings.account import Account
from screening_pipeline.settings.settings import SECTIONS, SlaTarget
from screening_pipeline.settings.table_reader import Key, Of, keys_of
from screening_pipeline.vendors import all_vendors, vendor

SECTION_KEYS = {name: keys_of(section) for name, section in SECTIONS.items()}
_SLA_KEYS = keys_of(SlaTarget)
_TOP_KEYS = {
    "accounts": Key(rule=rules.tables, default=()),
    "sla": Key(rule=rules.tables, default=()),
    **{section: Key(rule=rules.table, default={}) for section in SECTION_KEYS},
}


def account_keys(declared: Vendor) -> dict[str, Key]:
    """The keys of an account of this vendor, with their rules and the vendor's defaults."""
    return {**keys_of(Account, declared), **{f"{role}_env": _variable(declared, role) for role in declared.secrets}}


def _variable(declared: Vendor, role: str) -> Key:
    is_proof = declared.push is not None and role in declared.push.roles
    is_asked = any(role in auth.secrets for auth in declared.auth.values())
    also = "also proves pushed updates" if is_asked else "proves pushed updates"
    return Key(
        rule=rules.variable,
        example=Of(lambda v: table_reader.toml_text(f"{v.slug}_{role}".upper())),
        help=also if is_proof else "",
    )


def read(path: Path, *, named_by: str | None = None) -> dict[str, Any]:
    """The validated values of the file, defaults filled in: a table per section, `accounts` and `sla` as lists.

    `named_by`: the variable that says where it is. Raises ConfigurationError, which lists every problem of the file.
    """
    problems: list[str] = []
    values = _judged(_read_toml(path, named_by), problems)
    if problems:
        raise ConfigurationError(problems, source=str(path))
    return values


def _read_toml(path: Path, named_by: str | None) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        problem = "there is no such file; `screening-pipeline init` writes one"
        if named_by:  # which `init` does not ask
            problem = f"there is no such file, and {named_by} names it: correct {named_by}, or unset it"
    except OSError as error:
        problem = f"cannot be read: {error.strerror or type(error).__name__}"
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 (byte {error.start})"
    except tomllib.TOMLDecodeError as error:
        problem = f"is not TOML: {error}"
    except RecursionError:
        problem = "is nested too deeply"
    raise ConfigurationError([problem], source=str(path))


def _judged(document: dict[str, Any], problems: list[str]) -> dict[str, Any]:
    """The values of the whole document by top-level key; `problems` grows by what is wrong."""
    top = table_reader.read_table(document, _TOP_KEYS, "", problems)
    values: dict[str, Any] = {
        name: table_reader.read_table(top.get(name, {}), keys, name, problems) for name, keys in SECTION_KEYS.items()
    }
    values["accounts"] = [
        _read_account(raw, f"accounts[{n}]", problems) for n, raw in enumerate(top.get("accounts", ()))
    ]
    values["sla"] = [
        table_reader.read_table(raw, _SLA_KEYS, f"sla[{n}]", problems) for n, raw in enumerate(top.get("sla", ()))
    ]
    if "accounts" not in document:
        problems.append("accounts is missing: add an [[accounts]] table for each account at a vendor")
    problems += _account_problems(values["accounts"])
    problems += _sla_problems(values["sla"], values["accounts"])
    problems += _warehouse_problems(values["warehouse"])
    problems += shared.problems(values)
    problems += _notify_problems(values["notify"])
    return values


def _read_account(raw: dict[str, Any], at: str, problems: list[str]) -> dict[str, Any]:
    """One account's values; without a known vendor nothing else of it can be judged."""
    slug = raw.get("vendor")
    if not isinstance(slug, str) or slug not in all_vendors():
        problems.append(_no_vendor(slug, at))
        return {}
    declared = vendor(raw["vendor"])
    keys = account_keys(declared)
    values = table_reader.read_table(_without_foreign(raw, keys, at, problems), keys, at, problems)
    endpoints = {e.name: Key(rule=rules.endpoint_path(e.path)) for e in declared.endpoints}
    overrides = table_reader.read_table(values.get("paths", {}), endpoints, f"{at}.paths", problems)
    values["paths"] = {name: path for name, path in overrides.items() if path is not None}
    problems += _missing_for_auth(values, declared, at)
    problems += _sandbox_called_production(values, declared, at)
    return values


def _sandbox_called_production(values: Mapping[str, Any], declared: Vendor, at: str) -> list[str]:
    """Checks on a vendor's test host are not real, and would be counted among those that are."""
    if values.get("environment") != "production":
        return []
    hosts = {key: (urlsplit(values.get(key) or "").hostname or "").rstrip(".") for key in ("base_url", "token_url")}
    return [
        f'{at}.{key} is a test host of {declared.title}, where no check is real: add environment = "sandbox"'
        for key, host in hosts.items()
        if any(fnmatchcase(host, pattern) for pattern in declared.sandbox_hosts)
    ]


def _no_vendor(slug: object, at: str) -> str:
    if slug is None:
        return f"{at}.vendor is missing{table_reader.nearest('', all_vendors())}"
    if not isinstance(slug, str):
        return f"{at}.vendor must be text"
    return f"{at}.vendor must not be {slug[:40]!a}{table_reader.nearest(slug, all_vendors())}"


def _without_foreign(raw: dict[str, Any], keys: Mapping[str, Key], at: str, problems: list[str]) -> dict[str, Any]:
    """The account without keys that only other vendors know, for which "unknown" would be a poor word."""
    owners = _owners()
    foreign = [name for name in raw if name not in keys and name in owners]
    problems += [
        f"{at}.{name} is a key of {owners[name]} accounts, not of {raw['vendor']}{_instead(name, keys)}"
        for name in foreign
    ]
    return {name: value for name, value in raw.items() if name not in foreign}


@cache
def _owners() -> Mapping[str, str]:
    """A vendor that knows each key of an account."""
    return {name: slug for slug, other in all_vendors().items() for name in account_keys(other)}


def _instead(name: str, keys: Mapping[str, Key]) -> str:
    variables = [key for key in keys if key.endswith("_env")]
    return table_reader.nearest(name, variables) if name.endswith("_env") else ""


def _missing_for_auth(values: Mapping[str, Any], declared: Vendor, at: str) -> list[str]:
    """The secrets that the chosen authentication needs and the account does not name."""
    is_asked = values.get("polling", True) or values.get("status_updates", False)
    if "auth" not in values or not is_asked:
        return []
    auth = declared.auth[values["auth"]]
    needed = [f"{role}_env" for role in auth.secrets] + ["token_url"] * (auth.scheme == "oauth2")
    reason = f" (auth is {values['auth']})" if len(declared.auth) > 1 else ""
    return [f"{at}.{key} is missing{reason}" for key in needed if key in values and values[key] is None]


def _account_problems(accounts: list[dict[str, Any]]) -> list[str]:
    """Problems of accounts of one vendor whose names clash, capitals aside: some file systems ignore them."""
    seen: dict[tuple[str, str], int] = {}
    problems = []
    for index, account in enumerate(accounts):
        if "name" not in account:
            continue
        key = (account["vendor"], account["name"].lower())
        if key in seen:
            problems.append(f"accounts[{index}].name repeats accounts[{seen[key]}] of the same vendor")
        seen.setdefault(key, index)
    return problems


def _sla_problems(targets: list[dict[str, Any]], accounts: list[dict[str, Any]]) -> list[str]:
    names = {account["name"] for account in accounts if "name" in account}
    problems = []
    for index, target in enumerate(targets):
        at = f"sla[{index}]"
        if (target.get("target_business_days") is None) == (target.get("target_hours") is None):
            problems.append(f"{at} must have one of target_business_days and target_hours")
        problems += _unknown_word(f"{at}.vendor", target.get("vendor"), all_vendors())
        problems += _unknown_word(f"{at}.account", target.get("account"), names)
    return problems


def _unknown_word(at: str, given: str | None, known: Iterable[str]) -> list[str]:
    words = set(known)
    return (
        []
        if given is None or given in words
        else [f"{at} must not be {given[:40]!a}{table_reader.nearest(given, words)}"]
    )


_OF_LAKES = ("catalog_env", "data_path", "published_catalog_env", "published_data_path")


def _warehouse_problems(values: Mapping[str, Any]) -> list[str]:
    extra = [key for key in _OF_LAKES if key in values]
    if values.get("engine") == "ducklake":
        return [f"warehouse.{key} is missing (engine is ducklake)" for key in extra if values[key] is None]
    return [f'warehouse.{key} goes with engine = "ducklake"' for key in extra if values[key] is not None]


def _notify_problems(notify: Mapping[str, Any]) -> list[str]:
    if not notify.get("mail_to"):
        return []
    missing = [
        f"notify.{key} is missing, with which mail is sent" for key in ("mail_from", "smtp_host") if not notify.get(key)
    ]
    host = notify.get("smtp_host") or ""
    if notify.get("smtp_security") == "none" and host and not rules.is_loopback(host):
        missing.append("notify.smtp_security none is for loopback hosts only: mail would cross the wire in clear")
    return missing
