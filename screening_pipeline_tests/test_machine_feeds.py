"""A feed's call on whose way a machine dies, fetcher and all: another machine goes on, and the gap is on record."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from screening_pipeline.sandbox.faults import FEED
from screening_pipeline_tests.support.end_to_end_world import dagster_words
from screening_pipeline_tests.support.loopback import Asked, Loopback, Reply, serving
from screening_pipeline_tests.support.plain_feed import fetchers
from screening_pipeline_tests.support.sharing import Machine
from screening_pipeline_tests.test_machines import ASKED, TOLD, House, ended, house, said, synced

__all__ = ("house",)  # the fixture
pytestmark = [pytest.mark.cluster, pytest.mark.slow, dagster_words, pytest.mark.timeout(1800)]

GAPS = "select gap_id, account, reason, salvaged, settled_at is not null from ops.feed_gap"
LOST_AFTER = 91.0


@contextmanager
def hanging(url: str, is_handed_out: threading.Event) -> Iterator[Loopback]:
    """A way to the sandbox that passes half of an answer of the feed on, and then nothing, with the line open."""

    def answering(asked: Asked) -> Reply:
        status, headers, body = _passed_on(url, asked)
        if FEED not in asked.target or status != 200:
            return Reply(status, body, headers)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return Reply(pieces=half(head.encode() + body[: len(body) // 2]))

    def half(piece: bytes) -> Iterator[bytes | float]:
        yield piece
        is_handed_out.set()
        yield 600.0

    with serving(answering) as server:
        yield server


def _passed_on(url: str, asked: Asked) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    kept = {name: value for name, value in asked.headers.items() if name not in ("host", "connection")}
    connection.request(asked.method, asked.target, asked.body or None, kept)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    dropped = ("content-length", "transfer-encoding", "connection", "date", "server")
    return answer.status, {name: value for name, value in answer.getheaders() if name.lower() not in dropped}, body


def test_what_a_feed_handed_to_a_machine_that_died_is_a_gap_that_another_machine_makes_good(house: House) -> None:
    one, three = house.machines["one"], house.machines["three"]
    is_handed_out = threading.Event()
    with hanging(house.sandbox.url, is_handed_out) as server:
        _lead(one, house.sandbox.url, server.url)
        doomed = one.start("screening_pipeline", "sync")
        _await(is_handed_out, doomed, one)
        died = _kill(doomed, one)
    assert house.count("call") == 1
    landed = house.count("inbox")
    synced(three, 1)
    took_over = time.monotonic() - died
    assert house.rows(three, GAPS) == [], "it may come back yet"
    _lead(one, server.url, house.sandbox.url)
    _let_pass(house, died)
    synced(three, 1)
    ((gap, account, reason, salvaged, is_made_good),) = house.rows(three, GAPS)
    assert (account, reason, salvaged, is_made_good) == ("sandbox", "interrupted", 0, True)
    assert house.count("gap") == 0, "every open check was asked for by its id"
    assert ended(three.start("screening_pipeline", "status"), three) in (0, 1)
    assert "feed may have" in said(three), "a person is told"
    assert ended(three.start("screening_pipeline", "status", "--json"), three) in (0, 1)
    (told,) = (
        row for row in json.loads("[" + said(three).rpartition("\n[")[2]) if row["account"] == "hireright/sandbox"
    )
    assert (told["open_gaps"], told["last_gap_at"] is not None) == (0, True)
    assert took_over <= 90, "the account is asked by another machine"
    synced(one, 1)  # the machine comes back, with half an answer on its disk
    assert house.count("call") == 0
    ((same, *_, salvaged, is_made_good),) = house.rows(three, GAPS)
    assert (same, salvaged > 0, is_made_good) == (gap, True, True), "of which the messages that came whole are landed"
    synced(house.alone, 2)
    assert house.rows(three, TOLD) == house.rows(house.alone, TOLD)
    asked = house.rows(three, ASKED)
    assert len({response_id for _, response_id in asked}) == len(asked) > landed


def _lead(machine: Machine, from_: str, to: str) -> None:
    """Have the machine's HireRight account ask elsewhere."""
    file = machine.folder / "screening.toml"
    parts = file.read_text().split("\n[[accounts]]")
    file.write_text("\n[[accounts]]".join(part.replace(from_, to) if '"hireright"' in part else part for part in parts))


def _await(event: threading.Event, process: subprocess.Popen[bytes], machine: Machine) -> None:
    until = time.monotonic() + 180
    while not event.wait(0.1):
        assert time.monotonic() < until, said(machine)[-3000:]
        assert process.poll() is None, said(machine)[-3000:]


def _kill(process: subprocess.Popen[bytes], machine: Machine) -> float:
    """Everything that the machine runs dies at once; when that was."""
    fetching = fetchers(machine.folder)
    assert fetching, "it fetches"
    for pid in (process.pid, *fetching):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    return time.monotonic()


def _let_pass(house: House, died: float) -> None:
    """Wait until the call counts as lost; with REAL_TIME set in earnest, else by having been made earlier."""
    if os.environ.get("REAL_TIME"):
        time.sleep(max(0.0, died + LOST_AFTER - time.monotonic()))
        return
    earlier = f"update screening_landing.call set requested_at = requested_at - make_interval(secs => {LOST_AFTER})"
    house.server.say(earlier, house.state.rpartition("/")[2])
