"""Results whose labels and values a provider is free to choose: words count, details stay where they landed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from screening_pipeline.landing import reduction
from screening_pipeline.landing.line import dumps, restamped
from screening_pipeline.vendors import vendor
from screening_pipeline.warehouse import ingest
from screening_pipeline.warehouse.reference import part_words
from screening_pipeline_tests.support.stage import FACTS, PART_KEY, Stage, Stories, Story, opened

told = Stories()
stage = told.stage()

PERSON = "Jane Q. Doe"
DETAILS: dict[str, Any] = {
    "Name on record": PERSON,
    "Date of birth match": True,
    "Completed on": "2026-02-27",
    "Score": 700,
    "Fee": 12.5,
    "Remarks": None,
    "Aliases": [PERSON, "J. Doe"],
    "Notes": [{"by": PERSON}],
}


def parts(s: Story) -> list[tuple[str, str]]:
    return [(part["component_name"], part["result"]) for part in s.components()]


@told.story
def test_dates_numbers_flags_texts_and_lists_are_no_parts_and_keep_nothing_open(s: Story) -> Iterator[None]:
    s.of("workable").say(status="completed", check={"result": {"Criminal": "clear", **DETAILS}})
    yield
    assert parts(s) == [("Criminal", "clear")]
    assert (s.check()["result"], s.check()["is_terminal"], s.unmapped()) == ("clear", True, set())


@told.story
def test_an_object_without_a_status_is_a_group_and_its_leaves_are_the_parts(s: Story) -> Iterator[None]:
    result = {"Criminal": {"Federal": "clear", "County": {"status": "consider", "on": "2026-03-02"}}, "Credit": "clear"}
    s.of("workable").say(status="completed", check={"overall_status": "clear", "result": result})
    yield
    assert parts(s) == [("Credit", "clear"), ("Criminal / County", "consider"), ("Criminal / Federal", "clear")]
    assert (s.check()["result"], s.check()["has_conflict"]) == ("consider", True)


@told.story
def test_a_list_may_hold_groups_names_and_what_is_neither(s: Story) -> Iterator[None]:
    result = [
        {"name": "Criminal", "Federal": "consider", "Checked on": "2026-03-02"},
        {"name": "Credit", "status": "clear"},
        {"Employment": "clear"},
        {"status": "clear"},
        "a text",
        ["a list"],
        None,
        7,
    ]
    s.of("workable").say(status="completed", check={"result": result})
    yield
    assert parts(s) == [
        ("Credit", "clear"),
        ("Criminal / Federal", "consider"),
        ("Employment", "clear"),
        ("check 4", "clear"),
    ]
    assert s.rejects() == []


@pytest.mark.parametrize("result", ["clear", 7, True, [], {}, {"Criminal": ["clear"]}, [["clear"]]])
def test_a_result_without_a_readable_part_is_unknown_and_done(stage_of_results: Stage, result: Any) -> None:
    s = stage_of_results.story(f"result-{json.dumps(result)}").of("workable")
    s.say(status="completed", check={"result": result})
    stage_of_results.settle()
    assert (s.check()["result"], s.check()["is_terminal"], s.components()) == ("unknown", True, [])


@pytest.fixture(scope="module")
def stage_of_results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with opened(tmp_path_factory) as found:
        yield found


@told.story
def test_a_status_that_is_no_word_costs_its_part_and_is_listed_by_its_label_and_a_hash(s: Story) -> Iterator[None]:
    result = {"Criminal": {"status": f"see {PERSON}"}, PERSON: {"status": "odd"}, "Credit": "clear"}
    s.of("workable").say(status="completed", check={"result": result})
    yield
    assert (s.check()["result"], s.check()["is_terminal"]) == ("unknown", True)
    listed = sorted(value for _, value in s.unmapped())
    assert [value.partition(": #")[0] for value in listed][1] == "Criminal"
    assert listed[0].startswith("#")
    assert [part["vendor_status"] for part in s.components()] == ["clear", None, None]


@told.story
def test_labels_are_shown_where_all_their_words_are_generic_and_hashed_elsewhere(s: Story) -> Iterator[None]:
    labels = ["motor_vehicle_report", "Criminal", "Driving record", PERSON, "Criminal of Jane", "王伟", "Criminal 1234"]
    s.of("workable").say(status="completed", check={"result": dict.fromkeys(labels, "clear")})
    yield
    shown = [part["component_name"] for part in s.components() if not part["is_label_hidden"]]
    assert shown == ["Criminal", "motor_vehicle_report"]
    assert len({part["component_id"] for part in s.components()}) == len(labels)


@told.story
def test_an_account_may_name_labels_that_are_nobodys(s: Story) -> Iterator[None]:
    result = {"Driving record": "clear", "Criminal": {"Driving record": "clear", PERSON: "clear"}}
    s.of("workable", account="named").say(status="completed", check={"result": result})
    yield
    shown = [part["component_name"] for part in s.components() if not part["is_label_hidden"]]
    assert shown == ["Criminal / Driving record", "Driving record"]


@told.story
def test_an_attachment_is_a_flag_and_no_link(s: Story) -> Iterator[None]:
    attached = [{"description": PERSON, "url": "https://provider.example/secret.pdf"}]
    s.of("workable").say(status="completed", check={"overall_status": "clear"}, attachments=attached)
    yield
    assert s.check()["has_attachment"] is True


@told.story
def test_without_attachments_there_is_none(s: Story) -> Iterator[None]:
    s.of("workable").say(status="completed", check={"overall_status": "clear"}, attachments=[])
    yield
    assert s.check()["has_attachment"] is False


def test_naming_a_label_reveals_its_past(tmp_path_factory: pytest.TempPathFactory) -> None:
    with opened(tmp_path_factory) as found:
        s = found.story("past").of("workable")
        s.say(status="completed", check={"result": {"Driving record": "clear", "Criminal": "clear"}})
        found.settle()
        assert [part["component_name"] for part in s.components()] == ["Criminal", "check"]
        accounts = tuple(replace(a, part_labels=("Driving record",)) for a in found.settings.accounts)
        settings = replace(found.settings, accounts=accounts)
        ingest.prepare(found.connection, settings, found.landing, part_key=PART_KEY)
        assert [part["component_name"] for part in s.components()] == ["Criminal", "Driving record"]


def test_a_rebuild_from_reduced_bodies_comes_to_the_same_and_they_hold_no_details(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    result = {"Criminal": {"Federal": "consider", "status of": PERSON}, PERSON: {"status": PERSON}, **DETAILS}
    with opened(tmp_path_factory) as found:
        s = found.story("reduced").of("workable")
        landed = s.say(status="completed", check={"result": result})
        assert landed.is_accepted
        found.settle()
        before = found.facts()
        (tail,) = found.landing.look({}).tails
        line = json.loads(found.landing.read(tail))
        reduced = reduction.reduced(line, vendor("workable"), PART_KEY, part_words=part_words)
        values = [part.get("status") or part.get("value") for part in reduced["messages"][0]["body"]["check"]["result"]]
        assert values[0] == "consider"
        assert PERSON not in values
        path = found.landing.root / tail.file
        path.write_bytes(restamped(dumps(reduced)) + b"\n")
        found.rebuild()
        assert found.facts() == before


def test_what_a_provider_writes_beside_words_never_leaves_the_landing_area(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with opened(tmp_path_factory) as found:
        s = found.story("person").of("workable")
        result = {"Criminal": {"status": PERSON}, PERSON: "clear", f"Criminal of {PERSON}": {"x": "clear"}, **DETAILS}
        s.say(status="completed", check={"result": result})
        found.settle()
        tables = (*FACTS, "staging.observation", "staging.state", "staging.reading")
        text = json.dumps({table: found.rows(f"from {table}") for table in tables}, default=str)
        assert [word for word in (PERSON, "Jane", '2026-02-27"', "700", "Name on record") if word in text] == []
