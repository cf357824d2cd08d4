"""Published files can be read by the group that is configured, and by nobody else; `doctor` says who that is."""

from __future__ import annotations

import grp
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from screening_pipeline.base.clock import ManualClock
from screening_pipeline.base.errors import ConfigurationError
from screening_pipeline.cli import doctor
from screening_pipeline.cycle import settle as cycle_settle
from screening_pipeline.cycle.writing import open_warehouse
from screening_pipeline.report.write import publish_report
from screening_pipeline.runtime.opening import build_runtime
from screening_pipeline.settings.paths import Paths
from screening_pipeline.settings.readers import give_to_group, readers
from screening_pipeline.settings.settings import Publish, Settings
from screening_pipeline.warehouse import publish
from screening_pipeline.warehouse.engine_duckdb import DuckDBFiles
from screening_pipeline_tests.support.stage import MORNING, account

OTHERS = [g for g in grp.getgrall() if g.gr_gid != os.getgid() and (os.geteuid() == 0 or g.gr_gid in os.getgroups())]
NOBODY = 65534
needs_a_group = pytest.mark.skipif(not OTHERS, reason="this user is in no second group")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that others may pass through, as pytest's own are not."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def settings(folder: Path, group: str | None) -> Settings:
    paths = Paths.under(folder / "data", {})
    paths.create()
    return Settings(accounts=(account("zinc"),), paths=paths, publish=Publish(group=group))


def published(given: Settings) -> list[Path]:
    """Publish all there is, under the strict umask of the command line; every file and folder of it."""
    before = os.umask(0o077)
    try:
        work = build_runtime(given, {}, ManualClock(MORNING))
        with open_warehouse(work) as connection:
            cycle_settle.settle(work, connection)
            publish.publish(connection, given.paths.published)
        with DuckDBFiles(given.paths).deriving() as snapshot:
            publish.export_parquet(snapshot, given.paths.parquet)
            publish_report(snapshot, given.paths, generated_at=MORNING)
    finally:
        os.umask(before)
    folder = given.paths.published.parent
    return [folder, *(path for path in folder.rglob("*") if not path.is_symlink())]


def modes(files: list[Path]) -> set[tuple[bool, str]]:
    return {(path.is_dir(), oct(stat.S_IMODE(path.stat().st_mode))) for path in files}


def test_without_a_group_only_the_users_own_group_reads_them(folder: Path) -> None:
    files = published(settings(folder, None))
    assert modes(files[1:]) == {(True, "0o750"), (False, "0o440")}
    assert {path.stat().st_gid for path in files} == {folder.stat().st_gid}


@needs_a_group
def test_every_published_file_and_folder_belongs_to_the_group(folder: Path) -> None:
    given = settings(folder, OTHERS[0].gr_name)
    files = published(given)
    assert {path.stat().st_gid for path in files} == {OTHERS[0].gr_gid}
    assert modes(files) == {(True, "0o750"), (False, "0o440")}
    assert given.paths.report in files
    assert {path.suffix for path in files if path.is_file()} == {".duckdb", ".html", ".parquet"}


@needs_a_group
def test_what_was_published_before_the_group_was_configured_follows(folder: Path) -> None:
    files = published(settings(folder, None))
    give_to_group(settings(folder, OTHERS[0].gr_name))
    assert {path.stat().st_gid for path in files} == {OTHERS[0].gr_gid}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_member_reads_everything_and_a_stranger_nothing(folder: Path) -> None:
    given = settings(folder, OTHERS[0].gr_name)
    published(given)

    def can_read(path: Path, group: int) -> bool:
        return not subprocess.run(
            ["cat", path], user=NOBODY, group=group, extra_groups=[], capture_output=True, check=False
        ).returncode

    for path in (given.paths.published, given.paths.report, given.paths.parquet / "star" / "fact_check.parquet"):
        assert (can_read(path, OTHERS[0].gr_gid), can_read(path, NOBODY)) == (True, False), path
    assert not can_read(given.paths.warehouse, OTHERS[0].gr_gid)


def test_a_group_that_does_not_exist_is_told(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"publish\.group: 'no-such-group' is no group of this machine"):
        published(settings(folder, "no-such-group"))
    (found,) = doctor._readers(settings(folder, "no-such-group"))
    assert found.level == "fail"


@needs_a_group
def test_doctor_says_who_can_read_them_and_what_keeps_them_out(folder: Path) -> None:
    given = settings(folder, OTHERS[0].gr_name)
    assert list(doctor._readers(given)) == []  # nothing is published yet
    published(given)
    (found,) = doctor._readers(given)
    assert (found.level, found.message.startswith(f"read by this user and group {OTHERS[0].gr_name}")) == ("ok", True)
    folder.chmod(0o700)
    (found,) = doctor._readers(given)
    assert (found.level, f"{folder} is closed" in found.message) == ("warn", True)
    without = replace(given, publish=Publish())
    (found,) = doctor._readers(without)
    assert "[publish] group" in found.fix
    told = readers(without)
    assert told is not None
    assert folder in told.closed


def test_the_report_of_an_earlier_version_goes_when_the_new_one_is_there(folder: Path) -> None:
    given = settings(folder, None)
    given.paths.earlier_report.write_text("the old one")
    published(given)
    assert not given.paths.earlier_report.exists()
