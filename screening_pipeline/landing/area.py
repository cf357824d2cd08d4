"""The landing area: what was said, durable before anyone reads it, append-only, one line per exchange.

    spool/<response_id>.sealed              what cannot be asked for again, between its arrival and its line;
                                            encrypted, since it may hold values that must never be stored
    feed/                                   calls of destructive feeds that are not landed yet (feed.py)
    <vendor>/<account>/<date>.ndjson        the lines, by the UTC day of receipt; appended, never moved
    <vendor>/<account>/<date>.ndjson.torn   half lines that a crash left, for the record

Everything is owner-only. With a landing key the lines are encrypted at rest, one base64 token per line.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from urllib.parse import quote

from screening_pipeline.base import memory_files, sealing
from screening_pipeline.base.clock import Clock
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.base.failures import telling
from screening_pipeline.base.files import (
    append_line,
    append_lines,
    end_of_lines,
    make_folder,
    reserved,
    write_new,
)
from screening_pipeline.base.locks import locked
from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.domain.exchange import Exchange, Landed
from screening_pipeline.landing.day_seals import Seal, Seals, is_open, mark_changed, mark_of_folder, sealed
from screening_pipeline.landing.judge import Examined, examine
from screening_pipeline.landing.line import Envelope, Told, beginning_of, begins_with, dumps, line_of, without
from screening_pipeline.landing.masking import masked_keys
from screening_pipeline.landing.reduction import PartWords, reduced

_INSTANTS = ("requested_at", "received_at", "due_at")
FieldNames = Mapping[tuple[str, str], Collection[str]]
"""(vendor, account) → which of the customer's own fields the account names."""
NO_FIELDS: FieldNames = {}
Transform = Callable[[Envelope], Envelope | None]
"""An envelope → what shall stand in its place (never longer), or None to leave the line as it is."""


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


@dataclass(frozen=True)
class Line:
    """A line of the landing area that is not written yet, the file it belongs into, and what was made of it."""

    file: str
    content: bytes = field(repr=False)
    landed: Landed


class Landing:
    """The landing area below `root`. Safe to use from several threads and processes at once.

    `spool_key` seals what is on its way (any length; it must outlive a crash), `landing_key` the lines; `secrets` are
    masked in what is landed.
    """

    def __init__(
        self,
        root: Path,
        *,
        vendors: Mapping[str, Vendor],
        spool_key: bytes,
        landing_key: bytes | None = None,
        secrets: Iterable[str] = (),
        clock: Clock,
    ) -> None:
        for vendor in vendors.values():
            masked_keys(vendor)  # a declaration that cannot be masked must not receive anything
        self.root = root
        self._vendors = vendors
        self._clock = clock
        self._secrets = tuple(secrets)
        self._spool_key = spool_key
        self._spool_sealer = sealing.Sealer(spool_key, "spool")
        self._line_sealer = sealing.Sealer(landing_key, "landing") if landing_key else None
        with telling("the landing area"):
            make_folder(self.spool)

    @property
    def spool(self) -> Path:
        """Exchanges that have arrived and have no line yet."""
        return self.root / "spool"

    def feed_folder(self, vendor: str, account: str) -> Path:
        """Where a destructive feed keeps its intents, and what has come of them."""
        return self.root / "feed" / f"{_segment(vendor)}.{_segment(account)}"

    def receive(self, exchange: Exchange) -> Landed:
        """Make an exchange durable, judge it and append its line. Blocks for a millisecond or some.

        Raises DiskFull, NotWritable or EnvironmentFailed; then it is either safe in the spool, for the next
        `recover`, or was never stored and must not be acknowledged.
        """
        if exchange.channel == "pull":  # until its line is there nobody was told of it, and it can be asked for again
            with self._telling(len(exchange.body)):
                return self._append(exchange)
        with self._telling(len(exchange.body)), locked(self._spool_lock, is_shared=True):
            sealed = self._spooled(exchange)
            landed = self._append(exchange)
            sealed.unlink()
            return landed

    def receive_together(self, exchanges: Sequence[Exchange]) -> list[Landed]:
        """`receive` for several that belong into one file, with one sync; all or nothing.

        For what its sender keeps until it is told that it is stored: nothing of it waits in the spool.
        """
        lines = [self.judged(exchange) for exchange in exchanges]
        (file,) = {line.file for line in lines}
        self.append(file, [line.content for line in lines])
        return [line.landed for line in lines]

    def judged(self, exchange: Exchange) -> Line:
        """What `append` makes durable of an exchange. Writes nothing."""
        line, examined = line_of(exchange, self._examined(exchange))
        file = self.file_of(exchange)
        return Line(file, self._written(line, file), _landed(exchange, examined))

    def append(self, file: str, contents: Sequence[bytes]) -> None:
        """Append lines to a file, with one sync; all or nothing. Raises DiskFull, NotWritable or EnvironmentFailed."""
        with self._telling(sum(map(len, contents))):
            make_folder((self.root / file).parent)
            append_lines(self.root / file, contents)

    def _spooled(self, exchange: Exchange) -> Path:
        sealed = self.spool / f"{exchange.response_id}.sealed"
        write_new(sealed, self._spool_sealer.seal(_packed(exchange), exchange.response_id))
        return sealed

    def receive_once(self, exchange: Exchange) -> Landed:
        """`receive`, unless this response was landed before: for those who cannot know whether they did."""
        with self._telling(), locked(self._spool_lock, is_shared=True):
            if self._is_landed(exchange):
                mark_changed((self.root / self.file_of(exchange)).parent)
                (self.spool / f"{exchange.response_id}.sealed").unlink(missing_ok=True)
                return _landed(exchange, line_of(exchange, self._examined(exchange))[1])
        return self.receive(exchange)

    def recover(self) -> list[Landed]:
        """Land what a crash left in the spool, each exchange once. Waits for those being received now."""
        with self._telling(), locked(self._spool_lock):
            for draft in self.spool.glob("*.part"):
                draft.unlink()  # its writer died before it could say that it had received anything
            return [landed for path in sorted(self.spool.glob("*.sealed")) for landed in self._recovered(path)]

    def _recovered(self, path: Path) -> list[Landed]:
        response_id = path.name.removesuffix(".sealed")
        exchange = _unpacked(self._spool_sealer.unseal(path.read_bytes(), response_id))
        if exchange.vendor not in self._vendors:
            return []  # stays until its vendor is declared again
        landed = [] if self._is_landed(exchange) else [self._append(exchange)]
        mark_changed((self.root / self.file_of(exchange)).parent)  # whoever died after the line had no time for it
        path.unlink()
        return landed

    @property
    def _spool_lock(self) -> Path:
        # Shared by those who receive; who recovers needs it alone, so that it sees only what nobody works on.
        return self.spool / "lock"

    def _append(self, exchange: Exchange) -> Landed:
        line, examined = line_of(exchange, self._examined(exchange))
        file = self.file_of(exchange)
        path = self.root / file
        make_folder(path.parent)
        is_first = not path.exists()
        append_line(path, self._written(line, file))
        if is_first or self._is_late(file):
            mark_changed(path.parent)
        return _landed(exchange, examined)

    def _is_late(self, file: str) -> bool:
        """Whether nobody looks for further lines of the file's day, unless its folder is marked as changed."""
        return not is_open(file, self._clock.now() + timedelta(days=1))

    def _examined(self, exchange: Exchange) -> Examined:
        return examine(exchange, self._vendors[exchange.vendor], self._secrets)

    def file_of(self, exchange: Exchange) -> str:
        """The file, relative to the root, that the line of this exchange belongs into."""
        return self.file_for(exchange.vendor, exchange.account, exchange.received_at.astimezone(UTC).isoformat()[:10])

    def file_for(self, vendor: str, account: str, day: str) -> str:
        """The file, relative to the root, of what an account's vendor said on a day (UTC)."""
        return f"{_segment(vendor)}/{_segment(account)}/{day}.ndjson"

    def _is_landed(self, exchange: Exchange) -> bool:
        file = self.file_of(exchange)
        beginning = begins_with(exchange.response_id)
        return (self.root / file).exists() and any(
            line.startswith(beginning) for line in self._lines(file, (self.root / file).read_bytes())
        )

    # -- reading ------------------------------------------------------------------------------------------

    def files(self, vendor: str | None = None) -> list[str]:
        """All landed files, relative to the root, by vendor, account and day."""
        slugs = [vendor] if vendor else sorted(self._vendors)
        found = [path for slug in slugs for path in (self.root / _segment(slug)).glob("*/*.ndjson")]
        return sorted(str(path.relative_to(self.root)) for path in found)

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
        found = [path for slug in self._vendors for path in (self.root / _segment(slug)).glob("*/")]
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
                    yield str(path)
                    return
        with memory_files.in_memory(self.read(tail)) as in_memory:
            yield in_memory

    # -- forgetting ---------------------------------------------------------------------------------------

    def rewrite(self, file: str, transform: Transform, *, response_ids: Iterable[str] | None = None) -> int:
        """Put something else in the place of lines (or only of these), without moving any other; how many changed.

        The file is replaced as a whole, so a crash leaves the old or the new one. An envelope that would be
        longer than its line loses its messages; ValueError where even that is too long.
        """
        path = self.root / file
        with self._telling(), locked(path):
            content = path.read_bytes()
            *old, torn = content.split(b"\n")
            wanted = None if response_ids is None else set(map(begins_with, response_ids))
            new = [self._rewritten(line, file, transform, wanted) for line in old]
            count = sum(before != after for before, after in zip(old, new, strict=True))
            if count or torn:
                write_new(path, b"".join(line + b"\n" for line in new))
            path.with_name(f"{path.name}.torn").unlink(missing_ok=True)  # it may hold what has to go
            return count

    def erase(self, vendor: str, account: str, gone: Collection[Told]) -> int:
        """Remove everything said about these checks of an account (subject, id); the number of lines that changed.

        What is still in the spool is not seen: `recover` first.
        """
        folder = f"{_segment(vendor)}/{_segment(account)}/"
        files = [file for file in self.files(vendor) if file.startswith(folder)]
        return sum(self.rewrite(file, lambda envelope: without(envelope, gone)) for file in files)

    def purge(
        self,
        before: date,
        *,
        part_key: str,
        part_words: PartWords,
        but: Collection[str] = (),
        flex_fields: FieldNames = NO_FIELDS,
    ) -> dict[str, int]:
        """Keep of bodies received before that day (UTC) only what a rebuild needs; how many lines changed, by file.

        `part_key` keys the hashes that stand for people's names in labels. Files in `but` are passed over.
        """
        files = [file for file in self.files() if file not in but and Path(file).stem < before.isoformat()]
        return {file: self.rewrite(file, self._reducing(file, part_key, part_words, flex_fields)) for file in files}

    def _reducing(self, file: str, part_key: str, part_words: PartWords, flex_fields: FieldNames) -> Transform:
        vendor = self._vendors[file.partition("/")[0]]

        def change(envelope: Envelope) -> Envelope | None:
            named = flex_fields.get((envelope["vendor"], envelope["account"]), ())
            new = reduced(envelope, vendor, part_key, part_words=part_words, flex_fields=named)
            return None if new == envelope else new

        return change

    def _rewritten(self, stored: bytes, file: str, transform: Transform, wanted: Collection[bytes] | None) -> bytes:
        line = self._read_line(stored, file)
        is_wanted = wanted is None or beginning_of(line) in wanted
        changed = transform(json.loads(line)) if is_wanted else None
        if changed is None:
            return stored
        forms = (dumps(changed), dumps({**changed, "messages": []}))
        new = next((form for form in forms if len(form) <= len(line)), None)
        if new is None:
            raise ValueError("a line can only be replaced by one that is not longer")
        return self._written(new.ljust(len(line)), file, is_clear=stored.startswith(b"{"))

    @contextmanager
    def reserve(self, needed_bytes: int) -> Iterator[None]:
        """Hold that much room on the disk while the block runs. Raises DiskFull before it does."""
        with reserved(self.spool, needed_bytes):
            yield

    def key_for(self, purpose: str) -> bytes:
        """A key that others may seal their own way into the landing area with; it betrays nothing of ours."""
        return hmac.digest(self._spool_key, purpose.encode(), "sha256")

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
        if stored.startswith(b"{"):  # landed before there was a key
            return stored
        if self._line_sealer is None:
            raise EnvironmentFailed(f"{file} is encrypted and no landing key is set", code="wrong_key")
        return self._line_sealer.unseal(base64.urlsafe_b64decode(stored), file)


def _ends(tails: Iterable[Tail]) -> dict[str, int]:
    return {tail.file: tail.end for tail in tails}


def _cut(file: str) -> EnvironmentFailed:
    return EnvironmentFailed(f"{file} is shorter than what was read of it; rebuild", code="landing_cut")


@cache
def _segment(name: str) -> str:
    """A name as one folder name that cannot lead elsewhere."""
    safe = quote(name, safe=" @+,=")
    return f"%2E{safe[1:]}" if safe.startswith(".") else safe


def _landed(exchange: Exchange, examined: Examined) -> Landed:
    return Landed(
        response_id=exchange.response_id,
        http_status=exchange.http_status,
        failure=exchange.failure,
        reject=examined.reject,
        message_count=len(examined.messages),
        told=frozenset((message.subject, message.check_id) for message in examined.messages),
    )


def _packed(exchange: Exchange) -> bytes:
    head = {name: value for name, value in vars(exchange).items() if name != "body"}
    for name in _INSTANTS:
        head[name] = head[name].isoformat() if head[name] else None
    return json.dumps({**head, "headers": dict(exchange.headers)}).encode() + b"\n" + exchange.body


def _unpacked(plain: bytes) -> Exchange:
    head, _, body = plain.partition(b"\n")
    values = json.loads(head)
    for name in _INSTANTS:
        values[name] = datetime.fromisoformat(values[name]) if values[name] else None
    return Exchange(**values, body=body)
