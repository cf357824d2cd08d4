"""Each view and macro against cases by hand: `sql/<schema>.<name>/<case>/`.

`given/<schema>.<table>.csv` names the columns it fills, `expect.csv` the columns it speaks of. `from.sql`,
where there is one, is what to select from instead of the relation itself. Calendars are the program's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from screening_pipeline.base.clock import SystemClock
from screening_pipeline.base.sql_text import quote
from screening_pipeline.warehouse import catalog, reference_tables, store
from screening_pipeline.warehouse.session import Connection
from screening_pipeline_tests.support.derived import derive

ROOT = Path(__file__).parent / "sql"
CASES = sorted(path.parent for path in ROOT.glob("*/*/expect.csv"))
CALENDARS = ("US", "GB", "AU")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    folder = tmp_path_factory.mktemp("warehouse")
    path = folder / "warehouse.duckdb"
    with store.writer(path, lock_path=folder / "lock", clock=SystemClock()) as connection:
        reference_tables.fill_calendars(connection, CALENDARS)
        yield connection


@pytest.fixture
def connection(empty: Connection) -> Iterator[Connection]:
    empty.execute("begin")
    yield empty
    empty.execute("rollback")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_it_answers_as_worked_out_by_hand(case: Path, connection: Connection) -> None:
    for given in sorted((case / "given").glob("*.csv")):
        connection.execute(f"insert into {given.stem} by name from {_csv(given)}")
    derive(connection)
    source = case.parent.name
    if (case / "from.sql").is_file():
        source = (case / "from.sql").read_text(encoding="utf-8")
    columns = _types(connection, source, case / "expect.csv")
    assert _rows(connection, source, columns) == _rows(connection, _csv(case / "expect.csv"), columns)


@pytest.mark.parametrize(
    "name", [relation.qualified for how in ("view", "macro") for relation in catalog.refreshed(how)]
)
def test_every_view_and_macro_has_a_case(name: str) -> None:
    assert any(case.parent.name == name for case in CASES)


def test_every_case_is_about_something_that_exists() -> None:
    assert {case.parent.name for case in CASES} <= set(catalog.relations())


def _csv(path: Path) -> str:
    columns = ", ".join(f"{quote(name)}: 'varchar'" for name in _header(path))
    return f"read_csv({quote(str(path))}, header = true, nullstr = '', columns = {{{columns}}})"


def _header(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()[0].split(",")


def _types(connection: Connection, source: str, expected: Path) -> dict[str, str]:
    """The type of each column that the expectation speaks of."""
    types = {name: kind for name, kind, *_ in connection.execute(f"describe from {source}").fetchall()}
    return {name: types[name] for name in _header(expected)}


def _rows(connection: Connection, source: str, columns: dict[str, str]) -> list[tuple[str | None, ...]]:
    """Cells as text of their type, fractions to six places, in an order of their own."""
    cells = ", ".join(_cell(name, kind) for name, kind in columns.items())
    return connection.execute(f"select {cells} from {source} order by all").fetchall()


def _cell(name: str, kind: str) -> str:
    value = f'"{name}"::{kind}'
    return f"round({value}, 6)::varchar" if kind == "DOUBLE" else f"{value}::varchar"
