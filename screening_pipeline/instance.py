"""Dagster's own storage: where it lies, and the settings it is made with."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from screening_pipeline.paths import Paths

if TYPE_CHECKING:
    import dagster as dg

DAGSTER_YAML = """\
# Written once by screening-pipeline; yours to change.
telemetry:
  enabled: false
nux:
  enabled: false
# A run whose worker died is noticed and ended, so that it blocks nobody.
run_monitoring:
  enabled: true
  start_timeout_seconds: 180
  max_runtime_seconds: 21600
run_queue:
  max_concurrent_runs: 4
retention:
  sensor:
    purge_after_days: {skipped: 7, failure: 30, success: 30}
  schedule:
    purge_after_days: 90
"""


def ensure_instance_files(paths: Paths) -> None:
    """Make Dagster's home with a `dagster.yaml`, unless there is one."""
    paths.create()
    config = paths.dagster / "dagster.yaml"
    if not config.exists():
        config.write_text(DAGSTER_YAML)


def instance(paths: Paths, environ: Mapping[str, str] = os.environ) -> "dg.DagsterInstance":
    """The instance in which every run is recorded: DAGSTER_HOME where it is set, else one in the data folder."""
    import dagster as dg

    ensure_instance_files(paths)
    return (
        dg.DagsterInstance.get() if environ.get("DAGSTER_HOME") else dg.DagsterInstance.from_config(str(paths.dagster))
    )
