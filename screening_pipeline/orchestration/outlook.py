"""The pending work as sensors and schedules see it, before they request a run."""

import os
from collections.abc import Callable, Collection, Mapping
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg

from screening_pipeline.base.clock import Clock
from screening_pipeline.base.errors import ScreeningError
from screening_pipeline.cycle.lists import is_list_due
from screening_pipeline.domain.vocabulary import ONGOING
from screening_pipeline.http.account_gate import reason_to_wait
from screening_pipeline.orchestration.keys import PULL
from screening_pipeline.orchestration.liveness import under_way
from screening_pipeline.runtime import unread
from screening_pipeline.runtime.opening import build_runtime
from screening_pipeline.runtime.shared import shared_clock, shared_locks, shared_store
from screening_pipeline.settings import load
from screening_pipeline.settings.account import Account
from screening_pipeline.settings.settings import Settings
from screening_pipeline.state.pull_queue import PullQueue, Summary
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline.vendors import all_vendors, vendor
from screening_pipeline.warehouse.engines import engine_of

Context = TypeVar("Context")
Answer = TypeVar("Answer")
# How long a run goes on at most. Its process costs some seconds to start, and what it brings is published meanwhile.
MINUTES_A_RUN = 15


def prepared_settings() -> Settings:
    """The configuration in force, with its folders created. Raises ScreeningError."""
    settings = load.load(os.environ, Path.cwd())
    settings.paths.create()
    return settings


def telling_why_not(evaluate: Callable[[Context], Answer]) -> Callable[[Context], Answer | dg.SkipReason]:
    """A tick of a sensor or schedule that skips, and says why, where the configuration or the machine is at fault."""

    @wraps(evaluate)
    def evaluated(context: Context) -> Answer | dg.SkipReason:
        try:
            return evaluate(context)
        except ScreeningError as problem:
            return dg.SkipReason(str(problem))

    return evaluated


class Outlook:
    """The pending work of all accounts, read from the shared state without the warehouse; Dagster's runs once."""

    def __init__(self, settings: Settings, clock: Clock, instance: dg.DagsterInstance) -> None:
        self.settings = settings
        self.clock = clock
        self.state = shared_store(settings)
        self.pull_queue = PullQueue(self.state)
        self.limiter = Limiter(self.state, clock)
        self.locks = shared_locks(settings)
        self._instance = instance

    @classmethod
    def now(cls, instance: dg.DagsterInstance) -> "Outlook":
        """The outlook under the configuration in force. Raises ScreeningError."""
        settings = prepared_settings()
        return cls(settings, shared_clock(settings, os.environ), instance)

    @property
    def is_everywhere(self) -> bool:
        """Whether several machines land what is said, and any may merge it."""
        return self.settings.landing.url is not None

    def accounts(self, slug: str) -> list[Account]:
        """The accounts of one vendor."""
        return [account for account in self.settings.accounts if account.vendor == slug]

    @cached_property
    def runs(self) -> list[dg.DagsterRun]:
        """The queued and running runs."""
        return list(under_way(self._instance, self.settings.paths))

    @cached_property
    def _asked(self) -> Collection[str]:
        return {key for run in self.runs for key in self._accounts_of(run)}

    def _accounts_of(self, run: dg.DagsterRun) -> Collection[str]:
        """The accounts that a run asks, by what it was given, else by its job; a run that somebody put together: none.

        Whoever asks one of those meanwhile finds its lock held, which costs nothing.
        """
        named = _config(run).get("accounts")
        if named:
            return [str(key) for key in named]
        slugs = [slug for slug in all_vendors() if run.job_name in (f"{slug}_recheck_job", f"{slug}_pull_job")]
        chosen = list(all_vendors()) if run.job_name in ("recheck", "sync") else slugs
        return [account.key for account in self.settings.accounts if account.vendor in chosen]

    def is_asked(self, account: Account) -> bool:
        """Whether a run that asks the account is queued or running."""
        return account.key in self._asked

    def summary(self, account: Account) -> Summary:
        """How many are open and due that a recheck asks for, and when the next one is."""
        return self.pull_queue.summary(account.vendor, account.name, self.clock.now(), without=tuple(ONGOING))

    def is_anything_due(self, account: Account) -> bool:
        """Whether anything of an account is to be asked for now: a check of any subject, its feed or a list."""
        declared, now = vendor(account.vendor), self.clock.now()
        return bool(
            (account.polling and self.pull_queue.is_due(account.vendor, account.name, now))
            or (declared.feed and account.status_updates)
            or any(is_list_due(self.pull_queue, account, endpoint, now) for endpoint in declared.lists)
        )

    def trouble(self, account: Account) -> str | None:
        """The reason why asking an account would be useless now (silence, stop, outage, missing secret)."""
        return reason_to_wait(self.state, account, os.environ, self.clock)

    @property
    def is_warehouse_busy(self) -> bool:
        """Whether somebody writes the warehouse right now."""
        return engine_of(self.settings).is_busy()

    def is_anything_unread(self) -> bool:
        """Whether orders or messages wait on disk, or one has become the state of its check meanwhile."""
        settings, pull_queue = self.settings, self.pull_queue
        folder = unread.manifest_marks(settings)
        return bool(
            (folder and not unread.are_manifests_read(pull_queue, settings, folder))
            or unread.unread_files(pull_queue, settings, build_runtime(settings, os.environ, self.clock).landing)
            or unread.unfinished(pull_queue, settings)
            or unread.settling(pull_queue, self.clock.now())
        )

    def used(self, account: Account) -> int:
        """Rate limit slots used in the last minute."""
        return self.limiter.used_last_window(account.vendor, account.name)


def _config(run: dg.DagsterRun) -> Mapping[str, Any]:
    """What the pulling step of a run was given."""
    found: Any = run.run_config
    for key in ("ops", PULL, "config"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}
