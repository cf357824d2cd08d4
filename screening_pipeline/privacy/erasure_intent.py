"""The write-ahead intent of an erasure: sealed on disk before anything is removed, read to finish it after a crash."""

from __future__ import annotations

import base64
import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from screening_pipeline.base import files, sealing
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.base.failures import telling
from screening_pipeline.base.named_locks import ERASURE
from screening_pipeline.runtime import unread
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
class ErasureIntent:
    """The write-ahead intent of an erasure: everything it is to remove."""

    erasure: Erasure
    requested_at: str
    checks: list[Check]
    hashes: list[str]


def first_column(connection: Connection, query: str) -> list[Any]:
    """The first column of a query's rows."""
    return [row[0] for row in connection.execute(query).fetchall()]


def is_pending(runtime: Runtime) -> bool:
    """Whether there is an unfinished erasure."""
    return (_is_shared(runtime) and bool(_noted(runtime))) or runtime.settings.paths.erasure_intent.exists()


def alone(runtime: Runtime) -> AbstractContextManager[None]:
    """The lock of erasures, as a context manager: one at a time, since there is one intent file. Raises LockHeld."""
    return runtime.locks.hold(ERASURE, wait_seconds=runtime.lock_wait_seconds)


def _sealer(runtime: Runtime) -> sealing.Sealer:
    return sealing.Sealer(runtime.landing.key_for("erasure"), "erasure")


def write_intent(runtime: Runtime, intent: ErasureIntent) -> None:
    """Write the sealed intent with which the erasure begins. Whoever opens the warehouse next finishes it."""
    with telling(_CONTEXT):
        sealed = _sealer(runtime).seal(json.dumps(asdict(intent)).encode(), _CONTEXT)
        if _is_shared(runtime):
            runtime.pull_queue.remember(unread.ERASURE, base64.b64encode(sealed).decode())
        else:
            files.write_new(runtime.settings.paths.erasure_intent, sealed)


def forget_intent(runtime: Runtime) -> None:
    """It is carried out."""
    paths = runtime.settings.paths
    if _is_shared(runtime):
        runtime.pull_queue.forget([unread.ERASURE])
    with telling("the data folder"):
        paths.erasure_intent.unlink(missing_ok=True)
        files.sync_folder(paths.data_dir)


def _is_shared(runtime: Runtime) -> bool:
    """Whether any machine may be the one that finishes it: then it is in their database."""
    return runtime.settings.landing.url is not None


def _noted(runtime: Runtime) -> str:
    return runtime.pull_queue.note(unread.ERASURE) or ""


def read_intent(runtime: Runtime) -> ErasureIntent:
    """The intent of the unfinished erasure. Raises EnvironmentFailed where it cannot be read."""
    try:
        noted = _noted(runtime) if _is_shared(runtime) else ""
        sealed = base64.b64decode(noted) if noted else runtime.settings.paths.erasure_intent.read_bytes()
        values = json.loads(_sealer(runtime).unseal(sealed, _CONTEXT))
    except EnvironmentFailed:
        raise EnvironmentFailed(
            f"an erasure that was begun cannot be finished: {_CONTEXT} is damaged, or was written with another "
            f"{runtime.settings.paths.spool_key.name}; put that key back, or delete {_CONTEXT} and erase again",
            code="wrong_key",
        ) from None
    checks = [check for given in values["checks"] for check in _with_subjects(*given)]
    return ErasureIntent(Erasure(**values["erasure"]), values["requested_at"], checks, values["hashes"])


def _with_subjects(vendor: str, account: str, *rest: str) -> list[Check]:
    """A check as it was written down; an earlier version, which was stopped, meant whatever has the id."""
    *subjects, check_id = rest
    return [(vendor, account, subject, check_id) for subject in subjects or all_vendors()[vendor].subjects]
