"""Data folders of earlier versions, opened by this one.

Each archive in data_folders/ was made by tools/old_data_folder.py with the version that it is named after, and stays as
it is. The world in it ended long ago: what was open then has nearly all ended when it is asked for now.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import duckdb
import pytest

from screening_pipeline.orchestration.event_log import EventLog, Storage
from screening_pipeline.orchestration.instance import ensure_instance_files, instance
from screening_pipeline.settings.paths import Paths
from screening_pipeline_tests.support.commands import Commands

FOLDERS = sorted((Path(__file__).parent / "data_folders").glob("*.tar.xz"))
RUNS = 3
PUSHED = "2000014"  # what Workable pushed about it waits in the spool
DECIDED_LATE = "0107000007"  # HireRight's sandbox tells by now that this report was decided anew after its end
VENDORS = {"goodhire", "hireright", "workable", "workerchecks", "zinc"}

# When a check is asked for next is planned anew by every version.
PLANNED = {("fact_check", "next_pull_at")}
# What later versions read otherwise, and say so in the changelog: Australia's days in lieu are holidays, GoodHire's
# `AwaitingConfirmation` waits for the candidate, and Zinc does not say whom `in-progress` waits for.
READ_ANEW = {
    ("dim_calendar", "business_day_number"),
    ("dim_calendar", "is_business_day"),
    ("dim_vendor_status", "lifecycle"),
    ("dim_vendor_status", "mapping_version"),
    ("dim_vendor_status", "next_actor"),
    ("dim_vendor_status", "note"),
    ("fact_check_event", "next_actor"),
}

Table = dict[str, list[tuple[object, ...]]]


class OldFolder:
    """A data folder as an earlier version left it, in a folder that commands are run in."""

    def __init__(self, folder: Path, archive: Path, commands: Commands) -> None:
        self._folder = folder
        self._commands = commands
        self.data = folder / "data"
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")

    def run(self, *words: str) -> str:
        """What a command prints that succeeds."""
        ended = self._commands.run(*words, folder=self._folder, environ={"HOME": str(self._folder)}, seconds=110)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    @property
    def published(self) -> Path:
        return self.data / "published" / "screening.duckdb"

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What an analyst finds."""
        with duckdb.connect(self.published, read_only=True) as connection:
            return connection.execute(query).fetchall()

    def columns(self) -> set[tuple[str, str]]:
        """Table and column of all that the star holds."""
        query = "select table_name, column_name from information_schema.columns where table_schema = 'star'"
        return {(str(table), str(column)) for table, column in self.rows(query)}

    def star(self, known: set[tuple[str, str]], condition: str = "true") -> Table:
        """The rows of every table in these columns, where a table can tell of the condition."""
        names = {table: sorted(column for one, column in known if one == table) for table, _ in known}
        vendors = ", ".join(f"'{vendor}'" for vendor in sorted(VENDORS))  # a later version may know more of them
        theirs = {table: f"vendor in ({vendors})" if "vendor" in names[table] else "true" for table in names}
        return {
            table: self.rows(
                f"select {', '.join(columns)} from star.{table} where {condition} and {theirs[table]} order by all"
            )
            for table, columns in sorted(names.items())
        }


@pytest.fixture(params=FOLDERS, ids=lambda path: path.name.partition(".")[0])
def old(request: pytest.FixtureRequest, tmp_path: Path, commands: Commands) -> OldFolder:
    return OldFolder(tmp_path, request.param, commands)


def test_a_rebuild_of_an_earlier_versions_folder_gives_the_same_star(old: OldFolder) -> None:
    columns = old.columns() - PLANNED - READ_ANEW
    before = old.star(columns)
    assert {vendor for (vendor,) in old.rows("select vendor from star.fact_check")} == VENDORS
    old.run("rebuild")
    assert columns <= old.columns()
    assert old.star(columns) == before


def test_an_earlier_versions_folder_goes_through_a_cycle(old: OldFolder) -> None:
    ended = (
        "(check_key in (select check_key from star.fact_check"
        f" where is_terminal and last_observed_at < '2025-03-25' and check_id <> '{DECIDED_LATE}'))"
    )
    columns = old.columns() - PLANNED - READ_ANEW
    with_checks = {table for table, column in columns if column == "check_key"}
    columns = {(table, column) for table, column in columns if table in with_checks}
    before = old.star(columns, ended)
    assert len(before["fact_check"]) == 11
    accounts = json.loads(old.run("status", "--json"))
    assert sum(account["open"] for account in accounts) == 5

    (sealed,) = (old.data / "landing" / "spool").glob("*.sealed")

    assert "8 orders read" in old.run("sync")

    assert old.star(columns, ended) == before  # their calls as well: nothing was asked again that had ended
    still_open = "select vendor, subject from star.fact_check where is_terminal is not true order by vendor"
    # Of one nobody has decided, one is in no feed, one candidate never came.
    assert old.rows(still_open) == [("checkr", "report"), ("hireright", "order"), ("zinc", "request")]
    assert old.rows("select count(*) from ops.run") == [(RUNS + 1,)]

    assert not sealed.exists()  # landed, and that check was not asked for: what was pushed had ended it
    assert old.rows(f"select count(*) from star.fact_pull where check_id = '{PUSHED}'") == [(1,)]
    query = f"select channel from star.fact_check_event where check_id = '{PUSHED}' order by event_seq"
    assert old.rows(query) == [("pull",), ("push",)]


def test_dagster_knows_the_runs_of_an_earlier_version(old: OldFolder) -> None:
    with instance(Paths.under(old.data, {}), {}) as recorded:
        runs = recorded.get_runs()
        assert len(runs) == RUNS
        assert all(recorded.all_logs(run.run_id) for run in runs)


@pytest.mark.parametrize("has_capture", [True, False])
def test_a_dagster_yaml_that_an_earlier_version_wrote_is_renewed_unless_somebody_changed_it(
    tmp_path: Path, has_capture: bool
) -> None:
    paths = Paths.under(tmp_path, {})
    config = paths.dagster / "dagster.yaml"
    ensure_instance_files(paths)
    today = config.read_text()
    first, _, rest = today.partition("# Steps say")
    capture, _, rest = rest.partition("# The console")
    earlier = first + ("# Steps say" + capture if has_capture else "") + rest[rest.index("# A run whose") :]
    assert "python_log_level" not in earlier
    assert ("compute_logs" in earlier) == has_capture
    config.write_text(earlier)
    ensure_instance_files(paths)
    assert config.read_text() == today
    changed = earlier.replace("max_concurrent_runs: 4", "max_concurrent_runs: 2")
    config.write_text(changed)
    ensure_instance_files(paths)
    assert config.read_text() == changed


def test_a_dagster_yaml_that_names_the_event_log_by_its_earlier_module_is_mended(tmp_path: Path) -> None:
    paths = Paths.under(tmp_path, {})
    paths.create()
    config = paths.dagster / "dagster.yaml"
    storage = "storage:\n  custom:  # ours\n    module: {}\n    class: Storage\n    config: {{base_dir: here}}\n"
    config.write_text(storage.format("screening_pipeline.event_log").replace("here", str(paths.dagster)))
    with instance(paths, {}) as opened:
        assert isinstance(opened.event_log_storage, EventLog)
    assert config.read_text() == storage.format(Storage.__module__).replace("here", str(paths.dagster))
