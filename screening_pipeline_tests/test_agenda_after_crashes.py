"""What is asked next is what the star says is open, also after a crash and when words mean other things."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from screening_pipeline.cycle import settle, take_orders
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.runtime import plans
from screening_pipeline_tests.test_erasure import House, house_in


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = house_in(tmp_path / "data")
    yield house
    house.work.state.close()


def open_in(house: House, vendor: str) -> list[str]:
    """What a full pull would ask for."""
    items = house.work.pull_queue.due(vendor, "main", house.clock.now(), is_full=True)
    return sorted(item.check_id for item in items)


def killed_when_planning(*_: Any, **__: Any) -> None:
    raise Killed


def start_anew(house: House) -> None:
    """A new process, some minutes later."""
    house.clock.advance(300)


def test_orders_that_were_committed_and_not_planned_are_planned_by_the_next_run(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.order({"vendor": "goodhire", "check_id": "r1"})
    house.cycle()
    house.order({"vendor": "goodhire", "check_id": "r2"})
    with monkeypatch.context() as patched:
        patched.setattr(plans, "replan", killed_when_planning)
        with pytest.raises(Killed):
            take_orders.take_orders(house.work, run_id="killed")
    start_anew(house)
    assert take_orders.take_orders(house.work, run_id="next").intake.files == 0
    assert open_in(house, "goodhire") == ["r1", "r2"]


def test_a_check_that_ended_and_was_not_planned_is_not_asked_by_the_next_run(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.order({"vendor": "goodhire", "check_id": "r1"}, {"vendor": "goodhire", "check_id": "r2"})
    house.cycle()
    house.say("goodhire", "r1", {"Id": "r1", "Status": "CompletedClear"})
    with monkeypatch.context() as patched:
        patched.setattr(plans, "replan", killed_when_planning)
        with pytest.raises(Killed), open_warehouse(house.work) as connection:
            settle.settle(house.work, connection)
    start_anew(house)
    take_orders.take_orders(house.work, run_id="next")
    assert open_in(house, "goodhire") == ["r2"]


@pytest.mark.parametrize(("before", "after"), [((), ("Fine By Me",)), (("Fine By Me",), ())])
def test_what_other_settings_end_or_open_again_is_planned_by_the_run_that_finds_them(
    house: House, before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    house.work = replace(house.work, settings=_with_finals(house, before))
    house.order({"vendor": "hireright", "check_id": "o1"})
    done = {"orderId": "o1", "orderStatus": "Completed", "adjudicationStatus": "Fine By Me"}
    house.say("hireright", "o1", done)
    house.cycle()
    assert open_in(house, "hireright") == ([] if before else ["o1"])
    house.work = replace(house.work, settings=_with_finals(house, after))
    house.clock.advance(300)
    house.order({"vendor": "zinc", "check_id": "any news"})
    take_orders.take_orders(house.work, run_id="next")
    assert open_in(house, "hireright") == ([] if after else ["o1"])


def _with_finals(house: House, finals: tuple[str, ...]) -> Any:
    settings = house.work.settings
    accounts = (replace(a, final_adjudications=finals) if a.vendor == "hireright" else a for a in settings.accounts)
    return replace(settings, accounts=tuple(accounts))
