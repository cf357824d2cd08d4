"""A damaged landed line stops nothing: it is left out and listed with its file and byte, and the rest loads."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.cycle.erase import erase_candidate
from screening_pipeline.landing.area import Landing
from screening_pipeline.landing.damage import DIGEST, LINE, NO_ENVELOPE, NOT_JSON, UNSEALED, ZEROED, fault
from screening_pipeline.vendors import all_vendors
from screening_pipeline_tests.support.commands import Commands
from screening_pipeline_tests.test_erasure import PERSON, House, house_in, lived_in, moved_into

__all__ = ("lived_in",)  # the fixture
Damaging = Callable[[bytes], bytes]
DAMAGES: dict[str, tuple[Damaging, str]] = {
    "a brace lost": (lambda line: line.replace(b"{", b"[", 1), NOT_JSON),
    "a byte flipped in UTF-8": (lambda line: line.replace(b"strange", b"str\xffnge"), NOT_JSON),
    "zeros in the middle": (lambda line: line[:90] + bytes(40) + line[130:], ZEROED),
    "all zeros": (lambda line: bytes(len(line)), ZEROED),
    "a key flipped": (lambda line: line.replace(b'"response_id"', b'"response_ie"', 1), NO_ENVELOPE),
    "its vendor flipped": (lambda line: line.replace(b'"vendor":"zinc"', b'"vendor":"zinb"', 1), NO_ENVELOPE),
    "its instant flipped": (lambda line: line.replace(b'"received_at":"2', b'"received_at":"x', 1), NO_ENVELOPE),
    "its messages lost": (lambda line: line.replace(b'"messages":[', b'"messagez":[', 1), NO_ENVELOPE),
    "a line of another kind": (lambda _: b"[1, 2]", NO_ENVELOPE),
}


@pytest.fixture
def house(lived_in: Path, tmp_path: Path) -> Iterator[House]:
    with moved_into(tmp_path / "data", lived_in) as house:
        yield house


def zinc_file(house: House) -> Path:
    (file,) = (house.data / "landing" / "zinc").glob("*/*.ndjson")
    return file


def damage(file: Path, change: Damaging, *, line: int) -> int:
    """Change one line; where it begins, in bytes."""
    lines = file.read_bytes().split(b"\n")
    assert change(lines[line]) != lines[line]
    lines[line] = change(lines[line])
    file.write_bytes(b"\n".join(lines))
    return len(b"\n".join(lines[:line])) + (1 if line else 0)


def listed(house: House) -> list[tuple[str, str, str]]:
    rows = house.rows("select file, reason, detail from ops.reject where source = 'landing' order by reject_id")
    return [(row["file"], row["reason"], row["detail"]) for row in rows]


def checks(house: House) -> set[str]:
    return {
        row["check_id"]
        for row in house.rows("select check_id from raw.check join staging.observation using (check_key)")
    }


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_line_is_left_out_of_a_rebuild_and_listed(house: House, name: str) -> None:
    change, reason = DAMAGES[name]
    file = zinc_file(house)
    byte = damage(file, change, line=1)
    house.rebuild()
    ((told, why, detail),) = listed(house)
    assert (told, why) == (str(file.relative_to(house.data / "landing")), reason)
    assert f"byte {byte} " in detail
    assert "CANARY-request" in checks(house), "the line before it is read"
    assert "other-report" in checks(house), "other files are read"
    assert "other-request" not in checks(house)
    house.rows("from raw.response")
    assert house.broken_rules() == []


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_line_does_not_stop_the_next_run(house: House, name: str) -> None:
    change, reason = DAMAGES[name]
    for check in ("new-1", "new-2", "new-3"):
        house.say("zinc", check, {"id": check, "status": "pending", "statusV2": "strange"})
    file = max((house.data / "landing" / "zinc").glob("*/*.ndjson"))
    damage(file, change, line=1)
    house.cycle()
    assert [why for _, why, _ in listed(house)] == [reason]
    assert {"new-1", "new-3"} <= checks(house)
    assert "new-2" not in checks(house)


def test_a_flipped_letter_in_a_status_is_noticed_by_its_digest(house: House) -> None:
    file = zinc_file(house)
    damage(file, lambda line: line.replace(b"strange", b"strangf"), line=1)
    house.rebuild()
    ((_, why, _),) = listed(house)
    assert why == DIGEST
    assert "other-request" not in checks(house)


def test_a_zeroed_tail_is_called_what_it_is(house: House) -> None:
    file = zinc_file(house)
    content = file.read_bytes()
    first = content.index(b"\n") + 1
    file.write_bytes(content[:first] + bytes(len(content) - first))
    house.rebuild()
    ((_, why, detail),) = listed(house)
    assert (why, f"byte {first} " in detail) == (ZEROED, True)
    assert "CANARY-request" in checks(house)


def test_no_line_as_it_was_written_is_called_damaged(house: House) -> None:
    assert list(house.work.landing.damages()) == []
    erase_candidate(house.work, PERSON)
    assert list(house.work.landing.damages()) == []


def test_an_erasure_wipes_a_damaged_line_that_names_them(house: House) -> None:
    damage(zinc_file(house), lambda line: line.replace(b"{", b"[", 1), line=0)
    damage(zinc_file(house), lambda line: line.replace(b"{", b"[", 1), line=1)
    assert erase_candidate(house.work, PERSON) is not None
    assert house.mentions("CANARY") == []
    assert b"other-request" in zinc_file(house).read_bytes(), "it stays for whoever can mend it"
    assert [why for _, why, _ in listed(house)] == [NOT_JSON]


def test_of_encrypted_lines_a_damaged_one_is_left_out_and_a_wrong_key_is_no_damage(house: House) -> None:
    def landing(key: bytes | None) -> Landing:
        return Landing(
            house.data / "landing", vendors=all_vendors(), spool_key=b"s" * 32, landing_key=key, clock=house.clock
        )

    sealed = replace(house.work, landing=landing(b"k" * 32))
    locked = House(sealed, house.clock)
    for check in ("new-1", "new-2", "new-3"):
        locked.say("zinc", check, {"id": check, "status": "pending", "statusV2": "strange"})
    file = max((house.data / "landing" / "zinc").glob("*/*.ndjson"))
    damage(file, lambda line: line[:50] + (b"A" if line[50:51] != b"A" else b"B") + line[51:], line=1)
    for key in (None, b"x" * 32):
        with pytest.raises(EnvironmentFailed, match="key"):
            House(replace(house.work, landing=landing(key)), house.clock).cycle()
    locked.cycle()
    assert [why for _, why, _ in listed(locked)] == [UNSEALED]
    assert {"new-1", "new-3"} <= checks(locked)


def test_a_line_with_a_flipped_bit_is_called_damaged_wherever_it_is(house: House) -> None:
    line = zinc_file(house).read_bytes().split(b"\n")[1]
    assert fault(line, "zinc", "main") is None
    key = line.index(b',"line_digest":"')
    silent = []
    for place in range(len(line)):
        flipped = line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :]
        silent += [] if fault(flipped, "zinc", "main") else [place]
    assert set(silent) <= set(range(key, key + len(b',"line_digest":"'))), "what the digest is called by says nothing"


def test_of_lines_that_an_earlier_version_wrote_bodies_are_compared(house: House) -> None:
    line = re.sub(rb',"line_digest":"[0-9a-f]+"', b"", zinc_file(house).read_bytes().split(b"\n")[1])
    assert fault(line, "zinc", "main") is None
    assert fault(line.replace(b"strange", b"strangf"), "zinc", "main") == DIGEST


def test_what_was_masked_is_noticed_as_well(house: House) -> None:
    house.say("zinc", "new-1", {"id": "new-1", "status": "pending", "statusV2": "strange", "dob": "1980-01-01"})
    file = max((house.data / "landing" / "zinc").glob("*/*.ndjson"))
    assert b"1980" not in file.read_bytes()
    damage(file, lambda line: line.replace(b"strange", b"strangf"), line=0)
    assert [one.reason for one in house.work.landing.damages()] == [LINE]


def test_doctor_compares_every_line_where_it_is_asked_to(
    lived_in: Path,
    tmp_path: Path,
    commands: Commands,
) -> None:
    shutil.copytree(lived_in, tmp_path / "data")
    (tmp_path / "screening.toml").write_text(
        '[[accounts]]\nvendor = "zinc"\nname = "main"\nbase_url = "http://127.0.0.1:9"\npolling = false\n'
    )
    environ = {"PATH": os.defpath, "HOME": str(tmp_path)}
    house = house_in(tmp_path / "data")
    byte = damage(zinc_file(house), lambda line: line.replace(b"strange", b"strangf"), line=1)
    house.work.state.close()
    shallow = commands.run("doctor", folder=tmp_path, environ=environ)
    assert f"1 damaged line: zinc/main/2026-03-02.ndjson, byte {byte}" in shallow.stdout, (
        "a sample of so few is all of it"
    )
    deep = commands.run("doctor", "--deep", folder=tmp_path, environ=environ)
    assert deep.returncode == 1, deep.stderr
    assert f"1 damaged line: zinc/main/2026-03-02.ndjson, byte {byte}" in deep.stdout
