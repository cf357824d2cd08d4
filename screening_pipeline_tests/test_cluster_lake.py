"""The warehouse in lakes on a real PostgreSQL: the same star as in a file, one writer, consistent readers."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest

from screening_pipeline.base import bucket
from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.errors import ConfigurationError, EnvironmentFailed, LockHeld
from screening_pipeline.cli.doctor_cluster import cluster_findings
from screening_pipeline.cycle.erase import erase_check
from screening_pipeline.health import scrub
from screening_pipeline.settings.paths import Paths
from screening_pipeline.settings.settings import Warehouse
from screening_pipeline.settings.shared import LandingPlace
from screening_pipeline.warehouse import catalog, lake_kept, lake_session, publish, session
from screening_pipeline.warehouse.engine_ducklake import DuckLake
from screening_pipeline_tests.support import parquet
from screening_pipeline_tests.support.end_to_end_world import dagster_words, playing
from screening_pipeline_tests.support.object_store import ObjectStore, object_store
from screening_pipeline_tests.support.postgres import Server
from screening_pipeline_tests.support.two_engines import LIVE, SHOWN, Side, differing, lakes, rows_of, side

pytestmark = [pytest.mark.cluster, pytest.mark.slow, dagster_words, pytest.mark.timeout(1800)]

CHECKS = 30


class Both(NamedTuple):
    """A world in files and in lakes, after three loads."""

    file: Side
    lake: Side
    updates: list[bool]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, postgres_server: Server) -> Iterator[Both]:
    folder, given = tmp_path_factory.mktemp("world"), pytest.MonkeyPatch()
    urls: dict[str, str] = {}
    settings = lakes(folder, postgres_server, urls)
    for name, url in urls.items():
        given.setenv(name, url)
    with playing(folder / "played", checks=CHECKS) as played:
        file = side(folder / "file", played, Warehouse())
        lake = side(folder / "lake", played, settings)
        found = Both(file, lake, [])
        for day in (14, 29, 29.1):
            played.cycle(day, is_full=True)
            for one in (file, lake):
                one.read(played.paths.data_dir)
                one.settle()
            found.updates.append('"is_update": true' in (lake.runtime.pull_queue.note("snapshot_made") or ""))
    yield found
    given.undo()


def test_a_lake_holds_what_a_file_holds_row_for_row(both: Both) -> None:
    found = both.lake.everything()
    assert sum(map(len, found.values())) > 1_000
    assert differing(both.file.everything(), found) == {}


def test_what_is_published_in_a_lake_is_what_a_file_shows(both: Both) -> None:
    assert both.updates == [False, False, True], "as a whole, until less than half has changed"
    assert differing(both.file.shown(), both.lake.shown()) == {}
    assert both.lake.shown() == rows_only_of_published(both.lake.everything())


def test_files_of_what_a_lake_shows_are_its_tables_and_views(both: Both, tmp_path: Path) -> None:
    for _ in range(2):  # the session is kept, and is as it was before
        with both.lake.engine.deriving() as connection:
            publish.export_parquet(connection, tmp_path / "parquet")
            assert parquet.differing(connection, tmp_path / "parquet") == []


def rows_only_of_published(found: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: rows for name, rows in found.items() if name.split(".")[0] in catalog.PUBLISHED}


OF_AN_ERASURE = {"ops.erasure", "staging.setting", "staging.landed_file"}
"""Where numbers and instants of erasures and of files stand: each side has its own."""


def test_a_rebuild_in_a_lake_comes_to_the_same(both: Both) -> None:
    before = both.lake.everything()
    for one in both[:2]:
        one.rebuild()
    after = both.lake.everything()
    assert differing(both.file.everything(), after).keys() <= OF_AN_ERASURE
    planned = {"staging.setting", "star.fact_check", "analytics.open_check_ageing"}  # no plan is made by a rebuild
    assert differing(before, after).keys() <= planned


def test_what_a_lake_cannot_comment_is_in_a_table(both: Both) -> None:
    with both.lake.engine.reader() as connection:
        told = session.rows(connection, "from ops.column_comment")
        tables = connection.execute(
            "select comment from duckdb_columns() where schema_name = 'star' and table_name = 'fact_check'"
        ).fetchall()
    assert {row["comment"] for row in told} >= set(catalog.relations()["analytics.turnaround"].columns.values())
    assert all(comment for (comment,) in tables)


def test_files_of_a_lake_tell_nothing_without_its_catalogue(both: Both) -> None:
    files = list(Path(both.lake.runtime.settings.warehouse.data_path or "").rglob("*.parquet"))
    assert files
    with pytest.raises(session.DatabaseError):
        session_of_nobody().execute(f"from '{files[0]}'").fetchall()


def session_of_nobody() -> session.Connection:
    return duckdb.connect()


def test_a_second_writer_is_told_who_writes(both: Both) -> None:
    with both.lake.opened():
        assert both.lake.engine.is_busy()
        elsewhere_opened = elsewhere(both).writer(clock=both.lake.runtime.clock, wait_seconds=0)
        with pytest.raises(LockHeld, match=rf"held by process {os.getpid()} on "), elsewhere_opened:
            pass
    assert not both.lake.engine.is_busy()


def elsewhere(both: Both) -> DuckLake:
    """The engine as another machine has it: another data folder, the same lakes."""
    settings = both.lake.runtime.settings
    paths = Paths.under(settings.data_dir.parent / "elsewhere", {})
    paths.create()
    return DuckLake(paths, settings.warehouse)


def test_a_writer_that_lost_its_lock_commits_nothing(both: Both, postgres_server: Server) -> None:
    before = both.lake.everything()["ops.run"]
    with both.lake.opened() as connection:
        cut_off(postgres_server)
        with elsewhere(both).writer(clock=both.lake.runtime.clock, wait_seconds=5) as other:
            with session.transaction(other):
                other.execute("delete from ops.run where run_id = 'theirs'")
            with pytest.raises(EnvironmentFailed, match="lock"), session.transaction(connection):
                add_run(connection, "ours")
    assert both.lake.everything()["ops.run"] == before


def test_two_writers_without_any_lock_are_told_apart_by_the_fence(both: Both, postgres_server: Server) -> None:
    with both.lake.opened() as first:
        cut_off(postgres_server)
        with elsewhere(both).writer(clock=both.lake.runtime.clock, wait_seconds=5) as second:
            blind(first)
            with session.transaction(second):
                add_run(second, "theirs")
            with pytest.raises(EnvironmentFailed, match="taken over"), session.transaction(first):
                add_run(first, "late")
    with both.lake.opened() as first:
        cut_off(postgres_server)
        with elsewhere(both).writer(clock=both.lake.runtime.clock, wait_seconds=5) as second:
            blind(first)
            with pytest.raises(session.DatabaseError, match=r"conflict|commit"), session.transaction(first):  # noqa: PT012
                add_run(first, "at the same time")
                with session.transaction(second):
                    add_run(second, "first")
    runs = both.lake.everything()["ops.run"]
    assert [name for name in ("theirs", "late", "at the same time", "first") if name in str(runs)] == [
        "theirs",
        "first",
    ]
    with both.lake.opened() as connection, session.transaction(connection):
        connection.execute("delete from ops.run where trigger = 'test'")


def cut_off(server: Server) -> None:
    """End every session that holds a lock, as a network that breaks does."""
    server.say("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted")
    while server.say("select 1 from pg_locks where locktype = 'advisory' and granted"):
        time.sleep(0.05)  # it is told to end, and ends a little later


def blind(connection: session.Connection) -> None:
    """Have a writer not look whether it still has the lock."""
    session.traits(connection)._require_lock = None  # type: ignore[attr-defined]


def add_run(connection: session.Connection, name: str) -> None:
    row = {"run_id": name, "started_at": "2026-03-02", "finished_at": "2026-03-02", "trigger": "test"}
    session.insert(connection, "ops.run", [row])


def test_readers_see_whole_states_while_a_writer_publishes(both: Both) -> None:
    with both.lake.engine.reader() as reader:
        before = rows_of(reader, ("star",))
        with both.lake.opened() as connection:
            with session.transaction(connection):
                add_run(connection, "published meanwhile")
            both.lake.engine.publish(connection)
            with session.transaction(connection):
                connection.execute("delete from ops.run where trigger = 'test'")
        assert rows_of(reader, ("star",)) == before
        assert "published meanwhile" not in str(reader.execute("from ops.run").fetchall())
    assert "published meanwhile" in str(both.lake.shown()["ops.run"])


def test_analysts_read_what_is_published_and_cannot_reach_the_rest(both: Both, postgres_server: Server) -> None:
    shown = os.environ[SHOWN].rsplit("/", 1)[1]
    postgres_server.say("create role analyst login password 'of-a-test'")
    postgres_server.say("grant pg_read_all_data to analyst; revoke pg_read_all_data from analyst")
    postgres_server.say("grant select on all tables in schema public to analyst", shown)
    url = os.environ[SHOWN].replace("//owner:", "//analyst:")
    live = os.environ[LIVE].replace("//owner:", "//analyst:")
    import psycopg  # not everywhere, and elsewhere the tests of this file are skipped

    with pytest.raises(psycopg.errors.InsufficientPrivilege), psycopg.connect(live) as connection:
        connection.execute("select * from ducklake_data_file")
    settings = both.lake.runtime.settings
    with pytest.MonkeyPatch.context() as given:
        given.setenv(SHOWN, url)
        engine = DuckLake(settings.paths, settings.warehouse)
        with engine.reader() as reader:
            assert reader.execute("select count(*) from star.fact_check").fetchall()[0][0] > 10
            schemas = reader.execute(
                "select schema_name from duckdb_schemas() where database_name = current_database()"
            ).fetchall()
        assert {name for (name,) in schemas} >= set(catalog.PUBLISHED)
        assert not {name for (name,) in schemas} & {"raw", "staging"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({LIVE: ""}, r"warehouse.catalog_env.*SCREENING_CATALOG_URL is not set"),
        ({SHOWN: "same"}, r"warehouse.published_catalog_env.*would read all"),
    ],
)
def test_a_wrong_address_is_told_by_its_key(both: Both, change: dict[str, str], told: str) -> None:
    settings = both.lake.runtime.settings
    with pytest.MonkeyPatch.context() as given:
        for name, value in change.items():
            given.setenv(name, os.environ[LIVE] if value == "same" else value)
        with pytest.raises(ConfigurationError, match=told):
            DuckLake(settings.paths, settings.warehouse)


def test_a_server_that_does_not_answer_is_told_without_its_address(both: Both) -> None:
    settings = both.lake.runtime.settings
    with pytest.MonkeyPatch.context() as given:
        given.setenv(LIVE, "postgresql://owner:canary@127.0.0.1:1/nothing")
        with pytest.raises(EnvironmentFailed, match=r"warehouse.catalog_env, SCREENING_CATALOG_URL") as found:
            DuckLake(settings.paths, settings.warehouse).is_made()
    assert "canary" not in str(found.value)


def test_another_folder_than_the_lakes_own_is_refused(both: Both, tmp_path: Path) -> None:
    settings = both.lake.runtime.settings
    engine = DuckLake(settings.paths, replace(settings.warehouse, data_path=str(tmp_path)))
    with (
        pytest.raises(ConfigurationError, match=r"warehouse\.data_path"),
        engine.writer(clock=both.lake.runtime.clock, wait_seconds=5),
    ):
        pass


def test_a_missing_extension_is_told_with_what_brings_it(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    lake_kept.forget()
    monkeypatch.setattr(lake_session, "EXTENSIONS", ("no_such_extension",))
    with pytest.raises(ConfigurationError, match=r"extension no_such_extension.*cluster"), both.lake.engine.reader():
        pass


@pytest.fixture
def in_buckets(
    tmp_path: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch, both: Both
) -> Iterator[tuple[DuckLake, ObjectStore]]:
    """An engine of lakes in two new buckets, `live` and `shown`; nothing is made yet."""
    with object_store() as store:
        for name, value in store.environ.items():
            monkeypatch.setenv(name, value)
        for name in (LIVE, SHOWN):
            monkeypatch.setenv(name, postgres_server.new_database())
        paths = Paths.under(tmp_path / "data", {})
        paths.create()
        live, shown = store.new_bucket("live"), store.new_bucket("shown")
        settings = replace(both.lake.runtime.settings.warehouse, data_path=live, published_data_path=shown)
        yield DuckLake(paths, settings), store
        lake_kept.forget()


def test_lakes_on_an_object_store_hold_the_same_and_forget_what_is_erased(
    in_buckets: tuple[DuckLake, ObjectStore], both: Both
) -> None:
    engine, store = in_buckets
    clock = both.lake.runtime.clock
    with engine.writer(clock=clock) as connection:
        with session.transaction(connection):
            add_run(connection, "in a bucket")
        engine.publish(connection)
    with engine.reader() as reader:
        assert "in a bucket" in str(reader.execute("from ops.run").fetchall())
    assert any("in a bucket" in told for told in told_by_files(engine)), "it is where it is looked for"
    with engine.renewed(clock=clock) as connection:
        with session.transaction(connection):
            connection.execute("delete from ops.run")
        engine.publish(connection)
    assert not any("in a bucket" in told for told in told_by_files(engine))
    for name, lake in (("warehouse", engine._live), ("snapshot", engine._shown)):
        names = [one for one, _, _ in lake.catalogue.files()]
        assert sorted(store.versions(lake.data_path)) == sorted(names), "no file, version or mark but those that count"
        (gone,) = names[:1]
        store.delete(lake.data_path, gone)
        found = list(scrub.databases(engine.paths, clock, scrub.WHOLE, engine=engine))
        assert [(one.store, gone in one.message, "is gone" in one.message) for one in found][-1] == (
            name,
            True,
            True,
        )


def told_by_files(engine: DuckLake) -> list[str]:
    """All that the files of both lakes hold, as text, whether a state still needs it or not."""
    found = []
    for lake, opened in ((engine._live, engine.examined(clock=SystemClock())), (engine._shown, engine.reader())):
        with opened as connection:
            for name, _, key in lake.catalogue.files():
                sealed = f"encryption_config = {{footer_key_value: from_base64('{key}')}}"
                query = f"from read_parquet('{lake.data_path}{name}', {sealed})"
                found.append(str(connection.execute(query).fetchall()))
    return found


def test_a_bucket_that_keeps_what_is_deleted_is_refused(
    in_buckets: tuple[DuckLake, ObjectStore], both: Both, postgres_server: Server
) -> None:
    engine, store = in_buckets
    clock = both.lake.runtime.clock
    shown = engine._shown.data_path
    warehouse = both.lake.runtime.settings.warehouse
    warehouse = replace(warehouse, data_path=engine._live.data_path, published_data_path=shown)
    settings = replace(both.lake.runtime.settings, paths=engine.paths, warehouse=warehouse)
    settings = replace(settings, landing=LandingPlace(url=f"{shown}landing"))
    told = {finding.name: finding for finding in cluster_findings(settings, os.environ)}
    assert {one.level for one in told.values()} == {"ok", "warn"}
    assert "without data checksums" in told["warehouse.catalog_env"].message
    assert f"DuckDB {duckdb.__version__} with httpfs" in told["warehouse.engine"].message
    store.keep_versions(shown, "Enabled")
    told = {finding.name: finding for finding in cluster_findings(settings, os.environ)}
    assert told["warehouse.data_path"].level == "ok"
    assert {told[key].level for key in ("warehouse.published_data_path", "landing.url")} == {"fail"}
    erasing = replace(both.lake.runtime, settings=settings)
    with pytest.raises(ConfigurationError, match=r"landing\.url.*an erasure would not erase"):
        erase_check(erasing, "zinc", "anything")
    with (
        pytest.raises(ConfigurationError, match=r"warehouse\.published_data_path.*bucket shown-\w+ keeps versions"),
        engine.writer(clock=clock),
    ):
        pass
    assert not engine.is_made()
    store.put(shown, "old")
    store.delete(shown, "old")
    store.keep_versions(shown, "Suspended")
    assert "old versions" in str(bucket.why_it_remembers(shown, "warehouse.published_data_path"))
    locked = store.new_bucket("locked", is_locked=True)
    assert "keeps versions" in str(bucket.why_it_remembers(locked, "warehouse.data_path")), "a lock needs them"
    with pytest.raises(EnvironmentFailed, match=r"warehouse\.data_path: the object store says NoSuchBucket"):
        bucket.sizes("s3://nowhere/", "warehouse.data_path")


def test_a_file_of_a_lake_that_is_lost_or_damaged_is_named_with_the_way_back(both: Both) -> None:
    side = both.lake
    engine, clock, paths = side.engine, side.runtime.clock, side.runtime.settings.paths
    assert isinstance(engine, DuckLake)

    def found() -> list[tuple[str, str]]:
        rotten = scrub.databases(paths, clock, scrub.WHOLE, engine=engine)
        return [(one.store, one.message.partition(": ")[2]) for one in rotten if "[warehouse]" in one.fix]

    assert found() == []
    for store, lake in (("warehouse", engine._live), ("snapshot", engine._shown)):
        name = max(lake.catalogue.files(), key=lambda file: file[1])[0]
        file = Path(lake.data_path) / name
        content = file.read_bytes()
        rotten = bytearray(content)
        rotten[len(rotten) // 3] ^= 1
        file.write_bytes(rotten)
        assert found() == [(store, f"{name} is not what was written")]
        file.write_bytes(content[:-1])
        assert found() == [(store, f"{name} has {len(content) - 1:,} of its {len(content):,} bytes")]
        file.unlink()
        assert found() == [(store, f"{name} is gone")]
        file.write_bytes(content)
    assert found() == []


def test_a_session_is_kept_for_the_next_use_and_not_beyond_what_ends_it(both: Both, postgres_server: Server) -> None:
    lake_kept.forget()
    with both.lake.opened() as first:
        pass
    ((waiting,),) = postgres_server.say("select count(*) from pg_stat_activity where state like 'idle in transaction%'")
    assert waiting == 0, "a session that is kept keeps nobody from maintenance"
    with both.lake.opened() as again:
        assert again is first
        assert again.execute("select count(*) from duckdb_tables() where temporary").fetchall() == [(0,)]
    if (child := os.fork()) == 0:
        os._exit(int(lake_kept._taken(next(iter(lake_kept._kept))) is not None))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "a child has none of its parent's"
    with both.lake.opened() as still:
        assert still is first
    postgres_server.crash()
    with both.lake.opened() as after_a_crash, session.transaction(after_a_crash):
        after_a_crash.execute("delete from ops.run where trigger = 'test'")
    with pytest.raises(ZeroDivisionError), both.lake.opened() as failed:
        _ = 1 / 0
    with both.lake.opened() as after_an_error:
        assert after_an_error is not failed


KILLED = """
import os, pickle, sys
from screening_pipeline.base.clock import ManualClock
from screening_pipeline.runtime import opening
from screening_pipeline_tests.support.two_engines import Side
settings, now = pickle.load(sys.stdin.buffer)
print("ready", flush=True)
Side(opening.build_runtime(settings, os.environ, ManualClock(now))).rebuild()
"""


def test_a_writer_that_is_killed_leaves_nothing_half_and_nothing_twice(both: Both) -> None:
    given = pickle.dumps((both.lake.runtime.settings, both.lake.runtime.clock.now()))
    for seconds in (1.5, 3.0, 5.0):
        with subprocess.Popen([sys.executable, "-c", KILLED], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
            assert writer.stdin is not None
            assert writer.stdout is not None
            writer.stdin.write(given)
            writer.stdin.close()
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(seconds)
            writer.kill()
    for one in both[:2]:
        one.rebuild()
        one.settle()
    assert differing(both.file.everything(), both.lake.everything()) == {}
    assert differing(both.file.shown(), both.lake.shown()) == {}


def test_an_erasure_leaves_no_byte_in_files_catalogue_and_server(both: Both, postgres_server: Server) -> None:
    vendor, account, check_id = longest_id(both.lake)
    wanted = check_id.encode()
    before = {variable: postgres_server.holding(os.environ[variable], wanted) for variable in (LIVE, SHOWN)}
    assert any(before.values()), "the ids are where they are looked for"
    for one in both[:2]:
        assert erase_check(one.runtime, vendor, check_id, account) is not None
    assert differing(both.file.everything(), both.lake.everything()).keys() <= OF_AN_ERASURE
    assert check_id not in str(both.lake.everything())
    assert check_id not in str(both.lake.shown())
    for variable in (LIVE, SHOWN):
        assert postgres_server.holding(os.environ[variable], wanted) == []
    settings = both.lake.runtime.settings.warehouse
    for variable, place in ((LIVE, settings.data_path), (SHOWN, settings.published_data_path)):
        live = "select count(*) from ducklake_data_file where end_snapshot is null"
        older = "select (select count(*) from ducklake_data_file where end_snapshot is not null)"
        older += " + (select count(*) from ducklake_delete_file)"
        files = len(list(Path(place or "").rglob("*.parquet")))
        assert postgres_server.say(f"select ({live}), ({older})", named(variable)) == [(files, 0)]


def longest_id(side: Side) -> tuple[str, str, str]:
    with side.engine.reader() as reader:
        query = "select vendor, account, check_id from star.fact_check order by length(check_id) desc, check_id limit 1"
        found: tuple[str, str, str] = reader.execute(query).fetchall()[0]
    return found


def named(variable: str) -> str:
    return os.environ[variable].rsplit("/", 1)[1]
