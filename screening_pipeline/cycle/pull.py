"""Pulling accounts side by side, each at its own limit; what has come is settled while calls go on.

All accounts of a run are tasks of one event loop. One account's trouble (a refusal, a silence, a process that asks it
already, even a bug) is in its report and costs the others nothing; only the machine's own ends the run.
"""

from __future__ import annotations

import asyncio
import signal
import threading
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from screening_pipeline.base.errors import EnvironmentFailed, LockHeld, ScreeningError
from screening_pipeline.base.named_locks import pull_lock
from screening_pipeline.cycle import turns
from screening_pipeline.cycle.account_pull import AccountPull, Wanted, left_out
from screening_pipeline.cycle.lists import is_list_due
from screening_pipeline.cycle.stay import Stay
from screening_pipeline.http.account_gate import reason_to_wait
from screening_pipeline.landing.writer import Writer
from screening_pipeline.runtime import unread
from screening_pipeline.runtime.results import AccountReport
from screening_pipeline.vendors import vendor

if TYPE_CHECKING:
    from screening_pipeline.runtime.context import Runtime
    from screening_pipeline.settings.account import Account

# Until the plan is made anew, what was just asked is not asked again.
JUST_ASKED = timedelta(minutes=15)
INTERNAL_ERROR = "internal_error"
_PAUSE_SECONDS = 5.0
_LOCK_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """What a run is to ask. `endpoints`: the vendor → names of its calls; a vendor that is missing is asked for all.

    `seconds` bounds the run (`Stay`): until then accounts are looked at again, as long as any is at work, or to the end
    if it `is_lingering` (feeds are then drained every minute) and no orders wait to be read. Without it what is due at
    the start is asked, once.
    """

    is_full: bool = False
    is_reconciling: bool = False
    check_keys: Collection[int] = ()
    endpoints: Mapping[str, Collection[str]] = field(default_factory=dict)
    seconds: float | None = None
    is_lingering: bool = False

    def of(self, account: Account) -> Wanted:
        """What of it concerns an account."""
        return Wanted(
            is_full=self.is_full,
            is_reconciling=self.is_reconciling,
            check_keys=frozenset(self.check_keys),
            endpoints=frozenset(self.endpoints.get(account.vendor, vendor(account.vendor).endpoint_names)),
        )


def pull_account(
    runtime: Runtime,
    account: Account,
    *,
    run_id: str,
    is_full: bool = False,
    endpoints: Collection[str] | None = None,
) -> AccountReport:
    """`pull_accounts` for one; `endpoints` narrows it to some of the vendor's calls."""
    named = {} if endpoints is None else {account.vendor: endpoints}
    (report,) = pull_accounts(runtime, [account], PullRequest(is_full=is_full, endpoints=named), run_id=run_id)
    return report


def pull_accounts(
    runtime: Runtime,
    accounts: Iterable[Account],
    request: PullRequest,
    *,
    run_id: str,
    settle: Callable[[], object] | None = None,
) -> list[AccountReport]:
    """Pull accounts side by side; a report for each, in their order.

    `settle` brings what was landed to where it is read; it is called in a thread, while calls go on. Vendor failures
    are in the reports; only errors of the machine (EnvironmentFailed) are raised.
    """
    chosen = list(accounts)
    if not chosen:
        return []
    runtime.landing.store.require_room()
    with _interruptible(), _writing(runtime) as writer:
        return asyncio.run(_Round(runtime, request, writer, run_id=run_id).all(chosen, settle))


@contextmanager
def _writing(runtime: Runtime) -> Iterator[Writer]:
    writer = Writer(runtime.landing, is_bounded=False)
    try:
        yield writer
    finally:
        writer.close()


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
    known = runtime.state.account(account.vendor, account.name, runtime.clock)
    return bool(
        is_due(runtime, account, vendor(account.vendor).endpoint_names)
        or (vendor(account.vendor).feed and account.status_updates)
        or known.stopped_code
        or account.missing_secrets(runtime.environ)
    )


def is_due(runtime: Runtime, account: Account, endpoints: Collection[str]) -> bool:
    """Whether a check or a list of these calls is to be asked for now."""
    now, pull_queue = runtime.clock.now(), runtime.pull_queue
    lists = (endpoint for endpoint in vendor(account.vendor).lists if endpoint.name in endpoints)
    left = left_out(account, endpoints)
    return bool(
        (account.polling and pull_queue.is_due(account.vendor, account.name, now, without=left))
        or any(is_list_due(pull_queue, account, endpoint, now) for endpoint in lists)
    )


def is_to_wait(runtime: Runtime, account: Account) -> bool:
    """Whether an account should not be pulled now (silence, stop, outage, missing secret)."""
    return reason_to_wait(runtime.state, account, runtime.environ, runtime.clock) is not None


class _Round:
    """The pulling of one run: an event loop with a task for each account."""

    def __init__(self, runtime: Runtime, request: PullRequest, writer: Writer, *, run_id: str) -> None:
        self._runtime = runtime
        self._request = request
        self._writer = writer
        self._run_id = run_id
        self._stay = Stay(runtime, request.seconds, request.is_lingering)
        self._at_work = 0
        self._turns = turns.Turns(runtime.pull_queue, runtime.clock)
        self._asked: dict[int, datetime] = {}

    async def all(self, accounts: Sequence[Account], settle: Callable[[], object] | None) -> list[AccountReport]:
        """The report of each account. What the machine fails with ends all of them."""
        tasks = [asyncio.create_task(self._pulled(account)) for account in accounts]
        try:
            await self._watched(tasks, settle)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return [task.result() for task in tasks]

    async def _watched(self, tasks: Sequence[asyncio.Task[AccountReport]], settle: Callable[[], object] | None) -> None:
        """Wait for the tasks, and have settled what has come meanwhile."""
        pending, pause = set(tasks), turns.SETTLED_EVERY_SECONDS
        while pending:
            done, pending = await asyncio.wait(pending, timeout=pause, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
            until_turn = self._turns.wait()
            pause = until_turn or turns.SETTLED_EVERY_SECONDS
            if pending and settle is not None and not until_turn and self._is_anything_unread():
                await self._settled(settle)

    async def _settled(self, settle: Callable[[], object]) -> None:
        """Settle, which plans what was asked anew; but nobody knows yet how what is asked meanwhile was answered."""
        self._put_off_asked()
        self._asked = {}
        await asyncio.to_thread(settle)
        self._turns.taken()
        self._put_off_asked()

    def _is_anything_unread(self) -> bool:
        return bool(unread.unread_files(self._runtime.pull_queue, self._runtime.settings, self._runtime.landing))

    def _put_off_asked(self) -> None:
        """Put off what was asked and is in no plan yet: another run may have settled it meanwhile."""
        queue = self._runtime.pull_queue
        since = turns.settled_until(queue, self._runtime.clock)
        if since is not None:
            self._asked = {key: at for key, at in self._asked.items() if at >= since}
        if self._asked:
            queue.postpone(self._asked, self._runtime.clock.now() + JUST_ASKED)

    async def _pulled(self, account: Account) -> AccountReport:
        """The report of one account, whatever befalls it."""
        blank = AccountReport(vendor=account.vendor, account=account.name)
        if not account.is_asked:
            return replace(blank, message="only pushed to (polling = false)")
        try:
            return await self._looks(account, account.secrets(self._runtime.environ))
        except (EnvironmentFailed, OSError, MemoryError):
            raise
        except ScreeningError as problem:
            return replace(blank, code=problem.code, message=str(problem))
        except Exception as problem:  # noqa: BLE001 - ours to mend, and no reason to keep the others waiting
            return replace(blank, code=INTERNAL_ERROR, message=_place_of(problem))

    async def _looks(self, account: Account, secrets: Mapping[str, str]) -> AccountReport:
        pulling = AccountPull(
            self._runtime,
            account,
            run_id=self._run_id,
            secrets=secrets,
            writer=self._writer,
            settled=self._note_asked,
        )
        wanted = self._request.of(account)
        async with pulling.client:
            report = await self._looked(pulling, wanted)
            while await self._is_to_look_again(pulling, wanted):
                report += await self._looked(pulling, wanted)
        return report

    def _note_asked(self, check_key: int) -> None:
        self._asked[check_key] = self._runtime.clock.now()

    async def _looked(self, pulling: AccountPull, wanted: Wanted) -> AccountReport:
        runtime, account = self._runtime, pulling.account
        self._at_work += 1
        try:
            with ExitStack() as held:
                if problem := await self._alone(held, account):
                    return pulling.report(code=problem.code, message=f"already being asked: {problem}")
                runtime.state.resume(account.vendor, account.name)
                report = await pulling.look(wanted, seconds=self._stay.seconds_of_a_look())
                self._stay.note(report)
                return report
        finally:
            self._put_off_asked()  # else the next look would ask the same
            self._at_work -= 1

    async def _alone(self, held: ExitStack, account: Account) -> LockHeld | None:
        """Take the lock of the account; why not, where another process keeps it. The others are asked meanwhile."""
        runtime = self._runtime
        name = pull_lock(account.vendor, account.name)
        until = runtime.clock.monotonic() + runtime.lock_wait_seconds
        while True:
            try:
                held.enter_context(runtime.locks.hold(name))
            except LockHeld as problem:
                if runtime.clock.monotonic() >= until:
                    return problem
                await runtime.clock.asleep(_LOCK_PAUSE_SECONDS)
            else:
                return None

    async def _is_to_look_again(self, pulling: AccountPull, wanted: Wanted) -> bool:
        """Wait until something of the account is due; False where the run ends before."""
        while self._stay.goes_on(pause=_PAUSE_SECONDS, is_any_at_work=self._at_work > 0):
            await self._runtime.clock.asleep(_PAUSE_SECONDS)
            if not is_to_wait(self._runtime, pulling.account) and self._is_due(pulling, wanted):
                return True
        return False

    def _is_due(self, pulling: AccountPull, wanted: Wanted) -> bool:
        is_feed_due = self._request.is_lingering and pulling.is_feed_due(wanted)
        return is_feed_due or is_due(self._runtime, pulling.account, wanted.endpoints)


def _place_of(problem: Exception) -> str:
    """Where an unforeseen error arose, without its text, which may quote an answer."""
    last = traceback.extract_tb(problem.__traceback__)[-1]
    return f"{type(problem).__name__} at {Path(last.filename).name}:{last.lineno}: a fault of this program"
