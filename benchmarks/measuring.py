"""One way of measuring for every benchmark: each part runs in a process of its own, several times, interleaved.

A script declares its parts as functions that return what `metered` measured, and hands them to `main` together
with the function that plans them. CPU seconds are those of the part's process and of the children it waited for;
peak memory is the highest resident size while the measured block ran, imports included, since they are resident too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata, util
from pathlib import Path
from statistics import median
from typing import Any

FORMS = ("smallest", "short", "full")
TIMES = 3

Part = Callable[..., "Cost"]
"""Runs in a process of its own; its arguments are JSON values."""


@dataclass(kw_only=True)
class Cost:
    """What a part took. `facts` are what else it found out."""

    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_mb: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    """How a script was called. `form` is one of FORMS, `rest` what it knows beyond that."""

    form: str
    times: int
    folder: Path
    rest: argparse.Namespace

    def choose(self, smallest: Any, short: Any, full: Any) -> Any:
        """What belongs to the form."""
        return {"smallest": smallest, "short": short, "full": full}[self.form]


@contextmanager
def metered() -> Iterator[Cost]:
    """Measure the block; the cost is complete when it ends."""
    cost = Cost()
    _forget_peak()
    cpu, wall = cpu_seconds(), time.perf_counter()
    yield cost
    cost.cpu_s = cpu_seconds() - cpu
    cost.wall_s = time.perf_counter() - wall
    cost.peak_mb = _peak_mb()


def cpu_seconds() -> float:
    """User and system time of this process, all its threads, and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _forget_peak() -> None:
    """From here on the peak counts anew, where the kernel offers it; elsewhere it counts from the start."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _peak_mb() -> float:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    except OSError:
        return _highest_mb(resource.RUSAGE_SELF)


def children_peak_mb() -> float:
    """The memory of the largest child that has ended; at least what this process had when it started one."""
    return _highest_mb(resource.RUSAGE_CHILDREN)


def _highest_mb(whose: int) -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(whose).ru_maxrss * unit / 2**20


# ── parts in processes of their own ────────────────────────────────────────────────────────────────────


def main(plan: Callable[[Options], None], parts: Mapping[str, Part], *more: tuple[str, dict[str, Any]]) -> None:
    """Run the script: one of its parts where a measurement asks for it, else the whole plan.

    `more` are options of the script's own, as for argparse.
    """
    if sys.argv[1:2] == ["--part"]:
        name, arguments, answer = sys.argv[2:5]
        cost = parts[name](**json.loads(arguments))
        Path(answer).write_text(json.dumps(vars(cost)), encoding="utf-8")
        return
    given = _parser(more).parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=given.folder) as folder:
        plan(Options(given.form, given.times, Path(folder), given))


def _parser(more: Sequence[tuple[str, dict[str, Any]]]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(sys.modules["__main__"].__doc__ or "").partition("\n")[0])
    forms = parser.add_mutually_exclusive_group()
    for form in FORMS:
        forms.add_argument(f"--{form}", dest="form", action="store_const", const=form, help=f"the {form} form")
    parser.set_defaults(form="short")
    parser.add_argument("--times", type=int, default=TIMES, help=f"repetitions of which the median counts ({TIMES})")
    parser.add_argument("--folder", help="where the files of the benchmark are put, and removed again")
    for name, options in more:
        parser.add_argument(name, **options)
    return parser


def run_part(name: str, /, **arguments: Any) -> Cost:
    """Run a part of the script that was started, in a new process."""
    with tempfile.NamedTemporaryFile(suffix=".json") as answer:
        process = start_part(name, Path(answer.name), **arguments)
        if process.wait():
            raise SystemExit(f"{Path(sys.argv[0]).name}: the part {name} failed; its words are above")
        return Cost(**json.loads(Path(answer.name).read_bytes()))


def start_part(name: str, answer: Path, /, **arguments: Any) -> subprocess.Popen[bytes]:
    """Start a part and go on; its cost is in the file `answer` when it has ended."""
    command = [sys.executable, sys.argv[0], "--part", name, json.dumps(arguments), str(answer)]
    return subprocess.Popen(command, env=environ(), stdin=subprocess.DEVNULL, stdout=sys.stderr)


def environ() -> dict[str, str]:
    """The environment of a part: byte-code is kept, as any installation has it."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def medians(times: int, wanted: Mapping[str, Callable[[], Cost]]) -> dict[str, Cost]:
    """Run each so many times, in turn, so that a busy minute of the machine falls on all of them."""
    found: dict[str, list[Cost]] = {label: [] for label in wanted}
    for _ in range(times):
        for label, run in wanted.items():
            found[label].append(run())
    return {label: middle(costs) for label, costs in found.items()}


def middle(costs: Sequence[Cost]) -> Cost:
    """The median of each figure; numbers among the facts likewise, other facts as in the last one."""
    facts = dict(costs[-1].facts)
    for name, value in facts.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            facts[name] = median(cost.facts[name] for cost in costs)
    return Cost(
        cpu_s=median(cost.cpu_s for cost in costs),
        wall_s=median(cost.wall_s for cost in costs),
        peak_mb=median(cost.peak_mb for cost in costs),
        facts=facts,
    )


# ── what is printed ────────────────────────────────────────────────────────────────────────────────────


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table, numbers to the right."""
    texts = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(line[place]) for line in [list(header), *texts]) for place in range(len(header))]
    is_number = [all(isinstance(row[place], int | float | None) for row in rows) for place in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = (c.rjust(w) if n else c.ljust(w) for c, w, n in zip(cells, widths, is_number, strict=True))
        return "| " + " | ".join(padded) + " |"

    rule = ("-" * (w + 1) + (":" if n else "-") for w, n in zip(widths, is_number, strict=True))
    print(line(header), "|" + "|".join(rule) + "|", *map(line, texts), "", sep="\n", flush=True)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def costs_table(first: str, costs: Mapping[str, Cost], *, base: str) -> None:
    """Print what each took, and how many times the base's CPU and memory that is."""
    against = costs[base]
    rows = [
        (
            label,
            cost.cpu_s,
            cost.wall_s,
            cost.peak_mb,
            cost.cpu_s / against.cpu_s if against.cpu_s else None,
            cost.peak_mb / against.peak_mb if against.peak_mb else None,
        )
        for label, cost in costs.items()
    ]
    table((first, "CPU s", "wall s", "peak MB", f"CPU / {base}", f"memory / {base}"), rows)


def say(text: str) -> None:
    """Print a paragraph."""
    print(text, end="\n\n", flush=True)


def is_installed(peer: str) -> bool:
    """Whether a rival is there; says so where it is not."""
    if util.find_spec(peer) is not None:
        return True
    say(f"{peer} is left out: it is not installed here (`make bench` brings it).")
    return False


def machine() -> str:
    """What this ran on, without names and places."""
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores of {_processor()}, {pages:.0f} GiB, {platform.system()} {platform.machine()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "an unnamed processor"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unnamed")


def versions(*packages: str) -> str:
    """Python and these packages, as far as they are installed."""
    found = [f"Python {platform.python_version()}"]
    for package in packages:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            found.append(f"no {package}")
    return ", ".join(found)


def busyness() -> str:
    """How busy the machine was with other things: beyond a few, CPU seconds swell too."""
    return f"load average {os.getloadavg()[0]:.1f} when it began"


def today() -> str:
    """The date of the measurement."""
    return f"{datetime.now(UTC):%Y-%m-%d}"
