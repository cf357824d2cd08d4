"""One landing area and one set of orders, read by a warehouse in files and by one in lakes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from screening_pipeline.base.clock import Clock
from screening_pipeline.cycle.settle import settle
from screening_pipeline.cycle.take_orders import take_orders
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.runtime import opening, publication
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.settings.paths import Paths
from screening_pipeline.settings.settings import Settings, Warehouse
from screening_pipeline.warehouse import catalog, session
from screening_pipeline.warehouse import rebuild as warehouse_rebuild
from screening_pipeline.warehouse.engine import Engine
from screening_pipeline.warehouse.engines import engine_of
from screening_pipeline_tests.support.end_to_end_world import Play
from screening_pipeline_tests.support.postgres import Server

LIVE, SHOWN = "SCREENING_CATALOG_URL", "SCREENING_PUBLISHED_URL"

# What tells of the engine or the folder: what was published, when files were put together, the folder's number.
# What was learned is text with floats in it; what it foretells stands in `ops`, and is compared.
OWN = "where name not in ('snapshot', 'maintained_at', 'landed_seals', 'eta_model', 'pull_model')"
APART = {
    "staging.setting": f"from staging.setting {OWN}",
    "staging.order_look": "select file, mark, file_sha256, is_whole from staging.order_look",
}


def lakes(folder: Path, server: Server, environ: MutableMapping[str, str]) -> Warehouse:
    """The settings of two new lakes with their files below `folder`; their URLs go into `environ`."""
    environ.update({LIVE: server.new_database(), SHOWN: server.new_database()})
    return Warehouse(
        engine="ducklake",
        catalog_env=LIVE,
        data_path=str(folder / "live"),
        published_catalog_env=SHOWN,
        published_data_path=str(folder / "shown"),
    )


@dataclass
class Side:
    """One data folder with a warehouse of its own."""

    runtime: Runtime

    @property
    def engine(self) -> Engine:
        """Its engine."""
        return engine_of(self.runtime.settings)

    @contextmanager
    def opened(self) -> Iterator[session.Connection]:
        """The live warehouse."""
        with open_warehouse(self.runtime) as connection:
            yield connection

    def read(self, from_: Path) -> None:
        """Take over the orders and the landed lines of another folder, as the very files."""
        for name in ("orders", "landing"):
            _link(from_ / name, self.runtime.settings.data_dir / name)

    def settle(self) -> None:
        """What a run does with what was ordered and said, and with what it came to."""
        take_orders(self.runtime, run_id="test")
        with self.opened() as connection:
            settle(self.runtime, connection)
            publication.publish(self.runtime, connection, is_due=True)

    def rebuild(self) -> None:
        """Derive everything anew."""
        with self.opened() as connection:
            warehouse_rebuild.rebuild(
                connection,
                self.runtime.landing,
                part_key=self.runtime.part_key,
                settings=self.runtime.settings,
            )

    def everything(self) -> dict[str, list[str]]:
        """Every row of every table and view of the live warehouse, as text."""
        with self.opened() as connection:
            return rows_of(connection, catalog.SCHEMAS)

    def shown(self) -> dict[str, list[str]]:
        """The same of what is published."""
        with self.engine.reader() as connection:
            return rows_of(connection, catalog.PUBLISHED)


def rows_of(connection: session.Connection, schemas: tuple[str, ...]) -> dict[str, list[str]]:
    """Sorted rows by table."""
    known = (r for r in catalog.relations().values() if r.schema in schemas and r.refresh != "macro")
    queries = {r.qualified: APART.get(r.qualified, f"from {r.qualified}") for r in known}
    return {name: sorted(map(_text, connection.execute(query).fetchall())) for name, query in queries.items()}


def _text(row: tuple[object, ...]) -> str:
    """A row as text. Sums of floats differ in their last digit with the order of rows, which no engine promises."""
    return repr(tuple(float(f"{value:.12g}") if isinstance(value, float) else value for value in row))


def side(folder: Path, played: Play, warehouse: Warehouse) -> Side:
    """A data folder with the keys and accounts of a play, and nothing in it yet."""
    return side_like(folder, played.runtime.settings, warehouse, played.clock)


def side_like(folder: Path, settings: Settings, warehouse: Warehouse, clock: Clock) -> Side:
    """A data folder with the keys and accounts of another one, and nothing in it yet."""
    folder.mkdir()
    for key in settings.data_dir.glob("*.key"):
        shutil.copy2(key, folder / key.name)
    chosen = replace(settings, paths=Paths.under(folder, {}), warehouse=warehouse)
    chosen.paths.create()
    return Side(opening.build_runtime(chosen, os.environ, clock))


def _link(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(exist_ok=True)
        elif not place.exists():
            os.link(path, place)


def differing(one: Mapping[str, list[str]], other: Mapping[str, list[str]]) -> dict[str, tuple[list[str], list[str]]]:
    """By table the first rows that only one of two warehouses has."""
    return {
        name: (sorted(set(one[name]) - set(other[name]))[:2], sorted(set(other[name]) - set(one[name]))[:2])
        for name in one
        if one[name] != other[name]
    }
