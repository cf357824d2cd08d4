"""A bucket, and a database, that are gone for long: what goes on, what waits, what is told, and how it comes back."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from screening_pipeline.sandbox.handle import running_sandbox
from screening_pipeline.sandbox.server import VIRTUAL_EPOCH
from screening_pipeline_tests.support.end_to_end_world import dagster_words
from screening_pipeline_tests.support.object_store import ObjectStore, object_store
from screening_pipeline_tests.support.postgres import Server, free_port
from screening_pipeline_tests.support.sharing import Machine, machines_at
from screening_pipeline_tests.support.soak_world import MESSAGE, PUSHED, TOKEN
from screening_pipeline_tests.test_machines import ASKED, TOLD, House, _alone, ended, said, synced

pytestmark = [pytest.mark.cluster, pytest.mark.slow, dagster_words, pytest.mark.timeout(1800)]

DAY = VIRTUAL_EPOCH + timedelta(days=20)


@dataclass
class Outage:
    """A machine whose orders, pieces and lakes are all in one store, with its receiver."""

    house: House
    machine: Machine
    store: ObjectStore
    port: int

    def said_by(self, *words: str) -> tuple[int, str]:
        """The exit code of a command, and what it said."""
        before = len(said(self.machine))
        return ended(self.machine.start("screening_pipeline", *words), self.machine), said(self.machine)[before:]

    def push(self) -> int:
        """Push a message to the receiver; what it answers, once it does."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        until = time.monotonic() + 60
        while True:
            try:
                with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=40)) as connection:
                    connection.request("POST", f"/webhooks/workable/{PUSHED}", MESSAGE, headers)
                    return connection.getresponse().status
            except ConnectionRefusedError:
                assert time.monotonic() < until, said(self.machine)[-3000:]
                time.sleep(0.2)


@pytest.fixture
def outage(tmp_path: Path, postgres_server: Server) -> Iterator[Outage]:
    with (
        object_store() as store,
        running_sandbox(seed=7, checks=40, epoch=VIRTUAL_EPOCH, days=30, virtual=True, limit_factor=None) as sandbox,
    ):
        sandbox.set_clock(DAY)
        environ, bucket, port = dict(store.environ), store.new_bucket(f"outage-{uuid4().hex}"), free_port()
        (tmp_path / "orders").mkdir()
        lines = "".join(json.dumps(row) + "\n" for row in sandbox.orders(until=DAY))
        (tmp_path / "orders" / "orders.ndjson").write_text(lines)
        store.put(bucket, "orders/orders.ndjson", lines.encode())
        places = (f"{bucket}landing", f"{bucket}orders")
        machine = machines_at(tmp_path, sandbox.url, postgres_server, environ, *places)["two"]
        file = machine.folder / "screening.toml"
        for name in ("live", "shown"):
            file.write_text(file.read_text().replace(f'"{tmp_path / name}"', f'"{bucket}{name}/"'))
        with file.open("a") as written:
            written.write('\n[operations]\nstale_after = "1s"\n')
        alone = _alone(tmp_path, sandbox.url, tmp_path / "orders")
        state = environ["SCREENING_STATE_URL"]
        house = House(tmp_path, {"two": machine}, alone, sandbox, postgres_server, state)
        receiver = machine.start("screening_pipeline", "webhooks", "--port", str(port))
        try:
            yield Outage(house, machine, store, port)
        finally:
            receiver.terminate()
            receiver.wait(30)


def test_a_bucket_and_then_a_database_that_are_gone_stop_what_needs_them_and_lose_nothing(outage: Outage) -> None:
    house, machine = outage.house, outage.machine
    synced(machine, 1)
    house.sandbox.set_clock(DAY + timedelta(days=4))
    outage.store.stop()
    asked = sum(house.sandbox.stats()["requests"].values())
    code, told = outage.said_by("sync", "--full")
    assert (code, "cannot be reached" in told) == (3, True), told
    assert any(key in told for key in ("orders.url", "landing.url", "warehouse.data_path")), told
    waiting = house.count("inbox")
    assert waiting > 10, "vendors are asked, and what they say is landed"
    assert sum(house.sandbox.stats()["requests"].values()) > asked
    assert outage.push() == 200
    assert outage.said_by("sync", "--full")[0] == 3
    assert house.count("inbox") > waiting, "it goes on as long as it takes"
    code, told = outage.said_by("status")
    assert (code, "answers have waited for up to" in told, "cannot be read" in told) == (1, True, True), told
    code, told = outage.said_by("doctor")
    assert (code, "landing.url" in told, "inbox" in told, "mistake" in told) == (1, True, True, False), told
    outage.store.start()
    _lose_the_database(outage)
    synced(machine, 1)
    assert house.count("inbox") == 0
    assert "answers have waited" not in outage.said_by("status")[1]
    synced(machine, 1)
    synced(house.alone, 2)
    known = {*house.rows(house.alone, TOLD)}
    assert len(known) > 20
    assert known <= {*house.rows(machine, TOLD)}, "the feed has told it of more, while it was its own"
    found = house.rows(machine, ASKED)
    assert len({response_id for _, response_id in found}) == len(found) > waiting
    assert "mistake of this program" not in said(machine)


def _lose_the_database(outage: Outage) -> None:
    house, waiting = outage.house, outage.house.count("inbox")
    house.server.stop()
    try:
        asked = sum(house.sandbox.stats()["requests"].values())
        for command in ("sync", "status"):
            code, told = outage.said_by(command)
            assert (code, "_URL" in told, "refused" in told, "of-a-test" in told) == (3, True, True, False), told
        assert sum(house.sandbox.stats()["requests"].values()) == asked, "nobody is asked without the limits"
        assert outage.push() == 503, "who pushes sends it again"
    finally:
        house.server.start()
    assert outage.push() == 200
    assert house.count("inbox") == waiting + 1
