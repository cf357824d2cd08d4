"""What has arrived and has no line yet: sealed files, each of one exchange, that a crash leaves to the next run.

spool/<response_id>.sealed    encrypted, since it may hold values that must never be stored
spool/lock                    shared by those who receive; who recovers needs it alone, so that it sees only what
nobody works on
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from pathlib import Path

from screening_pipeline.base import sealing
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.base.files import write_new
from screening_pipeline.base.locks import locked
from screening_pipeline.domain.exchange import HttpExchange

UNOPENED = "unopened_answers"
"""The code of what is raised where something in the spool cannot be opened."""
_INSTANTS = ("requested_at", "received_at", "due_at")


class SpoolSealer:
    """Seals exchanges as they came, each for its id; `key` (of any length) must outlive a crash."""

    def __init__(self, key: bytes) -> None:
        self._sealer = sealing.Sealer(key, "spool")

    def seal(self, exchange: HttpExchange) -> bytes:
        """The exchange, encrypted."""
        return self._sealer.seal(_packed(exchange), exchange.response_id)

    def unseal(self, response_id: str, sealed: bytes, *, place: str, key: str, away: str) -> HttpExchange:
        """The exchange. Raises EnvironmentFailed for another key and for changed bytes.

        It tells where it lies, by what its `key` is known, and how it is taken `away`.
        """
        try:
            return _unpacked(self._sealer.unseal(sealed, response_id))
        except EnvironmentFailed:
            raise EnvironmentFailed(
                f"{place} is damaged, or was sealed with another {key}: put that key back, or {away}: the answer in it "
                "is lost, and a full sync asks for what is open",
                code=UNOPENED,
            ) from None


def opened(sealed: Iterable[Callable[[], HttpExchange]]) -> Iterator[HttpExchange]:
    """All that can be opened, and only then EnvironmentFailed for the first that cannot: one keeps no other back."""
    problems = []
    for unseal in sealed:
        try:
            exchange = unseal()
        except EnvironmentFailed as problem:
            problems.append(problem)
        else:
            yield exchange
    if problems:
        raise problems[0]


def left_behind(recover: Callable[[], object]) -> str | None:
    """Why something stays in the spool after `recover`: it cannot be opened, and its key may come back; None else."""
    try:
        recover()
    except EnvironmentFailed as problem:
        if problem.code != UNOPENED:
            raise
        return str(problem)
    return None


class FileSpool:
    """The sealed files in `folder`; `key` as in `SpoolSealer`."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self.folder = folder
        self._sealer = SpoolSealer(key)

    def locked(self, *, is_shared: bool = False) -> AbstractContextManager[int]:
        """Hold the spool: together with others who receive, or alone."""
        return locked(self.folder / "lock", is_shared=is_shared)

    def put(self, exchange: HttpExchange) -> None:
        """Make an exchange durable as it came."""
        write_new(self._file(exchange.response_id), self._sealer.seal(exchange))

    def remove(self, response_id: str) -> None:
        """Its line is there, or it was never here."""
        self._file(response_id).unlink(missing_ok=True)

    def waiting(self) -> Iterator[HttpExchange]:
        """What was left here, the earliest first. Hold the spool alone."""
        for draft in self.folder.glob("*.part"):
            draft.unlink()  # its writer died before it could say that it had received anything
        yield from opened(partial(self._unsealed, path) for path in sorted(self.folder.glob("*.sealed")))

    def _unsealed(self, path: Path) -> HttpExchange:
        words = {"place": f"spool/{path.name} of the landing area", "key": "spool.key", "away": "move the file away"}
        return self._sealer.unseal(path.name.removesuffix(".sealed"), path.read_bytes(), **words)

    def _file(self, response_id: str) -> Path:
        return self.folder / f"{response_id}.sealed"


def _packed(exchange: HttpExchange) -> bytes:
    head = {name: value for name, value in vars(exchange).items() if name != "body"}
    for name in _INSTANTS:
        head[name] = head[name].isoformat() if head[name] else None
    return json.dumps({**head, "headers": dict(exchange.headers)}).encode() + b"\n" + exchange.body


def _unpacked(plain: bytes) -> HttpExchange:
    head, _, body = plain.partition(b"\n")
    values = json.loads(head)
    for name in _INSTANTS:
        values[name] = datetime.fromisoformat(values[name]) if values[name] else None
    return HttpExchange(**values, body=body)
