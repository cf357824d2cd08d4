"""Instants that order files tell: as the macro reads them that reads those of vendors (`staging.instant`).

What has a date, a time of day and an offset in full is read without asking it, since there is nothing to ask.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from screening_pipeline.base import memory_files
from screening_pipeline.base.sql_text import quote

if TYPE_CHECKING:
    from screening_pipeline.warehouse.session import Connection

Told = tuple[str, str]
"""A text, and the time zone in which it was written where it has no offset."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Date, time of day and offset in full: it means one thing, to Python as to the macro, and nearly all are written so.
_FULL = re.compile(
    r"20\d\d-\d\d-\d\d[T ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)", re.ASCII
)


def read(connection: Connection, told: Sequence[Told]) -> list[str | None]:
    """The instants as ISO 8601 in UTC, in the same order; None for those that cannot be read."""
    found = [_read_in_full(text) for text, _ in told]
    left = [place for place, moment in enumerate(found) if moment is None and told[place][0]]
    if left:
        known = _read_by_macro(connection, sorted({told[place] for place in left}))
        for place in left:
            found[place] = known.get(told[place])
    return found


def _read_in_full(text: str) -> str | None:
    if _FULL.fullmatch(text):
        with suppress(ValueError, OverflowError):  # the 30th of February is left to the macro
            return datetime.fromisoformat(text).astimezone(UTC).isoformat()
    return None


def _read_by_macro(connection: Connection, asked: Sequence[Told]) -> dict[Told, str]:
    rows = [{"place": place, "told": text, "zone": zone} for place, (text, zone) in enumerate(asked)]
    with memory_files.in_memory(json.dumps(rows).encode()) as path:
        found = connection.execute(
            "select place, epoch_us(staging.instant(told, zone)) from read_json("
            f"{quote(path)}, format = 'array', columns = {{place: 'bigint', told: 'varchar', zone: 'varchar'}})"
        ).fetchall()
    return {
        asked[place]: (_EPOCH + timedelta(microseconds=moment)).isoformat()
        for place, moment in found
        if moment is not None
    }
