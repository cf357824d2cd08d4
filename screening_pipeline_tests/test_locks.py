"""One writer, and nothing else that touches the live file; readers of what is published are never disturbed."""

from __future__ import annotations

import ast
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from screening_pipeline.base import locks
from screening_pipeline.cycle import erase
from screening_pipeline.privacy import retention
from screening_pipeline.warehouse import store
from screening_pipeline_tests.test_erasure import PERSON, House, house_in
from screening_pipeline_tests.test_layout import PACKAGE, modules, source
from screening_pipeline_tests.test_tools import loaded

LIVE = "warehouse.duckdb"
OPENERS = {"examined", "open_once", "renewed", "writer"}
# Where the live file is named without being handed to the warehouse module: its entry is looked at, nothing is opened.
LOOKS = {"exists", "name", "parent", "stat"}
LISTED = {
    ("cli.doctor", "_private_files"),
    ("health.scrub", "databases"),
    ("runtime.unread", "_noted_of_it"),
    ("runtime.unread", "current_watermark"),
    ("runtime.unread", "store_watermark"),
}

COPYING = re.compile(r"\b(copyfile|copyfileobj|copytree|copy2|sendfile|read_blob)\b")
PIPELINE = sorted(name for name in modules() if not name.startswith("sandbox"))
WAREHOUSE = [name for name in PIPELINE if name.startswith("warehouse.")]
# Who makes, opens and publishes database files; the rest of that room works on connections.
OPENING = [f"warehouse.{name}" for name in ("publish", "session", "store")]


# ── by reading the program ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", [name for name in PIPELINE if name not in WAREHOUSE])
def test_the_live_file_is_handed_to_the_warehouse_module_and_to_nothing_else(name: str) -> None:
    for use, parents in uses_of_the_live_file(ast.parse(source(name))):
        above = parents[-1]
        is_opened = isinstance(above, ast.Call) and ast.unparse(above.func) in {f"store.{one}" for one in OPENERS}
        is_looked_at = isinstance(above, ast.Attribute) and above.attr in LOOKS
        function = next((p.name for p in reversed(parents) if isinstance(p, ast.FunctionDef)), "")
        assert is_opened or is_looked_at or (name, function) in LISTED, f"{name}.py:{use.lineno} in {function}"


def test_the_live_file_has_its_name_in_one_place() -> None:
    named = [name for name in PIPELINE if re.search(rf'"[^"\n]*{re.escape(LIVE)}"', source(name))]
    assert named == ["settings.paths"]


@pytest.mark.parametrize("name", PIPELINE)
def test_no_file_is_copied_as_bytes_but_a_snapshot_and_an_empty_event_log(name: str) -> None:
    copied = {
        "warehouse.store": {"_undisturbed"},
        "warehouse.publish": {"_update"},
        "orchestration.event_log": {"_put_copy"},
    }
    functions = [node for node in ast.walk(ast.parse(source(name))) if isinstance(node, ast.FunctionDef)]
    found = [f.name for f in functions for _ in COPYING.findall(ast.unparse(f))]
    assert sorted(found) == sorted(copied.get(name, set()))
    assert len(found) == len(COPYING.findall(source(name)))


def test_what_is_copied_as_bytes_is_the_published_file() -> None:
    trees = [ast.parse(source(name)) for name in OPENING]
    functions = {n.name: n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    callers = {
        copier: {n for n, f in functions.items() if f"{copier}(" in ast.unparse(f)} - {copier}
        for copier in ("_undisturbed", "_update")
    }
    assert callers == {"_undisturbed": {"reader"}, "_update": {"publish"}}
    assert "is_opened_for_writing(target)" in ast.unparse(functions["is_updatable"])


def test_only_the_warehouse_module_connects_or_attaches_a_file() -> None:
    connecting = {name for name in PIPELINE if re.search(r"duckdb\.connect|\battach '|\"attach ", source(name))}
    assert connecting <= set(WAREHOUSE)
    assert connecting
    texts = [path.read_text(encoding="utf-8").lower() for path in (PACKAGE / "sql").rglob("*.sql")]
    statements = [re.sub(r"--[^\n]*", "", sql) for sql in texts]
    assert len(statements) > 50
    assert [sql for sql in statements if re.search(r"\battach\b|read_blob|\bcopy\b", sql)] == []


def test_what_the_warehouse_module_syncs_is_not_yet_or_never_the_live_file() -> None:
    """Opening a file that is still being prepared, or a folder, costs no lock; opening the live one would."""
    trees = [ast.parse(source(name)) for name in OPENING]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    synced = {ast.unparse(call.args[0]) for call in calls if ast.unparse(call.func) == "put_in_place"}
    assert synced == {"new"}
    opened = {ast.unparse(call.args[0]) for call in calls if ast.unparse(call.func) in ("os.open", "open")}
    assert opened == {"path", "file"}, "the snapshot, and what is being made"
    functions = functions_of("warehouse.store")
    callers = {name for name, text in functions.items() if re.search(r"\.read_(bytes|text)\(", text)}
    assert callers == {"_empty"}, "it reads what it has just made in a temporary folder"
    writers = {name for name, text in functions.items() if "_write_empty(" in text}
    assert writers == {"_make", "renewed", "_write_empty"}
    elsewhere = [ast.unparse(call.func) for tree in trees for call in ast.walk(tree) if isinstance(call, ast.Call)]
    assert sum(name.endswith((".read_bytes", ".read_text")) for name in elsewhere) == len(callers)


def functions_of(name: str) -> dict[str, str]:
    """The functions of a module as text, by name."""
    found = (node for node in ast.walk(ast.parse(source(name))) if isinstance(node, ast.FunctionDef))
    return {function.name: ast.unparse(function) for function in found}


def uses_of_the_live_file(tree: ast.AST) -> Iterator[tuple[ast.Attribute, list[ast.AST]]]:
    """Every `….paths.warehouse`, with what it stands in."""
    waiting: list[tuple[ast.AST, list[ast.AST]]] = [(tree, [])]
    while waiting:
        node, parents = waiting.pop()
        if isinstance(node, ast.Attribute) and node.attr == "warehouse" and ast.unparse(node.value).endswith("paths"):
            yield node, parents
        waiting += [(child, [*parents, node]) for child in ast.iter_child_nodes(node)]


# ── by watching it ─────────────────────────────────────────────────────────────────────────────────────

_watched: list[tuple[str, set[str]]] = []


def _note(event: str, arguments: tuple[object, ...]) -> None:
    for folder, seen in _watched:
        if event == "open" and isinstance(arguments[0], str | Path) and str(arguments[0]).startswith(folder):
            seen.add(str(arguments[0]).removeprefix(folder))


@contextmanager
def opened_files(folder: Path) -> Iterator[set[str]]:
    """What this process opens below a folder by itself; what DuckDB opens inside is not seen."""
    if not _watched:
        sys.addaudithook(_note)
    seen: set[str] = set()
    _watched.append((f"{folder}/", seen))
    try:
        yield seen
    finally:
        _watched[-1] = ("\0", set())


def test_through_a_whole_life_nobody_opens_the_live_file_but_duckdb(tmp_path: Path) -> None:
    house = house_in(tmp_path / "data")
    with opened_files(tmp_path / "data") as seen:
        live_in(house)
    house.work.state.close()
    assert any(name.startswith("landing/") for name in seen), "the rest was watched"
    assert "warehouse.lock" in seen
    assert [name for name in seen if name.startswith(LIVE)] == []


def live_in(house: House) -> None:
    """A cycle and its snapshot, a rebuild, old bodies reduced, a person erased."""
    house.order({"vendor": "zinc", "check_id": "CANARY-request", "candidate_ref": PERSON})
    house.say("zinc", "CANARY-request", {"id": "CANARY-request", "status": "pending", "statusV2": "strange"})
    house.cycle()
    house.rebuild()
    retention.reduce_old_bodies(house.work)
    assert erase.erase_candidate(house.work, PERSON) is not None


# ── readers ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_readers_notice_nothing_of_publishers_and_of_their_deaths() -> None:
    """The long form is `tools/readers.py`, with 200 publications and 40 kills."""
    with tempfile.TemporaryDirectory() as folder:  # others may not pass pytest's own folders
        Path(folder).chmod(0o711)
        play = loaded("readers").play
        tally = play(Path(folder) / "data", publishes=3, kills=1, readers=1, checks=20, chance=random.Random(7))
    assert tally.is_good, tally
    assert tally.publishes >= 3
    assert tally.kills == 1
    assert tally.reads > 10
    assert tally.writes_refused > 0


ANALYST = """
import duckdb, sys, time
careless = duckdb.connect(sys.argv[1])
careless.execute("set wal_autocheckpoint = '1TB'; delete from star.fact_check")
print("open", flush=True)
time.sleep(100)
"""


def test_whoever_opened_the_snapshot_for_writing_disturbs_no_command_and_falsifies_nothing(tmp_path: Path) -> None:
    """Its mode forbids it to all but root and an owner who changed the mode; a killed one leaves a log beside it."""
    house = house_in(tmp_path / "data")
    house.order({"vendor": "zinc", "check_id": "one"})
    house.cycle()
    snapshot = house.work.settings.paths.published
    snapshot.chmod(0o640)
    with careless(snapshot):
        assert check_count(snapshot) == 1
    assert snapshot.with_name(f"{snapshot.name}.wal").exists()
    assert check_count(snapshot) == 1
    house.cycle()
    house.work.state.close()
    with duckdb.connect(str(snapshot), read_only=True) as plain:
        assert plain.execute("select count(*) from star.fact_check").fetchall() == [(1,)]
    assert [path.name for path in snapshot.parent.iterdir()] == [snapshot.name]


def test_the_copy_of_a_snapshot_that_somebody_opened_for_writing_has_no_name_that_a_kill_would_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = house_in(tmp_path / "data")
    house.cycle()
    snapshot = house.work.settings.paths.published
    snapshot.chmod(0o640)
    aside = tmp_path / "aside"
    aside.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(aside))
    with careless(snapshot), store.reader(snapshot) as connection:
        attached = connection.execute("select path from duckdb_databases() where database_name = 'screening'")
        assert str(snapshot) not in str(attached.fetchall()), "it is a copy that is read"
        assert list(aside.iterdir()) == []


@contextmanager
def careless(snapshot: Path) -> Iterator[None]:
    """An analyst who changes the snapshot, keeps it open, and is killed."""
    with subprocess.Popen([sys.executable, "-c", ANALYST, str(snapshot)], stdout=subprocess.PIPE) as analyst:
        try:
            assert analyst.stdout is not None
            assert analyst.stdout.readline() == b"open\n"
            yield
        finally:
            analyst.kill()


def check_count(snapshot: Path) -> int:
    with store.reader(snapshot) as connection:
        rows: list[tuple[int]] = connection.execute("select count(*) from star.fact_check").fetchall()
    return rows[0][0]


def test_who_holds_the_lock_is_named_and_a_dead_holder_holds_nothing(tmp_path: Path) -> None:
    house = house_in(tmp_path / "data")
    paths = house.work.settings.paths
    with locks.lock(paths.warehouse_lock, clock=house.clock):
        assert locks.is_locked(paths.warehouse_lock)
    assert not locks.is_locked(paths.warehouse_lock)
    assert paths.warehouse_lock.read_text().isdigit(), "the number that a waiting process tells"
