"""What Dagster loads, by the name that workspaces know; it is made in `orchestration`."""

from screening_pipeline.orchestration.definitions import defs

__all__ = ["defs"]
