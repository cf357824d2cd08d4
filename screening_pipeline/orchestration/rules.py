"""The rules of the tables as Dagster's asset checks: executable by themselves, and what a failing one shows."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import dagster as dg

from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.orchestration.keys import table_key
from screening_pipeline.orchestration.metadata import rows_shown
from screening_pipeline.orchestration.resource import Screening
from screening_pipeline.runtime import plans
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.warehouse import catalog, ingest
from screening_pipeline.warehouse.catalog import Rule
from screening_pipeline.warehouse.engines import engine_of
from screening_pipeline.warehouse.session import Connection

SHOWN_ROWS = 10
SCHEMAS = ("raw", "star", "ops")


def all_rules() -> list[Rule]:
    """Every rule of every table."""
    return [rule for often in (True, False) for rule in catalog.rules(*SCHEMAS, is_every_run=often)]


def rule_specs() -> list[dg.AssetCheckSpec]:
    """The asset check specs of all rules."""
    return [dg.AssetCheckSpec(r.name, asset=table_key(r.shown_at), description=r.says) for r in all_rules()]


@dg.multi_asset_check(name="rules", specs=rule_specs(), can_subset=True)
def rules(context: dg.AssetCheckExecutionContext, screening: Screening) -> Iterator[dg.AssetCheckResult]:
    """Everything that must hold of the tables, or what was chosen of it."""
    wanted = [rule for rule in all_rules() if _key(rule) in context.selected_asset_check_keys]
    for facts in verdicts(screening.runtime, wanted):
        yield dg.AssetCheckResult(**facts)


def _key(rule: Rule) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(table_key(rule.shown_at), rule.name)


def verdicts(runtime: Runtime, wanted: Collection[Rule]) -> Iterator[Mapping[str, Any]]:
    """The results of these rules, as keyword arguments for Dagster's check classes.

    Those of published tables read the snapshot, which locks nobody out; those of the pipeline's own read the live
    warehouse, one at a time, so that whoever waits for it waits for one rule.
    """
    with ExitStack() as stack:
        published = [rule for rule in wanted if rule.is_published]
        if published:
            snapshot = stack.enter_context(engine_of(runtime.settings).reader())
            yield from (verdict(snapshot, rule) for rule in published)
    for rule in (rule for rule in wanted if not rule.is_published):
        with _whole(runtime) as connection:
            found = verdict(connection, rule)
        yield found


@contextmanager
def _whole(runtime: Runtime) -> Iterator[Connection]:
    """The live warehouse, with a rebuild that was stopped half way gone on with."""
    with open_warehouse(runtime) as connection:
        if plans.prepare(connection, runtime) is ingest.Prepared.REREAD:
            plans.plan_again(connection, runtime)
        yield connection


def evaluations(connection: Connection, wanted: Iterable[Rule]) -> Iterator[dg.AssetCheckEvaluation]:
    """The results of rules tried on one connection, as events to log: nobody has to have planned them."""
    return (dg.AssetCheckEvaluation(**verdict(connection, rule)) for rule in wanted)


def verdict(connection: Connection, rule: Rule) -> dict[str, Any]:
    """The result of trying one rule, as keyword arguments for Dagster's check classes."""
    counted = connection.execute(f"select count(*) from ({rule.query}\n)").fetchone()
    count = counted[0] if counted else 0
    return {
        "asset_key": table_key(rule.shown_at),
        "check_name": rule.name,
        "passed": count == 0,
        "severity": dg.AssetCheckSeverity.WARN if rule.is_warning else dg.AssetCheckSeverity.ERROR,
        "metadata": {"offending_rows": count, **(_shown(connection, rule) if count else {})},
    }


def _shown(connection: Connection, rule: Rule) -> dict[str, Any]:
    """What helps with a rule that does not hold: some of its rows without who they are about, its query, the fix."""
    return {
        "rows": rows_shown(connection, f"from ({rule.query}\n) limit {SHOWN_ROWS}"),
        "query": dg.MetadataValue.md(f"```sql\n{rule.query.strip()}\n```"),
        "fix": rule.fix,
    }
