"""When a rejected row needs nobody any more: its file is gone, or a later one holds the row; or somebody said so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from screening_pipeline.base.sql_text import quote
from screening_pipeline.orders.rows import key_of
from screening_pipeline.warehouse import catalog

if TYPE_CHECKING:
    from screening_pipeline.orders.files import Looks
    from screening_pipeline.warehouse.session import Connection


def settle_files(connection: Connection, found: Looks, now: datetime) -> None:
    """Settle the rejects of what no file holds any more, as long as its file does not wait to be read anew.

    Where a file is put back, its rejects are open again.
    """
    there = [look.sha256[:16] for look in found.looks.values() if look.sha256]
    given = {"held": f"({_texts(there)})", "waiting": f"({_texts(found.waiting)})", "now": quote(now.isoformat())}
    connection.execute(catalog.statement("settle_files", **given))


def settle_rows(connection: Connection, *, key: bytes, now: datetime) -> None:
    """Settle the rejects of rows that another file among those of `new_order` holds."""
    wanted: dict[str, list[str]] = {}
    for row_key, reject_id in connection.execute(catalog.statement("find_open_rows")).fetchall():
        wanted.setdefault(row_key, []).append(reject_id)
    if not wanted:
        return
    rows = connection.execute("select distinct vendor, check_id, file_sha256 from new_order").fetchall()
    settled = {
        reject_id
        for vendor, check_id, digest in rows
        for reject_id in wanted.get(key_of({"vendor": vendor, "check_id": check_id}, key) or "", ())
        if not reject_id.startswith(digest[:16])
    }
    if settled:
        _settle(connection, f"select unnest([{_texts(settled)}]) as reject_id", "later_file", now)


def settle_all(connection: Connection, now: datetime) -> int:
    """Settle every reject that is open; how many there were."""
    found = connection.execute("select count(*) from ops.open_reject").fetchone()
    _settle(connection, "select reject_id from ops.open_reject", "hand", now)
    return int(found[0]) if found else 0


def _settle(connection: Connection, which: str, how: str, now: datetime) -> None:
    connection.execute(
        f"insert into ops.reject_settlement select distinct reject_id, '{how}', {quote(now.isoformat())} from ({which})"
    )


def _texts(texts: Iterable[str]) -> str:
    return ", ".join(map(quote, texts)) or "''"
