"""A vendor is one declaration: it cannot be defined wrongly, nothing else names it, and one more is two files."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from holidays.utils import list_supported_countries

from screening_pipeline.domain.conduct import LimitHeaders, Push, Sandbox, Stale, WordList
from screening_pipeline.domain.declaration import Auth, DeclarationError, Endpoint, Vendor
from screening_pipeline.domain.durations import DAY, HOUR, Prior, Spell
from screening_pipeline.vendors import all_vendors
from screening_pipeline_tests.newcomer.lantern import VENDOR as LANTERN

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "screening_pipeline"
NEWCOMER = TESTS / "newcomer"
BY_ID, FEED, _, LIST = LANTERN.endpoints
PUSH = Push(header="X-Sign", scheme="hmac_sha256", secrets=("key",))
NO_LIMIT = "is none of the x-ratelimit-* headers, which alone are kept, in small letters"
WATCH = Endpoint(name="watch", path="/watch/{id}", subject="subscription")


def refusal(**changes: Any) -> str:
    """What is said of a vendor that is declared with these changes."""
    with pytest.raises(DeclarationError) as refused:
        replace(LANTERN, **changes)
    return str(refused.value)


def calling(*endpoints: Endpoint) -> str:
    return refusal(endpoints=(BY_ID, *endpoints))


# ── schedules ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("endpoint", [FEED, LIST, WATCH], ids=lambda endpoint: endpoint.name)
def test_a_feed_a_list_or_a_subscription_without_a_schedule_cannot_be_defined(endpoint: Endpoint) -> None:
    said = calling(replace(endpoint, schedule=None))
    assert said.startswith(f"lantern.endpoints[{endpoint.name}].schedule: None is no cron schedule such as")


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "daily",
        "@daily",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "5-1 * * * *",
        "*/0 * * * *",
    ],
)
def test_a_schedule_that_is_none_is_named_with_vendor_attribute_and_value(schedule: str) -> None:
    said = calling(replace(LIST, schedule=schedule))
    assert said == (
        f"lantern.endpoints[packages].schedule: {schedule!r} is no cron schedule such as '15 5 * * *', "
        "and nothing else asks for it"
    )


@pytest.mark.parametrize("schedule", ["* * * * *", "0 6-20/2 * * 1-5", "0,30 5 1,15 * *", "*/10 * * * *"])
def test_a_schedule_may_be_whatever_cron_knows_in_numbers(schedule: str) -> None:
    assert replace(LANTERN, endpoints=(BY_ID, replace(LIST, schedule=schedule))).schedules[0].cron == schedule


def test_a_feed_that_is_drained_less_than_once_an_hour_cannot_be_defined() -> None:
    said = calling(replace(FEED, schedule="15 5 * * *"))
    assert said.startswith("lantern.endpoints[updates].schedule: '15 5 * * *' drains a feed less than once an hour")


def test_a_schedule_of_what_is_planned_check_by_check_cannot_be_defined() -> None:
    said = refusal(endpoints=(replace(BY_ID, schedule="0 * * * *"),))
    assert said.startswith("lantern.endpoints[order].schedule: '0 * * * *' is for feeds, lists and subscriptions")


def test_a_feed_has_a_schedule_of_its_own_even_where_a_list_has_the_same() -> None:
    found = replace(LANTERN, endpoints=(BY_ID, FEED, replace(LIST, schedule=FEED.schedule))).schedules
    assert [(schedule.is_feed, [e.name for e in schedule.endpoints]) for schedule in found] == [
        (True, ["updates"]),
        (False, ["packages"]),
    ]


# ── the rest of the declaration ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"calendar": "Canada"}, "lantern.calendar: 'Canada' is no country code such as US or AU-NSW"),
        ({"timezone": "EST5"}, "lantern.timezone: 'EST5' is no name of a time zone such as Europe/London"),
        ({"base_url": "http://a.example"}, "lantern.base_url: 'http://a.example' is no https address"),
        ({"auth": {}}, "lantern.auth: {} is no way to authenticate"),
        (
            {"auth": {"digest": Auth(scheme="digest", secrets=("key",))}},
            "lantern.auth[digest].scheme: 'digest' is none of api_key, bearer, widget_token, oauth2, basic",
        ),
        (
            {"auth": {"oauth2": Auth(scheme="oauth2", secrets=("client_id", "client_secret"))}},
            "lantern.oauth_url: None is no https address, and oauth2 asks there for a token",
        ),
        (
            {"push": replace(PUSH, header="X Sign")},
            "lantern.push.header: 'X Sign' is no name of a header",
        ),
        (
            {"push": replace(PUSH, scheme="rsa")},
            "lantern.push.scheme: 'rsa' is none of hmac_sha256, hmac_sha256_of_json, bearer, basic",
        ),
        (
            {"push": Push(header="Authorization", scheme="basic", secrets=("webhook_username",))},
            "lantern.push.secrets: ('webhook_username',) are not the 2 that basic takes",
        ),
        (
            {"push": replace(PUSH, secrets=("Webhook Key",))},
            "lantern.push.secrets: 'Webhook Key' is no role",
        ),
        ({"stale": (Stale(),)}, f"lantern.stale: {Stale()!r} must have one of days and business_days"),
        ({"stale": (Stale(days=0),)}, f"lantern.stale: {Stale(days=0)!r} must have a number above zero"),
        ({"stale": (Stale(lifecycle="done", days=3),)}, "lantern.stale: 'done' is none of created, pending,"),
        (
            {"prior": Prior(first_pull_seconds=0)},
            "lantern.prior.first_pull_seconds: 0 is no number of seconds above zero",
        ),
        (
            {"prior": Prior(first_pull_seconds=365 * DAY)},
            "lantern.prior.first_pull_seconds: 31536000.0 is no number of seconds above zero",
        ),
        ({"prior": Prior(first_state="lit")}, "lantern.prior.first_state: 'lit' is none of created,"),
        ({"prior": Prior(spells={"lit": (Spell(1.0, 1, 2),)})}, "lantern.prior.spells: 'lit' is none of created,"),
        (
            {"prior": Prior(spells={"pending": (Spell(0.5, 0.0, DAY),)})},
            "lantern.prior.spells[pending]: shares of 0.5 in all do not add up to 1",
        ),
        (
            {"prior": Prior(spells={"pending": (Spell(1.0, 0.0, 2 * HOUR, is_fast=True),)})},
            "lantern.prior.spells[pending]: Spell(share=1.0, low=0.0, high=7200.0, is_fast=True, is_log=False) is no",
        ),
        ({"sandbox": Sandbox(path="lantern/v1")}, "lantern.sandbox.path: 'lantern/v1' is no path such as /vendor/v1"),
        ({"sandbox": Sandbox(path="/v1/")}, "lantern.sandbox.path: '/v1/' is no path such as /vendor/v1"),
        (
            {"sandbox": Sandbox(path="/v1", oauth_path="token")},
            "lantern.sandbox.oauth_path: 'token' is no path such as /vendor/v1",
        ),
        (
            {"sandbox": Sandbox(path="/v1", promise_clock="theirs")},
            "lantern.sandbox.promise_clock: 'theirs' is none of vendor, total",
        ),
        ({"slug": "Lantern"}, "Lantern.slug: 'Lantern' is no name of small letters"),
        ({"oauth_url": "ftp://a.example"}, "lantern.oauth_url: 'ftp://a.example' is no https address"),
        (
            {"push": replace(PUSH, token_clients=("client_id", "client_secret"))},
            "lantern.push.token_clients: ('client_id', 'client_secret') are not an id and a secret beside basic",
        ),
        (
            {"limit_headers": LimitHeaders(limit="x-ratelimit-limit", remaining="x-ratelimit-left", reset="x-reset")},
            f"lantern.limit_headers.reset: 'x-reset' {NO_LIMIT}",
        ),
        (
            {"offered_adjudications": WordList(path="/words", subject="order", keys=("name",))},
            "lantern.offered_adjudications.path: '/words' is no path with the {id} of a check",
        ),
    ],
)
def test_what_cannot_be_right_is_named_with_vendor_attribute_and_value(changes: dict[str, Any], said: str) -> None:
    assert refusal(**changes).startswith(said)


def test_a_call_that_is_not_declared_is_named_with_its_vendor() -> None:
    for found in (LANTERN.endpoint, LANTERN.endpoint_for):
        with pytest.raises(KeyError, match="lantern declares no endpoint for 'lamp'"):
            found("lamp")


@pytest.mark.parametrize(
    ("spell", "why"),
    [
        (Spell(0.0, 0.0, DAY), "its share is not above 0 and at most 1"),
        (Spell(1.5, 0.0, DAY), "its share is not above 0 and at most 1"),
        (Spell(1.0, DAY, DAY), "its ages do not rise from 0"),
        (Spell(1.0, -1.0, DAY), "its ages do not rise from 0"),
        (Spell(1.0, 0.0, DAY, is_log=True), "magnitudes have no beginning at age 0"),
        (Spell(1.0, 0.0, HOUR + 1, is_fast=True), "fast is what happens within an hour"),
        (Spell(1.0, 0.0, HOUR, is_fast=True), None),
        (Spell(1.0, 1.0, DAY, is_log=True), None),
        (Spell(0.01, 0.0, DAY), None),
    ],
)
def test_a_spell_is_valid_or_its_problem_is_told(spell: Spell, why: str | None) -> None:
    assert spell.problem() == why


def test_a_check_may_be_looked_at_within_a_second_of_its_order() -> None:
    assert list(Prior(first_pull_seconds=1).problems()) == []


def test_all_that_is_wrong_with_records_is_told() -> None:
    order = replace(
        LANTERN.records["order"], id="the id", columns={"vendor_status": "state", "colour": "hue"}, continues="lantern"
    )
    said = refusal(records={"order": order, "lamp": order, "package": LANTERN.records["package"]}).split("; ")
    assert [part.partition(" is ")[0] for part in said] == [
        "lantern.records: 'lamp'",
        "lantern.records[order].columns: 'colour'",
        "lantern.records[order].continues: 'lantern'",
        "lantern.records[order]: 'the id'",
        "lantern.records[lamp].columns: 'colour'",
        "lantern.records[lamp].continues: 'lantern'",
        "lantern.records[lamp]: 'the id'",
    ]
    assert refusal(default_subject="lamp") == "lantern.default_subject: 'lamp' is none of package, order"
    assert refusal(adjudication_default="lamp").startswith("lantern.adjudication_default: 'lamp' is none of ")


def test_all_that_is_wrong_is_told_at_once() -> None:
    said = refusal(calendar="Canada", stale=(Stale(days=0),), endpoints=(BY_ID, replace(LIST, schedule=None)))
    assert [part.split(":")[0] for part in said.split("; ")] == [
        "lantern.calendar",
        "lantern.endpoints[packages].schedule",
        "lantern.stale",
    ]


@pytest.mark.parametrize("declared", all_vendors().values(), ids=list(all_vendors()))
def test_every_vendor_works_in_a_country_and_a_time_zone_that_exist(declared: Vendor) -> None:
    country, _, subdivision = declared.calendar.partition("-")
    known = list_supported_countries(include_aliases=False)
    assert subdivision in ("", *known[country])
    assert ZoneInfo(declared.timezone).key == declared.timezone


# ── nothing else knows a vendor ────────────────────────────────────────────────────────────────────


def test_no_module_but_its_own_names_a_vendor() -> None:
    found = {path: list(named(path)) for path in sorted(PACKAGE.rglob("*")) if path.suffix in (".py", ".sql", ".toml")}
    own = (PACKAGE / "vendors", PACKAGE / "sandbox")
    assert {str(path): names for path, names in found.items() if names and path.parent not in own} == {}
    assert all(found[PACKAGE / "vendors" / f"{slug}.py"] for slug in all_vendors()), "the search finds nothing at all"


def named(path: Path) -> Iterator[str]:
    """What in a file is a vendor's name: text of Python that is no docstring, anything but comments of the others."""
    slugs = re.compile(rf"(?<![a-z])(?:{'|'.join(all_vendors())})(?![a-z])", re.IGNORECASE)
    text = path.read_text(encoding="utf-8")
    told = constants(text) if path.suffix == ".py" else [re.sub(r"(--|#).*", "", text)]
    yield from (found for one in told for found in slugs.findall(one))


def constants(text: str) -> Iterator[str]:
    """The texts in a module, its docstrings left out."""
    tree = ast.parse(text)
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in bare:
            yield node.value if isinstance(node.value, str) else repr(node.value)


# ── one vendor more ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package and its tests into which the files of one more vendor were dropped."""
    root = tmp_path_factory.mktemp("clone")
    for folder in (PACKAGE, TESTS):
        shutil.copytree(folder, root / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TESTS.parent / "pyproject.toml", root)
    for name in ("lantern.py", "lantern.csv"):
        shutil.copy(NEWCOMER / name, root / PACKAGE.name / "vendors")
    shutil.copytree(NEWCOMER / "examples", root / TESTS.name / "vendors" / "lantern")
    return root


def run_in(clone: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a module in the copy."""
    environ = {**os.environ, "PYTHONPATH": str(clone), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=clone, env=environ, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def facts(clone: Path) -> dict[str, Any]:
    folder = clone / "played"
    folder.mkdir()
    done = run_in(clone, "screening_pipeline_tests.newcomer.world", str(folder))
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout))


played = pytest.mark.timeout(300)  # three Dagster runs in one fixture


@played
def test_a_vendor_that_was_dropped_in_has_settings_secrets_and_a_clean_bill_from_doctor(facts: dict[str, Any]) -> None:
    assert facts["doctor"] == [[f"lantern/ca {name}", "ok"] for name in ("secret", "host", "credential", "budget")]


@played
def test_its_feed_and_its_list_have_schedules(facts: dict[str, Any]) -> None:
    assert facts["schedules"] == {"lantern_pull": "* * * * *"}


@played
def test_its_cycles_bring_what_it_says_into_the_star(facts: dict[str, Any]) -> None:
    assert (facts["exit_code"], facts["failed"]) == (0, [])
    assert facts["first"] == dict.fromkeys(("L-1", "L-2", "L-3"), "in_progress none")
    assert facts["packages"] == [{"package_name": "Street"}]
    assert facts["stale"] == [{"name": "stale_after_business_days", "value": 9.0}]


@played
def test_what_its_feed_tells_is_seen_with_the_next_minute_though_the_plan_leaves_the_check_alone(
    facts: dict[str, Any],
) -> None:
    assert facts["planned"] == [{"check_id": name, "is_left_alone": True} for name in ("L-1", "L-2", "L-3")]
    assert facts["scheduled"] == "done"
    assert facts["second"] == {"L-1": "completed clear", "L-2": "in_progress none", "L-3": "in_progress none"}
    assert facts["asked"].count("/v1/orders/L-1") == 1, "it was asked by its id again"


@played
def test_what_it_pushes_is_proven_lands_and_wakes_a_run(facts: dict[str, Any]) -> None:
    assert facts["push"] == [401, 200]
    assert facts["sensors"]["landed_messages"].startswith("1 runs")
    assert "lantern/ca: 2 open, 0 due" in facts["sensors"]["recheck"]
    assert facts["third"] == {"L-1": "completed clear", "L-2": "completed consider", "L-3": "in_progress none"}


@played
def test_what_no_order_file_names_is_found_in_its_list_page_by_page(facts: dict[str, Any]) -> None:
    assert "L-3" in facts["first"]
    leaves = [target for target in facts["asked"] if target.startswith("/v1/roster")]
    assert leaves[:2] == [f"/v1/roster?leaf={number}&a_leaf=2" for number in (1, 2)]


@played
def test_the_report_shows_it(facts: dict[str, Any]) -> None:
    assert facts["is_reported"]


@played
def test_the_tests_of_all_vendors_hold_of_it_without_one_edit(clone: Path) -> None:
    files = (f"{TESTS.name}/test_{name}.py" for name in ("vendor_examples", "layout", "settings", "declarations"))
    chosen = "lantern or template or every_vendor or names_a_vendor or call_of_a_vendor"
    done = run_in(clone, "pytest", "-vv", "-p", "no:cacheprovider", "--timeout", "250", "-k", chosen, *files)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "lantern/push.out-bright] PASSED" in done.stdout
    assert "test_the_template_explains_every_key_there_is PASSED" in done.stdout
