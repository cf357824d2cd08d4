"""The bodies of the commands, after their arguments are parsed; each returns its exit code."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from screening_pipeline.base import inert
from screening_pipeline.base.clock import system_clock
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.cli import console
from screening_pipeline.cli.unmapped import tell_unmapped
from screening_pipeline.settings import load
from screening_pipeline.settings import settings as configuration

if TYPE_CHECKING:
    from screening_pipeline.health.status import StatusReport


def status(*, is_json: bool, is_prometheus: bool = False) -> int:
    """The `status` command: every account, from the published snapshot and the shared state; returns the exit code."""
    from screening_pipeline.health.status import status_report
    from screening_pipeline.runtime import bundled_sandbox

    settings = bundled_sandbox.unlimited(load.load(os.environ, Path.cwd()))
    found = status_report(settings, os.environ, system_clock(os.environ))
    if is_prometheus:
        from screening_pipeline.health import metrics

        console.say(metrics.exposition(found).decode().rstrip("\n"))
    elif is_json:
        console.say_json(found.facts())
    else:
        _tell_status(found)
    return int(found.needs_attention)


def _tell_status(found: StatusReport) -> None:
    from screening_pipeline.health.accounts import AccountStatus

    console.say(found.running.words())
    if found.unpublished:
        console.say(f"What is published cannot be read, so of checks nothing is told: {found.unpublished}")
    if found.backlog and found.backlog.is_alarming:
        console.say(found.backlog.words())
    console.table([row.words() for row in found.accounts], AccountStatus.COLUMNS)
    if found.order_rejects:
        console.say(f"Rejected rows of order files: {found.order_rejects:,}; `screening-pipeline rejects` lists them")
    for name, words in found.order_files.items():
        console.say(inert.inert(f"Order file {name}: {words}"))
    for row in found.unconfigured:
        name = inert.inert(f"{row['vendor']}/{row['account']}")
        console.say(f"Not configured any more: {name}. Its {row['checks']:,} checks are not asked for, nor in views.")
    for standing in found.accounts:
        if standing.hidden_labels:
            console.say(
                f"Hidden labels of {standing.account}: {standing.hidden_labels:,}, which may hold people; those "
                "that do not can be named in part_labels, and their past is shown as well."
            )
    tell_unmapped(found.unmapped_words)


def doctor(*, is_deep: bool = False, is_notify_test: bool = False, is_json: bool) -> int:
    """The `doctor` command: every finding with its fix; returns the exit code."""
    from screening_pipeline.cli import doctor as examination
    from screening_pipeline.cli import doctor_accounts, doctor_cluster, doctor_notify, doctor_offers, doctor_stores
    from screening_pipeline.health.status import inferred
    from screening_pipeline.runtime import opening
    from screening_pipeline.runtime.shared import shared_store
    from screening_pipeline.state.rate_limit import Limiter

    clock, settings = system_clock(os.environ), load.load(os.environ, Path.cwd())
    with ExitStack() as stack:
        reachable = doctor_stores.reachable(settings, lambda: stack.enter_context(opening.addressed(settings, clock)))
        state = shared_store(reachable)
        limiter = Limiter(state, clock)
        expected: dict[str, list[str]] = doctor_stores.unless_broken(lambda: inferred(reachable), {})
        findings = examination.diagnose(
            reachable,
            os.environ,
            clock,
            probe=doctor_accounts.client_probe(limiter, clock, is_proxied=reachable.http.proxies_from_environment),
            used_last_minute=lambda account: doctor_stores.unless_broken(
                lambda: limiter.used_last_window(account.vendor, account.name), 0
            ),
            inspect_warehouse=_inspected,
            knows_none=lambda account: doctor_stores.unless_broken(
                lambda: state.account(account.vendor, account.name, clock).knows_none, False
            ),
            inferred=lambda account: expected.get(account.key, []),
        )
        findings += doctor_stores.unless_broken(
            lambda: list(doctor_offers.offer_findings(reachable, os.environ, limiter, clock)), []
        )
        findings += doctor_stores.stores(reachable, state)
        findings += doctor_cluster.cluster_findings(reachable, os.environ)
        if is_notify_test:
            findings += doctor_notify.tried(reachable, os.environ, clock)
        findings = doctor_stores.with_rot(findings, reachable, os.environ, clock, is_deep=is_deep)
    if is_json:
        console.say_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            fix = f"  → {finding.fix}" if finding.fix else ""
            console.say(inert.inert(f"{finding.level:<4}  {finding.name}: {finding.message}{fix}"))
    return examination.exit_code(findings)


def _inspected(settings: configuration.Settings) -> str:
    from screening_pipeline.warehouse.engines import engine_of

    engine = engine_of(settings)
    if engine.is_made():
        engine.open_once(clock=system_clock(os.environ))
    if not engine.is_published():
        return "nothing is published yet"
    try:
        with engine.reader() as connection:
            row = connection.execute("select count(*) from star.fact_check").fetchone()
    except EnvironmentFailed:  # which is said of the snapshot
        return "can be read"
    return f"{row[0] if row else 0:,} checks published"


def show(vendor: str, check_id: str, account: str | None, *, is_json: bool) -> int:
    """The `show` command: the history of one check; returns the exit code."""
    from screening_pipeline.cli import show as cli_show
    from screening_pipeline.cli.show import check_histories

    settings = load.load(os.environ, Path.cwd())
    found = check_histories(settings, vendor, check_id, account)
    if is_json:
        console.say_json([asdict(one) for one in found])
    else:
        for one in found:
            cli_show.tell(one)
    return 0
