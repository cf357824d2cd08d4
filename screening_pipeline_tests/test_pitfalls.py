"""Traps that were seen in libraries, systems and vendors, and that this program must not step into.

Those that other tests guard already are listed with them in docs/promises.md.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from dagster._utils.error import serializable_error_info_from_exc_info

from screening_pipeline.base import garbage_collection
from screening_pipeline.base.clock import StandingClock, SystemClock
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.base.sql_text import quote
from screening_pipeline.cli.dev import Served
from screening_pipeline.orchestration.instance import instance
from screening_pipeline.settings.paths import Paths
from screening_pipeline.state.pull_queue import PullQueue
from screening_pipeline.state.store import State
from screening_pipeline.warehouse import publish, session, store
from screening_pipeline.webhooks.signatures import is_basic, is_signed, is_signed_as_javascript
from screening_pipeline_tests.support.end_to_end_world import dagster_words, definitions
from screening_pipeline_tests.support.stage import MORNING, Stage, opened
from screening_pipeline_tests.test_layout import PACKAGE, ROOT, closure, imported, modules, pyproject, source

pytestmark = dagster_words

CANARY = "Canaria Testperson"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with opened(tmp_path_factory) as empty:
        yield empty


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths.under(tmp_path / "data", {})
    made.create()
    return made


def writing(paths: Paths) -> AbstractContextManager[session.Connection]:
    return store.writer(paths.warehouse, lock_path=paths.warehouse_lock, clock=StandingClock(MORNING), wait_seconds=0)


# ── DuckDB ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_release_of_duckdb_that_writes_other_files_is_not_taken() -> None:
    (wanted,) = [text for text in pyproject()["project"]["dependencies"] if text.startswith("duckdb")]
    assert wanted == "duckdb>=1.5.5,<2"


def test_a_failure_leaves_the_warehouse_free_while_its_traceback_lives(paths: Paths) -> None:
    with pytest.raises(ZeroDivisionError) as kept, writing(paths):
        raise ZeroDivisionError
    with writing(paths) as connection:
        assert connection.execute("select 1").fetchall() == [(1,)]
    assert kept.tb is not None


def test_what_was_left_by_a_process_killed_while_it_made_the_warehouse_is_no_obstacle(paths: Paths) -> None:
    for leftover in (".warehouse.duckdb.new", ".warehouse.duckdb.new.wal"):
        (paths.data_dir / leftover).write_bytes(b"half a file")
    with writing(paths) as connection:
        assert connection.execute("select count(*) from star.fact_check").fetchall() == [(0,)]
    assert not list(paths.data_dir.glob(".warehouse.duckdb*"))


def test_what_spills_to_disk_is_encrypted_and_stays_in_the_data_folder(paths: Paths) -> None:
    settings = "select current_setting('temp_file_encryption'), current_setting('temp_directory')"
    with writing(paths) as connection:
        assert connection.execute(settings).fetchall() == [(True, str(paths.data_dir / ".duckdb_spill"))]
        publish.publish(connection, paths.published)
    with store.reader(paths.published) as connection:
        (row,) = connection.execute(settings).fetchall()
    assert row[0] is True
    assert str(row[1]).startswith(str(paths.data_dir))


def test_what_does_not_fit_into_memory_is_spilled_and_cannot_be_read_there(paths: Paths) -> None:
    with writing(paths) as connection:
        connection.execute("set memory_limit = '60MB'")
        connection.execute(
            "create temp table wide as select range as i, repeat('Jane Doe ', 40) as name from range(400000)"
        )
        spilled = [path for path in (paths.data_dir / ".duckdb_spill").rglob("*") if path.is_file()]
        assert spilled
        assert not any(b"Jane Doe" in path.read_bytes() for path in spilled)
        assert connection.execute("select count(*), min(name) from wide").fetchone() == (400000, "Jane Doe " * 40)
    assert not any(path.is_file() for path in (paths.data_dir / ".duckdb_spill").rglob("*"))


def test_no_statement_asks_the_database_for_the_time_or_for_what_other_engines_lack() -> None:
    """A test clock does not move `now()`; a default of it, and constraints, are where engines differ or break."""
    written = {path.name: _bare(path.read_text(encoding="utf-8")) for path in (PACKAGE / "sql").rglob("*.sql")}
    lacking = r"now\(\)|current_timestamp|current_date|primary key|foreign key|on conflict|\breturning\b"
    assert len(written) > 50
    assert [name for name, sql in written.items() if re.search(lacking, sql)] == []
    made = _bare("".join(source(name) for name in modules() if name.startswith(("warehouse.", "orders."))))
    assert not re.search(r"create (unique )?index|create sequence|create type|default now\(\)|primary key", made)


def _bare(sql: str) -> str:
    """Without comments, in small letters."""
    return re.sub(r"--[^\n]*", "", sql).lower()


def test_a_key_that_a_vendor_adds_changes_nothing(stage: Stage) -> None:
    s = stage.story("grown").of("zinc")
    s.say(status="pending", statusV2="awaiting-candidate")
    s.say(status="pending", statusV2="awaiting-candidate", newKey={"deep": [1, {"er": None}]}, checks=[{"new": 1}])
    stage.settle()
    assert len(s.lifecycles()) == 1
    assert s.rejects() == []


def test_the_same_answer_twice_in_one_batch_is_one_event(stage: Stage) -> None:
    """A merge of doubled rows raises nothing and may insert both."""
    s = stage.story("doubled").of("workerchecks")
    s.order()
    for _ in range(2):
        s.say(status="Pending", when="10:00")
    stage.settle()
    assert len(s.events()) == 1


def test_neither_pandas_nor_arrow_is_loaded_by_work_on_the_warehouse(tmp_path: Path) -> None:
    """The first bound parameter would import them, for most of a second in every process."""
    program = (
        "from screening_pipeline.cycle import settle, take_orders\n"
        "from screening_pipeline.cycle.writing import open_warehouse\n"
        "from screening_pipeline.warehouse import publish\n"
        "(chosen.paths.orders / 'o.csv').write_text('vendor,check_id\\ngoodhire,r1\\n')\n"
        "taken = take_orders.take_orders(work, run_id='test')\n"
        "with open_warehouse(work) as connection:\n"
        "    settle.settle(work, connection)\n"
        "    publish.publish(connection, chosen.paths.published)\n"
        "print(taken.intake.orders, sorted({'pandas', 'pyarrow'} & set(sys.modules)))\n"
    )
    assert _at_work(program, tmp_path) == "1 []\n"


def test_forecasts_are_the_same_in_every_process() -> None:
    """The order of a set of texts is another one in each, and so was whose turn it was to draw."""
    program = (
        "import numpy as np\n"
        "from screening_pipeline.planning import eta, hazards\n"
        "entered, never = np.arange(60) * 3600.0, np.full(60, np.nan)\n"
        "words = dict(vendor='ab', package='xyz', state='pqrst')\n"
        "stays = {name: np.array([of[n % len(of)] for n in range(60)], dtype=object) for name, of in words.items()}\n"
        "stays |= dict(entered=entered, watched_from=entered, seen_until=entered + 60, left_by=entered + 9000.0)\n"
        "stays |= dict(next_state=np.array(['end:complete'] * 60, dtype=object), check_key=np.arange(60))\n"
        "learned = hazards.learn(stays, {}, 400_000.0)\n"
        "print(eta.predict(learned, {**stays, 'due': never, 'needed': never}, 400_000.0)['p50'].tolist())\n"
    )
    first, *others = (_python(program, PYTHONHASHSEED=seed) for seed in ("1", "2", "3"))
    assert first.count(",") == 59
    assert others == [first, first]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted where Linux lists them")
def test_no_thread_is_started_for_linear_algebra_that_nobody_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would spin for a tenth of a second, in every process that plans."""
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    program = (
        "import os\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "import screening_pipeline.planning.schedule\n"
        "print('numpy' in sys.modules, len(os.listdir('/proc/self/task')) - before)\n"
    )
    assert _at_work(program, tmp_path) == "True 0\n"


def test_what_a_command_imports_is_not_looked_through_for_garbage_over_and_over() -> None:
    """Nothing of it ever is any, and looking costs a tenth of a `sync`."""
    program = (
        "import gc, sys, contextlib\n"
        "from screening_pipeline.cli import app\n"
        "sys.argv = ['screening-pipeline', '--help']\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(None):\n"
        "    app.main()\n"
        "before = gc.get_stats()[0]['collections']\n"
        "import screening_pipeline.definitions\n"
        "print(gc.get_stats()[0]['collections'] - before)\n"
    )
    assert int(_python(program)) < 20


def test_nor_is_what_the_code_location_imports() -> None:
    assert (
        _python("import gc, screening_pipeline.definitions; print(gc.get_threshold()[0])")
        == f"{garbage_collection.AFTER}\n"
    )


def _at_work(program: str, folder: Path) -> str:
    """What a program says that finds a runtime assembled (`work`) and what it was assembled of (`chosen`)."""
    assembled = (
        "import sys, pathlib\n"
        "from screening_pipeline.base import clock\n"
        "from screening_pipeline.runtime import opening\n"
        "from screening_pipeline.settings import sandbox_accounts\n"
        "environ = {'SCREENING_DATA_DIR': sys.argv[1]}\n"
        "chosen = sandbox_accounts.bundled(environ, pathlib.Path(sys.argv[1]))\n"
        "work = opening.build_runtime(chosen, environ, clock.SystemClock())\n"
    )
    paths = Paths.under(folder / "data", {})
    paths.create()
    return _python(assembled + program, str(paths.data_dir))


def _python(program: str, *arguments: str, **environ: str) -> str:
    """What a program says, run by this Python in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# ── what exceptions carry ──────────────────────────────────────────────────────────────────────────────


def test_what_the_database_complains_of_is_told_without_the_values_in_it(paths: Paths) -> None:
    """Dagster stores the texts of exceptions and serves them to whoever asks."""
    with pytest.raises(EnvironmentFailed) as failed, writing(paths) as connection:
        complain(connection)
    stored = str(serializable_error_info_from_exc_info((failed.type, failed.value, failed.tb)))
    assert failed.value.code == "warehouse_failed"
    assert "ConversionException" in stored
    assert "in complain" in stored, "the place is told"
    assert CANARY not in stored
    assert CANARY not in "".join(traceback.format_exception(failed.value))


def complain(connection: session.Connection) -> None:
    """Let DuckDB raise an error that quotes a value."""
    connection.execute(f"create temp table told as select {quote(CANARY)} as said")
    with pytest.raises(duckdb.ConversionException, match=CANARY):
        connection.execute("select said::timestamp from told").fetchall()
    connection.execute("select said::timestamp from told").fetchall()


def test_a_mistake_of_the_program_is_told_by_its_place_and_not_by_its_words(tmp_path: Path) -> None:
    snapshot = tmp_path / "published" / "screening.duckdb"
    with store.writer(tmp_path / "warehouse.duckdb", lock_path=tmp_path / "lock", clock=SystemClock()) as connection:
        publish.publish(connection, snapshot)
    snapshot.chmod(0o600)
    with duckdb.connect(str(snapshot)) as made:
        made.execute("create table star.kept as from star.dim_account; drop table star.dim_account")
        made.execute(
            "insert into star.kept (vendor) values ('zinc'); create view star.dim_account as"
            f" select * replace (error({quote(CANARY)}) as vendor) from star.kept"
        )
    done = subprocess.run(
        [sys.executable, "-m", "screening_pipeline", "status"],
        cwd=tmp_path,
        env={**os.environ, "SCREENING_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert "status.py" in done.stderr, "where it was"
    assert "Exception" in done.stderr, "of which kind"
    assert CANARY not in done.stdout + done.stderr


def test_a_manifest_whose_name_is_no_text_is_read_and_named(stage: Stage) -> None:
    place = os.fsencode(stage.settings.paths.orders) + b"/caf\xe9.csv"
    Path(os.fsdecode(place)).write_text("vendor,check_id\ngoodhire,from-latin-1\nacme,1\n")
    stage.settle()
    assert stage.story("from-latin-1").of("goodhire").check()["lifecycle"] == "unknown"
    rejected = stage.rows("select file, reason from ops.reject where source = 'manifest'")
    assert rejected == [{"file": "caf\\xe9.csv", "reason": "unknown_vendor"}]


# ── Dagster ────────────────────────────────────────────────────────────────────────────────────────────


def test_every_job_runs_in_one_process() -> None:
    """Under the default executor each step is a new interpreter, and an orphaned step outlives its run."""
    jobs = definitions().get_repository_def().get_all_jobs()
    assert len(jobs) > 8
    assert {job.executor_def.name for job in jobs} == {"in_process"}


def test_no_sensor_can_ask_a_vendor_anything() -> None:
    """A sensor has a minute at most, and its wait would hold up all others."""
    deciding = {name for name in modules() if name in ("orchestration.sensors", "orchestration.outlook")}
    assert len(deciding) == 2
    assert not {"client", "pull", "settle", "feed", "httpx"} & {
        used.split(".")[-1] for name in deciding for used in imported(name)
    }


def test_runs_that_are_asked_for_have_no_key_that_could_be_used_twice() -> None:
    """Dagster skips a key that it has seen for good, also when that run was lost."""
    asking = [source(name) for name in modules() if name.startswith("orchestration.") and "RunRequest(" in source(name)]
    assert sum(text.count("RunRequest(") for text in asking) >= 2
    assert [text for text in asking if "run_key" in text] == []


def test_a_snapshot_whose_run_was_lost_is_asked_for_again(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCREENING_NOW", MORNING.isoformat())
    PullQueue(State(paths.state)).remember("snapshot_put_off", MORNING.isoformat())
    sensor = definitions().resolve_sensor_def("snapshot_put_off")
    with dg.DagsterInstance.ephemeral() as recorded:

        def asked() -> object:
            return sensor(dg.build_sensor_context(instance=recorded))

        first = asked()
        assert isinstance(first, dg.RunRequest)
        for status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED):
            recorded.add_run(dg.DagsterRun(job_name="publish", tags=first.tags, status=status))
            assert isinstance(asked(), dg.RunRequest)
        recorded.add_run(dg.DagsterRun(job_name="publish", tags=first.tags, status=dg.DagsterRunStatus.STARTED))
        assert isinstance(asked(), dg.SkipReason), "one at a time"


def test_dagsters_storage_is_made_so_that_a_dead_run_is_noticed_and_nobody_is_called(paths: Paths) -> None:
    with instance(paths, {}) as made:
        assert made.run_monitoring_enabled
        assert made.run_monitoring_max_runtime_seconds > 0
        assert made.telemetry_enabled is False
        assert made.nux_enabled is False
    written = (paths.dagster / "dagster.yaml").read_text(encoding="utf-8")
    assert not re.search(r"secret|token|password|https?://", written)


def test_what_dagsters_pages_are_given_of_the_definitions_holds_no_secret(tmp_path: Path) -> None:
    """The interface that its pages use asks nobody for a password: a plain value of a resource would be shown."""
    program = (
        "from dagster._core.remote_representation.external_data import RepositorySnap\n"
        "from dagster._serdes import serialize_value\n"
        "from screening_pipeline.definitions import defs\n"
        "print(serialize_value(RepositorySnap.from_def(defs.get_repository_def())))\n"
    )
    names = ("GOODHIRE_KEY", "HIRERIGHT_CLIENT_SECRET", "SCREENING_PSEUDONYM_KEY", "SCREENING_LANDING_KEY")
    secrets = {name: f"canary-{name.lower()}-0123456789abcdef" for name in names}
    shown = _python(program, SCREENING_DATA_DIR=str(tmp_path), **secrets)
    assert '"screening"' in shown, "the resource is among it"
    assert len(shown) > 50_000
    assert [value for value in secrets.values() if value in shown] == []
    assert "canary-" not in shown


def test_the_resource_that_steps_work_with_has_no_field_that_could_be_set_or_shown() -> None:
    resource = definitions().get_repository_def().get_top_level_resources()["screening"]
    assert resource.config_schema.config_type is not None
    fields = getattr(resource.config_schema.config_type, "fields", {})
    assert dict(fields) == {}


def test_dagsters_pages_are_opened_on_this_machine_for_their_owner_alone() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").split("\ndev:")[1].split("\n\n")[0]
    assert "exec $(BIN)/screening-pipeline dev" in recipe, "a signal reaches it and no shell in between"
    assert "--host" not in recipe
    assert Served().host == "127.0.0.1", "it listens on loopback unless told otherwise"


def test_what_a_command_makes_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "screening_pipeline", "init"]
    environ = {**os.environ, "SCREENING_DATA_DIR": str(tmp_path / "data"), "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=tmp_path, env=environ, umask=0, check=True, capture_output=True, timeout=60)
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert made
    assert [path.name for path in made if path.stat().st_mode & 0o077] == []


# ── signatures ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("signature", ["ü" * 64, "\udcff", "", "é", "\x00"])
def test_a_signature_of_any_characters_is_a_wrong_one_and_no_failure(signature: str) -> None:
    given = signature.encode("utf-8", "surrogateescape")
    assert not is_signed(b"{}", given, b"key")
    assert not is_signed_as_javascript(b"{}", given, b"key")
    assert not is_basic(b"Basic " + given, b"name:password")


# ── reach ──────────────────────────────────────────────────────────────────────────────────────────────


def test_whoever_reads_payloads_cannot_call_anybody() -> None:
    """What interprets is pure; no link that a vendor names can be fetched there."""
    for name in ("landing.judge", "warehouse.scan"):
        assert not any(reached in ("http.client", "http.transport", "http.feed_process") for reached in closure(name))
