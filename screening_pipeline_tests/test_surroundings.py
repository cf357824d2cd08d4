"""What a machine, a locale, a reader's settings or a folder's name must not change."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.errors import ConfigurationError
from screening_pipeline.orchestration.instance import instance
from screening_pipeline.settings.load import load
from screening_pipeline.settings.paths import Paths
from screening_pipeline.warehouse import publish, rebuild, reference, store
from screening_pipeline.warehouse.reference_tables import fill_calendars
from screening_pipeline_tests.support.loopback import Asked, Reply, json_reply, serving
from screening_pipeline_tests.support.stage import MORNING, PART_KEY, Stage, opened

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parent.parent
SQL = ROOT / "screening_pipeline" / "sql"
HEADER = "vendor,account,check_id,ordered_at\n"
CONFIGURATION = """
[[accounts]]
vendor = "workerchecks"
name = "au"
base_url = "{url}"
widget_secret_env = "WIDGET_SECRET"
requests_per_minute = 6000
"""


def answering(asked: Asked) -> Reply:
    if asked.method == "POST":
        return json_reply({"token": "token-1234567890", "expiresIn": 86400})
    check_id = asked.target.rsplit("/", 1)[-1]
    return json_reply({"checkId": check_id, "status": "Completed", "result": "Clear", "releaseDate": "2026-03-05"})


def synced(folder: Path, data: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """One cycle of one account in a process of its own."""
    with serving(answering) as vendor:
        (folder / "screening.toml").write_text(CONFIGURATION.format(url=vendor.url))
        return subprocess.run(
            [sys.executable, "-m", "screening_pipeline", "sync"],
            cwd=folder,
            env={
                "PATH": os.defpath,
                "PYTHONPATH": str(ROOT),
                "HOME": str(folder),
                "SCREENING_DATA_DIR": str(data),
                "SCREENING_NOW": "2026-03-06T09:00:00Z",
                "WIDGET_SECRET": "a widget secret of a test",
                **environ,
            },
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )


def ordered(data: Path) -> Path:
    (data / "orders").mkdir(parents=True)
    (data / "orders" / "o.csv").write_text(HEADER + "workerchecks,au,417,2026-03-04T09:00:00Z\n")
    return data


# ── the locale of the process ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("locale", ["th_TH.UTF-8", "fa_IR.UTF-8", "ar_SA.UTF-8", "tr_TR.UTF-8"])
def test_a_cycle_under_a_locale_with_another_calendar_gives_the_same_star(tmp_path: Path, locale: str) -> None:
    done = synced(tmp_path, ordered(tmp_path / "data"), LC_ALL=locale)
    assert done.returncode == 0, done.stdout + done.stderr
    with store.reader(tmp_path / "data" / "published" / "screening.duckdb") as connection:
        facts = connection.execute(
            "select lifecycle, completed_at::varchar, turnaround_seconds, turnaround_business_days from star.fact_check"
        ).fetchall()
    assert facts == [("completed", "2026-03-05 12:59:59.999999+00", 100799, 1)]


# ── the settings of a reader ───────────────────────────────────────────────────────────────────────

SETTINGS: Mapping[str, tuple[str, str]] = {
    "descending": ("default_order", "DESC"),
    "nulls_first": ("default_null_order", "nulls_first"),
    "far_east": ("TimeZone", "Pacific/Kiritimati"),
    "far_west": ("TimeZone", "America/Anchorage"),
    "buddhist": ("Calendar", "buddhist"),
    "persian": ("Calendar", "persian"),
    "nocase": ("default_collation", "nocase"),
}


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A published snapshot in which every view has something to say."""
    with opened(tmp_path_factory) as stage:
        for number in range(12):
            _life(stage, number)
        stage.settle(MORNING + timedelta(days=40))
        target = stage.settings.paths.published
        publish.publish(stage.connection, target)
        yield target


def _life(stage: Stage, number: int) -> None:
    """A check that is ordered, changes, and mostly ends; some packages differ in capitals alone."""
    name, start = f"g{number}", MORNING + timedelta(days=number, hours=number)
    story = stage.story(name).of("goodhire")
    story.order(ordered_at=start.isoformat(), package="Basic" if number % 2 else "basic")
    states = [("Processing", None), ("Completed", "Clear"), ("Processing", None), ("Completed", "Alert")]
    for step, (status, detail) in enumerate(states[: 1 + number % 4]):
        stage.land(
            received_at=start + timedelta(hours=30 * (step + 1)),
            body={"Id": name, "Status": status, "StatusDetails": detail},
            vendor="goodhire",
            account="main",
            subject="report",
            check_id=name,
            endpoint="report",
            channel="pull",
        )


def said(snapshot: Path, **settings: str) -> dict[str, list[str]]:
    """What every view says to a reader with these settings, as comparable text."""
    with duckdb.connect() as reader:
        reader.execute("set timezone = 'UTC'; set calendar = 'gregorian'")
        for name, value in settings.items():
            reader.execute(f"set {name} = '{value}'")
        reader.execute(f"attach '{snapshot}' as s (read_only); use s")
        named = "select concat(schema_name, '.', view_name) from duckdb_views() where database_name = 's'"
        return {view: _rows(reader, view) for (view,) in sorted(reader.execute(named).fetchall())}


def _rows(reader: duckdb.DuckDBPyConnection, view: str) -> list[str]:
    columns = reader.execute(f"describe from {view}").fetchall()
    cells = (f'epoch_us("{name}")' if "ZONE" in kind else f'"{name}"::varchar' for name, kind, *_ in columns)
    return sorted(map(str, reader.execute(f"select {', '.join(cells)} from {view}").fetchall()))


@pytest.mark.parametrize(("name", "value"), SETTINGS.values(), ids=SETTINGS)
def test_every_view_says_the_same_whatever_its_reader_has_set(snapshot: Path, name: str, value: str) -> None:
    plain, bent = said(snapshot), said(snapshot, **{name: value})
    assert len(plain) > 15
    assert [view for view in plain if plain[view] != bent[view]] == []


def test_no_order_in_a_window_or_an_aggregate_is_left_to_a_setting() -> None:
    bare = {
        f"{path.relative_to(SQL)}: {key}" for path in SQL.rglob("*.sql") for key in _bare_keys(path.read_text("utf-8"))
    }
    assert bare == set()
    unordered = {
        path.name
        for path in SQL.rglob("*.sql")
        if re.search(r"list_sort\((?![^;]*nulls last)", path.read_text("utf-8"))
    }
    assert unordered == set()


def test_no_published_view_asks_the_session_for_a_zone() -> None:
    """What the database computes with zones follows the reader's calendar and zone; `star.local_time` does not."""
    asked = re.compile(r"(?<!\.)\btimezone\(|at time zone|date_trunc\('[a-z]+', [a-z_.]*_at\)", re.IGNORECASE)
    found = {
        path.name
        for schema in ("analytics", "ops", "star")
        for path in (SQL / schema).glob("[!_]*.sql")
        if "-- @refresh view" in path.read_text("utf-8") and asked.search(path.read_text("utf-8"))
    }
    assert found == set()


_END = re.compile(r"\b(rows|range|groups|limit|qualify|offset|union|window)\b", re.IGNORECASE)


def _bare_keys(sql: str) -> Iterator[str]:
    """The keys of every `order by` that do not say both their direction and where nulls go."""
    code = re.sub(r"--[^\n]*|'[^']*'", lambda found: " " * len(found[0]), sql)
    for found in re.finditer(r"\border\s+by\b", code, re.IGNORECASE):
        for key in _keys(code[found.end() :]):
            if not re.search(r"\b(asc|desc)\s+nulls\s+(first|last)\s*$", key, re.IGNORECASE):
                yield " ".join(key.split())


def _keys(rest: str) -> Iterator[str]:
    depth = start = 0
    for place, sign in enumerate(rest):
        if sign in "([":
            depth += 1
        elif sign in ")]":
            depth -= 1
        ends = depth < 0 or (depth == 0 and (sign == ";" or _END.match(rest, place)))
        if ends or (depth == 0 and sign == ","):
            yield rest[start:place]
            start = place + 1
        if ends:
            return
    yield rest[start:]


# ── calendars and zones ────────────────────────────────────────────────────────────────────────────


def test_days_in_lieu_that_all_of_australia_has_are_no_business_days() -> None:
    days = reference.holidays("AU")
    assert {date(2026, 12, 28), date(2027, 12, 27)} < days
    assert date(2026, 10, 5) not in days  # Labour Day, of three parts only


def test_business_days_are_counted_over_weekends_and_holidays(tmp_path: Path) -> None:
    with store.writer(tmp_path / "warehouse.duckdb", lock_path=tmp_path / "lock", clock=SystemClock()) as connection:
        fill_calendars(connection, ["AU", "US"])
        query = """
            select date, is_business_day, business_day_number - first_value(business_day_number) over (order by date)
            from star.dim_calendar
            where calendar = 'AU' and date between '2026-12-24' and '2026-12-29'
            order by date
        """
        days = connection.execute(query).fetchall()
        assert [day for _, *day in days] == [[True, 0], [False, 0], [False, 0], [False, 0], [False, 0], [True, 1]]
        numbers = "select min(business_day_number), max(date), count(*) from star.dim_calendar group by calendar"
        expected = (0, reference.LAST_DAY, (reference.LAST_DAY - reference.FIRST_DAY).days + 1)
        assert connection.execute(numbers).fetchall() == [expected] * 2


def test_what_is_no_holiday_in_every_part_of_a_country_is_none_of_it() -> None:
    days = reference.holidays("US")
    assert date(2026, 11, 27) not in days
    assert date(2026, 11, 26) in days


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "posix/Europe/London", "right/UTC", "+00:00", "CEST"])
def test_a_zone_that_only_some_programs_know_is_refused_by_its_key(tmp_path: Path, zone: str) -> None:
    text = CONFIGURATION.format(url="http://127.0.0.1:1") + f'timezone = "{zone}"\n'
    (tmp_path / "screening.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"accounts\[0\]\.timezone"):
        load({}, tmp_path)


# ── the data folder and Dagster's home ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["main%2Fnightly", "a#b", "100 %", "a*b", "[x]", "what's"])
def test_a_data_folder_may_have_signs_in_its_name(tmp_path: Path, name: str) -> None:
    data = ordered(tmp_path / name)
    done = synced(tmp_path, data)
    assert done.returncode == 0, done.stdout + done.stderr
    with store.reader(data / "published" / "screening.duckdb") as connection:
        assert connection.execute("select check_id from star.fact_check").fetchall() == [("417",)]
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} <= {name, ".config", ".dagster"}


@pytest.mark.parametrize("name", ["what?", "back\\slash"])
def test_a_data_folder_with_a_sign_that_the_database_cannot_take_is_refused_by_name(tmp_path: Path, name: str) -> None:
    done = synced(tmp_path, tmp_path / name)
    assert done.returncode == 2
    assert name in done.stderr
    assert "SCREENING_DATA_DIR" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["screening.toml"]


SLIPS = {
    "unknown_key": ("nonsense: 1\n", "nonsense"),
    "wrong_value": ("run_queue: {max_concurrent_runs: many}\n", "run_queue.max_concurrent_runs"),
    "unknown_below": ("storage:\n  nope: 1\n", "nope at storage"),
    "no_yaml": ("a: [1\n", "line"),
    "a_list": ("- 1\n", "no"),
    "no_module": ("run_launcher:\n  module: nowhere.at.all\n  class: X\n", "nowhere.at.all"),
    "no_variable": ("storage:\n  sqlite:\n    base_dir: {env: NOT_SET_ANYWHERE}\n", "base_dir"),
}


@pytest.mark.parametrize(("text", "word"), SLIPS.values(), ids=SLIPS)
@pytest.mark.parametrize("is_own", [True, False])
def test_a_slip_in_dagster_yaml_is_named_with_file_and_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, word: str, is_own: bool
) -> None:
    environ = {"DAGSTER_HOME": str(tmp_path / "home")} if is_own else {}
    paths = Paths.under(tmp_path / "data", environ)
    paths.create()
    (paths.dagster / "dagster.yaml").write_text(text)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as refused:
        instance(paths, environ)
    assert refused.value.exit_code == 2
    assert str(paths.dagster / "dagster.yaml") in str(refused.value)
    assert word in str(refused.value)
    assert "many" not in str(refused.value)


def test_a_slip_in_dagster_yaml_ends_a_command_without_a_traceback(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("nonsense: 1\n")
    done = synced(tmp_path, ordered(tmp_path / "data"), DAGSTER_HOME=str(home))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "dagster.yaml: nonsense" in done.stderr


# ── a rebuild ──────────────────────────────────────────────────────────────────────────────────────


def test_a_rebuild_restores_the_star_row_for_row_after_every_table_of_it_was_emptied(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with opened(tmp_path_factory) as stage:
        for number in range(4):
            _life(stage, number)
        stage.settle(MORNING + timedelta(days=40))
        tables = [name for (name,) in stage.connection.execute(_TABLES).fetchall()]
        before = {name: _all(stage, name) for name in tables}
        assert all(before[name] for name in ("dim_vendor_status", "dim_account", "dim_calendar", "dim_date"))
        for name in tables:
            stage.connection.execute(f"delete from star.{name}")
        stage.connection.execute("drop table star.dim_setting; drop table star.fact_check_event cascade")
        rebuild.rebuild(stage.connection, stage.landing, part_key=PART_KEY, settings=stage.settings)
        assert [name for name in tables if _all(stage, name) != before[name]] == []


_TABLES = "select table_name from duckdb_tables() where schema_name = 'star' and database_name = current_database()"


def _all(stage: Stage, name: str) -> list[str]:
    columns = "* exclude (next_pull_at)" if name == "fact_check" else "*"
    return sorted(map(str, stage.connection.execute(f"select {columns} from star.{name}").fetchall()))
