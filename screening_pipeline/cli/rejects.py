"""What could not be read and is still open: listed, and settled by hand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening_pipeline.base.clock import system_clock
from screening_pipeline.cli import console
from screening_pipeline.orders import settlement
from screening_pipeline.settings import load
from screening_pipeline.warehouse import session
from screening_pipeline.warehouse.engines import engine_of

if TYPE_CHECKING:
    from screening_pipeline.settings.settings import Settings

_OPEN = "from ops.open_reject order by rejected_at asc nulls last, reject_id asc nulls last"
_SHOWN = 100


def command(*, is_settling: bool, is_json: bool) -> int:
    """List what is open, or settle it; 1 while anything is open, else 0."""
    settings = load.load(os.environ, Path.cwd())
    found = _open_rejects(settings)
    if is_settling:
        settled = _settle(settings)
        console.say_json({"settled": settled}) if is_json else console.say(f"settled {settled:,} rejects")
        return 0
    if is_json:
        console.say_json(found)
    else:
        _list(found)
    return int(bool(found))


def _open_rejects(settings: Settings) -> list[dict[str, Any]]:
    """Those that the published snapshot shows, the oldest first."""
    engine = engine_of(settings)
    if not engine.is_published():
        return []
    with engine.reader() as connection:
        return session.rows(connection, _OPEN)


def _settle(settings: Settings) -> int:
    """Settle all that is open in the warehouse, and publish that. Raises LockHeld."""
    from screening_pipeline.cycle.writing import open_warehouse
    from screening_pipeline.runtime import opening, plans

    clock = system_clock(os.environ)
    work = opening.build_runtime(settings, os.environ, clock)
    with open_warehouse(work) as connection:
        plans.prepare(connection, work)
        settled = settlement.settle_all(connection, clock.now())
        engine_of(settings).publish(connection)
    return settled


def _list(found: list[dict[str, Any]]) -> None:
    if not found:
        console.say("nothing is rejected")
        return
    rows = [row | {"where": _where(row), "what": row["detail"] or row["reason"]} for row in found[:_SHOWN]]
    console.table(rows, {"rejected_at": "since", "where": "where", "reason": "reason", "what": "what"})
    if len(found) > _SHOWN:
        console.say(f"and {len(found) - _SHOWN:,} more, in ops.open_reject")
    console.say(
        "An order row is settled when its file is gone, or a later file has the row; an answer, when a later one"
    )
    console.say("about the check could be read. `screening-pipeline rejects --settle` settles them all.")


def _where(row: dict[str, Any]) -> str:
    if row["source"] == "manifest":
        return f"{row['file']}:{row['line']}" if row["line"] else str(row["file"])
    whose = f"{row['vendor']}/{row['account']} {row['source']}"
    return f"{whose} about {row['check_id']}" if row["check_id"] else whose
