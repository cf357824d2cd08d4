"""Dagster's storage on a real PostgreSQL: as docs/scaling.md says it, and what is told where it is set up wrongly."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from screening_pipeline.base.errors import ConfigurationError, EnvironmentFailed
from screening_pipeline.orchestration import runs
from screening_pipeline.orchestration.instance import instance
from screening_pipeline.runtime.opening import open_runtime
from screening_pipeline.runtime.shared import shared_store
from screening_pipeline.settings.paths import Paths
from screening_pipeline.settings.sandbox_accounts import bundled
from screening_pipeline.settings.settings import Privacy, Settings
from screening_pipeline.settings.shared import LandingPlace, SharedState
from screening_pipeline.state.shared_clock import SharedClock
from screening_pipeline_tests.support.end_to_end_world import dagster_words, pushed
from screening_pipeline_tests.support.postgres import Server

pytestmark = [pytest.mark.cluster, dagster_words]

PAGE = Path(__file__).parent.parent / "docs" / "scaling.md"
VARIABLE = "SCREENING_STATE_URL"


def documented() -> str:
    """The section of dagster.yaml that the page tells users to write."""
    found = re.search(r"```yaml\n(storage:\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found, "docs/scaling.md shows no storage section"
    return found[1]


def command(folder: Path, *words: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    line = [sys.executable, "-m", "screening_pipeline", *words]
    return subprocess.run(
        line, cwd=folder, env={**kept, **environ}, capture_output=True, text=True, check=False, timeout=90
    )


def home_of(folder: Path, storage: str) -> Paths:
    paths = Paths.under(folder / "data", {})
    paths.create()
    (paths.dagster / "dagster.yaml").write_text(f"telemetry: {{enabled: false}}\n{storage}")
    return paths


def url_for_dagster(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg2://")


def test_the_section_that_the_page_shows_takes_a_cycle_and_tells_of_it(
    tmp_path: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = home_of(tmp_path, documented())
    url = url_for_dagster(postgres_server.new_database())
    done = command(tmp_path, "sync", environ={VARIABLE: url})
    assert (done.returncode, done.stderr) == (1, ""), "the bundled sandbox uses words that nobody has mapped"
    monkeypatch.setenv(VARIABLE, url)
    with instance(paths, {VARIABLE: url}) as recorded:
        assert [run.status for run in recorded.get_runs()] == [dg.DagsterRunStatus.SUCCESS]
        assert recorded.get_latest_materialization_event(dg.AssetKey(["star", "fact_check"])) is not None
        kept = f"select count(*) from pg_stat_activity where datname = '{url.rpartition('/')[2]}'"
        assert postgres_server.say(kept) in ([(1,)], [(2,)])
        postgres_server.crash()
        assert len(recorded.get_runs()) == 1, "a connection that the server closed is made anew"
    assert not list(paths.dagster.rglob("*.db")), "nothing of it is in files"


@pytest.mark.slow
def test_a_cycle_keeps_what_processes_share_in_the_database_and_nothing_of_it_in_files(
    tmp_path: Path, postgres_server: Server
) -> None:
    url = postgres_server.new_database()
    settings = replace(bundled({}, tmp_path), state=SharedState(url_env=VARIABLE))
    with open_runtime({VARIABLE: url}, tmp_path, settings=settings) as runtime:
        assert isinstance(runtime.clock, SharedClock)
        with instance(settings.paths, {}) as recorded:
            outcome = runs.sync(runtime, recorded)
        assert {report.code for report in outcome.reports} == {None}
        assert sum(report.calls for report in outcome.reports) > 0
        account = outcome.reports[0]
        assert runtime.limiter.used_last_window(account.vendor, account.account) >= account.calls
        assert runtime.state.account(account.vendor, account.account, runtime.clock).succeeded_at is not None
        assert {step for step, _ in runtime.ledger.steps(outcome.run_id)} >= {"pull", "star"}
    kept = {path.name for path in settings.data_dir.iterdir()}
    assert "state.sqlite" not in kept
    assert not [name for name in kept if name.startswith("pull.")]
    noted = postgres_server.say("select count(*) from screening_state.agenda", url.rpartition("/")[2])
    assert noted != [(0,)]


@pytest.mark.parametrize("url", [None, "", "mysql://owner:of-a-test@host/x"])
def test_an_address_of_the_shared_state_that_is_none_is_refused_by_its_variable(
    tmp_path: Path, url: str | None
) -> None:
    settings = replace(bundled({}, tmp_path), state=SharedState(url_env=VARIABLE))
    with pytest.raises(ConfigurationError, match=f"state.url_env: {VARIABLE} (must begin|is not set)") as refused:
        shared_store(settings, {} if url is None else {VARIABLE: url})
    assert "of-a-test" not in str(refused.value)


@pytest.mark.parametrize(
    ("storage", "told"),
    [
        ("postgres_url: {url}", r"storage.postgres.postgres_url must begin with postgresql\+psycopg2://"),
        ("postgres_url: {{env: SCREENING_STATE_URL}}", r"SCREENING_STATE_URL must begin with postgresql\+psycopg2://"),
        (
            "postgres_db: {{username: owner, password: of-a-test, hostname: 127.0.0.1, db_name: x}}",
            r"postgres_db.scheme must be postgresql\+psycopg2: add it",
        ),
        ("postgres_urls: {url}", "postgres_urls at .* is no key that Dagster knows"),
    ],
)
def test_an_address_that_dagster_would_fail_with_is_refused_by_its_key(
    tmp_path: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch, storage: str, told: str
) -> None:
    url = postgres_server.url()
    paths = home_of(tmp_path, f"storage:\n  postgres:\n    {storage.format(url=url)}\n")
    monkeypatch.setenv(VARIABLE, url)
    with pytest.raises(ConfigurationError, match=told) as refused:
        instance(paths, {VARIABLE: url})
    assert str(paths.dagster / "dagster.yaml") in str(refused.value)
    assert "of-a-test" not in str(refused.value)


def test_a_server_that_is_gone_or_refuses_us_is_the_machines_fault_and_the_key_is_told(
    tmp_path: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = home_of(tmp_path, documented())
    gone = url_for_dagster(postgres_server.url(port=1))
    done = command(tmp_path, "sync", environ={VARIABLE: gone})
    assert done.returncode == 3, done.stderr
    assert "Connection refused" in done.stderr
    assert "storage.postgres in dagster.yaml" in done.stderr
    assert not {"of-a-test", "Traceback"} & set(re.findall(r"[\w-]+", done.stderr + done.stdout))
    monkeypatch.setenv(VARIABLE, url_for_dagster(postgres_server.url(password="not-it")))
    with pytest.raises(EnvironmentFailed, match="password authentication failed") as refused:
        instance(paths, {})
    assert "not-it" not in str(refused.value)


# ── what machines share is refused by half, with its key ───────────────────────────────────────────


def of_machines(folder: Path, url: str, environ: dict[str, str], **others: object) -> Settings:
    """Settings of machines that share what is landed in a folder; their variables go into `environ`."""
    environ |= {VARIABLE: url, **{f"SCREENING_{name}_KEY": f"a key of a test: {name}" for name in NAMED}}
    settings = replace(
        bundled({"SCREENING_DATA_DIR": str(folder / "data")}, folder),
        state=SharedState(url_env=VARIABLE),
        landing=LandingPlace(url=f"file://{folder}/pieces"),
        privacy=Privacy(landing_key_env="SCREENING_LANDING_KEY"),
    )
    return replace(settings, **others)  # type: ignore[arg-type]


NAMED = ("PSEUDONYM", "SPOOL", "LANDING")


@pytest.mark.parametrize("name", NAMED)
def test_a_key_that_is_not_in_the_environment_or_not_that_of_the_others_is_refused(
    tmp_path: Path, postgres_server: Server, name: str
) -> None:
    environ: dict[str, str] = {}
    settings = of_machines(tmp_path, postgres_server.new_database(), environ)
    variable = f"SCREENING_{name}_KEY"
    with open_runtime(environ, tmp_path, settings=settings):
        pass
    missing = {key: value for key, value in environ.items() if key != variable}
    with (
        pytest.raises(ConfigurationError, match=f"{variable} is not set") as told,
        open_runtime(missing, tmp_path, settings=settings),
    ):
        pass
    assert told.value.exit_code == 2
    elsewhere = replace(settings, paths=Paths.under(tmp_path / "other machine", {}))
    wrong = environ | {variable: "another key of a test"}
    with (
        pytest.raises(ConfigurationError, match="is not the key that other machines use"),
        open_runtime(wrong, tmp_path, settings=elsewhere),
    ):
        pass


def test_a_database_or_a_place_of_what_is_landed_that_is_gone_is_told_by_its_key(
    tmp_path: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ: dict[str, str] = {}
    settings = of_machines(tmp_path, postgres_server.url(port=9), environ)
    with (
        pytest.raises(EnvironmentFailed, match=r"state\.url_env") as told,
        open_runtime(environ, tmp_path, settings=settings),
    ):
        pass
    assert told.value.exit_code == 3
    settings = of_machines(
        tmp_path, postgres_server.new_database(), environ, landing=LandingPlace(url="s3://bucket/landing")
    )
    names = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    with open_runtime(environ, tmp_path, settings=settings) as runtime:
        landed = runtime.landing.receive(pushed("workable", "sandbox", {"status": "completed"}, runtime.clock.now()))
        assert landed.response_id, "it waits in the inbox"
        with pytest.raises(EnvironmentFailed, match=r"landing\.url: http://127\.0\.0\.1:9 cannot be reached") as told:
            runtime.landing.look({})
    assert told.value.exit_code == 3
