"""The suppression list: keyed hashes of erased people and checks, whose later messages are kept out.

The hashes are computed where the ids are, in the warehouse, under the session's variable `part_key`.
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

from screening_pipeline.domain import ids
from screening_pipeline.landing.line import Envelope, Told, without
from screening_pipeline.landing.mentions import possible_ids
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse import catalog

if TYPE_CHECKING:
    from screening_pipeline.landing.area import Landing
    from screening_pipeline.landing.interface import Tail
    from screening_pipeline.warehouse.session import Connection


def is_anybody(connection: Connection) -> bool:
    """Whether the suppression list has any entry."""
    return bool(connection.execute("from staging.erased limit 1").fetchall())


def suppress_orders(connection: Connection) -> None:
    """Remove suppressed orders from `new_order`, and suppress new checks of erased people."""
    if is_anybody(connection):
        _require_key(connection)
        connection.execute(catalog.statement("skip_orders"))


def _require_key(connection: Connection) -> None:
    """Raise RuntimeError where the session has no key, without which the suppression list matches nothing."""
    if connection.execute("select coalesce(getvariable('part_key'), '') <> ''").fetchone() != (True,):
        raise RuntimeError("the session has no part_key; nobody who was erased would be recognized")


def erase_suppressed(connection: Connection, landing: Landing, batch: Sequence[Tail]) -> bool:
    """Erase suppressed checks from the landed files of the scanned `batch`; whether there were any.

    Lines keep their places, so that the batch can be scanned again.
    """
    if not is_anybody(connection):
        return False
    _require_key(connection)
    connection.execute(catalog.statement("keep_out_watchers"))
    mentioned: dict[tuple[str, str], set[Told]] = defaultdict(set)
    for vendor, account, subject, check_id in connection.execute(catalog.statement("find_mentioned")).fetchall():
        mentioned[vendor, account].add((subject, check_id))
    for tail in batch if mentioned else ():
        landing.rewrite(tail.file, lambda envelope: _less(envelope, mentioned[envelope["vendor"], envelope["account"]]))
    _scrub_unread(connection, landing)
    return bool(mentioned)


def _less(envelope: Envelope, gone: set[Told]) -> Envelope | None:
    return without(envelope, gone) if gone else None


def _scrub_unread(connection: Connection, landing: Landing) -> None:
    """Wipe refused texts that name an erased check. What was read of the lines stays true."""
    unread = connection.execute(catalog.statement("find_unread_bodies")).fetchall()
    if not unread:
        return
    (part_key,) = connection.execute("select getvariable('part_key')").fetchone() or ("",)
    erased = {one for (one,) in connection.execute("select pseudonym from staging.erased").fetchall()}
    for slug, account, day, response_ids in unread:
        landing.rewrite(
            landing.file_for(slug, account, day),
            lambda envelope: _less(envelope, _named(envelope, part_key, erased)),
            response_ids=response_ids,
        )


def _named(envelope: Envelope, part_key: str, erased: Container[str]) -> set[Told]:
    """The erased checks that the text of a body names."""
    raw = base64.b64decode(envelope["body_base64"] or b"")
    texts = envelope["body_text"] or "", raw.decode("latin-1"), raw.decode("utf-8", "replace")
    whose = envelope["vendor"], envelope["account"]
    subjects = sorted(all_vendors()[envelope["vendor"]].subjects)
    return {
        (subject, name)
        for name in set().union(*map(possible_ids, texts))
        for subject in subjects
        if any(
            _hash(part_key, *whose, written) in erased or _hash(part_key, *whose, subject, written) in erased
            for written in ids.written_forms(name)
        )
    }


def _hash(part_key: str, *told: str) -> str:
    """The keyed hash of a check as `staging.written_hash` computes it; without a subject it holds for all."""
    return hashlib.sha256("\x1f".join((part_key, "erased check", *told)).encode()).hexdigest()
