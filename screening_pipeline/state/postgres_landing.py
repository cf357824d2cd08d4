"""The rows of a landing area that machines share: inbox, spool, manifest of pieces, calls of feeds, erasures, keys.

Every method is one transaction, durable when it returns.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from screening_pipeline.base import postgres
from screening_pipeline.state.landing_session import DURABLY
from screening_pipeline.state.postgres_calls import PostgresCalls
from screening_pipeline.state.postgres_session import Row

Put = Callable[[Sequence[tuple[str, bytes]]], None]
"""Keeps pieces, by their names; durable when it returns, and harmless when it is called again."""

_SEALING = "screening sealing"
_MOST_LINES = 5_000
_RECALLED_FOR = "30 days"
_APPEND = "select screening_landing.append(%s, %s, %s::bytea[], %s)"
_TAKE = """
delete from screening_landing.inbox where response_id in (
    select response_id from screening_landing.inbox order by response_id limit %s for update skip locked
) returning file, response_id, line
"""
_PIECE = """
insert into screening_landing.piece (file, folder, day, bytes, sha256) values (%s, %s, %s, %s, %s)
"""
_DAY = """
insert into screening_landing.day as known (folder, day, pieces, bytes) values (%s, %s, 1, %s)
on conflict (folder, day) do update set pieces = known.pieces + 1, bytes = known.bytes + excluded.bytes
"""


class PostgresLanding(PostgresCalls):
    """The rows in a PostgreSQL database; `where`: the key that names its address, told in errors."""

    # ── inbox ──────────────────────────────────────────────────────────────────────────────────────

    def append(self, file: str, entries: Sequence[tuple[str, bytes]], *, is_recalled: bool) -> None:
        """Append lines (response id, line) to the inbox; all or nothing. One that is recalled is there once only."""
        values = (file, [name for name, _ in entries], [line for _, line in entries], is_recalled)
        with postgres.told(self.where):
            self._surely_open().execute(_APPEND, values)

    def is_recalled(self, response_id: str) -> bool:
        """Whether a line that was to be recalled was appended."""
        return self.row("select 1 from screening_landing.recalled where response_id = %s", (response_id,)) is not None

    def waiting(self) -> dict[str, int]:
        """How many lines wait in the inbox, by file."""
        return {row[0]: row[1] for row in self.rows("select file, count(*) from screening_landing.inbox group by file")}

    def inbox(self, more_than: int) -> tuple[int, str | None, int]:
        """How many lines wait in the inbox, the id of the oldest, and their bytes as `inbox_bytes`."""
        row = self.row("select count(*), min(response_id) from screening_landing.inbox") or (0, None)
        return row[0], row[1], self.inbox_bytes(more_than) if row[0] else 0

    def inbox_bytes(self, more_than: int) -> int:
        """The bytes of the inbox on the server's disk; where those are `more_than` this, what of them are lines."""
        (size,) = self.row("select pg_total_relation_size('screening_landing.inbox')") or (0,)
        if size > more_than:  # room of rows that are gone is used again
            (size,) = self.row("select coalesce(sum(octet_length(line)), 0) from screening_landing.inbox") or (0,)
        return int(size)

    def seal(self, put: Put) -> int:
        """Make pieces of what waits, which `put` keeps, and note them in the manifest; the number of lines.

        A crash in between leaves pieces that nobody reads, and the lines where they were. Several may seal at once.
        """
        return sum(iter(lambda: self._sealed(put), 0))

    def _sealed(self, put: Put) -> int:
        count = 0

        def change(connection: postgres.Connection) -> list[Row]:
            nonlocal count
            with connection.transaction():
                connection.execute(DURABLY)
                with postgres.patiently(connection):  # while somebody sweeps
                    connection.execute("select pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", (_SEALING,))
                taken = connection.execute(_TAKE, (_MOST_LINES,)).fetchall()
                count = len(taken)
                pieces = _pieces(taken)
                put([(file, content) for file, content in pieces.items()])
                _note_pieces(connection, pieces)
                if not taken:
                    old = f"landed_at < now() - interval '{_RECALLED_FOR}'"
                    connection.execute(f"delete from screening_landing.recalled where {old}")
            return []

        self._again_where_cut(change)  # another time it takes what is there then
        return count

    # ── manifest ───────────────────────────────────────────────────────────────────────────────────

    def days(self) -> dict[str, dict[str, tuple[int, int]]]:
        """Folder → day → how many pieces there are, and their bytes."""
        found: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        for folder, day, pieces, size in self.rows("select folder, day, pieces, bytes from screening_landing.day"):
            found[folder][day] = (pieces, int(size))
        return dict(found)

    def pieces(self, folder: str, days: Sequence[str] | None = None) -> dict[str, int]:
        """The pieces of an account, of some days or of all: file → bytes."""
        query = "select file, bytes from screening_landing.piece where folder = %s"
        rows = (
            self.rows(f"{query} order by file", (folder,))
            if days is None
            else self.rows(f"{query} and day = any(%s::text[]) order by file", (folder, list(days)))
        )
        return {file: int(size) for file, size in rows}

    def all_pieces(self) -> dict[str, int]:
        """Every piece: file → bytes."""
        rows = self.rows("select file, bytes from screening_landing.piece order by file")
        return {file: int(size) for file, size in rows}

    def piece(self, file: str) -> tuple[int, str] | None:
        """Bytes and SHA-256 of a piece."""
        row = self.row("select bytes, sha256 from screening_landing.piece where file = %s", (file,))
        return (int(row[0]), row[1]) if row else None

    def rewrite(self, file: str, replaced: Callable[[], bytes | None]) -> None:
        """Have `replaced` put another content in the place of a piece, which it returns; others wait meanwhile."""

        def change(connection: postgres.Connection) -> list[Row]:
            with connection.transaction():
                connection.execute("select 1 from screening_landing.piece where file = %s for update", (file,))
                if (content := replaced()) is not None:
                    digest = hashlib.sha256(content).hexdigest()
                    connection.execute("update screening_landing.piece set sha256 = %s where file = %s", (digest, file))
            return []

        self._again_where_cut(change)

    def while_nobody_seals(self, sweep: Callable[[set[str]], None]) -> None:
        """Call `sweep` with the names of all pieces that count, while no other is being made."""

        def change(connection: postgres.Connection) -> list[Row]:
            with connection.transaction():
                with postgres.patiently(connection):  # while others seal
                    connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (_SEALING,))
                sweep({row[0] for row in connection.execute("select file from screening_landing.piece").fetchall()})
            return []

        self._again_where_cut(change)

    def forget_dead_rows(self) -> None:
        """Have the server write the tables anew that held lines: what was deleted stays in their files until then.

        The server's log (WAL), and whatever is made of it, keeps it for as long as it is kept.
        """
        with postgres.told(self.where):
            connection = self._surely_open()
            with postgres.patiently(connection):
                for table in ("inbox", "spool"):
                    connection.execute(f"vacuum (full, analyze) screening_landing.{table}")

    # ── spool ──────────────────────────────────────────────────────────────────────────────────────

    def put_spooled(self, response_id: str, sealed: bytes) -> None:
        """Keep what has no line yet."""
        keep = "insert into screening_landing.spool values (%s, %s) on conflict do nothing"
        self._once(lambda connection: connection.execute(keep, (response_id, sealed)))

    def remove_spooled(self, response_id: str) -> None:
        """Forget it, since it has one."""
        self.rows("delete from screening_landing.spool where response_id = %s", (response_id,))

    def spooled(self) -> list[tuple[str, bytes]]:
        """What waits there, the earliest first."""
        rows = self.rows("select response_id, sealed from screening_landing.spool order by response_id")
        return [(name, bytes(sealed)) for name, sealed in rows]

    # ── who was erased ─────────────────────────────────────────────────────────────────────────────

    def keep_erased(self, lines: Sequence[bytes]) -> None:
        """Keep lines of the register of erasures, each once, in their order."""
        keep = "insert into screening_landing.erased (sha256, line) values (%s, %s) on conflict do nothing"
        values = [(hashlib.sha256(line).hexdigest(), line) for line in lines]
        self._once(lambda connection: connection.cursor().executemany(keep, values))

    def erased(self) -> list[bytes]:
        """The lines of the register, the oldest first."""
        return [bytes(row[0]) for row in self.rows("select line from screening_landing.erased order by number")]

    def erased_digests(self) -> list[str]:
        """The SHA-256 of each of them, sorted."""
        return [row[0] for row in self.rows("select sha256 from screening_landing.erased order by sha256")]


def _pieces(taken: Iterable[tuple[str, str, Any]]) -> dict[str, bytes]:
    """File of a piece → its content: the lines of a day in the order of their ids. Its name is its SHA-256."""
    by_day: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
    for file, response_id, line in taken:
        by_day[file].append((response_id, bytes(line)))
    found = {}
    for file, lines in sorted(by_day.items()):
        content = b"".join(line + b"\n" for _, line in sorted(lines))
        stem, _, ending = file.rpartition(".")
        found[f"{stem}/{hashlib.sha256(content).hexdigest()}.{ending}"] = content
    return found


def _note_pieces(connection: postgres.Connection, pieces: dict[str, bytes]) -> None:
    for file, content in pieces.items():
        folder, day, name = file.rsplit("/", 2)
        digest = name.partition(".")[0]
        connection.execute(_PIECE, (file, folder, day, len(content), digest))
        connection.execute(_DAY, (folder, day, len(content)))
