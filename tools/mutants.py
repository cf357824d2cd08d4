"""Changes the program in small ways, one at a time, and tells which of the changes no test notices.

Usage: python tools/mutants.py [--sample N] [--seed S] [--kind python|csv|sql ...] [--all]

Python is mutated by mutmut: the pure modules, and for each change the tests that run it. What gives words and events
their meaning is no Python: rows of the vendors' tables and statements of the warehouse are changed here. `--sample` is
how many changes of each kind are drawn by the seed; with `--all` everything is tried, which takes hours. All of it
happens in a copy of the tracked files. A change that makes no difference is listed, with the reason, in
tools/equivalent_mutants.toml. Ends with 1 where fewer than nine of ten were noticed or judged equivalent.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EQUIVALENT = ROOT / "tools" / "equivalent_mutants.toml"
PACKAGE, TESTS = "screening_pipeline", "screening_pipeline_tests"
KINDS = ("python", "csv", "sql")
GOAL = 0.9
PATIENCE = 5  # times as long as the tests take while nothing is changed; who takes longer goes round in circles
MODULES = (
    "domain/*.py",
    "landing/judge.py",
    "landing/masking.py",
    "landing/strict_json.py",
    "warehouse/scan.py",
    "planning/*.py",
)
# What tries them, the quick ones first: the first failure ends it.
PURE_TESTS = (
    "guard",
    "planning_figures",
    "planner",
    "wire",
    "mentions",
    "vendor_examples",
    "vendor_tables",
    "fitting",
    "pseudonym",
    "exchange",
    "semantics_*",
    "raw_response",
    "order_files",
    "id_spellings",
    "plans",
    "edge_cases",
    "silence",
    "survival",
    "forecast",
    "discovery",
    "intake",
    "declarations",
)
MEANING_TESTS = (
    "vendor_tables",
    "vendor_examples",
    "semantics_*",
    "sql_cases",
    "time",
    "edge_cases",
    "conservation",
    "analytics",
    "order_files",
    "discovery",
    "incidence",
    "only_pushed",
    "forecast",
    "replan",
)
TABLE_TESTS = ("vendor_tables", "vendor_examples", "semantics_*")
# What is computed once is what a test sees that begins later: mutmut would not ask it, and its forks remember what was
# computed while nothing was changed.
FORGETTING = f"""
def _forget(*names):
    for name in [name for name in sys.modules if name.startswith(names)]:
        for value in vars(sys.modules[name]).values():
            getattr(value, "cache_clear", int)()

def pytest_sessionstart():
    _forget("{PACKAGE}.")

def pytest_runtest_setup():
    _forget("{PACKAGE}.domain.", "{PACKAGE}.planning.", "{PACKAGE}.landing.masking")
"""
# Its forks leave sockets behind, which is no fault of a test.
IN_FORKS = ("-W", "ignore::pytest.PytestUnraisableExceptionWarning")
PURE_OPTIONS = ("-p", "no:randomly", "-p", "no:xdist", "--timeout=600", *IN_FORKS)
PYTEST = ("-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=no", "--no-header")


@dataclass(frozen=True)
class Mutant:
    """One change: `place` is a file below the package or a Python function, `was` and `becomes` are its text.

    `line` is where a statement is changed, without the space around it: a word stands there more than once.
    """

    kind: str
    place: str
    was: str
    becomes: str
    offset: int = 0
    name: str = ""
    line: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it is known by."""
        return self.place, self.line, self.was, self.becomes

    def __str__(self) -> str:
        return f"{self.kind:<6} {self.place}: {self.was!r} -> {self.becomes!r}" + (
            f" in {self.line!r}" * bool(self.line)
        )


# Columns that say how we know; nothing is computed of them.
REMARKS = ("source", "note")

# ── rows of the vendors' tables ────────────────────────────────────────────────────────────────────────


def of_tables(package: Path) -> Iterator[Mutant]:
    """Each row left out, and each word that a row gives replaced by another one that its column has."""
    for path in sorted(package.glob("vendors/*.csv")):
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines(keepends=True)
        columns = next(csv.reader(lines))
        rows = {line: next(csv.reader([line])) for line in lines[1:] if line.strip() and not line.startswith("#")}
        for line, cells in rows.items():
            offset, place = text.index(f"\n{line}") + 1, str(path.relative_to(package))
            yield Mutant("csv", place, line, "", offset)
            for number in (place for place, column in enumerate(columns) if column not in REMARKS):
                others = sorted({other[number] for other in rows.values()} - {cells[number], ""})
                if cells[number] and others:
                    changed = [*cells[:number], others[0], *cells[number + 1 :]]
                    yield Mutant("csv", place, line, _line(changed), offset)


def _line(cells: Sequence[str]) -> str:
    quoted = (f'"{cell}"' if re.search('[",]', cell) else cell for cell in cells)
    return ",".join(quoted) + "\n"


# ── statements of the warehouse ────────────────────────────────────────────────────────────────────────

SWAPS = {
    r"\band\b": "or",
    r"\bor\b": "and",
    r"\bmin\(": "max(",
    r"\bmax\(": "min(",
    r"\barg_min\(": "arg_max(",
    r"\barg_max\(": "arg_min(",
    r"\bis null\b": "is not null",
    r"\bis not null\b": "is null",
    r"\bis distinct from\b": "is not distinct from",
    r"\bis not distinct from\b": "is distinct from",
    r"\bnot in\b": "in",
    r"\bleft join\b": "inner join",
    r"\binner join\b": "left join",
    r"\banti join\b": "semi join",
    r"\bsemi join\b": "anti join",
    r"\bdesc\b": "asc",
    r"\btrue\b": "false",
    r"\bfalse\b": "true",
    r"\bbool_or\(": "bool_and(",
    r"\bbool_and\(": "bool_or(",
    r"\bcoalesce\(": "nullif(",
    r" <= ": " < ",
    r" >= ": " > ",
    r" < ": " <= ",
    r" > ": " >= ",
    r" = ": " <> ",
    r" <> ": " = ",
    r" \+ ": " - ",
    r" - ": " + ",
    r"\b1\b": "2",
    r"'[a-z_]+'": "'mutated'",
}
SWAP = re.compile("|".join(f"({pattern})" for pattern in SWAPS), re.IGNORECASE)


def of_statements(package: Path) -> Iterator[Mutant]:
    """Each operator, function, join and constant of the statements that give the star its meaning, turned around."""
    for folder in ("staging", "star", "analytics", "work"):
        for path in sorted(package.glob(f"sql/{folder}/*.sql")):
            text = path.read_text(encoding="utf-8")
            comments = [match.span() for match in re.finditer("--.*", text)]
            for found in SWAP.finditer(text):
                if not any(begin <= found.start() < end for begin, end in comments):
                    becomes = tuple(SWAPS.values())[(found.lastindex or 1) - 1]
                    line = text[text.rfind("\n", 0, found.start()) + 1 : text.find("\n", found.start())].strip()
                    yield Mutant(
                        "sql", str(path.relative_to(package)), found.group(), becomes, found.start(), line=line
                    )


def is_noticed(mutant: Mutant, copy: Path, limit: int) -> bool:
    """Whether a test fails while the copy is changed so, or does not end within so many seconds."""
    path = copy / PACKAGE / mutant.place
    original = path.read_text(encoding="utf-8")
    end = mutant.offset + len(mutant.was)
    assert_same(original[mutant.offset : end], mutant.was)
    path.write_text(original[: mutant.offset] + mutant.becomes + original[end:], encoding="utf-8")
    try:
        return not passes(copy, tests_of(mutant), limit)
    finally:
        path.write_text(original, encoding="utf-8")


def assert_same(found: str, wanted: str) -> None:
    """Raise where a file is not the one that was mutated."""
    if found != wanted:
        raise SystemExit(f"found {found!r} where {wanted!r} was")


def tests_of(mutant: Mutant) -> list[str]:
    """The names of the test files for a change: a vendor's own table needs its own tests only."""
    slug = Path(mutant.place).stem
    return ["vendor_tables", "vendor_examples", f"semantics_{slug}"] if mutant.kind == "csv" else list(MEANING_TESTS)


def passes(copy: Path, names: Iterable[str], limit: int = 0) -> bool:
    """Run test files in the copy, in a process that has imported what they need already; no limit of seconds is 0."""
    files = test_files(copy, names)
    child = os.fork()
    if child == 0:
        signal.alarm(limit)
        os.chdir(copy)
        _be_silent()
        import pytest

        os._exit(int(pytest.main([*PYTEST, *files])))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _be_silent() -> None:
    handle = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(handle, stream)


def test_files(copy: Path, names: Iterable[str]) -> list[str]:
    """The test modules of these names, wherever they lie."""
    found = (sorted((copy / TESTS).rglob(f"test_{name}.py")) for name in names)
    return [str(path.relative_to(copy)) for paths in found for path in paths]


# ── Python ─────────────────────────────────────────────────────────────────────────────────────────────


def python_survivors(copy: Path, size: int | None, seed: int) -> tuple[int, list[Mutant]]:
    """How many changes of the pure modules were tried, and those that no test noticed."""
    settings = {
        "source_paths": [PACKAGE],
        "only_mutate": [f"{PACKAGE}/{name}" for name in MODULES],
        "also_copy": [TESTS, "docs", "benchmarks", "tools", "README.md"],
        "pytest_add_cli_args": [*PURE_OPTIONS, "-k", "not under_a_second"],
        "pytest_add_cli_args_test_selection": test_files(copy, PURE_TESTS),
        "use_git_change_detection": False,
    }
    with (copy / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n[tool.mutmut]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))
    with (copy / TESTS / "conftest.py").open("a", encoding="utf-8") as file:
        file.write(FORGETTING)
    mutmut(copy, "run", f"{PACKAGE}.domain.pull_counts.*")  # for what it finds out of the tests
    ask_whole_files(copy)
    names = sorted(verdicts(copy))
    chosen = names if size is None else random.Random(seed).sample(names, min(size, len(names)))
    mutmut(copy, "run", *chosen)
    told = verdicts(copy)
    return len(chosen), [python_mutant(copy, name) for name in chosen if told[name] in UNNOTICED]


def ask_whole_files(copy: Path) -> None:
    """Have a change tried by all tests of a file that share what was made for the first of them."""
    path = copy / "mutants" / "mutmut-stats.json"
    known = json.loads(path.read_text(encoding="utf-8"))
    of_file: dict[str, set[str]] = {}
    for test in known["duration_by_test"]:
        of_file.setdefault(test.partition("::")[0], set()).add(test)
    sharing = {name for name in of_file if 'scope="module"' in (copy / name).read_text(encoding="utf-8")}
    for tests in known["tests_by_mangled_function_name"].values():
        files = {test.partition("::")[0] for test in tests} & sharing
        tests[:] = sorted({*tests, *(test for name in files for test in of_file[name])})
    path.write_text(json.dumps(known), encoding="utf-8")


# mutmut's exit codes of a change that all its tests passed with, or that no test ran at all.
UNNOTICED = (0, 33, 5)


def verdicts(copy: Path) -> dict[str, int | None]:
    """What mutmut noted of each change: the exit code of its tests."""
    files = (copy / "mutants").rglob("*.meta")
    notes = (json.loads(path.read_text(encoding="utf-8")) for path in files)
    return {name: code for note in notes for name, code in note["exit_code_by_key"].items()}


def python_mutant(copy: Path, name: str) -> Mutant:
    """A change by its name, with the lines that differ."""
    lines = mutmut(copy, "show", name).splitlines()
    was = [line[1:].strip() for line in lines if re.match("-(?!--)", line)]
    becomes = [line[1:].strip() for line in lines if re.match(r"\+(?!\+\+)", line)]
    function = name.partition("__mutmut_")[0].rpartition(".")[2].removeprefix("x_").lstrip("xǁ").replace("ǁ", ".")
    return Mutant("python", function, " ".join(was), " ".join(becomes), name=name)


def mutmut(copy: Path, *words: str) -> str:
    """Run the tool in the copy. Raises SystemExit with its words where it failed."""
    program = Path(sys.executable).parent / "mutmut"
    environ = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run([program, *words], cwd=copy, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"mutmut {words[0]} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


# ── all of it ──────────────────────────────────────────────────────────────────────────────────────────


def equivalents(path: Path = EQUIVALENT) -> Mapping[tuple[str, str, str, str], str]:
    """The changes that were judged to make no difference, each with its reason."""
    listed = tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", [])
    return {(one["place"], one.get("line", ""), one["was"], one["becomes"]): one["reason"] for one in listed}


def copied(folder: Path) -> Path:
    """A copy of the tracked files."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        target = folder / name
        if (ROOT / name).is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    return folder


def meaning_survivors(kind: str, copy: Path, size: int | None, seed: int, limit: int) -> tuple[int, list[Mutant]]:
    """How many changes of tables or statements were tried, and those that no test noticed."""
    every = list((of_tables if kind == "csv" else of_statements)(copy / PACKAGE))
    chosen = every if size is None else random.Random(seed).sample(every, min(size, len(every)))
    survivors = []
    for number, mutant in enumerate(chosen, 1):
        if not is_noticed(mutant, copy, limit):
            survivors.append(mutant)
            print(f"\runnoticed: {mutant}", file=sys.stderr)
        print(f"\r{kind}: {number} of {len(chosen)}, {len(survivors)} unnoticed ", end="", file=sys.stderr, flush=True)
    return len(chosen), survivors


def warm_up(copy: Path, names: Iterable[str]) -> int:
    """Import from the copy what its tests import, and see that they pass; how many seconds a change's may take."""
    sys.path[:] = [str(copy), *(path for path in sys.path if Path(path).resolve() != ROOT)]
    os.environ["PYTHONPATH"] = str(copy)
    for name in ("pytest", f"{PACKAGE}.warehouse.store", f"{PACKAGE}.runtime.opening", f"{PACKAGE}.planning.planner"):
        import_module(name)
    import_module("duckdb").default_connection().close()  # its threads: no fork would have them
    begun = time.monotonic()
    if not passes(copy, names):
        raise SystemExit("the tests fail while nothing is changed")
    return round(PATIENCE * (time.monotonic() - begun)) + 60


def tell(kind: str, tried: int, survivors: Sequence[Mutant], known: Mapping[tuple[str, str, str, str], str]) -> float:
    """Print what came of one kind; the share that was noticed or is equivalent."""
    counts = Counter(mutant.key in known for mutant in survivors)
    good = tried - counts[False]
    print(
        f"{kind}: {tried} tried, {tried - len(survivors)} killed, {counts[True]} equivalent, {counts[False]} survived"
    )
    for mutant in survivors:
        reason = known.get(mutant.key)
        print(
            f"    {'equivalent' if reason else 'survived':<10} {mutant}" + (f" ({reason})" if reason else ""),
            flush=True,
        )
    return good / tried if tried else 1.0


def main() -> int:
    """Try a sample; 0 where enough of it was noticed."""
    grammar = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    grammar.add_argument("--sample", type=int, default=40, help="changes of each kind")
    grammar.add_argument("--seed", type=int, default=1)
    grammar.add_argument("--kind", action="append", choices=KINDS)
    grammar.add_argument("--all", action="store_true", help="every change there is")
    given = grammar.parse_args()
    kinds, size = given.kind or KINDS, None if given.all else given.sample
    shares, known, limit = [], equivalents(), 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = copied(Path(folder).resolve())
        if "sql" in kinds or "csv" in kinds:
            limit = warm_up(copy, MEANING_TESTS if "sql" in kinds else TABLE_TESTS)
        for kind in kinds:
            tried, survivors = (
                python_survivors(copy, size, given.seed)
                if kind == "python"
                else meaning_survivors(kind, copy, size, given.seed, limit)
            )
            shares.append(tell(kind, tried, survivors, known))
    return int(min(shares) < GOAL)


if __name__ == "__main__":
    sys.exit(main())
