"""The vendors' tables of words: what they say of one word does not contradict itself, nor the sandbox's own reading."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

import pytest

from screening_pipeline.domain.vocabulary import ONGOING  # their words may be of the last run, and they go on
from screening_pipeline.sandbox import judgement
from screening_pipeline.vendors import all_vendors

Row = dict[str, str]
STARTED = {"created", "pending", "paused", "in_progress", "awaiting_candidate", "awaiting_client", "awaiting_vendor"}
STOPPED = {"canceled", "expired", "declined"}
# What the lifecycle of a word leaves open as to who has to act.
ACTORS = {
    "created": {"vendor"},
    "pending": {"unknown"},
    "paused": {"unknown"},
    "in_progress": {"vendor"},
    "awaiting_candidate": {"candidate", "client_or_candidate"},
    "awaiting_client": {"client", "client_or_candidate"},
    "awaiting_vendor": {"vendor"},
    "review_required": {"client"},
    "completed": {"none", "client"},
    **{lifecycle: {"none"} for lifecycle in STOPPED},
}
RESULT_ACTORS = {"clear": {"none"}, "consider": {"client"}, "referred": {"vendor"}}
# A part that is to be sent again is under way with the vendor, and waits for the candidate.
RESENT = ("zinc", "component_status", "pending-resubmission")
# Words of which the vendor does not say whom they wait for: nobody is named.
UNTOLD = {
    ("goodhire", "status", "RequiresAdditionalInfo"),
    ("goodhire", "detail", "NotVerified"),
    ("zinc", "detail", "in-progress"),
    ("zinc", "status", "partially-completed"),
}
# A form that ended so asks its client for something outside of it: the word says client, the form waits for nobody.
ASKS_BEYOND = ("hireright", "i9", "detail", "FINAL_NON_CONFIRM")


def rows(slug: str) -> list[Row]:
    text = files("screening_pipeline.vendors").joinpath(f"{slug}.csv").read_text(encoding="utf-8")
    return [{**row, "vendor": slug} for row in csv.DictReader(text.splitlines())]


WORDS = [row for slug in sorted(all_vendors()) for row in rows(slug)]


def name(row: Row) -> str:
    return "/".join(row[column] for column in ("vendor", "subject", "field", "value"))


each_word = pytest.mark.parametrize("row", [pytest.param(row, id=name(row)) for row in WORDS])


@each_word
def test_who_has_to_act_follows_from_what_the_word_says(row: Row) -> None:
    is_left_open = row["subject"] in ONGOING or (row["vendor"], row["field"], row["value"]) == RESENT
    if (row["vendor"], row["field"], row["value"]) in UNTOLD:
        assert row["next_actor"] == "unknown"
    elif row["lifecycle"] and not is_left_open:
        assert row["next_actor"] in ACTORS[row["lifecycle"]]
    if row["result"] in RESULT_ACTORS and row["next_actor"]:  # else another word of the message says it
        assert row["next_actor"] in RESULT_ACTORS[row["result"]]


@each_word
def test_what_is_under_way_or_was_stopped_has_no_result(row: Row) -> None:
    if row["lifecycle"] in STARTED | STOPPED and row["subject"] not in ONGOING:
        assert row["result"] == "none"
    if row["result"] in RESULT_ACTORS and row["lifecycle"]:
        assert row["lifecycle"] == ("in_progress" if row["subject"] in ONGOING else "completed")


@each_word
def test_a_decision_and_the_result_that_is_derived_from_it_agree(row: Row) -> None:
    decided = {"meets": "clear", "does_not_meet": "consider"}
    record = all_vendors()[row["vendor"]].records[row["subject"]]
    if row["adjudication"] in decided and record.result_from == "adjudication":  # else it stands beside the result
        assert row["result"] == decided[row["adjudication"]]
    if row["adjudication"] == "pending":
        assert (row["lifecycle"] in {"", "review_required"}, row["next_actor"]) == (True, "client")
    if row["adjudication"] in {"canceled", "reviewed_unspecified"}:
        assert row["next_actor"] == "none"


@each_word
def test_a_granular_word_implies_coarse_words_that_the_vendor_has_and_that_end_where_it_ends(row: Row) -> None:
    ends = {"completed", *STOPPED}
    coarse = {
        word["value"]: word
        for word in rows(row["vendor"])
        if (word["subject"], word["field"]) == (row["subject"], "status")
    }
    for implied in filter(None, row["implied_status"].split("|")):
        assert (coarse[implied]["lifecycle"] in ends) is (row["lifecycle"] in ends)


Meaning = tuple[str, str]


def of_states(states: Mapping[Any, tuple[str, ...]]) -> dict[str, Meaning]:
    return {word: (state[0], state[1]) for word, state in states.items() if word}


REPORTS = {word: (reading.lifecycle, reading.next_actor) for word, reading in judgement.REPORT.items()}
# Lifecycle and next actor by the sandbox, which is no part of the pipeline and does not know its tables.
WITNESSED: Mapping[tuple[str, str, str], Mapping[str, Meaning]] = {
    ("checkr", "report", "status"): of_states(judgement.SCREENED),
    ("goodhire", "report", "status"): REPORTS,
    ("goodhire", "report", "detail"): of_states(judgement.OPEN_REPORT),
    ("hireright", "order", "status"): of_states(judgement.ORDER) | {"Completed": ("completed", "none")},
    ("hireright", "i9", "status"): of_states(judgement.FORM),
    ("hireright", "i9", "detail"): of_states(judgement.E_VERIFY),
    ("zinc", "request", "detail"): of_states(judgement.REQUEST),
    ("zinc", "request", "status"): of_states(judgement.COARSE_REQUEST),
    ("workerchecks", "check", "status"): of_states(judgement.WORKER),
    ("workable", "check", "status"): of_states(judgement.PROVIDER),
}


@pytest.mark.parametrize("place", WITNESSED, ids="/".join)
def test_the_sandbox_reads_every_word_as_its_table_does(place: tuple[str, str, str]) -> None:
    known = {
        row["value"]: (row["lifecycle"], row["next_actor"])
        for row in rows(place[0])
        if (row["subject"], row["field"]) == place[1:]
    }
    if place == ASKS_BEYOND[:3]:
        assert known.pop(ASKS_BEYOND[3]) == ("completed", "client")
        known[ASKS_BEYOND[3]] = ("completed", "none")
    assert {word: known.get(word) for word in WITNESSED[place]} == WITNESSED[place]


@pytest.mark.parametrize(("slug", "fields"), [("zinc", ("request", "result")), ("workerchecks", ("check", "result"))])
def test_results_are_told_by_the_words_that_the_sandbox_uses(slug: str, fields: tuple[str, str]) -> None:
    known = {row["value"]: row["result"] for row in rows(slug) if (row["subject"], row["field"]) == fields}
    words = judgement.WORKER_RESULT if slug == "workerchecks" else {"clear": "clear", "consider": "consider"}
    assert known == words


def test_decisions_and_disputes_are_told_by_the_words_that_the_sandbox_uses() -> None:
    orders = [row for row in rows("hireright") if row["subject"] == "order"]
    decided = {word: meaning[0] for word, meaning in judgement.DECISION.items() if meaning[0] != "custom"}
    for field in ("adjudication", "component_adjudication"):
        told = named(orders, field, "adjudication")
        assert {word: told.get(word) for word in decided} == decided
        assert {word for word, meaning in told.items() if meaning == "pending"} == set(judgement.REVIEWS)
    assert named(orders, "dispute", "dispute") == {word: state for word, state in judgement.DISPUTE.items() if word}


def test_a_run_of_a_subscription_says_of_the_result_what_the_subscription_says() -> None:
    subscriptions = [row for row in rows("goodhire") if row["subject"] in ONGOING]
    told = named(subscriptions, "status", "result")
    assert named(subscriptions, "run", "result") == told
    assert {word: told[word] for word in judgement.RUN} == {word: result for word, (result, _) in judgement.RUN.items()}


@pytest.mark.parametrize("slug", ["zinc", "hireright", "workable"])
def test_the_words_of_a_part_that_has_ended_are_read_as_those_of_the_whole(slug: str) -> None:
    parts = named(rows(slug), "component_status", "lifecycle")
    results = named(rows(slug), "component_status", "result")
    assert {word for word, lifecycle in parts.items() if lifecycle == "completed"} >= {
        word for word, result in results.items() if result in RESULT_ACTORS
    }
    assert "canceled" not in {parts[word] for word in parts if not word.lower().startswith("cancel")}
    assert {parts[word] for word in parts if word.lower().startswith("cancel")} <= {"canceled"}


def named(table: Iterable[Row], field: str, column: str) -> dict[str, str]:
    """What a column says of each word of a field."""
    return {row["value"]: row[column] for row in table if row["field"] == field}
