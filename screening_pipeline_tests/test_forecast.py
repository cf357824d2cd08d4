"""What is foretold of open checks, against worlds that say when they ended."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from screening_pipeline import frames
from screening_pipeline.cli import backtest as cli_backtest
from screening_pipeline.health.status import status_report
from screening_pipeline.notify.troubles import troubles
from screening_pipeline.runtime import backtest, forecast
from screening_pipeline.settings.settings import SlaTarget
from screening_pipeline.warehouse import publish, session
from screening_pipeline.warehouse.session import Connection
from screening_pipeline_tests.support.known_world import DAY, Shape, seen
from screening_pipeline_tests.support.stage import Stage

STEADY = Shape(vendor="goodhire", checks=500, days=100, packages=(("basic", 0.6), ("executive", 1.8)))


def test_eight_of_ten_checks_end_between_the_10th_and_the_90th_percentile() -> None:
    tables = []
    for seed in (9101, 9102):
        with seen(STEADY, seed) as (of, stage):
            instants = [of.shape.now - days * DAY for days in (20, 30, 40, 50)]
            tables.append(backtest.backtest(stage.connection, instants).astype(float))
    method, peer, _ = backtest.METHODS
    own, vendor = (sum(table["pinball_hours"].to_dict()[name] for table in tables) for name in (method, peer))
    checks = sum(table["checks"].to_dict()[method] for table in tables)
    inside = sum((table["checks"] * table["coverage"]).to_dict()[method] for table in tables)
    assert checks > 100
    assert 0.74 <= inside / checks <= 0.90
    assert own <= 0.8 * vendor


def test_what_is_foretold_is_kept_with_its_instant_and_asked_as_frames_and_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    promise = SlaTarget(vendor="goodhire", clock="total", target_business_days=6)
    with seen(STEADY, 9103, promise) as (of, stage):
        method = backtest.METHODS[0]
        then = of.shape.now - 30 * DAY
        _keep(stage.connection, backtest.forecast(stage.connection, then), then)
        again = backtest.backtest(stage.connection, [then]).loc[method].to_dict()
        assert backtest.told(stage.connection).loc[method].to_dict() == pytest.approx(again, rel=1e-6)
        assert forecast.renew(stage.connection, of.shape.now) > 10
        assert forecast.renew(stage.connection, of.shape.now + timedelta(minutes=5)) == 0  # nothing has changed since
        snapshot = tmp_path / "published" / "screening.duckdb"
        publish.publish(stage.connection, snapshot)
    found = frames.eta(snapshot)
    assert len(found) == len(frames.open_checks(snapshot))
    assert (found["p10"] <= found["p50"]).all()
    assert (found["p50"] <= found["p90"]).all()
    assert found["chance_late"].between(0, 1).all()
    (row,) = frames.turnaround(snapshot).to_dict("records")
    assert row["low"] <= row["median_days"] <= row["high"]
    assert set(frames.events(snapshot)["lifecycle"]) >= {"awaiting_candidate", "in_progress", "completed"}
    monkeypatch.setenv("SCREENING_DATA_DIR", str(tmp_path))
    assert cli_backtest.backtest(weeks=3, is_json=True) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["basis"] for row in rows} == {cli_backtest.TOLD, cli_backtest.ANEW}
    assert all(row["checks"] > 10 and 0 <= row["coverage"] <= 1 for row in rows)
    expected = frames.read("select sum(expected) as n from analytics.breach_forecast", snapshot)["n"].iloc[0]
    lives = {life.check_id: life for life in of.lives}
    due = found[found["due_at"] > found["made_at"]]
    broken = sum(lives[check].ended_at > due_at for check, due_at in zip(due["check_id"], due["due_at"], strict=True))
    assert expected == pytest.approx(broken, abs=5)


def _keep(connection: Connection, told: pd.DataFrame, made: datetime) -> None:
    """Keep these forecasts as those that were told then."""
    given = {"made": made.timestamp()}
    connection.register("foretold", told[["check_key", "p10", "p50", "p90"]].assign(**given))
    instants = ", ".join(f"to_timestamp({name}) as {name}" for name in ("p10", "p50", "p90"))
    connection.execute(
        "insert into ops.check_eta_history by name "
        f"select check_key, to_timestamp(made) as made_at, {instants} from foretold"
    )
    connection.unregister("foretold")


def test_a_check_that_changed_is_forecast_anew_and_a_start_that_is_near_is_at_risk() -> None:
    with seen(STEADY, 9105) as (of, stage):
        now = of.shape.now
        forecast.renew(stage.connection, now)
        (first,) = stage.rows("from analytics.open_check_eta order by check_id asc nulls last limit 1")
        check_id = first["check_id"]
        for days in (30, 1):  # the day told last counts
            day = (now + days * DAY).date().isoformat()
            stage.orders.append({"vendor": "goodhire", "account": "main", "check_id": check_id, "needed_by": day})
            stage.settle(now=now)
        stage.story(check_id).of("goodhire").say(
            when=(now + timedelta(minutes=9)).isoformat(), Status="RequiresAdditionalInfo"
        )
        stage.settle(now=now)
        assert forecast.renew(stage.connection, now + timedelta(minutes=10)) == 1
        (start,) = stage.rows("from analytics.starts_at_risk")
        assert (start["check_id"], start["needed_by"].isoformat()) == (check_id, day)
        assert start["is_at_risk"] == (start["chance_in_time"] < 0.8)
        assert start["made_at"] == now + timedelta(minutes=10)
        _leads_what_we_are_told_of(stage, now)
        told = stage.rows("select count(*) as n, count(distinct check_key) as checks from ops.check_eta_history")
        assert told[0]["n"] == told[0]["checks"]  # one a week is kept of each


def _leads_what_we_are_told_of(stage: Stage, now: datetime) -> None:
    """Whoever is to be told is told first of starts at risk, and then of vendors that have become slower."""
    times = {"made_at": now.isoformat(), "since_at": (now - 14 * DAY).isoformat()}
    slow = {"vendor": "goodhire", "state": "in_progress", "n_left": 30, "expected": 64}
    session.replace(stage.connection, "ops.vendor_pace", [{**slow, **times}])
    publish.publish(stage.connection, stage.settings.paths.published)
    found = troubles(status_report(stage.settings, {}, stage.clock), stage.settings, None)
    assert [trouble.name for trouble in found][:2] == ["starts", "goodhire slow"]
    assert found[0].words.startswith("1 check will hardly be complete before the day on which somebody needs it")
    assert found[0].count == 1


def test_a_vendor_that_is_twice_as_slow_is_noticed_and_one_that_is_not_is_not() -> None:
    for slow_days, is_slow in ((14.0, True), (None, False)):
        shape = Shape(vendor="goodhire", checks=500, days=100, slow_days=slow_days, slowdown=2.2)
        with seen(shape, 9104) as (of, stage):
            forecast.renew(stage.connection, of.shape.now)
            slow = {row["state"] for row in stage.rows("from analytics.slowdown where is_slow")}
        assert ("in_progress" in slow) is is_slow
