"""The intake of orders: manifests in data/orders/ → rows of `raw.order`, each file once, by its content.

Answers to calls that create a check are manifests, too (`orders.creations`): what state they tell is landed.

A row that cannot be right goes to `ops.reject` with its file, line and reason; the rest of the file loads. The
files are the customer's: they are never moved or changed, and a person's reference leaves them only as a keyed
pseudonym.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from screening_pipeline.base.clock import Clock, StandingClock
from screening_pipeline.base.progress import Progress, no_progress
from screening_pipeline.base.sql_text import quote
from screening_pipeline.domain.exchange import HttpExchange, new_response_id
from screening_pipeline.orders import creations, files, readers, settlement
from screening_pipeline.orders.blocks import Orders
from screening_pipeline.orders.files import Look, Looks, Manifest, Problem, Row
from screening_pipeline.orders.rows import read
from screening_pipeline.orders.spellings import refused_lines
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse import batch, catalog, session, suppression

if TYPE_CHECKING:
    from screening_pipeline.landing.area import Landing
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.warehouse.session import Connection


# Told states that are landed together.
STATES_AT_ONCE = 1_000
# The time of a file may be set to anything: outside of these it is no time of an answer.
_YEARS = range(2000, 9999)


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


@dataclass(frozen=True)
class _Load:
    """Under which configuration and key files are read, when and by whom, and where what they tell is landed."""

    settings: Settings
    key: bytes
    now: datetime
    run_id: str
    progress: Progress
    landing: Landing | None

    @property
    def accounts(self) -> str:
        return ", ".join(self.settings.account_keys)

    @property
    def noted(self) -> Row:
        return {"loaded_at": self.now.isoformat(), "run_id": self.run_id}


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
    load = _Load(settings, key, now, run_id, progress, landing)
    refused = refused_lines(connection, load.accounts)
    known = {row[0] for row in connection.execute("select file_sha256 from raw.order_file").fetchall()}
    connection.execute("create or replace temp table new_order as from raw.order limit 0")
    found, taken = Looks(), IntakeCounts()
    looks = known_looks(connection)
    changed = files.unread(settings.paths.orders, looks, clock or StandingClock(now), found, reread=tuple(refused))
    for manifest in changed:
        lines = refused.get(manifest.sha256)
        if manifest.sha256 not in known or lines is not None:
            taken += _take(connection, manifest, load, found, lines)
            known.add(manifest.sha256)
            refused.pop(manifest.sha256, None)
    if taken.files:
        settlement.settle_rows(connection, key=key, now=now)
        suppression.suppress_orders(connection)
        batch.register_orders(connection)
    if found.looks != looks:
        _keep_looks(connection, found)
        settlement.settle_files(connection, found, now)
    return taken + IntakeCounts(waiting=found.waiting)


def _take(
    connection: Connection, manifest: Manifest, load: _Load, found: Looks, lines: Collection[int] | None
) -> IntakeCounts:
    """Read one manifest, or only its `lines`; nothing where it was changed meanwhile."""
    outcomes = _told(read(connection, manifest, load.settings, key=load.key), manifest, load.progress)
    if lines is not None:
        connection.execute(catalog.statement("take_back_refused_orders", reject_prefix=_prefix(manifest)))
        outcomes = (orders.of(lines) for orders in outcomes)
    kept = _keep(connection, manifest, outcomes, load.noted)
    if files.is_changed(manifest, found):
        _forget(connection, manifest, found)
        return IntakeCounts()
    if manifest.created_by and load.landing is not None:
        _land_states(load.landing, manifest, load)
    if lines is None:
        _note(connection, manifest, kept, load)
    else:
        _note_again(connection, manifest, kept, load.accounts)
    return kept


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


def _forget(connection: Connection, manifest: Manifest, found: Looks) -> None:
    """Take back all that was read of a file that was changed meanwhile."""
    given = {"reject_prefix": _prefix(manifest), "file_sha256": quote(manifest.sha256)}
    connection.execute(catalog.statement("forget_manifest", **given))
    files.note(found, manifest.name, None, is_whole=False)
    found.waiting[manifest.name] = files.BEING_WRITTEN


def _prefix(manifest: Manifest) -> str:
    """With what the ids of the rejects of a manifest begin, as a literal."""
    return quote(f"{manifest.sha256[:16]}/")


def _told(read: Iterator[Orders], manifest: Manifest, progress: Progress) -> Iterator[Orders]:
    number = 0
    for orders in read:
        number += orders.size + len(orders.problems)
        progress("reading orders", number, max(number, manifest.line_count))
        yield orders


def _land_states(landing: Landing, manifest: Manifest, load: _Load) -> None:
    """Land what the answers say of their checks as the first that was seen of them: at the time of the file.

    That it was before anything that is asked now is certain, also where the clock stands still.
    """
    slug, account = manifest.created_by or ("", "")
    if (slug, account) not in {(a.vendor, a.name) for a in load.settings.accounts}:
        return
    written = datetime.fromtimestamp(manifest.path.stat().st_mtime, UTC)
    seen_at = load.now - timedelta(seconds=1)
    if written.year in _YEARS:
        seen_at = min(written, seen_at)
    declared = all_vendors()[slug]
    told = (c for _, c in creations.read(manifest.content(), declared) if isinstance(c, creations.Creation) and c.body)
    exchanges = (
        HttpExchange(
            response_id=new_response_id(seen_at, number / 1e9),
            vendor=slug,
            account=account,
            endpoint=declared.endpoint_for(creation.subject).name,
            channel="push",  # told without being asked for
            requested_at=seen_at,
            received_at=seen_at,
            run_id=load.run_id,
            subject=creation.subject,
            check_id=creation.check_id,
            http_status=200,
            body=creation.body or b"",
        )
        for number, creation in enumerate(told)
    )
    while batch := list(islice(exchanges, STATES_AT_ONCE)):
        landing.receive_together(batch)


def _keep(connection: Connection, manifest: Manifest, read: Iterator[Orders], noted: Row) -> IntakeCounts:
    """Append what was read."""
    source = {"file": manifest.name, "file_sha256": manifest.sha256} | noted
    kept = IntakeCounts(files=1)
    for orders in read:
        session.insert_columns(connection, "new_order", orders.columns, source)
        session.insert(connection, "new_order", orders.rows, source)
        session.insert(connection, "ops.reject", [_reject(manifest, problem, noted) for problem in orders.problems])
        kept += IntakeCounts(orders=orders.size, rejects=len(orders.problems))
    return kept


def _note(connection: Connection, manifest: Manifest, kept: IntakeCounts, load: _Load) -> None:
    row = {
        "file_sha256": manifest.sha256,
        "file": manifest.name,
        "row_count": kept.orders + kept.rejects,
        "reject_count": kept.rejects,
        "accounts": load.accounts,
        "dialect": readers.words_of(manifest),
        **load.noted,
    }
    session.insert(connection, "raw.order_file", [row])


def _note_again(connection: Connection, manifest: Manifest, kept: IntakeCounts, accounts: str) -> None:
    given = {"accounts": quote(accounts), "file_sha256": quote(manifest.sha256)}
    connection.execute(catalog.statement("note_manifest_again", taken=kept.orders, **given))


def _reject(manifest: Manifest, problem: Problem, noted: Row) -> Row:
    return {
        "reject_id": f"{manifest.sha256[:16]}/{problem.line or 0}",
        "source": "manifest",
        "file": manifest.name,
        "line": problem.line,
        "reason": problem.reason,
        "detail": problem.detail,
        "row_key": problem.row_key,
        "rejected_at": noted["loaded_at"],
    }
