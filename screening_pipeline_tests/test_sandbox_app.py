"""The sandbox's vendors over real HTTP on loopback, with clocks that the test moves."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from screening_pipeline.sandbox.app import create_app
from screening_pipeline.sandbox.clocks import VirtualClock, parse_instant
from screening_pipeline.sandbox.credentials import ACCOUNT, SECRETS
from screening_pipeline.sandbox.feed import Feed
from screening_pipeline.sandbox.judgement import read_state
from screening_pipeline.sandbox.limits import PER_MINUTE, Limits
from screening_pipeline.sandbox.server import HOST, http_server, listening
from screening_pipeline.sandbox.timeline import Check
from screening_pipeline.sandbox.world import World

EPOCH = datetime(2026, 1, 5, tzinfo=UTC)
LATER = EPOCH + timedelta(days=30)
WORLD = World(seed=7, checks=300, epoch=EPOCH)

PATHS = {
    ("checkr", "report"): "/checkr/v1/reports/{}",
    ("checkr", "invitation"): "/checkr/v1/invitations/{}",
    ("checkr", "subscription"): "/checkr/v1/subscriptions/{}",
    ("checkr", "continuous_check"): "/checkr/v1/continuous_checks/{}",
    ("goodhire", "report"): "/goodhire/v1/Report/{}",
    ("goodhire", "subscription"): "/goodhire/v1/Subscription/{}",
    ("hireright", "order"): "/hireright/connect/orders/{}/status",
    ("hireright", "i9"): "/hireright/connect/I-9/{}/status",
    ("zinc", "request"): "/zinc/partner/v2/results/{}",
    ("workerchecks", "check"): "/workerchecks/v1/results/{}",
    ("workable", "check"): "/workable/v1/checks/{}",
}
UPDATES = "/hireright/connect/orders/status-updates"
BASIC = base64.b64encode(
    f"{SECRETS['SANDBOX_HIRERIGHT_USERNAME']}:{SECRETS['SANDBOX_HIRERIGHT_PASSWORD']}".encode()
).decode()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Stopwatch:
    """Monotonic time that only the test moves."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Site:
    """A served sandbox and the handles that move it."""

    port: int
    clock: VirtualClock
    stopwatch: Stopwatch
    tokens: dict[tuple[str, datetime], str] = field(default_factory=dict)

    def send(self, path: str, authorization: str | None = None, method: str = "GET", body: object = None) -> Answer:
        connection = HTTPConnection(HOST, self.port, timeout=10)
        try:
            data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            headers = {"Authorization": authorization} if authorization else {}
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            text = response.read()
            is_json = response.headers.get_content_type() == "application/json"
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, json.loads(text) if is_json else text)
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        """Ask with good credentials: a token of the present instant."""
        return self.send(path, self.authorization(path.split("/")[1]))

    def authorization(self, vendor: str) -> str:
        match vendor:
            case "checkr":
                pair = f"{SECRETS['SANDBOX_CHECKR_API_KEY']}:".encode()
                return f"Basic {base64.b64encode(pair).decode()}"
            case "goodhire":
                return f"ApiKey {SECRETS['SANDBOX_GOODHIRE_API_KEY']}"
            case "zinc":
                return f"Bearer {SECRETS['SANDBOX_ZINC_API_KEY']}"
            case "workable":
                return f"Bearer {SECRETS['SANDBOX_WORKABLE_TOKEN']}"
        key = (vendor, self.clock.now())
        if key not in self.tokens:
            self.tokens[key] = self.hireright_token() if vendor == "hireright" else self.worker_token()
        return f"Bearer {self.tokens[key]}"

    def hireright_token(self, **changes: str) -> str:
        token: str = self.ask_hireright_token(**changes).body["access_token"]
        return token

    def ask_hireright_token(self, **changes: str) -> Answer:
        query = {
            "grant_type": "client_credentials",
            "client_id": SECRETS["SANDBOX_HIRERIGHT_CLIENT_ID"],
            "client_secret": SECRETS["SANDBOX_HIRERIGHT_CLIENT_SECRET"],
        }
        return self.send(f"/hireright/oauth/token?{urlencode(query | changes)}")

    def worker_token(self) -> str:
        token: str = self.ask_worker_token({"widgetSecret": SECRETS["SANDBOX_WORKERCHECKS_WIDGET_SECRET"]}).body[
            "token"
        ]
        return token

    def ask_worker_token(self, body: object) -> Answer:
        return self.send("/workerchecks/v1/auth/token", method="POST", body=body)


@dataclass
class Stage:
    """One HTTP server for all tests; each puts its own sandbox on it."""

    port: int = 0
    app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)

    @contextmanager
    def open(self) -> Iterator[Stage]:
        server = http_server(self)
        with listening(0) as listener:
            self.port = listener.getsockname()[1]
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            try:
                yield self
            finally:
                server.should_exit = True
                thread.join()

    def serve(self, limit_factor: float | None = None, **options: Any) -> Site:
        clock, stopwatch = VirtualClock(LATER), Stopwatch()
        limits = Limits.scaled(limit_factor, stopwatch)
        self.app = create_app(WORLD, clock=clock, limits=limits, **options)
        return Site(self.port, clock, stopwatch)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage().open() as opened:
        yield opened


@pytest.fixture
def site(stage: Stage) -> Site:
    return stage.serve()


def some_check(vendor: str, subject: str) -> Check:
    return next(
        check
        for check in WORLD.everything
        if (check.order.vendor, check.order.subject) == (vendor, subject) and check.state_at(LATER)
    )


def path_of(check: Check) -> str:
    return PATHS[check.order.vendor, check.order.subject].format(check.order.check_id)


def first_path(vendor: str) -> str:
    subject = next(subject for name, subject in PATHS if name == vendor)
    return path_of(some_check(vendor, subject))


@pytest.mark.parametrize(("vendor", "subject"), PATHS)
def test_every_vendor_answers_with_the_state_that_is_in_force(site: Site, vendor: str, subject: str) -> None:
    check = some_check(vendor, subject)
    answer = site.get(path_of(check))
    state = check.state_at(LATER)
    assert state is not None
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.body.keys() == state.body.keys()
    site.clock.set(check.order.ordered_at)
    assert site.get(path_of(check)).body.keys() == check.states[0].body.keys()


@pytest.mark.parametrize(("vendor", "subject"), PATHS)
def test_an_unknown_id_and_an_order_of_the_future_are_not_found(site: Site, vendor: str, subject: str) -> None:
    assert site.get(PATHS[vendor, subject].format("nobody")).status == 404
    check = some_check(vendor, subject)
    site.clock.set(check.order.ordered_at - timedelta(seconds=1))
    assert site.get(path_of(check)).status == 404


@pytest.mark.parametrize(
    ("vendor", "authorization"),
    [
        ("goodhire", SECRETS["SANDBOX_GOODHIRE_API_KEY"]),
        ("goodhire", f"Bearer {SECRETS['SANDBOX_GOODHIRE_API_KEY']}"),
        ("goodhire", "ApiKey wrong"),
        ("goodhire", f"apikey {SECRETS['SANDBOX_GOODHIRE_API_KEY']}"),
        ("hireright", "Bearer invented"),
        ("hireright", f"Bearer {BASIC}"),
        ("hireright", f"Basic {BASIC[:-4]}"),
        ("zinc", f"ApiKey {SECRETS['SANDBOX_ZINC_API_KEY']}"),
        ("zinc", "Bearer wrong"),
        ("workerchecks", f"Bearer {SECRETS['SANDBOX_WORKERCHECKS_WIDGET_SECRET']}"),
        ("workable", SECRETS["SANDBOX_WORKABLE_TOKEN"]),
        ("workable", "Bearer ünknown"),
    ],
)
def test_a_wrong_credential_or_scheme_is_turned_away(site: Site, vendor: str, authorization: str) -> None:
    assert site.send(first_path(vendor), authorization).status == 401


UNAUTHORIZED: dict[str, dict[str, Any]] = {
    "goodhire": {
        "StatusCode": "Unauthorized",
        "StatusMessage": "Unauthorized",
        "AdditionalInfo": {"ErrorText": "Missing Token", "FieldErrors": []},
    },
    "hireright": {"status_code": 401, "errror": "Unauthorized", "error_description": "Missing Token"},
    "zinc": {"statusCode": 703, "message": "Missing Token"},
    "workerchecks": {"error": "Missing Token"},
    "checkr": {"error": "Missing Token"},
    "workable": {"status": 401, "message": "Missing Token"},
}


@pytest.mark.parametrize("vendor", UNAUTHORIZED)
def test_a_missing_credential_is_refused_in_the_vendors_own_words(site: Site, vendor: str) -> None:
    answer = site.send(first_path(vendor))
    assert (answer.status, answer.body) == (401, UNAUTHORIZED[vendor])


@pytest.mark.parametrize("vendor", UNAUTHORIZED)
def test_an_account_under_review_is_forbidden_whatever_it_asks_for(site: Site, vendor: str) -> None:
    site.send(f"/_sandbox/flagged?vendor={vendor}", method="PUT")
    answer = site.get(first_path(vendor))
    assert (answer.status, answer.body.keys()) == (403, UNAUTHORIZED[vendor].keys())
    site.send("/_sandbox/flagged", method="PUT")
    assert site.get(first_path(vendor)).status == 200


def test_hireright_takes_basic_credentials_as_well(site: Site) -> None:
    assert site.send(first_path("hireright"), f"Basic {BASIC}").status == 200


def test_hireright_issues_tokens_by_get_and_tells_their_lifetime_as_text(site: Site) -> None:
    answer = site.ask_hireright_token()
    assert answer.status == 200
    assert (answer.body["expires_in"], answer.body["token_type"]) == ("3600", "bearer")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"client_secret": "wrong"}, 401),
        ({"client_id": "wrong"}, 401),
        ({"grant_type": "password"}, 400),
    ],
)
def test_hireright_refuses_a_token_in_its_own_words(site: Site, changes: dict[str, str], status: int) -> None:
    answer = site.ask_hireright_token(**changes)
    assert (answer.status, answer.body["status_code"]) == (status, status)
    assert set(answer.body) == {"status_code", "errror", "error_description"}


@pytest.mark.parametrize(
    ("body", "status"), [({"widgetSecret": "wrong"}, 401), ({}, 401), ([], 401), (b"{", 400), (b"\xff", 400)]
)
def test_workerchecks_gives_no_token_without_the_widget_secret(site: Site, body: object, status: int) -> None:
    assert site.ask_worker_token(body).status == status


def test_a_token_expires_by_the_sandboxs_clock(site: Site) -> None:
    for vendor, lifetime in (("hireright", 3600), ("workerchecks", 86400)):
        site.clock.set(LATER)
        authorization, path = site.authorization(vendor), first_path(vendor)
        site.clock.set(LATER + timedelta(seconds=lifetime - 1))
        assert site.send(path, authorization).status == 200
        site.clock.set(LATER + timedelta(seconds=lifetime))
        assert site.send(path, authorization).status == 401


def test_revoked_tokens_are_refused_and_new_ones_accepted(site: Site) -> None:
    authorization = site.authorization("workerchecks")
    site.send("/_sandbox/tokens", method="DELETE")
    assert site.send(first_path("workerchecks"), authorization).status == 401
    site.tokens.clear()
    assert site.get(first_path("workerchecks")).status == 200


def test_the_viewer_link_of_a_report_is_new_at_each_request(site: Site) -> None:
    first, second = (site.get(first_path("goodhire")).body for _ in range(2))
    assert first.pop("ReportViewerUrl") != second.pop("ReportViewerUrl")
    assert {**first, "RequiredReportActions": []} == {**second, "RequiredReportActions": []}


def test_packages_and_shared_links_are_served(site: Site) -> None:
    zinc, workable = site.get("/zinc/partner/v2/packages").body, site.get("/workable/v1/packages").body
    assert {"id", "name"} == set(zinc["packages"][0])
    assert {type(package["id"]) for package in workable["packages"]} == {int, str}
    link = site.get(f"{first_path('workable')}/shared-link").body
    assert (link["ttl"], link["ttl_units"]) == ("120", "minutes")
    assert site.get("/workable/v1/checks/nobody/shared-link").status == 404


def test_a_workable_provider_may_not_implement_polling(stage: Stage) -> None:
    site = stage.serve(has_workable_polling=False)
    answer = site.get(first_path("workable"))
    assert (answer.status, answer.body["status"]) == (405, 405)
    assert site.get("/workable/v1/packages").status == 200


@pytest.mark.parametrize("vendor", PER_MINUTE)
def test_the_limit_is_kept_in_a_strict_sliding_window(stage: Stage, vendor: str) -> None:
    limit = PER_MINUTE[vendor]
    site = stage.serve(limit_factor=1)
    path, authorization = first_path(vendor), site.authorization(vendor)
    assert [site.send(path, authorization).status for _ in range(limit - 1)] == [200] * (limit - 1)
    site.stopwatch.seconds += 30
    assert [site.send(path, authorization).status for _ in range(2)] == [200, 429]
    site.stopwatch.seconds += 29.9
    assert site.send(path, authorization).status == 429
    site.stopwatch.seconds += 30.2
    assert site.send(path, authorization).status == 200


def test_every_vendor_but_workerchecks_admits_as_many_as_have_left_the_window() -> None:
    limits = Limits(monotonic=(stopwatch := Stopwatch()))
    for _ in range(20):
        assert limits.excess("zinc") is None
        stopwatch.seconds += 1
    assert limits.excess("zinc") == 40
    stopwatch.seconds += 43
    assert [limits.excess("zinc") is None for _ in range(5)] == [True] * 4 + [False]


def test_workerchecks_is_silent_for_a_minute_after_an_excess_and_no_longer() -> None:
    limits = Limits(monotonic=(stopwatch := Stopwatch()))
    assert [limits.excess("workerchecks") for _ in range(31)] == [None] * 30 + [60]
    stopwatch.seconds += 59
    assert limits.excess("workerchecks") == 1
    stopwatch.seconds += 1
    assert limits.excess("workerchecks") is None


def test_limits_scale_by_a_factor_and_can_be_off() -> None:
    doubled, off = Limits.scaled(2, Stopwatch()), Limits.scaled(None, Stopwatch())
    assert [doubled.excess("workable") is None for _ in range(41)] == [True] * 40 + [False]
    assert [off.excess("workable") for _ in range(500)] == [None] * 500


def test_only_some_vendors_say_when_to_come_back(stage: Stage) -> None:
    site = stage.serve(limit_factor=0.01)
    asked = {vendor: max(1, round(limit * 0.01)) + 1 for vendor, limit in PER_MINUTE.items()}
    answers = {vendor: [site.get(first_path(vendor)) for _ in range(often)][-1] for vendor, often in asked.items()}
    assert {answer.status for answer in answers.values()} == {429}
    saying = {vendor for vendor, answer in answers.items() if answer.headers.get("retry-after") == "60"}
    assert saying == {"goodhire", "zinc", "workable"}


def test_all_three_calls_of_hireright_share_one_limit_and_its_token_call_is_free(stage: Stage) -> None:
    i9 = path_of(some_check("hireright", "i9"))
    site = stage.serve(limit_factor=3 / 50)
    statuses = [site.get(path).status for path in (first_path("hireright"), i9, UPDATES, i9, UPDATES)]
    assert statuses == [200, 200, 200, 429, 429]
    assert site.ask_hireright_token().status == 200


def test_a_refused_feed_request_consumes_nothing(stage: Stage) -> None:
    site = stage.serve(limit_factor=1 / 50)
    site.send(UPDATES)
    assert site.get(first_path("hireright")).status == 200
    assert site.get(UPDATES).status == 429
    site.stopwatch.seconds += 61
    assert len(site.get(UPDATES).body) > 100


def test_the_feed_tells_each_update_in_one_answer_only_and_then_nothing(site: Site) -> None:
    site.clock.set(EPOCH + timedelta(days=10))
    first, empty = site.get(UPDATES).body, site.get(UPDATES).body
    site.clock.set(EPOCH + timedelta(days=20))
    second = site.get(UPDATES).body
    assert empty == []
    told = [{(message["orderId"], message["statusDate"]) for message in answer} for answer in (first, second)]
    assert not told[0] & told[1]
    assert told[0] | told[1] == {
        (check.order.check_id, state.body["statusDate"])
        for check in WORLD.everything
        if (check.order.vendor, check.order.subject) == ("hireright", "order")
        for state in check.states_until(EPOCH + timedelta(days=20))
    }


def test_an_answer_of_the_feed_holds_duplicates_and_neighbours_out_of_order(site: Site) -> None:
    messages = site.get(UPDATES).body
    dates = [parse_instant(message["statusDate"]) for message in messages]
    texts = [json.dumps(message) for message in messages]
    assert dates != sorted(dates)
    assert len(set(texts)) < len(texts)
    assert all("-08:00" in message["statusDate"] for message in messages)


def test_the_feed_speaks_of_an_order_that_no_manifest_lists(site: Site) -> None:
    listed = {row["check_id"] for row in site.send("/_sandbox/orders").body}
    stubs = {message["orderId"] for message in site.get(UPDATES).body} - listed
    assert len(stubs) == 1
    assert site.get(PATHS["hireright", "order"].format(stubs.pop())).status == 200


def test_the_feed_does_not_replay_after_a_restart(stage: Stage, tmp_path: Path) -> None:
    state = tmp_path / "feed.json"
    site = stage.serve(state_path=state)
    assert len(site.get(UPDATES).body) > 100
    site = stage.serve(state_path=state)
    assert site.get(UPDATES).body == []
    site.clock.set(LATER + timedelta(days=2))
    assert {message.keys() >= {"orderId", "statusDate"} for message in site.get(UPDATES).body} == {True}


def test_a_feed_position_of_another_world_is_refused(tmp_path: Path) -> None:
    Feed(WORLD, tmp_path / "feed.json").drain(LATER)
    with pytest.raises(ValueError, match="another world"):
        Feed(World(8, 300, EPOCH), tmp_path / "feed.json")


def test_a_feed_answers_the_same_for_the_same_requests() -> None:
    assert Feed(WORLD).drain(LATER) == Feed(WORLD).drain(LATER)


def test_the_truth_tells_the_past_the_present_and_nothing_of_the_future(site: Site) -> None:
    site.clock.set(EPOCH + timedelta(days=12))
    truth = site.send("/_sandbox/truth").body
    assert truth["now"] == "2026-01-17T00:00:00Z"
    for row in truth["checks"]:
        check = WORLD.by_key[row["vendor"], row["subject"], row["check_id"]]
        state = check.state_at(site.clock.now())
        assert state is not None
        reading = read_state(check, state)
        assert (row["lifecycle"], row["is_over"]) == (reading.lifecycle, reading.is_over)
        assert row["timeline"][-1] == {"at": row["timeline"][-1]["at"], **row["final"]}
        assert all(parse_instant(past["at"]) <= site.clock.now() for past in row["timeline"])
        if reading.is_complete:
            assert parse_instant(row["completed_at"]) <= site.clock.now()


def test_a_release_in_workerchecks_is_the_completion_that_the_truth_knows(site: Site) -> None:
    for row in site.send("/_sandbox/truth").body["checks"]:
        answer = site.get(PATHS[row["vendor"], row["subject"]].format(row["check_id"])).body
        if row["vendor"] == "workerchecks" and answer["releaseDate"]:
            assert row["completed_at"] is not None
            assert answer["status"] == "Completed"
        elif row["vendor"] == "workerchecks":
            assert row["completed_at"] is None


def test_orders_are_rows_of_a_manifest_in_a_half_open_interval(site: Site) -> None:
    rows = site.send("/_sandbox/orders").body
    since, until = rows[0]["ordered_at"], (EPOCH + timedelta(days=3)).isoformat()
    some = site.send(f"/_sandbox/orders?since={quote(since)}&until={quote(until)}").body
    assert rows[: len(some)] == some
    assert 0 < len(some) < len(rows) == 299
    assert {row["account"] for row in rows} == {ACCOUNT}
    assert list(rows[0]) == [
        "vendor",
        "account",
        "check_id",
        "subject",
        "candidate_ref",
        "package",
        "ordered_at",
        "country",
        "region",
        "cost_center",
    ]


@pytest.mark.parametrize("query", ["since=yesterday", "until=2026-01-05T00:00:00"])
def test_an_interval_that_is_no_instant_is_refused(site: Site, query: str) -> None:
    assert site.send(f"/_sandbox/orders?{query}").status == 400


@pytest.mark.parametrize("body", [{}, [], {"now": 7}, {"now": "2026-01-05T00:00:00"}, b"{"])
def test_the_clock_is_not_moved_by_what_is_no_instant(site: Site, body: object) -> None:
    assert site.send("/_sandbox/clock", method="PUT", body=body).status == 400
    assert site.clock.now() == LATER


def test_the_statistics_name_requests_about_checks_known_to_be_over(site: Site) -> None:
    over = next(
        check
        for check in WORLD.everything
        if (state := check.state_at(LATER)) and read_state(check, state).is_over and check.order.vendor == "zinc"
    )
    site.get(path_of(over))
    name = f"zinc/request/{over.order.check_id}"
    assert site.send("/_sandbox/stats").body["after_over"] == {}
    site.get(path_of(over))
    stats = site.send("/_sandbox/stats").body
    assert (stats["after_over"], stats["by_check"]) == ({name: 1}, {name: 2})
    assert (stats["told_over"], stats["requests"]) == (1, {"zinc": 2})


def test_asking_again_is_right_when_the_feed_has_told_of_a_dispute(site: Site) -> None:
    disputed, opened_at = next(
        (check, state.at)
        for check in WORLD.everything
        for state in check.states
        if state.body.get("disputeStatus") == "Received"
    )
    site.clock.set(opened_at - timedelta(seconds=1))
    site.get(path_of(disputed))
    site.clock.set(opened_at)
    site.get(UPDATES)
    site.get(path_of(disputed))
    assert site.send("/_sandbox/stats").body["after_over"] == {}


def test_the_statistics_keep_the_busiest_minute_of_an_account(site: Site) -> None:
    for seconds in (0, 59, 1, 59):
        site.stopwatch.seconds += seconds
        site.get("/zinc/partner/v2/packages")
    assert site.send("/_sandbox/stats").body["worst_window"] == {"zinc": 2}
