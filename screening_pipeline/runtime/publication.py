"""The timing of snapshots: one after every run, unless making it would take more than its share of the time.

Mostly it is brought up to date with what has changed; now and then it is copied as a whole, and that grows with the
warehouse. One that takes longer than `FREE_SECONDS` is made at most every `REST` times as long, so that publishing
never takes more than a twentieth of the time; what a run put off is made up for by the next one that may.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from screening_pipeline.warehouse.engines import engine_of

if TYPE_CHECKING:
    from screening_pipeline.runtime.context import Runtime
    from screening_pipeline.state.pull_queue import PullQueue
    from screening_pipeline.warehouse.session import Connection


FREE_SECONDS = 5.0
REST = 20
_MADE = "snapshot_made"
_PUT_OFF = "snapshot_put_off"


def publish(runtime: Runtime, connection: Connection, *, is_due: bool = False) -> int | None:
    """Publish the snapshot of the warehouse; its size in bytes, or None where publication was deferred.

    `is_due`: somebody asks for it now, and it is not deferred.
    """
    pull_queue, clock = runtime.pull_queue, runtime.clock
    now = clock.now()
    engine = engine_of(runtime.settings)
    is_update = engine.is_updatable(connection)
    due = due_at(pull_queue, now, is_update=is_update)
    if not is_due and due is not None and now < due and engine.is_published():
        pull_queue.remember(_PUT_OFF, now.isoformat())
        return None
    started = clock.monotonic()
    size = engine.publish(connection)
    made = {"at": now.isoformat(), "seconds": clock.monotonic() - started, "is_update": is_update}
    pull_queue.remember(_MADE, json.dumps(made))
    pull_queue.remember(_PUT_OFF, "")
    return size


def due_at(pull_queue: PullQueue, now: datetime, *, is_update: bool = False) -> datetime | None:
    """The earliest time of the next publication; None: at any time.

    `is_update`: an incremental one is possible, whose time the duration of the last whole copy does not bound. None
    also where the clock went back since the last publication.
    """
    noted = pull_queue.note(_MADE)
    made = json.loads(noted) if noted else None
    if made is None or (is_update and not made.get("is_update")):
        return None
    at, seconds = datetime.fromisoformat(made["at"]), float(made["seconds"])
    return at + timedelta(seconds=REST * seconds) if seconds > FREE_SECONDS and at <= now else None


def made_at(pull_queue: PullQueue) -> datetime | None:
    """When the snapshot that is in place was made; None where that was not noted."""
    noted = pull_queue.note(_MADE)
    return datetime.fromisoformat(json.loads(noted)["at"]) if noted else None


def overdue(pull_queue: PullQueue, now: datetime) -> str | None:
    """The id of a deferred publication that is due now; None if there is none."""
    put_off, due = pull_queue.note(_PUT_OFF), due_at(pull_queue, now)
    return put_off if put_off and (due is None or now >= due) else None
