"""What is known to have been told, and messages that a receiver has not taken yet; in the shared state.

A message and the state that it tells of are noted together, before it is sent, and it stays until it was taken: a crash
may tell twice, with the same id, and never forgets to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from screening_pipeline.notify.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from screening_pipeline.notify.receivers import Deliver
    from screening_pipeline.notify.troubles import Trouble
    from screening_pipeline.state.pull_queue import PullQueue

_NOTE = "notified"
MOST_WAITING = 100
GIVEN_UP_AFTER = timedelta(days=1)
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)


@dataclass
class Outbox:
    """What was told (`known`: words and count by name), what waits, and why the last delivery to each failed."""

    known: dict[str, dict[str, Any]] = field(default_factory=dict)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    alive_at: str | None = None

    @classmethod
    def kept(cls, pull_queue: PullQueue) -> Outbox:
        """What is noted; nothing before the first time."""
        return cls(**json.loads(pull_queue.note(_NOTE) or "{}"))

    def keep(self, pull_queue: PullQueue) -> None:
        """Note it."""
        pull_queue.remember(_NOTE, json.dumps(self.__dict__))

    def add(self, message: Message, now: Iterable[Trouble], receivers: Iterable[str]) -> None:
        """Put a message in for each receiver; what is wrong now is known from here on."""
        self.known = {trouble.name: {"words": trouble.words, "count": trouble.count} for trouble in now}
        for name in receivers:
            entry = {"to": name, "message": message.facts(), "tries": 0, "next_at": message.at.isoformat()}
            self.waiting.append(entry)
        del self.waiting[:-MOST_WAITING]

    def deliver(self, receivers: Mapping[str, Deliver], now: datetime) -> None:
        """Try once what is due; what fails is tried again later and later, for a day."""
        from screening_pipeline.notify.webhook import NotDelivered

        still = []
        for entry in self.waiting:
            deliver = receivers.get(entry["to"])
            if deliver is None:  # not configured any more
                continue
            if now < datetime.fromisoformat(entry["next_at"]):
                still.append(entry)
                continue
            try:
                deliver(Message.of_facts(entry["message"]))
                self.failures.pop(entry["to"], None)
            except NotDelivered as problem:
                self.failures[entry["to"]] = str(problem)
                still += _later(entry, now)
        self.waiting = still


def _later(entry: dict[str, Any], now: datetime) -> list[dict[str, Any]]:
    if now - datetime.fromisoformat(entry["message"]["at"]) > GIVEN_UP_AFTER:
        return []
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(entry["tries"], 10))
    return [entry | {"tries": entry["tries"] + 1, "next_at": (now + pause).isoformat()}]
