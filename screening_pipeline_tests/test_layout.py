from __future__ import annotations

import ast
import os
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import metadata
from pathlib import Path

import pytest

from screening_pipeline.domain.declaration import Vendor

TESTS = Path(__file__).parent
ROOT = TESTS.parent
PACKAGE = ROOT / "screening_pipeline"
EXAMPLES = TESTS / "vendors"
VENDORS = sorted(path.stem for path in (PACKAGE / "vendors").glob("*.py") if path.stem != "__init__")
OURS = "screening_pipeline"

ROOT_FILES = {"__init__.py", "__main__.py", "component.py", "definitions.py", "frames.py"}

# The rooms, and whom each may import: other rooms whole, or one module of them. docs/architecture.md and
# tools/measure.py read the same table.
ALLOWED_IMPORTS = {
    "base": "",
    "domain": "base",
    "vendors": "domain",
    "planning": "domain",
    "landing": "base domain",
    "state": "base",
    "settings": "base domain vendors sandbox.credentials",
    "http": "base domain landing state settings",
    "warehouse": "base domain vendors landing settings",
    "orders": "base domain vendors landing settings warehouse",
    "report": "base settings warehouse",
    "runtime": "base domain vendors planning landing state settings http warehouse orders sandbox.handle",
    "webhooks": "base domain vendors landing state settings http.wire",
    "privacy": "base domain vendors planning landing state settings http warehouse orders runtime sandbox.handle",
    "cycle": "base domain vendors planning landing state settings http warehouse orders runtime privacy sandbox.handle",
    "health": "base domain landing state settings warehouse orders runtime webhooks.refusals",
    "notify": "base domain state settings warehouse runtime health",
    "orchestration": "base domain vendors planning landing state settings http warehouse orders report runtime "
    "privacy cycle health notify sandbox.handle sandbox.credentials",
    "cli": "base domain vendors planning landing state settings http warehouse orders report runtime "
    "webhooks privacy cycle health notify orchestration sandbox sandbox.handle sandbox.credentials",
    "sandbox": "",
}
ALLOWED = {room: set(names.split()) for room, names in ALLOWED_IMPORTS.items()}

# What interprets and plans: no I/O, no clock, no chance; time and randomness are arguments.
PURE = ("domain", "vendors", "landing.judge", "warehouse.scan", "planning.planner", "planning")
OUTSIDE = ("httpx", "duckdb", "dagster", "sqlite3", "socket", "subprocess", "asyncio", "random", "time")

# The doors to the outside, and the rooms or modules that may open them.
DOORS = {
    "httpx": {"http.transport", "http.lanes", "notify.webhook"},
    "httpcore": {"http.lanes", "http.sockets"},
    "duckdb": {
        "warehouse.session",
        "warehouse.publish",
        "warehouse.dependencies",  # only parses
        "warehouse.failures",  # only its kinds of errors
        "warehouse.lake_session",
    },
    "dagster": {"orchestration"},
    "psycopg": {"base.postgres", "state.postgres_locks", "state.postgres_session"},
}
WALL_CLOCK = re.compile(r"\b(time\.time(_ns)?|datetime\.(now|utcnow|today)|date\.today)\(")

GENERATED = {"uv.lock", ".git"}  # the latter is a file in a second worktree
IGNORED = {".git", "data", "dist", "build", "__pycache__"}
MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(?:root|work|home/\w+|Users/\w+|tmp/\w+)(?:/|\b)")


@pytest.mark.parametrize("slug", VENDORS)
def test_every_vendor_has_its_words_mapped_beside_it(slug: str) -> None:
    mapping = PACKAGE / "vendors" / f"{slug}.csv"
    assert mapping.is_file(), f"{slug} declares addresses but no meaning: write {mapping.name}"
    assert len(mapping.read_text(encoding="utf-8").splitlines()) > 1


@pytest.mark.parametrize("slug", VENDORS)
def test_every_vendor_has_example_payloads_each_with_the_rows_it_becomes(slug: str) -> None:
    payloads = cases(slug, "payload")
    assert payloads, f"{slug} has no example: put <case>.payload.json and <case>.rows.json under vendors/{slug}/"
    assert payloads == cases(slug, "rows")


def test_no_example_belongs_to_a_vendor_that_does_not_exist() -> None:
    assert {path.name for path in EXAMPLES.glob("*")} <= set(VENDORS)


@pytest.mark.parametrize("library", DOORS)
def test_each_door_to_the_outside_stands_in_one_place(library: str) -> None:
    users = {name for name in modules() if library in foreign(name) and not name.startswith("sandbox")}
    assert {name for name in users if not {name, room_of(name)} & DOORS[library]} == set()


def test_nothing_of_what_machines_share_is_loaded_before_it_is_configured() -> None:
    of_lakes = {"warehouse.engine_ducklake", "warehouse.lake_session", "warehouse.lake_catalogue"}
    of_lakes |= {"warehouse.lake_kept", "warehouse.lake_scrub"}
    of_lakes |= {"landing.shared_store", "landing.shared_rows", "landing.objects"}
    of_lakes |= {
        f"state.{name}" for name in ("postgres_landing", "postgres_calls", "landing_session", "landing_schema")
    }
    assert of_lakes <= set(modules())
    others = set(modules()) - of_lakes
    assert {name for name in others if uses(name, at_import=True) & of_lakes} == set()


@pytest.mark.parametrize("name", PURE)
def test_the_pure_core_reaches_nothing_outside(name: str) -> None:
    reachable = closure(name)
    assert reachable
    for reached in reachable:
        assert not foreign(reached) & set(OUTSIDE), f"{name} reaches outside through {reached}"


def test_only_the_clock_asks_the_time() -> None:
    askers = {name for name in modules() if WALL_CLOCK.search(source(name)) and not name.startswith("sandbox")}
    assert askers <= {"base.clock"}


def test_the_sandbox_is_an_independent_witness() -> None:
    for name in modules():
        if name.startswith("sandbox"):
            assert all(used.startswith("sandbox") for used in uses(name)), f"{name} knows the pipeline"


@pytest.mark.parametrize("room", ALLOWED)
def test_no_room_imports_against_the_table(room: str) -> None:
    """Imports inside functions and those for the type checker included."""
    against = {
        f"{name} imports {used}"
        for name in modules()
        if room_of(name) == room
        for used in uses(name)
        if room_of(used) != room and not {used, room_of(used)} & ALLOWED[room]
    }
    assert against == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: uses(name) - {name} for name in modules()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(graph)  # raises CycleError with the circle


def test_the_top_of_the_package_holds_rooms_and_hardly_any_file() -> None:
    assert {path.name for path in PACKAGE.glob("*.py")} <= ROOT_FILES
    assert len(ROOT_FILES) <= 8
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == set(ALLOWED)


@pytest.mark.parametrize("room", ALLOWED)
def test_every_room_says_what_it_is_for_and_what_it_may_import(room: str) -> None:
    said = ast.get_docstring(ast.parse(source(room)))
    assert said
    assert re.search(r"[Ii]mports? ", said)
    named = set(re.findall(r"\b[a-z]+(?:\.[a-z]+)?\b", said.replace("sandbox's", "sandbox")))
    if not re.search(r"everything|anything|below", said):
        assert {name for name in ALLOWED[room] if not name.startswith("sandbox")} <= named


def test_the_pages_show_the_same_table() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    shown = {
        room: set(re.findall(r"`([a-z.]+)`", imports))
        for room, imports in re.findall(r"^\| `([a-z]+)` \| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE)
    }
    assert shown == ALLOWED


def test_the_workspace_loads_the_definitions_from_a_bare_clone() -> None:
    text = (ROOT / "workspace.yaml").read_text(encoding="utf-8")
    assert "module_name: screening_pipeline.definitions\n" in text
    assert "working_directory: .\n" in text


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    for path in files():
        found = MACHINE_PATH.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path.relative_to(ROOT)} mentions {found.group() if found else ''}"


def test_every_locked_package_comes_from_one_index_and_is_known_by_hash() -> None:
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    foreign_packages = [package for package in packages if "registry" in package["source"]]
    files_of = [[package.get("sdist"), *package.get("wheels", [])] for package in foreign_packages]
    assert len({package["source"]["registry"] for package in foreign_packages}) == 1
    assert all(file["hash"].startswith("sha256:") for group in files_of for file in group if file)


def test_the_supported_pythons_are_those_that_dagster_supports() -> None:
    ours = pyproject()["project"]["requires-python"]
    theirs = re.search(r"<3\.\d+", metadata("dagster")["Requires-Python"])
    assert theirs is not None
    assert ours == f">=3.11,{theirs.group()}"


def test_every_lint_exemption_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    exempted = re.findall(r'^.*"(?!ALL)[A-Z]{1,4}\d*"[],].*$', text, re.MULTILINE)
    assert len(exempted) > 20
    assert [line for line in exempted if "  # " not in line and " # " not in line] == []


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in pages():
        links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
        missing = [link for link in links if not (page.parent / link).exists()]
        assert missing == [], f"{page.relative_to(ROOT)} links to nothing"


def test_every_test_that_the_pages_name_exists() -> None:
    sources = {path.name: path.read_text(encoding="utf-8") for path in TESTS.glob("test_*.py")}
    tests = {
        name for text in sources.values() for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE)
    }
    assigned = {name for text in sources.values() for name in re.findall(r"^(test_\w+) = ", text, re.MULTILINE)}
    for page in pages():
        text = page.read_text(encoding="utf-8")
        missing = set(re.findall(r"`(test_\w+)`", text)) - tests - assigned
        missing |= set(re.findall(r"\b(test_\w+\.py)\b", text)) - set(sources)
        assert missing == set(), f"{page.relative_to(ROOT)} names tests that do not exist"


def test_every_promise_and_every_trap_names_the_tests_that_try_it() -> None:
    rows = [
        line for line in (ROOT / "docs" / "promises.md").read_text(encoding="utf-8").splitlines() if line[:2] == "| "
    ]
    told = [
        row for row in rows if not row.startswith(("| promise", "| command", "| `python", "| `make", "| trap"))
    ]  # headings
    assert len(told) > 40
    assert [row[:60] for row in told if not re.search(r"`test_\w+`", row.split("|")[-2])] == []


def test_every_make_target_that_the_pages_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {name for page in pages() for name in re.findall(r"\bmake ([a-z-]+)`", page.read_text(encoding="utf-8"))}
    assert named <= targets


def test_the_example_declaration_in_the_pages_is_a_vendor() -> None:
    page = (ROOT / "docs" / "adding-a-vendor.md").read_text(encoding="utf-8")
    declared: dict[str, Vendor] = {}
    exec(page.split("```python\n")[1].split("```")[0], declared)  # noqa: S102 - our own page, as its readers use it
    assert declared["VENDOR"].endpoint_for("order").is_by_id


def cases(slug: str, kind: str) -> set[str]:
    """The names of a vendor's examples: `<case>.<kind>.json`."""
    return {path.name.removesuffix(f".{kind}.json") for path in (EXAMPLES / slug).glob(f"*.{kind}.json")}


def files() -> Iterator[Path]:
    """Every text file that belongs to the project and was written by hand."""
    for folder, below, names in os.walk(ROOT):
        below[:] = [name for name in below if name not in IGNORED and (name == ".ci" or not name.startswith("."))]
        found = [Path(folder) / name for name in names if name not in GENERATED]
        yield from (path for path in found if b"\0" not in path.read_bytes())


def pages() -> list[Path]:
    """The written documentation."""
    return sorted(path for path in files() if path.suffix == ".md")


def pyproject() -> dict[str, dict[str, str]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@cache
def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name below the package; packages by their own name."""
    found = {path.relative_to(PACKAGE).with_suffix(""): path for path in PACKAGE.rglob("*.py")}
    return {".".join(name.parts).removesuffix("__init__").removesuffix("."): path for name, path in found.items()}


def room_of(name: str) -> str:
    """The part of the package that a module lies in: a folder, or the name of a file at the top."""
    return name.split(".", maxsplit=1)[0]


@cache
def source(name: str) -> str:
    return modules()[name].read_text(encoding="utf-8")


@cache
def imported(name: str, *, at_import: bool = False) -> frozenset[str]:
    """The full names that a module imports; with `at_import`, only those that loading it loads."""
    tree = ast.parse(source(name))
    nodes = tree.body if at_import else ast.walk(tree)
    return frozenset(full for node in nodes for full in _names(node))


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        names = [f"{node.module}.{alias.name}" for alias in node.names]
        is_room = all(name.removeprefix(f"{OURS}.") in modules() for name in names)
        return names if is_room else [node.module, *names]
    return []


def foreign(name: str) -> set[str]:
    """The top-level names of what a module imports from elsewhere."""
    return {full.split(".")[0] for full in imported(name)} - {OURS}


def uses(name: str, *, at_import: bool = False) -> set[str]:
    """Our own modules that a module imports."""
    below = {full.removeprefix(f"{OURS}.") for full in imported(name, at_import=at_import) if full.startswith(OURS)}
    return below & set(modules())


def closure(name: str) -> set[str]:
    """A module or package, and all of ours that it needs."""
    reached: set[str] = set()
    waiting = [known for known in modules() if known == name or known.startswith(f"{name}.")]
    while waiting:
        reached.add(current := waiting.pop())
        waiting += uses(current) - reached
    return reached
