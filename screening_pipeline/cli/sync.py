"""`sync`, `watch` and `rebuild`: one cycle, cycles as checks fall due, everything derived anew."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening_pipeline.base import inert
from screening_pipeline.base.errors import MissingSecret
from screening_pipeline.cli import console
from screening_pipeline.cli.stopping import stoppable
from screening_pipeline.cli.unmapped import UNMAPPED, tell_unmapped
from screening_pipeline.settings import load
from screening_pipeline.settings import settings as configuration

if TYPE_CHECKING:
    from screening_pipeline.base.clock import Clock


def sync(vendors: Sequence[str], accounts: Sequence[str], *, is_full: bool, is_json: bool) -> int:
    """The `sync` command: one cycle as a Dagster run, with a report per account; returns the exit code."""
    from screening_pipeline.orchestration import runs
    from screening_pipeline.orchestration.instance import instance
    from screening_pipeline.runtime import opening

    settings = load.load(os.environ, Path.cwd())
    settings.select(vendors, accounts)
    with (
        console.progress("pulling") as tell,
        opening.open_runtime(os.environ, Path.cwd(), settings=settings, progress=tell) as work,
    ):
        outcome = runs.sync(
            work,
            instance(settings.paths),
            vendors=vendors,
            accounts=accounts,
            is_full=is_full,
        )
    if is_json:
        console.say_json(_sync_facts(outcome))
    else:
        _tell_sync(outcome, settings)
    return outcome.exit_code


def _sync_facts(outcome: Any) -> dict[str, Any]:
    return {
        "run_id": outcome.run_id,
        "orders": outcome.orders,
        "responses": outcome.settled.responses,
        "changed": outcome.settled.changed,
        "rejects": outcome.rejects,
        "waiting": dict(outcome.waiting),
        "accounts": [report.facts() for report in outcome.reports],
        "failed_checks": list(outcome.failed_checks),
        "exit_code": outcome.exit_code,
    }


def _tell_sync(outcome: Any, settings: configuration.Settings) -> None:
    from screening_pipeline.orders.files import not_manifests

    rows = [{**r.facts(), "account": f"{r.vendor}/{r.account}", "what": _why(r)} for r in outcome.reports]
    columns = {
        "account": "account",
        "calls": "calls",
        "accepted": "read",
        "rejected": "rejected",
        "missing": "not found",
        "failed": "failed",
        "left": "left",
        "feed_messages": "feed",
        "what": "",
    }
    console.table(rows, columns)
    console.say(
        f"{outcome.orders} orders read, {outcome.settled.changed} checks changed, {outcome.rejects} rejects; "
        f"run {outcome.run_id}"
    )
    if others := [name for name in not_manifests(settings.paths.orders) if not name.endswith("/")]:
        console.say(inert.inert(f"Not read in {settings.paths.orders}: {', '.join(others[:3])}; see doctor"))
    for name, why in outcome.waiting.items():
        console.say(inert.inert(f"Waits: {name}: {why}"))
    if outcome.rejects:
        console.say("`screening-pipeline rejects` lists what is rejected, with the reason of each.")
    _tell_failed(outcome, settings)


def _tell_failed(outcome: Any, settings: configuration.Settings) -> None:
    from screening_pipeline.health.status import unmapped_words
    from screening_pipeline.warehouse import catalog

    for name in outcome.failed_checks:
        console.say(f"check failed: {name}")
        if rule := catalog.rule_shown_as(name):
            console.say(f"  which says: {rule.says} See {rule.schema}.{rule.table}, or the check in Dagster.")
    if UNMAPPED in outcome.failed_checks:
        tell_unmapped(unmapped_words(settings))


def _why(report: Any) -> str:
    if report.code == MissingSecret.code:
        return f"skipped: {report.message}"
    return report.message or report.code or ""


def watch(duration: str | None, *, is_log_json: bool = False) -> int:
    """The `watch` command: cycles as checks fall due; returns the exit code."""
    from screening_pipeline.notify.attend import attending
    from screening_pipeline.orchestration import watch as watching
    from screening_pipeline.orchestration.instance import instance
    from screening_pipeline.orchestration.notifying import last_failure
    from screening_pipeline.runtime import opening

    seconds = watching.seconds_of(duration) if duration else None
    with opening.open_runtime(os.environ, Path.cwd()) as work:
        recorded = instance(work.settings.paths)
        tell = partial(_log_cycle, work.clock) if is_log_json else _tell_cycle
        failure = partial(last_failure, recorded, work.settings.paths)
        with attending(work.settings, work.environ, work.clock, last_failure=failure):
            with stoppable():
                return watching.watch(work, recorded, seconds=seconds, tell=tell)
            return 0


def _log_cycle(clock: Clock, outcome: Any) -> None:
    console.log("cycle", clock, **_sync_facts(outcome))


def _tell_cycle(outcome: Any) -> None:
    calls = sum(report.calls for report in outcome.reports)
    console.say(
        f"{calls} calls, {outcome.settled.changed} checks changed, {outcome.rejects} rejects; run {outcome.run_id}"
    )
    for report in outcome.reports:
        if report.code:
            console.say(f"  {report.vendor}/{report.account}: {_why(report)}")
    for name in outcome.failed_checks:
        console.say(f"  check failed: {name}")


def rebuild(*, is_json: bool) -> int:
    """The `rebuild` command: everything derived computed again from raw, rules tried; returns the exit code."""
    from screening_pipeline.orchestration import runs
    from screening_pipeline.orchestration.instance import instance
    from screening_pipeline.runtime import bundled_sandbox, opening
    from screening_pipeline.runtime.shared import shared_clock

    settings = bundled_sandbox.unlimited(load.load(os.environ, Path.cwd()))
    clock = shared_clock(settings, os.environ)
    settings.paths.create()
    started = clock.monotonic()
    with console.progress("rebuilding") as tell:
        work = opening.build_runtime(settings, os.environ, clock, tell)
        outcome = runs.rebuild(work, instance(settings.paths))
    seconds = clock.monotonic() - started
    if is_json:
        facts = {"run_id": outcome.run_id, "seconds": round(seconds, 1), "failed_checks": list(outcome.failed_checks)}
        console.say_json(facts | {"exit_code": outcome.exit_code})
    else:
        console.say(f"rebuilt in {inert.span(seconds)}; run {outcome.run_id}")
        _tell_failed(outcome, settings)
    return outcome.exit_code
