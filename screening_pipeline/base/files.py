"""Durable files: synced, owner-only, replaced by a rename, appended to line by line."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from screening_pipeline.base.failures import disk_full, free_bytes, telling
from screening_pipeline.base.locks import locked

FOLDER_MODE = 0o700
FILE_MODE = 0o600

SHARED_FOLDER_MODE = 0o750
SHARED_FILE_MODE = 0o440

_BLOCK_BYTES = 65536
_SLACK_BYTES = 1024 * 1024  # for the small files and folders that nobody reserves room for


sync = getattr(os, "fdatasync", os.fsync)
"""Make what was written to a descriptor durable."""


def mark_of(path: Path) -> list[int] | None:
    """The change mark of a file, [inode, bytes, modification time in ns]; None where there is no file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return [found.st_ino, found.st_size, found.st_mtime_ns]


def make_folder(folder: Path) -> None:
    """Create an owner-only folder and its parents, each durable in its parent."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Sync a folder's entries to disk, so that names made or removed in it survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def share(path: Path) -> None:
    """Let the group of the folder that a file or folder lies in read it, whatever the umask says.

    Where this user may not give it to that group it stays with the user's own; `doctor` tells who can read it.
    """
    group = path.parent.stat().st_gid
    if path.stat().st_gid != group:
        with suppress(PermissionError):
            os.chown(path, -1, group)
    path.chmod(SHARED_FOLDER_MODE if path.is_dir() else SHARED_FILE_MODE)


def write_all(descriptor: int, content: bytes) -> None:
    """Write all bytes to a descriptor, in as many calls as that takes."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def write_new(path: Path, content: bytes) -> None:
    """Write a file atomically and durably (draft, sync, rename); an existing file is replaced."""
    draft = path.with_name(f"{path.name}.part")
    _write(draft, content, os.O_TRUNC)
    put_in_place(draft, path)


def write_once(path: Path, content: bytes) -> None:
    """Write a file atomically unless it exists: of concurrent processes the first one wins, and its file stays."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write(draft, content, os.O_EXCL)
        _sync_file(draft)
        with suppress(FileExistsError):
            os.link(draft, path)
            sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def put_in_place(draft: Path, path: Path) -> None:
    """Rename a complete draft to its final path atomically; replaces an older file, and syncs both file and name."""
    _sync_file(draft)
    draft.replace(path)
    sync_folder(path.parent)


def _write(path: Path, content: bytes, how: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | how, FILE_MODE)
    try:
        write_all(descriptor, content)
    finally:
        os.close(descriptor)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def append_line(path: Path, line: bytes) -> None:
    """`append_lines` for one."""
    append_lines(path, [line])


def append_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Append lines durably, with one sync; a torn line that a crash left at the end is first moved to `<file>.torn`.

    All or nothing: where the disk does not take all of them, what it took is cut off again.
    """
    with locked(path) as descriptor:
        size = _without_torn_tail(descriptor, path)
        try:
            write_all(descriptor, b"".join(line + b"\n" for line in lines))
            sync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
        if size == 0:
            sync_folder(path.parent)


def _without_torn_tail(descriptor: int, path: Path) -> int:
    size = os.fstat(descriptor).st_size
    end = end_of_lines(descriptor, size)
    if end < size:
        torn = os.open(path.with_name(f"{path.name}.torn"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE_MODE)
        try:
            write_all(torn, os.pread(descriptor, size - end, end) + b"\n")
            sync(torn)
        finally:
            os.close(torn)
        os.ftruncate(descriptor, end)
    return end


def end_of_lines(descriptor: int, size: int) -> int:
    """The offset in bytes after the last newline; what follows it is an incomplete line."""
    position = size
    while position > 0:
        start = max(0, position - _BLOCK_BYTES)
        newline = os.pread(descriptor, position - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        position = start
    return 0


def allocate(descriptor: int, needed_bytes: int) -> None:
    """Preallocate disk space for a file of that size; does nothing on systems without fallocate."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, needed_bytes)


@contextmanager
def reserved(folder: Path, needed_bytes: int) -> Iterator[None]:
    """Context manager: reserve that many bytes of disk space in `folder`. Raises DiskFull before the block.

    The room is a file without a name, so that it is free again when its holder dies.
    """
    with telling(folder.name, needed_bytes, folder):
        descriptor, name = tempfile.mkstemp(dir=folder, suffix=".ballast")
        Path(name).unlink()
    try:
        with telling(folder.name, needed_bytes, folder):
            allocate(descriptor, needed_bytes)
        missing = _SLACK_BYTES if hasattr(os, "posix_fallocate") else _SLACK_BYTES + needed_bytes
        if free_bytes(folder) < missing:
            raise disk_full(folder.name, folder, missing)
        yield
    finally:
        os.close(descriptor)
