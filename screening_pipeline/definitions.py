"""What Dagster loads: assets, checks, jobs, sensors and schedules."""

from screening_pipeline import garbage

garbage.look_seldom()

import dagster as dg

from screening_pipeline.assets import ASSETS, Screening
from screening_pipeline.automation import JOBS, SCHEDULES, SENSORS
from screening_pipeline.maintenance import (
    analytics,
    daily_report,
    daily_report_page,
    parquet,
    rebuild,
    report_job,
    rules,
)

defs = dg.Definitions(
    assets=[*ASSETS, analytics, daily_report_page, parquet],
    asset_checks=[rules],
    jobs=[*JOBS, report_job, rebuild],
    sensors=SENSORS,
    schedules=[*SCHEDULES, daily_report],
    resources={"screening": Screening()},
    # Steps cost: under the default executor each is a new interpreter, 4 CPU s of imports.
    executor=dg.in_process_executor,
)
