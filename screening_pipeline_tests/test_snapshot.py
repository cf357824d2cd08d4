"""A snapshot brought up to date shows what a whole copy shows; what cannot be brought up to date is copied."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from screening_pipeline.base.sql_text import quote
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.runtime import publication
from screening_pipeline.warehouse import catalog, session, snapshot, store, zones
from screening_pipeline.warehouse import publish as warehouse_publish
from screening_pipeline_tests.support.end_to_end_world import Play, dagster_words, playing

pytestmark = dagster_words
DAYS = (12.4, 12.6, 12.8)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    with playing(tmp_path_factory.mktemp("snapshots"), checks=200) as play:
        play.cycle(12.0)
        yield play


def updates(play: Play) -> int:
    """How often the snapshot was brought up to date since the last whole copy."""
    with open_warehouse(play.runtime) as connection:
        found = connection.execute("select value from staging.setting where name = 'snapshot'").fetchone()
    return int(json.loads(found[0])["updates"]) if found else -1


def published(play: Play) -> dict[str, list[str]]:
    """Everything the snapshot says, as comparable text."""
    with store.reader(play.paths.published) as connection:
        return everything(connection)


def everything(connection: session.Connection) -> dict[str, list[str]]:
    relations = [r for r in catalog.relations().values() if r.schema in catalog.PUBLISHED and r.refresh != "macro"]
    return {
        r.qualified: [str(row) for row in connection.execute(f"from {r.qualified} order by all").fetchall()]
        for r in relations
        if r.schema != "analytics"  # views over the others, of now
    }


def copied(play: Play, file: Path) -> dict[str, list[str]]:
    """What a whole copy says now."""
    with open_warehouse(play.runtime) as connection:
        connection.execute(f"attach {quote(str(file))} as copied")
        snapshot.copy(connection, "copied")
        connection.execute("detach copied")
    with session.attached(file, is_read_only=True) as connection:
        return everything(connection)


def test_brought_up_to_date_it_shows_what_a_whole_copy_shows(played: Play, tmp_path: Path) -> None:
    shown = []
    for number, day in enumerate(DAYS):
        changed = played.cycle(day).settled.changed
        assert published(played) == copied(played, tmp_path / f"{number}.duckdb")
        shown.append((changed > 0, updates(played) > 0))
    assert (True, True) in shown


def test_a_table_that_had_no_row_gets_its_first_one_and_loses_its_last_one_without_a_whole_copy(played: Play) -> None:
    gap = "('g', 'hireright', 'sandbox', now(), 'interrupted', 0, now(), now())"
    played.cycle(DAYS[-1])
    for change, shown in ((f"insert into ops.feed_gap values {gap}", 1), ("delete from ops.feed_gap", 0)):
        with open_warehouse(played.runtime) as connection:
            connection.execute(change)
            publication.publish(played.runtime, connection, is_due=True)
        assert updates(played) > 0
        assert len(published(played)["ops.feed_gap"]) == shown


def test_it_has_the_format_of_the_oldest_duckdb_that_may_read_it(played: Play) -> None:
    with session.attached(played.paths.published, is_read_only=True) as connection:
        told = "select tags['storage_version'] from duckdb_databases() where database_name = current_database()"
        assert connection.execute(told).fetchall() == [("v1.5.0+",)]


def test_ids_that_differ_in_every_row_are_kept_without_a_dictionary(played: Play) -> None:
    tables = [
        (played.paths.warehouse, ("staging.response", "staging.observation", "star.fact_pull")),
        (played.paths.published, ("star.fact_pull", "star.fact_check_event")),
    ]
    for file, names in tables:
        with session.attached(file, is_read_only=True) as connection:
            for name in names:
                kept = (
                    f"select distinct compression from pragma_storage_info('{name}') "
                    "where column_name = 'response_id' and segment_type = 'VARCHAR'"
                )
                assert connection.execute(kept).fetchall() == [("ZSTD",)], name


def test_it_knows_the_time_zones_of_the_accounts_for_whoever_attaches_it(played: Play) -> None:
    with session.attached(played.paths.warehouse, is_read_only=True) as connection:
        connection.execute(f"attach {quote(str(played.paths.published))} as shown (read_only)")
        macro = "select macro_definition from duckdb_functions() where function_name = 'local_time'"
        (live,), (shown,) = connection.execute(f"{macro} order by database_name").fetchall()
        assert "timezone('Europe/London', moment)" in live
        # Who attaches it may count in another calendar, so there it is arithmetic.
        assert "Europe/London" in shown
        assert "timezone('Europe/London'" not in shown
        assert connection.execute("select count(*) from shown.analytics.check_clock").fetchone() != (0,)


@pytest.mark.parametrize("odd", ["Africa/Casablanca", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Kathmandu"])
def test_its_local_times_are_those_of_the_database_for_as_long_as_there_are_business_days(odd: str) -> None:
    chosen = ["UTC", "America/Los_Angeles", "Europe/London", odd]
    times = "range(timestamptz '2009-11-01', timestamptz '2041-03-01', interval 295 minute)"
    with duckdb.connect() as connection:
        connection.execute(f"{session.SESSION}; create schema star")
        connection.execute(zones.shared_macros(connection, chosen))
        made = f"select unnest({chosen}) as zone, h from (select unnest({times}) as h)"
        found = connection.execute(
            "select count(*), count(*) filter (where star.local_time(zone, h) is distinct from timezone(zone, h)), "
            "count(*) filter (where star.local_time(zone, star.instant_of(zone, timezone(zone, h))) "
            f"is distinct from timezone(zone, h)) from ({made})"
        ).fetchone()
    assert found is not None
    assert found[0] > 200_000
    assert found[1:] == (0, 0)


def test_what_cycles_add_is_put_together_again(played: Play) -> None:
    for hour in range(3 * snapshot.PACKED):
        played.cycle(DAYS[-1] + (1 + hour) / 24, is_full=True)
    for file in (played.paths.warehouse, played.paths.published):
        with session.attached(file, is_read_only=True) as connection:
            groups = "select count(distinct row_group_id) from pragma_storage_info('star.fact_pull')"
            assert (connection.execute(groups).fetchone() or (0,))[0] <= snapshot.PACKED + 1


def publish(play: Play) -> None:
    with open_warehouse(play.runtime) as connection:
        warehouse_publish.publish(connection, play.paths.published)


def test_a_file_that_is_not_the_one_published_last_is_copied_anew(played: Play) -> None:
    publish(played)
    shown = published(played)
    os.utime(played.paths.published, (1, 1))
    publish(played)
    assert updates(played) == 0
    publish(played)
    assert updates(played) == 1
    assert published(played) == shown


def test_rows_that_went_by_another_way_are_noticed_and_gone(played: Play) -> None:
    publish(played)
    with open_warehouse(played.runtime) as connection:
        connection.execute("delete from star.fact_dispute; delete from star.fact_check_event where event_seq > 1")
        warehouse_publish.publish(connection, played.paths.published)
    assert updates(played) == 0
    assert len(played.rows("from star.fact_check_event where event_seq > 1")) == 0


def test_now_and_then_it_is_copied_as_a_whole(played: Play) -> None:
    with open_warehouse(played.runtime) as connection:
        for _ in range(2):
            warehouse_publish.publish(connection, played.paths.published)
        told = json.dumps({**json.loads(_note(connection)), "updates": snapshot.UPDATES})
        connection.execute(f"update staging.setting set value = {quote(told)} where name = 'snapshot'")
        warehouse_publish.publish(connection, played.paths.published)
    assert updates(played) == 0


def _note(connection: session.Connection) -> str:
    found = connection.execute("select value from staging.setting where name = 'snapshot'").fetchone()
    return str(found[0]) if found else "{}"


def test_a_rebuild_is_followed_by_a_whole_copy(played: Play) -> None:
    from screening_pipeline.runtime import plans
    from screening_pipeline.warehouse import rebuild

    publish(played)
    publish(played)
    assert updates(played) > 0
    with open_warehouse(played.runtime) as connection:
        plans.prepare(connection, played.runtime)
        rebuild.rebuild(connection, played.runtime.landing, part_key=played.runtime.part_key)
    publish(played)
    assert updates(played) == 0
