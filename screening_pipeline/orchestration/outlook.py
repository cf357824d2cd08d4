"""The pending work as sensors see it, before they request a run."""

import os
from pathlib import Path

from screening_pipeline.base.clock import Clock, system_clock
from screening_pipeline.cycle.lists import is_list_due
from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.domain.vocabulary import ONGOING
from screening_pipeline.runtime import unread
from screening_pipeline.runtime.opening import build_runtime
from screening_pipeline.settings import load
from screening_pipeline.settings.account import Account
from screening_pipeline.settings.settings import Settings
from screening_pipeline.state.pull_queue import PullQueue, Summary
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline.state.store import State

MINUTES_A_RUN = 5


def prepared_settings() -> Settings:
    """The configuration in force, with its folders created. Raises ScreeningError."""
    settings = load.load(os.environ, Path.cwd())
    settings.paths.create()
    return settings


class Outlook:
    """The pending work of a vendor's accounts, read from the shared state without the warehouse."""

    def __init__(self, settings: Settings, vendor: Vendor, clock: Clock) -> None:
        self.settings = settings
        self.vendor = vendor
        self.clock = clock
        self.state = State(settings.paths.state)
        self.pull_queue = PullQueue(self.state)
        self.limiter = Limiter(self.state, clock)
        self.accounts = [a for a in settings.accounts if a.vendor == vendor.slug]
        self.left_out = tuple(subject for subject in ONGOING if subject in vendor.subjects)

    @classmethod
    def of(cls, vendor: Vendor) -> "Outlook":
        """The outlook for a vendor under the configuration in force. Raises ScreeningError."""
        return cls(prepared_settings(), vendor, system_clock(os.environ))

    def summary(self, account: Account) -> Summary:
        """How many are open and due that a recheck asks for, and when the next one is."""
        return self.pull_queue.summary(account.vendor, account.name, self.clock.now(), without=self.left_out)

    def is_anything_due(self, account: Account) -> bool:
        """Whether anything of an account is to be asked for now: a check of any subject, its feed or a list."""
        declared, now = self.vendor, self.clock.now()
        return bool(
            (account.polling and self.pull_queue.summary(account.vendor, account.name, now).due)
            or (declared.feed and account.status_updates)
            or any(is_list_due(self.pull_queue, account, endpoint, now) for endpoint in declared.lists)
        )

    def is_anything_unread(self) -> bool:
        """Whether orders or messages wait on disk, or one has become the state of its check meanwhile."""
        settings, pull_queue = self.settings, self.pull_queue
        folder = unread.manifest_marks(settings.paths)
        return bool(
            (folder and not unread.are_manifests_read(pull_queue, settings, folder))
            or unread.unread_files(pull_queue, settings, build_runtime(settings, os.environ, self.clock).landing)
            or unread.unfinished(settings.paths)
            or unread.settling(pull_queue, self.clock.now())
        )

    def used(self, account: Account) -> int:
        """Rate limit slots used in the last minute."""
        return self.limiter.used_last_window(account.vendor, account.name)

    def due_keys(self, account: Account) -> list[int]:
        """Check keys for one run: the most urgent due ones, as many as a few minutes' budget allows."""
        limit = max(1, account.requests_per_minute * MINUTES_A_RUN - self.used(account))
        now = self.clock.now()
        items = self.pull_queue.due(account.vendor, account.name, now, limit=limit, without=self.left_out)
        return [item.check_key for item in items]
