"""One look at one account: its feed first, then its lists, then checks by id, the most urgent first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from screening_pipeline.base.errors import LockHeld, PlaceOutOfReach, VendorError
from screening_pipeline.base.sql_text import quote
from screening_pipeline.cycle.feeds import feed_of, gap_note
from screening_pipeline.cycle.lists import due_query, note_look
from screening_pipeline.cycle.settle import settle
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.domain.ids import check_form
from screening_pipeline.http.feed_record import DrainResult
from screening_pipeline.runtime.results import AccountReport
from screening_pipeline.state.pull_queue import QueuedPull
from screening_pipeline.vendors import vendor
from screening_pipeline.warehouse import catalog

if TYPE_CHECKING:
    from screening_pipeline.domain.exchange import HttpExchange, LandingReceipt
    from screening_pipeline.http.batch import Pull
    from screening_pipeline.http.client import AccountClient
    from screening_pipeline.landing.writer import Writer
    from screening_pipeline.runtime.context import Runtime
    from screening_pipeline.settings.account import Account
    from screening_pipeline.state.accounts import AccountState


# How long after its end the opt-in reconciliation still asks for a check.
RECONCILED = timedelta(days=30)
FEED_EVERY_SECONDS = 60.0
_DRAINED = (None, "busy", "rounds")
KNOWS_NONE = "knows_none"
_KNOWS_NONE_SAYS = "knows none of the ids it was ever asked for: see base_url and environment, or set polling = false"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be asked of an account. `endpoints`: names of the vendor's calls; `check_keys`: none means all."""

    endpoints: frozenset[str]
    is_full: bool = False
    is_reconciling: bool = False
    check_keys: frozenset[int] = frozenset()


class AccountPull:
    """Pulling one account in one run. It tells `settled` which checks were asked, by their keys."""

    def __init__(
        self,
        runtime: Runtime,
        account: Account,
        *,
        run_id: str,
        secrets: Mapping[str, str],
        writer: Writer,
        settled: Callable[[int], object],
    ) -> None:
        self.account = account
        self._runtime = runtime
        self._vendor = vendor(account.vendor)
        self._run_id = run_id
        self._writer = writer
        self._settled = settled
        self._client = self._made_client(secrets)
        self._made = self._planned = 0
        self._answered: dict[str, bool] = {}
        self._drained_at: float | None = None
        self._feed = DrainResult()

    def _made_client(self, secrets: Mapping[str, str]) -> AccountClient:
        from screening_pipeline.http.client import AccountClient
        from screening_pipeline.http.transport import Limits

        return AccountClient(
            self.account,
            self._vendor,
            secrets=secrets,
            limiter=self._runtime.limiter,
            clock=self._runtime.clock,
            sink=self._land,
            run_id=self._run_id,
            limits=Limits(is_proxied=self._runtime.settings.http.proxies_from_environment),
        )

    @property
    def client(self) -> AccountClient:
        """The HTTP client, to be held open while the account is pulled."""
        return self._client

    async def look(self, wanted: Wanted, *, seconds: float | None) -> AccountReport:
        """Ask for what is due now; what ends the later calls early leaves told what the feed said.

        Failures of the vendor are in the report; only those of the machine are raised.
        """
        self._answered = {}
        drained = await self._drained(wanted)
        report = replace(self.report(), feed_messages=drained.messages)
        try:
            until = None if seconds is None else self._runtime.clock.monotonic() + seconds
            if await self._ask_lists(wanted, until):
                await asyncio.to_thread(self._take_in)  # others are being asked meanwhile
            report = await self._asked_by_id(self._widened(wanted, drained), drained.told, report, seconds)
        except VendorError as problem:
            report = replace(report, code=problem.code, message=str(problem))
        return replace(report, answered=self._calls(is_answered=True), unanswered=self._calls(is_answered=False))

    def _calls(self, *, is_answered: bool) -> frozenset[str]:
        return frozenset(name for name, answer in self._answered.items() if answer is is_answered)

    def report(self, *, code: str | None = None, message: str | None = None) -> AccountReport:
        """A report of no calls; how the feed stands is as it was drained last."""
        return AccountReport(
            vendor=self.account.vendor,
            account=self.account.name,
            gaps=self._feed.gaps,
            feed_code=self._feed.code,
            code=code,
            message=message,
        )

    async def _land(self, exchange: HttpExchange) -> LandingReceipt:
        landed = await self._writer.land(exchange)
        self._made += 1
        is_answered = self._answered.get(exchange.endpoint, False)
        self._answered[exchange.endpoint] = is_answered or landed.is_accepted
        self._runtime.progress(self.account.key, self._made, max(self._planned, self._made))
        return landed

    async def _drained(self, wanted: Wanted) -> DrainResult:
        """The result of draining the feed: first, since it forgets what it hands out; empty where it is not asked."""
        feed = self._vendor.feed
        if feed is None or not self.is_feed_due(wanted):
            return DrainResult()
        drained = await feed_of(self._runtime, self.account).drain(self._client, run_id=self._run_id)
        self._drained_at, self._feed = self._runtime.clock.monotonic(), drained
        if drained.calls or drained.code:
            self._answered[feed.name] = drained.code in _DRAINED
        if drained.calls and drained.code in (None, "rounds"):
            self._client.gate.succeeded()
        elif drained.code not in _DRAINED:
            self._client.gate.note(drained.code)
        return drained

    def is_feed_due(self, wanted: Wanted) -> bool:
        """Whether the account has a feed that is wanted and was not drained by this run a moment ago."""
        feed, drained_at = self._vendor.feed, self._drained_at
        if feed is None or not self.account.status_updates or feed.name not in wanted.endpoints:
            return False
        return drained_at is None or self._runtime.clock.monotonic() - drained_at >= FEED_EVERY_SECONDS

    def _widened(self, wanted: Wanted, drained: DrainResult) -> Wanted:
        """A gap in the feed is settled by asking every open id, also where the feed alone was to be asked."""
        if not drained.is_in_doubt:
            return wanted
        by_id = {endpoint.name for endpoint in self._vendor.endpoints if endpoint.is_by_id}
        return replace(wanted, is_full=True, check_keys=frozenset(), endpoints=wanted.endpoints | by_id)

    async def _ask_lists(self, wanted: Wanted, until: float | None) -> bool:
        """Ask for the lists that are due; whether one was that shows checks."""
        from screening_pipeline.http.listing import read_list

        pull_queue, now, is_shown = self._runtime.pull_queue, self._runtime.clock.now(), False
        for endpoint in self._vendor.lists:
            query = due_query(pull_queue, self.account, endpoint, now) if endpoint.name in wanted.endpoints else None
            is_shown |= query is not None and endpoint.is_discovering
            if query is not None and await read_list(self._client, endpoint, query, until=until):
                note_look(pull_queue, self.account, endpoint, query, now)
        return is_shown

    def _take_in(self) -> None:
        """Have what lists have shown known and planned before checks are asked for by id; else the next run does."""
        with suppress(LockHeld, PlaceOutOfReach), open_warehouse(self._runtime) as connection:
            settle(self._runtime, connection)

    async def _asked_by_id(
        self, wanted: Wanted, told: Collection[tuple[str, str]], fed: AccountReport, seconds: float | None
    ) -> AccountReport:
        """`fed`, the report of the feed, with that of the checks; those just `told` of need no asking."""
        from screening_pipeline.http.batch import Pull

        if not self.account.polling:
            return fed
        items = self._due(wanted, told)
        keys = {(item.subject, item.check_id): item.check_key for item in items}
        self._planned = self._made + len(items)

        def settled(pull: Pull) -> None:
            self._settled(keys[pull.subject, pull.check_id])

        pulls = [Pull(subject=i.subject, check_id=i.check_id, due_at=i.next_pull_at) for i in items]
        outcome = await self._client.pull_all(pulls, seconds=seconds, settled=settled)
        # Those that were asked in vain are asked again by themselves: for one of them not all are asked every time.
        if outcome.code is None and not outcome.left:
            for gap in fed.gaps:
                self._runtime.pull_queue.remember(gap_note(gap), self._runtime.clock.now().isoformat())
        report = replace(fed, **outcome.counts())
        if outcome.code is None and outcome.missing and self._known.knows_none:
            return replace(report, code=KNOWS_NONE, message=_KNOWS_NONE_SAYS)
        return report

    @property
    def _known(self) -> AccountState:
        return self._runtime.state.account(self.account.vendor, self.account.name, self._runtime.clock)

    def _due(self, wanted: Wanted, told: Collection[tuple[str, str]]) -> list[QueuedPull]:
        runtime, account = self._runtime, self.account
        if wanted.is_reconciling:
            return _ended_lately(runtime, account)
        items = runtime.pull_queue.due(
            account.vendor,
            account.name,
            runtime.clock.now(),
            is_full=wanted.is_full,
            without=left_out(account, wanted.endpoints),
        )
        # A check that the feed has just ended must not be asked.
        ended = {(subject, check_form(check_id)) for subject, check_id in told}
        items = [item for item in items if (item.subject, check_form(item.check_id)) not in ended]
        return [item for item in items if not wanted.check_keys or item.check_key in wanted.check_keys]


def left_out(account: Account, endpoints: Collection[str]) -> list[str]:
    """The subjects that nobody asks for where only these calls of the vendor are made."""
    return [e.subject for e in vendor(account.vendor).endpoints if e.subject and e.name not in endpoints]


def _ended_lately(runtime: Runtime, account: Account) -> list[QueuedPull]:
    since = (runtime.clock.now() - RECONCILED).isoformat()
    given = {"vendor": account.vendor, "account": account.name, "since": since}
    query = catalog.statement("find_ended", **{name: quote(value) for name, value in given.items()})
    with open_warehouse(runtime) as connection:
        rows = connection.execute(query).fetchall()
    return [QueuedPull(*row) for row in rows]
