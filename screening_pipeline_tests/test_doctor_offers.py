"""What an account offers as a decision, and nobody has given a meaning, is found by the doctor."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from screening_pipeline.cli.doctor_offers import offer_findings
from screening_pipeline.cli.findings import Finding
from screening_pipeline.http.probe import words_of
from screening_pipeline.state.rate_limit import Limiter
from screening_pipeline_tests.support.end_to_end_world import Play, dagster_words, playing

KEYS = ("adjudicationStatus", "name")


def found(play: Play, **changed: Any) -> list[Finding]:
    """The findings with another account of HireRight."""
    settings = play.runtime.settings
    accounts = tuple(replace(a, **changed) if a.vendor == "hireright" else a for a in settings.accounts)
    limiter = Limiter(play.runtime.state, play.clock)
    return list(offer_findings(replace(settings, accounts=accounts), {}, limiter, play.clock))


@dagster_words
def test_words_that_an_account_offers_are_told_once_one_of_its_checks_was_decided(tmp_path: Path) -> None:
    with playing(tmp_path, checks=40) as play:
        assert found(play) == []  # nothing is known, so nothing can be asked
        play.cycle(day=25)
        (strange,) = found(play)
        assert strange.level == "warn"
        assert strange.message == "offers Escalated To Legal, which nobody has given a meaning"
        assert "final_adjudications" in strange.fix
        (known,) = found(play, status_aliases={"Escalated To Legal": "Client Review Required"})
        assert known.level == "ok"
        assert "Approved By Security" in known.message
        (both,) = found(play, final_adjudications=())
        assert both.message.startswith("offers Approved By Security, Escalated To Legal,")
        assert found(play, polling=False, status_updates=False) == []  # who is only pushed to is asked nothing


@dagster_words
def test_a_vendor_that_does_not_list_its_words_is_no_finding(tmp_path: Path) -> None:
    with playing(tmp_path, checks=40) as play:
        play.cycle(day=25)
        (account,) = (a for a in play.runtime.settings.accounts if a.vendor == "hireright")
        assert found(play, base_url=f"{account.base_url}/elsewhere") == []


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (["Yes", " No ", "Yes", ""], ("Yes", "No")),
        ([{"name": "Yes"}, {"adjudicationStatus": "No", "name": "other"}, {"id": 7}, 7], ("Yes", "No")),
        ({"statuses": [{"name": "Yes"}], "count": 1}, ("Yes",)),
        ({"name": "Yes"}, ()),
        ("Yes", ()),
        (None, ()),
    ],
)
def test_a_list_of_words_is_read_in_any_form(told: object, words: tuple[str, ...]) -> None:
    assert words_of(json.dumps(told).encode(), KEYS) == words


def test_what_is_no_json_lists_no_words() -> None:
    assert words_of(b"<html>", KEYS) == ()
    assert words_of(b"[" * 100_000, KEYS) == ()
