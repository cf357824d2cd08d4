"""The step that asks vendors: one for all of them, whose accounts are asked side by side, each at its own limit."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from screening_pipeline.base.errors import MissingSecret
from screening_pipeline.cycle.pull import INTERNAL_ERROR, PullRequest, pull_accounts
from screening_pipeline.cycle.settle import settle_and_publish
from screening_pipeline.domain.declaration import Endpoint, Vendor
from screening_pipeline.orchestration.installation import prefixed
from screening_pipeline.orchestration.keys import (
    OWNERS,
    PULL,
    RAW_ORDER,
    RAW_RESPONSE,
    call_key,
    made,
    main_call,
    pulled_endpoints,
    run_id_of,
)
from screening_pipeline.orchestration.metadata import as_table
from screening_pipeline.orchestration.resource import Screening, note
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.runtime.results import AS_PLANNED, AccountReport, BatchCounts, StepResult
from screening_pipeline.settings.account import Account
from screening_pipeline.state.run_ledger import ONLY_STEP
from screening_pipeline.vendors import all_vendors

# An account in trouble is a warning; one that was not heard of for so long is an error.
UNHEARD = timedelta(hours=6)
ANSWERS = "every_account_answers"


class PullConfig(dg.Config):
    """The Dagster config of one pull."""

    full: bool = False
    """Also pull open checks that are not due yet. Checks that have ended are never pulled."""
    accounts: list[str] = Field(default_factory=list)
    """Accounts as `vendor/name`; none means every account of the vendors whose calls are selected."""
    check_keys: list[int] = Field(default_factory=list)
    """Only these checks of those that are due; none means all that are due."""
    seconds: int = 0
    """How long to go on, as long as anything is due; 0: what is due at the start, however long it takes."""
    lingering: bool = False
    """Go on for all of `seconds`, or until orders wait: feeds are drained every minute, what falls due is asked for."""
    reconcile: bool = False
    """Instead ask again for checks that have ended lately, in case the vendor opened one again unseen."""


def _call_spec(vendor: Vendor, endpoint: Endpoint) -> dg.AssetSpec:
    return dg.AssetSpec(
        call_key(vendor, endpoint),
        deps=[RAW_ORDER] if endpoint.is_by_id else [],
        description=_call_description(vendor, endpoint),
        group_name=prefixed(vendor.slug),
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


def _answers_spec(vendor: Vendor) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        ANSWERS,
        asset=main_call(vendor),
        description="No account was stopped or unreachable or lacks its secret; every answer could be read.",
    )


_RESPONSES = dg.AssetSpec(
    RAW_RESPONSE,
    deps=[call_key(v, e) for v in all_vendors().values() for e in pulled_endpoints(v)],
    description="Every answer and every pushed message, as it came: the landed lines the star is read from.",
    group_name=prefixed("landing"),
    kinds={"json"},
    owners=OWNERS,
)


@dg.multi_asset(
    name=PULL,
    specs=[*(_call_spec(v, e) for v in all_vendors().values() for e in pulled_endpoints(v)), _RESPONSES],
    check_specs=[_answers_spec(vendor) for vendor in all_vendors().values()],
    can_subset=True,
    pool=prefixed(PULL),
)
def pull(context: dg.AssetExecutionContext, config: PullConfig, screening: Screening) -> Iterator[Any]:
    """Ask the accounts of the selected calls. A call of which no answer could be read is not materialized.

    What comes is settled meanwhile; where machines share what is landed, runs of calls alone leave that to the merge.
    """
    runtime = screening.runtime
    selected = _selected(context.selected_asset_keys)
    begun_at, settled = runtime.clock.now(), BatchCounts()

    def settle() -> None:
        nonlocal settled
        settled += settle_and_publish(runtime)

    accounts = _accounts(context, config, runtime, selected)
    request = _request(config, selected)
    is_alone = runtime.settings.landing.url is not None and RAW_RESPONSE not in context.selected_asset_keys
    reports = pull_accounts(runtime, accounts, request, run_id=run_id_of(context), settle=None if is_alone else settle)
    step = ONLY_STEP if is_alone else PULL
    note(context, runtime, step, StepResult(begun_at=begun_at, reports=tuple(reports), settled=settled))
    for report in (report for report in reports if report.code):
        context.log.warning("%s/%s: %s", report.vendor, report.account, report.message or report.code)
    for slug, endpoints in selected.items():
        mine = [report for report in reports if report.vendor == slug]
        yield from _vendor_results(context, runtime, all_vendors()[slug], endpoints, mine)
    if RAW_RESPONSE in context.selected_asset_keys:
        calls = sum(report.calls for report in reports)
        yield made(context, RAW_RESPONSE, {"calls": calls, "changed_meanwhile": settled.changed})


def _selected(keys: Collection[dg.AssetKey]) -> dict[str, list[Endpoint]]:
    """The selected calls of each vendor, by its slug."""
    chosen = {slug: [e for e in pulled_endpoints(v) if call_key(v, e) in keys] for slug, v in all_vendors().items()}
    return {slug: endpoints for slug, endpoints in chosen.items() if endpoints}


def _accounts(
    context: dg.AssetExecutionContext, config: PullConfig, runtime: Runtime, slugs: Collection[str]
) -> list[Account]:
    accounts = [account for account in runtime.settings.accounts if account.vendor in slugs]
    for name in set(config.accounts).difference(account.key for account in runtime.settings.accounts):
        context.log.warning("%s is not configured; accounts are named vendor/name", name)
    return [account for account in accounts if not config.accounts or account.key in config.accounts]


def _request(config: PullConfig, selected: Mapping[str, Sequence[Endpoint]]) -> PullRequest:
    return PullRequest(
        is_full=config.full,
        is_reconciling=config.reconcile,
        check_keys=config.check_keys,
        endpoints={slug: [e.name for e in endpoints] for slug, endpoints in selected.items()},
        seconds=config.seconds or None,
        is_lingering=config.lingering,
    )


def _vendor_results(
    context: dg.AssetExecutionContext,
    runtime: Runtime,
    vendor: Vendor,
    endpoints: Sequence[Endpoint],
    reports: Sequence[AccountReport],
) -> Iterator[Any]:
    metadata = _metadata(reports)
    for endpoint in endpoints:
        if _is_made(endpoint, reports):
            yield made(context, call_key(vendor, endpoint), metadata)
    if main_call(vendor) in context.selected_asset_keys:
        yield _answers(runtime, vendor, reports)


def _is_made(endpoint: Endpoint, reports: Sequence[AccountReport]) -> bool:
    """Whether the vendor answered this call, or nothing of it was due."""
    if any(endpoint.name in report.answered for report in reports):
        return True
    is_refused = any(endpoint.name in report.unanswered for report in reports)
    return not is_refused and (not reports or any(report.code in (None, "deadline") for report in reports))


def _metadata(reports: Sequence[AccountReport]) -> dict[str, Any]:
    """How many calls were made, and of each account what came of them, where it is not nothing.

    As Markdown: a table of Dagster's own is stored with two hundred bytes for each column, in each call of each run.
    """
    counts = ("accepted", "rejected", "missing", "failed", "left", "feed_messages", "code")
    columns = ("account", *(name for name in counts if any(getattr(report, name) for report in reports)))
    rows = [[getattr(report, name) for name in columns] for report in reports]
    calls = sum(report.calls for report in reports)
    return {"calls": calls, "accounts": as_table(columns, rows) if reports else "none configured"}


def _answers(runtime: Runtime, vendor: Vendor, reports: Sequence[AccountReport]) -> dg.AssetCheckResult:
    bad = [report for report in reports if report.needs_attention]
    is_error = any(_is_stopped_or_unheard(runtime, report) for report in bad)
    return dg.AssetCheckResult(
        asset_key=main_call(vendor),
        check_name=ANSWERS,
        passed=not bad,
        severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
        metadata={
            f"{r.vendor}/{r.account}": r.message or r.code or r.feed_code or f"{r.rejected} rejected, {r.failed} failed"
            for r in bad
        },
    )


def _is_stopped_or_unheard(runtime: Runtime, report: AccountReport) -> bool:
    """Whether nothing comes from an account until a person acts, or nothing has come for hours."""
    if report.code in (None, *AS_PLANNED):
        return False
    if report.code in (MissingSecret.code, INTERNAL_ERROR):
        return True
    known = runtime.state.account(report.vendor, report.account, runtime.clock)
    return bool(known.stopped_code) or not known.answered_at or runtime.clock.now() - known.answered_at > UNHEARD
