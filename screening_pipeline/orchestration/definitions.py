"""Dagster's definitions: assets, checks, jobs, sensors and schedules."""

from screening_pipeline.base import garbage_collection
from screening_pipeline.orchestration.assets import ASSETS
from screening_pipeline.orchestration.jobs import JOBS
from screening_pipeline.orchestration.maintenance import (
    analytics,
    daily_report,
    daily_report_page,
    parquet,
    rebuild,
    report_job,
)
from screening_pipeline.orchestration.notifying import notifications
from screening_pipeline.orchestration.ownership import owned
from screening_pipeline.orchestration.resource import Screening
from screening_pipeline.orchestration.rules import rules
from screening_pipeline.orchestration.schedules import SCHEDULES
from screening_pipeline.orchestration.sensors import SENSORS

garbage_collection.tune_garbage_collection()

import dagster as dg

defs = dg.Definitions(
    assets=owned([*ASSETS, analytics, daily_report_page, parquet]),
    asset_checks=[rules],
    jobs=[*JOBS, report_job, rebuild],
    sensors=[*SENSORS, notifications],
    schedules=[*SCHEDULES, daily_report],
    resources={"screening": Screening()},
    # Steps cost: under the default executor each is a new interpreter, 4 CPU s of imports.
    executor=dg.in_process_executor,
)
