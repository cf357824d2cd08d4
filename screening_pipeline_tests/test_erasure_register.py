"""Who was erased stays erased also where the warehouse is lost; what is lost with each part of a backup."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from screening_pipeline.base.errors import ScreeningError
from screening_pipeline.cycle.erase import erase_candidate
from screening_pipeline.domain.pseudonym import pseudonym
from screening_pipeline.settings.paths import Paths
from screening_pipeline_tests.support.commands import Commands
from screening_pipeline_tests.test_erasure import PERSON, House, house_in, lived_in, moved_into

__all__ = ("lived_in",)  # the fixture
REGISTER = "erasures.ndjson"


@pytest.fixture(scope="module")
def left(lived_in: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose person was erased."""
    with moved_into(tmp_path_factory.mktemp("left") / "data", lived_in) as house:
        assert erase_candidate(house.work, PERSON) is not None
        house.cycle()
    return house.data


@pytest.fixture
def erased(left: Path, tmp_path: Path) -> Iterator[House]:
    with moved_into(tmp_path / "data", left, days=2) as house:
        yield house


def lines(house: House) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (house.data / REGISTER).read_bytes().splitlines()]


def lose_warehouse(house: House) -> None:
    for path in house.data.glob("warehouse.duckdb*"):
        path.unlink()


def test_an_erasure_outlives_the_warehouse(erased: House) -> None:
    standing = (
        "select vendor, check_id, lifecycle, result, ordered_at from star.fact_check order by all"  # numbers are new
    )
    before = erased.rows(standing)
    lose_warehouse(erased)
    erased.cycle()
    assert erased.rows("select check_id from raw.check where check_id like 'CANARY%'") == []
    assert erased.rows(standing) == before
    assert erased.mentions("CANARY", pseudonym(erased.work.key, PERSON)) == []
    (row,) = erased.rows("from ops.erasure")
    assert row["completed_at"] >= row["requested_at"]


def test_a_later_order_of_the_erased_is_kept_out_of_a_new_warehouse(erased: House) -> None:
    lose_warehouse(erased)
    erased.order({"vendor": "zinc", "check_id": "later", "candidate_ref": PERSON})
    erased.cycle()
    assert erased.rows("from raw.check where check_id = 'later'") == []


def test_the_register_holds_hashes_alone_and_is_the_owners(erased: House) -> None:
    register = erased.data / REGISTER
    assert (register.stat().st_mode & 0o777) == 0o600
    assert "CANARY" not in register.read_text()
    assert [bool(line["erasure"]) for line in lines(erased)] == [True, True], "begun, and done"


def test_the_register_is_written_before_anything_is_erased(
    lived_in: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with moved_into(tmp_path / "data", lived_in) as house:
        monkeypatch.setattr(house.work.landing, "erase", crash)
        with pytest.raises(KeyboardInterrupt):
            erase_candidate(house.work, PERSON)
        assert len(lines(house)) == 1
        assert b"CANARY-request" in b"".join(house.work.landing.contents())


def test_a_folder_of_an_earlier_version_gets_its_register_from_the_warehouse(erased: House) -> None:
    (told,) = {json.dumps(line["hashes"]) for line in lines(erased) if line["hashes"]}
    (erased.data / REGISTER).unlink()
    erased.cycle()
    assert sorted({one for line in lines(erased) for one in line["hashes"]}) == json.loads(told)
    lose_warehouse(erased)
    erased.cycle()
    assert erased.mentions("CANARY") == []


def test_without_register_and_warehouse_nothing_is_made_of_what_erasures_left(erased: House) -> None:
    (erased.data / REGISTER).unlink()
    lose_warehouse(erased)
    for _ in range(2):
        with pytest.raises(ScreeningError, match=r"nothing tells whom.*Restore erasures\.ndjson"):
            erased.cycle()
    (erased.data / REGISTER).touch()
    erased.cycle()  # nobody has a backup: they are erased again
    assert erase_candidate(erased.work, PERSON) is not None
    assert erased.mentions("CANARY") == []


def test_a_warehouse_from_before_the_erasure_is_not_taken_for_the_present(
    lived_in: Path,
    erased: House,
) -> None:
    shutil.copyfile(lived_in / "warehouse.duckdb", erased.data / "warehouse.duckdb")
    with pytest.raises(ScreeningError, match=r"older than an erasure.*move it away and run"):
        erased.cycle()
    lose_warehouse(erased)
    erased.cycle()
    assert erased.mentions("CANARY") == []


def test_a_landing_area_from_before_the_erasure_is_scrubbed_where_the_warehouse_is_made_anew(
    lived_in: Path,
    erased: House,
) -> None:
    lose_warehouse(erased)
    shutil.rmtree(erased.data / "landing")
    shutil.copytree(lived_in / "landing", erased.data / "landing")
    erased.cycle()
    assert erased.mentions("CANARY") == []


@pytest.mark.parametrize(
    "damage", [b"{\n", b"[]\n", b'{"key": 1, "hashes": [], "erasure": null}\n', b"\x00" * 90 + b"\n"]
)
def test_a_damaged_register_is_named_with_its_line(erased: House, damage: bytes) -> None:
    with (erased.data / REGISTER).open("ab") as register:
        register.write(damage)
    lose_warehouse(erased)
    with pytest.raises(ScreeningError, match=r"erasures\.ndjson, line 3, is damaged"):
        erased.cycle()


def test_a_flipped_letter_in_a_hash_is_noticed(erased: House) -> None:
    register = erased.data / REGISTER
    hashed = lines(erased)[0]["hashes"][0]
    register.write_text(register.read_text().replace(hashed, hashed[:-1] + ("0" if hashed[-1] != "0" else "1")))
    lose_warehouse(erased)
    with pytest.raises(ScreeningError, match=r"erasures\.ndjson, line 1, is damaged"):
        erased.cycle()


def test_half_a_line_that_a_crash_left_is_no_damage(erased: House) -> None:
    with (erased.data / REGISTER).open("ab") as register:
        register.write(b'{"key": "')
    lose_warehouse(erased)
    erased.cycle()
    assert erased.mentions("CANARY") == []


def test_what_doctor_says_of_a_damaged_warehouse_brings_nobody_back(
    lived_in: Path,
    tmp_path: Path,
    commands: Commands,
) -> None:
    shutil.copytree(lived_in, tmp_path / "data")
    environ = {"PATH": os.defpath, "HOME": str(tmp_path), "DAGSTER_DISABLE_TELEMETRY": "yes"}
    (tmp_path / "screening.toml").write_text(
        '[[accounts]]\nvendor = "zinc"\nname = "main"\nbase_url = "http://127.0.0.1:9"\npolling = false\n'
    )

    def run(*words: str) -> str:
        done = commands.run(*words, folder=tmp_path, environ=environ)
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    assert "erased 4 checks" in run("erase", "--candidate-ref", PERSON)
    with (tmp_path / "data" / "warehouse.duckdb").open("r+b") as warehouse:
        warehouse.write(b"\xff" * 4096)
    assert "move it away and run screening-pipeline rebuild: erasures.ndjson keeps out" in run("doctor")
    (tmp_path / "data" / "warehouse.duckdb").rename(tmp_path / "damaged")
    assert "rebuilt" in run("rebuild")
    run("sync")
    house = house_in(tmp_path / "data")
    assert house.mentions("CANARY") == []
    assert len(house.rows("from ops.erasure")) == 1
    house.work.state.close()


# ── what is lost with each part of a backup ────────────────────────────────────────────────────────────

PARTS = {
    "landing": ["landing"],
    "orders": ["orders"],
    "warehouse": ["warehouse.duckdb"],
    "state": ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm"],
    "keys": ["pseudonym.key", "spool.key"],
    "digests": ["pseudonym.digest", "landing.digest"],
    "register": [REGISTER],
    "dagster": ["dagster"],
}
IMPORTANT = ("landing", "warehouse", "keys", "digests", "register")
"""What tells of an erasure, and what it takes to read that; of the others each is lost alone."""
EVERY_LOSS = "TEST_EVERY_LOSS"
"""The environment variable with which every set of parts is tried, for half an hour."""


def refusal(lost: frozenset[str]) -> str | None:
    """Why nothing is done after this loss; None where the rest is worked with."""
    is_known = not {"register", "warehouse"} <= lost
    if "keys" in lost and is_known and "digests" not in lost:
        return "another|is not the key|not set"
    if "keys" in lost and "register" not in lost:
        return "another pseudonym key"
    if not is_known and "landing" not in lost:
        return "nothing tells whom"
    return None


def lose(house_folder: Path, lost: frozenset[str]) -> None:
    for name in (name for part in lost for name in PARTS[part]):
        path = house_folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


BACKED_UP = ("landing", "orders", "keys", "register")
"""What is told to be backed up: all else is gone where a machine is, and any of these where a backup has holes."""


def restores() -> list[frozenset[str]]:
    """What is lost where a whole machine is, with each set of what a backup should have and has not."""
    rest = frozenset(PARTS) - {*BACKED_UP}
    return [rest | {*lost} for count in range(len(BACKED_UP) + 1) for lost in combinations(BACKED_UP, count)]


def losses() -> list[frozenset[str]]:
    """The sets of parts that are tried: restores, pairs of what is important, and a warehouse lost with more."""
    if os.environ.get(EVERY_LOSS):
        counts = range(len(PARTS) + 1)
        return [frozenset(lost) for count in counts for lost in combinations(PARTS, count)]
    pairs = map(frozenset, combinations(IMPORTANT, 2))
    return [*restores(), *pairs, frozenset({"register", "warehouse", "landing"})]


@pytest.mark.slow
@pytest.mark.parametrize("lost", losses(), ids=lambda lost: "+".join(sorted(lost)) or "nothing")
def test_whatever_is_lost_of_a_backup_nobody_comes_back_unsaid(
    left: Path, tmp_path: Path, lost: frozenset[str]
) -> None:
    _try_loss(left, tmp_path / "data", lost)


@pytest.mark.parametrize("part", PARTS)
def test_one_part_of_a_backup_lost_brings_nobody_back(left: Path, tmp_path: Path, part: str) -> None:
    _try_loss(left, tmp_path / "data", frozenset({part}))


def _try_loss(left: Path, folder: Path, lost: frozenset[str]) -> None:
    shutil.copytree(left, folder)
    lose(folder, lost)
    expected = refusal(lost)
    if expected:
        with pytest.raises(ScreeningError, match=expected):
            _cycled(folder)
    else:
        _assert_well(_cycled(folder), lost)
    shutil.rmtree(folder)


def _cycled(folder: Path) -> House:
    house = house_in(folder)
    house.clock.advance(2 * 86_400)
    try:
        house.cycle()
    except BaseException:
        house.work.state.close()
        raise
    return house


def _assert_well(house: House, lost: frozenset[str]) -> None:
    is_forgotten = {"register", "warehouse", "landing"} <= lost  # nothing is left that tells of an erasure
    if not is_forgotten:
        assert house.mentions("CANARY") == [], lost
    assert house.broken_rules() == [], lost
    others = {row["check_id"] for row in house.rows("select check_id from raw.check where check_id like 'other%'")}
    if "warehouse" not in lost:
        assert {"other-report", "other-request", "other-order"} <= others, lost
    elif not {"landing", "orders"} <= lost:
        assert "other-report" in others, lost
    house.work.state.close()
    assert Paths.under(house.data, {}).erasure_register.exists() or is_forgotten, lost
