"""The published snapshot: whole, commented, read-only, and replaced under the eyes of its readers."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.base.sql_text import quote
from screening_pipeline.warehouse import catalog, publish, session, store
from screening_pipeline_tests.support.stage import Stage, opened


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with opened(tmp_path_factory) as prepared:
        order(prepared, "before")
        yield prepared


@pytest.fixture(scope="module")
def published(stage: Stage) -> Path:
    target = stage.settings.paths.published
    publish.publish(stage.connection, target)
    return target


def order(stage: Stage, check_id: str) -> None:
    """Announce one more check."""
    stage.story(check_id).of("goodhire").order()
    stage.settle()


def check_ids(path: Path) -> list[str]:
    with store.reader(path) as connection:
        rows = connection.execute("select check_id from star.fact_check order by check_id").fetchall()
    return [row[0] for row in rows]


def test_analysts_get_the_star_the_views_and_the_records_and_nothing_else(published: Path) -> None:
    with store.reader(published) as connection:
        schemas = connection.execute(
            "select distinct schema_name from duckdb_tables() where database_name = current_database() union "
            "select schema_name from duckdb_views() where database_name = current_database() and not internal"
        ).fetchall()
    assert {row[0] for row in schemas} == {"star", "analytics", "ops"} == set(catalog.PUBLISHED)


def test_every_published_table_view_and_column_is_explained(published: Path) -> None:
    with store.reader(published) as connection:
        tables = connection.execute(
            "select table_name, comment from duckdb_tables() where database_name = current_database() union all "
            "select view_name, comment from duckdb_views() where database_name = current_database() and not internal"
        ).fetchall()
        columns = connection.execute(
            "select table_name || '.' || column_name, comment from duckdb_columns() "
            "where database_name = current_database() and not internal"
        ).fetchall()
    assert len(tables) > 30
    assert len(columns) > 300
    assert [name for name, comment in tables + columns if not comment] == []


def test_every_view_and_macro_answers_in_the_snapshot(published: Path) -> None:
    views = [r.qualified for r in catalog.relations().values() if r.schema == "analytics"]
    assert views
    with store.reader(published) as connection:
        for view in views:
            connection.execute(f"from {view}").fetchall()
        connection.execute("from star.check_as_of(timestamptz '2026-03-02 12:00:00+00')").fetchall()


def test_a_snapshot_may_be_read_by_owner_and_group_and_written_by_nobody(published: Path) -> None:
    assert stat.S_IMODE(published.stat().st_mode) == 0o440
    with store.reader(published) as connection, pytest.raises(session.DatabaseError, match="read-only"):
        connection.execute("delete from star.fact_check")


def test_who_reads_a_snapshot_keeps_it_while_it_is_replaced(stage: Stage, tmp_path: Path) -> None:
    target = tmp_path / "screening.duckdb"
    publish.publish(stage.connection, target)
    with duckdb.connect(str(target), read_only=True) as reader:
        count = "select count(*) from star.fact_check"
        before = reader.execute(count).fetchall()
        order(stage, "while-read")
        publish.publish(stage.connection, target)
        assert reader.execute(count).fetchall() == before
        assert reader.execute("select count(*) from analytics.turnaround_by_vendor").fetchall()
    assert "while-read" in check_ids(target)


def test_a_log_that_somebody_left_beside_the_snapshot_does_no_harm(stage: Stage, tmp_path: Path) -> None:
    target = tmp_path / "screening.duckdb"
    publish.publish(stage.connection, target)
    target.chmod(0o640)
    writer = duckdb.connect(str(target))
    writer.execute("set wal_autocheckpoint = '1TB'; delete from star.fact_check")
    log = target.with_name("screening.duckdb.wal")
    stale = log.read_bytes()
    writer.close()
    log.write_bytes(stale)
    publish.publish(stage.connection, target)
    assert not log.exists()
    assert "before" in check_ids(target)


def test_what_an_interrupted_publication_left_is_overwritten(stage: Stage, tmp_path: Path) -> None:
    target = tmp_path / "screening.duckdb"
    (tmp_path / ".screening.duckdb.new").write_bytes(b"half a file")
    (tmp_path / ".screening.duckdb.new.wal").write_bytes(b"half a log")
    publish.publish(stage.connection, target)
    assert [path.name for path in tmp_path.iterdir()] == ["screening.duckdb"]
    assert "before" in check_ids(target)


def test_a_publication_that_fails_leaves_the_old_snapshot_and_the_connection_as_they_were(
    stage: Stage, tmp_path: Path
) -> None:
    target = tmp_path / "screening.duckdb"
    publish.publish(stage.connection, target)
    before = target.read_bytes()
    stage.connection.execute("alter table star.fact_dispute rename to fact_dispute_aside")
    try:
        with pytest.raises(session.DatabaseError):
            publish.publish(stage.connection, target)
    finally:
        stage.connection.execute("alter table star.fact_dispute_aside rename to fact_dispute")
    assert target.read_bytes() == before
    publish.publish(stage.connection, target)
    assert check_ids(target) == [
        row["check_id"] for row in stage.rows("select check_id from star.fact_check order by 1")
    ]


def test_a_file_that_is_no_snapshot_is_said_to_be_none(tmp_path: Path) -> None:
    target = tmp_path / "screening.duckdb"
    target.write_bytes(b"no database" * 4096)
    with pytest.raises(EnvironmentFailed, match=r"cannot open screening\.duckdb"), store.reader(target):
        pass


# ── a new warehouse ────────────────────────────────────────────────────────────────────────────────────


def made(folder: Path, *, row: str | None = None) -> Path:
    """A new warehouse in that folder, on request with an erasure of that name in it."""
    folder.mkdir()
    with store.writer(folder / "w.duckdb", lock_path=folder / "lock", clock=SystemClock()) as connection:
        assert connection.execute('select count(*) from raw."check"').fetchall() == [(0,)]
        if row:
            connection.execute(f"insert into ops.erasure (erasure_id) values ({quote(row)})")
    return folder / "w.duckdb"


def test_a_new_warehouse_holds_nothing_of_one_that_was_made_before_and_only_its_owner_may_read_it(
    tmp_path: Path,
) -> None:
    first, second = made(tmp_path / "a", row="CANARY"), made(tmp_path / "b")
    assert b"CANARY" in first.read_bytes()
    assert b"CANARY" not in second.read_bytes()
    assert second.stat().st_mode & 0o777 == 0o600
    with session.attached(second) as connection:
        assert connection.execute("from ops.erasure").fetchall() == []


def test_what_a_killed_process_left_of_a_new_warehouse_is_no_part_of_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".w.duckdb.new"
    for file in (left, left.with_name(f"{left.name}.wal")):
        file.write_bytes(b"half" * 200_000)
    path, lock = tmp_path / "w.duckdb", tmp_path / "lock"
    with store.writer(path, lock_path=lock, clock=SystemClock()) as connection:
        assert connection.execute("from ops.erasure").fetchall() == []
    assert sorted(file.name for file in tmp_path.iterdir()) == ["lock", "w.duckdb"]


def test_a_warehouse_of_other_sql_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path / "a")
    monkeypatch.setattr(catalog, "text", lambda: "of another version")
    before = store._empty.cache_info().misses
    made(tmp_path / "b")
    assert store._empty.cache_info().misses == before + 1
