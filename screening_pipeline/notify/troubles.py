"""What is wrong now that somebody should be told of, by a name that stays the same while it is.

Words name accounts, codes and counts. Nothing of a person, a check or an answer is in them: a vendor's own words, ids
and file names are left to `status` and `rejects`, which are read where the data lies.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from screening_pipeline.base import inert
from screening_pipeline.health.status import StatusReport, delays

if TYPE_CHECKING:
    from screening_pipeline.health.accounts import AccountStatus
    from screening_pipeline.settings.settings import Settings

# A vendor that fails now and then is asked again by itself; who has had no answer for so long is told of.
FAILING_FOR = timedelta(minutes=10)
_DOCTOR = "`screening-pipeline doctor` says what to do"


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong. `count` is how much of it: twice as much is news, and less is not."""

    name: str
    words: str
    count: int = 1


@dataclass(frozen=True)
class FailedRun:
    """The last Dagster run, where it failed."""

    run_id: str
    job: str
    ended_at: datetime


def troubles(
    found: StatusReport,
    settings: Settings,
    failed_run: FailedRun | None,
    free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
) -> list[Trouble]:
    """Everything that is wrong now, by what `status` knows, the last run and the disk."""
    return [
        *_of_what_will_be_late(settings),
        *_running(found, settings, failed_run, free_bytes),
        *(trouble for account in found.accounts for trouble in _of_account(account)),
        *_of_orders(found),
    ]


def _running(
    found: StatusReport, settings: Settings, failed_run: FailedRun | None, free_bytes: Callable[[Path], int]
) -> Iterator[Trouble]:
    if found.running.is_stale:
        yield Trouble("stale", found.running.words())
    if found.backlog and found.backlog.is_alarming:
        yield Trouble("backlog", found.backlog.words(), found.backlog.waiting.lines)
    if failed_run is not None:
        run = f"The last run failed: job {failed_run.job}, run {failed_run.run_id}"
        yield Trouble("run", f"{run}. Its page in Dagster says where.")
    free = free_bytes(settings.data_dir) / 1e9
    if free < settings.notify.disk_below_gb:
        yield Trouble("disk", f"The disk of the data folder is running out: {free:.2f} GB are free.")


def _of_account(account: AccountStatus) -> Iterator[Trouble]:
    key = account.account
    if account.missing_secrets:
        yield Trouble(f"{key} secrets", f"{key} is not asked: {', '.join(account.missing_secrets)} is not set.")
    elif account.is_refused:  # each run tries it once more: no end of the trouble
        code = account.stopped_code or account.last_error
        yield Trouble(f"{key} stopped", f"{key} is stopped: {code}. {_DOCTOR}.")
    elif account.last_error and _is_failing(account):
        yield Trouble(f"{key} failing", f"{key} has given no answer for {_since(account)}: {account.last_error}.")
    if account.knows_none:
        yield Trouble(f"{key} strange", f"{key} knows none of the ids it was asked for. {_DOCTOR}.")
    if account.unmapped:
        yield Trouble(f"{key} words", f"{key} says {account.unmapped} words that nobody has mapped.", account.unmapped)
    if account.rejects:
        yield Trouble(f"{key} rejects", f"{key}: {account.rejects:,} answers could not be read.", account.rejects)
    if account.is_overloaded:
        yield Trouble(f"{key} budget", f"{key}: its calls a minute are too few for its open checks.")


def _is_failing(account: AccountStatus) -> bool:
    return account.last_success_at is None or account.as_of - account.last_success_at >= FAILING_FOR


def _since(account: AccountStatus) -> str:
    if account.last_success_at is None:
        return "as long as it is known"
    return inert.span((account.as_of - account.last_success_at).total_seconds()) or ""


def _of_orders(found: StatusReport) -> Iterator[Trouble]:
    if found.order_rejects:
        words = f"{found.order_rejects:,} rows of order files are refused: `screening-pipeline rejects` lists them."
        yield Trouble("orders", words, found.order_rejects)


def _of_what_will_be_late(settings: Settings) -> Iterator[Trouble]:
    """What somebody can still do something about comes before what has happened."""
    late = delays(settings)
    if late.at_risk:
        them = "1 check will" if late.at_risk == 1 else f"{late.at_risk:,} checks will"
        words = f"{them} hardly be complete before the day on which somebody needs it"
        yield Trouble("starts", f"{words} (chance below 80 %): see analytics.starts_at_risk.", late.at_risk)
    for vendor in late.slow_vendors:
        yield Trouble(f"{vendor} slow", f"{vendor} has become slower, by more than chance: see analytics.slowdown.")
    if late.expected:
        words = f"{late.expected:,} more open checks are expected to break their promise within a week."
        yield Trouble("forecast", words, late.expected)
    if late.broken:
        yield Trouble("promises", f"{late.broken:,} open checks take longer than was promised.", late.broken)
