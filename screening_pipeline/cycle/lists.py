"""When a list of a vendor, its packages say, is asked for again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from screening_pipeline.settings.account import Account
    from screening_pipeline.state.pull_queue import PullQueue

# Nearly a day: a schedule that asks a second earlier than the day before asks all the same.
LISTS_EVERY = timedelta(hours=23)


def is_list_due(pull_queue: PullQueue, account: Account, endpoint: str, now: datetime) -> bool:
    """Whether a list of the vendor's is to be asked for again."""
    if not account.polling:
        return False
    last = pull_queue.note(list_note(account, endpoint))
    return last is None or abs(now - datetime.fromisoformat(last)) >= LISTS_EVERY


def list_note(account: Account, endpoint: str) -> str:
    """The name of the note when a list of the account was asked for last."""
    return f"list:{account.key}/{endpoint}"
