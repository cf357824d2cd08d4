"""Runs the `sync` job in this process, recorded in the Dagster instance, as schedules and sensors run it elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from screening_pipeline.base.errors import ScreeningError
from screening_pipeline.cycle import pull
from screening_pipeline.cycle.take_orders import SPOOL
from screening_pipeline.orchestration.storage_failures import storage_told
from screening_pipeline.runtime import unread
from screening_pipeline.runtime.opening import use_runtime
from screening_pipeline.runtime.results import AccountReport, BatchCounts, exit_code, whole_run

if TYPE_CHECKING:
    import dagster as dg

    from screening_pipeline.runtime.context import Runtime
    from screening_pipeline.settings.account import Account


_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of a Dagster run. `failed_checks` are `schema.table.rule`; `exit_code` as the command line's.

    `waiting` says by order file why it is not read to its end yet, and of the spool why it is not empty.
    """

    run_id: str
    orders: int = 0
    order_rejects: int = 0
    waiting: Mapping[str, str] = field(default_factory=dict)
    reports: tuple[AccountReport, ...] = ()
    settled: BatchCounts = field(default_factory=BatchCounts)
    failed_checks: tuple[str, ...] = ()

    @property
    def rejects(self) -> int:
        """The number of answers and manifest rows that could not be read."""
        return self.order_rejects + self.settled.rejects

    @property
    def exit_code(self) -> int:
        """0 done, 1 something needs attention, 2 no account could be tried."""
        return exit_code(self.reports, self.rejects) or int(bool(self.failed_checks) or SPOOL in self.waiting)


def sync(
    runtime: Runtime,
    instance: dg.DagsterInstance,
    *,
    vendors: Sequence[str] = (),
    accounts: Sequence[str] = (),
    is_full: bool = False,
    is_patient: bool = False,
    seconds: int = 0,
    is_lingering: bool = False,
    trigger: str = "sync",
) -> Outcome:
    """One cycle as a Dagster run. Raises ScreeningError when the machine failed (lock, disk).

    Left out are accounts with nothing to pull now and, if `is_patient`, those in trouble (silence, stop, outage).
    `seconds` bounds the pulling; 0: all that is due is asked, however long it takes. If it `is_lingering` it goes on
    for all of them, or until orders wait, and asks whatever falls due meanwhile of any account.
    """
    from screening_pipeline.orchestration.definitions import defs

    job = defs.resolve_job_def("sync")
    chosen = runtime.settings.select(vendors, accounts)
    asked = [a for a in chosen if not (is_patient and pull.is_to_wait(runtime, a))]
    wanted = asked if is_full or is_lingering or _is_news(runtime) else [a for a in asked if pull.is_wanted(runtime, a)]
    with use_runtime(runtime):
        how = {"full": is_full, "seconds": seconds, "lingering": is_lingering}
        result = _executed(job, instance, wanted, how, trigger)
    idle = [AccountReport(vendor=a.vendor, account=a.name) for a in chosen if a not in wanted]
    return _outcome(runtime, result, idle)


def _is_news(runtime: Runtime) -> bool:
    """Whether something waits to be read: only then is it known which checks there are and what is due."""
    return unread.has_unread_input(runtime.pull_queue, runtime.settings, runtime.landing)


def rebuild(runtime: Runtime, instance: dg.DagsterInstance) -> Outcome:
    """Rebuild everything derived and try every rule, as a Dagster run. Raises ScreeningError."""
    from screening_pipeline.orchestration.definitions import defs

    with use_runtime(runtime):
        result = _in_process(defs.resolve_job_def("rebuild"), instance, run_config=_QUIET)
    return Outcome(run_id=result.run_id, failed_checks=_failed_checks(result))


def daily_report(runtime: Runtime, instance: dg.DagsterInstance) -> str:
    """Materialize the analytics views and the report, as a Dagster run; its id. Raises ScreeningError."""
    from screening_pipeline.orchestration.definitions import defs

    with use_runtime(runtime):
        return str(_in_process(defs.resolve_job_def("daily_report_job"), instance, run_config=_QUIET).run_id)


def _in_process(job: dg.JobDefinition, instance: dg.DagsterInstance, **options: Any) -> Any:
    """Execute a job here; what it raises is our own error, or KeyboardInterrupt, not Dagster's wrapping of it."""
    import dagster as dg

    from screening_pipeline.orchestration.installation import OWN_RUN

    run_id = str(uuid4())
    try:
        with storage_told(Path(instance.root_directory)):
            return job.execute_in_process(instance=instance, run_id=run_id, **{"tags": OWN_RUN, **options})
    # Whatever Dagster wraps: ours is found inside, the rest goes on.
    except (Exception, KeyboardInterrupt, dg.DagsterExecutionInterruptedError) as problem:  # noqa: BLE001
        cause = _cause(problem)
        if isinstance(cause, KeyboardInterrupt):
            cause = _ended(instance, run_id, cause)
        raise cause from None


def _ended(instance: dg.DagsterInstance, run_id: str, interruption: BaseException) -> BaseException:
    """Why an interrupted run ended, which is seen to: by Ctrl-C, or since it lost its lock to the database."""
    from screening_pipeline.orchestration.liveness import lost_lock

    lost = lost_lock(instance)
    with nullcontext() if lost is None else suppress(Exception):  # then its records may be out of reach as well
        _end(instance, run_id)
    return lost or interruption


def _end(instance: dg.DagsterInstance, run_id: str) -> None:
    """See that an interrupted run has ended: Dagster ends most, but not one that does not run yet or is ending."""
    recorded = instance.get_run_by_id(run_id)
    if recorded is not None and not recorded.is_finished:
        instance.report_run_canceled(recorded, "interrupted")


def _executed(
    job: dg.JobDefinition, instance: dg.DagsterInstance, accounts: Sequence[Account], how: dict[str, Any], trigger: str
) -> Any:
    from screening_pipeline.orchestration.keys import PULL, run_tags

    job = _of_vendors(job, frozenset(account.vendor for account in accounts))
    config = {**how, "accounts": [account.key for account in accounts]}
    ops = {PULL: {"config": config}}
    return _in_process(job, instance, run_config={"ops": ops, **_QUIET}, tags=run_tags(trigger))


@cache
def _of_vendors(job: dg.JobDefinition, slugs: frozenset[str]) -> dg.JobDefinition:
    """Return the job without the calls of other vendors, and with those of its checks that are left.

    A selection given to the run would bring every check there is of its assets.
    """
    keys = {key for key in job.asset_layer.executable_asset_keys if _is_wanted(key, slugs)}
    checks = {key for key in job.asset_layer.asset_graph.asset_check_keys if key.asset_key in keys}
    return job.get_subset(asset_selection=keys, asset_check_selection=checks)


def _is_wanted(key: dg.AssetKey, slugs: Collection[str]) -> bool:
    from screening_pipeline.orchestration.installation import path_of
    from screening_pipeline.vendors import all_vendors

    first, *_ = path_of(key)
    return first not in all_vendors() or first in slugs


def _cause(problem: BaseException) -> BaseException:
    """Our own error inside Dagster's wrapping, KeyboardInterrupt for an interruption, or the problem itself."""
    import dagster as dg

    inner: BaseException | None = problem
    while inner is not None:
        if isinstance(inner, ScreeningError):
            return inner
        if isinstance(inner, KeyboardInterrupt | dg.DagsterExecutionInterruptedError):
            return KeyboardInterrupt()
        inner = getattr(inner, "user_exception", None) or inner.__cause__
    return problem


def _outcome(runtime: Runtime, result: Any, idle: Sequence[AccountReport]) -> Outcome:
    whole = whole_run(runtime.ledger, result.run_id, now=runtime.clock.now())
    return Outcome(
        run_id=result.run_id,
        orders=whole.intake.orders,
        order_rejects=whole.intake.rejects,
        waiting=whole.intake.waiting,
        reports=(*whole.reports, *idle),
        settled=whole.settled,
        failed_checks=whole.broken,
    )


def _failed_checks(result: Any) -> tuple[str, ...]:
    from screening_pipeline.orchestration.keys import table_name

    failed = [
        e for e in result.get_asset_check_evaluations() if not e.passed and e.check_name != "every_account_answers"
    ]
    return tuple(sorted(f"{table_name(e.asset_key)}.{e.check_name}" for e in failed))
