"""The pipeline as a Dagster component, for projects made by `dg`: a `defs.yaml` names it."""

import os
from pathlib import Path

import dagster as dg

from screening_pipeline.base.errors import ConfigurationError
from screening_pipeline.settings.settings import CONFIG_VARIABLE

# The folders of the components that this process has loaded.
_LOADED: set[Path] = set()


class ScreeningPipeline(dg.Component, dg.Model, dg.Resolvable):
    """Background-check status from screening vendors, in one DuckDB star schema.

    Everything that `screening_pipeline.definitions` has, with the instance, storage and executor of the project.
    """

    config: str | None = None
    """The path of screening.toml; left out, SCREENING_CONFIG or the one in the working directory."""
    data_dir: str | None = None
    """The data folder; left out, SCREENING_DATA_DIR or ./data."""
    key_prefix: str | None = None
    """Stands before asset keys and groups; left out, [operations] key_prefix of screening.toml, or nothing does."""
    schedules: bool = True
    """Whether its schedules are loaded."""
    sensors: bool = True
    """Whether its sensors are loaded."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The definitions; paths are relative to the file that names them. The environment is told of all three.

        Raises ConfigurationError for a second one in the same process, whose environment it would share.
        """
        if _LOADED and context.path not in _LOADED:
            problem = "is the second in this code location: another installation needs a code location of its own"
            raise ConfigurationError([problem], source=str(context.path))
        _LOADED.add(context.path)
        self._tell(context.path)
        from screening_pipeline.orchestration.definitions import defs

        return dg.Definitions(
            assets=defs.assets,
            asset_checks=defs.asset_checks,
            jobs=defs.jobs,
            schedules=defs.schedules if self.schedules else [],
            sensors=defs.sensors if self.sensors else [],
            resources=defs.resources,
        )

    def _tell(self, folder: Path) -> None:
        for name, path in ((CONFIG_VARIABLE, self.config), ("SCREENING_DATA_DIR", self.data_dir)):
            if path is not None:
                os.environ[name] = str(Path(folder, path))
        if self.key_prefix is not None:
            os.environ["SCREENING_KEY_PREFIX"] = self.key_prefix
