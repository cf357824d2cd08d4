"""Whether anything came since the warehouse last read everything there was."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from screening_pipeline.cycle import settle, take_orders
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.runtime import context, unread
from screening_pipeline.state.store import State
from screening_pipeline.warehouse import loading, rebuild, session
from screening_pipeline_tests.support.end_to_end_world import Play, dagster_words, playing


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Play]:
    """A data folder in which everything there was has been read."""
    with playing(tmp_path, checks=6, days=3) as play:
        play.wake(day=2)
        work = play.runtime
        take_orders.take_orders(work, run_id="test")
        with open_warehouse(work) as connection:
            settle.settle(work, connection)
        yield play


def is_any(work: context.Runtime) -> bool:
    return unread.has_unread_input(work.pull_queue, work.settings, work.landing)


def test_what_was_read_is_no_news(read: Play) -> None:
    assert not is_any(read.runtime)
    assert take_orders.take_orders(read.runtime, run_id="test").intake.files == 0
    assert not is_any(read.runtime)


def test_an_erasure_that_was_begun_is_news_until_it_is_finished(read: Play) -> None:
    intent = read.runtime.settings.paths.erasure_intent
    intent.touch()
    assert is_any(read.runtime)
    intent.unlink()
    assert not is_any(read.runtime)


def test_a_new_manifest_is_news(read: Play) -> None:
    manifest = read.runtime.settings.paths.orders / "more.csv"
    manifest.write_text("vendor,check_id\ngoodhire,abc\n")
    assert is_any(read.runtime)
    assert take_orders.take_orders(read.runtime, run_id="test").intake.orders == 1
    assert not is_any(read.runtime)


def test_a_run_that_reads_only_what_was_landed_knows_of_the_manifests_what_was_known_before(read: Play) -> None:
    work = read.runtime
    read.push("zinc", "anybody", {"id": "anybody", "status": "pending"})
    assert is_any(work)
    with open_warehouse(work) as connection:
        settle.settle(work, connection)
    assert not is_any(work)
    (work.settings.paths.orders / "more.csv").write_text("vendor,check_id\ngoodhire,abc\n")
    with open_warehouse(work) as connection:
        settle.settle(work, connection)
    assert is_any(work)


def test_what_was_known_of_another_warehouse_is_not_said_of_the_one_that_is_put_back(read: Play) -> None:
    work = read.runtime
    live = work.settings.paths.warehouse
    copy = live.with_name("copy.duckdb")
    shutil.copyfile(live, copy)
    (work.settings.paths.orders / "more.csv").write_text("vendor,check_id\ngoodhire,abc\n")
    assert take_orders.take_orders(work, run_id="test").intake.orders == 1
    shutil.copyfile(copy, live)  # the same inode, and what it holds is of before
    with open_warehouse(work) as connection:
        settle.settle(work, connection)
    assert is_any(work)


def test_another_account_is_news_for_rows_may_have_been_refused_that_are_for_it(read: Play) -> None:
    work = read.runtime
    manifest = work.settings.paths.orders / "more.csv"
    manifest.write_text("vendor,account,check_id\ngoodhire,later,abc\n")
    assert take_orders.take_orders(work, run_id="test").intake.rejects == 1
    assert not is_any(work)
    (first, *_) = (account for account in work.settings.accounts if account.vendor == "goodhire")
    settings = replace(work.settings, accounts=(*work.settings.accounts, replace(first, name="later")))
    grown = replace(work, settings=settings)
    assert is_any(grown)
    assert take_orders.take_orders(grown, run_id="test").intake.orders == 1
    assert not is_any(grown)
    assert grown.pull_queue.summary("goodhire", "later", grown.clock.now()).open == 1


def test_a_manifest_of_the_same_name_with_other_content_is_news(read: Play) -> None:
    manifest = read.runtime.settings.paths.orders / "more.csv"
    manifest.write_text("vendor,check_id\ngoodhire,abc\n")
    take_orders.take_orders(read.runtime, run_id="test")
    manifest.write_text("vendor,check_id\ngoodhire,abd\n")
    assert is_any(read.runtime)


def test_a_manifest_that_comes_while_checks_are_asked_is_still_to_be_read(read: Play) -> None:
    work = read.runtime
    take_orders.take_orders(work, run_id="test")
    (work.settings.paths.orders / "meanwhile.csv").write_text("vendor,check_id\ngoodhire,abc\n")
    with open_warehouse(work) as connection:
        settle.settle(work, connection)
    assert is_any(work)
    assert take_orders.take_orders(work, run_id="test").intake.orders == 1


def test_a_run_that_reads_no_manifests_does_not_say_that_they_were_read(read: Play) -> None:
    work = read.runtime
    (work.settings.paths.orders / "before.csv").write_text("vendor,check_id\ngoodhire,abc\n")
    with open_warehouse(work) as connection:
        settle.settle(work, connection)
    assert take_orders.take_orders(work, run_id="test").intake.orders == 1


def test_a_pushed_message_is_news(read: Play) -> None:
    read.push("zinc", "unheard-of", {"id": "unheard-of", "status": "completed", "result": "clear"})
    assert is_any(read.runtime)


def test_a_warehouse_that_was_put_back_from_a_copy_reads_everything_again(read: Play) -> None:
    paths = read.runtime.settings.paths
    with session.attached(paths.warehouse) as connection:
        connection.execute("checkpoint")
    copy = paths.warehouse.with_suffix(".copy")
    shutil.copy(paths.warehouse, copy)
    read.runtime.settings.paths.warehouse.unlink()
    copy.rename(paths.warehouse)
    assert is_any(read.runtime)


def test_without_the_shared_state_everything_is_news(read: Play) -> None:
    read.runtime.pull_queue.remember("read", "null")
    assert isinstance(read.runtime.state, State)
    with read.runtime.state.writing() as db:
        db.execute("delete from note")
    assert is_any(read.runtime)


@dagster_words
def test_a_warehouse_that_was_lost_is_computed_from_what_was_landed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In steps, where it is much: all at once it would all be in memory."""
    with playing(tmp_path, checks=12) as play:
        play.cycle(day=3)
        play.cycle(day=9)
        before = known(play)
        steps: list[str] = []
        for module in (loading, rebuild):
            monkeypatch.setattr(module, "BATCH_BYTES", 4_000)
        work = replace(play.runtime, progress=lambda what, _done, _total: steps.append(what))
        play.paths.warehouse.unlink()
        taken = take_orders.take_orders(work, run_id="test")
        assert taken.intake.orders > 0
        assert steps.count("reading what was landed") > 2
        assert known(play) == before
        assert len(taken.settled.written) > 20, "Dagster is told of every table"
        assert not is_any(work)


def known(play: Play) -> list[dict[str, object]]:
    """What the live warehouse knows of each check, whatever the number by which it knows it."""
    told = "vendor, account, subject, check_id, lifecycle, result, package, first_observed_at, last_changed_at"
    with open_warehouse(play.runtime) as connection:
        return session.rows(connection, f"select {told} from star.fact_check order by all")
