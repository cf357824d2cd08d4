"""The assets: one per vendor and call, the tables of the star, the views of the analysts, and the snapshot.

The assets of a vendor, and all tables, are made by one step each: steps cost, and a table is not made alone.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from screening_pipeline.cycle import take_orders
from screening_pipeline.cycle.pull import pull_account
from screening_pipeline.domain.declaration import Endpoint, Vendor
from screening_pipeline.orchestration.keys import OWNERS, RAW_ORDER, call_key, made, pulled_endpoints
from screening_pipeline.orchestration.resource import Screening, note
from screening_pipeline.orchestration.tables import star
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.runtime.results import AccountReport, StepResult
from screening_pipeline.vendors import all_vendors


class PullConfig(dg.Config):
    """The Dagster config of one pull."""

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
    begun_at = runtime.clock.now()
    taken = take_orders.take_orders(runtime, run_id=context.run.run_id)
    note(context, runtime, StepResult(begun_at=begun_at, intake=taken.intake, settled=taken.settled))
    counts = asdict(taken.intake)
    if not counts["waiting"]:  # which files wait, and why, where any do
        del counts["waiting"]
    return made(context, RAW_ORDER, counts)


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
        runtime = screening.runtime
        begun_at, started = runtime.clock.now(), time.monotonic()
        reports = _pull_accounts(context, config, runtime, vendor, selected)
        note(context, runtime, StepResult(begun_at=begun_at, reports=tuple(reports)))
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
) -> list[AccountReport]:
    accounts = [a for a in runtime.settings.accounts if a.vendor == vendor.slug]
    wanted = [a for a in accounts if not config.accounts or a.name in config.accounts]
    reports = []
    for account in wanted:
        report = pull_account(
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


def _pull_metadata(reports: Sequence[AccountReport]) -> dict[str, Any]:
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


def _pull_check(main: dg.AssetKey, reports: Sequence[AccountReport]) -> dg.AssetCheckResult:
    bad = [report for report in reports if report.needs_attention]
    return dg.AssetCheckResult(
        asset_key=main,
        check_name="every_account_answers",
        passed=not bad,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={f"{r.vendor}/{r.account}": r.code or f"{r.rejected} rejected, {r.failed} failed" for r in bad},
    )


# ── tables ─────────────────────────────────────────────────────────────────────────────────────────────


ASSETS = [raw_order, *(vendor_assets(v) for v in all_vendors().values()), star]
