"""Rows that nothing is remarkable about are judged together, column by column: nearly all of a large file.

A row is left to be judged by itself where anything about it may have to be told, or mended, or looked at twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from screening_pipeline.domain import ids
from screening_pipeline.orders.blocks import chosen
from screening_pipeline.orders.files import COLUMNS

if TYPE_CHECKING:
    from screening_pipeline.orders.blocks import Block

Place = tuple[str, str, str]
"""Vendor, account and subject, as a row tells them."""
_LEFT_ALONE = ("needed_by", "tags")
_NEEDED = ("vendor", "account", "subject", "check_id")


class PlainRows:
    """The columns of rows, trimmed, and which of the rows are `remarkable`, by their numbers."""

    def __init__(self, block: Block) -> None:
        self._lines = block.lines
        nothing = [""] * len(block.lines)
        told = [name for name in COLUMNS if name in block.columns]
        self._columns: dict[str, Sequence[str]] = dict.fromkeys(_NEEDED, nothing) | {n: block.columns[n] for n in told}
        self.remarkable: set[int] = set()
        for name in told:
            self._trim(name)
        self._leave(not ids.is_plain(value) for value in self._columns["check_id"])
        if "candidate_ref" in self._columns:
            self._leave_values("candidate_ref", lambda value: bool(value) and not ids.is_plain(value))
        for name in _LEFT_ALONE:
            self._leave(map(bool, self._columns.get(name, ())))

    def _trim(self, name: str) -> None:
        values = self._columns[name]
        text = "".join(values)
        if not _is_plain(text):
            self._leave(not _is_plain(value) for value in values)
        if " " in text or not text.isprintable():
            self._columns[name] = list(map(str.strip, values))

    def _leave(self, flags: Iterable[bool]) -> None:
        self.remarkable.update(number for number, flag in enumerate(flags) if flag)

    def _leave_values(self, name: str, is_left: Callable[[str], bool]) -> None:
        """Leave the rows whose value is such; each value is looked at once."""
        left = set(filter(is_left, set(self._columns[name])))
        if left:
            self._leave(value in left for value in self._columns[name])

    def put(self, find: Callable[[Place], tuple[str, str] | None]) -> None:
        """Fill in the accounts and subjects that `find` tells; rows for which it tells none are left."""
        columns = self._columns
        told = list(zip(columns["vendor"], columns["account"], columns["subject"], strict=True))
        found = {place: find(place) for place in set(told)}
        if None in found.values():
            self._leave(found[place] is None for place in told)
        placed = [found[place] or ("", "") for place in told]
        columns["account"], columns["subject"] = ([one[number] for one in placed] for number in (0, 1))

    def columns(self, key_of: Callable[[str], str]) -> dict[str, Sequence[Any]]:
        """The columns of what is not remarkable, with their lines and people's keys."""
        columns: dict[str, Sequence[Any]] = {**self._columns, "line": self._lines}
        references = columns.pop("candidate_ref", None)
        if references is not None:
            keys = {text: key_of(text) if text else "" for text in set(references)}
            columns["candidate_key"] = [keys[text] for text in references]
        if not self.remarkable:
            return columns
        return chosen(columns, [number not in self.remarkable for number in range(len(self._lines))])


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()
