"""Jobs that are not part of a cycle: rebuilding everything derived, and the daily report.

Views, report and files read the published snapshot and lock nobody out.
"""

import base64
import html
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg

from screening_pipeline.cycle import take_orders
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.orchestration.installation import OWN_RUN, key, prefixed
from screening_pipeline.orchestration.keys import OWNERS, PARQUET, SNAPSHOT, made, table_key
from screening_pipeline.orchestration.metadata import inert_markdown
from screening_pipeline.orchestration.resource import Screening
from screening_pipeline.orchestration.rules import all_rules, evaluations, rule_specs
from screening_pipeline.orchestration.tables import materialized
from screening_pipeline.runtime import plans
from screening_pipeline.warehouse import catalog, ingest, lineage, publish
from screening_pipeline.warehouse import rebuild as warehouse_rebuild
from screening_pipeline.warehouse.engines import engine_of

REPORT = key("published", "report")


@dg.op(description="Drops everything derived and computes it again from orders and landed answers; then publishes.")
def rebuild_from_raw(context: dg.OpExecutionContext, screening: Screening) -> None:
    """Read all history anew. The result is the same, row for row; only what is asked next is planned as of now."""
    runtime = screening.runtime
    engine = engine_of(runtime.settings)
    if not engine.is_made():  # lost, or restored from a backup: orders are raw as well
        take_orders.take_orders(runtime, run_id=context.run_id)
    with open_warehouse(runtime) as connection:
        if plans.prepare(connection, runtime) is not ingest.Prepared.REREAD:  # else it has just been done
            warehouse_rebuild.rebuild(
                connection,
                runtime.landing,
                part_key=runtime.part_key,
                settings=runtime.settings,
                progress=runtime.progress,
            )
        plans.plan_again(connection, runtime)
        for evaluation in evaluations(connection, all_rules()):
            # A step that makes no asset has no results; Dagster takes evaluations, whatever it declares.
            context.log_event(evaluation)  # type: ignore[arg-type]
        engine.publish(connection)
        counted = connection.execute("select count(*) from star.fact_check").fetchone()
    context.log.info("%s checks rebuilt", counted[0] if counted else 0)


@dg.job(
    name="rebuild",
    description="Everything derived, computed again from raw. Nothing is asked of any vendor.",
    executor_def=dg.in_process_executor,
    tags=OWN_RUN,
)
def rebuild() -> None:
    """The rebuild job."""
    rebuild_from_raw()


def _sources(relation: catalog.Relation) -> list[dg.AssetKey]:
    return [table_key(name) for name in sorted(lineage.feeds(relation.qualified)) if not name.startswith("ops.")]


@dg.multi_asset(
    name="analytics",
    specs=[
        dg.AssetSpec(
            table_key(relation.qualified),
            deps=[SNAPSHOT, *_sources(relation)],
            description=relation.grain,
            group_name=prefixed("analytics"),
            kinds={"duckdb", "sql"},
            owners=OWNERS,
        )
        for relation in catalog.of_schema("analytics")
    ],
)
def analytics(context: dg.AssetExecutionContext, screening: Screening) -> Iterator[Any]:
    """The analysts' views: nothing to compute, they are always of now; this shows what they say."""
    with engine_of(screening.runtime.settings).reader() as snapshot:
        yield from materialized(context, snapshot, catalog.of_schema("analytics"))


@dg.asset(
    key=REPORT,
    deps=[SNAPSHOT, *(table_key(relation.qualified) for relation in catalog.of_schema("analytics"))],
    group_name=prefixed("published"),
    kinds={"html"},
    owners=OWNERS,
    description="data/published/report.html: turnaround, ageing, SLA, decisions, data quality on one page, for anyone.",
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=50), warn_window=timedelta(hours=26)),
)
def daily_report_page(context: dg.AssetExecutionContext, screening: Screening) -> dg.MaterializeResult[None]:
    """Write the report from the published snapshot."""
    from screening_pipeline.report import write  # it brings the chart library, which no other step needs

    runtime = screening.runtime
    with engine_of(runtime.settings).deriving() as connection:
        target = write.publish_report(connection, runtime.settings.paths, generated_at=runtime.clock.now())
    content = target.read_text(encoding="utf-8")
    charts = dg.MetadataValue.md(charts_as_markdown(content))
    return made(context, REPORT, {"path": str(target), "bytes": len(content), "charts": charts})


@dg.asset(
    key=PARQUET,
    deps=[SNAPSHOT],
    group_name=prefixed("published"),
    kinds={"parquet"},
    owners=OWNERS,
    description="data/published/parquet/: the snapshot as files, for tools that do not speak DuckDB.",
)
def parquet(context: dg.AssetExecutionContext, screening: Screening) -> dg.MaterializeResult[None]:
    """Write the published snapshot as Parquet."""
    settings = screening.runtime.settings
    paths = settings.paths
    with engine_of(settings).deriving() as connection:
        count = publish.export_parquet(connection, paths.parquet)
    return made(context, PARQUET, {"files": count, "path": str(paths.parquet)})


_FIGURE = re.compile(r"<figcaption>(.*?)(?:<small>.*?)?</figcaption>.*?(<svg.*?</svg>)", re.DOTALL)
# Metadata is kept in the event log for every run: the first charts of the page say most.
SHOWN_CHARTS = 6


def charts_as_markdown(page: str) -> str:
    """The first charts of the report as Markdown images, for Dagster's pages."""
    import vl_convert

    lines = []
    for title, svg in _FIGURE.findall(page)[:SHOWN_CHARTS]:
        picture = base64.b64encode(vl_convert.svg_to_png(svg, scale=1)).decode()
        lines.append(f"**{inert_markdown(html.unescape(title))}**\n\n![chart](data:image/png;base64,{picture})")
    return "\n\n".join(lines)


report_job = dg.define_asset_job(
    "daily_report_job",
    selection=(
        dg.AssetSelection.assets(REPORT, PARQUET)
        | dg.AssetSelection.groups(prefixed("analytics"))
        | dg.AssetSelection.checks(*(spec.key for spec in rule_specs()))
    ),
    description="Tries every rule, shows what the analysts' views say, writes the report and the Parquet files.",
    tags=OWN_RUN,
)
daily_report = dg.ScheduleDefinition(
    name="daily_report",
    cron_schedule="0 6 * * *",
    job=report_job,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="The report, every morning.",
)
