"""What is due stays due, counted at a real server: cycles at irregular distances, each a Dagster run."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from screening_pipeline.base.sql_text import quote
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.orchestration import runs
from screening_pipeline.warehouse import session
from screening_pipeline_tests.support.end_to_end_world import Play, dagster_words, playing

pytestmark = [dagster_words, pytest.mark.timeout(900)]

DISTANCES = (0.01, 0.04, 0.2, 0.7, 1.0, 1.3, 3.0, 6.5)
"""In days: a quarter of an hour, an hour, a night, a week."""
CYCLES = 8


@pytest.mark.parametrize("seed", [1, 2])
def test_over_random_cycles_none_that_is_due_is_missed_and_none_that_ended_is_asked(tmp_path: Path, seed: int) -> None:
    draw, day, counted = Random(seed), 1.0, 0
    with playing(tmp_path, checks=40, days=10) as played:
        for _ in range(CYCLES):
            day += draw.choice(DISTANCES)
            played.wake(day)
            due = _due(played)
            before = played.sandbox.stats()["by_check"]
            played.outcomes.append(runs.sync(played.runtime, played.instance))
            after = played.sandbox.stats()["by_check"]
            asked = {check for check, calls in after.items() if calls > before.get(check, 0)}
            assert due - asked - _told(played) == set()
            counted += len(due)
        assert played.sandbox.stats()["after_over"] == {}
        assert [outcome.failed_checks for outcome in played.outcomes] == [()] * CYCLES
    assert counted > 30


def _due(played: Play) -> set[str]:
    """What the snapshot says is to be asked by now, and what was announced and never seen."""
    if not played.paths.published.exists():
        return set()
    now = quote(played.clock.now().isoformat())
    rows = played.rows(
        f"select concat_ws('/', vendor, subject, check_id) as name from star.fact_check where next_pull_at <= {now}"
    )
    return {row["name"] for row in rows}


def _told(played: Play) -> set[str]:
    """What the feed told of in this cycle."""
    now = quote(played.clock.now().isoformat())
    query = (
        "select distinct concat_ws('/', c.vendor, c.subject, c.check_id) as name from staging.observation as o "
        "inner join raw.check as c on o.check_key = c.check_key "
        f"where o.channel = 'feed' and o.received_at >= {now}::timestamptz - interval 1 minute"
    )
    with open_warehouse(played.runtime) as connection:
        return {row["name"] for row in session.rows(connection, query)}
