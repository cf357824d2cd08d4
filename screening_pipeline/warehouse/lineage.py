"""Lineage: which table feeds which, parsed from the SQL; staging and work tables are looked through.

What statements insert counts; what they update or delete feeds nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cache

from screening_pipeline.warehouse import catalog
from screening_pipeline.warehouse.dependencies import tables_filled

SHOWN = ("raw", "star", "analytics", "ops")
# What the program itself reads in, the landed lines and the orders of manifests, and which checks they are about.
_SOURCES = {"landed": "raw.response", "new_order": "raw.order", "batch_check": "raw.response"}
# Which rows are computed again, not what is in them.
_CHOICES = {"touched", "recounted", "changed_by", "known_state"}


@cache
def feeds(name: str) -> frozenset[str]:
    """The public relations that `name` (as in `catalog.relations`) is computed from."""
    return frozenset(_shown(name, frozenset()) - {name})


def _shown(name: str, seen: frozenset[str]) -> set[str]:
    found: set[str] = set()
    for upstream in _read_by(name) - seen - {name}:
        if upstream in _SOURCES:
            found.add(_SOURCES[upstream])
        elif upstream.partition(".")[0] in SHOWN:
            found.add(upstream)
        else:
            found |= _shown(upstream, seen | {name})
    return found


def _read_by(name: str) -> frozenset[str]:
    """The relations that a relation, or a table of a batch, is made from in one step."""
    return (catalog.reads().get(name, frozenset()) | _filled().get(name, frozenset())) - _CHOICES


@cache
def _filled() -> Mapping[str, frozenset[str]]:
    """The sources of each table that statements fill: table → relations read."""
    filled: dict[str, frozenset[str]] = defaultdict(frozenset)
    for table, read in tables_filled(catalog.statements().values()):
        filled[table] |= read
    return filled
