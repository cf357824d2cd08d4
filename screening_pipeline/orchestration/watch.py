"""The `watch` loop: cycles as checks fall due, without the Dagster daemon."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from screening_pipeline.base.clock import StandingClock
from screening_pipeline.base.errors import UsageError
from screening_pipeline.cycle import pull
from screening_pipeline.orchestration import runs
from screening_pipeline.runtime import publication, unread
from screening_pipeline.vendors import vendor

if TYPE_CHECKING:
    import dagster as dg

    from screening_pipeline.runtime.context import Runtime
    from screening_pipeline.settings.account import Account


FEED_EVERY = timedelta(minutes=1)
LOOK_EVERY_SECONDS = 10.0
# So that orders, pushes and what fell due meanwhile wait for a minute at most.
SECONDS_A_CYCLE = 60
# A feed is drained every minute by one run, which ends once orders wait.
SECONDS_A_CYCLE_WITH_FEEDS = 300
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)", re.IGNORECASE)
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def seconds_of(text: str) -> float:
    """A duration such as 90s, 30m, 2h or 1d, in seconds. Raises UsageError."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise UsageError(f"--for {text!r} is no duration such as 90s, 30m, 2h or 1d", code="bad_duration")
    return float(match.group(1)) * _UNITS[match.group(2).lower()]


def watch(
    runtime: Runtime, instance: dg.DagsterInstance, *, seconds: float | None, tell: Callable[[runs.Outcome], None]
) -> int:
    """Run a cycle whenever something is due, until `seconds` have passed (None: until interrupted).

    Each cycle is a Dagster run. Returns the worst exit code of them. Raises UsageError under a standing clock.
    """
    if isinstance(runtime.clock, StandingClock):
        raise UsageError("watch needs a clock that runs; unset SCREENING_NOW", code="standing_clock")
    until = None if seconds is None else runtime.clock.monotonic() + seconds
    worst, begun_at = 0, None
    while until is None or runtime.clock.monotonic() < until:
        if begun_at is None or _is_wanted(runtime, begun_at):
            is_patient, begun_at = begun_at is not None, runtime.clock.now()
            # The first one stays for nothing: who has begun to watch is told soon how things stand.
            seconds_a_cycle, is_lingering = _bounds(runtime, until) if is_patient else (SECONDS_A_CYCLE, False)
            outcome = runs.sync(
                runtime,
                instance,
                is_patient=is_patient,
                seconds=seconds_a_cycle,
                is_lingering=is_lingering,
                trigger="watch",
            )
            worst = max(worst, outcome.exit_code)
            tell(outcome)
        runtime.clock.sleep(_pause(runtime, until))
    return worst


def _is_wanted(runtime: Runtime, begun_at: datetime) -> bool:
    """Whether a cycle is wanted now; the last one began at `begun_at`."""
    is_due = any(_is_due(runtime, account) for account in runtime.settings.accounts)
    is_put_off = publication.overdue(runtime.pull_queue, runtime.clock.now()) is not None
    # A manifest, or what a vendor pushed.
    is_news = unread.has_unread_input(runtime.pull_queue, runtime.settings, runtime.landing)
    is_settling = bool(unread.settling(runtime.pull_queue, runtime.clock.now()))  # what nobody can be asked to confirm
    return is_due or is_put_off or _is_feed_due(runtime, begun_at) or is_news or is_settling


def _is_due(runtime: Runtime, account: Account) -> bool:
    if not account.polling or pull.is_to_wait(runtime, account):
        return False
    return runtime.pull_queue.is_due(account.vendor, account.name, runtime.clock.now())


def _bounds(runtime: Runtime, until: float | None) -> tuple[int, bool]:
    """How long a cycle may go on asking, and whether it stays for the feeds; it ends with the watch."""
    if not _is_any_feed_open(runtime):
        return SECONDS_A_CYCLE, False
    left = SECONDS_A_CYCLE_WITH_FEEDS if until is None else int(until - runtime.clock.monotonic())
    return max(1, min(left, SECONDS_A_CYCLE_WITH_FEEDS)), True


def _is_any_feed_open(runtime: Runtime) -> bool:
    fed = [a for a in runtime.settings.accounts if a.status_updates and vendor(a.vendor).feed]
    return not all(pull.is_to_wait(runtime, account) for account in fed)


def _is_feed_due(runtime: Runtime, begun_at: datetime) -> bool:
    return _is_any_feed_open(runtime) and runtime.clock.now() - begun_at >= FEED_EVERY


def _pause(runtime: Runtime, until: float | None) -> float:
    """Seconds until something is due, but soon enough to notice a new manifest or message."""
    now = runtime.clock.now()
    waits = [LOOK_EVERY_SECONDS]
    for account in runtime.settings.accounts:
        if pull.is_to_wait(runtime, account):
            continue
        next_due_at = runtime.pull_queue.summary(account.vendor, account.name, now).next_due_at
        if next_due_at is not None:
            waits.append(max(1.0, (next_due_at - now).total_seconds()))
    if until is not None:
        waits.append(max(0.0, until - runtime.clock.monotonic()))
    return min(waits)
