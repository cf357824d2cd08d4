"""One cycle, in the steps that the Dagster assets are made of: orders in, calls out, answers into the star, publish.

Each step is safe to repeat and to interrupt: what was received is on disk before it is read, and what was read
is noted in the same transaction as its rows.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from screening_pipeline import build, catalog, ingest, intake, news, warehouse
from screening_pipeline.agenda import Agenda, Item
from screening_pipeline.errors import LockHeld, MissingSecret, VendorError
from screening_pipeline.gate import reason_to_wait
from screening_pipeline.replan import replan
from screening_pipeline.vendors import vendor

if TYPE_CHECKING:
    from screening_pipeline.client import AccountClient
    from screening_pipeline.exchange import Exchange, Landed
    from screening_pipeline.feed import Feed, Gap
    from screening_pipeline.runtime import Runtime
    from screening_pipeline.settings import Account
    from screening_pipeline.state import AccountState

# Until the plan is made anew at the end of a cycle, what was just asked is not asked again.
JUST_ASKED = timedelta(minutes=15)
PLANNED = "planned_at"
# Hours pass and budgets are spent: what nobody touched is weighed again this often.
PLAN_EVERY = timedelta(hours=1)
# Nearly a day: a schedule that asks a second earlier than the day before asks all the same.
LISTS_EVERY = timedelta(hours=23)
# How long after its end the opt-in reconciliation still asks for a check.
RECONCILED = timedelta(days=30)
# Why pulling an account may end early with nothing wrong: the time was up, or another process is asking it.
AS_PLANNED = ("deadline", LockHeld.code)
KNOWS_NONE = "knows_none"
_KNOWS_NONE_SAYS = "knows none of the ids it was ever asked for: see base_url and environment, or set polling = false"


@dataclass(frozen=True, kw_only=True)
class AccountReport:
    """How pulling one account went. `code` is why it ended early, or why it was not pulled at all."""

    vendor: str
    account: str
    accepted: int = 0
    rejected: int = 0
    missing: int = 0
    failed: int = 0
    left: int = 0
    feed_messages: int = 0
    gaps: tuple[Gap, ...] = ()
    feed_code: str | None = None
    code: str | None = None
    message: str | None = None

    @property
    def calls(self) -> int:
        """Calls that were answered in some way or given up."""
        return self.accepted + self.rejected + self.missing + self.failed

    @property
    def needs_attention(self) -> bool:
        """Whether a person should look: the account was not pulled as planned, or an answer could not be read."""
        is_feed_failed = self.feed_code not in (None, "busy", "rounds")
        return is_feed_failed or self.code not in (None, *AS_PLANNED) or bool(self.rejected or self.failed)


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What the batches of a run did to the star."""

    responses: int = 0
    changed: int = 0
    rejects: int = 0

    def __add__(self, other: Settled) -> Settled:
        return Settled(
            responses=self.responses + other.responses,
            changed=self.changed + other.changed,
            rejects=self.rejects + other.rejects,
        )


def take_orders(runtime: Runtime, *, run_id: str) -> intake.Intake:
    """Read new manifests, land what a crash left behind, and plan the checks that are new."""
    runtime.landing.recover()
    paths, journal = runtime.settings.paths, runtime.journal
    orders = news.orders(paths)
    if runtime.agenda.note(PLANNED) is not None and not news.is_any(runtime.agenda, runtime.settings, runtime.landing):
        journal.orders_read = orders
        return intake.Intake()
    with runtime.warehouse() as connection:
        prepare(connection, runtime)
        landed = news.landed(runtime.landing)
        is_anew = ingest.is_mostly_unread(connection, landed)
        with ingest.transaction(connection):
            taken = intake.take_in(
                connection,
                runtime.settings,
                key=runtime.key,
                now=runtime.clock.now(),
                run_id=run_id,
                progress=runtime.progress,
            )
            if is_anew:
                ingest.begin_rebuild(connection)
            else:
                journal.written |= ingest.advance(connection, runtime.landing, part_key=runtime.part_key)
                # Pushes, or what a crash left, are this run's too, and planned: what they ended is not asked.
                journal.settled = _counted(connection)
                _forget_plans(runtime, _touched_accounts(connection))
        build.drop_work(connection)
        if is_anew:
            prepare(connection, runtime)
        journal.orders_read, journal.landed_read = orders, landed
        _plan_what_is_old(connection, runtime)
    return taken


def plan_again(connection: warehouse.Connection, runtime: Runtime, accounts: Sequence[Account] | None = None) -> None:
    """Plan the next pull of every open check of these accounts; None means all."""
    now, agenda = runtime.clock.now(), runtime.agenda
    if accounts is None:
        accounts = runtime.settings.accounts
        agenda.keep_only((account.vendor, account.name) for account in accounts)
    replan(connection, runtime.settings, agenda, now=now, accounts=accounts)
    for account in accounts:
        _forget_strangers(connection, runtime, account)
        agenda.remember(_planned_note(account.key), now.isoformat())
    agenda.remember(PLANNED, now.isoformat())


def _forget_strangers(connection: warehouse.Connection, runtime: Runtime, account: Account) -> None:
    """Drop what is noted of ids of which none is open: an answer of 404 was under way while its check was erased."""
    missing = {
        (one.vendor, one.account, one.subject, one.check_id)
        for one in runtime.state.not_found(account.vendor, account.name, at_least=1)
    }
    if missing:
        ids = ", ".join(warehouse.quote(check_id) for *_, check_id in missing)
        known = f"select vendor, account, subject, check_id from staging.open_check where check_id in ({ids})"
        if strangers := missing.difference(connection.execute(known).fetchall()):
            runtime.state.erase_not_found(strangers)


def _plan_what_is_old(connection: warehouse.Connection, runtime: Runtime) -> None:
    """Plan the accounts again of whose checks anything was changed since, and those that were planned long ago."""
    now = runtime.clock.now()
    plan_again(connection, runtime, [a for a in runtime.settings.accounts if _is_old(runtime.agenda, a, now)])


def _forget_plans(runtime: Runtime, keys: Iterable[str]) -> None:
    """Before what changes them is committed: whoever comes after a crash in between makes these plans anew."""
    runtime.agenda.forget(map(_planned_note, keys))


def _is_old(agenda: Agenda, account: Account, now: datetime) -> bool:
    planned = agenda.note(_planned_note(account.key))
    return planned is None or abs(now - datetime.fromisoformat(planned)) >= PLAN_EVERY


def _planned_note(key: str) -> str:
    return f"{PLANNED}:{key}"


def _touched_accounts(connection: warehouse.Connection) -> set[str]:
    found = connection.execute(
        "select distinct vendor || '/' || account from raw.check semi join touched using (check_key)"
    )
    return {row[0] for row in found.fetchall()}


def prepare(connection: warehouse.Connection, runtime: Runtime) -> bool:
    """Bring reference data up to date; whether all history had to be read anew for it."""
    found = ingest.prepare(
        connection, runtime.settings, runtime.landing, part_key=runtime.part_key, progress=runtime.progress
    )
    if found is not ingest.Prepared.READY:
        runtime.journal.written |= set(catalog.relations())
        _forget_plans(runtime, (account.key for account in runtime.settings.accounts))
    return found is ingest.Prepared.REREAD


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
    """Ask one account for what is due: its feed first, then its lists, then checks by id, the most urgent first.

    `check_keys` narrows it to some of what is due, `endpoints` to some of the vendor's calls, `seconds` bounds the
    time. `is_reconciling` asks instead for checks that have ended lately. What fails is told in the report; only
    the machine's own troubles are raised.
    """
    report = AccountReport(vendor=account.vendor, account=account.name)
    if not account.is_asked:
        return replace(report, message="only pushed to (polling = false)")
    try:
        secrets = account.secrets(runtime.environ)
    except MissingSecret as missing:
        return replace(report, code=missing.code, message=str(missing))
    lock = warehouse.lock(
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
        job = _Job(runtime, account, run_id=run_id, wanted=wanted)
        try:
            with _interruptible():
                return asyncio.run(job.run(secrets, seconds=seconds))
        except VendorError as problem:
            return replace(job.report, code=problem.code, message=str(problem))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Have Ctrl-C end an event loop as asyncio would: what Dagster's handler raises may be lost in a callback."""
    if threading.current_thread() is not threading.main_thread():  # which alone is told of signals
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def is_wanted(runtime: Runtime, account: Account) -> bool:
    """Whether an account has something to be asked for now, or something to be told about it."""
    now, agenda = runtime.clock.now(), runtime.agenda
    declared = vendor(account.vendor)
    known = runtime.state.account(account.vendor, account.name, runtime.clock)
    return bool(
        (account.polling and agenda.summary(account.vendor, account.name, now).due)
        or (declared.feed and account.status_updates)
        or any(_is_list_due(agenda, account, endpoint.name, now) for endpoint in declared.lists)
        or known.stopped_code
        or account.missing_secrets(runtime.environ)
    )


def is_to_wait(runtime: Runtime, account: Account) -> bool:
    """Whether an account is to be left alone for now, unless a person wants it."""
    return reason_to_wait(runtime.state, account, runtime.environ, runtime.clock) is not None


def _list_note(account: Account, endpoint: str) -> str:
    return f"list:{account.key}/{endpoint}"


def _is_list_due(agenda: Agenda, account: Account, endpoint: str, now: datetime) -> bool:
    if not account.polling:
        return False
    last = agenda.note(_list_note(account, endpoint))
    return last is None or abs(now - datetime.fromisoformat(last)) >= LISTS_EVERY


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    is_full: bool
    is_reconciling: bool
    check_keys: frozenset[int]
    endpoints: frozenset[str]


class _Job:
    """Pulling one account once; keeps what is reported should it end early."""

    def __init__(self, runtime: Runtime, account: Account, *, run_id: str, wanted: _Wanted) -> None:
        self.report = AccountReport(vendor=account.vendor, account=account.name)
        self._runtime = runtime
        self._account = account
        self._vendor = vendor(account.vendor)
        self._run_id = run_id
        self._wanted = wanted
        self._made = 0
        self._planned = 0
        self._told: frozenset[tuple[str, str]] = frozenset()

    async def run(self, secrets: dict[str, str], *, seconds: float | None) -> AccountReport:
        from screening_pipeline.client import AccountClient, Limits

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
            await self._drain(client)
            await self._lists(client, None if seconds is None else runtime.clock.monotonic() + seconds)
            await self._by_id(client, seconds)
        return self.report

    def _land(self, exchange: Exchange) -> Landed:
        landed = self._runtime.landing.receive(exchange)
        self._made += 1
        self._runtime.progress(self._account.key, self._made, max(self._planned, self._made))
        return landed

    async def _drain(self, client: AccountClient) -> None:
        """The feed forgets what it hands out: it comes first, and a gap in it is settled by asking every open id."""
        feed = self._vendor.feed
        if feed is None or not self._account.status_updates or feed.name not in self._wanted.endpoints:
            return
        runtime = self._runtime
        drained = await _feed(runtime, self._account).drain(client, run_id=self._run_id)
        if drained.is_in_doubt:  # also where the feed alone was to be asked
            by_id = {endpoint.name for endpoint in self._vendor.endpoints if endpoint.is_by_id}
            endpoints = self._wanted.endpoints | by_id
            self._wanted = replace(self._wanted, is_full=True, check_keys=frozenset(), endpoints=endpoints)
        self._told = drained.told
        self.report = replace(self.report, feed_messages=drained.messages, gaps=drained.gaps, feed_code=drained.code)

    async def _lists(self, client: AccountClient, until: float | None) -> None:
        agenda, now = self._runtime.agenda, self._runtime.clock.now()
        for endpoint in self._vendor.lists:
            is_wanted = endpoint.name in self._wanted.endpoints
            if is_wanted and _is_list_due(agenda, self._account, endpoint.name, now):
                landed = await client.call(endpoint.name, until=until)
                if landed.is_accepted:
                    agenda.remember(_list_note(self._account, endpoint.name), now.isoformat())

    async def _by_id(self, client: AccountClient, seconds: float | None) -> None:
        from screening_pipeline.client import Pull

        if not self._account.polling:
            return
        items = self._due()
        self._planned = self._made + len(items)
        outcome = await client.pull_all(
            [Pull(subject=i.subject, check_id=i.check_id, due_at=i.next_pull_at) for i in items], seconds=seconds
        )
        left = {(pull.subject, pull.check_id) for pull in outcome.left_pulls}
        now = self._runtime.clock.now()
        asked = (item.check_key for item in items if (item.subject, item.check_id) not in left)
        self._runtime.agenda.postpone(asked, now + JUST_ASKED)
        self.report = replace(
            self.report,
            accepted=outcome.accepted,
            rejected=outcome.rejected,
            missing=outcome.missing,
            failed=outcome.failed,
            left=outcome.left,
            code=outcome.code,
        )
        if outcome.code is None and outcome.missing and self._known.knows_none:
            self.report = replace(self.report, code=KNOWS_NONE, message=_KNOWS_NONE_SAYS)
        # Those that were asked in vain are asked again by themselves: for one of them not all are asked every time.
        if outcome.code is None and not outcome.left:
            for gap in self.report.gaps:
                self._runtime.agenda.remember(_gap_note(gap), now.isoformat())

    @property
    def _known(self) -> AccountState:
        return self._runtime.state.account(self._account.vendor, self._account.name, self._runtime.clock)

    def _due(self) -> list[Item]:
        runtime, account, wanted = self._runtime, self._account, self._wanted
        if wanted.is_reconciling:
            return _ended_lately(runtime, account)
        without = [e.subject for e in self._vendor.endpoints if e.subject and e.name not in wanted.endpoints]
        items = runtime.agenda.due(
            account.vendor, account.name, runtime.clock.now(), is_full=wanted.is_full, without=without
        )
        # What the feed has just told needs no asking, and a check that it ended must not be asked.
        items = [item for item in items if (item.subject, item.check_id) not in self._told]
        return [item for item in items if not wanted.check_keys or item.check_key in wanted.check_keys]


_ENDED = """
select check_key, vendor, account, subject, check_id, closed_at, 'reconciliation'
from star.fact_check
where is_terminal and vendor = {vendor} and account = {account} and subject <> 'subscription' and closed_at >= {since}
order by closed_at, check_key
"""


def _ended_lately(runtime: Runtime, account: Account) -> list[Item]:
    since = (runtime.clock.now() - RECONCILED).isoformat()
    names = {"vendor": account.vendor, "account": account.name, "since": since}
    with runtime.warehouse() as connection:
        rows = connection.execute(_ENDED.format(**{k: warehouse.quote(v) for k, v in names.items()})).fetchall()
    return [Item(*row) for row in rows]


def _feed(runtime: Runtime, account: Account) -> Feed:
    from screening_pipeline.feed import Feed

    is_proxied = runtime.settings.http.proxies_from_environment
    return Feed(runtime.landing, vendor(account.vendor), account.name, clock=runtime.clock, is_proxied=is_proxied)


def _gap_note(gap: Gap) -> str:
    return f"gap:{gap.vendor}/{gap.account}/{gap.id}"


def settle(runtime: Runtime, connection: warehouse.Connection) -> Settled:
    """Bring everything that was landed into the star, and plan what is asked next; what the run did to the star."""
    prepare(connection, runtime)
    landed = news.landed(runtime.landing)
    with ingest.transaction(connection):
        runtime.journal.written |= ingest.advance(connection, runtime.landing, part_key=runtime.part_key)
        settled = (runtime.journal.settled or Settled()) + _counted(connection)
        _forget_plans(runtime, _touched_accounts(connection))
        _note_accounts(connection, runtime)
        gaps = _note_gaps(connection, runtime)
    for feed, gap in gaps:
        feed.acknowledge(gap)
    build.drop_work(connection)
    runtime.journal.landed_read = landed  # of manifests nothing: only `take_orders` reads them
    _plan_what_is_old(connection, runtime)
    return settled


def _counted(connection: warehouse.Connection) -> Settled:
    row = connection.execute(
        "select (select count(*) from batch_response), "
        "(select count(distinct check_key) from star.fact_check_event semi join touched using (check_key) "
        " where response_id in (select response_id from batch_response)), "
        "(select count(*) from ops.reject where response_id in (select response_id from batch_response))"
    ).fetchone()
    responses, changed, rejects = row or (0, 0, 0)
    return Settled(responses=responses, changed=changed, rejects=rejects)


def _note_gaps(connection: warehouse.Connection, runtime: Runtime) -> list[tuple[Feed, Gap]]:
    """Put every gap of a feed on record in `ops.feed_gap`; those that a full round of pulls has settled."""
    settled = []
    for account in runtime.settings.accounts:
        if not account.status_updates or vendor(account.vendor).feed is None:
            continue
        feed = _feed(runtime, account)
        for gap in feed.gaps():
            settled_at = runtime.agenda.note(_gap_note(gap))
            connection.execute(f"delete from ops.feed_gap where gap_id = {warehouse.quote(gap.id)}")
            warehouse.insert(connection, "ops.feed_gap", [_gap_row(gap, runtime.clock.now(), settled_at)])
            if settled_at:
                settled.append((feed, gap))
    return settled


def _gap_row(gap: Gap, now: datetime, settled_at: str | None) -> dict[str, object]:
    return {
        "gap_id": gap.id,
        "vendor": gap.vendor,
        "account": gap.account,
        "requested_at": str(gap.requested_at),
        "reason": gap.reason,
        "salvaged": gap.salvaged,
        "noted_at": now.isoformat(),
        "settled_at": settled_at,
    }


def _note_accounts(connection: warehouse.Connection, runtime: Runtime) -> None:
    warehouse.replace(connection, "ops.account_state", (_account_row(runtime, a) for a in runtime.settings.accounts))


def _account_row(runtime: Runtime, account: Account) -> dict[str, object]:
    state = runtime.state.account(account.vendor, account.name, runtime.clock)
    moments = {
        "cool_down_until": state.silent_until,
        "stopped_at": state.stopped_at,
        "last_error_at": state.last_error_at,
        "last_success_at": state.answered_at,
    }
    return {
        "vendor": account.vendor,
        "account": account.name,
        "stopped_code": state.stopped_code,
        "last_error": state.last_error,
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
    }


def note_run(runtime: Runtime, connection: warehouse.Connection, *, run_id: str, trigger: str) -> None:
    """Keep one row about the run that the journal tells of, in `ops.run`."""
    journal, now = runtime.journal, runtime.clock.now()
    settled = journal.settled or Settled()
    row = {
        "run_id": run_id,
        "started_at": (journal.started_at or now).isoformat(),
        "finished_at": now.isoformat(),
        "trigger": trigger,
        "order_count": journal.taken.orders,
        "call_count": sum(report.calls for report in journal.reports),
        "changed_count": settled.changed,
        "reject_count": settled.rejects + journal.taken.rejects,
        "failed_accounts": [f"{r.vendor}/{r.account}" for r in journal.reports if r.code not in (None, *AS_PLANNED)],
    }
    warehouse.insert(connection, "ops.run", [row])


def exit_code(reports: Sequence[AccountReport], rejects: int) -> int:
    """0 done, 1 something needs attention, 2 no account has its secret, 3 another process is asking all of them."""
    codes = {report.code for report in reports}
    for problem in (MissingSecret, LockHeld):
        if codes == {problem.code}:
            return problem.exit_code
    return int(bool(rejects) or any(report.needs_attention for report in reports))
