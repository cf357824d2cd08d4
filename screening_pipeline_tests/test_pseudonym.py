"""Pseudonyms and the key behind them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from screening_pipeline.base.errors import ConfigurationError, EnvironmentFailed, NotWritable
from screening_pipeline.domain.pseudonym import pseudonym
from screening_pipeline.settings.keys import kept_key, landing_key, pseudonym_key
from screening_pipeline.settings.load import load

KEY = b"0123456789abcdef"


def test_a_pseudonym_is_32_hex_digits_and_the_same_each_time() -> None:
    first = pseudonym(KEY, "candidate-7")
    assert first == pseudonym(KEY, "candidate-7")
    assert len(first) == 32
    assert set(first) <= set("0123456789abcdef")


def test_a_pseudonym_is_the_hmac_known_from_a_published_test_vector() -> None:
    # RFC 4231, test case 2, cut to 128 bits.
    assert pseudonym(b"Jefe", "what do ya want for nothing?") == "5bdcc146bf60754e6a042426089575c7"


def test_other_people_and_other_keys_have_other_pseudonyms() -> None:
    given = {pseudonym(key, ref) for key in (KEY, KEY[::-1]) for ref in ("a", "A", "a ", "007", "7")}
    assert len(given) == 10


def test_a_reference_of_any_text_has_a_pseudonym() -> None:
    assert len({pseudonym(KEY, text) for text in ("", "Ørsted", "候補者", "\ud800")}) == 4


def test_the_key_of_the_environment_wins_over_a_kept_one(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    kept = pseudonym_key(settings, {})
    given = pseudonym_key(settings, {"SCREENING_PSEUDONYM_KEY": "a key of our own choice"})
    assert given == b"a key of our own choice"
    assert pseudonym_key(settings, {}) == kept


def test_a_kept_key_moved_into_the_environment_stays_the_same_key(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    kept = pseudonym_key(settings, {})
    moved = {"SCREENING_PSEUDONYM_KEY": settings.paths.pseudonym_key.read_text()}
    assert pseudonym_key(settings, moved) == kept


def test_a_key_too_short_to_protect_is_refused_without_showing_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="SCREENING_PSEUDONYM_KEY: must hold at least 16") as caught:
        pseudonym_key(load({}, tmp_path), {"SCREENING_PSEUDONYM_KEY": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_a_kept_key_is_readable_by_its_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        kept_key(tmp_path / "a.key")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["a.key"]


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    code = "import sys, pathlib; from screening_pipeline.settings.keys import kept_key\n"
    code += "sys.stdin.read(); print(kept_key(pathlib.Path(sys.argv[1])).decode())"
    command = [sys.executable, "-c", code, str(tmp_path / "a.key")]
    start, go = os.pipe()
    racers = [subprocess.Popen(command, stdin=start, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    os.close(start)
    os.close(go)  # the end of the shared input lets all of them run at one moment
    answers = {racer.communicate()[0] for racer in racers}
    assert len(answers) == 1
    assert answers == {(tmp_path / "a.key").read_text()}


def test_a_damaged_key_is_an_error_and_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.key").write_bytes(b"")
    with pytest.raises(EnvironmentFailed, match=r"a\.key is damaged"):
        kept_key(tmp_path / "a.key")
    assert (tmp_path / "a.key").read_bytes() == b""


def test_a_key_that_cannot_be_kept_says_where_and_why(tmp_path: Path) -> None:
    with pytest.raises(NotWritable, match=r"cannot write a\.key: No such file or directory"):
        kept_key(tmp_path / "nowhere" / "a.key")


# ── which key is in use ────────────────────────────────────────────────────────────────────────────


def test_once_there_is_a_warehouse_another_pseudonym_key_is_refused_and_none_is_made(tmp_path: Path) -> None:
    settings, given = load({}, tmp_path), {"SCREENING_PSEUDONYM_KEY": "a key of our own choice"}
    pseudonym_key(settings, given)
    settings.paths.warehouse.touch(0o600)
    for other in ({}, {"SCREENING_PSEUDONYM_KEY": "a key of another choice"}):
        with pytest.raises(ConfigurationError, match="SCREENING_PSEUDONYM_KEY: is not") as refused:
            pseudonym_key(settings, other)
        assert "choice" not in str(refused.value)
    assert not settings.paths.pseudonym_key.exists()
    assert pseudonym_key(settings, given) == b"a key of our own choice"


def test_a_kept_key_that_is_not_the_one_in_use_is_refused_by_its_name(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    kept = pseudonym_key(settings, {})
    settings.paths.warehouse.touch(0o600)
    settings.paths.pseudonym_key.write_text("b" * 64)
    with pytest.raises(ConfigurationError, match=r"pseudonym\.key: is not the key"):
        pseudonym_key(settings, {})
    assert pseudonym_key(settings, {"SCREENING_PSEUDONYM_KEY": kept.decode()}) == kept


def test_until_there_is_a_warehouse_the_pseudonym_key_may_change(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    pseudonym_key(settings, {})
    later = {"SCREENING_PSEUDONYM_KEY": "a key of our own choice"}
    assert pseudonym_key(settings, later) == b"a key of our own choice"
    settings.paths.warehouse.touch(0o600)
    assert pseudonym_key(settings, later) == b"a key of our own choice"
    with pytest.raises(ConfigurationError, match=r"pseudonym\.key"):
        pseudonym_key(settings, {})


def test_once_lines_are_landed_another_landing_key_is_refused(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    settings = replace(settings, privacy=replace(settings.privacy, landing_key_env="LANDING_KEY"))
    first, second = ({"LANDING_KEY": f"the {word} landing key"} for word in ("first", "second"))
    assert landing_key(settings, first) == b"the first landing key"
    assert landing_key(settings, second) == b"the second landing key"
    landed = settings.paths.landing / "zinc" / "main" / "2026-03-02.ndjson"
    landed.parent.mkdir(parents=True)
    landed.touch(0o600)
    with pytest.raises(ConfigurationError, match="LANDING_KEY: is not the key") as refused:
        landing_key(settings, first)
    assert "first" not in str(refused.value)
    assert landing_key(settings, second) == b"the second landing key"


def test_the_notes_of_keys_are_owner_only_and_hold_no_key(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    key = pseudonym_key(settings, {})
    note = settings.paths.pseudonym_note
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert key not in note.read_bytes()
    assert len(note.read_text().strip()) == 64
