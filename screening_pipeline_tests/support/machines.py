"""Machines that share one world: each has a data folder of its own, and all one database, one bucket and one lake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from screening_pipeline.base.clock import Clock
from screening_pipeline.runtime import opening
from screening_pipeline.settings.paths import Paths
from screening_pipeline.settings.settings import Privacy, Settings
from screening_pipeline.settings.shared import LandingPlace, OrdersPlace, SharedState
from screening_pipeline_tests.support.postgres import Server
from screening_pipeline_tests.support.two_engines import Side, lakes

STATE = "SCREENING_STATE_URL"
KEYS = {name: f"of a test, as long as it must be: {name}" for name in ("PSEUDONYM", "SPOOL", "LANDING")}


@dataclass(frozen=True)
class World:
    """What machines share: settings without a data folder, and variables that name it."""

    settings: Settings
    environ: Mapping[str, str]

    def machine(self, folder: Path, clock: Clock) -> Side:
        """One machine. Its data folder is at `folder`."""
        folder.mkdir()
        settings = replace(self.settings, paths=Paths.under(folder, {}))
        settings.paths.create()
        return Side(opening.build_runtime(settings, self.environ, clock))


def shared_world(
    settings: Settings, folder: Path, server: Server, environ: dict[str, str], *, landing: str, orders: str
) -> World:
    """A world with the accounts of these settings, and nothing in it yet; its variables go into `environ`.

    `landing`, `orders`: URLs. The lakes' files are below `folder`.
    """
    environ |= {STATE: server.new_database(), **{f"SCREENING_{name}_KEY": key for name, key in KEYS.items()}}
    found = replace(
        settings,
        state=SharedState(url_env=STATE),
        landing=LandingPlace(url=landing),
        orders=OrdersPlace(url=orders),
        warehouse=lakes(folder, server, environ),
        privacy=Privacy(landing_key_env="SCREENING_LANDING_KEY"),
    )
    return World(found, environ)
