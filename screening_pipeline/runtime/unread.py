"""Whether anything came since the warehouse last read everything there was: told from names, sizes and times alone.

Other accounts are news, too: rows of old manifests may be for them; and so is an erasure that was begun, until it is
finished, as whoever opens the warehouse next does. The note is kept in the shared state, which may be lost; then
everything is read as if it were new, which changes nothing. It also says which warehouse did the reading: one put back
from a copy has not read it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from screening_pipeline.base.files import mark_of
from screening_pipeline.orders.files import manifests

if TYPE_CHECKING:
    from screening_pipeline.landing.area import Landing
    from screening_pipeline.settings.paths import Paths
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.state.pull_queue import Agenda


_NOTE = "warehouse_read"


def orders(paths: Paths) -> dict[str, list[int]]:
    """The manifests that are there now. Take it before reading them: what comes meanwhile is news again."""
    return {path.name: mark for path in manifests(paths.orders) if (mark := mark_of(path))}


def landed(landing: Landing) -> dict[str, int]:
    """How far each landed file goes now. Take it before reading them, as well."""
    return {tail.file: tail.end for tail in landing.tails({})}


@dataclass(frozen=True)
class Note:
    """What a warehouse has read: under which accounts which manifests, and how far of which landed files.

    `warehouse` tells its file, as it was then: inode, size and time.
    """

    warehouse: list[int]
    accounts: list[str]
    orders: dict[str, list[int]]
    landed: dict[str, int]


def known(agenda: Agenda, settings: Settings) -> Note | None:
    """What the warehouse, as it is now, is known to have read."""
    note = _noted(agenda)
    return note if note and note.warehouse == mark_of(settings.paths.warehouse) else None


def remember(
    agenda: Agenda,
    settings: Settings,
    before: Note | None,
    *,
    orders_read: dict[str, list[int]] | None,
    landed_read: dict[str, int] | None,
) -> None:
    """Note what the warehouse, as it is now and closed, has read: of what was not read now what was known before."""
    told = {"accounts": before.accounts, "orders": before.orders, "landed": before.landed} if before else {}
    if orders_read is not None:
        told |= {"accounts": settings.account_keys, "orders": orders_read}
    if landed_read is not None:
        told |= {"landed": landed_read}
    mark = mark_of(settings.paths.warehouse)
    if mark and len(told) == len(fields(Note)) - 1:
        agenda.remember(_NOTE, json.dumps({"warehouse": mark, **told}))


def is_any(agenda: Agenda, settings: Settings, landing: Landing) -> bool:
    """Whether the warehouse, as it is now, may have something to read, or somebody to forget."""
    note = known(agenda, settings)
    if note is None or [note.accounts, note.orders] != [settings.account_keys, orders(settings.paths)]:
        return True
    return bool(landing.tails(note.landed) or unfinished(settings.paths))


def are_read(agenda: Agenda, settings: Settings, manifests_now: dict[str, list[int]]) -> bool:
    """Whether the warehouse, whatever was done to it since, has read the manifests, as `orders` finds them now."""
    note = _noted_of_it(agenda, settings)
    return note is not None and [note.accounts, note.orders] == [settings.account_keys, manifests_now]


def unread(agenda: Agenda, settings: Settings, landing: Landing) -> dict[str, int]:
    """Which landed files go further than the warehouse, whatever was done to it since, has read; how far they go."""
    note = _noted_of_it(agenda, settings)
    return {tail.file: tail.end for tail in landing.tails(note.landed if note else {})}


def unfinished(paths: Paths) -> dict[str, list[int]]:
    """The erasure that was begun and is not finished, if there is one."""
    mark = mark_of(paths.erasure_intent)
    return {paths.erasure_intent.name: mark} if mark else {}


def _noted(agenda: Agenda) -> Note | None:
    kept = agenda.note(_NOTE)
    return Note(**json.loads(kept)) if kept else None


def _noted_of_it(agenda: Agenda, settings: Settings) -> Note | None:
    """The note, unless another file has taken the place of the one that it tells of."""
    note, mark = _noted(agenda), mark_of(settings.paths.warehouse)
    return note if note and mark and note.warehouse[0] == mark[0] else None
