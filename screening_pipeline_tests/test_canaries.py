"""A person and a secret in every place that input can reach, of every vendor: where they may stand, how they go."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from screening_pipeline.cycle.erase import erase_candidate
from screening_pipeline.domain.exchange import HttpExchange, new_response_id
from screening_pipeline.health import metrics
from screening_pipeline.health.status import status_report
from screening_pipeline.http import wire
from screening_pipeline.landing.area import Landing
from screening_pipeline.notify.troubles import troubles
from screening_pipeline.orchestration import runs
from screening_pipeline.orchestration.instance import instance
from screening_pipeline.vendors import all_vendors
from screening_pipeline_tests.support.end_to_end_world import dagster_words
from screening_pipeline_tests.support.stage import channel_of
from screening_pipeline_tests.test_erasure import PERSON, House, house_in
from screening_pipeline_tests.test_previews import FREE, changed, texts
from screening_pipeline_tests.test_vendor_examples import EXAMPLES, NAMES, asked

pytestmark = [dagster_words, pytest.mark.slow, pytest.mark.timeout(600)]

SECRET = "a-secret-of-an-account-0123456789"
WORDS = ("CANARY Testperson", "7 Canary Row", "900-12-3456", "canary.t@example.invalid")
TOLD = " ".join((*WORDS, SECRET))
ALLOWED = {"landing", "orders", "warehouse.duckdb", "published", "state.sqlite", "state.sqlite-wal"}
"""What of a data folder may hold what a vendor wrote: bodies, its words, and the ids of checks."""


def spoiled(body: Any) -> Iterator[Any]:
    """The body again and again, each time with the canaries in another place; at last under a key and in its name."""
    for place in texts(body):
        yield changed(body, place, TOLD)
    if isinstance(body, dict):
        yield {**body, TOLD: TOLD}


class Told:
    """A data folder into which everybody wrote the canaries, and all that was said of it."""

    def __init__(self, folder: Path) -> None:
        house = house_in(folder)
        secret = Landing(
            house.work.settings.paths.landing,
            vendors=all_vendors(),
            spool_key=b"spool key of a test",
            secrets=[SECRET],
            clock=house.clock,
        )
        self.house = House(replace(house.work, landing=secret), house.clock)
        self.said = io.StringIO()

    def land(self, slug: str, call: str, body: Any, *, status: int | None = 200, **given: Any) -> None:
        self.house.clock.advance(1)
        now = self.house.clock.now()
        self.house.work.landing.receive(
            HttpExchange(
                response_id=new_response_id(now, self.house.clock.monotonic()),
                vendor=slug,
                account="main",
                endpoint=call,
                channel=channel_of(slug, call),
                requested_at=now - timedelta(seconds=1),
                received_at=now,
                run_id="test",
                http_status=status,
                headers=wire.kept(self._headers(is_about_somebody="check_id" in given).items()),
                latency_ms=1,
                body=body if isinstance(body, bytes) else json.dumps(body).encode(),
                **given,
            )
        )

    def _headers(self, *, is_about_somebody: bool) -> dict[str, str]:
        told = TOLD if is_about_somebody else SECRET
        return {
            "Content-Type": f"application/json; by={told}",
            "X-Request-Id": told,
            "Set-Cookie": told,
            "Location": told,
        }

    def land_all(self) -> None:
        """Every example of every vendor with the canaries in every place, and in what cannot be read.

        What an account's packages are called is nobody's.
        """
        for name in NAMES:
            slug, _, case = name.partition("/")
            call = case.split(".")[0]
            if call == "packages":
                continue
            body = json.loads((EXAMPLES / f"{name}.payload.json").read_text(encoding="utf-8"))
            whom: dict[str, Any] = asked(slug, call, case, body if isinstance(body, dict) else {})
            for one in spoiled(body):
                self.land(slug, call, one, **whom)
            for status, broken in BROKEN:
                self.land(slug, call, broken, status=status, **whom)

    def order_all(self) -> None:
        """Every check that anything is known of is the person's, and every field of its order says so."""
        known = self.house.rows("select distinct vendor, account, subject, check_id from raw.check")
        told = " ".join(WORDS)
        tags = {told: told, "ssn": WORDS[2]}
        free = {**dict.fromkeys(FREE, told), "candidate_ref": PERSON, "tags": tags}
        self.house.order(*({**row, **free} for row in known))
        theirs = {"vendor": "zinc", "candidate_ref": PERSON}
        dated, odd = {"check_id": "dated", "ordered_at": f"by {told}"}, {"check_id": "odd", told: told}
        self.house.order({**theirs, **dated}, {**theirs, **odd})
        cells = ",".join(f'"{told}"' for _ in FREE)
        rows = (
            f"vendor,check_id,{','.join(FREE)}",
            f'"{told}",csv-1,{cells}',
            f'zinc,"{told}\t",{cells}',
            "zinc,csv-2,x",
        )
        (self.house.data / "orders" / "odd.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")

    def run(self) -> None:
        """A cycle, a rebuild and the daily report, as Dagster runs them, with every log at its most talkative."""
        logging.getLogger().addHandler(handler := logging.StreamHandler(self.said))
        level = logging.getLogger().level
        logging.getLogger().setLevel(logging.DEBUG)
        try:
            with contextlib.redirect_stdout(self.said), contextlib.redirect_stderr(self.said):
                self.house.cycle()
                with instance(self.house.work.settings.paths) as recorded:
                    runs.rebuild(self.house.work, recorded)
                    runs.daily_report(self.house.work, recorded)
        finally:
            logging.getLogger().removeHandler(handler)
            logging.getLogger().setLevel(level)

    def monitored(self) -> str:
        """What leaves the machine: metrics, and what somebody is told."""
        work = self.house.work
        found = status_report(work.settings, {}, self.house.clock)
        return metrics.exposition(found).decode() + str(troubles(found, work.settings, None))

    def in_dagster(self) -> str:
        text = ""
        for file in self.house.work.settings.paths.dagster.rglob("*.db"):
            with contextlib.closing(sqlite3.connect(file)) as storage:
                text += "\n".join(storage.iterdump())
        return text


BROKEN = (
    (200, f"<html>{TOLD}</html>".encode()),
    (200, f'{{"error": "{TOLD}", "status": '.encode()),
    (200, TOLD.encode("utf-16")),
    (404, json.dumps({"message": TOLD}).encode()),
    (500, TOLD.encode()),
)


@pytest.fixture
def told(tmp_path: Path) -> Told:
    told = Told(tmp_path / "data")
    told.land_all()
    told.house.cycle()
    told.order_all()
    told.run()
    return told


def words_in(text: str, *more: str) -> list[str]:
    return [word for word in (*WORDS, *more) if word in text]


def test_people_stand_where_it_is_said_until_they_are_erased_and_secrets_nowhere(told: Told) -> None:
    held = told.house.mentions(*WORDS)
    assert any(place.startswith("landing/") for place in held)
    files = [place for place in held if (told.house.data / place).is_file()]
    places = {(told.house.data / place).relative_to(told.house.data).parts[0] for place in files}
    assert places <= ALLOWED
    assert "published star.fact_check" in held
    assert words_in(told.said.getvalue(), SECRET) == []
    assert words_in(told.monitored(), SECRET) == []
    assert words_in(told.in_dagster(), SECRET) == []
    assert told.house.mentions(SECRET) == []

    assert erase_candidate(told.house.work, PERSON) is not None
    told.run()
    assert told.house.mentions(*WORDS, PERSON) == []
    assert words_in(told.said.getvalue() + told.monitored() + told.in_dagster(), SECRET, PERSON) == []
    assert told.house.broken_rules() == []
    told.house.rebuild()
    told.house.cycle()
    assert told.house.mentions(*WORDS, PERSON) == []
