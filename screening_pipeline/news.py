"""Whether anything came since the warehouse last read everything there was: told from names, sizes and times alone.

Other accounts are news, too: rows of old manifests may be for them. The note is kept in the shared state, which may
be lost; then everything is read as if it were new, which changes nothing. It also says which warehouse did the
reading: one put back from a copy has not read it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from screening_pipeline.intake import manifests

if TYPE_CHECKING:
    from screening_pipeline.agenda import Agenda
    from screening_pipeline.landing import Landing
    from screening_pipeline.paths import Paths
    from screening_pipeline.settings import Settings

_NOTE = "all_read"


def orders(paths: Paths) -> dict[str, list[int]]:
    """The manifests that are there now. Take it before reading them: what comes meanwhile is news again."""
    return {path.name: mark for path in manifests(paths.orders) if (mark := _mark(path))}


def landed(landing: Landing) -> dict[str, int]:
    """How far each landed file goes now. Take it before reading them, as well."""
    return {tail.file: tail.end for tail in landing.tails({})}


def remember(
    agenda: Agenda, settings: Settings, orders_read: dict[str, list[int]], landed_read: dict[str, int]
) -> None:
    """Note that the warehouse, as it is now and closed, has read these manifests and these files."""
    if mark := _mark(settings.paths.warehouse):
        agenda.remember(_NOTE, json.dumps([mark, settings.account_keys, orders_read, landed_read]))


def is_any(agenda: Agenda, settings: Settings, landing: Landing) -> bool:
    """Whether the warehouse, as it is now, may have something to read."""
    noted, mark = agenda.note(_NOTE), _mark(settings.paths.warehouse)
    if noted is None or mark is None:
        return True
    return bool(json.loads(noted) != [mark, settings.account_keys, orders(settings.paths), landed(landing)])


def are_read(agenda: Agenda, settings: Settings, manifests_now: dict[str, list[int]]) -> bool:
    """Whether the warehouse, whatever was done to it since, has read the manifests, as `orders` finds them now."""
    noted, mark = agenda.note(_NOTE), _mark(settings.paths.warehouse)
    if noted is None or mark is None:
        return False
    (inode, *_), accounts, read, _ = json.loads(noted)
    return bool([inode, accounts, read] == [mark[0], settings.account_keys, manifests_now])


def _mark(path: Path) -> list[int] | None:
    """What changes with a file; None where there is none (any more)."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return [found.st_ino, found.st_size, found.st_mtime_ns]
