"""The Parquet files beside a new snapshot, where `[publish] parquet_every` asks for them; else every morning.

All views are computed for them, so they take at most a twentieth of the time: what one publication leaves out, a later
one or the morning makes up for. Readers have the old set or the new one whole, and the old one for ten minutes more.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from screening_pipeline.runtime.publication import REST
from screening_pipeline.warehouse import publish
from screening_pipeline.warehouse.engines import engine_of

if TYPE_CHECKING:
    from screening_pipeline.runtime.context import Runtime
    from screening_pipeline.state.pull_queue import PullQueue

_MADE = "parquet_made"
KEPT_SECONDS = 600.0


def renew(runtime: Runtime) -> int | None:
    """Export the snapshot as Parquet where that is asked for and due; the number of files, or None.

    The live warehouse must not be open. Raises EnvironmentFailed.
    """
    every, now = runtime.settings.publish.parquet_every, runtime.clock.now()
    if every is None or not is_due(runtime.pull_queue, now, timedelta(seconds=every)):
        return None
    started = runtime.clock.monotonic()
    with engine_of(runtime.settings).deriving() as snapshot:
        count = publish.export_parquet(snapshot, runtime.settings.paths.parquet, kept_seconds=KEPT_SECONDS)
    made = {"at": now.isoformat(), "seconds": runtime.clock.monotonic() - started}
    runtime.pull_queue.remember(_MADE, json.dumps(made))
    return count


def is_due(pull_queue: PullQueue, now: datetime, every: timedelta) -> bool:
    """Whether so much time has gone by since the last export; also where the clock was put back, or it is not noted."""
    noted = json.loads(pull_queue.note(_MADE) or "{}")
    if not noted:
        return True
    since = now - datetime.fromisoformat(noted["at"])
    return since < timedelta(0) or since >= max(every, timedelta(seconds=REST * noted["seconds"]))
