"""A whole world that is only pushed to, without a vendor's times: the star comes to the vendors' truth all the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from screening_pipeline.cycle import settle
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.orchestration.demo import VirtualClock
from screening_pipeline.runtime import opening
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.sandbox.control import truth_row
from screening_pipeline.sandbox.judgement import is_continued
from screening_pipeline.sandbox.server import VIRTUAL_EPOCH
from screening_pipeline.sandbox.timeline import Check, State
from screening_pipeline.sandbox.world import World
from screening_pipeline.settings import sandbox_accounts
from screening_pipeline.settings import settings as configuration
from screening_pipeline.warehouse import session
from screening_pipeline_tests.support.differential import Key, Row, expected, identity
from screening_pipeline_tests.support.end_to_end_world import pushed
from screening_pipeline_tests.support.stage import broken_rules

pytestmark = pytest.mark.timeout(600)

WORLD = World(seed=7, checks=160, epoch=VIRTUAL_EPOCH, days=20)
# Of a continuous check a message names the id alone: one pull would have to tell.
NOT_PUSHED = {("workerchecks", "check"), ("goodhire", "subscription"), ("checkr", "continuous_check")}
CHECKS = [check for check in WORLD.everything if (check.order.vendor, check.order.subject) not in NOT_PUSHED]
LONG_AFTER = timedelta(days=120)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """Every state of the world as a message, in order of time, with a cycle a day."""
    settings = _only_pushed(tmp_path_factory.mktemp("pushed"))
    clock = VirtualClock(VIRTUAL_EPOCH)
    found = opening.build_runtime(settings, {}, clock)
    told = sorted(((state.at, number, state) for number, check in enumerate(CHECKS) for state in check.states))
    for place, (at, number, state) in enumerate(told):
        if at.date() != clock.now().date():
            _settle(found)
        clock.move_to(max(at, clock.now()))
        _push(found, CHECKS[number], state, place)
    clock.move_to(clock.now() + LONG_AFTER)
    _settle(found)
    return found


def _only_pushed(folder: Path) -> configuration.Settings:
    bundled = sandbox_accounts.bundled({"SCREENING_DATA_DIR": str(folder)}, folder)
    bundled.paths.create()
    accounts = tuple(
        replace(a, polling=False, status_updates=False, base_url="https://x.example") for a in bundled.accounts
    )
    return replace(bundled, accounts=accounts)


def _settle(work: Runtime) -> None:
    with open_warehouse(work) as connection:
        settle.settle(work, connection)


def _push(work: Runtime, check: Check, state: State, place: int) -> None:
    order = check.order
    body: Row = {key: value for key, value in state.body.items() if key != "statusDate"}
    if order.vendor == "goodhire":
        body = {"Id": f"hook-{place}", "ReportStatus": body}
    if order.vendor == "checkr":
        body = {"id": f"event-{place}", "object": "event", "type": "report.updated", "data": {"object": body}}
    if order.subject == "i9":
        body["formId" if place % 2 else "orderId"] = body.pop("id")
    message = pushed(order.vendor, "sandbox", body, work.clock.now(), number=place)
    if order.vendor == "workable":
        message = replace(message, subject="check", check_id=order.check_id)
    assert work.landing.receive(message).is_accepted


@pytest.fixture(scope="module")
def facts(work: Runtime) -> dict[Key, Row]:
    return {identity(row): row for row in _rows(work, "from star.fact_check")}


@pytest.fixture(scope="module")
def truth() -> dict[Key, Row]:
    standing = [check for check in CHECKS if not is_continued(check, check.states[-1])]
    return {identity(row): row for row in (truth_row(check, check.states) for check in standing)}


def _rows(work: Runtime, query: str) -> list[Row]:
    with open_warehouse(work) as connection:
        return session.rows(connection, query)


def test_every_state_of_a_world_that_only_pushes_reaches_the_star(truth: dict[Key, Row], facts: dict[Key, Row]) -> None:
    wanted = {one: expected(row) for one, row in truth.items()}
    assert {one: {name: facts[one][name] for name in wanted[one]} for one in facts} == wanted


def test_every_dispute_of_it_has_its_row(work: Runtime, truth: dict[Key, Row]) -> None:
    rows = _rows(work, "select vendor, subject, check_id, count(*) as n from star.fact_dispute group by all")
    assert {identity(row): row["n"] for row in rows} == {
        one: row["disputes"] for one, row in truth.items() if row["disputes"]
    }


def test_every_rule_holds_of_it(work: Runtime) -> None:
    with open_warehouse(work) as connection:
        assert broken_rules(connection) == []


def test_a_completion_is_known_as_soon_as_it_was_pushed(truth: dict[Key, Row], facts: dict[Key, Row]) -> None:
    for one, row in truth.items():
        at = datetime.fromisoformat(row["completed_at"]) if row["completed_at"] else None
        if at and at > VIRTUAL_EPOCH and facts[one]["completed_at"]:
            assert facts[one]["completed_at"] == at


def test_nothing_was_refused(work: Runtime) -> None:
    assert _rows(work, "select reason, count(*) as n from ops.reject group by all") == []
