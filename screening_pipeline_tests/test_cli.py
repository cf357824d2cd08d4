"""The command line as a person or a script meets it: what it prints, what it leaves, and how it ends."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO, Any

import dagster as dg
import pytest
from typer.testing import CliRunner

from screening_pipeline.base import inert, locks
from screening_pipeline.base.clock import StandingClock
from screening_pipeline.base.errors import LockHeld
from screening_pipeline.base.named_locks import pull_lock
from screening_pipeline.cli import console, show
from screening_pipeline.cli.app import app
from screening_pipeline.orchestration import runs
from screening_pipeline.orchestration.instance import instance
from screening_pipeline.runtime import bundled_sandbox
from screening_pipeline.sandbox.credentials import SECRETS
from screening_pipeline.sandbox.handle import running_sandbox
from screening_pipeline.sandbox.server import VIRTUAL_EPOCH
from screening_pipeline.settings.paths import Paths
from screening_pipeline.vendors import all_vendors
from screening_pipeline.warehouse import session, store
from screening_pipeline_tests.support.commands import Commands
from screening_pipeline_tests.support.end_to_end_world import Row, dagster_words, playing

pytestmark = [dagster_words, pytest.mark.timeout(300)]  # whole runs in processes of their own

ROOT = Path(__file__).parent.parent
NOW = VIRTUAL_EPOCH + timedelta(days=4, hours=21)


@dataclass
class Desk:
    """A working directory of its own and the environment of whoever works there."""

    folder: Path
    commands: Commands
    environ: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return self.commands.run(*words, folder=self.folder, environ=self.surroundings(environ))

    def start(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """The same, started from nothing, as a shell does it."""
        return subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env=self.surroundings(environ),
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )

    def command(self, *words: str) -> list[str]:
        """The words as the system is given them."""
        return [sys.executable, "-m", "screening_pipeline", *words]

    def surroundings(self, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of a command: nothing of the one that the tests run in."""
        return {
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.folder),
            **self.environ,
            **(environ or {}),
        }

    def published(self, query: str) -> list[Row]:
        """The rows of a query on the published snapshot."""
        with store.reader(self.folder / "data" / "published" / "screening.duckdb") as connection:
            return session.rows(connection, query)


@pytest.fixture
def desk(tmp_path: Path, commands: Commands) -> Desk:
    return Desk(tmp_path, commands)


def assert_plain_failure(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """It ended with that code and a message, and nothing that only a programmer reads."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert all(word in done.stderr for word in words), done.stderr


# ── one cycle with everything that can be wrong ────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def closed_port() -> Iterator[int]:
    """A port on which nobody listens for as long as the tests run."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory, commands: Commands, closed_port: int) -> Iterator[Desk]:
    """Two accounts that work, one without its secret, one whose vendor is down, and a manifest with broken rows."""
    desk = Desk(tmp_path_factory.mktemp("troubled"), commands, {"SCREENING_NOW": NOW.isoformat()})
    for name in ("SANDBOX_GOODHIRE_API_KEY", "SANDBOX_WORKERCHECKS_WIDGET_SECRET", "SANDBOX_ZINC_API_KEY"):
        desk.environ[name] = SECRETS[name]
    with running_sandbox(seed=7, checks=24, epoch=VIRTUAL_EPOCH, days=4, virtual=True, limit_factor=None) as sandbox:
        sandbox.set_clock(NOW)
        (desk.folder / "screening.toml").write_text(configuration(sandbox.url, closed_port))
        orders = desk.folder / "data" / "orders"
        orders.mkdir(parents=True)
        wanted = [row for row in sandbox.orders() if row["vendor"] in CONFIGURED]
        lines = "".join(json.dumps({**row, "account": "main"}) + "\n" for row in wanted)
        (orders / "good.ndjson").write_text(lines)
        (orders / "broken.csv").write_text("vendor,check_id\ngoodhyre,r1\ngoodhire,\n")
        yield desk


CONFIGURED = ("goodhire", "workerchecks", "workable", "zinc")


def configuration(url: str, closed_port: int) -> str:
    accounts: Mapping[str, Mapping[str, Any]] = {
        "goodhire": {"base_url": f"{url}/goodhire/v1", "api_key_env": "SANDBOX_GOODHIRE_API_KEY"},
        "workerchecks": {
            "base_url": f"{url}/workerchecks/v1",
            "widget_secret_env": "SANDBOX_WORKERCHECKS_WIDGET_SECRET",
        },
        "workable": {"base_url": f"{url}/workable/v1", "token_env": "NOBODY_SET_THIS"},
        "zinc": {"base_url": f"http://127.0.0.1:{closed_port}", "api_key_env": "SANDBOX_ZINC_API_KEY"},
    }
    tables = []
    for vendor, keys in accounts.items():
        given = {"vendor": vendor, "name": "main", **keys}
        tables.append("[[accounts]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in given.items()))
    return "\n".join(tables)


@pytest.fixture(scope="module")
def synced(troubled: Desk) -> subprocess.CompletedProcess[str]:
    return troubled.start("sync", "--json")


@pytest.fixture(scope="module")
def told(synced: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(synced.stdout)
    return facts


def by_vendor(told: Mapping[str, Any]) -> dict[str, Any]:
    return {account["vendor"]: account for account in told["accounts"]}


def test_a_cycle_with_trouble_ends_with_1_and_no_traceback(synced: subprocess.CompletedProcess[str]) -> None:
    assert synced.returncode == 1
    assert "Traceback" not in synced.stderr


def test_an_account_without_its_secret_is_skipped_and_the_variable_named(told: dict[str, Any]) -> None:
    skipped = by_vendor(told)["workable"]
    assert skipped["code"] == "missing_secret"
    assert "NOBODY_SET_THIS" in skipped["message"]
    assert skipped["calls"] == 0


def test_a_vendor_that_is_down_is_marked_and_the_others_complete(troubled: Desk, told: dict[str, Any]) -> None:
    accounts = by_vendor(told)
    assert accounts["zinc"]["code"] or accounts["zinc"]["failed"]
    assert accounts["zinc"]["accepted"] == 0
    for vendor in ("goodhire", "workerchecks"):
        assert accounts[vendor]["code"] is None
        assert accounts[vendor]["accepted"] > 0
    marked = troubled.published("select vendor, last_error from ops.account_state where last_error is not null")
    assert [row["vendor"] for row in marked] == ["zinc"]
    known = troubled.published("select distinct vendor from star.fact_check where lifecycle is not null order by 1")
    assert [row["vendor"] for row in known if row["vendor"] in ("goodhire", "workerchecks")] == [
        "goodhire",
        "workerchecks",
    ]


def test_broken_rows_are_listed_with_their_lines_and_the_rest_loads(troubled: Desk, told: dict[str, Any]) -> None:
    rejected = troubled.published("select file, line, reason from ops.reject where source = 'manifest' order by line")
    assert rejected == [
        {"file": "broken.csv", "line": 2, "reason": "unknown_vendor"},
        {"file": "broken.csv", "line": 3, "reason": "empty_id"},
    ]
    loaded = (troubled.folder / "data" / "orders" / "good.ndjson").read_text().count("\n")
    assert told["orders"] == loaded == troubled.published("select count(*) as n from star.fact_check")[0]["n"]
    assert told["rejects"] == 2


def test_the_given_now_is_the_time_of_the_run(troubled: Desk, told: dict[str, Any]) -> None:
    found = troubled.published(f"select started_at from ops.run where run_id = '{told['run_id']}'")
    assert found == [{"started_at": NOW}]


def test_no_secret_is_written_anywhere(troubled: Desk, synced: subprocess.CompletedProcess[str]) -> None:
    secrets = [value.encode() for value in troubled.environ.values() if value in SECRETS.values()]
    assert len(secrets) == 3
    assert not any(secret in (synced.stdout + synced.stderr).encode() for secret in secrets)
    written = [path for path in (troubled.folder / "data").rglob("*") if path.is_file()]
    assert [path.name for path in written if any(secret in path.read_bytes() for secret in secrets)] == []


def test_status_afterwards_names_the_troubles(troubled: Desk, synced: subprocess.CompletedProcess[str]) -> None:
    done = troubled.run("status", "--json")
    assert done.returncode == 1
    standing = {row["account"]: row for row in json.loads(done.stdout)}
    assert standing["workable/main"]["missing_secrets"] == ["NOBODY_SET_THIS"]
    assert standing["zinc/main"]["last_error"]
    assert standing["goodhire/main"]["checks"] > 0
    assert standing["goodhire/main"]["last_error"] is None
    assert standing["goodhire/main"]["last_success_at"]
    assert {row["last_cycle_by"] for row in standing.values()} == {"sync"}
    assert {row["order_rejects"] for row in standing.values()} == {2}
    assert standing["goodhire/main"]["unmapped_words"] == []
    assert "Rejected rows of order files: 2; `screening-pipeline rejects` lists them" in troubled.run("status").stdout


def test_status_begins_with_what_runs_and_is_given_to_prometheus(
    troubled: Desk, synced: subprocess.CompletedProcess[str]
) -> None:
    told = troubled.run("status").stdout
    assert told.startswith("Last cycle 0 s ago (sync); snapshot 0 s old."), told
    done = troubled.run("status", "--prometheus")
    assert done.returncode == 1
    assert 'screening_secrets_missing{account="main",vendor="workable"} 1.0' in done.stdout.splitlines()


def test_rejected_order_rows_alone_are_worth_attention(desk: Desk) -> None:
    bundled_sandbox.World(7, 12, VIRTUAL_EPOCH, 4).keep(desk.folder / "data" / "sandbox")
    (desk.folder / "data" / "orders").mkdir()
    (desk.folder / "data" / "orders" / "broken.csv").write_text("vendor,check_id\ngoodhyre,r1\n")
    (desk.folder / "data" / "orders" / "packed.csv.gz").touch()
    synced = desk.run("sync", SCREENING_NOW=NOW.isoformat())
    assert (synced.returncode, "packed.csv.gz; see doctor" in " ".join(synced.stdout.split())) == (1, True)
    done = desk.run("status", SCREENING_NOW=NOW.isoformat())
    assert (
        done.returncode,
        "Rejected rows of order files: 1; `screening-pipeline rejects` lists them" in done.stdout,
    ) == (1, True), done.stdout


def test_where_no_account_can_be_tried_the_configuration_is_at_fault(
    troubled: Desk, synced: subprocess.CompletedProcess[str]
) -> None:
    done = troubled.run("sync", "--vendor", "workable")
    assert done.returncode == 2
    assert "skipped" in done.stdout
    assert "NOBODY_SET_THIS" in done.stdout
    assert "Traceback" not in done.stderr


# ── without any configuration ──────────────────────────────────────────────────────────────────────


def test_without_a_configuration_a_cycle_runs_against_the_bundled_sandbox(desk: Desk) -> None:
    bundled_sandbox.World(7, 12, VIRTUAL_EPOCH, 4).keep(desk.folder / "data" / "sandbox")
    done = desk.run("sync", SCREENING_NOW=NOW.isoformat())
    assert done.returncode == 0, done.stderr
    assert "goodhire/sandbox" in done.stdout
    assert "12 orders read" in done.stdout
    assert desk.published("select count(*) as n from star.fact_check") == [{"n": 12}]


def test_watch_logs_a_line_of_json_for_each_cycle(desk: Desk) -> None:
    bundled_sandbox.World(7, 12, VIRTUAL_EPOCH, 4).keep(desk.folder / "data" / "sandbox")
    done = desk.run("watch", "--for", "1s", "--log-json")
    assert done.returncode == 0, done.stderr
    (line,) = map(json.loads, done.stdout.splitlines())
    assert (line["event"], line["orders"], line["exit_code"]) == ("cycle", 12, 0)
    assert datetime.fromisoformat(line["at"]).tzinfo is not None


def test_status_before_the_first_run_shows_every_account_and_nothing_open(desk: Desk) -> None:
    done = desk.run("status", "--json")
    assert done.returncode == 0, done.stderr
    accounts = json.loads(done.stdout)
    assert [(row["checks"], row["open"]) for row in accounts] == [(0, 0)] * len(all_vendors())
    assert "workerchecks/sandbox" in desk.run("status").stdout
    # The limits that the bundled accounts are pulled with, not their vendors'.
    assert {row["requests_per_minute"] for row in accounts} == {bundled_sandbox.REQUESTS_PER_MINUTE}


# ── words that nobody mapped ───────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def puzzled(tmp_path_factory: pytest.TempPathFactory, commands: Commands) -> Desk:
    """A vendor said two words that are in no mapping."""
    now = VIRTUAL_EPOCH + timedelta(days=3)
    desk = Desk(tmp_path_factory.mktemp("puzzled"), commands, {"SCREENING_NOW": now.isoformat()})
    with playing(desk.folder / "data", checks=12, days=2) as stage:
        stage.cycle(1)
        stage.push("zinc", "a", {"id": "a", "status": "napping", "statusV2": "fast \x1b[2J asleep"})
        assert stage.cycle(2).failed_checks == ("star.fact_check.nothing_is_unmapped",)
    return desk


NAMED = (
    "Unmapped words, listed in ops.unmapped_value:",
    "  zinc/sandbox detail: 'fast \\x1b[2J asleep'",
    "  zinc/sandbox status: 'napping'",
    "Map words in screening.toml (status_aliases; final_adjudications) or in vendors/<vendor>.csv.",
)


@pytest.mark.parametrize("command", ["sync", "rebuild", "status"])
def test_words_that_nobody_mapped_are_named_with_what_to_do(puzzled: Desk, command: str) -> None:
    done = puzzled.run(command)
    assert done.returncode == 1, done.stderr
    assert set(NAMED) <= set(done.stdout.splitlines())
    assert ("check failed: star.fact_check.nothing_is_unmapped" in done.stdout) is (command != "status")
    assert ("See ops.unmapped_value, or the check in Dagster." in done.stdout) is (command != "status")


def test_checks_of_an_account_that_is_not_configured_any_more_are_told_of(puzzled: Desk, tmp_path: Path) -> None:
    renamed = '[[accounts]]\nvendor = "zinc"\nname = "new"\nbase_url = "https://vendor.example"\napi_key_env = "K"\n'
    (tmp_path / "renamed.toml").write_text(renamed)
    done = puzzled.run("status", SCREENING_CONFIG=str(tmp_path / "renamed.toml"))
    assert "Not configured any more: zinc/sandbox. Its " in done.stdout, done.stderr
    (row,) = json.loads(puzzled.run("status", "--json", SCREENING_CONFIG=str(tmp_path / "renamed.toml")).stdout)
    (gone,) = (one for one in row["unconfigured"] if one["vendor"] == "zinc")
    (known,) = puzzled.published("select count(*) as n from star.fact_check where vendor = 'zinc'")
    assert gone == {"vendor": "zinc", "account": "sandbox", "checks": known["n"]}


def test_a_rebuild_tells_programs_which_rules_do_not_hold(puzzled: Desk) -> None:
    done = puzzled.run("rebuild", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["exit_code"]) == (1, 1)
    assert told["failed_checks"] == ["star.fact_check.nothing_is_unmapped"]
    assert told["run_id"]
    assert told["seconds"] > 0


def test_a_rebuild_changes_nothing_but_the_plan_of_pulls(puzzled: Desk) -> None:
    puzzled.run("sync")
    before = star(puzzled)
    puzzled.run("rebuild", SCREENING_NOW=(VIRTUAL_EPOCH + timedelta(days=3, hours=9)).isoformat())
    after = star(puzzled)
    assert before.keys() == after.keys()
    assert [table for table in before if before[table] != after[table]] == []


def star(desk: Desk) -> dict[str, list[Row]]:
    """The rows of every table of the star, without when each check is asked next."""
    tables = desk.published("select table_name as name from duckdb_tables() where schema_name = 'star'")
    without = "select columns(c -> c <> 'next_pull_at') from star."
    return {table["name"]: desk.published(f"{without}{table['name']} order by all") for table in tables}


# ── on a terminal ──────────────────────────────────────────────────────────────────────────────────


def shown(desk: Desk, columns: int, *words: str) -> list[str]:
    """The lines that a command shows on a terminal of that width, without their colours."""
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    with os.fdopen(end, "wb") as screen, os.fdopen(terminal, "rb", buffering=0) as film:
        found: list[bytes] = []
        reader = threading.Thread(target=lambda: found.extend(iter(lambda: _frame(film), b"")))
        reader.start()
        into(desk, screen, *words)
        screen.close()
        reader.join(10)
    return re.sub(r"\x1b\[[0-9;]*m", "", b"".join(found).decode()).splitlines()


def _frame(film: IO[bytes]) -> bytes:
    try:
        return film.read(4096)
    except OSError:  # nobody writes any more
        return b""


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_status_names_every_account_in_full_on_any_terminal(puzzled: Desk, columns: int) -> None:
    lines = shown(puzzled, columns, "status")
    vendors = tuple(all_vendors())
    table = lines[1 : lines.index(NAMED[0])]  # before it stands a sentence of what runs
    assert all(any(f"{vendor}/sandbox" in line.split() for line in table) for vendor in vendors), lines
    assert not any("…" in line or len(line) > columns for line in table), lines


# ── as documented ──────────────────────────────────────────────────────────────────────────────────


def test_the_documented_example_of_the_sandbox_works_word_for_word(desk: Desk) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    document = (ROOT / "docs" / "sandbox.md").read_text()
    serving, using = re.findall(r"```sh\n(.*?)```", document, re.DOTALL)
    scripts = desk.folder / "bin"
    scripts.mkdir()
    for name, words in (("screening-pipeline", "-m screening_pipeline"), ("python3", "")):
        (scripts / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        (scripts / name).chmod(0o755)
    environ = desk.surroundings({"PATH": f"{scripts}:{os.defpath}"})
    here = desk.folder / "empty"
    here.mkdir()
    command = ["/bin/sh", "-c", f"exec {serving.strip()} --port {port}"]
    with subprocess.Popen(command, env=environ, cwd=desk.folder, stdout=subprocess.PIPE, text=True) as sandbox:
        try:
            assert sandbox.stdout
            assert json.loads(sandbox.stdout.readline())["port"] == int(port)
            done = subprocess.run(
                ["/bin/sh", "-c", using.replace("8765", port)],
                env=environ,
                cwd=here,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        finally:
            sandbox.terminate()
    assert done.returncode in (0, 1), done.stderr  # which words it says depends on the time of day
    assert done.stderr == ""
    assert not [line for line in done.stdout.splitlines() if line.startswith(("warn", "fail"))]
    count = len((here / "data" / "orders" / "announced.ndjson").read_text().splitlines())
    (told,) = [line for line in done.stdout.splitlines() if " orders read, " in line]
    assert count > 20
    assert told.startswith(f"{count} orders read, ")
    assert " 0 rejects" in told
    seen = Desk(here, desk.commands).published("select count(*) as n from star.fact_check where lifecycle <> 'unknown'")
    assert seen[0]["n"] > 20


# ── wrong use ──────────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_vendor_is_wrong_use_and_the_nearest_is_named(desk: Desk) -> None:
    assert_plain_failure(desk.start("sync", "--vendor", "goodhyre"), 2, "goodhyre", "did you mean goodhire")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("[[accounts]\n", "screening.toml"),
        (
            '[[accounts]]\nvendor = "goodhire"\nname = "us"\nbase_url = "http://vendor.example"\napi_key_env = "K"\n',
            "http",
        ),
        ('[[acounts]]\nvendor = "goodhire"\n', "accounts"),
    ],
)
def test_a_wrong_configuration_is_wrong_use(desk: Desk, content: str, word: str) -> None:
    (desk.folder / "screening.toml").write_text(content)
    assert_plain_failure(desk.run("sync"), 2, word)


@pytest.mark.parametrize("command", ["sync", "rebuild", "status"])
def test_a_lake_whose_address_is_not_set_is_named_and_nothing_else_is_written(desk: Desk, command: str) -> None:
    lake = (
        '[warehouse]\nengine = "ducklake"\ncatalog_env = "OUR_LAKE"\ndata_path = "s3://bucket/"\n'
        'published_catalog_env = "OUR_SHOWN"\npublished_data_path = "s3://other/"\n'
    )
    account = '[[accounts]]\nvendor = "goodhire"\nname = "us"\nbase_url = "https://vendor.example"\napi_key_env = "K"\n'
    (desk.folder / "screening.toml").write_text(lake + account)
    assert_plain_failure(desk.run(command), 2, "warehouse.catalog_env", "OUR_LAKE is not set")
    assert not (desk.folder / "data" / "warehouse.duckdb").exists()


def test_a_time_that_is_none_is_wrong_use(desk: Desk) -> None:
    assert_plain_failure(desk.run("status", SCREENING_NOW="yesterday"), 2, "SCREENING_NOW")


@pytest.mark.parametrize("command", ["sync", "status", "doctor"])
@pytest.mark.parametrize("year", ["0001", "9999"])
def test_a_time_out_of_all_reach_is_wrong_use(desk: Desk, command: str, year: str) -> None:
    assert_plain_failure(desk.run(command, SCREENING_NOW=f"{year}-12-31T00:00:00Z"), 2, "SCREENING_NOW", "2000 to 2099")


def test_a_configuration_that_is_named_and_missing_is_wrong_use(desk: Desk) -> None:
    assert_plain_failure(
        desk.run("status", SCREENING_CONFIG="gone.toml"), 2, "gone.toml", "SCREENING_CONFIG", "unset it"
    )


@pytest.mark.parametrize("command", ["sync", "status", "doctor", "rebuild", "demo"])
def test_without_its_configuration_a_data_folder_of_configured_accounts_is_left_alone(desk: Desk, command: str) -> None:
    account = '[[accounts]]\nvendor = "zinc"\nname = "uk"\nbase_url = "http://127.0.0.1:9"\napi_key_env = "K"\n'
    (desk.folder / "screening.toml").write_text(account)
    assert desk.run("sync", "--vendor", "zinc").returncode == 2
    (desk.folder / "screening.toml").unlink()
    before = sorted((desk.folder / "data").rglob("*.csv"))
    done = desk.run(command)
    word = "not the demo's" if command == "demo" else "SCREENING_CONFIG"
    assert_plain_failure(done, 2, word)
    assert sorted((desk.folder / "data").rglob("*.csv")) == before


def test_a_host_that_is_none_is_named_and_another_port_is_no_remedy(desk: Desk) -> None:
    done = desk.run("webhooks", "--host", "nonsense.invalid", "--port", "0")
    assert_plain_failure(done, 3, "nonsense.invalid", "cannot be resolved")
    assert "--port" not in done.stderr


def test_init_writes_a_configuration_once(desk: Desk) -> None:
    done = desk.run("init")
    assert (done.returncode, "screening-pipeline doctor" in done.stdout) == (0, True)
    (desk.folder / "data" / "orders" / "mine.csv").write_bytes((desk.folder / "orders-example.csv").read_bytes())
    written = (desk.folder / "screening.toml").read_text()
    assert (desk.folder / "data" / "orders").is_dir()
    (desk.folder / "screening.toml").write_text(written + "# mine\n")
    assert_plain_failure(desk.run("init"), 2, "--force")
    assert (desk.folder / "screening.toml").read_text().endswith("# mine\n")
    assert desk.run("init", "--force").returncode == 0
    assert (desk.folder / "screening.toml").read_text() == written


@pytest.mark.parametrize("command", ["status", "sync", "init"])
def test_a_data_folder_that_cannot_be_made_is_the_machines_failure(desk: Desk, command: str) -> None:
    (desk.folder / "file").write_text("")
    done = desk.run(command, SCREENING_DATA_DIR=str(desk.folder / "file" / "data"))
    assert_plain_failure(done, 3, "data")


def test_a_data_folder_at_home_is_at_home(desk: Desk) -> None:
    done = desk.run("init", SCREENING_DATA_DIR="~/kept", HOME=str(desk.folder / "home"))
    assert (done.returncode, (desk.folder / "home" / "kept" / "orders").is_dir()) == (0, True), done.stderr
    assert not (desk.folder / "~").exists()


@pytest.mark.parametrize("command", ["sync", "status", "init"])
def test_a_home_of_dagster_that_is_not_absolute_is_wrong_use(desk: Desk, command: str) -> None:
    assert_plain_failure(desk.run(command, DAGSTER_HOME="storage"), 2, "DAGSTER_HOME", "absolute")
    assert not (desk.folder / "storage").exists()


def test_a_configuration_that_cannot_be_written_is_the_machines_failure(desk: Desk) -> None:
    (desk.folder / "screening.toml").symlink_to(desk.folder / "nowhere" / "screening.toml")
    assert_plain_failure(desk.run("init"), 3, "screening.toml")


def test_the_doctor_sees_a_warehouse_that_is_none_and_says_what_to_do(desk: Desk) -> None:
    (desk.folder / "data").mkdir()
    (desk.folder / "data" / "warehouse.duckdb").write_bytes(b"no database" * 1000)
    done = desk.run("doctor")
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("fail")]
    assert "warehouse.duckdb" in line
    assert "move it away and run screening-pipeline rebuild" in line


def test_in_a_fresh_clone_the_doctor_has_nothing_to_say(desk: Desk) -> None:
    orders = desk.folder / "data" / "orders"
    orders.mkdir(parents=True)
    orders.chmod(0o755)  # as git makes it
    (orders / ".gitkeep").touch()
    done = desk.start("doctor", "--json")
    assert done.returncode == 0, done.stderr
    assert {finding["level"] for finding in json.loads(done.stdout)} == {"ok"}
    (orders / "mine.csv").write_text("vendor,check_id\n")
    warned = [f for f in json.loads(desk.run("doctor", "--json").stdout) if f["level"] != "ok"]
    assert [(finding["name"], finding["fix"]) for finding in warned] == [("folder orders", f"chmod 700 {orders}")]


@pytest.mark.parametrize(
    "words",
    [("webhooks", "--port", "70000"), ("sandbox", "--port", "99999"), ("sandbox", "--checks", "-5")],
)
def test_a_number_out_of_range_is_wrong_use(desk: Desk, words: tuple[str, ...]) -> None:
    assert_plain_failure(desk.run(*words), 2, words[1])


def test_a_report_takes_the_place_of_files_only(troubled: Desk, synced: subprocess.CompletedProcess[str]) -> None:
    assert synced.returncode == 1
    for place in (".", "/dev/null"):
        assert_plain_failure(troubled.run("report", "--out", place), 2, "is no file")
    assert troubled.run("report", "--out", "page.html").returncode == 0


def test_a_warehouse_that_is_none_is_the_machines_failure(desk: Desk) -> None:
    (desk.folder / "data" / "published").mkdir(parents=True)
    (desk.folder / "data" / "published" / "screening.duckdb").write_bytes(b"not a database" * 1000)
    assert_plain_failure(desk.run("status"), 3, "screening.duckdb")


@pytest.mark.parametrize(
    "command", sorted(str(c.name or c.callback.__name__) for c in app.registered_commands if c.callback)
)
def test_every_command_explains_itself(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    assert "Usage" in shown.stdout


# ── interrupted ────────────────────────────────────────────────────────────────────────────────────


def interrupted(desk: Desk, *words: str, once: Callable[[], bool]) -> subprocess.CompletedProcess[str]:
    """Run a command, and once it is so, send it and what it has started the SIGINT of a Ctrl-C."""
    with subprocess.Popen(
        desk.command(*words),
        cwd=desk.folder,
        env=desk.surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as started:
        try:
            until(once)
            os.killpg(started.pid, signal.SIGINT)
            out, err = started.communicate(timeout=30)
        finally:
            started.kill()
    return subprocess.CompletedProcess(words, started.returncode, out, err)


def assert_interrupted(done: subprocess.CompletedProcess[str]) -> None:
    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout, len(lines)) == (130, "", 1), done.stderr
    assert "interrupted" in lines[0]


def until(is_so: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until it is so."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def statuses(desk: Desk) -> list[str]:
    """How Dagster says that the runs went, the latest first."""
    with instance(Paths.under(desk.folder / "data", {}), {}) as recorded:
        return [found.status.value for found in recorded.get_runs()]


def test_ctrl_c_while_vendors_are_asked_ends_with_one_line_and_the_next_run_is_clean(desk: Desk) -> None:
    orders = desk.folder / "data" / "orders"
    orders.mkdir(parents=True)
    desk.environ["SANDBOX_GOODHIRE_API_KEY"] = SECRETS["SANDBOX_GOODHIRE_API_KEY"]
    with running_sandbox(seed=7, checks=24, epoch=VIRTUAL_EPOCH, days=4, virtual=True, limit_factor=None) as sandbox:
        sandbox.set_clock(NOW)
        wanted = [row for row in sandbox.orders() if row["vendor"] == "goodhire"]
        (orders / "orders.ndjson").write_text("".join(json.dumps(row) + "\n" for row in wanted))
        account = f'vendor = "goodhire"\nname = "sandbox"\nbase_url = "{sandbox.url}/goodhire/v1"\n'
        settings = f'[[accounts]]\n{account}api_key_env = "SANDBOX_GOODHIRE_API_KEY"\n'
        (desk.folder / "screening.toml").write_text(f"{settings}requests_per_minute = 2\n")
        # The third call has to wait for most of a minute.
        assert_interrupted(interrupted(desk, "sync", once=lambda: landed(desk) == 2))
        assert statuses(desk) == ["FAILURE"]
        (desk.folder / "screening.toml").write_text(f"{settings}requests_per_minute = 6000\n")
        done = desk.run("sync", "--json")
        assert (done.returncode, statuses(desk)) == (0, ["SUCCESS", "FAILURE"]), done.stderr
        assert landed(desk) == len(wanted)  # nothing was lost, nothing asked twice
        assert desk.published("select count(*) as n from star.fact_check where lifecycle is not null") == [
            {"n": len(wanted)}
        ]


def landed(desk: Desk) -> int:
    return sum(file.read_bytes().count(b"\n") for file in (desk.folder / "data" / "landing").rglob("*.ndjson"))


@pytest.mark.parametrize("command", ["sync", "rebuild"])
def test_ctrl_c_while_a_step_waits_ends_with_one_line(desk: Desk, command: str) -> None:
    paths = Paths.under(desk.folder / "data", {})
    assert statuses(desk) == []  # Dagster's storage is there: two processes that make it disturb each other
    with locks.lock(paths.warehouse_lock, clock=StandingClock(NOW)):
        assert_interrupted(interrupted(desk, command, once=lambda: statuses(desk) == ["STARTED"]))
    assert statuses(desk) == ["FAILURE"]


def test_ctrl_c_in_a_query_is_an_interruption_and_no_mistake(desk: Desk) -> None:
    paths = Paths.under(desk.folder / "data", {})
    paths.create()

    @dg.op
    def query() -> None:
        with store.writer(paths.warehouse, lock_path=paths.warehouse_lock, clock=StandingClock(NOW)) as connection:
            threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()
            connection.execute("select count(*) from range(10000000000) as r(i) where hash(i) % 7 = 1").fetchall()

    with instance(paths, {}) as recorded, pytest.raises(KeyboardInterrupt):
        runs._in_process(dg.GraphDefinition("asking", node_defs=[query]).to_job(), recorded)
    assert statuses(desk) == ["FAILURE"]


# ── nobody listens ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("words", [("status",), ("status", "--json"), ("--help",), ("doctor",)])
def test_a_reader_that_leaves_early_changes_nothing_of_how_it_ends(desk: Desk, words: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = into(desk, pipe, *words)
    assert (done.returncode, done.stderr) == (0, "")


def into(desk: Desk, stream: IO[bytes], *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command whose output goes there."""
    return subprocess.run(
        desk.command(*words),
        cwd=desk.folder,
        env=desk.surroundings(),
        stdout=stream,
        stderr=subprocess.PIPE,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_streams_that_are_closed_are_no_trouble(desk: Desk, closed: str) -> None:
    command = f'"$@" {closed}; echo "ended with $?"'
    done = subprocess.run(
        ["/bin/sh", "-c", command, "sh", *desk.command("status")],
        cwd=desk.folder,
        env=desk.surroundings(),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.stdout.endswith("ended with 0\n")
    assert done.stderr == ""


def test_a_full_disk_is_told(desk: Desk) -> None:
    with Path("/dev/full").open("wb") as full:
        done = into(desk, full, "status", "--json")
    assert (done.returncode, done.stderr) == (3, "screening-pipeline: No space left on device\n")


# ── two at once ────────────────────────────────────────────────────────────────────────────────────


def test_a_second_cycle_waits_and_then_gives_up_naming_the_lock(tmp_path: Path) -> None:
    with playing(tmp_path / "data", checks=5, days=2) as stage:
        hasty = replace(stage.runtime, lock_wait_seconds=0.3)
        with (
            locks.lock(stage.paths.warehouse_lock, clock=StandingClock(NOW)),
            pytest.raises(LockHeld, match=r"warehouse\.lock.*process") as held,
        ):
            runs.sync(hasty, stage.instance)
        assert held.value.exit_code == 3
        assert [recorded.status.value for recorded in stage.instance.get_runs()] == ["FAILURE"]
        assert runs.sync(hasty, stage.instance).exit_code == 0  # the lock is free again


def test_an_account_that_another_process_asks_is_left_to_it_and_the_others_go_on(tmp_path: Path) -> None:
    with playing(tmp_path / "data", checks=40, days=2) as stage, ExitStack() as held:
        stage.wake(1)
        hasty = replace(stage.runtime, lock_wait_seconds=0.1)
        accounts = stage.runtime.settings.accounts
        lock = partial(locks.lock, clock=StandingClock(NOW))
        held.enter_context(lock(stage.paths.data_dir / f"{pull_lock(accounts[0].vendor, accounts[0].name)}.lock"))
        outcome = runs.sync(hasty, stage.instance)
        first, *others = sorted(outcome.reports, key=lambda report: report.vendor != accounts[0].vendor)
        assert (first.code, first.calls) == ("lock_held", 0)
        assert "already being asked" in (first.message or "")
        assert "process" in (first.message or "")
        assert others
        assert {report.code for report in others} == {None}
        assert outcome.settled.changed > 0
        assert outcome.exit_code == 0
        for account in accounts[1:]:
            held.enter_context(lock(stage.paths.data_dir / f"{pull_lock(account.vendor, account.name)}.lock"))
        stage.wake(2)
        nobody = runs.sync(hasty, stage.instance)
        assert {report.code for report in nobody.reports} == {"lock_held"}
        assert nobody.exit_code == 3


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("show", "zink", "1"), "no vendor 'zink' is configured; did you mean zinc?"),
        (("show", "Zinc", "1"), "no vendor 'Zinc' is configured; did you mean zinc?"),
        (("show", "zinc", "1", "--account", "mian"), "no account 'mian' is configured; did you mean main?"),
        (("show", "zinc", "no such id"), "no zinc check has the id 'no such id'"),
    ],
)
def test_a_mistyped_name_is_not_told_as_a_check_that_is_not_there(
    troubled: Desk, synced: subprocess.CompletedProcess[str], words: tuple[str, ...], complaint: str
) -> None:
    assert synced.returncode == 1
    assert_plain_failure(troubled.run(*words), 2, complaint)


# ── what is printed ────────────────────────────────────────────────────────────────────────────────


def test_words_of_a_vendor_move_no_cursor_and_change_no_colour(capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "\x1b[2J\x1b]0;title\x07 [bold]word[/bold] \u202etxt\r\n"
    console.table([{"word": nasty}], {"word": "word"})
    shown = capsys.readouterr().out
    assert "\x1b" not in shown.replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert "\\x1b[2J" in shown
    assert "[bold]word[/bold]" in shown
    assert "\u202e" not in shown


def test_a_turnaround_of_days_that_no_calendar_has_is_told_in_calendar_time_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    check = defaultdict(lambda: None, vendor="zinc", turnaround_seconds=864_000, ordered_at=NOW, is_terminal=True)
    show.tell(show.CheckHistory(check=check, events=[], parts=[], actions=[], troubles=[]))
    shown = capsys.readouterr().out
    assert "turnaround 10.0 d\n" in shown
    assert "None business days" not in shown


def test_a_message_that_nobody_can_confirm_is_for_the_vendor_to_explain(capsys: pytest.CaptureFixture[str]) -> None:
    check = defaultdict(lambda: None, vendor="zinc", is_terminal=True)
    trouble = {"kind": "conflict", "what": "unconfirmed_message", "since": NOW}
    show.tell(show.CheckHistory(check=check, events=[], parts=[], actions=[], troubles=[trouble]))
    assert "(polling = false): ask the vendor" in capsys.readouterr().out


def test_an_ended_check_of_which_a_message_says_otherwise_is_told_as_in_doubt(
    capsys: pytest.CaptureFixture[str],
) -> None:
    check = defaultdict(lambda: None, vendor="zinc", is_terminal=True, is_in_doubt=True)
    show.tell(show.CheckHistory(check=check, events=[], parts=[], actions=[], troubles=[]))
    shown = capsys.readouterr().out
    assert "a message that came since says otherwise" in shown
    assert "not asked for again" not in shown


def test_facts_for_a_program_are_plain_ascii_json(capsys: pytest.CaptureFixture[str]) -> None:
    console.say_json({"word": "\x1b\u202eé", "at": datetime(2026, 3, 2, tzinfo=UTC)})
    shown = capsys.readouterr().out
    assert shown.isascii()
    assert json.loads(shown)["word"] == "\x1b\u202eé"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2.0 h"), (172_800, "2.0 d"), (None, None)],
)
def test_a_length_of_time_is_said_as_a_person_says_it(seconds: float | None, words: str | None) -> None:
    assert inert.span(seconds) == words


@pytest.mark.parametrize("command", [("init",), ("status",), ("doctor",), ("status", "--json")], ids=" ".join)
def test_neither_warnings_that_are_errors_nor_a_locale_without_signs_end_a_command(
    desk: Desk, command: tuple[str, ...]
) -> None:
    odd = {"PYTHONWARNINGS": "error", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = desk.run(*command, **odd)
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
