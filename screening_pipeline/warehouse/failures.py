"""What DuckDB fails with, in our words: its own quote values, and ours are stored in event logs and shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from screening_pipeline.base.errors import EnvironmentFailed, PlaceOutOfReach
from screening_pipeline.base.failures import disk_full, is_full

_DAMAGE_SIGNS = ("checksum", "corrupt", "deserializ")
_FULL_SIGNS = ("No space left", "Disk quota exceeded", "Could not write all bytes")
_LEAST_BYTES = 4 * 1024 * 1024
"""With less than that free DuckDB can keep neither its log nor what it spills."""


@contextmanager
def failures_told(folder: Path | None = None) -> Iterator[None]:
    """Context manager: turns DuckDB errors into DiskFull (of the disk of `folder`) or EnvironmentFailed, by kind."""
    try:
        yield
    except duckdb.Error as problem:
        require_room(problem, folder)
        kind = PlaceOutOfReach if is_out_of_reach(problem) else EnvironmentFailed
        failure = kind(_failed(problem), code="warehouse_failed")
        raise failure.with_traceback(problem.__traceback__) from None


@contextmanager
def reach_told() -> Iterator[None]:
    """Context manager: turns what an object store that does not answer makes of a query into PlaceOutOfReach."""
    try:
        yield
    except duckdb.Error as problem:
        if not is_out_of_reach(problem):
            raise
        raise PlaceOutOfReach(_failed(problem), code="warehouse_failed") from None


def _failed(problem: duckdb.Error) -> str:
    if is_damage(problem):
        return "a part of warehouse.duckdb is damaged; `screening-pipeline doctor --deep` says what to do"
    if is_out_of_reach(problem):
        return "warehouse.data_path: the object store cannot be reached, or refuses; see that it lets us in"
    return f"the warehouse failed: {type(problem).__name__}"


def is_damage(problem: duckdb.Error) -> bool:
    """Whether DuckDB means that a file is not as it was written."""
    told = str(problem).lower()
    return any(sign in told for sign in _DAMAGE_SIGNS)


def require_room(problem: duckdb.Error, folder: Path | None) -> None:
    """Raise DiskFull where DuckDB means that; it says so in several ways, and by now the room may be there again."""
    is_said = any(sign in str(problem) for sign in _FULL_SIGNS)
    if folder and (is_said or is_full(folder, _LEAST_BYTES)):
        raise disk_full("the warehouse", folder, _LEAST_BYTES) from None


def is_unknown_name(problem: duckdb.Error) -> bool:
    """Whether DuckDB knows no such table, view, column or function."""
    return isinstance(problem, duckdb.CatalogException | duckdb.BinderException)


def is_out_of_reach(problem: duckdb.Error) -> bool:
    """Whether an object store, or the way to it, is what failed, and nothing is known of what lies there."""
    if isinstance(problem, duckdb.IOException) and " error for HTTP " in str(problem):  # no answer, of any status
        return True
    return isinstance(problem, duckdb.HTTPException) or "Connection" in type(problem).__name__
