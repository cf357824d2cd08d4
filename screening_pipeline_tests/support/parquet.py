"""What Parquet files of a snapshot say other than its tables and views."""

from __future__ import annotations

from pathlib import Path

from screening_pipeline.warehouse import snapshot
from screening_pipeline.warehouse.session import Connection

_EXACT = {"DOUBLE": "round({}, 9)", "DOUBLE[]": "list_transform({}, lambda x: round(x, 9))"}
"""A product of fractions is the same but for the order in which it is taken."""


def differing(connection: Connection, folder: Path) -> list[str]:
    """The names of tables and views whose file in `folder` has other rows, or other types of columns."""
    files = {r.qualified: folder / r.schema / f"{r.name}.parquet" for r in snapshot.published() if r.refresh != "macro"}
    return [name for name, file in files.items() if not _are_same(connection, name, file)]


def _are_same(connection: Connection, name: str, file: Path) -> bool:
    kinds, in_file = (_kinds(connection, source) for source in (name, f"read_parquet('{file}')"))
    told = ", ".join(_EXACT.get(kind, "{}").format(f'"{column}"') for column, kind in kinds)
    rows, written = f"select {told} from {name}", f"select {told} from read_parquet('{file}')"
    (lost,) = connection.execute(f"select count(*) from ({rows} except all {written})").fetchone() or (None,)
    (added,) = connection.execute(f"select count(*) from ({written} except all {rows})").fetchone() or (None,)
    return kinds == in_file and lost == added == 0


def _kinds(connection: Connection, source: str) -> list[tuple[str, str]]:
    return [(name, kind) for name, kind, *_ in connection.execute(f"describe from {source}").fetchall()]
