"""The interface of a landing store: where landed lines and the spool lie, and what of them is new. It reads no line.

Files are named as `landing.names` says, relative to the landing area. What a store is given to append is durable when
the call returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from screening_pipeline.domain.exchange import HttpExchange
from screening_pipeline.landing.calls import Calls
from screening_pipeline.landing.day_seals import Seal, Seals

Entry = tuple[str, bytes]
"""The response id of a line, and the line as it is stored, without its newline."""
Change = Callable[[bytes], bytes | None]
"""The content of a file → what shall stand in its place, as long; None to leave it."""
Offsets = Callable[[str], Mapping[str, int]]
"""A folder → how many bytes of each file below it were read before; 0 where it does not say."""


@dataclass(frozen=True)
class Tail:
    """Complete lines of one landed file that were not read before: bytes [start, end) of `file`."""

    vendor: str
    file: str
    start: int
    end: int


@dataclass(frozen=True)
class Waiting:
    """What is landed and not put away yet: lines, since when the oldest waits, and about how many bytes they take."""

    lines: int
    since: datetime | None
    bytes: int


@dataclass(frozen=True)
class Look:
    """What a look found that was not read before, and the seals that hold once it is."""

    tails: list[Tail]
    seals: Seals


class Spool(Protocol):
    """What has arrived and has no line yet, encrypted; a crash leaves it to the next run."""

    def locked(self, *, is_shared: bool = False) -> AbstractContextManager[object]:
        """Hold the spool: together with others who receive, or alone."""

    def put(self, exchange: HttpExchange) -> None:
        """Make an exchange durable as it came."""

    def remove(self, response_id: str) -> None:
        """Its line is there, or it was never here."""

    def waiting(self) -> Iterator[HttpExchange]:
        """What was left here, the earliest first. Hold the spool alone.

        Raises EnvironmentFailed once all else was told, where something in it cannot be opened (`spool.UNOPENED`).
        """


class Erasures(Protocol):
    """The register of erasures that all machines share, as lines; each is there once."""

    def keep(self, lines: Sequence[bytes]) -> None:
        """Keep lines, durably, in their order; those that are there stay where they are."""

    def lines(self) -> list[bytes]:
        """All of them, the oldest first."""

    def digests(self) -> list[str]:
        """The SHA-256 of each, sorted."""


class LandingStore(Protocol):
    """Where landed lines lie. Raises OSError or EnvironmentFailed; `telling` makes the latter of the former."""

    @property
    def spool(self) -> Spool:
        """What has arrived and has no line yet."""

    @property
    def erasures(self) -> Erasures | None:
        """The register of erasures where machines share it; None where it is that of the data folder alone."""

    def telling(self, needed_bytes: int = 0) -> AbstractContextManager[None]:
        """Context manager: turns OSError into DiskFull, NotWritable or EnvironmentFailed."""

    def append(self, file: str, entries: Sequence[Entry], *, is_recalled: bool = False) -> None:
        """Append lines to the file of a day; all or nothing. `is_recalled`: `knows` tells of them afterwards."""

    def knows(self, response_id: str) -> bool | None:
        """Whether a line that was to be recalled was appended; None: its file has to be read."""

    def note_change(self, file: str) -> None:
        """Have the next look look at the file of a day, also where that day is over."""

    def calls(self, vendor: str, account: str) -> Calls:
        """What others must know of the calls of an account's feed."""

    def waiting(self) -> Waiting | None:
        """What waits in a database to be put away; None where nothing has to."""

    def require_room(self) -> None:
        """Raise EnvironmentFailed where so much waits that nothing more should be asked for: pushes have to fit in."""

    def reserve(self, needed_bytes: int) -> AbstractContextManager[None]:
        """Context manager: reserves that many bytes of disk space. Raises DiskFull before the block."""

    def marks(self, vendors: Iterable[str]) -> dict[str, list[int]]:
        """The change mark of each file of these vendors, by vendor, account and day."""

    def files(self, vendors: Iterable[str]) -> list[str]:
        """The names of these files, in that order."""

    def mark(self, file: str) -> list[int] | None:
        """The change mark of a file, its identity first (0: no other takes its place), then its size; None: no file."""

    def content(self, file: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes [start, end) of a file; fewer where it is shorter."""

    def in_place(self, tail: Tail) -> AbstractContextManager[Path | None]:
        """Context manager: a path of exactly these bytes that stay so in the block; None where there is none."""

    def look(self, vendors: Iterable[str], seals: Mapping[str, Seal], read: Offsets) -> Look:
        """What was landed since these seals were made. Raises EnvironmentFailed where a file has become shorter."""

    def gained(self, vendors: Iterable[str], seals: Mapping[str, Seal]) -> dict[str, int]:
        """What goes further than these seals: file, or folder of files → how far it goes."""

    def rewrite(self, file: str, change: Change) -> None:
        """Put a content in the place of a file's, as a whole; nobody appends meanwhile."""

    def forget_leftovers(self) -> None:
        """Leave nothing behind of what was erased, wherever a crash or the store itself keeps copies."""

    def shown(self) -> Path | None:
        """The folder of files that a database may read as they lie; None where there is none."""
