"""What an order file tells, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from screening_pipeline.orders import files, rows
from screening_pipeline.orders.files import COLUMNS, Problem, Row

if TYPE_CHECKING:
    from screening_pipeline.orders.blocks import Orders
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.warehouse.session import Connection

_NOTHING = dict.fromkeys(name for name in COLUMNS if name != "candidate_ref") | {"candidate_key": None}


def read_rows(connection: Connection, path: Path, settings: Settings, *, key: bytes) -> tuple[list[Row], list[Problem]]:
    """The orders of a file in the order of their lines, each with all columns, and its problems; nothing is kept."""
    found = list(rows.read(connection, files.manifest_of(path), settings, key=key))
    read = [row for orders in found for row in _rows(orders)]
    return sorted(read, key=lambda row: int(row["line"])), [one for orders in found for one in orders.problems]


def _rows(orders: Orders) -> list[Row]:
    told = (dict(zip(orders.columns, values, strict=True)) for values in zip(*orders.columns.values(), strict=True))
    return [_NOTHING | {name: value or None for name, value in row.items()} for row in (*told, *orders.rows)]
