"""From the text of a row to an order, or to why it is none. No problem repeats what was written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from screening_pipeline.base.nearest_word import did_you_mean, nearest
from screening_pipeline.base.text import has_lone_surrogate
from screening_pipeline.domain import ids
from screening_pipeline.domain.pseudonym import pseudonym
from screening_pipeline.landing.masking import mask, masked_keys
from screening_pipeline.landing.strict_json import unique
from screening_pipeline.orders import creations, instants
from screening_pipeline.orders.blocks import Block, Line, Orders, chosen, gathered
from screening_pipeline.orders.files import COLUMNS, Manifest, Problem, Row
from screening_pipeline.orders.plain_rows import Place, PlainRows
from screening_pipeline.orders.readers import lines
from screening_pipeline.vendors import all_vendors

if TYPE_CHECKING:
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.warehouse.session import Connection


_SPOILED = {
    ids.SPREADSHEET_NUMBER: "{} went through a spreadsheet as a number or a formula; have the column written as text",
    ids.NO_VALUE: "{} is a word for nothing; leave the cell empty, or give the value",
    ids.INVISIBLE_SIGN: "{} has a sign in it that nobody sees, or a hyphen or blank that looks like another; retype it",
}
_IDS = ("check_id", "candidate_ref")
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ]00:00(?::00(?:\.0+)?)?)?", re.ASCII)
# What is longer is no slip of a word of ours; to compare it takes time.
_LONGEST_WORD = 40


def read(connection: Connection, manifest: Manifest, settings: Settings, *, key: bytes) -> Iterator[Orders]:
    """The rows of a manifest that can be read, and why the others cannot, block by block in their order."""
    found = _created(manifest) if manifest.created_by else lines(connection, manifest)
    judge = _Judge(connection, settings, key)
    return map(judge.orders, gathered(found))


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

    def __init__(self, connection: Connection, settings: Settings, key: bytes) -> None:
        self._connection = connection
        self._settings = settings
        self._key = key
        self._zones = {(account.vendor, account.name): account.timezone for account in settings.accounts}
        self._places: dict[tuple[str, str, str], tuple[str, str]] = {}

    def orders(self, block: Block) -> Orders:
        """The orders of these rows, or why they are none; their times are read together."""
        plain = PlainRows(block)
        plain.put(self._place)
        columns, undated = self._dated(plain.columns(partial(pseudonym, self._key)))
        others = [self._judged(block.lines[number], block.row(number)) for number in sorted(plain.remarkable)]
        rows, problems = _parted(self._dated_rows(others))
        told = sorted([*block.problems, *undated, *problems], key=lambda problem: problem.line or 0)
        return Orders(columns, rows, told)

    def _dated(self, columns: dict[str, Sequence[Any]]) -> tuple[dict[str, Sequence[Any]], list[Problem]]:
        """The orders whose times can be read, and why others are none."""
        if "ordered_at" not in columns:
            return columns, []
        told = columns["ordered_at"]
        zones = map(self._zone, columns["vendor"], columns["account"])
        moments = instants.read(self._connection, list(zip(told, zones, strict=True)))
        is_read = [bool(moment) or not text for moment, text in zip(moments, told, strict=True)]
        dated = {**columns, "ordered_at": moments}
        if all(is_read):
            return dated, []
        undated = chosen(columns, [not flag for flag in is_read])
        ids_of = zip(undated["line"], undated["vendor"], undated["check_id"], strict=True)
        return chosen(dated, is_read), [self._undated(*told) for told in ids_of]

    def _dated_rows(self, judged: Sequence[Row | Problem]) -> Iterator[Row | Problem]:
        rows = (row for row in judged if not isinstance(row, Problem))
        told = [(row["ordered_at"], self._zone(row["vendor"], row["account"])) for row in rows]
        moments = iter(instants.read(self._connection, told))
        for row in judged:
            if isinstance(row, Problem):
                yield row
            elif (moment := next(moments)) or not row["ordered_at"]:
                yield {name: value or None for name, value in (row | {"ordered_at": moment}).items()}
            else:
                yield self._undated(row["line"], row["vendor"], row["check_id"])

    def _undated(self, line: int, vendor: str, check_id: str) -> Problem:
        detail = "ordered_at is not an ISO 8601 time such as 2026-03-02T09:30:00+01:00"
        told = {"vendor": vendor, "check_id": check_id}
        return Problem(line, "bad_time", detail, row_key=key_of(told, self._key))

    def _zone(self, vendor: str, account: str) -> str:
        return self._zones[vendor, account]

    def _place(self, told: Place) -> tuple[str, str] | None:
        """The account and the subject of a row; None where there are none, which is told row by row."""
        if told not in self._places:
            row: Row = dict(zip(("vendor", "account", "subject"), told, strict=True))
            if _unknown_vendor(0, row, self._settings) or _unknown_subject(0, row):
                return None
            self._places[told] = row["account"], row["subject"]
        return self._places[told]

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


def _parted(judged: Iterable[Row | Problem]) -> tuple[list[Row], list[Problem]]:
    rows: list[Row] = []
    problems: list[Problem] = []
    for one in judged:
        if isinstance(one, Problem):
            problems.append(one)
        else:
            rows.append(one)
    return rows, problems


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
