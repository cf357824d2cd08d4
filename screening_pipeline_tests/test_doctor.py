"""The doctor: one line per thing looked at, with the fix, and never a secret."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from screening_pipeline.base.clock import ManualClock, system_clock
from screening_pipeline.base.errors import CredentialRefused, EnvironmentFailed, LockHeld
from screening_pipeline.cli.doctor import diagnose, exit_code
from screening_pipeline.cli.doctor_accounts import client_probe
from screening_pipeline.cli.findings import Finding
from screening_pipeline.settings.account import Account
from screening_pipeline.settings.keys import landing_key, pseudonym_key
from screening_pipeline.settings.load import load
from screening_pipeline.settings.settings import Settings
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline.state.store import State

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = "c4n4ry-Secret"
KEY_FIX = "export {}=…, the key in use; for a new data folder openssl rand -hex 32 makes one"
ENVIRON = {"GOODHIRE_API_KEY": SECRET, "ZINC_API_KEY": SECRET}


@dataclass(frozen=True)
class Told:
    code: str = "ok"
    is_reachable: bool = True
    is_accepted: bool | None = None
    clock_offset_seconds: float | None = None


class Vendor(ThreadingHTTPServer):
    """A vendor that knows one secret, and whose clock is as far ahead as it is told."""

    seconds_ahead = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    server: Vendor

    def do_GET(self) -> None:
        status = 404 if SECRET in self.headers.get("Authorization", "") else 401
        at = NOON.timestamp() + self.server.seconds_ahead
        self.send_response_only(status)
        self.send_header("Date", format_datetime(datetime.fromtimestamp(at, UTC), usegmt=True))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def server() -> Iterator[Vendor]:
    with Vendor(("127.0.0.1", 0), Answers) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


async def ask(account: Account, secrets: Mapping[str, str]) -> Told:
    return await asyncio.to_thread(ask_now, account, secrets)


def ask_now(account: Account, secrets: Mapping[str, str]) -> Told:
    connection = HTTPConnection(urlsplit(account.base_url).netloc, timeout=5)
    try:
        connection.request("GET", "/nobody", headers={"Authorization": f"ApiKey {secrets['api_key']}"})
        answer = connection.getresponse()
    except OSError:
        return Told("connect", is_reachable=False)
    finally:
        connection.close()
    told = parsedate_to_datetime(answer.headers["Date"])
    return Told(
        str(answer.status),
        is_accepted=answer.status != 401,
        clock_offset_seconds=(told - NOON).total_seconds(),
    )


def goodhire(url: str, name: str = "us", more: str = "") -> str:
    return (
        f'[[accounts]]\nvendor = "goodhire"\nname = "{name}"\nbase_url = "{url}"\n'
        f'api_key_env = "GOODHIRE_API_KEY"\n{more}\n'
    )


def configured(folder: Path, text: str, environ: Mapping[str, str] = ENVIRON) -> Settings:
    (folder / "screening.toml").write_text(text)
    return load(environ, folder)


def examine(settings: Settings, environ: Mapping[str, str] = ENVIRON, **given: Any) -> dict[str, Finding]:
    passed: dict[str, Any] = {
        "probe": ask,
        "used_last_minute": lambda _: 3,
        "inspect_warehouse": lambda _: "12 checks",
        "free_bytes": lambda _: 50_000_000_000,
    }
    findings = diagnose(settings, environ, ManualClock(NOON), **(passed | given))
    assert SECRET not in repr(findings)
    assert all(finding.message.isprintable() and finding.fix.isprintable() for finding in findings)
    assert all(finding.fix for finding in findings if finding.level != "ok")
    return {finding.name: finding for finding in findings}


def test_what_an_accounts_own_checks_have_answered_is_told_with_the_key_that_decides_it(
    tmp_path: Path, server: Vendor
) -> None:
    settings = configured(tmp_path, goodhire(server.url))
    found = examine(settings, inferred=lambda _: ("adjudication_expected",))["goodhire/us adjudication"]
    assert (found.level, found.fix) == ("ok", "")
    assert "adjudication_expected is not set, and taken to be true" in found.message
    assert "goodhire/us adjudication" not in examine(settings)


def test_an_erasure_that_was_begun_and_not_finished_is_told(tmp_path: Path, server: Vendor) -> None:
    settings = configured(tmp_path, goodhire(server.url))
    settings.paths.create()
    assert "erasure" not in examine(settings)
    settings.paths.erasure_intent.touch()
    found = examine(settings)["erasure"]
    assert (found.level, "not finished" in found.message, "sync" in found.fix) == ("warn", True, True)


def test_where_everything_is_in_place_every_line_is_ok(tmp_path: Path, server: Vendor) -> None:
    settings = configured(tmp_path, goodhire(server.url))
    settings.paths.create()
    findings = examine(settings)
    assert {finding.level for finding in findings.values()} == {"ok"}
    assert list(findings) == [
        "configuration", "clock",
        "folder data", "folder orders", "folder landing", "folder dagster", "folder published",
        "disk", "warehouse", "pseudonym key",
        "goodhire/us secret", "goodhire/us host", "goodhire/us credential", "goodhire/us clock",
        "goodhire/us budget",
    ]  # fmt: skip
    assert findings["goodhire/us budget"].message == "3 of 20 requests used in the last minute"
    assert exit_code(list(findings.values())) == 0


def test_a_missing_secret_is_named_by_its_variable_and_the_account_is_not_asked(tmp_path: Path) -> None:
    async def unexpected(account: Account, secrets: Mapping[str, str]) -> Told:
        raise AssertionError(account.key)

    findings = examine(configured(tmp_path, goodhire("https://api.example")), {}, probe=unexpected)
    assert findings["goodhire/us api_key"] == Finding(
        "goodhire/us api_key",
        "fail",
        "GOODHIRE_API_KEY is not set in the environment",
        "export GOODHIRE_API_KEY=…, or delete the account",
    )
    assert "goodhire/us host" not in findings
    assert exit_code(list(findings.values())) == 1


def test_a_missing_secret_of_pushed_updates_is_a_warning_and_pulling_goes_on(tmp_path: Path, server: Vendor) -> None:
    text = f"""
    [[accounts]]
    vendor = "zinc"
    name = "uk"
    base_url = "{server.url}"
    api_key_env = "ZINC_API_KEY"
    webhook_signing_token_env = "ZINC_SIGNING_TOKEN"
    """
    findings = examine(configured(tmp_path, text))
    assert findings["zinc/uk webhook_signing_token"].level == "warn"
    assert findings["zinc/uk webhook_signing_token"].fix == "export ZINC_SIGNING_TOKEN=…"
    assert findings["zinc/uk host"].level == "ok"


def test_a_host_that_does_not_answer_hides_no_other_account(tmp_path: Path, server: Vendor) -> None:
    with Vendor(("127.0.0.1", 0), Answers) as gone:
        dead = gone.url
    findings = examine(configured(tmp_path, goodhire(dead, "dead") + goodhire(server.url)))
    assert findings["goodhire/dead host"].level == "fail"
    assert findings["goodhire/dead host"].message == "127.0.0.1 gave no answer (connect)"
    assert "goodhire/dead credential" not in findings
    assert findings["goodhire/us credential"].level == "ok"


def test_an_account_that_fails_with_an_error_is_told_by_its_code(tmp_path: Path) -> None:
    async def refused(account: Account, secrets: Mapping[str, str]) -> Told:
        raise CredentialRefused(account.vendor, account.name, http_status=401)

    findings = examine(configured(tmp_path, goodhire("https://api.example")), probe=refused)
    assert findings["goodhire/us host"].message == "api.example gave no answer (credential_refused)"


def test_a_refused_credential_names_the_variable_to_renew(tmp_path: Path, server: Vendor) -> None:
    findings = examine(configured(tmp_path, goodhire(server.url)), {"GOODHIRE_API_KEY": "another"})
    assert findings["goodhire/us credential"].level == "fail"
    assert findings["goodhire/us credential"].fix.startswith("renew GOODHIRE_API_KEY")


def test_an_answer_that_tells_nothing_of_the_credential_is_a_warning(tmp_path: Path) -> None:
    async def vague(account: Account, secrets: Mapping[str, str]) -> Told:
        return Told()

    findings = examine(configured(tmp_path, goodhire("https://api.example")), probe=vague)
    assert findings["goodhire/us credential"].level == "warn"
    assert "goodhire/us clock" not in findings


@pytest.mark.parametrize(
    ("seconds", "level", "message"),
    [
        (4, "ok", "within 5 s of the vendor's"),
        (-4, "ok", "within 5 s of the vendor's"),
        (120, "warn", "120 s behind the vendor's"),
        (-3600, "warn", "3,600 s ahead of the vendor's"),
    ],
)
def test_a_clock_that_is_off_is_told_with_its_side(
    tmp_path: Path, server: Vendor, seconds: int, level: str, message: str
) -> None:
    server.seconds_ahead = seconds
    found = examine(configured(tmp_path, goodhire(server.url)))["goodhire/us clock"]
    assert (found.level, found.message) == (level, message)


def test_a_clock_that_stands_still_is_a_warning_and_compared_with_nobody(tmp_path: Path, server: Vendor) -> None:
    environ = ENVIRON | {"SCREENING_NOW": "2026-03-01T12:00:00Z"}
    settings = configured(tmp_path, goodhire(server.url))
    passed: dict[str, Any] = {"used_last_minute": lambda _: 0, "inspect_warehouse": lambda _: ""}
    findings = diagnose(settings, environ, system_clock(environ), probe=ask, **passed)
    assert (
        Finding(
            "clock",
            "warn",
            "stands still at 2026-03-01T12:00:00Z",
            "unset SCREENING_NOW, unless this is a replay",
        )
        in findings
    )
    assert "goodhire/us clock" not in {finding.name for finding in findings}


def test_an_account_of_which_every_id_was_unknown_is_a_warning(tmp_path: Path, server: Vendor) -> None:
    settings = configured(tmp_path, goodhire(server.url))
    assert "goodhire/us ids" not in examine(settings)
    found = examine(settings, knows_none=lambda account: account.vendor == "goodhire")["goodhire/us ids"]
    assert (found.level, "base_url" in found.fix) == ("warn", True)


def test_a_budget_above_what_the_vendor_publishes_is_a_warning(tmp_path: Path) -> None:
    text = """
    [[accounts]]
    vendor = "workerchecks"
    name = "au"
    base_url = "https://api.example"
    widget_secret_env = "UNSET_SECRET"
    requests_per_minute = 60
    """
    found = examine(configured(tmp_path, text))["workerchecks/au budget"]
    assert found.level == "warn"
    assert found.message == "3 of 60 requests used in the last minute; WorkerChecks publishes 30"
    assert found.fix == "requests_per_minute = 30"


def test_the_bundled_accounts_are_not_asked_before_the_sandbox_runs(tmp_path: Path) -> None:
    findings = examine(load({}, tmp_path), {})
    assert findings["configuration"].message.startswith("no screening.toml here")
    assert findings["workable/sandbox secret"].level == "ok"
    assert not [name for name in findings if name.endswith(" host")]
    assert exit_code(list(findings.values())) == 0


def test_an_account_that_only_receives_is_not_asked(tmp_path: Path) -> None:
    findings = examine(configured(tmp_path, goodhire("https://api.example", more="polling = false")))
    assert "goodhire/us host" not in findings
    assert findings["goodhire/us secret"].level == "ok"
    text = """
    [[accounts]]
    vendor = "zinc"
    name = "uk"
    base_url = "https://api.example"
    webhook_signing_token_env = "SIGNING"
    polling = false
    """
    settings = configured(tmp_path, text)
    assert examine(settings, {"SIGNING": "token"})["zinc/uk secret"].message == "SIGNING"
    assert examine(settings, {})["zinc/uk webhook_signing_token"].level == "fail"


@pytest.mark.parametrize(("free", "level"), [(99_999_999, "fail"), (999_999_999, "warn"), (1_000_000_000, "ok")])
def test_a_disk_that_fills_up_is_told_in_time(tmp_path: Path, free: int, level: str) -> None:
    found = examine(load({}, tmp_path), {}, free_bytes=lambda _: free)["disk"]
    assert found.level == level


def test_the_disk_asked_about_is_that_of_the_data_folder_even_before_it_is_there(tmp_path: Path) -> None:
    asked: list[Path] = []

    def free(path: Path) -> int:
        asked.append(path)
        return shutil.disk_usage(path).free

    settings = load({"SCREENING_DATA_DIR": "not/yet/there"}, tmp_path)
    examine(settings, {}, free_bytes=free)
    assert asked == [tmp_path]


def test_folders_that_others_can_read_are_told_with_the_command_that_closes_them(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    settings.paths.create()
    settings.paths.landing.chmod(0o755)
    assert examine(settings, {})["folder landing"].level == "ok"  # nothing is in it yet
    (settings.paths.landing / "goodhire").mkdir()
    found = examine(settings, {})["folder landing"]
    assert (found.level, found.fix) == ("warn", f"chmod 700 {settings.paths.landing}")


def test_files_that_others_can_read_are_told_with_the_command_that_closes_them(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    settings.paths.create()
    settings.paths.state.touch(0o644)
    settings.paths.pseudonym_key.touch(0o600)
    findings = examine(settings, {})
    assert findings["file state.sqlite"].fix == f"chmod 600 {settings.paths.state}"
    assert "file pseudonym.key" not in findings


def test_what_lies_among_the_orders_and_is_not_read_is_named(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    settings.paths.create()
    for name in ("read.csv", "read.NDJSON", ".hidden.json", "half.csv.tmp", "half~"):
        (settings.paths.orders / name).touch()
    assert "orders" not in examine(settings, {})
    for name in ("a.jsonl", "b.csv.gz", "c.xlsx", "d.tsv"):
        (settings.paths.orders / name).touch()
    (settings.paths.orders / "archive").mkdir()
    found = examine(settings, {})["orders"]
    assert (found.level, found.message) == ("warn", "nobody reads a.jsonl, archive/, b.csv.gz and 2 more")
    assert ".csv, .ndjson, .parquet" in found.fix


def test_a_data_folder_that_cannot_be_made_or_written_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file in its place")
    findings = examine(load({}, tmp_path), {})
    assert findings["folder data"].level == "fail"
    assert findings["folder orders"].fix == f"give this user write access to {tmp_path / 'data'}"


def test_a_warehouse_that_is_not_there_yet_is_not_looked_into(tmp_path: Path) -> None:
    def unexpected(settings: Settings) -> str:
        raise AssertionError

    assert examine(load({}, tmp_path), {}, inspect_warehouse=unexpected)["warehouse"].level == "ok"


@pytest.mark.parametrize(
    ("error", "level"),
    [(LockHeld("warehouse", holder_pid=77), "warn"), (EnvironmentFailed("it is damaged"), "fail")],
)
def test_a_warehouse_that_is_busy_is_a_warning_and_a_damaged_one_a_failure(
    tmp_path: Path, error: Exception, level: str
) -> None:
    def broken(settings: Settings) -> str:
        raise error

    settings = load({}, tmp_path)
    settings.paths.create()
    settings.paths.warehouse.touch(0o600)
    found = examine(settings, {}, inspect_warehouse=broken)["warehouse"]
    assert (found.level, found.message) == (level, str(error))


def test_a_pseudonym_key_that_is_too_short_is_a_failure(tmp_path: Path) -> None:
    found = examine(load({}, tmp_path), {"SCREENING_PSEUDONYM_KEY": "short"})["pseudonym key"]
    assert (found.level, found.fix) == ("fail", KEY_FIX.format("SCREENING_PSEUDONYM_KEY"))


def test_two_different_pseudonym_keys_are_a_warning(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    settings.paths.create()
    settings.paths.pseudonym_key.touch(0o600)
    settings.paths.pseudonym_key.write_text("a" * 64)
    assert examine(settings, {})["pseudonym key"].message == "kept in the data folder"
    same = examine(settings, {"SCREENING_PSEUDONYM_KEY": "a" * 64})["pseudonym key"]
    other = examine(settings, {"SCREENING_PSEUDONYM_KEY": "b" * 64})["pseudonym key"]
    assert (same.level, other.level) == ("ok", "warn")


def test_a_pseudonym_key_that_is_not_the_one_in_use_is_a_failure(tmp_path: Path) -> None:
    settings, given = load({}, tmp_path), {"SCREENING_PSEUDONYM_KEY": "a" * 64}
    pseudonym_key(settings, given)
    settings.paths.warehouse.touch(0o600)
    assert examine(settings, given)["pseudonym key"].level == "ok"
    for other in ({}, {"SCREENING_PSEUDONYM_KEY": "b" * 64}):
        found = examine(settings, other)["pseudonym key"]
        assert (found.level, found.message[:31]) == ("fail", "SCREENING_PSEUDONYM_KEY: is not")
    assert not settings.paths.pseudonym_key.exists()


def test_a_landing_key_that_is_not_the_one_in_use_is_a_failure(tmp_path: Path, server: Vendor) -> None:
    settings = configured(tmp_path, '[privacy]\nlanding_key_env = "LANDING_KEY"\n' + goodhire(server.url))
    landing_key(settings, {"LANDING_KEY": SECRET * 2})
    (settings.paths.landing / "goodhire" / "us").mkdir(parents=True)
    (settings.paths.landing / "goodhire" / "us" / "2026-03-02.ndjson").touch(0o600)
    assert examine(settings, ENVIRON | {"LANDING_KEY": SECRET * 2})["landing key"].level == "ok"
    assert examine(settings, ENVIRON | {"LANDING_KEY": SECRET * 3})["landing key"].level == "fail"


def test_a_landing_key_that_is_named_but_not_set_is_a_failure(tmp_path: Path, server: Vendor) -> None:
    text = '[privacy]\nlanding_key_env = "LANDING_KEY"\n' + goodhire(server.url)
    assert examine(configured(tmp_path, text))["landing key"].fix == KEY_FIX.format("LANDING_KEY")
    for key, level in ((SECRET * 2, "ok"), (SECRET, "fail")):
        found = examine(configured(tmp_path, text), ENVIRON | {"LANDING_KEY": key})["landing key"]
        assert (found.level, SECRET in found.message) == (level, False)


def test_the_real_client_asks_an_account_again_that_an_earlier_run_had_stopped(tmp_path: Path, server: Vendor) -> None:
    clock = ManualClock(NOON - timedelta(minutes=3))
    state = State(tmp_path / "state.sqlite")
    state.stop("goodhire", "us", "forbidden", clock)
    state.note_error("goodhire", "us", "forbidden", clock)
    clock.advance(60)
    settings = configured(tmp_path, goodhire(server.url))
    limiter = Limiter(state, clock)
    wrong = {"GOODHIRE_API_KEY": "another"}
    assert examine(settings, wrong, probe=client_probe(limiter, clock))["goodhire/us credential"].level == "fail"
    assert state.account("goodhire", "us", clock).stopped_code
    clock.advance(120)
    findings = examine(
        settings,
        probe=client_probe(limiter, clock),
        used_last_minute=lambda account: limiter.used_last_window(account.vendor, account.name),
    )
    assert findings["goodhire/us host"].level == "ok"
    assert findings["goodhire/us credential"].level == "ok"
    assert findings["goodhire/us clock"].level == "ok"
    assert findings["goodhire/us budget"].message == "1 of 20 requests used in the last minute"
    known = state.account("goodhire", "us", clock)
    assert (known.stopped_code, known.present_error) == (None, None), "mended, and nobody waits until a check is due"


def test_the_real_client_tells_a_refused_credential_from_a_host_that_is_gone(tmp_path: Path, server: Vendor) -> None:
    with Vendor(("127.0.0.1", 0), Answers) as gone:
        dead = gone.url
    clock = ManualClock(NOON)
    settings = configured(tmp_path, goodhire(server.url) + goodhire(dead, "dead"))
    probe = client_probe(Limiter(State(tmp_path / "state.sqlite"), clock), clock)
    findings = examine(settings, {"GOODHIRE_API_KEY": "another"}, probe=probe)
    assert findings["goodhire/us credential"].level == "fail"
    assert findings["goodhire/dead host"].level == "fail"
