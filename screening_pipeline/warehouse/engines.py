"""Which engine the configuration names; one that is not named is not imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening_pipeline.base.errors import UsageError
from screening_pipeline.warehouse.engine_duckdb import DuckDBFiles

if TYPE_CHECKING:
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.warehouse.engine import Engine


def engine_of(settings: Settings) -> Engine:
    """The engine of the warehouse; nothing is opened yet. Raises ConfigurationError where a variable is not set."""
    if settings.engine == "duckdb":
        return DuckDBFiles(settings.paths)
    from screening_pipeline.warehouse.engine_ducklake import DuckLake

    return DuckLake(settings.paths, settings.warehouse)


def published_engine(settings: Settings) -> Engine:
    """The same, for whoever reads what is published. Raises UsageError where there is nothing yet."""
    engine = engine_of(settings)
    if not engine.is_published():
        raise UsageError("nothing is published yet; run `screening-pipeline sync` first", code="nothing_published")
    return engine
