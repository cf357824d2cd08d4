"""What vendors and manifests say stays words: for SQL, terminals, browsers, Dagster's pages, paths and addresses."""

from __future__ import annotations

import contextlib
import csv
import html
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner, Result

from screening_pipeline.base import inert
from screening_pipeline.cli import console
from screening_pipeline.cli.app import app
from screening_pipeline.orchestration import metadata, runs
from screening_pipeline.orchestration.instance import instance
from screening_pipeline.runtime import opening
from screening_pipeline.warehouse import catalog, session, store
from screening_pipeline_tests.support.end_to_end_world import Row, dagster_words
from screening_pipeline_tests.support.loopback import Asked, Loopback, Reply, json_reply, serving
from screening_pipeline_tests.test_report import Elements

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [dagster_words, pytest.mark.timeout(300)]

NOW = "2026-03-02T09:00:00+00:00"
EVIL = "https://evil.example"
TERMINAL = "\x1b[2J\x1b]0;owned\x07\r\x9b31m\x7f"
BIDI = "\u202ecod.exe\u2066\u200b"
MARKUP = "</style><script>alert('it ran')</script><img src=x onerror=alert(1)>"
MARKDOWN = f"[click](javascript:alert(1)) ![x]({EVIL}/x.png) | `x` {EVIL} www.evil.example a@evil.example"
FORMULA = f'=HYPERLINK("{EVIL}","x")'
SQL = "'); drop table star.fact_check; --"
RICH = "[bold red]x[/bold red]"
WORDS = (TERMINAL, BIDI, MARKUP, MARKDOWN, FORMULA, SQL, RICH)
IDS = (
    SQL,
    "../../landing/x",
    "a/b%2Fc?x=1#y",
    MARKUP,
    MARKDOWN,
    "{id}",
)
# No vendor has such ids: signs that nobody sees, line breaks, dots alone, formulas.
REFUSED = (TERMINAL, f"{TERMINAL}{BIDI}", "line\nbreak", "..", FORMULA)
LINKED = ("/certificate.pdf", "/report.html")


def answered(url: str, asked: Asked) -> Reply:
    """Something hostile in every field, about the id asked for."""
    vendor, path, *rest = asked.target.split("/")[1:]
    if not rest:
        return json_reply([{"id": word, "name": word} for word in WORDS])
    check_id, words = unquote(rest[0]), " ".join(WORDS)
    if vendor == "goodhire":
        alerts = {"SectionsContainingAlerts": list(WORDS), "RequiredReportActions": [{"Type": word} for word in WORDS]}
        link = {"ReportViewerUrl": f"{url}{LINKED[1]}?token=1"}
        return json_reply({"Id": check_id, "Status": words, "StatusDetails": MARKUP, **alerts, **link})
    if vendor == "zinc":
        parts = [{"name": word, "type": word, "status": word} for word in WORDS]
        return json_reply({"id": check_id, "status": MARKDOWN, "statusV2": words, "result": MARKUP, "checks": parts})
    result = dict.fromkeys(WORDS, MARKUP)
    check = {"overall_status": MARKUP, "result": result}
    return json_reply({"status": "completed", "check": check, "results_url": url + LINKED[0], "path": path})


@dataclass
class Victim:
    """A data folder that hostile vendors filled, and the environment to work in it."""

    folder: Path
    vendors: Loopback
    environ: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)  # what the sync of all these tests has asked for

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def invoke(self, *words: str) -> Result:
        """Run a command in this process."""
        return CliRunner(env=self.environ).invoke(app, list(words))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a process of its own, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "screening_pipeline", *words],
            cwd=self.folder,
            env={**os.environ, **self.environ},
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )

    def rows(self, query: str) -> list[Row]:
        with store.reader(self.data / "published" / "screening.duckdb") as connection:
            return session.rows(connection, query)


def configuration(url: str) -> str:
    secrets = {"goodhire": "api_key_env", "zinc": "api_key_env", "workable": "token_env"}
    return "\n".join(
        f'[[accounts]]\nvendor = "{vendor}"\nname = "main"\nbase_url = "{url}/{vendor}"\n{key} = "KEY"\n'
        "requests_per_minute = 600\n"
        for vendor, key in secrets.items()
    )


def manifest() -> str:
    columns = ("package", "country", "region", "cost_center")
    # Signs that nobody sees are refused in what names a check or a person.
    told = {"candidate_ref": f"{MARKUP} {MARKDOWN} {FORMULA} {SQL}", **{name: " ".join(WORDS) for name in columns}}
    rows = [
        {"vendor": vendor, "check_id": check_id, **told, "tags": {MARKUP: SQL}}
        for vendor in ("goodhire", "zinc", "workable")
        for check_id in (*IDS, *REFUSED)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """After one cycle, told by the real command line."""
    folder = tmp_path_factory.mktemp("victim")
    with serving(lambda asked: answered(server.url, asked)) as server:
        made = Victim(folder, server)
        made.environ = {
            "SCREENING_DATA_DIR": str(made.data),
            "SCREENING_CONFIG": str(folder / "screening.toml"),
            "SCREENING_NOW": NOW,
            "KEY": "key-canary-1",
        }
        (folder / "screening.toml").write_text(configuration(server.url))
        (made.data / "orders").mkdir(parents=True)
        (made.data / "orders" / f"{TERMINAL[1:4]}{BIDI}{SQL}.ndjson").write_text(manifest())
        (made.data / "orders" / "broken\x1b[2J.csv").write_text("vendor,check_id\n" + "=1+1,1\n")
        yield made


@pytest.fixture(scope="module")
def synced(victim: Victim) -> Result:
    done = victim.invoke("sync", "--full")
    victim.asked = [target for target in victim.vendors.targets if not target.endswith("/packages")]
    return done


@pytest.fixture(scope="module")
def reported(victim: Victim, synced: Result) -> str:
    """The daily job's page, after it showed every view in Dagster."""
    with opening.open_runtime({**os.environ, **victim.environ}, victim.folder) as work:
        runs.daily_report(work, instance(work.settings.paths))
    return (victim.data / "published" / "report.html").read_text(encoding="utf-8")


def wild(text: str) -> list[str]:
    """The characters that a terminal or a reader's eye would obey instead of showing."""
    return sorted({repr(c) for c in text if not c.isprintable() and c != "\n"})


# ── SQL, paths, addresses ──────────────────────────────────────────────────────────────────────────────


def test_ids_and_words_are_values_and_never_sql(victim: Victim, synced: Result) -> None:
    assert synced.exit_code == 1, synced.output  # one manifest row is broken
    found = victim.rows("select vendor, check_id from star.fact_check order by all")
    assert {(row["vendor"], row["check_id"]) for row in found} == {
        (vendor, check_id) for vendor in ("goodhire", "zinc", "workable") for check_id in IDS
    }
    told = victim.rows("select distinct vendor_status from star.fact_check where vendor = 'goodhire'")
    assert told == [{"vendor_status": " ".join(WORDS)}]


def test_a_word_that_nobody_knows_is_no_state(victim: Victim, synced: Result) -> None:
    found = victim.rows("select distinct lifecycle, result from star.fact_check where vendor <> 'workable'")
    assert found == [{"lifecycle": "unknown", "result": "unknown"}]


def test_every_id_is_one_segment_of_the_path_it_is_asked_at(victim: Victim, synced: Result) -> None:
    asked = victim.asked
    assert len(asked) == 3 * len(IDS)
    assert {target.count("/") for target in asked} == {3}
    assert not any(character in target for target in asked for character in "?#{}<>\x1b\n ")
    assert {unquote(target.rpartition("/")[2]) for target in asked} == set(IDS)


def test_links_to_reports_and_certificates_are_kept_without_their_query_and_never_followed(
    victim: Victim, synced: Result
) -> None:
    kept = victim.rows("select distinct report_url from star.fact_check where report_url is not null")
    assert {row["report_url"] for row in kept} == {victim.vendors.url + link for link in LINKED}
    assert not any(link in target for target in victim.vendors.targets for link in LINKED)


def test_no_name_in_the_data_folder_is_a_vendors_word(victim: Victim, reported: str) -> None:
    names = {path.name for path in victim.data.rglob("*") if path.parent.name != "orders"}
    assert len(names) > 20
    assert [name for name in names if wild(name) or any(sign in name for sign in "<>'=%")] == []


# ── terminals ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_cycle_says_nothing_that_a_terminal_would_obey(synced: Result) -> None:
    assert "goodhire/main" in synced.output
    assert wild(synced.output) == []


@pytest.mark.parametrize("check_id", IDS, ids=range(len(IDS)))
def test_the_life_of_a_check_is_told_inertly(victim: Victim, synced: Result, check_id: str) -> None:
    shown = victim.invoke("show", "zinc", check_id)
    assert shown.exit_code == 0
    assert inert.inert(check_id) in shown.output
    assert RICH in shown.output, "nothing in it is taken for a style"
    assert wild(shown.output) == []


@pytest.mark.parametrize("command", [["status"], ["doctor"], ["report"]])
def test_no_command_says_anything_that_a_terminal_would_obey(
    victim: Victim, synced: Result, command: list[str]
) -> None:
    said = victim.invoke(*command)
    assert said.exit_code in (0, 1)
    assert wild(said.output) == []


@pytest.mark.parametrize("command", [["status"], ["show", "goodhire", MARKUP], ["doctor"]])
def test_facts_for_programs_are_ascii(victim: Victim, synced: Result, command: list[str]) -> None:
    said = victim.invoke(*command, "--json")
    assert said.exit_code in (0, 1)
    assert wild(said.output) == []
    assert said.output.isascii()
    assert json.loads(said.output)


def test_complaints_about_what_was_typed_are_inert_too(victim: Victim, synced: Result) -> None:
    for words in (["show", TERMINAL, "1"], ["show", "zinc", BIDI], ["sync", "--vendor", TERMINAL]):
        said = victim.run(*words)
        assert said.returncode == 2
        assert wild(said.stdout + said.stderr) == []


def test_whatever_is_printed_passes_one_door(capsys: pytest.CaptureFixture[str]) -> None:
    console.say(TERMINAL + BIDI)
    console.warn(TERMINAL + BIDI)
    console.say_json({TERMINAL: BIDI})
    said = capsys.readouterr()
    assert wild(said.out + said.err) == []


# ── pages ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_report_shows_words_and_no_markup(reported: str) -> None:
    found = Elements(reported)
    assert html.escape(MARKUP) in reported
    assert {"img", "iframe", "link", "object"} & set(found.names) == set()
    assert found.names.count("script") == 3  # the open checks and the groups of ended ones, as data, and the page's own
    assert [name for name in found.attributes if name.startswith("on")] == []
    assert found.unclosed == []
    assert wild(reported) == []


@pytest.mark.browser
def test_a_browser_runs_nothing_of_it(reported: str, victim: Victim, browser: Browser) -> None:
    page, heard, asked = browser.new_page(), [], []
    page.on("dialog", lambda dialog: heard.append(dialog.message))
    page.on("console", lambda message: heard.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    address = (victim.data / "published" / "report.html").as_uri()
    page.goto(address, wait_until="networkidle")
    assert heard == []
    assert asked == [address]
    page.close()


def previews(victim: Victim) -> list[str]:
    """The Markdown that Dagster's pages would show, of every event that is kept."""
    found = []
    for path in (victim.data / "dagster").rglob("*.db"):
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as storage:
            tables = [name for (name,) in storage.execute("select name from sqlite_master where name = 'event_logs'")]
            for _ in tables:
                events = storage.execute("select event from event_logs where event like '%md_str%'").fetchall()
                found += [text for (event,) in events for text in markdown_in(json.loads(event))]
    return found


def markdown_in(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("md_str"), str):
            yield value["md_str"]
        for inner in value.values():
            yield from markdown_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from markdown_in(inner)


def test_dagsters_pages_show_words_and_no_markup(victim: Victim, reported: str) -> None:
    found = previews(victim)
    tables = [text for text in found if text.startswith("| ")]
    assert len(tables) > 20
    assert not any("evil" in text for text in tables), "what a vendor wrote is not among what is shown"
    for text in tables:
        assert not re.search(r"[<>`\[\]()*!]", text), "nothing that Markdown or HTML would read"
        assert len({line.count("|") for line in text.splitlines()}) == 1, "no cell adds a column"
        assert wild(text) == []


# What GitHub-flavoured Markdown makes a link of without any sign, also of text that came from entities.
BARE_LINK = re.compile(r"https?://|www\.\w|[\w.+-]+@[\w-]+\.\w", re.IGNORECASE)


def test_no_address_in_dagsters_previews_becomes_a_link(victim: Victim, reported: str) -> None:
    for text in previews(victim):
        if text.startswith("| "):
            assert BARE_LINK.search(html.unescape(text)) is None


def test_what_dagster_says_of_runs_has_no_word_of_a_vendor(victim: Victim, reported: str) -> None:
    """Messages, tags, metadata that is no preview of a table."""
    for path in (victim.data / "dagster").rglob("*.db"):
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as storage:
            text = "\n".join(storage.iterdump())
        assert MARKUP not in text, path.name
        assert "<script" not in text, path.name
        assert "\\u001b" not in text, path.name


def test_a_chart_is_a_picture_and_its_title_is_text() -> None:
    page = (
        "<figure><figcaption>&lt;script&gt; [x](javascript:1)<small>n</small></figcaption>"
        '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"></svg></figure>'
    )
    from screening_pipeline.orchestration.maintenance import charts_as_markdown

    shown = charts_as_markdown(page)
    assert "<script" not in shown
    assert "](javascript" not in shown
    assert shown.count("](data:image/png;base64,") == 1


def test_a_cell_of_a_preview_can_neither_break_nor_link(victim: Victim) -> None:
    for word in WORDS:
        shown = metadata._cell(word)
        assert not re.search(r"[|<>`\[\]]", shown)
        assert BARE_LINK.search(html.unescape(shown)) is None


# ── spreadsheets ───────────────────────────────────────────────────────────────────────────────────────


COMPUTED = re.compile(r"[=+\-@\t\r]")
NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]\d+)?")


def test_nothing_is_written_that_a_spreadsheet_would_compute(victim: Victim, reported: str) -> None:
    """No cycle writes CSV or a spreadsheet; Parquet and DuckDB keep text as text, and `export` marks it as text."""
    written = {path.suffix for path in victim.data.rglob("*") if path.is_file() and path.parent.name != "orders"}
    assert ".parquet" in written
    assert not written & {".csv", ".tsv", ".xls", ".xlsx", ".ods"}
    for relation in catalog.relations().values():
        if relation.schema in catalog.PUBLISHED and relation.refresh != "macro":
            exported = victim.invoke("export", relation.qualified)
            assert exported.exit_code == 0
            cells = [cell for row in csv.reader(io.StringIO(exported.stdout)) for cell in row]
            assert not [cell for cell in cells if COMPUTED.match(cell) and not NUMBER.fullmatch(cell)]


# ── afterwards ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_hostile_id_is_erased_and_takes_no_other_along(victim: Victim, synced: Result, tmp_path: Path) -> None:
    """An erasure computes everything anew."""
    shutil.copytree(victim.data, tmp_path / "data")
    other = Victim(tmp_path, victim.vendors, {**victim.environ, "SCREENING_DATA_DIR": str(tmp_path / "data")})
    erased = other.invoke("erase", "--check", "goodhire", SQL)
    assert (erased.exit_code, wild(erased.output)) == (0, []), str(erased.exception)
    left = other.rows("select check_id from star.fact_check where vendor = 'goodhire'")
    assert {row["check_id"] for row in left} == set(IDS) - {SQL}
