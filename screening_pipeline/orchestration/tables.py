"""The step of the star: what was landed is settled, published, and told of its tables."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import dagster as dg

from screening_pipeline.cycle import notes, settle, turns
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.orchestration.installation import prefixed
from screening_pipeline.orchestration.keys import (
    NO_ASSETS,
    OWNERS,
    PARQUET,
    RAW_ORDER,
    RAW_RESPONSE,
    SNAPSHOT,
    TRIGGER,
    is_called,
    made,
    run_id_of,
    table_key,
    version_tags,
)
from screening_pipeline.orchestration.metadata import table_metadata
from screening_pipeline.orchestration.resource import Screening, note
from screening_pipeline.orchestration.telling import Telling, name_of, tell, telling_of
from screening_pipeline.runtime import parquet_files, publication
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.runtime.results import StepResult, steps_before
from screening_pipeline.state.run_ledger import LAST_STEP
from screening_pipeline.warehouse import catalog, lineage
from screening_pipeline.warehouse.engines import engine_of
from screening_pipeline.warehouse.session import Connection


def _tables(*schemas: str) -> list[catalog.Relation]:
    return [r for r in catalog.relations().values() if r.schema in schemas and r.refresh != "macro"]


def _table_spec(relation: catalog.Relation) -> dg.AssetSpec:
    deps = [table_key(name) for name in sorted(lineage.feeds(relation.qualified)) if name not in NO_ASSETS]
    return dg.AssetSpec(
        table_key(relation.qualified),
        deps=deps or ([RAW_RESPONSE] if relation.schema == "ops" else []),
        description=relation.grain,
        group_name=prefixed(relation.schema),
        kinds={"duckdb", "sql"},
        owners=OWNERS,
        metadata={"brought up to date": "by each run that makes published/snapshot; told of every twenty minutes"},
    )


def _ends() -> list[dg.AssetKey]:
    """The tables that no other is computed from: what stands before them is there through them."""
    names = [relation.qualified for relation in _tables("star")]
    feeding = {source for name in names for source in lineage.feeds(name)}
    return [table_key(name) for name in names if name not in feeding]


SNAPSHOT_SPEC = dg.AssetSpec(
    SNAPSHOT,
    # A run of the pipeline's own jobs selects it without tables, and still waits for what is read and asked.
    deps=[RAW_ORDER, RAW_RESPONSE, *_ends()],
    group_name=prefixed("published"),
    kinds={"duckdb"},
    owners=OWNERS,
    description="data/published/screening.duckdb: star, analytics and ops for analysts, replaced as a whole.",
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(days=2), warn_window=timedelta(days=1)),
)
SPECS = {relation.qualified: _table_spec(relation) for relation in _tables("star")}


@dg.multi_asset(name=LAST_STEP, specs=[*SPECS.values(), SNAPSHOT_SPEC], can_subset=True)
def star(context: dg.AssetExecutionContext, screening: Screening) -> Iterator[Any]:
    """Read what was landed, recompute every check that it is about, and replace the published snapshot.

    All tables are brought up to date, whichever are selected, and whoever selects tables is told of them. The jobs of
    the pipeline itself select none: they tell now and then of those that have changed.
    """
    runtime, run_id = screening.runtime, run_id_of(context)
    begun_at, trigger = runtime.clock.now(), context.run.tags.get(TRIGGER)
    before = steps_before(runtime.ledger, run_id, LAST_STEP, begun_at=begun_at)
    with open_warehouse(runtime) as connection, turns.settling(runtime.pull_queue, runtime.clock):
        own = StepResult(begun_at=begun_at, settled=settle.settle(runtime, connection))
        whole = before + own
        notes.note_run(runtime, connection, whole, run_id=run_id, trigger=trigger or "dagster")
        if runtime.settings.landing.url is not None:
            notes.note_pulls(runtime, connection)
        size = publication.publish(runtime, connection, is_due=trigger is None)
        changed = whole.settled.written & SPECS.keys()
        telling = telling_of(runtime, _selected(context), changed, is_published=size is not None)
        verdicts = telling.tried(connection, is_published=False)
    context.log.info(
        "%s answers read, %s checks changed, %s rejects",
        *(getattr(whole.settled, name) for name in ("responses", "changed", "rejects")),
    )
    if size is None:
        due = publication.due_at(runtime.pull_queue, runtime.clock.now())
        context.log.info("making a snapshot takes long by now: the next one is made after %s", due)
    else:
        with engine_of(runtime.settings).reader() as snapshot:
            yield from _shown(context, telling, snapshot)
            verdicts += telling.tried(snapshot, is_published=True)
        yield from tell(context, SNAPSHOT_SPEC, {"bytes": size, "path": engine_of(runtime.settings).place})
        _renew_parquet(context, runtime)
    for verdict in telling.news(verdicts):
        context.log_event(dg.AssetCheckEvaluation(**verdict))  # Dagster takes them of a step, whatever it declares
    telling.done(verdicts)
    broken = tuple(sorted(name_of(verdict) for verdict in verdicts if not verdict["passed"]))
    note(context, runtime, LAST_STEP, replace(own, broken=broken))


def _shown(
    context: dg.AssetExecutionContext, telling: Telling, snapshot: Connection
) -> Iterator[dg.MaterializeResult[None]]:
    """Tell of tables, as they are published."""
    for name in (name for name in SPECS if name in telling.tables):
        yield from tell(context, SPECS[name], table_metadata(snapshot, catalog.relations()[name]))


def _renew_parquet(context: dg.AssetExecutionContext, runtime: Runtime) -> None:
    """Make Parquet files of the snapshot where they are asked for with it, and tell of them."""
    files = parquet_files.renew(runtime)
    if files is None:
        return
    facts: dict[str, Any] = {"files": files, "path": str(runtime.settings.paths.parquet)}
    tags = version_tags(dg.AssetSpec(PARQUET, deps=[SNAPSHOT]))
    context.log_event(dg.AssetMaterialization(PARQUET, metadata=facts, tags=tags))


def _selected(context: dg.AssetExecutionContext) -> frozenset[str]:
    """The tables that somebody has selected."""
    if is_called(context):
        return frozenset(SPECS)
    return frozenset(name for name, spec in SPECS.items() if spec.key in context.selected_asset_keys)


def materialized(
    context: dg.AssetExecutionContext, connection: Connection, relations: Sequence[catalog.Relation]
) -> Iterator[dg.MaterializeResult[None]]:
    """Materializations of these tables or views: row counts, columns, a preview."""
    for relation in relations:
        yield made(context, table_key(relation.qualified), table_metadata(connection, relation))
