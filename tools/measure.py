"""Prints what the code measures: lengths, places, imports. The tests judge; this shows a trend.

Usage: python tools/measure.py [FOLDER]

FOLDER is a package, `screening_pipeline` unless it is given. Imports inside functions, and those for the type checker,
count as any others do: a reader follows them all.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYOUT = ROOT / "screening_pipeline_tests" / "test_layout.py"
LONG_FILE, LONG_SQL = 300, 100
STATEMENT = re.compile(
    r"\s*(with\s+(recursive\s+)?\w+\s+as\b|select\s|insert\s+into\s|update\s+\S+\s+(as\s+\w+\s+)?set\s|delete\s+from\s"
    r"|create\s+(or\s+replace\s+)?(temp\s+)?(table|view|macro|schema)\s|alter\s+table\s|from\s+[a-z_({])",
    re.IGNORECASE,
)
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Code:
    """The Python of one package: `trees` by dotted name below the package, which itself is the empty name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sources = {self._name(path): path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py"))}
        self.trees = {name: ast.parse(source) for name, source in self.sources.items()}

    def _name(self, path: Path) -> str:
        parts = path.relative_to(self.folder).with_suffix("").parts
        return ".".join(part for part in parts if part != "__init__")

    @cached_property
    def imports(self) -> Mapping[str, set[str]]:
        """The modules of the package that each module imports, wherever in it."""
        return {name: {known for known, _ in self.imported(name)} - {name} for name in self.trees}

    def imported(self, name: str) -> Iterator[tuple[str, str | None]]:
        """Each module of the package that this one imports, and the name that it takes from there."""
        for node in ast.walk(self.trees[name]):
            if isinstance(node, ast.Import):
                yield from ((known, None) for alias in node.names if (known := self._known(alias.name)) is not None)
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                yield from self._taken(node.module, node.names)

    def _taken(self, module: str, names: Iterable[ast.alias]) -> Iterator[tuple[str, str | None]]:
        for alias in names:
            if (below := self._known(f"{module}.{alias.name}")) is not None:
                yield below, None
            elif (known := self._known(module)) is not None:
                yield known, alias.name

    def _known(self, full: str) -> str | None:
        package, _, name = full.partition(".")
        return name if package == self.folder.name and name in self.trees else None

    def circles(self) -> list[str]:
        """The largest groups of modules each of which needs all others of its group."""
        reached = {name: self._reached(name) for name in self.trees}
        groups = {frozenset(b for b in all_b if a in reached[b]) for a, all_b in reached.items() if a in all_b}
        return sorted(", ".join(sorted(group)) for group in groups)

    def _reached(self, name: str) -> set[str]:
        found: set[str] = set()
        waiting = [name]
        while waiting:
            fresh = self.imports[waiting.pop()] - found
            found |= fresh
            waiting += fresh
        return found

    def forbidden(self, allowed: Mapping[str, Iterable[str]]) -> list[str]:
        """Arrows from one room to another that the table does not allow. A room is what stands at the top."""
        arrows = {(_room(name), _room(used)) for name, all_used in self.imports.items() for used in all_used}
        known = {room: set(may) for room, may in allowed.items()}
        return sorted(f"{a} -> {b}" for a, b in arrows if a != b and a in known and b not in known[a])

    def private_imports(self) -> list[str]:
        """Names with an underscore that one module takes from another."""
        taken = (f"{name} takes {used}.{what}" for name in self.trees for used, what in self._private(name))
        return sorted(taken)

    def _private(self, name: str) -> Iterator[tuple[str, str]]:
        modules = {used.rpartition(".")[2]: used for used, what in self.imported(name) if what is None}
        yield from ((used, what) for used, what in self.imported(name) if what and what.startswith("_"))
        for node in ast.walk(self.trees[name]):
            if not isinstance(node, ast.Attribute) or not re.match("_[^_]", node.attr):
                continue
            if (used := modules.get(ast.unparse(node.value))) is not None:
                yield used, node.attr

    def function_lengths(self) -> list[int]:
        """The lines of every function, from its `def` to its end, without its docstring."""
        return [_length(node) for tree in self.trees.values() for node in ast.walk(tree) if isinstance(node, Function)]

    def sql_lines(self) -> dict[str, int]:
        """The lines of SQL statements in strings, by module."""
        counts = {name: sum(_lines_of_sql(node) for node in _strings(tree)) for name, tree in self.trees.items()}
        return {name: count for name, count in counts.items() if count}


def _strings(tree: ast.AST) -> Iterator[ast.AST]:
    """Outermost strings that are no docstrings."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            yield node
        else:
            yield from _strings(node)


def _lines_of_sql(node: ast.AST) -> int:
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    text = "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts)
    return len([line for line in text.splitlines() if line.strip()]) if STATEMENT.match(text) else 0


def _length(node: Function) -> int:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is None:
        return lines
    return lines - ((first.end_lineno or first.lineno) - first.lineno + 1)


def _room(name: str) -> str:
    return name.partition(".")[0]


def allowed() -> dict[str, list[str]] | None:
    """The table of directions that the layout's test holds as `ALLOWED_IMPORTS`; None where it holds none."""
    for node in ast.parse(LAYOUT.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if "ALLOWED_IMPORTS" in map(ast.unparse, targets):
                table = ast.literal_eval(node.value)
                return {room: [_room(name) for name in may.split()] for room, may in table.items()}
    return None


def spread(lengths: list[int], over: int | None = None) -> str:
    """Median, ninetieth percentile and longest; and how many are over a limit."""
    ninetieth = statistics.quantiles(lengths, n=10)[-1] if len(lengths) > 1 else lengths[0]
    beyond = f", over {over}: {sum(length > over for length in lengths)}" if over else ""
    return f"median {statistics.median(lengths):.0f}, p90 {ninetieth:.0f}, longest {max(lengths)}{beyond}"


def rows(code: Code) -> Iterator[tuple[str, str]]:
    """What is measured, and what it is."""
    sql = [len(path.read_text(encoding="utf-8").splitlines()) for path in code.folder.rglob("*.sql")]
    top = [path for path in code.folder.iterdir() if path.suffix == ".py" and path.stem != "__init__"]
    yield "lines of a function", spread(code.function_lengths())
    yield "lines of a Python file", spread([len(text.splitlines()) for text in code.sources.values()], LONG_FILE)
    if sql:
        yield "lines of a SQL file", spread(sql, LONG_SQL)
    yield "files at the top", str(len(top))
    yield "circles of imports", listed(code.circles())
    if (table := allowed()) is not None:
        yield "imports against the table", listed(code.forbidden(table))
    yield "private names imported", listed(code.private_imports())
    per_module = code.sql_lines()
    most = sorted(per_module, key=lambda name: -per_module[name])[:5]
    named = ", ".join(f"{name} {per_module[name]}" for name in most)
    yield "lines of SQL in Python", f"{sum(per_module.values())} in {len(per_module)} modules ({named})"


def listed(found: list[str]) -> str:
    """How many there are, and each on a line of its own."""
    return "\n".join([str(len(found)), *(f"    {one}" for one in found)])


def main(folder: Path) -> None:
    """Print the table."""
    for name, value in rows(Code(folder.resolve())):
        print(f"{name:<26} {value}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "screening_pipeline")
