"""Construction of the runtime: settings, clock, keys, landing area, shared state, put together once."""

from __future__ import annotations

import contextvars
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from screening_pipeline.base import files
from screening_pipeline.base.clock import Clock
from screening_pipeline.base.failures import telling
from screening_pipeline.base.progress import Progress, no_progress
from screening_pipeline.landing.area import Landing
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.runtime.shared import (
    require_same_keys,
    shared_clock,
    shared_landing,
    shared_locks,
    shared_store,
)
from screening_pipeline.settings import load, moved
from screening_pipeline.settings.keys import landing_key, pseudonym_key, spool_key
from screening_pipeline.settings.paths import Paths
from screening_pipeline.settings.readers import give_to_group
from screening_pipeline.settings.settings import Settings
from screening_pipeline.state.pull_queue import PullQueue
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline.state.reserve import keep_reserve
from screening_pipeline.state.run_ledger import RunLedger
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse.engines import engine_of

# Where numpy comes with OpenBLAS, that starts a thread for each core, and each spins for a tenth of a second before it
# sleeps; nothing here multiplies matrices.
_NO_LINEAR_ALGEBRA = ("OPENBLAS_NUM_THREADS", "1")


@contextmanager
def open_runtime(
    environ: Mapping[str, str],
    cwd: Path,
    *,
    settings: Settings | None = None,
    clock: Clock | None = None,
    progress: Progress = no_progress,
) -> Iterator[Runtime]:
    """Context manager: the runtime of the configuration in force; without one, of the bundled sandbox, which it runs.

    Raises ConfigurationError, EnvironmentFailed.
    """
    settings = settings or load.load(environ, cwd)
    clock = clock or shared_clock(settings, environ)
    with addressed(settings, clock) as reachable:
        yield build_runtime(reachable, environ, clock, progress)


@contextmanager
def addressed(settings: Settings, clock: Clock) -> Iterator[Settings]:
    """Context manager: settings whose accounts all have URLs; without a configuration it runs the bundled sandbox."""
    settings.paths.create()
    with ExitStack() as stack:
        if settings.is_embedded_sandbox and not settings.accounts[0].base_url:
            from screening_pipeline.runtime import bundled_sandbox

            settings, _ = stack.enter_context(bundled_sandbox.sandbox(settings, now=clock.now()))
        yield settings


def build_runtime(
    settings: Settings,
    environ: Mapping[str, str],
    clock: Clock,
    progress: Progress = no_progress,
    *,
    may_be_moved: bool = False,
) -> Runtime:
    """The runtime for settings whose accounts all have URLs.

    Raises ConfigurationError where a key is missing or is not the one in use; UsageError where what machines share was
    moved elsewhere, unless it may be.
    """
    engine_of(settings)  # before anything is written: it tells what is missing
    if not settings.is_embedded_sandbox:
        _claim(settings.paths)
    give_to_group(settings)
    os.environ.setdefault(*_NO_LINEAR_ALGEBRA)
    state, spooling = shared_store(settings, environ), spool_key(settings, environ)
    key = pseudonym_key(settings, environ)
    require_same_keys(settings, environ)
    if settings.state.url_env and not may_be_moved and (to := PullQueue(state).note("moved_to")):
        moved.refuse("what the machines share", to)
    keep_reserve(settings.paths.state)
    return Runtime(
        settings=settings,
        environ=environ,
        clock=clock,
        state=state,
        pull_queue=PullQueue(state),
        limiter=Limiter(state, clock),
        ledger=RunLedger(state),
        locks=shared_locks(settings, environ, clock),
        landing=Landing(
            settings.paths.landing,
            vendors=all_vendors(),
            spool_key=spooling,
            landing_key=landing_key(settings, environ),
            secrets=(secret for account in settings.accounts for secret in account.known_secrets(environ)),
            clock=clock,
            store=shared_landing(settings, environ, clock, spool_key=spooling),
        ),
        key=key,
        progress=progress,
    )


def _claim(paths: Paths) -> None:
    """Mark the data folder as used by configured accounts."""
    paths.create()
    with telling(paths.claim.name):
        paths.claim.touch(files.FILE_MODE)


_ACTIVE: contextvars.ContextVar[Runtime | None] = contextvars.ContextVar("runtime", default=None)


@contextmanager
def use_runtime(runtime: Runtime) -> Iterator[None]:
    """Context manager: makes `runtime` the one that Dagster runs in this process use."""
    token = _ACTIVE.set(runtime)
    try:
        yield
    finally:
        _ACTIVE.reset(token)


@contextmanager
def runtime_of_process() -> Iterator[Runtime]:
    """Context manager: the active runtime of this process, or one opened from the environment, as in a run worker."""
    given = _ACTIVE.get()
    if given is not None:
        yield given
        return
    with open_runtime(os.environ, Path.cwd()) as runtime:
        yield runtime
