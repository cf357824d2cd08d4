"""The reading of one manifest, into `new_order` and `ops.reject`: at once, or in parts of which each is committed.

A file is read in parts where it holds many orders, since a transaction is memory until it ends. Its bytes are copied
first, and are what was hashed: whoever changes the file meanwhile changes another file, as a second later. Who is
stopped in between goes on after the last line that is there, as long as the file is that file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from screening_pipeline.base import memory_files
from screening_pipeline.base.progress import Progress
from screening_pipeline.base.sql_text import quote
from screening_pipeline.domain.exchange import HttpExchange, new_response_id
from screening_pipeline.orders import creations, files, readers
from screening_pipeline.orders.files import Looks, Manifest, Problem, Row
from screening_pipeline.orders.rows import read
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse import catalog, session

if TYPE_CHECKING:
    from screening_pipeline.landing.area import Landing
    from screening_pipeline.orders.blocks import Orders
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.warehouse.session import Connection


# Told states that are landed together.
STATES_AT_ONCE = 1_000
# The time of a file may be set to anything: outside of these it is no time of an answer.
_YEARS = range(2000, 9999)
_CHUNK = 1024 * 1024
SMALL_BYTES = 256 * 1024
"""What has no more is read at once, whatever it holds."""


@dataclass(frozen=True)
class Load:
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


@dataclass(frozen=True)
class Part:
    """What was read since the part before; `is_end`: the file was read to its end."""

    orders: int = 0
    rejects: int = 0
    is_end: bool = False

    def __add__(self, other: Part) -> Part:
        return Part(self.orders + other.orders, self.rejects + other.rejects, other.is_end)


def take(
    connection: Connection,
    manifest: Manifest,
    load: Load,
    found: Looks,
    *,
    lines: Collection[int] | None = None,
    most: int | None = None,
) -> Iterator[Part]:
    """Read one manifest, or only its `lines`; nothing where it was changed meanwhile.

    After each part of `most` orders or a few more the caller has to commit, and then go on.
    """
    if lines is not None:
        connection.execute(catalog.statement("take_back_refused_orders", reject_prefix=_prefix(manifest)))
    part = Part()
    with _copied(manifest, most) as (stable, is_same):
        if not is_same:
            _forget(connection, manifest, found)
            return
        is_parted = stable is not manifest and lines is None
        done, whole = _read_before(connection, manifest) if is_parted else (0, Part())
        for orders in _told(read(connection, stable, load.settings, key=load.key), manifest, load.progress):
            told = orders.after(done) if lines is None else orders.of(lines)
            kept = _keep(connection, manifest, told, load.noted)
            whole, part = whole + kept, part + kept
            if is_parted and most is not None and part.orders >= most:
                yield part
                part = Part()
    if stable is manifest and files.is_changed(manifest, found):
        _forget(connection, manifest, found)
        return
    _end(connection, manifest, load, whole, is_again=lines is not None)
    yield replace(part, is_end=True)


def _end(connection: Connection, manifest: Manifest, load: Load, whole: Part, *, is_again: bool) -> None:
    if manifest.created_by and load.landing is not None:
        _land_states(load.landing, manifest, load)
    if is_again:
        _note_again(connection, manifest, whole, load.accounts)
    else:
        _note(connection, manifest, whole, load)


@contextmanager
def _copied(manifest: Manifest, most: int | None) -> Iterator[tuple[Manifest, bool]]:
    """A file that may hold many orders as a copy that nobody can change, and whether it still was what was hashed."""
    if most is None or manifest.size <= SMALL_BYTES or manifest.created_by:
        yield manifest, True
        return
    digest, left = hashlib.sha256(), manifest.size
    with memory_files.on_disk() as path, manifest.open() as file, path.open("wb") as copy:
        while left and (chunk := file.read(min(left, _CHUNK))):
            digest.update(chunk)
            copy.write(chunk)
            left -= len(chunk)
        copy.flush()
        yield replace(manifest, copy=path), digest.hexdigest() == manifest.sha256


def _read_before(connection: Connection, manifest: Manifest) -> tuple[int, Part]:
    """Up to which line a manifest was read by who was stopped, and what that brought."""
    given = {"reject_prefix": _prefix(manifest), "file_sha256": quote(manifest.sha256)}
    line, orders, rejects = connection.execute(catalog.statement("find_part", **given)).fetchone() or (0, 0, 0)
    return line, Part(orders, rejects)


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


def _land_states(landing: Landing, manifest: Manifest, load: Load) -> None:
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


def _keep(connection: Connection, manifest: Manifest, orders: Orders, noted: Row) -> Part:
    """Append what was read."""
    source = {"file": manifest.name, "file_sha256": manifest.sha256} | noted
    session.insert_columns(connection, "new_order", orders.columns, source)
    session.insert(connection, "new_order", orders.rows, source)
    session.insert(connection, "ops.reject", [_reject(manifest, problem, noted) for problem in orders.problems])
    return Part(orders.size, len(orders.problems))


def _note(connection: Connection, manifest: Manifest, kept: Part, load: Load) -> None:
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


def _note_again(connection: Connection, manifest: Manifest, kept: Part, accounts: str) -> None:
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
