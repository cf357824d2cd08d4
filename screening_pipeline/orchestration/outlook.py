"""What waits, as sensors see it before they ask for a run."""

import os
from pathlib import Path

from screening_pipeline.base.clock import Clock, system_clock
from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.settings import load
from screening_pipeline.settings.account import Account
from screening_pipeline.settings.settings import Settings
from screening_pipeline.state.pull_queue import Agenda, Summary
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline.state.store import State

MINUTES_A_RUN = 5


def prepared_settings() -> Settings:
    """The configuration that holds here, its folders made. Raises ScreeningError."""
    settings = load.load(os.environ, Path.cwd())
    settings.paths.create()
    return settings


class Outlook:
    """What a sensor needs to know, read without the warehouse, which may be busy."""

    def __init__(self, settings: Settings, vendor: Vendor, clock: Clock) -> None:
        self.settings = settings
        self.vendor = vendor
        self.clock = clock
        self.state = State(settings.paths.state)
        self.agenda = Agenda(self.state)
        self.limiter = Limiter(self.state, clock)
        self.accounts = [a for a in settings.accounts if a.vendor == vendor.slug]
        self.left_out = () if "subscription" not in vendor.subjects else ("subscription",)

    @classmethod
    def of(cls, vendor: Vendor) -> "Outlook":
        """The outlook of the configuration that holds here. Raises ScreeningError."""
        return cls(prepared_settings(), vendor, system_clock(os.environ))

    def summary(self, account: Account) -> Summary:
        """How many are open and due, and when the next one is."""
        return self.agenda.summary(account.vendor, account.name, self.clock.now(), without=self.left_out)

    def used(self, account: Account) -> int:
        """Calls of the last minute."""
        return self.limiter.used_last_window(account.vendor, account.name)

    def due_keys(self, account: Account) -> list[int]:
        """What one run may ask for: the most urgent, as many as the budget of some minutes allows."""
        limit = max(1, account.requests_per_minute * MINUTES_A_RUN - self.used(account))
        now = self.clock.now()
        items = self.agenda.due(account.vendor, account.name, now, limit=limit, without=self.left_out)
        return [item.check_key for item in items]
