"""The star's tables as Dagster assets, and its rules as asset checks."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from screening_pipeline.cycle import notes, settle
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.orchestration.keys import (
    NO_ASSETS,
    OWNERS,
    RAW_RESPONSE,
    SNAPSHOT,
    call_key,
    made,
    pulled_endpoints,
    table_key,
)
from screening_pipeline.orchestration.metadata import table_metadata
from screening_pipeline.orchestration.resource import Screening, note
from screening_pipeline.runtime import publication
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.runtime.results import StepResult, steps_before
from screening_pipeline.state.run_ledger import LAST_STEP
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse import catalog, lineage
from screening_pipeline.warehouse.session import Connection


def _tables(*schemas: str) -> list[catalog.Relation]:
    return [r for r in catalog.relations().values() if r.schema in schemas and r.refresh != "macro"]


def _table_spec(relation: catalog.Relation) -> dg.AssetSpec:
    deps = [table_key(name) for name in sorted(lineage.feeds(relation.qualified)) if name not in NO_ASSETS]
    return dg.AssetSpec(
        table_key(relation.qualified),
        deps=deps or ([RAW_RESPONSE] if relation.schema == "ops" else []),
        description=relation.grain,
        group_name=relation.schema,
        kinds={"duckdb", "sql"},
        owners=OWNERS,
        skippable=True,
    )


def rule_specs(*schemas: str, is_every_run: bool) -> list[dg.AssetCheckSpec]:
    """The asset check specs of the rules of every run (`is_every_run`), or of the daily ones."""
    return [
        dg.AssetCheckSpec(rule.name, asset=table_key(rule.shown_at), description=rule.says)
        for rule in catalog.rules(*schemas, is_every_run=is_every_run)
    ]


@dg.multi_asset(
    name=LAST_STEP,
    specs=[
        dg.AssetSpec(
            RAW_RESPONSE,
            deps=[call_key(v, e) for v in all_vendors().values() for e in pulled_endpoints(v)],
            description="Every answer and every pushed message, as it came: the landed lines the star is read from.",
            group_name="landing",
            kinds={"json"},
            owners=OWNERS,
        ),
        *(_table_spec(relation) for relation in _tables("star")),
        dg.AssetSpec(
            SNAPSHOT,
            deps=[table_key(relation.qualified) for relation in _tables("star")],
            group_name="published",
            kinds={"duckdb"},
            owners=OWNERS,
            description="data/published/screening.duckdb: star, analytics and ops for analysts, replaced as a whole.",
            skippable=True,
        ),
    ],
    check_specs=rule_specs("raw", "star", "ops", is_every_run=True),
)
def star(context: dg.AssetExecutionContext, screening: Screening) -> Iterator[Any]:
    """Read what was landed, recompute every check that it is about, and replace the published snapshot.

    A table of which no row changed is not materialized: events cost more than tables do.
    """
    runtime = screening.runtime
    begun_at, run_id = runtime.clock.now(), context.run.run_id
    before = steps_before(runtime.ledger, run_id, LAST_STEP, begun_at=begun_at)
    with open_warehouse(runtime) as connection:
        own = StepResult(begun_at=begun_at, settled=settle.settle(runtime, connection))
        whole = before + own
        counts = {name: getattr(whole.settled, name) for name in ("responses", "changed", "rejects")}
        yield made(context, RAW_RESPONSE, counts)
        changed = [relation for relation in _tables("star") if relation.qualified in whole.settled.written]
        yield from materialized(context, connection, changed)
        yield from judged(connection, "raw", "star", "ops", is_every_run=True)
        trigger = context.run.tags.get("screening/trigger", "dagster")
        notes.note_run(runtime, connection, whole, run_id=run_id, trigger=trigger)
        yield from _published(context, runtime, connection)
    note(context, runtime, own)


def _published(
    context: dg.AssetExecutionContext, runtime: Runtime, connection: Connection
) -> Iterator[dg.MaterializeResult[None]]:
    """Replace the published snapshot by the warehouse as it is now, if its time has come."""
    size = publication.publish(runtime, connection)
    if size is None:
        due = publication.due_at(runtime.pull_queue, runtime.clock.now())
        context.log.info("making a snapshot takes long by now: the next one is made after %s", due)
        return
    path = str(runtime.settings.paths.published)
    yield made(context, SNAPSHOT, {"bytes": size, "path": path})


def materialized(
    context: dg.AssetExecutionContext, connection: Connection, relations: Sequence[catalog.Relation]
) -> Iterator[dg.MaterializeResult[None]]:
    """Materializations of these tables or views: row counts, columns, a preview."""
    for relation in relations:
        yield made(context, table_key(relation.qualified), table_metadata(connection, relation))


def judged(connection: Connection, *schemas: str, is_every_run: bool) -> Iterator[dg.AssetCheckResult]:
    """The asset check results of the rules, each tried now."""
    for rule in catalog.rules(*schemas, is_every_run=is_every_run):
        yield dg.AssetCheckResult(**verdict(connection, rule))


def verdict(connection: Connection, rule: catalog.Rule) -> dict[str, Any]:
    """The result of trying one rule, as keyword arguments for Dagster's check classes."""
    count = connection.execute(f"select count(*) from ({rule.query}\n)").fetchone()
    return {
        "asset_key": table_key(rule.shown_at),
        "check_name": rule.name,
        "passed": not count or count[0] == 0,
        "severity": dg.AssetCheckSeverity.WARN if rule.is_warning else dg.AssetCheckSeverity.ERROR,
        "metadata": {"offending_rows": count[0] if count else 0},
    }
