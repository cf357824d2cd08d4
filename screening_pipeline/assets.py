"""The assets: one per vendor and call, the tables of the star, the views of the analysts, and the snapshot.

The assets of a vendor, and all tables, are made by one step each: steps cost, and a table is not made alone.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any

import dagster as dg
from pydantic import Field, PrivateAttr

from screening_pipeline import catalog, console, cycle, lineage, publication
from screening_pipeline.liveness import alive
from screening_pipeline.model import Endpoint, Vendor
from screening_pipeline.runtime import Runtime, current
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse import Connection

OWNERS = ["team:data-engineering"]
RAW_ORDER = dg.AssetKey(["raw", "order"])
RAW_RESPONSE = dg.AssetKey(["raw", "response"])
SNAPSHOT = dg.AssetKey(["published", "snapshot"])
PREVIEW_ROWS = 10
IDENTIFYING = (
    *("check_id", "candidate_key", "report_check_id", "report_url", "response_id", "tags"),
    *("component_name", "check_type"),  # vendors put people's names there
)
# Tables of the pipeline's own, which only it reads.
_NO_ASSETS = ("raw.check", "ops.pull_plan")


class Screening(dg.ConfigurableResource[Any]):
    """What a run works with. It holds nothing that Dagster could show: settings are read where the run runs."""

    _runtime: Runtime = PrivateAttr()

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Screening"]:
        """Open the runtime for as long as the run takes, and show that it is alive."""
        with current() as runtime, alive(runtime.settings.paths, context.run.run_id if context.run else "none"):
            self._runtime = runtime
            yield self

    @property
    def runtime(self) -> Runtime:
        """The runtime of this run."""
        return self._runtime


class PullConfig(dg.Config):
    """What one pull asks for."""

    full: bool = False
    """Also pull open checks that are not due yet. Checks that have ended are never pulled."""
    accounts: list[str] = Field(default_factory=list)
    """Names of accounts; none means every account of the vendor."""
    check_keys: list[int] = Field(default_factory=list)
    """Only these checks of those that are due; none means all that are due."""
    seconds: int = 0
    """How long to go on for each account; 0 is as long as it takes."""
    reconcile: bool = False
    """Instead ask again for checks that have ended lately, in case the vendor opened one again unseen."""


def call_key(vendor: Vendor, endpoint: Endpoint) -> dg.AssetKey:
    """The key of what one call brings."""
    return dg.AssetKey([vendor.slug, endpoint.name])


def pulled_endpoints(vendor: Vendor) -> list[Endpoint]:
    """The calls that bring something about checks or packages; tokens and expiring links are no assets."""
    return [e for e in vendor.endpoints if e.subject is not None or e.is_destructive or e.is_list]


def _call_spec(vendor: Vendor, endpoint: Endpoint) -> dg.AssetSpec:
    return dg.AssetSpec(
        call_key(vendor, endpoint),
        deps=[RAW_ORDER] if endpoint.is_by_id else [],
        description=_call_description(vendor, endpoint),
        group_name=vendor.slug,
        kinds={"http", "json"},
        owners=OWNERS,
        metadata={"documentation": dg.MetadataValue.url(vendor.documentation), "path": endpoint.path},
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(days=2), warn_window=timedelta(days=1)),
        skippable=True,
    )


def _call_description(vendor: Vendor, endpoint: Endpoint) -> str:
    if endpoint.is_destructive:
        return (
            f"{vendor.title}'s feed of status updates. It forgets what it hands out: every answer is on disk before "
            "anything else happens, and a gap makes every open order be asked for by its id."
        )
    if endpoint.is_list:
        return f"{vendor.title}'s list of {endpoint.name}."
    return f"{vendor.title}: the state of each open {endpoint.subject} that is due, asked for by its id."


def made(
    context: dg.AssetExecutionContext, key: dg.AssetKey, metadata: Mapping[str, Any]
) -> dg.MaterializeResult[None]:
    """Say that an asset was made, and what there is to see of it.

    In the result the metadata would be stored twice, with the step's output as well as with the asset.
    """
    context.add_asset_metadata(metadata, asset_key=key)
    return dg.MaterializeResult(asset_key=key)


@dg.asset(
    key=RAW_ORDER,
    group_name="intake",
    kinds={"csv", "duckdb"},
    owners=OWNERS,
    description="Orders from the manifests in data/orders/: which checks exist. Each file is read once, by content.",
)
def raw_order(context: dg.AssetExecutionContext, screening: Screening) -> dg.MaterializeResult[None]:
    """Read new manifests and number the checks they announce."""
    runtime = screening.runtime
    runtime.journal.enter(context.run.run_id, runtime.clock.now())
    taken = cycle.take_orders(runtime, run_id=context.run.run_id)
    runtime.journal.taken = taken
    return made(context, RAW_ORDER, {"files": taken.files, "orders": taken.orders, "rejects": taken.rejects})


def vendor_assets(vendor: Vendor) -> dg.AssetsDefinition:
    """The step that pulls every account of one vendor."""
    endpoints = pulled_endpoints(vendor)
    main = call_key(vendor, next(e for e in endpoints if e.is_by_id))

    @dg.multi_asset(
        name=f"{vendor.slug}_pull",
        specs=[_call_spec(vendor, endpoint) for endpoint in endpoints],
        check_specs=[
            dg.AssetCheckSpec(
                "every_account_answers",
                asset=main,
                description="No account was stopped or unreachable or lacks its secret; every answer could be read.",
            )
        ],
        can_subset=True,
        pool=f"{vendor.slug}_pull",
    )
    def pull(context: dg.AssetExecutionContext, config: PullConfig, screening: Screening) -> Iterator[Any]:
        selected = [e for e in endpoints if call_key(vendor, e) in context.selected_asset_keys]
        screening.runtime.journal.enter(context.run.run_id, screening.runtime.clock.now())
        started = time.monotonic()
        reports = _pull_accounts(context, config, screening.runtime, vendor, selected)
        screening.runtime.journal.reports.extend(reports)
        metadata = {**_pull_metadata(reports), "seconds": round(time.monotonic() - started, 2)}
        for endpoint in selected:
            yield made(context, call_key(vendor, endpoint), metadata)
        if main in context.selected_asset_keys:
            yield _pull_check(main, reports)

    return pull


def _pull_accounts(
    context: dg.AssetExecutionContext,
    config: PullConfig,
    runtime: Runtime,
    vendor: Vendor,
    selected: Sequence[Endpoint],
) -> list[cycle.AccountReport]:
    accounts = [a for a in runtime.settings.accounts if a.vendor == vendor.slug]
    wanted = [a for a in accounts if not config.accounts or a.name in config.accounts]
    reports = []
    for account in wanted:
        report = cycle.pull_account(
            runtime,
            account,
            run_id=context.run.run_id,
            is_full=config.full,
            is_reconciling=config.reconcile,
            check_keys=config.check_keys,
            endpoints=[e.name for e in selected],
            seconds=config.seconds or None,
        )
        reports.append(report)
        if report.code:
            context.log.warning("%s/%s: %s", report.vendor, report.account, report.message or report.code)
    return reports


def _pull_metadata(reports: Sequence[cycle.AccountReport]) -> dict[str, Any]:
    columns = ("account", "accepted", "rejected", "missing", "failed", "left", "feed_messages", "code")
    records = [
        dg.TableRecord({name: getattr(r, name) if getattr(r, name) is not None else "" for name in columns})
        for r in reports
    ]
    return {
        "calls": sum(report.calls for report in reports),
        "accounts": dg.MetadataValue.table(records, schema=_schema(records, columns)) if records else "none configured",
    }


def _schema(records: Sequence[dg.TableRecord], columns: Sequence[str]) -> dg.TableSchema:
    kinds = {str: "string", int: "int", float: "float", bool: "bool"}
    return dg.TableSchema([dg.TableColumn(name, kinds[type(records[0].data[name])]) for name in columns])


def _pull_check(main: dg.AssetKey, reports: Sequence[cycle.AccountReport]) -> dg.AssetCheckResult:
    bad = [report for report in reports if report.needs_attention]
    return dg.AssetCheckResult(
        asset_key=main,
        check_name="every_account_answers",
        passed=not bad,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={f"{r.vendor}/{r.account}": r.code or f"{r.rejected} rejected, {r.failed} failed" for r in bad},
    )


# ── tables ─────────────────────────────────────────────────────────────────────────────────────────────


def _tables(*schemas: str) -> list[catalog.Relation]:
    return [r for r in catalog.relations().values() if r.schema in schemas and r.refresh != "macro"]


def table_key(name: str) -> dg.AssetKey:
    """The key of `schema.table`."""
    return dg.AssetKey(name.split("."))


def _table_spec(relation: catalog.Relation) -> dg.AssetSpec:
    deps = [table_key(name) for name in sorted(lineage.feeds(relation.qualified)) if name not in _NO_ASSETS]
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
    """The asset checks that rules about these schemas become."""
    return [
        dg.AssetCheckSpec(rule.name, asset=table_key(rule.shown_at), description=rule.says)
        for rule in catalog.rules(*schemas, is_every_run=is_every_run)
    ]


@dg.multi_asset(
    name="star",
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
    runtime.journal.enter(context.run.run_id, runtime.clock.now())
    with runtime.warehouse() as connection:
        settled = runtime.journal.settled = cycle.settle(runtime, connection)
        counts = {"responses": settled.responses, "changed": settled.changed, "rejects": settled.rejects}
        yield made(context, RAW_RESPONSE, counts)
        changed = [relation for relation in _tables("star") if relation.qualified in runtime.journal.written]
        yield from materialized(context, connection, changed)
        yield from judged(connection, "raw", "star", "ops", is_every_run=True)
        yield from _published(context, runtime, connection)


def _published(
    context: dg.AssetExecutionContext, runtime: Runtime, connection: Connection
) -> Iterator[dg.MaterializeResult[None]]:
    """Replace the published snapshot by the warehouse as it is now, if its time has come."""
    trigger = context.run.tags.get("screening/trigger", "dagster")
    cycle.note_run(runtime, connection, run_id=context.run.run_id, trigger=trigger)
    size = publication.publish(runtime, connection)
    if size is None:
        due = publication.due_at(runtime.agenda, runtime.clock.now())
        context.log.info("making a snapshot takes long by now: the next one is made after %s", due)
        return
    path = str(runtime.settings.paths.published)
    yield made(context, SNAPSHOT, {"bytes": size, "path": path})


def materialized(
    context: dg.AssetExecutionContext, connection: Connection, relations: Sequence[catalog.Relation]
) -> Iterator[dg.MaterializeResult[None]]:
    """What each of these tables or views says now: rows, columns, a preview."""
    for relation in relations:
        yield made(context, table_key(relation.qualified), _table_metadata(connection, relation))


def _table_metadata(connection: Connection, relation: catalog.Relation) -> dict[str, Any]:
    result = connection.execute(f"from {relation.qualified} limit {PREVIEW_ROWS}")
    header = tuple((column[0], str(column[1]).lower()) for column in result.description or [])
    rows = result.fetchall()
    count = connection.execute(f"select count(*) from {relation.qualified}").fetchone()
    return {
        "dagster/row_count": count[0] if count else 0,
        "dagster/column_schema": _column_schema(relation.qualified, header),
        "preview": _preview(*_nameless([name for name, _ in header], rows)),
    }


@cache
def _column_schema(qualified: str, header: tuple[tuple[str, str], ...]) -> dg.TableSchema:
    """What is told of the columns of a table; the same in every cycle."""
    told = catalog.relations()[qualified].columns
    return dg.TableSchema([dg.TableColumn(name, kind, description=told.get(name)) for name, kind in header])


def _nameless(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> tuple[list[str], list[list[Any]]]:
    """Names and rows without the columns that tell of whom: previews stay in the event log, whoever is erased."""
    kept = [place for place, name in enumerate(names) if name not in IDENTIFYING]
    return [names[place] for place in kept], [[row[place] for place in kept] for row in rows]


def _preview(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dg.MetadataValue[Any]:
    """The first rows, as inert text: vendors' words may hold markup."""
    lines = [names, ["---"] * len(names), *([_cell(value) for value in row] for row in rows)]
    return dg.MetadataValue.md("\n".join("| " + " | ".join(line) + " |" for line in lines))


def _cell(value: object) -> str:
    return inert_markdown("" if value is None else str(value)[:80])


_JOINER = "\u2060"  # nobody sees it, and it makes no link of what stands on both sides of it
_BARE_LINK = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)
_MARKUP = {ord(c): f"&#{ord(c)};" for c in f"|<>&`*_[]()!\\#~{_JOINER}"}


def inert_markdown(text: str) -> str:
    """`text` as Markdown, and as HTML, that means nothing but itself; also addresses in it are no links."""
    return _BARE_LINK.sub(_JOINER, console.inert(text)).translate(_MARKUP)


def judged(connection: Connection, *schemas: str, is_every_run: bool) -> Iterator[dg.AssetCheckResult]:
    """Try the rules about these schemas."""
    for rule in catalog.rules(*schemas, is_every_run=is_every_run):
        yield dg.AssetCheckResult(**verdict(connection, rule))


def verdict(connection: Connection, rule: catalog.Rule) -> dict[str, Any]:
    """What came of trying a rule, as the arguments of Dagster's classes for it."""
    count = connection.execute(f"select count(*) from ({rule.query}\n)").fetchone()
    return {
        "asset_key": table_key(rule.shown_at),
        "check_name": rule.name,
        "passed": not count or count[0] == 0,
        "severity": dg.AssetCheckSeverity.WARN if rule.is_warning else dg.AssetCheckSeverity.ERROR,
        "metadata": {"offending_rows": count[0] if count else 0},
    }


ASSETS = [raw_order, *(vendor_assets(v) for v in all_vendors().values()), star]
