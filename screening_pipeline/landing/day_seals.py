"""Day seals: which days of the landing area are over and read to their ends, so that they are not scanned again.

An account's folder has a file for each day there ever was. Of days before the last `OPEN_DAYS` nothing is expected any
more: what all the same changes one of their files (a line that was held up, an erasure, a file put back) marks the
folder, and then every file of it is looked at. So it is once a day, which finds what others did to a file in its place.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

OPEN_DAYS = timedelta(days=2)
"""Days that may gain lines as a matter of course: a call may be answered after midnight."""
LOOKED_AT_EVERY = timedelta(days=1)


@dataclass(frozen=True)
class Seal:
    """The read position in one account's folder; `mark` is the folder's change mark at `looked_at`.

    `open`: how many bytes were read of each file, relative to the landing area, whose day may gain lines.
    `closed_files`, `closed_bytes`: how many other files there were, all read, and how large they were together.
    """

    mark: list[int]
    looked_at: str
    closed_files: int = 0
    closed_bytes: int = 0
    open: dict[str, int] = field(default_factory=dict)

    def holds(self, mark: list[int], now: datetime) -> bool:
        """Whether the closed days are unchanged, given the folder's present change mark."""
        return self.mark == mark and abs(now - datetime.fromisoformat(self.looked_at)) < LOOKED_AT_EVERY


Seals = dict[str, Seal]
"""Folder, relative to the landing area → what was read of it."""


def mark_of_folder(folder: Path) -> list[int]:
    """The change mark of a folder: changes when a file in it is made, replaced or removed, and by `mark_changed`."""
    found = folder.stat()
    return [found.st_ino, found.st_mtime_ns, found.st_ctime_ns]


def mark_changed(folder: Path) -> None:
    """Change a folder's change mark, also within one tick of the file system's clock."""
    found = folder.stat()
    os.utime(folder, ns=(found.st_atime_ns, found.st_mtime_ns + 1 + secrets.randbelow(1_000_000)))


def is_open(file: str, now: datetime) -> bool:
    """Whether a file's day may still gain lines in normal operation."""
    return PurePosixPath(file).stem >= f"{now - OPEN_DAYS:%Y-%m-%d}"


def sealed(mark: list[int], sizes: Mapping[str, int], read: Mapping[str, int], now: datetime) -> Seal:
    """A new seal of a folder, from the size of each file and the bytes read of it."""
    opened = {file: read.get(file, 0) for file in sizes if is_open(file, now)}
    closed = [size for file, size in sizes.items() if file not in opened]
    return Seal(mark, now.isoformat(), len(closed), sum(closed), opened)


def dumps(seals: Mapping[str, Seal]) -> str:
    """Seals as JSON text."""
    return json.dumps({folder: asdict(seal) for folder, seal in seals.items()})


def loads(text: str | None) -> Seals:
    """Seals from JSON text; none for an empty one."""
    return {folder: Seal(**told) for folder, told in json.loads(text or "{}").items()}
