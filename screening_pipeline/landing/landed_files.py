"""The landed lines as those find them who read: which files there are, what in them is new, and what it says.

A line is durable before anybody reads it: whoever appends holds the file's lock until it has synced. Where there is a
landing key, lines are encrypted at rest, each for its file.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from glob import escape
from pathlib import Path
from urllib.parse import quote, unquote

from screening_pipeline.base import memory_files, sealing
from screening_pipeline.base.clock import Clock
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.base.failures import telling
from screening_pipeline.base.files import end_of_lines
from screening_pipeline.base.locks import locked
from screening_pipeline.base.sample import sample
from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.domain.exchange import HttpExchange
from screening_pipeline.landing.damage import UNSEALED, ZEROED, Damage, digest_fault, fault
from screening_pipeline.landing.day_seals import Seal, Seals, mark_of_folder, sealed
from screening_pipeline.landing.line import is_as_written

_SEALED = re.compile(rb"[A-Za-z0-9_-]{38,}={0,2}")


@dataclass(frozen=True)
class Tail:
    """Complete lines of one landed file that were not read before: bytes [start, end) of `file`."""

    vendor: str
    file: str
    start: int
    end: int


@dataclass(frozen=True)
class Look:
    """What a look found that was not read before, and the seals that hold once it is."""

    tails: list[Tail]
    seals: Seals


class LandedFiles:
    """The landed files of `vendors` below `root`. `landing_key` opens their lines, where they are encrypted."""

    def __init__(self, root: Path, *, vendors: Mapping[str, Vendor], landing_key: bytes | None, clock: Clock) -> None:
        self.root = root
        self._vendors = vendors
        self._clock = clock
        self._line_sealer = sealing.Sealer(landing_key, "landing") if landing_key else None

    def file_of(self, exchange: HttpExchange) -> str:
        """The file, relative to the root, that the line of this exchange belongs into."""
        return self.file_for(exchange.vendor, exchange.account, exchange.received_at.astimezone(UTC).isoformat()[:10])

    def file_for(self, vendor: str, account: str, day: str) -> str:
        """The file, relative to the root, of what an account's vendor said on a day (UTC)."""
        return f"{segment(vendor)}/{segment(account)}/{day}.ndjson"

    def files(self, vendor: str | None = None) -> list[str]:
        """All landed files, relative to the root, by vendor, account and day."""
        slugs = [vendor] if vendor else sorted(self._vendors)
        found = [path for slug in slugs for path in (self.root / segment(slug)).glob("*/*.ndjson")]
        return sorted(str(path.relative_to(self.root)) for path in found)

    def contents(self) -> Iterator[bytes]:
        """The lines of one landed file after the other, decrypted."""
        for file in self.files():
            size = (self.root / file).stat().st_size
            yield self.read(Tail(file.partition("/")[0], file, 0, size))

    def _tails(self, offsets: Mapping[str, int]) -> list[Tail]:
        return [tail for file, start in offsets.items() if (tail := self._tail(file, start))]

    def look(self, seals: Mapping[str, Seal], read: Callable[[str], Mapping[str, int]] = lambda _: {}) -> Look:
        """What was landed since these seals were made, durable lines only; days that are over add nothing to its cost.

        `read` tells of a folder how many bytes of each of its files were read before (0 where it does not say); it is
        asked only where the seal does not hold. Raises EnvironmentFailed where a file has become shorter than that.
        """
        now = self._clock.now()
        with self._telling():
            looks = {folder: self._look(folder, seals.get(folder), read, now) for folder in self.folders()}
        tails = [tail for found, _ in looks.values() for tail in found]
        return Look(tails, {folder: seal for folder, (_, seal) in looks.items()})

    def _look(
        self, folder: str, seal: Seal | None, read: Callable[[str], Mapping[str, int]], now: datetime
    ) -> tuple[list[Tail], Seal]:
        mark = mark_of_folder(self.root / folder)  # before its files: what comes meanwhile is found by the next look
        if seal is not None and seal.holds(mark, now):
            tails = self._tails(seal.open)
            return tails, replace(seal, open={**seal.open, **_ends(tails)})
        sizes, known = self._sizes(folder), read(folder)
        tails = self._tails({file: known.get(file, 0) for file in sizes})
        return tails, sealed(mark, sizes, {**known, **_ends(tails)}, now)

    def gained(self, seals: Mapping[str, Seal]) -> dict[str, int]:
        """What goes further than these seals, told from sizes alone: file → how far it goes.

        Of days that are over nobody knows here what was read of each: where they have changed in number or size, their
        folder is named instead, with the size of all of it.
        """
        with self._telling():
            return {name: size for folder in self.folders() for name, size in self._gained(folder, seals.get(folder))}

    def _gained(self, folder: str, seal: Seal | None) -> Iterator[tuple[str, int]]:
        known = seal.open if seal else {}
        if seal is None or not seal.holds(mark_of_folder(self.root / folder), self._clock.now()):
            sizes = self._sizes(folder)
            known = {file: end for file, end in known.items() if file in sizes}
            closed = [size for file, size in sizes.items() if file not in known]
            if (len(closed), sum(closed)) != ((seal.closed_files, seal.closed_bytes) if seal else (0, 0)):
                yield folder, sum(sizes.values())
        yield from _ends(self._tails(known)).items()

    def folders(self) -> list[str]:
        """The folders that have landed files, relative to the root, one for each account there ever was."""
        found = [path for slug in self._vendors for path in (self.root / segment(slug)).glob("*/")]
        return sorted(str(path.relative_to(self.root)) for path in found)

    def _sizes(self, folder: str) -> dict[str, int]:
        found = sorted((self.root / folder).glob("*.ndjson"))
        return {str(path.relative_to(self.root)): path.stat().st_size for path in found}

    def _tail(self, file: str, start: int) -> Tail | None:
        path = self.root / file
        size = path.stat().st_size
        if size < start:
            raise _cut(file)
        if size == start:
            return None
        with locked(path, is_shared=True) as descriptor:  # whoever appends has synced when it lets go
            end = end_of_lines(descriptor, os.fstat(descriptor).st_size)
        return Tail(file.partition("/")[0], file, start, end) if end > start else None

    def read(self, tail: Tail) -> bytes:
        """The lines of a tail, decrypted, each with its newline."""
        with self._telling(), (self.root / tail.file).open("rb") as landed:
            landed.seek(tail.start)
            content = landed.read(tail.end - tail.start)
        if len(content) < tail.end - tail.start:
            raise _cut(tail.file)
        is_clear = (b"\n" + content).count(b"\n{") == content.count(b"\n")
        return content if is_clear else b"".join(line + b"\n" for line in self._lines(tail.file, content))

    def sift(self, tail: Tail) -> tuple[bytes, list[Damage]]:
        """The lines of a tail that can be believed, decrypted, and where the others are.

        Raises EnvironmentFailed where none of its file can be decrypted: the key is wrong, and not the lines.
        """
        with self._telling():
            content = (self.root / tail.file).read_bytes()
        good, damages, start = [], [], tail.start
        for stored in content[tail.start : tail.end].split(b"\n")[:-1]:
            line = self._readable(tail.file, stored)
            reason = self._fault(line, stored, tail.file, content)
            if reason:
                damages.append(Damage(tail.file, start, reason))
            else:
                good.append(line or b"")
            start += len(stored) + 1
        if b"\0" in (rest := content[content.rfind(b"\n") + 1 :]):
            damages.append(Damage(tail.file, len(content) - len(rest), ZEROED))
        return b"".join(line + b"\n" for line in good), damages

    def _fault(self, line: bytes | None, stored: bytes, file: str, content: bytes) -> str | None:
        if not stored.strip():
            return None  # wiped
        if line is None:
            if not any(map(partial(self._unsealed, file), content.split(b"\n")[:-1])):
                self._read_line(stored, file)
            return UNSEALED
        vendor, account, _ = map(unquote, file.split("/"))
        return fault(line, vendor, account)

    def _readable(self, file: str, stored: bytes) -> bytes | None:
        """A line, decrypted; None where it cannot be."""
        try:
            return self._read_line(stored, file)
        except (EnvironmentFailed, ValueError):
            return None

    def _unsealed(self, file: str, stored: bytes) -> bool:
        return bool(_SEALED.fullmatch(stored)) and self._readable(file, stored) is not None

    def is_doubtful(self, tail: Tail) -> bool:
        """Whether a line of the tail cannot be decrypted, or its body is not the one received; quicker than `sift`."""
        try:
            lines = self.read(tail).split(b"\n")
        except (EnvironmentFailed, ValueError):
            return True
        return any(map(digest_fault, lines)) or self._is_zeroed_after(tail)

    def _is_zeroed_after(self, tail: Tail) -> bool:
        with self._telling(), (self.root / tail.file).open("rb") as landed:
            landed.seek(tail.end)
            return b"\0" in landed.read()

    def damages(self, most_bytes: int | None = None) -> Iterator[Damage]:
        """Every line that cannot be taken for what was received; of some files, by chance, where not all are read."""
        sizes = {file: (self.root / file).stat().st_size for file in self.files()}
        for file in sample(sizes, most_bytes):
            tail = Tail(file.partition("/")[0], file, 0, sizes[file])
            if not self._is_proven(tail):
                yield from self.sift(tail)[1]

    def _is_proven(self, tail: Tail) -> bool:
        """Whether every line is what its digest was made of; tells of most files what `sift` would, and quicker."""
        try:
            lines = self.read(tail).split(b"\n")
        except (EnvironmentFailed, ValueError):
            return False
        is_proven = all(is_as_written(line) or not line.strip() for line in lines)
        return is_proven and not self._is_zeroed_after(tail)

    @contextmanager
    def scan_path(self, tail: Tail) -> Iterator[str]:
        """A path under which this process reads exactly the lines of a tail, for as long as the block runs.

        A whole, finished day is read in place, and appending to it waits; anything else is read in memory.
        """
        path = self.root / tail.file
        is_finished_day = path.stem < f"{self._clock.now():%Y-%m-%d}"
        if self._line_sealer is None and tail.start == 0 and is_finished_day:
            with locked(path, is_shared=True) as descriptor:
                if os.fstat(descriptor).st_size == tail.end:
                    yield escape(str(path))  # DuckDB looks for files by patterns
                    return
        with memory_files.in_memory(self.read(tail)) as in_memory:
            yield in_memory

    def _telling(self, needed_bytes: int = 0) -> AbstractContextManager[None]:
        return telling("the landing area", needed_bytes, self.root)

    # -- encryption at rest -------------------------------------------------------------------------------

    def _written(self, line: bytes, file: str, *, is_clear: bool = False) -> bytes:
        if self._line_sealer is None or is_clear:
            return line
        return base64.urlsafe_b64encode(self._line_sealer.seal(line, file))

    def _lines(self, file: str, content: bytes) -> Iterator[bytes]:
        return (self._read_line(stored, file) for stored in content.split(b"\n")[:-1])

    def _read_line(self, stored: bytes, file: str) -> bytes:
        if not _SEALED.fullmatch(stored):  # landed before there was a key, or damaged
            return stored
        if self._line_sealer is None:
            raise EnvironmentFailed(f"{file} is encrypted and no landing key is set", code="wrong_key")
        return self._line_sealer.unseal(base64.urlsafe_b64decode(stored), file)


def _ends(tails: Iterable[Tail]) -> dict[str, int]:
    return {tail.file: tail.end for tail in tails}


def _cut(file: str) -> EnvironmentFailed:
    return EnvironmentFailed(
        f"{file} is shorter than what was read of it: put it back from a backup, then run rebuild", code="landing_cut"
    )


@cache
def segment(name: str) -> str:
    """A name as one folder name that cannot lead elsewhere."""
    safe = quote(name, safe=" @+,=")
    return f"%2E{safe[1:]}" if safe.startswith(".") else safe
