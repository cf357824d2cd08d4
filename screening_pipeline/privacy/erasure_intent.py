"""An erasure that was begun: written down before anything is removed, read by whoever finishes it."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from screening_pipeline.base import files, locks, sealing
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.base.failures import telling
from screening_pipeline.vendors import all_vendors

if TYPE_CHECKING:
    from screening_pipeline.runtime.context import Runtime
    from screening_pipeline.warehouse.session import Connection


Check = tuple[str, str, str, str]
"""Vendor, account, subject and the vendor's id."""
_CONTEXT = "erasure.sealed"


@dataclass(frozen=True)
class Erasure:
    """One row of `ops.erasure`, without its instants. `pseudonym` is a keyed hash of what was erased."""

    erasure_id: str
    kind: str
    pseudonym: str
    check_count: int
    response_count: int
    order_count: int


@dataclass(frozen=True)
class Intent:
    """What an erasure is to remove, as it is kept sealed until that is done."""

    erasure: Erasure
    requested_at: str
    checks: list[Check]
    hashes: list[str]


def first_column(connection: Connection, query: str) -> list[Any]:
    """The first value of every row of a query."""
    return [row[0] for row in connection.execute(query).fetchall()]


def is_pending(runtime: Runtime) -> bool:
    """Whether an erasure was begun and is not finished."""
    return runtime.settings.paths.erasure_intent.exists()


def alone(runtime: Runtime) -> AbstractContextManager[None]:
    """One erasure at a time: there is one file for what is to be done. Raises LockHeld."""
    paths, wait = runtime.settings.paths, runtime.lock_wait_seconds
    return locks.lock(paths.erasure_lock, clock=runtime.clock, wait_seconds=wait)


def _sealer(runtime: Runtime) -> sealing.Sealer:
    return sealing.Sealer(runtime.landing.key_for("erasure"), "erasure")


def write_intent(runtime: Runtime, intent: Intent) -> None:
    """Have the erasure begin: from here on whoever opens the warehouse finishes it."""
    with telling(_CONTEXT):
        sealed = _sealer(runtime).seal(json.dumps(asdict(intent)).encode(), _CONTEXT)
        files.write_new(runtime.settings.paths.erasure_intent, sealed)


def read_intent(runtime: Runtime) -> Intent:
    """The erasure that was begun. Raises EnvironmentFailed where it cannot be read."""
    try:
        sealed = runtime.settings.paths.erasure_intent.read_bytes()
        values = json.loads(_sealer(runtime).unseal(sealed, _CONTEXT))
    except EnvironmentFailed:
        raise EnvironmentFailed(
            f"an erasure that was begun cannot be finished: {_CONTEXT} is damaged, or was written with another "
            f"{runtime.settings.paths.spool_key.name}; put that key back, or delete {_CONTEXT} and erase again",
            code="wrong_key",
        ) from None
    checks = [check for given in values["checks"] for check in _with_subjects(*given)]
    return Intent(Erasure(**values["erasure"]), values["requested_at"], checks, values["hashes"])


def _with_subjects(vendor: str, account: str, *rest: str) -> list[Check]:
    """A check as it was written down; an earlier version, which was stopped, meant whatever has the id."""
    *subjects, check_id = rest
    return [(vendor, account, subject, check_id) for subject in subjects or all_vendors()[vendor].subjects]
