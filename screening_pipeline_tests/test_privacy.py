"""People and secrets stay where they belong: canaries of real cycles are searched for in everything that is written."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from screening_pipeline.base.clock import ManualClock
from screening_pipeline.base.errors import MissingSecret
from screening_pipeline.base.sql_text import quote
from screening_pipeline.cli.app import app
from screening_pipeline.cycle import erase
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.landing.area import Landing
from screening_pipeline.orchestration import runs
from screening_pipeline.runtime import opening
from screening_pipeline.sandbox.people import BIRTH_DATE, CANARIES
from screening_pipeline.settings import load
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse import session, store
from screening_pipeline_tests.support.commands import Commands
from screening_pipeline_tests.support.end_to_end_world import Play, dagster_words, playing
from screening_pipeline_tests.support.loopback import Reply, serving
from screening_pipeline_tests.support.stage import MORNING
from screening_pipeline_tests.test_retention import NAME, land

DAYS = (2, 5, 9)
CHECKS = 60
NEVER_STORED = ("900-12-", "Canary Row", "CANLIC-")
REFERENCE = re.compile(r"cand-\d{6}")

pytestmark = dagster_words


@dataclass
class Played:
    """Cycles that were played, and what was said while they ran."""

    play: Play
    output: str

    @property
    def data(self) -> Path:
        data: Path = self.play.paths.data_dir
        return data

    def files(self, *without: str) -> Iterator[Path]:
        """Every file in the data folder, outside these folders of it."""
        for path in sorted(self.data.rglob("*")):
            if path.is_file() and path.relative_to(self.data).parts[0] not in without:
                yield path


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Three cycles, with every log at its most talkative."""
    log, console = io.StringIO(), io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        with (
            contextlib.redirect_stdout(console),
            contextlib.redirect_stderr(console),
            playing(tmp_path_factory.mktemp("privacy") / "data", checks=CHECKS) as one,
        ):
            for day in DAYS:
                one.cycle(day, is_full=day == DAYS[-1])
            runs.daily_report(one.runtime, one.instance)  # the page, the Parquet files, and every view shown in Dagster
            yield Played(one, log.getvalue() + console.getvalue())
    finally:
        logging.getLogger().removeHandler(handler)
        logging.getLogger().setLevel(level)


def people_in(text: str) -> list[str]:
    """The canaries that a text holds."""
    found = [canary for canary in CANARIES if canary in text]
    return found + re.findall(BIRTH_DATE, text) + REFERENCE.findall(text)


def everything_in(connection: session.Connection, *, without: Iterable[str] = ()) -> str:
    """Every row of every table and view, as text."""
    names = connection.execute(
        "select schema_name || '.' || table_name from duckdb_tables() where not internal union all "
        "select schema_name || '.' || view_name from duckdb_views() where not internal"
    ).fetchall()
    rows = (
        connection.execute(f"select t::varchar from {name} as t").fetchall() for (name,) in names if name not in without
    )
    return "\n".join(text for table in rows for (text,) in table)


def everything_in_parquet(played: Played) -> str:
    """Every row of every Parquet file, as text: the files are compressed, so their bytes tell nothing."""
    files = sorted(played.play.paths.parquet.parent.rglob("*.parquet"))
    assert files
    with store.reader(played.play.paths.published) as connection:
        rows = (
            connection.execute(f"select t::varchar from read_parquet({quote(str(file))}) as t").fetchall()
            for file in files
        )
        return "\n".join(text for table in rows for (text,) in table)


def secrets_of(played: Played) -> set[str]:
    return {secret for secret in played.play.secrets() if len(secret) > 8}


# ── people ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_canaries_were_really_served(played: Played) -> None:
    landed = "".join(path.read_text() for path in played.files() if "landing" in path.parts)
    assert "Canaria" in landed
    assert sum(outcome.settled.responses for outcome in played.play.outcomes) > 25


def test_no_file_outside_the_landing_area_and_the_customers_own_manifests_names_anybody(
    played: Played,
) -> None:
    named = {
        str(path.relative_to(played.data)): people_in(path.read_bytes().decode("latin-1"))
        for path in played.files("landing", "orders", "sandbox")
    }
    assert len(named) > 5
    assert {path: found for path, found in named.items() if found} == {}


def test_no_row_of_the_warehouse_names_anybody_but_the_view_of_the_landed_bodies(played: Played) -> None:
    with open_warehouse(played.play.runtime) as connection:
        text = everything_in(connection, without=["raw.response"])
        bodies = connection.execute("select string_agg(body, ' ') from raw.response").fetchone()
    assert people_in(text) == []
    assert bodies is not None
    assert "Canaria" in bodies[0], "the view shows what the landing area holds"


def test_no_row_of_the_published_snapshot_names_anybody_or_shows_a_body(played: Played) -> None:
    with store.reader(played.play.paths.published) as connection:
        text = everything_in(connection)
        columns = connection.execute("select distinct column_name from duckdb_columns() where not internal").fetchall()
    assert people_in(text) == []
    assert not {"body", "headers", "candidate_ref"} & {name for (name,) in columns}


def test_no_row_of_the_parquet_files_names_anybody(played: Played) -> None:
    text = everything_in_parquet(played)
    assert len(text) > 10_000
    assert people_in(text) == []


def test_what_must_never_be_stored_is_not_even_in_the_landing_area(played: Played) -> None:
    for path in played.files("orders", "sandbox"):
        content = path.read_bytes().decode("latin-1")
        assert [canary for canary in NEVER_STORED if canary in content] == [], path.name
        assert re.findall(BIRTH_DATE, content) == [], path.name


def test_dagster_keeps_nobody(played: Played) -> None:
    databases = [path for path in played.files() if "dagster" in path.parts and path.suffix == ".db"]
    assert databases
    for path in databases:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as storage:
            text = "\n".join(storage.iterdump())
        assert people_in(text) == [], path.name
        assert [secret for secret in secrets_of(played) if secret in text] == [], path.name


def test_nothing_that_is_said_or_logged_names_anybody_or_betrays_a_secret(played: Played) -> None:
    assert people_in(played.output) == []
    assert [secret for secret in secrets_of(played) if secret in played.output] == []
    assert "client_secret" not in played.output, "the token's URL holds it"


def test_the_report_names_nobody(played: Played) -> None:
    if not played.play.paths.report.exists():  # an erasure takes it away
        runs.daily_report(played.play.runtime, played.play.instance)
    page = played.play.paths.report.read_text(encoding="utf-8")
    assert len(page) > 10_000
    assert people_in(page) == []


def test_no_secret_is_in_any_file(played: Played) -> None:
    for path in played.files():
        content = path.read_bytes().decode("latin-1")
        assert [secret for secret in secrets_of(played) if secret in content] == [], path.name


@pytest.mark.parametrize("command", [["status"], ["status", "--json"], ["show"], ["show", "--json"]])
def test_no_command_names_anybody(played: Played, commands: Commands, command: list[str]) -> None:
    arguments = [*command, "goodhire", one_report(played)] if command[0] == "show" else command
    environ = {"SCREENING_DATA_DIR": str(played.data)}
    said = commands.run(*arguments, folder=played.data, environ=environ)
    assert said.returncode in (0, 1)
    assert len(said.stdout) > 100
    assert people_in(said.stdout + said.stderr) == []
    assert [secret for secret in secrets_of(played) if secret in said.stdout + said.stderr] == []


def one_report(played: Played) -> str:
    rows = played.play.rows(
        "select check_id from star.fact_check where vendor = 'goodhire' and subject = 'report' and is_terminal limit 1"
    )
    return str(rows[0]["check_id"])


# ── what a vendor's trouble may show ───────────────────────────────────────────────────────────────────


def test_an_error_that_a_vendor_words_with_a_name_and_our_secret_is_told_by_its_code(played: Played) -> None:
    secret = "sandbox-hireright-client-secret"
    with (
        serving(lambda _: Reply(500, f'{{"error": "Canaria {secret}"}}'.encode())) as vendor,
        io.StringIO() as said,
    ):
        settings = played.play.runtime.settings
        accounts = tuple(
            replace(a, base_url=vendor.url, token_url=f"{vendor.url}/token" if a.token_url else None)
            for a in settings.accounts
        )
        work = replace(played.play.runtime, settings=replace(settings, accounts=accounts))
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            outcome = runs.sync(work, played.play.instance, vendors=["hireright"], is_full=True)
        told = said.getvalue() + repr(outcome) + repr(work)
    assert outcome.exit_code == 1
    assert any("client_secret=" in asked for asked in vendor.targets), "the vendor was sent the secret"
    assert "Canaria" not in told
    assert secret not in told


# ── modes ──────────────────────────────────────────────────────────────────────────────────────────────


def test_what_holds_people_is_for_its_owner_alone(played: Played) -> None:
    for path in [played.play.paths.landing, *played.play.paths.landing.rglob("*")]:
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path.relative_to(played.data)
    paths = played.play.paths
    for path in (paths.warehouse, paths.state, paths.pseudonym_key, paths.spool_key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
    assert stat.S_IMODE(paths.dagster.stat().st_mode) == 0o700
    assert stat.S_IMODE(paths.published.stat().st_mode) == 0o440


# ── with a landing key, and after an erasure ───────────────────────────────────────────────────────────


def test_with_a_landing_key_the_landed_files_name_nobody_either(played: Played, tmp_path: Path) -> None:
    sealed = Landing(
        tmp_path / "landing",
        vendors=all_vendors(),
        spool_key=b"spool key of a test",
        landing_key=b"landing key of a test",
        clock=played.play.clock,
    )
    settings = played.play.runtime.settings
    paths = replace(settings.paths, data_dir=tmp_path, dagster=tmp_path / "dagster")
    paths.create()
    work = replace(played.play.runtime, settings=replace(settings, paths=paths), landing=sealed)
    for manifest in played.play.paths.orders.glob("*.csv"):
        (paths.orders / manifest.name).write_bytes(manifest.read_bytes())
    runs.sync(work, played.play.instance, vendors=["goodhire", "zinc"], is_full=True)
    landed = [path for path in (tmp_path / "landing").rglob("*.ndjson") if path.stat().st_size]
    assert landed
    for path in landed:
        assert people_in(path.read_text()) == []
    lines = "".join(sealed.read(tail).decode() for tail in sealed.look({}).tails)
    assert "Canaria" in lines, "they are in there, encrypted"


WITH_LANDING_KEY = """
[privacy]
landing_key_env = "LANDING_KEY"

[[accounts]]
vendor = "workerchecks"
name = "main"
base_url = "http://127.0.0.1:9/v1"
widget_secret_env = "NOBODY_SET_THIS"
"""


@pytest.mark.parametrize("given", [{}, {"LANDING_KEY": "  \n"}, {"LANDING_KEY": "too short"}])
def test_where_a_landing_key_is_named_and_missing_nothing_is_landed_in_clear(
    tmp_path: Path, given: dict[str, str]
) -> None:
    (tmp_path / "screening.toml").write_text(WITH_LANDING_KEY)
    environ = {"SCREENING_DATA_DIR": str(tmp_path / "data"), **given}
    settings = load.load(environ, tmp_path)
    clock = ManualClock(MORNING)
    with pytest.raises(MissingSecret, match="LANDING_KEY") as refused:
        opening.build_runtime(settings, environ, clock)
    assert refused.value.exit_code == 2
    assert "too short" not in str(refused.value)
    work = opening.build_runtime(settings, environ | {"LANDING_KEY": "a landing key of a test"}, clock)
    land(work, clock)
    landed = [path.read_text() for path in work.landing.root.rglob("*.ndjson")]
    assert len(landed) == 1
    assert NAME not in landed[0]


def test_doctor_lists_a_missing_landing_key_among_the_rest(tmp_path: Path) -> None:
    (tmp_path / "screening.toml").write_text(WITH_LANDING_KEY)
    environ = {"SCREENING_DATA_DIR": str(tmp_path / "data"), "SCREENING_CONFIG": str(tmp_path / "screening.toml")}
    said = CliRunner(env=environ).invoke(app, ["doctor"])
    assert said.exit_code == 1
    assert "LANDING_KEY is not set" in said.output
    assert "disk" in said.output


def test_an_erased_person_is_in_no_file_not_even_in_dagsters_storage(played: Played) -> None:
    query = "select candidate_key, check_id from star.fact_check where vendor = 'zinc' and candidate_key is not null"
    chosen = played.play.rows(f"{query} order by check_key limit 1")[0]
    reference = next(row["candidate_ref"] for row in _orders(played) if row["check_id"] == chosen["check_id"])
    theirs = {row["check_id"] for row in _orders(played) if row["candidate_ref"] == reference}
    assert erase.erase_candidate(played.play.runtime, reference) is not None
    for path in played.files("orders", "sandbox"):
        content = path.read_bytes().decode("latin-1")
        found = [word for word in (*theirs, chosen["candidate_key"]) if word in content]
        assert found == [], path.relative_to(played.data)
    rows = everything_in_parquet(played)
    assert [word for word in (*theirs, chosen["candidate_key"]) if word in rows] == []


def _orders(played: Played) -> list[dict[str, str]]:
    return [{k: str(v) for k, v in row.items()} for row in played.play.sandbox.orders()]


def test_a_runtime_and_its_exchanges_show_no_secret_and_no_body(played: Played) -> None:
    shown = repr(played.play.runtime) + json.dumps([str(o) for o in played.play.outcomes])
    assert played.play.runtime.key.decode() not in shown
    assert [secret for secret in secrets_of(played) if secret in shown] == []
