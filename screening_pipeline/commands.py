"""What the commands do once their arguments are read; each returns its exit code."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from screening_pipeline import console
from screening_pipeline import settings as configuration
from screening_pipeline.clock import system_clock
from screening_pipeline.errors import MissingSecret

_UNMAPPED = "star.fact_check.nothing_is_unmapped"
_SHOWN_WORDS = 5


def sync(vendors: Sequence[str], accounts: Sequence[str], *, is_full: bool, is_json: bool) -> int:
    """One cycle as a Dagster run; tells per account what came of it."""
    from screening_pipeline import run, runtime
    from screening_pipeline.instance import instance

    settings = configuration.load(os.environ, Path.cwd())
    settings.select(vendors, accounts)
    with (
        console.progress("pulling") as tell,
        runtime.opened(os.environ, Path.cwd(), settings=settings, progress=tell) as work,
    ):
        outcome = run.sync(
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
        "accounts": [asdict(report) | {"calls": report.calls} for report in outcome.reports],
        "failed_checks": list(outcome.failed_checks),
        "exit_code": outcome.exit_code,
    }


def _tell_sync(outcome: Any, settings: configuration.Settings) -> None:
    from screening_pipeline.intake import not_manifests

    rows = [
        {**asdict(r), "calls": r.calls, "account": f"{r.vendor}/{r.account}", "what": _why(r)} for r in outcome.reports
    ]
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
        console.say(console.inert(f"Not read in {settings.paths.orders}: {', '.join(others[:3])}; see doctor"))
    if outcome.rejects:
        console.say("Rejects are in ops.reject, with the reason of each.")
    _tell_failed(outcome, settings)


def _tell_failed(outcome: Any, settings: configuration.Settings) -> None:
    from screening_pipeline import catalog
    from screening_pipeline.overview import unmapped_words

    for name in outcome.failed_checks:
        console.say(f"check failed: {name}")
        if rule := catalog.rule_shown_as(name):
            console.say(f"  which says: {rule.says} See {rule.schema}.{rule.table}, or the check in Dagster.")
    if _UNMAPPED in outcome.failed_checks:
        _tell_unmapped(unmapped_words(settings))


def _why(report: Any) -> str:
    if report.code == MissingSecret.code:
        return f"skipped: {report.message}"
    return report.message or report.code or ""


def status(*, is_json: bool) -> int:
    """How every account stands, from the published snapshot and the shared state; waits for nobody."""
    from screening_pipeline import embedded
    from screening_pipeline.overview import Standing, overview

    settings = embedded.unlimited(configuration.load(os.environ, Path.cwd()))
    found = overview(settings, os.environ, system_clock(os.environ))
    if is_json:
        console.say_json(found.facts())
    else:
        console.table([row.words() for row in found.accounts], Standing.COLUMNS)
        if found.order_rejects:
            console.say(f"Rejected rows of order files: {found.order_rejects:,}, see ops.reject")
        for row in found.unconfigured:
            name = console.inert(f"{row['vendor']}/{row['account']}")
            console.say(
                f"Not configured any more: {name}. Its {row['checks']:,} checks are not asked for, nor in views."
            )
        _tell_unmapped(found.unmapped_words)
    return int(found.needs_attention)


def _tell_unmapped(words: Sequence[Mapping[str, Any]]) -> None:
    """Name the first words that no mapping knows, and say what is to be done about them."""
    if not words:
        return
    console.say("Unmapped words, listed in ops.unmapped_value:")
    for word in words[:_SHOWN_WORDS]:
        console.say(f"  {word['vendor']}/{word['account']} {word['field']}: '{console.inert(word['value'])[:80]}'")
    if len(words) > _SHOWN_WORDS:
        console.say(f"  and {len(words) - _SHOWN_WORDS} more")
    console.say("Map them in screening.toml (status_aliases; final_adjudications) or in vendors/<vendor>.csv.")


def doctor(*, is_json: bool) -> int:
    """Look at everything a cycle needs; tell what is wrong and how to mend it."""
    from screening_pipeline import doctor as examination
    from screening_pipeline import runtime
    from screening_pipeline.limiter import Limiter
    from screening_pipeline.state import State

    clock, settings = system_clock(os.environ), configuration.load(os.environ, Path.cwd())
    runtime.require_writable(settings)
    with runtime.addressed(settings, clock) as reachable:
        state = State(reachable.paths.state)
        limiter = Limiter(state, clock)
        findings = examination.diagnose(
            reachable,
            os.environ,
            clock,
            probe=examination.client_probe(limiter, clock, is_proxied=reachable.http.proxies_from_environment),
            used_last_minute=lambda account: limiter.used_last_window(account.vendor, account.name),
            inspect_warehouse=_inspected,
            knows_none=lambda account: state.account(account.vendor, account.name, clock).knows_none,
        )
    if is_json:
        console.say_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            fix = f"  → {finding.fix}" if finding.fix else ""
            console.say(console.inert(f"{finding.level:<4}  {finding.name}: {finding.message}{fix}"))
    return examination.exit_code(findings)


def _inspected(settings: configuration.Settings) -> str:
    from screening_pipeline import warehouse

    paths = settings.paths
    if paths.warehouse.exists():
        warehouse.open_once(paths.warehouse, lock_path=paths.warehouse_lock, clock=system_clock(os.environ))
    if not paths.published.exists():
        return "nothing is published yet"
    with warehouse.reader(paths.published) as connection:
        row = connection.execute("select count(*) from star.fact_check").fetchone()
    return f"{row[0] if row else 0:,} checks published"


def watch(duration: str | None) -> int:
    """Cycles as checks fall due."""
    from screening_pipeline import runtime
    from screening_pipeline import watch as watching
    from screening_pipeline.instance import instance

    seconds = watching.seconds_of(duration) if duration else None
    with runtime.opened(os.environ, Path.cwd()) as work:
        return watching.watch(work, instance(work.settings.paths), seconds=seconds, tell=_tell_cycle)


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


def show(vendor: str, check_id: str, account: str | None, *, is_json: bool) -> int:
    """The life of one check."""
    from screening_pipeline import story

    settings = configuration.load(os.environ, Path.cwd())
    found = story.stories(settings, vendor, check_id, account)
    if is_json:
        console.say_json([asdict(one) for one in found])
    else:
        for one in found:
            story.tell(one)
    return 0


def report(out: Path | None) -> int:
    """The HTML report, from the published snapshot."""
    from screening_pipeline import report as page
    from screening_pipeline import warehouse
    from screening_pipeline.errors import UsageError

    settings = configuration.load(os.environ, Path.cwd())
    if not settings.paths.published.exists():
        raise UsageError("nothing is published yet; run `screening-pipeline sync` first", code="nothing_published")
    target = out or settings.paths.report
    if target.exists() and not target.is_file():  # what is written takes the place of what is there
        raise UsageError(f"{target} is no file: name one with --out", code="usage")
    # Elsewhere it is out of an erasure's reach in any case, and whoever may read the snapshot may write it.
    opened = warehouse.reader(settings.paths.published) if out else warehouse.deriving(settings.paths)
    with opened as connection:
        page.write_report(connection, target, generated_at=system_clock(os.environ).now())
    console.say(f"wrote {target}")
    return 0


def rebuild(*, is_json: bool) -> int:
    """Everything derived, computed again from raw; tells which rules do not hold of it."""
    from screening_pipeline import embedded, run, runtime
    from screening_pipeline.instance import instance

    settings = embedded.unlimited(configuration.load(os.environ, Path.cwd()))
    clock = system_clock(os.environ)
    settings.paths.create()
    started = clock.monotonic()
    with console.progress("rebuilding") as tell:
        work = runtime.assembled(settings, os.environ, clock, tell)
        outcome = run.rebuild(work, instance(settings.paths))
    seconds = clock.monotonic() - started
    if is_json:
        facts = {"run_id": outcome.run_id, "seconds": round(seconds, 1), "failed_checks": list(outcome.failed_checks)}
        console.say_json(facts | {"exit_code": outcome.exit_code})
    else:
        console.say(f"rebuilt in {console.span(seconds)}; run {outcome.run_id}")
        _tell_failed(outcome, settings)
    return outcome.exit_code


def demo(*, is_json: bool) -> int:
    """Thirty virtual days, then what they show."""
    from screening_pipeline import demo as thirty_days

    settings = configuration.bundled(os.environ, Path.cwd())
    clock = system_clock(os.environ)
    if not is_json:
        console.say("Playing 30 virtual days of five vendors: real HTTP, real Dagster runs, a virtual clock.")
    started = clock.monotonic()
    with console.progress("demo") as tell:
        played = thirty_days.play(os.environ, settings, now=clock.now(), tell=tell)
    if is_json:
        console.say_json(asdict(played))
    else:
        _tell_demo(played, settings, clock.monotonic() - started)
    return played.exit_code


def _tell_demo(played: Any, settings: configuration.Settings, seconds: float) -> None:
    spans = [{**row, "p50": console.span(row["p50"]), "p90": console.span(row["p90"])} for row in played.turnaround]
    console.table(
        spans,
        {
            "vendor": "vendor",
            "n": "n",
            "n_open": "open",
            "n_excluded": "excluded",
            "p50": "p50",
            "p90": "p90",
            "p50_business_days": "p50 business days",
            "p90_business_days": "p90 business days",
        },
        title="Turnaround, from order to completed screening",
    )
    console.table(
        [{**row, "oldest": console.span(row["oldest"].total_seconds())} for row in played.open_checks],
        {"vendor": "vendor", "next_actor": "who has to act", "open_checks": "open", "oldest": "oldest"},
        title="Still open",
    )
    again = sum(played.stats["after_over"].values())
    console.say(
        f"{played.checks} checks, {played.runs} Dagster runs, {played.calls} calls "
        f"({played.calls / max(played.checks, 1):.1f} a check), {again} calls about checks that had ended; "
        f"{seconds:.0f} s"
    )
    console.say(f"warehouse  {settings.paths.published}  (read-only snapshot: star, analytics, ops)")
    console.say(f"report     {settings.paths.report}")
    console.say("Dagster    make dev, then http://127.0.0.1:3000")
