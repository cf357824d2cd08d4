"""Unread input: whether manifests or landed lines arrived since the warehouse last read them, without opening it.

A change of the configured accounts counts as unread input: rows of old manifests may be for new ones; so does an
unfinished erasure, until the next opening of the warehouse finishes it. The watermark is kept in the shared state,
which may be lost; then everything is read again, which changes nothing. It names the warehouse that did the
reading, since one restored from a backup has not.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING

from screening_pipeline.base.files import mark_of
from screening_pipeline.landing import day_seals
from screening_pipeline.landing.day_seals import Seals
from screening_pipeline.orders import copies
from screening_pipeline.orders.files import manifests, shown_name
from screening_pipeline.warehouse.engines import engine_of

if TYPE_CHECKING:
    from screening_pipeline.landing.area import Landing
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.state.pull_queue import PullQueue


ERASURE = "erasure_intent"
"""Where machines share their state: under which name that has the sealed intent of an erasure."""
_NOTE = "warehouse_read"
_SETTLING = "settles_at"
_ORDERS_NOTE = "orders_told"


def manifest_marks(settings: Settings) -> dict[str, list[int]]:
    """The manifests that are there now. Take it before reading them: what comes meanwhile is news again.

    Copies have the marks of what they are copies of, so that machines agree on what was read.
    """
    paths = settings.paths
    copied = copies.marks(paths.orders_note) if settings.orders.url is not None else {}
    found = {str(path.relative_to(paths.orders)): mark_of(path) for path in manifests(paths.orders)}
    return {name: copied.get(name, mark) for name, mark in found.items() if mark}


def fetch_orders(settings: Settings) -> None:
    """Copy order files from where machines share them, if they do. Raises EnvironmentFailed, ConfigurationError."""
    if settings.orders.url is not None:
        from screening_pipeline.landing.objects import objects_at

        objects = objects_at(settings.orders.url, "orders.url")
        copies.copy_orders(objects, settings.paths.orders, settings.paths.orders_note)


def waiting(orders_now: Mapping[str, list[int]], names: Collection[str]) -> list[str]:
    """Which of the manifests have these names, as a person reads them: those that were not read to their end."""
    return [name for name in orders_now if shown_name(name) in names]


def tell_orders(pull_queue: PullQueue, waiting: Mapping[str, str], dialects: Mapping[str, str]) -> None:
    """Note what a person should know of the manifests: why some wait, and how others are written."""
    pull_queue.remember(_ORDERS_NOTE, json.dumps({"waiting": dict(waiting), "dialects": dict(dialects)}))


def told_of_orders(pull_queue: PullQueue) -> dict[str, dict[str, str]]:
    """What was noted of the manifests, by `waiting` and `dialects`, each by the name of the file."""
    kept = pull_queue.note(_ORDERS_NOTE)
    return json.loads(kept) if kept else {"waiting": {}, "dialects": {}}


@dataclass(frozen=True)
class Watermark:
    """The watermark of the warehouse: what it has read of the accounts, the manifests and the landing area.

    `warehouse` is its change mark. `seals` copies the warehouse's own, readable while it is busy.
    """

    warehouse: list[int]
    accounts: list[str]
    orders: Mapping[str, list[int]]
    seals: Seals


def current_watermark(pull_queue: PullQueue, settings: Settings) -> Watermark | None:
    """The watermark of the warehouse as it is now; None where none is stored or the file has changed since."""
    note = _noted(pull_queue)
    return note if note and note.warehouse == engine_of(settings).mark() else None


def store_watermark(
    pull_queue: PullQueue,
    settings: Settings,
    before: Watermark | None,
    *,
    orders: Mapping[str, list[int]] | None,
    seals: Seals,
) -> None:
    """Store the watermark of the closed warehouse; without `orders` those of `before` stay."""
    mark = engine_of(settings).mark()
    if orders is not None:
        accounts = settings.account_keys
    elif before is not None:
        accounts, orders = before.accounts, before.orders
    else:
        return
    if mark:
        told = {"warehouse": mark, "accounts": accounts, "orders": dict(orders), "seals": day_seals.dumps(seals)}
        pull_queue.remember(_NOTE, json.dumps(told))


def has_unread_input(pull_queue: PullQueue, settings: Settings, landing: Landing) -> bool:
    """Whether the warehouse may have unread input, or an unfinished erasure."""
    note = current_watermark(pull_queue, settings)
    if note is None or [note.accounts, note.orders] != [settings.account_keys, manifest_marks(settings)]:
        return True
    return bool(landing.gained(note.seals) or unfinished(pull_queue, settings))


def are_manifests_read(pull_queue: PullQueue, settings: Settings, manifests_now: dict[str, list[int]]) -> bool:
    """Whether the warehouse has read these manifests (from `orders`), whatever was done to it since."""
    note = _noted_of_it(pull_queue, settings)
    return note is not None and [note.accounts, note.orders] == [settings.account_keys, manifests_now]


def unread_files(pull_queue: PullQueue, settings: Settings, landing: Landing) -> dict[str, int]:
    """The landed files with unread lines: relative path → size in bytes."""
    note = _noted_of_it(pull_queue, settings)
    return landing.gained(note.seals if note else {})


def unfinished(pull_queue: PullQueue, settings: Settings) -> dict[str, list[int]]:
    """The unfinished erasure, if there is one, of whichever machine: file name → change mark."""
    intent = settings.paths.erasure_intent
    noted = pull_queue.note(ERASURE) if settings.landing.url is not None else None
    mark = [zlib.crc32(noted.encode())] if noted else mark_of(intent)
    return {intent.name: mark} if mark else {}


def note_settling(pull_queue: PullQueue, at: datetime | None) -> None:
    """Note when the next message that nobody can confirm becomes the state of its check; None: none waits."""
    pull_queue.remember(_SETTLING, at.isoformat() if at else "")


def settling(pull_queue: PullQueue, now: datetime) -> dict[str, str]:
    """When the message became the state of its check that the warehouse does not show yet, if there is one."""
    at = pull_queue.note(_SETTLING)
    return {"settles_at": at} if at and datetime.fromisoformat(at) <= now else {}


def _noted(pull_queue: PullQueue) -> Watermark | None:
    """The note; one that an earlier version wrote tells nothing."""
    kept = json.loads(pull_queue.note(_NOTE) or "{}")
    if kept.keys() != {field.name for field in fields(Watermark)}:
        return None
    return Watermark(**kept | {"seals": day_seals.loads(kept["seals"])})


def _noted_of_it(pull_queue: PullQueue, settings: Settings) -> Watermark | None:
    """The note, unless another warehouse has taken the place of the one that it tells of."""
    note, mark = _noted(pull_queue), engine_of(settings).mark()
    return note if note and mark and note.warehouse[0] == mark[0] else None
