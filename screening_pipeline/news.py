"""Whether anything came since the warehouse last read everything there was: told from names, sizes and times alone.

The note is kept in the shared state, which may be lost; then everything is read as if it were new, which changes
nothing. It also says which warehouse did the reading: one put back from a copy has not read it.
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

_NOTE = "read"


def orders(paths: Paths) -> dict[str, list[int]]:
    """The manifests that are there now. Take it before reading them: what comes meanwhile is news again."""
    return {path.name: mark for path in manifests(paths.orders) if (mark := _mark(path))}


def landed(landing: Landing) -> dict[str, int]:
    """How far each landed file goes now. Take it before reading them, as well."""
    return {tail.file: tail.end for tail in landing.tails({})}


def remember(agenda: Agenda, paths: Paths, orders_read: dict[str, list[int]], landed_read: dict[str, int]) -> None:
    """Note that the warehouse, as it is now and closed, has read these manifests and these files."""
    if mark := _mark(paths.warehouse):
        agenda.remember(_NOTE, json.dumps([mark, orders_read, landed_read]))


def is_any(agenda: Agenda, paths: Paths, landing: Landing) -> bool:
    """Whether the warehouse, as it is now, may have something to read."""
    noted, mark = agenda.note(_NOTE), _mark(paths.warehouse)
    return noted is None or mark is None or json.loads(noted) != [mark, orders(paths), landed(landing)]


def are_read(agenda: Agenda, paths: Paths, manifests_now: dict[str, list[int]]) -> bool:
    """Whether the warehouse, whatever was done to it since, has read the manifests, as `orders` finds them now."""
    noted, mark = agenda.note(_NOTE), _mark(paths.warehouse)
    if noted is None or mark is None:
        return False
    (inode, *_), read, _ = json.loads(noted)
    return bool(inode == mark[0] and read == manifests_now)


def _mark(path: Path) -> list[int] | None:
    """What changes with a file; None where there is none (any more)."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return [found.st_ino, found.st_size, found.st_mtime_ns]
