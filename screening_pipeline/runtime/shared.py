"""What processes share, by what is configured: of one machine in its data folder, of several in a database."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from screening_pipeline.base.clock import Clock, StandingClock, system_clock
from screening_pipeline.base.errors import ConfigurationError
from screening_pipeline.base.failures import telling
from screening_pipeline.base.files import write_once
from screening_pipeline.base.named_locks import FileLocks, Locks
from screening_pipeline.settings.keys import digest_of
from screening_pipeline.settings.settings import Settings
from screening_pipeline.state.interface import Store
from screening_pipeline.state.store import State

if TYPE_CHECKING:
    from screening_pipeline.landing.interface import LandingStore
    from screening_pipeline.state.postgres_landing import PostgresLanding
    from screening_pipeline.state.postgres_locks import PostgresLocks
    from screening_pipeline.state.postgres_store import PostgresStore
    from screening_pipeline.state.shared_clock import SharedClock


def shared_store(settings: Settings, environ: Mapping[str, str] = os.environ) -> Store:
    """The shared state. Raises ConfigurationError where the variable of its address is not usable."""
    address = _address(settings, environ)
    return State(settings.paths.state) if address is None else _store(*address)


def shared_locks(settings: Settings, environ: Mapping[str, str] = os.environ, clock: Clock | None = None) -> Locks:
    """The locks of accounts and erasures."""
    address = _address(settings, environ)
    return FileLocks(settings.paths.data_dir, clock) if address is None else _locks(*address)


def shared_clock(settings: Settings, environ: Mapping[str, str]) -> Clock:
    """The clock of whatever is shared; the frozen one where SCREENING_NOW asks for it.

    Raises ConfigurationError, and EnvironmentFailed where the database cannot be asked.
    """
    machine, address = system_clock(environ), _address(settings, environ)
    return machine if address is None or isinstance(machine, StandingClock) else _clock(*address)


def shared_landing(
    settings: Settings, environ: Mapping[str, str], clock: Clock, *, spool_key: bytes
) -> LandingStore | None:
    """The landing area of several machines; None where it lies in the data folder. Raises ConfigurationError."""
    address = _address(settings, environ)
    if address is None or settings.landing.url is None:
        return None
    from screening_pipeline.landing.objects import objects_at
    from screening_pipeline.landing.shared_store import SharedStore

    paths = settings.paths
    with telling(paths.machine.name, folder=paths.data_dir):
        if not paths.machine.exists():
            write_once(paths.machine, f"{secrets.token_hex(16)}\n".encode())
        holder = paths.machine.read_text(encoding="ascii").strip()
    objects = objects_at(settings.landing.url)
    return SharedStore(_landing(*address), objects, root=paths.landing, spool_key=spool_key, holder=holder, clock=clock)


def require_same_keys(settings: Settings, environ: Mapping[str, str]) -> None:
    """Have all machines that share what is landed use the same keys. Raises ConfigurationError."""
    address, privacy = _address(settings, environ), settings.privacy
    if address is None or settings.landing.url is None:
        return
    rows = _landing(*address)
    named = {"pseudonym": privacy.pseudonym_key_env, "spool": privacy.spool_key_env, "landing": privacy.landing_key_env}
    for name, variable in named.items():
        if variable is not None and (given := environ.get(variable, "").strip()):
            digest = digest_of(given.encode())
            if rows.key_in_use(name, digest) != digest:
                problem = "is not the key that other machines use for what they share: give all the same one"
                raise ConfigurationError([problem], source=variable)


def _address(settings: Settings, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The address and the key that names it; None where the data folder is all that is shared."""
    variable = settings.state.url_env
    if variable is None:
        return None
    url = environ.get(variable, "").strip()
    if url.partition("://")[0].partition("+")[0] not in ("postgresql", "postgres"):  # Dagster's may name a driver
        problem = "must begin with postgresql://" if url else "is not set in the environment"
        raise ConfigurationError([f"{variable} {problem}"], source="state.url_env")
    return url, f"{variable} (state.url_env)"


# One of each for a process: its connections are those of its threads, and its locks those of one session.


@cache
def _store(url: str, where: str) -> PostgresStore:
    from screening_pipeline.state.postgres_store import PostgresStore

    return PostgresStore(url, where)


@cache
def _landing(url: str, where: str) -> PostgresLanding:
    from screening_pipeline.state.postgres_landing import PostgresLanding

    return PostgresLanding(url, where)


@cache
def _locks(url: str, where: str) -> PostgresLocks:
    from screening_pipeline.state.postgres_locks import PostgresLocks

    return PostgresLocks(url, where)


@cache
def _clock(url: str, where: str) -> SharedClock:
    from screening_pipeline.state.shared_clock import SharedClock

    return SharedClock(_store(url, where))
