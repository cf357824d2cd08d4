"""Dagster's definitions under the module name that workspaces know; they are made in `orchestration`."""

from screening_pipeline.orchestration.definitions import defs

__all__ = ["defs"]
