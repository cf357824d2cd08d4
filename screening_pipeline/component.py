"""The Dagster component, by the name that a `defs.yaml` gives; it is made in `orchestration`."""

from screening_pipeline.orchestration.component import ScreeningPipeline

__all__ = ["ScreeningPipeline"]
