"""How a person is written in manifests: in those that are there, and in rows that were refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from screening_pipeline.base.sql_text import quote
from screening_pipeline.domain import ids
from screening_pipeline.orders import creations, files, readers
from screening_pipeline.orders.blocks import gathered
from screening_pipeline.orders.files import Manifest
from screening_pipeline.warehouse import catalog

if TYPE_CHECKING:
    from screening_pipeline.settings.settings import Settings
    from screening_pipeline.warehouse.session import Connection


def refused_lines(connection: Connection, accounts: str) -> dict[str, set[int]]:
    """The lines that were refused for their account while other accounts were configured, by content of the file."""
    found = connection.execute(catalog.statement("find_refused_orders", accounts=quote(accounts)))
    lines: dict[str, set[int]] = defaultdict(set)
    for digest, line in found.fetchall():
        lines[digest].add(line)
    return lines


def refused_spellings(connection: Connection, settings: Settings, candidate_ref: str) -> Iterator[str]:
    """How a person is written in rows that were refused for their account: those come in where that is configured."""
    refused = refused_lines(connection, accounts="")
    for manifest in _of_people(settings) if refused else ():
        yield from _spellings(connection, manifest, candidate_ref, only=refused.get(manifest.sha256, ()))


def spellings(connection: Connection, settings: Settings, candidate_ref: str) -> Iterator[str]:
    """How a person is written in the manifests that are there, in whatever way."""
    for manifest in _of_people(settings):
        yield from _spellings(connection, manifest, candidate_ref)


def _of_people(settings: Settings) -> Iterator[Manifest]:
    """The manifests that may name a person: an answer to a creation is not read for one."""
    for path in files.manifests(settings.paths.orders):
        if creations.whose(path, settings.paths.orders) is None:
            yield files.manifest_of(path)


def _spellings(
    connection: Connection, manifest: Manifest, candidate_ref: str, *, only: Collection[int] | None = None
) -> Iterator[str]:
    for block in gathered(readers.lines(connection, manifest)) if only is None or only else ():
        for line, told in zip(block.lines, map(str.strip, block.columns.get("candidate_ref", ())), strict=False):
            if told and (only is None or line in only) and ids.is_same_person(told, candidate_ref):
                yield told
