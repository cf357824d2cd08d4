"""The landing store of one machine: a file for each account and day below one folder.

spool/<response_id>.sealed              see `spool`
feed/                                   calls of destructive feeds that are not landed yet (feed.py)
<vendor>/<account>/<date>.ndjson        the lines, by the UTC day of receipt; appended, never moved
<vendor>/<account>/<date>.ndjson.torn   half lines that a crash left, for the record
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from screening_pipeline.base.clock import Clock
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.base.failures import telling
from screening_pipeline.base.files import append_lines, end_of_lines, make_folder, mark_of, reserved, write_new
from screening_pipeline.base.locks import locked
from screening_pipeline.landing.calls import Calls, FileCalls
from screening_pipeline.landing.day_seals import Seal, is_open, mark_changed, mark_of_folder, sealed
from screening_pipeline.landing.interface import Change, Entry, Look, Offsets, Tail
from screening_pipeline.landing.names import ENDING, feed_folder, segment
from screening_pipeline.landing.spool import FileSpool


class FileStore:
    """See `LandingStore`; below `root`. Without a `spool_key` it is only read.

    A line is durable before anybody reads it: whoever appends holds the file's lock until it has synced.
    """

    erasures = None

    def __init__(self, root: Path, *, clock: Clock, spool_key: bytes = b"") -> None:
        self._root = root
        self._clock = clock
        self.spool = FileSpool(root / "spool", spool_key)

    def waiting(self) -> None:
        """Nothing: a line is where it is read."""

    def require_room(self) -> None:
        """A disk that is full is told by whoever writes."""

    def telling(self, needed_bytes: int = 0) -> AbstractContextManager[None]:
        return telling("the landing area", needed_bytes, self._root)

    # ── writing ────────────────────────────────────────────────────────────────────────────────────

    def append(self, file: str, entries: Sequence[Entry], *, is_recalled: bool = False) -> None:  # noqa: ARG002 - its file tells
        path = self._root / file
        make_folder(path.parent)
        is_first = not path.exists()
        append_lines(path, [line for _, line in entries])
        if is_first or self._is_late(file):
            mark_changed(path.parent)

    def _is_late(self, file: str) -> bool:
        """Whether the file's day is (nearly) closed: further lines are seen only if its folder's mark changes."""
        return not is_open(file, self._clock.now() + timedelta(days=1))

    def knows(self, response_id: str) -> bool | None:  # noqa: ARG002
        return None

    def note_change(self, file: str) -> None:
        mark_changed((self._root / file).parent)

    def calls(self, vendor: str, account: str) -> Calls:
        return FileCalls(feed_folder(self._root, vendor, account))

    def reserve(self, needed_bytes: int) -> AbstractContextManager[None]:
        return reserved(self.spool.folder, needed_bytes)

    def rewrite(self, file: str, change: Change) -> None:
        """The file is replaced as a whole, so a crash leaves the old or the new one."""
        path = self._root / file
        with locked(path):
            new = change(path.read_bytes())
            if new is not None:
                write_new(path, new)
            path.with_name(f"{path.name}.torn").unlink(missing_ok=True)  # it may hold what has to go

    def forget_leftovers(self) -> None:
        """Nothing: `rewrite` has taken half lines away, too."""

    # ── reading ────────────────────────────────────────────────────────────────────────────────────

    def files(self, vendors: Iterable[str]) -> list[str]:
        found = [path for slug in vendors for path in (self._root / segment(slug)).glob(f"*/*{ENDING}")]
        return sorted(str(path.relative_to(self._root)) for path in found)

    def marks(self, vendors: Iterable[str]) -> dict[str, list[int]]:
        return {file: mark for file in self.files(vendors) if (mark := self.mark(file))}

    def mark(self, file: str) -> list[int] | None:
        return mark_of(self._root / file)

    def content(self, file: str, start: int = 0, end: int | None = None) -> bytes:
        with (self._root / file).open("rb") as landed:
            landed.seek(start)
            return landed.read(-1 if end is None else end - start)

    @contextmanager
    def in_place(self, tail: Tail) -> Iterator[Path | None]:
        """A whole, finished day is read in place, and appending to it waits."""
        path = self._root / tail.file
        if tail.start or path.stem >= f"{self._clock.now():%Y-%m-%d}":
            yield None
            return
        with locked(path, is_shared=True) as descriptor:
            yield path if os.fstat(descriptor).st_size == tail.end else None

    def look(self, vendors: Iterable[str], seals: Mapping[str, Seal], read: Offsets) -> Look:
        now = self._clock.now()
        looks = {folder: self._look(folder, seals.get(folder), read, now) for folder in self._folders(vendors)}
        tails = [tail for found, _ in looks.values() for tail in found]
        return Look(tails, {folder: seal for folder, (_, seal) in looks.items()})

    def _look(self, folder: str, seal: Seal | None, read: Offsets, now: datetime) -> tuple[list[Tail], Seal]:
        mark = mark_of_folder(self._root / folder)  # before its files: what comes meanwhile is found by the next look
        if seal is not None and seal.holds(mark, now):
            tails = self._tails(seal.open)
            return tails, replace(seal, open={**seal.open, **_ends(tails)})
        sizes, known = self._sizes(folder), read(folder)
        tails = self._tails({file: known.get(file, 0) for file in sizes})
        return tails, sealed(mark, sizes, {**known, **_ends(tails)}, now)

    def gained(self, vendors: Iterable[str], seals: Mapping[str, Seal]) -> dict[str, int]:
        """Told from sizes alone.

        Of days that are over nobody knows here what was read of each: where they have changed in number or size, their
        folder is named instead, with the size of all of it.
        """
        return {name: size for folder in self._folders(vendors) for name, size in self._gained(folder, seals)}

    def _gained(self, folder: str, seals: Mapping[str, Seal]) -> Iterator[tuple[str, int]]:
        seal = seals.get(folder)
        known = seal.open if seal else {}
        if seal is None or not seal.holds(mark_of_folder(self._root / folder), self._clock.now()):
            sizes = self._sizes(folder)
            known = {file: end for file, end in known.items() if file in sizes}
            closed = [size for file, size in sizes.items() if file not in known]
            if (len(closed), sum(closed)) != ((seal.closed_files, seal.closed_bytes) if seal else (0, 0)):
                yield folder, sum(sizes.values())
        yield from _ends(self._tails(known)).items()

    def _folders(self, vendors: Iterable[str]) -> list[str]:
        """The folders that have landed files, one for each account there ever was."""
        found = [path for slug in vendors for path in (self._root / segment(slug)).glob("*/")]
        return sorted(str(path.relative_to(self._root)) for path in found)

    def _sizes(self, folder: str) -> dict[str, int]:
        found = sorted((self._root / folder).glob(f"*{ENDING}"))
        return {str(path.relative_to(self._root)): path.stat().st_size for path in found}

    def _tails(self, offsets: Mapping[str, int]) -> list[Tail]:
        return [tail for file, start in offsets.items() if (tail := self._tail(file, start))]

    def _tail(self, file: str, start: int) -> Tail | None:
        path = self._root / file
        size = path.stat().st_size
        if size < start:
            raise cut(file)
        if size == start:
            return None
        with locked(path, is_shared=True) as descriptor:  # whoever appends has synced when it lets go
            end = end_of_lines(descriptor, os.fstat(descriptor).st_size)
        return Tail(file.partition("/")[0], file, start, end) if end > start else None

    def shown(self) -> Path | None:
        return self._root


def _ends(tails: Iterable[Tail]) -> dict[str, int]:
    return {tail.file: tail.end for tail in tails}


def cut(file: str) -> EnvironmentFailed:
    """The error where a file has lost of what was read of it."""
    return EnvironmentFailed(
        f"{file} is shorter than what was read of it: put it back from a backup, then run rebuild", code="landing_cut"
    )
