"""Bits that rot are noticed in every store, by a look that costs little, and named with what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.base.locks import locked
from screening_pipeline.base.sample import sample
from screening_pipeline.cycle.erase import erase_candidate
from screening_pipeline.cycle.take_orders import SPOOL, take_orders
from screening_pipeline.health import scrub
from screening_pipeline.health.scrub import DAILY, WHOLE, Extent, Rotten
from screening_pipeline.landing.spool import FileSpool
from screening_pipeline.orchestration.instance import instance
from screening_pipeline.runtime.opening import use_runtime
from screening_pipeline.settings.keys import pseudonym_key, spool_key
from screening_pipeline.warehouse import store
from screening_pipeline_tests.support.end_to_end_world import dagster_words, definitions, pushed
from screening_pipeline_tests.test_erasure import PERSON, House, lived_in, moved_into

__all__ = ("lived_in",)  # the fixture


@pytest.fixture(scope="module")
def house(lived_in: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A data folder with a file in every store; whoever spoils one puts it back."""
    with moved_into(tmp_path_factory.mktemp("house") / "data", lived_in) as house:
        assert erase_candidate(house.work, PERSON) is not None
        house.cycle()
        house.work.state.close()
        with instance(house.work.settings.paths):
            pass
        yield house


@contextmanager
def spoilt(file: Path, spoil: Callable[[Path], None]) -> Iterator[None]:
    """The file, spoilt in its place, for as long as the block runs."""
    content, known = file.read_bytes(), file.stat()
    spoil(file)
    yield
    with file.open("r+b") as opened:
        opened.write(content)
    os.utime(file, ns=(known.st_atime_ns, known.st_mtime_ns))


def found(house: House, extent: Extent = WHOLE) -> list[Rotten]:
    return list(scrub.rotten(house.work.settings.paths, house.work.landing, house.clock, extent))


def rot(file: Path, every: int = 0) -> None:
    """Flip a bit, or one in every so many bytes; the file system knows nothing of it."""
    content, known = bytearray(file.read_bytes()), file.stat()
    for place in range(len(content) // 2, len(content), every) if every else [len(content) // 2]:
        content[place] ^= 1
    with file.open("r+b") as opened:
        opened.write(content)
    os.utime(file, ns=(known.st_atime_ns, known.st_mtime_ns))


def cut(file: Path) -> None:
    """As much is gone as leaves whole lines."""
    content = file.read_bytes()
    os.truncate(file, content.index(b"\n") + 1)


def first(house: House, pattern: str) -> Path:
    return min(house.data.glob(pattern))


STORES: dict[str, tuple[str, Callable[[Path], None], str, str]] = {
    "landed lines": ("landing/zinc/*/*.ndjson", rot, "zinc/main/", "put the file back from a backup, then run rebuild"),
    "landed files": ("landing/zinc/*/*.ndjson", cut, "zinc/main/", "put the file back from a backup, then run rebuild"),
    "register of erasures": ("erasures.ndjson", rot, "erasures.ndjson, line 1, is damaged", ""),
    "orders": ("orders/*.ndjson", rot, ".ndjson is not what was read of it", "put the file back from a backup"),
    "warehouse": ("warehouse.duckdb", lambda file: rot(file, 5000), "warehouse.duckdb is damaged", "pipeline rebuild"),
    "snapshot": ("published/screening.duckdb", lambda file: rot(file, 5000), "screening.duckdb is damaged", "move it"),
    "shared state": ("state.sqlite", lambda file: rot(file, 7), "state.sqlite is damaged", "move "),
    "dagster": ("dagster/**/index.db", lambda file: rot(file, 7), "index.db is damaged", "move "),
}


@pytest.mark.parametrize("name", STORES)
def test_what_rots_in_a_store_is_named_with_what_to_do(house: House, name: str) -> None:
    pattern, spoil, named, fix = STORES[name]
    file = first(house, pattern)
    assert found(house) == []
    with spoilt(file, spoil):
        (one,) = found(house)
    assert one.store == name
    assert named in one.message
    assert fix in one.fix


QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dagster_words
def test_the_daily_job_looks_at_a_sample_and_fails_where_a_file_rots(house: House) -> None:
    job = definitions().resolve_job_def("retention")
    with use_runtime(house.work), dg.DagsterInstance.ephemeral() as storage:

        def run() -> dg.ExecuteInProcessResult:
            return job.execute_in_process(instance=storage, run_config=QUIET, raise_on_error=False)

        assert run().success
        with spoilt(first(house, "landing/zinc/*/*.ndjson"), rot), spoilt(first(house, "orders/*.ndjson"), rot):
            ended = run()
    assert not ended.success
    (failed,) = (event for event in ended.all_events if event.is_step_failure)
    assert failed.step_key == "look_for_rot"
    assert "damaged: landed lines, orders; `screening-pipeline doctor --deep`" in str(failed.step_failure_data.error)


def test_a_snapshot_that_cannot_be_brought_up_to_date_is_made_anew(house: House) -> None:
    house.push_report("new", "pending")
    house.cycle()
    snapshot = house.work.settings.paths.published
    rot(snapshot, 5000)
    house.push_report("newer", "pending")
    house.cycle()
    assert [one.message for one in found(house)] == []
    with store.reader(snapshot) as published:
        known = published.execute("select check_id from star.fact_check where check_id like 'new%'").fetchall()
    assert sorted(known) == [("new",), ("newer",)]


def test_an_answer_in_the_spool_that_cannot_be_opened_keeps_no_other_back_and_is_told(house: House) -> None:
    folder = house.work.settings.paths.landing / "spool"
    spool = FileSpool(folder, spool_key(house.work.settings, {}))
    for number in range(3):
        spool.put(pushed("workable", "ats", {"status": "pending"}, house.clock.now(), number=number))
    first, *others = sorted(spool.folder.glob("*.sealed"))
    whole = first.read_bytes()
    rot(first)
    waiting = take_orders(house.work, run_id="r").intake.waiting
    assert re.search(rf"spool/{first.name} .* is damaged.* move the file away", waiting[SPOOL])
    assert not [one for one in others if one.exists()]
    with pytest.raises(EnvironmentFailed, match=first.name):
        house.work.landing.recover()
    first.write_bytes(whole)  # from a backup, as its key might be
    assert len(house.work.landing.recover()) == 1


def test_other_damage_is_named_with_what_to_do_as_well(house: House) -> None:
    """What no digest tells, and whoever opens it does."""
    settings = house.work.settings
    settings.paths.pseudonym_note.write_text("rotten" * 11)
    with pytest.raises(EnvironmentFailed, match=r"pseudonym\.digest is damaged; delete it"):
        pseudonym_key(settings, {})
    settings.paths.pseudonym_note.unlink()
    assert pseudonym_key(settings, {}) == house.work.key


def test_a_warehouse_in_use_is_left_for_another_day(house: House) -> None:
    with locked(house.work.settings.paths.warehouse_lock):
        assert found(house) == []


def test_a_sample_costs_no_more_than_it_may() -> None:
    sizes = dict.fromkeys(range(1000), 10)
    assert len(sample(sizes, 95)) == 10
    assert len({*sample(sizes, 95), *sample(sizes, 95)}) > 10, "another one every time"
    assert sample(sizes, None) == list(sizes)
    assert (DAILY.most_bytes, DAILY.most_seconds) == (1_000_000_000, 30)
