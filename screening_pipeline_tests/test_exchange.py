"""An HTTP exchange: its id, which tells when it came, and whether it was answered."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from screening_pipeline.domain.exchange import HttpExchange, LandingReceipt, instant_of, new_response_id

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CALL = HttpExchange(
    response_id="x",
    vendor="zinc",
    account="uk",
    endpoint="results",
    channel="pull",
    requested_at=NOON,
    received_at=NOON,
    run_id="run",
)


@pytest.mark.parametrize("micros", [0, 1, 250_000, 999_999])
def test_an_id_tells_when_its_answer_came(micros: int) -> None:
    received = NOON + timedelta(microseconds=micros)
    told = new_response_id(received, 12.5)
    assert re.fullmatch(r"20260302T120000\d{6}Z-00000002e90edd00-[0-9a-f]{8}", told)
    assert instant_of(told) == received


def test_ids_sort_in_order_of_receipt_also_while_the_clock_stands_still() -> None:
    ids = [new_response_id(NOON, ticks) for ticks in (0.0, 0.5, 7.0, 1e6)]
    later = new_response_id(NOON + timedelta(microseconds=1), 0.0)
    assert sorted([later, *reversed(ids)]) == [*ids, later]
    assert new_response_id(NOON, 1.0) != new_response_id(NOON, 1.0)


@pytest.mark.parametrize(
    ("status", "failure", "is_success"),
    [
        (200, None, True),
        (299, None, True),
        (199, None, False),
        (300, None, False),
        (200, "truncated", False),
        (None, "timeout", False),
        (None, None, False),
    ],
)
def test_a_call_is_answered_by_a_2xx_that_came_whole(status: int | None, failure: str | None, is_success: bool) -> None:
    call = replace(CALL, http_status=status, failure=failure)
    assert call.is_success is is_success
    assert LandingReceipt(response_id="x", http_status=status, failure=failure).is_accepted is is_success


def test_an_answer_that_was_refused_is_not_accepted() -> None:
    assert not LandingReceipt(response_id="x", http_status=200, reject="empty").is_accepted
