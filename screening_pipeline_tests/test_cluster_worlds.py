"""The same star on both engines: all that the suite has vendors say, and worlds that share nothing with the sandbox."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from screening_pipeline.base.clock import ManualClock
from screening_pipeline.settings.settings import Warehouse
from screening_pipeline_tests import test_vendor_examples
from screening_pipeline_tests.support import fuzzing, known_world
from screening_pipeline_tests.support.known_world import Shape
from screening_pipeline_tests.support.postgres import Server
from screening_pipeline_tests.support.stage import Stage, Stories, broken_rules, staged
from screening_pipeline_tests.support.two_engines import Side, differing, lakes, side_like

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)
WORLDS = [
    Shape(vendor="goodhire", checks=60, no_shows=0.2, hiccups=0.6, now=NOW),
    Shape(vendor="zinc", checks=60, announced="daily", records_days=25, open_share=0.3, now=NOW),
    Shape(vendor="workerchecks", checks=60, announced="two_hourly", looks="when_likely", now=NOW),
]
SEED, DAMAGED = 11, range(1_000_000, 1_000_600)
"""Documented bodies with up to four things wrong with each, by number."""


def tell_worlds(stage: Stage) -> None:
    """Lives drawn from distributions, as somebody sees them who looks now and then."""
    for shape in WORLDS:
        known_world.say(stage, known_world.world(shape, SEED))


def tell_corpus(stage: Stage) -> None:
    """Every documented example, every story of the suite about what words and times mean, and damaged bodies."""
    for name in test_vendor_examples.NAMES:
        test_vendor_examples.say(stage, name)
    for stories in all_stories():
        stories.begin(stage)
    fuzzing.say(SEED, DAMAGED, stage, fuzzing.Found())


def all_stories() -> Iterator[Stories]:
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if "told = Stories()" in path.read_text(encoding="utf-8") and path != Path(__file__):
            yield importlib.import_module(f"{__package__}.{path.stem}").told


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, postgres_server: Server) -> Iterator[tuple[Side, Side]]:
    folder, given = tmp_path_factory.mktemp("worlds"), pytest.MonkeyPatch()
    urls: dict[str, str] = {}
    settings = lakes(folder, postgres_server, urls)
    for name, url in urls.items():
        given.setenv(name, url)
    with staged(folder / "told") as stage:
        file = side_like(folder / "file", stage.settings, Warehouse(), ManualClock(NOW))
        lake = side_like(folder / "lake", file.runtime.settings, settings, ManualClock(NOW))
        for tell in (tell_worlds, tell_corpus):
            tell(stage)
            stage.announce()
            for one in (file, lake):
                one.read(stage.settings.data_dir)
                one.settle()
    yield file, lake
    given.undo()


def test_a_lake_holds_the_same_rows_after_each_came(both: tuple[Side, Side]) -> None:
    file, lake = both
    found = lake.everything()
    assert len(found["star.fact_check"]) > 1_000
    assert all(found[name] for name in ("ops.reject", "ops.unmapped_value", "ops.mapping_conflict"))
    assert differing(file.everything(), found) == {}
    assert differing(file.shown(), lake.shown()) == {}


def test_and_after_a_rebuild_and_every_rule_holds(both: tuple[Side, Side]) -> None:
    file, lake = both
    for one in both:
        one.rebuild()
    assert differing(file.everything(), lake.everything()) == {}
    with lake.opened() as connection:
        assert broken_rules(connection) == []
