"""The clock: instants may stand still, running time never does."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from screening_pipeline.base.clock import ManualClock, StandingClock, SystemClock, system_clock
from screening_pipeline.base.errors import ConfigurationError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_without_a_fixed_instant_the_clock_is_the_machines_in_utc() -> None:
    clock = system_clock({})
    assert type(clock) is SystemClock
    assert clock.now().utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["2026-03-01T12:00:00Z", "2026-03-01T23:00:00+11:00", " 2026-03-01T12:00Z "])
def test_a_fixed_instant_is_read_in_any_offset_and_told_in_utc(text: str) -> None:
    now = system_clock({"SCREENING_NOW": text}).now()
    assert now == NOON
    assert now.utcoffset() == timedelta(0)


def test_under_a_fixed_instant_running_time_goes_on() -> None:
    clock = system_clock({"SCREENING_NOW": "2026-03-01T12:00:00Z"})
    began = clock.monotonic()
    clock.sleep(0.01)
    asyncio.run(clock.asleep(0.01))
    assert clock.monotonic() - began >= 0.02
    assert clock.now() == NOON


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("yesterday", "not an ISO 8601 instant"),
        ("2026-13-01T00:00:00Z", "not an ISO 8601 instant"),
        ("2026-03-01T12:00:00", "no offset"),
        ("2026-03-01", "no offset"),
        ("0001-01-01T00:00:00+14:00", "not in the years 2000 to 2099"),
        ("0001-01-01T00:00:00Z", "not in the years 2000 to 2099"),
        ("1999-12-31T23:59:59Z", "not in the years 2000 to 2099"),
        ("2100-01-01T00:00:00Z", "not in the years 2000 to 2099"),
        ("9999-12-31T23:59:59-14:00", "not in the years 2000 to 2099"),
    ],
)
def test_an_instant_that_is_none_is_a_configuration_error_naming_the_variable(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as caught:
        system_clock({"SCREENING_NOW": text})
    assert caught.value.exit_code == 2
    assert "SCREENING_NOW" in str(caught.value)


def test_an_empty_fixed_instant_counts_as_none() -> None:
    assert type(system_clock({"SCREENING_NOW": " "})) is SystemClock


def test_a_standing_clock_takes_an_instant_of_any_zone() -> None:
    local = NOON.astimezone().replace()
    assert StandingClock(local).now() == NOON


def test_waiting_moves_both_times_of_a_manual_clock() -> None:
    clock = ManualClock(NOON, monotonic=10.0)
    clock.sleep(60)
    asyncio.run(clock.asleep(30))
    assert clock.now() == NOON + timedelta(seconds=90)
    assert clock.monotonic() == 100.0


def test_a_manual_clock_never_goes_back() -> None:
    clock = ManualClock(NOON)
    clock.advance(-5)
    assert (clock.now(), clock.monotonic()) == (NOON, 0.0)


def test_waiting_a_negative_time_is_no_wait() -> None:
    SystemClock().sleep(-1)
    asyncio.run(SystemClock().asleep(-1))
    assert SystemClock().monotonic() > 0
