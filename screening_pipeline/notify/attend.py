"""One look at how things stand, and telling of what has changed: what Dagster's sensor and `watch` do alike."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from screening_pipeline.base.errors import LockHeld
from screening_pipeline.base.locks import locked
from screening_pipeline.health.status import status_report
from screening_pipeline.notify.messages import Change, Message, changes
from screening_pipeline.notify.outbox import Outbox
from screening_pipeline.notify.receivers import receivers, tell_alive
from screening_pipeline.notify.troubles import FailedRun, troubles
from screening_pipeline.notify.webhook import NotDelivered
from screening_pipeline.runtime.shared import shared_store
from screening_pipeline.state import pulse
from screening_pipeline.state.pull_queue import PullQueue

if TYPE_CHECKING:
    from datetime import datetime

    from screening_pipeline.base.clock import Clock
    from screening_pipeline.settings.settings import Settings

LOOK_EVERY_SECONDS = 15.0
LastFailure = Callable[[], FailedRun | None]


def attend(settings: Settings, environ: Mapping[str, str], clock: Clock, *, who: str, last_failure: LastFailure) -> str:
    """Note that `who` lives, look, and tell of what has changed; in a word what came of it. Raises ScreeningError.

    Whoever looks at the same time leaves it to the first. Nothing is told where nobody is configured.
    """
    pull_queue = PullQueue(shared_store(settings, environ))
    pulse.note_alive(pull_queue, who, clock.now())
    if not settings.notify.is_anybody:
        return "nobody is to be told, see [notify]"
    try:
        with locked(settings.data_dir / "notify.lock", is_waiting=False):
            return _told(settings, environ, clock, pull_queue, last_failure())
    except LockHeld:
        return "another process is telling"


def _told(
    settings: Settings, environ: Mapping[str, str], clock: Clock, pull_queue: PullQueue, failed: FailedRun | None
) -> str:
    now, outbox, known = clock.now(), Outbox.kept(pull_queue), receivers(settings, environ)
    wrong = troubles(status_report(settings, environ, clock), settings, failed)
    found = tuple(changes(outbox.known, wrong))
    if found:
        outbox.add(Message(str(uuid.uuid4()), now, found), wrong, known)
        outbox.keep(pull_queue)
    outbox.deliver(known, now)
    if failed is None and settings.notify.alive_url_env:
        _alive(settings, environ, outbox, pulse.pulse(pull_queue).cycle_at)
    outbox.keep(pull_queue)
    failures = "".join(f"; {name}: {why}" for name, why in outbox.failures.items())
    return f"{len(found)} changes, {len(outbox.waiting)} messages wait{failures}"


def _alive(settings: Settings, environ: Mapping[str, str], outbox: Outbox, cycle_at: datetime | None) -> None:
    """Once after each good cycle; where nobody answers, again at the next look."""
    if cycle_at is None or outbox.alive_at == cycle_at.isoformat():
        return
    try:
        tell_alive(settings, environ)
    except NotDelivered as problem:
        outbox.failures["alive"] = str(problem)
        return
    outbox.failures.pop("alive", None)
    outbox.alive_at = cycle_at.isoformat()


def trial_message(now: datetime) -> Message:
    """The message that `doctor --notify-test` sends."""
    words = "A test: whoever reads this is told when something goes wrong."
    return Message(str(uuid.uuid4()), now, (Change("test", "test", words),))


@contextmanager
def attending(
    settings: Settings, environ: Mapping[str, str], clock: Clock, *, last_failure: LastFailure
) -> Iterator[None]:
    """Context manager: looks every 15 seconds, in a thread of its own, so that no cycle waits for a receiver."""
    ended = threading.Event()

    def look() -> None:
        while True:
            with suppress(Exception):  # whoever runs cycles meets the same and says so; and the next look may do better
                attend(settings, environ, clock, who=pulse.WATCH, last_failure=last_failure)
            if ended.wait(LOOK_EVERY_SECONDS):
                return

    thread = threading.Thread(target=look, name="notify", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=2 * LOOK_EVERY_SECONDS)
        pulse.note_ended(PullQueue(shared_store(settings, environ)), pulse.WATCH)
