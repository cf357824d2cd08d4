"""The pipeline as a Dagster component, for projects made by `dg`: a `defs.yaml` names it."""

import os
from pathlib import Path

import dagster as dg

from screening_pipeline.settings.settings import CONFIG_VARIABLE


class ScreeningPipeline(dg.Component, dg.Model, dg.Resolvable):
    """Background-check status from screening vendors, in one DuckDB star schema.

    Everything that `screening_pipeline.definitions` has, with the instance, storage and executor of the project.
    """

    config: str | None = None
    """The path of screening.toml; left out, SCREENING_CONFIG or the one in the working directory."""
    data_dir: str | None = None
    """The data folder; left out, SCREENING_DATA_DIR or ./data."""
    schedules: bool = True
    """Whether its schedules are loaded."""
    sensors: bool = True
    """Whether its sensors are loaded."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The definitions; paths are relative to the file that names them. The environment is told where they are."""
        for name, path in ((CONFIG_VARIABLE, self.config), ("SCREENING_DATA_DIR", self.data_dir)):
            if path is not None:
                os.environ[name] = str(Path(context.path, path))
        from screening_pipeline.orchestration.definitions import defs

        return dg.Definitions(
            assets=defs.assets,
            asset_checks=defs.asset_checks,
            jobs=defs.jobs,
            schedules=defs.schedules if self.schedules else [],
            sensors=defs.sensors if self.sensors else [],
            resources=defs.resources,
        )
