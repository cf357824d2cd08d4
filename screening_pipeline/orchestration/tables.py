"""The step of the star: what was landed is settled, published, and told of its tables."""

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from screening_pipeline.cycle import notes, settle
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.orchestration.keys import (
    NO_ASSETS,
    OWNERS,
    RAW_RESPONSE,
    SNAPSHOT,
    TRIGGER,
    made,
    run_id_of,
    table_key,
)
from screening_pipeline.orchestration.metadata import table_metadata
from screening_pipeline.orchestration.resource import Screening, note
from screening_pipeline.orchestration.rules import all_rules, evaluations
from screening_pipeline.runtime import publication
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.runtime.results import StepResult, steps_before
from screening_pipeline.state.run_ledger import LAST_STEP
from screening_pipeline.warehouse import catalog, lineage, store
from screening_pipeline.warehouse.session import Connection

# Trying every rule takes at most a twentieth of the time; with few checks that is in every run.
REST = 20
_TRIED = "rules_tried"


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


@dg.multi_asset(
    name=LAST_STEP,
    specs=[
        *(_table_spec(relation) for relation in _tables("star")),
        dg.AssetSpec(
            SNAPSHOT,
            deps=[table_key(relation.qualified) for relation in _tables("star")],
            group_name="published",
            kinds={"duckdb"},
            owners=OWNERS,
            description="data/published/screening.duckdb: star, analytics and ops for analysts, replaced as a whole.",
            freshness_policy=dg.FreshnessPolicy.time_window(
                fail_window=timedelta(days=2), warn_window=timedelta(days=1)
            ),
            skippable=True,
        ),
    ],
)
def star(context: dg.AssetExecutionContext, screening: Screening) -> Iterator[Any]:
    """Read what was landed, recompute every check that it is about, and replace the published snapshot.

    In a run of the pipeline's own jobs a table of which no row changed is not materialized: events cost more than
    tables do. Whoever selects tables gets all of them.
    """
    runtime, run_id = screening.runtime, run_id_of(context)
    begun_at = runtime.clock.now()
    trigger = context.run.tags.get(TRIGGER)
    before = steps_before(runtime.ledger, run_id, LAST_STEP, begun_at=begun_at)
    with open_warehouse(runtime) as connection:
        own = StepResult(begun_at=begun_at, settled=settle.settle(runtime, connection))
        whole = before + own
        notes.note_run(runtime, connection, whole, run_id=run_id, trigger=trigger or "dagster")
        size = publication.publish(runtime, connection, is_due=trigger is None)
        _log(context, evaluations(connection, (r for r in all_rules() if r.is_every_run and not r.is_published)))
    note(context, runtime, LAST_STEP, own)
    context.log.info(
        "%s answers read, %s checks changed, %s rejects",
        *(getattr(whole.settled, name) for name in ("responses", "changed", "rejects")),
    )
    changed = [r for r in _tables("star") if trigger is None or r.qualified in whole.settled.written]
    if size is None:
        due = publication.due_at(runtime.pull_queue, runtime.clock.now())
        context.log.info("making a snapshot takes long by now: the next one is made after %s", due)
        yield from (made(context, table_key(relation.qualified), {}) for relation in changed)
        return
    with store.reader(runtime.settings.paths.published) as snapshot:
        yield from materialized(context, snapshot, changed)
        _try_rules(context, runtime, snapshot, {relation.qualified for relation in changed})
    yield made(context, SNAPSHOT, {"bytes": size, "path": str(runtime.settings.paths.published)})


def materialized(
    context: dg.AssetExecutionContext, connection: Connection, relations: Sequence[catalog.Relation]
) -> Iterator[dg.MaterializeResult[None]]:
    """Materializations of these tables or views: row counts, columns, a preview."""
    for relation in relations:
        yield made(context, table_key(relation.qualified), table_metadata(connection, relation))


def _log(context: dg.AssetExecutionContext, found: Iterator[dg.AssetCheckEvaluation]) -> None:
    # Dagster takes evaluations of a step, whatever it declares.
    for evaluation in found:
        context.log_event(evaluation)


def _try_rules(
    context: dg.AssetExecutionContext, runtime: Runtime, snapshot: Connection, changed: Collection[str]
) -> None:
    """Try the rules of every run, and those of what has changed if the last time is long enough ago.

    Else they would read "not evaluated" until tomorrow: a verdict is about a table as it was made last.
    """
    published = [rule for rule in all_rules() if rule.is_published]
    _log(context, evaluations(snapshot, (rule for rule in published if rule.is_every_run)))
    seldom = [rule for rule in published if not rule.is_every_run and rule.shown_at in changed]
    now, started = runtime.clock.now(), runtime.clock.monotonic()
    if seldom and _are_due(runtime.pull_queue.note(_TRIED), now):
        _log(context, evaluations(snapshot, seldom))
        tried = {"at": now.isoformat(), "seconds": runtime.clock.monotonic() - started}
        runtime.pull_queue.remember(_TRIED, json.dumps(tried))


def _are_due(noted: str | None, now: datetime) -> bool:
    if noted is None:
        return True
    tried = json.loads(noted)
    return abs(now - datetime.fromisoformat(tried["at"])) >= timedelta(seconds=REST * tried["seconds"])
