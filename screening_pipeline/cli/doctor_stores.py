"""What `doctor` finds in the stores when it opens them and reads all there is."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING

from screening_pipeline.base.errors import ScreeningError
from screening_pipeline.cli.findings import Finding

if TYPE_CHECKING:
    from screening_pipeline.base.clock import Clock
    from screening_pipeline.landing.damage import Damage
    from screening_pipeline.settings.settings import Settings

_SHOWN = 3


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
