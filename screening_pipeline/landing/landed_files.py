"""The landed lines as those find them who read: which files there are, what in them is new, and what it says.

A line is durable before anybody reads it: whoever appends holds the file's lock until it has synced. Where there is a
landing key, lines are encrypted at rest, each for its file.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from functools import partial
from glob import escape
from pathlib import Path

from screening_pipeline.base import memory_files, sealing
from screening_pipeline.base.clock import Clock
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.base.sample import sample
from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.domain.exchange import HttpExchange
from screening_pipeline.landing.damage import UNSEALED, ZEROED, Damage, digest_fault, fault
from screening_pipeline.landing.day_seals import Seal
from screening_pipeline.landing.file_store import FileStore, cut
from screening_pipeline.landing.interface import LandingStore, Look, Offsets, Tail
from screening_pipeline.landing.line import is_as_written
from screening_pipeline.landing.names import account_of, day_file, sealed_for

_SEALED = re.compile(rb"[A-Za-z0-9_-]{38,}={0,2}")


class LandedFiles:
    """The landed files of `vendors` in a store, by default the files below `root`.

    `landing_key` opens their lines, where they are encrypted.
    """

    def __init__(
        self,
        root: Path,
        *,
        vendors: Mapping[str, Vendor],
        landing_key: bytes | None,
        clock: Clock,
        store: LandingStore | None = None,
    ) -> None:
        self.root = root
        self.store = store or FileStore(root, clock=clock)
        self._vendors = vendors
        self._line_sealer = sealing.Sealer(landing_key, "landing") if landing_key else None

    def file_of(self, exchange: HttpExchange) -> str:
        """The file of the day that the line of this exchange belongs into."""
        return self.file_for(exchange.vendor, exchange.account, exchange.received_at.astimezone(UTC).isoformat()[:10])

    def file_for(self, vendor: str, account: str, day: str) -> str:
        """The file of what an account's vendor said on a day (UTC)."""
        return day_file(vendor, account, day)

    def files(self, vendor: str | None = None) -> list[str]:
        """All landed files, by vendor, account and day."""
        return self.store.files([vendor] if vendor else sorted(self._vendors))

    def marks(self) -> dict[str, list[int]]:
        """The change mark of each landed file."""
        return self.store.marks(sorted(self._vendors))

    def mark(self, file: str) -> list[int] | None:
        """The change mark of a file, its identity first, then its size; None where there is no file."""
        return self.store.mark(file)

    def contents(self) -> Iterator[bytes]:
        """The lines of one landed file after the other, decrypted."""
        for tail in self._wholes().values():
            yield self.read(tail)

    def _wholes(self) -> dict[str, Tail]:
        return {file: Tail(file.partition("/")[0], file, 0, size) for file, (_, size, *_) in self.marks().items()}

    def look(self, seals: Mapping[str, Seal], read: Offsets = lambda _: {}) -> Look:
        """What was landed since these seals were made, durable lines only; days that are over add nothing to its cost.

        `read` tells of a folder how many bytes of each of its files were read before (0 where it does not say); it is
        asked only where the seal does not hold. Raises EnvironmentFailed where a file has become shorter than that.
        """
        with self.store.telling():
            return self.store.look(self._vendors, seals, read)

    def gained(self, seals: Mapping[str, Seal]) -> dict[str, int]:
        """What goes further than these seals: file, or folder of files → how far it goes."""
        with self.store.telling():
            return self.store.gained(self._vendors, seals)

    def read(self, tail: Tail) -> bytes:
        """The lines of a tail, decrypted, each with its newline."""
        with self.store.telling():
            content = self.store.content(tail.file, tail.start, tail.end)
        if len(content) < tail.end - tail.start:
            raise cut(tail.file)
        is_clear = (b"\n" + content).count(b"\n{") == content.count(b"\n")
        return content if is_clear else b"".join(line + b"\n" for line in self._lines(tail.file, content))

    def opened(self, tail: Tail) -> Iterator[bytes]:
        """Each line of a tail, decrypted where it can be, as it stands where not."""
        with self.store.telling():
            content = self.store.content(tail.file, tail.start, tail.end)
        for stored in content.split(b"\n")[:-1]:
            line = self._readable(tail.file, stored)
            yield stored if line is None else line

    def sift(self, tail: Tail) -> tuple[bytes, list[Damage]]:
        """The lines of a tail that can be believed, decrypted, and where the others are.

        Raises EnvironmentFailed where none of its file can be decrypted: the key is wrong, and not the lines.
        """
        with self.store.telling():
            content = self.store.content(tail.file)
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
        return fault(line, *account_of(file))

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
        with self.store.telling():
            return b"\0" in self.store.content(tail.file, tail.end)

    def damages(self, most_bytes: int | None = None) -> Iterator[Damage]:
        """Every line that cannot be taken for what was received; of some files, by chance, where not all are read."""
        wholes = self._wholes()
        for file in sample({file: whole.end for file, whole in wholes.items()}, most_bytes):
            tail = wholes[file]
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
        if self._line_sealer is None:
            with self.store.in_place(tail) as path:
                if path is not None:
                    yield escape(str(path))  # DuckDB looks for files by patterns
                    return
        with memory_files.in_memory(self.read(tail)) as in_memory:
            yield in_memory

    # -- encryption at rest -------------------------------------------------------------------------------

    def _written(self, line: bytes, file: str, *, is_clear: bool = False) -> bytes:
        if self._line_sealer is None or is_clear:
            return line
        return base64.urlsafe_b64encode(self._line_sealer.seal(line, sealed_for(file)))

    def _lines(self, file: str, content: bytes) -> Iterator[bytes]:
        return (self._read_line(stored, file) for stored in content.split(b"\n")[:-1])

    def _read_line(self, stored: bytes, file: str) -> bytes:
        if not _SEALED.fullmatch(stored):  # landed before there was a key, or damaged
            return stored
        if self._line_sealer is None:
            raise EnvironmentFailed(f"{file} is encrypted and no landing key is set", code="wrong_key")
        return self._line_sealer.unseal(base64.urlsafe_b64decode(stored), sealed_for(file))
