"""A line of a manifest as a row of `raw.order`, or why it cannot be one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from screening_pipeline.base.nearest_word import did_you_mean
from screening_pipeline.base.text import has_lone_surrogate
from screening_pipeline.domain.pseudonym import pseudonym
from screening_pipeline.landing.strict_json import unique
from screening_pipeline.orders import creations
from screening_pipeline.orders.files import COLUMNS, Problem
from screening_pipeline.orders.readers import manifest_lines
from screening_pipeline.vendors import all_vendors

if TYPE_CHECKING:
    from screening_pipeline.orders.files import Manifest, Row
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.warehouse.session import Connection


def read(connection: Connection, manifest: Manifest, settings: Settings, *, key: bytes) -> Iterator[Row | Problem]:
    """The rows of a manifest that can be read, and why the others cannot, in their order."""
    if manifest.created_by:
        yield from created(manifest, *manifest.created_by, settings)
        return
    for line, given in manifest_lines(connection, manifest):
        yield given if isinstance(given, Problem) else order(line, given, settings, key)


def created(manifest: Manifest, slug: str, account: str, settings: Settings) -> Iterator[Row | Problem]:
    """Orders told by the answers to creation calls, each an order of its own."""
    for line, found in creations.read(manifest.content, all_vendors()[slug]):
        if isinstance(found, creations.Unread):
            yield Problem(line, found.reason, found.detail)
        else:
            told = {"vendor": slug, "account": account, "subject": found.subject, "check_id": found.check_id}
            yield order(line, told, settings, b"")


def order(line: int, given: Mapping[str, str], settings: Settings, key: bytes) -> Row | Problem:
    """One line of a manifest as a row of `raw.order`, or why it cannot be one."""
    row = {name: given.get(name, "").strip() for name in COLUMNS}
    problem = _unreadable(line, row) or _unknown_vendor(line, row, settings) or _unknown_subject(line, row)
    if problem:
        return problem
    moment = _instant(row["ordered_at"], settings.account(row["vendor"], row["account"]).timezone)
    if moment is None and row["ordered_at"]:
        return Problem(line, "bad_time", "ordered_at is not an ISO 8601 time such as 2026-03-02T09:30:00+01:00")
    if row["tags"] and not _is_object(row["tags"]):
        return Problem(line, "bad_tags", "tags is not a JSON object")
    reference = row.pop("candidate_ref")
    return {
        **{name: value or None for name, value in row.items()},
        "line": line,
        "ordered_at": moment,
        "candidate_key": pseudonym(key, reference) if reference else None,
    }


def _unreadable(line: int, row: Row) -> Problem | None:
    text = "".join(row.values())
    if "\ufffd" in text or "\x00" in text or has_lone_surrogate(text):
        return Problem(line, "not_utf8", "the row is not UTF-8 text")
    if not row["check_id"]:
        return Problem(line, "empty_id", "check_id is empty")
    return None


def _unknown_vendor(line: int, row: Row, settings: Settings) -> Problem | None:
    vendor, account = row["vendor"], row["account"]
    if vendor not in all_vendors():
        return Problem(
            line,
            "unknown_vendor",
            "vendor is none of " + ", ".join(all_vendors()) + did_you_mean(vendor, all_vendors()),
        )
    names = [a.name for a in settings.accounts if a.vendor == vendor]
    if account and account not in names:
        return Problem(line, "unknown_account", f"no such {vendor} account is configured{did_you_mean(account, names)}")
    if not names:
        return Problem(line, "unknown_account", f"no {vendor} account is configured")
    if not account and len(names) > 1:
        return Problem(line, "account_required", f"{vendor} has {len(names)} accounts: name one of {', '.join(names)}")
    row["account"] = account or names[0]
    return None


def _unknown_subject(line: int, row: Row) -> Problem | None:
    vendor = all_vendors()[row["vendor"]]
    row["subject"] = row["subject"] or vendor.default_subject
    if row["subject"] not in vendor.subjects:
        return Problem(line, "unknown_subject", f"a {vendor.slug} subject is one of {', '.join(vendor.subjects)}")
    return None


def _is_object(text: str) -> bool:
    """Whether DuckDB can read it as one, too: one row that it cannot fails a query over all."""
    try:
        given = json.loads(text, parse_constant=_refuse, object_pairs_hook=unique)
        return isinstance(given, dict) and not has_lone_surrogate(json.dumps(given, ensure_ascii=False))
    except (ValueError, RecursionError):
        return False


def _refuse(constant: str) -> None:
    raise ValueError(constant)


YEARS = range(2000, 9999)
"""No order is of an earlier year; the first and the last are how some say "never", others are slips of the pen."""


def _instant(text: str, zone: str) -> str | None:
    """The instant as ISO 8601 in UTC; a time without an offset is local, a date alone its first moment."""
    from zoneinfo import ZoneInfo

    try:
        moment = datetime.fromisoformat(text)
        local = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
        # Where clocks go back an hour comes twice: the later is taken, as of what vendors tell (`star.local_time`).
        instant = max(local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    except (ValueError, OverflowError):
        return None
    return instant.isoformat() if instant.year in YEARS else None
