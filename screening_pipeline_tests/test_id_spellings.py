"""One UUID is one check, however each of those who tell of it writes it: orders, answers, feeds, pushes, erasures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from screening_pipeline.base.sql_text import quote
from screening_pipeline.cli.show import check_histories
from screening_pipeline.cycle.erase import erase_candidate, erase_check
from screening_pipeline.domain import ids
from screening_pipeline.landing.mentions import names_any
from screening_pipeline_tests.support.stage import PART_KEY, Stage, Story, opened
from screening_pipeline_tests.test_erasure import PERSON, House, house_in

SMALL = "def2d21d-0f00-4a11-a4fb-3f0c0000000a"
CAPITAL = SMALL.upper()


def renamed(s: Story, check_id: str) -> Story:
    """The same check, as somebody else writes its id."""
    return Story(s.stage, check_id).of(s.vendor, account=s.account, subject=s.subject)


CHANNELS: dict[str, tuple[str, Callable[[Story], object]]] = {
    "goodhire push": ("goodhire", lambda s: s.push(Status="Processing")),
    "hireright feed": ("hireright", lambda s: s.feed({"orderStatus": "InProgress"})),
    "hireright push": ("hireright", lambda s: s.push(orderStatus="InProgress")),
    "zinc push": ("zinc", lambda s: s.push(status="pending", statusV2="in-progress")),
    "workerchecks push": ("workerchecks", lambda s: s.push(status="In Progress")),
    "workable push": ("workable", lambda s: s.push(status="consented")),
}


@pytest.fixture(scope="module")
def stage_of_spellings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with opened(tmp_path_factory) as found:
        for number, (slug, tell) in enumerate(CHANNELS.values()):
            for place, (ordered, said) in enumerate([(str.upper, str.lower), (str.lower, str.upper)]):
                check_id = f"{SMALL[:-4]}{number:02}a{place}"
                s = found.story(ordered(check_id)).of(slug)
                s.order(ordered_at="2026-03-02T08:00Z", package="basic")
                tell(renamed(s, said(check_id)))
        found.settle()
        yield found


@pytest.mark.parametrize("case", CHANNELS)
def test_a_message_meets_its_order_whoever_writes_the_id_in_capitals(stage_of_spellings: Stage, case: str) -> None:
    number = list(CHANNELS).index(case)
    for place, ordered in enumerate((str.upper, str.lower)):
        check_id = f"{SMALL[:-4]}{number:02}a{place}"
        rows = stage_of_spellings.rows(f"from star.fact_check where lower(check_id) = {quote(check_id)}")
        found = [(row["check_id"], row["package"], row["lifecycle"]) for row in rows]
        assert [(one, package) for one, package, _ in found] == [(ordered(check_id), "basic")]
        assert found[0][2] in ("in_progress", "awaiting_candidate"), "what was told arrived"


def test_two_spellings_in_one_batch_and_a_later_order_are_one_check(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with opened(tmp_path_factory) as stage:
        s = stage.story(SMALL).of("hireright")
        s.feed({"orderStatus": "Sent to Applicant"}, {"orderId": CAPITAL, "orderStatus": "InProgress"})
        stage.settle()
        renamed(s, CAPITAL).order(package="basic")
        stage.settle()
        renamed(s, CAPITAL).feed({"orderStatus": "Completed"})
        stage.settle()
        assert [(c["check_id"], c["package"]) for c in stage.rows("from star.fact_check")] == [(SMALL, "basic")]
        assert s.lifecycles()[-1] == "completed"
        before = stage.facts()
        stage.rebuild()
        assert stage.facts() == before


def test_what_an_earlier_version_took_for_two_checks_becomes_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    with opened(tmp_path_factory) as stage:
        s = stage.story(CAPITAL).of("hireright")
        s.order(package="basic")
        s.feed({"orderStatus": "InProgress"})
        stage.settle()
        expected = stage.facts()
        hashed = "md5_number_lower(concat_ws(chr(31), vendor, account, subject, {}))"
        stage.connection.execute(f"update raw.check set id_hash = {hashed.format('check_id')}")
        stage.connection.execute(
            "insert into raw.check select * replace (check_key + 1 as check_key, lower(check_id) as check_id, "
            f"{hashed.format('lower(check_id)')} as id_hash, false as is_announced) from raw.check"
        )
        stage.rebuild()
        assert stage.facts() == expected
        renamed(s, SMALL).feed({"orderStatus": "Completed"})
        stage.settle()
        assert s.lifecycles()[-1] == "completed"


def test_an_invitation_leads_to_the_report_that_it_names_in_capitals(tmp_path_factory: pytest.TempPathFactory) -> None:
    with opened(tmp_path_factory) as stage:
        invitation = stage.story("v1").of("checkr", subject="invitation")
        invitation.order(package="basic")
        invitation.say(status="completed", report_id=CAPITAL)
        stage.settle()
        stage.story(SMALL).of("checkr").say(status="pending")
        stage.settle()
        found = stage.rows("select lower(check_id) as id, package, continues_check_id from star.fact_check")
        assert found == [{"id": SMALL, "package": "basic", "continues_check_id": "v1"}]


def test_only_a_uuid_has_no_case() -> None:
    assert ids.check_form(CAPITAL) == SMALL == ids.check_form(SMALL)
    assert ids.check_form("AbC") == "AbC"
    assert ids.check_form(CAPITAL[:-1] + "G") == CAPITAL[:-1] + "G"
    assert names_any(f"about {SMALL}, and more", [CAPITAL])
    assert not names_any("about abc", ["ABC"])


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A person whose order has an id in capitals, of which the vendor speaks in small letters."""
    house = house_in(tmp_path / "data")
    house.order(
        {"vendor": "hireright", "check_id": CAPITAL, "candidate_ref": PERSON},
        {"vendor": "hireright", "check_id": "other", "candidate_ref": "employee-2"},
    )
    house.say("hireright", None, [{"orderId": SMALL, "orderStatus": "InProgress"}], channel="feed")
    house.say("hireright", "other", f"{SMALL} is locked".encode(), http_status=503)
    house.cycle()
    yield house
    house.work.state.close()


def test_an_erasure_takes_every_spelling_along_and_keeps_each_out(house: House) -> None:
    assert [c["check_id"] for c in house.rows("from star.fact_check where check_id <> 'other'")] == [CAPITAL]
    erase_candidate(house.work, PERSON)
    assert house.mentions(SMALL, CAPITAL) == []
    for check_id in (SMALL, CAPITAL, SMALL.title()):
        house.say("hireright", None, [{"orderId": check_id, "orderStatus": "Completed"}], channel="feed")
        house.say("hireright", "other", f"{check_id} is locked".encode(), http_status=503)
    house.order({"vendor": "hireright", "check_id": SMALL, "candidate_ref": "employee-9"})
    house.cycle()
    assert house.mentions(SMALL, CAPITAL, SMALL.title()) == []
    assert [c["check_id"] for c in house.rows("from star.fact_check")] == ["other"]
    assert house.broken_rules() == []


def test_who_erases_by_the_id_or_looks_it_up_may_write_it_either_way(house: House) -> None:
    for written in (SMALL, CAPITAL):
        (found,) = check_histories(house.work.settings, "hireright", written, None)
        assert found.check["check_id"] == CAPITAL
    assert erase_check(house.work, "hireright", SMALL) is not None
    assert erase_check(house.work, "hireright", CAPITAL) is None
    assert house.mentions(SMALL, CAPITAL) == []


@pytest.mark.parametrize("is_of_any_subject", [True, False])
def test_who_was_erased_by_an_earlier_version_in_capitals_stays_out(
    tmp_path_factory: pytest.TempPathFactory, is_of_any_subject: bool
) -> None:
    with opened(tmp_path_factory) as stage:
        stage.connection.execute(f"set variable part_key = {quote(PART_KEY)}")
        subject = "null" if is_of_any_subject else "'order'"
        stage.connection.execute(
            "insert into staging.erased "
            f"select staging.written_hash('hireright', 'main', {subject}, {quote(CAPITAL)}) as pseudonym"
        )
        s = stage.story(SMALL).of("hireright")
        s.order(package="basic")
        s.feed({"orderStatus": "InProgress"})
        s.say(json.dumps(f"{SMALL} is locked").encode(), http_status=503)
        stage.settle()
        assert stage.rows("from star.fact_check") == []
        texts = [path.read_text() for path in stage.landing.root.rglob("*.ndjson")]
        assert texts
        assert not any(SMALL in text for text in texts)
