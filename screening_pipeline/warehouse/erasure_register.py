"""Who was erased, written down beside the warehouse: a warehouse can be lost and made anew, an erasure cannot.

`erasures.ndjson` has a line for each erasure, and for hashes that were added since: keyed hashes and the row of
`ops.erasure`, never a name. It is synced before anything is erased, and every warehouse is brought in line with it.
Where machines share what is landed, they share its lines (`register_lines`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.base.failures import telling
from screening_pipeline.base.files import FILE_MODE, mark_of
from screening_pipeline.base.sql_text import quote
from screening_pipeline.landing.line import ERASED_LINE
from screening_pipeline.warehouse import catalog, register_lines, session
from screening_pipeline.warehouse.loading import read_notes, write_note

if TYPE_CHECKING:
    from screening_pipeline.landing.area import Landing
    from screening_pipeline.settings.paths import Paths
    from screening_pipeline.warehouse.session import Connection


NOTE = "erasure_register"
_ROWS = (
    "select * replace (requested_at::varchar as requested_at, completed_at::varchar as completed_at) from ops.erasure"
)


@dataclass
class Kept:
    """What the register says: rows of `ops.erasure` by `erasure_id`, and the hashes of all who are kept out."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    hashes: set[str] = field(default_factory=set)


def enter(paths: Paths, landing: Landing, row: Mapping[str, Any], hashes: Collection[str], *, part_key: str) -> None:
    """Note an erasure durably, owner only, unless it stands there. Raises DiskFull, EnvironmentFailed."""
    register_lines.bring_together(paths, landing)
    kept = read(paths, part_key)
    if not (_is_told(row, kept.rows.get(row["erasure_id"])) and kept.hashes.issuperset(hashes)):
        _append(paths, landing, part_key, row=row, hashes=set(hashes) - kept.hashes)
    _mark_landing(paths)


def _append(
    paths: Paths, landing: Landing, part_key: str, *, row: Mapping[str, Any] | None, hashes: Collection[str]
) -> None:
    """Of rows with the same `erasure_id` that which is completed holds."""
    line = {"key": _digest(part_key), "erasure": row, "hashes": sorted(hashes)}
    register_lines.append(paths, landing, register_lines.packed(line))


def _mark_landing(paths: Paths) -> None:
    """Have the landing area tell that lines of it were erased, also where none of them shows it."""
    with telling("the landing area", folder=paths.landing):
        _mark(paths).touch(FILE_MODE)


def reconcile(connection: Connection, paths: Paths, landing: Landing, *, part_key: str) -> None:
    """Have the warehouse keep out whom the register names, and the register name whom the warehouse keeps out.

    Raises EnvironmentFailed where the register cannot be read, or is gone and nothing tells who was erased, and where
    the warehouse is an older one that still holds somebody who was.
    """
    register_lines.bring_together(paths, landing)
    if read_notes(connection, NOTE).get(NOTE) == _stamp(connection, paths, landing):
        return
    kept = read(paths, part_key)
    rows = {row["erasure_id"]: row for row in session.rows(connection, _ROWS)}
    known = {one for (one,) in connection.execute("select pseudonym from staging.erased").fetchall()}
    if not (paths.erasure_register.exists() or rows or known):
        _require_nobody_erased(paths, landing)
    _add_to_warehouse(connection, kept, rows, known)
    _add_to_register((paths, landing, part_key), kept, rows, known)
    write_note(connection, NOTE, _stamp(connection, paths, landing))


def read(paths: Paths, part_key: str) -> Kept:
    """What the register says; nothing where there is none. Raises EnvironmentFailed where it cannot be read."""
    path, kept = paths.erasure_register, Kept()
    for line in register_lines.parsed(register_lines.read(paths), path.name):
        if line["key"] != _digest(part_key):
            raise EnvironmentFailed(
                f"{path.name} was written with another pseudonym key, and would keep nobody out; put that "
                f"key back, and delete {paths.pseudonym_note.name}",
                code="wrong_key",
            )
        kept.hashes.update(line["hashes"])
        row = line["erasure"]
        if row and not _is_told(row, kept.rows.get(row["erasure_id"])):
            kept.rows[row["erasure_id"]] = row
    return kept


def require_whole(paths: Paths) -> None:
    """Raise EnvironmentFailed where a line of the register is damaged; whichever key it was written with."""
    register_lines.parsed(register_lines.read(paths), paths.erasure_register.name)


def _require_nobody_erased(paths: Paths, landing: Landing) -> None:
    if _mark(paths).exists() or any(ERASED_LINE in content for content in landing.contents()):
        name = paths.erasure_register.name
        raise EnvironmentFailed(
            f"people were erased here, and nothing tells whom: neither {name} nor the warehouse is there. They would "
            f"be asked for again. Restore {name}, or the warehouse, from a backup. Where there is none, make an empty "
            f"{paths.erasure_register}, and erase them again after the next sync",
            code="erasures_unknown",
        )


def _add_to_warehouse(
    connection: Connection, kept: Kept, rows: Mapping[str, Mapping[str, Any]], known: Collection[str]
) -> None:
    if missing := kept.hashes.difference(known):
        _require_none_held(connection, missing)
    with session.transaction(connection):
        session.insert(connection, "staging.erased", [{"pseudonym": one} for one in sorted(missing)])
        session.insert(connection, "ops.erasure", [row for name, row in kept.rows.items() if name not in rows])


def _require_none_held(connection: Connection, hashes: Iterable[str]) -> None:
    query = catalog.statement("find_erased_held", digests=", ".join(map(quote, sorted(hashes))))
    if connection.execute(query).fetchall():
        raise EnvironmentFailed(
            "this warehouse is older than an erasure, and still holds who was erased; move it away and run "
            "screening-pipeline rebuild, which leaves them out",
            code="warehouse_older",
        )


def _add_to_register(
    where: tuple[Paths, Landing, str], kept: Kept, rows: Mapping[str, Mapping[str, Any]], known: Collection[str]
) -> None:
    new = [row for name, row in rows.items() if not _is_told(row, kept.rows.get(name))]
    for row in new:
        _append(*where, row=row, hashes=[row["pseudonym"]])
        kept.hashes.add(row["pseudonym"])
    if hashes := set(known) - kept.hashes:
        _append(*where, row=None, hashes=hashes)


def _is_told(row: Mapping[str, Any], told: Mapping[str, Any] | None) -> bool:
    return told is not None and bool(told["completed_at"] or not row["completed_at"])


def _stamp(connection: Connection, paths: Paths, landing: Landing) -> str:
    """What changes when the register does, or the warehouse keeps out somebody more."""
    counts = connection.execute(
        "select (select count(*) from staging.erased), (select count(completed_at) from ops.erasure)"
    ).fetchone()
    shared = landing.store.erasures  # the same for all machines: none has to note its own folder's file
    return json.dumps([register_lines.mark(shared) if shared else mark_of(paths.erasure_register), counts])


def _mark(paths: Paths) -> Path:
    return paths.landing / "erased"


def _digest(part_key: str) -> str:
    return hashlib.sha256(f"{part_key}\x1fwhich key this is".encode()).hexdigest()[:16]
