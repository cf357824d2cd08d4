"""Rows of order files many at a time, column by column: no object is made for a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

from screening_pipeline.orders.files import COLUMNS, Problem, Row

Line = tuple[int, Mapping[str, str] | Problem]
"""One row as text by column, or why it is none, and the line on which it begins."""
BLOCK_ROWS = 10_000
"""Rows that are held in memory at a time, where they come one by one."""


@dataclass(frozen=True)
class Block:
    """Rows as text by column, and the line of each; `problems`: lines among them that are none."""

    lines: Sequence[int] = ()
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    problems: Sequence[Problem] = ()

    @property
    def size(self) -> int:
        """How many lines it tells of."""
        return len(self.lines) + len(self.problems)

    def row(self, number: int) -> Mapping[str, str]:
        """One of its rows by its place."""
        return {name: values[number] for name, values in self.columns.items()}


@dataclass(frozen=True)
class Orders:
    """Orders column by column, all of one length, and the problems of other rows. Texts have no control characters."""

    columns: Mapping[str, Sequence[Any]]
    rows: Sequence[Row]
    problems: Sequence[Problem]

    @property
    def size(self) -> int:
        """How many orders there are."""
        return len(self.columns["line"]) + len(self.rows)

    @property
    def last_line(self) -> int:
        """The last line that it tells of; 0 where that has no line."""
        told = (*self.columns["line"][-1:], *(row["line"] for row in self.rows[-1:]))
        return max((*told, *(problem.line or 0 for problem in self.problems[-1:])), default=0)

    def of(self, lines: Iterable[int]) -> Orders:
        """Only what these lines tell."""
        return self._where(frozenset(lines).__contains__)

    def after(self, line: int) -> Orders:
        """Only what the lines after this one tell."""
        return self._where(lambda told: told is None or told > line) if line else self

    def _where(self, is_wanted: Callable[[int | None], bool]) -> Orders:
        return Orders(
            chosen(self.columns, list(map(is_wanted, self.columns["line"]))),
            [row for row in self.rows if is_wanted(row["line"])],
            [problem for problem in self.problems if is_wanted(problem.line)],
        )


def chosen(columns: Mapping[str, Sequence[Any]], flags: Sequence[bool]) -> dict[str, Sequence[Any]]:
    """The columns of those rows whose flag is set."""
    return {name: list(compress(values, flags)) for name, values in columns.items()}


def gathered(found: Iterable[Line | Block]) -> Iterator[Block]:
    """Blocks as they come, and single lines many at a time, in the order of the file."""
    lines: list[Line] = []
    for one in found:
        if isinstance(one, Block):
            if lines:
                yield _of_lines(lines)
            yield one
            lines = []
            continue
        lines.append(one)
        if len(lines) >= BLOCK_ROWS:
            yield _of_lines(lines)
            lines = []
    if lines:
        yield _of_lines(lines)


def _of_lines(lines: Sequence[Line]) -> Block:
    given = [(line, row) for line, row in lines if not isinstance(row, Problem)]
    told = set().union(*(row for _, row in given)).intersection(COLUMNS)
    return Block(
        [line for line, _ in given],
        {name: [row.get(name, "") for _, row in given] for name in told},
        [row for _, row in lines if isinstance(row, Problem)],
    )
