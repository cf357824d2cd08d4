"""The files in data/orders/: which of them are manifests, and how much of each may be read by now.

A file is told by inode, size and time; only one that is another by those is read at all. One that changes while it is
looked at waits as a whole, and a last line without a line end waits until the file has been still for a while: half a
line would name a check that belongs to somebody else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from screening_pipeline.base.clock import Clock
from screening_pipeline.base.errors import EnvironmentFailed
from screening_pipeline.base.files import mark_of
from screening_pipeline.orders import creations
from screening_pipeline.vendors import all_vendors

REQUIRED = ("vendor", "check_id")
OPTIONAL = (
    *("account", "subject", "candidate_ref", "package", "ordered_at", "needed_by"),
    *("country", "region", "cost_center", "tags"),
)
COLUMNS = REQUIRED + OPTIONAL
ENDINGS = (".csv", ".ndjson", ".parquet")
STILL = timedelta(minutes=1)
"""For how long a file must not have changed before its last line counts without a line end."""
LOOKS_APART_SECONDS = 0.3
"""Between two looks at files that have changed lately."""
BEING_WRITTEN = "it is being written; it is read once it stays as it is"
LAST_LINE_WAITS = "its last line has no line end; it is read once the file has not changed for a minute"
_HALF_WRITTEN = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")
_CHUNK = 1024 * 1024

Row = dict[str, Any]
CreatedBy = tuple[str, str]
"""Vendor and account of a file that holds answers to creations."""


@dataclass(frozen=True)
class Problem:
    """A manifest row (or, with line None, a file or column) that could not be read, and why.

    A column is named only where it is nearly one of ours. `row_key` tells the row again in a later file, where it can
    be told.
    """

    line: int | None
    reason: str
    detail: str
    row_key: str | None = None


@dataclass(frozen=True)
class Manifest:
    """What may be read of one file: its first `size` bytes, whose SHA-256 is `sha256`; `is_partial`: the rest waits."""

    path: Path
    sha256: str
    size: int
    line_count: int = 0
    is_partial: bool = False
    created_by: CreatedBy | None = None
    copy: Path | None = None
    """Where its bytes are read from, if not from the file itself."""

    @property
    def name(self) -> str:
        """As a person reads it: below the folder of its vendor and account, where it holds answers to creations."""
        return shown_name("/".join([*(self.created_by or ()), self.path.name]))

    def open(self) -> IO[bytes]:
        """The file, from its beginning. Raises EnvironmentFailed."""
        return _opened(self.copy or self.path)

    def content(self) -> bytes:
        """All that may be read of it. Raises EnvironmentFailed."""
        with self.open() as file:
            return file.read(self.size)


@dataclass(frozen=True)
class Look:
    """How a file was found: its mark, since when it has it, and the content that was read, if all of it was."""

    mark: list[int]
    seen_at: datetime
    seen_monotonic: float
    sha256: str | None = None
    is_whole: bool = False


@dataclass
class Looks:
    """What was found in the folder: `looks` by name, and why files wait."""

    looks: dict[str, Look] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)


def shown_name(name: str) -> str:
    """The name of a file as text; bytes of it that are no UTF-8 are shown by their numbers."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def manifests(folder: Path) -> list[Path]:
    """The manifest files in `folder`, sorted by name; hidden ones may still be being written."""
    found = (p for p in folder.glob("*") if p.suffix.lower() in ENDINGS and not p.name.startswith("."))
    return sorted(path for path in found if path.is_file()) + creations.files(folder)


def not_manifests(folder: Path) -> list[str]:
    """The files in `folder` that nobody reads, and the folders (`name/`), by name; no hidden or half written ones."""
    known = {*manifests(folder), *(folder / slug for slug in all_vendors() if (folder / slug).is_dir())}
    found = (p for p in folder.glob("*") if not p.name.startswith(".") and not p.name.endswith(_HALF_WRITTEN))
    return sorted(f"{path.name}/" if path.is_dir() else path.name for path in found if path not in known)


def manifest_of(path: Path, created_by: CreatedBy | None = None) -> Manifest:
    """All that a file holds now. Raises EnvironmentFailed."""
    whole = _measured(path, created_by)
    return Manifest(path, whole.sha256, whole.size, whole.line_count, created_by=created_by)


def unread(
    folder: Path, known: Mapping[str, Look], clock: Clock, found: Looks, *, reread: Sequence[str] = ()
) -> Iterator[Manifest]:
    """What may be read of the files in `folder` that are not as they are `known`, or whose content is to be reread.

    Notes in `found` how each file was found. Raises EnvironmentFailed.
    """
    changed = {}
    for path in manifests(folder):
        name = shown_name(str(path.relative_to(folder)))
        mark, before = mark_of(path), known.get(name)
        if mark is None:  # it was taken away since it was listed
            continue
        since = before if before and before.mark == mark else Look(mark, clock.now(), clock.monotonic())
        found.looks[name] = since
        if not since.is_whole or since.sha256 in reread:
            changed[name] = path
    if not all(is_still(found.looks[name], clock) for name in changed):
        clock.sleep(LOOKS_APART_SECONDS)
    for name, path in changed.items():
        if manifest := _readable(name, path, creations.whose(path, folder), clock, found):
            yield manifest


def is_still(look: Look, clock: Clock) -> bool:
    """Whether a file has not changed for a while: by its own time, or since it was seen so.

    A time that lies before us, as under a clock that stands still, proves nothing.
    """
    now = clock.now()
    age = now.timestamp() - look.mark[2] / 1e9
    seen = max((now - look.seen_at).total_seconds(), clock.monotonic() - look.seen_monotonic)
    return max(age, seen) >= STILL.total_seconds()


def _readable(name: str, path: Path, created_by: CreatedBy | None, clock: Clock, found: Looks) -> Manifest | None:
    """What may be read of a file by now, None where that is nothing."""
    look = found.looks[name]
    try:
        whole = _measured(path, created_by) if mark_of(path) == look.mark else None
    except FileNotFoundError:
        del found.looks[name]
        return None
    if whole is None or mark_of(path) != look.mark:
        found.waiting[name] = BEING_WRITTEN
        return None
    # Half a Parquet file is none, and half an answer is no JSON: these are read as a whole or not at all.
    is_of_lines = created_by is None and path.suffix.lower() != ".parquet"
    if is_of_lines and whole.lines_size < whole.size and not is_still(look, clock):
        found.waiting[name] = LAST_LINE_WAITS
        note(found, name, whole.lines_sha256, is_whole=False)
        part = Manifest(path, whole.lines_sha256, whole.lines_size, whole.line_count, is_partial=True)
        return part if part.size else None
    note(found, name, whole.sha256, is_whole=True)
    return Manifest(path, whole.sha256, whole.size, whole.line_count, created_by=created_by)


def note(found: Looks, name: str, sha256: str | None, *, is_whole: bool) -> None:
    """Note what was read of a file."""
    look = found.looks[name]
    found.looks[name] = Look(look.mark, look.seen_at, look.seen_monotonic, sha256, is_whole)


def is_changed(manifest: Manifest, found: Looks) -> bool:
    """Whether a file is another by now than when it was measured."""
    return mark_of(manifest.path) != found.looks[manifest.name].mark


@dataclass(frozen=True)
class _Measured:
    sha256: str
    size: int
    lines_sha256: str
    lines_size: int
    line_count: int


def _measured(path: Path, created_by: CreatedBy | None = None) -> _Measured:
    """Hash a file in one pass, and its part up to the last line end. Raises EnvironmentFailed, FileNotFoundError."""
    # One answer may stand word for word in the folders of two accounts, and be two orders.
    whole = hashlib.sha256("/".join(created_by or ()).encode())
    lines, lines_size, size, line_count = whole.copy(), 0, 0, 0
    beginning = b""
    with _opened(path) as file:
        while chunk := file.read(_CHUNK):
            beginning = beginning or chunk[:2]
            cut = _after_last_line(chunk, beginning)
            whole.update(chunk[:cut])
            if cut:
                lines, lines_size = whole.copy(), size + cut
            whole.update(chunk[cut:])
            size += len(chunk)
            line_count += chunk.count(b"\n")
    return _Measured(whole.hexdigest(), size, lines.hexdigest(), lines_size, line_count)


def _after_last_line(chunk: bytes, beginning: bytes) -> int:
    """Where the last line end of a chunk (of an even place in its file) ends, 0 where there is none."""
    encoding = utf_16_of(beginning)
    if encoding is None:
        return max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1
    line_end = "\n".encode(encoding)
    place = chunk.rfind(line_end)
    while place % 2 and place > 0:  # between two characters
        place = chunk.rfind(line_end, 0, place + 1)
    return place + 2 if place >= 0 and place % 2 == 0 else 0


def utf_16_of(beginning: bytes) -> str | None:
    """The UTF-16 that a text begins as, by its mark or by the zero beside its first letter; None for any other."""
    match beginning[:2]:
        case b"\xff\xfe":
            return "utf-16-le"
        case b"\xfe\xff":
            return "utf-16-be"
    if len(beginning) < 2 or (beginning[0] == 0) == (beginning[1] == 0):
        return None
    return "utf-16-be" if beginning[0] == 0 else "utf-16-le"


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise
    except OSError as problem:
        told = f"cannot read the manifest {shown_name(path.name)}: {problem.strerror or 'not readable'}"
        raise EnvironmentFailed(told, code="not_readable") from None
