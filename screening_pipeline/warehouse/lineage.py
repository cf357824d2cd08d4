"""Which table feeds which, read from the SQL: staging and work tables are looked through. Pure."""

from __future__ import annotations

from functools import cache

from screening_pipeline.warehouse import catalog

SHOWN = ("raw", "star", "analytics", "ops")
# What work tables start from: the landed lines, and the orders of the batch.
_SOURCES = {"landed": "raw.response", "new_order": "raw.order", "batch_check": "raw.response"}


@cache
def feeds(name: str) -> frozenset[str]:
    """The shown relations that `name` (as in `catalog.relations`) is computed from."""
    relation = catalog.relations()[name]
    known = (*catalog.relations(), *_SOURCES)
    found: set[str] = set()
    for upstream in catalog.upstream(relation, known):
        if upstream in _SOURCES:
            found.add(_SOURCES[upstream])
        elif catalog.relations()[upstream].schema in SHOWN:
            found.add(upstream)
        else:
            found |= feeds(upstream)
    return frozenset(found - {name})
