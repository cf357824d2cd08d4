"""Bodies, headers and waits, as far as they may be believed."""

from __future__ import annotations

import gzip
import random
import tracemalloc
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening_pipeline.http.wire import LONGEST_SILENCE, Body, BrokenAnswer, instant, kept, retry_after

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def read(raw: bytes, encoding: str = "gzip", limit: int = 10_000, piece: int = 7) -> bytes:
    body = Body(encoding, limit)
    for start in range(0, len(raw), piece):
        body.feed(raw[start : start + piece])
    return body.finish()


@given(content=st.binary(max_size=500), piece=st.integers(1, 600), members=st.integers(1, 3))
def test_a_compressed_body_is_the_same_however_it_is_cut(content: bytes, piece: int, members: int) -> None:
    cuts = [content[at::members] for at in range(members)]
    raw = b"".join(gzip.compress(cut, mtime=0) for cut in cuts)
    assert read(raw, piece=piece) == b"".join(cuts)


@given(content=st.binary(max_size=500), lost=st.integers(1, 30))
def test_a_compressed_body_without_its_end_is_truncated(content: bytes, lost: int) -> None:
    raw = gzip.compress(content, mtime=0)[:-lost]
    if raw:
        with pytest.raises(BrokenAnswer, match="truncated"):
            read(raw)


@given(raw=st.binary(max_size=300), encoding=st.sampled_from(["", "gzip", "identity", "x-gzip", "br"]))
def test_whatever_bytes_come_there_is_a_body_or_a_code(raw: bytes, encoding: str) -> None:
    outcome: bytes | str
    try:
        outcome = read(raw, encoding, limit=200)
    except BrokenAnswer as problem:
        outcome = problem.code
    assert outcome in {"truncated", "too_large", "encoding"} or len(outcome) <= 200


def test_a_bomb_is_dropped_before_it_is_inflated() -> None:
    bomb = gzip.compress(b"0" * 50_000_000, mtime=0)
    body = Body("gzip", 1_000)
    tracemalloc.start()
    with pytest.raises(BrokenAnswer, match="too_large"):
        body.feed(bomb)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1_000_000


def test_many_empty_members_count_as_the_bytes_they_are() -> None:
    empty = gzip.compress(b"", mtime=0)
    with pytest.raises(BrokenAnswer, match="too_large"):
        read(empty * 600, piece=64)


def test_a_body_just_at_the_limit_is_read() -> None:
    content = random.Random(1).randbytes(5_000)
    assert read(content, "", limit=5_000) == content
    assert read(gzip.compress(bytes(5_000), mtime=0), limit=5_000) == bytes(5_000)


def test_an_empty_body_is_empty_in_any_coding() -> None:
    assert read(b"") == read(b"", "") == b""


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "gzip,identity", "zstd", "compress"])
def test_a_coding_that_was_not_asked_for_is_refused(encoding: str) -> None:
    with pytest.raises(BrokenAnswer, match="encoding"):
        Body(encoding, 100)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "60"}, 60.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0.2"}, 1.0),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-0"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "+5"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "1_000"}, None),
        ({"retry-after": "٦٠"}, None),
        ({"retry-after": "60 s"}, None),
        ({"retry-after": "60, 120"}, None),
        ({"retry-after": "86400"}, LONGEST_SILENCE),
        ({"retry-after": "Mon, 02 Mar 2026 09:01:00 GMT"}, 60.0),
        ({"retry-after": "Mon, 02 Mar 2026 10:01:00 +0100"}, 60.0),
        ({"retry-after": "Monday, 02-Mar-26 09:01:00 GMT"}, 60.0),
        ({"retry-after": "Mon, 02 Mar 2026 08:00:00 GMT"}, None),
        ({"retry-after": "Mon, 02 Mar 2026 09:00:00 GMT"}, None),
        ({"retry-after": "Mon, 02 Mar 2026 09:01:00 GMT", "date": "Mon, 02 Mar 2026 10:00:00 GMT"}, None),
        ({"retry-after": "Mon, 02 Mar 2026 25:00:00 GMT"}, None),
        (
            {"retry-after": "Mon, 02 Mar 2026 08:01:00 GMT", "date": "Mon, 02 Mar 2026 08:00:00 GMT"},
            60.0,
        ),
        ({"retry-after": "Mon, 02 Mar 2026 09:01:00 GMT", "date": "yesterday"}, 60.0),
    ],
    ids=str,
)
def test_retry_after_is_read_as_seconds_or_as_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@given(text=st.text(max_size=40))
def test_no_retry_after_can_break_the_client(text: str) -> None:
    seconds = retry_after({"retry-after": text, "date": text}, NOW)
    assert seconds is None or 1.0 <= seconds <= LONGEST_SILENCE


def test_a_date_without_a_zone_is_utc() -> None:
    assert instant("Mon, 02 Mar 2026 09:00:00 -0000") == NOW


def test_headers_are_kept_by_a_short_list_and_cut_to_a_length() -> None:
    given_headers = [
        ("Content-Type", "application/json"),
        ("X-RateLimit-Reset", "9" * 500),
        ("Authorization", "canary"),
        ("Set-Cookie", "canary"),
        ("X-Request-Id", "r-1"),
    ]
    assert kept(given_headers) == {
        "content-type": "application/json",
        "x-ratelimit-reset": "9" * 200,
        "x-request-id": "r-1",
    }
