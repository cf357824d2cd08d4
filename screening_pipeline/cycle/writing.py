"""Opening the live warehouse for writing: finishes a pending erasure before, stores watermarks after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from screening_pipeline.privacy import erasure_intent, erasure_steps
from screening_pipeline.runtime import unread
from screening_pipeline.warehouse import batch, loading, session
from screening_pipeline.warehouse.engines import engine_of

if TYPE_CHECKING:
    from screening_pipeline.runtime.context import Runtime


@contextmanager
def open_warehouse(runtime: Runtime, *, orders: Mapping[str, list[int]] | None = None) -> Iterator[session.Connection]:
    """Context manager: the live warehouse for writing, created if missing.

    An interrupted erasure is finished first, which replaces the warehouse. After a successful block the shared state
    stores the watermark: the warehouse's seals of the landing area, and `orders`, the manifests that the block reads,
    as `unread.manifest_marks` found them before; the block takes those out that are to be read again. Raises LockHeld
    where another process keeps it for too long, and EnvironmentFailed.
    """
    if erasure_intent.is_pending(runtime):
        erasure_steps.finish(runtime)
    engine, is_shared = engine_of(runtime.settings), runtime.settings.landing.url is not None
    with engine.writer(clock=runtime.clock, wait_seconds=runtime.lock_wait_seconds) as connection:
        batch.set_person_key(connection, runtime.key)
        before = unread.current_watermark(runtime.pull_queue, runtime.settings)
        yield connection
        seals = loading.seals(connection)
        completed = erasure_steps.completed(connection) if is_shared else 0
    if is_shared:
        erasure_steps.follow(runtime, completed)
    unread.store_watermark(runtime.pull_queue, runtime.settings, before, orders=orders, seals=seals)
