"""When a list of a vendor is asked for again: its packages once a day, checks to be discovered every hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from screening_pipeline.domain.declaration import Endpoint
    from screening_pipeline.settings.account import Account
    from screening_pipeline.state.pull_queue import PullQueue

# Nearly a day, and nearly an hour: a schedule that asks a second earlier than the time before asks all the same.
LISTS_EVERY = timedelta(hours=23)
FRESH_EVERY = timedelta(minutes=55)
# A look at what is new begins before the look before it began: clocks differ, and lists lag.
OVERLAP = timedelta(hours=1)


def is_list_due(pull_queue: PullQueue, account: Account, endpoint: Endpoint, now: datetime) -> bool:
    """Whether a list of the vendor's is to be asked for again."""
    return due_query(pull_queue, account, endpoint, now) is not None


def due_query(pull_queue: PullQueue, account: Account, endpoint: Endpoint, now: datetime) -> str | None:
    """The query of the look that is due: empty for everything, else of what is new; None where none is due."""
    if not account.polling or (endpoint.is_discovering and not account.discover):
        return None
    whole = _noted(pull_queue, list_note(account, endpoint))
    if whole is None or abs(now - whole) >= LISTS_EVERY:
        return ""
    if endpoint.pages is None or endpoint.pages.fresh is None:
        return None
    fresh = max(whole, _noted(pull_queue, fresh_note(account, endpoint)) or whole)
    if abs(now - fresh) < FRESH_EVERY:
        return None
    return endpoint.pages.fresh.format(since=f"{(fresh - OVERLAP).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")


def note_look(pull_queue: PullQueue, account: Account, endpoint: Endpoint, query: str, now: datetime) -> None:
    """Note that a look that began `now` has seen all it was to see."""
    name = fresh_note(account, endpoint) if query else list_note(account, endpoint)
    pull_queue.remember(name, now.isoformat())


def _noted(pull_queue: PullQueue, name: str) -> datetime | None:
    found = pull_queue.note(name)
    return None if found is None else datetime.fromisoformat(found)


def list_note(account: Account, endpoint: Endpoint) -> str:
    """The name of the note when a list of the account was last seen as a whole."""
    return f"list:{account.key}/{endpoint.name}"


def fresh_note(account: Account, endpoint: Endpoint) -> str:
    """The name of the note when what is new in a list of the account was last looked for."""
    return f"fresh:{account.key}/{endpoint.name}"
