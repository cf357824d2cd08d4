"""Instants that order files tell, read by the very macro that reads those of vendors (`staging.instant`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from screening_pipeline.base import memory_files
from screening_pipeline.base.sql_text import quote

if TYPE_CHECKING:
    from screening_pipeline.warehouse.session import Connection

Told = tuple[str, str]
"""A text, and the time zone in which it was written where it has no offset."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read(connection: Connection, told: Iterable[Told]) -> Mapping[Told, str]:
    """The instants as ISO 8601 in UTC; those that are missing cannot be read."""
    asked = sorted(set(told))
    if not asked:
        return {}
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
