"""What `doctor` finds in the stores when it opens them and reads all there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from screening_pipeline.base.errors import DiskFull, EnvironmentFailed, NotWritable, ScreeningError
from screening_pipeline.cli.findings import Finding

if TYPE_CHECKING:
    from screening_pipeline.base.clock import Clock
    from screening_pipeline.landing.damage import Damage
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.state.store import State


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


def stores(settings: Settings, state: State) -> Iterator[Finding]:
    """Whether the shared state and Dagster's storage can be read and written."""
    from screening_pipeline.orchestration.storage_failures import LOST, damaged_files

    yield _state(state)
    for file in damaged_files(settings.paths.dagster):
        yield Finding("dagster", "fail", f"{file.name} is damaged", f"move {file}* away; what is lost is {LOST}")


def _state(state: State) -> Finding:
    from screening_pipeline.base import sqlite_failures
    from screening_pipeline.state.connection import LOST

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


def landing(settings: Settings, environ: Mapping[str, str], clock: Clock) -> Finding:
    """Whether every landed line is as it was written."""
    from screening_pipeline.landing.area import Landing
    from screening_pipeline.settings.keys import known_landing_key
    from screening_pipeline.vendors import all_vendors

    try:
        area = Landing(
            settings.paths.landing,
            vendors=all_vendors(),
            spool_key=b"nothing is received",
            landing_key=known_landing_key(settings, environ),
            clock=clock,
        )
        damages = list(area.damages())
    except ScreeningError as error:
        return Finding("landed lines", "fail", str(error), "put the key back, or the files")
    if not damages:
        return Finding("landed lines", "ok", "every body is the one that was received")
    return Finding("landed lines", "fail", _told(damages), "put the file back from a backup, then run rebuild")


def _told(damages: list[Damage]) -> str:
    shown = "; ".join(f"{one.file}, byte {one.byte} ({one.reason})" for one in islice(damages, _SHOWN))
    more = f" and {len(damages) - _SHOWN} more" if len(damages) > _SHOWN else ""
    return f"{len(damages)} damaged line{'s' if len(damages) > 1 else ''}: {shown}{more}"
