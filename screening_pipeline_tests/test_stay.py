"""How long a run of a sensor or schedule goes on, and what ends it sooner."""

from __future__ import annotations

from pathlib import Path

import pytest

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.cycle.stay import LOOK_SECONDS, SECONDS_IN_TROUBLE, Stay
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.runtime.opening import build_runtime
from screening_pipeline.runtime.results import AccountReport
from screening_pipeline.settings import load

ACCOUNT = '[[accounts]]\nvendor = "zinc"\nname = "a"\nbase_url = "http://127.0.0.1:9"\napi_key_env = "ZINC_KEY"\n'
FINE = AccountReport(vendor="zinc", account="a", accepted=3)


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    (tmp_path / "screening.toml").write_text(ACCOUNT)
    settings = load.load({}, tmp_path)
    settings.paths.create()
    return build_runtime(settings, {"ZINC_KEY": "key-of-a-test"}, SystemClock())


def test_a_run_with_a_bound_goes_on_while_anything_is_at_work_and_a_lingering_one_to_the_end(runtime: Runtime) -> None:
    assert Stay(runtime, 900, is_lingering=False).goes_on(pause=5, is_any_at_work=True)
    assert not Stay(runtime, 900, is_lingering=False).goes_on(pause=5, is_any_at_work=False)
    assert Stay(runtime, 900, is_lingering=True).goes_on(pause=5, is_any_at_work=False)
    assert not Stay(runtime, 4, is_lingering=True).goes_on(pause=5, is_any_at_work=True), "it would be over meanwhile"
    assert not Stay(runtime, None, is_lingering=True).goes_on(pause=5, is_any_at_work=True), "it asks once"


def test_a_look_takes_a_minute_at_most_and_no_longer_than_the_run(runtime: Runtime) -> None:
    assert Stay(runtime, 900, is_lingering=True).seconds_of_a_look() == LOOK_SECONDS
    assert (Stay(runtime, 30, is_lingering=True).seconds_of_a_look() or 0) <= 30
    assert Stay(runtime, 0, is_lingering=True).seconds_of_a_look() == 0
    assert Stay(runtime, None, is_lingering=True).seconds_of_a_look() is None


@pytest.mark.parametrize(
    "report",
    [
        AccountReport(vendor="zinc", account="a", code="unreachable"),
        AccountReport(vendor="zinc", account="a", accepted=5, rejected=1),
        AccountReport(vendor="zinc", account="a", feed_code="feed_failed"),
    ],
)
def test_what_is_wrong_is_told_in_the_pages_after_five_minutes(runtime: Runtime, report: AccountReport) -> None:
    stay = Stay(runtime, 900, is_lingering=True)
    stay.note(FINE)
    assert (stay.left() or 0) > SECONDS_IN_TROUBLE
    stay.note(report)
    stay.note(FINE)
    assert SECONDS_IN_TROUBLE - 60 < (stay.left() or 0) <= SECONDS_IN_TROUBLE
    short = Stay(runtime, 60, is_lingering=True)
    short.note(report)
    assert (short.left() or 0) <= 60, "it lengthens none"


def test_a_run_ends_once_the_configuration_is_another_since_it_goes_by_the_old_one(runtime: Runtime) -> None:
    stay, path = Stay(runtime, 900, is_lingering=True), runtime.settings.config_path
    assert path
    assert stay.goes_on(pause=5, is_any_at_work=True)
    path.write_text(ACCOUNT + "requests_per_minute = 7\n")
    assert not stay.goes_on(pause=5, is_any_at_work=True)
    path.unlink()
    assert not stay.goes_on(pause=5, is_any_at_work=True)


def test_orders_end_what_only_lingers_since_another_run_reads_them(runtime: Runtime) -> None:
    stay = Stay(runtime, 900, is_lingering=True)
    (runtime.settings.paths.orders / "a.csv").write_text("vendor,check_id\nzinc,z-1\n")
    assert not stay.goes_on(pause=5, is_any_at_work=False)
    assert stay.goes_on(pause=5, is_any_at_work=True)
