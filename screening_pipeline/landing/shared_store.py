"""The landing store of several machines: an inbox in their database, pieces of days in a bucket or a shared folder.

    inbox      lines as they come; an answer or a message is durable with its row
    piece      <vendor>/<account>/<date>/<SHA-256>.ndjson: what was taken from the inbox together, written once
    manifest   which pieces count; loaders look for what is in it and was not loaded, and list no bucket

Who looks makes pieces of what waits first, so that there is one place to read from.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from screening_pipeline.base.clock import Clock
from screening_pipeline.base.errors import ConfigurationError, EnvironmentFailed
from screening_pipeline.base.failures import telling
from screening_pipeline.base.files import make_folder, reserved
from screening_pipeline.domain.exchange import instant_of
from screening_pipeline.landing.calls import Calls, SharedCalls
from screening_pipeline.landing.day_seals import OPEN_DAYS, Seal
from screening_pipeline.landing.interface import Change, Entry, Look, Offsets, Tail, Waiting
from screening_pipeline.landing.names import ENDING, segment
from screening_pipeline.landing.objects import Objects
from screening_pipeline.landing.shared_rows import RowErasures, Rows, RowSpool

Days = Mapping[str, tuple[int, int]]
"""Day → how many pieces it has, and their bytes."""
_PUTS_AT_ONCE = 8
MOST_WAITING_BYTES = 4_000_000_000
"""In the inbox, before nothing more is asked for: the database's disk has to take what is pushed for days to come."""
_OWNER = "landing.owner"
# A draft that a crash left in a folder has something before or behind it.
_PIECE = re.compile(r"[^/]+/[^/]+/\d{4}-\d\d-\d\d/\.?[0-9a-f]{64}\.ndjson(\.[\w.-]+)?")


class SharedStore:
    """See `LandingStore`. `root`: a folder of this machine's own, for what is on its way; `holder`: its name there."""

    def __init__(
        self, rows: Rows, objects: Objects, *, root: Path, spool_key: bytes, holder: str, clock: Clock
    ) -> None:
        self._rows = rows
        self._objects = objects
        self._root = root
        self._holder = holder
        self._clock = clock
        self.spool = RowSpool(rows, spool_key)
        self.erasures = RowErasures(rows)

    def telling(self, needed_bytes: int = 0) -> AbstractContextManager[None]:
        return telling("the landing area", needed_bytes, self._root)

    # ── writing ────────────────────────────────────────────────────────────────────────────────────

    def append(self, file: str, entries: Sequence[Entry], *, is_recalled: bool = False) -> None:
        self._rows.append(file, entries, is_recalled=is_recalled)

    def knows(self, response_id: str) -> bool | None:
        return self._rows.is_recalled(response_id)

    def note_change(self, file: str) -> None:
        """Nothing: every piece is counted by its day."""

    def waiting(self) -> Waiting:
        lines, oldest, size = self._rows.inbox(MOST_WAITING_BYTES)
        return Waiting(lines, instant_of(oldest) if oldest else None, size)

    def require_room(self) -> None:
        if (size := self._rows.inbox_bytes(MOST_WAITING_BYTES)) > MOST_WAITING_BYTES:
            raise EnvironmentFailed(
                f"{size / 1e9:.1f} GB of answers wait in the database to be put away, so nothing more is asked for; "
                "`screening-pipeline doctor` tries landing.url. What is pushed is still taken",
                code="inbox_full",
            )

    @contextmanager
    def reserve(self, needed_bytes: int) -> Iterator[None]:
        self.require_room()  # and the database lets us in
        make_folder(self._root / "spool")
        with reserved(self._root / "spool", needed_bytes):
            yield

    def calls(self, vendor: str, account: str) -> Calls:
        return SharedCalls(self._rows, vendor, account, self._holder)

    def seal(self) -> int:
        """Make pieces of what waits in the inbox; the number of lines."""
        return self._rows.seal(self._put)

    def _put(self, pieces: Sequence[tuple[str, bytes]]) -> None:
        if len(pieces) < 2:
            for name, content in pieces:
                self._objects.put_new(name, content)
            return
        with ThreadPoolExecutor(_PUTS_AT_ONCE) as pool:
            puts = [pool.submit(self._objects.put_new, *piece) for piece in pieces]
            try:
                for put in puts:
                    put.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)  # where one cannot be put, each of the others would wait as long
                raise

    def rewrite(self, file: str, change: Change) -> None:
        """A piece keeps its name: under another one the old content would stay until somebody swept it."""
        for name in self._pieces_of(file):
            self._rows.rewrite(name, partial(self._replaced, name, change))

    def _replaced(self, name: str, change: Change) -> bytes | None:
        content = change(self._objects.get(name))
        if content is not None:
            self._objects.replace(name, content)
        return content

    def _pieces_of(self, file: str) -> Sequence[str]:
        """The piece, or all pieces of a day."""
        folder, day = file.rsplit("/", 1)
        if folder.count("/") > 1:
            return [file]
        self.seal()
        return list(self._rows.pieces(folder, [day.removesuffix(ENDING)]))

    def forget_leftovers(self) -> None:
        """Remove pieces that were never noted, and what the database keeps of lines that are no rows any more.

        What is not named as a piece is, at this place or below it, is somebody else's. Raises ConfigurationError where
        the place is that of others, whose pieces are in another table.
        """

        def sweep(counting: set[str]) -> None:
            for name in self._objects.names():
                if name not in counting and _PIECE.fullmatch(name):
                    self._objects.delete(name)

        self._require_ours()
        self._rows.while_nobody_seals(sweep)
        self._rows.forget_dead_rows()

    def _require_ours(self) -> None:
        owner = self._rows.key_in_use("owner of landing.url", secrets.token_hex(16))
        self._objects.put_new(_OWNER, owner.encode())
        if self._objects.get(_OWNER) != owner.encode():
            problem = f"is where another database than that of state.url_env keeps its pieces ({_OWNER} says so)"
            raise ConfigurationError([problem], source="landing.url")

    # ── reading ────────────────────────────────────────────────────────────────────────────────────

    def files(self, vendors: Iterable[str]) -> list[str]:
        """What waits becomes a piece before, so that nobody who goes through all of them misses a line."""
        self.seal()
        return list(self.marks(vendors))

    def marks(self, vendors: Iterable[str]) -> dict[str, list[int]]:
        beginnings = tuple(f"{segment(slug)}/" for slug in vendors)
        return {file: [0, size] for file, size in self._rows.all_pieces().items() if file.startswith(beginnings)}

    def mark(self, file: str) -> list[int] | None:
        """Without an identity: a piece is never another one under the same name."""
        found = self._rows.piece(file)
        return [0, found[0]] if found else None

    def content(self, file: str, start: int = 0, end: int | None = None) -> bytes:
        return self._objects.get(file)[start:end]

    @contextmanager
    def in_place(self, tail: Tail) -> Iterator[Path | None]:  # noqa: ARG002 - nothing lies here
        yield None

    def look(self, vendors: Iterable[str], seals: Mapping[str, Seal], read: Offsets) -> Look:
        self.seal()
        now, found = self._clock.now(), self._days(vendors)  # before the pieces: what comes meanwhile is found next
        looks = {folder: self._look(folder, days, seals.get(folder), read, now) for folder, days in found.items()}
        tails = [tail for mine, _ in looks.values() for tail in mine]
        return Look(tails, {folder: seal for folder, (_, seal) in looks.items()})

    def _days(self, vendors: Iterable[str]) -> dict[str, Days]:
        known = {segment(slug) for slug in vendors}
        found = self._rows.days()
        return {folder: found[folder] for folder in sorted(found) if folder.partition("/")[0] in known}

    def _look(
        self, folder: str, days: Days, seal: Seal | None, read: Offsets, now: datetime
    ) -> tuple[list[Tail], Seal]:
        if seal is not None and seal.holds(_mark(days), now):
            return [], seal
        opened = {f"{folder}/{day}": pieces for day, (pieces, _) in days.items() if _is_open(day, now)}
        if seal is None or not _are_only_open_days_changed(folder, days, seal, now):
            new = _sealed(folder, days, opened, now)
            return _unread(folder, self._rows.pieces(folder), read(folder)), new
        opened = {place: days[place.rpartition("/")[2]][0] for place in {**seal.open, **opened}}
        changed = [place for place, pieces in opened.items() if pieces != seal.open.get(place)]
        found = self._rows.pieces(folder, [place.rpartition("/")[2] for place in changed])
        known = {file: size for place in changed for file, size in read(place).items()}
        return _unread(folder, found, known), replace(seal, mark=_mark(days), open=opened)

    def gained(self, vendors: Iterable[str], seals: Mapping[str, Seal]) -> dict[str, int]:
        slugs = list(vendors)
        beginnings = tuple(f"{segment(slug)}/" for slug in slugs)
        waiting = {file: lines for file, lines in self._rows.waiting().items() if file.startswith(beginnings)}
        gained = {
            folder: sum(size for _, size in days.values())
            for folder, days in self._days(slugs).items()
            if folder not in seals or seals[folder].mark != _mark(days)
        }
        return {**gained, **waiting}

    def shown(self) -> Path | None:
        return None


def _mark(days: Days) -> list[int]:
    return [sum(pieces for pieces, _ in days.values()), sum(size for _, size in days.values())]


def _is_open(day: str, now: datetime) -> bool:
    return day >= f"{now - OPEN_DAYS:%Y-%m-%d}"


def _sealed(folder: str, days: Days, opened: Mapping[str, int], now: datetime) -> Seal:
    """A seal of an account's days: of open ones how many pieces each has, of the others how many there are."""
    closed = [count for day, count in days.items() if f"{folder}/{day}" not in opened]
    pieces, sizes = sum(count for count, _ in closed), sum(size for _, size in closed)
    return Seal(_mark(days), now.isoformat(), pieces, sizes, dict(opened))


def _are_only_open_days_changed(folder: str, days: Days, seal: Seal, now: datetime) -> bool:
    """Days that have become open since, or were then, are looked at one by one."""
    opened = {**seal.open, **{f"{folder}/{day}": 0 for day in days if _is_open(day, now)}}
    others = _sealed(folder, days, opened, now)
    is_fresh = seal.holds(seal.mark, now)
    return is_fresh and (others.closed_files, others.closed_bytes) == (seal.closed_files, seal.closed_bytes)


def _unread(folder: str, pieces: Mapping[str, int], read: Mapping[str, int]) -> list[Tail]:
    vendor = folder.partition("/")[0]
    return [Tail(vendor, file, 0, size) for file, size in pieces.items() if read.get(file) != size]
