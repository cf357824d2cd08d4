"""What `doctor` finds in the stores when it opens them and reads all there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from screening_pipeline.base.errors import DiskFull, EnvironmentFailed, NotWritable, ScreeningError
from screening_pipeline.cli.findings import Finding

if TYPE_CHECKING:
    from screening_pipeline.base.clock import Clock
    from screening_pipeline.health.scrub import Rotten
    from screening_pipeline.landing.landed_files import LandedFiles
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.state.interface import Store


_SHOWN = 3
_T = TypeVar("_T")


def unless_broken(ask: Callable[[], _T], otherwise: _T) -> _T:
    """What a store answers; where it cannot, that is a finding of its own, and no end of the list."""
    try:
        return ask()
    except ScreeningError:
        return otherwise


def reachable(settings: Settings, addressed: Callable[[], Settings]) -> Settings:
    """The settings with an address for every account; as they are where the data folder takes nothing."""
    try:
        return addressed()
    except EnvironmentFailed:
        return settings


def stores(settings: Settings, state: Store) -> Iterator[Finding]:
    """Whether the shared state and Dagster's storage can be read and written."""
    from screening_pipeline.orchestration.storage_failures import LOST, damaged_files

    yield _state(state)
    for file in damaged_files(settings.paths.dagster):
        yield Finding("dagster", "fail", f"{file.name} is damaged", f"move {file}* away; what is lost is {LOST}")


def _state(state: Store) -> Finding:
    from screening_pipeline.base import sqlite_failures
    from screening_pipeline.state.connection import LOST
    from screening_pipeline.state.store import State

    if not isinstance(state, State):
        return _database(state)
    fix = f"move {state.path}* away; what is lost is {LOST}"
    try:
        with state.writing():
            pass
    except (DiskFull, NotWritable) as error:
        return Finding("shared state", "fail", str(error), "make room, and the disk writable")
    except ScreeningError as error:
        return Finding("shared state", "fail", str(error), fix)
    if not sqlite_failures.is_sound(state.path):
        return Finding("shared state", "fail", f"{state.path.name} is damaged", fix)
    return Finding("shared state", "ok", "can be read and written")


def with_rot(
    findings: list[Finding], settings: Settings, environ: Mapping[str, str], clock: Clock, *, is_deep: bool
) -> list[Finding]:
    """The findings with what `rot` says, where none of them has said of a store that it fails."""
    known = {finding.name for finding in findings if finding.level == "fail"}
    found = [finding for finding in rot(settings, environ, clock, is_deep=is_deep) if finding.name not in known]
    names = {finding.name for finding in found}
    return [*(finding for finding in findings if finding.name not in names), *found]


def rot(settings: Settings, environ: Mapping[str, str], clock: Clock, *, is_deep: bool) -> Iterator[Finding]:
    """Whether files still say what was written into them: all of them, or a sample that costs a second or two."""
    from screening_pipeline.health import scrub
    from screening_pipeline.warehouse.engines import engine_of

    extent = scrub.WHOLE if is_deep else scrub.BRIEF
    try:
        landed = _landed_files(settings, environ, clock)
        found = list(scrub.landed_lines(landed, extent))
    except ScreeningError as error:
        yield Finding("landed lines", "fail", str(error), "put the key back, or the files")
    else:
        yield _lines(found, is_deep=is_deep)
    databases = scrub.databases(settings.paths, clock, extent, engine=engine_of(settings))
    for one in (*scrub.register(settings.paths), *databases):
        yield Finding(one.store, "fail", one.message, one.fix)


def _landed_files(settings: Settings, environ: Mapping[str, str], clock: Clock) -> LandedFiles:
    from screening_pipeline.landing.landed_files import LandedFiles
    from screening_pipeline.runtime.shared import shared_landing
    from screening_pipeline.settings.keys import known_landing_key
    from screening_pipeline.vendors import all_vendors

    key = known_landing_key(settings, environ)
    store = shared_landing(settings, environ, clock, spool_key=b"")  # from which nothing is read here
    return LandedFiles(settings.paths.landing, vendors=all_vendors(), landing_key=key, clock=clock, store=store)


def _lines(found: list[Rotten], *, is_deep: bool) -> Finding:
    if found:
        return Finding("landed lines", "fail", _told(found), found[0].fix)
    words = "every line is as it was written" if is_deep else "a sample is as it was written; --deep reads all of them"
    return Finding("landed lines", "ok", words)


def _told(damages: list[Rotten]) -> str:
    shown = "; ".join(one.message for one in islice(damages, _SHOWN))
    more = f" and {len(damages) - _SHOWN} more" if len(damages) > _SHOWN else ""
    return f"{len(damages)} damaged line{'s' if len(damages) > 1 else ''}: {shown}{more}"


def _database(state: Store) -> Finding:
    try:
        state.queue.note("nothing")
    except ScreeningError as error:
        return Finding("shared state", "fail", str(error), "see that the database runs, and lets us in")
    return Finding("shared state", "ok", "can be read")
