"""The feed of an account, and the note that a gap in it was closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening_pipeline.vendors import vendor

if TYPE_CHECKING:
    from screening_pipeline.http.feed import Feed
    from screening_pipeline.http.feed_record import Gap
    from screening_pipeline.runtime.context import Runtime
    from screening_pipeline.settings.account import Account


def feed_of(runtime: Runtime, account: Account) -> Feed:
    """The `Feed` of an account: drains its destructive feed and keeps the gaps on record."""
    from screening_pipeline.http.feed import Feed

    is_proxied = runtime.settings.http.proxies_from_environment
    return Feed(runtime.landing, vendor(account.vendor), account.name, clock=runtime.clock, is_proxied=is_proxied)


def gap_note(gap: Gap) -> str:
    """The name under which the shared state notes that a gap was closed."""
    return f"gap:{gap.vendor}/{gap.account}/{gap.id}"
