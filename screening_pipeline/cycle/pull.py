"""Pulling one account: its feed first, then its lists, then checks by id, the most urgent first."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from screening_pipeline.base import locks
from screening_pipeline.base.errors import LockHeld, MissingSecret, VendorError
from screening_pipeline.base.sql_text import quote
from screening_pipeline.cycle.feeds import feed_of, gap_note
from screening_pipeline.cycle.lists import due_query, is_list_due, note_look
from screening_pipeline.cycle.settle import settle
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.http.account_gate import reason_to_wait
from screening_pipeline.runtime.results import AccountReport
from screening_pipeline.state.pull_queue import QueuedPull
from screening_pipeline.vendors import vendor
from screening_pipeline.warehouse import catalog

if TYPE_CHECKING:
    from screening_pipeline.domain.exchange import HttpExchange, LandingReceipt
    from screening_pipeline.http.client import AccountClient
    from screening_pipeline.http.feed_record import DrainResult
    from screening_pipeline.runtime.context import Runtime
    from screening_pipeline.settings.account import Account
    from screening_pipeline.state.accounts import AccountState


# Until the plan is made anew at the end of a cycle, what was just asked is not asked again.
JUST_ASKED = timedelta(minutes=15)


# How long after its end the opt-in reconciliation still asks for a check.
RECONCILED = timedelta(days=30)
KNOWS_NONE = "knows_none"
_KNOWS_NONE_SAYS = "knows none of the ids it was ever asked for: see base_url and environment, or set polling = false"


def pull_account(
    runtime: Runtime,
    account: Account,
    *,
    run_id: str,
    is_full: bool = False,
    is_reconciling: bool = False,
    check_keys: Collection[int] = (),
    endpoints: Collection[str] | None = None,
    seconds: float | None = None,
) -> AccountReport:
    """Pull one account: its feed first, then its lists, then checks by id, the most urgent first.

    `check_keys` narrows it to some of the due checks, `endpoints` to some of the vendor's calls, `seconds` bounds the
    time. `is_reconciling` pulls instead checks that ended lately. Vendor failures are in the report; only errors of the
    machine (EnvironmentFailed) are raised.
    """
    report = AccountReport(vendor=account.vendor, account=account.name)
    if not account.is_asked:
        return replace(report, message="only pushed to (polling = false)")
    try:
        secrets = account.secrets(runtime.environ)
    except MissingSecret as missing:
        return replace(report, code=missing.code, message=str(missing))
    lock = locks.lock(
        runtime.settings.paths.pull_lock(account.vendor, account.name),
        clock=runtime.clock,
        wait_seconds=runtime.lock_wait_seconds,
    )
    with ExitStack() as held:
        try:
            held.enter_context(lock)
        except LockHeld as problem:  # a recheck may take five minutes; the other accounts and the star go on
            return replace(report, code=problem.code, message=f"already being asked: {problem}")
        runtime.state.resume(account.vendor, account.name)
        wanted = _Wanted(
            is_full=is_full,
            is_reconciling=is_reconciling,
            check_keys=frozenset(check_keys),
            endpoints=frozenset(vendor(account.vendor).endpoint_names if endpoints is None else endpoints),
        )
        job = _Job(runtime, account, run_id=run_id)
        try:
            with _interruptible():
                return asyncio.run(job.run(wanted, secrets, seconds=seconds))
        except VendorError as problem:
            return replace(report, code=problem.code, message=str(problem))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Context manager: Ctrl-C ends the event loop as in asyncio.

    What Dagster's own handler raises may be lost in a callback.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone is told of signals
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def is_wanted(runtime: Runtime, account: Account) -> bool:
    """Whether an account has a pull due now, or a problem to report."""
    now, pull_queue = runtime.clock.now(), runtime.pull_queue
    declared = vendor(account.vendor)
    known = runtime.state.account(account.vendor, account.name, runtime.clock)
    return bool(
        (account.polling and pull_queue.summary(account.vendor, account.name, now).due)
        or (declared.feed and account.status_updates)
        or any(is_list_due(pull_queue, account, endpoint, now) for endpoint in declared.lists)
        or known.stopped_code
        or account.missing_secrets(runtime.environ)
    )


def is_to_wait(runtime: Runtime, account: Account) -> bool:
    """Whether an account should not be pulled now (silence, stop, outage, missing secret)."""
    return reason_to_wait(runtime.state, account, runtime.environ, runtime.clock) is not None


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    is_full: bool
    is_reconciling: bool
    check_keys: frozenset[int]
    endpoints: frozenset[str]


class _Job:
    """Pulling one account once. It counts its calls for whoever watches, and changes nothing else of itself."""

    def __init__(self, runtime: Runtime, account: Account, *, run_id: str) -> None:
        self._runtime = runtime
        self._account = account
        self._vendor = vendor(account.vendor)
        self._run_id = run_id
        self._made = 0
        self._planned = 0

    async def run(self, wanted: _Wanted, secrets: dict[str, str], *, seconds: float | None) -> AccountReport:
        """The feed, the lists and the checks by id; what ends the later ones early leaves told what the feed said."""
        from screening_pipeline.http.client import AccountClient
        from screening_pipeline.http.transport import Limits

        runtime, account = self._runtime, self._account
        async with AccountClient(
            account,
            self._vendor,
            secrets=secrets,
            limiter=runtime.limiter,
            clock=runtime.clock,
            sink=self._land,
            run_id=self._run_id,
            limits=Limits(is_proxied=runtime.settings.http.proxies_from_environment),
        ) as client:
            drained = await self._drained(client, wanted)
            fed = AccountReport(
                vendor=account.vendor,
                account=account.name,
                feed_messages=drained.messages,
                gaps=drained.gaps,
                feed_code=drained.code,
            )
            try:
                until = None if seconds is None else runtime.clock.monotonic() + seconds
                if await self._ask_lists(client, wanted, until):
                    self._take_in()
                return await self._asked_by_id(client, self._widened(wanted, drained), drained.told, fed, seconds)
            except VendorError as problem:
                return replace(fed, code=problem.code, message=str(problem))

    def _land(self, exchange: HttpExchange) -> LandingReceipt:
        landed = self._runtime.landing.receive(exchange)
        self._made += 1
        self._runtime.progress(self._account.key, self._made, max(self._planned, self._made))
        return landed

    async def _drained(self, client: AccountClient, wanted: _Wanted) -> DrainResult:
        """The result of draining the feed: first, since it forgets what it hands out; empty where it is not asked."""
        from screening_pipeline.http.feed_record import DrainResult

        feed = self._vendor.feed
        if feed is None or not self._account.status_updates or feed.name not in wanted.endpoints:
            return DrainResult()
        drained = await feed_of(self._runtime, self._account).drain(client, run_id=self._run_id)
        if drained.calls and drained.code in (None, "rounds"):
            client.gate.succeeded()
        elif drained.code not in (None, "rounds", "busy"):
            client.gate.note(drained.code)
        return drained

    def _widened(self, wanted: _Wanted, drained: DrainResult) -> _Wanted:
        """A gap in the feed is settled by asking every open id, also where the feed alone was to be asked."""
        if not drained.is_in_doubt:
            return wanted
        by_id = {endpoint.name for endpoint in self._vendor.endpoints if endpoint.is_by_id}
        return replace(wanted, is_full=True, check_keys=frozenset(), endpoints=wanted.endpoints | by_id)

    async def _ask_lists(self, client: AccountClient, wanted: _Wanted, until: float | None) -> bool:
        """Ask for the lists that are due; whether one was that shows checks."""
        from screening_pipeline.http.listing import read_list

        pull_queue, now, is_shown = self._runtime.pull_queue, self._runtime.clock.now(), False
        for endpoint in self._vendor.lists:
            query = due_query(pull_queue, self._account, endpoint, now) if endpoint.name in wanted.endpoints else None
            is_shown |= query is not None and endpoint.is_discovering
            if query is not None and await read_list(client, endpoint, query, until=until):
                note_look(pull_queue, self._account, endpoint, query, now)
        return is_shown

    def _take_in(self) -> None:
        """Have what lists have shown known and planned before checks are asked for by id; else the next run does."""
        with suppress(LockHeld), open_warehouse(self._runtime) as connection:
            settle(self._runtime, connection)

    async def _asked_by_id(
        self,
        client: AccountClient,
        wanted: _Wanted,
        told: Collection[tuple[str, str]],
        fed: AccountReport,
        seconds: float | None,
    ) -> AccountReport:
        """`fed`, the report of the feed, with that of the checks; those just `told` of need no asking."""
        from screening_pipeline.http.batch import Pull

        if not self._account.polling:
            return fed
        items = self._due(wanted, told)
        self._planned = self._made + len(items)
        outcome = await client.pull_all(
            [Pull(subject=i.subject, check_id=i.check_id, due_at=i.next_pull_at) for i in items], seconds=seconds
        )
        left = {(pull.subject, pull.check_id) for pull in outcome.left_pulls}
        now = self._runtime.clock.now()
        asked = (item.check_key for item in items if (item.subject, item.check_id) not in left)
        self._runtime.pull_queue.postpone(asked, now + JUST_ASKED)
        # Those that were asked in vain are asked again by themselves: for one of them not all are asked every time.
        if outcome.code is None and not outcome.left:
            for gap in fed.gaps:
                self._runtime.pull_queue.remember(gap_note(gap), now.isoformat())
        report = replace(fed, **outcome.counts())
        if outcome.code is None and outcome.missing and self._known.knows_none:
            return replace(report, code=KNOWS_NONE, message=_KNOWS_NONE_SAYS)
        return report

    @property
    def _known(self) -> AccountState:
        return self._runtime.state.account(self._account.vendor, self._account.name, self._runtime.clock)

    def _due(self, wanted: _Wanted, told: Collection[tuple[str, str]]) -> list[QueuedPull]:
        runtime, account = self._runtime, self._account
        if wanted.is_reconciling:
            return _ended_lately(runtime, account)
        without = [e.subject for e in self._vendor.endpoints if e.subject and e.name not in wanted.endpoints]
        items = runtime.pull_queue.due(
            account.vendor, account.name, runtime.clock.now(), is_full=wanted.is_full, without=without
        )
        # A check that the feed has just ended must not be asked.
        items = [item for item in items if (item.subject, item.check_id) not in told]
        return [item for item in items if not wanted.check_keys or item.check_key in wanted.check_keys]


def _ended_lately(runtime: Runtime, account: Account) -> list[QueuedPull]:
    since = (runtime.clock.now() - RECONCILED).isoformat()
    given = {"vendor": account.vendor, "account": account.name, "since": since}
    query = catalog.statement("find_ended", **{name: quote(value) for name, value in given.items()})
    with open_warehouse(runtime) as connection:
        rows = connection.execute(query).fetchall()
    return [QueuedPull(*row) for row in rows]
