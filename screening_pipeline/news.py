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


def sources(paths: Paths, landing: Landing) -> str:
    """What there is to be read now. Take it before reading: what comes meanwhile is news again."""
    orders = {path.name: _mark(path) for path in manifests(paths.orders)}
    landed = {tail.file: tail.end for tail in landing.tails({})}
    return json.dumps([orders, landed], sort_keys=True)


def remember(agenda: Agenda, paths: Paths, read: str) -> None:
    """Note that the warehouse, as it is now and closed, has read these sources."""
    if paths.warehouse.exists():
        agenda.remember(_NOTE, json.dumps([_mark(paths.warehouse), read]))


def is_any(agenda: Agenda, paths: Paths, landing: Landing) -> bool:
    """Whether the warehouse, as it is now, may have something to read."""
    noted = agenda.note(_NOTE)
    if noted is None or not paths.warehouse.exists():
        return True
    mark, read = json.loads(noted)
    return bool(mark != _mark(paths.warehouse) or read != sources(paths, landing))


def _mark(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_ino, found.st_size, found.st_mtime_ns]
