"""The landing area: what was said, durable before anyone reads it, append-only, one line per exchange.

What is said is judged and becomes a line here; where lines lie is the store's. Everything is owner-only. With a landing
key the lines are encrypted at rest, one base64 token per line.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path

from screening_pipeline.base.clock import Clock
from screening_pipeline.base.failures import telling
from screening_pipeline.base.files import make_folder
from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.domain.exchange import HttpExchange, LandingReceipt
from screening_pipeline.landing.damage import fault
from screening_pipeline.landing.file_store import FileStore
from screening_pipeline.landing.interface import LandingStore
from screening_pipeline.landing.judge import Examined, examine
from screening_pipeline.landing.landed_files import LandedFiles
from screening_pipeline.landing.line import (
    Envelope,
    Told,
    beginning_of,
    begins_with,
    dumps,
    line_of,
    restamped,
    without,
)
from screening_pipeline.landing.masking import masked_headers, masked_keys
from screening_pipeline.landing.mentions import names_any
from screening_pipeline.landing.names import account_of, day_of, feed_folder, folder_of
from screening_pipeline.landing.reduction import PartWords, reduced

FieldNames = Mapping[tuple[str, str], Collection[str]]
"""(vendor, account) → which of the customer's own fields the account names."""
NO_FIELDS: FieldNames = {}
Transform = Callable[[Envelope], Envelope | None]
"""An envelope → what shall stand in its place (never longer), or None to leave the line as it is."""


@dataclass(frozen=True)
class Line:
    """A line of the landing area that is not written yet, the file it belongs into, and what was made of it."""

    file: str
    content: bytes = field(repr=False)
    landed: LandingReceipt


class Landing(LandedFiles):
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
        store: LandingStore | None = None,
    ) -> None:
        for vendor in vendors.values():
            masked_keys(vendor)  # a declaration that cannot be masked must not receive anything
        given = store or FileStore(root, clock=clock, spool_key=spool_key)
        super().__init__(root, vendors=vendors, landing_key=landing_key, clock=clock, store=given)
        self._secrets = tuple(secrets)
        self._spool_key = spool_key
        self._spool = given.spool
        with telling("the landing area"):
            make_folder(self.spool)

    @property
    def spool(self) -> Path:
        """The spool: received exchanges without a line yet, encrypted."""
        return self.root / "spool"

    def feed_folder(self, vendor: str, account: str) -> Path:
        """Where a destructive feed keeps its intents, and what has come of them."""
        return feed_folder(self.root, vendor, account)

    def receive(self, exchange: HttpExchange) -> LandingReceipt:
        """Make an exchange durable, judge it and append its line. Blocks for a millisecond or some.

        Raises DiskFull, NotWritable or EnvironmentFailed; then it is either safe in the spool, for the next
        `recover`, or was never stored and must not be acknowledged.
        """
        if exchange.channel == "pull":  # until its line is there nobody was told of it, and it can be asked for again
            return self._append(exchange)
        with self.store.telling(len(exchange.body)), self._spool.locked(is_shared=True):
            self._spool.put(exchange)
            landed = self._append(exchange, is_recalled=True)
            self._spool.remove(exchange.response_id)
            return landed

    def receive_together(self, exchanges: Sequence[HttpExchange]) -> list[LandingReceipt]:
        """`receive` for several that belong into one file, with one sync; all or nothing.

        For what its sender keeps until it is told that it is stored: nothing of it waits in the spool.
        """
        lines = [self.judged(exchange) for exchange in exchanges]
        (file,) = {line.file for line in lines}
        self.append(file, lines)
        return [line.landed for line in lines]

    def judged(self, exchange: HttpExchange) -> Line:
        """What `append` makes durable of an exchange. Writes nothing."""
        headers = masked_headers(exchange.headers, self._secrets)
        if headers != exchange.headers:
            exchange = replace(exchange, headers=headers)
        line, examined = line_of(exchange, self._examined(exchange))
        file = self.file_of(exchange)
        return Line(file, self._written(line, file), _landed(exchange, examined))

    def append(self, file: str, lines: Sequence[Line], *, is_recalled: bool = False) -> None:
        """Append lines of one file, with one sync; all or nothing. Raises DiskFull, NotWritable or EnvironmentFailed.

        `is_recalled`: they may come again, and must not be landed twice.
        """
        with self.store.telling(sum(len(line.content) for line in lines)):
            entries = [(line.landed.response_id, line.content) for line in lines]
            self.store.append(file, entries, is_recalled=is_recalled)

    def keep(self, file: str, lines: Sequence[bytes]) -> None:
        """Append lines of a day that were landed elsewhere and opened there. Raises as `append` does."""
        with self.store.telling(sum(map(len, lines))):
            named = ((f"{file} {number:09}", line) for number, line in enumerate(lines))  # in the order that they had
            self.store.append(file, [(name, self._written(line, file)) for name, line in named])

    def receive_once(self, exchange: HttpExchange) -> LandingReceipt:
        """`receive`, unless this response was landed before: for those who cannot know whether they did."""
        with self.store.telling(), self._spool.locked(is_shared=True):
            if self._is_landed(exchange):
                self.store.note_change(self.file_of(exchange))
                self._spool.remove(exchange.response_id)
                return _landed(exchange, line_of(exchange, self._examined(exchange))[1])
        return self.receive(exchange)

    def recover(self) -> list[LandingReceipt]:
        """Land what a crash left in the spool, each exchange once. Waits for those being received now.

        Raises EnvironmentFailed (`spool.UNOPENED`) for what cannot be opened: it stays there, and all else is landed.
        """
        with self.store.telling(), self._spool.locked():
            return [landed for exchange in self._spool.waiting() for landed in self._recovered(exchange)]

    def _recovered(self, exchange: HttpExchange) -> list[LandingReceipt]:
        if exchange.vendor not in self._vendors:
            return []  # stays until its vendor is declared again
        landed = [] if self._is_landed(exchange) else [self._append(exchange, is_recalled=True)]
        self.store.note_change(self.file_of(exchange))  # whoever died after the line had no time for it
        self._spool.remove(exchange.response_id)
        return landed

    def _append(self, exchange: HttpExchange, *, is_recalled: bool = False) -> LandingReceipt:
        line = self.judged(exchange)
        self.append(line.file, [line], is_recalled=is_recalled)
        return line.landed

    def _examined(self, exchange: HttpExchange) -> Examined:
        return examine(exchange, self._vendors[exchange.vendor], self._secrets)

    def _is_landed(self, exchange: HttpExchange) -> bool:
        known = self.store.knows(exchange.response_id)
        return self._is_in_its_file(exchange) if known is None else known

    def _is_in_its_file(self, exchange: HttpExchange) -> bool:
        file, beginning = self.file_of(exchange), begins_with(exchange.response_id)
        stored = self.store.content(file).split(b"\n")[:-1] if self.mark(file) else []
        lines = map(partial(self._readable, file), stored)
        return any(line is not None and line.startswith(beginning) for line in lines)

    # -- forgetting ---------------------------------------------------------------------------------------

    def rewrite(
        self,
        file: str,
        transform: Transform,
        *,
        response_ids: Iterable[str] | None = None,
        wiped_ids: Collection[str] = (),
    ) -> int:
        """Transform lines in place (or only those of `response_ids`), without moving any other; the number changed.

        The file is replaced as a whole, so a crash leaves the old or the new one. An envelope that would be
        longer than its line loses its messages; ValueError where even that is too long. A line that cannot be read
        stays, unless it may speak of one of `wiped_ids`: of that nothing but blanks is left.
        """
        wanted = None if response_ids is None else set(map(begins_with, response_ids))
        count = 0

        def change(content: bytes) -> bytes | None:
            nonlocal count
            *old, torn = content.split(b"\n")
            new = [self._rewritten(line, file, transform, wanted, wiped_ids) for line in old]
            changed = sum(before != after for before, after in zip(old, new, strict=True))
            count += changed
            return b"".join(line + b"\n" for line in new) if changed or torn else None

        with self.store.telling():
            self.store.rewrite(file, change)
        return count

    def erase(self, vendor: str, account: str, gone: Collection[Told]) -> int:
        """Erase everything about these checks of an account (subject, id); the number of lines that changed.

        What is still in the spool is not seen: `recover` first.
        """
        folder = f"{folder_of(vendor, account)}/"
        files = [file for file in self.files(vendor) if file.startswith(folder)]
        ids = {check_id for _, check_id in gone}
        return sum(self.rewrite(file, lambda envelope: without(envelope, gone), wiped_ids=ids) for file in files)

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
        files = [file for file in self.files() if file not in but and day_of(file) < before.isoformat()]
        return {file: self.rewrite(file, self._reducing(file, part_key, part_words, flex_fields)) for file in files}

    def _reducing(self, file: str, part_key: str, part_words: PartWords, flex_fields: FieldNames) -> Transform:
        vendor = self._vendors[file.partition("/")[0]]

        def change(envelope: Envelope) -> Envelope | None:
            named = flex_fields.get((envelope["vendor"], envelope["account"]), ())
            new = reduced(envelope, vendor, part_key, part_words=part_words, flex_fields=named)
            return None if new == envelope else new

        return change

    def _rewritten(
        self, stored: bytes, file: str, transform: Transform, wanted: Collection[bytes] | None, wiped: Collection[str]
    ) -> bytes:
        line = self._readable(file, stored)
        if line is None or fault(line, *account_of(file)):
            is_sealed = self._line_sealer is not None and not stored.startswith(b"{")
            is_wiped = wiped and (line is None or is_sealed or names_any(line.decode(errors="replace"), wiped))
            return b" " * len(stored) if is_wiped else stored
        is_wanted = wanted is None or beginning_of(line) in wanted
        changed = transform(json.loads(line)) if is_wanted else None
        if changed is None:
            return stored
        forms = (dumps(changed), dumps({**changed, "messages": []}))
        new = next((form for form in forms if len(form) <= len(line)), None)
        if new is None:
            raise ValueError("a line can only be replaced by one that is not longer")
        return self._written(restamped(new).ljust(len(line)), file, is_clear=stored.startswith(b"{"))

    @contextmanager
    def reserve(self, needed_bytes: int) -> Iterator[None]:
        """Context manager: reserves that many bytes of disk space. Raises DiskFull before the block."""
        with self.store.reserve(needed_bytes):
            yield

    def key_for(self, purpose: str) -> bytes:
        """A subkey derived from the spool key for another purpose, from which the spool key cannot be computed."""
        return hmac.digest(self._spool_key, purpose.encode(), "sha256")


def _landed(exchange: HttpExchange, examined: Examined) -> LandingReceipt:
    return LandingReceipt(
        response_id=exchange.response_id,
        http_status=exchange.http_status,
        failure=exchange.failure,
        reject=examined.reject,
        message_count=len(examined.messages),
        told=frozenset((message.subject, message.check_id) for message in examined.messages),
    )
