"""Order files whose content is another one than was read, though nobody has written to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from screening_pipeline.base.files import mark_of
from screening_pipeline.base.sample import sample
from screening_pipeline.orders import creations
from screening_pipeline.orders.files import Look, manifest_of, manifests, shown_name


def rotten(folder: Path, known: Mapping[str, Look], most_bytes: int | None) -> Iterator[str]:
    """The names of those files, of a sample where not all are read. Raises EnvironmentFailed."""
    names = {path: shown_name(str(path.relative_to(folder))) for path in manifests(folder)}
    unchanged = {p: known[n] for p, n in names.items() if n in known and known[n].is_whole and _is_still(p, known[n])}
    for path in sample({path: look.mark[1] for path, look in unchanged.items()}, most_bytes):
        with suppress(FileNotFoundError):
            found = manifest_of(path, creations.whose(path, folder))
            if found.sha256 != unchanged[path].sha256 and _is_still(path, unchanged[path]):
                yield names[path]


def _is_still(path: Path, look: Look) -> bool:
    return mark_of(path) == look.mark
