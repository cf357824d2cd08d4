"""The manifests below `data/orders/`: which there are, and what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.orders import creations
from screening_pipeline.vendors import all_vendors

REQUIRED = ("vendor", "check_id")
OPTIONAL = ("account", "subject", "candidate_ref", "package", "ordered_at", "country", "region", "cost_center", "tags")
COLUMNS = REQUIRED + OPTIONAL
ENDINGS = (".csv", ".ndjson", ".parquet")
_HALF_WRITTEN = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")


Row = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """A manifest row (or, with line None, a file or column) that could not be read, and why.

    A column is named only where it is nearly one of ours.
    """

    line: int | None
    reason: str
    detail: str


@dataclass(frozen=True)
class Manifest:
    """One unread manifest file: its content and hash."""

    path: Path
    sha256: str
    content: bytes
    created_by: tuple[str, str] | None = None
    """Vendor and account, where the file holds answers to creations."""

    @property
    def name(self) -> str:
        """The file's name as text; bytes of it that are no UTF-8 are shown by their numbers."""
        place = "/".join([*(self.created_by or ()), self.path.name])
        return place.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def manifests(folder: Path) -> list[Path]:
    """The manifest files in `folder`, sorted by name; hidden ones may still be being written."""
    found = (p for p in folder.glob("*") if p.suffix.lower() in ENDINGS and not p.name.startswith("."))
    return sorted(path for path in found if path.is_file()) + creations.files(folder)


def not_manifests(folder: Path) -> list[str]:
    """The files in `folder` that nobody reads, and the folders (`name/`), by name; no hidden or half written ones."""
    known = {*manifests(folder), *(folder / slug for slug in all_vendors() if (folder / slug).is_dir())}
    found = (p for p in folder.glob("*") if not p.name.startswith(".") and not p.name.endswith(_HALF_WRITTEN))
    return sorted(f"{path.name}/" if path.is_dir() else path.name for path in found if path not in known)


def unread(folder: Path, known: Iterable[str]) -> Iterator[Manifest]:
    """The manifests in `folder` whose content hash is not among the `known` ones, one at a time.

    Raises EnvironmentFailed.
    """
    seen = set(known)
    for path in manifests(folder):
        content = _content(path)
        if content is None:
            continue
        created_by = creations.whose(path, folder)
        # One answer may stand word for word in the folders of two accounts, and be two orders.
        digest = hashlib.sha256("/".join(created_by or ()).encode() + content).hexdigest()
        if digest not in seen:
            seen.add(digest)
            yield Manifest(path, digest, content, created_by)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # it was taken away since it was listed
        return None
    except OSError as problem:
        reason = problem.strerror or "not readable"
        raise EnvironmentFailed(f"cannot read the manifest {path.name}: {reason}", code="not_readable") from None
