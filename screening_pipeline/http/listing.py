"""Lists that come page by page: read until nothing is missing, whatever happens to them meanwhile.

Each page is landed as it comes, so that a look that is broken off loses nothing; what is seen twice is one thing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from screening_pipeline.domain.vocabulary import Json

if TYPE_CHECKING:
    from screening_pipeline.domain.declaration import Endpoint, Pages
    from screening_pipeline.http.client import AccountClient

MOST_PAGES = 10_000
PASSES = 3
"""How often a list is read from its beginning at once, where items vanish from it while it is read."""


async def read_list(client: AccountClient, endpoint: Endpoint, query: str, *, until: float | None = None) -> bool:
    """Read a list to its end; whether everything that was in it was seen. Else it is to be read again, later.

    Raises what `AccountClient.call` raises; the pages before are landed.
    """
    if endpoint.pages is None:
        landed, _ = await client.page(endpoint.name, query, until=until)
        return landed.is_accepted
    for _ in range(PASSES):
        seen = _Pass()
        if not await _read(client, endpoint, endpoint.pages, query, seen, until):
            return False
        if seen.is_whole:
            return True
    return False


async def _read(
    client: AccountClient, endpoint: Endpoint, pages: Pages, query: str, seen: _Pass, until: float | None
) -> bool:
    """Read all pages once; whether each could be read, and they came to an end."""
    for number in range(1, MOST_PAGES + 1):
        turned = "&".join(filter(None, (query, f"{pages.number}={number}", f"{pages.size}={pages.at_once}")))
        landed, body = await client.page(endpoint.name, turned, until=until)
        page = page_of(body, pages) if landed.is_accepted else None
        if page is None:
            return False
        is_news = seen.add(page)
        if not (page.has_more and page.items):
            return True
        if not is_news:  # the same page again, for ever
            return False
    return False


@dataclass(frozen=True)
class Page:
    """One page: what tells its items apart, whether more follow, and how many there are in all."""

    items: frozenset[str]
    has_more: bool
    total: int | None


def page_of(body: bytes, pages: Pages) -> Page | None:
    """A page as its declaration says; None where it has no list."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    items = found.get(pages.items) if isinstance(found, dict) else None
    if not isinstance(items, list):
        return None
    total = found.get(pages.total)
    is_count = isinstance(total, int) and not isinstance(total, bool)
    return Page(frozenset(map(_name, items)), found.get(pages.more) is not None, total if is_count else None)


def _name(item: Json) -> str:
    told = item.get("id") if isinstance(item, Mapping) else None
    return told if isinstance(told, str) and told else json.dumps(item, sort_keys=True)


@dataclass
class _Pass:
    """What one reading of a list has seen so far."""

    items: set[str] = field(default_factory=set)
    totals: list[int] = field(default_factory=list)

    def add(self, page: Page) -> bool:
        """Add a page; whether anything of it is news."""
        before = len(self.items)
        self.items |= page.items
        if page.total is not None:
            self.totals.append(page.total)
        return len(self.items) > before

    @property
    def is_whole(self) -> bool:
        """Whether nothing can have been missed: where items vanish, those behind them move to pages already read."""
        return self.totals == sorted(self.totals) and len(self.items) >= min(self.totals, default=0)
