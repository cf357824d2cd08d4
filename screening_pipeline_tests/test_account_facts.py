"""What an account says of itself changes what is read of its vendor: its own fields, its notation of dates."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from screening_pipeline.warehouse import ingest
from screening_pipeline.warehouse.reference import part_words
from screening_pipeline_tests.support.stage import MORNING, PART_KEY, account, at, opened
from screening_pipeline_tests.test_retention import landed_text

ORDERED = "2026-03-02T00:00:00Z"


def fields(value: str | None) -> Any:
    return None if value is None else json.loads(value)


@pytest.mark.parametrize(
    "told",
    [
        [{"name": "RequisitionId", "value": "R-1"}, {"name": "Manager", "value": "Canaria Testperson"}],
        {"RequisitionId": "R-1", "Manager": "Canaria Testperson"},
        [None, {"name": "RequisitionId", "value": "R-1"}, {"name": "RequisitionId", "value": "Canaria"}],
        {"name": "RequisitionId", "value": "R-1"},
    ],
    ids=["list", "object", "twice", "one"],
)
def test_only_fields_that_the_account_names_leave_the_landing_area(
    tmp_path_factory: pytest.TempPathFactory, told: Any
) -> None:
    named = account("hireright", flex_fields=("RequisitionId", "Site"))
    with opened(tmp_path_factory, (named, account("hireright", "other"))) as stage:
        order, form = (
            stage.story(name).of("hireright", subject=subject) for name, subject in (("o", "order"), ("f", "i9"))
        )
        unnamed = stage.story("u").of("hireright", account="other")
        order.feed({"orderStatus": "InProgress", "flexFields": told})  # a stub: nobody has announced it
        form.say(i9Status="Sent to Employee", flexFields=told)
        unnamed.say(orderStatus="InProgress", flexFields=told)
        stage.settle()
        assert [fields(s.check()["flex_fields"]) for s in (order, form, unnamed)] == [
            {"RequisitionId": "R-1"},
            {"RequisitionId": "R-1"},
            None,
        ]
        assert "Canaria" not in str(stage.facts())


def test_fields_that_are_told_once_stay_and_the_last_ones_count(tmp_path_factory: pytest.TempPathFactory) -> None:
    named = account("hireright", flex_fields=("Cost", "RequisitionId"))
    with opened(tmp_path_factory, (named,)) as stage:
        s = stage.story("o").of("hireright")
        s.say(orderStatus="InProgress", flexFields={"RequisitionId": "R-1", "Cost": 417})
        s.say(orderStatus="InProgress", flexFields={"RequisitionId": "R-2", "Cost": {"of": "whom"}})
        s.say(orderStatus="Completed")
        stage.settle()
        assert fields(s.check()["flex_fields"]) == {"RequisitionId": "R-2"}
        (listed,) = stage.rows("from ops.reject")
        assert (listed["source"], listed["detail"]) == ("part", "flexFields.value")


def test_of_old_bodies_only_the_named_fields_are_kept(tmp_path_factory: pytest.TempPathFactory) -> None:
    named = account("hireright", flex_fields=("RequisitionId",))
    with opened(tmp_path_factory, (named,)) as stage:
        s = stage.story("o").of("hireright")
        s.say(orderStatus="InProgress", flexFields={"RequisitionId": "R-1", "Manager": "Canaria Testperson"})
        stage.landing.purge(
            (MORNING + timedelta(days=2)).date(),
            part_key=PART_KEY,
            part_words=part_words,
            flex_fields={("hireright", "main"): ("RequisitionId",)},
        )
        assert "Canaria" not in landed_text(stage)
        stage.settle()
        assert fields(s.check()["flex_fields"]) == {"RequisitionId": "R-1"}


# ── dates in another notation ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("notation", "written", "completed_at"),
    [
        ("%d/%m/%Y %H:%M", "03/03/2026 08:00", "2026-03-02T21:00Z"),
        ("%d %b %Y %I:%M %p", "3 Mar 2026 8:00 AM", "2026-03-02T21:00Z"),
        ("%d/%m/%Y", "02/03/2026", "2026-03-02T13:00Z"),  # the end of that day in Sydney
        ("%d/%m/%Y", "2026-03-02T21:00:00Z", "2026-03-02T21:00Z"),  # ISO 8601 is read beside it
    ],
)
def test_a_date_in_the_notation_that_an_account_declares_is_a_vendors_time(
    tmp_path_factory: pytest.TempPathFactory, notation: str, written: str, completed_at: str
) -> None:
    with opened(tmp_path_factory, (account("workerchecks", date_format=notation),)) as stage:
        s = stage.story("c").of("workerchecks")
        s.order(ordered_at=ORDERED)
        s.say(status="Completed", result="Refer", releaseDate=written, when="2026-03-03T09:00Z")
        stage.settle()
        check = s.check()
        assert (check["is_terminal"], check["completed_at_source"]) == (True, "vendor")
        assert abs(check["completed_at"] - at(completed_at)) < timedelta(seconds=1)
        assert s.unmapped() == set()


def test_each_account_writes_its_dates_its_own_way(tmp_path_factory: pytest.TempPathFactory) -> None:
    us, au = (
        account("hireright", name, timezone="UTC", date_format=form)
        for name, form in (("us", "%m/%d/%Y"), ("au", "%d/%m/%Y"))
    )
    with opened(tmp_path_factory, (us, au, account("hireright", "iso"))) as stage:
        stories = {name: stage.story("o").of("hireright", account=name) for name in ("us", "au", "iso")}
        for s in stories.values():
            s.say(orderStatus="Completed", statusDate="02/03/2026", when="2026-04-01T09:00Z")
        stage.settle()
        days = {name: str(s.check()["completed_at_earliest"])[:10] for name, s in stories.items()}
        assert days == {"us": "2026-02-03", "au": "2026-03-02", "iso": "None"}
        assert stories["iso"].unmapped() == {("vendor_time", "99/99/9999")}


@pytest.mark.parametrize(
    ("written", "shape"),
    [
        ("31/31/2026", "99/99/9999"),
        ("03-03-2026", "99-99-9999"),
        ("by CANARY, 07700 900123", "aa aaaaaa, 99999 999999"),
    ],
)
def test_a_referred_check_with_a_date_that_cannot_be_read_stays_open(
    tmp_path_factory: pytest.TempPathFactory, written: str, shape: str
) -> None:
    with opened(tmp_path_factory, (account("workerchecks", date_format="%d/%m/%Y"),)) as stage:
        s = stage.story("c").of("workerchecks")
        s.say(status="Completed", result="Refer", releaseDate=written)
        stage.settle()
        assert s.check()["is_terminal"] is False
        assert s.unmapped() == {("vendor_time", shape)}


def test_a_notation_that_is_changed_is_read_anew(tmp_path_factory: pytest.TempPathFactory) -> None:
    with opened(tmp_path_factory, (account("workerchecks"),)) as stage:
        s = stage.story("c").of("workerchecks")
        s.say(status="Completed", result="Refer", releaseDate="02/03/2026", when="2026-03-03T09:00Z")
        stage.settle()
        assert s.check()["is_terminal"] is False
        settings = replace(stage.settings, accounts=(account("workerchecks", date_format="%d/%m/%Y"),))
        ingest.prepare(stage.connection, settings, stage.landing, part_key=PART_KEY)
        assert s.check()["is_terminal"] is True
