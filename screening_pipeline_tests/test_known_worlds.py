"""Figures against worlds whose truth is known: what the views say after the pipeline has loaded what was seen."""

from __future__ import annotations

from statistics import mean
from typing import Any

import pytest

from screening_pipeline.runtime import forecast
from screening_pipeline.settings.settings import SlaTarget
from screening_pipeline_tests.support import known_world
from screening_pipeline_tests.support.known_world import DAY, Shape, World, seen

PROMISED_HOURS = 120
SEEDS = range(9001, 9005)


def turnaround(shape: Shape, seed: int) -> tuple[World, dict[str, Any]]:
    with seen(shape, seed) as (of, stage):
        (row,) = stage.rows("from analytics.turnaround")
        return of, row


@pytest.mark.parametrize(
    "shape",
    [
        Shape(vendor="goodhire", open_share=0.22),
        Shape(vendor="zinc", announced="daily", open_share=0.22),
        Shape(vendor="workerchecks", announced="two_hourly", looks="when_likely"),
    ],
    ids=lambda shape: shape.vendor,
)
def test_median_and_90_in_100_are_true_with_open_checks_and_late_order_files(shape: Shape) -> None:
    medians, p90s, is_covered = [], [], []
    for seed in SEEDS:
        of, row = turnaround(shape, seed)
        true = of.quantile(0.5) / 86_400
        medians.append(row["median_days"] / true - 1)
        p90s.append(row["p90_days"] / (of.quantile(0.9) / 86_400) - 1)
        is_covered.append(row["ci_low"] <= true <= row["ci_high"])
        assert row["low"] <= row["median_days"] <= row["high"]
    assert abs(mean(medians)) <= 0.05
    assert abs(mean(p90s)) <= 0.10
    assert sum(is_covered) >= len(SEEDS) - 1


def test_no_shows_do_not_make_the_others_slow_and_are_told_as_a_share() -> None:
    medians = []
    for seed in SEEDS:
        of, row = turnaround(Shape(vendor="goodhire", no_shows=0.25, days=110, looks="when_likely"), seed)
        medians.append(row["median_days"] / (of.quantile(0.5) / 86_400) - 1)
        assert abs(row["share_completing"] - of.share_completing) <= 0.03
    assert abs(mean(medians)) <= 0.05


def test_a_backlog_counts_from_its_first_look_and_is_told() -> None:
    medians = []
    for seed in SEEDS:
        shape = Shape(vendor="goodhire", checks=900, days=110, records_days=25, looks="once_a_day")
        of, row = turnaround(shape, seed)
        medians.append(row["median_days"] / (of.quantile(0.5) / 86_400) - 1)
        assert "were first looked at more than a day after their order" in row["note"]
    assert abs(mean(medians)) <= 0.25


def test_what_is_over_before_anybody_looks_takes_at_most_until_then() -> None:
    shape = Shape(
        vendor="workerchecks", hours=0.05, candidate_hours=0.02, announced="daily", days=60, canceled=0, hiccups=0
    )
    of, row = turnaround(shape, 9001)
    assert row["median_days"] is None
    assert row["low"] == 0 < of.quantile(0.5) / 86_400 < row["high"] < 1.1
    assert "days at most" in row["note"]


@pytest.mark.parametrize("slug", ["goodhire", "zinc", "workerchecks"])
def test_least_and_most_of_each_party_hold_the_truth_and_so_does_the_number_of_states_nobody_saw(slug: str) -> None:
    shape = Shape(vendor=slug, checks=300, hiccups=0.6, looks="once_a_day", announced="daily")
    with seen(shape, 7311) as (of, stage):
        rows = stage.rows(
            "select f.check_id, f.lifecycle, p.phase, p.seconds_least as least, p.seconds_most as most "
            "from analytics.check_phase as p inner join star.fact_check as f using (check_key)"
        )
        forecast.renew(stage.connection, of.shape.now)
        (lost,) = stage.rows("select sum(n_lost_before + n_lost_between) as n from analytics.lost_states")
    assert of.states_lost > 100
    assert 1 / 1.5 <= lost["n"] / of.states_lost <= 1.5
    complete = [row for row in rows if row["lifecycle"] == "completed" and row["phase"] != "unknown"]
    assert len(complete) > 800
    spent = {life.check_id: life.spent(of.shape.now) for life in of.lives}
    held = [row["least"] - 2 <= spent[row["check_id"]].get(row["phase"], 0) <= row["most"] + 2 for row in complete]
    assert mean(held) >= 0.99


@pytest.mark.parametrize("clock", ["total", "vendor"])
def test_worst_and_best_hold_the_share_of_promises_kept_in_each_week(clock: str) -> None:
    inside = []
    for seed in SEEDS:
        shape = Shape(vendor="goodhire", no_shows=0.1, days=70, looks="once_a_day", announced="daily")
        promise = SlaTarget(vendor="goodhire", clock=clock, target_hours=PROMISED_HOURS)
        with seen(shape, seed, promise) as (of, stage):
            for week in stage.rows("from analytics.sla_attainment_by_week where n >= 5"):
                true = _kept(of, week["week"], clock)
                inside.append(week["attainment_at_worst"] - 1e-9 <= true <= week["attainment_at_best"] + 1e-9)
            (young,) = stage.rows(
                "select * from analytics.sla_attainment_by_week order by week desc nulls last limit 1"
            )
            assert young["note"] == "too young" or young["n_young"] > 0
    assert len(inside) > 25
    assert mean(inside) >= 0.95


def _kept(of: World, week: Any, clock: str) -> float:
    """Of the week's orders older than the promise: the share complete in time; those that ended otherwise in time
    are in neither half."""
    zone = known_world.zone_of(of.shape.vendor)
    kept = []
    for life in of.lives:
        local = life.ordered_at.astimezone(zone).date()
        is_young = life.announced_at >= of.shape.now or (of.shape.now - life.ordered_at) / DAY * 24 <= PROMISED_HOURS
        if is_young or not 0 <= (local - week).days < 7:
            continue
        took = life.seconds if clock == "total" else life.spent(life.ended_at)["vendor"]
        if life.completes or took > PROMISED_HOURS * 3600:
            kept.append(life.completes and took <= PROMISED_HOURS * 3600)
    return mean(kept)
