"""Console output: tables, notes, progress. Whatever comes from a vendor is printed inert."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from screening_pipeline.base.inert import inert, inert_lines
from screening_pipeline.base.progress import Progress, no_progress

if TYPE_CHECKING:
    from rich.table import Table

    from screening_pipeline.base.clock import Clock

# Columns of names and times, which must not be broken in two.
NO_WRAP = ("account", "known at", "occurred", "completed", "next due")


class _Outlet(io.FileIO):
    """A stream whose reader may leave: what it does not take goes nowhere, and the work ends as it deserves.

    Any other failure is raised, and once only: Python tries again at its end, and would spoil the exit code.
    """

    _has_failed = False

    def write(self, data: Any) -> Any:
        """The number of bytes that nobody has to write any more. Raises OSError."""
        try:
            return len(data) if self._has_failed else super().write(data)
        except OSError as problem:
            self._has_failed = True
            if isinstance(problem, BrokenPipeError):
                return len(data)
            raise


def ignore_broken_pipes() -> None:
    """Replace stdout and stderr by streams that ignore a broken pipe or a closed stream."""
    sys.stdout, sys.stderr = (_outlet(stream) for stream in (sys.stdout, sys.stderr))


def _outlet(stream: TextIO | None) -> TextIO:
    if stream is None:  # `>&-`; also keeps the descriptor from the next file that is opened
        return Path(os.devnull).open("w", encoding="utf-8")
    return io.TextIOWrapper(
        io.BufferedWriter(_Outlet(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=True,
    )


def say(text: str = "") -> None:
    """Print lines to standard output, inert."""
    print(inert_lines(text))  # noqa: T201 - this is where the program prints


def warn(text: str) -> None:
    """Print lines to standard error, inert."""
    print(inert_lines(text), file=sys.stderr)  # noqa: T201 - this is where the program prints


def say_json(facts: object) -> None:
    """Print facts as JSON, for another program."""
    import json

    text = json.dumps(facts, ensure_ascii=True, indent=2, default=str)
    say(text.replace("\x7f", "\\u007f"))  # the one character of ASCII that JSON leaves as it is


def log(event: str, clock: Clock, **facts: Any) -> None:
    """Print one event as a line of JSON, for a collector of logs: `at` (UTC), `event`, and its facts."""
    import json

    line = {"at": clock.now().isoformat(), "event": event, **facts}
    say(json.dumps(line, ensure_ascii=True, default=str).replace("\x7f", "\\u007f"))


def table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], title: str | None = None) -> None:
    """Print rows as a table: `columns` maps keys to headings. Numbers right-aligned; plain without a terminal.

    Where the terminal is too narrow for whole words, a paragraph for each row, under what its first column says.
    """
    from rich.console import Console
    from rich.measure import Measurement
    from rich.padding import Padding

    terminal = Console(width=None if sys.stdout.isatty() else 150, highlight=False, markup=False)
    shown = _grid(rows, columns, title)
    if Measurement.get(terminal, terminal.options.update(width=10_000), shown).minimum <= terminal.width:
        terminal.print(shown)
        return
    if title:
        terminal.print(title, style="bold")
    for row in rows:
        first, *others = ((heading, _cell(row[key])) for key, heading in columns.items() if row[key] not in (None, ""))
        terminal.print(first[1], style="bold")
        terminal.print(Padding(", ".join(f"{heading} {cell}".strip() for heading, cell in others), (0, 0, 0, 2)))


def _grid(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], title: str | None) -> Table:
    from rich import box
    from rich.table import Table

    shown = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for key, heading in columns.items():
        is_number = bool(rows) and all(isinstance(row[key], int | float) for row in rows if row[key] is not None)
        shown.add_column(heading, justify="right" if is_number else "left", no_wrap=heading in NO_WRAP)
    for row in rows:
        shown.add_row(*(_cell(row[key]) for key in columns))
    return shown


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else inert(value)


@contextmanager
def progress(title: str) -> Iterator[Progress]:
    """Context manager: a progress bar on a terminal; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield no_progress
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
    )
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda what, done, total: bar.update(task, completed=done, total=total, description=inert(what))
