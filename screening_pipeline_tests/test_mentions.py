"""Whoever was erased is found in a text that nobody could read, however their id is written there."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from screening_pipeline.landing.mentions import names_any, possible_ids

IDS = ["4711", "req_12-b", "2024/001", "acme:check:7", "Jörg 7", "a.b.c.d"]


@pytest.mark.parametrize("check_id", IDS)
@pytest.mark.parametrize(
    "text",
    [
        '{{"id": "{}"}}',
        '{{"id": "{}", ',
        "no such check: {}, try again",
        "<p>{}</p>",
        "https://vendor.example/checks/{}?x=1",
        '{{"data": "{{\\"id\\": \\"{}\\"}}"}}',
    ],
)
def test_an_id_is_found_in_whatever_surrounds_it(check_id: str, text: str) -> None:
    said = text.format(check_id)
    assert check_id in possible_ids(said)
    assert names_any(said, ["other", check_id])
    assert not names_any(said, ["other"])


@pytest.mark.parametrize("check_id", [*IDS, "𝕏-1"])
def test_an_id_is_found_as_json_and_addresses_escape_it(check_id: str) -> None:
    in_json = json.dumps({"id": check_id}).replace("/", "\\/")
    in_address = f"/checks/{quote(check_id, safe='')}/report"
    for said in (in_json, in_address, in_json[:-1]):
        assert check_id in possible_ids(said)
        assert names_any(said, [check_id])


def test_what_stands_between_quotes_is_found_whatever_it_is() -> None:
    assert "{9f-1} of (a) b-c d e f g" in possible_ids('{"id": "{9f-1} of (a) b-c d e f g"')


def test_a_longer_word_is_another() -> None:
    assert not names_any("77 and 7-7", ["7"])
    assert "7" not in possible_ids("77 and 7-7")


def test_a_text_is_looked_through_once() -> None:
    for text in ("\\" * 2_000_000, '"' * 2_000_000, "%" * 1_000_000, "a" * 2_000_000, "\\ud800" * 300_000):
        assert len(possible_ids(text)) < 10
        assert not names_any(text, ["x"])
