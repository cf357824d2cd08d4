"""What is believed of an answer, what is refused and why, and what is masked."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.domain.exchange import HttpExchange
from screening_pipeline.landing.judge import REASONS, Examined, examine
from screening_pipeline.landing.line import line_of
from screening_pipeline.landing.masking import MASK, mask, mask_words, masked_keys
from screening_pipeline.landing.strict_json import Refused
from screening_pipeline.vendors import all_vendors, vendor

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SSN = "900-55-1234"

REPORT = {
    "Id": "a1",
    "Candidate": {"FirstName": "Canaria", "SSN": SSN, "Address": {"Street": "900 Canary Row"}},
    "Status": "MissingInput",
    "StatusDetails": "AwaitingInput",
    "SectionsContainingAlerts": ["Sex Offender List Check"],
    "ReportViewerUrl": "https://example.com/?x=1",
    "RequiredReportActions": [{"Type": "IncompleteCandidateInfo", "Url": "https://example.com/"}],
}
SUBSCRIPTION = {
    "Id": "s1",
    "ReportId": "a1",
    "IsActive": True,
    "StartedOn": "2016-07-25T15:28:14.1312006-07:00",
    "LastStatus": "Clear",
    "ReportUrl": "https://example.com/",
    "Results": [{"Date": "2016-07-25T16:23:04.433-07:00", "Status": "Clear"}],
}
ORDER = {
    "orderId": "HR-1",
    "orderStatus": "InProgress",
    "adjudicationStatus": "Client Review Required",
    "products": [{"name": "Criminal", "status": "Completed"}],
    "statusDate": "2026-03-01T10:00:00-08:00",
}
I9 = {"id": "I-1", "i9Status": "Pending Employer", "eVerifyStatus": "TNC"}
REQUEST = {
    "id": "z1",
    "status": "partially-completed",
    "statusV2": "in-progress",
    "checks": [{"name": "Address check for Jane Doe", "status": "clear", "type": "address-check"}],
}
CHECK = {"checkId": "w1", "status": "Completed", "result": "Clear", "releaseDate": "2026-03-01"}
WORKABLE = {
    "results_url": "https://example.com/",
    "status": "completed",
    "check": {"overall_status": "consider", "result": [{"name": "mvr", "status": "clear"}]},
}
CHECKR_REPORT = {
    "id": "r1",
    "object": "report",
    "status": "complete",
    "result": "consider",
    "candidate_id": "p1",
    "ssn_trace": {"id": "t1", "status": "complete", "addresses": [{"street": "900 Canary Row"}]},
    "county_criminal_searches": [{"id": "c1", "status": "complete", "result": "consider", "county": "CANARY"}],
}
INVITATION = {"id": "v1", "object": "invitation", "status": "pending", "package": "driver_pro", "report_id": None}
CHECKR_SUBSCRIPTION = {"id": "b1", "object": "subscription", "status": "active", "start_date": "2026-01-01"}
CONTINUOUS = {"id": "n1", "object": "continuous_check", "type": "criminal", "candidate_id": "p1"}
# (vendor, endpoint, id asked for, body): one good answer of each call that tells of a check.
GOOD: tuple[tuple[str, str, str | None, Any], ...] = (
    ("goodhire", "report", "a1", REPORT),
    ("goodhire", "subscription", "s1", SUBSCRIPTION),
    ("hireright", "order_status", "HR-1", ORDER),
    ("hireright", "i9_status", "I-1", I9),
    ("hireright", "status_updates", None, [ORDER, I9, {**ORDER, "orderId": "HR-2"}]),
    ("zinc", "results", "z1", REQUEST),
    ("workerchecks", "results", "w1", CHECK),
    ("workable", "checks", "k1", WORKABLE),
    ("checkr", "report", "r1", CHECKR_REPORT),
    ("checkr", "invitation", "v1", INVITATION),
    ("checkr", "subscription", "b1", CHECKR_SUBSCRIPTION),
    ("checkr", "continuous_check", "n1", CONTINUOUS),
)


def exchange(slug: str, endpoint: str, check_id: str | None, body: Any, **others: Any) -> HttpExchange:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given_values = {
        "headers": {"content-type": "application/json; charset=utf-8"},
        "http_status": 200,
        "channel": "pull",
        **others,
    }
    return HttpExchange(
        response_id="20260302T120000000000Z-0000000000000001-abcd",
        vendor=slug,
        account="us",
        endpoint=endpoint,
        check_id=check_id,
        requested_at=NOON,
        received_at=NOON,
        run_id="run",
        body=raw,
        **given_values,
    )


def examined(slug: str, endpoint: str, check_id: str | None, body: Any, **others: Any) -> Examined:
    return examine(exchange(slug, endpoint, check_id, body, **others), vendor(slug))


def report(body: Any, **others: Any) -> Examined:
    return examined("goodhire", "report", "a1", body, **others)


def changed(body: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {**body, **values}


def bare(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


SECRETS = ("sk_live/4242+x", 'pa"ss\\word 1', "481516234200", "hireright1")


@pytest.mark.parametrize("secret", SECRETS[:3])
@pytest.mark.parametrize(
    "body",
    [
        '{"error": "the key %s is not valid"}',
        '{"url": "https://vendor.example/?token=%s", "error": "x"}',
        "<html>%s</html>",
        "plain: %s",
    ],
)
@pytest.mark.parametrize("form", ["plain", "json", "address"])
@pytest.mark.parametrize("status", [200, 401])
def test_a_secret_that_a_vendor_sends_back_is_masked(secret: str, body: str, form: str, status: int) -> None:
    written = {"plain": secret, "json": json.dumps(secret)[1:-1], "address": quote(secret, safe="")}[form]
    given = exchange("goodhire", "report", "a1", (body % written).encode(), http_status=status)
    found = examine(given, vendor("goodhire"), SECRETS)
    line, _ = line_of(given, found)
    assert written not in (found.text or "")
    assert written.encode() not in line


def test_a_body_that_is_no_text_holds_no_secret_either() -> None:
    given = exchange("goodhire", "report", "a1", b"\xff sk_live/4242+x \xff", http_status=500)
    assert examine(given, vendor("goodhire"), SECRETS).raw == b"\xff *** \xff"


def test_what_a_vendor_says_beside_a_secret_is_read_and_short_secrets_are_no_words() -> None:
    body = {**REPORT, "Note": "key sk_live/4242+x, hireright1", "Number": 481516234200}
    found = examine(exchange("goodhire", "report", "a1", body), vendor("goodhire"), SECRETS)
    assert (found.reject, found.messages[0].check_id) == (None, "a1")
    assert found.messages[0].body["Note"] == "key ***, hireright1"
    assert found.messages[0].body["Number"] == 111_111_111_111


def test_a_secret_that_begins_in_an_escape_does_not_make_the_guard_fall_over() -> None:
    given = exchange("goodhire", "report", "a1", b'{"Id": "a1", "Status": "Processing", "Note": "x\\nabcdefghijk"}')
    assert examine(given, vendor("goodhire"), ("nabcdefghijk",)).reject == "not_json"


def test_there_is_a_good_answer_of_every_call_that_tells_of_a_check() -> None:
    calls = {
        (slug, endpoint.name)
        for slug, declared in all_vendors().items()
        for endpoint in declared.endpoints
        if endpoint.subject is not None or endpoint.is_destructive
    }
    assert {(slug, endpoint) for slug, endpoint, *_ in GOOD} == calls


@pytest.mark.parametrize(("slug", "endpoint", "check_id", "body"), GOOD)
def test_a_good_answer_is_accepted(slug: str, endpoint: str, check_id: str | None, body: Any) -> None:
    found = examined(slug, endpoint, check_id, body)
    assert (found.reject, found.message_rejects) == (None, ())
    assert len(found.messages) == (len(body) if isinstance(body, list) else 1)


def test_an_ordinary_answer_is_taken_to_the_letter() -> None:
    body = b'{"status" : "Pending","checkId":"w1", "extra":1.50}'
    found = examined("workerchecks", "results", "w1", body)
    assert found.is_verbatim
    assert found.text == body.decode()


LINES = [
    text.encode() for text in (json.dumps(CHECK, indent=1), f"{json.dumps(CHECK)}\r", f"\ufeff{json.dumps(CHECK)}")
]


@pytest.mark.parametrize("body", LINES)
def test_an_answer_on_several_lines_or_with_a_byte_order_mark_is_accepted_but_not_to_the_letter(
    body: bytes,
) -> None:
    found = examined("workerchecks", "results", "w1", body)
    assert found.reject is None
    assert not found.is_verbatim
    assert found.messages[0].body == CHECK


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"<!doctype html><p>Sign in", "html"),
        (b"\xef\xbb\xbf <html>", "html"),
        (b'{"Id": "a1", "Status": "N\xff"}', "not_utf8"),
        (b"OK", "not_json"),
        (b"{'Id': 1}", "not_json"),
        (b'{"Id": "a1"} trailing', "not_json"),
        (b'{"Id": "a1", "Status": "Proc', "truncated"),
        (b'{"Id": "a1", "Status": "New",', "truncated"),
        (b'{"Id": "a1", "Status": "New", "Status": "Expired"}', "duplicate_key"),
        (b'{"Id": "a1", "Status": "New", "x": {"y": 1, "y": 1}}', "duplicate_key"),
        (b'{"Id": "a1", "Status": "New", "x": NaN}', "not_finite"),
        (b'{"Id": "a1", "Status": "New", "x": -Infinity}', "not_finite"),
        (b'{"Id": "a1", "Status": "New", "x": 1e999}', "not_finite"),
        (b'{"Id": "a1", "Status": "New", "x": ' + b"9" * 5000 + b"}", "not_finite"),
        (b'{"Id": "a1", "Status": "\\ud800"}', "lone_surrogate"),
        (b'{"Id": "a1", "Status": "New", "\\udfff": 1}', "lone_surrogate"),
        (b'{"Id": "a1", "Status": "New", "x": ' + b"[" * 64 + b"]" * 64 + b"}", "too_deep"),
        (b"[" * 200_000, "too_deep"),
        (b'{"x":' * 100_000, "too_deep"),
        (b'"New"', "not_an_object"),
        (b"[]", "not_an_object"),
        (b"null", "not_an_object"),
        (b'{"StatusCode": "BadRequest", "StatusMessage": "x"}', "error_body"),
        (b'{"Id": "a1"}', "missing_status"),
        (b'{"Id": "a1", "Status": null}', "missing_status"),
        (b'{"Id": "a1", "Status": ""}', "missing_status"),
        (b'{"Id": "a1", "Status": 5}', "wrong_type"),
        (b'{"Id": "a1", "Status": ["New"]}', "wrong_type"),
        (b'{"Status": "New"}', "missing_id"),
        (b'{"Id": null, "Status": "New"}', "missing_id"),
        (b'{"Id": ["a1"], "Status": "New"}', "wrong_type"),
        (b'{"Id": true, "Status": "New"}', "wrong_type"),
        (b'{"Id": 1.0, "Status": "New"}', "wrong_type"),
        (b'{"Id": "A1", "Status": "New"}', "id_mismatch"),
        (b'{"Id": "a1 ", "Status": "New"}', "id_mismatch"),
    ],
)
def test_what_cannot_be_believed_is_refused_with_a_reason(body: bytes, reason: str) -> None:
    found = report(body)
    assert found.reject == reason
    assert found.messages == ()
    assert reason in REASONS


def test_sixty_four_levels_are_not_too_deep() -> None:
    body = b'{"Id": "a1", "Status": "New", "x": ' + b"[" * 63 + b"]" * 63 + b"}"
    assert report(body).reject is None


def test_brackets_in_texts_are_no_levels() -> None:
    assert report({"Id": "a1", "Status": "New", "x": '[{"' * 500}).reject is None
    assert report("[{" * 500).reject == "not_an_object"


def test_a_pair_of_surrogates_is_a_letter() -> None:
    assert report(b'{"Id": "a1", "Status": "New", "x": "\\ud83d\\ude00"}').reject is None


def test_a_body_beyond_the_size_limit_is_refused() -> None:
    assert report(b'{"Id": "a1", "x": "' + b"y" * 10_485_760 + b'"}').reject == "too_large"


GUID = "2930ED9B-1F2A-4C3D-8E4F-AABBCCDDEEFF"
CASE, ZEROS = (f"the id answered differs from the one asked for only in {what}" for what in ("case", "leading zeros"))


@pytest.mark.parametrize(
    ("slug", "endpoint", "key", "body"),
    [
        ("goodhire", "report", "Id", REPORT),
        ("goodhire", "subscription", "Id", SUBSCRIPTION),
        ("hireright", "order_status", "orderId", ORDER),
        ("hireright", "i9_status", "id", I9),
        ("zinc", "results", "id", REQUEST),
        ("workerchecks", "results", "checkId", CHECK),
        ("workable", "checks", "background_check_id", WORKABLE),
        ("checkr", "report", "id", CHECKR_REPORT),
        ("checkr", "invitation", "id", INVITATION),
        ("checkr", "subscription", "id", CHECKR_SUBSCRIPTION),
        ("checkr", "continuous_check", "id", CONTINUOUS),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
@pytest.mark.parametrize(
    ("asked", "answered", "reject", "detail"),
    [
        ("17", 17, None, None),
        ("017", 17, None, None),
        ("0", 0, None, None),
        ("000", 0, None, None),
        (GUID, GUID.lower(), None, None),
        (GUID.lower(), GUID, None, None),
        (GUID.replace("-", ""), GUID.replace("-", "").lower(), None, None),
        ("17", "017", "id_mismatch", ZEROS),
        ("017", "17", "id_mismatch", ZEROS),
        ("HR-a1", "hr-A1", "id_mismatch", CASE),
        (GUID, GUID.replace("-", "").lower(), "id_mismatch", None),
        (GUID, f"{{{GUID}}}", "id_mismatch", None),
        ("-17", -17, None, None),
        ("0-17", -17, "id_mismatch", ZEROS),
        pytest.param("١٧", 17, "id_mismatch", None, id="arabic-digits"),
        ("170", 17, "id_mismatch", None),
    ],
    ids=repr,
)
def test_one_id_is_one_whether_it_is_a_number_or_a_uuid_in_capitals_and_nothing_else_is(
    slug: str, endpoint: str, key: str, body: Any, asked: str, answered: Any, reject: str | None, detail: str | None
) -> None:
    found = examined(slug, endpoint, asked, {**body, key: answered})
    assert (found.reject, found.detail) == (reject, detail)
    assert [message.check_id for message in found.messages] == ([] if reject else [asked])


LED = {**INVITATION, "status": "completed", "report_id": "r9"}


def test_an_answer_about_one_check_names_what_it_led_to() -> None:
    found = examined("checkr", "invitation", "v1", LED, subject="invitation")
    assert (found.reject, found.message_rejects) == (None, ())
    assert [(message.subject, message.check_id) for message in found.messages] == [
        ("invitation", "v1"),
        ("report", "r9"),
    ]
    assert found.messages[1].body == {"id": "r9", "continues": "v1"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (changed(LED, id="v2"), "id_mismatch"),
        (bare(LED, "id"), "missing_id"),
        (changed(LED, id=["v1"]), "wrong_type"),
        (bare(LED, "status"), "missing_status"),
        (changed(LED, status=[]), "wrong_type"),
        (changed(bare(LED, "status"), error="gone"), "error_body"),
    ],
)
def test_an_answer_that_is_not_believed_about_its_check_is_believed_about_no_other(body: Any, reason: str) -> None:
    found = examined("checkr", "invitation", "v1", body, subject="invitation")
    assert (found.reject, found.messages, found.message_rejects) == (reason, (), ())


def test_an_answer_that_tells_twice_of_its_check_is_believed_once() -> None:
    twice = replace(vendor("goodhire"), reshape=lambda _, body: [("report", body), ("report", bare(body, "Status"))])
    found = examine(exchange("goodhire", "report", "a1", REPORT, subject="report"), twice)
    assert (found.reject, found.message_rejects) == (None, ((1, "missing_status"),))
    assert [(message.subject, message.check_id) for message in found.messages] == [("report", "a1")]


def test_an_id_and_a_status_may_lie_within_an_object() -> None:
    declared = vendor("goodhire")
    record = replace(declared.records["report"], id="order.key", required=("order.state.word",))
    nested = replace(declared, records={**declared.records, "report": record}, reshape=None)
    body = {"order": {"key": "a1", "state": {"word": "New"}}}
    assert examine(exchange("goodhire", "report", "a1", body), nested).reject is None
    assert examine(exchange("goodhire", "report", "a2", body), nested).reject == "id_mismatch"
    assert examine(exchange("goodhire", "report", "a1", {"order": {"key": "a1"}}), nested).reject == "missing_status"


def test_why_a_body_is_refused_is_what_its_exception_says() -> None:
    assert str(Refused("empty", "a detail")) == "empty"


@pytest.mark.parametrize("nothing", ["\0", "\u200b", " \u00a0 ", "\ufeff\u2060"])
def test_an_id_of_which_nothing_can_be_seen_names_no_check(nothing: str) -> None:
    feed = examined("hireright", "status_updates", None, [ORDER, {**ORDER, "orderId": nothing}])
    assert [message.check_id for message in feed.messages] == ["HR-1"]
    assert feed.message_rejects == ((1, "missing_id"),)
    push = examined("zinc", "push", None, {**REQUEST, "id": nothing}, channel="push")
    assert (push.reject, push.messages) == ("missing_id", ())
    led = examined("checkr", "invitation", "v1", {**LED, "report_id": nothing}, subject="invitation")
    assert [message.check_id for message in led.messages] == ["v1"]
    assert led.message_rejects == ((1, "missing_id"),)


def test_one_bad_invitation_of_a_page_costs_no_other() -> None:
    page = {"data": [bare(LED, "status"), changed(LED, id="v3", report_id="r3")], "next_href": None, "count": 2}
    found = examined("checkr", "invitations", None, page)
    assert found.reject is None
    assert [message.check_id for message in found.messages] == ["r9", "v3", "r3"]
    assert found.message_rejects == ((0, "missing_status"),)


@pytest.mark.parametrize("kind", ["text/html", "TEXT/HTML; charset=utf-8", "application/xhtml+xml"])
@pytest.mark.parametrize(("slug", "endpoint", "check_id", "body"), GOOD)
def test_json_that_is_called_html_is_read(kind: str, slug: str, endpoint: str, check_id: str, body: Any) -> None:
    found = examined(slug, endpoint, check_id, body, headers={"content-type": kind})
    assert (found.reject, len(found.messages)) == (None, len(body) if isinstance(body, list) else 1)


@pytest.mark.parametrize(
    "page", ["<html>log in</html>", " \n<!doctype html>", "please log in", '{"Id": "a1", "Stat', "{} {}"]
)
@pytest.mark.parametrize("kind", ["text/html", "application/xhtml+xml"])
def test_a_page_for_people_is_refused(page: str, kind: str) -> None:
    assert report(page.encode(), headers={"content-type": kind}).reject == "html"


@pytest.mark.parametrize("status", [201, 202, 203, 205, 206, 226])
def test_a_full_answer_under_another_status_than_200_is_no_state(status: int) -> None:
    assert report(REPORT, http_status=status).reject == "unexpected_status"
    packages = [{"id": 1, "name": "x"}]
    assert examined("zinc", "packages", None, packages, http_status=status).reject == "unexpected_status"
    part = examined("zinc", "results", "z1", b"\xff{", http_status=status)
    assert (part.reject, part.text, part.raw) == ("unexpected_status", None, b"\xff{")


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "application/problem+json", ""])
def test_the_documented_object_is_accepted_under_another_content_type(kind: str) -> None:
    assert report(REPORT, headers={"content-type": kind}).reject is None


@pytest.mark.parametrize(("kind", "reason"), [("application/pdf", "content_type"), ("application/json", "not_utf8")])
def test_bytes_of_another_content_type_are_named_for_it(kind: str, reason: str) -> None:
    assert report(b"%PDF-\xff", headers={"content-type": kind}).reject == reason


@pytest.mark.parametrize("others", [{"http_status": 404}, {"http_status": 500}, {"failure": "truncated"}])
def test_failures_and_error_statuses_are_kept_and_not_judged(others: dict[str, Any]) -> None:
    found = report(b'{"StatusCode": "NotFound", "SSN": "900-55-1234', **others)
    assert (found.reject, found.messages) == (None, ())
    assert found.text == '{"StatusCode": "NotFound", "SSN": "***"'


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_text_within_the_json_of_an_error_is_kept_to_the_letter(mark: str) -> None:
    body = mark + '{"message": "we take no ssn: leave it out", "code": 17}'
    assert report(body.encode(), http_status=400).text == body


def test_what_came_without_a_content_type_is_named_for_what_it_is() -> None:
    assert report(b"no JSON", headers={}).reject == "not_json"
    assert report(b"\xff", headers={}).reject == "not_utf8"


def test_no_content_is_empty() -> None:
    assert report(b"", http_status=204).reject == "empty"


def test_no_content_from_a_feed_says_that_nothing_waits() -> None:
    found = examined("hireright", "status_updates", None, b"", http_status=204)
    assert (found.reject, found.messages) == (None, ())


def test_an_integer_status_beside_a_message_is_an_error_and_no_lifecycle() -> None:
    assert examined("workable", "checks", "k1", {"status": 401, "message": "Invalid Token"}).reject == "error_body"
    assert examined("workable", "checks", "k1", {"status": 401}).reject == "wrong_type"
    assert examined("workable", "checks", "k1", {"status": "pending", "message": "x"}).reject is None
    assert examined("workable", "checks", "k1", {"status": "401", "message": "Invalid Token"}).reject == "error_body"
    assert examined("workable", "checks", "k1", {"status": "401"}).reject is None, "a word that nobody mapped"


def test_zincs_own_status_code_is_an_error() -> None:
    assert examined("zinc", "results", "z1", {"statusCode": 703, "message": "no"}).reject == "error_body"


def test_the_coarse_status_alone_is_enough() -> None:
    assert examined("zinc", "results", "z1", bare(REQUEST, "statusV2")).reject is None
    assert examined("zinc", "results", "z1", bare(REQUEST, "statusV2", "status")).reject == "missing_status"


def test_an_answer_without_an_id_speaks_of_the_check_asked_for_where_none_is_documented() -> None:
    assert examined("workable", "checks", "k1", WORKABLE).messages[0].check_id == "k1"
    assert examined("workable", "checks", "k1", changed(WORKABLE, id="k2")).reject == "id_mismatch"
    assert examined("workable", "push", None, WORKABLE, channel="push").reject == "missing_id"


@pytest.mark.parametrize(
    ("result", "word"),
    [
        ({"mvr": "clear"}, "value"),  # free text: a word only if the vocabulary has it
        ({"mvr": {"status": "clear"}}, "status"),
        ([{"name": "mvr", "status": "clear"}], "status"),
    ],
)
def test_results_in_three_shapes_are_read_alike(result: Any, word: str) -> None:
    found = examined("workable", "checks", "k1", changed(WORKABLE, check={"result": result}))
    assert found.messages[0].body["check"]["result"] == [{"name": "mvr", word: "clear"}]
    assert found.is_verbatim is isinstance(result, list)


def test_a_subscription_that_spells_its_link_otherwise_is_reshaped() -> None:
    body = changed(bare(SUBSCRIPTION, "ReportUrl"), ReportURL="https://example.com/other")
    found = examined("goodhire", "subscription", "s1", body)
    assert found.messages[0].body["ReportUrl"] == "https://example.com/other"
    assert not found.is_verbatim


def test_fields_of_another_subject_are_fitted_to_the_common_scan() -> None:
    """One typed scan reads all messages of a vendor, so no shape may break it for the others."""
    found = examined("hireright", "i9_status", "I-1", changed(I9, products=5))
    assert (found.messages[0].body.get("products"), found.part_rejects) == ([], ((0, "products"),))
    assert examined("hireright", "i9_status", "I-1", changed(I9, products=[{"name": "x"}])).part_rejects == ()
    feed = [changed(ORDER, products=5), changed(ORDER, orderId="HR-2"), changed(ORDER, orderId="HR-3", products="?")]
    found = examined("hireright", "status_updates", None, feed)
    assert found.part_rejects == ((0, "products"), (2, "products"))


@pytest.mark.parametrize("wrapped", [False, True])
def test_one_bad_message_of_a_feed_leaves_the_others_standing(wrapped: bool) -> None:
    updates = [ORDER, {"orderId": "HR-2"}, "x", {**ORDER, "orderId": 7}]
    body: Any = {"statusUpdates": updates} if wrapped else updates
    found = examined("hireright", "status_updates", None, body)
    assert [m.check_id for m in found.messages] == ["HR-1", "7"]
    assert found.message_rejects == ((1, "missing_status"), (2, "not_an_object"))
    assert found.reject is None


@pytest.mark.parametrize("body", [ORDER, {"statusUpdates": ORDER}, [None, ORDER], {"statusUpdates": [ORDER, None]}])
def test_the_only_update_of_a_feed_may_stand_for_the_list(body: Any) -> None:
    found = examined("hireright", "status_updates", None, body)
    assert ([m.check_id for m in found.messages], found.message_rejects) == (["HR-1"], ())


def test_a_feed_of_bad_messages_only_is_refused() -> None:
    assert examined("hireright", "status_updates", None, [{"orderId": "HR-2"}]).reject == "missing_status"


@pytest.mark.parametrize("body", [[], {"statusUpdates": []}, {"statusUpdates": None}, {"statusUpdates": ""}, [None]])
def test_an_empty_feed_is_accepted(body: Any) -> None:
    found = examined("hireright", "status_updates", None, body)
    assert (found.reject, found.messages) == (None, ())


@pytest.mark.parametrize(
    ("body", "reason"),
    [({"updates": []}, "unreadable_shape"), ({"error": "x"}, "error_body"), ("x", "not_an_object")],
)
def test_a_feed_in_another_shape_is_refused(body: Any, reason: str) -> None:
    assert examined("hireright", "status_updates", None, body).reject == reason


def test_the_complete_messages_of_half_a_feed_are_saved() -> None:
    for body in ([ORDER, I9, ORDER], {"count": 3, "statusUpdates": [ORDER, I9, ORDER]}):
        text = json.dumps(body)
        for cut in range(len(text)):
            found = examined("hireright", "status_updates", None, text[:cut].encode())
            complete = sum(text[:cut].count(json.dumps(message)) for message in (ORDER, I9))
            assert len(found.messages) == complete
            if complete:
                assert found.message_rejects == ((complete, "truncated"),)
            else:
                assert found.reject in {"truncated", "empty", "unreadable_shape"}


def test_half_an_answer_about_one_check_is_refused_and_nothing_is_saved() -> None:
    assert report(json.dumps(REPORT).encode()[:-1]).reject == "truncated"


@pytest.mark.parametrize("body", [{"packages": []}, [], [{"id": 1, "name": "x"}]])
def test_lists_are_kept_whole(body: Any) -> None:
    found = examined("zinc", "packages", None, body)
    assert (found.reject, found.is_verbatim) == (None, False)
    assert found.text == json.dumps(body)


def test_an_answer_that_is_no_list_of_packages_names_none() -> None:
    found = examined("workerchecks", "auth_token", None, {"token": "t", "scopes": [{"id": "1", "name": "x"}]})
    assert (found.reject, found.messages) == (None, ())


@pytest.mark.parametrize(
    "body",
    [
        [{"id": 1, "name": "x"}],
        {"packages": [{"id": "1", "name": "x"}]},
        {"packages": {"id": "1", "name": "x"}},
        [None, {"id": 1, "name": "x"}],
    ],
)
def test_each_package_of_a_list_is_a_message_whether_its_id_is_a_number_or_a_text(body: Any) -> None:
    found = examined("zinc", "packages", None, body)
    assert [(m.subject, m.check_id, m.body["name"]) for m in found.messages] == [("package", "1", "x")]


@pytest.mark.parametrize(
    ("endpoint", "body", "reason"),
    [
        ("packages", {"status": 401, "message": "Invalid Token"}, "error_body"),
        ("packages", 5, "not_an_object"),
        ("packages", {"packages": []}, None),
    ],
)
def test_answers_about_no_check_are_refused_only_where_they_are_plainly_wrong(
    endpoint: str, body: Any, reason: str | None
) -> None:
    assert examined("workable", endpoint, None, body).reject == reason


def test_a_pushed_report_is_taken_out_of_its_wrapping() -> None:
    found = examined("goodhire", "push", None, {"Id": "hook", "ReportStatus": REPORT}, channel="push")
    assert [(m.subject, m.check_id) for m in found.messages] == [("report", "a1")]


@pytest.mark.parametrize("body", [{"Id": "hook"}, {"ReportStatus": [REPORT]}])
def test_a_push_in_another_shape_is_refused(body: Any) -> None:
    assert examined("goodhire", "push", None, body, channel="push").reject == "unreadable_shape"


def test_a_push_about_an_unknown_subject_or_a_call_nobody_declared_is_refused() -> None:
    assert examined("zinc", "push", None, REQUEST, channel="push", subject="parcel").reject == "unreadable_shape"
    assert examined("zinc", "push", None, REQUEST, channel="push").reject is None
    assert examined("zinc", "parcels", "z1", REQUEST).reject == "unreadable_shape"


# ── masking ──────────────────────────────────────────────────────────────────────────────────────────────

KEYS = ("SSN", "Address")


def test_values_that_are_never_stored_are_masked_in_the_text_and_in_the_messages() -> None:
    found = report(REPORT)
    assert found.text == json.dumps(REPORT).replace(f'"{SSN}"', '"***"').replace(
        '{"Street": "900 Canary Row"}', '"***"'
    )
    assert found.messages[0].body["Candidate"] == {"FirstName": "Canaria", "SSN": MASK, "Address": MASK}
    assert SSN not in repr(found)


@pytest.mark.parametrize(
    "body",
    [
        '{"SSN": "900-55-1234"',
        '{"SSN": "900-55-1234',
        '{"ssn": 900551234, "a": 1',
        '{"a": [{"Ssn" :\t"900-55-1234"}, {',
        '{"\\u0053SN": "900-55-1234"}',
        '{"s\\u0073\\u004E": "900-55-1234"}',
        '{"SSN": {"value": "900-55-1234"}}',
        '{"SSN": ["900-55-1234"',
        '{"SSN": 900-55-1234}',
        "{'a': 1, \"SSN\": '900-55-1234'}",
        '<script>x = {"SSN":"900-55-1234"}</script>',
        '{"data": "{\\"SSN\\": \\"900-55-1234\\"}"}',
        '{"data": "{\\"SSN\\": 900551234, \\"x\\": 1}"}',
        '{"data": "{\\"SSN\\"\\n:\\t{\\"v\\": \\"900-55-1234\\"}}"}',
        '"{\\"data\\": \\"{\\\\\\"SSN\\\\\\": \\\\\\"900-55-1234\\\\\\"}\\"}"',
        '{"SSN": "900-55-1234", "SSN": "900-55-1234", "x": NaN}',
        # As .NET writes a text in a text.
        r'{"data": "{\u0022SSN\u0022:\u0022900-55-1234\u0022}"}',
        r'{"data": "{\"SSN\"\u0020\u003A \"900-55-1234\"}"}',
        '{"SSN": "9"00-55-1234", "a": "900"}',
        '{"SSN ": "900-55-1234"}',
        '{"date_of_birth": "1900-01-01", "Date Of Birth": "1900", "social-security-number": 900}',
        "<error><candidate><SSN>900-55-1234</SSN></candidate></error>",
        "<a:Address type='home'><Street>900 Canary Row</Street></a:Address>",
        '<person ssn="900-55-1234"/>',
        "<SSN>900-55-1234",
        "Name=Canaria&SSN=900-55-1234&x=1",
        "Candidate Canaria, SSN: 900-55-1234",
        "{SSN: '900-55-1234'}",
        "{'ssn': '900-55-1234'}",
    ],
)
def test_masking_finds_its_keys_in_broken_bodies_too(body: str) -> None:
    for raw in (body.encode(), body.encode("utf-16"), body.encode("utf-16-be"), b"\xff" + body.encode()):
        found = report(raw)
        kept = (found.text or "").encode() + found.raw
        assert b"900" not in kept.replace(b"\0", b"")
        assert b"***" in kept


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (r'{"data": "{\"SSN\": 5, \"x\": 1}", "b": 2}', r'{"data": "{\"SSN\": ***", "b": 2}'),
        (r'{"a": [{"S\u0053N": [5, 6]}], "b": 2}', r'{"a": [{"S\u0053N": "***"}], "b": 2}'),
        (r'{"\u0073sn": 5, "SSN": "x", "b": 2}', r'{"\u0073sn": "***", "SSN": "***", "b": 2}'),
    ],
)
def test_what_stands_beside_a_masked_value_stays(text: str, masked: str) -> None:
    assert mask(text, KEYS) == masked


def test_what_cannot_be_read_is_masked_to_the_end() -> None:
    assert mask('{"a": 1, "SSN": tru, "b": 2}', KEYS) == '{"a": 1, "SSN": "***"'


def test_a_body_of_backslashes_is_looked_through_once() -> None:
    text = '{"a": "' + "\\" * 2_000_000 + '", "SSN": 900}'
    assert mask(text, KEYS) == text.replace("900", '"***"')


def test_of_a_text_that_is_no_json_only_the_values_go() -> None:
    found = report(b"<error><id>7</id><SSN>900-55-1234</SSN><code>E17</code></error>")
    assert found.text == "<error><id>7</id><SSN>***</SSN><code>E17</code></error>"
    assert report(b"ssn=900-55-1234&code=E17").text == "ssn=***&code=E17"
    assert report(b"ssn=900-55-1234&code=E17&dob=1900-01-01&x=1").text == "ssn=***&code=E17&dob=***&x=1"


def test_a_text_of_unclosed_tags_is_looked_through_once() -> None:
    assert mask_words("<SSN " * 400_000, KEYS) == "<SSN " * 400_000
    assert mask_words("SSN" + " " * 2_000_000 + "x", KEYS).endswith("x")


@pytest.mark.parametrize(
    "body",
    [
        "{ssn: '900-55-1234', status: 'Failed'}",
        "{ssn: '900-55-1234', status: ",
        '{"error": "E17"}\nSSN=900-55-1234',
        "person[ssn]=900-55-1234&x=1",
        "person%5BSSN%5D=900-55-1234",
        "dob: 1900-01-01",
    ],
)
@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
@pytest.mark.parametrize("coding", ["utf-8", "utf-16", "utf-32-le"])
def test_what_only_begins_like_json_is_masked_as_text_whoever_sent_it(
    body: str, status: int, kind: str, coding: str
) -> None:
    raw = body.encode(coding) if coding != "utf-8" else body.encode() + b"\xff"
    for sent in (body.encode(coding), raw):
        headers = {"content-type": kind}
        found = examined("zinc", "results", "z1", sent, http_status=status, headers=headers)
        assert b"900" not in ((found.text or "").encode() + found.raw).replace(b"\0", b"")


def test_what_came_whole_of_a_feed_is_kept_whatever_follows_it() -> None:
    found = examined("hireright", "status_updates", None, b'[{"orderId": "7", "orderStatus": "Completed"}, \0\0')
    assert [message.check_id for message in found.messages] == ["7"]


@pytest.mark.parametrize(
    "key",
    ["dob", "birth_date", "DriverLicenseNum", "driversLicense", "driving-licence-number", "driver licence number"],
)
def test_a_key_that_is_never_stored_has_many_names(key: str) -> None:
    assert "900" not in mask(json.dumps({key: "900-55-1234"}), masked_keys(vendor("zinc")))


@pytest.mark.parametrize("slug", sorted(all_vendors()))
def test_what_nobody_has_a_use_for_is_masked_of_every_vendor(slug: str) -> None:
    text = '{"ssn": "900-55-1234", "person": {"date_of_birth": "1900-01-01", "name": "Canaria"}}'
    masked = '{"ssn": "***", "person": {"date_of_birth": "***", "name": "Canaria"}}'
    assert mask(text, masked_keys(vendor(slug))) == masked


def test_keys_that_only_contain_a_masked_name_are_left_alone() -> None:
    text = '{"SSNs": 1, "xSSN": 2, "text": "SSN: 5", "EmailAddress": "x"}'
    assert mask(text, KEYS) == text


def test_a_declaration_that_cannot_be_masked_is_refused() -> None:
    with pytest.raises(ValueError, match=r"candidate\.ssn"):
        masked_keys(replace(vendor("goodhire"), never_store=("candidate.ssn",)))


def masked_tree(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: MASK if k.strip().lower() in {"ssn", "address"} else masked_tree(v) for k, v in value.items()}
    return [masked_tree(item) for item in value] if isinstance(value, list) else value


names = st.sampled_from(["SSN", "ssn", " SSN ", "Address", "a", "x\\", 'q"', ":", "é", "\n"]) | st.text(max_size=3)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(['"', "\\", '\\"', ":"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


@given(trees, st.booleans(), st.sampled_from([None, 1]))
@settings(max_examples=500)
def test_masking_the_text_is_masking_the_tree(tree: Any, is_ascii: bool, indent: int | None) -> None:
    text = json.dumps(tree, ensure_ascii=is_ascii, indent=indent)
    assert json.loads(mask(text, KEYS)) == masked_tree(tree)


# ── any bytes at all ─────────────────────────────────────────────────────────────────────────────────────

junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["", "New", "Completed", 401, "\ud800", "a1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed_value = copy.copy(value)
    changed_value[path[0]] = put(value[path[0]], path[1:], new)
    return changed_value


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, str, str | None, bytes]:
    """An answer of any vendor with something put in the place of something else, and its bytes damaged."""
    slug, endpoint, check_id, body = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(0, 2))):
        body = put(body, draw(st.sampled_from(places(body))), draw(junk))
    raw = json.dumps(body, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    for _ in range(draw(st.integers(0, 1))):
        at = draw(st.integers(0, len(raw)))
        end = draw(st.integers(at, min(len(raw), at + 8)))
        raw = raw[:at] + draw(st.binary(max_size=4) | st.sampled_from([b'"', b"{", b"\\", b"\0"])) + raw[end:]
    return slug, endpoint, check_id, raw[: draw(st.integers(0, len(raw)) | st.just(len(raw)))]


@given(mutated())
@settings(max_examples=3000)
def test_any_bytes_are_either_accepted_or_refused_with_a_reason(
    case: tuple[str, str, str | None, bytes],
) -> None:
    slug, endpoint, check_id, raw = case
    found = examined(slug, endpoint, check_id, raw)
    reasons = [found.reject, *(reason for _, reason in found.message_rejects)]
    assert all(reason in (None, *REASONS) for reason in reasons)
    assert not (found.reject and found.messages)
    assert not (found.is_verbatim and len(found.messages) != 1)
    assert (found.text is None) == bool(found.raw) or not raw
    for message in found.messages:
        assert message.subject in all_vendors()[slug].records
        assert check_id in (None, message.check_id)
    if slug == "goodhire" and f'"SSN": "{SSN}"'.encode() in raw:
        assert SSN not in (found.text or found.raw.decode("latin-1"))


@given(st.lists(st.sampled_from([ORDER, I9]) | junk, max_size=5))
@settings(max_examples=500)
def test_accepted_and_refused_messages_of_a_feed_are_all_that_were_given(updates: list[Any]) -> None:
    raw = json.dumps(updates).encode("utf-8", "surrogatepass")
    found = examined("hireright", "status_updates", None, raw)
    if found.reject is None:
        told = [update for update in updates if update is not None]
        assert len(found.messages) + len(found.message_rejects) == len(told)


@pytest.mark.parametrize("declared", list(all_vendors().values()), ids=list(all_vendors()))
def test_every_declaration_can_be_masked(declared: Vendor) -> None:
    assert all(key.isalnum() for key in masked_keys(declared))
