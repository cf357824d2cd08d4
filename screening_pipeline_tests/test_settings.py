"""screening.toml: what it may say, what is refused, and how the refusal reads."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from screening_pipeline.base.errors import ConfigurationError, MissingSecret, NotWritable, UsageError
from screening_pipeline.sandbox.credentials import SECRETS
from screening_pipeline.settings import file
from screening_pipeline.settings import template as settings_template
from screening_pipeline.settings.load import load
from screening_pipeline.settings.sandbox_accounts import with_sandbox_url
from screening_pipeline.settings.settings import Settings, SlaTarget, Warehouse
from screening_pipeline.vendors import all_vendors, vendor

GOODHIRE = """
[[accounts]]
vendor = "goodhire"
name = "us"
base_url = "https://api.goodhire.com/v1"
api_key_env = "GOODHIRE_API_KEY"
"""
HIRERIGHT = """
[[accounts]]
vendor = "hireright"
name = "us"
base_url = "https://api.hireright.com/connect"
token_url = "https://api.hireright.com/oauth/token"
client_id_env = "HIRERIGHT_CLIENT_ID"
client_secret_env = "HIRERIGHT_CLIENT_SECRET"
"""
CANARY = "c4n4ry-Secret"
FED = [slug for slug, declared in all_vendors().items() if declared.feed][-1]


def configured(folder: Path, text: str) -> Settings:
    (folder / "screening.toml").write_text(text, encoding="utf-8")
    return load({}, folder)


def problems(folder: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        configured(folder, text)
    assert caught.value.exit_code == 2
    assert str(folder / "screening.toml") in str(caught.value)
    return caught.value.problems


def goodhire_with(line: str) -> str:
    """The good account with one more line, which replaces the line of the same key."""
    key = line.split("=", maxsplit=1)[0].strip()
    kept = [old for old in GOODHIRE.splitlines() if old.split("=")[0].strip() != key]
    return "\n".join([*kept, line])


# ── where the settings come from ───────────────────────────────────────────────────────────────────


def test_without_a_file_the_bundled_sandbox_is_the_only_set_of_accounts(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    assert settings.is_embedded_sandbox
    assert {account.vendor for account in settings.accounts} == {v.slug for v in all_vendors().values() if v.sandbox}
    assert {(account.name, account.environment) for account in settings.accounts} == {("sandbox", "sandbox")}
    assert settings.environments == ("sandbox",)
    assert settings.config_path is None


def test_the_bundled_accounts_learn_where_the_sandbox_runs_once_it_does(tmp_path: Path) -> None:
    settings = with_sandbox_url(load({}, tmp_path), "http://127.0.0.1:8123/")
    assert {account.vendor: account.base_url for account in settings.accounts} == {
        "checkr": "http://127.0.0.1:8123/checkr/v1",
        "goodhire": "http://127.0.0.1:8123/goodhire/v1",
        "hireright": "http://127.0.0.1:8123/hireright/connect",
        "zinc": "http://127.0.0.1:8123/zinc/partner/v2",
        "workerchecks": "http://127.0.0.1:8123/workerchecks/v1",
        "workable": "http://127.0.0.1:8123/workable/v1",
    }
    assert settings.account("hireright").token_url == "http://127.0.0.1:8123/hireright/oauth/token"


def test_the_bundled_accounts_need_no_environment_for_their_secrets(tmp_path: Path) -> None:
    for account in load({}, tmp_path).accounts:
        assert account.missing_secrets({}) == ()
        assert set(account.secrets({}).values()) <= set(SECRETS.values())
        assert set(account.secret_names.values()) <= set(SECRETS)


def test_a_sandbox_url_does_not_move_configured_accounts(tmp_path: Path) -> None:
    settings = configured(tmp_path, GOODHIRE)
    assert with_sandbox_url(settings, "http://127.0.0.1:1") == settings


def test_the_variable_names_another_file_relative_to_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(GOODHIRE)
    settings = load({"SCREENING_CONFIG": "other.toml"}, tmp_path)
    assert settings.config_path == tmp_path / "other.toml"
    assert not settings.is_embedded_sandbox


def test_a_file_that_is_named_but_not_there_is_an_error_and_not_the_sandbox(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"gone\.toml: there is no such file, and SCREENING_CONFIG names it"
    ) as found:
        load({"SCREENING_CONFIG": "gone.toml"}, tmp_path)
    assert "init" not in str(found.value)


def test_a_link_that_leads_nowhere_is_an_error_and_not_the_sandbox(tmp_path: Path) -> None:
    (tmp_path / "screening.toml").symlink_to(tmp_path / "gone.toml")
    with pytest.raises(ConfigurationError, match="there is no such file"):
        load({}, tmp_path)


def test_a_folder_in_the_place_of_the_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "screening.toml").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        load({}, tmp_path)


# ── what a good file gives ─────────────────────────────────────────────────────────────────────────


def test_what_an_account_leaves_out_is_filled_in_for_its_vendor(tmp_path: Path) -> None:
    account = configured(tmp_path, GOODHIRE).account("goodhire")
    assert account.environment == "production"
    assert account.auth == "api_key"
    assert (account.requests_per_minute, account.max_concurrency) == (20, 4)
    assert (account.calendar, account.timezone) == ("US", "America/Los_Angeles")
    assert account.polling
    assert not account.status_updates
    assert not account.adjudication_expected


NO_PLACE = "landing.url must be s3://bucket/prefix, or file:///folder that all machines mount"
KEY_IN_PLACE = "landing.url must carry no key and no query: keys of a bucket come from where AWS's own tools look"
STATE = '[state]\nurl_env = "STATE_URL"\n'
SHARED_BY_HALF = {
    "landing.url is missing (state.url_env is set): what is landed must be shared as well",
    'warehouse.engine must be "ducklake" (state.url_env is set): a file is one machine\'s',
    "orders.url is missing (state.url_env is set): any machine may be the one that reads orders",
    "privacy.landing_key_env is missing (state.url_env is set): lines leave this machine",
}


def test_half_of_what_machines_share_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    assert set(problems(tmp_path, STATE + GOODHIRE)) == SHARED_BY_HALF


@pytest.mark.parametrize(
    ("slug", "limit", "calendar", "zone"),
    [
        ("goodhire", 20, "US", "America/Los_Angeles"),
        ("hireright", 50, "US", "America/Los_Angeles"),
        ("zinc", 20, "GB", "Europe/London"),
        ("workerchecks", 30, "AU", "Australia/Sydney"),
        ("workable", 20, "US", "UTC"),
    ],
)
def test_each_vendor_has_its_own_limit_calendar_and_zone(
    tmp_path: Path, slug: str, limit: int, calendar: str, zone: str
) -> None:
    account = load({}, tmp_path).account(slug)
    assert (account.requests_per_minute, account.calendar, account.timezone) == (limit, calendar, zone)


def test_every_key_of_a_full_file_arrives(tmp_path: Path) -> None:
    text = f"""
    [warehouse]
    engine = "ducklake"
    catalog_env = "OUR_LAKE"
    data_path = "s3://bucket/lake/"
    published_catalog_env = "OUR_PUBLISHED_LAKE"
    published_data_path = "s3://bucket/published/"
    maintain_every = "2h"
    [privacy]
    pseudonym_key_env = "OUR_KEY"
    keep_raw_days = 90
    [analytics]
    environments = ["production", "sandbox"]
    [planning]
    max_lag_seconds = 30
    worst_case_hours = 12.5
    history_days = 100
    [adverse_action]
    waiting_business_days = 7
    [http]
    proxies_from_environment = true
    {HIRERIGHT}
    auth = "basic"
    username_env = "HR_USER"
    password_env = "HR_PASSWORD"
    environment = "sandbox"
    requests_per_minute = 10
    max_concurrency = 1
    calendar = "AU-NSW"
    timezone = "Australia/Sydney"
    adjudication_expected = true
    final_adjudications = ["Approved By Security"]
    status_updates = true
    polling = false
    status_aliases = {{ "In Progress" = "InProgress" }}
    paths = {{ order_status = "/v2/orders/{{id}}", status_updates = "/v2/updates" }}
    [[sla]]
    vendor = "hireright"
    account = "us"
    package = "basic"
    target_business_days = 3
    [[sla]]
    target_hours = 24
    clock = "total"
    """
    settings = configured(tmp_path, text)
    account = settings.account("hireright", "us")
    assert account.secrets({"HR_USER": "me", "HR_PASSWORD": "it"}) == {"username": "me", "password": "it"}
    assert (account.environment, account.requests_per_minute, account.max_concurrency) == ("sandbox", 10, 1)
    assert (account.calendar, account.timezone) == ("AU-NSW", "Australia/Sydney")
    assert account.final_adjudications == ("Approved By Security",)
    assert (account.adjudication_expected, account.status_updates, account.polling) == (True, True, False)
    assert account.status_aliases == {"In Progress": "InProgress"}
    assert account.paths == {"order_status": "/v2/orders/{id}", "status_updates": "/v2/updates"}
    assert settings.engine == "ducklake"
    assert settings.warehouse == Warehouse(
        engine="ducklake",
        catalog_env="OUR_LAKE",
        data_path="s3://bucket/lake/",
        published_catalog_env="OUR_PUBLISHED_LAKE",
        published_data_path="s3://bucket/published/",
        maintain_every=7200.0,
    )
    assert (settings.privacy.pseudonym_key_env, settings.privacy.keep_raw_days) == ("OUR_KEY", 90)
    assert settings.environments == ("production", "sandbox")
    assert (settings.planning.max_lag_seconds, settings.planning.worst_case_hours) == (30.0, {"*": 12.5})
    assert settings.planning.history_days == 100
    assert settings.adverse_action.waiting_business_days == 7
    assert settings.http.proxies_from_environment
    assert settings.sla == (
        SlaTarget(vendor="hireright", account="us", package="basic", target_business_days=3.0),
        SlaTarget(target_hours=24.0, clock="total"),
    )


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("", 900.0),
        ('push_settles_after = "15m"', 900.0),
        ('push_settles_after = "90s"', 90.0),
        ('push_settles_after = "2h"', 7_200.0),
        ('push_settles_after = "1d"', 86_400.0),
        ("push_settles_after = 0", 0.0),
        ("push_settles_after = 45", 45.0),
    ],
)
def test_how_long_quiet_has_to_last_is_a_duration_or_seconds(tmp_path: Path, line: str, seconds: float) -> None:
    assert configured(tmp_path, GOODHIRE + line).account("goodhire").push_settles_after == seconds


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('owners = ["people"]', 'operations.owners element 0 must be "team:'),
        ('owners = ["team:"]', 'operations.owners element 0 must be "team:'),
        ('tags = { domain = "hiring and firing" }', "operations.tags has 'hiring and firing'"),
        ("tags = { domain = 1 }", "operations.tags must be text"),
        ('key_prefix = "emea/hiring"', "operations.key_prefix must be 1 to 63 letters, digits or '_'"),
    ],
)
def test_owners_tags_and_prefixes_that_dagster_would_not_take_are_refused(tmp_path: Path, line: str, said: str) -> None:
    (problem,) = problems(tmp_path, f"{GOODHIRE}\n[operations]\n{line}\n")
    assert problem.startswith(said)


@pytest.mark.parametrize("value", ['"soon"', '"15"', "true", "-1", "1.5", '"1w"', "[]"])
def test_what_is_no_duration_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"accounts\[0\].push_settles_after must be a duration"):
        configured(tmp_path, GOODHIRE + f"push_settles_after = {value}")


@pytest.mark.parametrize(("line", "expected"), [("", None), ("= true", True), ("= false", False)])
def test_what_is_expected_is_inferred_unless_it_is_set(tmp_path: Path, line: str, expected: bool | None) -> None:
    keys = ("adjudication_expected", "e_verify_expected")
    text = HIRERIGHT + "".join(f"{key} {line}\n" for key in keys if line)
    account = configured(tmp_path, text).account("hireright")
    assert [getattr(account, key) for key in keys] == [expected] * 2


def test_the_worst_case_may_be_told_by_vendor(tmp_path: Path) -> None:
    text = "[planning]\nworst_case_hours = { zinc = 6, hireright = 12.5 }\n"
    assert configured(tmp_path, text + GOODHIRE).planning.worst_case_hours == {"zinc": 6.0, "hireright": 12.5}
    assert problems(tmp_path, text.replace("zinc", "zink") + GOODHIRE) == (
        "planning.worst_case_hours must not name 'zink'; did you mean zinc?",
    )


def test_a_byte_order_mark_and_dos_line_ends_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "screening.toml").write_bytes(b"\xef\xbb\xbf" + GOODHIRE.replace("\n", "\r\n").encode())
    assert load({}, tmp_path).account("goodhire").name == "us"


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "127.8.8.8", "[::1]:8000", "localhost"])
def test_plain_http_is_accepted_for_loopback_hosts(tmp_path: Path, host: str) -> None:
    settings = configured(tmp_path, goodhire_with(f'base_url = "http://{host}/v1/"'))
    assert settings.account("goodhire").base_url == f"http://{host}/v1"


def test_one_vendor_may_have_several_accounts_by_name(tmp_path: Path) -> None:
    settings = configured(tmp_path, GOODHIRE + goodhire_with('name = "eu"'))
    assert settings.account("goodhire", "eu").name == "eu"
    with pytest.raises(KeyError):
        settings.account("goodhire")
    with pytest.raises(KeyError):
        settings.account("goodhire", "mars")


# ── what is refused ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('vendor = "goodhir"', "accounts[0].vendor must not be 'goodhir'; did you mean goodhire?"),
        ('vendor = "GoodHire"', "accounts[0].vendor must not be 'GoodHire'; did you mean goodhire?"),
        ("vendor = 5", "accounts[0].vendor must be text"),
        ('name = ""', "accounts[0].name must be text of one line that is not empty"),
        ("name = true", "accounts[0].name must be text, not a boolean"),
        ('calender = "US"', "accounts[0].calender is no known key; did you mean calendar?"),
        ('calendar = "UK"', "accounts[0].calendar has no known country in 'UK'; did you mean GB?"),
        ('calendar = "us"', "accounts[0].calendar has no known country in 'us'; did you mean US?"),
        (
            'calendar = "AU-NSV"',
            "accounts[0].calendar has no known subdivision in 'AU-NSV'; did you mean NSW?",
        ),
        (
            'timezone = "Europe/Londn"',
            "accounts[0].timezone must not be 'Europe/Londn'; did you mean Europe/London?",
        ),
        ("requests_per_minute = 0", "accounts[0].requests_per_minute must be between 1 and 100000, not 0"),
        ("requests_per_minute = true", "accounts[0].requests_per_minute must be an integer, not a boolean"),
        ("requests_per_minute = 2.5", "accounts[0].requests_per_minute must be an integer, not a number"),
        ('requests_per_minute = "20"', "accounts[0].requests_per_minute must be an integer, not text"),
        ("max_concurrency = 65", "accounts[0].max_concurrency must be between 1 and 64, not 65"),
        ('polling = "no"', "accounts[0].polling must be true or false, not text"),
        (
            'environment = "prodction"',
            "accounts[0].environment must not be 'prodction'; did you mean production?",
        ),
        (
            "status_updates = true",
            f"accounts[0].status_updates is a key of {FED} accounts, not of goodhire",
        ),
        ("status_aliases = { a = 1 }", "accounts[0].status_aliases must be text, not an integer"),
        ('status_aliases = "x"', "accounts[0].status_aliases must be a table of texts, not text"),
        ('paths = { reports = "/x" }', "accounts[0].paths.reports is no known key; did you mean report?"),
        ('paths = { report = "/x" }', "accounts[0].paths.report must contain {id} once"),
        ('paths = { report = "x/{id}" }', "accounts[0].paths.report must be a path such as /Report/{id}"),
        ('paths = { report = "/{id}/{x}" }', "accounts[0].paths.report must be a path such as /Report/{id}"),
        (
            'paths = { report = "//evil/{id}" }',
            "accounts[0].paths.report must be a path such as /Report/{id}",
        ),
        ('paths = { report = "/../{id}" }', "accounts[0].paths.report must be a path such as /Report/{id}"),
    ],
)
def test_a_wrong_line_is_named_with_the_nearest_right_one(tmp_path: Path, line: str, problem: str) -> None:
    assert problems(tmp_path, goodhire_with(line)) == (problem,)


@pytest.mark.parametrize("name", ["us/../../x", "US east", "-us", "ü", "a" * 64, "a\\nb"])
def test_a_name_that_could_leave_its_folder_or_address_is_refused(tmp_path: Path, name: str) -> None:
    (found,) = problems(tmp_path, goodhire_with(f'name = "{name}"'))
    assert found.startswith("accounts[0].name must be")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://api.goodhire.com/v1", "must begin with https:// (http:// is for loopback hosts only)"),
        ("http://127.0.0.1.evil.example", "must begin with https:// (http:// is for loopback hosts only)"),
        ("http://localhost.evil.example", "must begin with https:// (http:// is for loopback hosts only)"),
        (f"https://me:{CANARY}@api.example", "must not carry a user or password"),
        (f"https://{CANARY}@api.example", "must not carry a user or password"),
        (f"https://api.example/v1?key={CANARY}", "must end before any '?' or '#'"),
        (f"https://api.example/v1#{CANARY}", "must end before any '?' or '#'"),
        ("https://api.example/v1?", "must end before any '?' or '#'"),
        ("ftp://api.example", "must be an address such as"),
        ("api.example/v1", "must be an address such as"),
        ("https://", "must be an address such as"),
        (f"https://api.example:{CANARY}", "must be an address such as"),
        ("https://api.example:0", "must be an address such as"),
        ("https://[::1", "must be an address such as"),
        ("https://api.example/ v1", "must be an address such as"),
        ("https://api.example\\\\@evil.example", "must be an address such as"),
    ],
)
def test_an_address_that_could_lead_astray_is_refused_without_showing_it(tmp_path: Path, url: str, why: str) -> None:
    (found,) = problems(tmp_path, goodhire_with(f'base_url = "{url}"'))
    assert found.startswith(f"accounts[0].base_url {why}")
    assert CANARY not in found


@pytest.mark.parametrize(
    "line",
    [
        f'api_key = "{CANARY}"',
        f'token = "{CANARY}"',
        f'secret = "{CANARY}"',
        f'password = "{CANARY}"',
        f'client_secret = "{CANARY}"',
        f'widget_secret = "{CANARY}"',
        f'webhook_signing_token = "{CANARY}"',
        f'key = "{CANARY}"',
        f'API-KEY = "{CANARY}"',
        f'api_key_env = "{CANARY}"',
        'api_key_env = "9D2C84A1F0B34C5E"',
        'api_key_env = "AKIA9D2C84A1F0B34C5E"',
        f'headers = {{ Authorization = "{CANARY}" }}',
        f'paths = {{ report = "/r/{{id}}?api_key={CANARY}" }}',
    ],
)
def test_a_literal_secret_is_refused_without_showing_it(tmp_path: Path, line: str) -> None:
    found = problems(tmp_path, goodhire_with(line))
    assert len(found) == 1
    assert found[0].startswith("accounts[0].")
    assert CANARY not in found[0]
    assert "9D2C84" not in found[0]


def test_the_refusal_of_a_literal_secret_names_the_key_to_use_instead(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, goodhire_with(f'api_key = "{CANARY}"'))
    assert found == (
        "accounts[0].api_key is a literal secret: keep it in an environment variable and name that in api_key_env"
    )


@pytest.mark.parametrize(
    "name", ["api_key_evn", "api_key_nev", "api_key_en", "api_keyenv", "api-key-env", "api_key_ENV"]
)
def test_a_misspelt_key_that_names_a_variable_is_unknown_and_no_secret(tmp_path: Path, name: str) -> None:
    found = problems(tmp_path, GOODHIRE.replace("api_key_env", name))
    assert f"accounts[0].{name} is no known key; did you mean api_key_env?" in found
    assert not any("literal secret" in line or "GOODHIRE_API_KEY" in line for line in found)


@pytest.mark.parametrize("key", ["catalog", "catalog_env", "published_catalog_env"])
def test_the_address_of_a_catalogue_in_clear_is_refused_without_showing_it(tmp_path: Path, key: str) -> None:
    text = f'[warehouse]\nengine = "ducklake"\n{key} = "postgresql://me:{CANARY}@db.example/x"\n'
    found = problems(tmp_path, text + GOODHIRE)
    assert any(line.startswith(f"warehouse.{key} ") for line in found)
    assert not any(CANARY in line for line in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[warehouze]\nengine = "duckdb"\n' + GOODHIRE, "warehouze is no known key; did you mean warehouse?"),
        ("warehouse = 1\n" + GOODHIRE, "warehouse must be a table, not an integer"),
        (
            '[warehouse]\nengine = "duckdbs"\n' + GOODHIRE,
            "warehouse.engine must not be 'duckdbs'; did you mean duckdb?",
        ),
        ('[landing]\nurl = "s3://bucket/x"\n' + GOODHIRE, "landing.url goes with state.url_env"),
        ('[orders]\nurl = "file:///mounted"\n' + GOODHIRE, "orders.url goes with state.url_env"),
        *(
            (
                f'[landing]\nurl = "{url}"\n' + GOODHIRE,
                NO_PLACE,
            )
            for url in ("https://bucket/x", "bucket", "file://host/x", "s3://")
        ),
        *(
            (
                f'[landing]\nurl = "{url}"\n' + GOODHIRE,
                KEY_IN_PLACE,
            )
            for url in (f"s3://me:{CANARY}@bucket", f"s3://bucket?key={CANARY}")
        ),
        ('[warehouse]\ncatalog_env = "OUR_LAKE"\n' + GOODHIRE, 'warehouse.catalog_env goes with engine = "ducklake"'),
        (
            '[warehouse]\nengine = "ducklake"\ncatalog_env = "OUR_LAKE"\npublished_catalog_env = "OUR_OTHER"\n'
            'published_data_path = "x"\n' + GOODHIRE,
            "warehouse.data_path is missing (engine is ducklake)",
        ),
        (
            '[analytics]\nenvironments = ["prod"]\n' + GOODHIRE,
            "analytics.environments element 0 must not be 'prod'; did you mean production?",
        ),
        (
            "[privacy]\nkeep_raw_days = 0\n" + GOODHIRE,
            "privacy.keep_raw_days must be between 1 and 100000, not 0",
        ),
        (
            "[planning]\nmax_lag_seconds = -1\n" + GOODHIRE,
            "planning.max_lag_seconds must be a number above zero",
        ),
        (
            "[planning]\nmax_lag_seconds = nan\n" + GOODHIRE,
            "planning.max_lag_seconds must be a number above zero",
        ),
        (
            "[planning]\nhistory_days = 2026-01-01\n" + GOODHIRE,
            "planning.history_days must be an integer, not a date or time",
        ),
        (
            GOODHIRE + "[[sla]]\ntarget_hours = 1\ntarget_business_days = 1\n",
            "sla[0] must have one of target_business_days and target_hours",
        ),
        (
            GOODHIRE + "[[sla]]\nclock = 'vendor'\n",
            "sla[0] must have one of target_business_days and target_hours",
        ),
        (
            GOODHIRE + "[[sla]]\ntarget_hours = 1\nvendor = 'zink'\n",
            "sla[0].vendor must not be 'zink'; did you mean zinc?",
        ),
        (
            GOODHIRE + "[[sla]]\ntarget_hours = 1\naccount = 'uss'\n",
            "sla[0].account must not be 'uss'; did you mean us?",
        ),
        ("", "accounts is missing: add an [[accounts]] table for each account at a vendor"),
        ("accounts = []", "accounts must have at least one entry"),
        (
            GOODHIRE.replace("[[accounts]]", "[accounts]"),
            "accounts must be an array of tables: write its heading in [[double brackets]]",
        ),
        (GOODHIRE + GOODHIRE, "accounts[1].name repeats accounts[0] of the same vendor"),
        (GOODHIRE + goodhire_with('name = "US"'), "accounts[1].name repeats accounts[0] of the same vendor"),
        (HIRERIGHT + 'auth = "oauth"', "accounts[0].auth must not be 'oauth'; did you mean oauth2?"),
        (
            HIRERIGHT + 'final_adjudications = ["a", "a"]',
            "accounts[0].final_adjudications names something twice",
        ),
        (HIRERIGHT + 'final_adjudications = "a"', "accounts[0].final_adjudications must be a list, not text"),
    ],
)
def test_a_wrong_section_is_named_with_the_nearest_right_one(tmp_path: Path, text: str, expected: str) -> None:
    assert problems(tmp_path, text) == (expected,)


def test_each_way_of_authenticating_needs_its_own_variables(tmp_path: Path) -> None:
    assert problems(tmp_path, HIRERIGHT + 'auth = "basic"') == (
        "accounts[0].username_env is missing (auth is basic)",
        "accounts[0].password_env is missing (auth is basic)",
    )
    bare = "\n".join(HIRERIGHT.splitlines()[:5])
    assert problems(tmp_path, bare) == (
        "accounts[0].client_id_env is missing (auth is oauth2)",
        "accounts[0].client_secret_env is missing (auth is oauth2)",
        "accounts[0].token_url is missing (auth is oauth2)",
    )


def test_a_variable_of_another_vendor_is_answered_with_the_right_one(tmp_path: Path) -> None:
    text = GOODHIRE.replace("api_key_env", "token_env")
    assert problems(tmp_path, text) == (
        "accounts[0].token_env is a key of workable accounts, not of goodhire; did you mean api_key_env?",
        "accounts[0].api_key_env is missing",
    )


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = goodhire_with('calender = "US"') + goodhire_with("max_concurrency = 0").replace('"us"', '"eu"')
    with pytest.raises(ConfigurationError) as caught:
        configured(tmp_path, text + '\n[[accounts]]\nname = "x"\n')
    assert str(caught.value).splitlines() == [
        f"{tmp_path / 'screening.toml'}: 3 problems",
        "  accounts[0].calender is no known key; did you mean calendar?",
        "  accounts[1].max_concurrency must be between 1 and 64, not 0",
        f"  accounts[2].vendor is missing; known: {', '.join(all_vendors())}",
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'[[accounts]]\nvendor = "goodhire\n', r"is not TOML: .*line 2"),
        (b"[[accounts]]\nname = 1\nname = 2\n", r"is not TOML: .*line 3"),
        (b'name = "\xff"', r"is not UTF-8 \(byte 8\)"),
        (b"x = " + b"[" * 100_000, r"is not TOML|is nested too deeply"),
    ],
)
def test_a_file_that_is_no_toml_is_refused_with_the_place(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "screening.toml").write_bytes(content)
    with pytest.raises(ConfigurationError, match=why):
        load({}, tmp_path)


def test_a_key_with_terminal_escapes_is_shown_without_them(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, goodhire_with('"\\u001b[31mred" = 1'))
    assert found.isprintable()


# ── secrets ────────────────────────────────────────────────────────────────────────────────────────


def test_a_secret_is_read_from_the_variable_its_key_names(tmp_path: Path) -> None:
    account = configured(tmp_path, GOODHIRE).account("goodhire")
    environ = {"GOODHIRE_API_KEY": f" {CANARY}\n"}
    assert account.secret("api_key", environ) == CANARY
    assert account.secrets(environ) == {"api_key": CANARY}
    assert account.missing_secrets(environ) == ()


@pytest.mark.parametrize("environ", [{}, {"GOODHIRE_API_KEY": ""}, {"GOODHIRE_API_KEY": "  "}])
def test_a_secret_that_is_not_there_is_missed_by_the_name_of_its_variable(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    account = configured(tmp_path, GOODHIRE).account("goodhire")
    with pytest.raises(MissingSecret, match="goodhire/us: GOODHIRE_API_KEY is not set in the environment"):
        account.secret("api_key", environ)
    assert account.missing_secrets(environ) == ("GOODHIRE_API_KEY",)


def test_a_secret_that_no_header_can_carry_is_refused_without_showing_it(tmp_path: Path) -> None:
    account = configured(tmp_path, GOODHIRE).account("goodhire")
    with pytest.raises(MissingSecret, match="GOODHIRE_API_KEY holds characters no header can carry") as caught:
        account.secret("api_key", {"GOODHIRE_API_KEY": f"{CANARY}\nx: y"})
    assert CANARY not in str(caught.value)


def test_a_secret_for_pushed_updates_is_missed_only_when_it_is_asked_for(tmp_path: Path) -> None:
    account = configured(tmp_path, HIRERIGHT).account("hireright")
    environ = {"HIRERIGHT_CLIENT_ID": "a", "HIRERIGHT_CLIENT_SECRET": "b"}
    assert account.missing_secrets(environ) == ()
    with pytest.raises(MissingSecret, match="webhook_username_env is not named in the configuration"):
        account.secret("webhook_username", environ)


def test_neither_settings_nor_accounts_show_a_secret(tmp_path: Path) -> None:
    settings = configured(tmp_path, GOODHIRE + HIRERIGHT)
    account = settings.account("goodhire")
    account.secret("api_key", {"GOODHIRE_API_KEY": CANARY})
    assert CANARY not in repr(settings) + repr(account) + str(vars(account))


# ── choosing accounts ──────────────────────────────────────────────────────────────────────────────


def test_accounts_are_chosen_by_vendor_and_by_name(tmp_path: Path) -> None:
    settings = configured(tmp_path, GOODHIRE + goodhire_with('name = "eu"') + HIRERIGHT)
    assert [a.key for a in settings.select()] == ["goodhire/us", "goodhire/eu", "hireright/us"]
    assert [a.key for a in settings.select(vendors=["goodhire"])] == ["goodhire/us", "goodhire/eu"]
    assert [a.key for a in settings.select(names=["us"])] == ["goodhire/us", "hireright/us"]
    assert [a.key for a in settings.select(vendors=["hireright"], names=["us", "eu"])] == ["hireright/us"]


@pytest.mark.parametrize(
    ("vendors", "names", "why"),
    [
        (["goodhir"], [], "no vendor 'goodhir' is configured; did you mean goodhire?"),
        (["zinc"], [], "no vendor 'zinc' is configured; known: goodhire, hireright"),
        ([], ["ue"], "no account 'ue' is configured"),
        (["hireright"], ["eu"], "no account belongs to the chosen vendor and name"),
    ],
)
def test_a_choice_that_chooses_nothing_is_wrong_use(
    tmp_path: Path, vendors: list[str], names: list[str], why: str
) -> None:
    settings = configured(tmp_path, GOODHIRE + goodhire_with('name = "eu"') + HIRERIGHT)
    with pytest.raises(UsageError, match=re.escape(why)) as caught:
        settings.select(vendors, names)
    assert caught.value.exit_code == 2


# ── the data folder ────────────────────────────────────────────────────────────────────────────────


def test_the_data_folder_lies_in_the_working_directory_unless_it_is_moved(tmp_path: Path) -> None:
    assert load({}, tmp_path).data_dir == tmp_path / "data"
    assert load({"SCREENING_DATA_DIR": "elsewhere"}, tmp_path).data_dir == tmp_path / "elsewhere"
    assert load({"SCREENING_DATA_DIR": "/srv/x"}, tmp_path).data_dir == Path("/srv/x")


def test_everything_has_its_place_in_the_data_folder(tmp_path: Path) -> None:
    paths = load({}, tmp_path).paths
    places = {
        paths.orders: "orders",
        paths.landing: "landing",
        paths.warehouse: "warehouse.duckdb",
        paths.warehouse_lock: "warehouse.lock",
        paths.published: "published/screening.duckdb",
        paths.dagster: "dagster",
        paths.report: "published/report.html",
        paths.state: "state.sqlite",
    }
    assert {place: str(place.relative_to(tmp_path / "data")) for place in places} == places


def test_dagster_keeps_its_own_home_where_it_has_one(tmp_path: Path) -> None:
    assert load({"DAGSTER_HOME": "/srv/dagster"}, tmp_path).paths.dagster == Path("/srv/dagster")


def test_folders_with_peoples_data_are_open_to_their_owner_only(tmp_path: Path) -> None:
    paths = load({}, tmp_path).paths
    paths.create()
    modes = {folder.name: stat.S_IMODE(folder.stat().st_mode) for folder in paths.folders()}
    assert modes == {"data": 0o711, "orders": 0o700, "landing": 0o700, "dagster": 0o700, "published": 0o755}


def test_a_folder_that_exists_keeps_the_mode_its_owner_gave_it(tmp_path: Path) -> None:
    paths = load({}, tmp_path).paths
    paths.orders.mkdir(parents=True)
    paths.orders.chmod(0o770)
    paths.create()
    assert stat.S_IMODE(paths.orders.stat().st_mode) == 0o770


def test_a_data_folder_that_cannot_be_made_says_which_and_why(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file in its place")
    with pytest.raises(NotWritable, match=r"cannot write .*data: File exists") as caught:
        load({}, tmp_path).paths.create()
    assert caught.value.exit_code == 3


# ── the file that `init` writes ────────────────────────────────────────────────────────────────────


def template() -> str:
    return settings_template.text()


def test_the_template_is_a_good_configuration_of_all_vendors(tmp_path: Path) -> None:
    settings = configured(tmp_path, template())
    assert {account.vendor for account in settings.accounts} == set(all_vendors())
    assert settings.environments == ("production",)


def uncommented() -> str:
    """The template with every commented key in force; a comment of prose has no `key = value` in it."""
    return re.sub(r"(?m)^# (?=\[\[|[a-z_]+ = )", "", template())


def test_the_template_with_every_key_in_force_is_a_good_configuration(tmp_path: Path) -> None:
    text = uncommented().replace('engine = "duckdb" ', 'engine = "ducklake" ')
    settings = configured(tmp_path, text)
    first = next(iter(all_vendors()))
    assert settings.sla == (SlaTarget(vendor=first, account="us", package="standard", target_business_days=5.0),)
    assert settings.account("hireright").paths.keys() == set(vendor("hireright").endpoint_names)


def test_the_template_explains_every_key_there_is() -> None:
    document = tomllib.loads(uncommented())
    told = {entry["vendor"]: set(entry) for entry in document["accounts"]}
    common = set(document["accounts"][0]) | {"auth"}  # `auth` matters only where a vendor has two ways
    for slug, declared in all_vendors().items():
        assert file.account_keys(declared).keys() <= told[slug] | common
    for section, keys in file.SECTION_KEYS.items():
        assert set(document[section]) == set(keys)


def test_the_defaults_that_the_template_shows_are_the_defaults(tmp_path: Path) -> None:
    shown = {entry["vendor"]: entry for entry in tomllib.loads(uncommented())["accounts"]}
    for account in configured(tmp_path, template()).accounts:
        for key in ("requests_per_minute", "calendar", "timezone"):
            assert getattr(account, key) == shown[account.vendor][key]
        for name, path in shown[account.vendor]["paths"].items():
            assert path == vendor(account.vendor).endpoint(name).path


# ── cost ───────────────────────────────────────────────────────────────────────────────────────────


def test_reading_settings_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "screening.toml").write_text(GOODHIRE)
    code = "import sys, pathlib; from screening_pipeline.settings.load import load\n"
    code += "load({}, pathlib.Path(sys.argv[1])); print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    heavy = {"dagster", "pandas", "numpy", "duckdb", "httpx", "pydantic", "holidays", "asyncio"}
    assert heavy & set(found.stdout.split()) == set()


# ── test hosts and notations ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("vendor", "host", "title"),
    [
        ("goodhire", "api-sandbox.goodhire.com", "GoodHire"),
        ("goodhire", "API-Sandbox.GoodHire.com.", "GoodHire"),
        ("hireright", "stage-api.hireright.com", "HireRight"),
        ("hireright", "api.stage.hireright.com", "HireRight"),
    ],
)
def test_a_documented_test_host_in_production_is_refused_with_the_line_to_add(
    tmp_path: Path, vendor: str, host: str, title: str
) -> None:
    secrets = 'api_key_env = "K"' if vendor == "goodhire" else 'auth = "basic"\nusername_env = "U"\npassword_env = "P"'
    text = f'[[accounts]]\nvendor = "{vendor}"\nname = "us"\nbase_url = "https://{host}/v1"\n{secrets}\n'
    told = f'accounts[0].base_url is a test host of {title}, where no check is real: add environment = "sandbox"'
    assert problems(tmp_path, text) == (told,)
    assert configured(tmp_path, f'{text}environment = "sandbox"\n').accounts[0].environment == "sandbox"


@pytest.mark.parametrize(
    ("notation", "why"),
    [
        ("%d/%m", "must tell a day, a month and a year, as in %d/%m/%Y"),
        ("today", "must tell a day, a month and a year, as in %d/%m/%Y"),
        ("%d/%m/%Y %z", "has '%z', which is none of"),
        ("%d/%m/%Y %Q", "has '%Q', which is none of"),
    ],
)
def test_a_notation_of_dates_that_cannot_be_one_is_refused(tmp_path: Path, notation: str, why: str) -> None:
    text = (
        '[[accounts]]\nvendor = "workerchecks"\nname = "au"\nbase_url = "https://w.example"\nwidget_secret_env = "W"\n'
    )
    (problem,) = problems(tmp_path, f'{text}date_format = "{notation}"\n')
    assert problem.startswith(f"accounts[0].date_format {why}")
    assert configured(tmp_path, f'{text}date_format = "%d/%m/%Y"\n').accounts[0].date_format == "%d/%m/%Y"
