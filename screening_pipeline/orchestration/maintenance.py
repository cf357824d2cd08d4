"""Jobs that are not part of a cycle: rebuilding everything derived, and the daily report."""

import base64
import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from screening_pipeline.cycle import take_orders
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.orchestration.keys import OWNERS, SNAPSHOT, made, table_key
from screening_pipeline.orchestration.metadata import inert_markdown
from screening_pipeline.orchestration.resource import Screening
from screening_pipeline.orchestration.tables import judged, materialized, rule_specs, verdict
from screening_pipeline.runtime import plans
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.warehouse import catalog, ingest, lineage, publish, store
from screening_pipeline.warehouse import rebuild as warehouse_rebuild
from screening_pipeline.warehouse.session import Connection

REPORT = dg.AssetKey(["published", "report"])
PARQUET = dg.AssetKey(["published", "parquet"])


@dg.op(description="Drops everything derived and computes it again from orders and landed answers; then publishes.")
def rebuild_from_raw(context: dg.OpExecutionContext, screening: Screening) -> None:
    """Read all history anew. The result is the same, row for row; only what is asked next is planned as of now."""
    runtime = screening.runtime
    if not runtime.settings.paths.warehouse.exists():  # lost, or restored from a backup: orders are raw as well
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
        for rule in (r for often in (True, False) for r in catalog.rules("raw", "star", "ops", is_every_run=often)):
            # A step that makes no asset has no results; Dagster takes evaluations, whatever it declares.
            context.log_event(dg.AssetCheckEvaluation(**verdict(connection, rule)))  # type: ignore[arg-type]
        publish.publish(connection, runtime.settings.paths.published)
        counted = connection.execute("select count(*) from star.fact_check").fetchone()
    context.log.info("%s checks rebuilt", counted[0] if counted else 0)


@dg.job(
    name="rebuild",
    description="Everything derived, computed again from raw. Nothing is asked of any vendor.",
    executor_def=dg.in_process_executor,
)
def rebuild() -> None:
    """The rebuild job."""
    rebuild_from_raw()


@contextmanager
def _whole(runtime: Runtime) -> Iterator[Connection]:
    """The live warehouse, with a rebuild that was stopped half way gone on with."""
    with open_warehouse(runtime) as connection:
        if plans.prepare(connection, runtime) is ingest.Prepared.REREAD:
            plans.plan_again(connection, runtime)
        yield connection


@dg.multi_asset(
    name="analytics",
    specs=[
        dg.AssetSpec(
            table_key(relation.qualified),
            deps=[table_key(name) for name in sorted(lineage.feeds(relation.qualified)) if not name.startswith("ops.")],
            description=relation.grain,
            group_name="analytics",
            kinds={"duckdb", "sql"},
            owners=OWNERS,
        )
        for relation in catalog.of_schema("analytics")
    ],
)
def analytics(context: dg.AssetExecutionContext, screening: Screening) -> Iterator[Any]:
    """The analysts' views: nothing to compute, they are always of now; this shows what they say."""
    with _whole(screening.runtime) as connection:
        yield from materialized(context, connection, catalog.of_schema("analytics"))


@dg.multi_asset_check(
    name="rules",
    specs=rule_specs("raw", "star", "ops", is_every_run=False),
)
def rules(screening: Screening) -> Iterator[dg.AssetCheckResult]:
    """Everything that must hold of whole tables; a cycle tries only what a batch can break."""
    with _whole(screening.runtime) as connection:
        yield from judged(connection, "raw", "star", "ops", is_every_run=False)


@dg.asset(
    key=REPORT,
    deps=[SNAPSHOT, *(table_key(relation.qualified) for relation in catalog.of_schema("analytics"))],
    group_name="published",
    kinds={"html"},
    owners=OWNERS,
    description="data/published/report.html: turnaround, ageing, SLA, decisions, data quality on one page, for anyone.",
)
def daily_report_page(context: dg.AssetExecutionContext, screening: Screening) -> dg.MaterializeResult[None]:
    """Write the report from the published snapshot."""
    from screening_pipeline.report import write  # it brings the chart library, which no other step needs

    runtime = screening.runtime
    with store.deriving(runtime.settings.paths) as connection:
        target = write.publish_report(connection, runtime.settings.paths, generated_at=runtime.clock.now())
    content = target.read_text(encoding="utf-8")
    charts = dg.MetadataValue.md(charts_as_markdown(content))
    return made(context, REPORT, {"path": str(target), "bytes": len(content), "charts": charts})


@dg.asset(
    key=PARQUET,
    deps=[SNAPSHOT],
    group_name="published",
    kinds={"parquet"},
    owners=OWNERS,
    description="data/published/parquet/: the snapshot as files, for tools that do not speak DuckDB.",
)
def parquet(context: dg.AssetExecutionContext, screening: Screening) -> dg.MaterializeResult[None]:
    """Write the published snapshot as Parquet."""
    paths = screening.runtime.settings.paths
    with store.deriving(paths) as connection:
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
        | dg.AssetSelection.groups("analytics")
        | dg.AssetSelection.checks(*(spec.key for spec in rule_specs("raw", "star", "ops", is_every_run=False)))
    ),
    description="Tries every rule, shows what the analysts' views say, writes the report and the Parquet files.",
)
daily_report = dg.ScheduleDefinition(
    name="daily_report",
    cron_schedule="0 6 * * *",
    job=report_job,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="The report, every morning.",
)
