"""The clock of the database, the same on every machine; and a way to it that shares no sessions is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from screening_pipeline.base import postgres
from screening_pipeline.base.clock import ManualClock, SystemClock
from screening_pipeline.base.errors import ConfigurationError, EnvironmentFailed
from screening_pipeline.state.postgres_locks import PostgresLocks
from screening_pipeline.state.postgres_store import PostgresStore
from screening_pipeline.state.shared_clock import MEASURED_EVERY_SECONDS, SharedClock
from screening_pipeline.warehouse.lake_catalogue import Catalogue
from screening_pipeline_tests.support import pooler
from screening_pipeline_tests.support.postgres import Server

pytestmark = pytest.mark.cluster
KEY = "SCREENING_STATE_URL"
NEAR = timedelta(seconds=0.25)


class Elsewhere(SystemClock):
    """Another machine: its wall clock is wrong, and it was started at another time."""

    def __init__(self, *, wrong_by: float, up_for: float) -> None:
        self._wrong_by, self._up_for = timedelta(seconds=wrong_by), up_for

    def now(self) -> datetime:
        return super().now() + self._wrong_by

    def monotonic(self) -> float:
        return super().monotonic() + self._up_for


def test_machines_whose_clocks_differ_agree_on_the_time(postgres_server: Server) -> None:
    store = PostgresStore(postgres_server.new_database(), KEY)
    here, there = (
        SharedClock(store, Elsewhere(wrong_by=wrong_by, up_for=up_for)) for wrong_by, up_for in ((30, 1e6), (-30, -5))
    )
    read = [clock.now() for clock in (here, there, here, there)]
    assert max(read) - min(read) < NEAR
    told = store.row("select clock_timestamp()")
    assert told is not None
    assert abs(told[0] - here.now()) < NEAR
    assert here.monotonic() - there.monotonic() == pytest.approx(1e6 + 5, abs=1)


def test_a_clock_goes_on_without_its_database_and_is_measured_again_where_it_can(postgres_server: Server) -> None:
    machine = ManualClock(datetime.now(UTC))
    store = PostgresStore(postgres_server.new_database(), KEY)
    clock = SharedClock(store, machine)
    begun = clock.now()
    machine.advance(3600)  # as if this machine's running time ran too fast
    assert abs(clock.now() - begun) < NEAR + timedelta(seconds=5), "it was measured anew"
    again = clock.now()
    store._url = postgres_server.url(port=1)
    store.close()
    machine.advance(MEASURED_EVERY_SECONDS + 1)
    assert clock.now() - again == timedelta(seconds=MEASURED_EVERY_SECONDS + 1)


def test_a_clock_that_is_too_far_off_is_told_and_so_is_a_database_that_is_gone(
    postgres_server: Server,
) -> None:
    store = PostgresStore(postgres_server.new_database(), KEY)
    with pytest.raises(EnvironmentFailed, match=rf"is \+400 s off that of the database \({KEY}\)"):
        SharedClock(store, Elsewhere(wrong_by=400, up_for=0))
    with pytest.raises(EnvironmentFailed, match=KEY):
        SharedClock(PostgresStore(postgres_server.url(port=1), KEY))


def test_what_a_database_says_of_an_address_or_a_value_is_not_told(postgres_server: Server) -> None:
    with pytest.raises(EnvironmentFailed, match=KEY) as found:
        postgres.connected("canary of a password", KEY)
    assert "canary" not in str(found.value)
    with postgres.connected(postgres_server.url(), KEY) as connection:
        with pytest.raises(EnvironmentFailed, match=f"{KEY}: InvalidTextRepresentation") as found, postgres.told(KEY):
            connection.execute("select 'canary'::integer")
        assert "canary" not in str(found.value)


@pytest.mark.skipif(pooler.PROGRAM is None, reason="pgbouncer is not installed")
def test_locks_through_a_pooler_that_lends_sessions_out_are_refused(postgres_server: Server) -> None:
    url = postgres_server.new_database()
    with pooler.pooling(postgres_server, "transaction") as port:
        locks = PostgresLocks(url.replace(f":{postgres_server.port}/", f":{port}/"), KEY)
        with pytest.raises(ConfigurationError, match=f"{KEY}: goes through a pooler .*pool_mode = session"):
            locks.hold("erasure").__enter__()
        lake = Catalogue(url.replace(f":{postgres_server.port}/", f":{port}/"), KEY)
        with pytest.raises(ConfigurationError, match=f"{KEY}: goes through a pooler"):
            lake.locked(clock=SystemClock(), wait_seconds=0).__enter__()
    with pooler.pooling(postgres_server, "session") as port:
        locks = PostgresLocks(url.replace(f":{postgres_server.port}/", f":{port}/"), KEY)
        with locks.hold("erasure"):
            assert PostgresLocks(url, KEY).is_held("erasure")
