"""What a shared landing store keeps as rows in a database: their interface, the spool and the register of erasures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Protocol

from screening_pipeline.domain.exchange import HttpExchange
from screening_pipeline.landing.calls import CallRows
from screening_pipeline.landing.spool import SpoolSealer, opened


class Rows(CallRows, Protocol):
    """The rows in the database; see `state.postgres_landing`."""

    def append(self, file: str, entries: Sequence[tuple[str, bytes]], *, is_recalled: bool) -> None: ...

    def is_recalled(self, response_id: str) -> bool: ...

    def waiting(self) -> dict[str, int]: ...

    def inbox(self, more_than: int) -> tuple[int, str | None, int]: ...

    def inbox_bytes(self, more_than: int) -> int: ...

    def seal(self, put: Callable[[Sequence[tuple[str, bytes]]], None]) -> int: ...

    def days(self) -> dict[str, dict[str, tuple[int, int]]]: ...

    def pieces(self, folder: str, days: Sequence[str] | None = None) -> dict[str, int]: ...

    def all_pieces(self) -> dict[str, int]: ...

    def piece(self, file: str) -> tuple[int, str] | None: ...

    def rewrite(self, file: str, replaced: Callable[[], bytes | None]) -> None: ...

    def while_nobody_seals(self, sweep: Callable[[set[str]], None]) -> None: ...

    def forget_dead_rows(self) -> None: ...

    def put_spooled(self, response_id: str, sealed: bytes) -> None: ...

    def remove_spooled(self, response_id: str) -> None: ...

    def spooled(self) -> list[tuple[str, bytes]]: ...

    def keep_erased(self, lines: Sequence[bytes]) -> None: ...

    def erased(self) -> list[bytes]: ...

    def erased_digests(self) -> list[str]: ...

    def key_in_use(self, name: str, digest: str) -> str: ...


class RowSpool:
    """The spool as rows. Nobody holds it: what two land at once is landed once, since its line is recalled."""

    def __init__(self, rows: Rows, key: bytes) -> None:
        self._rows = rows
        self._sealer = SpoolSealer(key)

    def locked(self, *, is_shared: bool = False) -> AbstractContextManager[object]:  # noqa: ARG002
        return nullcontext()

    def put(self, exchange: HttpExchange) -> None:
        self._rows.put_spooled(exchange.response_id, self._sealer.seal(exchange))

    def remove(self, response_id: str) -> None:
        self._rows.remove_spooled(response_id)

    def waiting(self) -> Iterator[HttpExchange]:
        return opened(partial(self._unsealed, name, sealed) for name, sealed in self._rows.spooled())

    def _unsealed(self, name: str, sealed: bytes) -> HttpExchange:
        place, away = f"row {name} of screening_landing.spool", "delete the row"
        return self._sealer.unseal(name, sealed, place=place, key="spool key", away=away)


class RowErasures:
    """See `Erasures`."""

    def __init__(self, rows: Rows) -> None:
        self.keep, self.lines, self.digests = rows.keep_erased, rows.erased, rows.erased_digests
