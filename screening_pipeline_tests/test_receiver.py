"""Pushed messages over real HTTP: proven before they are read, on disk before they are answered, one event each."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import shutil
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from screening_pipeline.base.clock import ManualClock
from screening_pipeline.cycle import notes, take_orders
from screening_pipeline.cycle import settle as cycle_settle
from screening_pipeline.cycle.pull import is_wanted, pull_account
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.health.accounts import AccountStatus
from screening_pipeline.health.status import status_report
from screening_pipeline.runtime import plans
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.runtime.opening import build_runtime
from screening_pipeline.runtime.results import StepResult, exit_code
from screening_pipeline.settings.account import Account
from screening_pipeline.settings.paths import Paths
from screening_pipeline.settings.settings import Settings
from screening_pipeline.warehouse import catalog, publish, reference, schema
from screening_pipeline.webhooks import receiver, refusals
from screening_pipeline.webhooks.server import http_server, listening
from screening_pipeline.webhooks.signatures import is_signed_as_javascript, stringified
from screening_pipeline_tests.support.stage import MORNING, account, broken_rules

SECRETS = {
    "GOODHIRE_KEY": "goodhire-key-of-a-test",
    "ZINC_TOKEN": "zinc-token-of-a-test",
    "WORKABLE_TOKEN": "workable-token-of-a-test",
    "HIRERIGHT_USER": "hireright",
    "HIRERIGHT_PASSWORD": "pass:wörd",
    "HIRERIGHT_CLIENT": "client",
    "HIRERIGHT_SECRET": "s3cret/+&=",
}
HIRERIGHT = {
    "webhook_username": "HIRERIGHT_USER",
    "webhook_password": "HIRERIGHT_PASSWORD",
    "webhook_client_id": "HIRERIGHT_CLIENT",
    "webhook_client_secret": "HIRERIGHT_SECRET",
}
ACCOUNTS = (
    replace(account("goodhire"), secret_names={"api_key": "GOODHIRE_KEY"}),
    replace(account("zinc"), secret_names={"webhook_signing_token": "ZINC_TOKEN"}),
    replace(account("workable"), secret_names={"webhook_token": "WORKABLE_TOKEN"}),
    replace(account("hireright"), secret_names=HIRERIGHT),
    replace(account("hireright", "other"), secret_names=HIRERIGHT | {"webhook_client_secret": "OTHER"}),
    account("workerchecks"),
)
REQUEST = {"id": "z1", "status": "pending", "statusV2": "awaiting-candidate"}


@dataclass
class Office:
    """A receiver that runs, the pipeline behind it, and a vendor's hands on the other side."""

    work: Runtime
    clock: ManualClock
    port: int
    told: list[str] = field(default_factory=list)

    def send(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, Any] | None = None
    ) -> tuple[int, Any]:
        """Status and JSON body of one request, ten seconds after the last."""
        self.clock.advance(10)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            content = answer.read()
            is_json = answer.headers.get("content-type", "").startswith("application/json")
            return answer.status, json.loads(content) if is_json else content
        finally:
            connection.close()

    def goodhire(self, report: Mapping[str, Any]) -> int:
        body = json.dumps({"Id": "a-webhook", "ReportStatus": report}).encode()
        return self.send("POST", "/webhooks/goodhire/main", body, signed(body, "GOODHIRE_KEY"))[0]

    def zinc(self, message: Any) -> int:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return self.send("POST", "/webhooks/zinc/main", body, zinc_signed(body))[0]

    def hireright(self, message: Mapping[str, Any]) -> int:
        body = json.dumps(message).encode()
        return self.send("POST", "/webhooks/hireright/main", body, {"Authorization": BASIC})[0]

    def workable(self, check_id: str, message: Any, **headers: str) -> int:
        given = {"Authorization": f"Bearer {SECRETS['WORKABLE_TOKEN']}"} | headers
        body = json.dumps(message).encode()
        return self.send("PUT", f"/webhooks/workable/main/{check_id}", body, given)[0]

    def settle(self) -> None:
        """What a cycle does with what was landed."""
        with open_warehouse(self.work) as connection:
            cycle_settle.settle(self.work, connection)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with open_warehouse(self.work) as connection:
            schema.drop_work(connection)
            result = connection.execute(sql)
            names = [column[0] for column in result.description or []]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def column(self, sql: str) -> list[Any]:
        return [next(iter(row.values())) for row in self.rows(sql)]

    def standing(self, key: str) -> AccountStatus:
        """How an account stands where no secret is set."""
        accounts = status_report(self.work.settings, {}, self.clock).accounts
        return next(account for account in accounts if account.account == key)

    def landed(self) -> int:
        """How many messages are on disk."""
        return sum(tail.end > 0 for tail in self.work.landing.look({}).tails) and sum(
            self.work.landing.read(tail).count(b"\n") for tail in self.work.landing.look({}).tails
        )

    def pull(self, slug: str, check_id: str, body: Mapping[str, Any]) -> None:
        """The vendor's answer to a call for this check."""
        from screening_pipeline.domain.exchange import HttpExchange, new_response_id
        from screening_pipeline.vendors import vendor

        self.clock.advance(10)
        now = self.clock.now()
        declared = vendor(slug)
        self.work.landing.receive(
            HttpExchange(
                response_id=new_response_id(now, self.clock.monotonic()),
                vendor=slug,
                account="main",
                subject=declared.default_subject,
                check_id=check_id,
                endpoint=declared.endpoint_for(declared.default_subject).name,
                channel="pull",
                requested_at=now - timedelta(seconds=1),
                received_at=now,
                run_id="test",
                http_status=200,
                body=json.dumps(body).encode(),
            )
        )


def hmac_hex(body: bytes, name: str) -> str:
    return hmac.new(SECRETS[name].encode(), body, hashlib.sha256).hexdigest()


def signed(body: bytes, name: str) -> dict[str, str]:
    return {"X-Goodhire-Signature": hmac_hex(body, name)}


def zinc_signed(body: bytes) -> dict[str, str]:
    return {"x-zinc-webhook-signature": hmac_hex(body, "ZINC_TOKEN")}


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


BASIC = basic(SECRETS["HIRERIGHT_USER"], SECRETS["HIRERIGHT_PASSWORD"])


@contextmanager
def opened(
    folder: Path,
    accounts: Sequence[Account] = ACCOUNTS,
    metrics: receiver.Metrics | None = None,
    **environ: str,
) -> Iterator[Office]:
    paths = Paths.under(folder / "data", {})
    paths.create()
    settings = Settings(accounts=tuple(accounts), paths=paths)
    made = folder.parent / f"receiver-{reference.fingerprint(settings)[:8]}.duckdb"
    if made.exists():
        shutil.copyfile(made, paths.warehouse)
    clock = ManualClock(MORNING)
    work = build_runtime(settings, SECRETS | environ, clock)
    if not made.exists():
        with open_warehouse(work) as connection:
            plans.prepare(connection, work)
        shutil.copyfile(paths.warehouse, made)
    told: list[str] = []
    with listening("127.0.0.1", 0) as listener, pytest.MonkeyPatch.context() as patch:
        patch.setattr(refusals, "SLOWED_SECONDS", 0.01)
        app = receiver.application(
            work.landing, work.settings, work.environ, work.pull_queue, work.clock, told.append, metrics
        )
        server = http_server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Office(work, clock, listener.getsockname()[1], told)
        finally:
            server.should_exit = True
            thread.join(timeout=20)
            assert not thread.is_alive()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with opened(tmp_path) as running:
        yield running


# ── what is taken ──────────────────────────────────────────────────────────────────────────────────────


def test_a_signed_report_is_stored_and_the_next_cycle_brings_it_into_the_star(office: Office) -> None:
    assert office.goodhire({"Id": "r1", "Status": "Processing"}) == 200
    office.settle()
    (check,) = office.rows("from star.fact_check")
    assert (check["check_id"], check["lifecycle"]) == ("r1", "in_progress")
    (event,) = office.rows("from star.fact_check_event")
    assert event["channel"] == "push"


def test_what_pushes_say_counts_in_the_run_that_reads_them_with_the_orders(office: Office) -> None:
    assert office.goodhire({"Id": "r1", "Status": "Processing"}) == 200
    assert office.zinc(b'{"status": "pending"}') == 200
    taken = take_orders.take_orders(office.work, run_id="run-1")
    assert office.zinc(REQUEST) == 200
    with open_warehouse(office.work) as connection:
        settled = taken.settled + cycle_settle.settle(office.work, connection)
        whole = StepResult(begun_at=office.clock.now(), settled=settled)
        notes.note_run(office.work, connection, whole, run_id="run-1", trigger="test")
    assert (settled.responses, settled.changed, settled.rejects) == (3, 2, 1)
    assert exit_code([], settled.rejects) == 1
    (noted,) = office.rows("select changed_count, reject_count from ops.run")
    assert noted == {"changed_count": 2, "reject_count": 1}


def test_what_is_answered_with_2xx_is_on_disk_by_then(office: Office) -> None:
    body = json.dumps(REQUEST).encode()
    status, answer = office.send("POST", "/webhooks/zinc/main", body, zinc_signed(body))
    assert status == 200
    (tail,) = office.work.landing.look({}).tails
    line = json.loads(office.work.landing.read(tail))
    assert (line["response_id"], line["channel"], line["http_status"]) == (answer["stored"], "push", 200)
    assert list(office.work.landing.spool.glob("*.sealed")) == []


def test_a_signature_in_capitals_is_as_good(office: Office) -> None:
    body = json.dumps({"ReportStatus": {"Id": "r1", "Status": "New"}}).encode()
    signature = hmac_hex(body, "GOODHIRE_KEY").upper()
    answer = office.send("POST", "/webhooks/goodhire/main", body, {"X-Goodhire-Signature": signature})
    assert answer[0] == 200


def test_a_callback_is_about_the_check_in_its_path(office: Office) -> None:
    assert office.workable("c-1", {"status": "completed", "check": {"overall_status": "clear"}}) == 200
    assert office.workable("with%20blank%2Fslash", {"status": "pending"}) == 200
    office.settle()
    assert office.column("select check_id from star.fact_check order by check_id") == [
        "c-1",
        "with blank/slash",
    ]


def test_an_order_is_pushed_with_basic_credentials(office: Office) -> None:
    assert office.hireright({"orderId": "o1", "orderStatus": "InProgress"}) == 200
    office.settle()
    assert office.column("select lifecycle from star.fact_check") == ["in_progress"]


# ── what is not ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Goodhire-Signature": ""},
        {"X-Goodhire-Signature": "0" * 64},
        {"X-Goodhire-Signature": hmac_hex(b"another body", "GOODHIRE_KEY")},
        {"X-Goodhire-Signature": "café".encode("latin-1")},
        {"X-Goodhire-Signature": "签名".encode()},
        {"Authorization": f"ApiKey {SECRETS['GOODHIRE_KEY']}"},
    ],
)
def test_a_message_without_its_proof_is_refused_and_not_stored(office: Office, headers: Mapping[str, Any]) -> None:
    body = json.dumps({"ReportStatus": {"Id": "r1", "Status": "Processing"}}).encode()
    status, answer = office.send("POST", "/webhooks/goodhire/main", body, headers)
    assert (status, answer) == (401, {"error": "bad_proof"})
    assert office.landed() == 0


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Basic ???",
        basic("hireright", "wrong"),
        basic("", ""),
        "Bearer",
        "Bearer nonsense",
        "Bearer " + base64.urlsafe_b64encode(b"\0" * 32 + b'["hireright/main", 9999999999, ""]').decode(),
        "Bearer é".encode("latin-1"),
        f"Bearer {SECRETS['WORKABLE_TOKEN']}",
    ],
)
def test_wrong_credentials_are_refused(office: Office, authorization: Any) -> None:
    headers = {"Authorization": authorization}
    assert office.send("POST", "/webhooks/hireright/main", b"{}", headers)[0] == 401


def test_a_proof_given_twice_is_none(office: Office) -> None:
    body = b'{"id":"z1","status":"pending"}'
    head = (
        "POST /webhooks/zinc/main HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"x-zinc-webhook-signature: {hmac_hex(body, 'ZINC_TOKEN')}\r\nx-zinc-webhook-signature: 0\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", office.port), timeout=10) as raw:
        raw.sendall(head.encode() + body)
        assert raw.recv(64).startswith(b"HTTP/1.1 401 ")


def test_nothing_is_read_before_it_is_proven(office: Office) -> None:
    assert office.send("POST", "/webhooks/goodhire/main", b"no JSON", {"X-Goodhire-Signature": "0"})[0] == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/webhooks/goodhire/elsewhere"),
        ("POST", "/webhooks/nobody/main"),
        ("POST", "/webhooks/workerchecks/main"),
        ("PUT", "/webhooks/goodhire/main/r1"),
        ("PUT", "/webhooks/workable/main/"),
        ("PUT", "/webhooks/workable/nobody/c1"),
        ("POST", "/"),
    ],
)
def test_an_unknown_account_is_not_found(office: Office, method: str, path: str) -> None:
    assert office.send(method, path, b"{}", {"Authorization": BASIC})[0] == 404


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_slash_at_the_end_of_an_address_says_nothing(office: Office, slash: str) -> None:
    report = json.dumps({"Id": "w1", "ReportStatus": {"Id": "r1", "Status": "Processing"}}).encode()
    request = json.dumps(REQUEST).encode()
    order = b'{"orderId": "o1", "orderStatus": "InProgress"}'
    bearer = {"Authorization": f"Bearer {SECRETS['WORKABLE_TOKEN']}"}
    given: list[tuple[str, str, bytes, dict[str, str]]] = [
        ("POST", "/webhooks/goodhire/main", report, signed(report, "GOODHIRE_KEY")),
        ("POST", "/webhooks/zinc/main", request, zinc_signed(request)),
        ("POST", "/webhooks/hireright/main", order, {"Authorization": BASIC}),
        ("PUT", "/webhooks/workable/main/c1", b'{"status": "consented"}', bearer),
    ]
    assert [office.send(method, path + slash, body, proof)[0] for method, path, body, proof in given] == [200] * 4
    query = {
        "grant_type": "client_credentials",
        "client_id": SECRETS["HIRERIGHT_CLIENT"],
        "client_secret": SECRETS["HIRERIGHT_SECRET"],
    }
    assert office.send("GET", f"/oauth/token{slash}?{urlencode(query)}")[0] == 200
    office.settle()
    assert office.column("select check_id from star.fact_check order by check_id") == ["c1", "o1", "r1", "z1"]


@pytest.mark.parametrize(
    "check_id",
    [
        "/",
        "//",
        "c1//",
        "/c1",
        "c1%2F",
        "%20",
        "%20c1",
        "c1%20",
        "c1%09",
        "c1%0A",
        "c%001",
        "c1%C2%A0",
        "%E2%80%8Bc1",
        "c1%E2%80%8F",
        "%FF",
        "c%C3",
        "%ED%A0%80",
        "c1%7F",
    ],
)
def test_an_id_that_nobody_can_have_is_not_found(office: Office, check_id: str) -> None:
    assert office.workable(check_id, {"status": "consented"}) == 404
    assert office.told == ["workable/?: 404 unknown_address"]
    assert office.landed() == 0


@pytest.mark.parametrize(
    ("method", "path", "status", "told"),
    [
        ("GET", "/webhooks/goodhire/main", 405, "goodhire/main: 405 wrong_method"),
        ("PUT", "/webhooks/zinc/main", 405, "zinc/main: 405 wrong_method"),
        ("POST", "/webhooks/workable/main/c1", 405, "workable/main: 405 wrong_method"),
        ("DELETE", "/webhooks/hireright/main/", 405, "hireright/main: 405 wrong_method"),
        ("POST", "/webhooks/goodhire/main/r1", 404, "goodhire/main: 404 unknown_address"),
        ("POST", "/webhooks/goodhire/mian", 404, "goodhire/?: 404 unknown_account"),
        ("POST", "/webhooks/goodhire", 404, "goodhire/?: 404 unknown_address"),
    ],
)
def test_a_refusal_that_names_an_account_is_told(
    office: Office, method: str, path: str, status: int, told: str
) -> None:
    assert office.send(method, path, b"{}")[0] == status
    assert office.told == [told]


def test_more_than_a_megabyte_is_too_large_whether_it_is_announced_or_not(office: Office) -> None:
    large = b'{"a":"' + b"x" * receiver.MAX_BODY_BYTES + b'"}'
    assert office.send("POST", "/webhooks/zinc/main", large, zinc_signed(large))[0] == 413
    connection = http.client.HTTPConnection("127.0.0.1", office.port, timeout=20)
    pieces = iter([large[:700_000], large[700_000:]])
    connection.request("POST", "/webhooks/zinc/main", pieces, zinc_signed(large), encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()
    assert office.landed() == 0


def test_a_megabyte_is_not(office: Office) -> None:
    message = json.dumps(REQUEST)[:-1].encode() + b',"more":"'
    body = message + b"x" * (receiver.MAX_BODY_BYTES - len(message) - 2) + b'"}'
    assert len(body) == receiver.MAX_BODY_BYTES
    assert office.zinc(body) == 200


@pytest.mark.parametrize("body", [b"", b"{", b"status=done", b'{"a": NaN}', b"\xff\xfe", b'{"a": "\xff"}'])
def test_what_is_no_json_is_a_bad_request(office: Office, body: bytes) -> None:
    assert office.zinc(body) == 400
    assert office.landed() == 0


UNBELIEVABLE = {
    b'{"status": "pending"}': "missing_id",
    b'{"id": "z1", "id": "z2", "status": "pending"}': "duplicate_key",
    b'{"id": "z1"}': "missing_status",
    b"[]": "not_an_object",
    b"[" * 5000 + b"]" * 5000: "too_deep",
    b'{"id": "z1", "status": "pending", "n": ' + b"9" * 5000 + b"}": "not_finite",
}


def test_json_that_cannot_be_believed_is_stored_acknowledged_and_listed(office: Office) -> None:
    assert [office.zinc(body) for body in UNBELIEVABLE] == [200] * len(UNBELIEVABLE)
    office.settle()
    rejects = office.rows("select source, reason from ops.reject order by response_id")
    assert rejects == [{"source": "push", "reason": reason} for reason in UNBELIEVABLE.values()]
    bodies = office.column("select body from raw.response order by response_id")
    assert [body.encode() for body in bodies] == list(UNBELIEVABLE)


def test_a_secret_that_is_not_set_is_our_fault_and_the_vendor_may_come_again(tmp_path: Path) -> None:
    with opened(tmp_path, ZINC_TOKEN="") as office:
        assert office.zinc(REQUEST) == 503
        assert office.landed() == 0


def test_what_cannot_be_stored_is_not_acknowledged(office: Office, tmp_path: Path) -> None:
    landing = office.work.landing.root
    moved = tmp_path / "away"
    landing.rename(moved)
    landing.write_text("a file where the folder was")
    assert office.zinc(REQUEST) == 503
    landing.unlink()
    moved.rename(landing)
    assert office.zinc(REQUEST) == 200
    assert office.landed() == 1


# ── how Zinc signs ─────────────────────────────────────────────────────────────────────────────────────

AS_NODE_PRINTS = {
    '{ "a" : 1.0, "b": [ 1e3, -0, 1E+2 ] }': '{"a":1,"b":[1000,0,100]}',
    '{"b":1,"10":2,"9":3,"a":4,"01":5,"-1":6}': '{"9":3,"10":2,"b":1,"a":4,"01":5,"-1":6}',
    '{"4294967295":1,"4294967294":2}': '{"4294967294":2,"4294967295":1}',
    '"\\u00e9\\/\\u2028\\u007f\\ud83d\\ude00"': '"é/\u2028\x7f😀"',
    '"\\u0000\\u001F\\b\\f\\n\\r\\t\\\\\\""': '"\\u0000\\u001f\\b\\f\\n\\r\\t\\\\\\""',
    '"\\uD800 \\udc00"': '"\\ud800 \\udc00"',
    "[12345678901234567890, 9007199254740993, 1e21, 123456789012345678901]": (
        "[12345678901234567000,9007199254740992,1e+21,123456789012345680000]"
    ),
    "[0.000001, 0.0000001, 1.5e-9, 1e-400, 5e-324]": "[0.000001,1e-7,1.5e-9,0,5e-324]",
    "[1e400, -1e400]": "[null,null]",
    '{"a":1,"b":2,"a":3}': '{"a":3,"b":2}',
    "[true, false, null, [], {}, 0.1, 100, 4.35]": "[true,false,null,[],{},0.1,100,4.35]",
    '"<>&\'"': '"<>&\'"',
}


@pytest.mark.parametrize("sent", AS_NODE_PRINTS)
def test_a_body_is_printed_as_node_prints_it(sent: str) -> None:
    assert stringified(sent.encode()).decode() == AS_NODE_PRINTS[sent]


def test_a_signature_over_the_compact_form_is_taken(office: Office) -> None:
    body = json.dumps(REQUEST | {"amount": 10.0}, indent=2).encode()
    compact = json.dumps(REQUEST | {"amount": 10}, separators=(",", ":")).encode()
    status, _ = office.send("POST", "/webhooks/zinc/main", body, zinc_signed(compact))
    assert status == 200
    office.settle()
    assert office.column("select body from raw.response") == [body.decode()]


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 200_000, b"NaN"])
def test_what_javascript_cannot_parse_has_only_its_bytes_to_be_signed(body: bytes) -> None:
    assert not is_signed_as_javascript(body, b"0" * 64, b"key")
    assert is_signed_as_javascript(body, hmac.new(b"key", body, hashlib.sha256).hexdigest().encode(), b"key")


# ── tokens for HireRight ───────────────────────────────────────────────────────────────────────────────


def asked_for_token(office: Office, **given: str) -> tuple[int, Any]:
    query = {
        "grant_type": "client_credentials",
        "client_id": SECRETS["HIRERIGHT_CLIENT"],
        "client_secret": SECRETS["HIRERIGHT_SECRET"],
    }
    return office.send("GET", "/oauth/token?" + urlencode(query | given))


def pushed_with(office: Office, token: str, name: str = "main") -> int:
    body = b'{"orderId": "o1", "orderStatus": "InProgress"}'
    headers = {"Authorization": f"Bearer {token}"}
    return office.send("POST", f"/webhooks/hireright/{name}", body, headers)[0]


def test_a_token_is_issued_for_client_credentials_and_opens_its_account(office: Office) -> None:
    status, answer = asked_for_token(office)
    assert (status, answer["token_type"], answer["expires_in"]) == (200, "bearer", "3600")
    assert pushed_with(office, answer["access_token"]) == 200


def test_a_token_ends_after_an_hour(office: Office) -> None:
    token = asked_for_token(office)[1]["access_token"]
    office.clock.advance(3500)
    assert pushed_with(office, token) == 200
    office.clock.advance(100)
    assert pushed_with(office, token) == 401


def test_a_token_opens_no_other_account(tmp_path: Path) -> None:
    with opened(tmp_path, OTHER="another secret") as office:
        token = asked_for_token(office, client_secret="another secret")[1]["access_token"]
        assert pushed_with(office, token, "other") == 200
        assert pushed_with(office, token) == 401


def test_a_token_that_was_changed_opens_nothing(office: Office) -> None:
    token = asked_for_token(office)[1]["access_token"]
    changed = token[:50] + ("A" if token[50] != "A" else "B") + token[51:]
    assert pushed_with(office, changed) == 401


def test_tokens_end_with_the_secret_they_were_issued_for(tmp_path: Path) -> None:
    with opened(tmp_path) as office:
        token = asked_for_token(office)[1]["access_token"]
    with opened(tmp_path, HIRERIGHT_SECRET="a new secret") as office:
        assert pushed_with(office, token) == 401


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"client_secret": "wrong"}, (401, "invalid_client")),
        ({"client_id": "é\0"}, (401, "invalid_client")),
        ({"client_id": "", "client_secret": ""}, (401, "invalid_client")),
        ({"grant_type": "password"}, (400, "unsupported_grant_type")),
    ],
)
def test_a_failed_token_call_says_why_in_the_vendors_form(
    office: Office, given: dict[str, str], expected: tuple[int, str]
) -> None:
    status, answer = asked_for_token(office, **given)
    assert (status, answer["error"]) == expected
    assert answer["status_code"] == status
    assert set(answer) == {"status_code", "error", "error_description"}


# ── what becomes of it ─────────────────────────────────────────────────────────────────────────────────


def test_a_body_that_begins_with_a_byte_order_mark_is_taken(office: Office) -> None:
    assert office.zinc(b"\xef\xbb\xbf" + json.dumps(REQUEST).encode()) == 200
    office.settle()
    assert office.column("select check_id from star.fact_check") == ["z1"]


def test_the_same_message_twice_is_one_event(office: Office) -> None:
    for _ in range(3):
        assert office.goodhire({"Id": "r1", "Status": "Processing"}) == 200
    office.settle()
    assert office.goodhire({"Id": "r1", "Status": "Processing"}) == 200
    office.settle()
    assert len(office.rows("from star.fact_check_event")) == 1
    assert len(office.rows("from raw.response")) == 4


def test_late_and_reordered_messages_never_move_a_check_backwards(office: Office) -> None:
    lives = ["completed", "pending", "consented", "pending"]
    for status in lives:
        office.workable("c1", {"status": status, "check": {"overall_status": "clear"}})
        office.settle()
    assert office.column("select lifecycle from star.fact_check_event") == ["completed"]
    assert office.column("select is_terminal from star.fact_check") == [True]


def test_a_push_without_a_time_about_an_ended_check_only_asks_for_one_confirming_pull(office: Office) -> None:
    office.goodhire({"Id": "r1", "Status": "CompletedClear", "StatusDetails": "Clear"})
    office.settle()
    assert office.work.pull_queue.due("goodhire", "main", office.clock.now(), is_full=True) == []
    office.goodhire({"Id": "r1", "Status": "Processing"})
    office.settle()
    assert office.column("select lifecycle from star.fact_check") == ["completed"]
    (item,) = office.work.pull_queue.due("goodhire", "main", office.clock.now())
    assert (item.check_id, item.is_requested) == ("r1", True)


def test_a_confirming_pull_that_agrees_opens_the_check_and_one_that_does_not_settles_the_doubt(
    office: Office,
) -> None:
    for check_id in ("agrees", "differs"):
        office.goodhire({"Id": check_id, "Status": "CompletedClear", "StatusDetails": "Clear"})
        office.goodhire({"Id": check_id, "Status": "Processing"})
    office.settle()
    office.pull("goodhire", "agrees", {"Id": "agrees", "Status": "Processing"})
    office.pull("goodhire", "differs", {"Id": "differs", "Status": "CompletedClear", "StatusDetails": "Clear"})
    office.settle()
    checks = office.rows("select check_id, is_terminal, reopened_count from star.fact_check order by check_id")
    assert checks == [
        {"check_id": "agrees", "is_terminal": False, "reopened_count": 1},
        {"check_id": "differs", "is_terminal": True, "reopened_count": 0},
    ]
    due = office.work.pull_queue.due("goodhire", "main", office.clock.now(), is_full=True)
    assert [item.check_id for item in due] == ["agrees"]


@pytest.fixture
def pushed_only(tmp_path: Path) -> Iterator[Office]:
    """An office of which Workable's provider answers pushes only."""
    accounts = tuple(replace(a, polling=a.vendor != "workable") for a in ACCOUNTS)
    with opened(tmp_path, accounts) as found:
        yield found


COMPLETE = {"status": "completed", "check": {"overall_status": "clear"}}
CONSIDERED = {"status": "completed", "check": {"overall_status": "consider"}}


@pytest.mark.parametrize(
    ("lives", "shown", "is_unconfirmed"),
    [
        ([COMPLETE, {"status": "pending"}], "completed", True),
        ([COMPLETE, CONSIDERED], "completed", True),
        ([COMPLETE, COMPLETE], "completed", False),
        ([COMPLETE, {"status": "pending"}, COMPLETE], "completed", False),
        ([{"status": "consented"}, {"status": "pending"}], "in_progress", True),
        ([{"status": "consented"}, {"status": "pending"}, COMPLETE], "completed", False),
    ],
)
def test_where_nobody_is_asked_a_last_message_that_says_otherwise_is_listed(
    pushed_only: Office, lives: list[dict[str, Any]], shown: str, is_unconfirmed: bool
) -> None:
    for life in lives:
        assert pushed_only.workable("c1", life) == 200
        pushed_only.settle()
    assert pushed_only.column("select lifecycle from star.fact_check") == [shown]
    rule = catalog.checks()["ops.mapping_conflict.nothing_contradicts_itself"]
    conflicts = pushed_only.column("select conflict from ops.mapping_conflict where is_current")
    assert conflicts == ["unconfirmed_message"] * is_unconfirmed
    assert len(pushed_only.rows(rule)) == is_unconfirmed
    with open_warehouse(pushed_only.work) as connection:
        publish.publish(connection, pushed_only.work.settings.paths.published)
    standing = pushed_only.standing("workable/main")
    assert (standing.unconfirmed, standing.due, standing.next_due_at) == (int(is_unconfirmed), 0, None)
    assert standing.open == (shown != "completed")


def test_of_an_account_that_is_only_pushed_to_nothing_is_asked_and_no_secret_is_missing(pushed_only: Office) -> None:
    pushed_only.workable("c1", {"status": "pending"})
    pushed_only.settle()
    account = pushed_only.work.settings.account("workable")
    assert is_wanted(pushed_only.work, account) is False
    report = pull_account(pushed_only.work, account, run_id="test", is_full=True)
    assert (report.calls, report.code, report.needs_attention) == (0, None, False)
    assert report.message == "only pushed to (polling = false)"
    standing = pushed_only.standing("workable/main")
    assert (standing.missing_secrets, standing.open) == ((), 1)


def test_of_an_account_that_is_only_pushed_to_every_rule_holds(pushed_only: Office) -> None:
    pushed_only.workable("c1", {"status": "pending"})
    pushed_only.zinc(REQUEST)
    pushed_only.settle()
    assert pushed_only.column("select next_pull_at is null from star.fact_check order by vendor") == [True, False]
    with open_warehouse(pushed_only.work) as connection:
        assert broken_rules(connection) == []


def test_a_push_ten_days_late_changes_nothing_and_copies_do_not_move_the_last_observation(
    office: Office,
) -> None:
    office.hireright({"orderId": "o1", "orderStatus": "InProgress", "statusDate": "2026-03-02T08:00:00Z"})
    office.hireright({"orderId": "o1", "orderStatus": "Canceled", "statusDate": "2026-03-02T08:30:00Z"})
    office.settle()
    before = office.rows("from star.fact_check")
    office.clock.advance(10 * 86_400)
    office.hireright({"orderId": "o1", "orderStatus": "InProgress", "statusDate": "2026-03-02T08:00:00Z"})
    office.settle()
    assert office.rows("from star.fact_check") == before


def test_many_senders_at_once_lose_nothing(office: Office) -> None:
    def send(number: int) -> None:
        body = json.dumps(REQUEST | {"id": f"z{number}"}).encode()
        connection = http.client.HTTPConnection("127.0.0.1", office.port, timeout=20)
        connection.request("POST", "/webhooks/zinc/main", body, zinc_signed(body))
        answers.append(connection.getresponse().status)
        connection.close()

    answers: list[int] = []
    senders = [threading.Thread(target=send, args=(number,)) for number in range(24)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    office.settle()
    stored = answers.count(200)
    assert stored == 24
    assert office.column("select count(*) from star.fact_check") == [stored]


def test_nothing_of_a_request_is_told_but_the_account_and_a_word(
    office: Office, capfd: pytest.CaptureFixture[str]
) -> None:
    office.zinc(REQUEST | {"name": "Canaria Testperson"})
    office.workable("Canaria", {"status": "pending"}, Authorization="Bearer Canaria")
    asked_for_token(office, client_secret="Canaria")
    office.send("POST", "/webhooks/zinc/Canaria?Canaria", b"Canaria")
    assert office.told == ["zinc/main: stored", "workable/main: 401 bad_proof", "zinc/?: 404 unknown_account"]
    assert "Canaria" not in "".join(capfd.readouterr())
