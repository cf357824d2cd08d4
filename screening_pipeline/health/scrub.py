"""Whether files still say what was written into them: all of each store, or a sample of it where there is much.

Bits rot where nobody writes, and nobody notices until a rebuild reads them or a backup has overwritten the last good
copy. What is derived, and made anew every morning (the report, the Parquet files), is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from screening_pipeline.base import sqlite_failures
from screening_pipeline.base.errors import DiskFull, EnvironmentFailed, LockHeld, NotWritable, ScreeningError
from screening_pipeline.base.sample import sample
from screening_pipeline.orders import rot
from screening_pipeline.orders.intake import known_looks
from screening_pipeline.state.connection import LOST
from screening_pipeline.warehouse import erasure_register
from screening_pipeline.warehouse.engine_duckdb import DuckDBFiles
from screening_pipeline.warehouse.failures import failures_told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from screening_pipeline.base.clock import Clock
    from screening_pipeline.landing.landed_files import LandedFiles
    from screening_pipeline.orders.files import Look
    from screening_pipeline.settings.paths import Paths
    from screening_pipeline.warehouse.engine import Engine
    from screening_pipeline.warehouse.session import Connection

RUNS_LOST = "the record of earlier runs"
OUT_OF_REACH = ("database_failed", "objects_failed")
"""Codes of servers that do not answer: nothing is known of what they keep."""
RESTORE = "put the file back from a backup, then run rebuild"


@dataclass(frozen=True)
class Extent:
    """How much is read: so many bytes of the files of a store, so many seconds of a database; None is all of it."""

    most_bytes: int | None = None
    most_seconds: float | None = None


DAILY = Extent(1_000_000_000, 30)
BRIEF = Extent(50_000_000, 2)
WHOLE = Extent()


@dataclass(frozen=True)
class Rotten:
    """A file that does not say what was written into it: the store, the file with what is wrong, and what to do."""

    store: str
    message: str
    fix: str


def rotten(
    paths: Paths,
    landed: LandedFiles,
    clock: Clock,
    extent: Extent,
    *,
    engine: Engine | None = None,
    wait_seconds: float = 0,
) -> Iterator[Rotten]:
    """Every file of every store that is found damaged; `wait_seconds`: for whoever writes the warehouse.

    A warehouse that is written all the time is left for another day.
    """
    yield from landed_lines(landed, extent)
    yield from register(paths)
    yield from _sqlite(paths, extent)
    yield from databases(paths, clock, extent, engine=engine, wait_seconds=wait_seconds)


def landed_lines(landed: LandedFiles, extent: Extent) -> Iterator[Rotten]:
    """Landed lines that are not as they were written."""
    for one in landed.damages(extent.most_bytes):
        yield Rotten("landed lines", f"{one.file}, byte {one.byte} ({one.reason})", RESTORE)


def register(paths: Paths) -> Iterator[Rotten]:
    """The register of erasures, where a line of it is damaged."""
    try:
        erasure_register.require_whole(paths)
    except ScreeningError as error:
        yield Rotten("register of erasures", str(error), "")


def _sqlite(paths: Paths, extent: Extent) -> Iterator[Rotten]:
    lost = dict.fromkeys(paths.dagster.rglob("*.db"), RUNS_LOST) | {paths.state: LOST}
    sizes = {file: file.stat().st_size for file in lost if file.exists()}
    for file in sample(sizes, extent.most_bytes):
        if not sqlite_failures.is_sound(file):
            fix = f"move {file}* away; what is lost is {lost[file]}"
            yield Rotten("shared state" if file == paths.state else "dagster", f"{file.name} is damaged", fix)


def databases(
    paths: Paths, clock: Clock, extent: Extent, *, engine: Engine | None = None, wait_seconds: float = 0
) -> Iterator[Rotten]:
    """The live warehouse, what was read into it, and the snapshot; without an engine those of the data folder."""
    engine = engine or DuckDBFiles(paths)
    yield from _unless_damaged(engine, "warehouse", lambda: _warehouse(engine, paths, clock, extent, wait_seconds))
    yield from _unless_damaged(engine, "snapshot", lambda: _snapshot(engine, paths, clock, extent))


def _unless_damaged(engine: Engine, name: str, look: Callable[[], list[Rotten]]) -> list[Rotten]:
    told, fix = engine.remedy(name)
    try:
        is_there = engine.is_made() if name == "warehouse" else engine.is_published()
        return look() if is_there else []
    except (LockHeld, DiskFull, NotWritable):  # nothing is known of it now
        return []
    except ScreeningError as problem:
        if isinstance(problem, EnvironmentFailed) and problem.code in OUT_OF_REACH:
            return []  # which is said elsewhere
        return [Rotten(name, f"{told} is damaged: a part of it is not what was written", fix)]


def _warehouse(engine: Engine, paths: Paths, clock: Clock, extent: Extent, wait_seconds: float) -> list[Rotten]:
    with engine.examined(clock=clock, wait_seconds=wait_seconds) as connection, failures_told(paths.data_dir):
        if damaged := _damages(engine, "warehouse", connection, _until(clock, extent)):
            return damaged  # what is read of it now may be wrong
        read = connection.execute("select file, loaded_bytes from staging.landed_file").fetchall()
        shortened = [one for file, size in read for one in _shortened(paths.landing / file, file, size)]
        known = known_looks(connection)
    return [*shortened, *_orders(paths, known, extent)]


def _damages(engine: Engine, name: str, connection: Connection, is_over: Callable[[], bool]) -> list[Rotten]:
    told, fix = engine.remedy(name)
    return [Rotten(name, f"{told}: {one}", fix) for one in engine.damages(name, connection, is_over)]


def _shortened(path: Path, file: str, read_bytes: int) -> Iterator[Rotten]:
    size = path.stat().st_size if path.exists() else 0
    if size < read_bytes:
        yield Rotten("landed files", f"{file} has {size:,} of the {read_bytes:,} bytes that were read of it", RESTORE)


def _orders(paths: Paths, known: Mapping[str, Look], extent: Extent) -> Iterator[Rotten]:
    fix = "put the file back from a backup; what was read of it stays until then"
    for name in rot.rotten(paths.orders, known, extent.most_bytes):
        yield Rotten("orders", f"{name} is not what was read of it, though nobody wrote to it", fix)


def _snapshot(engine: Engine, paths: Paths, clock: Clock, extent: Extent) -> list[Rotten]:
    with engine.reader() as connection, failures_told(paths.data_dir):
        return _damages(engine, "snapshot", connection, _until(clock, extent))


def _until(clock: Clock, extent: Extent) -> Callable[[], bool]:
    begun = clock.monotonic()
    return lambda: extent.most_seconds is not None and clock.monotonic() - begun > extent.most_seconds
