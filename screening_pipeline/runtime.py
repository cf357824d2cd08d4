"""Everything a cycle works with, put together once: settings, clock, keys, landing area, shared state."""

from __future__ import annotations

import contextvars
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from screening_pipeline import durable, warehouse
from screening_pipeline import settings as configuration
from screening_pipeline.agenda import Agenda
from screening_pipeline.clock import Clock, system_clock
from screening_pipeline.errors import ConfigurationError
from screening_pipeline.intake import Intake
from screening_pipeline.landing import Landing
from screening_pipeline.limiter import Limiter
from screening_pipeline.paths import Paths
from screening_pipeline.progress import Progress, no_progress
from screening_pipeline.pseudonym import kept_key, landing_key, pseudonym_key
from screening_pipeline.settings import Settings
from screening_pipeline.state import State
from screening_pipeline.vendors import all_vendors

if TYPE_CHECKING:
    from screening_pipeline.cycle import AccountReport, Settled

# Where numpy comes with OpenBLAS, that starts a thread for each core, and each spins for a tenth of a second before it
# sleeps; nothing here multiplies matrices.
_NO_LINEAR_ALGEBRA = ("OPENBLAS_NUM_THREADS", "1")


@dataclass
class Journal:
    """What the steps of one run tell each other and whoever started it."""

    run_id: str | None = None
    started_at: datetime | None = None
    taken: Intake = field(default_factory=Intake)
    reports: list[AccountReport] = field(default_factory=list)
    settled: Settled | None = None
    written: set[str] = field(default_factory=set)
    """The tables of which rows were written or removed."""
    orders_read: dict[str, list[int]] | None = None
    landed_read: dict[str, int] | None = None
    """What this run has read of all that was there (`news`); None where it has not looked."""

    def begin(self, now: datetime) -> None:
        """A new run begins; what the last one told is forgotten."""
        self.started_at, self.taken, self.settled = now, Intake(), None
        self.orders_read = self.landed_read = None
        self.reports.clear()
        self.written.clear()

    def enter(self, run_id: str, now: datetime) -> None:
        """A step of this run begins, which may be its first one."""
        if run_id != self.run_id:
            self.run_id = run_id
            self.begin(now)


@dataclass(frozen=True)
class Runtime:
    """What a cycle works with. Open it with `opened`; it holds keys, so it is never shown."""

    settings: Settings
    environ: Mapping[str, str] = field(repr=False)
    clock: Clock
    state: State
    agenda: Agenda
    limiter: Limiter
    landing: Landing
    key: bytes = field(repr=False)
    progress: Progress = no_progress
    journal: Journal = field(default_factory=Journal)
    lock_wait_seconds: float = warehouse.LOCK_WAIT_SECONDS

    @property
    def part_key(self) -> str:
        """The key of the hashes that stand for people's names in labels."""
        return hashlib.blake2b(b"labels", key=self.key[:64], digest_size=16).hexdigest()

    @contextmanager
    def warehouse(self) -> Iterator[warehouse.Connection]:
        """The live warehouse for writing. Raises LockHeld when another process keeps it for too long."""
        from screening_pipeline import erasure, news

        paths, wait = self.settings.paths, self.lock_wait_seconds
        if erasure.is_pending(self):
            erasure.finish(self)
        with warehouse.writer(
            paths.warehouse, lock_path=paths.warehouse_lock, clock=self.clock, wait_seconds=wait
        ) as connection:
            before = news.known(self.agenda, self.settings)
            yield connection
        orders, landed = self.journal.orders_read, self.journal.landed_read
        news.remember(self.agenda, self.settings, before, orders_read=orders, landed_read=landed)


@contextmanager
def opened(
    environ: Mapping[str, str],
    cwd: Path,
    *,
    settings: Settings | None = None,
    clock: Clock | None = None,
    progress: Progress = no_progress,
) -> Iterator[Runtime]:
    """A runtime for the configuration that holds here; with none, the bundled sandbox runs for as long.

    Raises ConfigurationError, EnvironmentFailed.
    """
    clock = clock or system_clock(environ)
    with addressed(settings or configuration.load(environ, cwd), clock) as reachable:
        yield assembled(reachable, environ, clock, progress)


@contextmanager
def addressed(settings: Settings, clock: Clock) -> Iterator[Settings]:
    """The settings with an address for every account: with no configuration, the bundled sandbox runs for as long."""
    settings.paths.create()
    with ExitStack() as stack:
        if settings.is_embedded_sandbox and not settings.accounts[0].base_url:
            from screening_pipeline import embedded

            settings, _ = stack.enter_context(embedded.sandbox(settings, now=clock.now()))
        yield settings


def assembled(
    settings: Settings, environ: Mapping[str, str], clock: Clock, progress: Progress = no_progress
) -> Runtime:
    """A runtime of settings whose accounts have their addresses.

    Raises ConfigurationError where a key is missing or is not the one in use, or where the star is to live where this
    version cannot write.
    """
    require_writable(settings)
    if not settings.is_embedded_sandbox:
        _claim(settings.paths)
    os.environ.setdefault(*_NO_LINEAR_ALGEBRA)
    state = State(settings.paths.state)
    return Runtime(
        settings=settings,
        environ=environ,
        clock=clock,
        state=state,
        agenda=Agenda(state),
        limiter=Limiter(state, clock),
        landing=Landing(
            settings.paths.landing,
            vendors=all_vendors(),
            spool_key=kept_key(settings.paths.spool_key),
            landing_key=landing_key(settings, environ),
            secrets=(secret for account in settings.accounts for secret in account.known_secrets(environ)),
            clock=clock,
        ),
        key=pseudonym_key(settings, environ),
        progress=progress,
    )


def _claim(paths: Paths) -> None:
    """Have the data folder be that of configured accounts."""
    paths.create()
    with durable.telling(paths.claim.name):
        paths.claim.touch(durable.FILE_MODE)


def require_writable(settings: Settings) -> None:
    """Raise ConfigurationError where the star is to live where this version cannot write."""
    if settings.engine != "duckdb":
        problem = f'must be "duckdb": this version writes nothing to "{settings.engine}" yet'
        raise ConfigurationError([problem], source="warehouse.engine")


_ACTIVE: contextvars.ContextVar[Runtime | None] = contextvars.ContextVar("runtime", default=None)


@contextmanager
def active(runtime: Runtime) -> Iterator[None]:
    """Have Dagster runs started in this process work with `runtime`."""
    token = _ACTIVE.set(runtime)
    try:
        yield
    finally:
        _ACTIVE.reset(token)


@contextmanager
def current() -> Iterator[Runtime]:
    """The runtime of this process, or one opened from the environment, as in a run worker."""
    given = _ACTIVE.get()
    if given is not None:
        yield given
        return
    with opened(os.environ, Path.cwd()) as runtime:
        yield runtime
