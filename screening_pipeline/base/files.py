"""Files that survive: locked, synced, owner-only; and sealed where the disk must not see what is in them."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from screening_pipeline.base.errors import DiskFull, EnvironmentFailed, LockHeld, NotWritable

FOLDER_MODE = 0o700
FILE_MODE = 0o600

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)
_BLOCK_BYTES = 65536
_SLACK_BYTES = 1024 * 1024  # for the small files and folders that nobody reserves room for


sync = getattr(os, "fdatasync", os.fsync)
"""Make what was written to a descriptor durable."""


def mark_of(path: Path) -> list[int] | None:
    """What changes with a file: inode, size and time; None where there is none (any more)."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return [found.st_ino, found.st_size, found.st_mtime_ns]


@contextmanager
def telling(where: str, needed_bytes: int = 0, folder: Path | None = None) -> Iterator[None]:
    """Turn what the operating system says into DiskFull, NotWritable or EnvironmentFailed, naming `where`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            free = _free_bytes(folder) if folder else 0
            raise DiskFull(where, needed_bytes=needed_bytes, free_bytes=free) from None
        reason = error.strerror or type(error).__name__
        if error.errno in _FORBIDDEN:
            raise NotWritable(where, reason) from None
        raise EnvironmentFailed(f"{where}: {reason}", code="io") from None


def _free_bytes(folder: Path) -> int:
    stats = os.statvfs(folder)
    return stats.f_bavail * stats.f_frsize


def make_folder(folder: Path) -> None:
    """Create an owner-only folder and its parents, each durable in its parent."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, content: bytes) -> None:
    """Write every byte, however many calls it takes."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def write_new(path: Path, content: bytes) -> None:
    """A durable file that appears under its name with its whole content, or not at all."""
    draft = path.with_name(f"{path.name}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    try:
        write_all(descriptor, content)
        sync(descriptor)
    finally:
        os.close(descriptor)
    draft.rename(path)
    sync_folder(path.parent)


@contextmanager
def locked(path: Path, *, is_shared: bool = False, is_waiting: bool = True) -> Iterator[int]:
    """Hold the lock of the file that stands at `path` (made if missing) and give its descriptor.

    The kernel lets go of it when the holder dies. The file may be replaced while we wait for the old one:
    then the wait starts again. Raises LockHeld unless `is_waiting`.
    """
    descriptor = _opened_and_locked(path, is_shared=is_shared, is_waiting=is_waiting)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _opened_and_locked(path: Path, *, is_shared: bool, is_waiting: bool) -> int:
    how = (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | (0 if is_waiting else fcntl.LOCK_NB)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, FILE_MODE)
        try:
            fcntl.flock(descriptor, how)
            if _stands_at(descriptor, path):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise LockHeld(path.name) from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _stands_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def append_line(path: Path, line: bytes) -> None:
    """Append a line durably; a torn line that a crash left at the end is first moved to `<file>.torn`.

    All or nothing: where the disk does not take the whole line, what it took is cut off again.
    """
    with locked(path) as descriptor:
        size = _without_torn_tail(descriptor, path)
        try:
            write_all(descriptor, line + b"\n")
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
    """The offset after the last newline; whatever follows is no complete line."""
    position = size
    while position > 0:
        start = max(0, position - _BLOCK_BYTES)
        newline = os.pread(descriptor, position - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        position = start
    return 0


def allocate(descriptor: int, needed_bytes: int) -> None:
    """Make a file that large, with room on the disk for all of it. Nothing happens where systems cannot."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, needed_bytes)


@contextmanager
def reserved(folder: Path, needed_bytes: int) -> Iterator[None]:
    """Hold that much room on the disk of `folder` while the block runs. Raises DiskFull before it does.

    The room is a file without a name, so that it is free again when its holder dies.
    """
    with telling(folder.name, needed_bytes, folder):
        descriptor, name = tempfile.mkstemp(dir=folder, suffix=".ballast")
        Path(name).unlink()
    try:
        with telling(folder.name, needed_bytes, folder):
            allocate(descriptor, needed_bytes)
        missing = _SLACK_BYTES if hasattr(os, "posix_fallocate") else _SLACK_BYTES + needed_bytes
        if (free := _free_bytes(folder)) < missing:
            raise DiskFull(folder.name, needed_bytes=missing, free_bytes=free)
        yield
    finally:
        os.close(descriptor)
