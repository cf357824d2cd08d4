"""The steps of an erasure, each safe to repeat: landed lines, the warehouse, snapshots, files made of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening_pipeline.base import files
from screening_pipeline.base.failures import telling
from screening_pipeline.base.sql_text import quote
from screening_pipeline.privacy.erasure_intent import alone, first_column, forget_intent, is_pending, read_intent
from screening_pipeline.warehouse import batch, erasure_register, ingest, publish, rebuild, session
from screening_pipeline.warehouse.engines import engine_of

if TYPE_CHECKING:
    from screening_pipeline.landing.line import Told
    from screening_pipeline.privacy.erasure_intent import Check, ErasureIntent
    from screening_pipeline.runtime.context import Runtime
    from screening_pipeline.settings.paths import Paths
    from screening_pipeline.warehouse.session import Connection


def finish(runtime: Runtime) -> None:
    """Finish an interrupted erasure. Raises EnvironmentFailed; the next command tries again."""
    with alone(runtime):
        if is_pending(runtime):  # else whoever held the lock has done it
            finish_intent(runtime)


def finish_intent(runtime: Runtime) -> None:
    """Carry out the stored intent, from its first step; every step is idempotent."""
    intent, paths = read_intent(runtime), runtime.settings.paths
    engine = engine_of(runtime.settings)
    with engine.writer(clock=runtime.clock) as connection:
        batch.set_person_key(connection, runtime.key)
        ingest.prepare(connection, runtime.settings, runtime.landing, part_key=runtime.part_key)
        with session.transaction(connection):
            record_erasure(connection, intent, completed_at=None)
    register(runtime, intent, completed_at=None)
    _erase_landed(runtime, intent.checks)
    _renew(runtime, intent)
    with engine.deriving() as snapshot:  # what others made of the old snapshot stands in its place by now
        _forget_made_files(paths, snapshot)
    runtime.state.erase_not_found(intent.checks)  # the plan was made anew without them
    register(runtime, intent, completed_at=runtime.clock.now().isoformat())
    forget_intent(runtime)


def follow(runtime: Runtime, count: int) -> None:
    """Where another machine has erased somebody since, make anew or remove what this one made of earlier snapshots.

    `count`: how many the warehouse knows that were carried out.
    """
    paths = runtime.settings.paths
    with telling(paths.erasures_followed.name, folder=paths.data_dir):
        known = paths.erasures_followed
        if count == int(known.read_text(encoding="ascii") if known.exists() else 0):
            return
        engine = engine_of(runtime.settings)
        if not engine.is_published():  # one that is made anew, and has nothing yet of which files could be made
            _remove_pages(paths)
            return
        with engine.deriving() as snapshot:
            _forget_made_files(paths, snapshot)
        files.write_new(known, f"{count}".encode())


def completed(connection: Connection) -> int:
    """How many erasures the warehouse knows that were carried out."""
    found = connection.execute("select count(completed_at) from ops.erasure").fetchone()
    return int(found[0]) if found else 0


def _forget_made_files(paths: Paths, snapshot: Connection) -> None:
    _renew_parquet(paths, snapshot)
    _remove_pages(paths)


def _remove_pages(paths: Paths) -> None:
    for page in _pages(paths):
        page.unlink(missing_ok=True)


def register(runtime: Runtime, intent: ErasureIntent, *, completed_at: str | None) -> None:
    """Have the erasure outlive the warehouse, which knows of it: from here on every new one keeps them out."""
    row, places = _row_of(intent, completed_at), (runtime.settings.paths, runtime.landing)
    erasure_register.enter(*places, row, intent.hashes, part_key=runtime.part_key)


def _row_of(intent: ErasureIntent, completed_at: str | None) -> dict[str, Any]:
    """The row of `ops.erasure`."""
    return {**asdict(intent.erasure), "requested_at": intent.requested_at, "completed_at": completed_at}


def record_erasure(connection: Connection, intent: ErasureIntent, *, completed_at: str | None) -> None:
    """Insert the row of `ops.erasure`, and the hashes into the suppression list."""
    connection.execute(f"delete from ops.erasure where erasure_id = {quote(intent.erasure.erasure_id)}")
    session.insert(connection, "ops.erasure", [_row_of(intent, completed_at)])
    known = set(first_column(connection, "select pseudonym from staging.erased"))
    session.insert(connection, "staging.erased", [{"pseudonym": one} for one in intent.hashes if one not in known])


def _erase_landed(runtime: Runtime, checks: Iterable[Check]) -> None:
    runtime.landing.recover()
    gone: dict[tuple[str, str], set[Told]] = defaultdict(set)
    for vendor, account, subject, check_id in checks:
        gone[vendor, account].add((subject, check_id))
    for (vendor, account), theirs in gone.items():
        runtime.landing.erase(vendor, account, theirs)
    runtime.landing.store.forget_leftovers()


def _renew(runtime: Runtime, intent: ErasureIntent) -> None:
    """Put a warehouse in the place of the old one, and a snapshot in that of the published one."""
    from screening_pipeline.runtime import plans

    engine = engine_of(runtime.settings)
    with engine.renewed(clock=runtime.clock) as connection:
        batch.set_person_key(connection, runtime.key)
        _name_gone(connection, intent.checks)
        engine.keep_rest(connection)
        rebuild.rebuild(connection, runtime.landing, part_key=runtime.part_key, settings=runtime.settings)
        record_erasure(connection, intent, completed_at=runtime.clock.now().isoformat())
        plans.plan_again(connection, runtime)
        engine.publish(connection)


def _renew_parquet(paths: Paths, snapshot: Connection) -> None:
    """Put new Parquet files in the place of those there are; no set before them stays, not even for its readers."""
    if any(paths.parquet.parent.glob(f"{paths.parquet.name}*")):
        publish.export_parquet(snapshot, paths.parquet, is_last_kept=False)


def _pages(paths: Paths) -> list[Path]:
    """Files that may name the erased and are regenerated or temporary, half written ones of a crash included."""
    return [
        *(page for place in (paths.report, paths.earlier_report) for page in (place, *_drafts_of(place))),
        *paths.data_dir.glob(f"{paths.state.name}.broken"),
    ]


def _drafts_of(page: Path) -> Iterator[Path]:
    yield from page.parent.glob(f"{page.name}.part")
    yield from page.parent.glob(f".{page.name}.*")  # as an earlier version called it


def _name_gone(connection: Connection, checks: Iterable[Check]) -> None:
    connection.execute(
        "create or replace temp table gone "
        "(vendor varchar, account varchar, subject varchar, check_id varchar, check_key bigint)"
    )
    names = ("vendor", "account", "subject", "check_id")
    session.insert(connection, "gone", [dict(zip(names, check, strict=True)) for check in checks])
