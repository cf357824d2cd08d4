"""The intake of orders: manifests in data/orders/ → rows of `raw.order`, each file once, by its content.

Answers to calls that create a check are manifests, too (`orders.creations`): what state they tell is landed.

A row that cannot be right goes to `ops.reject` with its file, line and reason; the rest of the file loads. The
files are the customer's: they are never moved or changed, and a person's reference leaves them only as a keyed
pseudonym.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from screening_pipeline.base.clock import Clock, StandingClock
from screening_pipeline.base.progress import Progress, no_progress
from screening_pipeline.orders import files, settlement, taking
from screening_pipeline.orders.files import Look, Looks
from screening_pipeline.orders.spellings import refused_lines
from screening_pipeline.orders.taking import Load
from screening_pipeline.warehouse import batch, catalog, session, suppression
from screening_pipeline.warehouse.rebuild import STEP_CHECKS

if TYPE_CHECKING:
    from screening_pipeline.landing.area import Landing
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.warehouse.session import Connection


# Orders of one transaction: as many checks as a rebuild computes in one, since what they cost is memory until its end.
STEP_ORDERS = STEP_CHECKS


@dataclass(frozen=True)
class IntakeCounts:
    """What one look into the folder brought; `waiting` says by file why it is not read, or not to its end."""

    files: int = 0
    orders: int = 0
    rejects: int = 0
    waiting: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __add__(self, other: IntakeCounts) -> IntakeCounts:
        return IntakeCounts(
            self.files + other.files,
            self.orders + other.orders,
            self.rejects + other.rejects,
            {**self.waiting, **other.waiting},
        )


Step = tuple[IntakeCounts, bool]
"""What a step brought, and whether another one follows."""


def take_in(
    connection: Connection,
    settings: Settings,
    *,
    key: bytes,
    now: datetime,
    run_id: str,
    progress: Progress = no_progress,
    clock: Clock | None = None,
    landing: Landing | None = None,
) -> IntakeCounts:
    """Read every new manifest into `raw.order` and number the checks it announces; land the states that they tell.

    Of those read before only the rows that were refused for their account, where other accounts are configured now.
    The rows stay in the temporary table `new_order` for the batch that follows.
    """
    load = Load(settings, key, now, run_id, progress, landing)
    ((taken, _),) = _steps(connection, load, clock or StandingClock(now), most=None)
    return taken


def steps(
    connection: Connection,
    settings: Settings,
    *,
    key: bytes,
    run_id: str,
    progress: Progress,
    clock: Clock,
    landing: Landing,
) -> Iterator[Step]:
    """The same in steps of some `STEP_ORDERS` orders, each of which is to be taken and committed with its batch.

    There is at least one.
    """
    return _steps(connection, Load(settings, key, clock.now(), run_id, progress, landing), clock, most=STEP_ORDERS)


def _steps(connection: Connection, load: Load, clock: Clock, *, most: int | None) -> Iterator[Step]:
    looks, found, taken = known_looks(connection), Looks(), IntakeCounts()
    _begin(connection)
    for part in _parts(connection, load, looks, found, clock, most):
        taken += part
        if most is not None and taken.orders >= most:
            _register(connection, load)
            yield taken, True
            taken = IntakeCounts()
            _begin(connection)
    if taken.files or taken.orders:
        _register(connection, load)
    if found.looks != looks:
        _keep_looks(connection, found)
        settlement.settle_files(connection, found, load.now)
    yield taken + IntakeCounts(waiting=found.waiting), False


def _begin(connection: Connection) -> None:
    connection.execute("create or replace temp table new_order as from raw.order limit 0")


def _register(connection: Connection, load: Load) -> None:
    settlement.settle_rows(connection, key=load.key, now=load.now)
    suppression.suppress_orders(connection)
    batch.register_orders(connection)


def _parts(
    connection: Connection, load: Load, looks: Mapping[str, Look], found: Looks, clock: Clock, most: int | None
) -> Iterator[IntakeCounts]:
    """What is read of each manifest, in parts."""
    refused = refused_lines(connection, load.accounts)
    known = {row[0] for row in connection.execute("select file_sha256 from raw.order_file").fetchall()}
    folder = load.settings.paths.orders
    for manifest in files.unread(folder, looks, clock, found, reread=tuple(refused)):
        lines = refused.pop(manifest.sha256, None)
        if manifest.sha256 not in known or lines is not None:
            for part in taking.take(connection, manifest, load, found, lines=lines, most=most):
                yield IntakeCounts(int(part.is_end), part.orders, part.rejects)
            known.add(manifest.sha256)


def known_looks(connection: Connection) -> dict[str, Look]:
    """What was read of the files of the folder, by name."""
    found = connection.execute(
        "select file, mark, seen_at, seen_monotonic, file_sha256, is_whole from staging.order_look"
    )
    return {name: Look(json.loads(mark), *seen) for name, mark, *seen in found.fetchall()}


def dialects(connection: Connection) -> dict[str, str]:
    """How the files that are there are written, by name; those that are written as the README has it are left out."""
    found = connection.execute(catalog.statement("find_dialects"))
    return dict(found.fetchall())


def _keep_looks(connection: Connection, found: Looks) -> None:
    rows = (
        {
            "file": name,
            "mark": json.dumps(look.mark),
            "file_sha256": look.sha256,
            "is_whole": look.is_whole,
            "seen_at": look.seen_at.isoformat(),
            "seen_monotonic": look.seen_monotonic,
        }
        for name, look in found.looks.items()
    )
    session.replace(connection, "staging.order_look", rows)
