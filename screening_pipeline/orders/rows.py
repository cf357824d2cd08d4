"""From the text of a row to an order, or to why it is none. No problem repeats what was written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from screening_pipeline.base.nearest_word import did_you_mean, nearest
from screening_pipeline.base.text import has_lone_surrogate
from screening_pipeline.domain import ids
from screening_pipeline.domain.pseudonym import pseudonym
from screening_pipeline.landing.masking import mask, masked_keys
from screening_pipeline.landing.strict_json import unique
from screening_pipeline.orders import creations, instants
from screening_pipeline.orders.files import COLUMNS, Manifest, Problem, Row
from screening_pipeline.orders.plain_rows import Place, PlainRows
from screening_pipeline.orders.readers import Line, lines
from screening_pipeline.vendors import all_vendors

if TYPE_CHECKING:
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.warehouse.session import Connection


# Rows that are held in memory at a time.
CHUNK_ROWS = 10_000
_SPOILED = {
    ids.SPREADSHEET_NUMBER: "{} went through a spreadsheet as a number or a formula; have the column written as text",
    ids.NO_VALUE: "{} is a word for nothing; leave the cell empty, or give the value",
    ids.INVISIBLE_SIGN: "{} has a sign in it that nobody sees, or a hyphen or blank that looks like another; retype it",
}
_IDS = ("check_id", "candidate_ref")
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ]00:00(?::00(?:\.0+)?)?)?", re.ASCII)
# What is longer is no slip of a word of ours; to compare it takes time.
_LONGEST_WORD = 40


def read(connection: Connection, manifest: Manifest, settings: Settings, *, key: bytes) -> Iterator[Row | Problem]:
    """The rows of a manifest that can be read, and why the others cannot, in their order."""
    found = _created(manifest) if manifest.created_by else lines(connection, manifest)
    judge = _Judge(settings, key)
    while chunk := list(islice(found, CHUNK_ROWS)):
        yield from judge.orders(connection, chunk)


def _created(manifest: Manifest) -> Iterator[Line]:
    """What the answers to creation calls tell, each an order of its own."""
    vendor, account = manifest.created_by or ("", "")
    for line, found in creations.read(manifest.content(), all_vendors()[vendor]):
        if isinstance(found, creations.Unread):
            yield line, Problem(line, found.reason, found.detail)
        else:
            yield line, {"vendor": vendor, "account": account, "subject": found.subject, "check_id": found.check_id}


class _Judge:
    """Makes orders of rows, under one configuration and key."""

    def __init__(self, settings: Settings, key: bytes) -> None:
        self._settings = settings
        self._key = key
        self._zones = {(account.vendor, account.name): account.timezone for account in settings.accounts}
        self._places: dict[tuple[str, str, str], tuple[str, str]] = {}

    def orders(self, connection: Connection, chunk: Sequence[Line]) -> Iterator[Row | Problem]:
        """The orders of these rows, or why they are none; their times are read together."""
        judged = self._together(chunk)
        rows = (row for row in judged if not isinstance(row, Problem) and row["ordered_at"])
        known = instants.read(connection, ((row["ordered_at"], self._zone(row)) for row in rows))
        for row in judged:
            yield row if isinstance(row, Problem) else self._dated(row, known)

    def _together(self, chunk: Sequence[Line]) -> list[Row | Problem]:
        """Each row, its time as text yet, or why there is none."""
        given = [(line, row) for line, row in chunk if not isinstance(row, Problem)]
        plain = PlainRows([row for _, row in given])
        plain.put(self._place)
        rows: list[Row | Problem] = [*plain.rows([line for line, _ in given], partial(pseudonym, self._key))]
        for number in plain.remarkable:
            rows[number] = self._judged(*given[number])
        judged = iter(rows)
        return [row if isinstance(row, Problem) else next(judged) for _, row in chunk]

    def _place(self, told: Place) -> tuple[str, str] | None:
        """The account and the subject of a row; None where there are none, which is told row by row."""
        if told not in self._places:
            row: Row = dict(zip(("vendor", "account", "subject"), told, strict=True))
            if _unknown_vendor(0, row, self._settings) or _unknown_subject(0, row):
                return None
            self._places[told] = row["account"], row["subject"]
        return self._places[told]

    def _zone(self, row: Row) -> str:
        return self._zones[row["vendor"], row["account"]]

    def _dated(self, row: Row, known: Mapping[instants.Told, str]) -> Row | Problem:
        if text := row["ordered_at"]:
            moment = known.get((text, self._zone(row)))
            if moment is None:
                detail = "ordered_at is not an ISO 8601 time such as 2026-03-02T09:30:00+01:00"
                return Problem(row["line"], "bad_time", detail, row_key=key_of(row, self._key))
            row["ordered_at"] = moment
        return {name: value or None for name, value in row.items()}

    def _judged(self, line: int, given: Mapping[str, str]) -> Row | Problem:
        """The row, its time as text yet."""
        row: Row = {name: ids.trimmed(given.get(name, "")) for name in COLUMNS}
        problem = _unreadable(line, row) or _spoiled(line, row)
        problem = problem or _unknown_vendor(line, row, self._settings) or _unknown_subject(line, row)
        problem = problem or _bad_needed_by(line, row) or _bad_tags(line, row)
        reference = ids.person_form(row.pop("candidate_ref"))
        row |= {"line": line, "candidate_key": pseudonym(self._key, reference) if reference else None}
        if problem:
            return Problem(problem.line, problem.reason, problem.detail, row_key=key_of(row, self._key))
        if row["tags"]:
            row["tags"] = mask(row["tags"], masked_keys(all_vendors()[row["vendor"]]))
        return row


def key_of(row: Mapping[str, str | None], key: bytes) -> str | None:
    """A keyed hash that tells a row by its vendor and id, so that it is known again where a later file holds it mended.

    None where there is no such id, or not even nearly such a vendor.
    """
    vendor, check_id = row["vendor"] or "", row["check_id"] or ""
    meant = vendor if vendor in all_vendors() else nearest(vendor[:_LONGEST_WORD], all_vendors())
    if meant is None or not check_id or ids.problem_of(check_id):
        return None
    return pseudonym(key, f"order row\x1f{meant}\x1f{ids.check_form(check_id)}")


def _unreadable(line: int, row: Row) -> Problem | None:
    text = "".join(row.values())
    if "\ufffd" in text or "\x00" in text or has_lone_surrogate(text):
        return Problem(line, "not_utf8", "the row is not UTF-8 text")
    if not row["check_id"]:
        return Problem(line, "empty_id", "check_id is empty")
    return None


def _spoiled(line: int, row: Row) -> Problem | None:
    for name in _IDS:
        if reason := ids.problem_of(row[name]):
            return Problem(line, reason, _SPOILED[reason].format(name))
    return None


def _unknown_vendor(line: int, row: Row, settings: Settings) -> Problem | None:
    vendor, account = row["vendor"], row["account"]
    if vendor not in all_vendors():
        hint = did_you_mean(vendor[:_LONGEST_WORD], all_vendors())
        return Problem(line, "unknown_vendor", f"vendor is none of {', '.join(all_vendors())}{hint}")
    names = [a.name for a in settings.accounts if a.vendor == vendor]
    if account and account not in names:
        hint = did_you_mean(account[:_LONGEST_WORD], names)
        return Problem(line, "unknown_account", f"no such {vendor} account is configured{hint}")
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


def _bad_needed_by(line: int, row: Row) -> Problem | None:
    """A date, also where a spreadsheet or a database has made it a midnight."""
    if text := row["needed_by"]:
        found = _DATE.fullmatch(text)
        with suppress(ValueError):
            row["needed_by"] = date.fromisoformat(found[1] if found else "").isoformat()
            return None
        return Problem(line, "bad_date", "needed_by is not a date such as 2026-03-30")
    return None


def _bad_tags(line: int, row: Row) -> Problem | None:
    if row["tags"] and not _is_object(row["tags"]):
        return Problem(line, "bad_tags", "tags is not a JSON object")
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
