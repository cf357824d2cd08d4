"""What goes wrong with Dagster's own storage, in our words: it is no mistake of this program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from screening_pipeline.base import sqlite_failures
from screening_pipeline.base.failures import is_full
from screening_pipeline.orchestration import postgres_storage

LOST = "the record of earlier runs"


@contextmanager
def storage_told(home: Path) -> Iterator[None]:
    """Turn what SQLite or PostgreSQL says of the storage of `home` into DiskFull, NotWritable or EnvironmentFailed."""
    try:
        yield
    except Exception as problem:
        if (unreachable := postgres_storage.failure(problem)) is not None:
            raise unreachable.with_traceback(problem.__traceback__) from None
        told = next(sqlite_failures.causes(problem), None)
        if told is None:
            raise
        file = None if is_full(home) else next(damaged_files(home), None)
        failure = sqlite_failures.damaged(file, LOST) if file else sqlite_failures.failure(told, home / "history", LOST)
        raise failure.with_traceback(problem.__traceback__) from None


def damaged_files(home: Path) -> Iterator[Path]:
    """The databases of the storage that SQLite cannot read."""
    return (file for file in sorted(home.rglob("*.db")) if not sqlite_failures.is_sound(file))
