"""How files of every store are damaged in a soak, by what that is named, and the way back that is stated for each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

BITS = 6


def flip(file: Path, draw: Random, _old: Path | None) -> None:
    """Some bits change, and the file system does not know."""
    content, known = bytearray(file.read_bytes()), file.stat()
    for _ in range(BITS):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    with file.open("r+b") as opened:
        opened.write(content)
    os.utime(file, ns=(known.st_atime_ns, known.st_mtime_ns))


def cut(file: Path, draw: Random, _old: Path | None) -> None:
    """The end is gone."""
    os.truncate(file, draw.randrange(file.stat().st_size))


def blank(file: Path, draw: Random, _old: Path | None) -> None:
    """The end is zeros, as a crash of the machine leaves it."""
    size = file.stat().st_size
    start = draw.randrange(size)
    with file.open("r+b") as opened:
        opened.seek(start)
        opened.write(bytes(size - start))


def age(file: Path, _draw: Random, old: Path | None) -> None:
    """An old copy lies in its place."""
    if old is not None:
        shutil.copyfile(old, file)


KINDS: dict[str, Callable[[Path, Random, Path | None], None]] = {"flip": flip, "cut": cut, "blank": blank, "age": age}


@dataclass(frozen=True)
class Store:
    """Files of a data folder, by patterns, and what `docs/operations.md` says to do where one is damaged.

    `is_restored`: put back from a backup; else moved away, with what stands beside it. Then the commands of `then`.
    """

    patterns: tuple[str, ...]
    is_restored: bool = False
    then: tuple[str, ...] = ()

    def files(self, data: Path) -> list[Path]:
        found = [file for pattern in self.patterns for file in data.glob(pattern)]
        return sorted(file for file in found if file.is_file() and not file.is_symlink() and file.stat().st_size)

    def mend(self, file: Path, data: Path, backup: Path) -> None:
        for beside in file.parent.glob(f"{file.name}*"):
            beside.unlink()
        kept = backup / file.relative_to(data)
        for beside in kept.parent.glob(f"{kept.name}*") if self.is_restored else ():
            shutil.copy2(beside, file.parent / beside.name)


STORES: dict[str, Store] = {
    "landing": Store(("landing/*/*/*.ndjson",), is_restored=True, then=("rebuild",)),
    "orders": Store(("orders/*.csv",), is_restored=True, then=("rebuild",)),
    "warehouse": Store(("warehouse.duckdb",), then=("rebuild",)),
    "snapshot": Store(("published/screening.duckdb",)),
    "report": Store(("published/report.html", "published/parquet-*/*/*.parquet")),
    "state": Store(("state.sqlite",)),
    "dagster": Store(("dagster/**/*.db",)),
    "register": Store(("erasures.ndjson",), is_restored=True, then=("rebuild",)),
    "keys": Store(("*.key", "*.digest"), is_restored=True),
}


def backed_up(data: Path, target: Path) -> Path:
    """A copy of the data folder, made while nothing runs."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(data, target, symlinks=True)
    return target


def names_of(file: Path, data: Path) -> Iterable[str]:
    """What a damaged file may be called by where it is told of."""
    return file.name, str(file.relative_to(data))
