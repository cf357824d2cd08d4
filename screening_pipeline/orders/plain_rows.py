"""Rows that nothing is remarkable about are judged together, column by column: nearly all of a large file.

A row is left to be judged by itself where anything about it may have to be told, or mended, or looked at twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from screening_pipeline.domain import ids
from screening_pipeline.orders.files import COLUMNS

if TYPE_CHECKING:
    from screening_pipeline.orders.files import Row

Place = tuple[str, str, str]
"""Vendor, account and subject, as a row tells them."""
_LEFT_ALONE = ("needed_by", "tags")


class PlainRows:
    """The columns of rows, trimmed, and which of the rows are `remarkable`, by their numbers."""

    def __init__(self, rows: Sequence[Mapping[str, str]]) -> None:
        told = set().union(*rows)
        nothing = [""] * len(rows)
        self._columns = {name: [row.get(name, "") for row in rows] if name in told else nothing for name in COLUMNS}
        self.remarkable: set[int] = set()
        for name in told.intersection(COLUMNS):
            self._trim(name)
        self._leave(not ids.is_plain(value) for value in self._columns["check_id"])
        self._leave(bool(value) and not ids.is_plain(value) for value in self._columns["candidate_ref"])
        for name in _LEFT_ALONE:
            self._leave(map(bool, self._columns[name]))

    def _trim(self, name: str) -> None:
        values = self._columns[name]
        text = "".join(values)
        if not _is_plain(text):
            self._leave(not _is_plain(value) for value in values)
        if " " in text or not text.isprintable():
            self._columns[name] = list(map(str.strip, values))

    def _leave(self, flags: Iterable[bool]) -> None:
        self.remarkable.update(number for number, flag in enumerate(flags) if flag)

    def put(self, find: Callable[[Place], tuple[str, str] | None]) -> None:
        """Fill in the accounts and subjects that `find` tells; rows for which it tells none are left."""
        columns = self._columns
        told = list(zip(columns["vendor"], columns["account"], columns["subject"], strict=True))
        found = {place: find(place) for place in set(told)}
        self._leave(found[place] is None for place in told)
        placed = [found[place] or ("", "") for place in told]
        columns["account"], columns["subject"] = ([one[number] for one in placed] for number in (0, 1))

    def rows(self, lines: Sequence[int], key_of: Callable[[str], str]) -> list[Row]:
        """All rows with their lines and people's keys; those that are remarkable are not to be used."""
        columns: dict[str, Sequence[object]] = {**self._columns}
        references = self._columns["candidate_ref"]
        del columns["candidate_ref"]
        columns["line"] = lines
        columns["candidate_key"] = [key_of(text) if text else None for text in references]
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()
